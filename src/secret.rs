//! A secret text that cannot be printed, copied, compared or serialised by accident, and is wiped
//! when it is dropped.

use std::fmt;
use zeroize::Zeroizing;

/// A key, a passphrase or a token. It has no `Display`, `Serialize`, `Clone`, `PartialEq` or
/// `Deref`: the only way to its text is [`Secret::expose`], and a test (`tests/it/architecture.rs`) lists
/// all modules that may call it.
///
/// Printing one does not compile:
/// ```compile_fail
/// let key = chatbot::Secret::new(String::from("canary"));
/// println!("{key}");
/// ```
/// Its `Debug` output reveals nothing:
/// ```
/// let key = chatbot::Secret::new(String::from("canary"));
/// assert_eq!(format!("{key:?}"), "Secret(_)");
/// ```
/// Serialising one does not compile:
/// ```compile_fail
/// let key = chatbot::Secret::new(String::from("canary"));
/// serde_json::to_string(&key);
/// ```
/// Serialising its length does:
/// ```
/// let key = chatbot::Secret::new(String::from("canary"));
/// serde_json::to_string(&key.len());
/// ```
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Takes ownership of a text. It is moved, not copied, unless the string has spare capacity;
    /// then the original is wiped.
    #[must_use]
    pub fn new(text: String) -> Self {
        // `into_boxed_str` reallocates if capacity and length differ, and would leave the old bytes
        // behind.
        if text.capacity() == text.len() {
            return Self(Zeroizing::new(text.into_boxed_str()));
        }
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(Box::from(text.as_str())))
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
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
