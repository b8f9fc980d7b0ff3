//! Detection: one pass over a text, and how overlapping hits are merged.
//!
//! Order: detectors run where the index meets their keyword, so from the beginning of the text to
//! its end. At the same position, tokens and longer names come before shorter names. The order
//! matters only where a detector asks for earlier hits ([`Scan::is_covered`]) or skips what it has read
//! already (the cursors of [`Scan`]); overlaps are decided afterwards by [`settle`], by rank and
//! length and not by order.
//!
//! To add a detector:
//! - A token with a fixed prefix: a `Rule` with samples in `rules/`. Nothing else is needed.
//! - A field name of a secret, in any language: an entry of `names::SECRET_FIELD_NAMES`.
//! - Any other form: a function of type [`Detector`] and an entry with its keywords in [`DETECTORS`].
//!   It calls [`Scan::report`] and must read a bounded number of bytes per keyword, or move a cursor
//!   past what it read, so that a text of nothing but its keyword takes linear time.
//! - A number: a function in the chain of `number_column::try_detectors`, placed by its certainty.
//! - A new kind: a constant and a description in `kind`.
//!
//! Then add documents to `tests/corpus`, both with the value and with text that only looks like it.

pub(super) mod bytes;
pub(super) mod context;
pub(super) mod deobfuscate;
pub(super) mod detector_state;
pub(super) mod keywords;
pub(super) mod overlaps;
pub(super) mod word_set;

use crate::privacy::personal::{email, numbers};
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::{LastWord, ManifestRegion, OpenManifest};
pub(super) use crate::privacy::scan::keywords::Action;
use crate::privacy::scan::keywords::{KeywordVisitor, scan};
use crate::privacy::{Kind, tokens};

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

/// The token format of a known service.
pub(super) const KNOWN_TOKEN: u8 = 0;
/// A checksum or a fixed form.
pub(super) const CHECKSUM: u8 = 1;
/// The field name it is assigned to.
pub(super) const FIELD_NAME: u8 = 2;
/// The words around it.
pub(super) const CONTEXT_WORDS: u8 = 3;

/// A detector. It is called with the start and the end of its keyword.
pub(super) type Detector = for<'p, 't> fn(&'p mut Scan<'t>, usize, usize);

