//! A small market for tests: a few people, one ledger, one transaction for each block.

use std::collections::BTreeMap;

use ledger::{
    AccountOp, Amount, Applied, AssetId, BasisPoints, BatchInput, Body, Cause, ChargeId, Description, Event,
    EventKind, ExchangeParams, Genesis, GenesisAccount, Ledger, ListingContent, ListingId, ListingOp, Memo,
    Name, NewReplica, Operation, Outcome, Params, PaymentOp, Photos, Refusal, Rejection, Role, StateChange,
    Title, TokenId, TradeId, TradeOp, Transaction, TxId, TxOutcome, UnixMillis,
};
use pbft_crypto::{Address, Digest, KeyPair};

pub(crate) const START: UnixMillis = UnixMillis::new(1_700_000_000_000);
pub(crate) const DAY: u64 = 86_400_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const COINS: u64 = 1_000_000;

/// The key of a person, always the same.
pub(crate) fn key(name: &str) -> KeyPair {
    let secret = pbft_crypto::sha256(name.as_bytes());
    KeyPair::from_secret_bytes(secret.as_bytes()).unwrap()
}

pub(crate) fn address(name: &str) -> Address {
    Address::from_public_key(&key(name).public_key())
}

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units)
}

fn person(name: &str, role: Role, coins: u64) -> GenesisAccount {
    let name_and_key = (Name::new(name).unwrap(), key(name).public_key());
    GenesisAccount { name: name_and_key.0, public_key: name_and_key.1, role, coins: amount(coins) }
}

/// A replica whose key and address follow from its name.
pub(crate) fn replica(name: &str) -> NewReplica {
    let address = format!("{name}.example:9000").parse().unwrap();
    NewReplica { public_key: key(name).public_key(), address }
}

/// What the set of replicas of all blocks but the first one is called here.
pub(crate) const DECIDERS: Digest = Digest::from_bytes([7; 32]);

/// Two admins, an account for fees, three members with money, two arbiters and a courier. Fees are 2.5 %, on the exchange
/// 0.3 %. Four replicas, and seven at most.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        chain: Name::new("test chain").unwrap(),
        time: START,
        fee_account: address("fees"),
        params: Params {
            fee: BasisPoints::new(250).unwrap(),
            max_replicas: 7,
            exchange: ExchangeParams { fee: BasisPoints::new(30).unwrap() },
            ..Params::STANDARD
        },
        accounts: vec![
            person("ann", Role::Admin, 0),
            person("ben", Role::Admin, 0),
            person("fees", Role::Member, 0),
            person("bea", Role::Member, COINS),
            person("sam", Role::Member, COINS),
            person("eve", Role::Member, COINS),
            person("art", Role::Arbiter, 0),
            person("abe", Role::Arbiter, 0),
            person("kit", Role::Courier, 0),
        ],
        replicas: ["r0", "r1", "r2", "r3"].map(replica).to_vec(),
    }
}

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) now: UnixMillis,
    seq: u64,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    nonces: BTreeMap<Address, u64>,
}

