//! The rules once more, as naively as possible: maps, sets and sums, nothing kept that can be computed. It shares no code
//! with the ledger but the types of transactions. Whatever the two do not agree on is a bug in one of them.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    AccountOp, AssetId, Genesis, ListingOp, Operation, PaymentOp, ReviewOp, Role, TradeOp, TradeParams,
    Transaction,
};
use pbft_crypto::{Address, Digest, PublicKey};

use crate::exchange_model::Exchange;
use crate::identity_model::Identity;
use crate::network_model::Network;
use crate::payments_model::MPayment;
use crate::polls_model::Polls;
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
    /// In the order in which they began.
    pub(crate) payments: Vec<(Digest, MPayment)>,
    pub(crate) longest_hold: u64,
    pub(crate) listings: BTreeMap<Digest, MListing>,
    pub(crate) trades: BTreeMap<Digest, MTrade>,
    pub(crate) reviews: BTreeMap<(Digest, Address), MReview>,
    pub(crate) role_changes: BTreeMap<Digest, MRoleChange>,
    pub(crate) network: Network,
    pub(crate) treasury: Treasury,
    pub(crate) identity: Identity,
    pub(crate) exchange: Exchange,
    pub(crate) polls: Polls,
    /// Of the last block.
    height: u64,
    /// The hash of the last block, as the ledger says.
    pub(crate) parent: Digest,
    /// (from, to, who), for the coverage of the state table.
    pub(crate) moves: BTreeSet<(&'static str, &'static str, &'static str)>,
}

