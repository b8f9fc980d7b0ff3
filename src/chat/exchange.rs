//! One exchange with the provider: records that a message leaves, sends it, streams the answer,
//! books its cost and saves it.

use crate::audit::log;
use crate::audit::{Event, EventKind};
use crate::chat::admission::Permit;
use crate::chat::cost::{Recorded, ReplyUsage};
use crate::chat::reply::{CollectedReply, ReplyCollector};
use crate::chat::{Error, Observer, Outcome, Session};
use crate::conversations::{self, MessageMeta};
use crate::message::{Message, Role};
use crate::privacy::{Findings, Placeholders, Raw, Redacted};
use crate::provider::{self, Completion, Provider, RequestOptions, tokens};
use crate::usage;
use std::pin::Pin;
use std::time::Duration;

/// What the provider sent.
struct ReceivedReply {
    /// The closing data; `None` if the answer failed or was stopped.
    completion: Option<Completion>,
    failure: Option<provider::Error>,
    collected: CollectedReply,
    elapsed: Duration,
}

impl<P: Provider> Session<P> {
    /// Sends the history and handles the answer.
    pub(super) async fn stream_reply(
        &mut self,
        permit: Permit,
        observer: &mut dyn Observer,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Outcome, Error> {
        if let Err(error) = self.audit_sending().await {
            self.release(&permit);
            return Err(Error::Audit(error));
        }
        let ReceivedReply {
            completion,
            failure,
            collected,
            elapsed,
        } = self.request(&permit, observer, stop).await;
        let named = completion.as_ref().map(|c| c.model.clone());
        let model = self.reply_model(named.or(collected.model));
        let (text, found) = (self.services.redactor).redact(collected.raw, &mut self.placeholders);
        let id = completion.as_ref().and_then(|c| c.id.clone());
        let Recorded {
            cost,
            budgets,
            nothing_pending,
            mut warnings,
        } = self.record_usage(
            &permit,
            &ReplyUsage {
                completion: completion.as_ref(),
                failure: failure.as_ref(),
                model: &model,
                elapsed,
                first: collected.first,
                received: text.as_str(),
                reasoned: collected.reasoned,
                paused: collected.paused,
                id: id.or(collected.id),
            },
        );
        let spent = cost.map_or_else(
            || "unknown".to_owned(),
            |c| format!("{} nano-dollars, estimated: {}", c.nanos, c.estimated),
        );
        observer.trace(&format!(
            "booked: cost {spent}; {} problems",
            warnings.len()
        ));
        let context = self.config.model_limits.context_tokens.map(|window| {
            let reported = completion.as_ref().and_then(|c| c.usage.as_ref());
            let used = reported.map(|u| u.prompt_tokens + u.completion_tokens);
            let estimate = || {
                let request = self.history.request(self.max_request_tokens());
                request.tokens() + tokens::estimate_tokens(text.as_str())
            };
            (
                used.filter(|used| *used > 0).unwrap_or_else(estimate),
                window,
            )
        });
        let keep = !self.config.drop_findings || found.is_empty();
        if !keep {
            warnings.push("the answer contains private data and was not saved".to_owned());
        }
        let watch = self.services.clock.stopwatch();
        let saved = self.save_reply(
            &text,
            &MessageMeta {
                model: Some(usage::sanitize_model(&model)),
                cut: !completion.as_ref().is_some_and(|c| c.complete),
                ..MessageMeta::default()
            },
            keep,
        );
        observer.trace(&format!(
            "answer saved: {}, in {} us",
            saved.is_ok() && keep && self.conversation.is_some(),
            watch.elapsed().as_micros()
        ));
        if completion.is_some() && !nothing_pending {
            warnings.extend(self.reconcile_costs().await);
        }
        let cancelled = completion.is_none() && failure.is_none();
        if let Some(failure) = failure {
            return Err(Error::Provider(failure));
        }
        saved.map_err(Error::SaveReply)?;
        Ok(Outcome {
            text,
            findings: Findings::default(),
            input_warnings: Vec::new(),
            completion,
            cancelled,
            elapsed,
            cost,
            rate_limits: permit.rate_limits,
            context,
            budgets,
            warnings,
            masked: collected.masked,
        })
    }

    /// Sends the history and streams the answer to the observer, until it ends or `stop` does.
    async fn request(
        &mut self,
        permit: &Permit,
        observer: &mut dyn Observer,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> ReceivedReply {
        let watch = self.services.clock.stopwatch();
        let request = self.history.request(self.max_request_tokens());
        if request.left_out != self.left_out && request.left_out > 0 {
            observer.on_warning(&format!(
                "the conversation is longer than the model can read: the oldest {} left out; `/compact` summarizes the conversation",
                match request.left_out {
                    1 => String::from("question and its answer are"),
                    n => format!("{n} questions and their answers are"),
                }
            ));
        }
        self.left_out = request.left_out;
        let options = RequestOptions {
            max_tokens: permit.max_tokens.or(self.options.max_tokens),
            ..self.options.clone()
        };
        observer.trace(&format!(
            "request to {}: {} messages, {} bytes, streaming: {}",
            self.backoff_key(),
            request.messages.len(),
            request.bytes(),
            options.stream
        ));
        let mut collector = ReplyCollector::new(
            &self.services,
            &self.placeholders,
            &self.config,
            self.conversation.as_mut(),
            observer,
        );
        let mut on_event = |event| collector.handle_event(event);
        let result = tokio::select! {
            result = self.provider.complete(&request.messages, &options, &mut on_event) => Some(result),
            () = stop => None,
        };
        let (completion, failure) = match result {
            Some(Ok(completion)) => (Some(completion), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let collected = collector.finish();
        let elapsed = watch.elapsed();
        let first = collected.first.map_or_else(
            || "none".to_owned(),
            |first| format!("after {} ms", first.as_millis()),
        );
        observer.trace(&format!(
            "answer: first token {first}, {} bytes in {} ms, complete: {}",
            collected.raw.len(),
            elapsed.as_millis(),
            completion.as_ref().is_some_and(|c| c.complete)
        ));
        ReceivedReply {
            completion,
            failure,
            collected,
            elapsed,
        }
    }

    /// Records that a message is about to be sent. If that fails the message is not sent, unless
    /// the settings say that a missing record does not stop messages.
    async fn audit_sending(&self) -> Result<(), log::Error> {
        if !self.config.is_counted {
            return Ok(());
        }
        let leaving = Event::new(EventKind::Sent)
            .word("provider", self.provider.name().as_str())
            .word("model", &self.options.model)
            .number(
                "bytes",
                self.history.request(self.max_request_tokens()).bytes(),
            );
        let log = &self.services.audit;
        let noted = match log.try_add(&leaving) {
            Err(log::Error::Busy(path)) => {
                let waiting = log.clone();
                // Another process holds the log. Wait on another thread, because this one runs the
                // event loop.
                tokio::task::spawn_blocking(move || waiting.append(&leaving))
                    .await
                    .unwrap_or(Err(log::Error::Busy(path)))
            }
            noted => noted,
        };
        noted.or_else(|error| {
            if log.is_required() {
                Err(error)
            } else {
                Ok(())
            }
        })
    }

    /// The model that answered, as the provider named it. A name with findings is not recorded.
    fn reply_model(&self, named: Option<String>) -> String {
        let fit = |name: &String| {
            self.services
                .redactor
                .redact(Raw::from(name.as_str()), &mut Placeholders::default())
                .1
                .is_empty()
        };
        named
            .filter(|name| *name == self.options.model || fit(name))
            .unwrap_or_else(|| self.options.model.clone())
    }

    fn save_reply(
        &mut self,
        text: &Redacted,
        note: &MessageMeta,
        keep: bool,
    ) -> Result<(), conversations::Error> {
        if text.as_str().is_empty() {
            return Ok(());
        }
        let message = Message::new(Role::Assistant, text.clone(), self.services.clock.now());
        let place = match &mut self.conversation {
            Some(conversation) if keep => Some(conversation.save(&[(&message, note)])?),
            Some(conversation) => conversation.discard_partial().map(|()| None)?,
            None => None,
        };
        self.history.add(place, message);
        Ok(())
    }
}
