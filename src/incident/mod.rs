//! The response to a suspected leak: an assessment of what may have been exposed, and the evidence
//! as one encrypted file.

pub mod recovery;

use crate::audit::EventKind;
use crate::audit::log::{self, AuditLog};
use crate::conversations::{self, Archive};
use crate::crypto::encoding::hex;
use crate::crypto::fernet::{self, DataKeys, Purpose};
use crate::crypto::file_header::{FileFormat, KeyDerivation};
use crate::crypto::kdf::{self, KdfParams};
use crate::dirs::Dirs;
use crate::fs;
use crate::message::Role;
use crate::privacy::{Placeholders, Redactor};
use crate::secret::Secret;
use crate::time::Time;
use crate::usage::UsageLog;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The format name in the first line of an evidence file.
const FORMAT: &str = "chatbot-evidence";
/// The format version that this program writes.
const VERSION: u32 = 1;

/// An error of an assessment or of an evidence file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// The conversations cannot be read.
    #[error("{0}")]
    Archive(#[from] conversations::Error),
    /// The audit log cannot be read.
    #[error("{0}")]
    Audit(#[from] log::Error),
    /// No key can be derived from the passphrase.
    #[error("{0}")]
    Passphrase(#[from] kdf::Error),
    /// The file is damaged, or the passphrase is wrong.
    #[error("{0}")]
    Seal(#[from] fernet::Error),
    /// The file is not an evidence file.
    #[error("`{0}` is not an evidence file")]
    InvalidBundle(String),
    /// The operating system provides no random numbers.
    #[error("cannot get random numbers from the operating system")]
    Random,
}

/// An assessment: what may have been exposed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// The beginning of the period; `None` for everything.
    pub since: Option<Time>,
    /// The number of conversations.
    pub conversations: usize,
    /// How many of them changed in the period.
    pub changed: usize,
    /// How many of those could be decrypted.
    pub opened: usize,
    /// The number of messages in them.
    pub messages: usize,
    /// How many messages of the user contain private data by the current rules.
    pub unredacted: usize,
    /// The number of findings in them, by kind.
    pub values: BTreeMap<String, usize>,
    /// The number of backups in the backup folder, and how many of them were made in the period.
    pub backups: [usize; 2],
    /// The requests in the period, by provider.
    pub requests: BTreeMap<String, u64>,
    /// The noteworthy audit events in the period, by name.
    pub events: BTreeMap<String, usize>,
}

/// Assesses all saved data. Without an archive (no key store is available) it counts only what
/// needs no key.
pub fn assess(
    home: &Dirs,
    archive: Option<&Archive>,
    redactor: &Redactor,
    log: &AuditLog,
    since: Option<Time>,
) -> Result<Assessment, Error> {
    let from = since.unwrap_or(Time::from_millis(0));
    let late = |ms: i64| ms >= from.millis();
    let files = fs::list(&home.conversations())?;
    let files: Vec<_> = files
        .into_iter()
        .filter(|f| f.name.ends_with(conversations::EXTENSION))
        .collect();
    let mut found = Assessment {
        since,
        conversations: files.len(),
        ..Assessment::default()
    };
    for file in files.iter().filter(|f| late(f.modified_ms)) {
        found.changed += 1;
        let id = file
            .name
            .strip_suffix(conversations::EXTENSION)
            .and_then(|id| id.parse().ok());
        // The difference between `changed` and `opened` is the number that cannot be decrypted.
        let Some(Ok(stored)) = archive.zip(id).map(|(archive, id)| archive.read(&id)) else {
            continue;
        };
        found.opened += 1;
        for message in stored.messages {
            found.messages += 1;
            let (_, findings) = redactor.redact(message.text, &mut Placeholders::default());
            if message.role == Role::User && !findings.is_empty() {
                found.unredacted += 1;
                for (kind, many) in findings.counts() {
                    *found.values.entry(kind).or_default() += many;
                }
            }
        }
    }
    let mut backups = fs::list(&home.backups())?;
    backups.retain(|f| f.name.ends_with(".backup"));
    found.backups = [
        backups.len(),
        backups.iter().filter(|f| late(f.modified_ms)).count(),
    ];
    UsageLog::new(home.state()).read(from, |entry| {
        if !entry.correction {
            *found.requests.entry(entry.provider).or_default() += 1;
        }
    })?;
    // A request without an answer is not in the usage log, but was sent: take the higher count.
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    log.read(|record, _| {
        if record.at >= from && record.event == EventKind::Sent.name() {
            *sent.entry(record.word("provider").to_owned()).or_default() += 1;
        }
        let matters = record.severity != "info" || record.event.starts_with("key.");
        if record.at >= from && matters {
            *found.events.entry(record.event).or_default() += 1;
        }
    })?;
    for (provider, many) in sent {
        let known = found.requests.entry(provider).or_default();
        *known = many.max(*known);
    }
    Ok(found)
}

#[derive(Serialize, Deserialize)]
struct EvidenceHeader {
    #[serde(flatten)]
    format: FileFormat,
    #[serde(flatten)]
    derivation: KeyDerivation,
}

impl EvidenceHeader {
    fn data_keys(&self, passphrase: &Secret) -> Result<DataKeys, Error> {
        let key = self.derivation.derive(passphrase)?;
        Ok(DataKeys::from_bytes(&key)?.for_purpose(Purpose::Evidence)?)
    }
}

/// Collects the evidence: logs, the assessment, and size and hash of every file. The content of
/// conversations is not included. `more` is added by the caller.
pub fn collect_evidence(
    home: &Dirs,
    assessment: &Assessment,
    more: &Value,
    now: Time,
) -> Result<Value, Error> {
    let mut files = BTreeMap::new();
    let mut logs = BTreeMap::new();
    for folder in [
        home.state().to_path_buf(),
        home.data().to_path_buf(),
        home.conversations(),
        home.backups(),
    ] {
        for file in fs::list(&folder)? {
            let path = folder.join(&file.name);
            let open = fs::is_open_to_others(&path);
            // An unreadable file is evidence too.
            let Ok(bytes) = fs::read_external(&path, u64::MAX - 1) else {
                files.insert(path.display().to_string(), json!({ "unreadable": true }));
                continue;
            };
            let sha256 = hex(&Sha256::digest(&bytes));
            let entry = json!({ "bytes": file.bytes, "modified": Time::from_millis(file.modified_ms), "sha256": sha256, "open_to_others": open });
            files.insert(path.display().to_string(), entry);
            if folder == home.state()
                && (file.name.starts_with("audit")
                    || file.name.starts_with("usage")
                    || file.name == "alerts.json")
            {
                logs.insert(
                    file.name,
                    Value::String(String::from_utf8_lossy(&bytes).into_owned()),
                );
            }
        }
    }
    Ok(json!({
        "format": FORMAT, "version": VERSION, "made_at": now, "program": env!("CARGO_PKG_VERSION"),
        "assessment": assessment, "files": files, "logs": logs, "more": more,
    }))
}

/// Encrypts the evidence with a passphrase. The file has two lines: a header in JSON, and a token.
pub fn write_evidence(
    path: &Path,
    evidence: &Value,
    passphrase: &Secret,
    cost: KdfParams,
    now: Time,
) -> Result<(), Error> {
    let header = EvidenceHeader {
        format: FileFormat::new(FORMAT, VERSION),
        derivation: KeyDerivation::new(cost).map_err(|_| Error::Random)?,
    };
    let token = header
        .data_keys(passphrase)?
        .encrypt(evidence.to_string().as_bytes(), now);
    let line = serde_json::to_string(&header).unwrap_or_default();
    // The user can choose any folder; the file itself is created private.
    let mut draft = fs::AtomicFile::create_for(path)?;
    draft.write(format!("{line}\n{token}\n").as_bytes())?;
    Ok(draft.commit()?)
}

/// Decrypts an evidence file.
pub fn read_evidence<E: From<Error>>(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Secret, E>,
) -> Result<String, E> {
    let not_ours = || Error::InvalidBundle(path.display().to_string());
    let bytes = fs::read_external(path, 1 << 30).map_err(Error::from)?;
    let text = String::from_utf8(bytes).map_err(|_| not_ours())?;
    let (header, token) = text.split_once('\n').ok_or_else(not_ours)?;
    FileFormat::check(header.as_bytes(), FORMAT, VERSION).map_err(|_| not_ours())?;
    let header: EvidenceHeader = serde_json::from_str(header).map_err(|_| not_ours())?;
    let data_keys = header.data_keys(&passphrase()?)?;
    let plain = data_keys.decrypt(token.trim_end()).map_err(Error::from)?;
    Ok(String::from_utf8_lossy(&plain).into_owned())
}
