//! Passwords in commands: `mysql -phunter2`, `curl -u bob:hunter2`, `sshpass -p …`.

use super::detect::{NAMED, Pass};
use super::kind::PASSWORD;
use super::quotation::quoted;
use super::text::{Text, find, is_ident};
use super::value;

/// A command; its flags for a password, for `user:password`, and with the password attached.
type Command = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// Commands and the flags by which they take a password: separate, as `user:password`, or attached
/// to the flag.
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
pub(super) const KEYWORDS: &[&str] = &[
    "mysql ", "mysqldump ", "mysqladmin ", "mariadb ", "sshpass ", "curl ", "http ", "docker ", "podman ", "redis-cli ", "mongo ",
    "mongosh ", "mongodump ", "ldapsearch ", "ldapmodify ", "sqlcmd ", "bcp ", "7z ", "zip ", "unzip ", "unrar ", "rar ", "helm ",
    "openssl ", "smbclient ", "rpcclient ", "vault login ", "htpasswd ", "net use ", "mc alias set ", "mc config host add ", "sqlplus ",
    "rabbitmqctl ", "expdp ", "impdp ", "rman target ", "convertto-securestring ", "az ", "rabbitmqadmin ", "psexec ", "ipmitool ", "snmpwalk ", "lftp ", "influx ", "cqlsh ", "keytool ", "xfreerdp ", "rclone obscure ", "net user ", "wpa_passphrase ", "mosquitto_pub ", "mosquitto_sub ", "plink ", "pscp ",
    "ssh-keygen ", "mongorestore ", "mongoexport ", "useradd ", "rdesktop ", "hydra ", "security add-generic-password ",
];

