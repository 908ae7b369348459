//! Polls, open and sealed.

use ledger::{
    Ballot, Census, Operation, PollContent, PollId, PollOp, PollOptions, PollTimes, Salt, UnixMillis, Voters,
    vote_commitment,
};
use pbft_crypto::{Address, Digest, sha256};

use super::Run;
use crate::world::{DAY, HOUR, address};

impl Run {
    pub(super) fn poll(&mut self, who: Address) -> (Address, Operation) {
        if self.dice.percent(15) || self.model.polls.all.is_empty() {
            return (who, self.ask());
        }
        let poll = self.running_poll();
        let (id, row) = (PollId::new(poll), self.model.polls.all.get(&poll).cloned());
        let phase = row.as_ref().map_or("CLOSED", |row| row.phase(self.now));
        let is_sealed = row.as_ref().is_some_and(|row| row.reveal_by.is_some());
        let options = row.as_ref().map_or(2, |row| u64::from(row.options));
        let choice =
            u8::try_from(self.dice.below(options + u64::from(self.dice.0.is_multiple_of(20)))).unwrap();
        match self.dice.below(10) {
            0 => (row.map_or(who, |row| row.creator), PollOp::Close { poll: id }.into()),
            1 => (who, PollOp::Vote { poll: id, choice }.into()),
            2 => (who, PollOp::Close { poll: id }.into()),
            _ if phase == "REVEALING" => self.reveal(who, id),
            _ if is_sealed => self.commit(who, id, choice),
            _ => (who, PollOp::Vote { poll: id, choice }.into()),
        }
    }

    /// Mostly one that is not closed; rarely one that does not exist.
    fn running_poll(&mut self) -> Digest {
        let all: Vec<Digest> = self.model.polls.all.keys().copied().collect();
        let runs = |id: &Digest| self.model.polls.all[id].closed.is_none();
        let running: Vec<Digest> = all.iter().copied().filter(runs).collect();
        let of = if running.is_empty() || self.dice.percent(5) { all } else { running };
        let nothing = Digest::from_bytes([0xee; 32]);
        if self.dice.percent(2) { nothing } else { self.dice.pick(&of).copied().unwrap_or(nothing) }
    }

    fn ask(&mut self) -> Operation {
        let n = 2 + self.dice.below(4);
        let options = (0..n).map(|i| format!("option {i}").parse().unwrap()).collect::<Vec<_>>();
        let options = PollOptions::try_from(options).unwrap();
        let content = PollContent { question: "Which?".parse().unwrap(), options };
        let opens_at = (self.now + self.dice.below(HOUR)).saturating_sub(HOUR / 2);
        let closes_at = match self.dice.below(15) {
            0 => self.now - self.dice.below(1_000),
            1 => self.now + 400 * DAY,
            _ => self.now + 1 + self.dice.below(3 * HOUR),
        };
        let ballot = if self.dice.percent(50) {
            Ballot::Open
        } else {
            let reveal_by = (closes_at + self.dice.below(3 * HOUR)).saturating_sub(HOUR / 4);
            Ballot::Sealed { reveal_by: UnixMillis::new(reveal_by) }
        };
        let times = PollTimes { opens_at: UnixMillis::new(opens_at), closes_at: UnixMillis::new(closes_at) };
        let changeable = self.dice.percent(50);
        PollOp::Create { content, ballot, census: self.census(), changeable, times }.into()
    }

    fn census(&mut self) -> Census {
        if self.dice.percent(60) {
            return Census::Everyone;
        }
        let n = 1 + self.dice.below(5);
        let mut voters: Vec<Address> = (0..n).map(|_| self.anyone()).collect();
        if self.dice.percent(5) {
            voters.push(address("nobody"));
        }
        voters.sort_unstable();
        voters.dedup();
        Census::Listed { voters: Voters::try_from(voters).unwrap() }
    }

    fn commit(&mut self, who: Address, poll: PollId, choice: u8) -> (Address, Operation) {
        self.serial += 1;
        let salt = Salt::new(sha256(&self.serial.to_be_bytes()));
        self.secrets.push((*poll.digest(), who, choice, salt));
        (who, PollOp::Commit { poll, commitment: vote_commitment(&poll, &who, choice, &salt) }.into())
    }

    /// Mostly what somebody has committed to.
    fn reveal(&mut self, who: Address, poll: PollId) -> (Address, Operation) {
        let known: Vec<_> =
            self.secrets.iter().filter(|secret| secret.0 == *poll.digest()).copied().collect();
        let nothing = (Digest::ZERO, who, 0, Salt::new(Digest::ZERO));
        let (_, voter, choice, salt) = self.dice.pick(&known).copied().unwrap_or(nothing);
        let choice = if self.dice.percent(5) { choice ^ 1 } else { choice };
        let who = if self.dice.percent(5) { who } else { voter };
        (who, PollOp::Reveal { poll, choice, salt }.into())
    }
}
