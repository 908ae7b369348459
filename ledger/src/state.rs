//! The state: a room for each kind of business. Who may do what is decided there; here it is only handed on.

use pbft_crypto::{Address, Digest, PublicKey};

use crate::AccountOp;
use crate::accounts::{self, Accounts};
use crate::charges::{self, Charges};
use crate::codec::encode;
use crate::deadlines::{Deadlines, ObjectId};
use crate::event::EventKind;
use crate::exchange::{self, Exchange};
use crate::genesis::{Genesis, Params};
use crate::ids::{Height, TxId};
use crate::listings::{self, Listing, ListingStatus};
use crate::money::Money;
use crate::nonce::NonceWindow;
use crate::payments::{self, Payments};
use crate::polls::{self, Polls};
use crate::refusal::Refusal;
use crate::rejection::Rejection;
use crate::replicas::{self, Replicas};
use crate::reviews::{self, Reviews};
use crate::state_key::StateKey;
use crate::table::{EntryError, StateChange, Table, TableId};
use crate::time::UnixMillis;
use crate::tokens::{self, Tokens};
use crate::trades::{self, Trades};
use crate::transaction::{Operation, Transaction};
use crate::withdrawals::{self, Withdrawal};

/// What an operation knows of the transaction that it is part of.
pub(crate) struct Context {
    /// The time of the block.
    pub(crate) now: UnixMillis,
    /// Its height.
    pub(crate) height: Height,
    /// The hash of the block before it.
    pub(crate) parent: Digest,
    pub(crate) chain_id: Digest,
    pub(crate) tx: TxId,
    pub(crate) sender: Address,
    pub(crate) key: PublicKey,
}

impl Context {
    pub(crate) const fn of(tx: &Transaction, now: UnixMillis, height: Height, parent: Digest) -> Self {
        let body = tx.body();
        let (chain_id, sender) = (body.chain_id, body.sender);
        Self { now, height, parent, chain_id, tx: tx.id(), sender, key: *tx.public_key() }
    }
}

pub(crate) struct State {
    pub(crate) params: Params,
    pub(crate) fee_account: Address,
    pub(crate) accounts: Accounts,
    /// Also of senders whose registration failed: a nonce that was used up stays so.
    pub(crate) nonces: Table<NonceWindow>,
    pub(crate) money: Money,
    pub(crate) charges: Charges,
    pub(crate) payments: Payments,
    pub(crate) listings: Table<Listing>,
    pub(crate) trades: Trades,
    pub(crate) replicas: Replicas,
    pub(crate) reviews: Reviews,
    pub(crate) withdrawals: Table<Withdrawal>,
    pub(crate) tokens: Tokens,
    pub(crate) exchange: Exchange,
    pub(crate) polls: Polls,
    /// Follows from the objects.
    pub(crate) deadlines: Deadlines,
}

