//! What is known about the price of a model.

use crate::provider::Prices;
use std::fmt;

/// What is known about a model's price.
#[derive(Clone, Debug, PartialEq)]
pub enum Price {
    /// It runs on the user's machine.
    Free,
    /// The provider's list has its price.
    Known(Box<Prices>),
    /// The provider's list has no price for it.
    Unknown,
}

/// Looks up the price of a model by its name.
pub struct Pricing(Box<dyn Fn(&str) -> Price>);

impl Pricing {
    /// Creates one from a function that is called for each model.
    pub fn new(of: impl Fn(&str) -> Price + 'static) -> Self {
        Self(Box::new(of))
    }

    /// The price of a model.
    #[must_use]
    pub fn price_of(&self, model: &str) -> Price {
        (self.0)(model)
    }
}

impl fmt::Debug for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pricing(_)")
    }
}
