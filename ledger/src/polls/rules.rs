//! Who may vote when, and what counts.

use pbft_crypto::{Address, Digest};

use super::{
    Ballot, Census, Poll, PollClosing, PollContent, PollEvent, PollOp, PollPhase, PollRejection, PollTimes,
    Vote, vote_commitment,
};
use crate::event::EventKind;
use crate::ids::{Height, PollId, Salt};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::time::UnixMillis;

type Events = Vec<EventKind>;

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &PollOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    match op {
        PollOp::Create { content, ballot, census, changeable, times } => {
            create(state, context, content, (*ballot, census, *changeable, *times), events)?;
        }
        PollOp::Vote { poll, choice } => vote(state, context, *poll, *choice, events)?,
        PollOp::Commit { poll, commitment } => commit(state, context, *poll, *commitment, events)?,
        PollOp::Reveal { poll, choice, salt } => reveal(state, context, *poll, *choice, salt, events)?,
        PollOp::Close { poll } => close_early(state, context, *poll, events)?,
    }
    Ok(())
}

fn create(
    state: &mut State,
    context: &Context,
    content: &PollContent,
    (ballot, census, changeable, times): (Ballot, &Census, bool, PollTimes),
    events: &mut Events,
) -> Result<(), PollRejection> {
    let reveal_by = match ballot {
        Ballot::Open => None,
        Ballot::Sealed { reveal_by } => Some(reveal_by),
    };
    times.check(reveal_by, context.now, state.params.polls.longest)?;
    let voters = match census {
        Census::Everyone => None,
        Census::Listed { voters } => Some(voters),
    };
    let mut listed = voters.iter().flat_map(|voters| voters.as_slice());
    if let Some(voter) = listed.find(|voter| !state.accounts.contains(voter)) {
        return Err(PollRejection::UnknownVoter { voter: *voter });
    }
    let (id, creator, at) = (PollId::from(context.tx), context.sender, context.now);
    if let Some(voters) = voters {
        state.polls.censuses.put(id, voters.clone());
    }
    let poll = Poll {
        creator,
        content_hash: content.hash(),
        ballot,
        changeable,
        listed: voters.map(super::Voters::len),
        times,
        tallies: vec![0; content.options.as_slice().len()],
        unrevealed: 0,
        created_at: at,
        closed: None,
    };
    state.polls.put(&mut state.deadlines, id, poll);
    let (content, census) = (content.clone(), census.clone());
    let created = PollEvent::Created { poll: id, creator, content, ballot, census, changeable, times, at };
    events.push(created.into());
    Ok(())
}

fn vote(
    state: &mut State,
    context: &Context,
    id: PollId,
    choice: u8,
    events: &mut Events,
) -> Result<(), PollRejection> {
    let (voter, at) = (context.sender, context.now);
    let mut poll = in_phase(state, context, id, PollPhase::Voting)?;
    if poll.ballot != Ballot::Open {
        return Err(PollRejection::OtherBallot);
    }
    check_eligible(state, id, &poll, voter)?;
    let before = match state.polls.vote_of(id, voter) {
        Some(Vote::Counted { choice }) => Some(choice),
        Some(Vote::Sealed { .. }) | None => None,
    };
    let is_final = !poll.changeable;
    let tally = tally_of(&mut poll, choice)?;
    *tally = tally.saturating_add(1);
    if let Some(before) = before {
        if is_final || before == choice {
            return Err(PollRejection::AlreadyVoted);
        }
        let tally = tally_of(&mut poll, before)?;
        *tally = tally.saturating_sub(1);
    }
    state.polls.votes.put((id, voter), Vote::Counted { choice });
    state.polls.put(&mut state.deadlines, id, poll);
    events.push(PollEvent::Voted { poll: id, voter, choice, before, at }.into());
    Ok(())
}