impl State {
    /// Without entries.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            params: genesis.params.clone(),
            fee_account: genesis.fee_account,
            accounts: Accounts::default(),
            nonces: Table::default(),
            money: Money::default(),
            charges: Charges::default(),
            payments: Payments::default(),
            listings: Table::default(),
            trades: Trades::default(),
            replicas: Replicas::default(),
            reviews: Reviews::default(),
            withdrawals: Table::default(),
            tokens: Tokens::default(),
            exchange: Exchange::default(),
            polls: Polls::default(),
            deadlines: Deadlines::default(),
        }
    }

    /// Whether a transaction with a good signature may be recorded at this time.
    pub(crate) fn admit(&self, tx: &Transaction, chain_id: &Digest, now: UnixMillis) -> Result<(), Refusal> {
        tx.check_stateless(chain_id)?;
        let body = tx.body();
        if now > body.valid_until {
            return Err(Refusal::Expired { valid_until: body.valid_until });
        }
        if !self.accounts.keys.signs_for(&body.sender, tx.public_key()) {
            if self.accounts.contains(&body.sender) {
                return Err(Refusal::KeyRevoked);
            }
            if !opens_account(tx) {
                return Err(Refusal::UnknownAccount);
            }
        }
        self.nonces_of(&body.sender).check(body.nonce)
    }

    pub(crate) fn nonces_of(&self, sender: &Address) -> NonceWindow {
        self.nonces.find(sender).copied().unwrap_or_default()
    }

    pub(crate) fn use_nonce(&mut self, sender: Address, nonce: u64) {
        let mut window = self.nonces_of(&sender);
        window.use_up(nonce);
        self.nonces.put(sender, window);
    }

    /// Carries out an operation, or changes nothing and adds no event.
    pub(crate) fn execute(
        &mut self,
        context: &Context,
        operation: &Operation,
        events: &mut Vec<EventKind>,
    ) -> Result<(), Rejection> {
        match operation {
            Operation::Account(op) => accounts::apply(self, context, op, events),
            Operation::Charge(op) => charges::apply(self, context, op, events),
            Operation::Payment(op) => payments::apply(self, context, op, events),
            Operation::Listing(op) => listings::apply(self, context, op, events),
            Operation::Trade(op) => trades::apply(self, context, op, events),
            Operation::Replica(op) => replicas::apply(self, context, op, events),
            Operation::Review(op) => Ok(reviews::apply(self, context, op, events)?),
            Operation::Withdrawal(op) => withdrawals::apply(self, context, op, events),
            Operation::Token(op) => tokens::apply(self, context, op, events),
            Operation::Exchange(op) => exchange::apply(self, context, op, events),
            Operation::Poll(op) => polls::apply(self, context, op, events),
        }
    }

    /// The running deadline of the object that an operation of this sender is about, or that is in its way.
    pub(crate) fn deadline_touched_by(
        &self,
        sender: &Address,
        operation: &Operation,
    ) -> Option<(UnixMillis, ObjectId)> {
        let object = operation.object().or_else(|| self.in_the_way_of(sender, operation))?;
        Some((self.due(object)?, object))
    }

    /// The trade that a listing is reserved by; the payment that has a reference; the recovery that its guardian has asked for before.
    fn in_the_way_of(&self, sender: &Address, operation: &Operation) -> Option<ObjectId> {
        if let Operation::Payment(op) = operation {
            return self.payments.in_the_way_of(op).map(ObjectId::Payment);
        }
        if let Operation::Account(op) = operation {
            return accounts::in_the_way_of(&self.accounts, sender, op).map(ObjectId::Recovery);
        }
        match self.listings.find(&operation.listing()?)?.status {
            ListingStatus::Reserved { trade } => Some(ObjectId::Trade(trade)),
            ListingStatus::Open | ListingStatus::Sold { .. } | ListingStatus::Closed => None,
        }
    }

    /// When something happens to an object by itself.
    fn due(&self, object: ObjectId) -> Option<UnixMillis> {
        match object {
            ObjectId::Trade(trade) => self.trades.due(&trade),
            ObjectId::Recovery(recovery) => self.accounts.recoveries.due(&recovery),
            ObjectId::Order(order) => self.exchange.due(&order),
            ObjectId::Poll(poll) => self.polls.due(&poll),
            ObjectId::Payment(payment) => self.payments.due(&payment),
        }
    }

    /// What an object fires for: its deadline, or, before that, a reminder.
    pub(crate) fn fires_for(&self, now: UnixMillis, object: ObjectId) -> Option<UnixMillis> {
        match object {
            ObjectId::Trade(trade) => self.trades.fires_for(&trade, now),
            _ => self.due(object),
        }
    }

    /// Does what is due for an object.
    pub(crate) fn expire(
        &mut self,
        now: UnixMillis,
        (height, parent): (Height, &Digest),
        object: ObjectId,
        events: &mut Vec<EventKind>,
    ) -> Result<(), Rejection> {
        match object {
            ObjectId::Trade(trade) => trades::expire(self, now, parent, trade, events),
            ObjectId::Recovery(recovery) => accounts::expire(self, now, recovery, events),
            ObjectId::Order(order) => exchange::expire(self, now, order, events),
            ObjectId::Poll(poll) => polls::expire(self, now, height, poll, events),
            ObjectId::Payment(payment) => payments::expire(self, now, payment, events),
        }
    }

    /// What has changed since the last call, in the order of the keys.
    pub(crate) fn drain_changes(&mut self) -> Vec<StateChange> {
        let mut changes = Vec::new();
        self.accounts.rows.drain_changes(&mut changes);
        self.nonces.drain_changes(&mut changes);
        self.money.balances.drain_changes(&mut changes);
        self.money.supplies.drain_changes(&mut changes);
        self.charges.rows.drain_changes(&mut changes);
        self.payments.references.drain_changes(&mut changes);
        self.listings.drain_changes(&mut changes);
        self.trades.rows.drain_changes(&mut changes);
        self.replicas.rows.drain_changes(&mut changes);
        self.replicas.keys.drain_changes(&mut changes);
        self.replicas.changes.drain_changes(&mut changes);
        self.reviews.rows.drain_changes(&mut changes);
        self.reviews.records.drain_changes(&mut changes);
        self.accounts.role_changes.drain_changes(&mut changes);
        self.accounts.keys.rows.drain_changes(&mut changes);
        self.accounts.guardians.rows.drain_changes(&mut changes);
        self.accounts.recoveries.rows.drain_changes(&mut changes);
        self.charges.automatic.drain_changes(&mut changes);
        self.withdrawals.drain_changes(&mut changes);
        self.charges.rules.drain_changes(&mut changes);
        self.accounts.freezes.rows.drain_changes(&mut changes);
        self.accounts.limits.drain_changes(&mut changes);
        self.charges.alone.drain_changes(&mut changes);
        self.tokens.rows.drain_changes(&mut changes);
        self.tokens.allowances.drain_changes(&mut changes);
        self.exchange.markets.drain_changes(&mut changes);
        self.exchange.orders.drain_changes(&mut changes);
        self.polls.rows.drain_changes(&mut changes);
        self.polls.votes.drain_changes(&mut changes);
        self.polls.censuses.drain_changes(&mut changes);
        self.payments.rows.drain_changes(&mut changes);
        changes
    }

    /// All entries, in the order of the keys.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let parties = self.accounts.rows.entries().chain(self.nonces.entries());
        let money = self.money.balances.entries().chain(self.money.supplies.entries());
        let dealings = self.charges.rows.entries().chain(self.payments.references.entries());
        let goods = self.listings.entries().chain(self.trades.rows.entries());
        let members = self.replicas.rows.entries().chain(self.replicas.keys.entries());
        let network = members.chain(self.replicas.changes.entries());
        let opinions = self.reviews.rows.entries().chain(self.reviews.records.entries());
        let roles = self.accounts.role_changes.entries();
        let keys = self.accounts.keys.rows.entries().chain(self.accounts.guardians.rows.entries());
        let recovery = self.accounts.recoveries.rows.entries();
        let out = self.charges.automatic.entries().chain(self.withdrawals.entries());
        let limits = self.accounts.freezes.rows.entries().chain(self.accounts.limits.entries());
        let limits = limits.chain(self.charges.alone.entries());
        let guard = keys.chain(recovery).chain(out).chain(self.charges.rules.entries()).chain(limits);
        let tokens = self.tokens.rows.entries().chain(self.tokens.allowances.entries());
        let exchange = self.exchange.markets.entries().chain(self.exchange.orders.entries());
        let votes = self.polls.votes.entries().chain(self.polls.censuses.entries());
        let polls = self.polls.rows.entries().chain(votes).chain(self.payments.rows.entries());
        let trade = parties.chain(money).chain(dealings).chain(goods);
        let rest = opinions.chain(roles).chain(guard).chain(tokens).chain(exchange).chain(polls);
        trade.chain(network).chain(rest)
    }

    /// The encoded row of one entry.
    pub(crate) fn entry(&self, key: &StateKey) -> Option<Vec<u8>> {
        match key {
            StateKey::Account(address) => self.accounts.find(address).map(encode),
            StateKey::Nonces(address) => self.nonces.find(address).map(encode),
            StateKey::Balance(address, asset) => self.money.balances.find(&(*address, *asset)).map(encode),
            StateKey::Supply(asset) => self.money.supplies.find(asset).map(encode),
            StateKey::Charge(id) => self.charges.find(id).map(encode),
            StateKey::Reference(payee, reference) => {
                self.payments.references.find(&(*payee, reference.clone())).map(encode)
            }
            StateKey::Listing(id) => self.listings.find(id).map(encode),
            StateKey::Trade(id) => self.trades.find(id).map(encode),
            StateKey::Replica(id) => self.replicas.find(*id).map(encode),
            StateKey::ReplicaKey(key) => self.replicas.keys.find(key).map(encode),
            StateKey::ReplicaChange(id) => self.replicas.changes.find(id).map(encode),
            StateKey::Review(trade, side) => self.reviews.rows.find(&(*trade, *side)).map(encode),
            StateKey::Record(address) => self.reviews.records.find(address).map(encode),
            StateKey::RoleChange(id) => self.accounts.role_changes.find(id).map(encode),
            StateKey::AccountKey(key) => self.accounts.keys.find(key).map(encode),
            StateKey::Guardians(address) => self.accounts.guardians.find(address).map(encode),
            StateKey::Recovery(id) => self.accounts.recoveries.rows.find(id).map(encode),
            StateKey::AutoCharges(address) => self.charges.automatic.find(address).map(encode),
            StateKey::Withdrawal(id) => self.withdrawals.find(id).map(encode),
            StateKey::ChargeRules => self.charges.rules.find(&()).map(encode),
            StateKey::Freeze(address) => self.accounts.freezes.rows.find(address).map(encode),
            StateKey::SpendingLimit(address, asset) => {
                self.accounts.limits.find(&(*address, *asset)).map(encode)
            }
            StateKey::SoleApprovals(address) => self.charges.alone.find(address).map(encode),
            StateKey::Token(token) => self.tokens.find(token).map(encode),
            StateKey::Allowance(owner, spender, token) => {
                self.tokens.allowances.find(&(*owner, *spender, *token)).map(encode)
            }
            StateKey::Market(id) => self.exchange.markets.find(id).map(encode),
            StateKey::Order(id) => self.exchange.orders.find(id).map(encode),
            StateKey::Poll(id) => self.polls.find(id).map(encode),
            StateKey::Vote(poll, voter) => self.polls.votes.find(&(*poll, *voter)).map(encode),
            StateKey::Census(id) => self.polls.censuses.find(id).map(encode),
            StateKey::Payment(id) => self.payments.find(id).map(encode),
        }
    }

    /// Takes back an entry that was stored.
    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), EntryError> {
        let Some((table, key)) = key.split_first() else {
            return Err(EntryError::UnknownTable(None));
        };
        let table = TableId::from_byte(*table).ok_or(EntryError::UnknownTable(Some(*table)))?;
        match table {
            TableId::Accounts => self.accounts.load(key, value),
            TableId::Nonces => self.nonces.load(key, value).map(drop),
            TableId::Balances => self.money.balances.load(key, value).map(drop),
            TableId::Supplies => self.money.supplies.load(key, value).map(drop),
            TableId::Charges => self.charges.rows.load(key, value).map(drop),
            TableId::References => self.payments.references.load(key, value).map(drop),
            TableId::Listings => self.listings.load(key, value).map(drop),
            TableId::Trades => self.trades.load(&mut self.deadlines, key, value),
            TableId::Replicas => self.replicas.rows.load(key, value).map(drop),
            TableId::ReplicaKeys => self.replicas.keys.load(key, value).map(drop),
            TableId::ReplicaChanges => self.replicas.changes.load(key, value).map(drop),
            TableId::Reviews => self.reviews.rows.load(key, value).map(drop),
            TableId::Records => self.reviews.records.load(key, value).map(drop),
            TableId::RoleChanges => self.accounts.role_changes.load(key, value).map(drop),
            TableId::AccountKeys => self.accounts.keys.load(key, value),
            TableId::Guardians => self.accounts.guardians.load(key, value),
            TableId::Recoveries => self.accounts.recoveries.load(&mut self.deadlines, key, value),
            TableId::AutoCharges => self.charges.automatic.load(key, value).map(drop),
            TableId::Withdrawals => self.withdrawals.load(key, value).map(drop),
            TableId::ChargeRules => self.charges.rules.load(key, value).map(drop),
            TableId::Freezes => self.accounts.freezes.rows.load(key, value).map(drop),
            TableId::SpendingLimits => self.accounts.limits.load(key, value).map(drop),
            TableId::SoleApprovals => self.charges.alone.load(key, value).map(drop),
            TableId::Tokens => self.tokens.rows.load(key, value).map(drop),
            TableId::Allowances => self.tokens.allowances.load(key, value).map(drop),
            TableId::Markets => self.exchange.markets.load(key, value).map(drop),
            TableId::Orders => self.exchange.load_order(&mut self.deadlines, key, value),
            TableId::Polls => self.polls.load(&mut self.deadlines, key, value),
            TableId::Votes => self.polls.votes.load(key, value).map(drop),
            TableId::Censuses => self.polls.censuses.load(key, value).map(drop),
            TableId::Payments => self.payments.load(&mut self.deadlines, key, value),
        }
    }
}

/// Whether a sender without an account may send it: only to open one, with the key that the address comes from.
fn opens_account(tx: &Transaction) -> bool {
    matches!(tx.body().operation, Operation::Account(AccountOp::Register { .. }))
        && tx.body().sender == Address::from_public_key(tx.public_key())
}
