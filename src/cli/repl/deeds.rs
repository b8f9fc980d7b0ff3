//! Runs the slash commands.

use super::{Repl, slash};
use crate::chat::Said;
use crate::cli::attachment;
use crate::cli::commands::{history, usage};
use crate::cli::editor::Edited;
use crate::cli::money;
use crate::cli::report::Problem;
use crate::cli::slash::Deed;
use crate::cli::talk::{self, Begun, Talk, Which};
use crate::cli::ui::{Style, shown};
use crate::name::Name;
use crate::privacy::{Audience, KINDS, Raw};
use crate::settings::nearest;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

impl Repl<'_> {
    pub(super) fn deed(&mut self, deed: Deed, arguments: &str) -> Result<()> {
        match deed {
            Deed::Help => self.app.ui.out(&slash::help(self.app.ui.width())),
            Deed::New => self.begin(&Which::New),
            Deed::Resume if arguments.is_empty() => {
                Err(Problem::misuse("missing conversation ID").hint("`/history` lists them; type `/resume ID`").into())
            }
            Deed::Resume => self.begin(&Which::Named(arguments.to_owned())),
            Deed::Model => self.change_model(arguments),
            Deed::Provider => self.change_provider(arguments),
            Deed::System => self.instruct(arguments),
            Deed::Retry => self.retry(),
            Deed::Undo => self.undo(),
            Deed::Edit => self.edit(arguments).map(drop),
            Deed::File => self.attach(arguments),
            Deed::History => history::recent(self.app),
            Deed::Usage => usage::today(self.app),
            Deed::Budget => self.budget(arguments),
            Deed::Redact => self.redact(arguments),
            Deed::Incognito => self.incognito(),
            Deed::Save => self.save(),
            Deed::Rename => self.rename(arguments),
            Deed::Delete => self.delete(),
            Deed::Export => self.export(arguments),
            Deed::Copy => self.copy(),
            Deed::Reveal => self.reveal(arguments),
            Deed::Exit => Ok(()),
        }
    }

    fn begin(&mut self, which: &Which) -> Result<()> {
        let talk = Talk { model: Some(self.model.clone()).filter(|_| !self.talk.demo), ..self.talk.clone() };
        let restore = self.app.ui.output_is_terminal().then_some(Audience::Screen);
        if let (Which::Named(typed), Ok(own)) = (which, self.kept())
            && own.as_str().starts_with(typed.as_str())
        {
            self.app.ui.notice("already in this conversation");
            return Ok(());
        }
        let kept_out = self.session.as_ref().is_some_and(|s| s.conversation().is_none());
        let talk = if kept_out && matches!(which, Which::New) { Talk { no_log: true, ..talk } } else { talk };
        // The current conversation stays open until the other one has begun, in case that fails.
        let Begun { mut session, unkept, model, choice } = talk::begin(self.app, &talk, which, restore)?;
        self.note_spent();
        session.spent_by_command(self.spent);
        self.session = Some(session);
        self.choice = choice;
        self.model = model;
        self.greet(unkept.as_deref());
        Ok(())
    }

    /// Adds the spending of this conversation to that of the run, because `--budget` covers the
    /// whole run.
    fn note_spent(&mut self) {
        self.spent = self.session.as_ref().map_or(self.spent, |s| s.own().command);
    }

    /// Shows the budgets, or sets one. A budget needs the price list and the earlier spending of
    /// the conversation.
    fn budget(&mut self, amount: &str) -> Result<()> {
        if !amount.is_empty()
            && let Some(choice) = self.choice.clone()
        {
            let key = talk::key_of(self.app, &choice)?;
            self.app.fetch_prices(&choice, key.as_ref())?;
        }
        let kept = self.session()?.conversation().map(|c| c.id().to_string());
        if let Some(id) = kept {
            let before = talk::spent_in(self.app, &id)?;
            let session = self.session()?;
            session.spent_before(before.max(session.own().conversation));
        }
        money::budget(self.app.ui, self.session()?, amount)
    }

    fn change_model(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return self.app.ui.out(&format!("{}\n", Raw::from(self.model.as_str()).printable_line()));
        }
        if self.talk.demo {
            return Err(Problem::misuse("the demo has only one assistant").hint("start `chatbot chat --model NAME` to use a model").into());
        }
        if name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::misuse("not a model name").hint("list them with `chatbot models`").into());
        }
        self.model = self.app.fit_model(name.to_owned())?;
        name.clone_into(&mut self.session()?.wish().model);
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
        if self.talk.demo {
            return Err(Problem::misuse("the demo has only one assistant")
                .hint("start `chatbot chat --provider NAME` to use another")
                .into());
        }
        let name: Name = name.parse().map_err(|why| Problem::misuse(format!("not a provider name: {why}")))?;
        let talk = Talk { provider: Some(name), model: None, ..self.talk.clone() };
        let (provider, choice, wish) = talk::connect(self.app, &talk, &Which::New)?;
        let (pricing, profile) = (self.app.pricing(choice.as_ref()), talk::profile(choice.as_ref()));
        wish.model.clone_into(&mut self.model);
        self.session()?.turn_to(provider, wish, pricing, profile);
        self.choice = choice;
        self.talk = talk;
        let model = Raw::from(self.model.as_str()).printable_line();
        let name = self.session()?.provider().name().to_string();
        self.app.ui.notice(&format!("model: {model}, provider: {name}"));
        Ok(())
    }

    fn instruct(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Err(Problem::misuse("missing system prompt").hint("for example `/system answer in one sentence`").into());
        }
        let findings = self.session()?.instruct(Raw::from(text));
        if !findings.is_empty() {
            self.app.ui.notice(&talk::replaced(&findings.counts()));
        }
        self.app.ui.notice("system prompt set");
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        let text = self.session()?.undo()?;
        self.app.ui.notice(&format!("removed the last exchange: {}", history::fitted(&text.printable(), 60)));
        Ok(())
    }

    fn attach(&mut self, path: &str) -> Result<()> {
        if path.is_empty() {
            return Err(Problem::misuse("missing file name").hint("type `/file PATH`").into());
        }
        let most = self.app.settings()?.limits.max_attachment_bytes;
        let text = attachment::attach(&[PathBuf::from(path)], most.saturating_sub(self.attached.len() as u64))?;
        if !self.attached.is_empty() {
            self.attached.push(&Raw::from("\n\n"));
        }
        self.attached.push(&text);
        self.app.ui.notice(&format!("attached {} to the next message", shown(&PathBuf::from(path))));
        Ok(())
    }

    fn redact(&mut self, arguments: &str) -> Result<()> {
        let mut words = arguments.split_whitespace();
        match (words.next(), words.next()) {
            (None | Some("show"), None) => {
                let list = self.session()?.placeholders().listing();
                if list.is_empty() {
                    self.app.ui.notice("nothing has been redacted in this conversation");
                }
                let wide = list.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
                for (placeholder, value) in list {
                    self.app.ui.out(&format!("  {placeholder:<wide$}  {value}\n"))?;
                }
                Ok(())
            }
            (Some("off"), Some(kind)) => self.let_pass(&kind.to_uppercase()),
            (Some("on"), None) => {
                let redactor = self.app.redactor()?;
                self.session()?.use_redactor(redactor);
                self.app.ui.notice("redaction follows your settings again");
                Ok(())
            }
            _ => Err(Problem::misuse("invalid arguments for `/redact`")
                .hint("type `/redact show`, `/redact off KIND` or `/redact on`")
                .into()),
        }
    }

    fn let_pass(&mut self, kind: &str) -> Result<()> {
        let mut policy = self.app.settings()?.privacy.policy.clone();
        policy.disable.push(kind.to_owned());
        let redactor = self.app.redactor_for(&policy).map_err(|error| {
            let hint = nearest(kind, KINDS.iter().map(|(kind, _)| *kind))
                .map_or_else(|| "`/redact show` lists what was found".to_owned(), |near| format!("did you mean `{near}`?"));
            Problem::misuse(error.to_string()).hint(hint)
        })?;
        self.session()?.use_redactor(redactor);
        self.app.ui.warning(&format!(
            "{} is not redacted in this conversation from now on; `/redact on` undoes this",
            Raw::from(kind).printable()
        ));
        Ok(())
    }

    fn incognito(&mut self) -> Result<()> {
        self.talk.no_log = true;
        self.begin(&Which::New)
    }

    /// Saves an incognito conversation with all its messages so far, and everything that follows.
    fn save(&mut self) -> Result<()> {
        use crate::provider::Provider;
        let session = self.session.as_mut().context("the conversation has ended")?;
        if let Some(conversation) = session.conversation().filter(|c| c.is_there()) {
            self.app.ui.notice(&format!("this conversation is already saved as {}", conversation.id()));
            return Ok(());
        }
        if session.manners().drop_findings && !session.placeholders().listing().is_empty() {
            return Err(Problem::misuse("this conversation contains private data, and the settings do not allow saving it")
                .hint("set `retention = { pii = \"redact\" }` to save such messages redacted")
                .into());
        }
        let conversation = self.app.archive()?.begin(session.provider().name().as_str(), &self.model)?;
        session.keep_in(conversation)?;
        (self.talk.no_log, self.talk.private) = (false, false);
        let id = session.conversation().map(|c| c.id().to_string()).unwrap_or_default();
        self.app.ui.notice(&format!("saved as {id}; from now on this chat is saved"));
        Ok(())
    }

    /// The id of the saved conversation, for commands that need one.
    fn kept(&self) -> Result<Name> {
        let nothing = || Problem::misuse("this conversation is not saved").hint("save it with `/save` after the first message");
        let conversation = self.session.as_ref().and_then(|s| s.conversation()).filter(|c| c.is_kept());
        Ok(conversation.map(|c| c.id().clone()).ok_or_else(nothing)?)
    }

    fn rename(&mut self, title: &str) -> Result<()> {
        let id = self.kept()?;
        if title.is_empty() {
            return Err(Problem::misuse("missing title").hint("type `/rename TITLE`").into());
        }
        let title = history::title(self.app, Raw::from(title))?;
        self.session()?.rename(&title)?;
        history::renamed(self.app, &id, &title);
        Ok(())
    }

    fn delete(&mut self) -> Result<()> {
        let id = self.kept()?;
        if !self.app.yes && !self.app.ui.confirm(&format!("delete conversation `{id}`?"), "`chatbot history delete ID --yes`")? {
            return Ok(());
        }
        // Dropping the session closes the file; an open one cannot be deleted.
        self.note_spent();
        self.session = None;
        let gone = history::remove(self.app, &id);
        self.begin(&Which::New)?;
        gone
    }

    fn export(&mut self, path: &str) -> Result<()> {
        let id = self.kept()?;
        let path = if path.is_empty() { PathBuf::from(format!("{id}.md")) } else { PathBuf::from(path) };
        history::export(self.app, &id, &path)
    }

    fn copy(&mut self) -> Result<()> {
        let session = self.session.as_ref().context("the conversation has ended")?;
        let last = session.past().iter().rev().find(|m| m.role == crate::message::Role::Assistant);
        let Some((text, left_out)) = last.map(|m| session.placeholders().restore(m.text.as_str(), Audience::Clipboard)) else {
            return Err(Problem::misuse("there is no answer yet").hint("send a message first").into());
        };
        if !self.app.ui.output_is_terminal() || text.plain().len() > 74_000 {
            return Err(Problem::misuse("cannot copy to the clipboard of this terminal").hint("select the text with the mouse").into());
        }
        self.app.ui.copy_to_clipboard(&text)?;
        let kept = match left_out {
            0 => String::new(),
            1 => "; 1 value stays a placeholder, `/reveal` shows secrets".to_owned(),
            many => format!("; {many} values stay placeholders, `/reveal` shows secrets"),
        };
        self.app.ui.notice(&format!("copied, if your terminal allows it{kept}"));
        Ok(())
    }

    /// Shows one secret, or the last answer with its secrets in full. Neither is saved or logged.
    fn reveal(&mut self, name: &str) -> Result<()> {
        if !self.app.ui.output_is_terminal() {
            return Err(Problem::misuse("secrets are shown only on a terminal")
                .hint("use `chatbot ask --restore` to write them to a pipe")
                .into());
        }
        let session = self.session.as_ref().context("the conversation has ended")?;
        if !name.is_empty() {
            let Some(value) = session.placeholders().reveal(name) else {
                let name = Raw::from(name).printable_line();
                return Err(Problem::misuse(format!("there is no placeholder `{name}`")).hint("`/redact show` lists them").into());
            };
            return self.app.ui.out(value + "\n");
        }
        let last = session.past().iter().rev().find(|m| m.role == crate::message::Role::Assistant);
        let Some((text, _)) = last.map(|m| session.placeholders().restore(m.text.as_str(), Audience::Revealed)) else {
            return Err(Problem::misuse("there is no answer yet").hint("send a message first").into());
        };
        self.app.ui.out(text.trim_end() + "\n")
    }

    /// Opens the text in the user's editor, and sends the result as a message.
    pub(super) fn edit(&mut self, text: &str) -> Result<bool> {
        let Edited { text, failure } = self.app.edit(text)?;
        if let Some(failure) = failure {
            // The text is one arrow key away, so that a failed editor does not lose it.
            self.keyboard.remember(text.printable());
            return Err(failure);
        }
        if text.is_empty() {
            self.app.ui.notice("the editor returned no text");
            return Ok(true);
        }
        self.app.ui.out(self.app.ui.paint(Style::Dim, &text.printable()) + "\n")?;
        let said = Said { typed: text, attached: std::mem::replace(&mut self.attached, Raw::from("")) };
        self.say(said)?;
        Ok(true)
    }
}
