//! One batch becomes one block.

use serde::{Deserialize, Serialize};

use crate::block::{Block, Cause, Outcome, Receipt};
use crate::deadlines::{MAX_DEADLINES_PER_BLOCK, ObjectId};
use crate::event::{Event, EventKind};
use crate::ids::Height;
use crate::refusal::Refusal;
use crate::state::{Context, State};
use crate::table::StateChange;
use crate::time::UnixMillis;
use crate::transaction::Transaction;
use pbft_crypto::Digest;

/// A batch of transactions in its place in the one order.
#[derive(Clone, Copy, Debug)]
pub struct BatchInput<'a> {
    /// Its sequence number.
    pub seq: u64,
    /// The view in which it was ordered.
    pub view: u64,
    /// Its time, later than that of the batch before it.
    pub time: UnixMillis,
    /// The transactions. **Their signatures were checked** when they were admitted; all else is checked again here.
    pub transactions: &'a [Transaction],
    /// What the set of replicas that decided on it is called. The set that the state asks for comes later.
    pub replicas: Digest,
}

impl<'a> BatchInput<'a> {
    /// The batch that leads to this block again, on a ledger that has the block's parent as its tip.
    pub fn of_block(block: &'a Block) -> Self {
        let header = &block.header;
        Self {
            seq: header.seq,
            view: header.view,
            time: header.time,
            transactions: &block.transactions,
            replicas: header.replica_set_hash,
        }
    }
}

/// What a batch did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The new block, if anything was recorded.
    pub block: Option<Block>,
    /// What came of each transaction, in order.
    pub outcomes: Vec<TxOutcome>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What changed in the state, by key and in the order of the keys.
    pub changes: Vec<StateChange>,
}

/// What came of a transaction of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxOutcome {
    /// It left no trace.
    Refused(Refusal),
    /// It is in the block.
    Included {
        /// Its place among the block's transactions.
        index: u32,
        /// What came of it.
        receipt: Receipt,
    },
}

/// A block in the making.
pub(crate) struct BlockRun<'a> {
    state: &'a mut State,
    chain_id: &'a Digest,
    /// The hash of the block before it.
    parent: &'a Digest,
    time: UnixMillis,
    height: Height,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) outcomes: Vec<TxOutcome>,
    pub(crate) events: Vec<Event>,
    scratch: Vec<EventKind>,
}

impl<'a> BlockRun<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        (chain_id, parent): (&'a Digest, &'a Digest),
        time: UnixMillis,
        height: Height,
    ) -> Self {
        Self {
            state,
            chain_id,
            parent,
            time,
            height,
            transactions: Vec::new(),
            receipts: Vec::new(),
            outcomes: Vec::new(),
            events: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, transactions: &[Transaction]) {
        for _ in 0..MAX_DEADLINES_PER_BLOCK {
            match self.state.deadlines.pop_due(self.time) {
                Some((due, object)) => self.expire(due, object),
                None => break,
            }
        }
        for transaction in transactions {
            let outcome = self.execute(transaction);
            self.outcomes.push(outcome);
        }
    }

    fn execute(&mut self, tx: &Transaction) -> TxOutcome {
        if let Err(refusal) = self.state.admit(tx, self.chain_id, self.time) {
            return TxOutcome::Refused(refusal);
        }
        let operation = &tx.body().operation;
        if let Some((due, object)) = self.state.deadline_touched_by(&tx.body().sender, operation)
            && due <= self.time
            && self.state.deadlines.take(due, object)
        {
            self.expire(due, object);
        }
        self.state.use_nonce(tx.body().sender, tx.body().nonce);
        let context = Context::of(tx, self.time, self.height, *self.parent);
        let result = self.state.execute(&context, operation, &mut self.scratch);
        // A batch is bounded in bytes, so it never comes near 2^32 transactions.
        let index = u32::try_from(self.transactions.len()).unwrap_or(u32::MAX);
        let receipt = self.record(Cause::Transaction { index, id: tx.id() }, result);
        self.transactions.push(tx.clone());
        TxOutcome::Included { index, receipt }
    }

    fn expire(&mut self, due: UnixMillis, object: ObjectId) {
        // The index has the time of a reminder, which is passed over if the deadline itself has passed by now.
        let due = self.state.fires_for(self.time, object).unwrap_or(due);
        let place = (self.height, self.parent);
        let result = self.state.expire(self.time, place, object, &mut self.scratch);
        self.record(Cause::Deadline { object, due }, result);
    }

    fn record(&mut self, cause: Cause, result: Result<(), crate::Rejection>) -> Receipt {
        let outcome = match result {
            Ok(()) => Outcome::Applied,
            Err(rejection) => {
                self.scratch.clear();
                Outcome::Rejected(rejection)
            }
        };
        self.events.extend(self.scratch.drain(..).map(|kind| Event { cause, kind }));
        let receipt = Receipt { cause, outcome };
        self.receipts.push(receipt.clone());
        receipt
    }
}
