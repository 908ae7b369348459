//! The rules once more, as naively as possible: maps, sets and sums, nothing kept that can be computed. It shares no code
//! with the ledger but the types of transactions. Whatever the two do not agree on is a bug in one of them.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountOp, ChargeOp, Genesis, ListingOp, Operation, Role, TradeId, TradeOp, Transaction};
use pbft_crypto::{Address, Digest, PublicKey};

use crate::network_model::Network;
use crate::payments_model::MPayment;
use crate::polls_model::Polls;

#[derive(Clone, Debug)]
pub(crate) struct MAccount {
    pub(crate) name: String,
    pub(crate) key: PublicKey,
    pub(crate) admin: bool,
    pub(crate) charges: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct MCharge {
    pub(crate) who: Address,
    pub(crate) amount: u64,
    pub(crate) state: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct MListing {
    pub(crate) seller: Address,
    pub(crate) closed: bool,
    /// Price and hash of each version.
    pub(crate) versions: Vec<(u64, Digest)>,
}

#[derive(Clone, Debug)]
pub(crate) struct MTrade {
    pub(crate) listing: Digest,
    pub(crate) buyer: Address,
    pub(crate) seller: Address,
    pub(crate) price: u64,
    pub(crate) state: &'static str,
    pub(crate) ship_by: u64,
    pub(crate) answer_by: Option<u64>,
    pub(crate) confirm_by: Option<u64>,
}

impl MTrade {
    pub(crate) fn live(&self) -> bool {
        !matches!(self.state, "RELEASED" | "CANCELLED")
    }

    pub(crate) fn due(&self) -> Option<u64> {
        match self.state {
            "FUNDED" => Some(self.ship_by),
            "ACCEPTED" => Some(self.answer_by.map_or(self.ship_by, |at| at.min(self.ship_by))),
            "SHIPPED" => self.confirm_by,
            _ => None,
        }
    }
}

pub(crate) struct Model {
    chain_id: Digest,
    fee_account: Address,
    fee_bps: u128,
    ship_within: u64,
    confirm_within: u64,
    answer_within: u64,
    pub(crate) accounts: BTreeMap<Address, MAccount>,
    pub(crate) nonces: BTreeMap<Address, BTreeSet<u64>>,
    pub(crate) minted: u128,
    /// All that ever came and went, signed: what is available is the sum less what is held.
    pub(crate) wealth: BTreeMap<Address, i128>,
    pub(crate) charges: BTreeMap<Digest, MCharge>,
    /// In the order in which they began.
    pub(crate) payments: Vec<(Digest, MPayment)>,
    pub(crate) longest_hold: u64,
    pub(crate) listings: BTreeMap<Digest, MListing>,
    pub(crate) trades: BTreeMap<Digest, MTrade>,
    pub(crate) network: Network,
    pub(crate) polls: Polls,
    /// Of the last block.
    height: u64,
    /// (from, to, who), for the coverage of the state table.
    pub(crate) moves: BTreeSet<(&'static str, &'static str, &'static str)>,
}

/// What a deadline is of, in the order in which they fire at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Trade,
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
            ship_within: genesis.params.ship_within.value(),
            confirm_within: genesis.params.confirm_within.value(),
            answer_within: genesis.params.cancel_answer_within.value(),
            accounts: BTreeMap::new(),
            nonces: BTreeMap::new(),
            minted: 0,
            wealth: BTreeMap::new(),
            charges: BTreeMap::new(),
            payments: Vec::new(),
            longest_hold: genesis.params.payments.longest_hold.value(),
            listings: BTreeMap::new(),
            trades: BTreeMap::new(),
            network: Network::new(genesis),
            polls: Polls::new(genesis),
            height: 0,
            moves: BTreeSet::new(),
        };
        for account in &genesis.accounts {
            let address = Address::from_public_key(&account.public_key);
            let (name, key) = (account.name.as_str().to_owned(), account.public_key);
            let admin = account.role == Role::Admin;
            model.accounts.insert(address, MAccount { name, key, admin, charges: 0 });
            *model.wealth.entry(address).or_default() += i128::from(account.coins.value());
            model.minted += u128::from(account.coins.value());
        }
        model
    }

    pub(crate) fn held(&self, who: &Address) -> i128 {
        let of_them = self.trades.values().filter(|trade| trade.live() && trade.buyer == *who);
        of_them.map(|trade| i128::from(trade.price)).sum::<i128>() + self.held_for_payees(who)
    }

    pub(crate) fn available(&self, who: &Address) -> i128 {
        self.wealth.get(who).copied().unwrap_or_default() - self.held(who)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines().into_iter().map(|(at, ..)| at).min()
    }

    /// All that run, with the rank of their kind among those of one time.
    fn deadlines(&self) -> Vec<(u64, Kind, Digest)> {
        let trades = self.trades.iter().filter_map(|(id, trade)| Some((trade.due()?, Kind::Trade, *id)));
        let polls = self.polls.all.iter().filter_map(|(id, poll)| Some((poll.due()?, Kind::Poll, *id)));
        let payments =
            self.payments.iter().filter_map(|(id, payment)| Some((payment.due()?, Kind::Payment, *id)));
        trades.chain(polls).chain(payments).collect()
    }

