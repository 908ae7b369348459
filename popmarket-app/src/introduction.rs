//! What a newcomer is told about replicas that the genesis does not name: a file of its folder. Nothing in it is trusted:
//! handovers prove themselves, and an address leads to the owner of a key or to nobody.

use std::path::Path;

use ledger::HostPort;
use pbft_core::{message::Handover, wire};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigFileError, read_json};

/// What a newcomer was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    /// The encoded handovers from the first replicas to those of then, oldest first, in hex.
    pub handovers: Vec<String>,
    /// Where the replicas of then listened.
    pub addresses: Vec<Acquaintance>,
}

/// A replica, and where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquaintance {
    /// Which.
    pub id: u16,
    /// Where.
    pub address: HostPort,
}

impl Introduction {
    /// Reads one.
    ///
    /// # Errors
    /// If it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let read: Self = read_json(path)?;
        match read.handovers() {
            Ok(_) => Ok(read),
            Err(why) => Err(ConfigFileError::Malformed { path: path.into(), why }),
        }
    }

    /// The handovers, decoded.
    ///
    /// # Errors
    /// In words.
    pub fn handovers(&self) -> Result<Vec<Handover>, String> {
        self.handovers.iter().map(|text| decode(text)).collect()
    }
}

/// A handover as text.
#[must_use]
pub fn encode(handover: &Handover) -> String {
    // What was received or decided fits.
    wire::encode(handover).map(hex::encode).unwrap_or_default()
}

fn decode(text: &str) -> Result<Handover, String> {
    let bytes = hex::decode(text).map_err(|error| format!("a handover: {error}"))?;
    wire::decode(&bytes).map_err(|error| format!("a handover: {error}"))
}
