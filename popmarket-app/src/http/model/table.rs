//! The tables that lists are as CSV. Money is in minor units here, too, and times are RFC 3339 in UTC.

use super::{ChargeView, FillView, SaleView, TradeView, TransactionView};
use crate::http::csv::Record;

macro_rules! tables {
    ($($table:literal of $view:ty as $it:ident by $cursor:ident { $($column:ident = $value:expr,)* })*) => {
        $(impl Record for $view {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),*];

            fn cursor(&self) -> String {
                self.$cursor.to_string()
            }

            fn cells(&self) -> Vec<String> {
                let $it = self;
                vec![$($value.to_string()),*]
            }
        })*
    };
}

/// Empty if there is none.
fn some<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

tables! {
    "transactions" of TransactionView as it by tx_id {
        tx_id = it.tx_id,
        height = it.height,
        index = it.index,
        time = it.time,
        kind = it.kind,
        summary = it.summary,
        sender = it.sender,
        nonce = it.nonce,
        status = it.outcome.status,
        code = some(it.outcome.code.as_ref()),
    }

    "trades" of TradeView as it by id {
        id = it.id,
        opened_at = it.opened_at,
        updated_at = it.updated_at,
        state = it.state,
        listing = it.listing,
        version = it.version,
        title = it.title,
        seller = it.seller,
        seller_name = it.seller_name,
        buyer = it.buyer,
        buyer_name = it.buyer_name,
        amount = it.amount,
        fee = it.fee,
        asset = it.asset,
        paid_to_seller = some(it.paid.as_ref().map(|paid| &paid.to_seller)),
        paid_to_buyer = some(it.paid.as_ref().map(|paid| &paid.to_buyer)),
        paid_fee = some(it.paid.as_ref().map(|paid| &paid.fee)),
        given_back = it.given_back,
    }

    "sales" of SaleView as it by trade {
        trade = it.trade,
        opened_at = it.opened_at,
        closed_at = it.closed_at,
        state = it.state,
        listing = it.listing,
        version = it.version,
        title = it.title,
        price = it.price,
        asset = it.asset,
        paid_to_seller = it.paid.to_seller,
        paid_to_buyer = it.paid.to_buyer,
        paid_fee = it.paid.fee,
        given_back = it.given_back,
        seller = it.seller,
        seller_name = it.seller_name,
        buyer = it.buyer,
        buyer_name = it.buyer_name,
    }

    "fills" of FillView as it by id {
        market = it.market,
        number = it.number,
        at = it.at,
        price = it.price,
        quantity = it.quantity,
        cost = it.cost,
        fee = it.fee,
        buyer = it.buyer,
        seller = it.seller,
        taker_side = it.taker_side.code(),
        id = it.id,
    }

    "charges" of ChargeView as it by id {
        id = it.id,
        requested_at = it.requested_at,
        requester = it.requester,
        requester_name = it.requester_name,
        amount = it.amount,
        asset = it.asset,
        memo = it.memo,
        status = it.status,
        by_policy = it.by_policy,
        first_approval = some(it.first_approval.as_ref()),
        decided_by = some(it.decided_by.as_ref()),
        decided_at = some(it.decided_at.as_ref()),
        reason = some(it.reason.as_ref()),
    }
}
