//! How fast is the ledger? `cargo run --release -p ledger --example measure`
//!
//! Applies payments between accounts picked at random, in batches, to ledgers of several sizes, and takes the time of
//! `Ledger::apply` as a whole and of the state tree alone, and of a check of all invariants. On one thread. Other sizes than
//! the usual ones are named on the command line.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "only this program has a clock: what it measures has none"
)]

use std::time::{Duration, Instant};

use ledger::state_tree::StateTree;
use ledger::{
    AccountOp, Amount, AssetId, Auth, BatchInput, Body, Genesis, GenesisAccount, Ledger, Memo, Name,
    NewReplica, Operation, Params, PaymentOp, Role, StateChange, Transaction, UnixMillis,
};
use pbft_crypto::{Address, Digest, KeyPair, PublicKey, Signature, sha256};

const BATCHES: u64 = 100;

fn main() {
    let sizes: Vec<u64> =
        std::env::args().skip(1).map(|size| size.parse().expect("a number of accounts")).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 100_000, 1_000_000] } else { sizes };
    println!(
        "accounts  batch  payments/s  of that without tree  us/payment  keys/payment  tree us/key  check ms"
    );
    for accounts in sizes {
        let (mut ledger, people, mut tree) = populate(accounts);
        let mut sequence = ledger.tip().seq;
        for batch in [100, 1_000] {
            measure(&mut ledger, &people, &mut tree, batch, &mut sequence);
        }
    }
}

/// Keys that are no keys: nobody checks a signature here.
fn public_key(n: u64) -> PublicKey {
    let mut bytes = [2; 33];
    bytes[1..].copy_from_slice(sha256(&n.to_be_bytes()).as_bytes());
    postcard::from_bytes(&bytes).expect("33 bytes that begin with a 2")
}

fn transaction(ledger: &Ledger, key: PublicKey, nonce: u64, operation: Operation) -> Transaction {
    let body = Body {
        chain_id: *ledger.chain_id(),
        operation,
        sender: Address::from_public_key(&key),
        nonce,
        valid_until: UnixMillis::MAX,
        client_ref: [0; 16],
    };
    let signature = Signature::from_r_and_s(&[1; 32], &[1; 32]);
    Transaction::new(body, Auth::P256 { public_key: key, signature })
}

fn update(tree: &mut StateTree, changes: &[StateChange]) {
    tree.update(changes.iter().map(|change| (change.key.as_slice(), change.value.as_deref())));
}

fn payment(ledger: &Ledger, from: PublicKey, to: PublicKey) -> Transaction {
    let from_address = Address::from_public_key(&from);
    let operation = PaymentOp::Pay {
        to: Address::from_public_key(&to),
        asset: AssetId::Pop,
        amount: Amount::new(1),
        reference: None,
        memo: Memo::new("").expect("an empty memo"),
    };
    transaction(ledger, from, ledger.nonces(&from_address).base(), operation.into())
}

