//! What must hold after every block, whatever came in.

use std::collections::BTreeMap;

use pbft_crypto::{Address, Digest};
use thiserror::Error;

use crate::amount::{Amount, AssetId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::{ListingId, PaymentId, PollId, TradeId};
use crate::listings::ListingStatus;
use crate::state::State;
use crate::state_tree::StateTree;
use crate::trades::{Trade, TradeState};

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvariantViolation {
    /// Money was made or lost.
    #[error("{asset}: accounts have {have}, the supply is {supply:?}")]
    Conservation {
        /// Of what.
        asset: AssetId,
        /// The sum of all balances.
        have: u128,
        /// Minted less burned; nothing if more was burned than minted.
        supply: Option<u128>,
    },
    /// What is held for an account is not what its objects hold.
    #[error("{account}: {held} {asset} held, its objects hold {owned}")]
    Holds {
        /// Whose.
        account: Address,
        /// Of what.
        asset: AssetId,
        /// What the balance says.
        held: u128,
        /// What the objects say.
        owned: u128,
    },
    /// A final trade with a deadline, a live one without, or a fee above the amount.
    #[error("trade {0} is not sound")]
    Trade(TradeId),
    /// A listing and a trade that do not agree on each other.
    #[error("listing {0} does not fit its trade")]
    Listing(ListingId),
    /// A payment of nothing or to oneself, or more paid out or given back than there was.
    #[error("payment {0} is not sound")]
    Payment(PaymentId),
    /// Tallies that are not those of the accepted votes.
    #[error("poll {0} is not sound")]
    Poll(PollId),
    /// Two accounts with one name.
    #[error("the names are not unique")]
    Names,
    /// No replicas, too many, or two with something in common.
    #[error("the replicas are not sound")]
    Replicas,
    /// The running deadlines are not those of the objects.
    #[error("the deadlines are not those of the objects")]
    Deadlines,
    /// The state tree is not that of the entries.
    #[error("the state tree has the root {tree}, the entries have {entries}")]
    StateRoot {
        /// The root that was kept up to date.
        tree: Digest,
        /// The root computed anew.
        entries: Digest,
    },
}

pub(crate) fn check(state: &State, tree: &StateTree) -> Result<(), InvariantViolation> {
    conservation(state)?;
    holds(state)?;
    trades(state)?;
    listings(state)?;
    payments(state)?;
    polls(state)?;
    deadlines(state)?;
    if !state.accounts.names_are_unique() {
        return Err(InvariantViolation::Names);
    }
    if !state.replicas.are_sound(state.params.max_replicas) {
        return Err(InvariantViolation::Replicas);
    }
    state_root(state, tree)
}

/// For each asset: available + held = minted - burned. No balance can be negative, as amounts cannot.
fn conservation(state: &State) -> Result<(), InvariantViolation> {
    let mut sums: BTreeMap<AssetId, u128> = BTreeMap::new();
    for ((_, asset), balance) in state.money.balances.iter() {
        let sum = sums.entry(*asset).or_default();
        for part in [balance.available, balance.held] {
            *sum = sum.saturating_add(u128::from(part.value()));
        }
    }
    for (asset, _) in state.money.supplies.iter() {
        sums.entry(*asset).or_default();
    }
    for (asset, have) in sums {
        let supply = state.money.supply(asset);
        let supply = supply.minted.checked_sub(supply.burned).map(|amount| u128::from(amount.value()));
        if supply != Some(have) {
            return Err(InvariantViolation::Conservation { asset, have, supply });
        }
    }
    Ok(())
}

/// Each hold belongs to one live object, and is as large as that says.
fn holds(state: &State) -> Result<(), InvariantViolation> {
    let mut owned: BTreeMap<(Address, AssetId), u128> = BTreeMap::new();
    for (owner, asset, amount) in live_holds(state) {
        let sum = owned.entry((owner, asset)).or_default();
        *sum = sum.saturating_add(u128::from(amount.value()));
    }
    for ((account, asset), balance) in state.money.balances.iter() {
        let held = u128::from(balance.held.value());
        let owned = owned.remove(&(*account, *asset)).unwrap_or_default();
        if held != owned {
            return Err(InvariantViolation::Holds { account: *account, asset: *asset, held, owned });
        }
    }
    match owned.into_iter().find(|(_, owned)| *owned > 0) {
        Some(((account, asset), owned)) => Err(InvariantViolation::Holds { account, asset, held: 0, owned }),
        None => Ok(()),
    }
}

/// Whose money is held by which objects: a line for each room that locks money.
fn live_holds(state: &State) -> impl Iterator<Item = (Address, AssetId, Amount)> {
    state.trades.holds().chain(state.payments.holds())
}

/// The index of deadlines is that of the objects: a line for each room that has some.
fn deadlines(state: &State) -> Result<(), InvariantViolation> {
    let trades = state.trades.rows.iter();
    let trades = trades.map(|(id, row)| (ObjectId::Trade(*id), row.deadline.map(|deadline| deadline.at)));
    let polls = state.polls.rows.iter().map(|(id, row)| (ObjectId::Poll(*id), row.due()));
    let payments = state.payments.rows.iter().map(|(id, row)| (ObjectId::Payment(*id), row.due()));
    let mut deadlines = Deadlines::default();
    for (object, at) in trades.chain(polls).chain(payments) {
        deadlines.replace(object, None, at);
    }
    if deadlines == state.deadlines { Ok(()) } else { Err(InvariantViolation::Deadlines) }
}

fn trades(state: &State) -> Result<(), InvariantViolation> {
    for (id, trade) in state.trades.rows.iter() {
        let is_sound = trade.state.is_final() != trade.deadline.is_some()
            && trade.fee <= trade.amount
            && trade.buyer != trade.seller;
        if !is_sound {
            return Err(InvariantViolation::Trade(*id));
        }
    }
    Ok(())
}

fn payments(state: &State) -> Result<(), InvariantViolation> {
    match state.payments.rows.iter().find(|(_, payment)| !payment.is_sound()) {
        Some((id, _)) => Err(InvariantViolation::Payment(*id)),
        None => Ok(()),
    }
}

fn polls(state: &State) -> Result<(), InvariantViolation> {
    match state.polls.rows.iter().find(|(id, poll)| !state.polls.is_sound(**id, poll)) {
        Some((id, _)) => Err(InvariantViolation::Poll(*id)),
        None => Ok(()),
    }
}

/// A live trade has its listing reserved, a released one has it sold, and the other way round.
fn listings(state: &State) -> Result<(), InvariantViolation> {
    for (id, listing) in state.listings.iter() {
        let fits = |trade: &TradeId, fits: fn(&Trade) -> bool| {
            state.trades.find(trade).is_some_and(|trade| trade.listing == *id && fits(trade))
        };
        let is_sound = match &listing.status {
            ListingStatus::Open | ListingStatus::Closed => true,
            ListingStatus::Reserved { trade } => fits(trade, |trade| !trade.state.is_final()),
            ListingStatus::Sold { trade } => fits(trade, |trade| trade.state == TradeState::Released),
        };
        if !is_sound {
            return Err(InvariantViolation::Listing(*id));
        }
    }
    let live = state.trades.rows.iter().filter(|(_, trade)| !trade.state.is_final());
    for (id, trade) in live {
        let reserved = ListingStatus::Reserved { trade: *id };
        if state.listings.find(&trade.listing).is_none_or(|listing| listing.status != reserved) {
            return Err(InvariantViolation::Listing(trade.listing));
        }
    }
    Ok(())
}

fn state_root(state: &State, tree: &StateTree) -> Result<(), InvariantViolation> {
    let entries: Vec<_> = state.entries().collect();
    let mut anew = StateTree::new();
    anew.update(entries.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
    let (tree, entries) = (tree.root(), anew.root());
    if tree == entries { Ok(()) } else { Err(InvariantViolation::StateRoot { tree, entries }) }
}

#[cfg(test)]
mod tests;
