//! Polls: who is asked is settled when a poll begins, everyone has one vote, and the ledger counts.
//!
//! | ballot | until `opens_at` | until `closes_at` | until `reveal_by` | then |
//! | --- | --- | --- | --- | --- |
//! | open | nothing | votes, counted at once | - | closed |
//! | sealed | nothing | commitments | choices are revealed and counted | closed |
//!
//! A commitment is a hash over the poll, the voter, the choice and a salt: see [`vote_commitment`]. What is not revealed in time
//! does not count. The texts are in the transactions; the state keeps their hash.

mod content;
mod event;
mod rejection;
mod rules;

use pbft_crypto::{Address, Digest, Domain, digest};
use serde::{Deserialize, Serialize};

use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::{Height, PollId, Salt};
use crate::table::{EntryError, Row, Table, TableId};
use crate::time::{Millis, UnixMillis};

pub use content::{
    BadOptions, BadVoters, MAX_POLL_OPTIONS, MAX_VOTERS, PollContent, PollOptions, PollTimes, Voters,
};
pub use event::PollEvent;
pub use rejection::PollRejection;
pub(crate) use rules::{apply, expire};

const COMMITMENT: Domain = Domain::new("popmarket.vote.v1");

/// What operators choose about polls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollParams {
    /// How long after its creation a poll may end.
    pub longest: Millis,
}

impl PollParams {
    /// 365 days.
    pub const STANDARD: Self = Self { longest: Millis::days(365) };
}

/// Transactions about polls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollOp {
    /// Asks a question.
    Create {
        /// Question and answers.
        content: PollContent,
        /// How votes are cast.
        ballot: Ballot,
        /// Who may vote.
        census: Census,
        /// Whether a vote may be changed until the poll closes.
        changeable: bool,
        /// From when to when.
        times: PollTimes,
    },
    /// Votes in an open poll.
    Vote {
        /// Which.
        poll: PollId,
        /// The answer, counted from 0.
        choice: u8,
    },
    /// Votes in a sealed poll.
    Commit {
        /// Which.
        poll: PollId,
        /// The [`vote_commitment`].
        commitment: Digest,
    },
    /// Shows what the sender has voted in a sealed poll.
    Reveal {
        /// Which.
        poll: PollId,
        /// The answer, counted from 0.
        choice: u8,
        /// What hid it.
        salt: Salt,
    },
    /// Closes a sealed poll before `reveal_by`, all votes being revealed. By its creator.
    Close {
        /// Which.
        poll: PollId,
    },
}

impl PollOp {
    /// The existing poll that it is about.
    pub const fn poll(&self) -> Option<PollId> {
        match self {
            Self::Create { .. } => None,
            Self::Vote { poll, .. }
            | Self::Commit { poll, .. }
            | Self::Reveal { poll, .. }
            | Self::Close { poll } => Some(*poll),
        }
    }
}

/// What a voter commits to in a sealed poll. The salt must be random: there are only a few choices to try.
pub fn vote_commitment(poll: &PollId, voter: &Address, choice: u8, salt: &Salt) -> Digest {
    let parts = [poll.as_bytes().as_slice(), voter.as_bytes(), &[choice], salt.as_bytes()];
    digest(COMMITMENT, &parts.concat())
}

/// How votes are cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ballot {
    /// For all to see, counted at once.
    Open,
    /// Hidden until the poll is closed.
    Sealed {
        /// Until when votes can be revealed.
        reveal_by: UnixMillis,
    },
}

/// Who may vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Census {
    /// All who had an account before the block of the poll.
    Everyone,
    /// Those who are named.
    Listed {
        /// Who.
        voters: Voters,
    },
}

/// What a poll is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollPhase {
    /// It has not begun.
    Pending,
    /// Votes are taken.
    Voting,
    /// Votes of a sealed poll are revealed.
    Revealing,
    /// The result is final.
    Closed,
}

impl PollPhase {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Voting => "VOTING",
            Self::Revealing => "REVEALING",
            Self::Closed => "CLOSED",
        }
    }
}

