//! What is checked before a message is believed: one negative row for each check.

use std::sync::Arc;

use pbft_core::{
    Message, Request, View,
    error::InvalidMessage::{
        self, BadSignature, FutureOrigin, LongStatus, NoQuorum, RepeatedRequest, SeqZero, TooLarge,
        UnknownSigner, WrongDigest, WrongRole,
    },
    message::{Batch, Checkpoint, Commit, Operation, PrePrepare, Prepare, Proposal, SlotStatus},
};
use pbft_crypto::Digest;

use crate::stage::{START, Stage, id, request, seq, status};

const DIGEST: Digest = Digest::from_bytes([5; 32]);

fn proposal_of(stage: &Stage, batch: Batch, signer: u16) -> Message {
    let statement = PrePrepare { view: View::ZERO, seq: seq(1), digest: batch.digest() };
    Message::PrePrepare(Proposal { pre_prepare: stage.sign(signer, statement), batch: Arc::new(batch) })
}

fn batch(requests: Vec<Request>) -> Batch {
    Batch { origin: View::ZERO, time: START, requests }
}

fn check(rows: Vec<(&str, Message, InvalidMessage)>) {
    let stage = Stage::new(3);
    for (what, message, why) in rows {
        assert_eq!(stage.verify(1, &message).err(), Some(why), "{what}");
    }
}

/// Mistake 4: the signature decides who speaks, not the name in the message nor the link that it came by.
#[test]
fn mistake_04_the_claimed_signer_must_have_signed() {
    let stage = Stage::new(3);
    let commit = Commit { view: View::ZERO, seq: seq(1), digest: DIGEST };
    let prepare = Prepare { view: View::ZERO, seq: seq(1), digest: DIGEST };
    let (mut stolen, mut renamed) = (stage.sign(1, commit), stage.sign(1, prepare));
    stolen.signer = id(2);
    renamed.signer = id(2);
    let mut changed = stage.sign(1, commit);
    changed.statement.seq = seq(2);
    let mut foreign = stage.sign(1, commit);
    foreign.signer = id(4);
    check(vec![
        ("another's name on a commit", Message::Commit(stolen), BadSignature),
        ("another's name on a prepare", Message::Prepare(renamed), BadSignature),
        ("a changed field", Message::Commit(changed), BadSignature),
        ("no member", Message::Commit(foreign), UnknownSigner),
    ]);
    let honest = Message::Commit(stage.sign(1, commit));
    assert!(stage.verify(2, &honest).is_ok(), "anyone may pass a vote on");
}

/// A signature over one kind of statement is none over another with the same fields.
#[test]
fn signatures_are_bound_to_kind_and_cluster() {
    let stage = Stage::new(3);
    let commit = Commit { view: View::ZERO, seq: seq(1), digest: DIGEST };
    let prepare = Prepare { view: View::ZERO, seq: seq(1), digest: DIGEST };
    let mut crossed = stage.sign(1, prepare);
    crossed.signature = stage.sign(1, commit).signature;
    let other = Stage::with(3, 4, |config| config.cluster = DIGEST);
    check(vec![
        ("a commit's signature on a prepare", Message::Prepare(crossed), BadSignature),
        ("another cluster's vote", Message::Commit(other.sign(1, commit)), BadSignature),
    ]);
}

#[test]
fn pp_1_to_pp_5_each_check_of_a_proposal() {
    let stage = Stage::new(3);
    let good = batch(vec![request(1, 0)]);
    let long = Request { operation: Operation::new(vec![0; 65]), ..request(1, 0) };
    let late = Batch { origin: View::new(1), ..good.clone() };
    let mut bound_to_another = stage.proposal(1, vec![request(1, 0)]);
    bound_to_another.batch = Arc::new(batch(vec![request(1, 1)]));
    let zero = PrePrepare { view: View::ZERO, seq: seq(0), digest: good.digest() };
    let zero = Proposal { pre_prepare: stage.sign(0, zero), batch: Arc::new(good.clone()) };
    check(vec![
        ("PP-1: not from the primary", proposal_of(&stage, good, 1), WrongRole),
        (
            "PP-3: too many requests",
            proposal_of(&stage, batch((0..5).map(|n| request(1, n)).collect()), 0),
            TooLarge,
        ),
        ("PP-3: a long operation", proposal_of(&stage, batch(vec![long]), 0), TooLarge),
        ("from a later view", proposal_of(&stage, late, 0), FutureOrigin),
        (
            "PP-4: a request twice",
            proposal_of(&stage, batch(vec![request(1, 0), request(1, 0)]), 0),
            RepeatedRequest,
        ),
        ("PP-2: another batch", Message::PrePrepare(bound_to_another), WrongDigest),
        ("number 0", Message::PrePrepare(zero), SeqZero),
    ]);
}

