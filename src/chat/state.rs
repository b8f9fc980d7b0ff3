//! What the user interface reads of a session, and changes in it between messages.

use crate::chat::{Error, History, Session, SessionConfig};
use crate::conversations::{Conversation, MessageMeta};
use crate::message::Message;
use crate::privacy::{Placeholders, Redacted, Redactor};
use crate::provider::{ModelLimits, Pricing, Provider, RequestOptions};
use crate::usage::budget::{BudgetTracker, SessionSpend};
use std::sync::Arc;

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
        self.conversation
            .as_mut()
            .map_or(Ok(()), |c| c.rename(title).map_err(Error::Archive))
    }

    /// Saves all messages so far, and those to come, in a new conversation.
    pub fn attach_conversation(&mut self, mut conversation: Conversation) -> Result<(), Error> {
        let note = MessageMeta::default();
        let lines: Vec<(&Message, &MessageMeta)> =
            self.history.iter().map(|m| (m, &note)).collect();
        if !lines.is_empty() {
            let first = conversation.save(&lines)?;
            self.history.mark_all_saved(first);
        }
        self.conversation = Some(conversation);
        Ok(())
    }

    /// Switches provider and model for the following messages. Pictures so far are not sent to
    /// another provider.
    pub fn switch_provider(
        &mut self,
        provider: P,
        options: RequestOptions,
        pricing: Pricing,
        profile: String,
    ) where
        P: Provider,
    {
        if provider.name() != self.provider.name() {
            self.history.leave_out_images_so_far();
        }
        (
            self.provider,
            self.options,
            self.services.pricing,
            self.config.profile,
        ) = (provider, options, pricing, profile);
    }

    /// Sets what the model can read that is used from now on.
    pub const fn set_model_limits(&mut self, limits: ModelLimits) {
        self.config.model_limits = limits;
        self.history
            .set_takes_images(!matches!(limits.takes_images, Some(false)));
    }

    /// Whether earlier messages have pictures that are not sent.
    #[must_use]
    pub fn leaves_out_images(&self) -> bool {
        self.history.leaves_out_images()
    }

    /// The messages so far.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The placeholders of this conversation.
    #[must_use]
    pub const fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// Goes on with the placeholders of another conversation, of which this one is a copy.
    pub fn set_placeholders(&mut self, placeholders: Placeholders) {
        self.placeholders = placeholders;
    }

    /// The options of the next requests.
    pub const fn options_mut(&mut self) -> &mut RequestOptions {
        &mut self.options
    }

    /// The settings of the session.
    pub const fn config_mut(&mut self) -> &mut SessionConfig {
        &mut self.config
    }

    /// Sets what this conversation cost before this session.
    pub const fn set_conversation_spend(&mut self, nanos: i64) {
        self.spend.conversation = nanos;
    }

    /// Sets what this run of the program spent before this session.
    pub const fn set_run_spend(&mut self, nanos: i64) {
        self.spend.command = nanos;
    }

    /// The budgets.
    pub const fn budget(&mut self) -> &mut BudgetTracker {
        &mut self.services.budget
    }

    /// What was spent in this session.
    #[must_use]
    pub const fn spend(&self) -> SessionSpend {
        self.spend
    }

    /// Replaces the redactor, after the user changed what is redacted.
    pub fn use_redactor(&mut self, redactor: Arc<Redactor>) {
        self.services.redactor = redactor;
    }
}