    pub(crate) fn listing_state(&self, id: &Digest) -> &'static str {
        let with = |state: fn(&MTrade) -> bool| {
            self.trades.values().any(|trade| trade.listing == *id && state(trade))
        };
        if with(|trade| trade.state == "RELEASED") {
            "SOLD"
        } else if with(MTrade::live) {
            "RESERVED"
        } else if self.listings[id].closed {
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
        self.polls.begin_block(self.height + 1, time, self.accounts.keys());
        let mut due = self.deadlines();
        due.retain(|(at, ..)| *at <= time);
        due.sort_unstable();
        due.truncate(256);
        for (_, kind, id) in &due {
            self.expire(*kind, *id);
        }
        let mut fired = due.len();
        let verdicts: Vec<Verdict> = batch.iter().map(|tx| self.transact(time, tx, &mut fired)).collect();
        let is_recorded = |verdict: &Verdict| !matches!(verdict, Verdict::Refused(_));
        self.height += u64::from(fired > 0 || verdicts.iter().any(is_recorded));
        (fired, verdicts)
    }

    fn expire(&mut self, kind: Kind, id: Digest) {
        match kind {
            Kind::Trade => {
                let to = if self.trades[&id].state == "SHIPPED" { "RELEASED" } else { "CANCELLED" };
                self.move_to(id, to, "TIME");
            }
            Kind::Poll => self.polls.close(id),
            Kind::Payment => self.void(id),
        }
    }

    /// The object of an operation, if its deadline has passed.
    fn late(&self, time: u64, operation: &Operation) -> Option<(Kind, Digest)> {
        let (kind, id) = match operation {
            Operation::Trade(op) => (Kind::Trade, *op.trade()?.digest()),
            Operation::Poll(op) => (Kind::Poll, *op.poll()?.digest()),
            Operation::Payment(op) => (Kind::Payment, *op.payment()?.digest()),
            _ => return None,
        };
        let runs = |deadline: &(u64, Kind, Digest)| deadline.0 <= time && deadline.2 == id;
        self.deadlines().iter().any(runs).then_some((kind, id))
    }

    fn transact(&mut self, time: u64, tx: &Transaction, fired: &mut usize) -> Verdict {
        if let Err(code) = self.admit(time, tx) {
            return Verdict::Refused(code);
        }
        if let Some((kind, id)) = self.late(time, &tx.body().operation) {
            self.expire(kind, id);
            *fired += 1;
        }
        self.nonces.entry(tx.body().sender).or_default().insert(tx.body().nonce);
        let who = tx.body().sender;
        let id = *tx.id().digest();
        let outcome = match &tx.body().operation {
            Operation::Account(op) => self.account(who, tx.public_key(), op),
            Operation::Charge(op) => self.charge(who, id, op),
            Operation::Payment(op) => self.payment(who, id, time, op),
            Operation::Listing(op) => self.listing(who, id, op),
            Operation::Trade(op) => self.trade(who, id, time, op),
            Operation::Replica(op) => {
                let admin = self.accounts.get(&who).is_some_and(|account| account.admin);
                self.network.apply(who, admin, id, op)
            }
            Operation::Poll(op) => self.polls.apply(who, id, op),
        };
        outcome.map_or_else(Verdict::Rejected, |()| Verdict::Applied)
    }

