#![no_main]

use chatbot::conversations::import::{ImportSource, read_as};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(read_as(ImportSource::ChatGpt, bytes, &mut |conversation| {
        drop(conversation.origin(ImportSource::ChatGpt));
    }));
});
