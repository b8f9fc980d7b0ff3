//! Passwords in commands: `mysql -phunter2`, `curl -u bob:hunter2`, `sshpass -p …`.

use super::detect::{NAMED, Pass};
use super::kind::PASSWORD;
use super::quotation::quoted;
use super::text::{Text, is_ident};
use super::value;

/// A command, its flags for a password, for a pair, and with the password glued.
type Command = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// Commands and how they take a password: flags with the password itself, flags with `user:password`, flags with the password glued.
const COMMANDS: &[Command] = &[
    ("mysql", &[], &[], &["-p"]),
    ("mysqldump", &[], &[], &["-p"]),
    ("mysqladmin", &[], &[], &["-p"]),
    ("mariadb", &[], &[], &["-p"]),
    ("sshpass", &["-p"], &[], &["-p"]),
    ("curl", &[], &["-u", "--user", "-U", "--proxy-user"], &["-u"]),
    ("http", &[], &["-a", "--auth"], &[]),
    ("wget", &[], &[], &[]),
    ("docker", &["-p"], &[], &[]),
    ("podman", &["-p"], &[], &[]),
    ("helm", &["-p"], &[], &[]),
    ("redis-cli", &["-a", "--pass"], &[], &["-a"]),
    ("mongo", &["-p"], &[], &["-p"]),
    ("mongosh", &["-p"], &[], &["-p"]),
    ("mongodump", &["-p"], &[], &["-p"]),
    ("ldapsearch", &["-w"], &[], &["-w"]),
    ("ldapmodify", &["-w"], &[], &["-w"]),
    ("sqlcmd", &["-P"], &[], &["-P"]),
    ("bcp", &["-P"], &[], &["-P"]),
    ("7z", &[], &[], &["-p"]),
    ("zip", &["-P"], &[], &[]),
    ("unzip", &["-P"], &[], &[]),
    ("unrar", &[], &[], &["-p"]),
    ("rar", &[], &[], &["-p", "-hp"]),
    ("smbclient", &[], &[], &[]),
    ("az", &["-p"], &[], &[]),
    ("rabbitmqadmin", &["-p"], &[], &[]),
    ("nmcli", &[], &[], &[]),
    ("net", &[], &[], &[]),
    ("psexec", &["-p"], &[], &[]),
    ("ipmitool", &["-P"], &[], &[]),
    ("snmpwalk", &["-A", "-X"], &[], &[]),
    ("lftp", &[], &["-u"], &[]),
    ("vncpasswd", &[], &[], &[]),
    ("influx", &["-p"], &[], &[]),
    ("cqlsh", &["-p"], &[], &[]),
    ("clickhouse-client", &[], &[], &[]),
    ("keytool", &["-storepass", "-keypass"], &[], &[]),
    ("xfreerdp", &[], &[], &["/p:"]),
];

/// The names of the commands, for the index.
#[rustfmt::skip]
pub(super) const KEYWORDS: &[&str] = &[
    "mysql ", "mysqldump ", "mysqladmin ", "mariadb ", "sshpass ", "curl ", "http ", "docker ", "podman ", "redis-cli ", "mongo ",
    "mongosh ", "mongodump ", "ldapsearch ", "ldapmodify ", "sqlcmd ", "bcp ", "7z ", "zip ", "unzip ", "unrar ", "rar ", "helm ",
    "rabbitmqadmin ", "psexec ", "ipmitool ", "snmpwalk ", "lftp ", "influx ", "cqlsh ", "keytool ", "xfreerdp ",
];

