//! A conversation in progress. [`Session::send`] is the only way to send a message.

mod admission;
mod cost;
mod error;
mod exchange;
mod history;
mod observer;
mod reply;
mod state;

pub use cost::Cost;
pub use error::Error;
pub use history::History;
pub use observer::Observer;

use crate::audit::log::AuditLog;
use crate::audit::{Event, EventKind, Severity};
use crate::conversations::{Conversation, LoadedConversation, MessageMeta};
use crate::image::Image;
use crate::limits::{Backoff, Limiter, Lockdown, WindowUsage};
use crate::message::{Message, Role};
use crate::privacy::input_check::{self, InputLimits, Rejection, TextSource};
use crate::privacy::{Audience, Findings, Placeholders, Raw, Redacted, Redactor};
use crate::provider::{Completion, ModelLimits, Pricing, Provider, RequestOptions};
use crate::time::Clock;
use crate::usage::budget::{BudgetStatus, BudgetTracker, SessionSpend};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// The user's input: typed text and attached text.
#[derive(Clone, Debug)]
pub struct UserInput {
    /// Typed text.
    pub text: Raw,
    /// Attached or piped text.
    pub attachments: Raw,
    /// Attached pictures, which are not redacted.
    pub images: Vec<Image>,
}

impl UserInput {
    /// Input without an attachment.
    #[must_use]
    pub fn from_typed(text: Raw) -> Self {
        Self {
            text,
            attachments: Raw::from(String::new()),
            images: Vec::new(),
        }
    }

    /// Typed text, a blank line, and the attachment as a single text.
    fn into_text(mut self) -> Raw {
        if self.text.is_empty() {
            return self.attachments;
        }
        if !self.attachments.is_empty() {
            self.text.push(&Raw::from("\n\n"));
            self.text.push(&self.attachments);
        }
        self.text
    }
}

/// Settings that apply to every message of a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The limits of typed text.
    pub rules: InputLimits,
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
    /// Count requests against limits and budgets, and record them. The demo sends nothing.
    pub is_counted: bool,
    /// Ask before sending pictures.
    pub ask_on_image: bool,
    /// What the model can read, if known.
    pub model_limits: ModelLimits,
    /// Allow a model with unknown price although a budget is set.
    pub allow_unknown_price: bool,
}

/// The components that process a message.
#[derive(Debug)]
pub struct Services {
    /// Finds and replaces private values.
    pub redactor: Arc<Redactor>,
    /// Stops all sending during an incident.
    pub lockdown: Lockdown,
    /// Enforces the rate limits.
    pub limiter: Limiter,
    /// Remembers the waiting times that providers asked for.
    pub backoff: Backoff,
    /// Enforces the budgets.
    pub budget: BudgetTracker,
    /// Looks up the prices of models.
    pub pricing: Pricing,
    /// Writes the audit log.
    pub audit: AuditLog,
    /// Reads the time.
    pub clock: Clock,
}

/// A conversation with a provider.
#[derive(Debug)]
pub struct Session<P> {
    provider: P,
    options: RequestOptions,
    config: SessionConfig,
    services: Services,
    placeholders: Placeholders,
    history: History,
    conversation: Option<Conversation>,
    /// The provider and model of the last saved question.
    last_asked: Option<String>,
    /// The next question asks for a summary that is sent instead of the messages before it.
    summarizes: bool,
    /// How many questions the last request left out.
    left_out: usize,
    /// Whether it was said that pictures are not redacted.
    images_explained: bool,
    spend: SessionSpend,
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
    /// What is suspicious in the message; the observer was told.
    pub input_warnings: Vec<String>,
    /// The provider's closing data; `None` if the user stopped the answer.
    pub completion: Option<Completion>,
    /// The user stopped the answer.
    pub cancelled: bool,
    /// The duration of the request.
    pub elapsed: Duration,
    /// The cost, if known or estimated.
    pub cost: Option<Cost>,
    /// The state of each rate limit, this message included; empty if it was not counted.
    pub rate_limits: Vec<WindowUsage>,
    /// How many tokens of the context window are used, and its size, if known.
    pub context: Option<(u64, u64)>,
    /// The state of the budgets.
    pub budgets: Vec<BudgetStatus>,
    /// What could not be recorded, as sentences for the user.
    pub warnings: Vec<String>,
    /// How many secrets were shown in part that are shown whole on request.
    pub masked: usize,
}

