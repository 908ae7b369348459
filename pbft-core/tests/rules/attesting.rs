//! Results are signed and certified; whoever lacks a proof gets it; a crash takes none away for good.

use std::time::Duration;

use pbft_core::{
    Effect, Input, Message,
    certificate::Certificate,
    error::InvalidMessage,
    evidence::Evidence,
    message::{Attestation, Checkpoint, Signed, Status},
    storage::{Log, LogPosition, MemoryLog, Record},
};
use pbft_crypto::Digest;

use crate::{
    cluster::{Cluster, requests},
    stage::{Stage, evidence, executions, id, messages, recover, request, sent, seq, status},
};

const RESULT: Digest = Digest::from_bytes([7; 32]);
const OTHER: Digest = Digest::from_bytes([8; 32]);

/// A backup whose service wants every batch certified.
fn stage() -> Stage {
    let mut stage = Stage::new(3);
    stage.result = Some(RESULT);
    stage
}

fn result(number: u64) -> Attestation {
    Attestation { seq: seq(number), digest: RESULT }
}

fn vote(stage: &Stage, signer: u16, statement: Attestation) -> Message {
    Message::Attestation(stage.sign(signer, statement))
}

fn attestations(effects: &[Effect]) -> Vec<Signed<Attestation>> {
    let vote = |message: &Message| match message {
        Message::Attestation(vote) => Some(vote.clone()),
        _ => None,
    };
    messages(effects).filter_map(vote).collect()
}

fn certified(effects: &[Effect]) -> Vec<Certificate<Attestation>> {
    let proof = |effect: &Effect| match effect {
        Effect::Certified(certificate) => Some(certificate.clone()),
        _ => None,
    };
    effects.iter().filter_map(proof).collect()
}

fn numbers(proofs: &[Certificate<Attestation>]) -> Vec<u64> {
    proofs.iter().map(|proof| proof.statement.seq.value()).collect()
}

/// What a peer says that executed `executed` and has proofs up to `certified`.
fn lacking(executed: u64, certified: u64) -> Message {
    let Message::Status(told) = status(executed, 0, &[]) else { panic!("a status") };
    Message::Status(Status { certified: seq(certified), ..told })
}

#[test]
fn at_1_each_result_is_signed_once_and_not_written_down() {
    let mut stage = stage();
    let effects = stage.order(1, vec![request(1, 0)]);
    assert_eq!(attestations(&effects), [stage.sign(3, result(1))]);
    let records = stage.log.len();
    stage.result = None;
    assert_eq!(attestations(&stage.order(2, vec![])), []);
    assert_eq!(records, 4, "proposal, prepare, commit, committed");
    let own = vote(&stage, 3, result(1));
    assert_eq!(stage.hear(1, &own), [], "its own word comes back");
}

/// AT-2: `f + 1` equal words, or a proof from anyone. AT-4: the service is told once.
#[test]
fn at_2_a_weak_quorum_is_a_proof() {
    let mut stage = stage();
    stage.order(1, vec![]);
    let lie = vote(&stage, 2, Attestation { seq: seq(1), digest: OTHER });
    assert_eq!(certified(&stage.hear(2, &lie)), [], "two words that differ");
    let truth = vote(&stage, 1, result(1));
    let proofs = certified(&stage.hear(1, &truth));
    assert_eq!(proofs, [stage.certificate(result(1), &[1, 3])]);
    assert_eq!(stage.replica.certified(), seq(1));
    let late = vote(&stage, 0, result(1));
    let again = Message::Certified(stage.certificate(result(1), &[0, 1]));
    assert_eq!((stage.hear(0, &late), stage.hear(1, &again)), (vec![], vec![]));
}

#[test]
fn at_2_each_check_of_a_proof() {
    let stage = stage();
    let refused = |signers: &[u16], statement| {
        let message = Message::Certified(stage.certificate(statement, signers));
        stage.verify(1, &message).unwrap_err()
    };
    assert_eq!(refused(&[1], result(1)), InvalidMessage::NoQuorum);
    assert_eq!(refused(&[1, 1], result(1)), InvalidMessage::NoQuorum);
    assert_eq!(refused(&[1, 0], result(1)), InvalidMessage::NoQuorum);
    assert_eq!(refused(&[0, 1], result(0)), InvalidMessage::SeqZero);
    let mut forged = stage.certificate(result(1), &[0, 1]);
    forged.statement.digest = OTHER;
    let forged = stage.verify(1, &Message::Certified(forged));
    assert_eq!(forged.unwrap_err(), InvalidMessage::BadSignature);
    let null = stage.verify(1, &vote(&stage, 1, result(0)));
    assert_eq!(null.unwrap_err(), InvalidMessage::SeqZero);
}

