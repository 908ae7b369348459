//! The rules about polls once more, as naively as possible: all acts are kept, and counted anew each time.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Ballot, Census, Genesis, PollOp, Salt};
use pbft_crypto::{Address, Digest, sha256};

use crate::model::{Outcome, ensure};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Vote(u8),
    Commit(Digest),
    Reveal(u8),
}

#[derive(Clone, Debug)]
pub(crate) struct MPoll {
    pub(crate) creator: Address,
    pub(crate) options: u8,
    pub(crate) reveal_by: Option<u64>,
    pub(crate) changeable: bool,
    pub(crate) voters: BTreeSet<Address>,
    pub(crate) opens_at: u64,
    pub(crate) closes_at: u64,
    /// All that were accepted.
    pub(crate) acts: Vec<(Address, Act)>,
    /// Height and time.
    pub(crate) closed: Option<(u64, u64)>,
}

impl MPoll {
    pub(crate) fn due(&self) -> Option<u64> {
        if self.closed.is_some() { None } else { Some(self.reveal_by.unwrap_or(self.closes_at)) }
    }

    pub(crate) fn phase(&self, time: u64) -> &'static str {
        match self.due() {
            None => "CLOSED",
            Some(end) if time >= end => "CLOSED",
            _ if time < self.opens_at => "PENDING",
            _ if time < self.closes_at => "VOTING",
            _ => "REVEALING",
        }
    }

    pub(crate) fn last(&self, who: Address) -> Option<Act> {
        self.acts.iter().rev().find(|(voter, _)| *voter == who).map(|(_, act)| *act)
    }

    /// By the last act of each voter: for each answer, and those that nobody knows.
    pub(crate) fn count(&self) -> (Vec<u64>, u64) {
        let last: BTreeMap<Address, Act> = self.acts.iter().copied().collect();
        let of = |choice: u8| {
            let counts = |act: &&Act| matches!(act, Act::Vote(c) | Act::Reveal(c) if *c == choice);
            u64::try_from(last.values().filter(counts).count()).unwrap()
        };
        let unrevealed = last.values().filter(|act| matches!(act, Act::Commit(_))).count();
        ((0..self.options).map(of).collect(), u64::try_from(unrevealed).unwrap())
    }
}

pub(crate) struct Polls {
    longest: u64,
    height: u64,
    time: u64,
    /// Before the present block, and by now.
    accounts: [BTreeSet<Address>; 2],
    pub(crate) all: BTreeMap<Digest, MPoll>,
}

impl Polls {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let longest = genesis.params.polls.longest.value();
        Self {
            longest,
            height: 0,
            time: 0,
            accounts: [BTreeSet::new(), BTreeSet::new()],
            all: BTreeMap::new(),
        }
    }

    pub(crate) fn begin_block<'a>(
        &mut self,
        height: u64,
        time: u64,
        accounts: impl Iterator<Item = &'a Address>,
    ) {
        let accounts: BTreeSet<Address> = accounts.copied().collect();
        (self.height, self.time) = (height, time);
        self.accounts = [accounts.clone(), accounts];
    }

    pub(crate) fn registered(&mut self, who: Address) {
        self.accounts[1].insert(who);
    }

    pub(crate) fn close(&mut self, id: Digest) {
        self.all.get_mut(&id).unwrap().closed = Some((self.height, self.time));
    }

    pub(crate) fn apply(&mut self, who: Address, id: Digest, op: &PollOp) -> Outcome {
        match op {
            PollOp::Create { .. } => self.create(who, id, op),
            PollOp::Vote { poll, choice } => {
                let poll = self.voting(who, poll.digest(), false)?;
                ensure(*choice < poll.options, "UNKNOWN_OPTION")?;
                cast(poll, who, Act::Vote(*choice))
            }
            PollOp::Commit { poll, commitment } => {
                let poll = self.voting(who, poll.digest(), true)?;
                cast(poll, who, Act::Commit(*commitment))
            }
            PollOp::Reveal { poll, choice, salt } => self.reveal(who, poll.digest(), *choice, salt),
            PollOp::Close { poll } => {
                let row = self.all.get(poll.digest()).ok_or("UNKNOWN_POLL")?;
                ensure(row.creator == who, "NOT_POLL_CREATOR")?;
                ensure(row.phase(self.time) == "REVEALING", "WRONG_POLL_PHASE")?;
                ensure(row.count().1 == 0, "VOTES_UNREVEALED")?;
                self.close(*poll.digest());
                Ok(())
            }
        }
    }

    fn create(&mut self, who: Address, id: Digest, op: &PollOp) -> Outcome {
        let PollOp::Create { content, ballot, census, changeable, times } = op else { unreachable!() };
        let (opens_at, closes_at) = (times.opens_at.value(), times.closes_at.value());
        ensure(closes_at > opens_at && closes_at > self.time, "NO_TIME_TO_VOTE")?;
        let reveal_by = match ballot {
            Ballot::Open => None,
            Ballot::Sealed { reveal_by } => Some(reveal_by.value()),
        };
        ensure(reveal_by.is_none_or(|at| at > closes_at), "NO_TIME_TO_REVEAL")?;
        ensure(reveal_by.unwrap_or(closes_at) - self.time <= self.longest, "POLL_TOO_LONG")?;
        let voters = match census {
            Census::Everyone => self.accounts[0].clone(),
            Census::Listed { voters } => voters.as_slice().iter().copied().collect(),
        };
        ensure(voters.is_subset(&self.accounts[1]), "UNKNOWN_VOTER")?;
        let poll = MPoll {
            creator: who,
            options: u8::try_from(content.options.as_slice().len()).unwrap(),
            reveal_by,
            changeable: *changeable,
            voters,
            opens_at,
            closes_at,
            acts: Vec::new(),
            closed: None,
        };
        self.all.insert(id, poll);
        Ok(())
    }

    fn voting(&mut self, who: Address, id: &Digest, sealed: bool) -> Result<&mut MPoll, &'static str> {
        let time = self.time;
        let poll = self.all.get_mut(id).ok_or("UNKNOWN_POLL")?;
        ensure(poll.phase(time) == "VOTING", "WRONG_POLL_PHASE")?;
        ensure(poll.reveal_by.is_some() == sealed, "OTHER_BALLOT")?;
        ensure(poll.voters.contains(&who), "NOT_ELIGIBLE")?;
        Ok(poll)
    }

    fn reveal(&mut self, who: Address, id: &Digest, choice: u8, salt: &Salt) -> Outcome {
        let time = self.time;
        let poll = self.all.get_mut(id).ok_or("UNKNOWN_POLL")?;
        ensure(poll.phase(time) == "REVEALING", "WRONG_POLL_PHASE")?;
        let Some(Act::Commit(commitment)) = poll.last(who) else { return Err("NOTHING_TO_REVEAL") };
        ensure(choice < poll.options, "UNKNOWN_OPTION")?;
        let tag = b"popmarket.vote.v1";
        let hashed: Vec<u8> =
            [&[17], tag.as_slice(), id.as_bytes(), who.as_bytes(), &[choice], salt.as_bytes()].concat();
        ensure(sha256(&hashed) == commitment, "COMMITMENT_MISMATCH")?;
        poll.acts.push((who, Act::Reveal(choice)));
        Ok(())
    }
}

fn cast(poll: &mut MPoll, who: Address, act: Act) -> Outcome {
    let before = poll.last(who);
    ensure(before.is_none() || poll.changeable && before != Some(act), "ALREADY_VOTED")?;
    poll.acts.push((who, act));
    Ok(())
}
