//! What the line editor remembers between runs: redacted lines, each sealed, newest last; and the models it can complete.

use super::app::App;
use crate::disk::{self, Appender};
use crate::name::Name;
use crate::privacy::{Raw, Redacted};
use crate::provider::Model;
use std::path::PathBuf;

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
}
