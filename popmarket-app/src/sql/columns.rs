//! How values stand in columns.
//!
//! | value | column |
//! | --- | --- |
//! | ids, hashes, addresses, keys | their bytes |
//! | amounts | 20 decimal digits, so that texts sort as numbers and none is too large |
//! | times, heights, counts | integers |
//! | positions | an integer in the same order |
//! | names, titles, codes | texts |

use ledger::{
    Amount, AssetId, CancelReason, ChargeId, Description, Height, ListingId, MarketId, MarketStatus, Memo,
    Name, OrderId, OrderSide, Outcome, PaymentId, Photos, PollId, PollOption, Question, Rating, Reason,
    Reference, ReviewText, Role, Title, TokenId, TokenName, Tracking, Trade, TradeId, TradeState, TxId,
    UnixMillis, WithdrawalId,
};
use pbft_crypto::{Address, Digest, PublicKey};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{ColumnIndex, Database, Decode, Encode, Row, Type};

use super::value::Stored;
use crate::read_model::{Position, Volume};

/// A value that has a column.
pub(crate) trait Column: Sized {
    /// What stands in the column.
    type Raw: Stored;

    /// To the column.
    fn to_raw(&self) -> Self::Raw;

    /// From the column. `None` if that was never written there.
    fn from_raw(raw: Self::Raw) -> Option<Self>;
}

/// Binds a value, or reads one.
pub(crate) struct Col<T>(pub(crate) T);

impl<DB: Database, T: Column> Type<DB> for Col<T>
where
    T::Raw: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        T::Raw::type_info()
    }

    fn compatible(info: &DB::TypeInfo) -> bool {
        T::Raw::compatible(info)
    }
}

impl<'q, DB: Database, T: Column> Encode<'q, DB> for Col<T>
where
    T::Raw: Encode<'q, DB>,
{
    fn encode_by_ref(&self, arguments: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.to_raw().encode(arguments)
    }
}

impl<'r, DB: Database, T: Column> Decode<'r, DB> for Col<T>
where
    T::Raw: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        T::from_raw(T::Raw::decode(value)?).map(Self).ok_or_else(|| "not a value of this column".into())
    }
}

/// Reads columns of a row.
pub(crate) trait RowExt<'r>: Row {
    /// A value.
    fn col<T: Column>(&'r self, name: &'static str) -> Result<T, sqlx::Error>
    where
        &'static str: ColumnIndex<Self>,
        T::Raw: Decode<'r, Self::Database> + Type<Self::Database>,
    {
        Ok(self.try_get::<Col<T>, _>(name)?.0)
    }

    /// A value that may be missing.
    fn optional<T: Column>(&'r self, name: &'static str) -> Result<Option<T>, sqlx::Error>
    where
        &'static str: ColumnIndex<Self>,
        T::Raw: Decode<'r, Self::Database> + Type<Self::Database>,
    {
        Ok(self.try_get::<Option<Col<T>>, _>(name)?.map(|value| value.0))
    }
}

impl<R: Row> RowExt<'_> for R {}

macro_rules! column {
    ($($type:ty as $raw:ty: |$value:ident| $to:expr, |$stored:ident| $from:expr;)*) => {
        $(impl Column for $type {
            type Raw = $raw;

            fn to_raw(&self) -> $raw {
                let $value = self;
                $to
            }

            fn from_raw($stored: $raw) -> Option<Self> {
                $from
            }
        })*
    };
}

macro_rules! text_columns {
    ($($type:ty),*) => {
        $(column! { $type as String: |value| value.to_string(), |stored| stored.parse().ok(); })*
    };
}

macro_rules! id_columns {
    ($($type:ty),*) => {
        $(column! {
            $type as Vec<u8>: |value| value.as_bytes().to_vec(), |stored| Digest::from_raw(stored).map(Self::new);
        })*
    };
}

