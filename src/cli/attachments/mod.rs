//! Files attached to a message: the text of each, under its name.

mod fence;
mod ignore_rules;
mod path_arguments;
mod pdf;

pub(crate) use fence::fence_paste;
pub(crate) use ignore_rules::git_ignores;
pub(crate) use path_arguments::{expand_home, parse_paths, split_words};

use crate::chat::UserInput;
use crate::cli::attachments::fence::{fence, fence_as, one_line_name};
use crate::cli::attachments::ignore_rules::IgnoreRules;
use crate::cli::context::Context;
use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::{format_size, pluralize};
use crate::cli::term::{Ui, display_path};
use crate::fs;
use crate::image::Image;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use std::io::Read;
use std::path::{Path, PathBuf};

/// More files of a folder are refused: a message cannot use them, and it is more likely that the
/// wrong folder was named.
const MAX_FOLDER_FILES: usize = 200;
/// More pictures are refused: each can have megabytes, and all are sent again with each question.
const MAX_PICTURES: usize = 10;
/// A longer list is summarized.
const MAX_LISTED: usize = 20;

/// A file as it will be sent.
#[derive(Clone, Debug)]
pub(crate) struct AttachedFile {
    /// The name shown to the user.
    pub(crate) label: String,
    /// The size of its text, or of the picture.
    pub(crate) bytes: u64,
    /// Where it is, without links; a text that is not a file has none.
    path: Option<PathBuf>,
    /// Its name and its text, fenced; only its name if it is a picture.
    section: Raw,
    image: Option<Image>,
    /// It belongs to a message that got no answer, and was attached again.
    is_restored: bool,
}

/// The files attached to the next message.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttachedFiles {
    files: Vec<AttachedFile>,
    /// What the last message took, in case it could not be sent.
    sent: Vec<AttachedFile>,
}

/// What [`AttachedFiles::add`] did.
#[derive(Debug, Default)]
pub(crate) struct AddedFiles {
    /// Each file with its size.
    pub(crate) files: Vec<(String, u64)>,
    /// Files of a pattern or a folder that are not text.
    pub(crate) skipped: Vec<String>,
    /// Whether a pattern or a folder selected the files, so that the user cannot know them.
    pub(crate) selected: bool,
}

/// A file that a path leads to.
struct FoundFile {
    path: PathBuf,
    label: String,
    /// The name that the model sees.
    name: String,
    by: FoundBy,
}

/// How a file was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FoundBy {
    Name,
    Pattern,
    Folder,
}

/// What a file contains.
enum FileContent {
    Text(String),
    PdfText(String),
    Image(Image),
}

/// Reads the attached files and joins their texts, each under its name.
pub(crate) fn attach(context: &mut Context, files: &[PathBuf]) -> Result<UserInput> {
    let mut all = AttachedFiles::default();
    let added = all.add(context, files)?;
    if added.selected {
        added.report(context.ui);
    }
    Ok(all.take_with(Raw::from("")))
}