/// Reads the flags behind a command.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if at < pass.commanded || is_ident(text.before(at)) || matches!(text.before(at), b'-' | b'.') {
        return;
    }
    let name = String::from_utf8_lossy(text.cut(at, to)).trim_end().to_ascii_lowercase();
    let Some((_, plain, pairs, glued)) = COMMANDS.iter().find(|(command, ..)| *command == name) else { return };
    let login = !matches!(name.as_str(), "docker" | "podman" | "helm") || memchr::memmem::find(text.cut(to, to + 24), b"login").is_some();
    // A command goes on over lines that end with a backslash.
    let mut limit = text.line_end(to, 400);
    for _ in 0..8 {
        let next = text.run(limit, 2, |b| b == b'\n' || b == b'\r');
        if text.before(limit) != b'\\' || next == limit || limit > to + 400 {
            break;
        }
        limit = text.line_end(next, 400);
    }
    let mut i = to;
    while i < limit {
        pass.commanded = i;
        i = text.run(i, 64, |b| b.is_ascii_whitespace() || b == b'\\');
        let end = text.run(i, 256, |b| !b.is_ascii_whitespace());
        if end == i || matches!(text.at(i), b'|' | b';' | b'#') || text.cut(i, end) == b"&&" {
            return;
        }
        let flag = text.cut(i, text.run(i, 32, |b| b != b'=' && !b.is_ascii_whitespace()));
        let flag_end = i + flag.len();
        if pairs.iter().any(|p| flag == p.as_bytes()) {
            pair(pass, argument(text, text.run(flag_end, 8, |b| b == b' ' || b == b'=')));
        } else if login && plain.iter().any(|p| flag == p.as_bytes()) {
            alone(pass, argument(text, text.run(flag_end, 8, |b| b == b' ' || b == b'=')));
        } else if let Some(prefix) = glued.iter().filter(|p| flag.len() > p.len() && flag.starts_with(p.as_bytes())).max_by_key(|p| p.len())
        {
            let value = argument(text, i + prefix.len());
            if pairs.is_empty() { alone(pass, value) } else { pair(pass, value) }
        }
        i = end;
    }
}

/// Reads the second literal of a call that takes a name and a password: `auth=("bob", "hunter2")`.
pub(super) fn call(pass: &mut Pass<'_>, _at: usize, to: usize) {
    let text = pass.text;
    let first = text.run(to, 4, |b| matches!(b, b' ' | b'\n'));
    let comma = match quoted(text, first) {
        Some((_, end)) => text.blanks(end + 1),
        None => text.blanks(text.run(first, 48, |b| is_ident(b) || b == b'.')),
    };
    if text.at(comma) != b',' {
        return;
    }
    let second = text.run(comma + 1, 24, |b| b.is_ascii_whitespace());
    if let Some((start, end)) = quoted(text, second) {
        alone(pass, (start, end));
    }
}

/// Reads the literal behind `IDENTIFIED BY`.
pub(super) fn identified(pass: &mut Pass<'_>, _at: usize, to: usize) {
    let text = pass.text;
    let limit = text.line_end(to, 60);
    if let Some(open) = (to..limit).find(|&i| matches!(text.at(i), b'\'' | b'"'))
        && let Some((start, end)) = quoted(text, open)
    {
        alone(pass, (start, end));
    }
}

/// An argument, without its quotes.
fn argument(text: Text<'_>, at: usize) -> (usize, usize) {
    quoted(text, at).unwrap_or_else(|| (at, text.run(at, 256, |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`'))))
}

fn alone(pass: &mut Pass<'_>, (start, end): (usize, usize)) {
    let bytes = pass.text.cut(start, end);
    if bytes.len() >= 3
        && !bytes.starts_with(b"-")
        && !value::is_placeholder(bytes)
        && !bytes.iter().all(|&b| b.is_ascii_digit() || b == b':')
    {
        pass.hit(start, end, PASSWORD, "command-password", NAMED);
    }
}

fn pair(pass: &mut Pass<'_>, (start, end): (usize, usize)) {
    let bytes = pass.text.cut(start, end);
    let colon = bytes.iter().position(|b| matches!(b, b':' | b','));
    if let Some(colon) = colon {
        let secret = bytes.get(colon + 1..).unwrap_or_default();
        if secret.len() >= 3 && !value::is_placeholder(secret) && !secret.starts_with(b"//") {
            pass.hit(start + colon + 1, end, PASSWORD, "command-password", NAMED);
        } else if secret.is_empty() && value::is_random(bytes.get(..colon).unwrap_or_default()) {
            pass.hit(start, start + colon, super::kind::API_KEY, "command-token", NAMED);
        }
    }
}
