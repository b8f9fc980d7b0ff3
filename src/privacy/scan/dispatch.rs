//! Calls the detectors. It is the only file that imports them, and no detector imports it.
//!
//! [`DETECTORS`] lists them with their keywords, `build_table` collects all keywords in one index,
//! and the functions at the end scan a text.

use crate::privacy::judge::Verdict;
use crate::privacy::judge::label::TokenLabel;
use crate::privacy::judge::lexicon;
use crate::privacy::kind;
use crate::privacy::personal::{
    announced_address, coordinates, dates, email, ip_mac, numbers, phone, street_address, wallets,
};
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::{ManifestRegion, OpenManifest};
use crate::privacy::scan::keywords::{IndexBuilder, KeywordIndex, KeywordVisitor};
use crate::privacy::scan::{Match, Scan, context, deobfuscate, judged};
use crate::privacy::secrets::field_names::{FieldKind, SECRET_FIELD_NAMES};
use crate::privacy::secrets::{
    code_calls, code_values, command_output, field_value, http_headers, kubernetes, ldap,
    network_devices, one_time_codes, private_keys, prose_logins, server_config, shell_commands,
    tables, urls,
};
use crate::privacy::tokens::{self, RULE_GROUPS, encoded, packed, pattern};
use std::ops::Range;

/// What to do at a keyword.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// A token of this rule may begin here. The numbers are the indexes of theme, rule and shape.
    Token(u8, u8, u8),
    /// The name of a field that holds a secret.
    Name(FieldKind),
    /// A word that marks the following number as a telephone number.
    PhoneWord,
    /// A keyword with its own reader, by its index in `READERS`.
    Call(u8),
    /// A word near which the judge looks for values.
    Cue,
}

/// A detector. It is called with the start and the end of its keyword.
type Detector = for<'p, 't> fn(&'p mut Scan<'t>, usize, usize);

