//! What the tests of several modules share: a small world, and people in it who do all kinds of things.

mod databases;
mod traffic;

use std::path::Path;

use ledger::{
    Amount, Body, Genesis, GenesisAccount, Name, NewReplica, Operation, Params, Role, Transaction, UnixMillis,
};
use pbft_core::Seq;
use pbft_core::View;
use pbft_core::config::ReplicaSet;
use pbft_core::message::Request;
use pbft_core::service::OrderedBatch;
use pbft_crypto::{Address, Digest, KeyPair};

pub(crate) use databases::{Databases, on_each_database};
pub(crate) use traffic::{Rng, Traffic};

use crate::service::LedgerService;
use crate::store::StoreOptions;

/// When the world begins.
pub(crate) const START: u64 = 1_700_000_000_000;

/// The same key for the same number, always.
pub(crate) fn key(number: u8) -> KeyPair {
    KeyPair::from_secret_bytes(&[number; 32]).unwrap()
}

pub(crate) fn address(key: &KeyPair) -> Address {
    Address::from_public_key(&key.public_key())
}

/// The replicas of the world: four, with the keys 101 to 104. Most tests need none of them.
pub(crate) fn replicas() -> ReplicaSet {
    ReplicaSet::new((101..=104).map(|number| key(number).public_key()).collect())
}

/// A replica whose key has a number, which is its port as well.
pub(crate) fn replica(number: u8) -> NewReplica {
    let address = format!("127.0.0.1:{number}").parse().unwrap();
    NewReplica { public_key: key(number).public_key(), address }
}

/// Two admins, the fee account and three members with money. Their keys have the numbers 1 to 6, those of two arbiters and
/// a courier 11 to 13, those of the four replicas 101 to 104.
pub(crate) fn genesis() -> Genesis {
    let account = |number: u8, name: &str, role: Role, coins: u64| GenesisAccount {
        name: Name::new(name).unwrap(),
        public_key: key(number).public_key(),
        role,
        coins: Amount::new(coins),
    };
    Genesis {
        chain: Name::new("test").unwrap(),
        time: UnixMillis::new(START),
        fee_account: address(&key(3)),
        params: Params::STANDARD,
        accounts: vec![
            account(1, "admin1", Role::Admin, 0),
            account(2, "admin2", Role::Admin, 0),
            account(3, "fees", Role::Member, 0),
            account(4, "alice", Role::Member, 1_000_000),
            account(5, "bob", Role::Member, 1_000_000),
            account(6, "carol", Role::Member, 1_000_000),
            account(11, "judge1", Role::Arbiter, 0),
            account(12, "judge2", Role::Arbiter, 0),
            account(13, "courier", Role::Courier, 0),
        ],
        replicas: (101..=104).map(replica).collect(),
    }
}

/// A transaction that stays valid for long.
pub(crate) fn sign(key: &KeyPair, nonce: u64, operation: impl Into<Operation>) -> Transaction {
    let body = Body {
        chain_id: genesis().chain_id(),
        operation: operation.into(),
        sender: address(key),
        nonce,
        valid_until: UnixMillis::MAX,
        client_ref: [0; 16],
    };
    Transaction::sign(body, key)
}

pub(crate) fn service(folder: &Path) -> LedgerService {
    LedgerService::open(folder, &genesis(), &StoreOptions::default()).unwrap()
}

pub(crate) fn batch(seq: u64, time: u64, requests: Vec<Request>) -> OrderedBatch {
    let time = pbft_core::UnixMillis::new(time);
    OrderedBatch { seq: Seq::new(seq), origin: View::ZERO, time, requests, replicas: Digest::ZERO }
}

/// Batches of people who do all kinds of things, some of them nonsense, with a service that has executed them.
pub(crate) fn busy_market(folder: &Path, seed: u64, batches: u64) -> (LedgerService, Vec<OrderedBatch>) {
    busy_market_with(&StoreOptions::default(), folder, seed, batches)
}

pub(crate) fn busy_market_with(
    options: &StoreOptions,
    folder: &Path,
    seed: u64,
    batches: u64,
) -> (LedgerService, Vec<OrderedBatch>) {
    use pbft_core::service::Service;
    let mut service = LedgerService::open(folder, &genesis(), options).unwrap();
    let mut traffic = Traffic::new(seed);
    let mut all = Vec::new();
    for seq in 1..=batches {
        let batch = service.view().read(|ledger| traffic.batch(seq, ledger));
        service.execute(&batch);
        all.push(batch);
    }
    (service, all)
}
