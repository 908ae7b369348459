//! What a poll is about: its texts, its times, and the list of those who are asked.

use std::collections::BTreeSet;

use pbft_crypto::{Address, Digest, Domain, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::PollRejection;
use crate::codec::encode;
use crate::text::{PollOption, Question};
use crate::time::{Millis, UnixMillis};

const CONTENT: Domain = Domain::new("popmarket.poll.v1");

/// How many answers a poll may have.
pub const MAX_POLL_OPTIONS: usize = 32;

/// How many voters a poll may name. They have to fit into a transaction.
pub const MAX_VOTERS: usize = 256;

/// Question and answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollContent {
    /// What is asked.
    pub question: Question,
    /// The answers to choose from.
    pub options: PollOptions,
}

impl PollContent {
    /// What the state keeps of it.
    pub fn hash(&self) -> Digest {
        digest(CONTENT, &encode(self))
    }
}

/// From 2 to [`MAX_POLL_OPTIONS`] different answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<PollOption>")]
pub struct PollOptions(Vec<PollOption>);

impl PollOptions {
    /// The answers; a choice is a place in this list.
    pub fn as_slice(&self) -> &[PollOption] {
        &self.0
    }
}

/// Too few answers, too many, or one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a poll has 2 to {MAX_POLL_OPTIONS} different options")]
pub struct BadOptions;

impl TryFrom<Vec<PollOption>> for PollOptions {
    type Error = BadOptions;

    fn try_from(options: Vec<PollOption>) -> Result<Self, BadOptions> {
        let different: BTreeSet<&PollOption> = options.iter().collect();
        let fits = (2..=MAX_POLL_OPTIONS).contains(&options.len()) && different.len() == options.len();
        if fits { Ok(Self(options)) } else { Err(BadOptions) }
    }
}

/// From 1 to [`MAX_VOTERS`] accounts, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Address>")]
pub struct Voters(Vec<Address>);

impl Voters {
    /// The accounts.
    pub fn as_slice(&self) -> &[Address] {
        &self.0
    }

    /// Whether an account is among them.
    pub fn contains(&self, address: &Address) -> bool {
        self.0.binary_search(address).is_ok()
    }

    /// How many there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u16 {
        // At most MAX_VOTERS.
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }
}

/// No voter, too many, or not in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a list of voters has 1 to {MAX_VOTERS} addresses, in ascending order, each once")]
pub struct BadVoters;

impl TryFrom<Vec<Address>> for Voters {
    type Error = BadVoters;

    fn try_from(voters: Vec<Address>) -> Result<Self, BadVoters> {
        let fits = (1..=MAX_VOTERS).contains(&voters.len());
        if fits && voters.is_sorted_by(|a, b| a < b) { Ok(Self(voters)) } else { Err(BadVoters) }
    }
}

/// From when to when votes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollTimes {
    /// The first moment at which a vote counts. If it has passed, that is at once.
    pub opens_at: UnixMillis,
    /// The first moment at which it counts no longer.
    pub closes_at: UnixMillis,
}

impl PollTimes {
    /// Whether there is a time to vote, one to reveal votes if they are sealed, and an end in sight.
    pub(super) fn check(
        &self,
        reveal_by: Option<UnixMillis>,
        now: UnixMillis,
        longest: Millis,
    ) -> Result<(), PollRejection> {
        if self.closes_at <= self.opens_at.max(now) {
            return Err(PollRejection::NoTimeToVote);
        }
        if reveal_by.is_some_and(|at| at <= self.closes_at) {
            return Err(PollRejection::NoTimeToReveal);
        }
        let latest = now.plus(longest);
        if reveal_by.unwrap_or(self.closes_at) > latest {
            return Err(PollRejection::TooLong { latest });
        }
        Ok(())
    }
}