/// The detectors with their keywords, which are in lower case and match any case.
const DETECTORS: &[(&[&str], Detector)] = &[
    (&["-----begin"], private_keys::read),
    (
        private_keys::HEADERLESS_PREFIXES,
        private_keys::headerless_key,
    ),
    (&["\"kty", "'kty'"], private_keys::web_key),
    (&["(at)", "[at]", "{at}"], email::at_dot_address),
    (&["(dot)", "[dot]", "{dot}"], email::dotted_address),
    (&[" @ "], email::spaced_address),
    (
        &[
            " dot com", " dot org", " dot net", " dot de", " dot edu", " dot io",
        ],
        email::spelled_address,
    ),
    (&["p.o. box", "po box", "postfach"], street_address::po_box),
    (&["://"], urls::read),
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
        urls::secret_parameter,
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
        http_headers::bearer_token,
    ),
    (&["basic "], http_headers::basic_credentials),
    (
        &["identified by", "identified with"],
        code_calls::sql_identified_by,
    ),
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
        code_calls::credentials_call,
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
        code_calls::third_argument,
    ),
    (
        &[
            "userpwd,",
            "curlopt_userpwd =>",
            "curlopt_proxyuserpwd =>",
            "user_pwd =",
        ],
        code_calls::user_password_literal,
    ),
    (&["oracle:thin:"], code_calls::oracle_url),
    (&["@tcp(", "@unix("], code_calls::go_data_source),
    (
        &[
            "aa:bb:cc",
            "aa-bb-cc",
            "de:ad:be:ef",
            "de-ad-be-ef",
            "ca:fe:ba:be",
            "fe:ed:fa:ce",
        ],
        ip_mac::letter_mac_address,
    ),
    (&["5432:", "5433:", "6432:"], shell_commands::password_file),
    (
        &[
            "kind: secret",
            "kind: \"secret\"",
            "kind: 'secret'",
            "type: helm.sh/release.v",
        ],
        kubernetes::read,
    ),
    (
        &[
            "\"kind\": \"secret",
            "\"kind\":\"secret",
            "\\\"kind\\\":\\\"secret",
            "\\\"kind\\\": \\\"secret",
            "\"type\": \"helm.sh/release.v1",
            "\"type\":\"helm.sh/release.v1",
        ],
        kubernetes::read_object,
    ),
    (&["apiversion: v1"], kubernetes::read_unfinished),
    (kubernetes::HELM_PREFIX, kubernetes::helm_release),
    (&["chpasswd", "sudo -s"], shell_commands::piped_password),
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
        code_calls::signing_call,
    ),
    (
        prose_logins::ACCOUNT_NAMES,
        prose_logins::account_slash_password,
    ),
    (tables::NUMBER_COLUMNS, tables::number_column),
    (
        announced_address::ADDRESS_LABELS,
        announced_address::announced_address,
    ),
    (&["cookie"], http_headers::cookies),
    (encoded::BASE64_KEYWORDS, encoded::read),
    (encoded::HEX_KEYWORDS, encoded::read_hex),
    (packed::LIST_PREFIXES, packed::byte_list_token),
    (packed::SPACED_PREFIXES, packed::spaced_token),
    (packed::DUMP_PREFIXES, packed::hex_dump),
    (packed::FRAMED_DUMP_ENDS, packed::framed_hex_dump),
    (
        command_output::PRINTING_KEYWORDS,
        command_output::printed_secret,
    ),
    (command_output::SEND_CALLS, command_output::sent_password),
    (command_output::VIEWERS, command_output::viewed),
    (&["code", "código", "codice"], one_time_codes::one_time_code),
    (&["tan "], one_time_codes::transaction_number),
    (packed::REVERSED, packed::reversed),
    (packed::CHUNKED, packed::chunked),
    (&["chr("], packed::numbered),
    (network_devices::DEVICE_KEYWORDS, network_devices::read),
    (network_devices::SETTINGS, network_devices::setting),
    (network_devices::SERVERS, network_devices::server),
    (ldap::KEYWORDS, ldap::read),
    (server_config::USERS, server_config::user),
    (&["acl_setuser("], server_config::user_call),
    (server_config::LOGINS, server_config::login),
    (server_config::KEYS, server_config::key),
    (prose_logins::SIGNED_IN, prose_logins::signed_in),
    (wallets::SEED_PHRASE_WORDS, wallets::seed_words),
    (shell_commands::KEYWORDS, shell_commands::read),
    (dates::BIRTH_WORDS, dates::read),
    (
        street_address::ENGLISH_STREET_WORDS,
        street_address::english_address,
    ),
    (
        street_address::STREET_PREFIXES,
        street_address::romance_address,
    ),
    (
        street_address::STREET_SUFFIXES,
        street_address::germanic_address,
    ),
    (
        &[
            " am ",
            " an der ",
            " an den ",
            " im ",
            " zum ",
            " zur ",
            " auf der ",
            " auf dem ",
            " in der ",
            " unter den ",
            " hinter der ",
        ],
        street_address::prepositional_address,
    ),
    (
        &[
            "lat",
            "lng",
            "lon",
            "latitude",
            "longitude",
            "breitengrad",
            "längengrad",
        ],
        coordinates::axis_coordinate,
    ),
    (
        &[
            "° n", "° s", "°n", "°s", "°0", "°1", "°2", "°3", "°4", "°5", "°6", "°7", "°8", "°9",
        ],
        coordinates::degree_coordinates,
    ),
    (
        &["bc1", "tb1q", "ltc1", "addr1", "cosmos1", "osmo1", "terra1"],
        wallets::prefixed_address,
    ),
    (
        &[
            "litecoin", "dogecoin", "doge", "tron", "trx", "ripple", "xrp", "solana", "monero",
            "xmr", "ltc", "wallet", "bitcoin", "usdt", "phantom",
        ],
        wallets::named_address,
    ),
];

