//! Random operations, valid, invalid and hostile, against the naive model.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccountOp, AssetId, Auth, BatchInput, Body, ChargeId, ChargeOp, Genesis, Ledger, ListingContent,
    ListingId, ListingOp, Memo, Name, NewReplica, Operation, Outcome, PaymentOp, Reason, Reference,
    ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaOp, ReplicaStatus, Title, Tracking, TradeId, TradeOp,
    Transaction, TxOutcome, UnixMillis,
};
use pbft_crypto::{Address, Digest, PublicKey, Signature};

use crate::model::{MTrade, Model, Verdict};
use crate::world::{DECIDERS, START, address, amount, content, genesis, key, replica};

/// SplitMix64: the same numbers everywhere, from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let n = u64::try_from(items.len()).unwrap();
        if n == 0 { None } else { items.get(usize::try_from(self.below(n)).unwrap()) }
    }
}

const GENESIS_PEOPLE: [&str; 6] = ["ann", "ben", "fees", "bea", "sam", "eve"];
const NEWCOMERS: [&str; 5] = ["kim", "lee", "park", "choi", "jung"];

struct Run {
    seed: u64,
    /// Bends the choices so that one listing reaches its last version.
    many_versions: bool,
    dice: Dice,
    people: Vec<(Address, PublicKey)>,
    genesis: Genesis,
    ledger: Ledger,
    model: Model,
    now: u64,
    seq: u64,
    serial: u64,
    /// The nonces of the batch in the making.
    planned: BTreeSet<(Address, u64)>,
    verdicts: BTreeMap<Verdict, u64>,
    fired: usize,
}

impl Run {
    fn new(seed: u64, many_versions: bool) -> Self {
        let names = GENESIS_PEOPLE.iter().chain(&NEWCOMERS);
        let genesis = genesis();
        Self {
            seed,
            many_versions,
            dice: Dice(seed),
            people: names.map(|name| (address(name), key(name).public_key())).collect(),
            ledger: Ledger::from_genesis(&genesis).unwrap(),
            model: Model::new(&genesis),
            genesis,
            now: START.value(),
            seq: 0,
            serial: 0,
            planned: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            fired: 0,
        }
    }

    fn anyone(&mut self) -> Address {
        let all = if self.dice.percent(90) { self.model.accounts.len() } else { self.people.len() };
        let known: Vec<Address> = self.model.accounts.keys().copied().collect();
        let n = usize::try_from(self.dice.below(u64::try_from(all).unwrap())).unwrap();
        known.get(n).copied().unwrap_or(self.people[n].0)
    }

    fn units(&mut self) -> u64 {
        match self.dice.below(20) {
            0 => 0,
            1 => u64::MAX,
            2..=4 => self.dice.below(2_000_000),
            _ => self.dice.below(5_000),
        }
    }

    /// One that exists, or, rarely, one that does not.
    fn known<V>(&mut self, of: fn(&Model) -> &BTreeMap<Digest, V>) -> Digest {
        let ids: Vec<Digest> = of(&self.model).keys().copied().collect();
        let nothing = Digest::from_bytes([0xee; 32]);
        if self.dice.percent(3) { nothing } else { self.dice.pick(&ids).copied().unwrap_or(nothing) }
    }

    fn content(&mut self) -> ListingContent {
        let units = self.units();
        let title = Title::new(format!("number {}", self.dice.below(1_000))).unwrap();
        ListingContent { title, ..content(units) }
    }

    /// Who does what: mostly someone who may.
    fn choose(&mut self) -> (Address, Operation) {
        if self.many_versions && self.dice.percent(70) {
            return self.one_more_version();
        }
        let who = self.anyone();
        match self.dice.below(100) {
            0..=5 => (who, self.register()),
            6..=20 => self.charge(who),
            21..=40 => (who, self.pay()),
            41..=55 => self.listing(who),
            56..=72 => (who, self.open()),
            73..=80 => self.replica(who),
            _ => self.move_trade(who),
        }
    }