/// What is sent to get a summary.
const SUMMARY_REQUEST: &str = "Summarize our conversation so far, so that we can go on with the \
    summary alone: the task, what was decided and why, names, numbers, code and placeholders such \
    as [EMAIL_1] exactly as they are, and what is still open.";

impl<P: Provider> Session<P> {
    /// Creates a session that saves messages in `conversation`, or nowhere if it is `None`.
    pub fn new(
        provider: P,
        options: RequestOptions,
        config: SessionConfig,
        services: Services,
        conversation: Option<Conversation>,
    ) -> Self {
        let (placeholders, history, own) = (
            Placeholders::default(),
            History::default(),
            SessionSpend::default(),
        );
        Self {
            provider,
            options,
            config,
            services,
            placeholders,
            history,
            last_asked: conversation.as_ref().map(|c| {
                let header = c.header();
                format!("{}/{}", header.provider, header.model)
            }),
            conversation,
            summarizes: false,
            left_out: 0,
            images_explained: false,
            spend: own,
            own_estimates: Vec::new(),
        }
    }

    /// Loads stored messages. All of them are redacted again, because rules may have been added
    /// since they were stored.
    pub fn load_history(&mut self, stored: LoadedConversation) {
        self.last_asked = stored
            .last_asked()
            .map(|(provider, model)| format!("{provider}/{model}"));
        // A system prompt imported from another program is only displayed: sending it would change
        // answers without the user's knowledge.
        for message in stored
            .messages
            .into_iter()
            .filter(|m| !(m.foreign && m.role == Role::System))
        {
            let text = self.services.redactor.redact_stored(
                message.text,
                message.rules,
                &mut self.placeholders,
            );
            self.history.add(
                Some(message.n),
                Message {
                    images: message.images,
                    ..Message::new(message.role, text, message.at)
                },
            );
            if message.summarizes {
                self.history.mark_summary_request();
            }
        }
        let takes_images = self.config.model_limits.takes_images;
        self.history.set_takes_images(takes_images != Some(false));
        let provider = self
            .last_asked
            .as_deref()
            .and_then(|last| last.split('/').next());
        if provider.is_some_and(|name| name != self.provider.name().as_str()) {
            self.history.leave_out_images_so_far();
        }
    }

    /// Sets the system prompt. It is saved with the next message.
    pub fn set_system_prompt(&mut self, text: Raw) -> Findings {
        let (text, findings) = self.services.redactor.redact(text, &mut self.placeholders);
        self.history
            .set_system_prompt(Message::new(Role::System, text, self.services.clock.now()));
        findings
    }

    /// Redacts a text with the placeholders of this conversation.
    pub fn redact_text(&mut self, text: Raw) -> (Redacted, Findings) {
        self.services.redactor.redact(text, &mut self.placeholders)
    }

    /// Returns exactly what would be sent for this message. Nothing is counted, saved or sent.
    /// Also returns what was redacted in the message.
    pub fn preview(&mut self, input: UserInput) -> Result<(String, Findings), Error> {
        self.check(&input)?;
        let images = input.images.clone();
        let (text, findings) = self
            .services
            .redactor
            .redact(input.into_text(), &mut self.placeholders);
        let message = Message {
            images,
            ..Message::new(Role::User, text, self.services.clock.now())
        };
        let max_tokens = self.check_budget(&message)?;
        let before = self.history.before(&message, self.max_request_tokens());
        let mut input = before.messages.into_owned();
        input.push(message);
        let options = RequestOptions {
            max_tokens: max_tokens.or(self.options.max_tokens),
            ..self.options.clone()
        };
        Ok((self.provider.request_body(&input, &options), findings))
    }

