//! What comes of each operation. Whether it is allowed at all is decided in `moves.rs`.

use pbft_crypto::{Address, Digest};

use super::{
    DeadlineKind, Mover, Party, Repeats, Trade, TradeChange, TradeDeadline, TradeEvent, TradeOp,
    TradeRejection, TradeState, agreements, disputes, ending,
};
use crate::accounts::spend;
use crate::amount::{Amount, AssetId};
use crate::event::EventKind;
use crate::ids::{ListingId, TradeId};
use crate::listings::{Listing, ListingStatus, buyable, change_status};
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::time::{Millis, UnixMillis};

pub(super) type Events = Vec<EventKind>;

/// One move of one trade.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub(super) trade: TradeId,
    pub(super) by: Mover,
    pub(super) at: UnixMillis,
    /// The hash of the block before this one.
    pub(super) parent: Digest,
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &TradeOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    if let TradeOp::Open { listing, version, content_hash } = op {
        return open(state, context, *listing, *version, content_hash, events);
    }
    let (id, trade, by) = permitted(state, &context.sender, op)?;
    let step = Move { trade: id, by: by.into(), at: context.now, parent: context.parent };
    match op {
        TradeOp::Open { .. } => {}
        TradeOp::Accept { .. } => {
            let next = Trade { state: TradeState::Accepted, ..trade };
            record(state, step, Some(trade.state), next, TradeChange::Accepted, events);
        }
        TradeOp::Ship { tracking, .. } => {
            let change = TradeChange::Shipped { tracking: tracking.clone() };
            ship(state, step, trade, change, events);
        }
        TradeOp::Confirm { .. } | TradeOp::Collect { .. } => ending::release(state, step, trade, events)?,
        TradeOp::Cancel { .. } => cancel(state, step, trade, events)?,
        TradeOp::Attest { .. } => agreements::attest(state, step, trade, events),
        TradeOp::Extend { .. } => agreements::extend(state, step, trade, events),
        TradeOp::ProposeSplit { split, .. } => {
            agreements::propose_split(state, step, trade, *split, events);
        }
        TradeOp::AcceptSplit { split, .. } => ending::share(state, step, trade, *split, events)?,
        TradeOp::HandOver { code_hash, .. } => {
            agreements::hand_over(state, step, trade, *code_hash, events);
        }
        TradeOp::GiveBack { amount, .. } => ending::give_back(state, step, trade, *amount, events)?,
        TradeOp::Dispute { reason, .. } => disputes::open(state, context, step, trade, reason, events),
        TradeOp::AddEvidence { hash, note, .. } => {
            disputes::add_evidence(state, step, trade, *hash, note, events);
        }
        TradeOp::Resolve { ruling, reason, .. } => {
            disputes::resolve(state, step, trade, *ruling, reason, events)?;
        }
        TradeOp::ReturnShip { tracking, .. } => {
            disputes::return_ship(state, step, trade, tracking, events);
        }
        TradeOp::ReturnConfirm { .. } => {
            ending::refund(state, step, trade, TradeState::Refunded, events)?;
        }
    }
    Ok(())
}

/// Whether it could be done now, but for what is seen when money moves.
pub(crate) fn check(state: &State, sender: &Address, op: &TradeOp) -> Result<(), Rejection> {
    match op {
        TradeOp::Open { listing, version, content_hash } => {
            offered(state, sender, listing, *version, content_hash).map(drop)
        }
        _ => permitted(state, sender, op).map(drop),
    }
}

/// The trade that an operation is about, and what its sender is in it, if the sender may do so now.
fn permitted(state: &State, sender: &Address, op: &TradeOp) -> Result<(TradeId, Trade, Party), Rejection> {
    let (id, action) = op.target().ok_or(TradeRejection::UnknownTrade)?;
    let trade = *state.trades.find(&id).ok_or(TradeRejection::UnknownTrade)?;
    let who = trade.party(sender, state.accounts.is_courier(sender));
    if matches!(who, Some(Party::Arbiter | Party::Courier)) {
        state.accounts.freezes.check(sender)?;
    }
    let by = trade.check(who, action)?;
    trade.check_details(&id, op)?;
    Ok((id, trade, by))
}

/// The listing that somebody wants to buy, if that is possible as they saw it.
fn offered<'a>(
    state: &'a State,
    buyer: &Address,
    id: &ListingId,
    version: u32,
    content_hash: &Digest,
) -> Result<&'a Listing, Rejection> {
    let listing = buyable(&state.listings, id, version, content_hash)?;
    if listing.seller == *buyer { Err(TradeRejection::OwnListing.into()) } else { Ok(listing) }
}

