//! VC-2 and NV-2: one negative row for each check of a VIEW-CHANGE and a NEW-VIEW, made from a valid one by one change
//! (mistake 9).

use pbft_core::{
    Message, View,
    error::InvalidMessage::{
        self, BadSignature, ImpossibleFact, NoQuorum, UnknownSigner, Unproven, WrongAssignment, WrongRole,
    },
    message::{
        Batch, PrePrepare, PreparedCertificate, ProvenNewView, ProvenViewChange, Signed, Statement,
        ViewChange,
    },
};
use pbft_crypto::Digest;

use crate::{
    stage::{Stage, id, seq},
    view_messages::{OTHER, new_view, prepared, view_change},
};

/// A digest for the batch with a number.
fn batch_digest(number: u64) -> Digest {
    Digest::from_bytes([u8::try_from(number).unwrap(); 32])
}

fn sign_again<T: Statement + Clone>(stage: &Stage, signed: &mut Signed<T>) {
    *signed = stage.sign(signed.signer.value(), signed.statement.clone());
}

// --- VIEW-CHANGE --------------------------------------------------------------------------------------------------

/// To view 2: a stable checkpoint at 2; number 3 prepared in view 0 and number 5 in view 1.
fn valid_view_change(stage: &Stage) -> ProvenViewChange {
    let proofs = vec![prepared(stage, 0, 3, batch_digest(3)), prepared(stage, 1, 5, batch_digest(5))];
    view_change(stage, 1, 2, 2, proofs)
}

