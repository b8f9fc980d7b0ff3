//! The checks before a message is sent: lockdown, the provider's waiting time, budgets, rate
//! limits.

use crate::audit::{Event, EventKind, Severity};
use crate::chat::{Error, Observer, Session};
use crate::limits::{self, Admitted, WindowUsage};
use crate::message::Message;
use crate::provider::{CostBound, Provider, RequestSize, reserve_cost, tokens};
use crate::time::Time;
use crate::usage::budget;
use crate::usage::totals::{Hold, ReservationRequest};
use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;

/// Permission to send one message.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) rate_limits: Vec<WindowUsage>,
    /// The longest answer that the budget pays for.
    pub(super) max_tokens: Option<u32>,
    /// The reserved amount.
    pub(super) hold: Option<Hold>,
}

impl<P: Provider> Session<P> {
    /// Admits a message or returns why not. If the user chose `--wait`, waits until a limit allows
    /// it.
    pub(super) async fn admit(
        &mut self,
        message: Option<&Message>,
        observer: &mut dyn Observer,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Permit, Error> {
        loop {
            let since = self.services.clock.stopwatch();
            let error = match self.try_admit(message, observer) {
                Ok(permit) => {
                    let levels = permit
                        .rate_limits
                        .iter()
                        .map(|l| {
                            format!(
                                "{} of {} in the {}",
                                l.used, l.window.max_requests, l.window.name
                            )
                        })
                        .collect::<Vec<_>>()
                        .join(", ");
                    let money = permit.hold.as_ref().map_or_else(
                        || "nothing".to_owned(),
                        |h| format!("{} nano-dollars", h.nanos()),
                    );
                    observer.trace(&format!(
                        "admitted: {levels}; {money} reserved; in {} us",
                        since.elapsed().as_micros()
                    ));
                    return Ok(permit);
                }
                Err(error) => error,
            };
            let wait = if let Error::Limit(limit) = &error {
                limit.wait()
            } else {
                None
            };
            let Some(wait) = wait.filter(|_| self.config.wait) else {
                self.audit_refusal(&error);
                return Err(error);
            };
            self.wait_with_countdown(wait, observer, stop.as_mut())
                .await?;
        }
    }

    fn try_admit(
        &self,
        message: Option<&Message>,
        observer: &mut dyn Observer,
    ) -> Result<Permit, Error> {
        self.services.lockdown.check()?;
        if !self.config.is_counted {
            return Ok(Permit {
                rate_limits: Vec::new(),
                max_tokens: None,
                hold: None,
            });
        }
        let who = self.backoff_key();
        if let Some(wait) = self
            .services
            .backoff
            .remaining(&who)
            .map_err(limits::Error::Disk)?
        {
            if self.config.wait {
                return Err(limits::Error::AskedToWait { who, wait }.into());
            }
            let wait = crate::time::humanize(wait);
            observer.on_warning(&format!(
                "`{who}` asked to wait {wait}; use `--wait` to wait for it"
            ));
        }
        let (hold, max_tokens) = self.reserve_budget(message, observer)?;
        let now = self.services.clock.moment();
        let found = Cell::new(0);
        let seen = |since| -> Vec<Time> {
            let times: Vec<Time> = self.services.audit.sent_since(since);
            found.set(times.len());
            times
        };
        let taken = self.services.limiter.acquire(now, &seen);
        if found.get() > 0
            || matches!(
                taken,
                Ok(Admitted {
                    rebuilt: Some(_),
                    ..
                })
            )
        {
            let found = found.get();
            self.audit_event(
                &Event::new(EventKind::Rebuilt)
                    .severity(Severity::Warning)
                    .word("file", "requests")
                    .number("found", found),
            );
            observer.on_warning(&format!(
                "the request counter was missing or damaged; restored {found} requests of the last hour from the audit log"
            ));
        }
        match taken {
            Ok(Admitted {
                windows: levels, ..
            }) => Ok(Permit {
                rate_limits: levels.to_vec(),
                max_tokens,
                hold,
            }),
            Err(error) => {
                if let Some(hold) = &hold {
                    self.services.budget.release(hold)?;
                }
                Err(error.into())
            }
        }
    }

    /// The key under which a provider's waiting time is stored.
    pub(super) fn backoff_key(&self) -> String {
        format!(
            "{}/{}/{}",
            self.provider.name(),
            self.config.profile,
            self.options.model
        )
    }

    /// Releases the reservation if no request is made.
    pub(super) fn release(&self, permit: &Permit) {
        if let Some(hold) = &permit.hold {
            // If this fails too, the amount counts as spent after a quarter of an hour.
            self.services.budget.release(hold).unwrap_or_default();
        }
    }

    /// Reserves the most this message can cost, if a budget is set.
    fn reserve_budget(
        &self,
        message: Option<&Message>,
        observer: &mut dyn Observer,
    ) -> Result<(Option<Hold>, Option<u32>), Error> {
        let request = ReservationRequest {
            provider: self.provider.name().to_string(),
            profile: self.config.profile.clone(),
            model: self.options.model.clone(),
            conversation: self.conversation_id(),
        };
        let reserved = reserve_cost(
            &self.services.budget,
            &self.services.pricing,
            self.config.allow_unknown_price,
            &request,
            || self.request_size(message),
            self.spend,
        )?;
        let Some(reserved) = reserved else {
            return Ok((None, None));
        };
        if reserved.rebuilt {
            self.audit_event(
                &Event::new(EventKind::Rebuilt)
                    .severity(Severity::Warning)
                    .word("file", "tally"),
            );
            observer.on_warning("the spending totals were missing or damaged; recalculated them from the usage record");
        }
        Ok((Some(reserved.hold), reserved.max_tokens))
    }

    /// The longest answer the budget would pay for. Nothing is reserved.
    pub(super) fn check_budget(&self, message: &Message) -> Result<Option<u32>, Error> {
        if !self.services.budget.limits().is_set() {
            return Ok(None);
        }
        let need = match self.cost_bound(Some(message)) {
            Ok(Some(need)) => need,
            // A preview costs nothing, so it needs no price.
            Ok(None) | Err(Error::Budget(budget::Error::NoPrice { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let budgets = self.services.budget.status(self.spend)?;
        let Some(status) = budgets
            .into_iter()
            .min_by_key(budget::BudgetStatus::remaining)
        else {
            return Ok(None);
        };
        if status.remaining() < need.min {
            return Err(budget::Error::Spent {
                status,
                need: need.min,
            }
            .into());
        }
        Ok(need.affordable_tokens(need.want.min(status.remaining())))
    }

    /// The possible cost of this message; `None` if it is free.
    fn cost_bound(&self, message: Option<&Message>) -> Result<Option<CostBound>, Error> {
        let model = &self.options.model;
        let price = self.services.pricing.price_of(model);
        let allow = self.config.allow_unknown_price;
        Ok(CostBound::new(
            price,
            model,
            self.request_size(message),
            allow,
        )?)
    }

    fn request_size(&self, message: Option<&Message>) -> RequestSize {
        let before = match message {
            Some(question) => self.history.before(question, self.max_request_tokens()),
            None => self.history.request(self.max_request_tokens()),
        };
        let texts = before.messages.iter().chain(message);
        // Each message adds a few tokens of its own.
        let schema = self.options.schema.as_ref();
        let schema = schema.map_or(0, |schema| tokens::token_upper_bound(schema.as_str()));
        let prompt = texts.fold(16 + schema, |sum, m| {
            sum + 8
                + tokens::token_upper_bound(m.text.as_str())
                + m.images.len() as u64 * tokens::MAX_IMAGE_TOKENS
        });
        RequestSize {
            prompt,
            max_tokens: self.options.max_tokens,
        }
    }

    fn audit_refusal(&self, error: &Error) {
        let event = match error {
            Error::Limit(limits::Error::Full { usage: level, .. }) => {
                Event::new(EventKind::Limited)
                    .word("window", level.window.name)
                    .number("most", level.window.max_requests)
            }
            Error::Limit(limits::Error::Lockdown { .. }) => {
                Event::new(EventKind::Limited).word("window", "lockdown")
            }
            Error::Budget(budget::Error::Spent { status: fill, need }) => {
                let event = Event::new(EventKind::Budget)
                    .word("span", fill.span.name())
                    .number("limit", fill.limit);
                event.number("spent", fill.spent).number("need", *need)
            }
            Error::Budget(budget::Error::NoPrice { model }) => {
                Event::new(EventKind::Budget).word("unknown_price", model)
            }
            _ => return,
        };
        self.audit_event(&event.severity(Severity::Warning));
    }

    /// Waits, and reports the remaining time every second.
    async fn wait_with_countdown(
        &self,
        wait: Duration,
        observer: &mut dyn Observer,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Error> {
        let watch = self.services.clock.stopwatch();
        observer.on_wait_start(wait);
        while let Some(left) = wait
            .checked_sub(watch.elapsed())
            .filter(|left| !left.is_zero())
        {
            observer.on_wait(left);
            tokio::select! {
                () = tokio::time::sleep(left.min(Duration::from_secs(1))) => {}
                () = stop.as_mut() => {
                    observer.on_wait(Duration::ZERO);
                    return Err(Error::Cancelled);
                }
            }
        }
        observer.on_wait(Duration::ZERO);
        Ok(())
    }
}
