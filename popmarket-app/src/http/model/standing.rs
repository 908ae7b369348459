use ledger::{Amount, AssetId, Freeze, Ledger, Name, Reason, SpendingLimit, TxId, UnixMillis};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::coin;
use crate::http::timestamp::rfc3339;
use crate::read_model::FreezeRecord;

/// Why an account is stopped from spending.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Freezing {
    /// For everybody.
    #[schema(value_type = String, max_length = 200, example = "reported stolen")]
    pub reason: Reason,
}

/// Why an account may not spend.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreezeView {
    /// The admin who stopped it. Another one lets it go on.
    #[schema(value_type = String)]
    pub by: Address,
    /// Why.
    #[schema(value_type = String)]
    pub reason: Reason,
    /// Since when.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<&Freeze> for FreezeView {
    fn from(freeze: &Freeze) -> Self {
        Self { by: freeze.by, reason: freeze.reason.clone(), at: rfc3339(freeze.at) }
    }
}

/// A time in which an account could not spend, or since which it cannot.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastFreezeView {
    /// The transaction that stopped it. Names it.
    #[schema(value_type = String)]
    pub tx_id: TxId,
    /// Which account.
    #[schema(value_type = String)]
    pub account: Address,
    /// The name of the account.
    #[schema(value_type = String)]
    pub account_name: Name,
    /// The admin who stopped it.
    #[schema(value_type = String)]
    pub by: Address,
    /// Why.
    #[schema(value_type = String, example = "reported stolen")]
    pub reason: Reason,
    /// Since when.
    #[schema(format = DateTime)]
    pub at: String,
    /// Until when. Null: it holds.
    #[schema(format = DateTime)]
    pub lifted_at: Option<String>,
    /// The other admin, who let it go on.
    #[schema(value_type = Option<String>)]
    pub lifted_by: Option<Address>,
    /// The transaction that let it go on.
    #[schema(value_type = Option<String>)]
    pub lifted_tx_id: Option<TxId>,
}

impl From<FreezeRecord> for PastFreezeView {
    fn from(record: FreezeRecord) -> Self {
        let FreezeRecord { tx, account, account_name, by, reason, at, lifted } = record;
        Self {
            tx_id: tx,
            account,
            account_name,
            by,
            reason,
            at: rfc3339(at),
            lifted_at: lifted.map(|lifted| rfc3339(lifted.at)),
            lifted_by: lifted.map(|lifted| lifted.by),
            lifted_tx_id: lifted.map(|lifted| lifted.tx),
        }
    }
}

/// Freezes, newest first.
pub type FreezeList = super::List<PastFreezeView>;

/// The most that may leave one's account in a day, UTC.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLimit {
    /// In minor units; null is no limit. Less holds at once, more after a day.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true, value_type = Option<String>, example = "100000", pattern = "^[0-9]{1,20}$")]
    pub per_day: Option<Amount>,
    /// Of what.
    #[serde(default = "coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub asset: AssetId,
}

/// A higher limit that does not hold yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct RaiseView {
    /// In minor units; null is no limit.
    #[schema(value_type = Option<String>)]
    pub per_day: Option<Amount>,
    /// From when on.
    #[schema(format = DateTime)]
    pub at: String,
}

/// How much may leave an account in a day, UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitView {
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// The most, in minor units; null is no limit.
    #[schema(value_type = Option<String>, example = "100000")]
    pub per_day: Option<Amount>,
    /// How much has left it today.
    #[schema(value_type = String, example = "2500")]
    pub spent_today: Amount,
    /// What will hold later.
    pub raise: Option<RaiseView>,
}

impl LimitView {
    /// What the chain says now. Without a row its owner never said anything.
    pub fn new(ledger: &Ledger, account: &Address, asset: AssetId) -> Self {
        let now = ledger.tip().time;
        let row = ledger.spending_limit(account, asset).copied().unwrap_or_default();
        Self { asset, per_day: row.at(now), spent_today: row.spent.on(now), raise: raise(&row, now) }
    }
}

fn raise(row: &SpendingLimit, now: UnixMillis) -> Option<RaiseView> {
    let raise = row.raise.filter(|raise| raise.at > now)?;
    Some(RaiseView { per_day: raise.per_day, at: rfc3339(raise.at) })
}
