//! Text in the user's editor: where its file is, which options keep the editor from making copies,
//! and how a signal wipes the file.

use super::child_env::let_children_inherit;
use super::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::runtime::{StopSignals, runtime, wait_for_signal};
use crate::config;
use crate::fs::{self, ScratchFolder};
use anyhow::{Context as _, Result, bail};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// Larger texts are not read back from the editor.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// How long an editor may take to exit after SIGTERM: enough to restore the terminal, short enough
/// for a closing window.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Options that keep an editor from writing the text elsewhere: swap files, undo files, backups,
/// registers and search history. They come before the file name. An editor that is not listed gets
/// none, because most refuse unknown options.
const NO_COPY_OPTIONS: &[(&[&str], &[&str])] = &[
    (
        &[
            "vim",
            "vim.basic",
            "vim.tiny",
            "vim.nox",
            "vim.gtk3",
            "nvim",
            "gvim",
        ],
        &[
            "-n",
            "-i",
            "NONE",
            "-c",
            "silent! set noundofile nobackup nowritebackup",
        ],
    ),
    (
        &["emacs", "emacs-nox", "emacs-gtk"],
        &[
            "--eval",
            "(setq make-backup-files nil auto-save-default nil create-lockfiles nil)",
        ],
    ),
    (
        &["micro"],
        &[
            "-backup",
            "false",
            "-savehistory",
            "false",
            "-saveundo",
            "false",
        ],
    ),
];

#[derive(Debug)]
pub(crate) struct EditResult {
    /// The text in the file when the editor ended.
    pub(crate) text: Zeroizing<String>,
    /// Set if the editor failed: then the text must not be sent.
    pub(crate) failure: Option<anyhow::Error>,
}

/// Opens a text in the user's editor. Its folder is in memory if possible, and is wiped when
/// the editor exits, by itself or by a signal.
pub(crate) fn edit_text(context: &Context, text: &str) -> Result<EditResult> {
    let folder = ScratchFolder::create_in_first_of(&scratch_bases(context))?;
    let path = folder.file("message.md");
    fs::write(&path, text.as_bytes())?;
    let failure = run_editor(context, &path, CopyPolicy::Avoided).err();
    if failure
        .as_ref()
        .is_some_and(anyhow::Error::is::<SilentExit>)
    {
        return failure.map_or_else(
            || {
                Ok(EditResult {
                    text: Zeroizing::default(),
                    failure: None,
                })
            },
            Err,
        );
    }
    let written = fs::read_external(&path, MAX_TEXT_BYTES)?;
    let text = String::from_utf8(written).map_err(|_| {
        CliError::misuse("the editor did not write UTF-8 text").hint("save it as UTF-8")
    })?;
    Ok(EditResult {
        text: Zeroizing::new(text.trim_end().to_owned()),
        failure,
    })
}

/// Removes what a killed process left in the folders of [`edit_text`].
pub(crate) fn sweep(context: &Context) {
    fs::sweep_scratch_folders(&scratch_bases(context));
}

/// Opens a file of the user in the editor, and waits until it exits.
pub(crate) fn open_file(context: &Context, path: &Path) -> Result<()> {
    run_editor(context, path, CopyPolicy::Allowed)
}

/// Folders for the text, in order of preference: those in memory come first.
fn scratch_bases(context: &Context) -> Vec<PathBuf> {
    let runtime_dir = context
        .env
        .path("XDG_RUNTIME_DIR")
        .filter(|path| path.is_absolute())
        .map(|path| path.join("chatbot"));
    #[cfg(target_os = "linux")]
    let shared_memory = {
        let shared = Path::new("/dev/shm");
        let user = rustix::process::geteuid().as_raw();
        fs::is_folder(shared).then(|| shared.join(format!("chatbot-{user}")))
    };
    #[cfg(not(target_os = "linux"))]
    let shared_memory = None;
    runtime_dir
        .into_iter()
        .chain(shared_memory)
        .chain([context.home.run().to_path_buf()])
        .collect()
}

fn run_editor(context: &Context, path: &Path, copies: CopyPolicy) -> Result<()> {
    let editor = match context.env.text("VISUAL")? {
        Some(editor) => Some(editor),
        None => context.env.text("EDITOR")?,
    };
    let editor = editor.unwrap_or_else(|| {
        if cfg!(windows) {
            "notepad".to_owned()
        } else {
            "vi".to_owned()
        }
    });
    let mut words = editor.split_whitespace();
    let program = words.next().context("no editor is set")?;
    // The file in the editor may be the settings themselves, with a mistake in them: read what
    // can be read. If `pass_env` is refused, no variable is passed on.
    let settings = config::parse(&context.settings_text().unwrap_or_default()).0;
    let_children_inherit(context.env, &settings, context.settings_file()).unwrap_or_default();
    let mut command = context.env.command(program);
    command.args(words);
    if copies == CopyPolicy::Avoided {
        command.args(no_copy_options(program, &context.env.program_folders()));
    }
    command.arg(path);
    let start = || {
        command.spawn().map_err(|error| {
            let reason = match error.kind() {
                ErrorKind::NotFound => "there is no such program",
                ErrorKind::PermissionDenied => "it is not an executable file",
                _ => "the system refused it",
            };
            CliError::misuse(format!("cannot start the editor `{program}`: {reason}"))
                .hint("set `VISUAL` or `EDITOR` to an editor that is installed")
                .into()
        })
    };
    match run_and_wait(start)? {
        Some(status) if status.success() => Ok(()),
        Some(_) if copies == CopyPolicy::Allowed => bail!(
            CliError::misuse("the editor exited with an error")
                .hint("run `chatbot config check`, or set another editor in `VISUAL`")
        ),
        Some(_) => bail!(
            CliError::misuse("the editor exited with an error; nothing was sent")
                .hint("press Up to get the text back, or set another editor in `VISUAL`")
        ),
        None => bail!(SilentExit(CliExit::Interrupted)),
    }
}

