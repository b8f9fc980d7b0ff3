//! The binary tested from outside, one module for each feature.

#![expect(
    clippy::too_many_lines,
    reason = "a test that tries every case of a table is long"
)]
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

/// Answers rendered on a terminal, and what is shown until they come.
mod answer_screen;
/// Layers, import cycles, owners of external crates, exposed secrets.
mod architecture;
/// `chatbot ask`: the request, the output and the exit codes.
mod ask;
/// Pictures and PDFs as attachments.
mod attachments;
/// Backups: write, verify and restore them, and refuse damaged and hostile ones.
mod backup;
/// `chatbot chat` on a terminal.
mod chat;
/// The environment, the arguments and the limits of child processes.
mod child_processes;
/// The ledger of promises: each has a test, and a change that the test notices.
mod claims;
/// Command lines without a command, `help`, and hints for unknown words.
mod command_line;
/// Completion in bash, zsh and fish.
mod completions;
/// The settings file, and how the program reacts to invalid settings.
mod config;
/// Long conversations: the context window, summaries and copies.
mod context;
/// The timers in `contrib/`.
mod contrib;
/// Saved conversations: list, search, export, import and re-encrypt them, and survive damage.
mod conversations;
/// `chatbot data`: everything in one encrypted file, and nothing left.
mod data;
/// `chatbot doctor`: a healthy home, one fault of each kind, a machine with nothing.
mod doctor;
/// The commands, settings and links in every document.
mod documents;
/// Messages in the user's editor, which must not stay on disk.
mod editor;
/// Every connection of every command.
mod egress;
/// Encrypted files: constant memory, no loss when killed, and no token accepted in another place.
mod encrypted_files;
/// Everything in `examples/` and `contrib/` runs.
mod examples;
/// `chatbot exec`: a program with a token instead of the key.
mod exec;
/// The first start, and what it asks.
mod first_run;
/// Attempts of another process of the same user to read the memory of every command.
#[cfg(target_os = "linux")]
mod hardening;
/// Help pages, and the commands that hints name.
mod help;
/// Hints of errors.
mod hints;
/// `chatbot history`: list, show and delete conversations, and refuse unsafe folders.
mod history;
/// Hostile files for `history import`: memory and time stay proportional to the size of the file.
mod hostile_imports;
/// Keys from the environment and from files of other programs.
mod import;
/// `chatbot incident`: lockdown, assessment, evidence and recovery.
mod incident;
/// The input line of the chat: attachments, completion, lists to pick from, the clipboard.
mod input_line;
/// The choice of the key store, with a real keyring in all its states.
mod key_stores;
/// Keys in a real Secret Service that is open, locked, silent or absent.
mod keyring;
/// The cache of the OS keyring in the kernel, and when it is dropped.
mod keyring_cache;
/// API keys: store, show, check and delete them.
mod keys;
/// Kills at every write of the commands that change keys.
mod kill_points;
/// Leak search: no key and no private data leaves the program, whatever fails.
mod leaks;
/// Leaks through the proxy and `exec`.
mod leaks_proxy;
/// Rate limits and budgets under parallel requests and damaged state files.
mod limits;
/// `chatbot key login` in the browser.
mod login;
/// Manual pages, and what the program says about how it was built.
mod man;
/// Copies of a key in memory, and core files.
mod memory;
/// `chatbot models`: list, cache and order.
mod models;
/// Backups in object storage: a folder, WebDAV, and a real S3 server.
mod object_storage;
/// The picture of a session in the README.
mod picture;
/// Redaction measured against labelled texts.
mod privacy;
/// The provider client: requests, streaming, retries and errors.
mod provider;
/// Provider failures from the command line.
mod provider_failures;
/// `chatbot proxy`: tokens, requests and answers of other programs.
mod proxy;
/// The accounts of the proxy: every route, however a request ends.
mod proxy_accounts;
/// Clients of the proxy in `examples/`, and the figures and tables of its page in `docs/`.
mod proxy_clients;
/// Recordings pass through the proxy while they arrive.
mod proxy_forms;
/// The proxy under load, and attacks that hold it up or take its place.
mod proxy_load;
/// The owner's page of the proxy in a real browser.
mod proxy_page;
/// `chatbot proxy setup`: the settings of editors, and the way back.
mod proxy_setup;
/// Recovery of the data key from a file or from paper.
mod recovery;
/// `chatbot redact` as a filter.
mod redact;
/// Re-encryption of everything with a new data key.
mod rekey;
/// Resumed conversations.
mod resume;
/// Roles, aliases and the options of requests in the settings.
mod roles;
/// An older copy of the state is detected.
mod rollback;
/// Rotation of API keys.
mod rotation;
/// `chatbot scan`: transcripts of other tools and any files.
mod scan;
/// Rotation of service account keys with an admin key.
mod service_accounts;
/// State files on a full disk, with open permissions, a moved clock or damaged content.
mod state_files;
/// Kills at random moments, and many processes at once.
mod stress;
/// Schemas, event lines, batches and the request on the screen.
mod structured;
/// The promises the types make, asked of the compiler.
mod style;
/// Backups whose seals are right, and what is sealed is not.
mod tampered_backups;
/// Correcting the redactor: `allow`, `never`, and the reasons of findings.
mod teach;
/// Hostile text on the terminal.
mod terminal;
mod types;
/// Questions that got no answer.
mod unanswered;
/// Exact costs, and a tamper-evident audit log.
mod usage_and_audit;
/// The vault: create, unlock, damage and decrypt it in Python.
mod vault;
/// A vault that needs a key file or a device too.
mod vault_factors;
/// The files in `docs/vectors/`, read by the program and by other programs.
mod vectors;