/// A ledger with so many accounts, each with some coins, and a copy of its state tree.
fn populate(accounts: u64) -> (Ledger, Vec<PublicKey>, StateTree) {
    let bank = KeyPair::from_secret_bytes(&[1; 32]).expect("a secret in range").public_key();
    let genesis = Genesis {
        chain: Name::new("measure").expect("a name"),
        time: UnixMillis::new(0),
        fee_account: Address::from_public_key(&bank),
        params: Params::STANDARD,
        accounts: vec![GenesisAccount {
            name: Name::new("bank").expect("a name"),
            public_key: bank,
            role: Role::Admin,
            coins: Amount::new(u64::MAX),
        }],
        replicas: vec![NewReplica {
            public_key: bank,
            address: "localhost:9000".parse().expect("an address"),
        }],
    };
    let (mut ledger, begun) = Ledger::begin(&genesis).expect("a genesis");
    let mut tree = StateTree::new();
    update(&mut tree, &begun.changes);
    let people: Vec<PublicKey> = (0..accounts).map(public_key).collect();
    let mut nonce = 0;
    for (n, some) in people.chunks(10_000).enumerate() {
        let mut batch = Vec::new();
        for (i, key) in some.iter().enumerate() {
            let name = Name::new(format!("member {n} {i}")).expect("a name");
            batch.push(transaction(&ledger, *key, 0, AccountOp::Register { name }.into()));
            let mut coins = payment(&ledger, bank, *key).body().clone();
            coins.nonce = nonce;
            if let Operation::Payment(PaymentOp::Pay { amount, .. }) = &mut coins.operation {
                *amount = Amount::new(1_000);
            }
            nonce += 1;
            let signature = Signature::from_r_and_s(&[1; 32], &[1; 32]);
            batch.push(Transaction::new(coins, Auth::P256 { public_key: bank, signature }));
        }
        let time = ledger.tip().time.next();
        let applied = ledger.apply(BatchInput {
            seq: n as u64 + 1,
            view: 0,
            time,
            transactions: &batch,
            replicas: Digest::ZERO,
        });
        assert_eq!(applied.block.expect("a block").transactions.len(), batch.len());
        update(&mut tree, &applied.changes);
    }
    (ledger, people, tree)
}

fn measure(
    ledger: &mut Ledger,
    people: &[PublicKey],
    tree: &mut StateTree,
    batch: usize,
    sequence: &mut u64,
) {
    let (mut whole, mut of_tree, mut payments, mut keys) = (Vec::new(), Vec::new(), 0u64, 0u64);
    let mut number = 0u64;
    let mut anyone = |n: u64| {
        number += 1;
        let digest = sha256(&[number.to_be_bytes(), n.to_be_bytes()].concat());
        let start = u64::from_be_bytes(digest.as_bytes()[..8].try_into().expect("8 bytes"));
        people[usize::try_from(start % people.len() as u64).expect("below the number of people")]
    };
    for round in 0..BATCHES {
        // Two payments of one sender in a batch would have the same nonce: the second one is refused and not counted.
        let transactions: Vec<Transaction> =
            (0..batch).map(|_| payment(ledger, anyone(round), anyone(round))).collect();
        *sequence += 1;
        let time = ledger.tip().time.next();
        let started = Instant::now();
        let applied = ledger.apply(BatchInput {
            seq: *sequence,
            view: 0,
            time,
            transactions: &transactions,
            replicas: Digest::ZERO,
        });
        whole.push(started.elapsed());
        let block = applied.block.expect("a block");
        assert!(block.receipts.iter().filter(|receipt| !receipt.outcome.is_applied()).count() < batch / 10);
        payments += block.transactions.len() as u64;
        keys += applied.changes.len() as u64;
        let started = Instant::now();
        update(tree, &applied.changes);
        of_tree.push(started.elapsed());
        assert_eq!(tree.root(), block.header.state_root);
    }
    let started = Instant::now();
    ledger.check_invariants().expect("a sound ledger");
    let check = started.elapsed().as_millis();
    let (whole, of_tree) = (median(whole), median(of_tree));
    let (payments, keys) = (payments / BATCHES, keys / BATCHES);
    // Thousandths, as there are no floats in this crate.
    let nanos = |time: Duration, by: u64| u64::try_from(time.as_nanos()).expect("less than 500 years") / by;
    let micros = |nanos: u64| format!("{}.{:02}", nanos / 1_000, nanos % 1_000 / 10);
    println!(
        "{:>8}  {batch:>5}  {:>10}  {:>20}  {:>10}  {:>12}  {:>11}  {check:>8}",
        people.len(),
        1_000_000_000 / nanos(whole, payments),
        1_000_000_000 / nanos(whole.saturating_sub(of_tree), payments),
        micros(nanos(whole, payments)),
        micros(keys * 1_000 / payments),
        micros(nanos(of_tree, keys)),
    );
}

/// Other programs on the machine disturb some batches: the one in the middle says most.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
