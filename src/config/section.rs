//! Reads the tables of the settings file, and notes every unknown name and invalid value.

use crate::config::closest_name;
use crate::name::Name;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A mistake in the settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// The line, from 1.
    pub line: usize,
    /// The full key; empty if the file is not valid TOML.
    pub key: String,
    /// What is wrong, as a clause after the key.
    pub reason: String,
    /// The key that was probably meant.
    pub nearest: Option<String>,
    /// Whether the key is unknown, which is only a warning; an invalid value is an error.
    pub unknown: bool,
}

/// A table that is being parsed. Known keys are removed; those left at the end are unknown.
pub(super) struct SectionReader<'p, 't> {
    text: &'t str,
    path: String,
    table: DeTable<'t>,
    known: Vec<&'static str>,
    problems: &'p mut Vec<SettingsProblem>,
}

impl<'p, 't> SectionReader<'p, 't> {
    /// A reader of the whole file.
    pub(super) fn new(
        text: &'t str,
        table: DeTable<'t>,
        problems: &'p mut Vec<SettingsProblem>,
    ) -> Self {
        Self {
            text,
            path: String::new(),
            table,
            known: Vec::new(),
            problems,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    fn take(&mut self, name: &'static str) -> Option<(Range<usize>, DeValue<'t>)> {
        self.known.push(name);
        let (key, value) = self.table.remove_entry(name)?;
        Some((key.span(), value.into_inner()))
    }

    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        meaning: impl FnOnce(&DeValue<'t>) -> Option<T>,
        target: &mut T,
    ) {
        if let Some((span, value)) = self.take(name) {
            match meaning(&value) {
                Some(value) => *target = value,
                None => self.report_invalid(&span, name, format!("must be {wanted}")),
            }
        }
    }

    pub(super) fn section(
        &mut self,
        name: &'static str,
        fill: impl FnOnce(&mut SectionReader<'_, 't>),
    ) {
        if let Some((span, value)) = self.take(name) {
            match value {
                DeValue::Table(table) => self.read_section(name, table, fill),
                _ => self.report_invalid(&span, name, "must be a table".to_owned()),
            }
        }
    }

    pub(super) fn sections(
        &mut self,
        name: &'static str,
        mut fill: impl FnMut(&mut SectionReader<'_, 't>, Name),
    ) {
        self.section(name, |tables| {
            for (key, value) in std::mem::take(&mut tables.table) {
                let known = key.get_ref().parse::<Name>();
                match (known, value.into_inner()) {
                    (Ok(name), DeValue::Table(table)) => {
                        tables.read_section(key.get_ref(), table, |s| fill(s, name));
                    }
                    (Ok(_), _) => tables.report_invalid(
                        &key.span(),
                        key.get_ref(),
                        "must be a table".to_owned(),
                    ),
                    (Err(why), _) => {
                        tables.report_invalid(&key.span(), key.get_ref(), why.to_string());
                    }
                }
            }
        });
    }

    /// A table of tables whose names are free.
    pub(super) fn named_tables(
        &mut self,
        name: &'static str,
        mut fill: impl FnMut(&mut SectionReader<'_, 't>, &str),
    ) {
        self.section(name, |tables| {
            for (key, value) in std::mem::take(&mut tables.table) {
                match value.into_inner() {
                    DeValue::Table(table) => {
                        tables.read_section(key.get_ref(), table, |s| fill(s, key.get_ref()));
                    }
                    _ => tables.report_invalid(
                        &key.span(),
                        key.get_ref(),
                        "must be a table".to_owned(),
                    ),
                }
            }
        });
    }

    /// A table of values whose names are free. `accept` says whether a value is valid.
    pub(super) fn named_values(
        &mut self,
        name: &'static str,
        wanted: &str,
        mut accept: impl FnMut(&str, &DeValue<'t>) -> bool,
    ) {
        self.section(name, |values| {
            for (key, value) in std::mem::take(&mut values.table) {
                if !accept(key.get_ref(), value.get_ref()) {
                    values.report_invalid(&key.span(), key.get_ref(), format!("must be {wanted}"));
                }
            }
        });
    }

    fn read_section(
        &mut self,
        name: &str,
        table: DeTable<'t>,
        fill: impl FnOnce(&mut SectionReader<'_, 't>),
    ) {
        let path = format!("{}{name}.", self.path);
        let mut section = SectionReader {
            text: self.text,
            path,
            table,
            known: Vec::new(),
            problems: &mut *self.problems,
        };
        fill(&mut section);
        section.finish();
    }

    fn report_invalid(&mut self, at: &Range<usize>, name: &str, reason: String) {
        let key = format!("{}{name}", self.path);
        self.problems.push(SettingsProblem {
            line: line_of(self.text, at.start),
            key,
            reason,
            nearest: None,
            unknown: false,
        });
    }

    pub(super) fn report_missing(&mut self, name: &str) {
        let key = self.path.trim_end_matches('.').to_owned();
        let line = self
            .text
            .lines()
            .position(|l| l.contains(&format!("[{key}]")))
            .map_or(1, |n| n + 1);
        self.problems.push(SettingsProblem {
            line,
            key,
            reason: format!("`{name}` is missing"),
            nearest: None,
            unknown: false,
        });
    }

    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            let nearest =
                closest_name(name, self.known.iter().copied()).map(|n| format!("{}{n}", self.path));
            let line = line_of(self.text, key.span().start);
            let reason = "unknown setting".to_owned();
            self.problems.push(SettingsProblem {
                line,
                key: format!("{}{name}", self.path),
                reason,
                nearest,
                unknown: true,
            });
        }
    }
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}
