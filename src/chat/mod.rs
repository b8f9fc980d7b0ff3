//! A conversation in progress. [`Session::say`] is the only way to send a message.

mod error;
mod hearing;
mod money;
mod passage;
mod past;
mod watcher;

pub use error::Error;
pub use money::{Cost, Price, Pricing};
pub use past::Past;
pub use watcher::Watcher;

use crate::archive::{self, Conversation, Note, Stored};
use crate::clock::Clock;
use crate::ledger::audit::{self, Audit};
use crate::ledger::budget::{Fill, Own, Purse};
use crate::ledger::{Event, Severity, What, usage};
use crate::limit::{Backoff, Level, Limiter, Lockdown};
use crate::message::{Message, Role};
use crate::privacy::validate::{self, Refusal, Rules};
use crate::privacy::{Audience, Findings, Placeholders, Raw, Redacted, Redactor};
use crate::provider::{Answer, Provider, Wish};
use hearing::{Hearing, Kept};
use passage::Pass;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

/// The user's input: typed text and attached text.
#[derive(Clone, Debug)]
pub struct Said {
    /// Typed text.
    pub typed: Raw,
    /// Attached or piped text.
    pub attached: Raw,
}

impl Said {
    /// Input without an attachment.
    #[must_use]
    pub fn typed(text: Raw) -> Self {
        Self { typed: text, attached: Raw::from(String::new()) }
    }

    /// Typed text, a blank line, and the attachment as a single text.
    fn whole(mut self) -> Raw {
        if self.typed.is_empty() {
            return self.attached;
        }
        if !self.attached.is_empty() {
            self.typed.push(&Raw::from("\n\n"));
            self.typed.push(&self.attached);
        }
        self.typed
    }
}

/// Settings that apply to every message of a session.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The limits of typed text.
    pub rules: Rules,
    /// The most messages in a conversation.
    pub max_messages: usize,
    /// Do not save messages with findings.
    pub drop_findings: bool,
    /// Ask before sending a message with findings.
    pub ask_on_secret: bool,
    /// Who sees restored values; `None` (a pipe) leaves placeholders as they are.
    pub restore: Option<Audience>,
    /// The profile of the key, for the usage record.
    pub profile: String,
    /// Wait when a limit is reached, instead of failing.
    pub wait: bool,
    /// Allow a model with unknown price although a budget is set.
    pub allow_unknown_price: bool,
}

/// The components that process a message.
#[derive(Debug)]
pub struct Machines {
    /// Finds and replaces private values.
    pub redactor: Arc<Redactor>,
    /// Stops all sending during an incident.
    pub lockdown: Lockdown,
    /// Enforces the rate limits.
    pub limiter: Limiter,
    /// Remembers the waiting times that providers asked for.
    pub backoff: Backoff,
    /// Enforces the budgets.
    pub purse: Purse,
    /// Looks up the prices of models.
    pub pricing: Pricing,
    /// Writes the audit log.
    pub audit: Audit,
    /// Reads the time.
    pub clock: Clock,
}

/// A conversation with a provider.
#[derive(Debug)]
pub struct Session<P> {
    provider: P,
    wish: Wish,
    manners: Manners,
    machines: Machines,
    placeholders: Placeholders,
    past: Past,
    conversation: Option<Conversation>,
    own: Own,
    /// The ids of this session's answers whose cost is estimated.
    own_estimates: Vec<String>,
}

/// The result of a message.
#[derive(Debug)]
pub struct Outcome {
    /// The answer as it was saved: redacted.
    pub text: Redacted,
    /// What was replaced in the message.
    pub findings: Findings,
    /// The provider's closing data; `None` if the user stopped the answer.
    pub answer: Option<Answer>,
    /// The user stopped the answer.
    pub stopped: bool,
    /// The duration of the request.
    pub took: Duration,
    /// The cost, if known or estimated.
    pub cost: Option<Cost>,
    /// The state of each rate limit, this message included.
    pub levels: [Level; 2],
    /// The state of the budgets.
    pub fills: Vec<Fill>,
    /// What could not be recorded, as sentences for the user.
    pub trouble: Vec<String>,
    /// How many secrets were shown in part that are shown whole on request.
    pub masked: usize,
}

impl<P: Provider> Session<P> {
    /// Creates a session that saves messages in `conversation`, or nowhere if it is `None`.
    pub fn new(provider: P, wish: Wish, manners: Manners, machines: Machines, conversation: Option<Conversation>) -> Self {
        let (placeholders, past, own) = (Placeholders::default(), Past::default(), Own::default());
        Self { provider, wish, manners, machines, placeholders, past, conversation, own, own_estimates: Vec::new() }
    }

