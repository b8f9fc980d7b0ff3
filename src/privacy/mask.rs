//! Masks keys in text that is shown as it is otherwise, such as error messages: a key that was
//! passed as an argument, a variable or a setting by mistake is not repeated on a screen or in a
//! log.

use super::{KINDS, Placeholders, Policy, Raw, Redactor};

/// The kinds that give access to something. Names and addresses stay: messages need them.
const KEY_KINDS: [&str; 4] = ["API_KEY", "JWT", "PRIVATE_KEY", "URL_CREDENTIALS"];

/// Replaces everything in a text that looks like a key, and control characters.
pub(crate) fn mask_keys(text: &str) -> String {
    let disable = KINDS
        .iter()
        .map(|(kind, _)| (*kind).to_owned())
        .filter(|kind| !KEY_KINDS.contains(&kind.as_str()))
        .collect();
    let redactor = Redactor::new(&Policy {
        disable,
        ..Policy::default()
    });
    redactor.map_or_else(
        |_| String::new(),
        |redactor| {
            redactor
                .redact(Raw::from(text), &mut Placeholders::default())
                .0
                .printable()
        },
    )
}