    fn one_more_version(&mut self) -> (Address, Operation) {
        let content = content(u64::MAX);
        let open = self.model.listings.iter().filter(|(_, row)| row.versions[0].0 == u64::MAX && !row.closed);
        match open.max_by_key(|(_, row)| row.versions.len()) {
            Some((id, row)) => {
                (row.seller, ListingOp::Update { listing: ListingId::new(*id), content }.into())
            }
            None => (address("sam"), ListingOp::Create { content }.into()),
        }
    }

    fn register(&mut self) -> Operation {
        let names = ["kim", "KIM", "lee", "park", "choi", "jung", "Ann", "someone else"];
        AccountOp::Register { name: Name::new(*self.dice.pick(&names).unwrap()).unwrap() }.into()
    }

    fn charge(&mut self, who: Address) -> (Address, Operation) {
        if self.dice.percent(40) {
            let op = ChargeOp::Request { amount: amount(self.units()), memo: Memo::new("").unwrap() };
            return (who, op.into());
        }
        let admin = if self.dice.percent(50) { address("ann") } else { address("ben") };
        let who = if self.dice.percent(15) { who } else { admin };
        let charge = ChargeId::new(self.known(|model| &model.charges));
        let reason = Reason::new("no").unwrap();
        let approve = self.dice.percent(70);
        (who, if approve { ChargeOp::Approve { charge } } else { ChargeOp::Reject { charge, reason } }.into())
    }

    fn replica(&mut self, who: Address) -> (Address, Operation) {
        let admin = if self.dice.percent(50) { address("ann") } else { address("ben") };
        let who = if self.dice.percent(5) { who } else { admin };
        if self.dice.percent(50) {
            return (who, ReplicaOp::Propose { edit: self.edit() }.into());
        }
        let changes = &self.model.network.changes;
        let open: Vec<Digest> =
            changes.iter().filter(|(_, row)| row.state == "PROPOSED").map(|(id, _)| *id).collect();
        let all: Vec<Digest> = changes.iter().map(|(id, _)| *id).collect();
        let of = if self.dice.percent(80) { open } else { all };
        let nothing = Digest::from_bytes([0xee; 32]);
        let change = ReplicaChangeId::new(self.dice.pick(&of).copied().unwrap_or(nothing));
        let reason = Reason::new("no").unwrap();
        let approve = self.dice.percent(70);
        (
            who,
            if approve { ReplicaOp::Approve { change } } else { ReplicaOp::Reject { change, reason } }.into(),
        )
    }

    fn edit(&mut self) -> ReplicaEdit {
        match self.dice.below(12) {
            0..=3 => ReplicaEdit::Add { replica: self.newcomer() },
            4..=6 => ReplicaEdit::Remove { id: self.replica_id() },
            7 => ReplicaEdit::Rotate { id: self.replica_id(), public_key: self.newcomer().public_key },
            8 => ReplicaEdit::Move { id: self.replica_id(), address: self.newcomer().address },
            _ => ReplicaEdit::Replace {
                remove: (0..self.dice.below(4)).map(|_| self.replica_id()).collect(),
                add: (0..self.dice.below(4)).map(|_| self.newcomer()).collect(),
            },
        }
    }

    /// Most are members; a few have left or never were.
    fn replica_id(&mut self) -> ReplicaId {
        let all = self.model.network.replicas.iter().zip(0..);
        let active: Vec<u16> = all.filter(|(replica, _)| replica.active).map(|(_, id)| id).collect();
        let n = u64::try_from(self.model.network.replicas.len()).unwrap();
        let anyone = u16::try_from(self.dice.below(n + 2)).unwrap();
        let member = self.dice.pick(&active).copied();
        ReplicaId::new(if self.dice.percent(10) { anyone } else { member.unwrap_or(anyone) })
    }

