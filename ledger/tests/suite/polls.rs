//! Polls: who may vote when, and what counts.

use ledger::{
    BadOptions, BadVoters, Ballot, Cause, Census, EventKind, ObjectId, Outcome, PollClosing, PollContent,
    PollEvent, PollId, PollOp, PollOption, PollOptions, PollPhase, PollRejection, PollTimes, Salt,
    UnixMillis, Vote, Voters, vote_commitment,
};
use pbft_crypto::{Address, Digest, sha256};

use crate::world::{DAY, HOUR, World, address, unknown};

fn content() -> PollContent {
    let options = ["빨강", "파랑", "초록"].map(|text| text.parse().unwrap()).to_vec();
    PollContent { question: "무슨 색?".parse().unwrap(), options: options.try_into().unwrap() }
}

/// Opens in an hour, closes an hour later; another hour to reveal.
struct Plan {
    sealed: bool,
    changeable: bool,
    voters: Option<Vec<Address>>,
}

const OPEN: Plan = Plan { sealed: false, changeable: false, voters: None };
const SEALED: Plan = Plan { sealed: true, changeable: false, voters: None };

fn later(world: &World, span: u64) -> UnixMillis {
    UnixMillis::new(world.now.value() + span)
}

fn create(world: &World, plan: Plan) -> PollOp {
    let reveal_by = later(world, 3 * HOUR);
    PollOp::Create {
        content: content(),
        ballot: if plan.sealed { Ballot::Sealed { reveal_by } } else { Ballot::Open },
        census: match plan.voters {
            None => Census::Everyone,
            Some(voters) => Census::Listed { voters: voters.try_into().unwrap() },
        },
        changeable: plan.changeable,
        times: PollTimes { opens_at: later(world, HOUR), closes_at: later(world, 2 * HOUR) },
    }
}

/// A poll of sam's that takes votes.
fn voting(plan: Plan) -> (World, PollId) {
    let mut world = World::new();
    let operation = create(&world, plan);
    let poll = PollId::from(world.ok("sam", operation).id);
    let opens_at = world.ledger.poll(&poll).unwrap().times.opens_at;
    world.wait_until(opens_at.value());
    (world, poll)
}

fn vote(poll: PollId, choice: u8) -> PollOp {
    PollOp::Vote { poll, choice }
}

fn salt(byte: u8) -> Salt {
    Salt::new(Digest::from_bytes([byte; 32]))
}

fn commit(poll: PollId, who: &str, choice: u8) -> PollOp {
    PollOp::Commit { poll, commitment: vote_commitment(&poll, &address(who), choice, &salt(choice)) }
}

fn reveal(poll: PollId, choice: u8) -> PollOp {
    PollOp::Reveal { poll, choice, salt: salt(choice) }
}

fn tallies(world: &World, poll: PollId) -> (Vec<u64>, u64) {
    let row = world.ledger.poll(&poll).unwrap();
    (row.tallies.clone(), row.unrevealed)
}

fn go_to_reveal(world: &mut World, poll: PollId) {
    let closes_at = world.ledger.poll(&poll).unwrap().times.closes_at;
    world.wait_until(closes_at.value());
}

#[test]
fn votes_are_counted_at_once() {
    let (mut world, poll) = voting(OPEN);
    for (who, choice) in [("bea", 1), ("sam", 1), ("eve", 0), ("ann", 2)] {
        let sent = world.ok(who, vote(poll, choice));
        let voter = address(who);
        let voted = PollEvent::Voted { poll, voter, choice, before: None, at: world.now };
        assert_eq!(sent.events, [EventKind::Poll(voted)]);
        assert_eq!(world.ledger.vote(&poll, &voter), Some(Vote::Counted { choice }));
    }
    assert_eq!(tallies(&world, poll), (vec![1, 2, 1], 0));
}

#[test]
fn nobody_votes_twice() {
    let (mut world, poll) = voting(OPEN);
    world.ok("bea", vote(poll, 1));
    for choice in [0, 1] {
        assert_eq!(world.rejected("bea", vote(poll, choice)), PollRejection::AlreadyVoted.into());
    }
    assert_eq!(tallies(&world, poll), (vec![0, 1, 0], 0));
}