/// The detectors alone. The keywords are in the index, and the loader of a program writes each
/// address of a slice at every start.
static READERS: [Detector; DETECTORS.len()] = readers();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn readers() -> [Detector; DETECTORS.len()] {
    let mut readers = [DETECTORS[0].1; DETECTORS.len()];
    let mut i = 0;
    while i < readers.len() {
        readers[i] = DETECTORS[i].1;
        i += 1;
    }
    readers
}

/// The keywords of all detectors.
static TABLE: IndexBuilder<Action> = build_table();
static INDEX: KeywordIndex<Action, { TABLE.keyword_count() }, { TABLE.pool_bytes() }> =
    KeywordIndex::build(&TABLE);

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
const fn build_table() -> IndexBuilder<Action> {
    let mut builder = IndexBuilder::new(Action::PhoneWord);
    let mut t = 0;
    while t < RULE_GROUPS.len() {
        let mut r = 0;
        while r < RULE_GROUPS[t].len() {
            let shapes = RULE_GROUPS[t][r].shapes;
            let mut s = 0;
            while s < shapes.len() {
                let prefix = pattern::keyword(shapes[s]);
                builder.add_exact(prefix, Action::Token(t as u8, r as u8, s as u8));
                s += 1;
            }
            r += 1;
        }
        t += 1;
    }
    let mut w = 0;
    while w < SECRET_FIELD_NAMES.len() {
        let (words, kind) = SECRET_FIELD_NAMES[w];
        builder.add_names(words, Action::Name(kind));
        w += 1;
    }
    let mut p = 0;
    while p < phone::PHONE_WORDS.count() {
        builder.add_words(&[phone::PHONE_WORDS.word(p)], Action::PhoneWord);
        p += 1;
    }
    let mut d = 0;
    while d < DETECTORS.len() {
        builder.add_words(DETECTORS[d].0, Action::Call(d as u8));
        d += 1;
    }
    let lexicon = [lexicon::STEMS, lexicon::WORDS];
    let mut table = 0;
    while table < lexicon.len() {
        let mut group = 0;
        while group < lexicon[table].len() {
            builder.add_words(lexicon[table][group].1, Action::Cue);
            group += 1;
        }
        table += 1;
    }
    builder
}

