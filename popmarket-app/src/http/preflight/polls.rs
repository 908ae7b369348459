//! Polls.

use ledger::{Ballot, Ledger, Poll, PollId, PollOp, PollPhase, PollRejection, Vote};
use pbft_crypto::Address;

pub(super) fn check(ledger: &Ledger, sender: &Address, op: &PollOp) -> Result<(), PollRejection> {
    match op {
        // Its times are for the ledger to judge.
        PollOp::Create { .. } => Ok(()),
        PollOp::Vote { poll: id, choice } => {
            let poll = not_past(ledger, id, PollPhase::Voting)?;
            check_ballot(poll.ballot == Ballot::Open)?;
            check_eligible(ledger, id, poll, sender)?;
            check_choice(poll, *choice)?;
            check_first(ledger, id, poll, sender)
        }
        PollOp::Commit { poll: id, .. } => {
            let poll = not_past(ledger, id, PollPhase::Voting)?;
            check_ballot(poll.ballot != Ballot::Open)?;
            check_eligible(ledger, id, poll, sender)?;
            check_first(ledger, id, poll, sender)
        }
        PollOp::Reveal { poll: id, choice, .. } => {
            let poll = not_past(ledger, id, PollPhase::Revealing)?;
            match ledger.vote(id, sender) {
                Some(Vote::Sealed { .. }) => check_choice(poll, *choice),
                Some(Vote::Counted { .. }) | None => Err(PollRejection::NothingToReveal),
            }
        }
        PollOp::Close { poll } => {
            let poll = not_past(ledger, poll, PollPhase::Revealing)?;
            if poll.creator == *sender { Ok(()) } else { Err(PollRejection::NotCreator) }
        }
    }
}

/// The last block may be long ago, so a phase may have begun since, but none has come back.
fn not_past<'a>(ledger: &'a Ledger, id: &PollId, needed: PollPhase) -> Result<&'a Poll, PollRejection> {
    let poll = ledger.poll(id).ok_or(PollRejection::UnknownPoll)?;
    let phase = poll.phase(ledger.tip().time);
    let is_past = match needed {
        PollPhase::Voting => matches!(phase, PollPhase::Revealing | PollPhase::Closed),
        _ => phase == PollPhase::Closed,
    };
    if is_past { Err(PollRejection::WrongPhase { phase }) } else { Ok(poll) }
}

fn check_ballot(fits: bool) -> Result<(), PollRejection> {
    if fits { Ok(()) } else { Err(PollRejection::OtherBallot) }
}

fn check_eligible(ledger: &Ledger, id: &PollId, poll: &Poll, voter: &Address) -> Result<(), PollRejection> {
    if is_asked(ledger, id, poll, voter) { Ok(()) } else { Err(PollRejection::NotEligible) }
}

/// Whether a poll is for this account.
pub(crate) fn is_asked(ledger: &Ledger, id: &PollId, poll: &Poll, voter: &Address) -> bool {
    match ledger.voters(id) {
        Some(voters) => voters.contains(voter),
        None => ledger.account(voter).is_some_and(|account| account.registered_at < poll.created_at),
    }
}

fn check_choice(poll: &Poll, choice: u8) -> Result<(), PollRejection> {
    let options = u8::try_from(poll.tallies.len()).unwrap_or(u8::MAX);
    if choice < options { Ok(()) } else { Err(PollRejection::UnknownOption { options }) }
}

fn check_first(ledger: &Ledger, id: &PollId, poll: &Poll, voter: &Address) -> Result<(), PollRejection> {
    let is_first = ledger.vote(id, voter).is_none();
    if is_first || poll.changeable { Ok(()) } else { Err(PollRejection::AlreadyVoted) }
}
