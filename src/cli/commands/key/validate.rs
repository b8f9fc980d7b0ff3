//! `key validate`: asks providers about their keys, at most once an hour for each key.

use super::set::event;
use super::{Target, Whose, said, target, target_of};
use crate::cli::app::App;
use crate::cli::network::runtime;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::Style;
use crate::clock::{Time, in_words};
use crate::keys::{Record, Slot, Status};
use crate::ledger::{Severity, What};
use crate::privacy::Displayable;
use crate::privacy::Raw;
use crate::provider::{Standing, Verdict, verify};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;
use std::time::Duration;

/// A result is reused for this long.
const HOLDS: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Check all keys
    #[arg(long, conflicts_with_all = ["provider", "profile"])]
    all: bool,
    /// Check again even if the key was checked within the last hour
    #[arg(long)]
    force: bool,
    /// Allow sending this key to this host, although it looks like another provider's key
    #[arg(long, value_name = "HOST", conflicts_with = "all")]
    allow_host: Option<String>,
}

/// The result of a validation, which may be that none was made.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    words: String,
    standing: Option<Standing>,
}

impl Answer {
    pub(super) fn not_asked() -> Self {
        Self { status: Status::Unknown, words: String::from("not validated"), standing: None }
    }

    /// For a login: the provider has just created the key.
    pub(super) fn valid() -> Self {
        Self { status: Status::Valid, words: String::from("valid"), standing: None }
    }

    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Valid(standing) => Self { status: Status::Valid, words: String::from("valid"), standing: Some(standing) },
            // The provider knows the key, so it is not a wrong one; that it cannot be used for
            // messages is shown.
            Verdict::Restricted(why) => Self { status: Status::Valid, words: format!("valid, but {why}"), standing: None },
            Verdict::Invalid(why) => Self { status: Status::Invalid, words: format!("invalid: {why}"), standing: None },
            Verdict::Unknown(why) => Self { status: Status::Unknown, words: format!("unknown: {why}"), standing: None },
        }
    }

    pub(super) fn sentence(&self) -> String {
        self.words.clone()
    }

    /// Records the result. If the provider could not be asked, the earlier result stays.
    pub(super) fn write(&self, record: &mut Record, now: Time) {
        if self.status == Status::Unknown {
            return;
        }
        record.status = self.status;
        record.last_validated = Some(now);
        if let Some(standing) = &self.standing {
            record.expires_at = standing.expires_at;
            record.remaining = standing.remaining.map(|left| left.0);
            record.limit = standing.limit.map(|limit| limit.0);
            // The provider's label may be the key with its middle left out: it is not stored.
            record.label = standing.label.clone().filter(|label| !label.contains("...") && !label.starts_with("sk-"));
        }
    }
}

/// Validates a key with its provider.
pub(super) fn ask(app: &mut App, target: &Target, key: &Secret) -> Result<Answer> {
    let reach = app.reach()?;
    let verdict = runtime()?.block_on(verify(&target.endpoint, key, reach))?;
    let answer = Answer::of(verdict);
    let severity = if answer.status == Status::Invalid { Severity::Warning } else { Severity::Info };
    let store = app.keys_kind();
    app.note_of_keys(&event(What::KeyValidated, target, &store).severity(severity).word("status", &answer.status.to_string()));
    Ok(answer)
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let targets = if options.all { every(app)? } else { vec![target(app, &options.whose)?] };
    if targets.is_empty() {
        return Err(target(app, &options.whose)?.missing());
    }
    if let (Some(host), [target]) = (&options.allow_host, targets.as_slice()) {
        allow(app, target, host)?;
    }
    let mut worst = None;
    for target in &targets {
        let status = one(app, target, options.force)?;
        worst = match (worst, status) {
            (Some(Exit::Key), _) | (_, Status::Invalid) => Some(Exit::Key),
            (_, Status::Unknown) => Some(Exit::Network),
            (worst, Status::Valid) => worst,
        };
    }
    // The lines above have the reasons.
    worst.map_or(Ok(()), |exit| Err(Quiet(exit).into()))
}

/// Allows the key in a variable to be sent to the host of the settings, which the command line
/// repeats as a confirmation.
fn allow(app: &mut App, target: &Target, host: &str) -> Result<()> {
    let there = target.endpoint.host();
    if !there.eq_ignore_ascii_case(host) {
        let shown = Raw::from(host).printable();
        bail!(
            Problem::misuse(format!("`{}` is at `{there}`, not at `{shown}`", target.endpoint.name))
                .hint(format!("check `base_url` in `[providers.{}]` of the settings", target.endpoint.name))
        );
    }
    let Some(key) = super::show::find(app, target)? else { bail!(target.missing()) };
    if key.stored {
        bail!(
            Problem::misuse(format!("the key for {} is saved, and is sent only to the host it was saved for", target.said()))
                .hint(format!("save it again with `chatbot key set{} --force`", target.options()))
        );
    }
    app.allow_host(&target.endpoint, &key.secret)
}

/// Every known key, saved or in a variable.
fn every(app: &mut App) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for entry in super::list::entries(app)? {
        targets.push(target_of(app, &entry.provider, &entry.profile)?);
    }
    Ok(targets)
}

fn one(app: &mut App, target: &Target, force: bool) -> Result<Status> {
    let now = app.clock.now();
    let line = |app: &App, status: Status, words: &str| {
        let style = match status {
            Status::Valid => Style::Green,
            Status::Invalid => Style::Red,
            Status::Unknown => Style::Yellow,
        };
        app.ui.out(Displayable::from(target.said().replace('`', "")) + ": " + app.ui.paint(style, words) + "\n")
    };
    let record = app.keys()?.custody().book()?.and_then(|book| book.record(&target.slot).cloned());
    if let Some(record) = &record
        && let Some(at) = record.last_validated.filter(|at| !force && *at <= now && now.since(*at) < HOLDS)
    {
        line(app, record.status, &format!("{}, checked {} ago", record.status, in_words(now.since(at))))?;
        return Ok(record.status);
    }
    let Some(key) = super::show::find(app, target)? else { bail!(target.missing()) };
    if key.stored {
        app.must_be_bound(&target.endpoint, &target.slot, &key.secret)?;
    } else {
        app.refuse_a_foreign_key(&target.endpoint, &key.secret, target.variable.as_deref())?;
    }
    let answer = ask(app, target, &key.secret)?;
    if key.stored {
        app.keys()?.custody().change_book(|book| {
            if let Some(record) = book.record_mut(&target.slot) {
                answer.write(record, now);
            }
        })?;
    }
    line(app, answer.status, &answer.sentence())?;
    Ok(answer.status)
}

/// Warnings about a key when a chat begins; empty if there are none.
pub(crate) fn notices(app: &mut App, provider: &crate::Name, profile: &crate::Name) -> Result<Vec<String>> {
    let slot = Slot::ApiKey { provider: provider.clone(), profile: profile.clone() };
    let rotate_after = app.settings()?.keys.rotate_after_days;
    let now = app.clock.now();
    let Some(book) = app.keys()?.custody().book()? else { return Ok(Vec::new()) };
    let Some(record) = book.record(&slot) else { return Ok(Vec::new()) };
    let troubles = record.troubles(now, rotate_after);
    Ok(troubles.iter().map(|trouble| format!("the key for {} {trouble}", said(provider, profile))).collect())
}
