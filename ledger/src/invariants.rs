//! What must hold after every block, whatever came in.

mod charges;
mod exchange;
mod payments;

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::{Address, Digest};
use thiserror::Error;

use crate::accounts::{MAX_GUARDIANS, RecoveryStatus};
use crate::amount::{Amount, AssetId, TokenId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::exchange::MarketId;
use crate::ids::{ChargeId, ListingId, OrderId, PaymentId, PollId, TradeId};
use crate::listings::ListingStatus;
use crate::reviews::{ReviewSide, expected};
use crate::state::State;
use crate::state_tree::StateTree;
use crate::trades::{Trade, TradeState};
use crate::withdrawals;

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
    /// The money of a final trade is not where its state says.
    #[error("the payout of trade {0} does not fit")]
    Payout(TradeId),
    /// A review without a trade, or one that it does not fit.
    #[error("a review of trade {0} does not fit")]
    Review(TradeId),
    /// What a member has behind them is not what trades and reviews say.
    #[error("the record of {0} is not that of their trades")]
    Record(Address),
    /// The arbiters or the admins are not those with the role.
    #[error("the arbiters or the admins are not those with the role")]
    Roles,
    /// A listing and a trade that do not agree on each other.
    #[error("listing {0} does not fit its trade")]
    Listing(ListingId),
    /// A payment of nothing or to oneself, or more paid out or given back than there was.
    #[error("payment {0} is not sound")]
    Payment(PaymentId),
    /// A reference that leads to no payment of its payee, or to one that another reference leads to.
    #[error("a reference of {payee} leads to payment {payment}, which did not use it up")]
    Reference {
        /// Whose reference it is.
        payee: Address,
        /// Where it leads.
        payment: PaymentId,
    },
    /// Tallies that are not those of the accepted votes.
    #[error("poll {0} is not sound")]
    Poll(PollId),
    /// Two accounts with one name.
    #[error("the names are not unique")]
    Names,
    /// An account without a key that signs, or an index of keys that is not that of the keys.
    #[error("the keys of the accounts are not sound")]
    Keys,
    /// Guardians that could not be, or a recovery that counts one of them twice.
    #[error("the guardians of {0} are not sound")]
    Guardians(Address),
    /// Guardians or recoveries that would not be found, or that there are not.
    #[error("the indexes of guardians and recoveries are not those of the rows")]
    GuardianIndexes,
    /// An account whose charges are not as many as were approved.
    #[error("{account}: {counted} charges counted, {approved} approved")]
    ChargeCount {
        /// Whose.
        account: Address,
        /// What the account says.
        counted: u64,
        /// What the charges say.
        approved: u64,
    },
    /// A charge on which the same account decided twice, or its requester, or one admin where it takes two.
    #[error("charge {0} is not sound")]
    Charge(ChargeId),
    /// No replicas, too many, or two with something in common.
    #[error("the replicas are not sound")]
    Replicas,
    /// Minted, but no token.
    #[error("there is no token {0}")]
    Token(TokenId),
    /// An order that is not what its status says, or of no market.
    #[error("order {0} is not sound")]
    Order(OrderId),
    /// The books are not those of the open orders, or somebody would sell for less than somebody would pay.
    #[error("the book of {0} is not sound")]
    Book(MarketId),
    /// What was bought, what was sold and what the market counts are not the same.
    #[error("the volume of {0} is not that of its orders")]
    Volume(MarketId),
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
    payouts(state)?;
    reviews(state)?;
    listings(state)?;
    charges::check(state)?;
    exchange::check(state)?;
    payments::check(state)?;
    polls(state)?;
    deadlines(state)?;
    if !state.accounts.roles_are_sound() {
        return Err(InvariantViolation::Roles);
    }
    if !state.accounts.names_are_unique() {
        return Err(InvariantViolation::Names);
    }
    if !state.accounts.keys.are_sound(state.accounts.rows.iter().map(|(address, _)| *address)) {
        return Err(InvariantViolation::Keys);
    }
    guardians(state)?;
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
    let holds = state.trades.holds().chain(state.payments.holds());
    holds.chain(withdrawals::holds(&state.withdrawals)).chain(exchange::holds(state))
}

fn trades(state: &State) -> Result<(), InvariantViolation> {
    for (id, trade) in state.trades.rows.iter() {
        let arbiter = trade.dispute.and_then(|dispute| dispute.arbiter);
        let is_reminder_sound = match (trade.remind_at, trade.deadline) {
            (Some(reminder), Some(deadline)) => reminder < deadline.at,
            (reminder, _) => reminder.is_none(),
        };
        let is_sound = trade.state.is_final() != trade.deadline.is_some()
            && is_reminder_sound
            && (trade.state != TradeState::Disputed || trade.dispute.is_some())
            && (trade.state != TradeState::Returning || trade.returning.is_some())
            && trade.fee <= trade.amount
            && trade.buyer != trade.seller
            && arbiter != Some(trade.buyer)
            && arbiter != Some(trade.seller);
        if !is_sound {
            return Err(InvariantViolation::Trade(*id));
        }
    }
    Ok(())
}