    /// Loads stored messages. All of them are redacted again, because rules may have been added
    /// since they were stored.
    pub fn remember(&mut self, stored: Stored) {
        // A system prompt imported from another program is only displayed: sending it would change
        // answers without the user's knowledge.
        for message in stored.messages.into_iter().filter(|m| !(m.foreign && m.role == Role::System)) {
            let text = self.machines.redactor.redact_again(message.text, message.rules, &mut self.placeholders);
            self.past.add(Some(message.n), Message { role: message.role, text, at: message.at });
        }
    }

    /// Sets the system prompt. It is saved with the next message.
    pub fn instruct(&mut self, text: Raw) -> Findings {
        let (text, findings) = self.machines.redactor.redact(text, &mut self.placeholders);
        self.past.instruct(Message { role: Role::System, text, at: self.machines.clock.now() });
        findings
    }

    /// Returns exactly what would be sent for this message. Nothing is counted, saved or sent.
    pub fn preview(&mut self, said: Said) -> Result<String, Error> {
        self.check(&said)?;
        let (text, _) = self.machines.redactor.redact(said.whole(), &mut self.placeholders);
        let message = Message { role: Role::User, text, at: self.machines.clock.now() };
        let max_tokens = self.would_afford(&message)?;
        let mut said = self.past.messages().to_vec();
        said.push(message);
        let wish = Wish { max_tokens: max_tokens.or(self.wish.max_tokens), ..self.wish.clone() };
        Ok(self.provider.body(&said, &wish))
    }

    /// Sends one message: validate, redact, check limits and budgets, save, send, stream the
    /// answer.
    ///
    /// The message is saved before it is sent, so that a crash never loses what has left the
    /// machine.
    pub async fn say(&mut self, said: Said, watcher: &mut dyn Watcher, stop: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let mut stop = pin!(stop);
        self.machines.lockdown.check()?;
        let warnings = self.check(&said)?;
        for warning in &warnings {
            watcher.warned(warning);
        }
        let (message, findings) = self.redact(said.whole(), watcher)?;
        watcher.step(&format!("message: {} bytes after redaction, {} findings", message.text.as_str().len(), findings.len()));
        let pass = self.pass(Some(&message), watcher, stop.as_mut()).await?;
        if let Err(error) = self.keep_question(message, &findings) {
            self.hand_back(&pass);
            return Err(error);
        }
        let kept = self.hear(pass, watcher, stop).await?;
        Ok(Outcome { findings, ..kept })
    }

    /// Asks the last question again. Its previous answer is removed.
    pub async fn retry(&mut self, watcher: &mut dyn Watcher, stop: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let mut stop = pin!(stop);
        let question = self.past.last_question().ok_or(Error::NothingSaid)?;
        let pass = self.pass(None, watcher, stop.as_mut()).await?;
        if let Err(error) = self.forget_after(question) {
            self.hand_back(&pass);
            return Err(error);
        }
        self.hear(pass, watcher, stop).await
    }

    /// Removes the last question and its answer. Returns the question.
    pub fn undo(&mut self) -> Result<Redacted, Error> {
        let question = self.past.last_question().ok_or(Error::NothingSaid)?;
        let text = self.past.text(question).ok_or(Error::NothingSaid)?;
        match question.checked_sub(1) {
            Some(before) => self.forget_after(before)?,
            None => self.forget_all()?,
        }
        Ok(text)
    }

    fn check(&self, said: &Said) -> Result<Vec<String>, Error> {
        let have = self.past.len();
        if have >= self.manners.max_messages {
            return Err(Error::TooLong { have, most: self.manners.max_messages });
        }
        let refused = |refusal: Refusal| {
            self.note(&Event::new(What::Refused).severity(Severity::Warning).word("reason", refusal.code()));
            Error::Refused(refusal)
        };
        let rules = &self.manners.rules;
        // Attachments are limited in bytes where they are read.
        let along = Rules { max_chars: usize::MAX, ..*rules };
        let mut warnings = Vec::new();
        if !said.typed.is_empty() || said.attached.is_empty() {
            warnings.extend(validate::validate(&said.typed, rules).map_err(refused)?);
        }
        if !said.attached.is_empty() {
            warnings.extend(validate::validate(&said.attached, &along).map_err(refused)?);
        }
        Ok(warnings)
    }

    fn redact(&mut self, text: Raw, watcher: &mut dyn Watcher) -> Result<(Message, Findings), Error> {
        let (text, findings) = self.machines.redactor.redact(text, &mut self.placeholders);
        if !findings.is_empty() {
            let event = findings.counts().into_iter().fold(Event::new(What::Redacted), |e, (kind, n)| e.count(&kind, n));
            self.note(&event);
            watcher.redacted(&findings);
            if self.manners.ask_on_secret && !watcher.approves(&findings) {
                return Err(Error::Declined);
            }
        }
        Ok((Message { role: Role::User, text, at: self.machines.clock.now() }, findings))
    }