/// P-1: the primary's vote is its pre-prepare; a prepare of its own would count it twice.
#[test]
fn p_1_the_primary_does_not_prepare() {
    let stage = Stage::new(3);
    let prepare = Prepare { view: View::ZERO, seq: seq(1), digest: DIGEST };
    check(vec![("a prepare of the primary", Message::Prepare(stage.sign(0, prepare)), WrongRole)]);
}

/// CU-2 and CK-3: certificates have a quorum of distinct members whose signatures hold.
#[test]
fn each_check_of_a_certificate() {
    let stage = Stage::new(3);
    let statement = Checkpoint { seq: seq(2), digest: DIGEST };
    let of = |signers: &[u16]| Message::Stable(stage.certificate(statement, signers));
    let mut forged = stage.certificate(statement, &[0, 1, 2]);
    forged.signatures[2].1 = forged.signatures[1].1;
    let mut outsider = stage.certificate(statement, &[0, 1, 2]);
    outsider.signatures[2].0 = id(9);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let mut swapped = stage.committed(&proposal, &[0, 1, 2]);
    swapped.batch = Arc::new(batch(vec![]));
    let zero = Checkpoint { seq: seq(0), digest: DIGEST };
    check(vec![
        ("too few", of(&[0, 1]), NoQuorum),
        ("one twice", of(&[0, 1, 1]), NoQuorum),
        ("not in order", of(&[1, 0, 2]), NoQuorum),
        ("more than members", of(&[0, 1, 2, 3, 4]), NoQuorum),
        ("another's signature", Message::Stable(forged), BadSignature),
        ("an outsider", Message::Stable(outsider), NoQuorum),
        ("another batch", Message::Committed(swapped), WrongDigest),
        ("number 0", Message::Stable(stage.certificate(zero, &[0, 1, 2])), SeqZero),
    ]);
    for signers in [&[0, 1, 2][..], &[1, 2, 3], &[0, 1, 2, 3]] {
        assert!(stage.verify(1, &of(signers)).is_ok());
    }
}

#[test]
fn lists_are_bounded() {
    let long = vec![SlotStatus::Empty; 9];
    let flood = (0..5).map(|number| request(1, number)).collect();
    check(vec![
        ("a status longer than the window", status(0, 0, &long), LongStatus),
        ("too many forwarded requests", Message::Forward(flood), TooLarge),
    ]);
}

/// Many messages are judged together, and one bad one does not spoil the others.
#[test]
fn verdicts_belong_to_their_own_message() {
    let stage = Stage::new(3);
    let commit =
        |signer, number| stage.sign(signer, Commit { view: View::ZERO, seq: seq(number), digest: DIGEST });
    let mut bad = commit(1, 1);
    bad.signer = id(2);
    let mut half_bad = stage.certificate(Checkpoint { seq: seq(2), digest: DIGEST }, &[0, 1, 2]);
    half_bad.signatures[0].1 = half_bad.signatures[1].1;
    let messages = vec![
        (id(0), Message::Commit(commit(0, 1))),
        (id(1), Message::Commit(bad)),
        (id(1), Message::Stable(half_bad)),
        (id(2), Message::Commit(commit(2, 1))),
    ];
    let verdicts: Vec<_> =
        stage.verifier.verify(messages).into_iter().map(|verdict| verdict.is_ok()).collect();
    assert_eq!(verdicts, [true, false, false, true]);
}