/// Whether the editor may keep copies of what it edits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CopyPolicy {
    Allowed,
    Avoided,
}

/// The options for an editor. `vi` is a symbolic link to one of several programs: the target
/// counts.
fn no_copy_options(program: &str, folders: &[PathBuf]) -> &'static [&'static str] {
    let found = if program.contains('/') {
        Some(PathBuf::from(program))
    } else {
        folders
            .iter()
            .map(|folder| folder.join(program))
            .find(|path| fs::exists(path))
    };
    let real = found
        .and_then(|path| fs::real_path(&path))
        .unwrap_or_else(|| PathBuf::from(program));
    let name = real
        .file_stem()
        .filter(|_| cfg!(windows))
        .or_else(|| real.file_name())
        .and_then(|name| name.to_str());
    NO_COPY_OPTIONS
        .iter()
        .find(|(names, _)| name.is_some_and(|name| names.contains(&name)))
        .map_or(&[], |(_, options)| options)
}

/// Starts an editor and waits for it; `None` if this program was terminated first. Ctrl-C is left to
/// the editor: both get the signal, and this program ignores it.
fn run_and_wait(start: impl FnOnce() -> Result<Child>) -> Result<Option<ExitStatus>> {
    let runtime = runtime()?;
    let editing = EditingGuard::begin();
    let ends = StopSignals {
        window: true,
        program: true,
    };
    runtime.block_on(async move {
        // A signal may come as soon as the editor runs.
        let told_to_end = wait_for_signal(ends);
        let mut child = start()?;
        let id = child.id();
        let mut waiting = tokio::task::spawn_blocking(move || child.wait());
        tokio::pin!(told_to_end);
        loop {
            tokio::select! {
                done = &mut waiting => {
                    return done?.map(Some).context("cannot wait for the editor");
                }
                _ = tokio::signal::ctrl_c() => {}
                () = &mut told_to_end => break,
            }
        }
        // The program ends now, after the text was wiped: the signal was heard.
        editing.keep();
        terminate(id);
        if tokio::time::timeout(END_TIMEOUT, &mut waiting)
            .await
            .is_err()
        {
            kill(id);
            drop(waiting.await);
        }
        Ok(None)
    })
}

/// Whether an editor is running. [`end_at_the_prompt`] reads it.
static EDITING: AtomicBool = AtomicBool::new(false);

/// Sets `EDITING` until it is dropped.
struct EditingGuard {
    is_kept: bool,
}

impl EditingGuard {
    fn begin() -> Self {
        static LISTENER: Once = Once::new();
        EDITING.store(true, Ordering::SeqCst);
        LISTENER.call_once(end_at_the_prompt);
        Self { is_kept: false }
    }

    /// Leaves it set.
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for EditingGuard {
    fn drop(&mut self) {
        if !self.is_kept {
            EDITING.store(false, Ordering::SeqCst);
        }
    }
}

/// Ends the program on SIGTERM while no editor runs. Listening for SIGTERM once disables its
/// default action for the rest of the process, and tokio has no way back, so a thread does what the
/// default action did.
fn end_at_the_prompt() {
    #[cfg(unix)]
    std::thread::spawn(|| {
        let Ok(runtime) = runtime() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminated) = signal(SignalKind::terminate()) else {
                return;
            };
            while terminated.recv().await.is_some() {
                if !EDITING.load(Ordering::SeqCst) {
                    #[expect(
                        clippy::exit,
                        clippy::disallowed_methods,
                        reason = "the default action of SIGTERM; no file is ever left half-written"
                    )]
                    std::process::exit(128 + 15);
                }
            }
        });
    });
}

#[cfg(unix)]
fn terminate(id: u32) {
    signal(id, rustix::process::Signal::TERM);
}

#[cfg(unix)]
fn kill(id: u32) {
    signal(id, rustix::process::Signal::KILL);
}

#[cfg(unix)]
fn signal(id: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        rustix::process::kill_process(pid, signal).unwrap_or_default();
    }
}

// Windows ends all programs of a console together: there is no signal to pass on.
#[cfg(not(unix))]
fn terminate(_: u32) {}

#[cfg(not(unix))]
fn kill(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editor_options_follow_the_program_behind_the_name() {
        for (program, first) in [
            ("vim", Some("-n")),
            ("/usr/bin/nvim", Some("-n")),
            ("emacs", Some("--eval")),
            ("nano", None),
            ("code", None),
        ] {
            assert_eq!(
                no_copy_options(program, &[]).first().copied(),
                first,
                "{program}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn editor_options_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("vim.tiny"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("vim.tiny"), dir.path().join("vi")).unwrap();
        assert_eq!(
            no_copy_options("vi", &[dir.path().to_path_buf()])
                .first()
                .copied(),
            Some("-n")
        );
    }
}
