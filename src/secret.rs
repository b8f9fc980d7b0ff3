//! `Secret`: text that cannot be printed, copied, compared or saved, and is wiped when it goes.

use std::fmt;
use zeroize::Zeroizing;

/// A key, a passphrase, a token. It has no `Display`, `Serialize`, `Clone`, `PartialEq` or `Deref`: the one way to
/// its text is [`Secret::expose`], and the house's plan lists every place that may call it.
///
/// Printing one does not compile:
/// ```compile_fail
/// let key = chatbot::Secret::new(String::from("canary"));
/// println!("{key}");
/// ```
/// while its `Debug` says nothing:
/// ```
/// let key = chatbot::Secret::new(String::from("canary"));
/// assert_eq!(format!("{key:?}"), "Secret(_)");
/// ```
/// Serialising one does not compile:
/// ```compile_fail
/// let key = chatbot::Secret::new(String::from("canary"));
/// serde_json::to_string(&key);
/// ```
/// where its length would:
/// ```
/// let key = chatbot::Secret::new(String::from("canary"));
/// serde_json::to_string(&key.len());
/// ```
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Takes the text over; the caller's string is moved, not copied, unless it had spare room.
    #[must_use]
    pub fn new(text: String) -> Self {
        // `into_boxed_str` reallocates when capacity and length differ and would leave the old bytes behind.
        if text.capacity() == text.len() {
            return Self(Zeroizing::new(text.into_boxed_str()));
        }
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(Box::from(text.as_str())))
    }

    /// The one opener.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(_)")
    }
}
