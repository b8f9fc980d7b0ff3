//! Which files of a folder are left out: the rules of `.gitignore` and `.ignore` files.

use crate::fs;
use glob::{MatchOptions, Pattern};
use std::path::{Path, PathBuf};

/// Larger files of rules are not read.
const MAX_RULES_BYTES: u64 = 1 << 20;
const RULE_FILES: [&str; 2] = [".gitignore", ".ignore"];
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The rules in force in a folder, the strongest last.
#[derive(Debug, Default)]
pub(super) struct IgnoreRules(Vec<IgnoreRule>);

#[derive(Debug)]
struct IgnoreRule {
    /// The folder of the file that has the rule.
    base: PathBuf,
    pattern: Pattern,
    /// The pattern is for the path below `base`, and not for the name alone.
    whole_path: bool,
    folders_only: bool,
    /// The rule includes again what an earlier one excludes.
    included: bool,
}

impl IgnoreRules {
    /// The rules of the folders above, up to the root of the repository. Outside a repository none
    /// apply.
    pub(super) fn above(folder: &Path) -> Self {
        let mut rules = Self::default();
        let is_root = |folder: &&Path| fs::exists(&folder.join(".git"));
        let Some(root) = folder.ancestors().find(is_root) else {
            return rules;
        };
        let mut above: Vec<&Path> = folder
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(root))
            .collect();
        above.reverse();
        for folder in above {
            rules.enter(folder);
        }
        rules
    }

    /// Adds the rules of a folder. Returns the number of rules before.
    pub(super) fn enter(&mut self, folder: &Path) -> usize {
        let before = self.0.len();
        for name in RULE_FILES {
            self.add(&folder.join(name), folder);
        }
        before
    }

    /// Adds the rules of a file, which are for what is below `base`.
    fn add(&mut self, file: &Path, base: &Path) {
        if fs::length(file) <= MAX_RULES_BYTES
            && let Ok(bytes) = fs::read_tail(file, MAX_RULES_BYTES)
        {
            let text = String::from_utf8_lossy(&bytes);
            self.0
                .extend(text.lines().filter_map(|line| parse(base, line)));
        }
    }

    /// Removes the rules of the folder that was entered last.
    pub(super) fn leave(&mut self, before: usize) {
        self.0.truncate(before);
    }

    pub(super) fn is_ignored(&self, path: &Path, is_folder: bool) -> bool {
        let last = self
            .0
            .iter()
            .rev()
            .find(|rule| rule.matches(path, is_folder));
        last.is_some_and(|rule| !rule.included)
    }
}

/// Whether git ignores a file of a repository, by `.gitignore` and `.git/info/exclude`.
pub(crate) fn git_ignores(root: &Path, file: &Path) -> bool {
    let mut folders: Vec<&Path> = file
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(root))
        .collect();
    folders.reverse();
    let mut rules = IgnoreRules::default();
    rules.add(&root.join(".git/info/exclude"), root);
    for folder in &folders {
        // Rules in a folder that is ignored itself do not count.
        if rules.is_ignored(folder, true) {
            return true;
        }
        rules.add(&folder.join(".gitignore"), folder);
    }
    rules.is_ignored(file, false)
}

impl IgnoreRule {
    fn matches(&self, path: &Path, is_folder: bool) -> bool {
        if self.folders_only && !is_folder {
            return false;
        }
        let text = if self.whole_path {
            path.strip_prefix(&self.base).ok()
        } else {
            path.file_name().map(Path::new)
        };
        text.is_some_and(|text| self.pattern.matches_path_with(text, MATCHING))
    }
}

fn parse(base: &Path, line: &str) -> Option<IgnoreRule> {
    let line = line.trim_end();
    if line.starts_with('#') {
        return None;
    }
    let (included, line) = match line.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix('\\').unwrap_or(line)),
    };
    let (folders_only, line) = match line.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let whole_path = line.contains('/');
    let line = line.strip_prefix('/').unwrap_or(line);
    let pattern = Pattern::new(line).ok().filter(|_| !line.is_empty())?;
    Some(IgnoreRule {
        base: base.to_path_buf(),
        pattern,
        whole_path,
        folders_only,
        included,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignore_rules_match_like_git() {
        let rules =
            "# a comment\n*.log\n!keep.log\n/build\ntarget/\nsub/*.tmp\n**/gen/*.rs\n\\#odd\n";
        let base = Path::new("/r");
        let rules = IgnoreRules(rules.lines().filter_map(|l| parse(base, l)).collect());
        for (path, is_folder, ignored) in [
            ("a.log", false, true),
            ("deep/a.log", false, true),
            ("keep.log", false, false),
            ("build", true, true),
            ("deep/build", true, false),
            ("deep/target", true, true),
            ("target", false, false),
            ("sub/x.tmp", false, true),
            ("sub/deep/x.tmp", false, false),
            ("x.tmp", false, false),
            ("a/b/gen/x.rs", false, true),
            ("#odd", false, true),
        ] {
            assert_eq!(
                rules.is_ignored(&base.join(path), is_folder),
                ignored,
                "{path}"
            );
        }
    }
}
