//! `Keyring`: a real Secret Service on a private session bus, run by `gnome-keyring-daemon`.

use super::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The configuration of the bus. The bus starts the daemon itself, so that a client waits until it
/// answers.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=[ROOT]/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>[ROOT]/services</servicedir>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

const SERVICE: &str =
    "[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/bin/sh [ROOT]/daemon.sh\n";

const LOCK: [&str; 6] = [
    "--session",
    "--print-reply",
    "--dest=org.freedesktop.secrets",
    "/org/freedesktop/secrets",
    "org.freedesktop.Secret.Service.Lock",
    "array:objpath:/org/freedesktop/secrets/collection/login",
];

/// A running Secret Service, which is stopped on drop.
#[derive(Debug)]
pub(crate) struct Keyring {
    root: PathBuf,
    state: PathBuf,
    env: BTreeMap<OsString, OsString>,
    bus: Child,
}

impl Keyring {
    /// What this machine lacks for a keyring.
    pub(crate) fn missing() -> Option<String> {
        let tools = [
            "dbus-daemon",
            "dbus-send",
            "gnome-keyring-daemon",
            "secret-tool",
        ];
        let missing: Vec<&str> = tools
            .into_iter()
            .filter(|t| crate::harness::ci_markers::tool(t).is_none())
            .collect();
        (!missing.is_empty()).then(|| format!("no {}", missing.join(", no ")))
    }

    /// A bus without a daemon: later commands of `sandbox` find the bus, but no Secret Service on
    /// it.
    pub(crate) fn bus_only(sandbox: &mut Sandbox) -> Self {
        let root = sandbox.root().to_path_buf();
        fs::create_dir(root.join("services")).expect("a folder for services");
        let config = sandbox.write(
            "bus.conf",
            BUS.replace("[ROOT]", &root.display().to_string()),
        );
        sandbox.unset("CHATBOT_KEYRING");
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .env_clear()
            .envs(sandbox.env())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a bus starts");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().expect("its output"))
            .read_line(&mut address)
            .expect("the bus says its address");
        sandbox.set("DBUS_SESSION_BUS_ADDRESS", address.trim());
        Self {
            root,
            state: sandbox.state(),
            env: sandbox.env().clone(),
            bus,
        }
    }

    /// An unlocked keyring, as after login.
    pub(crate) fn unlocked(sandbox: &mut Sandbox) -> Self {
        let keyring = Self::bus_only(sandbox);
        let root = keyring.root.display().to_string();
        sandbox.write(
            "services/org.freedesktop.secrets.service",
            SERVICE.replace("[ROOT]", &root),
        );
        sandbox.write("password", "the password of the login");
        keyring.start("--unlock");
        keyring
    }

    /// Replaces the daemon by a locked one.
    pub(crate) fn lock(&self) {
        self.stop();
        self.start("");
    }

    /// Replaces the daemon by an unlocked one.
    pub(crate) fn unlock(&self) {
        self.stop();
        self.start("--unlock");
    }

    /// Locks the collection of the running daemon.
    pub(crate) fn lock_login(&self) {
        let locked = self
            .at_the_bus("dbus-send")
            .args(LOCK)
            .output()
            .expect("the keyring can be asked");
        assert!(
            locked.status.success(),
            "{}",
            String::from_utf8_lossy(&locked.stderr)
        );
    }

    /// Stops the daemon, which keeps its name on the bus and never answers.
    pub(crate) fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    fn start(&self, how: &str) {
        let root = self.root.display();
        let script = format!(
            "echo $$ >{root}/daemon.pid\nexec gnome-keyring-daemon --foreground --components=secrets {how} <{root}/password >{root}/daemon.log 2>&1\n"
        );
        fs::write(self.root.join("daemon.sh"), script).expect("the script of the daemon");
        // The bus reads its folder of services on request; both calls return when they are done.
        self.ask(&["org.freedesktop.DBus.ReloadConfig"]);
        self.ask(&[
            "org.freedesktop.DBus.StartServiceByName",
            "string:org.freedesktop.secrets",
            "uint32:0",
        ]);
    }

