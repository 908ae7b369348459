//! A receipt shows what happened, and nothing that was changed shows anything.

use std::sync::Arc;

use ledger::{
    Amount, AssetId, BatchInput, Block, Body, Genesis, GenesisAccount, Ledger, Millis, NewReplica, Operation,
    Outcome, Params, PaymentOp, Role, Transaction, UnixMillis,
};
use pbft_core::{
    Config, ReplicaId, Seq, ValidConfig,
    certificate::Certificate,
    config::ReplicaSet,
    crypto::P256Crypto,
    message::{Attestation, Change, Checkpoint, Handover, Membership, Signed, StateSummary, Statement},
};
use pbft_crypto::{Address, Digest, KeyPair, Signature};
use receipt::{BuildError, InvalidReceipt, Lineage, ReplicaSignature, TransactionReceipt, Trusted, verify};

fn key(number: u8) -> KeyPair {
    KeyPair::from_secret_bytes(&[number; 32]).unwrap()
}

fn replica(number: u8) -> NewReplica {
    let address = format!("localhost:{number}").parse().unwrap();
    NewReplica { public_key: key(number).public_key(), address }
}

fn replicas() -> ReplicaSet {
    ReplicaSet::new((1..=4).map(|number| key(number).public_key()).collect())
}

/// The sets that decide after each handover: one replica leaves and one joins, each time.
fn set(epoch: u16) -> ReplicaSet {
    let key = |id: u16| key(u8::try_from(id).unwrap() + 1).public_key();
    ReplicaSet::of((epoch..epoch + 4).map(|id| (ReplicaId::new(id), key(id))))
}

/// A block with these many payments, the last of which fails, on a chain of four replicas.
struct World {
    genesis: Genesis,
    first: ReplicaSet,
    handovers: Vec<Handover>,
    config: ValidConfig,
    block: Block,
}

impl World {
    fn new(payments: u64) -> Self {
        Self::of_epoch(payments, 0)
    }

    /// The replicas have changed so often before block 1, at numbers 2, 4 and so on; all know of one change more, after it.
    fn of_epoch(payments: u64, epoch: u16) -> Self {
        let account = |name: &str, number: u8, role, coins| GenesisAccount {
            name: name.parse().unwrap(),
            public_key: key(number).public_key(),
            role,
            coins: Amount::new(coins),
        };
        let genesis = Genesis {
            chain: "receipts".parse().unwrap(),
            time: UnixMillis::new(1_700_000_000_000),
            fee_account: Address::from_public_key(&key(11).public_key()),
            params: Params::STANDARD,
            accounts: vec![account("admin", 11, Role::Admin, 0), account("payer", 12, Role::Member, 100)],
            replicas: (1..=4).map(replica).collect(),
        };
        let mut ledger = Ledger::from_genesis(&genesis).unwrap();
        let pay = |nonce: u64| {
            let amount = Amount::new(if nonce + 1 == payments { 1_000 } else { 1 });
            let (to, asset) = (genesis.fee_account, AssetId::Pop);
            let operation = PaymentOp::Pay { to, asset, amount, reference: None, memo: "".parse().unwrap() };
            let body = Body {
                chain_id: genesis.chain_id(),
                operation: Operation::Payment(operation),
                sender: Address::from_public_key(&key(12).public_key()),
                nonce,
                valid_until: UnixMillis::MAX,
                client_ref: [7; 16],
            };
            Transaction::sign(body, &key(12))
        };
        let transactions: Vec<_> = (0..payments).map(pay).collect();
        let time = genesis.time.plus(Millis::new(60_000));
        let applied = ledger.apply(BatchInput {
            seq: 9,
            view: 0,
            time,
            transactions: &transactions,
            replicas: set(epoch).digest(),
        });
        let mut config = Config::new(genesis.chain_id(), replicas()).validate().unwrap();
        let (mut handovers, mut deciding) = (Vec::new(), config.clone());
        for number in 1..=epoch + 1 {
            let after = if number > epoch { 9 } else { u64::from(number) * 2 };
            handovers.push(handover(&config, set(number), after));
            config = config.succeeded_by(set(number), Seq::new(after)).unwrap();
            if number == epoch {
                deciding = config.clone();
            }
        }
        let block = applied.block.unwrap();
        Self { block, genesis, first: replicas(), handovers, config: deciding }
    }

    fn lineage(&self) -> Lineage<'_> {
        Lineage { first: &self.first, handovers: &self.handovers }
    }

    fn trusted(&self) -> Trusted {
        let replica_set_hash = self.genesis.replica_set_hash();
        Trusted { chain_id: self.genesis.chain_id(), replica_set_hash }
    }

    /// What these replicas sign for the block.
    fn certificate(&self, signers: &[u16]) -> Certificate<Attestation> {
        let statement = Attestation { seq: Seq::new(9), digest: self.block.hash() };
        let signers = signers.iter().map(|signer| ReplicaId::new(*signer));
        let signatures = signers.map(|signer| sign(statement, signer, &self.config)).collect();
        Certificate { statement, signatures }
    }

    fn receipt(&self, index: usize) -> TransactionReceipt {
        let epoch = u16::try_from(self.config.epoch().value()).unwrap();
        let certificate = self.certificate(&[epoch + 1, epoch + 3]);
        TransactionReceipt::new(self.genesis.chain_id(), self.lineage(), &self.block, index, &certificate)
            .unwrap()
    }
}

