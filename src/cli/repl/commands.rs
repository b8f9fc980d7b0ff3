//! Runs the slash commands.

use crate::chat::UserInput;
use crate::cli::args::{ConversationArgs, Resume};
use crate::cli::attachments;
use crate::cli::commands::{history, usage};
use crate::cli::editor::EditResult;
use crate::cli::errors::CliError;
use crate::cli::outcome::describe_redactions;
use crate::cli::prices;
use crate::cli::repl::slash::SlashCommand;
use crate::cli::repl::{Repl, slash};
use crate::cli::session::{self, StartedSession};
use crate::cli::term::format::{pluralize, truncate_to_width};
use crate::cli::term::{Style, display_path};
use crate::config::closest_name;
use crate::name::Name;
use crate::privacy::{Audience, KINDS, Raw};
use anyhow::{Context as _, Result};
use std::path::PathBuf;

impl Repl<'_> {
    pub(super) fn run_command(&mut self, action: SlashCommand, arguments: &str) -> Result<()> {
        match action {
            SlashCommand::Help => self.app.ui.out(&slash::help(self.app.ui.width())),
            SlashCommand::New => self.begin(&Resume::New),
            SlashCommand::Resume if arguments.is_empty() => {
                Err(CliError::misuse("missing conversation ID")
                    .hint("`/history` lists them; type `/resume ID`")
                    .into())
            }
            SlashCommand::Resume => self.begin(&Resume::Id(arguments.to_owned())),
            SlashCommand::Model => self.change_model(arguments),
            SlashCommand::Provider => self.change_provider(arguments),
            SlashCommand::System => self.set_system_prompt(arguments),
            SlashCommand::Retry => self.retry(),
            SlashCommand::Undo => self.undo(),
            SlashCommand::Edit => self.edit(arguments).map(drop),
            SlashCommand::File => self.attach(arguments),
            SlashCommand::History => history::list_recent(self.app),
            SlashCommand::Usage => usage::show_today(self.app),
            SlashCommand::Budget => self.budget(arguments),
            SlashCommand::Redact => self.redact(arguments),
            SlashCommand::Incognito => self.incognito(),
            SlashCommand::Save => self.save(),
            SlashCommand::Rename => self.rename(arguments),
            SlashCommand::Delete => self.delete(),
            SlashCommand::Export => self.export(arguments),
            SlashCommand::Copy => self.copy(),
            SlashCommand::Reveal => self.reveal(arguments),
            SlashCommand::Exit => Ok(()),
        }
    }

    fn begin(&mut self, resume: &Resume) -> Result<()> {
        let args = ConversationArgs {
            model: Some(self.model.clone()).filter(|_| !self.args.demo),
            ..self.args.clone()
        };
        let restore = self.app.ui.output_is_terminal().then_some(Audience::Screen);
        if let (Resume::Id(typed), Ok(own)) = (resume, self.saved_id())
            && own.as_str().starts_with(typed.as_str())
        {
            self.app.ui.notice("already in this conversation");
            return Ok(());
        }
        let kept_out = self
            .session
            .as_ref()
            .is_some_and(|s| s.conversation().is_none());
        let args = if kept_out && matches!(resume, Resume::New) {
            ConversationArgs {
                no_log: true,
                ..args
            }
        } else {
            args
        };
        // The current conversation stays open until the other one has begun, in case that fails.
        let StartedSession {
            mut session,
            not_saved_because: unkept,
            model,
            choice,
        } = session::begin(self.app, &args, resume, restore)?;
        self.note_spent();
        session.set_run_spend(self.spent);
        self.session = Some(session);
        self.choice = choice;
        self.model = model;
        self.greet(unkept.as_deref());
        Ok(())
    }

    /// Adds the spending of this conversation to that of the run, because `--budget` covers the
    /// whole run.
    fn note_spent(&mut self) {
        self.spent = self
            .session
            .as_ref()
            .map_or(self.spent, |s| s.spend().command);
    }

    /// Shows the budgets, or sets one. A budget needs the price list and the earlier spending of
    /// the conversation.
    fn budget(&mut self, amount: &str) -> Result<()> {
        if !amount.is_empty()
            && let Some(choice) = self.choice.clone()
        {
            let key = session::key_for(self.app, &choice)?;
            self.app.fetch_prices(&choice, key.as_ref())?;
        }
        let kept = self.session()?.conversation().map(|c| c.id().to_string());
        if let Some(id) = kept {
            let before = session::conversation_spend(self.app, &id)?;
            let session = self.session()?;
            session.set_conversation_spend(before.max(session.spend().conversation));
        }
        prices::show_or_set_budget(self.app.ui, self.session()?, amount)
    }

    fn change_model(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return self.app.ui.out(&format!(
                "{}\n",
                Raw::from(self.model.as_str()).printable_line()
            ));
        }
        if self.args.demo {
            return Err(CliError::misuse("the demo has only one assistant")
                .hint("start `chatbot chat --model NAME` to use a model")
                .into());
        }
        if name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CliError::misuse("not a model name")
                .hint("list them with `chatbot models`")
                .into());
        }
        self.model = self.app.check_model_name(name.to_owned())?;
        name.clone_into(&mut self.session()?.options_mut().model);
        self.app.ui.notice(&format!("model: {name}"));
        Ok(())
    }

    /// Switches the provider for the following messages; the history stays and is sent to it.
    fn change_provider(&mut self, name: &str) -> Result<()> {
        use crate::provider::Provider;
        if name.is_empty() {
            let answers = self.session()?.provider().name().to_string();
            return self.app.ui.out(&format!("{answers}\n"));
        }
        if self.args.demo {
            return Err(CliError::misuse("the demo has only one assistant")
                .hint("start `chatbot chat --provider NAME` to use another")
                .into());
        }
        let name: Name = name
            .parse()
            .map_err(|why| CliError::misuse(format!("not a provider name: {why}")))?;
        let args = ConversationArgs {
            provider: Some(name),
            model: None,
            ..self.args.clone()
        };
        let (provider, choice, options) = session::connect(self.app, &args, &Resume::New)?;
        let (pricing, profile) = (
            self.app.pricing(choice.as_ref()),
            session::profile_name(choice.as_ref()),
        );
        options.model.clone_into(&mut self.model);
        self.session()?
            .switch_provider(provider, options, pricing, profile);
        self.choice = choice;
        self.args = args;
        let model = Raw::from(self.model.as_str()).printable_line();
        let name = self.session()?.provider().name().to_string();
        self.app
            .ui
            .notice(&format!("model: {model}, provider: {name}"));
        Ok(())
    }

    fn set_system_prompt(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Err(CliError::misuse("missing system prompt")
                .hint("for example `/system answer in one sentence`")
                .into());
        }
        let findings = self.session()?.set_system_prompt(Raw::from(text));
        if !findings.is_empty() {
            self.app.ui.notice(&describe_redactions(&findings.counts()));
        }
        self.app.ui.notice("system prompt set");
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        let text = self.session()?.undo()?;
        self.app.ui.notice(&format!(
            "removed the last exchange: {}",
            truncate_to_width(&text.printable(), 60)
        ));
        Ok(())
    }

    fn attach(&mut self, path: &str) -> Result<()> {
        if path.is_empty() {
            return Err(CliError::misuse("missing file name")
                .hint("type `/file PATH`")
                .into());
        }
        let most = self.app.settings()?.limits.max_attachment_bytes;
        let text = attachments::attach(
            &[PathBuf::from(path)],
            most.saturating_sub(self.attached.len() as u64),
        )?;
        if !self.attached.is_empty() {
            self.attached.push(&Raw::from("\n\n"));
        }
        self.attached.push(&text);
        self.app.ui.notice(&format!(
            "attached {} to the next message",
            display_path(&PathBuf::from(path))
        ));
        Ok(())
    }

    fn redact(&mut self, arguments: &str) -> Result<()> {
        let mut words = arguments.split_whitespace();
        match (words.next(), words.next()) {
            (None | Some("show"), None) => {
                let list = self.session()?.placeholders().list();
                if list.is_empty() {
                    self.app
                        .ui
                        .notice("nothing has been redacted in this conversation");
                }
                let wide = list.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
                for (placeholder, value) in list {
                    self.app
                        .ui
                        .out(&format!("  {placeholder:<wide$}  {value}\n"))?;
                }
                Ok(())
            }
            (Some("off"), Some(kind)) => self.disable_kind(&kind.to_uppercase()),
            (Some("on"), None) => {
                let redactor = self.app.redactor()?;
                self.session()?.use_redactor(redactor);
                self.app.ui.notice("redaction follows your settings again");
                Ok(())
            }
            _ => Err(CliError::misuse("invalid arguments for `/redact`")
                .hint("type `/redact show`, `/redact off KIND` or `/redact on`")
                .into()),
        }
    }

    fn disable_kind(&mut self, kind: &str) -> Result<()> {
        let mut policy = self.app.settings()?.privacy.policy.clone();
        policy.disable.push(kind.to_owned());
        let redactor = self.app.redactor_for(&policy).map_err(|error| {
            let hint = closest_name(kind, KINDS.iter().map(|(kind, _)| *kind)).map_or_else(
                || "`/redact show` lists what was found".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            CliError::misuse(error.to_string()).hint(hint)
        })?;
        self.session()?.use_redactor(redactor);
        self.app.ui.warning(&format!(
            "{} is not redacted in this conversation from now on; `/redact on` undoes this",
            Raw::from(kind).printable()
        ));
        Ok(())
    }

    fn incognito(&mut self) -> Result<()> {
        self.args.no_log = true;
        self.begin(&Resume::New)
    }

    /// Saves an incognito conversation with all its messages so far, and everything that follows.
    fn save(&mut self) -> Result<()> {
        use crate::provider::Provider;
        let session = self
            .session
            .as_mut()
            .context("the conversation has ended")?;
        if let Some(conversation) = session.conversation().filter(|c| c.is_current()) {
            self.app.ui.notice(&format!(
                "this conversation is already saved as {}",
                conversation.id()
            ));
            return Ok(());
        }
        if session.config_mut().drop_findings && !session.placeholders().list().is_empty() {
            return Err(CliError::misuse(
                "this conversation contains private data, and the settings do not allow saving it",
            )
            .hint("set `retention = { pii = \"redact\" }` to save such messages redacted")
            .into());
        }
        let conversation = self
            .app
            .archive()?
            .create(session.provider().name().as_str(), &self.model)?;
        session.attach_conversation(conversation)?;
        (self.args.no_log, self.args.private) = (false, false);
        let id = session
            .conversation()
            .map(|c| c.id().to_string())
            .unwrap_or_default();
        self.app
            .ui
            .notice(&format!("saved as {id}; from now on this chat is saved"));
        Ok(())
    }

    /// The id of the saved conversation, for commands that need one.
    fn saved_id(&self) -> Result<Name> {
        let nothing = || {
            CliError::misuse("this conversation is not saved")
                .hint("save it with `/save` after the first message")
        };
        let conversation = self
            .session
            .as_ref()
            .and_then(|s| s.conversation())
            .filter(|c| c.is_saved());
        Ok(conversation.map(|c| c.id().clone()).ok_or_else(nothing)?)
    }

    fn rename(&mut self, title: &str) -> Result<()> {
        let id = self.saved_id()?;
        if title.is_empty() {
            return Err(CliError::misuse("missing title")
                .hint("type `/rename TITLE`")
                .into());
        }
        let title = history::redact_title(self.app, Raw::from(title))?;
        self.session()?.rename(&title)?;
        history::report_renamed(self.app, &id, &title);
        Ok(())
    }

    fn delete(&mut self) -> Result<()> {
        let id = self.saved_id()?;
        if !self.app.yes
            && !self.app.ui.confirm(
                &format!("delete conversation `{id}`?"),
                "`chatbot history delete ID --yes`",
            )?
        {
            return Ok(());
        }
        // Dropping the session closes the file; an open one cannot be deleted.
        self.note_spent();
        self.session = None;
        let gone = history::remove(self.app, &id);
        self.begin(&Resume::New)?;
        gone
    }

    fn export(&mut self, path: &str) -> Result<()> {
        let id = self.saved_id()?;
        let path = if path.is_empty() {
            PathBuf::from(format!("{id}.md"))
        } else {
            PathBuf::from(path)
        };
        history::export(self.app, &id, &path)
    }

    fn copy(&mut self) -> Result<()> {
        let session = self
            .session
            .as_ref()
            .context("the conversation has ended")?;
        let last = session
            .history()
            .iter()
            .rev()
            .find(|m| m.role == crate::message::Role::Assistant);
        let Some((text, left_out)) = last.map(|m| {
            session
                .placeholders()
                .restore(m.text.as_str(), Audience::Clipboard)
        }) else {
            return Err(CliError::misuse("there is no answer yet")
                .hint("send a message first")
                .into());
        };
        if !self.app.ui.output_is_terminal() || text.plain().len() > 74_000 {
            return Err(
                CliError::misuse("cannot copy to the clipboard of this terminal")
                    .hint("select the text with the mouse")
                    .into(),
            );
        }
        self.app.ui.copy_to_clipboard(&text)?;
        let kept = match left_out {
            0 => String::new(),
            1 => "; 1 value stays a placeholder, `/reveal` shows secrets".to_owned(),
            many => format!("; {many} values stay placeholders, `/reveal` shows secrets"),
        };
        self.app
            .ui
            .notice(&format!("copied, if your terminal allows it{kept}"));
        Ok(())
    }

    /// Shows one secret, or the last answer with its secrets in full. Neither is saved or logged.
    fn reveal(&mut self, name: &str) -> Result<()> {
        if !self.app.ui.output_is_terminal() {
            return Err(CliError::misuse("secrets are shown only on a terminal")
                .hint("use `chatbot ask --restore` to write them to a pipe")
                .into());
        }
        let session = self
            .session
            .as_ref()
            .context("the conversation has ended")?;
        if !name.is_empty() {
            let Some(value) = session.placeholders().reveal(name) else {
                let name = Raw::from(name).printable_line();
                return Err(
                    CliError::misuse(format!("there is no placeholder `{name}`"))
                        .hint("`/redact show` lists them")
                        .into(),
                );
            };
            return self.app.ui.out(value + "\n");
        }
        let last = session
            .history()
            .iter()
            .rev()
            .find(|m| m.role == crate::message::Role::Assistant);
        let Some((text, _)) = last.map(|m| {
            session
                .placeholders()
                .restore(m.text.as_str(), Audience::Revealed)
        }) else {
            return Err(CliError::misuse("there is no answer yet")
                .hint("send a message first")
                .into());
        };
        self.app.ui.out(text.trim_end() + "\n")
    }

    /// Opens the text in the user's editor, and sends the result as a message.
    pub(super) fn edit(&mut self, text: &str) -> Result<bool> {
        let EditResult { text, failure } = self.app.edit(text)?;
        if let Some(failure) = failure {
            // The text is one arrow key away, so that a failed editor does not lose it.
            self.keyboard.remember(text.printable());
            return Err(failure);
        }
        if text.is_empty() {
            self.app.ui.notice("the editor returned no text");
            return Ok(true);
        }
        self.app
            .ui
            .out(self.app.ui.paint(Style::Dim, &text.printable()) + "\n")?;
        let input = UserInput {
            text,
            attachments: std::mem::replace(&mut self.attached, Raw::from("")),
        };
        self.send(input)?;
        Ok(true)
    }
}
