//! Kinds: the short names for what a value is (`EMAIL`, `API_KEY`), and the list of all of them.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// The kind of a value: built in, such as `EMAIL`, or defined by the user.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A built-in kind.
    pub(super) const fn built_in(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A kind defined by the user: letters, digits and `_`, at most 32, beginning with a letter;
    /// `None` for anything else.
    pub(super) fn custom(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase().replace(['-', ' '], "_");
        let fits = name.len() <= 32
            && name.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        fits.then_some(Self(Cow::Owned(name)))
    }

    /// How much harm a value of this kind can do.
    fn sensitivity(&self) -> Sensitivity {
        let secret = [
            API_KEY,
            PASSWORD,
            SECRET,
            PRIVATE_KEY,
            JWT,
            COOKIE,
            URL_CREDENTIALS,
            PRIVATE,
        ];
        if secret.iter().any(|kind| self == kind) {
            Sensitivity::Secret
        } else {
            Sensitivity::Personal
        }
    }

    /// How much harm this value can do. A wallet address is public; a seed phrase grants access.
    pub(super) fn sensitivity_of(&self, value: &str) -> Sensitivity {
        if *self == CRYPTO_WALLET && value.trim().contains(char::is_whitespace) {
            Sensitivity::Secret
        } else {
            self.sensitivity()
        }
    }

    /// The first and last characters of a long key of this kind: `sk-or…cdef`. `None` for short values
    /// and values that may contain words, which are not shown at all.
    pub(super) fn mask(&self, value: &str) -> Option<String> {
        // Nine of 24 characters leave 15 unknown, too many to guess.
        let is_key = [API_KEY, SECRET, JWT, COOKIE].iter().any(|key| self == key);
        if !is_key || value.len() < 24 || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let (head, tail) = (value.get(..5)?, value.get(value.len() - 4..)?);
        Some(format!("{head}…{tail}"))
    }

    /// The name of the kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Kind {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Kind {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// How much harm a value can do in the wrong hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) enum Sensitivity {
    /// Grants access by itself.
    Secret,
    /// Identifies a person.
    Personal,
}

/// A key or token of a service.
pub(super) const API_KEY: &str = "API_KEY";
/// A password, passphrase, PIN or one-time code.
pub(super) const PASSWORD: &str = "PASSWORD";
/// A value assigned to a secret's name: signing keys, client secrets and the like.
pub(super) const SECRET: &str = "SECRET";
/// A private key block.
pub(super) const PRIVATE_KEY: &str = "PRIVATE_KEY";
/// A JSON web token.
pub(super) const JWT: &str = "JWT";
/// A session cookie.
pub(super) const COOKIE: &str = "COOKIE";
/// The password or token inside a URL.
pub(super) const URL_CREDENTIALS: &str = "URL_CREDENTIALS";
/// An e-mail address.
pub(super) const EMAIL: &str = "EMAIL";
/// A telephone number.
pub(super) const PHONE: &str = "PHONE";
/// A payment card number or security code.
pub(super) const CREDIT_CARD: &str = "CREDIT_CARD";
/// A US social security number or ITIN.
pub(super) const SSN: &str = "SSN";
/// A bank account number.
pub(super) const IBAN: &str = "IBAN";
/// A public IPv4 or IPv6 address.
pub(super) const IP_ADDRESS: &str = "IP_ADDRESS";
/// A hardware address.
pub(super) const MAC_ADDRESS: &str = "MAC_ADDRESS";
/// A cryptocurrency address or seed phrase.
pub(super) const CRYPTO_WALLET: &str = "CRYPTO_WALLET";
/// A national identity, tax or health number.
pub(super) const NATIONAL_ID: &str = "NATIONAL_ID";
/// A passport number.
pub(super) const PASSPORT: &str = "PASSPORT";
/// A driving licence number.
pub(super) const DRIVER_LICENSE: &str = "DRIVER_LICENSE";
/// A date of birth.
pub(super) const DATE_OF_BIRTH: &str = "DATE_OF_BIRTH";
/// A street address.
pub(super) const ADDRESS: &str = "ADDRESS";
/// A pair of coordinates.
pub(super) const GPS: &str = "GPS";
/// A bank account or routing number, recognised by its name.
pub(super) const BANK_ACCOUNT: &str = "BANK_ACCOUNT";
/// A text that the user has taught.
pub(super) const PRIVATE: &str = "PRIVATE";

/// All built-in kinds with a description, for help texts and to check settings.
pub const KINDS: &[(&str, &str)] = &[
    (
        API_KEY,
        "keys and tokens of AI providers, clouds, code hosts, payment, messaging and other services",
    ),
    (
        PASSWORD,
        "passwords, passphrases, PINs and one-time codes: in settings, code, commands and plain sentences",
    ),
    (
        SECRET,
        "values with a name that implies one: client secrets, signing and encryption keys, credentials",
    ),
    (
        PRIVATE_KEY,
        "private key blocks (PEM, OpenSSH, PGP), also truncated, quoted or inside JSON; age and WireGuard keys",
    ),
    (JWT, "JSON web tokens"),
    (COOKIE, "session cookies"),
    (
        URL_CREDENTIALS,
        "passwords and tokens inside URLs and connection strings",
    ),
    (EMAIL, "e-mail addresses"),
    (PHONE, "telephone numbers, international and national"),
    (
        CREDIT_CARD,
        "payment card numbers with a valid check digit, and card security codes",
    ),
    (SSN, "US social security numbers and ITINs"),
    (IBAN, "bank account numbers in international form"),
    (
        BANK_ACCOUNT,
        "account and routing numbers with a name that implies one",
    ),
    (IP_ADDRESS, "public IPv4 and IPv6 addresses"),
    (MAC_ADDRESS, "hardware addresses"),
    (
        CRYPTO_WALLET,
        "addresses of crypto currencies, and seed phrases",
    ),
    (
        NATIONAL_ID,
        "national identity, tax and health numbers with a checksum or a word that implies one nearby",
    ),
    (
        PASSPORT,
        "passport numbers with a word that implies one nearby",
    ),
    (
        DRIVER_LICENSE,
        "driving licence numbers with a word that implies one nearby",
    ),
    (
        DATE_OF_BIRTH,
        "dates of birth with a word that implies one nearby",
    ),
    (ADDRESS, "street addresses"),
    (GPS, "coordinates"),
    (PRIVATE, "texts that you have taught with `chatbot never`"),
];
