//! Saves a key from standard input, reads it back and deletes it: in the OS keyring, or in the vault
//! of a home if it has one, whose passphrase is in the file that `CHATBOT_PASSPHRASE_FILE` names.
//!
//! `cargo run --example keyring -- /path/to/home < key`

use chatbot::config::StoreSetting;
use chatbot::keys::stores::os_keyring::SlowNotice;
use chatbot::keys::stores::vault::NoPassphrase;
use chatbot::keys::{KeyManager, KeyringTimeouts, Slot, same_secret};
use chatbot::{Clock, Dirs, Secret};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::args_os().nth(1).ok_or("name a home folder")?;
    let manager = KeyManager::new(
        &Dirs::under_root(Path::new(&home))?,
        Clock::system(),
        StoreSetting::Auto,
        KeyringTimeouts {
            deadline: Duration::from_secs(15),
            // Nothing is cached in the kernel.
            remembered: Duration::ZERO,
            slow_notice: SlowNotice::new(|| ()),
        },
        Box::new(|_| passphrase().map_err(|error| NoPassphrase(error.to_string()))),
    );
    let slot = Slot::ApiKey {
        provider: "example".parse()?,
        profile: "default".parse()?,
    };
    let mut key = String::new();
    std::io::stdin().read_line(&mut key)?;
    // Wiped when it is dropped, and cannot be printed or cloned.
    let key = Secret::new(key.trim_end().to_owned());
    manager.store(&slot, &key)?;
    let kind = manager.selected_store()?.store.kind();
    let same = manager
        .get(&slot)?
        .is_some_and(|read| same_secret(&read, &key));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "saved in the {kind}; reading it back gives the same: {same}"
    )?;
    writeln!(out, "deleted: {}", manager.remove(&slot)?)?;
    Ok(())
}

fn passphrase() -> Result<Secret, Box<dyn Error>> {
    let file = std::env::var_os("CHATBOT_PASSPHRASE_FILE").ok_or("there is no passphrase file")?;
    let text = std::fs::read_to_string(file)?;
    Ok(Secret::new(text.trim_end_matches('\n').to_owned()))
}