/// The detectors with their keywords, which are in lower case and match any case.
pub(super) const DETECTORS: &[(&[&str], Detector)] = &[
    (&["-----begin"], crate::privacy::secrets::private_keys::read),
    (crate::privacy::secrets::private_keys::HEADERLESS_PREFIXES, crate::privacy::secrets::private_keys::headerless_key),
    (&["\"kty", "'kty'"], crate::privacy::secrets::private_keys::web_key),
    (&["(at)", "[at]", "{at}"], email::at_dot_address),
    (&["(dot)", "[dot]", "{dot}"], email::dotted_address),
    (&[" @ "], email::spaced_address),
    (&[" dot com", " dot org", " dot net", " dot de", " dot edu", " dot io"], email::spelled_address),
    (&["p.o. box", "po box", "postfach"], crate::privacy::personal::street_address::po_box),
    (&["://"], crate::privacy::secrets::urls::read),
    (
        &[
            "sig=",
            "signature=",
            "x-amz-signature=",
            "x-amz-security-token=",
            "x-goog-signature=",
            "access_token=",
            "code=",
            "ticket=",
            "magic=",
            "invite=",
            "hash=",
        ],
        crate::privacy::secrets::urls::secret_parameter,
    ),
    (
        &[
            "bearer",
            "authorization: token ",
            "negotiate ",
            "apikey ",
            "authorization: ",
            "authorization\": \"",
            "authorization=\"",
            "'authorization': '",
        ],
        crate::privacy::secrets::http_headers::bearer_token,
    ),
    (&["basic "], crate::privacy::secrets::http_headers::basic_credentials),
    (&["identified by", "identified with"], crate::privacy::secrets::shell_commands::sql_identified_by),
    (
        &[
            "auth=(",
            "basicauth(",
            "basic_auth(",
            "basicauthorization(",
            ".auth(",
            ".login(",
            "credential(",
            "credentials(",
            "passwordauthentication(",
            "wifi.begin(",
            "networkcredential(",
            "userpass(",
            "setcredentials(",
            "set_auth(",
            "authenticate(",
            "usernamepasswordauthenticationtoken(",
        ],
        crate::privacy::secrets::shell_commands::credentials_call,
    ),
    (
        &[
            "mysqli(",
            "mysqli_connect(",
            "mysql_connect(",
            "getconnection(",
            "new pdo(",
            "ftp_login(",
            "ssh2_auth_password(",
            "imap_open(",
            "ldap_bind(",
            "ftp(",
        ],
        crate::privacy::secrets::shell_commands::third_argument,
    ),
    (
        &["userpwd,", "curlopt_userpwd =>", "curlopt_proxyuserpwd =>", "user_pwd ="],
        crate::privacy::secrets::shell_commands::user_password_literal,
    ),
    (&["oracle:thin:"], crate::privacy::secrets::shell_commands::oracle_url),
    (&["@tcp(", "@unix("], crate::privacy::secrets::shell_commands::go_data_source),
    (
        &["aa:bb:cc", "aa-bb-cc", "de:ad:be:ef", "de-ad-be-ef", "ca:fe:ba:be", "fe:ed:fa:ce"],
        crate::privacy::personal::ip_mac::letter_mac_address,
    ),
    (&["5432:", "5433:", "6432:"], crate::privacy::secrets::shell_commands::password_file),
    (&["kind: secret", "kind: \"secret\"", "kind: 'secret'", "type: helm.sh/release.v"], crate::privacy::secrets::kubernetes::read),
    (
        &[
            "\"kind\": \"secret",
            "\"kind\":\"secret",
            "\\\"kind\\\":\\\"secret",
            "\\\"kind\\\": \\\"secret",
            "\"type\": \"helm.sh/release.v1",
            "\"type\":\"helm.sh/release.v1",
        ],
        crate::privacy::secrets::kubernetes::read_object,
    ),
    (&["apiversion: v1"], crate::privacy::secrets::kubernetes::read_unfinished),
    (crate::privacy::secrets::kubernetes::HELM_PREFIX, crate::privacy::secrets::kubernetes::helm_release),
    (&["chpasswd", "sudo -s"], crate::privacy::secrets::shell_commands::piped_password),
    (
        &[
            "jwt.encode(",
            "jwt.decode(",
            "jwt.sign(",
            "jwt.verify(",
            "hmac.new(",
            "createhmac(",
            "aes.new(",
            "fernet(",
            "hash_hmac(",
            "createcipheriv(",
        ],
        crate::privacy::secrets::shell_commands::signing_call,
    ),
    (crate::privacy::secrets::prose_nearby::ACCOUNT_NAMES, crate::privacy::secrets::prose_nearby::account_slash_password),
    (crate::privacy::secrets::tables::NUMBER_COLUMNS, crate::privacy::secrets::tables::number_column),
    (crate::privacy::personal::street_address::ADDRESS_LABELS, crate::privacy::personal::street_address::announced_address),
    (&["cookie"], crate::privacy::secrets::http_headers::cookies),
    (tokens::encoded::BASE64_KEYWORDS, tokens::encoded::read),
    (tokens::encoded::HEX_KEYWORDS, tokens::encoded::read_hex),
    (tokens::packed::LIST_PREFIXES, tokens::packed::byte_list_token),
    (tokens::packed::SPACED_PREFIXES, tokens::packed::spaced_token),
    (tokens::packed::DUMP_PREFIXES, tokens::packed::hex_dump),
    (tokens::packed::FRAMED_DUMP_ENDS, tokens::packed::framed_hex_dump),
    (crate::privacy::secrets::command_output::PRINTING_KEYWORDS, crate::privacy::secrets::command_output::printed_secret),
    (crate::privacy::secrets::command_output::SEND_CALLS, crate::privacy::secrets::command_output::sent_password),
    (crate::privacy::secrets::command_output::VIEWERS, crate::privacy::secrets::command_output::viewed),
    (&["code", "código", "codice"], crate::privacy::secrets::command_output::one_time_code),
    (&["tan "], crate::privacy::secrets::command_output::transaction_number),
    (tokens::packed::REVERSED, tokens::packed::reversed),
    (tokens::packed::CHUNKED, tokens::packed::chunked),
    (&["chr("], tokens::packed::numbered),
    (crate::privacy::secrets::network_devices::DEVICE_KEYWORDS, crate::privacy::secrets::network_devices::read),
    (crate::privacy::secrets::network_devices::SETTINGS, crate::privacy::secrets::network_devices::setting),
    (crate::privacy::secrets::network_devices::SERVERS, crate::privacy::secrets::network_devices::server),
    (crate::privacy::directory::KEYWORDS, crate::privacy::directory::read),
    (crate::privacy::server::USERS, crate::privacy::server::user),
    (&["acl_setuser("], crate::privacy::server::user_call),
    (crate::privacy::server::LOGINS, crate::privacy::server::login),
    (crate::privacy::server::KEYS, crate::privacy::server::key),
    (crate::privacy::secrets::prose_nearby::SIGNED_IN, crate::privacy::secrets::prose_nearby::signed_in),
    (crate::privacy::personal::wallets::SEED_PHRASE_WORDS, crate::privacy::personal::wallets::seed_words),
    (crate::privacy::secrets::shell_commands::KEYWORDS, crate::privacy::secrets::shell_commands::read),
    (crate::privacy::personal::dates::BIRTH_WORDS, crate::privacy::personal::dates::read),
    (crate::privacy::personal::street_address::ENGLISH_STREET_WORDS, crate::privacy::personal::street_address::english_address),
    (crate::privacy::personal::street_address::STREET_PREFIXES, crate::privacy::personal::street_address::romance_address),
    (crate::privacy::personal::street_address::STREET_SUFFIXES, crate::privacy::personal::street_address::germanic_address),
    (
        &[" am ", " an der ", " an den ", " im ", " zum ", " zur ", " auf der ", " auf dem ", " in der ", " unter den ", " hinter der "],
        crate::privacy::personal::street_address::prepositional_address,
    ),
    (&["lat", "lng", "lon", "latitude", "longitude", "breitengrad", "längengrad"], crate::privacy::personal::coordinates::axis_coordinate),
    (
        &["° n", "° s", "°n", "°s", "°0", "°1", "°2", "°3", "°4", "°5", "°6", "°7", "°8", "°9"],
        crate::privacy::personal::coordinates::degree_coordinates,
    ),
    (&["bc1", "tb1q", "ltc1", "addr1", "cosmos1", "osmo1", "terra1"], crate::privacy::personal::wallets::prefixed_address),
    (
        &[
            "litecoin", "dogecoin", "doge", "tron", "trx", "ripple", "xrp", "solana", "monero", "xmr", "ltc", "wallet", "bitcoin", "usdt",
            "phantom",
        ],
        crate::privacy::personal::wallets::named_address,
    ),
];

