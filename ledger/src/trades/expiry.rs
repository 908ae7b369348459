//! What happens by itself.

use pbft_crypto::Digest;

use super::rules::{Events, Move, event};
use super::{DeadlineKind, Mover, Trade, TradeChange, TradeDeadline, TradeRejection, TradeState};
use super::{disputes, ending};
use crate::ids::TradeId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::UnixMillis;

/// Moves a trade whose deadline has passed, or reminds of one that is near.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    parent: &Digest,
    id: TradeId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let trade = *state.trades.find(&id).ok_or(TradeRejection::UnknownTrade)?;
    let Some(TradeDeadline { kind, at }) = trade.deadline else {
        return Err(TradeRejection::WrongState { state: trade.state }.into());
    };
    let step = Move { trade: id, by: Mover::Deadline(kind), at: now, parent: *parent };
    if at > now {
        remind(state, step, trade, events);
        return Ok(());
    }
    match kind {
        DeadlineKind::ShipBy | DeadlineKind::AnswerBy => {
            ending::refund(state, step, trade, TradeState::Cancelled, events)
        }
        DeadlineKind::ConfirmBy | DeadlineKind::ReturnBy => ending::release(state, step, trade, events),
        DeadlineKind::ReturnConfirmBy => ending::refund(state, step, trade, TradeState::Refunded, events),
        DeadlineKind::ResolveBy => disputes::replace_arbiter(state, step, trade, events),
        DeadlineKind::SecondResolveBy => disputes::decide_by_attests(state, step, trade, events),
    }
}

/// Nothing happens to the trade itself, so its `updated_at` stays.
fn remind(state: &mut State, step: Move, trade: Trade, events: &mut Events) {
    let next = Trade { remind_at: None, ..trade };
    events.push(event(step, Some(trade.state), &next, TradeChange::Reminder).into());
    state.trades.put(&mut state.deadlines, step.trade, next);
}
