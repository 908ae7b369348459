//! Disputes: who decides, on what, and how the goods come back.

use pbft_crypto::{Address, Digest, Domain, Hasher};

use super::ending::{refund, release, share};
use super::rules::{Events, Move, event, record, within};
use super::{DeadlineKind, Dispute, Mover, Return, Ruling, Trade, TradeChange, TradeState};
use crate::rejection::Rejection;
use crate::reviews::count_dispute;
use crate::state::{Context, State};
use crate::text::{Memo, Reason, Tracking};

const DRAW: Domain = Domain::new("popmarket.arbiter.v2");

pub(super) fn open(
    state: &mut State,
    context: &Context,
    step: Move,
    trade: Trade,
    reason: &Reason,
    events: &mut Events,
) {
    if trade.dispute.is_none() {
        count_dispute(&mut state.reviews, &trade);
    }
    let arbiter = draw(state, &trade, context.tx.digest(), step);
    let dispute = Dispute { opened_at: step.at, arbiter, from_buyer: 0, from_seller: 0, from_arbiter: 0 };
    let next = Trade { state: TradeState::Disputed, dispute: Some(dispute), ..trade };
    let next = within(state, step.at, next, DeadlineKind::ResolveBy, state.params.trade.resolve_within);
    let change = TradeChange::Disputed { reason: reason.clone(), arbiter };
    record(state, step, Some(trade.state), next, change, events);
}

/// An arbiter that is neither buyer nor seller, nor the present one, nor frozen. Who signs a transaction does not know the time of its
/// block, so no member can try transactions until a friend is drawn; who knows a trade does not know the block before, so nobody
/// knows long ahead who comes second. What a primary could do is in `docs/adr/0010-escrow.md`.
fn draw(state: &State, trade: &Trade, salt: &Digest, step: Move) -> Option<Address> {
    let present = trade.dispute.filter(|_| trade.state == TradeState::Disputed).and_then(|d| d.arbiter);
    let is_free = |who: &&Address| {
        let is_other = **who != trade.buyer && **who != trade.seller && Some(**who) != present;
        is_other && !state.accounts.freezes.holds(who)
    };
    let free: Vec<&Address> = state.accounts.arbiters().filter(is_free).collect();
    let mut hasher = Hasher::new(DRAW);
    hasher.update(step.parent.as_bytes());
    hasher.update(salt.as_bytes());
    hasher.update(&step.at.value().to_be_bytes());
    let digest = hasher.finish();
    let number = u64::from_be_bytes(*digest.as_bytes().first_chunk()?);
    let place = number.checked_rem(u64::try_from(free.len()).ok()?)?;
    free.get(usize::try_from(place).ok()?).map(|who| **who)
}

pub(super) fn add_evidence(
    state: &mut State,
    step: Move,
    trade: Trade,
    hash: Digest,
    note: &Memo,
    events: &mut Events,
) {
    let mut dispute = trade.dispute;
    if let Some(dispute) = &mut dispute {
        let count = match step.by {
            Mover::Buyer => &mut dispute.from_buyer,
            Mover::Seller => &mut dispute.from_seller,
            _ => &mut dispute.from_arbiter,
        };
        *count = count.saturating_add(1);
    }
    let next = Trade { dispute, ..trade };
    let change = TradeChange::EvidenceAdded { hash, note: note.clone() };
    record(state, step, Some(trade.state), next, change, events);
}

pub(super) fn resolve(
    state: &mut State,
    step: Move,
    trade: Trade,
    ruling: Ruling,
    reason: &Reason,
    events: &mut Events,
) -> Result<(), Rejection> {
    let change = TradeChange::Resolved { ruling, reason: reason.clone() };
    events.push(event(step, Some(trade.state), &trade, change).into());
    match ruling {
        Ruling::Release => release(state, step, trade, events),
        Ruling::Refund => refund(state, step, trade, TradeState::Refunded, events),
        Ruling::Split(split) => share(state, step, trade, split, events),
        Ruling::Return => {
            let next = Trade { state: TradeState::Returning, returning: Some(Return::default()), ..trade };
            let span = state.params.trade.return_within;
            let next = within(state, step.at, next, DeadlineKind::ReturnBy, span);
            record(state, step, Some(trade.state), next, TradeChange::ReturnOrdered, events);
            Ok(())
        }
    }
}

pub(super) fn return_ship(
    state: &mut State,
    step: Move,
    trade: Trade,
    tracking: &Tracking,
    events: &mut Events,
) {
    let returning = Return { is_shipped: true, delivered_at: None };
    let next = Trade { returning: Some(returning), ..trade };
    let span = state.params.trade.return_confirm_within;
    let next = within(state, step.at, next, DeadlineKind::ReturnConfirmBy, span);
    let change = TradeChange::ReturnShipped { tracking: tracking.clone() };
    record(state, step, Some(trade.state), next, change, events);
}

/// The first arbiter stayed silent: another one has a shorter time. Without one, what was attested decides at once.
pub(super) fn replace_arbiter(
    state: &mut State,
    step: Move,
    trade: Trade,
    events: &mut Events,
) -> Result<(), Rejection> {
    let Some(arbiter) = draw(state, &trade, step.trade.digest(), step) else {
        return decide_by_attests(state, step, trade, events);
    };
    let dispute = trade.dispute.map(|dispute| Dispute { arbiter: Some(arbiter), ..dispute });
    let next = Trade { dispute, ..trade };
    let span = state.params.trade.second_resolve_within;
    let next = within(state, step.at, next, DeadlineKind::SecondResolveBy, span);
    let change = TradeChange::ArbiterReplaced { arbiter };
    record(state, step, Some(trade.state), next, change, events);
    Ok(())
}

/// Nobody decided: what couriers have said does. Goods that came back, or never arrived, are not paid for.
pub(super) fn decide_by_attests(
    state: &mut State,
    step: Move,
    trade: Trade,
    events: &mut Events,
) -> Result<(), Rejection> {
    let came_back = trade.returning.is_some_and(|returning| returning.delivered_at.is_some());
    if trade.delivered_at.is_some() && !came_back {
        release(state, step, trade, events)
    } else {
        refund(state, step, trade, TradeState::Refunded, events)
    }
}