#[test]
fn a_vote_is_changed_where_that_is_allowed() {
    let (mut world, poll) = voting(Plan { changeable: true, ..OPEN });
    world.ok("bea", vote(poll, 1));
    assert_eq!(world.rejected("bea", vote(poll, 1)), PollRejection::AlreadyVoted.into());
    let sent = world.ok("bea", vote(poll, 2));
    let EventKind::Poll(PollEvent::Voted { before, choice, .. }) = &sent.events[0] else { panic!() };
    assert_eq!((*before, *choice), (Some(1), 2));
    assert_eq!(tallies(&world, poll), (vec![0, 0, 1], 0));
}

#[test]
fn votes_count_between_opening_and_closing_only() {
    let mut world = World::new();
    let operation = create(&world, OPEN);
    let poll = PollId::from(world.ok("sam", operation).id);
    let times = world.ledger.poll(&poll).unwrap().times;
    world.wait_until(times.opens_at.value() - 1_001);
    let phase = PollPhase::Pending;
    assert_eq!(world.rejected("bea", vote(poll, 0)), PollRejection::WrongPhase { phase }.into());
    world.ok("bea", vote(poll, 0));
    assert_eq!(world.now.value(), times.opens_at.value() + 999);
    world.wait_until(times.closes_at.value() - 1_001);
    world.ok("eve", vote(poll, 0));
    // In the block that closes it.
    let phase = PollPhase::Closed;
    let late = world.send("ann", vote(poll, 0)).outcome;
    assert_eq!(late, Outcome::Rejected(PollRejection::WrongPhase { phase }.into()));
    assert_eq!(tallies(&world, poll), (vec![2, 0, 0], 0));
}

#[test]
fn an_open_poll_closes_by_itself_and_says_in_which_block() {
    let (mut world, poll) = voting(OPEN);
    world.ok("bea", vote(poll, 2));
    let due = world.ledger.next_deadline().unwrap();
    let applied = world.wait_until(due.value() + 5);
    let block = applied.block.unwrap();
    assert_eq!(block.receipts[0].cause, Cause::Deadline { object: ObjectId::Poll(poll), due });
    let (height, at) = (block.header.height, block.header.time);
    let closed = PollEvent::Closed {
        poll,
        creator: address("sam"),
        tallies: vec![0, 0, 1],
        unrevealed: 0,
        height,
        at,
    };
    assert_eq!(applied.events[0].kind, EventKind::Poll(closed));
    assert_eq!(world.ledger.poll(&poll).unwrap().closed, Some(PollClosing { height, at }));
    assert_eq!(world.ledger.next_deadline(), None);
}

#[test]
fn everyone_is_who_was_there_before_the_block_of_the_poll() {
    let mut world = World::new();
    world.register("kim");
    let operation = create(&world, OPEN);
    let register = |name: &str| ledger::AccountOp::Register { name: name.parse().unwrap() };
    let [lee, ask, choi] =
        [world.tx("lee", register("lee")), world.tx("sam", operation), world.tx("choi", register("choi"))];
    let poll = PollId::from(ask.id());
    world.apply(&[lee, ask, choi]);
    world.register("park");
    let opens_at = world.ledger.poll(&poll).unwrap().times.opens_at;
    world.wait_until(opens_at.value());
    world.ok("kim", vote(poll, 0));
    for late in ["lee", "choi", "park"] {
        assert_eq!(world.rejected(late, vote(poll, 0)), PollRejection::NotEligible.into());
    }
}

#[test]
fn a_list_of_voters_is_all_that_counts() {
    let mut listed = vec![address("bea"), address("ann")];
    listed.sort_unstable();
    let (mut world, poll) = voting(Plan { voters: Some(listed.clone()), ..OPEN });
    assert_eq!(world.ledger.poll(&poll).unwrap().listed, Some(2));
    assert_eq!(world.ledger.voters(&poll).unwrap().as_slice(), listed);
    for who in ["sam", "eve", "ben"] {
        assert_eq!(world.rejected(who, vote(poll, 0)), PollRejection::NotEligible.into());
    }
    world.ok("bea", vote(poll, 0));
    world.ok("ann", vote(poll, 0));
}

