//! One fixed value of each kind, as correct replicas of a cluster of four would send and write it: replica `i` has the
//! secret key `i + 1`, and signatures are deterministic. No two neighbouring fields are equal.

use std::sync::Arc;

use pbft_core::{
    ClientId, Config, Epoch, Message, ReadNumber, ReplicaId, Request, RequestNumber, Seq, UnixMillis,
    ValidConfig, View,
    certificate::Certificate,
    config::ReplicaSet,
    crypto::P256Crypto,
    evidence::Evidence,
    message::{
        Attestation, Batch, Change, Checkpoint, Commit, CommittedBatch, Fetch, FetchState, Handover,
        Membership, NewView, Operation, PartBytes, PrePrepare, Prepare, PreparedCertificate, Proposal,
        ProvenNewView, ProvenViewChange, Read, ReadAnswer, ReadRefusal, ReadReply, Returned, Shown, Signed,
        SlotStatus, Standing, State, StatePart, StateSummary, Statement, Status, ViewChange,
    },
    storage::{CheckpointRecord, Record, ReturnRecord},
};
use pbft_crypto::{Digest, KeyPair};

pub(crate) const CLUSTER: Digest = Digest::from_bytes([0xcc; 32]);
const VIEW: View = View::new(300);
const NEXT_VIEW: View = View::new(301);
const SEQ: Seq = Seq::new(1030);
const STABLE: Seq = Seq::new(1024);
const TIME: UnixMillis = UnixMillis::new(1_700_000_000_000);

pub(crate) const fn id(index: u16) -> ReplicaId {
    ReplicaId::new(index)
}

fn key_pair(index: u16) -> KeyPair {
    let mut secret = [0; 32];
    secret[30..].copy_from_slice(&(index + 1).to_be_bytes());
    KeyPair::from_secret_bytes(&secret).unwrap()
}

pub(crate) fn key(index: u16) -> Arc<P256Crypto> {
    Arc::new(P256Crypto::new(key_pair(index)))
}

pub(crate) fn config() -> Arc<ValidConfig> {
    let keys = (0..4).map(|index| key_pair(index).public_key()).collect();
    Arc::new(Config::new(CLUSTER, ReplicaSet::new(keys)).validate().unwrap())
}

fn sign<T: Statement>(signer: u16, statement: T) -> Signed<T> {
    Signed::sign(statement, id(signer), &config(), &*key(signer))
}

fn certificate<T: Statement + Copy>(statement: T) -> Certificate<T> {
    let signature = |signer| (id(signer), sign(signer, statement).signature);
    Certificate { statement, signatures: [0, 1, 3].map(signature).to_vec() }
}

pub(crate) fn requests() -> Vec<Request> {
    let request = |client: u8, number: u64, operation: &[u8]| Request {
        client: ClientId::from_bytes([client; 32]),
        number: RequestNumber::new(number),
        operation: Operation::new(operation),
    };
    vec![request(0xc1, 130, b"first"), request(0xc2, 0, b""), request(0xc1, 131, b"third")]
}

pub(crate) fn read() -> Read {
    Read { number: ReadNumber::new(132), query: Operation::new(b"how many?".to_vec()) }
}

pub(crate) fn read_replies() -> [ReadReply; 2] {
    let (epoch, replicas) = (Epoch::new(3), config().replicas.digest());
    let shown = Shown { epoch, replicas, executed: SEQ, result: b"forty-two".to_vec() };
    let answers = [ReadAnswer::Shown(shown), ReadAnswer::Refused(ReadRefusal::TooLarge)];
    answers.map(|answer| ReadReply { number: ReadNumber::new(132), answer })
}

pub(crate) fn batch() -> Batch {
    Batch { origin: View::new(299), time: TIME, requests: requests() }
}

pub(crate) fn pre_prepare() -> PrePrepare {
    PrePrepare { view: VIEW, seq: SEQ, digest: batch().digest() }
}

pub(crate) fn prepare() -> Prepare {
    Prepare { view: VIEW, seq: SEQ, digest: batch().digest() }
}

pub(crate) fn commit() -> Commit {
    Commit { view: VIEW, seq: SEQ, digest: batch().digest() }
}

pub(crate) const fn checkpoint() -> Checkpoint {
    Checkpoint { seq: STABLE, digest: Digest::from_bytes([0xdd; 32]) }
}

pub(crate) const fn attestation() -> Attestation {
    Attestation { seq: SEQ, digest: Digest::from_bytes([0xaa; 32]) }
}

fn proposal() -> Proposal {
    Proposal { pre_prepare: sign(0, pre_prepare()), batch: Arc::new(batch()) }
}

fn committed() -> CommittedBatch {
    CommittedBatch { batch: Arc::new(batch()), certificate: certificate(commit()) }
}

fn prepared() -> PreparedCertificate {
    PreparedCertificate::from_votes(sign(0, pre_prepare()), &[sign(1, prepare()), sign(3, prepare())])
}

/// Replica 1 prepared the batch; the others know only the checkpoint.
pub(crate) fn view_change(signer: u16) -> ProvenViewChange {
    let prepared: Vec<_> = (signer == 1).then(prepared).into_iter().collect();
    let facts = prepared.iter().map(PreparedCertificate::statement).collect();
    let statement = ViewChange { view: NEXT_VIEW, stable: STABLE, prepared: facts };
    ProvenViewChange { vote: sign(signer, statement), stable: Some(certificate(checkpoint())), prepared }
}

