#![no_main]

use chatbot::render::{RenderOptions, Renderer, Theme, to_html};

/// Renders a text that is cut into pieces of `piece` characters.
fn render(options: RenderOptions, text: &str, piece: usize) -> String {
    let mut renderer = Renderer::new(options);
    let mut out = String::new();
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(piece) {
        renderer.push(&piece.iter().collect::<String>(), &mut out);
    }
    renderer.finish(&mut out);
    out
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [width, mode, piece, text @ ..] = bytes else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let options = RenderOptions {
        width: usize::from(*width),
        theme: [Theme::Dark, Theme::Light, Theme::Plain][usize::from(mode % 3)],
        hyperlinks: mode % 2 == 0,
    };
    let out = render(options, &text, usize::MAX);
    assert_eq!(render(options, &text, 1 + usize::from(*piece)), out);
    for line in out.split('\n') {
        let mut parts = line.split('\x1b');
        let first = parts.next().unwrap_or_default();
        assert!(first.chars().all(|c| c == '\t' || !c.is_control()));
        let (mut styled, mut linked) = (false, false);
        for part in parts {
            let text = if let Some(codes) = part.strip_prefix('[') {
                let (codes, text) = codes.split_once('m').expect("a style");
                assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'));
                styled = codes != "0";
                text
            } else if let Some(address) = part.strip_prefix("]8;;") {
                let lower = address.to_ascii_lowercase();
                let schemes = ["http://", "https://", "mailto:"];
                assert!(address.is_empty() || schemes.iter().any(|scheme| lower.starts_with(scheme)));
                linked = !address.is_empty();
                ""
            } else {
                part.strip_prefix('\\').expect("the end of an address")
            };
            assert!(text.chars().all(|c| c == '\t' || !c.is_control()));
        }
        assert!(!styled && !linked, "{line:?} has an open style");
    }
    drop(to_html(&text));
});
