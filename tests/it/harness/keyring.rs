//! `Keyring`: a real Secret Service of its own: a private session bus and a `gnome-keyring-daemon`.

use super::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What a bus needs to know. A daemon is started by the bus itself, so that whoever asks for it waits until it answers.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=[ROOT]/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>[ROOT]/services</servicedir>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

const SERVICE: &str = "[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/bin/sh [ROOT]/daemon.sh\n";

/// A running Secret Service. It ends with this value.
#[derive(Debug)]
pub(crate) struct Keyring {
    root: PathBuf,
    env: BTreeMap<OsString, OsString>,
    bus: Child,
}

impl Keyring {
    /// What is missing on this machine to have one.
    pub(crate) fn missing() -> Option<String> {
        let tools = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool"];
        let missing: Vec<&str> = tools.into_iter().filter(|t| super::proof::tool(t).is_none()).collect();
        (!missing.is_empty()).then(|| format!("no {}", missing.join(", no ")))
    }

    /// A bus without a daemon: every later command of `sandbox` finds the bus, and nobody who keeps secrets on it.
    pub(crate) fn bus_only(sandbox: &mut Sandbox) -> Self {
        let root = sandbox.root().to_path_buf();
        fs::create_dir(root.join("services")).expect("a folder for services");
        let config = sandbox.write("bus.conf", BUS.replace("[ROOT]", &root.display().to_string()));
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
        BufReader::new(bus.stdout.take().expect("its output")).read_line(&mut address).expect("the bus says its address");
        sandbox.set("DBUS_SESSION_BUS_ADDRESS", address.trim());
        Self { root, env: sandbox.env().clone(), bus }
    }

    /// A keyring that is open, as after logging in.
    pub(crate) fn unlocked(sandbox: &mut Sandbox) -> Self {
        let keyring = Self::bus_only(sandbox);
        let root = keyring.root.display().to_string();
        sandbox.write("services/org.freedesktop.secrets.service", SERVICE.replace("[ROOT]", &root));
        sandbox.write("password", "the password of the login");
        keyring.start("--unlock");
        keyring
    }

    /// Another daemon takes over that nobody has unlocked.
    pub(crate) fn lock(&self) {
        self.stop();
        self.start("");
    }

    /// Another daemon takes over that is open.
    pub(crate) fn unlock(&self) {
        self.stop();
        self.start("--unlock");
    }

    /// The daemon goes on holding its name, and never answers.
    pub(crate) fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    fn start(&self, how: &str) {
        let root = self.root.display();
        let script = format!(
            "echo $$ >{root}/daemon.pid\nexec gnome-keyring-daemon --foreground --components=secrets {how} <{root}/password >{root}/daemon.log 2>&1\n"
        );
        fs::write(self.root.join("daemon.sh"), script).expect("the script of the daemon");
        // The bus reads its folder of services when told to; both answers come when the deed is done.
        self.ask(&["org.freedesktop.DBus.ReloadConfig"]);
        self.ask(&["org.freedesktop.DBus.StartServiceByName", "string:org.freedesktop.secrets", "uint32:0"]);
    }

    /// Where its bus is.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/bus", self.root.display())
    }

    fn ask(&self, what: &[&str]) {
        let output = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"])
            .args(what)
            .env_clear()
            .envs(&self.env)
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", self.root.display()))
            .output()
            .expect("the bus can be asked");
        assert!(output.status.success(), "{what:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn signal(&self, signal: rustix::process::Signal) -> bool {
        let Ok(pid) = fs::read_to_string(self.root.join("daemon.pid")) else { return false };
        let pid = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw).expect("the number of a process");
        rustix::process::kill_process(pid, signal).is_ok()
    }

    fn stop(&self) {
        if self.signal(rustix::process::Signal::KILL) {
            drop(fs::remove_file(self.root.join("daemon.pid")));
        }
    }

    /// What `secret-tool search` says from outside about the items with an attribute.
    pub(crate) fn seen(&self, attribute: &str, value: &str) -> String {
        let output = Command::new("secret-tool")
            .args(["search", "--all", attribute, value])
            .env_clear()
            .envs(&self.env)
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", self.root.display()))
            .output()
            .expect("secret-tool runs");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.stop();
        drop(self.bus.kill());
        drop(self.bus.wait());
    }
}

#[test]
fn a_real_keyring_opens_and_locks() {
    if let Some(why) = Keyring::missing() {
        return super::proof::left_out("keyring", &why);
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
    assert!(store.status.success(), "{}", String::from_utf8_lossy(&store.stderr));
    assert!(keyring.seen("kind", "thing").contains("secret = what is kept"), "{}", keyring.seen("kind", "thing"));
    keyring.lock();
    assert!(!keyring.seen("kind", "thing").contains("what is kept"));
    keyring.unlock();
    assert!(keyring.seen("kind", "thing").contains("secret = what is kept"));
}
