//! Evidence: two votes that contradict each other are kept as a pair, and the first one goes on counting.

use pbft_core::{
    Message, View,
    evidence::{Evidence, WeakEvidence},
    message::{Attestation, Checkpoint, Commit, Prepare, Signed, ViewChange},
    wire,
};
use pbft_crypto::Digest;

use crate::stage::{Stage, evidence, executions, id, request, seq, votes};

const A: Digest = Digest::from_bytes([1; 32]);
const B: Digest = Digest::from_bytes([2; 32]);

fn prepare(stage: &Stage, digest: Digest) -> Message {
    Message::Prepare(stage.sign(2, Prepare { view: View::ZERO, seq: seq(1), digest }))
}

fn commit(stage: &Stage, digest: Digest) -> Message {
    Message::Commit(stage.sign(2, Commit { view: View::ZERO, seq: seq(1), digest }))
}

fn checkpoint(stage: &Stage, digest: Digest) -> Message {
    Message::Checkpoint(stage.sign(2, Checkpoint { seq: seq(2), digest }))
}

#[test]
fn every_kind_of_contradiction_is_evidence_and_repetition_is_none() {
    type Vote = fn(&Stage, Digest) -> Message;
    let rows: [(&str, Vote); 3] = [("prepare", prepare), ("commit", commit), ("checkpoint", checkpoint)];
    for (kind, make) in rows {
        let mut stage = Stage::new(3);
        let (first, second) = (make(&stage, A), make(&stage, B));
        assert!(evidence(&stage.hear(2, &first)).is_empty());
        assert!(evidence(&stage.hear(2, &first)).is_empty(), "{kind} repeated");
        // Somebody else may pass it on: the signer is at fault.
        let effects = stage.hear(1, &second);
        let found = evidence(&effects);
        assert_eq!(found.len(), 1, "{kind}");
        assert_eq!(found[0].culprit(), id(2), "{kind}");
    }
}

#[test]
fn pp_8_an_equivocating_primary_is_caught_and_its_first_proposal_stands() {
    let mut stage = Stage::new(3);
    let first = stage.proposal(1, vec![request(1, 0)]);
    let second = stage.proposal(1, vec![request(2, 0)]);
    assert_eq!(votes(&stage.hear_and_settle(0, &Message::PrePrepare(first.clone()))), ["prepare"]);
    let effects = stage.hear_and_settle(1, &Message::PrePrepare(second.clone()));
    assert_eq!(votes(&effects), [""; 0], "no second prepare");
    let [Evidence::PrePrepares(pair)] = evidence(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(**pair, [first.pre_prepare.clone(), second.pre_prepare]);
    for (from, message) in
        [(1, stage.prepare(1, &first)), (0, stage.commit(0, &first)), (1, stage.commit(1, &first))]
    {
        stage.hear_and_settle(from, &message);
    }
    assert_eq!(stage.replica.progress().executed, seq(1));
}

/// P-2 and C-1, mistake 3 once more: a signer's second word does not count, so that nobody is in two quorums.
#[test]
fn the_first_word_counts() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    let lie = prepare(&stage, A);
    stage.hear_and_settle(2, &lie);
    let truth = stage.prepare(2, &proposal);
    assert_eq!(votes(&stage.hear_and_settle(2, &truth)), [""; 0]);
    let lie = commit(&stage, A);
    stage.hear_and_settle(2, &lie);
    let mut done = Vec::new();
    for signer in [0, 1] {
        let prepare = stage.prepare(1, &proposal);
        stage.hear_and_settle(1, &prepare);
        let vote = stage.commit(signer, &proposal);
        done.extend(executions(&stage.hear_and_settle(signer, &vote)));
    }
    assert_eq!(done, [1], "own commit and two more; the liar's is not needed");
}

/// A stranger judges by what is signed alone: both kinds of true evidence convict, and nothing that is forged does.
#[test]
fn evidence_convicts_whoever_signed_and_nobody_else() {
    let stage = Stage::new(3);
    let judge = |evidence: &Evidence| evidence.verify(&stage.config, &*crate::stage::key(0));
    let vote =
        |signer, number, digest| stage.sign(signer, Commit { view: View::ZERO, seq: seq(number), digest });
    let pair = |one, other| Evidence::Commits(Box::new([one, other]));
    let good = pair(vote(2, 1, A), vote(2, 1, B));
    assert_eq!(judge(&good), Ok(()));
    assert_eq!((good.culprit(), good.kind(), good.about()), (id(2), "commit", (View::ZERO, seq(1))));
    let decoded: Evidence = wire::decode(&wire::encode(&good).unwrap()).unwrap();
    assert_eq!(decoded, good);

    assert_eq!(judge(&pair(vote(2, 1, A), vote(1, 1, B))), Err(WeakEvidence::TwoSigners));
    assert_eq!(judge(&pair(vote(2, 1, A), vote(2, 1, A))), Err(WeakEvidence::NoContradiction));
    assert_eq!(judge(&pair(vote(2, 1, A), vote(2, 2, B))), Err(WeakEvidence::NoContradiction));
    let forged = Signed { signer: id(1), ..vote(2, 1, B) };
    assert_eq!(judge(&pair(vote(1, 1, A), forged)), Err(WeakEvidence::BadSignature));
    let stranger = |digest| Signed { signer: id(9), ..vote(2, 1, digest) };
    assert_eq!(judge(&pair(stranger(A), stranger(B))), Err(WeakEvidence::UnknownSigner));

    let result = |digest| stage.sign(1, Attestation { seq: seq(4), digest });
    let results = Evidence::Attestations(Box::new([result(A), result(B)]));
    assert_eq!((judge(&results), results.about()), (Ok(()), (View::ZERO, seq(4))));
    let facts =
        |stable| stage.sign(1, ViewChange { view: View::new(2), stable: seq(stable), prepared: vec![] });
    let told = Evidence::ViewChanges(Box::new([facts(2), facts(4)]));
    assert_eq!((judge(&told), told.about()), (Ok(()), (View::new(2), seq(0))));
}
