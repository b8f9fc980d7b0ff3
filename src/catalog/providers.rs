//! The table of known providers. To add one, add an entry.

use crate::catalog::{
    Dialect, KeyCharset, KeyCheckApi, KeyFormat, MaxTokensField, ProviderInfo, ReasoningForm,
};

pub(super) const DEFAULT_DIALECT: Dialect = Dialect {
    max_tokens_field: MaxTokensField::MaxTokens,
    stream_options: true,
    routing: false,
    reasoning: ReasoningForm::Effort,
};
const COMPLETION_TOKENS_DIALECT: Dialect = Dialect {
    max_tokens_field: MaxTokensField::MaxCompletionTokens,
    stream_options: true,
    routing: false,
    reasoning: ReasoningForm::Effort,
};

const fn key_format(prefix: &'static str, body: KeyCharset, min: usize, max: usize) -> KeyFormat {
    KeyFormat {
        prefix,
        charset: body,
        min,
        max,
        reject_reason: None,
    }
}

pub(super) const ADMIN_KEY_REASON: Option<&str> =
    Some("an admin key, which manages an organisation and cannot be used for chat");

pub(super) static PROVIDERS: [ProviderInfo; 9] = [
    ProviderInfo {
        name: "openrouter",
        title: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        env: Some("OPENROUTER_API_KEY"),
        needs_key: true,
        key_page: "https://openrouter.ai/settings/keys",
        key_formats: &[key_format("sk-or-v1-", KeyCharset::LowerHex, 64, 64)],
        key_check_api: KeyCheckApi::OpenRouter,
        // An alias for the newest model of the family; the response names the one that answered.
        model: "~anthropic/claude-sonnet-latest",
        dialect: Dialect {
            max_tokens_field: MaxTokensField::MaxCompletionTokens,
            stream_options: false,
            routing: true,
            reasoning: ReasoningForm::Object,
        },
    },
    ProviderInfo {
        name: "openai",
        title: "OpenAI",
        base_url: "https://api.openai.com/v1",
        env: Some("OPENAI_API_KEY"),
        needs_key: true,
        key_page: "https://platform.openai.com/api-keys",
        key_formats: &[
            KeyFormat {
                prefix: "sk-admin-",
                charset: KeyCharset::Url,
                min: 20,
                max: 256,
                reject_reason: ADMIN_KEY_REASON,
            },
            key_format("sk-proj-", KeyCharset::Url, 40, 256),
            key_format("sk-svcacct-", KeyCharset::Url, 40, 256),
            key_format("sk-service-", KeyCharset::Url, 40, 256),
            key_format("sk-", KeyCharset::Alnum, 40, 256),
        ],
        key_check_api: KeyCheckApi::OpenAi,
        model: "gpt-5.2",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "anthropic",
        title: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        env: Some("ANTHROPIC_API_KEY"),
        needs_key: true,
        key_page: "https://console.anthropic.com/settings/keys",
        key_formats: &[
            KeyFormat {
                prefix: "sk-ant-admin",
                charset: KeyCharset::Url,
                min: 20,
                max: 256,
                reject_reason: ADMIN_KEY_REASON,
            },
            key_format("sk-ant-", KeyCharset::Url, 40, 256),
        ],
        key_check_api: KeyCheckApi::Anthropic,
        model: "claude-sonnet-5",
        dialect: Dialect {
            reasoning: ReasoningForm::TokenBudget,
            ..DEFAULT_DIALECT
        },
    },
    ProviderInfo {
        name: "gemini",
        title: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        env: Some("GEMINI_API_KEY"),
        needs_key: true,
        key_page: "https://aistudio.google.com/apikey",
        key_formats: &[
            key_format("AIza", KeyCharset::Url, 35, 35),
            key_format("AQ.", KeyCharset::Url, 20, 256),
        ],
        key_check_api: KeyCheckApi::Gemini,
        model: "gemini-flash-latest",
        dialect: DEFAULT_DIALECT,
    },
    ProviderInfo {
        name: "groq",
        title: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        env: Some("GROQ_API_KEY"),
        needs_key: true,
        key_page: "https://console.groq.com/keys",
        key_formats: &[key_format("gsk_", KeyCharset::Alnum, 40, 128)],
        key_check_api: KeyCheckApi::Models,
        model: "openai/gpt-oss-120b",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "mistral",
        title: "Mistral",
        base_url: "https://api.mistral.ai/v1",
        env: Some("MISTRAL_API_KEY"),
        needs_key: true,
        key_page: "https://console.mistral.ai/api-keys",
        key_formats: &[key_format("", KeyCharset::Alnum, 32, 64)],
        key_check_api: KeyCheckApi::Models,
        model: "mistral-medium-latest",
        // Mistral rejects unknown fields, and reports usage without `stream_options`.
        dialect: Dialect {
            max_tokens_field: MaxTokensField::MaxTokens,
            stream_options: false,
            routing: false,
            reasoning: ReasoningForm::Unsupported,
        },
    },
    ProviderInfo {
        name: "deepseek",
        title: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        env: Some("DEEPSEEK_API_KEY"),
        needs_key: true,
        key_page: "https://platform.deepseek.com/api_keys",
        key_formats: &[key_format("sk-", KeyCharset::LowerAlnum, 32, 32)],
        key_check_api: KeyCheckApi::DeepSeek,
        model: "deepseek-flash",
        dialect: Dialect {
            reasoning: ReasoningForm::Switch,
            ..DEFAULT_DIALECT
        },
    },
    ProviderInfo {
        name: "xai",
        title: "xAI",
        base_url: "https://api.x.ai/v1",
        env: Some("XAI_API_KEY"),
        needs_key: true,
        key_page: "https://console.x.ai",
        key_formats: &[key_format("xai-", KeyCharset::Url, 60, 128)],
        key_check_api: KeyCheckApi::XAi,
        model: "grok-4.6",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "ollama",
        title: "Ollama",
        base_url: "http://127.0.0.1:11434/v1",
        env: None,
        needs_key: false,
        key_page: "https://ollama.com",
        key_formats: &[],
        key_check_api: KeyCheckApi::Models,
        model: "llama3.2",
        dialect: DEFAULT_DIALECT,
    },
];

/// Prefixes of keys for other services, so that the error names a key that was pasted by mistake.
pub(super) const OTHER_VENDORS: &[(&str, &str)] = &[
    ("ghp_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("glpat-", "a GitLab token"),
    ("hf_", "a Hugging Face token"),
    ("pplx-", "a Perplexity key"),
    ("AKIA", "an AWS access key id"),
    ("ASIA", "an AWS access key id"),
    ("gho_", "a GitHub token"),
    ("ghs_", "a GitHub token"),
    ("ghu_", "a GitHub token"),
    ("npm_", "an npm token"),
    ("r8_", "a Replicate token"),
    ("sk_live_", "a Stripe key"),
    ("rk_live_", "a Stripe key"),
    ("xoxb-", "a Slack token"),
    ("xoxp-", "a Slack token"),
    ("ek_", "a short-lived realtime secret"),
];