impl KeywordVisitor<Action> for Scan<'_> {
    fn on_keyword(&mut self, at: usize, end: usize, act: Action) {
        if at < self.key_block || context::in_placeholder(self.text, at) {
            return;
        }
        match act {
            Action::Token(theme, rule, shape) => tokens::try_token(self, at, (theme, rule, shape)),
            Action::Name(word) => {
                self.note_cue(at);
                field_value::read(self, at, end, word);
            }
            Action::Cue => self.note_cue(at),
            Action::PhoneWord => {
                self.note_cue(at);
                if context::is_whole_word(self.text, at, end) {
                    self.telephone = Some(end);
                }
            }
            Action::Call(place) => {
                if let Some(reader) = READERS.get(usize::from(place)) {
                    reader(self, at, end);
                }
            }
        }
    }

    fn on_digits(&mut self, at: usize) -> usize {
        if at < self.key_block {
            return self.key_block;
        }
        self.note_number(at);
        // The dump of `od`, whose bytes would be read as a number.
        if self.text.starts_with_at(at, b"0000000 ") {
            packed::hex_dump(self, at, at);
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
pub(in crate::privacy) fn detect(bytes: &[u8]) -> Vec<Match> {
    detect_from(bytes, None, true).0
}

/// All hits in a part of a stream, folded text included, and the manifests in it. A manifest may be
/// open at a position.
pub(in crate::privacy) fn detect_from(
    bytes: &[u8],
    open: Option<(usize, OpenManifest)>,
    judges: bool,
) -> (Vec<Match>, Vec<ManifestRegion>) {
    let mut pass = Scan::new(TextBytes(bytes), holds_secret);
    if let Some((from, open)) = open {
        kubernetes::resume(&mut pass, from, open);
    }
    INDEX.scan(TextBytes(bytes), &mut pass);
    let mut hits = pass.matches;
    hits.retain(|hit| !code_values::is_code_value(TextBytes(bytes), hit));
    if judges {
        judged::add_verdicts(TextBytes(bytes), (pass.cues, pass.numbers), &mut hits);
    }
    if !pass.folds.is_empty() {
        hits.extend(deobfuscate::detect_around(bytes, &pass.folds, detect_raw));
    }
    (hits, pass.manifests)
}

/// What the judge is trained on: the hits of the rules, and the verdicts of `choose`.
pub(in crate::privacy) fn judge_with(
    bytes: &[u8],
    choose: &mut impl FnMut(Range<usize>, &[u32]) -> TokenLabel,
) -> (Vec<Match>, Vec<Verdict>) {
    let mut pass = Scan::new(TextBytes(bytes), holds_secret);
    INDEX.scan(TextBytes(bytes), &mut pass);
    let mut hits = pass.matches;
    hits.retain(|hit| !code_values::is_code_value(TextBytes(bytes), hit));
    let seen = (pass.cues, pass.numbers);
    let found = judged::verdicts_with(TextBytes(bytes), seen, &hits, choose);
    (hits, found)
}

/// The hits in the bytes as they are, without folding.
fn detect_raw(bytes: &[u8]) -> Vec<Match> {
    let mut pass = Scan::new(TextBytes(bytes), holds_secret);
    pass.unfolded = true;
    INDEX.scan(TextBytes(bytes), &mut pass);
    pass.matches
}

/// The hits in decoded bytes. Nothing in them is decoded again.
fn detect_decoded(bytes: &[u8]) -> Vec<Match> {
    let mut pass = Scan::new(TextBytes(bytes), holds_secret);
    pass.unfolded = true;
    (pass.cursors.encoded, pass.cursors.packed) = (usize::MAX, usize::MAX);
    INDEX.scan(TextBytes(bytes), &mut pass);
    pass.matches
}

/// Whether decoded bytes contain a token, a private key or, if they are text, a secret assigned to
/// its name.
fn holds_secret(decoded: &[u8]) -> bool {
    const SECRET_KINDS: [&str; 5] = [
        kind::PASSWORD,
        kind::API_KEY,
        kind::SECRET,
        kind::URL_CREDENTIALS,
        kind::PRIVATE_KEY,
    ];
    if holds_token(decoded) {
        return true;
    }
    // Decoded text is not decoded again, so nesting cannot cost more than one level.
    let text = decoded.len() <= 8192
        && std::str::from_utf8(decoded)
            .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    text && detect_decoded(decoded)
        .iter()
        .any(|hit| SECRET_KINDS.contains(&hit.kind.as_str()))
}

/// Whether decoded bytes contain a known token or a private key.
fn holds_token(decoded: &[u8]) -> bool {
    struct TokenVisitor<'t>(Scan<'t>);
    impl KeywordVisitor<Action> for TokenVisitor<'_> {
        fn on_keyword(&mut self, at: usize, end: usize, act: Action) {
            match act {
                Action::Token(theme, rule, shape) => {
                    tokens::try_token(&mut self.0, at, (theme, rule, shape));
                }
                Action::Call(_) if self.0.text.starts_with_ignore_case_at(at, b"-----begin") => {
                    private_keys::read(&mut self.0, at, end);
                }
                _ => {}
            }
        }
        fn on_digits(&mut self, at: usize) -> usize {
            at + 1
        }
        fn on_encoded_byte(&mut self, _at: usize) {}
        fn on_at_sign(&mut self, _at: usize) {}
    }
    let mut tokens = TokenVisitor(Scan::new(TextBytes(decoded), holds_secret));
    INDEX.scan(TextBytes(decoded), &mut tokens);
    !tokens.0.matches.is_empty()
}