/// AT-3: two words of one signer are evidence, before the proof and after it; what lies outside the window is not kept.
#[test]
fn at_3_two_words_are_evidence() {
    for proven in [false, true] {
        let mut stage = stage();
        let first = vote(&stage, 1, result(1));
        stage.hear(1, &first);
        if proven {
            stage.order(1, vec![]);
            assert_eq!(stage.replica.certified(), seq(1));
        }
        let second = vote(&stage, 1, Attestation { seq: seq(1), digest: OTHER });
        let effects = stage.hear(2, &second);
        let [Evidence::Attestations(pair)] = evidence(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(pair[0].statement.digest, RESULT);
        assert_eq!(evidence(&effects)[0].culprit(), id(1));
    }
    let mut stage = stage();
    for signer in [0, 1] {
        let far = vote(&stage, signer, result(9));
        assert_eq!(stage.hear(signer, &far), []);
    }
    let far = Message::Certified(stage.certificate(result(9), &[0, 1]));
    assert_eq!(stage.hear(1, &far), []);
    stage.replica.check_invariants().unwrap();
}

/// AT-4 and AT-1: a proof that came first waits for the execution; then nobody needs this replica's word any more.
#[test]
fn at_4_a_proof_waits_for_the_execution() {
    let mut stage = stage();
    let early = Message::Certified(stage.certificate(result(1), &[0, 1]));
    assert_eq!(stage.hear(0, &early), []);
    let effects = stage.order(1, vec![]);
    assert_eq!((attestations(&effects).len(), numbers(&certified(&effects))), (0, vec![1]));
}

#[test]
fn at_4_a_replica_that_computed_something_else_says_so() {
    for own in [Some(OTHER), None] {
        let mut stage = stage();
        stage.result = own;
        stage.order(1, vec![]);
        stage.result = Some(RESULT);
        let proof = Message::Certified(stage.certificate(result(2), &[0, 1]));
        stage.hear(0, &proof);
        stage.result = own;
        let effects = stage.order(2, vec![]);
        let diverged = effects.iter().any(|effect| matches!(effect, Effect::Diverged { .. }));
        assert!(diverged && certified(&effects).is_empty(), "{own:?}: {effects:?}");
    }
}

/// AT-5: only what a peer lacked already at its status before; a vote while there is no proof; not again at once.
#[test]
fn at_5_who_lacks_a_proof_is_helped_by_and_by() {
    let mut stage = stage();
    stage.order(1, vec![]);
    assert_eq!(sent(&stage.hear(1, &lacking(1, 0))), [""; 0], "it may be on its way");
    stage.advance(Duration::from_millis(200));
    let effects = stage.hear(1, &lacking(1, 0));
    assert_eq!(attestations(&effects), [stage.sign(3, result(1))]);
    assert_eq!(attestations(&stage.hear(1, &lacking(1, 0))), [], "too soon");
    let truth = vote(&stage, 2, result(1));
    stage.hear(2, &truth);
    let mut helped = 0;
    for _ in 0..4 {
        stage.advance(Duration::from_millis(200));
        let effects = stage.hear(1, &lacking(1, 0));
        helped += sent(&effects).into_iter().filter(|kind| *kind == "certified").count();
        assert_eq!(attestations(&effects), []);
    }
    assert_eq!(helped, 1, "four replicas take turns");
    stage.advance(Duration::from_millis(200));
    assert_eq!(sent(&stage.hear(1, &lacking(1, 1))), [""; 0], "it lacks nothing");
}

/// AT-5: final batches travel with the proofs of their results.
#[test]
fn at_5_whoever_catches_up_gets_the_proofs_too() {
    let mut stage = stage();
    stage.order(1, vec![]);
    stage.order(2, vec![]);
    let truth = vote(&stage, 1, result(1));
    stage.hear(1, &truth);
    let fetch = Message::Fetch(pbft_core::message::Fetch { after: seq(0) });
    let kinds = sent(&stage.hear(1, &fetch));
    assert_eq!(kinds, ["committed", "certified", "committed", "attestation", "status"]);
}

/// AT-5 and AT-7: one answer has 64 numbers at most, and what no archive holds is forgotten.
#[test]
fn at_7_memory_and_answers_are_bounded() {
    for (archive, expected) in [(1 << 20, 64), (0, 8)] {
        let mut stage = Stage::with(3, 4, |config| config.archive_bytes = archive);
        stage.result = Some(RESULT);
        for number in 1..=200 {
            let effects = stage.order(number, vec![]);
            if let Some(own) = crate::stage::own_checkpoint(&effects) {
                stage.stabilize(&own, &[0, 1, 2]);
            }
        }
        stage.hear(1, &lacking(200, 0));
        stage.advance(Duration::from_millis(200));
        let answer = attestations(&stage.hear(1, &lacking(200, 0)));
        assert_eq!(answer.len(), expected, "an archive of {archive} bytes");
        assert_eq!(stage.replica.certified(), seq(if archive == 0 { 192 } else { 0 }));
    }
}

/// AT-6: a proof that had not come before the crash can still come, although the batch is not executed again; one that the
/// service had before it made the checkpoint does not come again.
#[test]
fn at_6_a_restart_loses_no_result() {
    let mut stage = stage();
    stage.order(1, vec![]);
    let truth = vote(&stage, 1, result(1));
    assert_eq!(numbers(&certified(&stage.hear(1, &truth))), [1]);
    stage.order(2, vec![]);
    stage.sync();
    let start = stage.restart(0);
    assert_eq!(executions(&start), [0; 0], "a checkpoint was made at 2");
    assert_eq!(stage.replica.certified(), seq(1));
    stage.hear(1, &lacking(2, 0));
    stage.advance(Duration::from_millis(200));
    let helped = attestations(&stage.hear(1, &lacking(2, 0)));
    assert_eq!(helped, [stage.sign(3, result(1)), stage.sign(3, result(2))], "the same words as before");
    let truth = vote(&stage, 0, result(2));
    assert_eq!(numbers(&certified(&stage.hear(0, &truth))), [2], "with its own word from before");
    assert_eq!(stage.replica.certified(), seq(2));
}

/// Losses, restarts of all, and one replica that comes late: in the end everyone has every proof.
#[test]
fn at_5_at_6_every_replica_gets_every_proof() {
    let mut cluster = Cluster::new(4, |config| config.archive_bytes = 1 << 20);
    cluster.loss = 20;
    cluster.down.push(3);
    for part in requests(24).chunks(6) {
        cluster.complete(part);
        (0..3).for_each(|index| cluster.restart(index));
    }
    cluster.restart(3);
    cluster.complete(&requests(24));
    for _ in 0..100 {
        cluster.pass(Duration::from_secs(1));
        let through = |index| cluster.replica(index).certified().value();
        if (0..4).all(|index| through(index) == cluster.executed(index) && through(index) == through(0)) {
            return assert_eq!(cluster.proofs(3).len() as u64, cluster.with_results());
        }
    }
    panic!("{:?}", (0..4).map(|index| cluster.replica(index).certified()).collect::<Vec<_>>());
}

/// A replica that has come as far as `number`, by what its log says.
fn far_on(number: u64) -> Stage {
    let mut stage = stage();
    (1..=2).for_each(|number| drop(stage.order(number, vec![])));
    let checkpoint = |(_, record)| if let Record::Checkpoint(record) = record { Some(record) } else { None };
    let mut record = stage.log.load().unwrap().into_iter().find_map(checkpoint).unwrap();
    record.summary.seq = seq(number);
    let statement = Checkpoint { seq: seq(number), digest: record.summary.digest() };
    record.checkpoint = stage.sign(3, statement);
    (record.certified, record.results) = (seq(number), vec![]);
    let stable = Record::Stable(stage.certificate(statement, &[0, 1, 2]));
    stage.log = MemoryLog::default();
    for (position, record) in (1..).zip([Record::Checkpoint(record), stable]) {
        stage.log.append(LogPosition::new(position), &record).unwrap();
    }
    stage.log.sync().unwrap();
    stage.replica = recover(3, &stage.config, &mut stage.log);
    stage.input(Input::Start);
    stage
}

/// AT-5: a status names the number from which on its sender lacks results. Nothing is counted through for a false one:
/// this would take hours.
#[test]
fn at_5_who_claims_to_lack_everything_costs_no_time() {
    let far = 1 << 40;
    let mut stage = far_on(far);
    assert_eq!(stage.replica.progress().low, seq(far));
    for _ in 0..20 {
        stage.advance(Duration::from_secs(1));
        let answer = stage.hear(1, &lacking(far, 0));
        assert_eq!(attestations(&answer), [], "nobody has these results any more");
    }
}
