//! The lines that `proxy setup` puts into the settings of another program. They stand between two
//! comments, so that they can be taken back whatever else changes in the file.

/// The comment before the lines, and the one after them.
const MARKS: [&str; 2] = [">>> chatbot proxy setup", "<<< chatbot proxy setup"];

/// The settings of Zed: JSON with comments.
pub(super) fn zed_lines(root: &str) -> Vec<String> {
    vec![
        String::from("\"language_models\": {"),
        format!("  \"anthropic\": {{ \"api_url\": \"{root}\" }},"),
        format!("  \"google\": {{ \"api_url\": \"{root}\" }},"),
        format!("  \"openai\": {{ \"api_url\": \"{root}/v1\" }}"),
        String::from("}"),
    ]
}

/// The settings of Continue: a model in a list of YAML.
pub(super) fn continue_lines(root: &str, model: &str, token: &str) -> Vec<String> {
    // A string of JSON is one of YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    vec![
        String::from("- name: chatbot"),
        String::from("  provider: openai"),
        format!("  model: {}", quoted(model)),
        format!("  apiBase: {root}/v1"),
        format!("  apiKey: {token}"),
        String::from("  roles: [chat, edit, apply]"),
    ]
}

fn block(lines: &[String], indent: &str, comment: &str) -> String {
    let [before, after] = MARKS.map(|mark| format!("{comment} {mark}"));
    let lines = [&[before], lines, &[after]].concat();
    lines
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}

/// Puts members into the object that JSON with comments consists of; `None` if it has them already
/// or is something else.
pub(super) fn insert_json(text: &str, lines: &[String]) -> Option<String> {
    let name = lines.first()?.split(':').next()?;
    if text.contains(name) {
        return None;
    }
    let text = if text.trim().is_empty() {
        "{\n}\n"
    } else {
        text
    };
    let start = skip_comments(text, 0)?;
    let rest = text.get(start..)?.strip_prefix('{')?;
    let next = skip_comments(text, start + 1)?;
    let mut lines = lines.to_vec();
    if !text.get(next..)?.starts_with('}')
        && let Some(last) = lines.last_mut()
    {
        last.push(',');
    }
    let head = text.get(..=start)?;
    let rest = rest.strip_prefix('\n').unwrap_or(rest);
    Some(format!("{head}\n{}{rest}", block(&lines, "  ", "//")))
}

/// The place of the next character that is neither white space nor part of a comment.
fn skip_comments(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        at += rest.len() - trimmed.len();
        let end = if trimmed.starts_with("//") {
            trimmed.find('\n')?
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/")? + 2
        } else {
            return (!trimmed.is_empty()).then_some(at);
        };
        at += end;
    }
}

/// Puts an item into the list `models` of a YAML file; `None` if it is written in another form.
pub(super) fn insert_yaml(text: &str, lines: &[String]) -> Option<String> {
    if text.trim().is_empty() {
        let mut whole = vec![
            String::from("name: chatbot"),
            String::from("version: 1.0.0"),
            String::from("schema: v1"),
            String::from("models:"),
        ];
        whole.extend(lines.iter().map(|line| format!("  {line}")));
        return Some(block(&whole, "", "#"));
    }
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let is_content = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let names_models = |line: &str| {
        let key = line.trim_end().trim_start_matches(['"', '\'', '?', ' ']);
        key.starts_with("models") && !line.starts_with([' ', '\t'])
    };
    let mut places = (0..all.len()).filter(|n| all.get(*n).is_some_and(|line| names_models(line)));
    let place = match (places.next(), places.next()) {
        (Some(place), None) => place,
        (None, None) if !text.trim_start().starts_with(['{', '[', '-', '%']) => {
            let mut whole = vec![String::from("models:")];
            whole.extend(lines.iter().map(|line| format!("  {line}")));
            let end = if text.ends_with('\n') { "" } else { "\n" };
            return Some(format!("{text}{end}{}", block(&whole, "", "#")));
        }
        _ => return None,
    };
    let (before, after) = all.split_at_checked(place + 1)?;
    let head = before.last()?.split('#').next()?.trim_end();
    let first = after.iter().find(|line| is_content(line))?;
    let indent = first.get(..first.len() - first.trim_start().len())?;
    if head != "models:" || !first.trim_start().starts_with("- ") {
        return None;
    }
    let block = block(lines, indent, "#");
    Some(format!("{}{block}{}", before.concat(), after.concat()))
}