/// The state of one pass over one text.
///
/// The `usize` fields are cursors: each is moved only by the detector that is named, and only
/// forward. A detector returns at once for a keyword before its cursor, because it has read that
/// part of the text already.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    pub(super) text: TextBytes<'t>,
    pub(super) matches: Vec<Match>,
    /// `assign` and the readers it calls, `device`, `output`: up to where field names are decided.
    pub(super) named: usize,
    /// `pem`: the end of a key block, in which no other detector runs.
    pub(super) block: usize,
    /// Positions that fold; not collected while scanning text that was folded before.
    pub(super) folds: Vec<usize>,
    pub(super) unfolded: bool,
    /// The end of the last word for a telephone number.
    pub(super) telephone: Option<usize>,
    /// `dates`
    pub(super) dated: usize,
    /// `command`: the flags.
    pub(super) commanded: usize,
    /// `encoded`
    pub(super) encoded: usize,
    /// `packed`
    pub(super) packed: usize,
    /// `wallet`: seed phrases.
    pub(super) seeded: usize,
    /// `table`
    pub(super) tabled: usize,
    /// Where the head of the last of them ends.
    pub(super) headed: usize,
    /// Up to where words near names have been weighed.
    pub(super) weighed: usize,
    /// `manifest`: YAML, and JSON.
    pub(super) listed: usize,
    pub(super) objects: usize,
    /// The manifests that were read.
    pub(super) manifests: Vec<ManifestRegion>,
    /// `ids`: up to where a list of numbers was checked for a name.
    pub(super) counted: usize,
    /// `pem::web_key`
    pub(super) keyed: usize,
    /// `aside::listed`
    pub(super) noted: usize,
    /// Up to where the rules for a user of Redis have been read.
    pub(super) permitted: usize,
    /// The rule that refused a long run last, and where that ended.
    pub(super) refused: ((u8, u8), usize),
    /// The word that a value was last read from.
    pub(super) run: LastWord,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: TextBytes<'t>) -> Self {
        Self {
            text,
            matches: Vec::new(),
            named: 0,
            block: 0,
            folds: Vec::new(),
            unfolded: false,
            telephone: None,
            dated: 0,
            commanded: 0,
            encoded: 0,
            packed: 0,
            seeded: 0,
            tabled: 0,
            headed: 0,
            weighed: 0,
            listed: 0,
            objects: 0,
            manifests: Vec::new(),
            counted: 0,
            keyed: 0,
            noted: 0,
            permitted: 0,
            refused: ((0, 0), 0),
            run: LastWord::default(),
        }
    }

    pub(super) fn report(&mut self, start: usize, end: usize, kind: &'static str, rule: &'static str, rank: u8) {
        let end = end.min(self.text.len());
        if start < end {
            self.matches.push(Match { start, end, kind: Kind::built_in(kind), rule, confidence: rank });
        }
    }

    /// Whether the last hit covers a position.
    pub(super) fn is_covered(&self, at: usize) -> bool {
        self.matches.last().is_some_and(|hit| hit.start <= at && at < hit.end)
    }
}

