//! Tests of finding keys in files of other programs.

use super::*;

fn key(prefix: &str, letter: char, n: usize) -> String {
    format!("{prefix}{}", letter.to_string().repeat(n))
}

/// The provider and line of each key found, and the text without the keys.
fn found(text: &str) -> (Vec<(&'static str, usize)>, String) {
    let found = find_keys(text);
    for f in &found {
        for (_, at) in &f.places {
            assert_eq!(&text[at.clone()], f.secret.expose());
        }
    }
    (
        found
            .iter()
            .map(|f| (f.provider.name, f.places[0].0))
            .collect(),
        without_keys(text, &found.iter().collect::<Vec<_>>()),
    )
}

#[test]
fn discover_reads_other_programs_formats() {
    let (router, openai, legacy) = (
        key("sk-or-v1-", 'a', 64),
        key("sk-proj-", 'B', 60),
        key("sk-", 'C', 48),
    );
    let (anthropic, groq, deepseek) = (
        key("sk-ant-api03-", 'd', 60),
        key("gsk_", 'E', 52),
        key("sk-", 'f', 32),
    );
    let mistral = key("", 'g', 32);
    for (text, expected, scrubbed) in [
        (
            format!(
                "# mine\nexport OPENROUTER_API_KEY='{router}'\nOPENAI_API_KEY={legacy}\nOTHER={legacy}x\n"
            ),
            vec![("openrouter", 2), ("openai", 3)],
            format!("# mine\nexport OPENROUTER_API_KEY=''\nOPENAI_API_KEY=\nOTHER={legacy}x\n"),
        ),
        (
            format!(
                "{{\"openrouter\": \"{router}\",\"deepseek\":\"{deepseek}\", \"mistral\": \"{mistral}\"}}"
            ),
            vec![("openrouter", 1), ("deepseek", 1), ("mistral", 1)],
            String::from("{\"openrouter\": \"\",\"deepseek\":\"\", \"mistral\": \"\"}"),
        ),
        (
            format!(
                "clients:\n  - type: openai\n    api_key: {legacy}\n  - type: claude\n    api_key: {anthropic}\n"
            ),
            vec![("openai", 3), ("anthropic", 5)],
            String::from(
                "clients:\n  - type: openai\n    api_key: \n  - type: claude\n    api_key: \n",
            ),
        ),
        (
            format!(
                "apis:\n  openai:\n    base-url: https://api.openai.com/v1\n    api-key: {openai}\n  groq:\n    api-key: {groq}\n"
            ),
            vec![("openai", 4), ("groq", 6)],
            String::from(
                "apis:\n  openai:\n    base-url: https://api.openai.com/v1\n    api-key: \n  groq:\n    api-key: \n",
            ),
        ),
        (
            format!("{{\"keys\":[{{\"name\":\"openrouter\",\"value\":\"{router}\"}}]}}"),
            vec![("openrouter", 1)],
            String::from("{\"keys\":[{\"name\":\"openrouter\",\"value\":\"\"}]}"),
        ),
        (
            format!(
                "{{\n \"providers\": {{\n  \"deepseek\": {{\n   \"api_key\": \"{deepseek}\"\n  }}\n }}\n}}"
            ),
            vec![("deepseek", 4)],
            String::from(
                "{\n \"providers\": {\n  \"deepseek\": {\n   \"api_key\": \"\"\n  }\n }\n}",
            ),
        ),
    ] {
        assert_eq!(found(&text), (expected, scrubbed), "{text}");
    }
}

#[test]
fn discover_ignores_references() {
    let deepseek = key("sk-", 'f', 32);
    for text in [
        "OPENROUTER_API_KEY=$OTHER\n",
        "OPENAI_API_KEY=\nOPENAI_API_KEY=changeme\n",
        "api_key: ${OPENROUTER_API_KEY}\n",
        "mistral_model: mistral-large-latest\n",
        &format!("comment {deepseek}\n"),
        &format!("SOME_ID={}\n", key("", 'a', 32)),
    ] {
        assert_eq!(found(text).0, [], "{text}");
    }
    // The same key twice is one result with two places.
    let twice = found(&format!(
        "DEEPSEEK_API_KEY={deepseek}\nDEEPSEEK_API_KEY={deepseek}\n"
    ));
    assert_eq!(
        twice,
        (
            vec![("deepseek", 1)],
            String::from("DEEPSEEK_API_KEY=\nDEEPSEEK_API_KEY=\n")
        )
    );
}