    /// Sends one message: validate, redact, check limits and budgets, save, send, stream the
    /// answer.
    ///
    /// The message is saved before it is sent, so that a crash never loses what has left the
    /// machine.
    pub async fn send(
        &mut self,
        input: UserInput,
        observer: &mut dyn Observer,
        stop: impl Future<Output = ()>,
    ) -> Result<Outcome, Error> {
        let mut stop = pin!(stop);
        self.services.lockdown.check()?;
        let warnings = self.check(&input)?;
        for warning in &warnings {
            observer.on_warning(warning);
        }
        self.confirm_images(input.images.len(), observer)?;
        let images = input.images.clone();
        let (message, findings) = self.redact(input.into_text(), observer)?;
        let message = Message { images, ..message };
        observer.trace(&format!(
            "message: {} bytes after redaction, {} findings",
            message.text.as_str().len(),
            findings.len()
        ));
        let permit = self.admit(Some(&message), observer, stop.as_mut()).await?;
        // The same text after a failure is the same question: it is already saved.
        if !self.history.ends_with_question(&message)
            && let Err(error) = self.save_user_message(message, &findings)
        {
            self.release(&permit);
            return Err(error);
        }
        let outcome = self.stream_reply(permit, observer, stop).await?;
        Ok(Outcome {
            findings,
            input_warnings: warnings,
            ..outcome
        })
    }

    /// Asks for a summary. If it is complete, it is sent from now on instead of the messages before
    /// it, which stay in the file.
    pub async fn summarize(
        &mut self,
        observer: &mut dyn Observer,
        stop: impl Future<Output = ()>,
    ) -> Result<Outcome, Error> {
        if self.history.is_empty() {
            return Err(Error::NoMessages);
        }
        let before = self.history.len();
        self.summarizes = true;
        let input = UserInput::from_typed(Raw::from(SUMMARY_REQUEST));
        let result = self.send(input, observer, stop).await;
        self.summarizes = false;
        let is_complete = result
            .as_ref()
            .is_ok_and(|outcome| outcome.completion.as_ref().is_some_and(|c| c.complete));
        if !is_complete && self.history.len() > before {
            // Half a summary would lose what it stands for.
            self.undo()?;
        }
        result
    }

    /// The most tokens that a request can have, with room left for the answer.
    fn max_request_tokens(&self) -> Option<u64> {
        let window = self.config.model_limits.context_tokens?;
        let answer = self
            .options
            .max_tokens
            .map_or(window / 8, u64::from)
            .min(window / 2);
        Some(window - answer)
    }

    /// Asks the last question again. Its previous answer is removed.
    pub async fn retry(
        &mut self,
        observer: &mut dyn Observer,
        stop: impl Future<Output = ()>,
    ) -> Result<Outcome, Error> {
        let mut stop = pin!(stop);
        let question = self.history.last_question().ok_or(Error::NoMessages)?;
        let permit = self.admit(None, observer, stop.as_mut()).await?;
        if let Err(error) = self.truncate_after(question) {
            self.release(&permit);
            return Err(error);
        }
        self.stream_reply(permit, observer, stop).await
    }

    /// Removes the last question and its answer. Returns the question.
    pub fn undo(&mut self) -> Result<Redacted, Error> {
        let question = self.history.last_question().ok_or(Error::NoMessages)?;
        let text = self.history.text_at(question).ok_or(Error::NoMessages)?;
        match question.checked_sub(1) {
            Some(before) => self.truncate_after(before)?,
            None => self.clear()?,
        }
        Ok(text)
    }

