//! Which deadlines run, in the order in which they fire.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, PaymentId, PollId, RecoveryId, TradeId};
use crate::time::UnixMillis;

/// How many deadlines fire at the start of one block at most. The rest waits for the next block, or for a transaction
/// that touches the object.
pub const MAX_DEADLINES_PER_BLOCK: usize = 256;

/// Something that can have a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectId {
    /// A trade.
    Trade(TradeId),
    /// A recovery of an account.
    Recovery(RecoveryId),
    /// An order.
    Order(OrderId),
    /// A poll.
    Poll(PollId),
    /// A payment whose money is held.
    Payment(PaymentId),
}

/// An index over the objects, each with one deadline at most: it is not part of the state, but follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadlines(BTreeSet<(UnixMillis, ObjectId)>);

impl Deadlines {
    /// Replaces the deadline of an object.
    pub(crate) fn replace(&mut self, object: ObjectId, old: Option<UnixMillis>, new: Option<UnixMillis>) {
        if let Some(at) = old {
            self.0.remove(&(at, object));
        }
        if let Some(at) = new {
            self.0.insert((at, object));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<UnixMillis> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out the first one that is due.
    pub(crate) fn pop_due(&mut self, now: UnixMillis) -> Option<(UnixMillis, ObjectId)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first()
    }

    /// Takes out one that is known.
    pub(crate) fn take(&mut self, at: UnixMillis, object: ObjectId) -> bool {
        self.0.remove(&(at, object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbft_crypto::Digest;

    #[test]
    fn they_fire_in_the_order_of_time_and_id() {
        let object = |byte| ObjectId::Trade(TradeId::new(Digest::from_bytes([byte; 32])));
        let at = UnixMillis::new;
        let mut deadlines = Deadlines::default();
        for (time, id) in [(20, 1), (10, 9), (10, 3), (30, 0)] {
            deadlines.replace(object(id), None, Some(at(time)));
        }
        deadlines.replace(object(1), Some(at(20)), Some(at(15)));
        deadlines.replace(object(0), Some(at(30)), None);
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.pop_due(at(9)), None);
        let fired: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(at(15))).collect();
        assert_eq!(fired, [(at(10), object(3)), (at(10), object(9)), (at(15), object(1))]);
        assert_eq!(deadlines, Deadlines::default());
    }
}
