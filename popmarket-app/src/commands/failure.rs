//! How commands fail: in words, and with an exit code for scripts.

use thiserror::Error;

use crate::api::ApiError;

/// The command was understood and did not succeed.
pub const EXIT_FAILED: u8 = 1;
/// The command cannot be carried out as given: a file is missing or wrong, an address is in use.
pub const EXIT_USAGE: u8 = 2;
/// It is not known yet what came of it: a transaction may be recorded or not.
pub const EXIT_UNKNOWN: u8 = 3;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CommandError {
    /// What it was given cannot be used.
    #[error("{0}")]
    Usage(String),
    /// It did not succeed.
    #[error("{0}")]
    Failed(String),
    /// It may still succeed.
    #[error("{0}")]
    Unknown(String),
}

impl CommandError {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Failed(_) => EXIT_FAILED,
            Self::Unknown(_) => EXIT_UNKNOWN,
        }
    }

    /// With what was tried, for an error that cannot be mended by other arguments.
    pub fn failed(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}

impl From<crate::config::ConfigFileError> for CommandError {
    fn from(error: crate::config::ConfigFileError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ApiError> for CommandError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Url { .. } => Self::Usage(error.to_string()),
            ApiError::Unreachable { .. } | ApiError::Problem(_) | ApiError::Strange { .. } => {
                Self::Failed(error.to_string())
            }
        }
    }
}
