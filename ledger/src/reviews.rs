//! Reviews: what buyer and seller say of each other once a trade is over, and the record that each member has from all
//! trades. No money ever waits for a review.
//!
//! Each side may write one, which never changes, about a trade that is RELEASED, REFUNDED or SPLIT: goods were accepted or at
//! least sent. About a CANCELLED one nobody may, or purchases that cost nothing would buy reviews. The texts are in the
//! transactions; the state keeps their hashes.

mod record;

use pbft_crypto::{Address, Digest, Domain, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::{EventKind, event_names};
use crate::ids::TradeId;
use crate::state::{Context, State};
use crate::table::{Row, Table, TableId};
use crate::text::ReviewText;
use crate::time::UnixMillis;
use crate::trades::TradeState;

pub use record::{End, Record, Tally};

pub(crate) use record::{count_dispute, count_end, expected};

const TEXT: Domain = Domain::new("popmarket.review.v1");

/// Transactions about reviews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewOp {
    /// Says what the sender, who bought or sold, thinks of the other one.
    Post {
        /// In which trade.
        trade: TradeId,
        /// From 1 to 5.
        rating: Rating,
        /// In words.
        text: ReviewText,
    },
}

/// From 1, bad, to 5, good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct Rating(u8);

impl Rating {
    /// From 1 to 5.
    pub const fn new(stars: u8) -> Option<Self> {
        if matches!(stars, 1..=5) { Some(Self(stars)) } else { None }
    }

    /// From 1 to 5.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// Not from 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a rating is from 1 to 5")]
pub struct UnknownRating;

impl TryFrom<u8> for Rating {
    type Error = UnknownRating;

    fn try_from(stars: u8) -> Result<Self, UnknownRating> {
        Self::new(stars).ok_or(UnknownRating)
    }
}

/// Who wrote a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewSide {
    /// The buyer, about the seller.
    ByBuyer,
    /// The seller, about the buyer.
    BySeller,
}

/// What someone thinks of the other side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who thinks so.
    pub author: Address,
    /// Of whom.
    pub subject: Address,
    /// From 1 to 5.
    pub rating: Rating,
    /// [`review_hash`] of the words.
    pub text_hash: Digest,
    /// Since when.
    pub posted_at: UnixMillis,
}

impl Row for Review {
    type Key = (TradeId, ReviewSide);
    const TABLE: TableId = TableId::Reviews;
}

/// What the state keeps of the words of a review.
pub fn review_hash(text: &ReviewText) -> Digest {
    digest(TEXT, text.as_str().as_bytes())
}

/// Why nobody hears of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ReviewRejection {
    /// No such trade.
    #[error("there is no such trade")]
    UnknownTrade,
    /// Neither buyer nor seller.
    #[error("only buyer and seller may do this")]
    NotParty,
    /// It is not over, or was cancelled.
    #[error("not possible: the trade is {}", state.code())]
    NotReviewable {
        /// Its state.
        state: TradeState,
    },
    /// There is one already.
    #[error("each side writes one review")]
    AlreadyReviewed,
}

codes_of! {
    pub(crate) ReviewRejection {
        UnknownTrade => "UNKNOWN_TRADE",
        NotParty => "NOT_A_PARTY",
        NotReviewable => "NOT_REVIEWABLE",
        AlreadyReviewed => "ALREADY_REVIEWED",
    }
}

/// What happens to reviews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewEvent {
    /// There is a new one.
    Posted {
        /// About which trade.
        trade: TradeId,
        /// From which side.
        side: ReviewSide,
        /// Who wrote it.
        author: Address,
        /// About whom.
        subject: Address,
        /// From 1 to 5.
        rating: Rating,
        /// In words.
        text: ReviewText,
        /// [`review_hash`] of the words.
        text_hash: Digest,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    ReviewEvent {
        Self::Posted { .. } => "review.posted",
    }
}

#[derive(Default)]
pub(crate) struct Reviews {
    pub(crate) rows: Table<Review>,
    pub(crate) records: Table<Record>,
}

impl TradeState {
    /// Whether buyer and seller may write a review.
    pub const fn is_reviewable(self) -> bool {
        matches!(self, Self::Released | Self::Refunded | Self::Split)
    }
}

impl State {
    /// Whether someone may review a trade now, and from which side about whom.
    pub(crate) fn may_review(
        &self,
        author: &Address,
        trade: &TradeId,
    ) -> Result<(ReviewSide, Address), ReviewRejection> {
        let row = self.trades.find(trade).ok_or(ReviewRejection::UnknownTrade)?;
        let (side, subject) = if *author == row.buyer {
            (ReviewSide::ByBuyer, row.seller)
        } else if *author == row.seller {
            (ReviewSide::BySeller, row.buyer)
        } else {
            return Err(ReviewRejection::NotParty);
        };
        if !row.state.is_reviewable() {
            return Err(ReviewRejection::NotReviewable { state: row.state });
        }
        if self.reviews.rows.contains(&(*trade, side)) {
            return Err(ReviewRejection::AlreadyReviewed);
        }
        Ok((side, subject))
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ReviewOp,
    events: &mut Vec<EventKind>,
) -> Result<(), ReviewRejection> {
    let ReviewOp::Post { trade, rating, text } = op;
    let (author, at) = (context.sender, context.now);
    let (side, subject) = state.may_review(&author, trade)?;
    let (trade, rating, text_hash) = (*trade, *rating, review_hash(text));
    let row = Review { author, subject, rating, text_hash, posted_at: at };
    state.reviews.rows.put((trade, side), row);
    record::count_review(&mut state.reviews, subject, side, rating);
    let text = text.clone();
    events.push(ReviewEvent::Posted { trade, side, author, subject, rating, text, text_hash, at }.into());
    Ok(())
}
