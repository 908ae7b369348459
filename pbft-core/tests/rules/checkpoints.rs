//! Checkpoints: signed, certified, handed on; the log is truncated behind them.

use pbft_core::{
    Effect, Input, Message,
    message::{Checkpoint, Signed},
    service::{Executed, ServiceCheckpoint},
};
use pbft_crypto::Digest;

use crate::stage::{Stage, executions, own_checkpoint, request, seq, status, truncations, votes};

/// A backup that has executed 1 and 2 and voted for its checkpoint.
fn at_first_checkpoint() -> (Stage, Signed<Checkpoint>) {
    let mut stage = Stage::new(3);
    stage.order(1, vec![request(1, 0)]);
    let own = own_checkpoint(&stage.order(2, vec![request(1, 1)])).unwrap();
    (stage, own)
}

/// CK-1, CK-2, CK-3, CK-5: a quorum of equal votes moves the low water mark; repeated ones do not add up.
#[test]
fn ck_5_a_quorum_of_equal_votes_moves_the_mark() {
    let (mut stage, own) = at_first_checkpoint();
    let (one, two) = (stage.sign(1, own.statement), stage.sign(2, own.statement));
    stage.hear_and_settle(1, &Message::Checkpoint(one.clone()));
    stage.hear_and_settle(1, &Message::Checkpoint(one));
    assert_eq!(stage.replica.progress().low, seq(0), "two votes, one of them twice");
    stage.hear_and_settle(2, &Message::Checkpoint(two));
    let progress = stage.replica.progress();
    assert_eq!((progress.low, progress.high, progress.stable_checkpoint), (seq(2), seq(10), seq(2)));
}

/// CK-3, mistake 11: the certificate alone does it too, whoever hands it on.
#[test]
fn mistake_11_a_certificate_is_handed_on() {
    let (mut stage, own) = at_first_checkpoint();
    stage.stabilize(&own, &[0, 1, 2]);
    assert_eq!(stage.replica.progress().stable_checkpoint, seq(2));
    let effects = stage.hear(1, &status(2, 0, &[]));
    let handed_on = crate::stage::messages(&effects).any(|message| matches!(message, Message::Stable(_)));
    assert!(handed_on, "a peer that lacks it gets it");
}

/// Only numbers that are checkpoints, and only in the window; else memory would be an attacker's to fill.
#[test]
fn ck_2_votes_for_odd_numbers_are_ignored() {
    let mut stage = Stage::new(3);
    let digest = Digest::from_bytes([3; 32]);
    for signer in [0, 1, 2] {
        for number in [1, 3, 10] {
            let vote = stage.sign(signer, Checkpoint { seq: seq(number), digest });
            assert_eq!(stage.hear(signer, &Message::Checkpoint(vote)), []);
        }
    }
    let odd = stage.certificate(Checkpoint { seq: seq(3), digest }, &[0, 1, 2]);
    assert_eq!(stage.hear(0, &Message::Stable(odd)), []);
}

/// CK-4: a quorum that certifies another state than this replica has: it says so, and does not go on as if nothing were.
#[test]
fn ck_4_divergence_is_reported() {
    let (mut stage, own) = at_first_checkpoint();
    let other = Checkpoint { digest: Digest::from_bytes([8; 32]), ..own.statement };
    let certificate = Message::Stable(stage.certificate(other, &[0, 1, 2]));
    let effects = stage.hear(0, &certificate);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Diverged { .. })));
    assert_eq!(stage.replica.progress().low, seq(0));
}

/// CK-6: old records go only once the records that replace them are durable: a crash must not take both.
#[test]
fn ck_6_truncation_waits_for_the_sync() {
    let mut stage = Stage::with(3, 4, |config| config.archive_bytes = 0);
    stage.order(1, vec![request(1, 0)]);
    let own = own_checkpoint(&stage.order(2, vec![request(1, 1)])).unwrap();
    let certificate = Message::Stable(stage.certificate(own.statement, &[0, 1, 2]));
    let records = stage.log.len();
    let effects = stage.hear(0, &certificate);
    assert_eq!(truncations(&effects), [0; 0], "the proof is not durable yet");
    assert_eq!(stage.log.len(), records + 1);
    assert_eq!(truncations(&stage.sync()).len(), 1);
    assert_eq!(stage.log.len(), 2, "the checkpoint and its proof");
}

