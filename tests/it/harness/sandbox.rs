//! `Sandbox`: a temporary home for one test, isolated from the developer's files and environment.

use super::{Run, Screen};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The cheapest key derivation that the program accepts: OWASP's minimum.
pub(crate) const CHEAP: &str = "argon2id:m=19456,t=2";

/// The passphrase of every vault in the tests.
pub(crate) const PASSPHRASE: &str = "seven quiet herons over a harbour";

/// A key that no secret scanner matches.
pub(crate) fn key() -> String {
    format!("sk-or-v1-{}", "0123456789abcdef".repeat(4))
}

/// A key for a user-defined server, in a format that no known provider uses.
pub(crate) fn own_key() -> String {
    format!("own-{}", "0123456789abcdef".repeat(4))
}

/// All output of the binary in a sandbox, as pairs of title and bytes, for the leak search.
pub(crate) type Transcript = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A temporary home, which is deleted on drop.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
    env: BTreeMap<OsString, OsString>,
    transcript: Transcript,
}

impl Sandbox {
    /// A home without a keyring: the session bus does not exist. The platform's usual folders are
    /// used.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("chatbot-")
            .tempdir()
            .expect("a temporary folder");
        let mut sandbox = Self {
            folder,
            env: BTreeMap::new(),
            transcript: Transcript::default(),
        };
        let root = sandbox.root().to_path_buf();
        for (variable, place) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_DATA_HOME", "home/.local/share"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
        ] {
            let place = root.join(place);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&place)
                .expect("a folder of the sandbox");
            sandbox.set(variable, place);
        }
        fs::create_dir(root.join("cwd")).expect("a folder to work in");
        sandbox.set(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", root.join("no-bus").display()),
        );
        sandbox.set("PATH", "/usr/local/bin:/usr/bin:/bin");
        // No request of a careless test leaves this machine: the proxy is a closed port.
        sandbox.set("HTTPS_PROXY", "http://127.0.0.1:9");
        sandbox.set("NO_PROXY", "127.0.0.1,localhost");
        sandbox.set("LANG", "C.UTF-8");
        sandbox.set("TZ", "UTC");
        sandbox
    }

    /// A home in a single folder, named by `CHATBOT_HOME`.
    pub(crate) fn under_one_root() -> Self {
        let mut sandbox = Self::new();
        let root = sandbox.root().join("one-root");
        sandbox.set("CHATBOT_HOME", root);
        sandbox
    }

    /// A home with an unlocked vault, as on a server.
    pub(crate) fn with_vault() -> Self {
        let mut sandbox = Self::under_one_root();
        sandbox.make_vault();
        sandbox
    }

    /// The folder that contains everything.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The working directory of the commands.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.root().join("cwd")
    }

    fn place(&self, part: &str, variable: &str) -> PathBuf {
        match self.env.get(OsStr::new("CHATBOT_HOME")) {
            Some(root) => Path::new(root).join(part),
            None => Path::new(&self.env[OsStr::new(variable)]).join("chatbot"),
        }
    }

    /// The path of the settings file.
    pub(crate) fn settings(&self) -> PathBuf {
        self.place("config", "XDG_CONFIG_HOME").join("config.toml")
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.place("data", "XDG_DATA_HOME")
    }

    /// The folder of limits, usage and the audit log.
    pub(crate) fn state(&self) -> PathBuf {
        self.place("state", "XDG_STATE_HOME")
    }

    /// The files of all conversations, by name.
    pub(crate) fn conversations(&self) -> Vec<PathBuf> {
        self.files()
            .into_iter()
            .filter(|f| f.starts_with(self.data().join("conversations")))
            .filter(|f| f.to_string_lossy().ends_with(".jsonl.fernet"))
            .collect()
    }

    /// Sets a variable for later commands.
    pub(crate) fn set(&mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.env
            .insert(variable.as_ref().to_owned(), value.as_ref().to_owned());
    }

    /// Removes a variable from later commands.
    pub(crate) fn unset(&mut self, variable: impl AsRef<OsStr>) {
        self.env.remove(variable.as_ref());
    }

    /// The complete environment of the commands.
    pub(crate) fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.env
    }

    /// All output so far.
    pub(crate) fn transcript(&self) -> Transcript {
        Arc::clone(&self.transcript)
    }

    /// Writes a file with mode 0600, and creates its folders with 0700.
    pub(crate) fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .expect("the folder of a file");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .expect("a file of the sandbox");
        std::io::Write::write_all(&mut file, bytes.as_ref())
            .expect("a file of the sandbox is written");
        path
    }

    /// Writes the settings file.
    pub(crate) fn configure(&self, toml: &str) {
        self.write(self.settings(), toml);
    }

    /// Configures the provider `own` at `base_url`, with its key in `OWN_KEY`.
    pub(crate) fn ask_at(&mut self, base_url: &str, more: &str) {
        let own = format!(
            "[providers.own]\nbase_url = \"{base_url}\"\nkey = \"env:OWN_KEY\"\nmodel = \"maker/model-1\"\n"
        );
        self.configure(&format!("provider = \"own\"\n{more}\n{own}"));
        self.set("OWN_KEY", own_key());
    }

    /// Creates a vault at the lowest accepted cost, whose passphrase later commands read from a
    /// file.
    pub(crate) fn make_vault(&mut self) {
        let file = self.write("passphrase", PASSPHRASE);
        self.set("CHATBOT_PASSPHRASE_FILE", file);
        self.set("CHATBOT_KEYRING", "vault");
        self.run(["vault", "create", "--yes", "--kdf", CHEAP])
            .succeeds();
    }

    /// Stores a key from standard input.
    pub(crate) fn store_key(&self, provider: &str, key: &str) {
        self.run([
            "key",
            "set",
            "--provider",
            provider,
            "--stdin",
            "--no-validate",
        ])
        .stdin(key)
        .succeeds();
    }

    /// A run of the binary in this home.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        Run::new(self, args)
    }

    /// The binary on a terminal in this home.
    pub(crate) fn screen<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Screen {
        Screen::open(self, args, 100, 40)
    }

    /// All files, sorted by path. Links are listed, not followed.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.root().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of the sandbox") {
                let entry = entry.expect("an entry of the sandbox");
                if entry.file_type().expect("the type of a file").is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    /// Asserts that only the user can access the files and folders of the program.
    pub(crate) fn is_private(&self) {
        let mut exposed = String::new();
        let ours = [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_CACHE_HOME",
            "XDG_RUNTIME_DIR",
        ];
        let roots: Vec<PathBuf> = ours.iter().map(|v| self.place("", v)).collect();
        for file in self
            .files()
            .into_iter()
            .filter(|f| roots.iter().any(|r| f.starts_with(r)))
        {
            for path in file
                .ancestors()
                .take_while(|p| roots.iter().any(|r| p.starts_with(r)))
            {
                // A running program may have replaced or removed it meanwhile.
                let Ok(metadata) = fs::symlink_metadata(path) else {
                    continue;
                };
                let mode = metadata.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    writeln!(exposed, "{} is open to others: {mode:o}", path.display()).unwrap();
                }
            }
        }
        assert!(exposed.is_empty(), "{exposed}");
    }

    /// The files that contain `needle`.
    pub(crate) fn files_with(&self, needle: &[u8]) -> Vec<PathBuf> {
        self.files()
            .into_iter()
            .filter(|f| {
                fs::read(f).is_ok_and(|bytes| memchr::memmem::find(&bytes, needle).is_some())
            })
            .collect()
    }
}
