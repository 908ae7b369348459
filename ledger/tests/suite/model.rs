//! The rules once more, as naively as possible: maps, sets and sums, nothing kept that can be computed. It shares no code
//! with the ledger but the types of transactions. Whatever the two do not agree on is a bug in one of them.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccountOp, AssetId, Genesis, ListingOp, Operation, ReviewOp, Role, TradeParams, Transaction,
};
use pbft_crypto::{Address, Digest, PublicKey};

use crate::exchange_model::Exchange;
use crate::identity_model::Identity;
use crate::network_model::Network;
use crate::review_model::MReview;
use crate::role_model::MRoleChange;
use crate::trade_model::MTrade;
use crate::treasury_model::Treasury;

#[derive(Clone, Debug)]
pub(crate) struct MAccount {
    pub(crate) name: String,
    pub(crate) key: PublicKey,
    pub(crate) role: Role,
    pub(crate) charges: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct MListing {
    pub(crate) seller: Address,
    pub(crate) closed: bool,
    /// Price and hash of each version.
    pub(crate) versions: Vec<(u64, Digest)>,
}

pub(crate) struct Model {
    pub(crate) chain_id: Digest,
    pub(crate) fee_account: Address,
    fee_bps: u128,
    pub(crate) times: TradeParams,
    pub(crate) accounts: BTreeMap<Address, MAccount>,
    pub(crate) nonces: BTreeMap<Address, BTreeSet<u64>>,
    pub(crate) minted: u128,
    /// All that ever came and went, signed: what is available is the sum less what is held.
    pub(crate) wealth: BTreeMap<Address, i128>,
    pub(crate) references: BTreeMap<(Address, String), Digest>,
    pub(crate) listings: BTreeMap<Digest, MListing>,
    pub(crate) trades: BTreeMap<Digest, MTrade>,
    pub(crate) reviews: BTreeMap<(Digest, Address), MReview>,
    pub(crate) role_changes: BTreeMap<Digest, MRoleChange>,
    pub(crate) network: Network,
    pub(crate) treasury: Treasury,
    pub(crate) identity: Identity,
    pub(crate) exchange: Exchange,
    /// (from, to, who), for the coverage of the state table.
    pub(crate) moves: BTreeSet<(&'static str, &'static str, &'static str)>,
}

/// What came of a transaction: refused, rejected (both by code) or carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Refused(&'static str),
    Rejected(&'static str),
    Applied,
}

pub(crate) type Outcome = Result<(), &'static str>;

pub(crate) fn ensure(condition: bool, code: &'static str) -> Outcome {
    if condition { Ok(()) } else { Err(code) }
}

impl Model {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let mut model = Self {
            chain_id: genesis.chain_id(),
            fee_account: genesis.fee_account,
            fee_bps: u128::from(genesis.params.fee.value()),
            times: genesis.params.trade.clone(),
            accounts: BTreeMap::new(),
            nonces: BTreeMap::new(),
            minted: 0,
            wealth: BTreeMap::new(),
            references: BTreeMap::new(),
            listings: BTreeMap::new(),
            trades: BTreeMap::new(),
            reviews: BTreeMap::new(),
            role_changes: BTreeMap::new(),
            network: Network::new(genesis),
            treasury: Treasury::new(genesis),
            identity: Identity::new(genesis),
            exchange: Exchange::new(genesis),
            moves: BTreeSet::new(),
        };
        for account in &genesis.accounts {
            let address = Address::from_public_key(&account.public_key);
            let (name, key) = (account.name.as_str().to_owned(), account.public_key);
            let role = account.role;
            model.accounts.insert(address, MAccount { name, key, role, charges: 0 });
            *model.wealth.entry(address).or_default() += i128::from(account.coins.value());
            model.minted += u128::from(account.coins.value());
        }
        model
    }

    pub(crate) fn held(&self, who: &Address) -> i128 {
        let of_them = self.trades.values().filter(|trade| trade.live() && trade.buyer == *who);
        let trades: i128 = of_them.map(|trade| i128::from(trade.price)).sum();
        trades + self.treasury.held(who) + self.exchange.held(who, AssetId::Pop)
    }

    pub(crate) fn available(&self, who: &Address) -> i128 {
        self.wealth.get(who).copied().unwrap_or_default() - self.held(who)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.due().into_iter().map(|(at, _, _)| at).min()
    }

    /// When which objects move on by themselves, the kinds of objects in the order in which they fire at one time.
    fn due(&self) -> Vec<(u64, u8, Digest)> {
        let trades = self.trades.iter().filter_map(|(id, trade)| Some((trade.due(&self.times)?, 0, *id)));
        let recoveries = self.identity.due().map(|(at, id)| (at, 1, id));
        trades.chain(recoveries).chain(self.exchange.due().map(|(at, id)| (at, 2, id))).collect()
    }

    pub(crate) fn listing_state(&self, id: &Digest) -> &'static str {
        let with = |state: fn(&MTrade) -> bool| {
            self.trades.values().any(|trade| trade.listing == *id && state(trade))
        };
        if with(|trade| matches!(trade.state, "RELEASED" | "SPLIT")) {
            "SOLD"
        } else if with(MTrade::live) {
            "RESERVED"
        } else if self.listings[id].closed || with(|trade| trade.state == "REFUNDED") {
            "CLOSED"
        } else {
            "OPEN"
        }
    }