impl KeywordVisitor for Scan<'_> {
    fn on_keyword(&mut self, at: usize, end: usize, act: Action) {
        if at < self.block || context::in_placeholder(self.text, at) {
            return;
        }
        match act {
            Action::Token(theme, rule, shape) => tokens::try_token(self, at, (theme, rule, shape)),
            Action::Name(word) => crate::privacy::secrets::field_value::read(self, at, end, word),
            Action::PhoneWord => {
                if context::is_whole_word(self.text, at, end) {
                    self.telephone = Some(end);
                }
            }
            Action::Call(place) => {
                if let Some((_, reader)) = DETECTORS.get(usize::from(place)) {
                    reader(self, at, end);
                }
            }
        }
    }

    fn on_digits(&mut self, at: usize) -> usize {
        if at < self.block {
            return self.block;
        }
        // The dump of `od`, whose bytes would be read as a number.
        if self.text.starts_with_at(at, b"0000000 ") {
            tokens::packed::hex_dump(self, at, at);
        }
        numbers::read(self, at)
    }

    fn on_encoded_byte(&mut self, at: usize) {
        if !self.unfolded && deobfuscate::is_fold(self.text, at) {
            self.folds.push(at);
        }
    }

    fn on_at_sign(&mut self, at: usize) {
        email::read(self, at);
    }
}

