//! Secrets that are recognised by their name: `password = …`.

pub(super) mod affixes;
pub(super) mod assignment;
pub(super) mod char_stats;
pub(super) mod classify;
pub(super) mod command_output;
pub(super) mod common_words;
pub(super) mod dummy_values;
pub(super) mod field;
pub(super) mod field_names;
pub(super) mod field_value;
pub(super) mod http_headers;
pub(super) mod kubernetes;
pub(super) mod network_devices;
pub(super) mod non_latin;
pub(super) mod password_like;
pub(super) mod private_keys;
pub(super) mod prose;
pub(super) mod prose_nearby;
pub(super) mod prose_word;
pub(super) mod quotes;
pub(super) mod shell_commands;
pub(super) mod tables;
pub(super) mod urls;
pub(super) mod value_parser;
pub(super) mod wordlike;
