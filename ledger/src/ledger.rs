//! The ledger: the state, and the chain that leads to it.

mod queries;

use std::fmt;

use pbft_crypto::{Address, Digest};
use thiserror::Error;

use crate::block::{Block, BlockHeader, Cause, receipt_tree, transaction_tree};
use crate::event::Event;
use crate::execution::{Applied, BatchInput, BlockRun};
use crate::genesis::{Genesis, GenesisError, Params};
use crate::ids::Height;
use crate::invariants::{self, InvariantViolation};
use crate::refusal::Refusal;
use crate::state::State;
use crate::state_key::{ProvenEntry, StateKey};
use crate::state_tree::StateTree;
use crate::table::{EntryError, StateChange};
use crate::time::UnixMillis;
use crate::transaction::Transaction;

/// How many stored entries are read at once.
const RESTORE_STEP: usize = 4096;

/// A deterministic state machine: the same genesis and the same batches lead to the same blocks, anywhere.
pub struct Ledger {
    chain_id: Digest,
    state: State,
    tree: StateTree,
    tip: BlockHeader,
    tip_hash: Digest,
}

/// Why a ledger cannot be rebuilt from what was stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// The genesis is not one.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// An entry is not one.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The entries are not those of the block.
    #[error("the entries have the root {actual}, the block has {expected}")]
    StateRoot {
        /// The root in the block's header.
        expected: Digest,
        /// The root of the entries.
        actual: Digest,
    },
}

impl Ledger {
    /// The ledger at the start of its chain.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        Ok(Self::begin(genesis)?.0)
    }

    /// The ledger at the start of its chain with the first block, which has the height 0 and no transactions, and the
    /// events and entries that it begins with.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn begin(genesis: &Genesis) -> Result<(Self, Applied), GenesisError> {
        let (mut state, events) = genesis.state()?;
        let changes = state.drain_changes();
        let mut tree = StateTree::new();
        update(&mut tree, &changes);
        let chain_id = genesis.chain_id();
        let tip = BlockHeader {
            height: Height::GENESIS,
            parent: chain_id,
            time: genesis.time,
            view: 0,
            seq: 0,
            tx_root: transaction_tree(&[]).root(),
            receipts_root: receipt_tree(&[]).root(),
            state_root: tree.root(),
            replica_set_hash: genesis.replica_set_hash(),
        };
        let block = Block { header: tip.clone(), transactions: Vec::new(), receipts: Vec::new() };
        let events = events.into_iter().map(|kind| Event { cause: Cause::Genesis, kind }).collect();
        let applied = Applied { block: Some(block), outcomes: Vec::new(), events, changes };
        Ok((Self { chain_id, state, tree, tip_hash: tip.hash(), tip }, applied))
    }

    /// The ledger as it was after the block `tip`, from all entries of its state in any order.
    ///
    /// # Errors
    /// [`RestoreError`], also if a single byte of the state differs.
    pub fn restore(
        genesis: &Genesis,
        tip: BlockHeader,
        entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Self, RestoreError> {
        genesis.check()?;
        let mut state = State::new(genesis);
        let mut tree = StateTree::new();
        let mut entries = entries.into_iter();
        loop {
            let some: Vec<_> = entries.by_ref().take(RESTORE_STEP).collect();
            if some.is_empty() {
                break;
            }
            for (key, value) in &some {
                state.load(key, value)?;
            }
            tree.update(some.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
        }
        let (expected, actual) = (tip.state_root, tree.root());
        if expected != actual {
            return Err(RestoreError::StateRoot { expected, actual });
        }
        Ok(Self { chain_id: genesis.chain_id(), state, tree, tip_hash: tip.hash(), tip })
    }

    /// Whether a transaction could be recorded now. Advice for whoever takes transactions in: until its turn comes this
    /// may change. Does not check the signature: see [`Transaction::verify_signature`].
    ///
    /// # Errors
    /// [`Refusal`]: the first that applies of wrong chain, expired, unknown account, key, nonce.
    pub fn check(&self, transaction: &Transaction, now: UnixMillis) -> Result<(), Refusal> {
        self.state.admit(transaction, &self.chain_id, now)
    }

    /// Carries out a batch: first the deadlines that are due, then the transactions, in order. **The signatures were
    /// checked** by whoever admitted the transactions; everything else is checked again, so that a batch can hold anything.
    /// If nothing is recorded there is no block, and nothing has changed.
    ///
    /// The block's time is the batch's, or, should that not be later than the time of the last block, the next
    /// millisecond after it: ledger time never stands still or goes back.
    pub fn apply(&mut self, batch: BatchInput<'_>) -> Applied {
        let time = batch.time.max(self.tip.time.next());
        let height = self.tip.height.next();
        let mut run = BlockRun::new(&mut self.state, (&self.chain_id, &self.tip_hash), time, height);
        run.run(batch.transactions);
        let BlockRun { transactions, receipts, outcomes, events, .. } = run;
        let changes = self.state.drain_changes();
        if receipts.is_empty() {
            return Applied { block: None, outcomes, events, changes };
        }
        update(&mut self.tree, &changes);
        let header = BlockHeader {
            height,
            parent: self.tip_hash,
            time,
            view: batch.view,
            seq: batch.seq,
            tx_root: transaction_tree(&transactions).root(),
            receipts_root: receipt_tree(&receipts).root(),
            state_root: self.tree.root(),
            replica_set_hash: batch.replicas,
        };
        self.tip_hash = header.hash();
        self.tip = header.clone();
        let block = Some(Block { header, transactions, receipts });
        Applied { block, outcomes, events, changes }
    }

    /// When the next deadline is due. A batch with this time or a later one, even an empty one, lets it fire.
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        self.state.deadlines.next()
    }

    /// Checks all that must always hold. Reads the whole state.
    ///
    /// # Errors
    /// [`InvariantViolation`]: there is a bug in this crate.
    pub fn check_invariants(&self) -> Result<(), InvariantViolation> {
        invariants::check(&self.state, &self.tree)
    }

    /// All entries of the state, in the order of their keys: what [`restore`](Self::restore) takes.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.state.entries()
    }

    /// An entry of the state, with the proof that it is below the tip's state root.
    pub fn prove(&self, key: &StateKey) -> Option<ProvenEntry> {
        let value = self.state.entry(key)?;
        let key = key.to_bytes();
        let proof = self.tree.prove(&key)?;
        Some(ProvenEntry { key, value, proof })
    }

    /// What names the chain in every transaction.
    pub const fn chain_id(&self) -> &Digest {
        &self.chain_id
    }

    /// The header of the last block.
    pub const fn tip(&self) -> &BlockHeader {
        &self.tip
    }

    /// The hash of the last block.
    pub const fn tip_hash(&self) -> &Digest {
        &self.tip_hash
    }

    /// The height of the last block.
    pub const fn height(&self) -> Height {
        self.tip.height
    }

    /// The rules that the operator chose.
    pub const fn params(&self) -> &Params {
        &self.state.params
    }

    /// The account that fees go to.
    pub const fn fee_account(&self) -> &Address {
        &self.state.fee_account
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("chain_id", &self.chain_id)
            .field("tip", &self.tip)
            .finish_non_exhaustive()
    }
}

fn update(tree: &mut StateTree, changes: &[StateChange]) {
    tree.update(changes.iter().map(|change| (change.key.as_slice(), change.value.as_deref())));
}