#[test]
fn who_is_asked_has_an_account() {
    let mut world = World::new();
    let operation = create(&world, Plan { voters: Some(vec![address("nobody")]), ..OPEN });
    let unknown = PollRejection::UnknownVoter { voter: address("nobody") };
    assert_eq!(world.rejected("sam", operation), unknown.into());
}

#[test]
fn choices_are_options() {
    let (mut world, poll) = voting(OPEN);
    for choice in [3, 255] {
        let unknown = PollRejection::UnknownOption { options: 3 };
        assert_eq!(world.rejected("bea", vote(poll, choice)), unknown.into());
    }
}

#[test]
fn sealed_votes_show_nothing_until_they_are_revealed() {
    let (mut world, poll) = voting(SEALED);
    world.ok("bea", commit(poll, "bea", 1));
    world.ok("eve", commit(poll, "eve", 1));
    world.ok("ann", commit(poll, "ann", 0));
    assert_eq!(tallies(&world, poll), (vec![0, 0, 0], 3));
    let phase = PollPhase::Voting;
    assert_eq!(world.rejected("bea", reveal(poll, 1)), PollRejection::WrongPhase { phase }.into());
    go_to_reveal(&mut world, poll);
    world.ok("bea", reveal(poll, 1));
    world.ok("ann", reveal(poll, 0));
    assert_eq!(tallies(&world, poll), (vec![1, 1, 0], 1));
    assert_eq!(world.rejected("bea", reveal(poll, 1)), PollRejection::NothingToReveal.into());
    assert_eq!(world.rejected("sam", reveal(poll, 1)), PollRejection::NothingToReveal.into());

    let reveal_by = world.ledger.next_deadline().unwrap();
    let late = world.tx("eve", reveal(poll, 1));
    let applied = world.apply_at(reveal_by, &[late]);
    let EventKind::Poll(PollEvent::Closed { tallies, unrevealed, .. }) = &applied.events[0].kind else {
        panic!("not closed")
    };
    assert_eq!((tallies.as_slice(), *unrevealed), ([1, 1, 0].as_slice(), 1));
    assert_eq!(
        world.ledger.vote(&poll, &address("eve")).map(|vote| matches!(vote, Vote::Sealed { .. })),
        Some(true)
    );
}

#[test]
fn what_is_revealed_is_what_was_committed_to() {
    let (mut world, poll) = voting(SEALED);
    world.ok("bea", commit(poll, "bea", 1));
    // Somebody else's commitment, copied: it is bound to its voter, so it cannot be revealed.
    world.ok("eve", commit(poll, "bea", 1));
    world.ok("ann", commit(poll, "ann", 7));
    go_to_reveal(&mut world, poll);
    let mismatch = PollRejection::CommitmentMismatch;
    let other_salt = PollOp::Reveal { poll, choice: 1, salt: salt(9) };
    for (who, op) in [("bea", reveal(poll, 0)), ("bea", other_salt), ("eve", reveal(poll, 1))] {
        assert_eq!(world.rejected(who, op), mismatch.into());
    }
    assert_eq!(world.rejected("ann", reveal(poll, 7)).code(), "UNKNOWN_OPTION");
    world.ok("bea", reveal(poll, 1));
    assert_eq!(tallies(&world, poll), (vec![0, 1, 0], 2));
}

#[test]
fn a_commitment_of_one_poll_is_worth_nothing_in_another() {
    let (mut world, poll) = voting(SEALED);
    world.ok(
        "bea",
        PollOp::Commit { poll, commitment: vote_commitment(&unknown(), &address("bea"), 1, &salt(1)) },
    );
    go_to_reveal(&mut world, poll);
    assert_eq!(world.rejected("bea", reveal(poll, 1)), PollRejection::CommitmentMismatch.into());
}

