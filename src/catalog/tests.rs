//! Tests of the catalogue.

use super::*;

/// A made-up key of the right shape.
fn key(prefix: &str, c: char, n: usize) -> String {
    format!("{prefix}{}", c.to_string().repeat(n))
}

#[test]
fn catalog_host_of_base_url() {
    for (address, host) in [
        ("https://Openrouter.AI/api/v1", "openrouter.ai"),
        ("http://127.0.0.1:4801/v1", "127.0.0.1:4801"),
        ("https:evil.example://openrouter.ai/api/v1", ""),
        ("https:\\\\evil.example://openrouter.ai", ""),
        ("https://evil.example\\openrouter.ai/", "evil.example"),
        (
            "https://openrouter.ai@evil.example/",
            "openrouter.ai@evil.example",
        ),
        ("https:///openrouter.ai", ""),
        ("openrouter.ai", ""),
    ] {
        assert_eq!(
            Endpoint::custom("own".parse().unwrap(), address.to_owned()).host(),
            host,
            "{address}"
        );
    }
}

#[test]
fn catalog_loopback_is_decided_by_address() {
    for (address, loopback) in [
        ("http://127.0.0.1:4801/v1", true),
        ("http://127.8.9.1/v1", true),
        ("http://[::1]:80/v1", true),
        ("http://[::1]/v1", true),
        ("http://localhost:11434/v1", true),
        ("http://localhost/v1", true),
        ("https://localhost.evil.example/v1", false),
        ("https://127.0.0.1.evil.example/v1", false),
        ("https://localhost@evil.example:443/v1", false),
        ("https://10.0.0.1/v1", false),
        ("https:evil.example://localhost/v1", false),
    ] {
        assert_eq!(
            Endpoint::custom("own".parse().unwrap(), address.to_owned()).is_loopback(),
            loopback,
            "{address}"
        );
    }
}

#[test]
fn catalog_issuer_by_prefix_or_variable() {
    let title = |key: &str, variable| find_issuer(key, variable).map(|issuer| issuer.title);
    for (key, variable, want) in [
        (key("sk-or-v1-", 'a', 64), None, Some("a key of OpenRouter")),
        (key("sk-or-v1-", 'Z', 3), None, Some("a key of OpenRouter")),
        (key("gsk_", 'x', 52), Some("LLM_KEY"), Some("a key of Groq")),
        (
            key("", 'x', 32),
            Some("MISTRAL_API_KEY"),
            Some("a key of Mistral"),
        ),
        (
            key("", 'x', 32),
            Some("mistral_api_key"),
            Some("a key of Mistral"),
        ),
        (
            key("ghp_", 'x', 36),
            Some("LLM_KEY"),
            Some("a GitHub token"),
        ),
        (key("sk-", 'x', 8), Some("LLM_KEY"), None),
        (key("", 'x', 32), Some("LLM_KEY"), None),
    ] {
        assert_eq!(
            title(&key, variable).as_deref(),
            want,
            "{key} in {variable:?}"
        );
    }
    assert_eq!(
        find_issuer("sk-or-v1-x", None).unwrap().hosts,
        ["openrouter.ai"]
    );
    assert_eq!(
        find_issuer("ghp_x", None).unwrap().hosts,
        Vec::<String>::new()
    );
}

#[test]
fn catalog_accepts_own_key_format() {
    for (name, key) in [
        ("openrouter", key("sk-or-v1-", 'a', 64)),
        ("openai", key("sk-proj-", 'B', 120)),
        ("openai", key("sk-", 'B', 48)),
        ("openai", key("sk-svcacct-", 'B', 120)),
        ("anthropic", key("sk-ant-api03-", 'x', 95)),
        ("gemini", key("AIza", 'x', 35)),
        ("gemini", key("AQ.", 'x', 50)),
        ("groq", key("gsk_", 'x', 52)),
        ("mistral", key("", 'x', 32)),
        ("deepseek", key("sk-", 'a', 32)),
        ("xai", key("xai-", 'x', 80)),
        ("ollama", key("", 'x', 3)),
    ] {
        assert_eq!(find(name).unwrap().check_key(&key), Ok(()), "{name}");
    }
}

#[test]
fn catalog_rejects_key_without_quoting_it() {
    for (name, key, why) in [
        (
            "openrouter",
            key("sk-ant-api03-", 'q', 95),
            "this looks like a key of Anthropic, not of OpenRouter",
        ),
        (
            "openrouter",
            key("sk-proj-", 'q', 100),
            "this looks like a key of OpenAI, not of OpenRouter",
        ),
        (
            "openrouter",
            key("sk-", 'q', 32),
            "this looks like a key of DeepSeek, not of OpenRouter",
        ),
        (
            "openai",
            key("sk-or-v1-", 'a', 64),
            "this looks like a key of OpenRouter, not of OpenAI",
        ),
        (
            "mistral",
            key("gsk_", 'q', 52),
            "this looks like a key of Groq, not of Mistral",
        ),
        (
            "openrouter",
            key("ghp_", 'q', 36),
            "this looks like a GitHub token, not like a key of OpenRouter",
        ),
        (
            "openrouter",
            key("", 'q', 64),
            "a key of OpenRouter begins with `sk-or-v1-`",
        ),
        (
            "gemini",
            key("", 'q', 64),
            "a key of Google Gemini begins with `AIza` or `AQ.`",
        ),
        (
            "openrouter",
            key("sk-or-v1-", 'a', 63),
            "a key of OpenRouter has 64 characters after `sk-or-v1-`, this one has 63",
        ),
        (
            "openrouter",
            key("sk-or-v1-", 'Q', 64),
            "a key of OpenRouter has only the digits 0-9 and a-f after `sk-or-v1-`",
        ),
        (
            "openai",
            key("sk-", 'Q', 8),
            "a key of OpenAI has 40 to 256 characters after `sk-`, this one has 8",
        ),
        (
            "anthropic",
            key("sk-ant-admin01-", 'q', 95),
            "this looks like an admin key, which manages an organisation and cannot be used for chat",
        ),
        ("openrouter", String::new(), "the key is empty"),
        (
            "ollama",
            String::from("a b"),
            "the key contains a space or a line break",
        ),
        (
            "openrouter",
            String::from("sk-or-v1-\u{e9}"),
            "the key contains a control character or a character outside ASCII, which no key has",
        ),
    ] {
        let said = find(name).unwrap().check_key(&key).unwrap_err().to_string();
        assert_eq!(said, why, "{name}");
        assert!(!said.contains("qqq") && !said.contains("aaa"));
    }
}

#[test]
fn catalog_rows_are_complete() {
    assert_eq!(all().first().map(|e| e.name), Some(DEFAULT_PROVIDER));
    for entry in all() {
        let endpoint = entry.endpoint().unwrap();
        assert_eq!(endpoint.name.as_str(), entry.name);
        assert!(
            endpoint.base_url.starts_with("https://") || !entry.needs_key,
            "{}",
            entry.name
        );
        assert!(!entry.model.is_empty());
    }
}