    /// Mostly a key that nobody has, and an address out of a few.
    fn newcomer(&mut self) -> NewReplica {
        let address = replica(&format!("r{}", self.dice.below(40))).address;
        let public_key = match self.dice.below(20) {
            0 => postcard::from_bytes(&[[2; 1].as_slice(), &[0xff; 32]].concat()).unwrap(),
            1 | 2 => replica(&format!("r{}", self.dice.below(4))).public_key,
            _ => {
                self.serial += 1;
                key(&format!("replica {} {}", self.seed, self.serial)).public_key()
            }
        };
        NewReplica { public_key, address }
    }

    fn pay(&mut self) -> Operation {
        let to = if self.dice.percent(3) { address("nobody") } else { self.anyone() };
        let reference = self.dice.percent(30).then(|| format!("R{}", self.dice.below(40)));
        PaymentOp::Pay {
            to,
            asset: AssetId::Pop,
            amount: amount(self.units()),
            reference: reference.map(|text| Reference::new(text).unwrap()),
            memo: Memo::new("").unwrap(),
        }
        .into()
    }

    fn listing(&mut self, who: Address) -> (Address, Operation) {
        let content = self.content();
        if self.dice.percent(50) {
            return (who, ListingOp::Create { content }.into());
        }
        let listing = self.known(|model| &model.listings);
        let owner = self.model.listings.get(&listing).map(|row| row.seller);
        let who = if self.dice.percent(15) { who } else { owner.unwrap_or(who) };
        let listing = ListingId::new(listing);
        let close = self.dice.percent(20);
        (
            who,
            if close { ListingOp::Close { listing } } else { ListingOp::Update { listing, content } }.into(),
        )
    }

    fn open(&mut self) -> Operation {
        let listing = self.known(|model| &model.listings);
        let versions = self.model.listings.get(&listing).map(|row| row.versions.clone()).unwrap_or_default();
        let current = u32::try_from(versions.len()).unwrap();
        let hash = versions.last().map_or(Digest::ZERO, |version| version.1);
        let version = if self.dice.percent(10) { current.wrapping_sub(1) } else { current };
        let content_hash = if self.dice.percent(5) { Digest::ZERO } else { hash };
        TradeOp::Open { listing: ListingId::new(listing), version, content_hash }.into()
    }

    fn move_trade(&mut self, who: Address) -> (Address, Operation) {
        let live: Vec<Digest> = {
            let rows = self.model.trades.iter().filter(|(_, trade)| trade.live());
            rows.map(|(id, _)| *id).collect()
        };
        let any = self.known(|model| &model.trades);
        let id = if self.dice.percent(80) { self.dice.pick(&live).copied().unwrap_or(any) } else { any };
        let parties = self.model.trades.get(&id).map(|trade: &MTrade| [trade.buyer, trade.seller]);
        let party = parties.and_then(|parties| self.dice.pick(&parties).copied());
        let who = if self.dice.percent(10) { who } else { party.unwrap_or(who) };
        let trade = TradeId::new(id);
        let op = match self.dice.below(8) {
            0 | 1 => TradeOp::Accept { trade },
            2 | 3 => TradeOp::Ship { trade, tracking: Tracking::new("CJ").unwrap() },
            4 => TradeOp::Confirm { trade },
            _ => TradeOp::Cancel { trade },
        };
        (who, op.into())
    }