impl AttachedFiles {
    /// Reads files, or the files that patterns and folders select. If one of them cannot be
    /// attached, none is. A file that is attached already is read again.
    pub(crate) fn add(&mut self, context: &mut Context, paths: &[PathBuf]) -> Result<AddedFiles> {
        let limits = context.settings()?.limits;
        let mut all = Self {
            files: self.files.clone(),
            sent: Vec::new(),
        };
        let mut added = AddedFiles::default();
        for path in paths {
            for found in find(path)? {
                added.selected |= found.by != FoundBy::Name;
                if found.by != FoundBy::Name && !is_wanted(&found) {
                    added.skipped.push(found.label);
                    continue;
                }
                let real = fs::real_path(&found.path);
                let before = all
                    .files
                    .iter()
                    .position(|f| f.path.is_some() && f.path == real);
                let replaced = before.map(|at| all.files.remove(at));
                let room = limits.max_attachment_bytes.saturating_sub(all.text_bytes());
                let Some(found_content) =
                    read_content(context.env, &found, room, limits.max_image_bytes)?
                else {
                    added.skipped.push(found.label);
                    all.files.extend(replaced);
                    continue;
                };
                let (bytes, section, image) = match found_content {
                    FileContent::Text(text) => {
                        let section = fence(&found.name, text.trim_end_matches('\n'));
                        (text.len(), section, None)
                    }
                    FileContent::PdfText(text) => {
                        let name = one_line_name(&found.name);
                        (text.len(), fence_as(&name, "", &text), None)
                    }
                    FileContent::Image(image) => {
                        let name = one_line_name(&found.name);
                        (image.byte_count(), format!("Picture `{name}`"), Some(image))
                    }
                };
                added.files.retain(|(label, _)| *label != found.label);
                added.files.push((found.label.clone(), bytes as u64));
                let file = AttachedFile {
                    label: found.label,
                    bytes: bytes as u64,
                    path: real,
                    section: Raw::from(section),
                    image,
                    is_restored: false,
                };
                let at = before.unwrap_or(all.files.len());
                all.files.insert(at, file);
            }
        }
        let pictures = all.files.iter().filter(|f| f.image.is_some()).count();
        if pictures > MAX_PICTURES {
            bail!(
                CliError::misuse(format!(
                    "{pictures} pictures: a message can have {MAX_PICTURES}"
                ))
                .hint("attach some of them to the next message")
            );
        }
        if added.files.is_empty() && !added.skipped.is_empty() {
            let skipped = added.skipped.join("`, `");
            bail!(
                CliError::misuse(format!("`{skipped}`: not UTF-8 text")).hint("attach text files")
            );
        }
        self.files = all.files;
        Ok(added)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn files(&self) -> &[AttachedFile] {
        &self.files
    }

    /// The size of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    fn text_bytes(&self) -> u64 {
        let texts = self.files.iter().filter(|f| f.image.is_none());
        texts.map(|f| f.bytes).sum()
    }

    /// Removes the files with this label or file name. Returns how many there were.
    pub(crate) fn remove(&mut self, name: &str) -> usize {
        let before = self.files.len();
        let is_it = |f: &AttachedFile| {
            f.label == name
                || f.path
                    .as_deref()
                    .and_then(Path::file_name)
                    .is_some_and(|n| n.to_string_lossy() == name)
        };
        self.files.retain(|f| !is_it(f));
        before - self.files.len()
    }

    pub(crate) fn clear(&mut self) {
        self.files.clear();
    }

    /// Takes all files for a message with this text.
    pub(crate) fn take_with(&mut self, text: Raw) -> UserInput {
        self.sent = std::mem::take(&mut self.files);
        let mut whole = Raw::from(String::new());
        for file in &self.sent {
            if !whole.is_empty() {
                whole.push(&Raw::from("\n\n"));
            }
            whole.push(&file.section);
        }
        UserInput {
            text,
            attachments: whole,
            images: self.sent.iter().filter_map(|f| f.image.clone()).collect(),
        }
    }

    /// Attaches again what the last message took.
    pub(crate) fn restore(&mut self) {
        let newer = std::mem::take(&mut self.files);
        self.files = std::mem::take(&mut self.sent);
        for file in &mut self.files {
            file.is_restored = true;
        }
        self.files.extend(newer);
    }

    /// Takes the files that were attached again, because their message is sent again with them.
    pub(crate) fn take_restored(&mut self) {
        let (restored, newer) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|file| file.is_restored);
        self.sent = restored;
        self.files = newer;
    }
}