text_columns!(
    Name,
    Title,
    Description,
    Memo,
    Reason,
    Reference,
    ReviewText,
    Tracking,
    AssetId,
    TokenId,
    TokenName,
    MarketId,
    Question,
    PollOption
);
id_columns!(TxId, ChargeId, ListingId, TradeId, WithdrawalId, OrderId, PollId, PaymentId);

column! {
    Digest as Vec<u8>: |value| value.as_bytes().to_vec(), |stored| stored.try_into().ok().map(Self::from_bytes);
    Address as Vec<u8>: |value| value.as_bytes().to_vec(), |stored| stored.try_into().ok().map(Self::from_bytes);
    PublicKey as Vec<u8>: |value| value.as_bytes().to_vec(), |stored| Self::from_sec1_bytes(&stored).ok();
    Amount as String: |value| format!("{:020}", value.value()), |stored| stored.parse().ok();
    UnixMillis as i64: |value| number(value.value()), |stored| u64::try_from(stored).ok().map(Self::new);
    Height as i64: |value| number(value.value()), |stored| u64::try_from(stored).ok().map(Self::new);
    Position as i64: |value| value.to_number(), |stored| Self::from_number(stored);
    u64 as i64: |value| number(*value), |stored| stored.try_into().ok();
    u32 as i64: |value| i64::from(*value), |stored| stored.try_into().ok();
    u8 as i64: |value| i64::from(*value), |stored| stored.try_into().ok();
    Volume as String: |value| format!("{:039}", value.0), |stored| stored.parse().ok().map(Self);
    MarketStatus as String: |value| value.code().to_owned(), |stored| market_status(&stored);
    OrderSide as String: |value| value.code().to_owned(), |stored| order_side(&stored);
    CancelReason as String: |value| value.code().to_owned(), |stored| cancel_reason(&stored);
    TradeState as String: |value| value.code().to_owned(), |stored| Self::ALL.into_iter().find(|state| state.code() == stored);
    Role as String: |value| value.code().to_owned(), |stored| Self::ALL.into_iter().find(|role| role.code() == stored);
    Rating as i64: |value| i64::from(value.value()), |stored| Self::new(stored.try_into().ok()?);
    Trade as Vec<u8>: |value| encode(value), |stored| postcard::from_bytes(&stored).ok();
    Outcome as Vec<u8>: |value| encode(value), |stored| postcard::from_bytes(&stored).ok();
    Photos as Vec<u8>: |value| encode(value), |stored| postcard::from_bytes(&stored).ok();
}

/// Times, heights and counts come from blocks and never get near 2^63.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn market_status(code: &str) -> Option<MarketStatus> {
    [MarketStatus::Open, MarketStatus::Halted].into_iter().find(|status| status.code() == code)
}

fn order_side(code: &str) -> Option<OrderSide> {
    [OrderSide::Buy, OrderSide::Sell].into_iter().find(|side| side.code() == code)
}

fn cancel_reason(code: &str) -> Option<CancelReason> {
    use CancelReason::{Expired, Frozen, Requested, SelfTrade, TooManyMeetings, Unfilled};
    let all = [Requested, Expired, SelfTrade, Unfilled, TooManyMeetings, Frozen];
    all.into_iter().find(|reason| reason.code() == code)
}

#[expect(
    clippy::expect_used,
    reason = "postcard fails on sequences of unknown length only: columns have none"
)]
fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("columns are encodable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_sort_as_numbers_and_none_is_too_large() {
        let amounts = [0, 9, 10, 1 << 63, u64::MAX].map(Amount::new);
        let texts = amounts.map(|amount| amount.to_raw());
        assert!(texts.is_sorted());
        assert_eq!(texts.map(|text| Amount::from_raw(text).unwrap()), amounts);
    }

    #[test]
    fn what_was_never_written_is_not_read() {
        assert_eq!(Digest::from_raw(vec![1; 31]), None);
        assert_eq!(Height::from_raw(-1), None);
        assert_eq!(TradeState::from_raw("LOST".into()), None);
        assert_eq!(Name::from_raw(" ".into()), None);
    }
}
