//! Spending limits: an owner says how much may leave the account in a day. Less holds at once; more after a delay, so that
//! whoever steals a key has to wait for it while the owner notices.
//!
//! Payments and what is set aside for them, refunds, purchases, withdrawals, what a seller gives back, tokens that are given
//! or destroyed and orders count when the money leaves what is available, and still do if it comes back.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountRejection};
use crate::amount::{Amount, AssetId};
use crate::day_total::DayTotal;
use crate::event::EventKind;
use crate::money::Posting;
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, TableId};
use crate::time::UnixMillis;

/// How much of an asset may leave an account in a day, UTC. There is a row as soon as the owner has said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingLimit {
    /// The most. `None` is no limit.
    pub per_day: Option<Amount>,
    /// What holds later.
    pub raise: Option<LimitRaise>,
    /// What was spent on the last day on which something was, since there is a row.
    pub spent: DayTotal,
}

/// A higher limit that does not hold yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRaise {
    /// The most. `None` is no limit.
    pub per_day: Option<Amount>,
    /// From when on.
    pub at: UnixMillis,
}

impl SpendingLimit {
    /// The most that may be spent in a day, at a time.
    pub fn at(&self, now: UnixMillis) -> Option<Amount> {
        match self.raise {
            Some(raise) if raise.at <= now => raise.per_day,
            _ => self.per_day,
        }
    }

    /// What another one leads to, asked for at a time.
    fn with(&self, per_day: Option<Amount>, now: UnixMillis, at: UnixMillis) -> Self {
        let holds = self.at(now);
        // `None` is more than any amount.
        let is_more = holds.is_some_and(|holds| per_day.is_none_or(|per_day| per_day > holds));
        let raise = is_more.then_some(LimitRaise { per_day, at });
        Self { per_day: if is_more { holds } else { per_day }, raise, spent: self.spent }
    }
}

impl Row for SpendingLimit {
    type Key = (Address, AssetId);
    const TABLE: TableId = TableId::SpendingLimits;
}

pub(super) fn set(
    state: &mut State,
    context: &Context,
    asset: AssetId,
    per_day: Option<Amount>,
    events: &mut Vec<EventKind>,
) {
    let (address, now) = (context.sender, context.now);
    let raised_at = now.plus(state.params.accounts.limit_raise_delay);
    let row = state.accounts.limits.find(&(address, asset)).copied().unwrap_or_default();
    let row = row.with(per_day, now, raised_at);
    state.accounts.limits.put((address, asset), row);
    let SpendingLimit { per_day, raise, .. } = row;
    events.push(AccountEvent::LimitSet { address, asset, per_day, raise, at: now }.into());
}

/// Whether so much may leave an account now, as far as freezes and limits are concerned.
pub(crate) fn check_spending(
    state: &State,
    now: UnixMillis,
    account: Address,
    asset: AssetId,
    amount: Amount,
) -> Result<(), AccountRejection> {
    if state.accounts.freezes.holds(&account) {
        return Err(AccountRejection::Frozen);
    }
    let Some(row) = state.accounts.limits.find(&(account, asset)) else {
        return Ok(());
    };
    match row.at(now) {
        Some(per_day) if !row.spent.has_room(now, amount, per_day) => {
            Err(AccountRejection::LimitExceeded { asset })
        }
        _ => Ok(()),
    }
}

/// Carries out postings that take an amount from what an account has available, if it is not frozen and within its
/// limit. As [`Money::post`](crate::money::Money::post): an operation calls it once, before its first change.
pub(crate) fn spend(
    state: &mut State,
    now: UnixMillis,
    account: Address,
    (asset, amount): (AssetId, Amount),
    postings: &[Posting],
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    check_spending(state, now, account, asset, amount)?;
    state.money.post(postings, events)?;
    if let Some(row) = state.accounts.limits.find(&(account, asset)) {
        let row = SpendingLimit { spent: row.spent.plus(now, amount), ..*row };
        state.accounts.limits.put((account, asset), row);
    }
    Ok(())
}