type ViewChangeRow = (&'static str, fn(&Stage, &mut ProvenViewChange), InvalidMessage);

/// Changes one thing, signs again what the change made stale, and asks why it is not believed.
fn refused_view_changes(rows: &[ViewChangeRow]) {
    let stage = Stage::new(3);
    let valid = valid_view_change(&stage);
    assert!(stage.verify(1, &Message::ViewChange(Box::new(valid.clone()))).is_ok());
    for (what, change, why) in rows {
        let mut proven = valid.clone();
        change(&stage, &mut proven);
        if proven.vote.statement != valid.vote.statement {
            sign_again(&stage, &mut proven.vote);
        }
        let message = Message::ViewChange(Box::new(proven));
        assert_eq!(stage.verify(1, &message).err(), Some(*why), "{what}");
    }
}

/// Replaces the proof of the first fact, and the fact with it.
fn prove_first(proven: &mut ProvenViewChange, proof: PreparedCertificate) {
    proven.vote.statement.prepared[0] = proof.statement();
    proven.prepared[0] = proof;
}

#[test]
fn vc_2_mistake_09_each_check_of_what_a_view_change_says() {
    refused_view_changes(&[
        ("to view 0", |_, v| v.vote.statement.view = View::ZERO, ImpossibleFact),
        (
            "out of order",
            |_, v| (v.vote.statement.prepared.swap(0, 1), v.prepared.swap(0, 1)).0,
            ImpossibleFact,
        ),
        (
            "a number twice",
            |stage, v| {
                let proof = prepared(stage, 1, 3, batch_digest(3));
                v.vote.statement.prepared[1] = proof.statement();
                v.prepared[1] = proof;
            },
            ImpossibleFact,
        ),
        ("at the checkpoint", |stage, v| prove_first(v, prepared(stage, 0, 2, OTHER)), ImpossibleFact),
        (
            "past the window",
            |stage, v| {
                let proof = prepared(stage, 1, 11, OTHER);
                v.vote.statement.prepared[1] = proof.statement();
                v.prepared[1] = proof;
            },
            ImpossibleFact,
        ),
        ("in the view to come", |stage, v| prove_first(v, prepared(stage, 2, 3, OTHER)), ImpossibleFact),
        ("in a later view", |stage, v| prove_first(v, prepared(stage, 3, 3, OTHER)), ImpossibleFact),
        ("no member", |_, v| v.vote.signer = id(4), UnknownSigner),
        ("another's name", |_, v| v.vote.signer = id(2), BadSignature),
    ]);
}

#[test]
fn vc_2_mistake_09_each_check_of_a_view_changes_checkpoint() {
    refused_view_changes(&[
        ("no proof", |_, v| v.stable = None, Unproven),
        (
            "a proof of another number",
            |stage, v| v.stable = view_change(stage, 1, 2, 4, vec![]).stable,
            Unproven,
        ),
        ("a proof of nothing", |_, v| v.vote.statement.stable = seq(0), Unproven),
        ("too few signers", |_, v| v.stable.as_mut().unwrap().signatures.truncate(2), NoQuorum),
        (
            "a signer twice",
            |_, v| {
                let signatures = &mut v.stable.as_mut().unwrap().signatures;
                signatures[1] = signatures[0];
            },
            NoQuorum,
        ),
        ("another state", |_, v| v.stable.as_mut().unwrap().statement.digest = OTHER, BadSignature),
    ]);
}

#[test]
fn vc_2_mistake_09_each_check_of_a_view_changes_proofs() {
    refused_view_changes(&[
        ("one too few", |_, v| drop(v.prepared.pop()), Unproven),
        ("one too many", |stage, v| v.prepared.push(prepared(stage, 1, 6, OTHER)), Unproven),
        ("in another order", |_, v| v.prepared.swap(0, 1), Unproven),
        ("of another batch", |stage, v| v.prepared[0] = prepared(stage, 0, 3, OTHER), Unproven),
        ("of another view", |stage, v| v.prepared[0] = prepared(stage, 1, 3, batch_digest(3)), Unproven),
        ("of another number", |stage, v| v.prepared[0] = prepared(stage, 0, 4, batch_digest(3)), Unproven),
    ]);
}

#[test]
fn vc_2_mistake_09_each_check_of_a_prepared_certificate() {
    refused_view_changes(&[
        (
            "the pre-prepare is not the primary's",
            |stage, v| {
                let statement = v.prepared[0].statement();
                v.prepared[0].pre_prepare = stage.sign(3, statement);
            },
            WrongRole,
        ),
        ("the primary prepared, too", |_, v| v.prepared[0].prepares[0].0 = id(0), WrongRole),
        ("too few backups", |_, v| v.prepared[0].prepares.truncate(1), NoQuorum),
        ("a backup twice", |_, v| v.prepared[0].prepares[1] = v.prepared[0].prepares[0], NoQuorum),
        ("backups out of order", |_, v| v.prepared[0].prepares.swap(0, 1), NoQuorum),
        (
            "more than members",
            |_, v| {
                let (_, signature) = v.prepared[0].prepares[0];
                v.prepared[0].prepares.extend([(id(3), signature), (id(4), signature)]);
            },
            NoQuorum,
        ),
        ("a backup that is no member", |_, v| v.prepared[0].prepares[1].0 = id(4), UnknownSigner),
        ("another backup's name", |_, v| v.prepared[0].prepares[1].0 = id(3), BadSignature),
        (
            "prepares of another view",
            |stage, v| v.prepared[0].prepares = prepared(stage, 4, 3, batch_digest(3)).prepares,
            BadSignature,
        ),
        (
            "the primary's signature for another batch",
            |stage, v| {
                v.prepared[0].pre_prepare.signature = prepared(stage, 0, 3, OTHER).pre_prepare.signature;
            },
            BadSignature,
        ),
    ]);
}

// --- NEW-VIEW -----------------------------------------------------------------------------------------------------

/// View 2 begins: two know of the checkpoint at 2; number 3 was prepared in view 0 (one batch) and in view 1 (another);
/// 4 was not; 5 was in view 1.
fn valid_new_view(stage: &Stage) -> ProvenNewView {
    let (older, newer) = (prepared(stage, 0, 3, OTHER), prepared(stage, 1, 3, batch_digest(3)));
    let fifth = prepared(stage, 1, 5, batch_digest(5));
    let votes = [
        view_change(stage, 0, 2, 0, vec![prepared(stage, 0, 1, batch_digest(1)), older]),
        view_change(stage, 1, 2, 2, vec![newer.clone(), fifth.clone()]),
        view_change(stage, 2, 2, 2, vec![fifth.clone()]),
    ];
    let null = Batch::null().digest();
    let assigned = [(3, batch_digest(3)), (4, null), (5, batch_digest(5))];
    new_view(stage, &votes, 2, &assigned, vec![newer, fifth])
}

type NewViewRow = (&'static str, fn(&Stage, &mut ProvenNewView), InvalidMessage);

fn refused_new_views(rows: &[NewViewRow]) {
    let stage = Stage::new(3);
    let valid = valid_new_view(&stage);
    assert!(stage.verify(1, &Message::NewView(Box::new(valid.clone()))).is_ok(), "anyone may hand it on");
    for (what, change, why) in rows {
        let mut proven = valid.clone();
        change(&stage, &mut proven);
        if proven.announcement.statement != valid.announcement.statement {
            sign_again(&stage, &mut proven.announcement);
        }
        let message = Message::NewView(Box::new(proven));
        assert_eq!(stage.verify(2, &message).err(), Some(*why), "{what}");
    }
}

/// Changes what one supporter said, signed by itself.
fn say_again(stage: &Stage, proven: &mut ProvenNewView, index: usize, change: impl FnOnce(&mut ViewChange)) {
    let vote = &mut proven.announcement.statement.view_changes[index];
    change(&mut vote.statement);
    sign_again(stage, vote);
}

/// Changes one assignment, signed by the primary.
fn assign_again(
    stage: &Stage,
    proven: &mut ProvenNewView,
    index: usize,
    change: impl FnOnce(&mut PrePrepare),
) {
    let vote = &mut proven.announcement.statement.pre_prepares[index];
    change(&mut vote.statement);
    sign_again(stage, vote);
}

#[test]
fn nv_2_mistake_09_each_check_of_a_new_views_sender_and_supporters() {
    refused_new_views(&[
        (
            "not from the view's primary",
            |stage, v| v.announcement = stage.sign(1, v.announcement.statement.clone()),
            WrongRole,
        ),
        (
            "another's signature",
            |stage, v| v.announcement.signature = stage.sign(1, v.announcement.statement.clone()).signature,
            BadSignature,
        ),
        ("too few supporters", |_, v| drop(v.announcement.statement.view_changes.pop()), NoQuorum),
        (
            "a supporter twice",
            |_, v| {
                let votes = &mut v.announcement.statement.view_changes;
                votes[2] = votes[1].clone();
            },
            NoQuorum,
        ),
        ("supporters out of order", |_, v| v.announcement.statement.view_changes.swap(0, 1), NoQuorum),
        (
            "a supporter that is no member",
            |_, v| v.announcement.statement.view_changes[2].signer = id(4),
            UnknownSigner,
        ),
        (
            "another supporter's name",
            |_, v| v.announcement.statement.view_changes[2].signer = id(3),
            BadSignature,
        ),
        (
            "a supporter of another view",
            |stage, v| say_again(stage, v, 2, |said| said.view = View::new(6)),
            ImpossibleFact,
        ),
        (
            "a supporter that says what cannot be",
            |stage, v| say_again(stage, v, 2, |said| said.prepared[0].view = View::new(2)),
            ImpossibleFact,
        ),
    ]);
}

/// Mistake 8: of all that supporters say, what decides must be proven; a lie that nobody can prove decides nothing, and
/// hides nothing. Mistake 10: the newest checkpoint of all view-changes counts.
#[test]
fn nv_2_mistakes_08_09_10_each_check_of_a_new_views_facts() {
    refused_new_views(&[
        ("no proof of the checkpoint", |_, v| v.stable = None, Unproven),
        (
            "a newer checkpoint that is not proven",
            |stage, v| say_again(stage, v, 2, |said| said.stable = seq(4)),
            Unproven,
        ),
        ("too few for the checkpoint", |_, v| v.stable.as_mut().unwrap().signatures.truncate(2), NoQuorum),
        ("a fact without proof", |_, v| drop(v.prepared.pop()), Unproven),
        ("a proof without fact", |stage, v| v.prepared.push(prepared(stage, 1, 6, OTHER)), Unproven),
        (
            "proof of what an older view prepared",
            |stage, v| v.prepared[0] = prepared(stage, 0, 3, OTHER),
            Unproven,
        ),
        (
            "a lie about number 4 decides, and cannot be proven",
            |stage, v| {
                let lie = PrePrepare { view: View::new(1), seq: seq(4), digest: OTHER };
                say_again(stage, v, 2, |said| said.prepared.insert(0, lie));
            },
            Unproven,
        ),
        ("a forged proof", |_, v| v.prepared[0].prepares[0].0 = id(0), BadSignature),
    ]);
}

#[test]
fn nv_2_mistake_09_each_check_of_a_new_views_assignments() {
    refused_new_views(&[
        ("one missing", |_, v| v.announcement.statement.pre_prepares.truncate(2), WrongAssignment),
        ("the first missing", |_, v| _ = v.announcement.statement.pre_prepares.remove(0), WrongAssignment),
        (
            "one too many",
            |stage, v| {
                let more = PrePrepare { view: View::new(2), seq: seq(6), digest: OTHER };
                v.announcement.statement.pre_prepares.push(stage.sign(2, more));
            },
            WrongAssignment,
        ),
        (
            "from below the checkpoint",
            |stage, v| {
                let below = PrePrepare { view: View::new(2), seq: seq(2), digest: OTHER };
                v.announcement.statement.pre_prepares.insert(0, stage.sign(2, below));
            },
            WrongAssignment,
        ),
        ("out of order", |_, v| v.announcement.statement.pre_prepares.swap(0, 1), WrongAssignment),
        (
            "what an older view prepared",
            |stage, v| assign_again(stage, v, 0, |fact| fact.digest = OTHER),
            WrongAssignment,
        ),
        (
            "a batch in a gap",
            |stage, v| assign_again(stage, v, 1, |fact| fact.digest = OTHER),
            WrongAssignment,
        ),
        (
            "the null request for what was prepared",
            |stage, v| assign_again(stage, v, 2, |fact| fact.digest = Batch::null().digest()),
            WrongAssignment,
        ),
        (
            "for another view",
            |stage, v| assign_again(stage, v, 0, |fact| fact.view = View::new(6)),
            WrongAssignment,
        ),
        (
            "signed by a backup",
            |stage, v| {
                let vote = &mut v.announcement.statement.pre_prepares[0];
                *vote = stage.sign(1, vote.statement);
            },
            WrongRole,
        ),
        (
            "not signed",
            |_, v| {
                let votes = &mut v.announcement.statement.pre_prepares;
                votes[0].signature = votes[1].signature;
            },
            BadSignature,
        ),
    ]);
}