#[test]
fn a_sealed_vote_is_changed_where_that_is_allowed() {
    let (mut world, poll) = voting(SEALED);
    world.ok("bea", commit(poll, "bea", 1));
    assert_eq!(world.rejected("bea", commit(poll, "bea", 2)), PollRejection::AlreadyVoted.into());

    let (mut world, poll) = voting(Plan { changeable: true, ..SEALED });
    world.ok("bea", commit(poll, "bea", 1));
    assert_eq!(world.rejected("bea", commit(poll, "bea", 1)), PollRejection::AlreadyVoted.into());
    let sent = world.ok("bea", commit(poll, "bea", 2));
    assert!(matches!(sent.events[0], EventKind::Poll(PollEvent::Committed { changed: true, .. })));
    assert_eq!(tallies(&world, poll), (vec![0, 0, 0], 1));
    go_to_reveal(&mut world, poll);
    assert_eq!(world.rejected("bea", reveal(poll, 1)), PollRejection::CommitmentMismatch.into());
    world.ok("bea", reveal(poll, 2));
    assert_eq!(tallies(&world, poll), (vec![0, 0, 1], 0));
}

#[test]
fn each_ballot_has_its_own_way_to_vote() {
    let (mut world, open) = voting(OPEN);
    assert_eq!(world.rejected("bea", commit(open, "bea", 0)), PollRejection::OtherBallot.into());
    let (mut world, sealed) = voting(SEALED);
    assert_eq!(world.rejected("bea", vote(sealed, 0)), PollRejection::OtherBallot.into());
}

#[test]
fn the_creator_closes_a_sealed_poll_when_all_is_revealed() {
    let (mut world, poll) = voting(SEALED);
    world.ok("bea", commit(poll, "bea", 1));
    let close = || PollOp::Close { poll };
    let phase = PollPhase::Voting;
    assert_eq!(world.rejected("sam", close()), PollRejection::WrongPhase { phase }.into());
    go_to_reveal(&mut world, poll);
    assert_eq!(world.rejected("bea", close()), PollRejection::NotCreator.into());
    assert_eq!(world.rejected("sam", close()), PollRejection::Unrevealed { unrevealed: 1 }.into());
    world.ok("bea", reveal(poll, 1));
    world.ok("sam", close());
    let closing = PollClosing { height: world.ledger.height(), at: world.now };
    assert_eq!(world.ledger.poll(&poll).unwrap().closed, Some(closing));
    assert_eq!(world.ledger.next_deadline(), None);
    let phase = PollPhase::Closed;
    assert_eq!(world.rejected("sam", close()), PollRejection::WrongPhase { phase }.into());
}

#[test]
fn an_open_poll_is_not_closed_early() {
    let (mut world, poll) = voting(OPEN);
    let phase = PollPhase::Voting;
    assert_eq!(world.rejected("sam", PollOp::Close { poll }), PollRejection::WrongPhase { phase }.into());
}

#[test]
fn a_poll_has_time_to_vote_time_to_reveal_and_an_end() {
    let mut world = World::new();
    let mut ask = |opens: u64, closes: u64, reveal_by: Option<u64>| {
        let operation = PollOp::Create {
            content: content(),
            ballot: reveal_by.map_or(Ballot::Open, |at| Ballot::Sealed { reveal_by: later(&world, at) }),
            census: Census::Everyone,
            changeable: false,
            times: PollTimes { opens_at: later(&world, opens), closes_at: later(&world, closes) },
        };
        world.send("sam", operation).outcome
    };
    let code = |outcome| match outcome {
        Outcome::Applied => "",
        Outcome::Rejected(rejection) => rejection.code(),
    };
    // A transaction is recorded a second after the block before.
    let longest = 1_000 + 365 * DAY;
    assert_eq!(code(ask(HOUR, HOUR, None)), "NO_TIME_TO_VOTE");
    assert_eq!(code(ask(0, 1_000, None)), "NO_TIME_TO_VOTE");
    assert_eq!(code(ask(0, 1_001, None)), "");
    assert_eq!(code(ask(HOUR, 2 * HOUR, Some(2 * HOUR))), "NO_TIME_TO_REVEAL");
    assert_eq!(code(ask(HOUR, 2 * HOUR, Some(2 * HOUR + 1))), "");
    assert_eq!(code(ask(HOUR, longest + 1, None)), "POLL_TOO_LONG");
    assert_eq!(code(ask(HOUR, HOUR + 1, Some(longest + 1))), "POLL_TOO_LONG");
    assert_eq!(code(ask(HOUR, longest, None)), "");
}

