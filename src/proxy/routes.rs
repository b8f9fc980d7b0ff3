//! The requests that the proxy takes: one row each. Anything else is answered with 404.

use crate::proxy::scope::Scope;

/// The protocol of a request, which decides how errors look and where usage stands in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    OpenAi,
    Anthropic,
    Google,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// No body.
    Empty,
    Json,
    /// `multipart/form-data` with a file.
    Multipart,
}

/// How a request is paid for. Each row has one, so that none can be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Billing {
    /// Tokens of the prompt and of the answer.
    Tokens {
        /// The name of the field that limits the answer, and the field of the usage in a stream
        /// has to be asked for.
        limit: AnswerLimit,
    },
    /// Tokens of the prompt only.
    PromptOnly,
    /// In another unit: characters or seconds. Its cost is what the provider reports.
    OtherUnit,
    /// Nothing.
    Free,
}

/// How the length of an answer is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerLimit {
    /// By the field that the provider's dialect names.
    Dialect,
    /// By a field of this name.
    Field(&'static str),
    /// By a field within an object, which is not added where it is missing.
    Nested,
}

/// One row.
#[derive(Debug)]
pub(super) struct Route {
    /// Its name in the audit log.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// The path after `/v1` or, for Google, after `/v1beta`; `*` stands for a model.
    path: &'static str,
    pub(super) scope: Scope,
    pub(super) api: Api,
    pub(super) body: BodyForm,
    pub(super) billing: Billing,
}

const fn post(
    name: &'static str,
    path: &'static str,
    scope: Scope,
    api: Api,
    billing: Billing,
) -> Route {
    Route {
        name,
        method: "POST",
        path,
        scope,
        api,
        body: BodyForm::Json,
        billing,
    }
}

const fn get(name: &'static str, path: &'static str, api: Api) -> Route {
    Route {
        name,
        method: "GET",
        path,
        scope: Scope::Models,
        api,
        body: BodyForm::Empty,
        billing: Billing::Free,
    }
}

const CHAT_TOKENS: Billing = Billing::Tokens {
    limit: AnswerLimit::Dialect,
};

pub(super) const ROUTES: [Route; 15] = [
    post(
        "chat",
        "/chat/completions",
        Scope::Chat,
        Api::OpenAi,
        CHAT_TOKENS,
    ),
    post(
        "responses",
        "/responses",
        Scope::Chat,
        Api::OpenAi,
        Billing::Tokens {
            limit: AnswerLimit::Field("max_output_tokens"),
        },
    ),
    post(
        "completions",
        "/completions",
        Scope::Chat,
        Api::OpenAi,
        Billing::Tokens {
            limit: AnswerLimit::Field("max_tokens"),
        },
    ),
    post(
        "embeddings",
        "/embeddings",
        Scope::Embeddings,
        Api::OpenAi,
        Billing::PromptOnly,
    ),
    post(
        "speech",
        "/audio/speech",
        Scope::Audio,
        Api::OpenAi,
        Billing::OtherUnit,
    ),
    Route {
        body: BodyForm::Multipart,
        ..post(
            "transcriptions",
            "/audio/transcriptions",
            Scope::Audio,
            Api::OpenAi,
            Billing::OtherUnit,
        )
    },
    post(
        "realtime",
        "/realtime/client_secrets",
        Scope::Realtime,
        Api::OpenAi,
        Billing::Free,
    ),
    post(
        "messages",
        "/messages",
        Scope::Chat,
        Api::Anthropic,
        Billing::Tokens {
            limit: AnswerLimit::Field("max_tokens"),
        },
    ),
    post(
        "count_tokens",
        "/messages/count_tokens",
        Scope::Chat,
        Api::Anthropic,
        Billing::Free,
    ),
    get("models", "/models", Api::OpenAi),
    get("model", "/models/*", Api::OpenAi),
    post(
        "generate",
        "/models/*:generateContent",
        Scope::Chat,
        Api::Google,
        Billing::Tokens {
            limit: AnswerLimit::Nested,
        },
    ),
    post(
        "generate",
        "/models/*:streamGenerateContent",
        Scope::Chat,
        Api::Google,
        Billing::Tokens {
            limit: AnswerLimit::Nested,
        },
    ),
    post(
        "count_tokens",
        "/models/*:countTokens",
        Scope::Chat,
        Api::Google,
        Billing::Free,
    ),
    post(
        "embeddings",
        "/models/*:embedContent",
        Scope::Embeddings,
        Api::Google,
        Billing::PromptOnly,
    ),
];

