//! The bytes of docs/FORMATS.md, frozen: one file in this folder for each kind of message and record, each signing digest
//! and the client table. A difference is a new version of the format, which old logs and other versions cannot read.
//!
//! If that is meant: `RENEW_VECTORS=1 cargo nextest run -p pbft-core --test vectors` writes the files anew.

mod hostile;
mod values;

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use pbft_core::{
    Message, Seq,
    client_table::{self, ClientTable},
    message::{Batch, Statement, signed::signing_digest},
    service::{Outcome, ServiceCheckpoint},
    wire,
};
use pbft_crypto::Domain;
use serde::{Serialize, de::DeserializeOwned};

const RENEW: &str = "RENEW_VECTORS";

/// Compares all values, and then says what differs.
#[derive(Default)]
struct Frozen {
    different: Vec<String>,
}

impl Frozen {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if std::env::var_os(RENEW).is_some() {
            fs::write(path(name), lines(bytes)).unwrap();
        }
        let frozen = fs::read_to_string(path(name)).unwrap_or_default();
        if frozen != lines(bytes) {
            self.different.push(name.to_owned());
        }
    }

    /// The value has these bytes, and they are read as this value.
    fn value<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let bytes = wire::encode(value).unwrap();
        assert_eq!(&wire::decode::<T>(&bytes).unwrap(), value, "{name}");
        self.bytes(name, &bytes);
    }

    fn signing_digest<T: Statement>(&mut self, name: &str, signer: u16, statement: &T) {
        let digest = signing_digest(&values::CLUSTER, values::id(signer), statement);
        self.bytes(name, digest.as_bytes());
    }

    fn check(self) {
        assert!(
            self.different.is_empty(),
            "the bytes of {:?} are not those in {}: this is a new version of the format. If that is meant, write them \
             anew with {RENEW}=1, and change wire::WIRE_VERSION and docs/FORMATS.md.",
            self.different,
            path("*").display(),
        );
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.hex"))
}

/// Hex, 48 bytes to a line.
fn lines(bytes: &[u8]) -> String {
    let hex = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).chain(["\n".into()]).collect();
    bytes.chunks(48).map(hex).collect::<Vec<String>>().concat()
}

#[test]
fn messages_are_frozen() {
    let mut frozen = Frozen::default();
    for message in values::messages() {
        frozen.value(&format!("message-{}", message.kind()), &message);
    }
    frozen.check();
}

#[test]
fn records_are_frozen() {
    let mut frozen = Frozen::default();
    for record in values::records() {
        frozen.value(&format!("record-{}", record.kind()), &record);
    }
    frozen.check();
}

/// Each kind has its file, and its number in the format: new ones come at the end.
#[test]
fn kinds_are_numbered_from_zero_without_a_gap() {
    let tags = |encoded: Vec<Vec<u8>>| encoded.iter().map(|bytes| bytes[1]).collect::<Vec<_>>();
    let messages = tags(values::messages().iter().map(|m| wire::encode(m).unwrap()).collect());
    let records = tags(values::records().iter().map(|r| wire::encode(r).unwrap()).collect());
    assert_eq!((messages, records), ((0..18).collect(), (0..12).collect()));
    let names: BTreeSet<_> = values::messages().iter().map(Message::kind).collect();
    assert_eq!(names.len(), 18);
}

#[test]
fn what_signatures_cover_is_frozen() {
    let mut frozen = Frozen::default();
    frozen.signing_digest("signing-pre-prepare", 0, &values::pre_prepare());
    frozen.signing_digest("signing-prepare", 1, &values::prepare());
    frozen.signing_digest("signing-commit", 2, &values::commit());
    frozen.signing_digest("signing-checkpoint", 3, &values::checkpoint());
    frozen.signing_digest("signing-view-change", 1, &values::view_change(1).vote.statement);
    frozen.signing_digest("signing-new-view", 1, &values::new_view().announcement.statement);
    frozen.signing_digest("signing-attestation", 2, &values::attestation());
    frozen.check();
}

/// What clients ask of the state, and are told.
#[test]
fn questions_are_frozen() {
    let mut frozen = Frozen::default();
    frozen.value("read", &values::read());
    let [shown, refused] = values::read_replies();
    frozen.value("read-reply-shown", &shown);
    frozen.value("read-reply-refused", &refused);
    frozen.check();
}

/// What is exported for strangers.
#[test]
fn evidence_is_frozen() {
    let mut frozen = Frozen::default();
    frozen.value("evidence-commit", &values::evidence());
    frozen.check();
}

/// The signing digest as docs/FORMATS.md has it, written out by hand.
#[test]
fn what_signatures_cover_is_as_documented() {
    let fact = values::pre_prepare();
    let mut bytes = values::CLUSTER.as_bytes().to_vec();
    bytes.push(5);
    bytes.extend(1u16.to_le_bytes());
    for number in [301, 1024, 1, fact.view.value(), fact.seq.value()] {
        bytes.extend(u64::to_be_bytes(number));
    }
    bytes.extend(fact.digest.as_bytes());
    let by_hand = pbft_crypto::digest(Domain::new("pbft/statement/v1"), &bytes);
    let statement = values::view_change(1).vote.statement;
    assert_eq!(signing_digest(&values::CLUSTER, values::id(1), &statement), by_hand);
}

#[test]
fn digests_are_frozen() {
    let mut frozen = Frozen::default();
    frozen.bytes("digest-request", values::requests()[0].digest().as_bytes());
    frozen.bytes("digest-batch", values::batch().digest().as_bytes());
    frozen.bytes("digest-null-request", Batch::null().digest().as_bytes());
    frozen.bytes("digest-state", values::summary(None).digest().as_bytes());
    let changing = values::summary(Some(values::change()));
    frozen.bytes("digest-state-with-change", changing.digest().as_bytes());
    let change = values::change();
    let successor = values::config().succeeded_by(change.replicas, change.after).unwrap();
    frozen.bytes("digest-epoch", successor.domain().as_bytes());
    frozen.value("state-summary", &values::summary(None));
    frozen.bytes("digest-clients-chunk", client_table::chunk_digest(b"table").as_bytes());
    let snapshot = ServiceCheckpoint::from_snapshot(b"state".to_vec());
    frozen.bytes("digest-snapshot", snapshot.digest.as_bytes());
    frozen.bytes("digest-replica-set", values::config().replicas.digest().as_bytes());
    frozen.check();
}

#[test]
fn the_client_table_is_frozen() {
    let mut table = ClientTable::new(10, 10_000);
    for (request, seq) in values::requests().iter().zip(1..) {
        let outcome = Outcome::Applied(vec![0xa0; seq]);
        table.record(request.id(), request.digest(), Seq::new(seq as u64), outcome);
    }
    let bytes = table.encode().unwrap();
    let mut restored = ClientTable::new(10, 10_000);
    restored.restore(&bytes).unwrap();
    assert_eq!(restored.encode().unwrap(), bytes);
    let mut frozen = Frozen::default();
    frozen.bytes("client-table", &bytes);
    frozen.check();
}
