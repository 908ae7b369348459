use ledger::{Amount, AssetId, ListingId, Name, Payout, Title, TradeId};
use pbft_crypto::Address;
use serde::Serialize;
use utoipa::ToSchema;

use super::trade::PaidView;
use crate::http::timestamp::rfc3339;
use crate::read_model::TradeRecord;

/// A purchase that is over: what was agreed, and where the money went.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaleView {
    /// The trade.
    #[schema(value_type = String)]
    pub trade: TradeId,
    /// What was bought.
    #[schema(value_type = String)]
    pub listing: ListingId,
    /// In which version.
    pub version: u32,
    /// What it is called in that version.
    #[schema(value_type = String)]
    pub title: Title,
    /// What the buyer paid.
    #[schema(value_type = String, example = "12000")]
    pub price: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// `RELEASED`, `CANCELLED`, `REFUNDED` or `SPLIT`.
    #[schema(example = "RELEASED")]
    pub state: &'static str,
    /// Where the money went.
    pub paid: PaidView,
    /// What the seller gave back afterwards.
    #[schema(value_type = String, example = "0")]
    pub given_back: Amount,
    /// Who sold.
    #[schema(value_type = String)]
    pub seller: Address,
    /// The seller's name.
    #[schema(value_type = String)]
    pub seller_name: Name,
    /// Who bought.
    #[schema(value_type = String)]
    pub buyer: Address,
    /// The buyer's name.
    #[schema(value_type = String)]
    pub buyer_name: Name,
    /// When it began.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// When the money went its way.
    #[schema(format = DateTime)]
    pub closed_at: String,
}

impl SaleView {
    /// Of a trade that is over.
    pub fn new(record: TradeRecord) -> Self {
        let row = record.row;
        let closed_at = record.closed_at.unwrap_or(row.updated_at);
        let nothing = Payout { to_buyer: Amount::ZERO, to_seller: Amount::ZERO, fee: Amount::ZERO };
        let Payout { to_buyer, to_seller, fee } = row.payout.unwrap_or(nothing);
        Self {
            trade: record.id,
            listing: record.listing,
            version: record.version,
            title: record.title,
            price: row.amount,
            asset: AssetId::Pop,
            state: row.state.code(),
            paid: PaidView { to_buyer, to_seller, fee },
            given_back: row.given_back,
            seller: record.seller,
            seller_name: record.seller_name,
            buyer: record.buyer,
            buyer_name: record.buyer_name,
            opened_at: rfc3339(row.opened_at),
            closed_at: rfc3339(closed_at),
        }
    }
}