    /// The transaction, with something wrong with it now and then. The signature is nobody's: the ledger leaves that to
    /// whoever admits transactions.
    fn transaction(&mut self) -> Transaction {
        let (sender, operation) = self.choose();
        let mut key = self.people.iter().find(|person| person.0 == sender).unwrap().1;
        let used = self.model.nonces.get(&sender).cloned().unwrap_or_default();
        let is_free = |nonce: &u64| !used.contains(nonce) && !self.planned.contains(&(sender, *nonce));
        let base = (0..).find(is_free).unwrap();
        let nonce = match self.dice.below(100) {
            0..=2 => self.dice.below(base + 1),
            3 => base + 256 + self.dice.below(3),
            4 => u64::MAX,
            5..=14 => base + self.dice.below(256),
            _ => base,
        };
        self.planned.insert((sender, nonce));
        let mut chain_id = *self.ledger.chain_id();
        let mut valid_until = u64::MAX;
        match self.dice.below(200) {
            0 => chain_id = Digest::ZERO,
            1 | 2 => valid_until = self.now - self.dice.below(10),
            3 | 4 => key = self.dice.pick(&self.people).unwrap().1,
            _ => {}
        }
        self.serial += 1;
        let body = Body {
            chain_id,
            operation,
            sender,
            nonce,
            valid_until: UnixMillis::new(valid_until),
            client_ref: u128::from(self.serial).to_be_bytes(),
        };
        let signature = Signature::from_r_and_s(&[1; 32], &[1; 32]);
        Transaction::new(body, Auth::P256 { public_key: key, signature })
    }

    fn pass_time(&mut self) {
        self.now += match self.dice.below(100) {
            0 => 4 * 86_400_000,
            1..=5 => self.dice.below(86_400_000),
            6..=8 => self.model.next_deadline().map_or(1, |at| at.saturating_sub(self.now).max(1)),
            _ => 1 + self.dice.below(600_000),
        };
    }

