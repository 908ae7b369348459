//! Why nothing happens to a poll.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::PollPhase;
use crate::time::UnixMillis;

/// Why nothing happens to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PollRejection {
    /// It would close before it opens, or before now.
    #[error("the poll would close before anyone could vote")]
    NoTimeToVote,
    /// Votes could not be revealed.
    #[error("the poll would end before anyone could reveal a vote")]
    NoTimeToReveal,
    /// It would never end.
    #[error("a poll ends at {latest} at the latest")]
    TooLong {
        /// The latest end.
        latest: UnixMillis,
    },
    /// Someone who is asked has no account.
    #[error("{voter} has no account")]
    UnknownVoter {
        /// Who.
        voter: Address,
    },
    /// No such poll.
    #[error("there is no such poll")]
    UnknownPoll,
    /// Not possible now.
    #[error("not possible: the poll is {}", phase.code())]
    WrongPhase {
        /// What it is doing.
        phase: PollPhase,
    },
    /// Votes of a sealed poll are committed to and revealed, those of an open one are cast.
    #[error("the poll has another kind of ballot")]
    OtherBallot,
    /// Not one of those who are asked.
    #[error("the sender may not vote in this poll")]
    NotEligible,
    /// No such answer.
    #[error("there are {options} options, counted from 0")]
    UnknownOption {
        /// How many there are.
        options: u8,
    },
    /// The account has voted, and either votes are not changed or this changes nothing.
    #[error("the vote is cast already")]
    AlreadyVoted,
    /// The account has no vote that is hidden.
    #[error("there is no sealed vote of the sender")]
    NothingToReveal,
    /// Not what the voter has committed to.
    #[error("choice and salt are not those of the commitment")]
    CommitmentMismatch,
    /// Only its creator closes a poll.
    #[error("only the poll's creator may do this")]
    NotCreator,
    /// Some votes may be revealed yet.
    #[error("{unrevealed} votes are not revealed yet")]
    Unrevealed {
        /// How many.
        unrevealed: u64,
    },
}

codes_of! {
    pub(crate) PollRejection {
        NoTimeToVote => "NO_TIME_TO_VOTE",
        NoTimeToReveal => "NO_TIME_TO_REVEAL",
        TooLong => "POLL_TOO_LONG",
        UnknownVoter => "UNKNOWN_VOTER",
        UnknownPoll => "UNKNOWN_POLL",
        WrongPhase => "WRONG_POLL_PHASE",
        OtherBallot => "OTHER_BALLOT",
        NotEligible => "NOT_ELIGIBLE",
        UnknownOption => "UNKNOWN_OPTION",
        AlreadyVoted => "ALREADY_VOTED",
        NothingToReveal => "NOTHING_TO_REVEAL",
        CommitmentMismatch => "COMMITMENT_MISMATCH",
        NotCreator => "NOT_POLL_CREATOR",
        Unrevealed => "VOTES_UNREVEALED",
    }
}
