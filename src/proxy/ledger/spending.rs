//! What the proxy has spent since it runs, in all and with each token.

use std::collections::HashMap;

/// What this run of the program has spent and reserved.
#[derive(Debug, Default)]
pub(super) struct RunSpending {
    pub(super) all: Spending,
    pub(super) tokens: HashMap<String, Spending>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spending {
    spent: i64,
    held: i64,
}

impl Spending {
    pub(super) const fn total(self) -> i64 {
        self.spent.saturating_add(self.held)
    }
}

impl RunSpending {
    fn change(&mut self, token: &str, change: impl Fn(&mut Spending)) {
        change(&mut self.all);
        match self.tokens.get_mut(token) {
            Some(spending) => change(spending),
            None => change(self.tokens.entry(token.to_owned()).or_default()),
        }
    }

    pub(super) fn hold(&mut self, token: &str, nanos: i64) {
        self.change(token, |own| own.held = own.held.saturating_add(nanos));
    }

    pub(super) fn release(&mut self, token: &str, nanos: i64) {
        self.change(token, |own| own.held = own.held.saturating_sub(nanos));
    }

    pub(super) fn spend(&mut self, token: &str, nanos: i64) {
        self.change(token, |own| own.spent = own.spent.saturating_add(nanos));
    }
}