/// What a recorded transaction did.
pub(crate) struct Sent {
    pub(crate) id: TxId,
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<EventKind>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(&genesis())
    }

    pub(crate) fn of(genesis: &Genesis) -> Self {
        let (ledger, begun) = Ledger::begin(genesis).unwrap();
        let mut world = Self { ledger, now: START, seq: 0, stored: BTreeMap::new(), nonces: BTreeMap::new() };
        world.store(&begun);
        world
    }

    /// A world that goes on from a ledger.
    pub(crate) fn with(ledger: Ledger) -> Self {
        let (now, stored) = (ledger.tip().time, ledger.entries().collect());
        Self { ledger, now, seq: 0, stored, nonces: BTreeMap::new() }
    }

    pub(crate) fn body(&self, who: &str, operation: impl Into<Operation>, nonce: u64) -> Body {
        Body {
            chain_id: *self.ledger.chain_id(),
            operation: operation.into(),
            sender: address(who),
            nonce,
            valid_until: UnixMillis::MAX,
            client_ref: [0; 16],
        }
    }

    /// The next transaction of a person.
    pub(crate) fn tx(&mut self, who: &str, operation: impl Into<Operation>) -> Transaction {
        let next = self.nonces.entry(address(who)).or_default();
        let nonce = *next;
        *next += 1;
        Transaction::sign(self.body(who, operation, nonce), &key(who))
    }

    /// A batch one second after the last one.
    pub(crate) fn apply(&mut self, transactions: &[Transaction]) -> Applied {
        self.apply_at(UnixMillis::new(self.now.value() + 1_000), transactions)
    }

    pub(crate) fn apply_at(&mut self, time: UnixMillis, transactions: &[Transaction]) -> Applied {
        self.now = time;
        self.seq += 1;
        let applied =
            self.ledger.apply(BatchInput { seq: self.seq, view: 3, time, transactions, replicas: DECIDERS });
        self.ledger.check_invariants().unwrap();
        self.store(&applied);
        applied
    }

    /// What a host has stored change by change is what the ledger has.
    fn store(&mut self, applied: &Applied) {
        assert!(applied.changes.is_sorted_by(|a, b| a.key < b.key));
        for StateChange { key, value } in applied.changes.clone() {
            self.stored.insert(key, value.expect("nothing is ever taken away"));
        }
        let stored = self.stored.iter().map(|(key, value)| (key.clone(), value.clone()));
        assert!(self.ledger.entries().eq(stored), "the changes do not add up to the entries");
    }

    /// An empty batch at this time.
    pub(crate) fn wait_until(&mut self, time: u64) -> Applied {
        self.apply_at(UnixMillis::new(time), &[])
    }

    /// Records one transaction.
    pub(crate) fn send(&mut self, who: &str, operation: impl Into<Operation>) -> Sent {
        let tx = self.tx(who, operation);
        tx.verify_signature().unwrap();
        let time = UnixMillis::new(self.now.value() + 1_000);
        assert_eq!(self.ledger.check(&tx, time), Ok(()));
        let applied = self.apply(std::slice::from_ref(&tx));
        let [TxOutcome::Included { index: 0, receipt }] = applied.outcomes.as_slice() else {
            panic!("not included: {:?}", applied.outcomes);
        };
        let events = events_of(&applied.events, tx.id());
        Sent { id: tx.id(), outcome: receipt.outcome.clone(), events }
    }

    /// A transaction that is carried out.
    pub(crate) fn ok(&mut self, who: &str, operation: impl Into<Operation>) -> Sent {
        let sent = self.send(who, operation);
        assert_eq!(sent.outcome, Outcome::Applied);
        assert!(!sent.events.is_empty());
        sent
    }

    /// A transaction that fails: nothing but the sender's nonce changes.
    pub(crate) fn rejected(&mut self, who: &str, operation: impl Into<Operation>) -> Rejection {
        let before: BTreeMap<_, _> = self.ledger.entries().collect();
        let sent = self.send(who, operation);
        let mut after: BTreeMap<_, _> = self.ledger.entries().collect();
        let nonces = ledger::StateKey::Nonces(address(who)).to_bytes();
        match before.get(&nonces) {
            Some(value) => after.insert(nonces, value.clone()),
            None => after.remove(&nonces),
        };
        assert!(after == before, "a rejected transaction changed the state");
        assert_eq!(sent.events, []);
        match sent.outcome {
            Outcome::Rejected(rejection) => rejection,
            Outcome::Applied => panic!("not rejected"),
        }
    }

    /// A transaction that is refused: there is not even a block.
    pub(crate) fn refused(&mut self, tx: &Transaction) -> Refusal {
        let (tip, before) = (self.ledger.tip().clone(), self.ledger.entries().collect::<Vec<_>>());
        let applied = self.apply(std::slice::from_ref(tx));
        assert_eq!((applied.block, applied.events.len(), applied.changes.len()), (None, 0, 0));
        assert_eq!(*self.ledger.tip(), tip);
        assert!(self.ledger.entries().eq(before));
        let [TxOutcome::Refused(refusal)] = applied.outcomes.as_slice() else {
            panic!("not refused: {:?}", applied.outcomes);
        };
        assert_eq!(self.ledger.check(tx, self.now), Err(*refusal));
        *refusal
    }

    pub(crate) fn register(&mut self, name: &str) -> Sent {
        self.ok(name, AccountOp::Register { name: Name::new(name).unwrap() })
    }

    /// Available and held.
    pub(crate) fn funds(&self, who: &str) -> (u64, u64) {
        let balance = self.ledger.balance(&address(who), AssetId::Pop);
        (balance.available.value(), balance.held.value())
    }

    /// Available and held of a token.
    pub(crate) fn tokens(&self, who: &str, token: TokenId) -> (u64, u64) {
        let balance = self.ledger.balance(&address(who), token.into());
        (balance.available.value(), balance.held.value())
    }

    pub(crate) fn list(&mut self, seller: &str, price: u64) -> ListingId {
        ListingId::from(self.ok(seller, ListingOp::Create { content: content(price) }).id)
    }

    pub(crate) fn buy(&mut self, buyer: &str, listing: ListingId) -> TradeId {
        let operation = self.buying(listing);
        TradeId::from(self.ok(buyer, operation).id)
    }

    /// The operation that buys a listing as it is now.
    pub(crate) fn buying(&self, listing: ListingId) -> TradeOp {
        let row = self.ledger.listing(&listing).unwrap();
        TradeOp::Open { listing, version: row.version, content_hash: row.content_hash }
    }
}

pub(crate) fn events_of(events: &[Event], tx: TxId) -> Vec<EventKind> {
    let is_its = |event: &&Event| matches!(event.cause, Cause::Transaction { id, .. } if id == tx);
    events.iter().filter(is_its).map(|event| event.kind.clone()).collect()
}

pub(crate) fn content(price: u64) -> ListingContent {
    ListingContent {
        title: Title::new("자전거").unwrap(),
        description: Description::new("A bicycle.\nTwo wheels.").unwrap(),
        price: amount(price),
        photos: Photos::try_from(vec![Digest::from_bytes([1; 32])]).unwrap(),
    }
}

/// A payment without more.
pub(crate) fn paying(to: &str, units: u64) -> PaymentOp {
    let (to, memo) = (address(to), Memo::default());
    PaymentOp::Pay { to, asset: AssetId::Pop, amount: amount(units), reference: None, memo }
}

pub(crate) fn unknown<I: From<TxId>>() -> I {
    I::from(TxId::new(Digest::from_bytes([0xee; 32])))
}

pub(crate) fn charge_id(sent: &Sent) -> ChargeId {
    ChargeId::from(sent.id)
}
