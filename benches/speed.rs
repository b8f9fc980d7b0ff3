//! What the speed promises are measured with.

fn main() {
    divan::main();
}

/// Hearing an answer.
mod stream {
    use chatbot::provider::{Heard, replay};
    use divan::{Bencher, counter::ItemsCount};

    const CHUNKS: usize = 5_000;

    /// A stream as a router sends it: 5,000 chunks of six letters, a bill, the end.
    fn recorded() -> String {
        let chunk = r#"data: {"id":"gen-1790000000-abcdefghijklmnop","provider":"Maker","model":"maker/model-1","object":"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":"assistant","content":"words "},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#;
        let bill =
            r#"data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":21,"completion_tokens":9,"total_tokens":30,"cost":0.000147}}"#;
        format!("{}{bill}\n\ndata: [DONE]\n\n", format!("{chunk}\n\n").repeat(CHUNKS))
    }

    /// Parse a stream of 5,000 chunks, in pieces of so many bytes.
    #[divan::bench(args = [300, 16_384])]
    fn parse_5000_chunks(bencher: Bencher<'_, '_>, piece: usize) {
        let recorded = recorded();
        bencher.counter(ItemsCount::new(CHUNKS)).bench(|| {
            let mut heard = 0;
            let answer = replay(recorded.as_bytes(), piece, &mut |said| {
                if let Heard::Text(text) = said {
                    heard += text.len();
                }
            });
            assert!(answer.is_some() && heard == CHUNKS * 6);
            heard
        });
    }
}
