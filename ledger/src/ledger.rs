//! The ledger: the state, and the chain that leads to it.

use std::fmt;

use pbft_crypto::{Address, Digest, PublicKey};
use thiserror::Error;

use crate::accounts::check_spending;
use crate::block::{Block, BlockHeader, Cause, receipt_tree, transaction_tree};
use crate::event::Event;
use crate::exchange;
use crate::execution::{Applied, BatchInput, BlockRun};
use crate::genesis::{Genesis, GenesisError, Params};
use crate::ids::{Height, TxId};
use crate::invariants::{self, InvariantViolation};
use crate::refusal::Refusal;
use crate::state::State;
use crate::state_key::{ProvenEntry, StateKey};
use crate::state_tree::StateTree;
use crate::table::{EntryError, StateChange};
use crate::text::{Name, Reference};
use crate::time::UnixMillis;
use crate::tokens;
use crate::transaction::Transaction;
use crate::{
    Account, AccountKey, AccountRejection, Amount, AssetId, Balance, Charge, ChargeId, ChargeRules,
    ExchangeOp, Freeze, Guardians, Listing, ListingId, Market, MarketId, NonceWindow, Order, OrderId,
    OrderSide, Party, Payment, PaymentId, Poll, PollId, Record, Recovery, RecoveryId, Rejection, Replica,
    ReplicaChange, ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaRejection, Review, ReviewRejection,
    ReviewSide, Role, RoleChange, RoleChangeId, RoleRejection, SoleApprovals, SpendingLimit, Supply, Token,
    TokenId, TokenOp, TokenRejection, Trade, TradeId, Vote, Voters, Withdrawal, WithdrawalId,
};

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

    /// An account.
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.state.accounts.find(address)
    }

    /// The keys that an account has or had, in the order of their bytes.
    pub fn keys(&self, account: &Address) -> impl Iterator<Item = (PublicKey, &AccountKey)> {
        self.state.accounts.keys.of(account)
    }

    /// A key of some account, revoked or not.
    pub fn key(&self, key: &PublicKey) -> Option<&AccountKey> {
        self.state.accounts.keys.find(key)
    }

    /// Who may bring an account back.
    pub fn guardians(&self, account: &Address) -> Option<&Guardians> {
        self.state.accounts.guardians.find(account)
    }

    /// A wish of guardians that an account have another key.
    pub fn recovery(&self, id: &RecoveryId) -> Option<&Recovery> {
        self.state.accounts.recoveries.rows.find(id)
    }

    /// All recoveries that were ever asked for, by id.
    pub fn recoveries(&self) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        self.state.accounts.recoveries.rows.iter().map(|(id, row)| (*id, row))
    }

    /// What its owner lets go out of an account.
    pub fn spending_limit(&self, account: &Address, asset: AssetId) -> Option<&SpendingLimit> {
        self.state.accounts.limits.find(&(*account, asset))
    }

    /// Whether and why an account may not spend now.
    pub fn freeze(&self, account: &Address) -> Option<&Freeze> {
        self.state.accounts.freezes.of(account)
    }

    /// Whether freeze and limit of an account let so much go out at a time. Its balance is another question.
    ///
    /// # Errors
    /// [`AccountRejection`].
    pub fn check_spending(
        &self,
        account: &Address,
        asset: AssetId,
        amount: Amount,
        now: UnixMillis,
    ) -> Result<(), AccountRejection> {
        check_spending(&self.state, now, *account, asset, amount)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, &Account)> {
        self.state.accounts.rows.iter().map(|(address, account)| (*address, account))
    }

    /// Whether an account decides as an admin: it has the role, and is not frozen.
    pub fn is_admin(&self, account: &Address) -> bool {
        self.state.accounts.is_admin(account)
    }

    /// The account with a name, in whatever case its Latin letters are.
    pub fn account_by_name(&self, name: &Name) -> Option<(Address, &Account)> {
        let address = self.state.accounts.address_of(name)?;
        Some((address, self.account(&address)?))
    }

    /// What an account has of an asset.
    pub fn balance(&self, account: &Address, asset: AssetId) -> Balance {
        self.state.money.balance(*account, asset)
    }

    /// What an account has, by asset, where it ever had something.
    pub fn balances(&self, account: &Address) -> impl Iterator<Item = (AssetId, Balance)> {
        self.state.money.balances_of(*account)
    }

    /// Which nonces a sender has used.
    pub fn nonces(&self, sender: &Address) -> NonceWindow {
        self.state.nonces_of(sender)
    }

    /// How much of an asset was made and destroyed.
    pub fn supply(&self, asset: AssetId) -> Supply {
        self.state.money.supply(asset)
    }

    /// A charge.
    pub fn charge(&self, id: &ChargeId) -> Option<&Charge> {
        self.state.charges.find(id)
    }

    /// What is approved automatically, and what an admin asks for instead.
    pub fn charge_rules(&self) -> ChargeRules {
        self.state.charges.rules()
    }

    /// What an account approved, or got, by the word of one admin.
    pub fn sole_approvals(&self, account: &Address) -> SoleApprovals {
        self.state.charges.alone_of(account)
    }

    /// A withdrawal.
    pub fn withdrawal(&self, id: &WithdrawalId) -> Option<&Withdrawal> {
        self.state.withdrawals.find(id)
    }

    /// The payment that a payee got under a reference.
    pub fn payment_by_reference(&self, payee: &Address, reference: &Reference) -> Option<TxId> {
        self.state.payments.references.find(&(*payee, reference.clone())).map(|payment| payment.tx)
    }

    /// A payment.
    pub fn payment(&self, id: &PaymentId) -> Option<&Payment> {
        self.state.payments.find(id)
    }

    /// A poll.
    pub fn poll(&self, id: &PollId) -> Option<&Poll> {
        self.state.polls.find(id)
    }

    /// How an account has voted in a poll.
    pub fn vote(&self, poll: &PollId, voter: &Address) -> Option<Vote> {
        self.state.polls.vote_of(*poll, *voter)
    }

    /// Those whom a poll asks by name; none if it asks everyone.
    pub fn voters(&self, poll: &PollId) -> Option<&Voters> {
        self.state.polls.censuses.find(poll)
    }

    /// A listing in its last version.
    pub fn listing(&self, id: &ListingId) -> Option<&Listing> {
        self.state.listings.find(id)
    }

    /// A trade.
    pub fn trade(&self, id: &TradeId) -> Option<&Trade> {
        self.state.trades.find(id)
    }

    /// What someone is in a trade: see [`Trade::check`] for what that lets them do.
    pub fn party(&self, trade: &Trade, who: &Address) -> Option<Party> {
        trade.party(who, self.state.accounts.is_courier(who))
    }

    /// What one side of a trade says of the other one.
    pub fn review(&self, trade: &TradeId, side: ReviewSide) -> Option<&Review> {
        self.state.reviews.rows.find(&(*trade, side))
    }

    /// Whether someone may review a trade now, and from which side about whom.
    ///
    /// # Errors
    /// [`ReviewRejection`].
    pub fn check_review(
        &self,
        author: &Address,
        trade: &TradeId,
    ) -> Result<(ReviewSide, Address), ReviewRejection> {
        self.state.may_review(author, trade)
    }

    /// What a member has behind them.
    pub fn record(&self, who: &Address) -> Record {
        self.state.reviews.records.find(who).copied().unwrap_or_default()
    }

    /// A change of somebody's role that an admin asked for.
    pub fn role_change(&self, id: &RoleChangeId) -> Option<&RoleChange> {
        self.state.accounts.role_changes.find(id)
    }

    /// All changes of roles that admins have asked for.
    pub fn role_changes(&self) -> impl Iterator<Item = (RoleChangeId, &RoleChange)> {
        self.state.accounts.role_changes.iter().map(|(id, row)| (*id, row))
    }

    /// Whether an account's role can be changed now. Shows the present one.
    ///
    /// # Errors
    /// [`RoleRejection`].
    pub fn check_role(&self, account: &Address, role: Role) -> Result<Role, RoleRejection> {
        self.state.accounts.check_role(account, role)
    }

    /// A token.
    pub fn token(&self, token: &TokenId) -> Option<&Token> {
        self.state.tokens.find(token)
    }

    /// How much of what an owner has a spender may transfer.
    pub fn allowance(&self, owner: &Address, spender: &Address, token: TokenId) -> Amount {
        self.state.tokens.allowance(*owner, *spender, token)
    }

    /// A market.
    pub fn market(&self, id: &MarketId) -> Option<&Market> {
        self.state.exchange.markets.find(id)
    }

    /// An order.
    pub fn order(&self, id: &OrderId) -> Option<&Order> {
        self.state.exchange.orders.find(id)
    }

    /// The open orders of one side of a market, the best first.
    pub fn book(&self, market: &MarketId, side: OrderSide) -> impl Iterator<Item = (OrderId, &Order)> {
        self.state.exchange.side(market, side)
    }

    /// Whether an account could do this with a token now, if it has enough of it.
    ///
    /// # Errors
    /// [`TokenRejection`].
    pub fn check_token(&self, sender: &Address, op: &TokenOp) -> Result<(), TokenRejection> {
        tokens::check(&self.state, *sender, op)
    }

    /// Whether an account could do this on the exchange in a block of this time.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn check_exchange(
        &self,
        sender: &Address,
        op: &ExchangeOp,
        now: UnixMillis,
    ) -> Result<(), Rejection> {
        exchange::check(&self.state, *sender, op, now)
    }

    /// All replicas that there ever were, ascending by id.
    pub fn replicas(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.state.replicas.iter()
    }

    /// Those that the state asks for.
    pub fn members(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.state.replicas.members()
    }

    /// What the set of [`members`](Self::members) is called.
    pub fn replica_set_hash(&self) -> Digest {
        self.state.replicas.set_hash()
    }

    /// Whether a change of the replicas could be carried out now.
    ///
    /// # Errors
    /// [`ReplicaRejection`].
    pub fn check_replica_edit(&self, edit: &ReplicaEdit) -> Result<(), ReplicaRejection> {
        self.state.replicas.check(edit, self.state.params.max_replicas)
    }

    /// All changes of the replicas that were ever asked for, by id.
    pub fn replica_changes(&self) -> impl Iterator<Item = (ReplicaChangeId, &ReplicaChange)> {
        self.state.replicas.changes.iter().map(|(id, row)| (*id, row))
    }

    /// A change of the replicas that an admin asked for.
    pub fn replica_change(&self, id: &ReplicaChangeId) -> Option<&ReplicaChange> {
        self.state.replicas.changes.find(id)
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
