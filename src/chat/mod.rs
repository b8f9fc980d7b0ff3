//! One conversation as it happens: [`Session::say`] is the only way a message takes.

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

/// What its owner says: typed by hand, and what goes along with it.
#[derive(Clone, Debug)]
pub struct Said {
    /// What was typed.
    pub typed: Raw,
    /// What was attached or piped.
    pub attached: Raw,
}

impl Said {
    /// Only typed.
    #[must_use]
    pub fn typed(text: Raw) -> Self {
        Self { typed: text, attached: Raw::from(String::new()) }
    }

    /// As one text: what was typed, a blank line, what goes along.
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

/// What is the same for every message of a session.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The limits of what is typed.
    pub rules: Rules,
    /// The most messages of a conversation.
    pub max_messages: usize,
    /// A message with findings is not kept.
    pub drop_findings: bool,
    /// Ask before a message with findings is sent.
    pub ask_on_secret: bool,
    /// For whom placeholders become the owner's words again; for a pipe they stay.
    pub restore: Option<Audience>,
    /// The profile of the key, for the record.
    pub profile: String,
    /// Where a limit is reached, wait rather than refuse.
    pub wait: bool,
    /// A model whose price nobody knows may be asked although there is a budget.
    pub allow_unknown_price: bool,
}

/// The small machines a message passes.
#[derive(Debug)]
pub struct Machines {
    /// Finds what is private.
    pub redactor: Arc<Redactor>,
    /// Says whether anything is sent at all.
    pub lockdown: Lockdown,
    /// Counts.
    pub limiter: Limiter,
    /// Remembers who wants to be left alone.
    pub backoff: Backoff,
    /// Holds the money.
    pub purse: Purse,
    /// Knows what models cost.
    pub pricing: Pricing,
    /// Writes down what happened.
    pub audit: Audit,
    /// Tells the time.
    pub clock: Clock,
}

/// A conversation with somebody who answers.
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
    /// The answers of this session whose cost was estimated, by their names there.
    own_estimates: Vec<String>,
}

/// What became of a message.
#[derive(Debug)]
pub struct Outcome {
    /// The answer as it is kept: redacted.
    pub text: Redacted,
    /// What was replaced in the question.
    pub findings: Findings,
    /// The provider's closing words; `None` if it was stopped.
    pub answer: Option<Answer>,
    /// Its owner stopped it.
    pub stopped: bool,
    /// How long it took.
    pub took: Duration,
    /// What it cost, as far as is known.
    pub cost: Option<Cost>,
    /// What each window has seen, this message included.
    pub levels: [Level; 2],
    /// How full the budgets are.
    pub fills: Vec<Fill>,
    /// What could not be written down.
    pub trouble: Vec<String>,
    /// How many secrets were shown in part that are shown whole on request.
    pub masked: usize,
}

impl<P: Provider> Session<P> {
    /// A session that keeps what is said in `conversation`, or nothing if there is none.
    pub fn new(provider: P, wish: Wish, manners: Manners, machines: Machines, conversation: Option<Conversation>) -> Self {
        let (placeholders, past, own) = (Placeholders::default(), Past::default(), Own::default());
        Self { provider, wish, manners, machines, placeholders, past, conversation, own, own_estimates: Vec::new() }
    }

    /// Takes up what was said before. All of it is looked at again: the rules may have learnt since.
    pub fn remember(&mut self, stored: Stored) {
        // Standing instructions from another program are there to be read; they go nowhere unasked.
        for message in stored.messages.into_iter().filter(|m| !(m.foreign && m.role == Role::System)) {
            let text = self.machines.redactor.redact_again(message.text, message.rules, &mut self.placeholders);
            self.past.add(Some(message.n), Message { role: message.role, text, at: message.at });
        }
    }

    /// Gives standing instructions; they are kept with the next message.
    pub fn instruct(&mut self, text: Raw) -> Findings {
        let (text, findings) = self.machines.redactor.redact(text, &mut self.placeholders);
        self.past.instruct(Message { role: Role::System, text, at: self.machines.clock.now() });
        findings
    }

    /// Exactly what would be sent for this message. Nothing is counted, kept or sent.
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

