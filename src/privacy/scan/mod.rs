//! Detection: the state of one pass over a text, and what detectors need for it.
//!
//! Order: detectors run where the index meets their keyword, so from the beginning of the text to
//! its end. At the same position, tokens and longer names come before shorter names. The order
//! matters only where a detector asks for earlier hits ([`Scan::is_covered`]) or skips what it has
//! read already ([`Cursors`]); overlaps are decided afterwards by
//! [`overlaps::resolve_overlaps`], by confidence and length and not by order.
//!
//! To add a detector:
//! - A token with a fixed prefix: a `Rule` with samples in `tokens/`. Nothing else is needed.
//! - A field name of a secret, in any language: an entry of `field_names::SECRET_FIELD_NAMES`.
//! - Any other form: a function of type `dispatch::Detector` and an entry with its keywords in
//!   `dispatch::DETECTORS`. It calls [`Scan::report`] and must read a bounded number of bytes per
//!   keyword, or move a cursor past what it read, so that a text of nothing but its keyword takes
//!   linear time. It must not import `dispatch`: decoded bytes go to [`Scan::holds_secret`], and
//!   what it has in common with another detector goes to a file that contains no detector.
//! - A number: a function in the chain of `numbers::try_detectors`, placed by its certainty.
//! - A new kind: a constant and a description in `kind`.
//!
//! Then add documents to `tests/corpus`, both with the value and with text that only looks like it.

pub(super) mod bytes;
pub(super) mod context;
pub(super) mod deobfuscate;
pub(super) mod detector_state;
pub(super) mod dispatch;
pub(super) mod judged;
pub(super) mod keywords;
pub(super) mod overlaps;
pub(super) mod word_set;

use crate::privacy::Kind;
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::{LastWord, ManifestRegion};

/// A hit of one detector, before overlaps are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    pub(super) rule: &'static str,
    /// How certain the kind is, [`KNOWN_TOKEN`] to [`CONTEXT_WORDS`]: in an overlap the smaller decides the kind.
    pub(super) confidence: u8,
}

impl Match {
    /// What it is based on, as a sentence.
    pub(super) fn evidence(&self) -> &'static str {
        match (self.rule, self.confidence) {
            ("taught", _) => "you have taught it with `chatbot never`",
            (rule, _) if rule.starts_with("judged-") => {
                "its form, the words around it and its place say what it is"
            }
            ("own-pattern", _) => "a pattern in your settings matches it",
            (_, KNOWN_TOKEN) => "it has the form of a known key or token",
            (_, CHECKSUM) => "it has a form or a checksum that other texts do not have",
            (_, FIELD_NAME) => "it belongs to a name that stands for private values",
            _ => "the words around it say what it is",
        }
    }
}

/// The token format of a known service.
pub(super) const KNOWN_TOKEN: u8 = 0;
/// A checksum or a fixed form.
pub(super) const CHECKSUM: u8 = 1;
/// The field name it is assigned to.
pub(super) const FIELD_NAME: u8 = 2;
/// The words around it.
pub(super) const CONTEXT_WORDS: u8 = 3;

/// Up to where detectors have read. Each cursor is moved only by the detectors that are named, and
/// only forward. A detector returns at once for a keyword before its cursor, because it has read
/// that part of the text already.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    /// `field_value` and the readers it calls, `ldap`, `network_devices`: up to where field names
    /// are decided.
    pub(super) field_names: usize,
    /// `dates`
    pub(super) dates: usize,
    /// `shell_commands`: the flags of commands.
    pub(super) flags: usize,
    /// `encoded`, and Helm releases of `kubernetes`.
    pub(super) encoded: usize,
    /// `packed`
    pub(super) packed: usize,
    /// `wallets`
    pub(super) seed_phrases: usize,
    /// `tables`: the end of the last table, and of its head.
    pub(super) tables: usize,
    pub(super) table_heads: usize,
    /// `prose_nearby::near_mention`
    pub(super) mentions: usize,
    /// `kubernetes`: manifests in YAML, and in JSON.
    pub(super) yaml: usize,
    pub(super) json: usize,
    /// `national_ids`: up to where a list of numbers was checked for a name.
    pub(super) id_lists: usize,
    /// `private_keys::web_key`
    pub(super) web_keys: usize,
    /// `prose_nearby::lines_below`
    pub(super) lines_below: usize,
    /// `server_config`: the rules for a user of Redis.
    pub(super) redis_rules: usize,
}

