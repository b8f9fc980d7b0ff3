//! Classifies the position of a placeholder in a reply: in prose, in code, or in a URL or host
//! name.
//!
//! The reply is read once, character by character, as it streams in, with a fixed amount of state.

/// The position of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) enum OutputContext {
    /// Sentences, lists, tables.
    Prose,
    /// A fenced block, inline code, an indented line, a line after a shell prompt.
    Code,
    /// A word that contains a URL, a host, a query or percent-encoded text.
    Url,
}

/// Tracks whether the text is inside code, by the rules of Markdown. In doubt it counts as code.
#[derive(Clone, Debug, Default)]
pub(in crate::privacy) struct Markdown {
    /// The character and length of the open fence.
    fence: Option<(char, usize)>,
    /// The length of the backtick run that opened inline code.
    inline: Option<usize>,
    /// A run of backticks or tildes that may continue.
    run: Option<(char, usize)>,
    /// The indentation of the line, in columns.
    indent: usize,
    /// The line contains more than space, list markers and quote marks.
    fence_start: bool,
    /// The line contains only a closing fence so far.
    closing: bool,
    /// The line of an opening fence; the rest of it is the language.
    opening: bool,
    /// The line is indented like code, or begins with a shell prompt.
    command: bool,
    /// The first character of the line may be a shell prompt.
    prompt: bool,
    /// The line contains only white space so far.
    blank: bool,
}

impl Markdown {
    pub(in crate::privacy) fn is_code(&self) -> bool {
        self.fence.is_some() || self.command || self.inline.is_some()
    }

    pub(in crate::privacy) fn push(&mut self, c: char) {
        if let Some((sign, length)) = self.run {
            if c == sign {
                self.run = Some((sign, length + 1));
                return;
            }
            self.end_run(sign, length);
        }
        if c == '\n' {
            self.end_line();
            return;
        }
        if self.prompt {
            self.command = c == ' ';
            self.prompt = false;
        }
        if matches!(c, ' ' | '\t') {
            if !self.fence_start {
                self.indent += if c == '\t' { 4 } else { 1 };
            }
            return;
        }
        self.blank = false;
        if matches!(c, '`' | '~') {
            self.run = Some((c, 1));
            return;
        }
        self.closing = false;
        if !self.fence_start {
            match c {
                // A quote or a list item: indentation counts from here.
                '>' | '-' | '*' | '+' => self.indent = 0,
                '0'..='9' | '.' | ')' if self.indent < 4 => {}
                '$' | '%' => (self.fence_start, self.prompt) = (true, true),
                _ => {
                    self.fence_start = true;
                    self.command = self.indent >= 4 && self.fence.is_none();
                }
            }
        }
    }

    /// Records a placeholder, which is never part of a run or of a line marker.
    pub(in crate::privacy) fn push_placeholder(&mut self) {
        self.push('x');
    }

    fn end_run(&mut self, sign: char, length: usize) {
        self.run = None;
        let first = !self.fence_start;
        self.fence_start = true;
        match self.fence {
            Some((open, least)) => {
                if self.opening && sign == '`' {
                    // A fence has no backtick after it on its line: it was inline code.
                    (self.fence, self.opening, self.inline) = (None, false, Some(least));
                    self.toggle(length);
                } else {
                    self.closing = first && sign == open && length >= least;
                }
            }
            None if first && length >= 3 && self.inline.is_none() => {
                (self.fence, self.opening) = (Some((sign, length)), true);
            }
            None if sign == '`' => self.toggle(length),
            None => {}
        }
    }

    fn toggle(&mut self, length: usize) {
        match self.inline {
            None => self.inline = Some(length),
            Some(open) if open == length => self.inline = None,
            Some(_) => {}
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.closing) {
            self.fence = None;
        }
        // Inline code spans line ends, but not an empty line.
        if self.blank {
            self.inline = None;
        }
        (
            self.indent,
            self.fence_start,
            self.opening,
            self.command,
            self.prompt,
            self.blank,
        ) = (0, false, false, false, false, true);
    }
}

/// URL schemes that need no `//`.
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "ftp",
    "ftps",
    "ws",
    "wss",
    "mailto",
    "javascript",
    "ssh",
    "sftp",
    "git",
];

/// Tracks whether a word leads to a host. It ends at white space only, as in a shell and in most
/// terminals.
#[derive(Clone, Debug, Default)]
pub(in crate::privacy) struct UrlWord {
    /// A scheme, a host with a path, a query, or percent-encoded text was seen.
    url: bool,
    /// A `<` is open: within `<…>` a URL continues over spaces.
    angle: bool,
    /// The last letters, to recognise schemes.
    letters: String,
    /// The current host label: its length, and whether it is letters only or digits only.
    label: usize,
    alphabetic: bool,
    numeric: bool,
    /// The number of labels before it, joined by dots, and whether all were numbers.
    labels: usize,
    all_numeric: bool,
    /// A placeholder is part of this run of labels.
    placeholder: bool,
    /// A host has just ended with `:`; a port, a path or a password may follow.
    host_colon: bool,
    /// A `?` or `&` and the name of a parameter.
    query: bool,
    /// A `%` and the number of hex digits after it.
    percent: Option<usize>,
    last: Option<char>,
}

