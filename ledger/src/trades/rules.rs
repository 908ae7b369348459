//! Who may move a trade from where to where.

use pbft_crypto::Digest;

use super::{
    DeadlineKind, Mover, Trade, TradeChange, TradeDeadline, TradeEvent, TradeOp, TradeRejection, TradeState,
};
use crate::accounts::spend;
use crate::amount::AssetId;
use crate::event::EventKind;
use crate::ids::{ListingId, TradeId};
use crate::listings::{ListingStatus, buyable, change_status};
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::text::Tracking;
use crate::time::UnixMillis;

type Events = Vec<EventKind>;

/// One move of one trade.
#[derive(Clone, Copy)]
struct Move {
    trade: TradeId,
    by: Mover,
    at: UnixMillis,
}

impl Move {
    const fn new(trade: TradeId, by: Mover, context: &Context) -> Self {
        Self { trade, by, at: context.now }
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &TradeOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    match op {
        TradeOp::Open { listing, version, content_hash } => {
            open(state, context, *listing, *version, content_hash, events)
        }
        TradeOp::Accept { trade } => accept(state, context, *trade, events),
        TradeOp::Ship { trade, tracking } => ship(state, context, *trade, tracking, events),
        TradeOp::Confirm { trade } => confirm(state, context, *trade, events),
        TradeOp::Cancel { trade } => cancel(state, context, *trade, events),
    }
}

fn open(
    state: &mut State,
    context: &Context,
    listing_id: ListingId,
    version: u32,
    content_hash: &Digest,
    events: &mut Events,
) -> Result<(), Rejection> {
    let listing = buyable(&state.listings, &listing_id, version, content_hash)?;
    let (buyer, seller, amount, now) = (context.sender, listing.seller, listing.price, context.now);
    if buyer == seller {
        return Err(TradeRejection::OwnListing.into());
    }
    let hold = Posting::new(amount, Side::Available(buyer), Side::Held(buyer));
    spend(state, now, buyer, (AssetId::Pop, amount), &[hold], events)?;
    let id = TradeId::from(context.tx);
    change_status(&mut state.listings, listing_id, ListingStatus::Reserved { trade: id }, now, events);
    let ship_by = TradeDeadline { kind: DeadlineKind::ShipBy, at: now.plus(state.params.ship_within) };
    let trade = Trade {
        listing: listing_id,
        version,
        content_hash: *content_hash,
        buyer,
        seller,
        amount,
        fee: state.params.fee.of(amount),
        state: TradeState::Funded,
        deadline: Some(ship_by),
        cancel_requested: false,
        opened_at: now,
        updated_at: now,
    };
    let change = TradeChange::Opened { version, content_hash: *content_hash };
    record(state, Move::new(id, Mover::Buyer, context), None, trade, change, events);
    Ok(())
}

fn accept(state: &mut State, context: &Context, id: TradeId, events: &mut Events) -> Result<(), Rejection> {
    let trade = as_seller(state, context, id)?;
    if trade.state != TradeState::Funded {
        return Err(TradeRejection::WrongState { state: trade.state }.into());
    }
    let next = Trade { state: TradeState::Accepted, ..trade };
    let step = Move::new(id, Mover::Seller, context);
    record(state, step, Some(trade.state), next, TradeChange::Accepted, events);
    Ok(())
}

fn ship(
    state: &mut State,
    context: &Context,
    id: TradeId,
    tracking: &Tracking,
    events: &mut Events,
) -> Result<(), Rejection> {
    let trade = as_seller(state, context, id)?;
    let from = trade.state;
    if !matches!(from, TradeState::Funded | TradeState::Accepted) {
        return Err(TradeRejection::WrongState { state: from }.into());
    }
    let at = context.now.plus(state.params.confirm_within);
    let next = Trade {
        state: TradeState::Shipped,
        deadline: Some(TradeDeadline { kind: DeadlineKind::ConfirmBy, at }),
        cancel_requested: false,
        ..trade
    };
    let change = TradeChange::Shipped { tracking: tracking.clone() };
    record(state, Move::new(id, Mover::Seller, context), Some(from), next, change, events);
    Ok(())
}

fn confirm(state: &mut State, context: &Context, id: TradeId, events: &mut Events) -> Result<(), Rejection> {
    let trade = find(state, id)?;
    if trade.buyer != context.sender {
        return Err(TradeRejection::NotBuyer.into());
    }
    if trade.state.is_final() {
        return Err(TradeRejection::WrongState { state: trade.state }.into());
    }
    release(state, Move::new(id, Mover::Buyer, context), trade, events)
}

fn cancel(state: &mut State, context: &Context, id: TradeId, events: &mut Events) -> Result<(), Rejection> {
    let trade = find(state, id)?;
    let by = match context.sender {
        sender if sender == trade.buyer => Mover::Buyer,
        sender if sender == trade.seller => Mover::Seller,
        _ => return Err(TradeRejection::NotParty.into()),
    };
    let step = Move::new(id, by, context);
    match (trade.state, by) {
        (TradeState::Funded, _) | (TradeState::Accepted, Mover::Seller) => refund(state, step, trade, events),
        (TradeState::Accepted, _) => Ok(request_cancel(state, step, trade, events)?),
        (state, _) => Err(TradeRejection::WrongState { state }.into()),
    }
}

/// From now on the seller's silence pays the buyer back, at the latest when the time to ship is over anyway.
fn request_cancel(
    state: &mut State,
    step: Move,
    trade: Trade,
    events: &mut Events,
) -> Result<(), TradeRejection> {
    if trade.cancel_requested {
        return Err(TradeRejection::CancelAlreadyRequested);
    }
    let at = step.at.plus(state.params.cancel_answer_within);
    let deadline = match trade.deadline {
        Some(earlier) if earlier.at <= at => earlier,
        _ => TradeDeadline { kind: DeadlineKind::AnswerBy, at },
    };
    let from = trade.state;
    let next = Trade { deadline: Some(deadline), cancel_requested: true, ..trade };
    record(state, step, Some(from), next, TradeChange::CancelRequested, events);
    Ok(())
}

/// Moves a trade whose deadline has passed.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    id: TradeId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let trade = find(state, id)?;
    let Some(TradeDeadline { kind, .. }) = trade.deadline else {
        return Err(TradeRejection::WrongState { state: trade.state }.into());
    };
    let step = Move { trade: id, by: Mover::Deadline(kind), at: now };
    match kind {
        DeadlineKind::ShipBy | DeadlineKind::AnswerBy => refund(state, step, trade, events),
        DeadlineKind::ConfirmBy => release(state, step, trade, events),
    }
}