fn open(
    state: &mut State,
    context: &Context,
    listing_id: ListingId,
    version: u32,
    content_hash: &Digest,
    events: &mut Events,
) -> Result<(), Rejection> {
    let listing = offered(state, &context.sender, &listing_id, version, content_hash)?;
    let (buyer, seller, amount, now) = (context.sender, listing.seller, listing.price, context.now);
    let hold = Posting::new(amount, Side::Available(buyer), Side::Held(buyer));
    spend(state, now, buyer, (AssetId::Pop, amount), &[hold], events)?;
    let id = TradeId::from(context.tx);
    change_status(&mut state.listings, listing_id, ListingStatus::Reserved { trade: id }, now, events);
    let trade = Trade {
        listing: listing_id,
        version,
        content_hash: *content_hash,
        buyer,
        seller,
        amount,
        fee: state.params.fee.of(amount),
        state: TradeState::Funded,
        deadline: None,
        remind_at: None,
        cancel_requested: false,
        handover: None,
        delivered_at: None,
        is_extended: false,
        split_offer: None,
        dispute: None,
        returning: None,
        payout: None,
        given_back: Amount::ZERO,
        repeats: Repeats::default(),
        opened_at: now,
        updated_at: now,
    };
    let trade = within(state, now, trade, DeadlineKind::ShipBy, state.params.trade.ship_within);
    let change = TradeChange::Opened { version, content_hash: *content_hash };
    let step = Move { trade: id, by: Mover::Buyer, at: now, parent: context.parent };
    record(state, step, None, trade, change, events);
    Ok(())
}

fn ship(state: &mut State, step: Move, trade: Trade, change: TradeChange, events: &mut Events) {
    let next = Trade { state: TradeState::Shipped, cancel_requested: false, ..trade };
    let next = within(state, step.at, next, DeadlineKind::ConfirmBy, state.params.trade.confirm_within);
    record(state, step, Some(trade.state), next, change, events);
}

fn cancel(state: &mut State, step: Move, trade: Trade, events: &mut Events) -> Result<(), Rejection> {
    if trade.state == TradeState::Accepted && step.by == Mover::Buyer {
        request_cancel(state, step, trade, events);
        return Ok(());
    }
    ending::refund(state, step, trade, TradeState::Cancelled, events)
}

/// From now on the seller's silence pays the buyer back, at the latest when the time to ship is over anyway.
fn request_cancel(state: &mut State, step: Move, trade: Trade, events: &mut Events) {
    let next = Trade { cancel_requested: true, ..trade };
    let span = state.params.trade.cancel_answer_within;
    let next = match trade.deadline {
        Some(earlier) if earlier.at <= step.at.plus(span) => next,
        _ => within(state, step.at, next, DeadlineKind::AnswerBy, span),
    };
    record(state, step, Some(trade.state), next, TradeChange::CancelRequested, events);
}

/// The trade with a deadline so long from now.
pub(super) fn within(
    state: &State,
    now: UnixMillis,
    trade: Trade,
    kind: DeadlineKind,
    span: Millis,
) -> Trade {
    let deadline = TradeDeadline { kind, at: now.plus(span) };
    trade.until(deadline, now, state.params.trade.remind_before)
}

/// Writes the new row and tells of it. An offer to share the money was made in one state and does not outlive it.
pub(super) fn record(
    state: &mut State,
    step: Move,
    from: Option<TradeState>,
    next: Trade,
    change: TradeChange,
    events: &mut Events,
) {
    let split_offer = next.split_offer.filter(|_| from == Some(next.state));
    let row = Trade { split_offer, updated_at: step.at, ..next };
    events.push(event(step, from, &row, change).into());
    state.trades.put(&mut state.deadlines, step.trade, row);
}

pub(super) fn event(step: Move, from: Option<TradeState>, row: &Trade, change: TradeChange) -> TradeEvent {
    TradeEvent {
        trade: step.trade,
        listing: row.listing,
        buyer: row.buyer,
        seller: row.seller,
        amount: row.amount,
        fee: row.fee,
        from,
        to: row.state,
        by: step.by,
        deadline: row.deadline,
        change,
        row: Box::new(*row),
        at: step.at,
    }
}