/// Takes the lines out again; `None` if they are not there, or more than once.
pub(super) fn remove(text: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let is_one = MARKS.iter().all(|mark| text.matches(mark).count() == 1);
    let (start, stop) = (text.find(begin)?, text.find(end)?);
    if !is_one || stop < start {
        return None;
    }
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(stop..)?;
    let rest = rest
        .find('\n')
        .and_then(|at| rest.get(at + 1..))
        .unwrap_or_default();
    Some(format!("{}{rest}", text.get(..line_start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_lines_of_json_are_put_in_and_taken_out() {
        let lines = [String::from("\"key\": {"), String::from("}")];
        for (text, expected) in [
            (
                "// mine\n{\n  \"a\": 1, // one\n}\n",
                "// mine\n{\n  // >>> chatbot proxy setup\n  \"key\": {\n  },\n  // <<< chatbot proxy setup\n  \"a\": 1, // one\n}\n",
            ),
            (
                "/* { */ {\"a\":1}",
                "/* { */ {\n  // >>> chatbot proxy setup\n  \"key\": {\n  },\n  // <<< chatbot proxy setup\n\"a\":1}",
            ),
            (
                "{ }",
                "{\n  // >>> chatbot proxy setup\n  \"key\": {\n  }\n  // <<< chatbot proxy setup\n }",
            ),
            (
                "",
                "{\n  // >>> chatbot proxy setup\n  \"key\": {\n  }\n  // <<< chatbot proxy setup\n}\n",
            ),
        ] {
            let new = insert_json(text, &lines).unwrap();
            assert_eq!(new, expected);
            let removed = remove(&new).unwrap();
            let words = |text: &str| text.split_whitespace().collect::<String>();
            let empty = if text.is_empty() { "{}" } else { text };
            assert_eq!(words(&removed), words(empty));
        }
        for other in ["[]", "// only", "{\"key\": {}}", "/* {"] {
            assert_eq!(insert_json(other, &lines), None, "{other}");
        }
    }

    #[test]
    fn setup_lines_of_yaml_are_put_in_and_taken_out() {
        let lines = continue_lines("http://127.0.0.1:1", "maker/m", "T");
        let item = "- name: chatbot\n  provider: openai\n  model: \"maker/m\"\n  apiBase: http://127.0.0.1:1/v1\n  apiKey: T\n  roles: [chat, edit, apply]\n";
        let indented = item
            .lines()
            .map(|line| format!("  {line}\n"))
            .collect::<String>();
        for (text, expected) in [
            (
                "name: a\nmodels: # mine\n  # first\n  - name: x\n",
                format!(
                    "name: a\nmodels: # mine\n  # >>> chatbot proxy setup\n{indented}  # <<< chatbot proxy setup\n  # first\n  - name: x\n"
                ),
            ),
            (
                "models:\n- name: x\n",
                format!(
                    "models:\n# >>> chatbot proxy setup\n{item}# <<< chatbot proxy setup\n- name: x\n"
                ),
            ),
            (
                "name: a\n",
                format!(
                    "name: a\n# >>> chatbot proxy setup\nmodels:\n{indented}# <<< chatbot proxy setup\n"
                ),
            ),
        ] {
            let new = insert_yaml(text, &lines).unwrap();
            assert_eq!(new, expected);
            assert_eq!(remove(&new).as_deref(), Some(text));
        }
        let new = insert_yaml("", &lines).unwrap();
        assert!(
            new.starts_with("# >>> chatbot proxy setup\nname: chatbot\n"),
            "{new}"
        );
        assert_eq!(remove(&new).as_deref(), Some(""));
        for other in [
            "models: []\n",
            "{models: []}",
            "models:\n",
            "models:\n  a: 1\n",
            "- a\n",
        ] {
            assert_eq!(insert_yaml(other, &lines), None, "{other}");
        }
        assert_eq!(remove("no marks"), None);
    }
}
