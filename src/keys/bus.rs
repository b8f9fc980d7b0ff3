//! A few questions to the session bus over a plain socket. A connection of `zbus` has three threads and costs as much as all the
//! rest of a short command; of it only the language is taken: addresses and how values are written.

use rustix::process::geteuid;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use zbus::Address;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::zvariant::serialized::{Context, Data};
use zbus::zvariant::{DynamicType, LE, ObjectPath, Type, Value, to_bytes};

/// No answer to what is asked here is longer.
const LONGEST: usize = 1 << 20;

/// What a message says of itself: the order of bytes, which kind, flags, version, the length of its body, its number; and what
/// is known of it, each by its code.
type Head<'a> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Value<'a>)>);

const CALL: u8 = 1;
const ANSWER: u8 = 2;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ANSWERS: u8 = 5;
const DESTINATION: u8 = 6;
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// A connection. What it says is read when an answer is waited for, and not before: several things can be asked on one way.
#[derive(Debug)]
pub(super) struct Bus {
    stream: BufReader<UnixStream>,
    /// Which bus it is: no other has this name, nor has it after it was started anew. Known from the first answer on.
    pub(super) name: Option<String>,
    asked: u32,
}

/// A question that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u32);

/// A message.
#[derive(Debug)]
pub(super) struct Said {
    kind: u8,
    /// Which call it answers.
    answers: Option<u32>,
    /// Whose it is.
    pub(super) sender: String,
    body: Vec<u8>,
}

impl Said {
    /// What is in it.
    pub(super) fn read<T: for<'a> serde::Deserialize<'a> + Type>(&self) -> Option<T> {
        Data::new(self.body.as_slice(), little(0)).deserialize().ok().map(|(value, _)| value)
    }
}

impl Bus {
    /// Connects to the session bus; `None` if there is none, or none on this machine.
    pub(super) fn connect() -> Option<Self> {
        let address = Address::session().ok()?;
        let Transport::Unix(unix) = address.transport() else { return None };
        let place = match unix.path() {
            UnixSocket::File(path) => SocketAddr::from_pathname(path),
            UnixSocket::Abstract(name) => SocketAddr::from_abstract_name(name.as_encoded_bytes()),
            _ => return None,
        };
        let mut stream = UnixStream::connect_addr(&place.ok()?).ok()?;
        // Who asks is told by the socket itself; here it is only said.
        let user: String = geteuid().as_raw().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        stream.write_all(format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes()).ok()?;
        let mut bus = Self { stream: BufReader::new(stream), name: None, asked: 0 };
        bus.ask("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", &())?;
        Some(bus)
    }

    /// Asks with one value or none.
    pub(super) fn ask<B>(&mut self, whom: &str, path: &str, interface: &str, what: &str, with: &B) -> Option<Asked>
    where
        B: serde::Serialize + DynamicType,
    {
        self.asked += 1;
        let body = to_bytes(little(0), with).ok()?;
        let mut known = vec![
            (PATH, Value::from(ObjectPath::try_from(path).ok()?)),
            (DESTINATION, Value::from(whom)),
            (INTERFACE, Value::from(interface)),
            (MEMBER, Value::from(what)),
        ];
        if !body.is_empty() {
            known.push((SIGNATURE, Value::from(with.signature())));
        }
        let head: Head<'_> = (b'l', CALL, 0, 1, u32::try_from(body.len()).ok()?, self.asked, known);
        let mut message = to_bytes(little(0), &head).ok()?.bytes().to_vec();
        message.resize(message.len().next_multiple_of(8), 0);
        message.extend_from_slice(body.bytes());
        self.stream.get_mut().write_all(&message).ok()?;
        Some(Asked(self.asked))
    }

    /// Waits for an answer. Questions are answered in the order in which they were asked.
    pub(super) fn answer(&mut self, asked: Asked) -> Option<Said> {
        if self.name.is_none() {
            let mut said = String::new();
            (&mut self.stream).take(256).read_line(&mut said).ok()?;
            self.name = Some(said.strip_prefix("OK ")?.trim_end().to_owned());
        }
        loop {
            // What is said without being asked for is passed over.
            let said = self.hear()?;
            if said.answers == Some(asked.0) {
                return (said.kind == ANSWER).then_some(said);
            }
        }
    }

    /// The next message.
    fn hear(&mut self) -> Option<Said> {
        // What is known of a message begins with its length, and this comes after twelve bytes.
        let mut start = [0; 16];
        self.stream.read_exact(&mut start).ok()?;
        let number = |at: usize| usize::try_from(u32::from_le_bytes(start.get(at..at + 4)?.try_into().ok()?)).ok();
        let (body, known) = (number(4)?, number(12)?);
        if start.first() != Some(&b'l') || body.max(known) > LONGEST {
            return None;
        }
        let mut head = start.to_vec();
        head.resize((start.len() + known).next_multiple_of(8), 0);
        self.stream.read_exact(head.get_mut(start.len()..)?).ok()?;
        let mut bytes = vec![0; body];
        self.stream.read_exact(&mut bytes).ok()?;
        let data = Data::new(head.as_slice(), little(0));
        let ((_, kind, _, _, _, _, known), _): (Head<'_>, usize) = data.deserialize().ok()?;
        let mut said = Said { kind, answers: None, sender: String::new(), body: bytes };
        for (code, value) in known {
            match (code, value) {
                (ANSWERS, Value::U32(number)) => said.answers = Some(number),
                (SENDER, Value::Str(name)) => said.sender = name.to_string(),
                _ => {}
            }
        }
        Some(said)
    }
}

fn little(at: usize) -> Context {
    Context::new_dbus(LE, at)
}
