//! What happens to polls.

use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};

use super::{Ballot, Census, PollContent, PollTimes};
use crate::event::event_names;
use crate::ids::{Height, PollId};
use crate::time::UnixMillis;

/// What happens to polls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollEvent {
    /// Somebody asks.
    Created {
        /// Which.
        poll: PollId,
        /// Who asks.
        creator: Address,
        /// Question and answers.
        content: PollContent,
        /// How votes are cast.
        ballot: Ballot,
        /// Who may vote.
        census: Census,
        /// Whether a vote may be changed.
        changeable: bool,
        /// From when to when.
        times: PollTimes,
        /// When.
        at: UnixMillis,
    },
    /// A vote counts.
    Voted {
        /// In which poll.
        poll: PollId,
        /// Whose.
        voter: Address,
        /// For which answer.
        choice: u8,
        /// For which it counted before.
        before: Option<u8>,
        /// When.
        at: UnixMillis,
    },
    /// A hidden vote is cast, perhaps in place of an earlier one.
    Committed {
        /// In which poll.
        poll: PollId,
        /// Whose.
        voter: Address,
        /// What hides it.
        commitment: Digest,
        /// Whether it takes the place of another one.
        changed: bool,
        /// When.
        at: UnixMillis,
    },
    /// A hidden vote is shown and counts.
    Revealed {
        /// In which poll.
        poll: PollId,
        /// Whose.
        voter: Address,
        /// For which answer.
        choice: u8,
        /// When.
        at: UnixMillis,
    },
    /// The result is final.
    Closed {
        /// Which.
        poll: PollId,
        /// Who asked.
        creator: Address,
        /// How many votes each answer has.
        tallies: Vec<u64>,
        /// How many votes were never revealed.
        unrevealed: u64,
        /// The block that closed it.
        height: Height,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    PollEvent {
        Self::Created { .. } => "poll.created",
        Self::Voted { .. } => "poll.voted",
        Self::Committed { .. } => "poll.committed",
        Self::Revealed { .. } => "poll.revealed",
        Self::Closed { .. } => "poll.closed",
    }
}

impl PollEvent {
    /// Which poll.
    pub const fn poll(&self) -> PollId {
        match self {
            Self::Created { poll, .. }
            | Self::Voted { poll, .. }
            | Self::Committed { poll, .. }
            | Self::Revealed { poll, .. }
            | Self::Closed { poll, .. } => *poll,
        }
    }

    /// Who asks or votes.
    pub const fn who(&self) -> &Address {
        match self {
            Self::Created { creator: who, .. } | Self::Closed { creator: who, .. } => who,
            Self::Voted { voter: who, .. }
            | Self::Committed { voter: who, .. }
            | Self::Revealed { voter: who, .. } => who,
        }
    }
}
