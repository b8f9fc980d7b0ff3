//! Roles: a system prompt and the options of its requests, as Markdown after a front matter in
//! TOML.
//!
//! ```text
//! +++
//! model = "openai/gpt-5.2"
//! temperature = 0.2
//! [variables]
//! language = "English"
//! +++
//! You translate into {{language}}.
//! ```

use super::closest_name;
use super::defaults::RequestDefaults;
use super::section::{SectionReader, SettingsProblem, line_of};
use crate::name::Name;
use std::collections::BTreeMap;
use toml::de::DeTable;

/// The content of a role file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleFile {
    /// The provider.
    pub provider: Option<Name>,
    /// The model.
    pub model: Option<String>,
    /// The options of requests. The system prompt still has its variables.
    pub options: RequestDefaults,
    /// The variables of the system prompt with their defaults; an empty one has to be given.
    pub variables: BTreeMap<String, String>,
    /// The line where the system prompt begins, from 1.
    prompt_line: usize,
}

/// Parses the text of a role file. Returns what is valid, and all mistakes.
#[must_use]
pub fn parse_role(text: &str) -> (RoleFile, Vec<SettingsProblem>) {
    let mut role = RoleFile::default();
    let mut problems = Vec::new();
    let Some((front, body)) = split_front_matter(text) else {
        problems.push(mistake(
            1,
            "",
            "the front matter has no end: add a line `+++`",
        ));
        return (role, problems);
    };
    // The line of the mark is left empty, so that lines are counted as in the file.
    let front = format!("\n{front}");
    match DeTable::parse(&front) {
        Ok(table) => {
            let mut section = SectionReader::new(&front, table.into_inner(), &mut problems);
            role.read_section(&mut section);
            section.finish();
        }
        Err(error) => {
            let line = line_of(&front, error.span().map_or(0, |span| span.start));
            problems.push(mistake(line, "", error.message()));
        }
    }
    let before_body = text.len() - body.len();
    let prompt = body.trim();
    let at = before_body + (body.len() - body.trim_start().len());
    role.prompt_line = line_of(text, at);
    if !prompt.is_empty() {
        if role.options.system.is_some() {
            let reason = "must not be set: the text after the front matter is the system prompt";
            problems.push(mistake(role.prompt_line, "system", reason));
        }
        role.options.system = Some(prompt.to_owned());
    }
    problems.sort_by_key(|problem| problem.line);
    (role, problems)
}

fn mistake(line: usize, key: &str, reason: &str) -> SettingsProblem {
    SettingsProblem {
        line,
        key: key.to_owned(),
        reason: reason.to_owned(),
        nearest: None,
        unknown: false,
    }
}

/// The front matter and the text after it; `None` if its end is missing.
fn split_front_matter(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mark = first.trim_end();
    if mark != "+++" && mark != "---" {
        return Some(("", text));
    }
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == mark {
            return Some((rest.get(..at)?, rest.get(at + line.len()..)?));
        }
        at += line.len();
    }
    None
}

