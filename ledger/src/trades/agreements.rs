//! What the two sides agree on, and what couriers attest.

use pbft_crypto::Digest;

use super::rules::{Events, Move, record, within};
use super::{
    DeadlineKind, Mover, Party, Repeats, Return, Split, SplitOffer, Trade, TradeChange, TradeDeadline,
    TradeState,
};
use crate::state::State;
use crate::time::Millis;

/// The parcel has arrived, at the buyer's or, on its way back, at the seller's. During a dispute no deadline is moved.
pub(super) fn attest(state: &mut State, step: Move, trade: Trade, events: &mut Events) {
    let (next, change) = match trade.returning {
        Some(_) => {
            let returning = Return { is_shipped: true, delivered_at: Some(step.at) };
            (Trade { returning: Some(returning), ..trade }, TradeChange::ReturnAttested)
        }
        None => (Trade { delivered_at: Some(step.at), ..trade }, TradeChange::Attested),
    };
    let params = &state.params.trade;
    let next = match trade.state {
        TradeState::Shipped => {
            let extension = if trade.is_extended { params.extension } else { Millis::new(0) };
            let span = params.confirm_after_delivery.plus(extension);
            within(state, step.at, next, DeadlineKind::ConfirmBy, span)
        }
        TradeState::Returning => {
            let span = params.return_confirm_after_delivery;
            within(state, step.at, next, DeadlineKind::ReturnConfirmBy, span)
        }
        _ => next,
    };
    record(state, step, Some(trade.state), next, change, events);
}

pub(super) fn extend(state: &mut State, step: Move, trade: Trade, events: &mut Events) {
    let params = &state.params.trade;
    let next = Trade { is_extended: true, ..trade };
    let next = match trade.deadline {
        Some(TradeDeadline { kind, at }) => {
            let deadline = TradeDeadline { kind, at: at.plus(params.extension) };
            next.until(deadline, step.at, params.remind_before)
        }
        None => next,
    };
    record(state, step, Some(trade.state), next, TradeChange::Extended, events);
}

pub(super) fn propose_split(state: &mut State, step: Move, trade: Trade, split: Split, events: &mut Events) {
    let mut repeats = trade.repeats;
    let (by, count) = match step.by {
        Mover::Buyer => (Party::Buyer, &mut repeats.offers_of_buyer),
        _ => (Party::Seller, &mut repeats.offers_of_seller),
    };
    *count = count.saturating_add(1);
    let next = Trade { split_offer: Some(SplitOffer { by, split }), repeats, ..trade };
    record(state, step, Some(trade.state), next, TradeChange::SplitProposed { split }, events);
}

pub(super) fn hand_over(state: &mut State, step: Move, trade: Trade, code_hash: Digest, events: &mut Events) {
    let handovers = trade.repeats.handovers.saturating_add(1);
    let next = Trade { handover: Some(code_hash), repeats: Repeats { handovers, ..trade.repeats }, ..trade };
    record(state, step, Some(trade.state), next, TradeChange::HandoverPrepared { code_hash }, events);
}