/// What a deadline is of, in the order in which they fire at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Trade,
    Recovery,
    Order,
    Poll,
    Payment,
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
            payments: Vec::new(),
            longest_hold: genesis.params.payments.longest_hold.value(),
            listings: BTreeMap::new(),
            trades: BTreeMap::new(),
            reviews: BTreeMap::new(),
            role_changes: BTreeMap::new(),
            network: Network::new(genesis),
            treasury: Treasury::new(genesis),
            identity: Identity::new(genesis),
            exchange: Exchange::new(genesis),
            polls: Polls::new(genesis),
            height: 0,
            parent: genesis.chain_id(),
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
        let for_payees = self.held_for_payees(who, AssetId::Pop);
        trades + for_payees + self.treasury.held(who) + self.exchange.held(who, AssetId::Pop)
    }

    pub(crate) fn available(&self, who: &Address) -> i128 {
        self.wealth.get(who).copied().unwrap_or_default() - self.held(who)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines().into_iter().map(|(at, ..)| at).min()
    }

    /// All that run, with the rank of their kind among those of one time.
    fn deadlines(&self) -> Vec<(u64, Kind, Digest)> {
        let trades = self.trades.iter();
        let trades = trades.filter_map(|(id, trade)| Some((trade.due(&self.times)?, Kind::Trade, *id)));
        let recoveries = self.identity.due().map(|(at, id)| (at, Kind::Recovery, id));
        let orders = self.exchange.due().map(|(at, id)| (at, Kind::Order, id));
        let polls = self.polls.all.iter().filter_map(|(id, poll)| Some((poll.due()?, Kind::Poll, *id)));
        let payments =
            self.payments.iter().filter_map(|(id, payment)| Some((payment.due()?, Kind::Payment, *id)));
        trades.chain(recoveries).chain(orders).chain(polls).chain(payments).collect()
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

    /// How many deadlines fired, and what came of each transaction. `parent` is the hash of the last block.
    pub(crate) fn apply(
        &mut self,
        parent: Digest,
        time: u64,
        batch: &[Transaction],
    ) -> (usize, Vec<Verdict>) {
        self.parent = parent;
        self.polls.begin_block(self.height + 1, time, self.accounts.keys());
        let mut due = self.deadlines();
        due.retain(|(at, ..)| *at <= time);
        due.sort_unstable();
        due.truncate(256);
        for (_, kind, id) in &due {
            self.expire(*kind, *id, time);
        }
        let mut fired = due.len();
        let verdicts: Vec<Verdict> = batch.iter().map(|tx| self.transact(time, tx, &mut fired)).collect();
        let is_recorded = |verdict: &Verdict| !matches!(verdict, Verdict::Refused(_));
        self.height += u64::from(fired > 0 || verdicts.iter().any(is_recorded));
        (fired, verdicts)
    }

    fn expire(&mut self, kind: Kind, id: Digest, time: u64) {
        match kind {
            Kind::Trade => self.expire_trade(id, time),
            Kind::Recovery => self.identity.expire(id),
            Kind::Order => self.exchange.cancel(id, "EXPIRED"),
            Kind::Poll => self.polls.close(id),
            Kind::Payment => self.void(id),
        }
    }

    /// The object of an operation, or what is in its way, if its deadline has passed.
    fn late(&self, time: u64, who: &Address, operation: &Operation) -> Option<(Kind, Digest)> {
        let (kind, id) = match operation {
            Operation::Trade(TradeOp::Open { listing, .. })
            | Operation::Listing(ListingOp::Update { listing, .. } | ListingOp::Close { listing }) => {
                let reserves = |trade: &MTrade| trade.live() && trade.listing == *listing.digest();
                (Kind::Trade, *self.trades.iter().find(|(_, trade)| reserves(trade))?.0)
            }
            Operation::Payment(
                PaymentOp::Pay { to, reference: Some(text), .. }
                | PaymentOp::Authorize { to, reference: Some(text), .. },
            ) => {
                let has =
                    |row: &MPayment| row.payee == *to && row.reference.as_deref() == Some(text.as_str());
                (Kind::Payment, self.payments.iter().rfind(|(_, row)| has(row))?.0)
            }
            Operation::Trade(op) => (Kind::Trade, *op.trade()?.digest()),
            Operation::Review(ReviewOp::Post { trade, .. }) => (Kind::Trade, *trade.digest()),
            Operation::Account(
                AccountOp::AgreeToRecovery { recovery } | AccountOp::CancelRecovery { recovery },
            ) => (Kind::Recovery, *recovery.digest()),
            Operation::Account(AccountOp::ProposeRecovery { account, .. }) => {
                (Kind::Recovery, self.identity.asked_for(who, account, "READY").pop()?)
            }
            Operation::Exchange(op) => (Kind::Order, *op.order()?.digest()),
            Operation::Poll(op) => (Kind::Poll, *op.poll()?.digest()),
            Operation::Payment(op) => (Kind::Payment, *op.payment()?.digest()),
            _ => return None,
        };
        let runs = |(at, of, other): (u64, Kind, Digest)| at <= time && (of, other) == (kind, id);
        self.deadlines().into_iter().any(runs).then_some((kind, id))
    }

    fn transact(&mut self, time: u64, tx: &Transaction, fired: &mut usize) -> Verdict {
        if let Err(code) = self.admit(time, tx) {
            return Verdict::Refused(code);
        }
        if let Some((kind, id)) = self.late(time, &tx.body().sender, &tx.body().operation) {
            self.expire(kind, id, time);
            *fired += 1;
        }
        self.nonces.entry(tx.body().sender).or_default().insert(tx.body().nonce);
        let who = tx.body().sender;
        let id = *tx.id().digest();
        let outcome = match &tx.body().operation {
            Operation::Account(op) => self.account(who, tx.public_key(), id, time, op),
            Operation::Charge(op) => self.charge(who, id, time, op),
            Operation::Payment(op) => self.payment(who, id, time, op),
            Operation::Listing(op) => self.listing(who, id, op),
            Operation::Trade(op) => self.trade(who, id, time, op),
            Operation::Replica(op) => {
                let all = self.accounts.keys().copied();
                let admins = all.filter(|who| self.is_admin(who)).collect();
                self.network.apply(who, &admins, id, op)
            }
            Operation::Review(op) => self.review(who, op),
            Operation::Withdrawal(op) => self.withdrawal(who, id, time, op),
            Operation::Token(op) => self.token(who, time, op),
            Operation::Exchange(op) => self.exchange(who, id, time, op),
            Operation::Poll(op) => self.polls.apply(who, id, op),
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
        let has_role = self.accounts.get(who).is_some_and(|account| account.role == Role::Admin);
        has_role && self.is_not_frozen(who).is_ok()
    }

    fn listing(&mut self, who: Address, id: Digest, op: &ListingOp) -> Outcome {
        let (listing, content) = match op {
            ListingOp::Create { content } => {
                ensure(content.price.value() > 0, "ZERO_PRICE")?;
                let versions = vec![(content.price.value(), content.hash())];
                self.listings.insert(id, MListing { seller: who, closed: false, versions });
                return Ok(());
            }
            ListingOp::Update { listing, from_version, content } => {
                (listing.digest(), Some((*from_version, content)))
            }
            ListingOp::Close { listing } => (listing.digest(), None),
        };
        let row = self.listings.get(listing).ok_or("UNKNOWN_LISTING")?;
        ensure(row.seller == who, "NOT_LISTING_OWNER")?;
        ensure(self.listing_state(listing) == "OPEN", "LISTING_NOT_OPEN")?;
        let row = self.listings.get_mut(listing).unwrap();
        match content {
            Some((from, content)) => {
                ensure(usize::try_from(from).unwrap() == row.versions.len(), "STALE_VERSION")?;
                ensure(content.price.value() > 0, "ZERO_PRICE")?;
                ensure(row.versions.len() < 1_000, "VERSION_LIMIT")?;
                row.versions.push((content.price.value(), content.hash()));
            }
            None => row.closed = true,
        }
        Ok(())
    }
}