fn sign<T: Statement + Copy>(
    statement: T,
    signer: ReplicaId,
    config: &ValidConfig,
) -> (ReplicaId, Signature) {
    let crypto = P256Crypto::new(key(u8::try_from(signer.value()).unwrap() + 1));
    let vote = Signed::sign(statement, signer, config, &crypto);
    (vote.signer, vote.signature)
}

/// All replicas certify that others take over.
fn handover(config: &ValidConfig, next: ReplicaSet, after: u64) -> Handover {
    let (seq, wanted) = (Seq::new(after), Some(Arc::new(next.clone())));
    let next = Some(Change { replicas: next, after: seq });
    let replicas = config.replicas.digest();
    let summary = StateSummary {
        seq,
        time: pbft_core::UnixMillis::new(1_700_000_000_000 + after),
        wake_at: None,
        service: Digest::from_bytes([3; 32]),
        snapshot: false,
        clients: vec![Digest::from_bytes([4; 32])],
        membership: Membership { epoch: config.epoch(), replicas, next, wanted },
    };
    let statement = Checkpoint { seq, digest: summary.digest() };
    let signatures = config.replicas.ids().map(|signer| sign(statement, signer, config)).collect();
    Handover { certificate: Certificate { statement, signatures }, summary }
}

#[test]
fn each_transaction_of_each_block_is_proven_with_what_came_of_it() {
    for payments in 1..=9 {
        let world = World::new(payments);
        for (index, transaction) in world.block.transactions.iter().enumerate() {
            let proven = verify(&world.receipt(index).encode(), &world.trusted()).unwrap();
            assert_eq!(proven.transaction, *transaction);
            assert_eq!(proven.header, world.block.header);
            assert_eq!(proven.signers, [ReplicaId::new(1), ReplicaId::new(3)]);
            let failed = index as u64 + 1 == payments;
            assert_eq!(matches!(proven.outcome, Outcome::Rejected(_)), failed);
        }
    }
}

/// Each bit of each byte, and each byte left out or there twice.
#[test]
fn no_byte_may_be_changed() {
    for epoch in [0, 1] {
        no_byte_of(&World::of_epoch(5, epoch));
    }
}

fn no_byte_of(world: &World) {
    let (bytes, trusted) = (world.receipt(2).encode(), world.trusted());
    verify(&bytes, &trusted).unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let verdict = verify(&changed, &trusted);
            assert!(verdict.is_err(), "bit {bit} of byte {place}: {}", String::from_utf8_lossy(&changed));
        }
        let shorter = [&bytes[..place], &bytes[place + 1..]].concat();
        let longer = [&bytes[..=place], &bytes[place..]].concat();
        assert!(verify(&shorter, &trusted).is_err(), "without byte {place}");
        assert!(verify(&longer, &trusted).is_err(), "byte {place} twice");
    }
}

/// What says the same in other words is not a receipt.
#[test]
fn there_is_one_form() {
    let world = World::new(3);
    let (bytes, trusted) = (world.receipt(0).encode(), world.trusted());
    let text = String::from_utf8(bytes).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let others = [
        format!("{text}\n"),
        format!(" {text}"),
        serde_json::to_string_pretty(&value).unwrap(),
        text.replace("\"header\"", "\"\\u0068eader\""),
        text.replace(
            &value["chain_id"].as_str().unwrap()[..8],
            &value["chain_id"].as_str().unwrap()[..8].to_uppercase(),
        ),
        text.replacen('{', "{\"more\":1,", 1),
        text.replace("\"height\":1", "\"height\":1.0"),
    ];
    for other in others {
        assert!(verify(other.as_bytes(), &trusted).is_err() && other != text, "{other}");
    }
}

