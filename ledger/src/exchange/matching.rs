//! Which orders a new one meets, and what becomes of it: a plan, without any change.

use pbft_crypto::Address;

use super::{CancelReason, ExchangeRejection, Lifetime, MAX_MEETINGS, NewOrder, Order, OrderSide, SelfTrade};
use crate::amount::Amount;
use crate::ids::OrderId;
use crate::state::State;
use crate::time::UnixMillis;

/// What happens to an order that is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// So much of it changes hands, at this price.
    Fill { quantity: Amount, price: Amount },
    /// It is taken away.
    Cancel(CancelReason),
}

/// What becomes of a new order.
#[derive(Debug)]
pub(super) struct Plan {
    /// The orders that it meets, in this order.
    pub(super) meetings: Vec<(OrderId, Order, Meeting)>,
    /// How much of it is left after them.
    pub(super) left: Amount,
    /// Why that is taken away, unless it waits.
    pub(super) end: Option<CancelReason>,
}

/// The plan for an order whose terms were checked.
pub(super) fn plan(
    state: &State,
    owner: Address,
    terms: &NewOrder,
    now: UnixMillis,
) -> Result<Plan, ExchangeRejection> {
    let mut plan = Plan { meetings: Vec::new(), left: terms.quantity, end: None };
    for (id, maker) in state.exchange.side(&terms.market, terms.side.opposite()) {
        let price = maker.terms.price.unwrap_or(Amount::ZERO);
        if plan.left.is_zero() || !accepts(terms, price) {
            break;
        }
        if plan.meetings.len() == MAX_MEETINGS {
            plan.end = Some(CancelReason::TooManyMeetings);
            break;
        }
        let meeting = match reason_against(state, owner, maker, now) {
            Some(reason)
                if reason == CancelReason::SelfTrade && terms.self_trade == SelfTrade::CancelNewest =>
            {
                plan.end = Some(reason);
                break;
            }
            Some(reason) => Meeting::Cancel(reason),
            None => {
                let quantity = plan.left.min(maker.left());
                plan.left = plan.left.checked_sub(quantity).unwrap_or(Amount::ZERO);
                Meeting::Fill { quantity, price }
            }
        };
        plan.meetings.push((id, *maker, meeting));
    }
    finish(plan, terms)
}

fn accepts(terms: &NewOrder, price: Amount) -> bool {
    terms.price.is_none_or(|limit| match terms.side {
        OrderSide::Buy => price <= limit,
        OrderSide::Sell => price >= limit,
    })
}

/// Why two orders do not trade.
fn reason_against(state: &State, owner: Address, maker: &Order, now: UnixMillis) -> Option<CancelReason> {
    if maker.due().is_some_and(|at| at <= now) {
        return Some(CancelReason::Expired);
    }
    if state.accounts.freezes.holds(&maker.owner) {
        return Some(CancelReason::Frozen);
    }
    (maker.owner == owner).then_some(CancelReason::SelfTrade)
}

fn finish(mut plan: Plan, terms: &NewOrder) -> Result<Plan, ExchangeRejection> {
    let gone =
        |meeting: &Meeting| matches!(meeting, Meeting::Cancel(CancelReason::Expired | CancelReason::Frozen));
    match terms.lifetime {
        Lifetime::PostOnly if plan.end.is_some() || !plan.meetings.iter().all(|(_, _, m)| gone(m)) => {
            return Err(ExchangeRejection::WouldTrade);
        }
        Lifetime::FillOrKill if !plan.left.is_zero() => return Err(ExchangeRejection::NotFillable),
        Lifetime::Immediate if plan.end.is_none() && !plan.left.is_zero() => {
            plan.end = Some(CancelReason::Unfilled);
        }
        _ => {}
    }
    Ok(plan)
}