/// Reads the flags after a command.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if at < pass.commanded || is_ident(text.before(at)) || matches!(text.before(at), b'-' | b'.') {
        return;
    }
    let name = String::from_utf8_lossy(text.cut(at, to)).trim_end().to_ascii_lowercase();
    let Some((_, plain, pairs, glued)) = COMMANDS.iter().find(|(command, ..)| *command == name) else { return };
    let login = !matches!(name.as_str(), "docker" | "podman" | "helm") || find(text.cut(to, to + 24), b"login").is_some();
    // A trailing backslash continues the command on the next line.
    let mut limit = text.line_end(to, 400);
    for _ in 0..8 {
        let next = text.run(limit, 2, |b| b == b'\n' || b == b'\r');
        if text.before(limit) != b'\\' || next == limit || limit > to + 400 {
            break;
        }
        limit = text.line_end(next, 400);
    }
    if positional(pass, &name, to, limit) {
        return;
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

/// Reads commands that take a password as a positional argument. Returns whether the command is one
/// of them.
fn positional(pass: &mut Pass<'_>, name: &str, to: usize, limit: usize) -> bool {
    let text = pass.text;
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut i = to;
    while i < limit && words.len() < 8 {
        i = text.run(i, 64, |b| b.is_ascii_whitespace() || b == b'\\');
        let (start, end) = argument(text, i);
        if end <= start || matches!(text.at(i), b'|' | b';' | b'#' | b'&' | b'>') || i >= limit {
            break;
        }
        words.push((start, end));
        i = end + usize::from(start > i);
    }
    let flag = |&(start, _): &(usize, usize)| text.at(start) == b'-' || name == "net use" && text.at(start) == b'/';
    let plain: Vec<(usize, usize)> = words.iter().copied().filter(|word| !flag(word)).collect();
    let told = match name {
        "vault login" => plain.first().copied().filter(|&(start, end)| !text.cut(start, end).contains(&b'=') && end - start >= 8),
        "htpasswd" => {
            let batch = words.iter().any(|&(start, end)| text.at(start) == b'-' && text.cut(start, end).contains(&b'b'));
            let printed = words.iter().any(|&(start, end)| text.at(start) == b'-' && text.cut(start, end).contains(&b'n'));
            plain.get(if printed { 1 } else { 2 }).copied().filter(|_| batch)
        }
        "net use" => {
            let user = words.iter().position(|&(start, _)| text.has_folded(start, b"/user:"));
            let behind = user.and_then(|p| words.get(p + 1)).copied().filter(|word| !flag(word));
            behind.or_else(|| {
                user.and_then(|p| p.checked_sub(1))
                    .and_then(|p| words.get(p))
                    .copied()
                    .filter(|&(start, end)| value::is_striking(text.cut(start, end)) && text.at(start) != b'\\')
            })
        }
        "rabbitmqctl" => plain
            .first()
            .filter(|&&(start, end)| matches!(text.cut(start, end), b"add_user" | b"change_password" | b"authenticate_user"))
            .and_then(|_| plain.get(2))
            .copied(),
        "mc alias set" | "mc config host add" => plain.get(3).copied(),
        "rclone obscure" => plain.first().copied(),
        "net user" | "wpa_passphrase" => plain.get(1).copied().filter(|&(start, _)| !matches!(text.at(start), b'/' | b'*')),
        "sqlplus" | "expdp" | "impdp" | "rman target" => plain.iter().find_map(|&(start, end)| {
            let word = text.cut(start, end);
            let slash = word.iter().position(|&b| b == b'/').filter(|&p| p > 0)?;
            let stop = word.iter().rposition(|&b| b == b'@').filter(|&p| p > slash).unwrap_or(word.len());
            (stop > slash + 1).then_some((start + slash + 1, start + stop))
        }),
        "convertto-securestring" => plain.first().copied().filter(|&(start, _)| text.at(start) != b'$'),
        _ => return false,
    };
    if let Some(found) = told {
        alone(pass, found);
    }
    true
}

/// Reads a line of a `.pgpass` file: `host:5432:base:user:hunter2`.
pub(super) fn password_file(pass: &mut Pass<'_>, at: usize, _to: usize) {
    let text = pass.text;
    let (start, end) = (text.line_start(at, 100), text.line_end(at, 200));
    let line = text.cut(start, end);
    let mut fields = line.splitn(5, |&b| b == b':');
    let told = fields.by_ref().take(4).all(|field| !field.is_empty() && !field.contains(&b' '));
    if let Some(last) = fields.next().filter(|last| told && last.len() >= 4 && !last.contains(&b' ')) {
        alone(pass, (end - last.len(), end));
    }
}

/// Reads input piped into a command that takes a password: `echo 'hunter2' | sudo -S`, `echo
/// bob:hunter2 | chpasswd`.
pub(super) fn piped(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let chpasswd = text.has_folded(at, b"chpasswd");
    let start = text.line_start(at, 200);
    let line = text.cut(start, at);
    let echo = [&b"echo "[..], b"printf ", b"<<< "].iter().find_map(|word| {
        let place = memchr::memmem::rfind(line, word)?;
        Some(start + place + word.len())
    });
    let echo = echo.or_else(|| (chpasswd && text.has(text.blanks(to), b"<<<")).then(|| text.blanks(text.blanks(to) + 3)));
    let Some(mut from) = echo else { return };
    for flag in [&b"-n "[..], b"-e ", b"-ne ", b"-en ", b"'%s' ", b"\"%s\" "] {
        if text.has(from, flag) {
            from += flag.len();
        }
    }
    let found = argument(text, from);
    if chpasswd { pair(pass, found) } else { alone(pass, found) }
}

/// Reads the key argument of a call that signs or encrypts: `jwt.encode(payload, "…")`,
/// `hmac.new(b"…", …)`, `createHmac("sha256", "…")`.
pub(super) fn signing(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let first = [&b"hmac.new("[..], b"aes.new(", b"fernet(", b"signer("].iter().any(|call| text.has_folded(at, call));
    let mut i = to;
    if !first {
        // Skip the first argument.
        let mut depth = 0usize;
        let limit = (to + 160).min(text.len());
        while i < limit {
            match text.at(i) {
                b'(' | b'{' | b'[' => depth += 1,
                b')' | b'}' | b']' if depth == 0 => return,
                b')' | b'}' | b']' => depth -= 1,
                b',' if depth == 0 => break,
                b'\n' | b';' if depth == 0 => return,
                _ => {}
            }
            i += 1;
        }
        i += 1;
    }
    let open = text.run(text.run(i, 24, |b| b.is_ascii_whitespace()), 1, |b| matches!(b, b'b' | b'r'));
    if let Some((start, end)) = quoted(text, open).filter(|&(start, end)| end - start >= 6)
        && !value::is_placeholder(text.cut(start, end))
    {
        pass.hit(start, end, super::kind::SECRET, "signing-key", NAMED);
    }
}

/// Reads the second literal of a call that takes user and password: `auth=("bob", "hunter2")`.
pub(super) fn call(pass: &mut Pass<'_>, _at: usize, to: usize) {
    argument_behind(pass, to, 1);
}

/// Reads the third argument of a call that takes host, user and password: `mysqli("host", "bob",
/// "hunter2")`.
pub(super) fn third(pass: &mut Pass<'_>, _at: usize, to: usize) {
    argument_behind(pass, to, 2);
}

/// Reads the literal after `before` arguments.
fn argument_behind(pass: &mut Pass<'_>, to: usize, before: usize) {
    let text = pass.text;
    let mut i = to;
    for _ in 0..before {
        let first = text.run(i, 24, |b| b.is_ascii_whitespace());
        let comma = match quoted(text, first) {
            Some((_, end)) => text.blanks(end + 1),
            None => text.blanks(text.run(first, 48, |b| is_ident(b) || matches!(b, b'.' | b'$' | b'-' | b'>' | b'&'))),
        };
        if text.at(comma) != b',' {
            return;
        }
        i = comma + 1;
    }
    if let Some((start, end)) = quoted(text, text.run(i, 24, |b| b.is_ascii_whitespace())) {
        alone(pass, (start, end));
    }
}

/// Reads `user:password` as a separate literal: `CURLOPT_USERPWD, "bob:hunter2"`.
pub(super) fn pair_behind(pass: &mut Pass<'_>, _at: usize, to: usize) {
    if let Some(found) = quoted(pass.text, pass.text.blanks(to)) {
        pair(pass, found);
    }
}

/// Reads the credentials before the protocol of a Go data source:
/// `bob:hunter2@tcp(host:3306)/base`.
pub(super) fn data_source(pass: &mut Pass<'_>, at: usize, _to: usize) {
    let text = pass.text;
    let start = text.run_back(at, 120, |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`' | b'='));
    let colon = text.run(start, at - start, |b| b != b':');
    if colon < at && colon > start && !text.has(colon, b"://") {
        alone(pass, (colon + 1, at));
    }
}

/// Reads Oracle credentials before the host: `jdbc:oracle:thin:bob/hunter2@host`.
pub(super) fn oracle(pass: &mut Pass<'_>, _at: usize, to: usize) {
    let text = pass.text;
    let slash = text.run(to, 40, |b| is_ident(b) || matches!(b, b'-' | b'$'));
    let end = text.run(slash, 80, |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\''));
    let Some(at) = text.cut(slash, end).iter().rposition(|&b| b == b'@') else { return };
    if text.at(slash) == b'/' && slash > to {
        alone(pass, (slash + 1, slash + at));
    }
}

/// Reads the literal after `IDENTIFIED BY`.
pub(super) fn identified(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let limit = text.line_end(to, 60);
    if !super::context::said_within(text, at, 120, &["user", "role", "create", "alter", "grant", "usage", "privileges"]) {
        return;
    }
    let open = (to..limit).find(|&i| matches!(text.at(i), b'\'' | b'"' | b';' | b'\n'));
    // `IDENTIFIED WITH plugin BY '…'`
    let from = find(text.cut(to, limit), b" BY ").filter(|_| text.has_folded(at, b"identified with")).map_or(to, |p| to + p + 4);
    if let Some(open) = open.filter(|&open| matches!(text.at(open), b'\'' | b'"') && from == to || from > to)
        && let Some((start, end)) = quoted(text, if from > to { from } else { open })
    {
        alone(pass, (start, end));
    } else if text.has_folded(at, b"identified by") {
        let start = text.blanks(to);
        let end = text.run(start, 64, |b| !b.is_ascii_whitespace() && !matches!(b, b';' | b'"' | b'\'' | b')' | b'`'));
        if value::is_striking(text.cut(start, end)) {
            alone(pass, (start, end));
        }
    }
}

/// Returns an argument without its quotes.
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
    let colon = bytes.iter().position(|b| matches!(b, b':' | b',' | b'%'));
    if bytes.starts_with(b"<") || bytes.windows(2).any(|w| w == b"${" || w == b"$(") {
        return;
    }
    if let Some(colon) = colon {
        let secret = bytes.get(colon + 1..).unwrap_or_default();
        if secret.len() >= 3 && !value::is_placeholder(secret) && !secret.starts_with(b"//") {
            pass.hit(start + colon + 1, end, PASSWORD, "command-password", NAMED);
        } else if secret.is_empty() && value::is_random(bytes.get(..colon).unwrap_or_default()) {
            pass.hit(start, start + colon, super::kind::API_KEY, "command-token", NAMED);
        }
    }
}
