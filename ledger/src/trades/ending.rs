//! Where the money goes.

use super::rules::{Events, Move, record};
use super::{Payout, Repeats, Split, Trade, TradeChange, TradeState};
use crate::accounts::spend;
use crate::amount::{Amount, AssetId};
use crate::listings::{ListingStatus, change_status};
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::reviews::{End, count_end};
use crate::state::State;

/// Pays the seller.
pub(super) fn release(
    state: &mut State,
    step: Move,
    trade: Trade,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payout = Payout { to_buyer: Amount::ZERO, to_seller: trade.seller_part(), fee: trade.fee };
    pay_out(state, &trade, payout, events)?;
    let change = TradeChange::Released { payout: payout.to_seller };
    close(state, step, trade, TradeState::Released, payout, change, events);
    Ok(())
}

/// Pays the buyer back.
pub(super) fn refund(
    state: &mut State,
    step: Move,
    trade: Trade,
    to: TradeState,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payout = Payout { to_buyer: trade.amount, to_seller: Amount::ZERO, fee: Amount::ZERO };
    pay_out(state, &trade, payout, events)?;
    let change = if to == TradeState::Cancelled { TradeChange::Cancelled } else { TradeChange::Refunded };
    close(state, step, trade, to, payout, change, events);
    Ok(())
}

/// Pays both.
pub(super) fn share(
    state: &mut State,
    step: Move,
    trade: Trade,
    split: Split,
    events: &mut Events,
) -> Result<(), Rejection> {
    let fee = state.params.fee.of(split.to_seller);
    // The fee is a share of the part.
    let to_seller = split.to_seller.checked_sub(fee).unwrap_or(Amount::ZERO);
    let payout = Payout { to_buyer: split.to_buyer, to_seller, fee };
    pay_out(state, &trade, payout, events)?;
    close(state, step, trade, TradeState::Split, payout, TradeChange::Split { split, fee }, events);
    Ok(())
}

fn pay_out(state: &mut State, trade: &Trade, payout: Payout, events: &mut Events) -> Result<(), Rejection> {
    let held = Side::Held(trade.buyer);
    let postings = [
        Posting::new(payout.to_buyer, held, Side::Available(trade.buyer)),
        Posting::new(payout.to_seller, held, Side::Available(trade.seller)),
        Posting::new(payout.fee, held, Side::Available(state.fee_account)),
    ];
    Ok(state.money.post(&postings, events)?)
}

fn close(
    state: &mut State,
    step: Move,
    trade: Trade,
    to: TradeState,
    payout: Payout,
    change: TradeChange,
    events: &mut Events,
) {
    let status = match to {
        TradeState::Cancelled => ListingStatus::Open,
        TradeState::Refunded => ListingStatus::Closed,
        _ => ListingStatus::Sold { trade: step.trade },
    };
    change_status(&mut state.listings, trade.listing, status, step.at, events);
    let next = Trade {
        state: to,
        deadline: None,
        remind_at: None,
        cancel_requested: false,
        payout: Some(payout),
        ..trade
    };
    record(state, step, Some(trade.state), next, change, events);
    if let Some(end) = End::of(to) {
        count_end(&mut state.reviews, &trade, end);
    }
}

/// The seller gives money back after the end. The state stays what it is.
pub(super) fn give_back(
    state: &mut State,
    step: Move,
    trade: Trade,
    amount: Amount,
    events: &mut Events,
) -> Result<(), Rejection> {
    let total = trade.given_back.checked_add(amount).unwrap_or(trade.amount);
    let posting = Posting::new(amount, Side::Available(trade.seller), Side::Available(trade.buyer));
    spend(state, step.at, trade.seller, (AssetId::Pop, amount), &[posting], events)?;
    let give_backs = trade.repeats.give_backs.saturating_add(1);
    let next = Trade { given_back: total, repeats: Repeats { give_backs, ..trade.repeats }, ..trade };
    record(state, step, Some(trade.state), next, TradeChange::GivenBack { amount, total }, events);
    Ok(())
}