    fn keep_question(&mut self, message: Message, findings: &Findings) -> Result<(), Error> {
        let mut place = None;
        if (!self.manners.drop_findings || findings.is_empty())
            && let Some(conversation) = &mut self.conversation
        {
            let note = Note::default();
            let system = self.past.unkept_instruction();
            let mut lines: Vec<(&Message, &Note)> = system.iter().map(|m| (*m, &note)).collect();
            lines.push((&message, &note));
            let first = conversation.keep(&lines).map_err(Error::Question)?;
            let kept_system = lines.len() > 1;
            place = Some(first + u32::from(kept_system));
            if kept_system {
                self.past.instruction_kept(first);
            }
        }
        self.past.add(place, message);
        Ok(())
    }

    /// Records that a message is about to be sent. If that fails the message is not sent, unless
    /// the settings say that a missing record does not stop messages.
    async fn note_leaving(&self) -> Result<(), audit::Error> {
        let bytes: usize = self.past.messages().iter().map(|m| m.text.as_str().len()).sum();
        let leaving = Event::new(What::Sent).word("provider", self.provider.name().as_str()).word("model", &self.wish.model);
        let leaving = leaving.number("bytes", bytes);
        let log = &self.machines.audit;
        let noted = match log.add_at_once(&leaving) {
            Err(audit::Error::Busy(path)) => {
                let waiting = log.clone();
                // Another process holds the log. Wait on another thread, because this one runs the
                // event loop.
                tokio::task::spawn_blocking(move || waiting.add(&leaving)).await.unwrap_or(Err(audit::Error::Busy(path)))
            }
            noted => noted,
        };
        noted.or_else(|error| if log.is_required() { Err(error) } else { Ok(()) })
    }