#[test]
fn each_check_of_a_receipt() {
    use InvalidReceipt as Invalid;
    let world = World::new(4);
    let trusted = world.trusted();
    let with = |change: &dyn Fn(&mut TransactionReceipt)| {
        let mut receipt = world.receipt(1);
        change(&mut receipt);
        verify(&receipt.encode(), &trusted).unwrap_err()
    };
    let other = world.receipt(2);
    assert_eq!(with(&|r| r.format = "later".into()), Invalid::UnknownFormat("later".into()));
    assert_eq!(with(&|r| r.chain_id = Digest::ZERO), Invalid::OtherChain);
    assert_eq!(with(&|r| r.replicas.swap(0, 1)), Invalid::OtherReplicas);
    assert_eq!(with(&|r| r.header.replica_set_hash = Digest::ZERO), Invalid::OtherReplicas);
    assert_eq!(with(&|r| r.tx_id = other.tx_id), Invalid::WrongTransaction);
    assert_eq!(
        with(&|r| r.transaction_path.clone_from(&other.transaction_path)),
        Invalid::NotInBlock("transaction")
    );
    assert_eq!(with(&|r| r.outcome.clone_from(&other.outcome)), Invalid::OtherOutcome);
    assert_eq!(with(&|r| r.outcome_path.clear()), Invalid::NotInBlock("outcome"));
    assert_eq!(with(&|r| r.header.height = ledger::Height::new(7)), Invalid::BadSignature(ReplicaId::new(1)));
    let few = Invalid::TooFewSigners { needed: 2 };
    assert_eq!(with(&|r| drop(r.signatures.pop())), few);
    assert_eq!(with(&|r| r.signatures[1] = r.signatures[0].clone()), few);
    assert_eq!(with(&|r| r.signatures.swap(0, 1)), few);
    assert_eq!(with(&|r| r.signatures[1].replica = 4), few);
    assert_eq!(with(&|r| r.signatures[1].replica = 2), Invalid::BadSignature(ReplicaId::new(2)));
    assert!(matches!(with(&|r| r.signatures[0].signature.truncate(127)), Invalid::Unreadable { .. }));
    assert_eq!(with(&|r| r.signatures[0].signature.make_ascii_uppercase()), Invalid::NotCanonical);
    let huge = vec![b' '; receipt::MAX_RECEIPT_BYTES + 1];
    assert_eq!(verify(&huge, &trusted), Err(Invalid::TooLarge(huge.len())));
}

/// RE-4: from the first replicas, which are known, to those that have signed.
#[test]
fn a_chain_of_handovers_leads_to_later_replicas() {
    for epoch in 0..4 {
        let world = World::of_epoch(3, epoch);
        let receipt = world.receipt(1);
        assert_eq!(receipt.handovers.len(), usize::from(epoch), "and none that came later");
        let proven = verify(&receipt.encode(), &world.trusted()).unwrap();
        assert_eq!(proven.epoch, u64::from(epoch));
        assert_eq!(proven.signers, [epoch + 1, epoch + 3].map(ReplicaId::new));
    }
}

#[test]
fn each_check_of_a_handover() {
    use InvalidReceipt as Invalid;
    let world = World::of_epoch(3, 2);
    let with = |change: &dyn Fn(&mut TransactionReceipt)| {
        let mut receipt = world.receipt(1);
        change(&mut receipt);
        verify(&receipt.encode(), &world.trusted()).unwrap_err()
    };
    assert_eq!(with(&|r| r.handovers.clear()), Invalid::OtherReplicas);
    assert_eq!(with(&|r| drop(r.handovers.pop())), Invalid::OtherReplicas);
    assert_eq!(with(&|r| drop(r.handovers.remove(0))), Invalid::WrongHandover(1));
    assert_eq!(with(&|r| r.handovers.swap(0, 1)), Invalid::WrongHandover(1));
    assert_eq!(with(&|r| drop(r.handovers[1].signatures.pop())), Invalid::TooFewSigners { needed: 3 });
    let more = |r: &mut TransactionReceipt| {
        let last = world.handovers[0].certificate.signatures[3];
        let signature = hex::encode(last.1.r_and_s());
        r.handovers[0].signatures.push(ReplicaSignature { replica: last.0.value(), signature });
    };
    assert_eq!(with(&more), Invalid::TooFewSigners { needed: 3 });
    assert_eq!(with(&|r| r.handovers[0].signatures.swap(0, 1)), Invalid::WrongHandover(1));
    let forged = |r: &mut TransactionReceipt| {
        r.handovers[0].signatures[0].signature = r.handovers[0].signatures[1].signature.clone();
    };
    assert_eq!(with(&forged), Invalid::BadSignature(ReplicaId::new(0)));
    // A number of one byte, written in two.
    let longer = |r: &mut TransactionReceipt| r.handovers[0].summary.replace_range(2..4, "8200");
    assert_eq!(with(&longer), Invalid::NotCanonical);
    // The next set takes over past the block only.
    assert_eq!(with(&|r| r.header.seq = 4), Invalid::WrongHandover(2));
}

/// Whoever makes up a chain of his own has other replicas than the one that is known.
#[test]
fn only_the_known_chain_counts() {
    let world = World::new(1);
    let bytes = world.receipt(0).encode();
    let other = Trusted { chain_id: Digest::ZERO, ..world.trusted() };
    assert_eq!(verify(&bytes, &other), Err(InvalidReceipt::OtherChain));
    let other = Trusted { replica_set_hash: Digest::ZERO, ..world.trusted() };
    assert_eq!(verify(&bytes, &other), Err(InvalidReceipt::OtherReplicas));
}

#[test]
fn a_receipt_needs_the_certificate_of_its_block() {
    let (world, other) = (World::new(2), World::new(3));
    let chain = world.genesis.chain_id();
    let make = |index, certificate: &Certificate<Attestation>| {
        TransactionReceipt::new(chain, world.lineage(), &world.block, index, certificate).unwrap_err()
    };
    assert_eq!(make(0, &other.certificate(&[0, 1])), BuildError::OtherBlock);
    assert_eq!(make(2, &world.certificate(&[0, 1])), BuildError::NotInBlock);
}