    /// The address of the bus.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/bus", self.root.display())
    }

    fn ask(&self, what: &[&str]) {
        let output = Command::new("dbus-send")
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.DBus",
                "/",
            ])
            .args(what)
            .env_clear()
            .envs(&self.env)
            .env(
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}/bus", self.root.display()),
            )
            .output()
            .expect("the bus can be asked");
        assert!(
            output.status.success(),
            "{what:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn signal(&self, signal: rustix::process::Signal) -> bool {
        let Ok(pid) = fs::read_to_string(self.root.join("daemon.pid")) else {
            return false;
        };
        let pid = pid
            .trim()
            .parse()
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("the number of a process");
        rustix::process::kill_process(pid, signal).is_ok()
    }

    fn stop(&self) {
        if self.signal(rustix::process::Signal::KILL) {
            drop(fs::remove_file(self.root.join("daemon.pid")));
        }
    }

    /// The output of `secret-tool search` for items with an attribute.
    pub(crate) fn seen(&self, attribute: &str, value: &str) -> String {
        let output = self
            .at_the_bus("secret-tool")
            .args(["search", "--all", attribute, value])
            .output()
            .expect("secret-tool runs");
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    /// Changes the keyring from outside: `secret-tool` with `input` on its standard input.
    pub(crate) fn tool(&self, args: &[&str], input: &str) {
        let file = self.root.join("for-the-tool");
        fs::write(&file, input).expect("a file for its input");
        let done = self
            .at_the_bus("secret-tool")
            .args(args)
            .stdin(fs::File::open(file).expect("its input"))
            .output()
            .expect("it runs");
        assert!(
            done.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn at_the_bus(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.env)
            .env("DBUS_SESSION_BUS_ADDRESS", self.address());
        command
    }

    /// The cache of this home in the kernel keyring: names and permissions.
    pub(crate) fn remembered(&self) -> Vec<(String, String)> {
        self.in_the_kernel()
            .into_iter()
            .map(|(_, name, permissions)| (name, permissions))
            .collect()
    }

    /// The ids of the keys too. A line of `/proc/keys`: id, flags, uses, time left, permissions,
    /// owner, group, type, name and length.
    fn in_the_kernel(&self) -> Vec<(String, String, String)> {
        use sha2::{Digest, Sha256};
        let sum = Sha256::digest(self.state.as_os_str().as_encoded_bytes());
        let ours = format!(
            "chatbot:recent:{}:",
            sum.iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        );
        let list = fs::read_to_string("/proc/keys").unwrap_or_default();
        let key = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // An invalid key is listed until the kernel collects it.
            let gone = words.get(1)?.contains(['R', 'D', 'i']) || *words.get(3)? == "expd";
            let name = words
                .get(8)
                .filter(|_| !gone)?
                .strip_prefix(&ours)?
                .trim_end_matches(':');
            Some((words[0].to_owned(), name.to_owned(), words[4].to_owned()))
        };
        list.lines().filter_map(key).collect()
    }

    /// Removes the cached keys: the kernel's quota is small and shared with the user who runs the
    /// tests.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget_remembered(&self) {
        for (number, ..) in self.in_the_kernel() {
            let number = u32::from_str_radix(&number, 16)
                .ok()
                .and_then(|number| i32::try_from(number).ok());
            let key = number
                .map(|number| linux_keyutils::Key::from_id(linux_keyutils::KeySerialId(number)));
            // A key that expired in the meantime is gone as well.
            key.map(|key| key.invalidate().unwrap_or_default())
                .unwrap_or_default();
        }
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        self.forget_remembered();
        self.stop();
        drop(self.bus.kill());
        drop(self.bus.wait());
    }
}

#[test]
fn keyring_daemon_opens_and_locks() {
    if let Some(why) = Keyring::missing() {
        return crate::harness::ci_markers::left_out("keyring", &why);
    }
    let mut sandbox = Sandbox::new();
    let keyring = Keyring::unlocked(&mut sandbox);
    let store = Command::new("secret-tool")
        .args(["store", "--label=a thing", "kind", "thing"])
        .env_clear()
        .envs(sandbox.env())
        .stdin(fs::File::open(sandbox.write("thing", "what is kept")).unwrap())
        .output()
        .unwrap();
    assert!(
        store.status.success(),
        "{}",
        String::from_utf8_lossy(&store.stderr)
    );
    assert!(
        keyring
            .seen("kind", "thing")
            .contains("secret = what is kept"),
        "{}",
        keyring.seen("kind", "thing")
    );
    keyring.lock();
    assert!(!keyring.seen("kind", "thing").contains("what is kept"));
    keyring.unlock();
    assert!(
        keyring
            .seen("kind", "thing")
            .contains("secret = what is kept")
    );
}
