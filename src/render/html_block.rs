//! How a block of HTML begins and ends: section 4.6 of CommonMark. Its lines are shown as they are.

/// What ends a block of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HtmlEnd {
    BlankLine,
    /// A line that contains this text, in any case.
    Text(&'static str),
}

/// The tags that begin a block. Other tags do only if they are alone on their line.
const HTML_BLOCKS: &str = "address article aside base basefont blockquote body caption center col \
    colgroup dd details dialog dir div dl dt fieldset figcaption figure footer form frame \
    frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link main menu menuitem nav \
    noframes ol optgroup option p param search section summary table tbody td tfoot th thead \
    title tr track ul";

/// What ends the block of HTML that a line begins.
pub(super) fn html_end(text: &str, lazy: bool) -> Option<HtmlEnd> {
    let rest = text.strip_prefix('<')?;
    let fixed = [("!--", "-->"), ("?", "?>"), ("![CDATA[", "]]>")];
    if let Some((_, end)) = fixed.iter().find(|(begin, _)| rest.starts_with(begin)) {
        return Some(HtmlEnd::Text(end));
    }
    if rest
        .strip_prefix('!')
        .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return Some(HtmlEnd::Text(">"));
    }
    let closing = rest.starts_with('/');
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, after) = rest.split_at(length);
    let name = name.to_ascii_lowercase();
    let ends_name = after.is_empty() || after.starts_with([' ', '\t', '>']);
    let raw = [
        ("script", "</script>"),
        ("pre", "</pre>"),
        ("style", "</style>"),
        ("textarea", "</textarea>"),
    ];
    if let Some((_, end)) = raw
        .iter()
        .find(|(tag, _)| *tag == name && ends_name && !closing)
    {
        return Some(HtmlEnd::Text(end));
    }
    if (ends_name || after.starts_with("/>")) && HTML_BLOCKS.split(' ').any(|block| block == name) {
        return Some(HtmlEnd::BlankLine);
    }
    (!lazy && is_complete_tag(rest, closing)).then_some(HtmlEnd::BlankLine)
}

/// Whether a line is one tag, of any name, behind its `<` or `</`.
fn is_complete_tag(text: &str, closing: bool) -> bool {
    let Some(inside) = text.trim_end_matches([' ', '\t']).strip_suffix('>') else {
        return false;
    };
    let length = inside
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
        .count();
    let (name, mut rest) = inside.split_at(length);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return false;
    }
    if !closing {
        rest = rest.strip_suffix('/').unwrap_or(rest);
    }
    // Attributes: each a name, and perhaps a value.
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if trimmed.is_empty() {
            return true;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-');
        let after = trimmed.trim_start_matches(is_name);
        let starts =
            trimmed.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'));
        if closing || trimmed.len() == rest.len() || !starts {
            return false;
        }
        rest = after;
        if let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let value = value.trim_start_matches([' ', '\t']);
            let end = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    value.get(1..).and_then(|v| v.find(quote)).map(|n| n + 2)
                }
                _ => value
                    .find([' ', '\t', '"', '\'', '=', '<', '>', '`'])
                    .or(Some(value.len())),
            };
            match end.filter(|end| *end > 0).and_then(|end| value.get(end..)) {
                Some(tail) => rest = tail,
                None => return false,
            }
        }
    }
}