/// A checkpoint made behind a proof that came earlier: the proof stays in the log, or the low water mark is forgotten.
#[test]
fn ck_6_the_proof_survives_truncation() {
    let model = at_first_checkpoint().1;
    let mut stage = Stage::with(3, 4, |config| config.archive_bytes = 0);
    stage.stabilize(&model, &[0, 1, 2]);
    stage.order(1, vec![request(1, 0)]);
    stage.order(2, vec![request(1, 1)]);
    stage.order(3, vec![]);
    assert_eq!(stage.replica.progress().low, seq(2));
    stage.sync();
    let start = stage.restart(0);
    let progress = stage.replica.progress();
    assert_eq!((progress.low, progress.stable_checkpoint), (seq(2), seq(2)));
    assert_eq!(executions(&stage.settle(start)), [3]);
    let again = stage.proposal(2, vec![request(9, 9)]);
    assert_eq!(
        votes(&stage.hear_and_settle(0, &Message::PrePrepare(again))),
        [""; 0],
        "no second vote for 2"
    );
    assert_eq!(executions(&stage.order(4, vec![])), [4]);
}

/// A replica that catches up towards a proof far ahead does not keep every record since that proof came.
#[test]
fn ck_6_a_proof_far_ahead_keeps_no_old_records() {
    let mut stage = Stage::with(3, 4, |config| config.archive_bytes = 0);
    let ahead = Checkpoint { seq: seq(1000), digest: Digest::from_bytes([4; 32]) };
    let certificate = Message::Stable(stage.certificate(ahead, &[0, 1, 2]));
    stage.hear_and_settle(1, &certificate);
    for number in 1..=60 {
        stage.order(number, vec![request(1, number)]);
        assert!(stage.log.len() <= 20, "{number}: {}", stage.log.len());
    }
    assert_eq!(stage.replica.progress().low, seq(60));
}

/// A replica that cannot go on does not fill its log with proofs that others are ahead.
#[test]
fn ck_3_proofs_ahead_are_not_written() {
    let mut stage = Stage::new(3);
    for number in 1..=50 {
        let ahead = Checkpoint { seq: seq(1000 + 2 * number), digest: Digest::from_bytes([4; 32]) };
        let certificate = Message::Stable(stage.certificate(ahead, &[0, 1, 2]));
        stage.hear_and_settle(1, &certificate);
    }
    assert_eq!(stage.log.len(), 0);
}

/// An old vote of its own, sent back by a peer, does not replace the newest one that it offers to those who lag.
#[test]
fn ck_2_an_echo_does_not_replace_the_newest_vote() {
    let (mut stage, old) = at_first_checkpoint();
    stage.order(3, vec![]);
    let new = own_checkpoint(&stage.order(4, vec![])).unwrap();
    stage.hear_and_settle(1, &Message::Checkpoint(old));
    let offered = own_checkpoint(&stage.hear(1, &status(4, 0, &[]))).unwrap();
    assert_eq!(offered, new);
}

/// A state that does not fit the log is said to be too large, rather than to stop the log at the next append.
#[test]
fn ck_1_a_snapshot_that_does_not_fit_stops_the_replica() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let proposal = stage.proposal(2, vec![]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let committed = Message::Committed(stage.committed(&proposal, &[0, 1, 2]));
    let effects = stage.hear(1, &committed);
    assert_eq!(executions(&effects), [2]);
    let snapshot = vec![0; pbft_core::config::MAX_SNAPSHOT_BYTES + 1];
    let checkpoint = Some(ServiceCheckpoint::from_snapshot(snapshot));
    let effects = stage.input(Input::Executed { executed: Executed::default(), checkpoint });
    let found = effects.iter().any(|effect| matches!(effect, Effect::CheckpointTooLarge { .. }));
    assert!(found && own_checkpoint(&effects).is_none());
}
