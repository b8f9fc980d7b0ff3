//! Paths that are typed where no shell expands them.

use std::path::{Path, PathBuf};

/// Replaces a leading `~` by the user's home folder.
pub(crate) fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (home, path.strip_prefix('~')) {
        (Some(home), Some("")) => home.to_path_buf(),
        (Some(home), Some(rest)) if rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => {
            home.join(rest.get(1..).unwrap_or_default())
        }
        _ => PathBuf::from(path),
    }
}

/// The paths in a line. A path with blanks can be typed as it is; several paths are separated by
/// blanks, and can be quoted as terminals quote a file that is dropped on them.
pub(crate) fn parse_paths(line: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let whole = expand_home(line, home);
    if whole.exists() {
        return vec![whole];
    }
    let words = split_words(line);
    let paths: Vec<PathBuf> = words.iter().map(|word| expand_home(word, home)).collect();
    let selects = |path: &PathBuf| path.exists() || path.to_string_lossy().contains(['*', '?']);
    if paths.len() == 1 || paths.iter().any(selects) {
        paths
    } else {
        vec![whole]
    }
}

/// Splits at blanks, except within quotes and after a backslash.
pub(crate) fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            // On Windows it separates folders.
            (None, '\\') if !cfg!(windows) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_arguments_expand_home() {
        let home = Path::new("/home/jo");
        for (typed, path) in [
            ("~", "/home/jo"),
            ("~/a b.txt", "/home/jo/a b.txt"),
            ("~jo/a", "~jo/a"),
            ("a/~", "a/~"),
        ] {
            assert_eq!(expand_home(typed, Some(home)), Path::new(path), "{typed}");
        }
    }

    #[test]
    fn path_arguments_split_like_a_shell() {
        for (typed, words) in [
            ("a.txt", &["a.txt"][..]),
            ("'my file.txt' b.txt", &["my file.txt", "b.txt"]),
            (r"my\ file.txt", &["my file.txt"]),
            ("\"\" x", &["", "x"]),
        ] {
            assert_eq!(split_words(typed), words, "{typed}");
        }
    }
}
