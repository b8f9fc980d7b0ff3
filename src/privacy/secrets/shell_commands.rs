//! Passwords in commands: `mysql -phunter2`, `curl -u bob:hunter2`, `sshpass -p …`.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::{TextBytes, find, is_ident};
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::quotes::quoted_range;

/// A command; its flags for a password, for `user:password`, and with the password attached.
type PasswordCommand = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// Commands and the flags by which they take a password: separate, as `user:password`, or attached
/// to the flag.
const COMMANDS: &[PasswordCommand] = &[
    ("mysql", &[], &[], &["-p"]),
    ("mysqldump", &[], &[], &["-p"]),
    ("mysqladmin", &[], &[], &["-p"]),
    ("mariadb", &[], &[], &["-p"]),
    ("sshpass", &["-p"], &[], &["-p"]),
    (
        "curl",
        &[],
        &["-u", "--user", "-U", "--proxy-user"],
        &["-u"],
    ),
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
    ("az", &["-p"], &[], &[]),
    ("rabbitmqadmin", &["-p"], &[], &[]),
    ("nmcli", &[], &[], &[]),
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
    ("openssl", &["-k", "-K"], &[], &[]),
    ("smbclient", &[], &["-U", "--user"], &["-U"]),
    ("rpcclient", &[], &["-U", "--user"], &["-U"]),
    ("vault login", &[], &[], &[]),
    ("htpasswd", &[], &[], &[]),
    ("net use", &[], &[], &[]),
    ("mc alias set", &[], &[], &[]),
    ("mc config host add", &[], &[], &[]),
    ("rabbitmqctl", &[], &[], &[]),
    ("sqlplus", &[], &[], &[]),
    ("expdp", &[], &[], &[]),
    ("impdp", &[], &[], &[]),
    ("rman target", &[], &[], &[]),
    ("convertto-securestring", &[], &[], &[]),
    ("rclone obscure", &[], &[], &[]),
    ("net user", &[], &[], &[]),
    ("wpa_passphrase", &[], &[], &[]),
    ("mosquitto_pub", &["-P"], &[], &[]),
    ("mosquitto_sub", &["-P"], &[], &[]),
    ("plink", &["-pw"], &[], &[]),
    ("pscp", &["-pw"], &[], &[]),
    ("ssh-keygen", &["-N", "-P"], &[], &[]),
    ("mongorestore", &["-p"], &[], &[]),
    ("mongoexport", &["-p"], &[], &[]),
    ("useradd", &["-p"], &[], &[]),
    ("rdesktop", &["-p"], &[], &[]),
    ("hydra", &["-p"], &[], &[]),
    ("security add-generic-password", &["-w"], &[], &[]),
];

/// The command names, for the index.
#[rustfmt::skip]
pub(in crate::privacy) const KEYWORDS: &[&str] = &[
    "mysql ", "mysqldump ", "mysqladmin ", "mariadb ", "sshpass ", "curl ", "http ", "docker ", "podman ", "redis-cli ", "mongo ",
    "mongosh ", "mongodump ", "ldapsearch ", "ldapmodify ", "sqlcmd ", "bcp ", "7z ", "zip ", "unzip ", "unrar ", "rar ", "helm ",
    "openssl ", "smbclient ", "rpcclient ", "vault login ", "htpasswd ", "net use ", "mc alias set ", "mc config host add ", "sqlplus ",
    "rabbitmqctl ", "expdp ", "impdp ", "rman target ", "convertto-securestring ", "az ", "rabbitmqadmin ", "psexec ", "ipmitool ", "snmpwalk ", "lftp ", "influx ", "cqlsh ", "keytool ", "xfreerdp ", "rclone obscure ", "net user ", "wpa_passphrase ", "mosquitto_pub ", "mosquitto_sub ", "plink ", "pscp ",
    "ssh-keygen ", "mongorestore ", "mongoexport ", "useradd ", "rdesktop ", "hydra ", "security add-generic-password ",
];

