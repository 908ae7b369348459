//! The state: a room for each kind of business. Who may do what is decided there; here it is only handed on.

use pbft_crypto::{Address, Digest, PublicKey};

use crate::AccountOp;
use crate::accounts::{self, Accounts};
use crate::charges::{self, Charge};
use crate::codec::encode;
use crate::deadlines::{Deadlines, ObjectId};
use crate::event::EventKind;
use crate::genesis::{Genesis, Params};
use crate::ids::{Height, TxId};
use crate::listings::{self, Listing};
use crate::money::Money;
use crate::nonce::NonceWindow;
use crate::payments::{self, Payments};
use crate::polls::{self, Polls};
use crate::refusal::Refusal;
use crate::rejection::Rejection;
use crate::replicas::{self, Replicas};
use crate::state_key::StateKey;
use crate::table::{EntryError, StateChange, Table, TableId};
use crate::time::UnixMillis;
use crate::trades::{self, Trades};
use crate::transaction::{Operation, Transaction};

/// What an operation knows of the transaction that it is part of.
pub(crate) struct Context {
    /// The time of the block.
    pub(crate) now: UnixMillis,
    /// Its height.
    pub(crate) height: Height,
    pub(crate) tx: TxId,
    pub(crate) sender: Address,
    pub(crate) key: PublicKey,
}

impl Context {
    pub(crate) const fn of(tx: &Transaction, now: UnixMillis, height: Height) -> Self {
        Self { now, height, tx: tx.id(), sender: tx.body().sender, key: *tx.public_key() }
    }
}

pub(crate) struct State {
    pub(crate) params: Params,
    pub(crate) fee_account: Address,
    pub(crate) accounts: Accounts,
    /// Also of senders whose registration failed: a nonce that was used up stays so.
    pub(crate) nonces: Table<NonceWindow>,
    pub(crate) money: Money,
    pub(crate) charges: Table<Charge>,
    pub(crate) payments: Payments,
    pub(crate) listings: Table<Listing>,
    pub(crate) trades: Trades,
    pub(crate) replicas: Replicas,
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
            charges: Table::default(),
            payments: Payments::default(),
            listings: Table::default(),
            trades: Trades::default(),
            replicas: Replicas::default(),
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
        match self.accounts.find(&body.sender) {
            Some(account) if account.key != *tx.public_key() => return Err(Refusal::KeyRevoked),
            Some(_) => {}
            None if !opens_account(tx) => return Err(Refusal::UnknownAccount),
            None => {}
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
            Operation::Poll(op) => polls::apply(self, context, op, events),
        }
    }

    /// The running deadline of the object that an operation is about.
    pub(crate) fn deadline_touched_by(&self, operation: &Operation) -> Option<(UnixMillis, ObjectId)> {
        let object = operation.object()?;
        Some((self.due(&object)?, object))
    }

    fn due(&self, object: &ObjectId) -> Option<UnixMillis> {
        match object {
            ObjectId::Trade(trade) => self.trades.due(trade),
            ObjectId::Poll(poll) => self.polls.due(poll),
            ObjectId::Payment(payment) => self.payments.due(payment),
        }
    }

    /// Does what is due for an object.
    pub(crate) fn expire(
        &mut self,
        now: UnixMillis,
        height: Height,
        object: ObjectId,
        events: &mut Vec<EventKind>,
    ) -> Result<(), Rejection> {
        match object {
            ObjectId::Trade(trade) => trades::expire(self, now, trade, events),
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
        self.charges.drain_changes(&mut changes);
        self.payments.references.drain_changes(&mut changes);
        self.listings.drain_changes(&mut changes);
        self.trades.rows.drain_changes(&mut changes);
        self.replicas.rows.drain_changes(&mut changes);
        self.replicas.keys.drain_changes(&mut changes);
        self.replicas.changes.drain_changes(&mut changes);
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
        let dealings = self.charges.entries().chain(self.payments.references.entries());
        let goods = self.listings.entries().chain(self.trades.rows.entries());
        let members = self.replicas.rows.entries().chain(self.replicas.keys.entries());
        let network = members.chain(self.replicas.changes.entries());
        let votes = self.polls.votes.entries().chain(self.polls.censuses.entries());
        let polls = self.polls.rows.entries().chain(votes);
        let payments = self.payments.rows.entries();
        parties.chain(money).chain(dealings).chain(goods).chain(network).chain(polls).chain(payments)
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
            TableId::Charges => self.charges.load(key, value).map(drop),
            TableId::References => self.payments.references.load(key, value).map(drop),
            TableId::Listings => self.listings.load(key, value).map(drop),
            TableId::Trades => self.trades.load(&mut self.deadlines, key, value),
            TableId::Replicas => self.replicas.rows.load(key, value).map(drop),
            TableId::ReplicaKeys => self.replicas.keys.load(key, value).map(drop),
            TableId::ReplicaChanges => self.replicas.changes.load(key, value).map(drop),
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
