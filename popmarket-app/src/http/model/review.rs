use ledger::{Name, Rating, Record, ReviewText, Tally, Title, TradeId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;
use crate::read_model::{ReviewRecord, side_code};

/// What someone thinks of the other side of a trade.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// From 1 to 5.
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 5)]
    pub rating: Rating,
    /// In words. May be left out.
    #[serde(default = "no_text")]
    #[schema(value_type = String, max_length = 1000, example = "quick and kind")]
    pub text: ReviewText,
}

/// The text of a review that has none.
fn no_text() -> ReviewText {
    ReviewText::new("").expect("a review may have no text: see the test")
}

/// What someone says of the other side of a trade.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewView {
    /// Its place in the one order of all events.
    #[schema(example = "12-3")]
    pub id: String,
    /// In which trade.
    #[schema(value_type = String)]
    pub trade: TradeId,
    /// What was bought.
    #[schema(value_type = String)]
    pub title: Title,
    /// From which side: `BUYER` or `SELLER`.
    #[schema(example = "BUYER")]
    pub by: &'static str,
    /// Who says so.
    #[schema(value_type = String)]
    pub author: Address,
    /// The author's name.
    #[schema(value_type = String)]
    pub author_name: Name,
    /// From 1 to 5.
    #[schema(value_type = u8, example = 5)]
    pub rating: Rating,
    /// In words.
    #[schema(value_type = String)]
    pub text: ReviewText,
    /// When.
    #[schema(format = DateTime)]
    pub posted_at: String,
}

impl From<ReviewRecord> for ReviewView {
    fn from(record: ReviewRecord) -> Self {
        Self {
            id: record.position.to_string(),
            trade: record.trade,
            title: record.title,
            by: side_code(record.side),
            author: record.author,
            author_name: record.author_name,
            rating: record.rating,
            text: record.text,
            posted_at: rfc3339(record.at),
        }
    }
}

/// A member's trades on one side.
#[derive(Debug, Serialize, ToSchema)]
pub struct TallyView {
    /// How many ended with the seller paid, in full or in part.
    pub completed: u64,
    /// How many ended with the buyer paid back.
    pub cancelled: u64,
    /// How many went to an arbiter.
    pub disputed: u64,
    /// How many reviews there are about the member.
    pub reviews: u64,
    /// The sum of their ratings: divided by `reviews`, the average.
    pub stars: u64,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        let Tally { completed, cancelled, disputed, reviews, stars } = tally;
        Self { completed, cancelled, disputed, reviews, stars }
    }
}

/// What a member has behind them, counted from the chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordView {
    /// Where they bought.
    pub as_buyer: TallyView,
    /// Where they sold.
    pub as_seller: TallyView,
}

impl From<Record> for RecordView {
    fn from(record: Record) -> Self {
        Self { as_buyer: record.as_buyer.into(), as_seller: record.as_seller.into() }
    }
}

/// Reviews about a member, newest first, and what they have behind them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewList {
    /// The reviews.
    #[serde(flatten)]
    pub list: super::List<ReviewView>,
    /// All of the member's trades and reviews in numbers.
    pub record: RecordView,
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_review_may_have_no_text() {
        assert!(super::no_text().as_str().is_empty());
    }
}