/// Reads the flags after a command.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.flags
        || is_ident(text.byte_before(at))
        || matches!(text.byte_before(at), b'-' | b'.')
    {
        return;
    }
    let name = String::from_utf8_lossy(text.slice(at, to))
        .trim_end()
        .to_ascii_lowercase();
    let Some((_, plain, pairs, glued)) = COMMANDS.iter().find(|(command, ..)| *command == name)
    else {
        return;
    };
    let login = !matches!(name.as_str(), "docker" | "podman" | "helm")
        || find(text.slice(to, to + 24), b"login").is_some();
    // A trailing backslash continues the command on the next line.
    let mut limit = text.line_end(to, 400);
    for _ in 0..8 {
        let next = text.scan_while(limit, 2, |b| b == b'\n' || b == b'\r');
        if text.byte_before(limit) != b'\\' || next == limit || limit > to + 400 {
            break;
        }
        limit = text.line_end(next, 400);
    }
    if positional_password(scan, &name, to, limit) {
        return;
    }
    let mut i = to;
    while i < limit {
        scan.cursors.flags = i;
        i = text.scan_while(i, 64, |b| b.is_ascii_whitespace() || b == b'\\');
        let end = text.scan_while(i, 256, |b| !b.is_ascii_whitespace());
        if end == i || matches!(text.at(i), b'|' | b';' | b'#') || text.slice(i, end) == b"&&" {
            return;
        }
        let flag = text.slice(
            i,
            text.scan_while(i, 32, |b| b != b'=' && !b.is_ascii_whitespace()),
        );
        let flag_end = i + flag.len();
        if pairs.iter().any(|p| flag == p.as_bytes()) {
            report_pair(
                scan,
                argument_range(
                    text,
                    text.scan_while(flag_end, 8, |b| b == b' ' || b == b'='),
                ),
            );
        } else if login && plain.iter().any(|p| flag == p.as_bytes()) {
            report_password(
                scan,
                argument_range(
                    text,
                    text.scan_while(flag_end, 8, |b| b == b' ' || b == b'='),
                ),
            );
        } else if let Some(prefix) = glued
            .iter()
            .filter(|p| flag.len() > p.len() && flag.starts_with(p.as_bytes()))
            .max_by_key(|p| p.len())
        {
            let value = argument_range(text, i + prefix.len());
            if pairs.is_empty() {
                report_password(scan, value);
            } else {
                report_pair(scan, value);
            }
        }
        i = end;
    }
}

/// Reads commands that take a password as a positional argument. Returns whether the command is one
/// of them.
fn positional_password(scan: &mut Scan<'_>, name: &str, to: usize, limit: usize) -> bool {
    let text = scan.text;
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut i = to;
    while i < limit && words.len() < 8 {
        i = text.scan_while(i, 64, |b| b.is_ascii_whitespace() || b == b'\\');
        let (start, end) = argument_range(text, i);
        if end <= start || matches!(text.at(i), b'|' | b';' | b'#' | b'&' | b'>') || i >= limit {
            break;
        }
        words.push((start, end));
        i = end + usize::from(start > i);
    }
    let flag = |&(start, _): &(usize, usize)| {
        text.at(start) == b'-' || name == "net use" && text.at(start) == b'/'
    };
    let plain: Vec<(usize, usize)> = words.iter().copied().filter(|word| !flag(word)).collect();
    let password = match name {
        "vault login" => plain
            .first()
            .copied()
            .filter(|&(start, end)| !text.slice(start, end).contains(&b'=') && end - start >= 8),
        "htpasswd" => {
            let batch = words.iter().any(|&(start, end)| {
                text.at(start) == b'-' && text.slice(start, end).contains(&b'b')
            });
            let printed = words.iter().any(|&(start, end)| {
                text.at(start) == b'-' && text.slice(start, end).contains(&b'n')
            });
            plain
                .get(if printed { 1 } else { 2 })
                .copied()
                .filter(|_| batch)
        }
        "net use" => {
            let user = words
                .iter()
                .position(|&(start, _)| text.starts_with_ignore_case_at(start, b"/user:"));
            let behind = user
                .and_then(|p| words.get(p + 1))
                .copied()
                .filter(|word| !flag(word));
            behind.or_else(|| {
                user.and_then(|p| p.checked_sub(1))
                    .and_then(|p| words.get(p))
                    .copied()
                    .filter(|&(start, end)| {
                        char_stats::looks_like_password(text.slice(start, end))
                            && text.at(start) != b'\\'
                    })
            })
        }
        "rabbitmqctl" => plain
            .first()
            .filter(|&&(start, end)| {
                matches!(
                    text.slice(start, end),
                    b"add_user" | b"change_password" | b"authenticate_user"
                )
            })
            .and_then(|_| plain.get(2))
            .copied(),
        "mc alias set" | "mc config host add" => plain.get(3).copied(),
        "rclone obscure" => plain.first().copied(),
        "net user" | "wpa_passphrase" => plain
            .get(1)
            .copied()
            .filter(|&(start, _)| !matches!(text.at(start), b'/' | b'*')),
        "sqlplus" | "expdp" | "impdp" | "rman target" => plain.iter().find_map(|&(start, end)| {
            let word = text.slice(start, end);
            let slash = word.iter().position(|&b| b == b'/').filter(|&p| p > 0)?;
            let stop = word
                .iter()
                .rposition(|&b| b == b'@')
                .filter(|&p| p > slash)
                .unwrap_or(word.len());
            (stop > slash + 1).then_some((start + slash + 1, start + stop))
        }),
        "convertto-securestring" => plain
            .first()
            .copied()
            .filter(|&(start, _)| text.at(start) != b'$'),
        _ => return false,
    };
    if let Some(found) = password {
        report_password(scan, found);
    }
    true
}