    async fn hear(&mut self, pass: Pass, watcher: &mut dyn Watcher, stop: Pin<&mut impl Future<Output = ()>>) -> Result<Outcome, Error> {
        if let Err(error) = self.note_leaving().await {
            self.hand_back(&pass);
            return Err(Error::Audit(error));
        }
        let watch = self.machines.clock.stopwatch();
        let said = self.past.messages();
        let wish = Wish { max_tokens: pass.max_tokens.or(self.wish.max_tokens), ..self.wish.clone() };
        let bytes: usize = said.iter().map(|m| m.text.as_str().len()).sum();
        watcher.step(&format!("request to {}: {} messages, {bytes} bytes, streaming: {}", self.who(), said.len(), wish.stream));
        let mut hearing = Hearing::new(&self.machines, &self.placeholders, &self.manners, self.conversation.as_mut(), watcher);
        let mut hear = |heard| hearing.hear(heard);
        let result = tokio::select! {
            result = self.provider.answer(said, &wish, &mut hear) => Some(result),
            () = stop => None,
        };
        let (answer, failure) = match result {
            Some(Ok(answer)) => (Some(answer), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let complete = answer.as_ref().is_some_and(|a| a.complete);
        let Kept { raw, id, model, first, thought, masked, paused } = hearing.finish();
        let took = watch.elapsed();
        let first = first.map_or_else(|| "none".to_owned(), |first| format!("after {} ms", first.as_millis()));
        watcher.step(&format!("answer: first text {first}, {} bytes in {} ms, complete: {complete}", raw.len(), took.as_millis()));
        let model = self.answered_by(answer.as_ref().map(|a| a.model.clone()).or(model));
        let stopped = answer.is_none() && failure.is_none();
        let (text, found) = self.machines.redactor.redact(raw, &mut self.placeholders);
        let id = answer.as_ref().and_then(|a| a.id.clone()).or(id);
        let told = money::Told {
            answer: answer.as_ref(),
            failure: failure.as_ref(),
            model: &model,
            took,
            heard: text.as_str(),
            thought,
            paused,
            id,
        };
        let money::Booked { cost, fills, mut trouble } = self.book(&pass, &told);
        let spent = cost.map_or_else(|| "unknown".to_owned(), |c| format!("{} nano-dollars, estimated: {}", c.nanos, c.estimated));
        watcher.step(&format!("booked: cost {spent}; {} problems", trouble.len()));
        if !found.is_empty() && self.manners.drop_findings {
            trouble.push("the answer contains private data and was not saved".to_owned());
        }
        let keep = !self.manners.drop_findings || found.is_empty();
        let since = self.machines.clock.stopwatch();
        let kept = self.keep_answer(&text, &Note { model: Some(usage::model(&model)), cut: !complete, ..Note::default() }, keep);
        watcher.step(&format!(
            "answer saved: {}, in {} us",
            kept.is_ok() && keep && self.conversation.is_some(),
            since.elapsed().as_micros()
        ));
        if answer.is_some() {
            trouble.extend(self.correct().await);
        }
        match (failure, kept) {
            (Some(failure), _) => Err(Error::Provider(failure)),
            (None, Err(error)) => Err(Error::Answer(error)),
            (None, Ok(())) => {
                let levels = pass.levels;
                Ok(Outcome { text, findings: Findings::default(), answer, stopped, took, cost, levels, fills, trouble, masked })
            }
        }
    }

    /// The model that answered, as the provider named it. A name with findings is not recorded.
    fn answered_by(&self, named: Option<String>) -> String {
        let fit = |name: &String| self.machines.redactor.redact(Raw::from(name.as_str()), &mut Placeholders::default()).1.is_empty();
        named.filter(|name| *name == self.wish.model || fit(name)).unwrap_or_else(|| self.wish.model.clone())
    }

    fn keep_answer(&mut self, text: &Redacted, note: &Note, keep: bool) -> Result<(), archive::Error> {
        if text.as_str().is_empty() {
            return Ok(());
        }
        let message = Message { role: Role::Assistant, text: text.clone(), at: self.machines.clock.now() };
        let place = match &mut self.conversation {
            Some(conversation) if keep => Some(conversation.keep(&[(&message, note)])?),
            Some(conversation) => conversation.forget_partial().map(|()| None)?,
            None => None,
        };
        self.past.add(place, message);
        Ok(())
    }

    fn note(&self, event: &Event) {
        // An unwritable log does not stop the conversation here: recording the request itself
        // reports the error.
        self.machines.audit.add(event).unwrap_or_default();
    }

    fn forget_after(&mut self, place: usize) -> Result<(), Error> {
        if let Some(n) = self.past.forget_after(place)
            && let Some(conversation) = &mut self.conversation
        {
            conversation.forget_from(n)?;
        }
        Ok(())
    }

    fn forget_all(&mut self) -> Result<(), Error> {
        if let Some(n) = self.past.forget_all()
            && let Some(conversation) = &mut self.conversation
        {
            conversation.forget_from(n)?;
        }
        Ok(())
    }
}

impl<P> Session<P> {
    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The conversation that messages are saved in, if any.
    #[must_use]
    pub const fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// Renames the saved conversation.
    pub fn rename(&mut self, title: &Redacted) -> Result<(), Error> {
        self.conversation.as_mut().map_or(Ok(()), |c| c.rename(title).map_err(Error::Archive))
    }

    /// Saves all messages so far, and those to come, in a new conversation.
    pub fn keep_in(&mut self, mut conversation: Conversation) -> Result<(), Error> {
        let note = Note::default();
        let lines: Vec<(&Message, &Note)> = self.past.iter().map(|m| (m, &note)).collect();
        if !lines.is_empty() {
            let first = conversation.keep(&lines)?;
            self.past.all_kept(first);
        }
        self.conversation = Some(conversation);
        Ok(())
    }

    /// Switches provider and model for the following messages.
    pub fn turn_to(&mut self, provider: P, wish: Wish, pricing: Pricing, profile: String) {
        (self.provider, self.wish, self.machines.pricing, self.manners.profile) = (provider, wish, pricing, profile);
    }

    /// The messages so far.
    #[must_use]
    pub const fn past(&self) -> &Past {
        &self.past
    }

    /// The placeholders of this conversation.
    #[must_use]
    pub const fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The options of the next requests.
    pub const fn wish(&mut self) -> &mut Wish {
        &mut self.wish
    }

    /// The settings of the session.
    pub const fn manners(&mut self) -> &mut Manners {
        &mut self.manners
    }

    /// Sets what this conversation cost before this session.
    pub const fn spent_before(&mut self, nanos: i64) {
        self.own.conversation = nanos;
    }

    /// Sets what this run of the program spent before this session.
    pub const fn spent_by_command(&mut self, nanos: i64) {
        self.own.command = nanos;
    }

    /// The budgets.
    pub const fn purse(&mut self) -> &mut Purse {
        &mut self.machines.purse
    }

    /// What was spent in this session.
    #[must_use]
    pub const fn own(&self) -> Own {
        self.own
    }

    /// Replaces the redactor, after the user changed what is redacted.
    pub fn use_redactor(&mut self, redactor: Arc<Redactor>) {
        self.machines.redactor = redactor;
    }

    /// Returns the parts that the next conversation needs.
    pub fn into_parts(self) -> (P, Wish, Manners, Machines) {
        (self.provider, self.wish, self.manners, self.machines)
    }
}
