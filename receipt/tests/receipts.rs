//! A receipt shows what happened, and nothing that was changed shows anything.

use ledger::{
    Amount, AssetId, BatchInput, Block, Body, Genesis, GenesisAccount, Ledger, Millis, NewReplica, Operation,
    Outcome, Params, PaymentOp, Role, Transaction, UnixMillis,
};
use pbft_core::{
    Config, ReplicaId, Seq,
    certificate::Certificate,
    config::ReplicaSet,
    crypto::P256Crypto,
    message::{Attestation, Signed},
};
use pbft_crypto::{Address, Digest, KeyPair};
use receipt::{BuildError, InvalidReceipt, TransactionReceipt, Trusted, verify};

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

/// A block with these many payments, the last of which fails, on a chain of four replicas.
struct World {
    genesis: Genesis,
    block: Block,
}

impl World {
    fn new(payments: u64) -> Self {
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
            replicas: replicas().digest(),
        });
        Self { block: applied.block.unwrap(), genesis }
    }

    fn trusted(&self) -> Trusted {
        let replica_set_hash = self.genesis.replica_set_hash();
        Trusted { chain_id: self.genesis.chain_id(), replica_set_hash }
    }

    /// What these replicas sign for the block.
    fn certificate(&self, signers: &[u16]) -> Certificate<Attestation> {
        let config = Config::new(self.genesis.chain_id(), replicas()).validate().unwrap();
        let statement = Attestation { seq: Seq::new(9), digest: self.block.hash() };
        let sign = |signer: &u16| {
            let crypto = P256Crypto::new(key(u8::try_from(*signer).unwrap() + 1));
            let vote = Signed::sign(statement, ReplicaId::new(*signer), &config, &crypto);
            (vote.signer, vote.signature)
        };
        Certificate { statement, signatures: signers.iter().map(sign).collect() }
    }

    fn receipt(&self, index: usize) -> TransactionReceipt {
        let certificate = self.certificate(&[1, 3]);
        TransactionReceipt::new(self.genesis.chain_id(), &replicas(), &self.block, index, &certificate)
            .unwrap()
    }
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
    let world = World::new(5);
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
        TransactionReceipt::new(chain, &replicas(), &world.block, index, certificate).unwrap_err()
    };
    assert_eq!(make(0, &other.certificate(&[0, 1])), BuildError::OtherBlock);
    assert_eq!(make(2, &world.certificate(&[0, 1])), BuildError::NotInBlock);
}