/// Null requests fill the gap between the checkpoint and the batch.
pub(crate) fn new_view() -> ProvenNewView {
    let assign = |number| {
        let seq = Seq::new(number);
        let digest = if seq == SEQ { batch().digest() } else { Batch::null().digest() };
        sign(1, PrePrepare { view: NEXT_VIEW, seq, digest })
    };
    let statement = NewView {
        view: NEXT_VIEW,
        view_changes: [1, 2, 3].map(|signer| view_change(signer).vote).to_vec(),
        pre_prepares: (STABLE.next().value()..=SEQ.value()).map(assign).collect(),
    };
    ProvenNewView {
        announcement: sign(1, statement),
        stable: Some(certificate(checkpoint())),
        prepared: vec![prepared()],
    }
}

/// The state at the checkpoint, with a change that takes effect there or without.
pub(crate) fn summary(next: Option<Change>) -> StateSummary {
    StateSummary {
        seq: STABLE,
        time: TIME,
        wake_at: Some(TIME.next()),
        service: Digest::from_bytes([3; 32]),
        snapshot: true,
        clients: vec![Digest::from_bytes([4; 32]), Digest::from_bytes([5; 32])],
        membership: Membership {
            epoch: Epoch::ZERO,
            replicas: config().replicas.digest(),
            next,
            wanted: None,
        },
    }
}

/// Replica 5 takes the place of replica 0.
pub(crate) fn change() -> Change {
    let members = [1, 2, 3, 5].map(|index| (id(index), key_pair(index).public_key()));
    Change { replicas: ReplicaSet::of(members), after: STABLE }
}

fn handover() -> Handover {
    let summary = summary(Some(change()));
    let checkpoint = Checkpoint { seq: STABLE, digest: summary.digest() };
    Handover { certificate: certificate(checkpoint), summary }
}

fn status() -> Status {
    let slots = vec![SlotStatus::Committed, SlotStatus::Prepared, SlotStatus::PrePrepared, SlotStatus::Empty];
    Status {
        view: VIEW,
        active: true,
        executed: Seq::new(1029),
        stable: STABLE,
        slots,
        epoch: Epoch::new(1),
        known: Epoch::new(2),
        certified: Seq::new(1028),
        first: Seq::new(3),
        votes: true,
        left: false,
        needs: Some(Seq::new(4)),
        heard: Some(Seq::new(5)),
    }
}

/// Replica 2 committed two batches.
pub(crate) fn evidence() -> Evidence {
    let other = Commit { digest: Batch::null().digest(), ..commit() };
    Evidence::Commits(Box::new([sign(2, commit()), sign(2, other)]))
}

/// In the order of their numbers in the format.
pub(crate) fn messages() -> Vec<Message> {
    vec![
        Message::Forward(requests()),
        Message::PrePrepare(proposal()),
        Message::Prepare(sign(1, prepare())),
        Message::Commit(sign(2, commit())),
        Message::Checkpoint(sign(3, checkpoint())),
        Message::Status(status()),
        Message::Fetch(Fetch { after: SEQ }),
        Message::Committed(committed()),
        Message::Stable(certificate(checkpoint())),
        Message::ViewChange(Box::new(view_change(1))),
        Message::NewView(Box::new(new_view())),
        Message::Handover(Box::new(handover())),
        Message::Attestation(sign(2, attestation())),
        Message::Certified(certificate(attestation())),
        Message::FetchState(FetchState { seq: STABLE, part: StatePart::Service(5) }),
        Message::State(State {
            seq: STABLE,
            part: StatePart::Clients(6),
            content: Some(PartBytes(vec![7, 8])),
        }),
        Message::Returned(Returned { since: TIME }),
        Message::Standing(Standing {
            since: TIME,
            epoch: Epoch::new(1),
            view: VIEW,
            stable: Some(certificate(checkpoint())),
        }),
    ]
}

/// In the order of their numbers in the format: replica 2's.
pub(crate) fn records() -> Vec<Record> {
    vec![
        Record::Proposal(proposal()),
        Record::Prepare(sign(2, prepare())),
        Record::Commit { commit: sign(2, commit()), prepares: vec![sign(1, prepare()), sign(2, prepare())] },
        Record::Committed(certificate(commit())),
        Record::CaughtUp(committed()),
        Record::Checkpoint(Box::new(CheckpointRecord {
            checkpoint: sign(2, checkpoint()),
            clients: vec![1, 2, 3],
            snapshot: Some(vec![4, 5]),
            summary: summary(None),
            certified: Seq::new(1022),
            results: vec![Attestation { seq: STABLE, digest: Digest::from_bytes([0xaa; 32]) }],
        })),
        Record::Stable(certificate(checkpoint())),
        Record::ViewChange(Box::new(view_change(2))),
        Record::NewView(Box::new(new_view())),
        Record::Handover(Box::new(handover())),
        Record::Returned(ReturnRecord { votes_from: Some(STABLE), last_view: VIEW, epoch: Epoch::new(1) }),
        Record::Lineage(vec![handover()]),
    ]
}
