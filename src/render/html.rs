//! Markdown as HTML, for an exported page. The page can show nothing but the text: HTML in the text
//! is escaped, links lead to the web or to a mail address only, and images are named, because to load
//! one would tell its server who reads the page.

use super::link::clickable;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

/// The HTML of a Markdown text, without the page around it.
#[must_use]
pub fn to_html(markdown: &str) -> String {
    let options =
        Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    // Whether each of the open links is one in the page.
    let mut links = Vec::new();
    let events = Parser::new_ext(markdown, options).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let address = clickable(&dest_url);
            links.push(address.is_some());
            let tag = address.map_or_else(String::new, |address| start_tag(&address));
            Event::InlineHtml(CowStr::from(tag))
        }
        Event::End(TagEnd::Link) => {
            let is_link = links.pop() == Some(true);
            Event::InlineHtml(CowStr::from(if is_link { "</a>" } else { "" }))
        }
        Event::Start(Tag::Image { .. }) => Event::InlineHtml(CowStr::from("[image: ")),
        Event::End(TagEnd::Image) => Event::InlineHtml(CowStr::from("]")),
        event => event,
    });
    let mut html = String::with_capacity(markdown.len() + markdown.len() / 4);
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// The start tag of a link to an address that has been checked.
fn start_tag(address: &str) -> String {
    let address = address.replace('&', "&amp;").replace('\'', "&#39;");
    format!("<a href=\"{address}\" rel=\"noopener noreferrer\">")
}