/// All hits in a text, folded text included.
#[cfg(test)]
pub(super) fn detect(bytes: &[u8]) -> Vec<Match> {
    detect_from(bytes, None).0
}

/// All hits in a part of a stream, folded text included, and the manifests in it. A manifest may be
/// open at a position.
pub(super) fn detect_from(bytes: &[u8], open: Option<(usize, OpenManifest)>) -> (Vec<Match>, Vec<ManifestRegion>) {
    let mut pass = Scan::new(TextBytes(bytes));
    if let Some((from, open)) = open {
        crate::privacy::secrets::kubernetes::resume(&mut pass, from, open);
    }
    scan(TextBytes(bytes), &mut pass);
    let mut hits = pass.matches;
    if !pass.folds.is_empty() {
        hits.extend(deobfuscate::detect_around(bytes, &pass.folds));
    }
    (hits, pass.manifests)
}

/// The hits in the bytes as they are, without folding.
pub(super) fn detect_raw(bytes: &[u8]) -> Vec<Match> {
    let mut pass = Scan::new(TextBytes(bytes));
    pass.unfolded = true;
    scan(TextBytes(bytes), &mut pass);
    pass.matches
}

/// The hits in decoded bytes. Nothing in them is decoded again.
pub(super) fn detect_decoded(bytes: &[u8]) -> Vec<Match> {
    let mut pass = Scan::new(TextBytes(bytes));
    pass.unfolded = true;
    (pass.encoded, pass.packed) = (usize::MAX, usize::MAX);
    scan(TextBytes(bytes), &mut pass);
    pass.matches
}

#[cfg(test)]
mod tests {
    use crate::privacy::{Placeholders, Policy, Raw, Redactor};

    #[test]
    fn scan_matches_stay_inside_text() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for text in ["password = \"teapot4471x\\", "token: 'q7Xp2Lm9Vz4Rt8Wk\\"] {
            let findings = redactor.findings(text.as_bytes());
            assert!(findings.iter().all(|found| found.end <= text.len()), "{findings:?}");
            assert_eq!(findings.len(), 1, "{text}");
        }
    }

    #[test]
    fn scan_finds_basic_values() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for (text, expected) in [
            ("card 4111 1111 1111 1111 exp", "card [CREDIT_CARD_1] exp"),
            ("ssn 123-45-6789, call (415) 555-2671 or +49 30 1234567.", "ssn [SSN_1], call [PHONE_1] or [PHONE_2]."),
            ("06 12 34 56 78 / 020 7946 0958", "[PHONE_1] / [PHONE_2]"),
            ("from 81.2.69.142 at 2026-11-21 07:34:04, pid 10.0.0.1", "from [IP_ADDRESS_1] at 2026-11-21 07:34:04, pid 10.0.0.1"),
            ("ip 2a00:1450:4001:81b::200e mac a4:5e:60:c2:11:0f", "ip [IP_ADDRESS_1] mac [MAC_ADDRESS_1]"),
            ("2026-11-21T07:34:04.120Z (415) 555-2671", "2026-11-21T07:34:04.120Z [PHONE_1]"),
            ("2026-11-21 04:52:60:c2:11:0f joined", "2026-11-21 [MAC_ADDRESS_1] joined"),
            ("request 64320337-6755-4914-8d92-737c37e11dfc", "request 64320337-6755-4914-8d92-737c37e11dfc"),
            ("<Bob.O'Neil+x@mail.initech.co.uk>", "<[EMAIL_1]>"),
            ("git@github.com:a/b.git react@18.2.0 icon@2x.png", "git@github.com:a/b.git react@18.2.0 icon@2x.png"),
            ("550e8400-e29b-41d4-a716-446655440000 1700000000 v1.2.3.4", "550e8400-e29b-41d4-a716-446655440000 1700000000 v1.2.3.4"),
        ] {
            let (redacted, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
            assert_eq!(redacted.as_str(), expected);
        }
    }
}