    fn check(&self, input: &UserInput) -> Result<Vec<String>, Error> {
        let have = self.history.len();
        if have >= self.config.max_messages {
            return Err(Error::TooLong {
                have,
                max: self.config.max_messages,
            });
        }
        let refused = |refusal: Rejection| {
            self.audit_event(
                &Event::new(EventKind::Refused)
                    .severity(Severity::Warning)
                    .word("reason", refusal.code()),
            );
            Error::Refused(refusal)
        };
        let rules = &self.config.rules;
        // Attachments are limited in bytes where they are read.
        let along = InputLimits {
            max_chars: usize::MAX,
            ..*rules
        };
        let mut warnings = Vec::new();
        if !input.text.is_empty() || input.attachments.is_empty() {
            let typed = input_check::validate(&input.text, rules, TextSource::Typed);
            warnings.extend(typed.map_err(refused)?);
        }
        if !input.attachments.is_empty() {
            let attached = input_check::validate(&input.attachments, &along, TextSource::Attached);
            warnings.extend(attached.map_err(refused)?);
        }
        Ok(warnings)
    }

    /// Asks whether pictures may be sent, or says once that they are sent as they are.
    fn confirm_images(&mut self, count: usize, observer: &mut dyn Observer) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        if self.config.model_limits.takes_images == Some(false) {
            return Err(Error::NoImages {
                model: self.options.model.clone(),
            });
        }
        if self.config.ask_on_image {
            let is_confirmed = observer.confirm_images(count, self.provider.name());
            return is_confirmed.then_some(()).ok_or(Error::Declined);
        }
        if !std::mem::replace(&mut self.images_explained, true) {
            observer.on_warning("pictures are sent as they are: they cannot be redacted");
        }
        Ok(())
    }

    fn redact(
        &mut self,
        text: Raw,
        observer: &mut dyn Observer,
    ) -> Result<(Message, Findings), Error> {
        let (text, findings) = self.services.redactor.redact(text, &mut self.placeholders);
        if !findings.is_empty() {
            let event = findings
                .counts()
                .into_iter()
                .fold(Event::new(EventKind::Redacted), |e, (kind, n)| {
                    e.count(&kind, n)
                });
            self.audit_event(&event);
            observer.on_redacted(&findings);
            if self.config.ask_on_secret && !observer.confirm_send(&findings) {
                return Err(Error::Declined);
            }
        }
        Ok((
            Message::new(Role::User, text, self.services.clock.now()),
            findings,
        ))
    }

    fn save_user_message(&mut self, message: Message, findings: &Findings) -> Result<(), Error> {
        let mut place = None;
        if (!self.config.drop_findings || findings.is_empty())
            && let Some(conversation) = &mut self.conversation
        {
            let note = MessageMeta::default();
            let asked = format!("{}/{}", self.provider.name(), self.options.model);
            let question = MessageMeta {
                asked_of: Some(asked.clone())
                    .filter(|asked| self.last_asked.as_ref() != Some(asked)),
                summarizes: self.summarizes,
                ..MessageMeta::default()
            };
            self.last_asked = Some(asked);
            let system = self.history.unsaved_system_prompt();
            let mut lines: Vec<(&Message, &MessageMeta)> =
                system.iter().map(|m| (*m, &note)).collect();
            lines.push((&message, &question));
            let first = conversation.save(&lines).map_err(Error::SaveQuestion)?;
            let kept_system = lines.len() > 1;
            place = Some(first + u32::from(kept_system));
            if kept_system {
                self.history.mark_prompt_saved(first);
            }
        }
        self.history.add(place, message);
        if self.summarizes {
            self.history.mark_summary_request();
        }
        Ok(())
    }

    fn audit_event(&self, event: &Event) {
        // An unwritable log does not stop the conversation here: recording the request itself
        // reports the error.
        self.services.audit.append(event).unwrap_or_default();
    }

    fn truncate_after(&mut self, place: usize) -> Result<(), Error> {
        if let Some(n) = self.history.truncate_after(place)
            && let Some(conversation) = &mut self.conversation
        {
            conversation.truncate(n)?;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Error> {
        if let Some(n) = self.history.clear()
            && let Some(conversation) = &mut self.conversation
        {
            conversation.truncate(n)?;
        }
        Ok(())
    }
}