impl AddedFiles {
    /// Says which files were attached, and how large they are.
    pub(crate) fn report(&self, ui: Ui) {
        let bytes = self.files.iter().map(|(_, bytes)| bytes).sum();
        if self.files.len() > MAX_LISTED {
            let count = pluralize(self.files.len(), "file");
            ui.notice(&format!("attached {count} ({})", format_size(bytes)));
        } else {
            for (label, bytes) in &self.files {
                ui.notice(&format!("attached {label} ({})", format_size(*bytes)));
            }
        }
        match self.skipped.as_slice() {
            [] => {}
            [one] => ui.notice(&format!("skipped {one}: not text")),
            many => ui.notice(&format!("skipped {} files that are not text", many.len())),
        }
    }
}

/// Reads a file; `None` if it is not text and was not named by the user.
fn read_content(
    env: Env,
    found: &FoundFile,
    room: u64,
    image_room: u64,
) -> Result<Option<FileContent>> {
    let start = read_start(&found.path).unwrap_or_default();
    if Image::is_picture(&start) {
        return read_image(found, image_room).map(|image| Some(FileContent::Image(image)));
    }
    if pdf::is_pdf(&start) {
        let text = pdf::read_text(env, &found.path, room)?;
        return Ok(Some(FileContent::PdfText(text)));
    }
    let bytes = fs::read_external(&found.path, room)
        .map_err(|error| attachment_problem(&found.path, error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(FileContent::Text(text))),
        Err(_) if found.by == FoundBy::Name => {
            let path = display_path(&found.path);
            bail!(
                CliError::misuse(format!(
                    "`{path}` is neither UTF-8 text, a picture nor a PDF"
                ))
                .hint("attach a text file, a picture or a PDF")
            )
        }
        Err(_) => Ok(None),
    }
}

fn read_image(found: &FoundFile, room: u64) -> Result<Image> {
    let path = display_path(&found.path);
    let bytes = fs::read_external(&found.path, room).map_err(|error| match error {
        fs::Error::TooLarge { .. } => CliError::new(
            CliExit::Refused,
            "too_long",
            format!(
                "`{path}` is too large: a picture can have {}",
                format_size(room)
            ),
        )
        .hint("make it smaller, or raise `limits.max_image_bytes` in the settings")
        .into(),
        other => attachment_problem(&found.path, other),
    })?;
    match Image::read(&bytes) {
        Some(Ok(image)) => Ok(image),
        Some(Err(error)) => {
            bail!(CliError::misuse(format!("`{path}`: {error}")).hint("attach a PNG or JPEG"))
        }
        None => bail!(CliError::misuse(format!("`{path}` is not a picture"))),
    }
}

