//! Errors by blame: who has to do something about it.

use thiserror::Error;

use crate::storage::LogPosition;
pub use crate::{
    config::ConfigError,
    verify::InvalidMessage,
    wire::{DecodeError, EncodeError},
};

/// Why a replica cannot start from its log. Nothing is wrong with its peers: the operator must act.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecoverError {
    /// Positions are not consecutive.
    #[error("the log has a gap after position {}", after.value())]
    Gap {
        /// The last position before the gap.
        after: LogPosition,
    },
    /// A record contradicts those before it.
    #[error("the record at position {} contradicts the log before it: {what}", position.value())]
    Contradiction {
        /// Which record.
        position: LogPosition,
        /// What is wrong with it.
        what: &'static str,
    },
}