fn commit(
    state: &mut State,
    context: &Context,
    id: PollId,
    commitment: Digest,
    events: &mut Events,
) -> Result<(), PollRejection> {
    let (voter, at) = (context.sender, context.now);
    let mut poll = in_phase(state, context, id, PollPhase::Voting)?;
    if poll.ballot == Ballot::Open {
        return Err(PollRejection::OtherBallot);
    }
    check_eligible(state, id, &poll, voter)?;
    let (before, vote) = (state.polls.vote_of(id, voter), Vote::Sealed { commitment });
    if before.is_some_and(|before| before == vote || !poll.changeable) {
        return Err(PollRejection::AlreadyVoted);
    }
    state.polls.votes.put((id, voter), vote);
    if before.is_none() {
        poll.unrevealed = poll.unrevealed.saturating_add(1);
        state.polls.put(&mut state.deadlines, id, poll);
    }
    let changed = before.is_some();
    events.push(PollEvent::Committed { poll: id, voter, commitment, changed, at }.into());
    Ok(())
}

fn reveal(
    state: &mut State,
    context: &Context,
    id: PollId,
    choice: u8,
    salt: &Salt,
    events: &mut Events,
) -> Result<(), PollRejection> {
    let (voter, at) = (context.sender, context.now);
    let mut poll = in_phase(state, context, id, PollPhase::Revealing)?;
    let Some(Vote::Sealed { commitment }) = state.polls.vote_of(id, voter) else {
        return Err(PollRejection::NothingToReveal);
    };
    let tally = tally_of(&mut poll, choice)?;
    if vote_commitment(&id, &voter, choice, salt) != commitment {
        return Err(PollRejection::CommitmentMismatch);
    }
    *tally = tally.saturating_add(1);
    poll.unrevealed = poll.unrevealed.saturating_sub(1);
    state.polls.votes.put((id, voter), Vote::Counted { choice });
    state.polls.put(&mut state.deadlines, id, poll);
    events.push(PollEvent::Revealed { poll: id, voter, choice, at }.into());
    Ok(())
}

fn close_early(
    state: &mut State,
    context: &Context,
    id: PollId,
    events: &mut Events,
) -> Result<(), PollRejection> {
    let poll = find(state, id)?;
    if poll.creator != context.sender {
        return Err(PollRejection::NotCreator);
    }
    let Poll { unrevealed, .. } = in_phase(state, context, id, PollPhase::Revealing)?;
    if unrevealed > 0 {
        return Err(PollRejection::Unrevealed { unrevealed });
    }
    close(state, id, poll, PollClosing { height: context.height, at: context.now }, events);
    Ok(())
}

/// Closes a poll whose time is over.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    height: Height,
    id: PollId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let poll = find(state, id)?;
    if poll.closed.is_some() {
        return Err(PollRejection::WrongPhase { phase: PollPhase::Closed }.into());
    }
    close(state, id, poll, PollClosing { height, at: now }, events);
    Ok(())
}

fn close(state: &mut State, id: PollId, poll: Poll, closing: PollClosing, events: &mut Events) {
    let PollClosing { height, at } = closing;
    let (creator, tallies, unrevealed) = (poll.creator, poll.tallies.clone(), poll.unrevealed);
    state.polls.put(&mut state.deadlines, id, Poll { closed: Some(closing), ..poll });
    events.push(PollEvent::Closed { poll: id, creator, tallies, unrevealed, height, at }.into());
}

fn find(state: &State, id: PollId) -> Result<Poll, PollRejection> {
    state.polls.find(&id).cloned().ok_or(PollRejection::UnknownPoll)
}

fn in_phase(state: &State, context: &Context, id: PollId, needed: PollPhase) -> Result<Poll, PollRejection> {
    let poll = find(state, id)?;
    let phase = poll.phase(context.now);
    if phase == needed { Ok(poll) } else { Err(PollRejection::WrongPhase { phase }) }
}

/// Times of blocks differ, so who had an account at an earlier time had it before the block of the poll.
fn check_eligible(state: &State, id: PollId, poll: &Poll, voter: Address) -> Result<(), PollRejection> {
    let is_asked = match state.polls.censuses.find(&id) {
        Some(voters) => voters.contains(&voter),
        None => state.accounts.find(&voter).is_some_and(|account| account.registered_at < poll.created_at),
    };
    if is_asked { Ok(()) } else { Err(PollRejection::NotEligible) }
}

fn tally_of(poll: &mut Poll, choice: u8) -> Result<&mut u64, PollRejection> {
    // At most MAX_POLL_OPTIONS.
    let options = u8::try_from(poll.tallies.len()).unwrap_or(u8::MAX);
    poll.tallies.get_mut(usize::from(choice)).ok_or(PollRejection::UnknownOption { options })
}
