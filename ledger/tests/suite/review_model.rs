//! The rules about reviews once more, as naively as possible: records are counted from all that there is.

use ledger::ReviewOp;
use pbft_crypto::Address;

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MReview {
    pub(crate) subject: Address,
    pub(crate) stars: u64,
    pub(crate) text: String,
}

/// Completed, cancelled, disputed, reviews, stars.
pub(crate) type MTally = [u64; 5];

impl Model {
    pub(crate) fn review(&mut self, who: Address, op: &ReviewOp) -> Outcome {
        let ReviewOp::Post { trade, rating, text } = op;
        let row = self.trades.get(trade.digest()).ok_or("UNKNOWN_TRADE")?;
        ensure(row.buyer == who || row.seller == who, "NOT_A_PARTY")?;
        ensure(matches!(row.state, "RELEASED" | "REFUNDED" | "SPLIT"), "NOT_REVIEWABLE")?;
        let key = (*trade.digest(), who);
        ensure(!self.reviews.contains_key(&key), "ALREADY_REVIEWED")?;
        let subject = if row.buyer == who { row.seller } else { row.buyer };
        let (stars, text) = (u64::from(rating.value()), text.as_str().to_owned());
        self.reviews.insert(key, MReview { subject, stars, text });
        Ok(())
    }

    /// As buyer and as seller.
    pub(crate) fn record(&self, who: &Address) -> [MTally; 2] {
        let mut record = [[0; 5]; 2];
        for (id, trade) in &self.trades {
            for (side, of) in [(0, trade.buyer), (1, trade.seller)] {
                if of == *who {
                    record[side][0] += u64::from(matches!(trade.state, "RELEASED" | "SPLIT"));
                    record[side][1] += u64::from(matches!(trade.state, "CANCELLED" | "REFUNDED"));
                    record[side][2] += u64::from(trade.was_disputed);
                    let author = if side == 0 { trade.seller } else { trade.buyer };
                    if let Some(review) = self.reviews.get(&(*id, author)) {
                        record[side][3] += 1;
                        record[side][4] += review.stars;
                    }
                }
            }
        }
        record
    }
}