impl RoleFile {
    fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        s.read(
            "provider",
            "a name of a-z, 0-9 and `-`",
            |v| v.as_str()?.parse().ok().map(Some),
            &mut self.provider,
        );
        s.read(
            "model",
            "a string",
            |v| {
                Some(Some(
                    v.as_str().filter(|m| !m.trim().is_empty())?.to_owned(),
                ))
            },
            &mut self.model,
        );
        self.options.read_section(s);
        s.named_values("variables", "a string", |name, value| {
            value.as_str().is_some_and(|value| {
                self.variables.insert(name.to_owned(), value.to_owned());
                true
            })
        });
    }

    /// The system prompt with the values of its variables: those given, else the defaults.
    pub fn fill(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<Option<String>, SettingsProblem> {
        let names = || self.variables.keys().map(String::as_str);
        if let Some(name) = given
            .keys()
            .find(|name| !self.variables.contains_key(*name))
        {
            let mut problem = mistake(1, "variables", &format!("there is no variable `{name}`"));
            problem.nearest = closest_name(name, names()).map(str::to_owned);
            return Err(problem);
        }
        let values: BTreeMap<&str, &str> = self
            .variables
            .iter()
            .map(|(name, default)| {
                let value = given.get(name).unwrap_or(default);
                (name.as_str(), value.as_str())
            })
            .collect();
        let Some(prompt) = &self.options.system else {
            return Ok(None);
        };
        let mut out = String::with_capacity(prompt.len());
        let mut rest = prompt.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let (name, next) = after.split_once("}}").unwrap_or((after, ""));
            let line = self.prompt_line + line_of(prompt, prompt.len() - after.len()) - 1;
            match values.get(name.trim()) {
                Some(&"") => {
                    let name = name.trim();
                    let reason = format!("`{name}` has no value: pass `--var {name}=VALUE`");
                    return Err(mistake(line, "variables", &reason));
                }
                Some(value) => {
                    out.push_str(value);
                    rest = next;
                }
                None => {
                    let name = name.trim();
                    if let Some(nearest) = closest_name(name, names()) {
                        let reason = format!("there is no variable `{name}`");
                        let mut problem = mistake(line, "variables", &reason);
                        problem.nearest = Some(nearest.to_owned());
                        return Err(problem);
                    }
                    // Braces that are no variable belong to the prompt.
                    out.push_str("{{");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(Some(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    fn described(problem: &SettingsProblem) -> String {
        format!(
            "{}: {}: {} {:?}",
            problem.line, problem.key, problem.reason, problem.nearest
        )
    }

    #[test]
    fn role_has_options_and_prompt() {
        let text = "+++\nmodel = \"m\"\ntemperature = 0.5\n[variables]\nto = \"French\"\nby = \"\"\n+++\n\nTranslate into {{ to }},\nas {{by}} would; keep {{handlebars}}.\n";
        let (role, problems) = parse_role(text);
        assert_eq!(problems, []);
        assert_eq!(role.model.as_deref(), Some("m"));
        assert_eq!(role.options.temperature, Some(0.5));
        let prompt = role.fill(&given(&[("by", "{{to}}")])).unwrap().unwrap();
        assert_eq!(
            prompt,
            "Translate into French,\nas {{to}} would; keep {{handlebars}}."
        );
        let fails = |pairs| described(&role.fill(&given(pairs)).unwrap_err());
        assert_eq!(
            fails(&[]),
            "10: variables: `by` has no value: pass `--var by=VALUE` None"
        );
        assert_eq!(
            fails(&[("bi", "x")]),
            "1: variables: there is no variable `bi` Some(\"by\")"
        );
        assert_eq!(
            parse_role("Be brief.\n").0.options.system.as_deref(),
            Some("Be brief.")
        );
    }

    #[test]
    fn role_mistakes_have_lines() {
        let problems =
            |text: &str| -> Vec<String> { parse_role(text).1.iter().map(described).collect() };
        assert_eq!(
            problems("---\ntemprature = 1\nmax_tokens = 0\n---\nx"),
            [
                "2: temprature: unknown setting Some(\"temperature\")",
                "3: max_tokens: must be a whole number from 1 to 4294967295 None",
            ]
        );
        assert_eq!(
            problems("+++\nmodel = \"m\"\n"),
            ["1: : the front matter has no end: add a line `+++` None"]
        );
        assert_eq!(
            problems("+++\nsystem = \"a\"\n+++\nb\n"),
            [
                "4: system: must not be set: the text after the front matter is the system prompt None"
            ]
        );
        assert_eq!(problems("+++\n= 1\n+++\n").len(), 1);
        let (role, _) = parse_role("+++\n[variables]\nlanguage = \"x\"\n+++\n{{langage}}");
        assert_eq!(
            described(&role.fill(&BTreeMap::new()).unwrap_err()),
            "5: variables: there is no variable `langage` Some(\"language\")"
        );
    }
}
