//! `Prompter`: dismisses every dialog of the keyring.

use super::keyring::Keyring;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zbus::blocking::{Connection, MessageIterator, connection::Builder};
use zbus::message::{Flags, Message, Type};
use zbus::zvariant::{OwnedObjectPath, Value};

const NAME: &str = "org.gnome.keyring.SystemPrompter";
const CALLBACK: &str = "org.gnome.keyring.internal.Prompter.Callback";
/// Our half of the key exchange for passwords on the bus; no password is ever sent.
const EXCHANGE: &str = "[sx-aes-1]\npublic=Ag==\n";

/// A prompter that lives as long as its bus.
pub(crate) struct Prompter(Arc<AtomicUsize>);

impl Prompter {
    /// Registers a prompter on the bus of a keyring.
    pub(crate) fn on(keyring: &Keyring) -> Self {
        let bus = Builder::address(keyring.address().as_str())
            .and_then(|b| b.name(NAME)?.build())
            .expect("a place on the bus");
        let dismissed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dismissed);
        std::thread::spawn(move || {
            for message in MessageIterator::from(&bus).flatten() {
                if message.message_type() == Type::MethodCall {
                    answer(&bus, &message, &count).expect("the keyring is answered");
                }
            }
        });
        Self(dismissed)
    }

    /// How many dialogs were dismissed.
    pub(crate) fn dismissed(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The reply goes first: the caller waits for it before it reads the result of the dialog.
fn answer(bus: &Connection, message: &Message, count: &AtomicUsize) -> zbus::Result<()> {
    let header = message.header();
    let member = header.member().map(ToString::to_string).unwrap_or_default();
    let body = message.body();
    let callback: OwnedObjectPath = match member.as_str() {
        "PerformPrompt" => {
            body.deserialize::<(OwnedObjectPath, String, HashMap<String, Value<'_>>, String)>()?
                .0
        }
        _ => body.deserialize()?,
    };
    bus.reply(&header, &())?;
    let call = |method: &'static str| {
        let call = Message::method_call(callback.clone(), method)?
            .interface(CALLBACK)?
            .with_flags(Flags::NoReplyExpected)?;
        header.sender().map_or(Ok(call.clone()), |sender| {
            call.clone().destination(sender.to_owned())
        })
    };
    let nothing: HashMap<&str, Value<'_>> = HashMap::new();
    match member.as_str() {
        "BeginPrompting" => bus.send(&call("PromptReady")?.build(&("", nothing, EXCHANGE))?),
        "PerformPrompt" => {
            count.fetch_add(1, Ordering::SeqCst);
            bus.send(&call("PromptReady")?.build(&("no", nothing, EXCHANGE))?)
        }
        _ => bus.send(&call("PromptDone")?.build(&())?),
    }
}
