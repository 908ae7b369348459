//! Which nonces to use next.
//!
//! The ledger accepts the nonces of an account in any order within a window, so an account can have many transactions in
//! flight. Each thread that wants to send one takes a [`NonceLease`] first. The lowest free nonce goes out first, as only
//! the lowest ones move the window on.
//!
//! A nonce is handed out a second time only when the first transaction with it can never be recorded: because it was
//! given back unsubmitted or refused ([`NonceAllocator::release`]), or because its `valid_until` has passed and the
//! ledger does not have it. So two transactions with one nonce never compete.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ledger::{NONCE_WINDOW, NonceWindow, Refusal, UnixMillis};
use pbft_crypto::Address;

use crate::error::NonceError;

/// What the ledger says about an account's nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceView {
    /// The window; that of an account which does not exist is the default.
    pub window: NonceWindow,
    /// The time of the last block before it was looked up.
    pub as_of: UnixMillis,
}

/// A nonce for one transaction. Give it back to the allocator with what became of it. If nobody knows, drop it: the nonce
/// stays taken until the ledger shows it used or the transaction has expired.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct NonceLease {
    account: Address,
    nonce: u64,
    /// Tells this lease from a later one for the same nonce.
    ticket: u64,
}

impl NonceLease {
    /// Whose nonce it is.
    pub const fn account(&self) -> Address {
        self.account
    }

    /// The nonce.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }
}

/// Hands out nonces to any number of threads.
#[derive(Debug)]
pub struct NonceAllocator {
    max_accounts: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_ticket: u64,
    accounts: BTreeMap<Address, Account>,
}

/// An account with nonces taken; at most [`NONCE_WINDOW`] of them, as no other is handed out.
#[derive(Debug)]
struct Account {
    view: NonceView,
    taken: BTreeMap<u64, Taken>,
}

#[derive(Debug)]
enum Taken {
    InFlight {
        ticket: u64,
        valid_until: UnixMillis,
    },
    /// Recorded, but not in the latest view yet.
    Recorded,
}

impl NonceAllocator {
    /// For at most `max_accounts` accounts with transactions in flight at a time.
    pub fn new(max_accounts: usize) -> Self {
        Self { max_accounts, state: Mutex::default() }
    }

    /// The lowest nonce of the account that is neither used nor in flight, for a transaction with this `valid_until`.
    /// The view may be a little old: nothing that was confirmed since is handed out.
    ///
    /// # Errors
    /// [`NonceError`]. Try again when some transactions are through.
    pub fn hand_out(
        &self,
        account: Address,
        view: &NonceView,
        valid_until: UnixMillis,
    ) -> Result<NonceLease, NonceError> {
        self.with_state(|state| {
            state.make_room_for(&account, self.max_accounts, view.as_of)?;
            let ticket = state.next_ticket;
            let entry = state.accounts.entry(account).or_insert_with(|| Account::new(*view));
            entry.observe(view);
            let nonce =
                entry.lowest_free().ok_or(NonceError::WindowFull { base: entry.view.window.base() })?;
            entry.taken.insert(nonce, Taken::InFlight { ticket, valid_until });
            state.next_ticket += 1;
            Ok(NonceLease { account, nonce, ticket })
        })
    }

    /// The transaction is recorded: the nonce is used up, whatever an older view says.
    #[expect(clippy::needless_pass_by_value, reason = "a lease ends once")]
    pub fn confirm(&self, lease: NonceLease) {
        self.end(&lease, Some(Taken::Recorded));
    }

    /// The transaction was never submitted, or was refused before it was recorded: the nonce can be handed out again.
    /// Not for one whose fate is unknown.
    #[expect(clippy::needless_pass_by_value, reason = "a lease ends once")]
    pub fn release(&self, lease: NonceLease) {
        self.end(&lease, None);
    }

    /// Takes note of a newer view without taking a nonce: frees those of transactions that have expired.
    pub fn resync(&self, account: &Address, view: &NonceView) {
        self.with_state(|state| {
            if let Some(entry) = state.accounts.get_mut(account) {
                entry.observe(view);
            }
        });
    }

    /// How many of the account's nonces are taken, as far as is known: in flight, or recorded after the latest view.
    pub fn taken(&self, account: &Address) -> usize {
        self.with_state(|state| state.accounts.get(account).map_or(0, |entry| entry.taken.len()))
    }

    /// Changes nothing if the lease has expired meanwhile and its nonce is someone else's.
    fn end(&self, lease: &NonceLease, outcome: Option<Taken>) {
        self.with_state(|state| {
            let Some(entry) = state.accounts.get_mut(&lease.account) else { return };
            match entry.taken.get(&lease.nonce) {
                Some(Taken::InFlight { ticket, .. }) if *ticket == lease.ticket => {}
                _ => return,
            }
            entry.taken.remove(&lease.nonce);
            if let Some(taken) = outcome {
                entry.taken.insert(lease.nonce, taken);
            }
        });
    }

    /// No code that holds the lock stops half-way, so a panic elsewhere does not spoil the state.
    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Forgets accounts with nothing in flight, if there are too many: the ledger knows all about those. At worst someone
    /// comes with a view from before the last record, is given a used nonce, and the ledger refuses it.
    fn make_room_for(
        &mut self,
        account: &Address,
        max_accounts: usize,
        now: UnixMillis,
    ) -> Result<(), NonceError> {
        if self.accounts.len() < max_accounts || self.accounts.contains_key(account) {
            return Ok(());
        }
        self.accounts.retain(|_, entry| entry.taken.values().any(|taken| taken.may_be_recorded_after(now)));
        if self.accounts.len() < max_accounts { Ok(()) } else { Err(NonceError::TooManyAccounts) }
    }
}

impl Taken {
    /// Later blocks have later times.
    fn may_be_recorded_after(&self, now: UnixMillis) -> bool {
        matches!(self, Self::InFlight { valid_until, .. } if *valid_until > now)
    }
}

impl Account {
    fn new(view: NonceView) -> Self {
        Self { view, taken: BTreeMap::new() }
    }

    /// Forgets what the ledger shows used, and what it does not have and can no longer record.
    fn observe(&mut self, view: &NonceView) {
        if view.as_of < self.view.as_of {
            return;
        }
        self.view = *view;
        self.taken.retain(|nonce, taken| {
            let used = matches!(view.window.check(*nonce), Err(Refusal::NonceUsed { .. }));
            !used && (matches!(taken, Taken::Recorded) || taken.may_be_recorded_after(view.as_of))
        });
    }

    fn lowest_free(&self) -> Option<u64> {
        let window = &self.view.window;
        (0..NONCE_WINDOW)
            .filter_map(|offset| window.base().checked_add(offset))
            .find(|nonce| window.check(*nonce).is_ok() && !self.taken.contains_key(nonce))
    }
}