/// The index of deadlines is that of the objects: a line for each room that has some.
fn deadlines(state: &State) -> Result<(), InvariantViolation> {
    let trades = state.trades.deadlines();
    let recoveries = state.accounts.recoveries.deadlines();
    let orders = state.exchange.orders.iter();
    let orders = orders.filter_map(|(id, row)| Some((ObjectId::Order(*id), row.due()?)));
    let polls = state.polls.rows.iter();
    let polls = polls.filter_map(|(id, row)| Some((ObjectId::Poll(*id), row.due()?)));
    let payments = state.payments.rows.iter();
    let payments = payments.filter_map(|(id, row)| Some((ObjectId::Payment(*id), row.due()?)));
    let mut deadlines = Deadlines::default();
    for (object, at) in trades.chain(recoveries).chain(orders).chain(polls).chain(payments) {
        deadlines.replace(object, None, Some(at));
    }
    if deadlines == state.deadlines { Ok(()) } else { Err(InvariantViolation::Deadlines) }
}

fn polls(state: &State) -> Result<(), InvariantViolation> {
    match state.polls.rows.iter().find(|(id, poll)| !state.polls.is_sound(**id, poll)) {
        Some((id, _)) => Err(InvariantViolation::Poll(*id)),
        None => Ok(()),
    }
}

/// Payouts and fee are the price, each where the state says; live trades have none. Nobody gives back more than the price.
fn payouts(state: &State) -> Result<(), InvariantViolation> {
    for (id, trade) in state.trades.rows.iter() {
        let is_sound = match trade.payout {
            None => !trade.state.is_final(),
            Some(payout) => {
                let fits = match trade.state {
                    TradeState::Released => payout.to_buyer.is_zero() && payout.fee == trade.fee,
                    TradeState::Cancelled | TradeState::Refunded => payout.to_buyer == trade.amount,
                    TradeState::Split => payout.fee <= trade.fee,
                    _ => false,
                };
                fits && payout.sum() == Some(trade.amount)
            }
        };
        let may_give_back = trade.state == TradeState::Released;
        if !is_sound || trade.given_back > trade.amount || !(may_give_back || trade.given_back.is_zero()) {
            return Err(InvariantViolation::Payout(*id));
        }
    }
    Ok(())
}

/// Guardians are some other accounts, and enough of them have agreed to what runs. The indexes are those of the rows.
fn guardians(state: &State) -> Result<(), InvariantViolation> {
    let accounts = &state.accounts;
    for (address, row) in accounts.guardians.rows.iter() {
        let is_sound = row.guardians.len() <= usize::from(MAX_GUARDIANS)
            && row.guardians.is_sorted_by(|one, next| one < next)
            && !row.guardians.contains(address)
            && row.guardians.iter().all(|guardian| accounts.contains(guardian))
            && usize::from(row.threshold) <= row.guardians.len()
            && (row.threshold > 0) != row.guardians.is_empty();
        if !is_sound {
            return Err(InvariantViolation::Guardians(*address));
        }
    }
    for (_, recovery) in accounts.recoveries.rows.iter() {
        let distinct: BTreeSet<_> = recovery.agreed.iter().map(|word| word.guardian).collect();
        let row = accounts.guardians.find(&recovery.account);
        let is_current = row.is_some_and(|row| row.generation == recovery.generation);
        let is_enough = row.is_some_and(|row| recovery.agreed.len() >= usize::from(row.threshold));
        let runs = matches!(recovery.status, RecoveryStatus::Ready { .. });
        if distinct.len() != recovery.agreed.len() || is_current && runs && !is_enough {
            return Err(InvariantViolation::Guardians(recovery.account));
        }
    }
    let is_sound = accounts.guardians.index_is_sound() && accounts.recoveries.indexes_are_sound();
    if is_sound { Ok(()) } else { Err(InvariantViolation::GuardianIndexes) }
}

fn reviews(state: &State) -> Result<(), InvariantViolation> {
    for ((id, side), review) in state.reviews.rows.iter() {
        let fits = |trade: &Trade| {
            let (author, subject) = match side {
                ReviewSide::ByBuyer => (trade.buyer, trade.seller),
                ReviewSide::BySeller => (trade.seller, trade.buyer),
            };
            trade.state.is_reviewable() && (author, subject) == (review.author, review.subject)
        };
        if !state.trades.find(id).is_some_and(fits) {
            return Err(InvariantViolation::Review(*id));
        }
    }
    let mut expected = expected(state);
    for (who, record) in state.reviews.records.iter() {
        if expected.remove(who) != Some(*record) {
            return Err(InvariantViolation::Record(*who));
        }
    }
    match expected.pop_first() {
        Some((who, _)) => Err(InvariantViolation::Record(who)),
        None => Ok(()),
    }
}

/// A live trade has its listing reserved, a released or shared one has it sold, and the other way round.
fn listings(state: &State) -> Result<(), InvariantViolation> {
    for (id, listing) in state.listings.iter() {
        let fits = |trade: &TradeId, fits: fn(&Trade) -> bool| {
            state.trades.find(trade).is_some_and(|trade| trade.listing == *id && fits(trade))
        };
        let is_sound = match &listing.status {
            ListingStatus::Open | ListingStatus::Closed => true,
            ListingStatus::Reserved { trade } => fits(trade, |trade| !trade.state.is_final()),
            ListingStatus::Sold { trade } => {
                fits(trade, |trade| matches!(trade.state, TradeState::Released | TradeState::Split))
            }
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