/// The state of one pass over one text.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    pub(super) text: TextBytes<'t>,
    pub(super) matches: Vec<Match>,
    pub(super) cursors: Cursors,
    /// The end of a block of `private_keys`, in which no other detector runs.
    pub(super) key_block: usize,
    /// Positions that fold; not collected while scanning text that was folded before.
    pub(super) folds: Vec<usize>,
    pub(super) unfolded: bool,
    /// The end of the last word for a telephone number.
    pub(super) telephone: Option<usize>,
    /// The manifests that were read.
    pub(super) manifests: Vec<ManifestRegion>,
    /// The rule that refused a long run last, and where that ended.
    pub(super) refused: ((u8, u8), usize),
    /// Words of the judge's lexicon, and numbers of four or more digits.
    pub(super) cues: Vec<usize>,
    pub(super) numbers: Vec<usize>,
    /// The word that a value was last read from.
    pub(super) run: LastWord,
    /// Says whether decoded bytes hold a secret. It is a pointer, so that a detector can ask all
    /// detectors without importing `dispatch`.
    decoded_check: fn(&[u8]) -> bool,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: TextBytes<'t>, decoded_check: fn(&[u8]) -> bool) -> Self {
        Self {
            text,
            matches: Vec::new(),
            cursors: Cursors::default(),
            key_block: 0,
            folds: Vec::new(),
            unfolded: false,
            telephone: None,
            manifests: Vec::new(),
            refused: ((0, 0), 0),
            cues: Vec::new(),
            numbers: Vec::new(),
            run: LastWord::default(),
            decoded_check,
        }
    }

    pub(super) fn report(
        &mut self,
        start: usize,
        end: usize,
        kind: &'static str,
        rule: &'static str,
        rank: u8,
    ) {
        let end = end.min(self.text.len());
        if start < end {
            self.matches.push(Match {
                start,
                end,
                kind: Kind::built_in(kind),
                rule,
                confidence: rank,
            });
        }
    }

    /// Whether bytes that a detector has decoded hold a secret.
    pub(super) fn holds_secret(&self, decoded: &[u8]) -> bool {
        (self.decoded_check)(decoded)
    }

    /// Whether the last hit covers a position.
    pub(super) fn is_covered(&self, at: usize) -> bool {
        self.matches
            .last()
            .is_some_and(|hit| hit.start <= at && at < hit.end)
    }
}

#[cfg(test)]
mod tests {
    use crate::privacy::{Placeholders, Policy, Raw, Redactor};

    #[test]
    fn scan_matches_stay_inside_text() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for text in ["password = \"teapot4471x\\", "token: 'q7Xp2Lm9Vz4Rt8Wk\\"] {
            let findings = redactor.findings(text.as_bytes());
            assert!(
                findings.iter().all(|found| found.end <= text.len()),
                "{findings:?}"
            );
            assert_eq!(findings.len(), 1, "{text}");
        }
    }

    #[test]
    fn scan_finds_basic_values() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for (text, expected) in [
            ("card 4111 1111 1111 1111 exp", "card [CREDIT_CARD_1] exp"),
            (
                "ssn 123-45-6789, call (415) 555-2671 or +49 30 1234567.",
                "ssn [SSN_1], call [PHONE_1] or [PHONE_2].",
            ),
            ("06 12 34 56 78 / 020 7946 0958", "[PHONE_1] / [PHONE_2]"),
            (
                "from 81.2.69.142 at 2026-11-21 07:34:04, pid 10.0.0.1",
                "from [IP_ADDRESS_1] at 2026-11-21 07:34:04, pid 10.0.0.1",
            ),
            (
                "ip 2a00:1450:4001:81b::200e mac a4:5e:60:c2:11:0f",
                "ip [IP_ADDRESS_1] mac [MAC_ADDRESS_1]",
            ),
            (
                "2026-11-21T07:34:04.120Z (415) 555-2671",
                "2026-11-21T07:34:04.120Z [PHONE_1]",
            ),
            (
                "2026-11-21 04:52:60:c2:11:0f joined",
                "2026-11-21 [MAC_ADDRESS_1] joined",
            ),
            (
                "request 64320337-6755-4914-8d92-737c37e11dfc",
                "request 64320337-6755-4914-8d92-737c37e11dfc",
            ),
            ("<Bob.O'Neil+x@mail.initech.co.uk>", "<[EMAIL_1]>"),
            (
                "git@github.com:a/b.git react@18.2.0 icon@2x.png",
                "git@github.com:a/b.git react@18.2.0 icon@2x.png",
            ),
            (
                "550e8400-e29b-41d4-a716-446655440000 1700000000 v1.2.3.4",
                "550e8400-e29b-41d4-a716-446655440000 1700000000 v1.2.3.4",
            ),
        ] {
            let (redacted, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
            assert_eq!(redacted.as_str(), expected);
        }
    }
}