/// A request that was recognised.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub(super) route: &'static Route,
    /// The path after the base address of the provider, without its query.
    pub(super) path: &'a str,
    /// The model in the path, if it is there.
    pub(super) model: Option<&'a str>,
}

/// Why there is no row for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// The path is unknown.
    Path,
    /// The path is known, with another method.
    Method,
}

/// Finds the row of a request. Bases with one `/v1` too many are forgiven, because clients differ
/// in whether they add it.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Result<Matched<'a>, NoRoute> {
    let google = path.strip_prefix("/v1beta");
    let rest = match google {
        Some(rest) => rest,
        None => {
            let mut rest = path.strip_prefix("/v1").ok_or(NoRoute::Path)?;
            while let Some(shorter) = rest.strip_prefix("/v1").filter(|r| r.starts_with('/')) {
                rest = shorter;
            }
            rest
        }
    };
    let mut known = false;
    for route in &ROUTES {
        let is_google = route.api == Api::Google;
        let Some(model) = match_path(route.path, rest).filter(|_| is_google == google.is_some())
        else {
            continue;
        };
        known = true;
        if route.method == method {
            return Ok(Matched {
                route,
                path: rest,
                model: (!model.is_empty()).then_some(model),
            });
        }
    }
    Err(if known {
        NoRoute::Method
    } else {
        NoRoute::Path
    })
}

/// What stands for the `*` of a pattern; empty if it has none.
fn match_path<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == path).then_some("");
    };
    let model = path.strip_prefix(before)?.strip_suffix(after)?;
    let is_model = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/~@".contains(&b);
    (!model.is_empty() && model.bytes().all(is_model) && !model.contains(".."))
        .then_some(model)
        .filter(|model| !after.is_empty() || !model.contains(':') || !model.ends_with("Content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Result<(&'static str, Option<String>), NoRoute> {
        find(method, path).map(|m| (m.route.name, m.model.map(str::to_owned)))
    }

    #[test]
    fn routes_are_those_of_the_documentation() {
        let page = include_str!("../../docs/proxy.md");
        let (_, table) = page
            .split_once("| request | name | scope | protocol | counted |\n|---|---|---|---|---|\n")
            .unwrap();
        let listed: Vec<&str> = table.lines().take_while(|line| !line.is_empty()).collect();
        let rows = ROUTES.iter().map(|route| {
            let (protocol, base) = match route.api {
                Api::OpenAi => ("OpenAI", "/v1"),
                Api::Anthropic => ("Anthropic", "/v1"),
                Api::Google => ("Google", "/v1beta"),
            };
            let counted = match route.billing {
                Billing::Tokens { .. } => "tokens",
                Billing::PromptOnly => "tokens of the prompt",
                Billing::OtherUnit => "what the provider reports",
                Billing::Free => "nothing",
            };
            let path = route.path.replace('*', "MODEL");
            let scope = crate::proxy::scope::name_of(&Scope::NAMES, route.scope);
            format!(
                "| `{} {base}{path}` | {} | {scope} | {protocol} | {counted} |",
                route.method, route.name
            )
        });
        assert_eq!(listed, rows.collect::<Vec<String>>());
    }

    #[test]
    fn routes_are_exact() {
        assert_eq!(found("POST", "/v1/chat/completions"), Ok(("chat", None)));
        assert_eq!(found("POST", "/v1/v1/messages"), Ok(("messages", None)));
        assert_eq!(
            found("POST", "/v1beta/models/gemini-3:streamGenerateContent"),
            Ok(("generate", Some(String::from("gemini-3"))))
        );
        assert_eq!(
            found("GET", "/v1/models/openai/gpt-5"),
            Ok(("model", Some(String::from("openai/gpt-5"))))
        );
        assert_eq!(found("GET", "/v1/chat/completions"), Err(NoRoute::Method));
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1/chat/completions/",
            "/v1/chat/completions/../key",
            "/v1/models/../keys",
            "/v1/models/",
            "/v1/files",
            "/v1beta/chat/completions",
            "/v1/models/x:generateContent?",
            "//v1/messages",
            "/V1/messages",
            "/v1/models/a b",
            "/v1/models/a%2fb",
        ] {
            for method in ["POST", "GET"] {
                let found = found(method, path);
                assert!(found.is_err(), "{method} {path}: {found:?}");
            }
        }
    }
}
