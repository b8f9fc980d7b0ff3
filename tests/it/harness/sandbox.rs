//! `Sandbox`: a home of its own for one test, with nothing of the developer's in reach.

use super::{Run, Screen};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The cheapest vault that is allowed: OWASP's minimum.
pub(crate) const CHEAP: &str = "argon2id:m=19456,t=2";

/// The passphrase of every vault in the tests.
pub(crate) const PASSPHRASE: &str = "seven quiet herons over a harbour";

/// A key that no scanner of repositories takes for one.
pub(crate) fn key() -> String {
    format!("sk-or-v1-{}", "0123456789abcdef".repeat(4))
}

/// A key for a server of one's own. It looks like none that a known provider issues.
pub(crate) fn own_key() -> String {
    format!("own-{}", "0123456789abcdef".repeat(4))
}

/// Everything the binary said in a sandbox, for those who look for leaks.
pub(crate) type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A temporary home. It and all that is in it goes when the test ends.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
    env: BTreeMap<OsString, OsString>,
    heard: Heard,
}

impl Sandbox {
    /// A home on a machine with no keyring: the session bus leads nowhere. The platform's own places are used.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("chatbot-").tempdir().expect("a temporary folder");
        let mut sandbox = Self { folder, env: BTreeMap::new(), heard: Heard::default() };
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
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&place).expect("a folder of the sandbox");
            sandbox.set(variable, place);
        }
        fs::create_dir(root.join("cwd")).expect("a folder to work in");
        sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", root.join("no-bus").display()));
        sandbox.set("PATH", "/usr/local/bin:/usr/bin:/bin");
        // Whatever a test forgets, no request leaves this machine: the way out is a closed door.
        sandbox.set("HTTPS_PROXY", "http://127.0.0.1:9");
        sandbox.set("NO_PROXY", "127.0.0.1,localhost");
        sandbox.set("LANG", "C.UTF-8");
        sandbox.set("TZ", "UTC");
        sandbox
    }

    /// A home that is one folder, named by `CHATBOT_HOME`.
    pub(crate) fn under_one_root() -> Self {
        let mut sandbox = Self::new();
        let root = sandbox.root().join("one-root");
        sandbox.set("CHATBOT_HOME", root);
        sandbox
    }

    /// A home with an open vault: what a server has.
    pub(crate) fn with_vault() -> Self {
        let mut sandbox = Self::under_one_root();
        sandbox.make_vault();
        sandbox
    }

    /// The folder all of it lies in.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The folder commands are run in.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.root().join("cwd")
    }

    fn place(&self, part: &str, variable: &str) -> PathBuf {
        match self.env.get(OsStr::new("CHATBOT_HOME")) {
            Some(root) => Path::new(root).join(part),
            None => Path::new(&self.env[OsStr::new(variable)]).join("chatbot"),
        }
    }

    /// Where the settings file belongs.
    pub(crate) fn settings(&self) -> PathBuf {
        self.place("config", "XDG_CONFIG_HOME").join("config.toml")
    }

    /// The folder of what is kept.
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

    /// Gives every later command a variable.
    pub(crate) fn set(&mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.env.insert(variable.as_ref().to_owned(), value.as_ref().to_owned());
    }

    /// Takes a variable from every later command.
    pub(crate) fn unset(&mut self, variable: impl AsRef<OsStr>) {
        self.env.remove(variable.as_ref());
    }

    /// The variables a command is given, and no others.
    pub(crate) fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.env
    }

    /// Everything the binary has said so far: a title and the bytes.
    pub(crate) fn heard(&self) -> Heard {
        Arc::clone(&self.heard)
    }

    /// Writes a file that only its owner may read, and the folders it lies in.
    pub(crate) fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(path);
        let folder = path.parent().expect("a file lies in a folder");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("the folder of a file");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).expect("a file of the sandbox");
        std::io::Write::write_all(&mut file, bytes.as_ref()).expect("a file of the sandbox is written");
        path
    }

    /// Writes the settings file.
    pub(crate) fn configure(&self, toml: &str) {
        self.write(self.settings(), toml);
    }

    /// Makes a provider of the settings the one that is asked: `base_url` is where it is, its key is in `OWN_KEY`.
    pub(crate) fn ask_at(&mut self, base_url: &str, more: &str) {
        let own = format!("[providers.own]\nbase_url = \"{base_url}\"\nkey = \"env:OWN_KEY\"\nmodel = \"maker/model-1\"\n");
        self.configure(&format!("provider = \"own\"\n{more}\n{own}"));
        self.set("OWN_KEY", own_key());
    }

    /// Makes a vault at the lowest allowed cost, and names its passphrase to every later command by a file.
    pub(crate) fn make_vault(&mut self) {
        let file = self.write("passphrase", PASSPHRASE);
        self.set("CHATBOT_PASSPHRASE_FILE", file);
        self.set("CHATBOT_KEYRING", "vault");
        self.run(["vault", "create", "--yes", "--kdf", CHEAP]).succeeds();
    }

    /// Stores a key, as a pipe would.
    pub(crate) fn store_key(&self, provider: &str, key: &str) {
        self.run(["key", "set", "--provider", provider, "--stdin", "--no-validate"]).stdin(key).succeeds();
    }

    /// A run of the binary in this home.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        Run::new(self, args)
    }

    /// The binary on a terminal in this home.
    pub(crate) fn screen<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Screen {
        Screen::open(self, args, 100, 40)
    }

    /// Every file, in order of their names; links are named, not followed.
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

    /// Every file the program wrote and every folder it made are its owner's alone.
    pub(crate) fn is_private(&self) {
        let mut said = String::new();
        let ours = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];
        let roots: Vec<PathBuf> = ours.iter().map(|v| self.place("", v)).collect();
        for file in self.files().into_iter().filter(|f| roots.iter().any(|r| f.starts_with(r))) {
            for path in file.ancestors().take_while(|p| roots.iter().any(|r| p.starts_with(r))) {
                let mode = fs::symlink_metadata(path).expect("the mode of a file").permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    writeln!(said, "{} is open to others: {mode:o}", path.display()).unwrap();
                }
            }
        }
        assert!(said.is_empty(), "{said}");
    }

    /// The files `needle` lies in.
    pub(crate) fn files_with(&self, needle: &[u8]) -> Vec<PathBuf> {
        self.files().into_iter().filter(|f| fs::read(f).is_ok_and(|bytes| memchr::memmem::find(&bytes, needle).is_some())).collect()
    }
}
