//! Where in an answer a placeholder stands: in prose, in code, or in something that a click or a shell takes to a host.
//!
//! It reads the answer once, character by character, as it streams in, and remembers a fixed amount of it.

/// The place of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Sentences, lists, tables.
    Prose,
    /// A fenced block, inline code, an indented line, a line after a shell's prompt.
    Code,
    /// A word that has a URL, a host, a query or percent-encoded text in it.
    Url,
}

/// Whether the text is inside code, by the rules of Markdown. What is not certain counts as code.
#[derive(Clone, Debug, Default)]
pub(super) struct Markdown {
    /// The sign and the length of the fence that is open.
    fence: Option<(char, usize)>,
    /// The length of the run of backticks that opened inline code.
    inline: Option<usize>,
    /// A run of backticks or tildes that may go on.
    run: Option<(char, usize)>,
    /// How many columns the line is indented.
    indent: usize,
    /// Something other than space, list marks and quotation marks has come in this line.
    begun: bool,
    /// Only a closing fence has come in this line.
    closing: bool,
    /// The line of an opening fence: what follows is its language.
    opening: bool,
    /// The line is indented like code, or begins with a shell's prompt.
    command: bool,
    /// The first sign of the line may be a shell's prompt.
    prompt: bool,
    /// Nothing but space has come in this line.
    blank: bool,
}

impl Markdown {
    pub(super) fn is_code(&self) -> bool {
        self.fence.is_some() || self.command || self.inline.is_some()
    }

    /// A character of the answer.
    pub(super) fn push(&mut self, c: char) {
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
            if !self.begun {
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
        if !self.begun {
            match c {
                // A quotation or a list item: what follows is indented from here.
                '>' | '-' | '*' | '+' => self.indent = 0,
                '0'..='9' | '.' | ')' if self.indent < 4 => {}
                '$' | '%' => (self.begun, self.prompt) = (true, true),
                _ => {
                    self.begun = true;
                    self.command = self.indent >= 4 && self.fence.is_none();
                }
            }
        }
    }

    /// A placeholder, which is never a part of a run or of a line's mark.
    pub(super) fn push_placeholder(&mut self) {
        self.push('x');
    }

    fn end_run(&mut self, sign: char, length: usize) {
        self.run = None;
        let first = !self.begun;
        self.begun = true;
        match self.fence {
            Some((open, least)) => {
                if self.opening && sign == '`' {
                    // A fence has no backtick behind it in its line: it was inline code.
                    (self.fence, self.opening, self.inline) = (None, false, Some(least));
                    self.toggle(length);
                } else {
                    self.closing = first && sign == open && length >= least;
                }
            }
            None if first && length >= 3 && self.inline.is_none() => (self.fence, self.opening) = (Some((sign, length)), true),
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
        // Inline code goes over the end of a line, and not over an empty one.
        if self.blank {
            self.inline = None;
        }
        (self.indent, self.begun, self.opening, self.command, self.prompt, self.blank) = (0, false, false, false, false, true);
    }
}

/// Schemes that need no `//` to take what follows somewhere.
const SCHEMES: &[&str] = &["http", "https", "ftp", "ftps", "ws", "wss", "mailto", "javascript", "ssh", "sftp", "git"];

/// Whether a word leads to a host: it ends at white space only, as a shell and most terminals have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    /// A scheme, a host with a path, a query, or something percent-encoded has been seen.
    url: bool,
    /// It has a `<` that is not closed: within `<…>` a URL goes on over spaces.
    angle: bool,
    /// The last letters, for schemes.
    letters: String,
    /// The label of a host that is being read: how long it is, and whether it is letters only, digits only.
    label: usize,
    alphabetic: bool,
    numeric: bool,
    /// How many labels came before it, joined by dots, and whether all were numbers.
    labels: usize,
    all_numeric: bool,
    /// A placeholder is a part of this run of labels.
    placeholder: bool,
    /// A host has just ended, by a `:`: a port, a path or a password may follow.
    host_colon: bool,
    /// A `?` or `&` and the name of a parameter.
    query: bool,
    /// A `%` and how many hexadecimal digits came behind it.
    percent: Option<usize>,
    last: Option<char>,
}

impl Word {
    pub(super) const fn is_url(&self) -> bool {
        self.url
    }

    /// So much without an end is not a word of prose.
    pub(super) const fn give_up(&mut self) {
        self.url = true;
    }

    /// Whether a character ends the word. A backslash before the end of a line joins words in a shell.
    pub(super) fn ends_at(&self, c: char) -> bool {
        if c.is_whitespace() {
            let joined = c == '\n' && self.last == Some('\\');
            return !(joined || self.url && self.angle && c != '\n');
        }
        // Scripts without spaces end their clauses like this. A URL that has begun goes on.
        !self.url && !c.is_ascii() && !c.is_alphanumeric() && !is_mark(c)
    }

    /// A character of the answer.
    pub(super) fn push(&mut self, c: char) {
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

    /// A placeholder stands here.
    pub(super) fn push_placeholder(&mut self) {
        self.url |= self.host_colon;
        (self.label, self.alphabetic, self.numeric) = (self.label + 1, false, false);
        self.placeholder = true;
        self.percent = None;
        self.letters.clear();
        self.last = Some('x');
    }

    /// The end of the word.
    pub(super) fn finish(&mut self) {
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

    /// Labels of a host: `evil.example`, `[NAME_1].evil.example`, `"[NAME_1]"@evil.example`, `192.0.2.7`.
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
            // A placeholder before these is still joined to the host behind them.
            '@' | ':' | '+' | '~' | '*' | '"' | '\'' | ')' | '}' | '\\' | ']' if self.placeholder => {
                self.url |= self.is_host();
                (self.labels, self.label) = (0, usize::from(!matches!(c, '@' | ':')));
                (self.alphabetic, self.numeric, self.all_numeric) = (false, false, false);
            }
            _ => {
                self.url |= self.placeholder && self.is_host();
                (self.labels, self.label, self.placeholder, self.all_numeric) = (0, 0, false, false);
            }
        }
    }

    /// Whether the run of labels so far is a host: it ends with letters, or it is four numbers.
    const fn is_host(&self) -> bool {
        (self.labels >= 1 && self.label >= 2 && self.alphabetic) || (self.labels == 3 && self.all_numeric && self.label > 0 && self.numeric)
    }
}

/// Accents and vowel signs that belong to the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{900}'..='\u{DFF}' | '\u{E30}'..='\u{EFF}')
}