    /// The path of one message.
    pub async fn say(&mut self, said: Said, watcher: &mut dyn Watcher, stop: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let mut stop = pin!(stop);
        self.machines.lockdown.check()?;
        let warnings = self.check(&said)?;
        for warning in &warnings {
            watcher.warned(warning);
        }
        let (message, findings) = self.redact(said.whole(), watcher)?;
        watcher.step(&format!("message: {} bytes as it leaves, {} findings", message.text.as_str().len(), findings.len()));
        let pass = self.pass(Some(&message), watcher, stop.as_mut()).await?;
        if let Err(error) = self.keep_question(message, &findings) {
            self.hand_back(&pass);
            return Err(error);
        }
        let kept = self.hear(pass, watcher, stop).await?;
        Ok(Outcome { findings, ..kept })
    }

    /// Asks the last question again; the answer it had is taken back.
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

    /// Takes the last question and its answer back; gives the question.
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
        // What goes along has a limit of its own, in bytes, where it is read.
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

    /// Writes down that a message is about to leave. Where that cannot be done it does not leave, unless the settings say that the
    /// log is kept as well as can be.
    async fn note_leaving(&self) -> Result<(), audit::Error> {
        let bytes: usize = self.past.messages().iter().map(|m| m.text.as_str().len()).sum();
        let leaving = Event::new(What::Sent).word("provider", self.provider.name().as_str()).word("model", &self.wish.model);
        let leaving = leaving.number("bytes", bytes);
        let log = &self.machines.audit;
        let noted = match log.add_at_once(&leaving) {
            Err(audit::Error::Busy(path)) => {
                let waiting = log.clone();
                // Another process is at the log just now, and this thread has other things to do meanwhile.
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
        watcher.step(&format!("asks {} with {} messages, {bytes} bytes, streaming: {}", self.who(), said.len(), wish.stream));
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
        let spent = cost.map_or_else(|| "unknown".to_owned(), |c| format!("{} billionths, estimated: {}", c.nanos, c.estimated));
        watcher.step(&format!("booked: cost {spent}; {} troubles", trouble.len()));
        if !found.is_empty() && self.manners.drop_findings {
            trouble.push("the answer has private data in it and was not kept".to_owned());
        }
        let keep = !self.manners.drop_findings || found.is_empty();
        let since = self.machines.clock.stopwatch();
        let kept = self.keep_answer(&text, &Note { model: Some(usage::model(&model)), cut: !complete, ..Note::default() }, keep);
        watcher.step(&format!(
            "answer kept: {}, in {} us",
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

    /// The model that answered, as it was named there; a name that has something private in it is no name.
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
        // A log that cannot be written stops no conversation; the request's own record says so to the owner.
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
    /// Who answers.
    #[must_use]
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The conversation that is kept, if it is.
    #[must_use]
    pub const fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// Gives the conversation that is kept another title.
    pub fn rename(&mut self, title: &Redacted) -> Result<(), Error> {
        self.conversation.as_mut().map_or(Ok(()), |c| c.rename(title).map_err(Error::Archive))
    }

    /// Keeps what was said so far, and what will be, in a conversation that begins with it.
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

    /// Another one answers from here on.
    pub fn turn_to(&mut self, provider: P, wish: Wish, pricing: Pricing, profile: String) {
        (self.provider, self.wish, self.machines.pricing, self.manners.profile) = (provider, wish, pricing, profile);
    }

    /// What was said so far.
    #[must_use]
    pub const fn past(&self) -> &Past {
        &self.past
    }

    /// What stands behind the placeholders.
    #[must_use]
    pub const fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// How one wishes to be answered.
    pub const fn wish(&mut self) -> &mut Wish {
        &mut self.wish
    }

    /// What is the same for every message.
    pub const fn manners(&mut self) -> &mut Manners {
        &mut self.manners
    }

    /// Takes up what this conversation has cost before.
    pub const fn spent_before(&mut self, nanos: i64) {
        self.own.conversation = nanos;
    }

    /// Takes up what this run of the program has cost before.
    pub const fn spent_by_command(&mut self, nanos: i64) {
        self.own.command = nanos;
    }

    /// The money.
    pub const fn purse(&mut self) -> &mut Purse {
        &mut self.machines.purse
    }

    /// What was spent here.
    #[must_use]
    pub const fn own(&self) -> Own {
        self.own
    }

    /// Another redactor from now on: the owner has switched a kind off or on.
    pub fn use_redactor(&mut self, redactor: Arc<Redactor>) {
        self.machines.redactor = redactor;
    }

    /// Gives the parts back that the next conversation needs.
    pub fn into_parts(self) -> (P, Wish, Manners, Machines) {
        (self.provider, self.wish, self.manners, self.machines)
    }
}
