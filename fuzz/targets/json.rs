#![no_main]

use chatbot::conversations::import::{Source, read_as};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(read_as(Source::Json, bytes, &mut |conversation| drop(conversation.origin(Source::Json))));
});
