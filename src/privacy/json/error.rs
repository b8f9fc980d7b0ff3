//! Why a body was refused. No error contains text of the body.

use thiserror::Error;

/// Why a body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is not JSON.
    #[error("the body is not valid JSON at byte {at}")]
    Syntax {
        /// The first byte that is wrong.
        at: usize,
    },
    /// Arrays and objects are nested too deeply.
    #[error("the body is nested too deeply at byte {at}")]
    TooDeep {
        /// The bracket that opens one level too many.
        at: usize,
    },
    /// It is not a form as its content type says.
    #[error("the form cannot be read at byte {at}")]
    Form {
        /// Where its fields cannot be told apart.
        at: usize,
    },
    /// A number is private, and a placeholder is no number.
    #[error(
        "the number at byte {at} is the number of a payment card, which can only be replaced in a \
         string: put it in quotes or remove it"
    )]
    PrivateNumber {
        /// Where the number begins.
        at: usize,
    },
    /// The placeholders of this client use too much memory.
    #[error("too many private values were replaced for this client")]
    TooManyPlaceholders,
    /// A replacement does not fit the text it was made for.
    #[error("a private value could not be replaced at byte {at}")]
    Inconsistent {
        /// The begin of the string.
        at: usize,
    },
}
