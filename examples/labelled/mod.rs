//! Labelled documents: the format is described in `tests/corpus/documents/README.md`.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) struct Mark {
    pub(crate) kind: String,
    pub(crate) place: Range<usize>,
}

pub(crate) struct Document {
    /// Id, language, category and tier.
    pub(crate) labels: [String; 4],
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
}

/// The text files below a folder, in order.
pub(crate) fn text_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.is_file() {
        files.push(folder.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "txt") {
            files.push(path);
        }
    }
    Ok(())
}

/// The documents of a file, without their marks.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let mut documents: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("=== "), documents.last_mut()) {
            (Some(header), _) => documents.push((header.trim().to_owned(), String::new())),
            (None, Some((_, body))) => body.push_str(line),
            (None, None) => {}
        }
    }
    documents
        .into_iter()
        .map(|(header, marked)| {
            let mut words = header.split_whitespace().map(str::to_owned);
            let mut next = || words.next().unwrap_or_default();
            let (id, language, category, tier) = (next(), next(), next(), next());
            let (text, marks) = without_marks(&marked);
            Document {
                labels: [id, language, category, tier],
                text,
                marks,
            }
        })
        .collect()
}

fn without_marks(marked: &str) -> (String, Vec<Mark>) {
    let (mut text, mut marks) = (String::new(), Vec::new());
    let mut rest = marked;
    while let Some((before, mark)) = rest.split_once('⟪') {
        text.push_str(before);
        let Some(((kind, value), behind)) = mark
            .split_once('⟫')
            .and_then(|(mark, behind)| Some((mark.split_once('|')?, behind)))
        else {
            rest = mark;
            continue;
        };
        let start = text.len();
        text.push_str(value);
        marks.push(Mark {
            kind: kind.to_owned(),
            place: start..text.len(),
        });
        rest = behind;
    }
    text.push_str(rest);
    (text, marks)
}
