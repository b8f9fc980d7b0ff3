//! What the judge takes a token for.

use crate::privacy::kind;

/// What a token is. The model chooses among the first; the others are only evidence, as the
/// placeholders of values that rules find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::privacy) enum TokenLabel {
    /// Nothing private.
    None,
    Password,
    /// A PIN, a one-time code, the number of a door.
    Code,
    Key,
    Phone,
    Account,
    /// The number of a person: identity, insurance, tax, patient, passport, car.
    Person,
    Birth,
    Address,
    Card,
    Device,
    Email,
}

impl TokenLabel {
    /// What the model chooses among, besides `None`, in the order of its weights.
    pub(in crate::privacy) const CHOICES: [Self; 8] = [
        Self::Password,
        Self::Code,
        Self::Key,
        Self::Phone,
        Self::Account,
        Self::Person,
        Self::Birth,
        Self::Address,
    ];

    /// The label of a kind; its placeholders are evidence like the values they stand for.
    pub(in crate::privacy) fn of_kind(kind: &[u8]) -> Self {
        let Ok(kind) = std::str::from_utf8(kind) else {
            return Self::Person;
        };
        match kind {
            kind::PASSWORD | kind::URL_CREDENTIALS => Self::Password,
            kind::API_KEY | kind::SECRET | kind::JWT | kind::COOKIE | kind::PRIVATE_KEY => {
                Self::Key
            }
            kind::PHONE => Self::Phone,
            kind::IBAN | kind::BANK_ACCOUNT => Self::Account,
            kind::CREDIT_CARD | kind::CRYPTO_WALLET => Self::Card,
            kind::DATE_OF_BIRTH => Self::Birth,
            kind::ADDRESS | kind::GPS => Self::Address,
            kind::IP_ADDRESS | kind::MAC_ADDRESS => Self::Device,
            kind::EMAIL => Self::Email,
            _ => Self::Person,
        }
    }

    /// The kind of a value with this label.
    pub(in crate::privacy) const fn kind(self) -> Option<&'static str> {
        Some(match self {
            Self::None | Self::Card | Self::Device | Self::Email => return None,
            Self::Password | Self::Code => kind::PASSWORD,
            Self::Key => kind::API_KEY,
            Self::Phone => kind::PHONE,
            Self::Account => kind::BANK_ACCOUNT,
            Self::Person => kind::NATIONAL_ID,
            Self::Birth => kind::DATE_OF_BIRTH,
            Self::Address => kind::ADDRESS,
        })
    }

    /// The name of the rule, as `redact --explain` shows it.
    pub(in crate::privacy) const fn rule(self) -> &'static str {
        match self {
            Self::None | Self::Card | Self::Device | Self::Email => "",
            Self::Password => "judged-password",
            Self::Code => "judged-code",
            Self::Key => "judged-key",
            Self::Phone => "judged-phone",
            Self::Account => "judged-account",
            Self::Person => "judged-personal-number",
            Self::Birth => "judged-birthday",
            Self::Address => "judged-address",
        }
    }

    /// Whether only words near a value tell it from any other word or number.
    pub(in crate::privacy) const fn needs_cue(self) -> bool {
        matches!(
            self,
            Self::Password | Self::Code | Self::Key | Self::Account | Self::Person
        )
    }
}

/// A value that a rule has found.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct MaskedSpan {
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    pub(in crate::privacy) label: TokenLabel,
}
