//! Kits for whoever implements a port: each is a function that takes an implementation through what its documentation
//! demands, and says what it does not do. To be called from the implementation's own tests.
//!
//! ```
//! use pbft_core::{conformance, request_buffer::FairBuffer};
//!
//! conformance::request_buffer(|limits| Box::new(FairBuffer::new(limits)))?;
//! # Ok::<(), conformance::Broken>(())
//! ```
//!
//! A kit finds what is wrong, it does not prove that nothing is: what only shows under load or in a real power cut is for
//! other tests.

mod buffer;
mod crypto;
mod log;
mod network;
mod service;
mod state_transfer;

use core::fmt::Debug;

use thiserror::Error;

pub use buffer::request_buffer;
pub use crypto::crypto;
pub use log::log;
pub use network::{Received, network};
pub use service::{Restart, service};
pub use state_transfer::state_transfer;

/// A rule of a port that an implementation breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{rule}: {details}")]
pub struct Broken {
    /// The rule, in words.
    pub rule: &'static str,
    /// What was seen.
    pub details: String,
}

/// What a kit comes to.
pub type Verdict = Result<(), Broken>;

fn hold(rule: &'static str, holds: bool, details: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Broken { rule, details: details() }) }
}

fn equal<T: PartialEq + Debug>(rule: &'static str, found: &T, expected: &T) -> Verdict {
    hold(rule, found == expected, || shortened(&format!("{found:?} instead of {expected:?}")))
}

/// Enough to see what is meant.
fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}

fn failed<E: Debug>(rule: &'static str) -> impl Fn(E) -> Broken {
    move |error| Broken { rule, details: format!("{error:?}") }
}
