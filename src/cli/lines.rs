//! What the line editor remembers between runs: redacted lines, each sealed, newest last; and the models it can complete.

use super::app::App;
use crate::disk::{self, Appender};
use crate::name::Name;
use crate::privacy::{Raw, Redacted};
use crate::provider::Model;
use crate::settings;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

use super::report::Problem;

/// Past this size the file is written anew with its newer half.
const LONG: u64 = 512 * 1024;
/// A line longer than this is not remembered: a paste is not what one reaches with the arrow keys.
const LONGEST: usize = 4000;

impl App {
    pub(crate) fn lines_file(&self) -> PathBuf {
        self.home.state().join("line-history.fernet")
    }

    fn models_file(&self) -> PathBuf {
        self.home.cache().join("models.txt")
    }

    /// The lines of earlier conversations, oldest first. None of them is worth an error.
    pub(crate) fn kept_lines(&mut self, most: usize) -> Vec<String> {
        let Ok(Some(bytes)) = disk::read(&self.lines_file()) else { return Vec::new() };
        let Ok(ring) = self.ring() else { return Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        let mut lines: Vec<String> = text
            .lines()
            .rev()
            .take(most)
            .filter_map(|token| ring.open(token).ok())
            .map(|plain| Raw::from(String::from_utf8_lossy(&plain).into_owned()).printable())
            .collect();
        lines.reverse();
        lines
    }

    /// Remembers a line, sealed. Where that fails the conversation goes on without.
    pub(crate) fn keep_line(&mut self, text: &Redacted) {
        if text.as_str().len() > LONGEST {
            return;
        }
        let Ok(ring) = self.ring() else { return };
        let mut token = ring.seal(text.as_str().as_bytes(), self.clock.now());
        token.push('\n');
        let path = self.lines_file();
        let kept = Appender::open(&path).and_then(|mut file| {
            file.add(token.as_bytes())?;
            if file.length()? <= LONG {
                return Ok(());
            }
            let bytes = file.read_all()?;
            let half = bytes.iter().skip(bytes.len() / 2).position(|b| *b == b'\n').map_or(0, |at| at + bytes.len() / 2 + 1);
            disk::write(&path, bytes.get(half..).unwrap_or_default())
        });
        if let Err(error) = kept {
            self.ui.warning(&format!("the line history cannot be written: {error}"));
        }
    }

    /// Keeps the names of models for completion.
    pub(crate) fn remember_models(&self, provider: &Name, models: &[Model]) {
        let names: String = models.iter().filter(|m| m.id.bytes().all(|b| b.is_ascii_graphic())).map(|m| format!("{}\n", m.id)).collect();
        // A cache: without it there is only no completion.
        disk::write(&self.models_file(), format!("{provider}\n{names}").as_bytes()).unwrap_or_default();
    }

    /// The names of models as they were last seen; before that, those this program knows by itself.
    pub(crate) fn known_models(&self) -> Vec<String> {
        match disk::read_at_most(&self.models_file(), 1 << 20) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).lines().skip(1).map(str::to_owned).collect(),
            _ => crate::catalog::all().iter().map(|e| e.model.to_owned()).filter(|m| !m.is_empty()).collect(),
        }
    }

    /// A text in the owner's editor. The file is theirs alone, lies where this machine keeps what does not outlive a login,
    /// and is removed when the editor ends.
    pub(crate) fn edit(&self, text: &str) -> Result<Raw> {
        let path = self.home.run().join("message.md");
        disk::write(&path, text.as_bytes())?;
        let edited = self.in_editor(&path);
        let written = disk::read_foreign(&path, 1 << 20);
        disk::remove(&path)?;
        edited?;
        let text =
            String::from_utf8(written?).map_err(|_| Problem::misuse("the editor did not write UTF-8 text").hint("save it as UTF-8"))?;
        Ok(Raw::from(text.trim_end()))
    }

    /// Waits for the owner's editor to be done with a file.
    pub(crate) fn in_editor(&self, path: &Path) -> Result<()> {
        let editor = match self.env.text("VISUAL")? {
            Some(editor) => Some(editor),
            None => self.env.text("EDITOR")?,
        };
        let editor = editor.unwrap_or_else(|| if cfg!(windows) { "notepad".to_owned() } else { "vi".to_owned() });
        let mut words = editor.split_whitespace();
        let program = words.next().context("no editor is named")?;
        // The settings may be what is to be mended: whatever can be read of them says which variables hold keys.
        self.keep_keys_back(&settings::parse(&self.settings_text().unwrap_or_default()).0);
        match self.env.command(program).args(words).arg(path).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => bail!(Problem::misuse("the editor ended with an error, and nothing was taken over").hint("name another in `VISUAL`")),
            Err(error) => bail!(
                Problem::misuse(format!("the editor `{program}` cannot be started: {}", error.kind()))
                    .hint("name one in `VISUAL` or `EDITOR`")
            ),
        }
    }
}
