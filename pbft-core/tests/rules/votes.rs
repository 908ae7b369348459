//! Pre-prepare, prepare and commit: what counts as a vote, and when a number is final.

use std::time::Duration;

use pbft_core::{
    Effect, Message,
    message::{Commit, Prepare, Proposal, SlotStatus},
    storage::Record,
};
use pbft_crypto::Digest;

use crate::stage::{START, Stage, executions, id, request, sent, seq, status, votes};

/// All orders of `items`.
fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for (place, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(place);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// C-2, mistake 6: phases arrive in any order, commits before the pre-prepare too; none is lost.
#[test]
fn mistake_06_every_order_of_arrival_executes_once() {
    let model = Stage::new(3);
    let proposal = model.proposal(1, vec![request(1, 0)]);
    let messages = [
        (0, Message::PrePrepare(proposal.clone())),
        (1, model.prepare(1, &proposal)),
        (2, model.prepare(2, &proposal)),
        (0, model.commit(0, &proposal)),
        (1, model.commit(1, &proposal)),
    ];
    for order in permutations(&messages) {
        let mut stage = Stage::new(3);
        let mut effects = Vec::new();
        for (from, message) in &order {
            effects.extend(stage.hear_and_settle(*from, message));
        }
        let kinds: Vec<_> = order.iter().map(|(_, message)| message.kind()).collect();
        assert_eq!(executions(&effects), [1], "{kinds:?}");
        assert_eq!(votes(&effects), ["prepare", "commit"], "{kinds:?}");
        assert_eq!(stage.replica.progress().executed, seq(1));
    }
}

/// P-3, mistake 2: with n = 4, the pre-prepare and two prepares are a quorum; three prepares without it are none.
#[test]
fn mistake_02_the_pre_prepare_is_the_primarys_vote() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    for backup in [1, 2] {
        let prepare = stage.prepare(backup, &proposal);
        assert_eq!(votes(&stage.hear_and_settle(backup, &prepare)), [""; 0], "no proposal, no commit");
    }
    // Its own prepare makes three, and the pre-prepare four: one more than needed.
    let effects = stage.hear_and_settle(0, &Message::PrePrepare(proposal));
    assert_eq!(votes(&effects), ["prepare", "commit"]);

    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    assert_eq!(votes(&stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()))), ["prepare"]);
    let prepare = stage.prepare(1, &proposal);
    assert_eq!(votes(&stage.hear_and_settle(1, &prepare)), ["commit"], "pre-prepare, own prepare, one more");
}

/// The commit's record carries prepares of a quorum, without the primary, each signer once.
#[test]
fn p_3_the_commit_record_carries_the_proof() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let prepare = stage.prepare(2, &proposal);
    let effects = stage.hear_and_settle(2, &prepare);
    let prepares = effects.iter().find_map(|effect| match effect {
        pbft_core::Effect::Persist(_, Record::Commit { prepares, .. }) => Some(prepares),
        _ => None,
    });
    let signers: Vec<_> = prepares.unwrap().iter().map(|prepare| prepare.signer).collect();
    assert_eq!(signers, [id(2), id(3)]);
}

/// P-2, C-1, mistake 3: the same vote again and again is one vote.
#[test]
fn mistake_03_repeated_votes_count_once() {
    let mut stage = Stage::with(3, 7, |_| ());
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let prepare = stage.prepare(1, &proposal);
    for from in [1, 1, 2, 4, 5] {
        // Whoever passes it on, it is the vote of replica 1.
        assert_eq!(votes(&stage.hear_and_settle(from, &prepare)), [""; 0]);
    }
    let commit = stage.commit(2, &proposal);
    for _ in 0..6 {
        assert_eq!(executions(&stage.hear_and_settle(2, &commit)), [0; 0]);
    }
}