impl UrlWord {
    pub(in crate::privacy) const fn is_url(&self) -> bool {
        self.url
    }

    /// Treats the word as a URL because it is too long for a word of prose.
    pub(in crate::privacy) const fn give_up(&mut self) {
        self.url = true;
    }

    /// Whether a character ends the word. A backslash before a line end joins words in a shell.
    pub(in crate::privacy) fn ends_at(&self, c: char) -> bool {
        if c.is_whitespace() {
            let joined = c == '\n' && self.last == Some('\\');
            return !(joined || self.url && self.angle && c != '\n');
        }
        // Clause punctuation of scripts without spaces. A URL that has begun continues.
        !self.url && !c.is_ascii() && !c.is_alphanumeric() && !is_mark(c)
    }

    pub(in crate::privacy) fn push(&mut self, c: char) {
        if self.ends_at(c) {
            *self = Self::default();
            return;
        }
        self.percent(c);
        match c {
            ':' => {
                self.url |= SCHEMES.contains(&self.letters.as_str());
                self.host_colon = self.is_host();
            }
            '/' | '\\' => self.url |= self.last == Some(c) && c == '/' || self.is_host(),
            '?' | '#' => self.url |= self.is_host(),
            '=' => self.url |= self.query,
            '<' => self.angle = true,
            '>' => self.angle = false,
            _ => {}
        }
        if self.host_colon && c != ':' {
            self.url = true;
        }
        match c {
            '?' | '&' => self.query = true,
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']') => {}
            _ => self.query = false,
        }
        self.read_label(c);
        if c.is_ascii_alphanumeric() {
            if self.letters.len() < 12 {
                self.letters.push(c.to_ascii_lowercase());
            }
        } else {
            self.letters.clear();
        }
        self.last = Some(c);
    }

    pub(in crate::privacy) fn push_placeholder(&mut self) {
        self.url |= self.host_colon;
        (self.label, self.alphabetic, self.numeric) = (self.label + 1, false, false);
        self.placeholder = true;
        self.percent = None;
        self.letters.clear();
        self.last = Some('x');
    }

    /// Ends the word.
    pub(in crate::privacy) fn finish(&mut self) {
        self.url |= self.placeholder && self.is_host();
    }

    fn percent(&mut self, c: char) {
        match self.percent {
            _ if c == '%' => self.percent = Some(0),
            Some(digits) if c.is_ascii_hexdigit() => {
                self.url |= digits == 1;
                self.percent = Some(digits + 1);
            }
            _ => self.percent = None,
        }
    }

    /// Reads host labels: `evil.example`, `[NAME_1].evil.example`, `"[NAME_1]"@evil.example`,
    /// `192.0.2.7`.
    fn read_label(&mut self, c: char) {
        match c {
            '.' if self.label > 0 => {
                self.url |= self.placeholder && self.is_host();
                self.all_numeric = self.numeric && (self.labels == 0 || self.all_numeric);
                self.labels += 1;
                (self.label, self.alphabetic, self.numeric) = (0, true, true);
            }
            c if c.is_alphanumeric() || matches!(c, '-' | '_') || is_mark(c) => {
                if self.label == 0 {
                    (self.alphabetic, self.numeric) = (true, true);
                }
                self.label += 1;
                self.alphabetic &= !c.is_ascii_digit() && c != '_';
                self.numeric &= c.is_ascii_digit();
            }
            // A placeholder before these is still joined to the host after them.
            '@' | ':' | '+' | '~' | '*' | '"' | '\'' | ')' | '}' | '\\' | ']'
                if self.placeholder =>
            {
                self.url |= self.is_host();
                (self.labels, self.label) = (0, usize::from(!matches!(c, '@' | ':')));
                (self.alphabetic, self.numeric, self.all_numeric) = (false, false, false);
            }
            _ => {
                self.url |= self.placeholder && self.is_host();
                (self.labels, self.label, self.placeholder, self.all_numeric) =
                    (0, 0, false, false);
            }
        }
    }

    /// Whether the labels so far are a host: the last is letters, or they are four numbers.
    const fn is_host(&self) -> bool {
        (self.labels >= 1 && self.label >= 2 && self.alphabetic)
            || (self.labels == 3 && self.all_numeric && self.label > 0 && self.numeric)
    }
}

/// Whether a character is a combining accent or vowel sign.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{900}'..='\u{DFF}' | '\u{E30}'..='\u{EFF}')
}