/// The beginning of a file; `None` if it cannot be read.
fn read_start(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let file = fs::open_external(path).ok()?;
    file.take(8000).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Whether a file that the user did not name is attached: one with text, or a picture that a
/// pattern matches. A file that cannot be read counts as text: reading it reports why.
fn is_wanted(found: &FoundFile) -> bool {
    let Some(start) = read_start(&found.path) else {
        return true;
    };
    if Image::is_picture(&start) || pdf::is_pdf(&start) {
        return found.by == FoundBy::Pattern;
    }
    // The last character may be cut.
    let valid = std::str::from_utf8(&start).map_or_else(|e| e.valid_up_to(), |_| start.len());
    !start.contains(&0) && start.len() - valid < 4
}

/// Refuses a folder in place of a file.
pub(crate) fn refuse_folder(path: &Path) -> Result<()> {
    if !fs::is_folder(path) {
        return Ok(());
    }
    let shown = display_path(path);
    bail!(
        CliError::misuse(format!("`{shown}` is a folder")).hint(format!(
            "name a file in it, or a pattern such as `{}/*.md`",
            shown.trim_end_matches('/')
        ))
    )
}

fn attachment_problem(path: &Path, error: fs::Error) -> anyhow::Error {
    match error {
        fs::Error::TooLarge {
            max_bytes: most, ..
        } => CliError::new(
            CliExit::Refused,
            "too_long",
            format!(
                "`{}` is too large: {most} bytes are left for attachments",
                display_path(path)
            ),
        )
        .hint("raise `limits.max_attachment_bytes` in the settings, or attach less")
        .into(),
        other if other.is_missing() => {
            CliError::misuse(format!("there is no file `{}`", display_path(path)))
                .hint("check the path")
                .into()
        }
        other => other.into(),
    }
}

/// The files that a path selects: the file itself, those in the folder, or those that match `*` and
/// `?`.
fn find(path: &Path) -> Result<Vec<FoundFile>> {
    if fs::is_folder(path) {
        return find_in_folder(path);
    }
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let found = |path: PathBuf, by| FoundFile {
        label: display_path(&path),
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path,
        by,
    };
    if !name.contains(['*', '?']) || path.exists() {
        return Ok(vec![found(path.to_path_buf(), FoundBy::Name)]);
    }
    let folder = path
        .parent()
        .filter(|p| *p != Path::new(""))
        .unwrap_or_else(|| Path::new("."));
    let mut names: Vec<String> = fs::list(folder)?
        .into_iter()
        .map(|e| e.name)
        .filter(|n| !n.starts_with('.') && matches_pattern(name, n))
        .collect();
    if names.is_empty() {
        bail!(
            CliError::misuse(format!("no file matches `{}`", display_path(path)))
                .hint("check the pattern")
        );
    }
    names.sort();
    Ok(names
        .into_iter()
        .map(|n| {
            let path = if folder == Path::new(".") {
                PathBuf::from(n)
            } else {
                folder.join(n)
            };
            found(path, FoundBy::Pattern)
        })
        .collect())
}

/// All files in a folder and its subfolders, except hidden ones and those that `.gitignore` and
/// `.ignore` files exclude.
fn find_in_folder(folder: &Path) -> Result<Vec<FoundFile>> {
    let real = fs::real_path(folder).unwrap_or_else(|| folder.to_path_buf());
    let top = real
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut found = Vec::new();
    visit(
        folder,
        &real,
        &top,
        &mut IgnoreRules::above(&real),
        &mut found,
    )?;
    if found.is_empty() {
        bail!(
            CliError::misuse(format!("no files to attach in `{}`", display_path(folder)))
                .hint("hidden and ignored files are left out; attach them by name")
        );
    }
    Ok(found)
}

fn visit(
    folder: &Path,
    real: &Path,
    name: &str,
    rules: &mut IgnoreRules,
    found: &mut Vec<FoundFile>,
) -> Result<()> {
    let before = rules.enter(real);
    let mut files = fs::list(folder)?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    for file in files {
        if file.name.starts_with('.') || rules.is_ignored(&real.join(&file.name), false) {
            continue;
        }
        if found.len() == MAX_FOLDER_FILES {
            bail!(
                CliError::misuse(format!(
                    "more than {MAX_FOLDER_FILES} files in `{}`",
                    display_path(folder)
                ))
                .hint("attach a smaller folder, or a pattern such as `src/*.rs`")
            );
        }
        let path = folder.join(&file.name);
        found.push(FoundFile {
            label: display_path(&path),
            name: format!("{name}/{}", file.name),
            path,
            by: FoundBy::Folder,
        });
    }
    let mut folders = fs::list_folders(folder)?;
    folders.sort();
    for below in folders {
        let real = real.join(&below);
        if !below.starts_with('.') && !rules.is_ignored(&real, true) {
            let name = format!("{name}/{below}");
            visit(&folder.join(&below), &real, &name, rules, found)?;
        }
    }
    rules.leave(before);
    Ok(())
}

/// Whether a file name matches `*` and `?`; every other character stands for itself.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(&pattern.replace('[', "[[]")).is_ok_and(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachment_pattern_matches_one_folder() {
        for (pattern, name, is) in [
            ("*.rs", "a.rs", true),
            ("*.rs", "a.rs.bak", false),
            ("a?c*", "abcdef", true),
            ("*", "x", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("[id]*", "[id].tsx", true),
            ("[id]*", "i.tsx", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), is, "{pattern} {name}");
        }
    }
}