fn release(state: &mut State, step: Move, trade: Trade, events: &mut Events) -> Result<(), Rejection> {
    let (held, payout) = (Side::Held(trade.buyer), trade.payout());
    let postings = [
        Posting::new(payout, held, Side::Available(trade.seller)),
        Posting::new(trade.fee, held, Side::Available(state.fee_account)),
    ];
    state.money.post(&postings, events)?;
    let sold = ListingStatus::Sold { trade: step.trade };
    change_status(&mut state.listings, trade.listing, sold, step.at, events);
    close(state, step, trade, TradeState::Released, TradeChange::Released { payout }, events);
    Ok(())
}

fn refund(state: &mut State, step: Move, trade: Trade, events: &mut Events) -> Result<(), Rejection> {
    let Trade { buyer, amount, .. } = trade;
    state.money.post(&[Posting::new(amount, Side::Held(buyer), Side::Available(buyer))], events)?;
    change_status(&mut state.listings, trade.listing, ListingStatus::Open, step.at, events);
    close(state, step, trade, TradeState::Cancelled, TradeChange::Cancelled, events);
    Ok(())
}

fn close(
    state: &mut State,
    step: Move,
    trade: Trade,
    to: TradeState,
    change: TradeChange,
    events: &mut Events,
) {
    let from = trade.state;
    let next = Trade { state: to, deadline: None, cancel_requested: false, ..trade };
    record(state, step, Some(from), next, change, events);
}

/// Writes the new row and tells of it.
fn record(
    state: &mut State,
    step: Move,
    from: Option<TradeState>,
    next: Trade,
    change: TradeChange,
    events: &mut Events,
) {
    let event = TradeEvent {
        trade: step.trade,
        listing: next.listing,
        buyer: next.buyer,
        seller: next.seller,
        amount: next.amount,
        fee: next.fee,
        from,
        to: next.state,
        by: step.by,
        deadline: next.deadline,
        change,
        at: step.at,
    };
    events.push(event.into());
    state.trades.put(&mut state.deadlines, step.trade, Trade { updated_at: step.at, ..next });
}

fn find(state: &State, id: TradeId) -> Result<Trade, TradeRejection> {
    state.trades.find(&id).copied().ok_or(TradeRejection::UnknownTrade)
}

fn as_seller(state: &State, context: &Context, id: TradeId) -> Result<Trade, TradeRejection> {
    let trade = find(state, id)?;
    if trade.seller == context.sender { Ok(trade) } else { Err(TradeRejection::NotSeller) }
}