    /// One batch, compared in full. Returns how many transactions it had.
    fn step(&mut self) -> usize {
        self.pass_time();
        self.planned.clear();
        let n = self.dice.below(20);
        let mut batch = Vec::new();
        for _ in 0..n {
            let tx = self.transaction();
            if self.dice.percent(3) {
                batch.push(tx.clone());
            }
            batch.push(tx);
        }
        self.seq += 1;
        let time = UnixMillis::new(self.now);
        let applied = self.ledger.apply(BatchInput {
            seq: self.seq,
            view: 0,
            time,
            transactions: &batch,
            replicas: DECIDERS,
        });
        let (fired, expected) = self.model.apply(self.now, &batch);
        self.fired += fired;
        let got: Vec<Verdict> = applied.outcomes.iter().map(verdict).collect();
        for (i, tx) in batch.iter().enumerate() {
            assert_eq!(got[i], expected[i], "seed {}, batch {}, {:?}", self.seed, self.seq, tx.body());
        }
        let recorded = expected.iter().filter(|verdict| !matches!(verdict, Verdict::Refused(_))).count();
        let receipts = applied.block.map_or(0, |block| block.receipts.len());
        assert_eq!(receipts, recorded + fired, "seed {}, batch {}", self.seed, self.seq);
        for verdict in expected {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
        self.ledger.check_invariants().unwrap_or_else(|violation| {
            panic!("seed {}, batch {}: {violation}", self.seed, self.seq);
        });
        self.compare();
        batch.len()
    }

    fn compare(&self) {
        let (ledger, model, at) = (&self.ledger, &self.model, (self.seed, self.seq));
        for (who, _) in &self.people {
            let balance = ledger.balance(who, AssetId::Pop);
            let funds = [balance.available, balance.held].map(|part| i128::from(part.value()));
            assert_eq!(funds, [model.available(who), model.held(who)], "{at:?}");
            assert!(funds[0] >= 0);
            let account = ledger.account(who).map(|a| (a.name.as_str(), a.key, a.charge_count));
            let expected = model.accounts.get(who).map(|a| (a.name.as_str(), a.key, a.charges));
            assert_eq!(account, expected, "{at:?}");
            let used = model.nonces.get(who).cloned().unwrap_or_default();
            let base = (0..).find(|nonce| !used.contains(nonce)).unwrap();
            assert_eq!(ledger.nonces(who).base(), base, "{at:?}");
        }
        assert_eq!(u128::from(ledger.supply(AssetId::Pop).minted.value()), model.minted, "{at:?}");
        assert_eq!(ledger.next_deadline().map(UnixMillis::value), model.next_deadline(), "{at:?}");
        for (id, charge) in &model.charges {
            let row = ledger.charge(&ChargeId::new(*id)).unwrap();
            let got = (row.requester, row.amount.value(), row.status.code());
            assert_eq!(got, (charge.who, charge.amount, charge.state), "{at:?}");
        }
        for ((payee, reference), tx) in &model.references {
            let found = ledger.payment_by_reference(payee, &Reference::new(reference.as_str()).unwrap());
            assert_eq!(found.map(|id| *id.digest()), Some(*tx), "{at:?}");
        }
        self.compare_network();
        for (id, listing) in &model.listings {
            let row = ledger.listing(&ListingId::new(*id)).unwrap();
            let (price, hash) = *listing.versions.last().unwrap();
            let got = (row.seller, row.status.code(), row.price.value(), row.content_hash);
            assert_eq!(got, (listing.seller, model.listing_state(id), price, hash), "{at:?}");
            assert_eq!(usize::try_from(row.version).unwrap(), listing.versions.len(), "{at:?}");
        }
        for (id, trade) in &model.trades {
            let row = ledger.trade(&TradeId::new(*id)).unwrap();
            let got = (row.buyer, row.seller, row.amount.value(), row.state.code());
            assert_eq!(got, (trade.buyer, trade.seller, trade.price, trade.state), "{at:?}");
            assert_eq!(row.deadline.map(|deadline| deadline.at.value()), trade.due(), "{at:?}");
            assert_eq!(i128::from(row.fee.value()), model.fee(trade.price), "{at:?}");
        }
    }

    fn compare_network(&self) {
        let (network, at) = (&self.model.network, (self.seed, self.seq));
        let got = self.ledger.replicas().map(|(id, row)| {
            (id.value(), row.public_key, row.address.as_str(), row.status == ReplicaStatus::Active)
        });
        let expected = network.replicas.iter().zip(0..).map(|(replica, id)| {
            (id, *replica.keys.last().unwrap(), replica.address.as_str(), replica.active)
        });
        assert!(got.eq(expected), "{at:?}: {:?}", network.replicas);
        for (id, change) in &network.changes {
            let row = self.ledger.replica_change(&ReplicaChangeId::new(*id)).unwrap();
            let got = (row.proposer, &row.edit, row.status.code());
            assert_eq!(got, (change.who, &change.edit, change.state), "{at:?}");
        }
    }

    /// A ledger from the entries goes on exactly like the live one.
    fn compare_restored(&mut self) {
        let tip = self.ledger.tip().clone();
        let mut restored = Ledger::restore(&self.genesis, tip, self.ledger.entries()).unwrap();
        let transactions: Vec<_> = (0..20).map(|_| self.transaction()).collect();
        let time = UnixMillis::new(self.now + 3 * 86_400_000);
        let batch =
            BatchInput { seq: self.seq + 1, view: 1, time, transactions: &transactions, replicas: DECIDERS };
        assert_eq!(restored.apply(batch), self.ledger.apply(batch), "seed {}", self.seed);
    }
}

fn verdict(outcome: &TxOutcome) -> Verdict {
    match outcome {
        TxOutcome::Refused(refusal) => Verdict::Refused(refusal.code()),
        TxOutcome::Included { receipt, .. } => match &receipt.outcome {
            Outcome::Applied => Verdict::Applied,
            Outcome::Rejected(rejection) => Verdict::Rejected(rejection.code()),
        },
    }
}

const REFUSALS: [&str; 6] =
    ["WRONG_CHAIN", "EXPIRED", "UNKNOWN_ACCOUNT", "KEY_REVOKED", "NONCE_USED", "NONCE_TOO_FAR"];

const REJECTIONS: [&str; 36] = [
    "INSUFFICIENT_FUNDS",
    "SUPPLY_EXCEEDED",
    "ALREADY_REGISTERED",
    "NAME_TAKEN",
    "ZERO_AMOUNT",
    "UNKNOWN_CHARGE",
    "NOT_ADMIN",
    "OWN_CHARGE",
    "CHARGE_ALREADY_DECIDED",
    "SELF_PAYMENT",
    "UNKNOWN_PAYEE",
    "REFERENCE_USED",
    "ZERO_PRICE",
    "UNKNOWN_LISTING",
    "NOT_LISTING_OWNER",
    "LISTING_NOT_OPEN",
    "STALE_VERSION",
    "CONTENT_MISMATCH",
    "VERSION_LIMIT",
    "UNKNOWN_TRADE",
    "OWN_LISTING",
    "NOT_BUYER",
    "NOT_SELLER",
    "NOT_A_PARTY",
    "WRONG_STATE",
    "CANCEL_ALREADY_REQUESTED",
    "UNKNOWN_REPLICA_CHANGE",
    "OWN_REPLICA_CHANGE",
    "REPLICA_CHANGE_ALREADY_DECIDED",
    "NOTHING_TO_CHANGE",
    "UNKNOWN_REPLICA",
    "BAD_REPLICA_KEY",
    "REPLICA_KEY_USED",
    "REPLICA_ADDRESS_IN_USE",
    "TOO_FEW_REPLICAS",
    "TOO_MANY_REPLICAS",
];

/// Every line of the state table that leads out of a state.
const MOVES: [(&str, &str, &str); 12] = [
    ("ACCEPTED", "CANCELLED", "SELLER"),
    ("ACCEPTED", "CANCELLED", "TIME"),
    ("ACCEPTED", "RELEASED", "BUYER"),
    ("ACCEPTED", "SHIPPED", "SELLER"),
    ("FUNDED", "ACCEPTED", "SELLER"),
    ("FUNDED", "CANCELLED", "BUYER"),
    ("FUNDED", "CANCELLED", "SELLER"),
    ("FUNDED", "CANCELLED", "TIME"),
    ("FUNDED", "RELEASED", "BUYER"),
    ("FUNDED", "SHIPPED", "SELLER"),
    ("SHIPPED", "RELEASED", "BUYER"),
    ("SHIPPED", "RELEASED", "TIME"),
];

/// Runs seeds until so many operations were compared, and checks that all kinds of outcome were among them.
fn compare_with_the_model(operations: usize, for_each_seed: usize) {
    let (mut done, mut fired, mut seed) = (0, 0, 1);
    let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
    let mut moves = BTreeSet::new();
    while done < operations {
        let many_versions = seed == 1;
        let mut run = Run::new(seed, many_versions);
        let enough = if many_versions { 3_000 } else { for_each_seed };
        let mut here = 0;
        while here < enough {
            here += run.step();
        }
        run.compare_restored();
        done += here;
        fired += run.fired;
        for (verdict, n) in run.verdicts {
            *verdicts.entry(verdict).or_default() += n;
        }
        moves.extend(run.model.moves);
        seed += 1;
    }
    println!("{done} operations, {fired} deadlines, {verdicts:#?}");
    let expected: BTreeSet<Verdict> = REFUSALS
        .into_iter()
        .map(Verdict::Refused)
        .chain(REJECTIONS.into_iter().map(Verdict::Rejected))
        .chain([Verdict::Applied])
        .collect();
    assert_eq!(verdicts.keys().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(moves, BTreeSet::from(MOVES));
    assert!(verdicts[&Verdict::Applied] > done as u64 / 3, "too few succeed to mean anything");
}

#[test]
fn a_hundred_thousand_operations_agree_with_the_model() {
    compare_with_the_model(100_000, 1_000);
}

#[test]
#[ignore = "a long run: over a million operations"]
fn a_million_operations_agree_with_the_model() {
    compare_with_the_model(1_050_000, 1_500);
}