    fn admit(&self, time: u64, tx: &Transaction) -> Outcome {
        let body = tx.body();
        ensure(body.chain_id == self.chain_id, "WRONG_CHAIN")?;
        ensure(time <= body.valid_until.value(), "EXPIRED")?;
        if let Some(account) = self.accounts.get(&body.sender) {
            ensure(account.key == *tx.public_key(), "KEY_REVOKED")?;
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

    fn account(&mut self, who: Address, key: &PublicKey, op: &AccountOp) -> Outcome {
        let AccountOp::Register { name } = op;
        let name = name.as_str();
        ensure(!self.accounts.contains_key(&who), "ALREADY_REGISTERED")?;
        ensure(!self.accounts.values().any(|other| other.name.eq_ignore_ascii_case(name)), "NAME_TAKEN")?;
        let account = MAccount { name: name.to_owned(), key: *key, admin: false, charges: 0 };
        self.accounts.insert(who, account);
        self.polls.registered(who);
        Ok(())
    }

    fn charge(&mut self, who: Address, id: Digest, op: &ChargeOp) -> Outcome {
        let (charge, approve) = match op {
            ChargeOp::Request { amount, .. } => {
                ensure(amount.value() > 0, "ZERO_AMOUNT")?;
                self.charges.insert(id, MCharge { who, amount: amount.value(), state: "REQUESTED" });
                return Ok(());
            }
            ChargeOp::Approve { charge } => (charge.digest(), true),
            ChargeOp::Reject { charge, .. } => (charge.digest(), false),
        };
        let row = self.charges.get_mut(charge).ok_or("UNKNOWN_CHARGE")?;
        ensure(self.accounts[&who].admin, "NOT_ADMIN")?;
        ensure(row.who != who, "OWN_CHARGE")?;
        ensure(row.state == "REQUESTED", "CHARGE_ALREADY_DECIDED")?;
        if approve {
            let minted = self.minted + u128::from(row.amount);
            ensure(minted <= u128::from(u64::MAX), "SUPPLY_EXCEEDED")?;
            self.minted = minted;
            *self.wealth.entry(row.who).or_default() += i128::from(row.amount);
            self.accounts.get_mut(&row.who).unwrap().charges += 1;
        }
        row.state = if approve { "APPROVED" } else { "REJECTED" };
        Ok(())
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

    fn trade(&mut self, who: Address, id: Digest, time: u64, op: &TradeOp) -> Outcome {
        match op {
            TradeOp::Open { listing, version, content_hash } => {
                self.open(who, id, time, *listing.digest(), *version, content_hash)
            }
            TradeOp::Accept { trade } => self.sell(who, trade, &["FUNDED"]).map(|id| {
                self.move_to(id, "ACCEPTED", "SELLER");
            }),
            TradeOp::Ship { trade, .. } => self.sell(who, trade, &["FUNDED", "ACCEPTED"]).map(|id| {
                self.move_to(id, "SHIPPED", "SELLER");
                self.trades.get_mut(&id).unwrap().confirm_by = Some(time + self.confirm_within);
            }),
            TradeOp::Confirm { trade } => {
                let row = self.trades.get(trade.digest()).ok_or("UNKNOWN_TRADE")?;
                ensure(row.buyer == who, "NOT_BUYER")?;
                ensure(row.live(), "WRONG_STATE")?;
                self.move_to(*trade.digest(), "RELEASED", "BUYER");
                Ok(())
            }
            TradeOp::Cancel { trade } => self.cancel(who, *trade.digest(), time),
        }
    }

    fn open(
        &mut self,
        who: Address,
        id: Digest,
        time: u64,
        listing: Digest,
        version: u32,
        hash: &Digest,
    ) -> Outcome {
        let row = self.listings.get(&listing).ok_or("UNKNOWN_LISTING")?;
        ensure(self.listing_state(&listing) == "OPEN", "LISTING_NOT_OPEN")?;
        ensure(usize::try_from(version).unwrap() == row.versions.len(), "STALE_VERSION")?;
        let (price, current) = *row.versions.last().unwrap();
        ensure(current == *hash, "CONTENT_MISMATCH")?;
        ensure(row.seller != who, "OWN_LISTING")?;
        ensure(self.available(&who) >= i128::from(price), "INSUFFICIENT_FUNDS")?;
        let trade = MTrade {
            listing,
            buyer: who,
            seller: row.seller,
            price,
            state: "FUNDED",
            ship_by: time + self.ship_within,
            answer_by: None,
            confirm_by: None,
        };
        self.trades.insert(id, trade);
        Ok(())
    }

    /// The trade, if the seller may move it from one of these states.
    fn sell(&self, who: Address, trade: &TradeId, from: &[&str]) -> Result<Digest, &'static str> {
        let row = self.trades.get(trade.digest()).ok_or("UNKNOWN_TRADE")?;
        ensure(row.seller == who, "NOT_SELLER")?;
        ensure(from.contains(&row.state), "WRONG_STATE")?;
        Ok(*trade.digest())
    }

    fn cancel(&mut self, who: Address, id: Digest, time: u64) -> Outcome {
        let row = self.trades.get_mut(&id).ok_or("UNKNOWN_TRADE")?;
        ensure(row.buyer == who || row.seller == who, "NOT_A_PARTY")?;
        ensure(matches!(row.state, "FUNDED" | "ACCEPTED"), "WRONG_STATE")?;
        if row.state == "ACCEPTED" && row.buyer == who {
            ensure(row.answer_by.is_none(), "CANCEL_ALREADY_REQUESTED")?;
            row.answer_by = Some(time + self.answer_within);
            return Ok(());
        }
        let by = if row.buyer == who { "BUYER" } else { "SELLER" };
        self.move_to(id, "CANCELLED", by);
        Ok(())
    }

    fn move_to(&mut self, id: Digest, to: &'static str, by: &'static str) {
        let trade = self.trades.get_mut(&id).unwrap();
        self.moves.insert((trade.state, to, by));
        trade.state = to;
        let (buyer, seller, price) = (trade.buyer, trade.seller, trade.price);
        if to == "RELEASED" {
            let fee = self.fee(price);
            *self.wealth.entry(buyer).or_default() -= i128::from(price);
            *self.wealth.entry(seller).or_default() += i128::from(price) - fee;
            *self.wealth.entry(self.fee_account).or_default() += fee;
        }
    }
}
