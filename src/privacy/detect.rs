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

pub(super) use super::index::Action;
use super::index::{KeywordVisitor, scan};
use super::manifest::{ManifestRegion, OpenManifest};
use super::text::TextBytes;
use super::{Kind, context, email, fold, numbers, rules};

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
    (&["-----begin"], super::pem::read),
    (super::pem::HEADERLESS_PREFIXES, super::pem::headerless_key),
    (&["\"kty", "'kty'"], super::pem::web_key),
    (&["(at)", "[at]", "{at}"], email::at_dot_address),
    (&["(dot)", "[dot]", "{dot}"], email::dotted_address),
    (&[" @ "], email::spaced_address),
    (&[" dot com", " dot org", " dot net", " dot de", " dot edu", " dot io"], email::spelled_address),
    (&["p.o. box", "po box", "postfach"], super::address::po_box),
    (&["://"], super::url::read),
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
        super::url::secret_parameter,
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
        super::header::bearer_token,
    ),
    (&["basic "], super::header::basic_credentials),
    (&["identified by", "identified with"], super::command::sql_identified_by),
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
        super::command::credentials_call,
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
        super::command::third_argument,
    ),
    (&["userpwd,", "curlopt_userpwd =>", "curlopt_proxyuserpwd =>", "user_pwd ="], super::command::user_password_literal),
    (&["oracle:thin:"], super::command::oracle_url),
    (&["@tcp(", "@unix("], super::command::go_data_source),
    (&["aa:bb:cc", "aa-bb-cc", "de:ad:be:ef", "de-ad-be-ef", "ca:fe:ba:be", "fe:ed:fa:ce"], super::net::letter_mac_address),
    (&["5432:", "5433:", "6432:"], super::command::password_file),
    (&["kind: secret", "kind: \"secret\"", "kind: 'secret'", "type: helm.sh/release.v"], super::manifest::read),
    (
        &[
            "\"kind\": \"secret",
            "\"kind\":\"secret",
            "\\\"kind\\\":\\\"secret",
            "\\\"kind\\\": \\\"secret",
            "\"type\": \"helm.sh/release.v1",
            "\"type\":\"helm.sh/release.v1",
        ],
        super::manifest::read_object,
    ),
    (&["apiversion: v1"], super::manifest::read_unfinished),
    (super::manifest::HELM_PREFIX, super::manifest::helm_release),
    (&["chpasswd", "sudo -s"], super::command::piped_password),
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
        super::command::signing_call,
    ),
    (super::aside::ACCOUNT_NAMES, super::aside::account_slash_password),
    (super::table::NUMBER_COLUMNS, super::table::number_column),
    (super::address::ADDRESS_LABELS, super::address::announced_address),
    (&["cookie"], super::header::cookies),
    (super::encoded::BASE64_KEYWORDS, super::encoded::read),
    (super::encoded::HEX_KEYWORDS, super::encoded::read_hex),
    (super::packed::LIST_PREFIXES, super::packed::byte_list_token),
    (super::packed::SPACED_PREFIXES, super::packed::spaced_token),
    (super::packed::DUMP_PREFIXES, super::packed::hex_dump),
    (super::packed::FRAMED_DUMP_ENDS, super::packed::framed_hex_dump),
    (super::output::PRINTING_KEYWORDS, super::output::printed_secret),
    (super::output::SEND_CALLS, super::output::sent_password),
    (super::output::VIEWERS, super::output::viewed),
    (&["code", "código", "codice"], super::output::one_time_code),
    (&["tan "], super::output::transaction_number),
    (super::packed::REVERSED, super::packed::reversed),
    (super::packed::CHUNKED, super::packed::chunked),
    (&["chr("], super::packed::numbered),
    (super::device::DEVICE_KEYWORDS, super::device::read),
    (super::device::SETTINGS, super::device::setting),
    (super::device::SERVERS, super::device::server),
    (super::directory::KEYWORDS, super::directory::read),
    (super::server::USERS, super::server::user),
    (&["acl_setuser("], super::server::user_call),
    (super::server::LOGINS, super::server::login),
    (super::server::KEYS, super::server::key),
    (super::aside::SIGNED_IN, super::aside::signed_in),
    (super::wallet::SEED_PHRASE_WORDS, super::wallet::seed_words),
    (super::command::KEYWORDS, super::command::read),
    (super::dates::BIRTH_WORDS, super::dates::read),
    (super::address::ENGLISH_STREET_WORDS, super::address::english_address),
    (super::address::STREET_PREFIXES, super::address::romance_address),
    (super::address::STREET_SUFFIXES, super::address::germanic_address),
    (
        &[" am ", " an der ", " an den ", " im ", " zum ", " zur ", " auf der ", " auf dem ", " in der ", " unter den ", " hinter der "],
        super::address::prepositional_address,
    ),
    (&["lat", "lng", "lon", "latitude", "longitude", "breitengrad", "längengrad"], super::geo::axis_coordinate),
    (&["° n", "° s", "°n", "°s", "°0", "°1", "°2", "°3", "°4", "°5", "°6", "°7", "°8", "°9"], super::geo::degree_coordinates),
    (&["bc1", "tb1q", "ltc1", "addr1", "cosmos1", "osmo1", "terra1"], super::wallet::prefixed_address),
    (
        &[
            "litecoin", "dogecoin", "doge", "tron", "trx", "ripple", "xrp", "solana", "monero", "xmr", "ltc", "wallet", "bitcoin", "usdt",
            "phantom",
        ],
        super::wallet::named_address,
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
    pub(super) run: super::found::LastWord,
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
            run: super::found::LastWord::default(),
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
            Action::Token(theme, rule, shape) => rules::try_token(self, at, (theme, rule, shape)),
            Action::Name(word) => super::assign::read(self, at, end, word),
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
            super::packed::hex_dump(self, at, at);
        }
        numbers::read(self, at)
    }

    fn on_encoded_byte(&mut self, at: usize) {
        if !self.unfolded && fold::is_fold(self.text, at) {
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
        super::manifest::resume(&mut pass, from, open);
    }
    scan(TextBytes(bytes), &mut pass);
    let mut hits = pass.matches;
    if !pass.folds.is_empty() {
        hits.extend(fold::detect_around(bytes, &pass.folds));
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

/// Sorts hits, merges those that overlap, and leaves out existing placeholders.
///
/// A merged hit covers all of its parts. Its kind is that of the first and longest part, unless
/// another has a better rank and is as long or reaches further.
pub(super) fn resolve_overlaps(mut hits: Vec<Match>, placeholders: &[(usize, usize)]) -> Vec<Match> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end), hit.confidence));
    let mut settled: Vec<Match> = Vec::with_capacity(hits.len());
    for hit in hits {
        match settled.last_mut() {
            Some(last) if hit.start < last.end => {
                if hit.confidence < last.confidence && (hit.end > last.end || hit.end - hit.start == last.end - last.start) {
                    last.kind = hit.kind;
                    last.rule = hit.rule;
                    last.confidence = hit.confidence;
                }
                last.end = last.end.max(hit.end);
            }
            _ => settled.push(hit),
        }
    }
    if placeholders.is_empty() { settled } else { subtract(settled, placeholders) }
}

/// The parts of hits outside of placeholders.
fn subtract(hits: Vec<Match>, placeholders: &[(usize, usize)]) -> Vec<Match> {
    let mut parts = Vec::with_capacity(hits.len());
    let mut next = placeholders;
    for hit in hits {
        while let Some((&(_, end), rest)) = next.split_first() {
            if end > hit.start {
                break;
            }
            next = rest;
        }
        let mut from = hit.start;
        for &(start, end) in next.iter().take_while(|&&(start, _)| start < hit.end) {
            if start > from {
                parts.push(Match { start: from, end: start, ..hit.clone() });
            }
            from = from.max(end);
        }
        if from < hit.end {
            parts.push(Match { start: from, ..hit });
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::{Placeholders, Policy, Raw, Redactor};

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