/// The block that made a result final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollClosing {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub at: UnixMillis,
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Who asks.
    pub creator: Address,
    /// The hash of question and answers.
    pub content_hash: Digest,
    /// How votes are cast.
    pub ballot: Ballot,
    /// Whether a vote may be changed.
    pub changeable: bool,
    /// How many are asked by name; none if everyone is.
    pub listed: Option<u16>,
    /// From when to when.
    pub times: PollTimes,
    /// How many votes each answer has.
    pub tallies: Vec<u64>,
    /// How many votes nobody knows yet.
    pub unrevealed: u64,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The block that closed it.
    pub closed: Option<PollClosing>,
}

impl Poll {
    /// What it is doing at some time.
    pub fn phase(&self, now: UnixMillis) -> PollPhase {
        if self.closed.is_some() || now >= self.ends_at() {
            PollPhase::Closed
        } else if now < self.times.opens_at {
            PollPhase::Pending
        } else if now < self.times.closes_at {
            PollPhase::Voting
        } else {
            PollPhase::Revealing
        }
    }

    /// When the result is final at the latest.
    pub const fn ends_at(&self) -> UnixMillis {
        match self.ballot {
            Ballot::Open => self.times.closes_at,
            Ballot::Sealed { reveal_by } => reveal_by,
        }
    }

    /// How many votes there are, counted ones and others.
    pub fn votes(&self) -> u64 {
        self.tallies.iter().fold(self.unrevealed, |sum, tally| sum.saturating_add(*tally))
    }

    /// When it closes by itself.
    pub(crate) fn due(&self) -> Option<UnixMillis> {
        if self.closed.is_none() { Some(self.ends_at()) } else { None }
    }
}

impl Row for Poll {
    type Key = PollId;
    const TABLE: TableId = TableId::Polls;
}

/// The vote of one account in one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// It counts.
    Counted {
        /// The answer.
        choice: u8,
    },
    /// It is hidden.
    Sealed {
        /// Behind this [`vote_commitment`].
        commitment: Digest,
    },
}

impl Row for Vote {
    type Key = (PollId, Address);
    const TABLE: TableId = TableId::Votes;
}

impl Row for Voters {
    type Key = PollId;
    const TABLE: TableId = TableId::Censuses;
}

/// The polls, and with each change the index of deadlines kept up to date.
#[derive(Default)]
pub(crate) struct Polls {
    pub(crate) rows: Table<Poll>,
    pub(crate) votes: Table<Vote>,
    pub(crate) censuses: Table<Voters>,
}

impl Polls {
    pub(crate) fn find(&self, id: &PollId) -> Option<&Poll> {
        self.rows.find(id)
    }

    pub(crate) fn vote_of(&self, poll: PollId, voter: Address) -> Option<Vote> {
        self.votes.find(&(poll, voter)).copied()
    }

    /// When the poll closes by itself.
    pub(crate) fn due(&self, id: &PollId) -> Option<UnixMillis> {
        self.find(id)?.due()
    }

    fn put(&mut self, deadlines: &mut Deadlines, id: PollId, poll: Poll) {
        deadlines.replace(ObjectId::Poll(id), self.due(&id), poll.due());
        self.rows.put(id, poll);
    }

    pub(crate) fn load(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, poll) = self.rows.load(key, value)?;
        deadlines.replace(ObjectId::Poll(id), None, poll.due());
        Ok(())
    }

    /// Each vote is counted once, for its answer, and those of named voters only.
    pub(crate) fn is_sound(&self, id: PollId, poll: &Poll) -> bool {
        let mut tallies = vec![0_u64; poll.tallies.len()];
        let mut unrevealed = 0_u64;
        let listed = self.censuses.find(&id);
        for ((_, voter), vote) in self.votes_of(id) {
            let count = match vote {
                Vote::Counted { choice } => tallies.get_mut(usize::from(*choice)),
                Vote::Sealed { .. } => Some(&mut unrevealed),
            };
            match count {
                Some(count) if listed.is_none_or(|voters| voters.contains(voter)) => {
                    *count = count.saturating_add(1);
                }
                _ => return false,
            }
        }
        let is_sealed = matches!(poll.ballot, Ballot::Sealed { .. });
        tallies == poll.tallies
            && unrevealed == poll.unrevealed
            && (is_sealed || unrevealed == 0)
            && listed.map(Voters::len) == poll.listed
    }

    fn votes_of(&self, poll: PollId) -> impl Iterator<Item = (&(PollId, Address), &Vote)> {
        let first = (poll, Address::from_bytes([0; 32]));
        self.votes.range(first).take_while(move |((id, _), _)| *id == poll)
    }
}