/// Reads a line of a `.pgpass` file: `host:5432:base:user:hunter2`.
pub(in crate::privacy) fn password_file(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    let (start, end) = (text.line_start(at, 100), text.line_end(at, 200));
    let line = text.slice(start, end);
    let mut fields = line.splitn(5, |&b| b == b':');
    let is_complete = fields
        .by_ref()
        .take(4)
        .all(|field| !field.is_empty() && !field.contains(&b' '));
    if let Some(last) = fields
        .next()
        .filter(|last| is_complete && last.len() >= 4 && !last.contains(&b' '))
    {
        report_password(scan, (end - last.len(), end));
    }
}

/// Reads input piped into a command that takes a password: `echo 'hunter2' | sudo -S`, `echo
/// bob:hunter2 | chpasswd`.
pub(in crate::privacy) fn piped_password(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let chpasswd = text.starts_with_ignore_case_at(at, b"chpasswd");
    let start = text.line_start(at, 200);
    let line = text.slice(start, at);
    let echo = [&b"echo "[..], b"printf ", b"<<< "]
        .iter()
        .find_map(|word| {
            let place = memchr::memmem::rfind(line, word)?;
            Some(start + place + word.len())
        });
    let echo = echo.or_else(|| {
        (chpasswd && text.starts_with_at(text.skip_blanks(to), b"<<<"))
            .then(|| text.skip_blanks(text.skip_blanks(to) + 3))
    });
    let Some(mut from) = echo else { return };
    for flag in [&b"-n "[..], b"-e ", b"-ne ", b"-en ", b"'%s' ", b"\"%s\" "] {
        if text.starts_with_at(from, flag) {
            from += flag.len();
        }
    }
    let found = argument_range(text, from);
    if chpasswd {
        report_pair(scan, found);
    } else {
        report_password(scan, found);
    }
}

/// Returns an argument without its quotes.
fn argument_range(text: TextBytes<'_>, at: usize) -> (usize, usize) {
    quoted_range(text, at).unwrap_or_else(|| {
        (
            at,
            text.scan_while(at, 256, |b| {
                !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`')
            }),
        )
    })
}

pub(super) fn report_password(scan: &mut Scan<'_>, (start, end): (usize, usize)) {
    let bytes = scan.text.slice(start, end);
    if bytes.len() >= 3
        && !bytes.starts_with(b"-")
        && !char_stats::is_dummy_value(bytes)
        && !bytes.iter().all(|&b| b.is_ascii_digit() || b == b':')
    {
        scan.report(start, end, PASSWORD, "command-password", FIELD_NAME);
    }
}

pub(super) fn report_pair(scan: &mut Scan<'_>, (start, end): (usize, usize)) {
    let bytes = scan.text.slice(start, end);
    let colon = bytes.iter().position(|b| matches!(b, b':' | b',' | b'%'));
    if bytes.starts_with(b"<") || bytes.windows(2).any(|w| w == b"${" || w == b"$(") {
        return;
    }
    if let Some(colon) = colon {
        let secret = bytes.get(colon + 1..).unwrap_or_default();
        if secret.len() >= 3 && !char_stats::is_dummy_value(secret) && !secret.starts_with(b"//") {
            scan.report(
                start + colon + 1,
                end,
                PASSWORD,
                "command-password",
                FIELD_NAME,
            );
        } else if secret.is_empty() && char_stats::is_random(bytes.get(..colon).unwrap_or_default())
        {
            scan.report(
                start,
                start + colon,
                crate::privacy::kind::API_KEY,
                "command-token",
                FIELD_NAME,
            );
        }
    }
}
