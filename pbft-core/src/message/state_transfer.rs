//! FETCH-STATE and STATE: the state at a certified checkpoint, in parts. RETURNED and STANDING: where the others are, for a
//! replica that came back without its log.
//!
//! Nothing here is signed: each part is checked against the checkpoint's certificate, and a standing brings its proof.

use serde::{Deserialize, Serialize};

use super::Checkpoint;
use crate::{
    certificate::Certificate,
    ids::{Epoch, Seq, View},
    time::UnixMillis,
};

/// One part of the state at a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StatePart {
    /// What the certified digest covers: a [`StateSummary`](super::StateSummary).
    Summary,
    /// A chunk of the client table.
    Clients(u32),
    /// What the service needs to know of its parts.
    Manifest,
    /// A part of the service's state; a snapshot is part 0.
    Service(u32),
}

/// "Send me this part of the state at checkpoint `seq`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchState {
    /// Which checkpoint.
    pub seq: Seq,
    /// Which part of it.
    pub part: StatePart,
}

/// A part of the state, or that the sender does not have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Which checkpoint.
    pub seq: Seq,
    /// Which part of it.
    pub part: StatePart,
    /// The part; nothing if the sender does not have this checkpoint any more, or not yet.
    pub content: Option<PartBytes>,
}

/// A part as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartBytes(#[serde(with = "crate::wire::byte_string")] pub Vec<u8>);

/// "I am back without my log. Where are you?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// When it came back by its own clock: an answer to an earlier question does not count.
    pub since: UnixMillis,
}

/// "I am here": the answer to [`Returned`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which question it answers.
    pub since: UnixMillis,
    /// The sender's epoch, the newest that it knows.
    pub epoch: Epoch,
    /// Its view.
    pub view: View,
    /// The newest checkpoint that it knows to be stable, with its proof.
    pub stable: Option<Certificate<Checkpoint>>,
}
