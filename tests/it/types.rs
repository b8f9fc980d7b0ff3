//! Compile-time guarantees of `Secret`, `Raw` and `Redacted`: the traits they must not have.

use chatbot::audit::{Detail, Event};
use chatbot::crypto::fernet::DataKeys;
use chatbot::keys::Slot;
use chatbot::privacy::Finding;
use chatbot::privacy::json::{JsonScope, RedactedBody, StreamRestorer};
use chatbot::{Message, Raw, Redacted, Secret};
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

/// The fallback for every type, which reports that the trait is missing.
trait Without {
    const _IT: bool = false;
}

impl<T: ?Sized> Without for T {}

/// Whether a type has a trait: the inherent constant of `Probe` takes precedence over that of
/// `Without` if its bound holds.
macro_rules! can {
    ($type:ty, $($bound:tt)+) => {{
        struct Probe<T: ?Sized>(PhantomData<T>);
        impl<T: ?Sized + $($bound)+> Probe<T> { const _IT: bool = true; }
        Probe::<$type>::_IT
    }};
}

#[test]
fn type_probe_works() {
    assert!(
        can!(String, Display)
            && can!(String, Clone)
            && can!(String, serde::Serialize)
            && can!(String, From<&'static str>)
    );
    assert!(
        !can!(PhantomData<u8>, Display)
            && !can!(std::sync::Mutex<u8>, Clone)
            && !can!(String, From<u8>)
    );
}

#[test]
fn secret_has_no_derives() {
    assert!(!can!(Secret, Display) && !can!(Secret, ToString));
    assert!(!can!(Secret, Clone) && !can!(Secret, Copy));
    assert!(
        !can!(Secret, PartialEq) && !can!(Secret, PartialOrd) && !can!(Secret, std::hash::Hash)
    );
    assert!(!can!(Secret, serde::Serialize) && !can!(Secret, serde::de::DeserializeOwned));
    assert!(
        !can!(Secret, Deref)
            && !can!(Secret, AsRef<str>)
            && !can!(Secret, AsRef<[u8]>)
            && !can!(Secret, std::borrow::Borrow<str>)
    );
    assert!(
        !can!(Secret, Into<String>) && !can!(Secret, Into<Vec<u8>>) && !can!(Secret, Into<Raw>)
    );
    assert_eq!(
        format!(
            "{:?} {:#?}",
            Secret::new("canary".to_owned()),
            Secret::new("canary".to_owned())
        ),
        "Secret(_) Secret(_)"
    );
}

#[test]
fn raw_has_no_derives() {
    assert!(!can!(Raw, Display) && !can!(Raw, ToString));
    assert!(!can!(Raw, serde::Serialize) && !can!(Raw, serde::de::DeserializeOwned));
    assert!(
        !can!(Raw, Deref)
            && !can!(Raw, AsRef<str>)
            && !can!(Raw, AsRef<[u8]>)
            && !can!(Raw, std::borrow::Borrow<str>)
    );
    assert!(!can!(Raw, Into<String>) && !can!(Raw, Into<Redacted>) && !can!(Raw, Into<Vec<u8>>));
    assert!(!format!("{:?} {:#?}", Raw::from("canary"), Raw::from("canary")).contains("canary"));
}

#[test]
fn redacted_is_made_only_by_redactor() {
    assert!(can!(Redacted, serde::Serialize));
    assert!(
        !can!(Redacted, serde::de::DeserializeOwned) && !can!(Message, serde::de::DeserializeOwned)
    );
    assert!(
        !can!(Redacted, From<String>)
            && !can!(Redacted, From<&'static str>)
            && !can!(Redacted, From<Raw>)
            && !can!(Redacted, std::str::FromStr)
    );
    assert!(
        !can!(Redacted, Default)
            && !can!(Redacted, std::ops::DerefMut)
            && !can!(Redacted, AsMut<str>)
    );
    assert!(!can!(Redacted, Extend<char>) && !can!(Redacted, std::fmt::Write));
}

#[test]
fn redacted_body_is_made_only_by_scope() {
    assert!(
        !can!(RedactedBody, From<Vec<u8>>)
            && !can!(RedactedBody, From<String>)
            && !can!(RedactedBody, From<&'static [u8]>)
            && !can!(RedactedBody, From<Raw>)
            && !can!(RedactedBody, Default)
            && !can!(RedactedBody, serde::de::DeserializeOwned)
    );
    assert!(
        !can!(RedactedBody, std::ops::DerefMut)
            && !can!(RedactedBody, AsMut<[u8]>)
            && !can!(RedactedBody, Extend<u8>)
            && !can!(RedactedBody, std::io::Write)
    );
    assert!(can!(JsonScope, Send) && can!(JsonScope, Sync));
    assert!(can!(StreamRestorer, Send) && can!(StreamRestorer, 'static));
}

#[test]
fn findings_hold_no_text() {
    assert!(!can!(Finding, From<String>) && !can!(Finding, AsRef<str>));
    assert!(
        !can!(Detail, From<String>)
            && !can!(Detail, From<&'static str>)
            && !can!(Detail, From<Raw>)
            && !can!(Detail, From<Redacted>)
    );
    assert!(!can!(Event, From<String>));
    // A detail of an event is a number, a word without spaces or a flag, so no text fits in.
    assert!(size_of::<Detail>() <= size_of::<String>() + 8);
}

#[test]
fn key_types_debug_is_silent() {
    assert!(can!(DataKeys, Debug) && !can!(DataKeys, Display) && !can!(DataKeys, serde::Serialize));
    assert!(!can!(Slot, AsRef<str>));
}
