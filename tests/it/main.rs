//! The house from outside, a chapter a noun.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by failing"
)]

mod harness;
/// The files of `src/` as tokens, paths and an import graph.
mod source;

/// Layers, import cycles, owners of external crates, exposed secrets.
mod architecture;
/// One question: what goes out, what comes back, and how it ends.
mod ask;
/// Backups: written, brought back, broken, hostile.
mod backup;
/// The conversation on a terminal.
mod chat;
/// What is started from here, and what it is given.
mod child_processes;
/// The settings file and the audit log, from outside.
mod config;
/// Conversations: listed, searched, moved about, damaged, sealed anew.
mod conversations;
/// A message in the user's editor: where its text lies, and that none of it stays.
mod editor;
/// Sealed files: read piece by piece, kept through kills, one taken for no other.
mod encrypted_files;
/// Another process of the same user tries to look into every command while it runs.
#[cfg(target_os = "linux")]
mod hardening;
/// Every help page, and every command that a hint names.
mod help;
/// Conversations at rest, from outside: listed, shown, removed, damaged, closed.
mod history;
/// Hostile files for `history import`: memory and time stay within the size of the file.
mod hostile_imports;
/// Keys out of the environment and other programs' files.
mod import;
/// Something went wrong: stop, look, keep the evidence, come back.
mod incident;
/// Who keeps the keys: the real keyring in all its states, and no store weaker than the chosen one.
mod key_stores;
/// Keys in a real Secret Service: seen from outside, locked, silent, absent.
mod keyring;
/// What the OS keyring gave a moment ago, and when it is not given again.
mod keyring_cache;
/// The keys of providers: stored, shown, asked about, removed.
mod keys;
/// A kill at every single write of what changes keys.
mod kill_points;
/// The test this product is for: nothing private leaves, whatever is done and whatever goes wrong.
mod leaks;
/// How often and how much, whoever asks at once and whatever happens to the state.
mod limits;
/// A key by way of the browser.
mod login;
/// What stays in memory, and no core file.
mod memory;
/// Backups in object storage: a folder, WebDAV, and a real server that speaks S3.
mod object_storage;
/// The redactor held against labelled texts.
mod privacy;
/// How a provider is asked, and every way in which it can fail.
mod provider;
/// Every way in which a provider can fail, from outside.
mod provider_failures;
/// A documented Python program decrypts a conversation.
mod python;
/// The commands, settings and links in the README and in `docs/` work.
mod readme;
/// The day the key store is lost.
mod recovery;
/// `redact` as a filter.
mod redact;
/// Another key for everything that was kept.
mod rekey;
mod rollback;
/// A new key for an old one.
mod rotation;
/// Keys of service accounts, swapped by an admin key.
mod service_accounts;
/// What the program keeps of itself, when it goes badly.
mod state_files;
/// What happens when the power goes, and when everybody comes at once.
mod stress;
/// The promises the types make, asked of the compiler.
mod style;
/// Backups whose seals are right, and what is sealed is not.
mod tampered_backups;
/// What reaches a terminal, and in what form.
mod terminal;
mod types;
/// Money to the last billionth, and a log that cannot be quietly edited.
mod usage_and_audit;
/// The vault: made, opened, damaged, opened by Python.
mod vault;