/// Mistake 5: a quorum for B does not make A final. The number waits for B's body, and takes it from anyone.
#[test]
fn mistake_05_a_quorum_for_another_digest_executes_that_one() {
    let mut stage = Stage::new(3);
    let own = stage.proposal(1, vec![request(1, 0)]);
    let other = stage.proposal(1, vec![request(2, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(own));
    for signer in [0, 1, 2] {
        let commit = stage.commit(signer, &other);
        assert_eq!(executions(&stage.hear_and_settle(signer, &commit)), [0; 0], "its body is not here");
    }
    let committed = Message::Committed(stage.committed(&other, &[0, 1, 2]));
    let effects = stage.hear_and_settle(2, &committed);
    assert_eq!(executions(&effects), [1]);
    let batch = effects.iter().find_map(|effect| match effect {
        pbft_core::Effect::Execute { batch, .. } => Some(batch),
        _ => None,
    });
    assert_eq!(batch.unwrap().requests, [request(2, 0)]);
    assert_eq!(votes(&effects), [""; 0], "it has voted for another, and votes no more");
}

/// Votes for different digests are not added up.
#[test]
fn c_3_votes_for_different_digests_make_no_quorum() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let strange = Digest::from_bytes([9; 32]);
    for signer in [1, 2] {
        let prepare = Prepare { view: pbft_core::View::ZERO, seq: seq(1), digest: strange };
        let prepare = Message::Prepare(stage.sign(signer, prepare));
        assert_eq!(votes(&stage.hear_and_settle(signer, &prepare)), [""; 0]);
    }
    for signer in [0, 1] {
        let commit = Commit { view: pbft_core::View::ZERO, seq: seq(1), digest: strange };
        let commit = Message::Commit(stage.sign(signer, commit));
        stage.hear_and_settle(signer, &commit);
    }
    let commit = stage.commit(2, &proposal);
    assert_eq!(executions(&stage.hear_and_settle(2, &commit)), [0; 0]);
}

/// E-3: a batch's time is the stamped one, or a millisecond after the one before, whatever primaries say.
#[test]
fn e_3_time_never_stands_still_or_runs_back() {
    let mut stage = Stage::new(3);
    let stamped = [10, 10, 5, 20].map(|millis| START.plus(Duration::from_millis(millis)));
    let mut times = Vec::new();
    for (number, time) in (1..).zip(stamped) {
        let proposal = stage.proposal_at(number, time, vec![]);
        let committed = Message::Committed(stage.committed(&proposal, &[0, 1, 2]));
        let effects = stage.hear_and_settle(1, &committed);
        times.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Execute { batch, .. } => Some(batch.time.since(START).as_millis()),
            _ => None,
        }));
    }
    assert_eq!(times, [10, 11, 12, 20]);
}

/// E-1: numbers execute in order, whatever order they become final in.
#[test]
fn e_1_executes_in_order() {
    let mut stage = Stage::new(3);
    let proposals: Vec<Proposal> = (1..=3).map(|n| stage.proposal(n, vec![request(1, n)])).collect();
    let mut all = Vec::new();
    for place in [2, 0, 1] {
        let committed = Message::Committed(stage.committed(&proposals[place], &[0, 1, 2]));
        all.push(executions(&stage.hear_and_settle(1, &committed)));
    }
    assert_eq!(all, [vec![], vec![1], vec![2, 3]]);
}

/// PP-6: votes and proposals of another view count for nothing in this one.
#[test]
fn pp_6_another_view_is_ignored() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let view = pbft_core::View::new(4);
    let statement = pbft_core::message::PrePrepare { view, ..proposal.pre_prepare.statement };
    let other = Proposal { pre_prepare: stage.sign(0, statement), batch: proposal.batch };
    let effects = stage.hear_and_settle(0, &Message::PrePrepare(other));
    assert_eq!((sent(&effects), stage.log.len()), (vec![], 0));
}

/// PP-9: time may not run ahead of the backup's own clock, and a proposal that was too early may come again.
#[test]
fn pp_9_a_batch_from_the_future_waits() {
    let mut stage = Stage::new(3);
    let time = stage.now.wall.plus(stage.config.max_clock_ahead).next();
    let proposal = Message::PrePrepare(stage.proposal_at(1, time, vec![request(1, 0)]));
    assert_eq!(votes(&stage.hear_and_settle(0, &proposal)), [""; 0]);
    stage.advance(Duration::from_millis(1));
    assert_eq!(votes(&stage.hear_and_settle(0, &proposal)), ["prepare"]);
    let effects = stage.hear(1, &status(0, 0, &[SlotStatus::Empty]));
    assert_eq!(votes(&effects), [""; 0], "a first status asks for nothing");
}

/// PP-9: nor can a primary hold time up. It is replaced, as nothing gets done.
#[test]
fn pp_9_a_batch_from_long_ago_is_refused() {
    let mut stage = Stage::new(3);
    let stale = Message::PrePrepare(stage.proposal_at(1, stage.now.wall, vec![request(1, 0)]));
    stage.advance(stage.config.max_clock_behind);
    let in_time = stage.hear_and_settle(0, &stale);
    assert_eq!(votes(&in_time), ["prepare"]);
    let mut stage = Stage::new(3);
    stage.advance(stage.config.max_clock_behind + Duration::from_millis(1));
    assert_eq!(votes(&stage.hear_and_settle(0, &stale)), [""; 0]);
}