    pub(crate) fn fee(&self, price: u64) -> i128 {
        i128::try_from(u128::from(price) * self.fee_bps / 10_000).unwrap()
    }

    /// How many deadlines fired, and what came of each transaction.
    pub(crate) fn apply(&mut self, time: u64, batch: &[Transaction]) -> (usize, Vec<Verdict>) {
        let mut due = self.due();
        due.retain(|(at, _, _)| *at <= time);
        due.sort_unstable();
        due.truncate(256);
        for (_, kind, id) in &due {
            match kind {
                0 => self.expire(*id, time),
                1 => self.identity.expire(*id),
                _ => self.exchange.cancel(*id, "EXPIRED"),
            }
        }
        let mut fired = due.len();
        let verdicts = batch.iter().map(|tx| self.transact(time, tx, &mut fired)).collect();
        (fired, verdicts)
    }

    fn transact(&mut self, time: u64, tx: &Transaction, fired: &mut usize) -> Verdict {
        if let Err(code) = self.admit(time, tx) {
            return Verdict::Refused(code);
        }
        if self.identity.expire_touched(time, &tx.body().operation) {
            *fired += 1;
        }
        let touched = match &tx.body().operation {
            Operation::Trade(op) => op.trade(),
            Operation::Review(ReviewOp::Post { trade, .. }) => Some(*trade),
            _ => None,
        };
        if let Some(id) = touched.map(|trade| *trade.digest())
            && self.trades.get(&id).and_then(|trade| trade.due(&self.times)).is_some_and(|at| at <= time)
        {
            self.expire(id, time);
            *fired += 1;
        }
        if let Operation::Exchange(op) = &tx.body().operation
            && let Some(id) = op.order().map(|order| *order.digest())
            && self.exchange.due().any(|(at, other)| other == id && at <= time)
        {
            self.exchange.cancel(id, "EXPIRED");
            *fired += 1;
        }
        self.nonces.entry(tx.body().sender).or_default().insert(tx.body().nonce);
        let who = tx.body().sender;
        let id = *tx.id().digest();
        let outcome = match &tx.body().operation {
            Operation::Account(op) => self.account(who, tx.public_key(), id, time, op),
            Operation::Charge(op) => self.charge(who, id, time, op),
            Operation::Payment(op) => self.pay(who, id, time, op),
            Operation::Listing(op) => self.listing(who, id, op),
            Operation::Trade(op) => self.trade(who, id, time, op),
            Operation::Replica(op) => {
                let admin = self.is_admin(&who);
                self.network.apply(who, admin, id, op)
            }
            Operation::Review(op) => self.review(who, op),
            Operation::Withdrawal(op) => self.withdrawal(who, id, time, op),
            Operation::Token(op) => self.token(who, time, op),
            Operation::Exchange(op) => self.exchange(who, id, time, op),
        };
        outcome.map_or_else(Verdict::Rejected, |()| Verdict::Applied)
    }

    fn admit(&self, time: u64, tx: &Transaction) -> Outcome {
        let body = tx.body();
        ensure(body.chain_id == self.chain_id, "WRONG_CHAIN")?;
        ensure(time <= body.valid_until.value(), "EXPIRED")?;
        if self.accounts.contains_key(&body.sender) {
            ensure(self.identity.signs(&body.sender, tx.public_key()), "KEY_REVOKED")?;
        } else {
            let registers = matches!(body.operation, Operation::Account(AccountOp::Register { .. }));
            let owns = Address::from_public_key(tx.public_key()) == body.sender;
            ensure(registers && owns, "UNKNOWN_ACCOUNT")?;
        }
        let none = BTreeSet::new();
        let used = self.nonces.get(&body.sender).unwrap_or(&none);
        let lowest_unused = (0..).find(|nonce| !used.contains(nonce)).unwrap();
        ensure(!used.contains(&body.nonce), "NONCE_USED")?;
        ensure(body.nonce - lowest_unused < 256, "NONCE_TOO_FAR")
    }

    pub(crate) fn is_admin(&self, who: &Address) -> bool {
        self.accounts.get(who).is_some_and(|account| account.role == Role::Admin)
    }

    fn listing(&mut self, who: Address, id: Digest, op: &ListingOp) -> Outcome {
        let (listing, content) = match op {
            ListingOp::Create { content } => {
                ensure(content.price.value() > 0, "ZERO_PRICE")?;
                let versions = vec![(content.price.value(), content.hash())];
                self.listings.insert(id, MListing { seller: who, closed: false, versions });
                return Ok(());
            }
            ListingOp::Update { listing, content } => (listing.digest(), Some(content)),
            ListingOp::Close { listing } => (listing.digest(), None),
        };
        let row = self.listings.get(listing).ok_or("UNKNOWN_LISTING")?;
        ensure(row.seller == who, "NOT_LISTING_OWNER")?;
        ensure(self.listing_state(listing) == "OPEN", "LISTING_NOT_OPEN")?;
        let row = self.listings.get_mut(listing).unwrap();
        match content {
            Some(content) => {
                ensure(content.price.value() > 0, "ZERO_PRICE")?;
                ensure(row.versions.len() < 1_000, "VERSION_LIMIT")?;
                row.versions.push((content.price.value(), content.hash()));
            }
            None => row.closed = true,
        }
        Ok(())
    }
}