#[test]
fn there_is_nothing_to_do_in_a_poll_that_does_not_exist() {
    let mut world = World::new();
    for op in [
        vote(unknown(), 0),
        commit(unknown(), "bea", 0),
        reveal(unknown(), 0),
        PollOp::Close { poll: unknown() },
    ] {
        assert_eq!(world.rejected("bea", op), PollRejection::UnknownPoll.into());
    }
}

/// Written down so that others can compute it: the length of the tag, the tag, poll, voter, choice, salt.
#[test]
fn a_commitment_is_a_plain_hash() {
    let (poll, voter, salt) = (unknown::<PollId>(), address("bea"), salt(5));
    let parts =
        [b"\x11popmarket.vote.v1".as_slice(), poll.as_bytes(), voter.as_bytes(), &[2], salt.as_bytes()];
    assert_eq!(vote_commitment(&poll, &voter, 2, &salt), sha256(&parts.concat()));
}

#[test]
fn lists_are_bounded_and_have_nothing_twice() {
    let options = |n: usize| (0..n).map(|i| format!("{i}").parse().unwrap()).collect::<Vec<PollOption>>();
    for n in [2, 32] {
        assert_eq!(PollOptions::try_from(options(n)).unwrap().as_slice().len(), n);
    }
    let twice = [options(3), options(1)].concat();
    for bad in [options(0), options(1), options(33), twice.clone()] {
        assert_eq!(PollOptions::try_from(bad), Err(BadOptions));
    }
    let bytes = postcard::to_allocvec(&twice).unwrap();
    assert!(postcard::from_bytes::<PollOptions>(&bytes).is_err());

    let voters = |n: u16| (0..n).map(|i| Address::from_bytes(*sha256(&i.to_be_bytes()).as_bytes()));
    let sorted = |n: u16| {
        let mut all: Vec<Address> = voters(n).collect();
        all.sort_unstable();
        all
    };
    for n in [1, 256] {
        assert_eq!(Voters::try_from(sorted(n)).unwrap().len(), n);
    }
    let [mut reversed, mut twice] = [sorted(3), sorted(3)];
    reversed.reverse();
    twice.push(twice[2]);
    for bad in [sorted(0), sorted(257), reversed, twice] {
        assert_eq!(Voters::try_from(bad), Err(BadVoters));
    }
}

/// The largest poll that can be asked for fits into a transaction and an entry of the state.
#[test]
fn the_largest_poll_can_be_asked_for() {
    let mut world = World::new();
    let mut voters: Vec<Address> = (0..256)
        .map(|i| {
            let name = format!("voter {i}");
            world.register(&name);
            address(&name)
        })
        .collect();
    voters.sort_unstable();
    let options = (0..32).map(|i| format!("{}{i:02}", "a".repeat(98)).parse().unwrap());
    let content = PollContent {
        question: "q".repeat(200).parse().unwrap(),
        options: options.collect::<Vec<PollOption>>().try_into().unwrap(),
    };
    let plan = create(&world, Plan { voters: Some(voters), ..SEALED });
    let PollOp::Create { ballot, census, changeable, times, .. } = plan else { panic!() };
    let operation = PollOp::Create { content, ballot, census, changeable, times };
    assert!(world.tx("eve", operation.clone()).encode().len() <= ledger::MAX_TRANSACTION_BYTES);
    let poll = PollId::from(world.ok("sam", operation).id);
    assert_eq!(world.ledger.voters(&poll).unwrap().len(), 256);
}
