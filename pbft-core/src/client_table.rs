//! Which requests were executed, and the replies that clients may ask for again: the memory behind "exactly once".
//!
//! Each client has a window of [`WINDOW`] numbers. A number in the window is executed at most once, in any order, so
//! that one client can have many requests in flight and a primary cannot censor one by ordering a later one first. The
//! window slides over numbers that are used up.
//!
//! The table is part of the replicated state: it changes only by execution, so it is equal on all replicas at equal
//! sequence numbers, and its digest is part of every checkpoint.

use std::collections::{BTreeMap, VecDeque};

use pbft_crypto::{Digest, Domain};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{ClientId, RequestId, RequestNumber, Seq},
    service::Outcome,
    wire::{DecodeError, EncodeError},
};

/// How many numbers of a client may be in flight.
pub const WINDOW: u64 = 256;

/// What the table says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may execute.
    Fresh,
    /// It was executed.
    Executed,
    /// Its number lies before the window: it was executed, or skipped for good.
    TooOld,
    /// Its number lies past the window.
    TooFar,
    /// The client is new, and there is no room for another one.
    NoRoom,
}

/// One client's window: all numbers before `base` are used up, and `base + i` is if bit `i` is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    base: u64,
    used: [u64; (WINDOW / 64) as usize],
}

impl Window {
    /// outside the window nothing is fresh.
    fn standing(&self, number: RequestNumber) -> Standing {
        let Some(offset) = number.value().checked_sub(self.base) else { return Standing::TooOld };
        match self.used.get(word(offset)) {
            None => Standing::TooFar,
            Some(bits) if bits & bit(offset) != 0 => Standing::Executed,
            Some(_) => Standing::Fresh,
        }
    }

    fn mark(&mut self, number: RequestNumber) {
        let Some(offset) = number.value().checked_sub(self.base) else { return };
        if let Some(bits) = self.used.get_mut(word(offset)) {
            *bits |= bit(offset);
        }
        let [first, ..] = self.used;
        self.slide(first.trailing_ones());
    }

    /// Drops `count <= 64` used numbers at the front, and as many more as follow.
    fn slide(&mut self, count: u32) {
        let mut count = count;
        while count > 0 {
            let carry =
                |word: u64| if count >= 64 { word } else { word.unbounded_shl(64u32.saturating_sub(count)) };
            let [a, b, c, d] = self.used;
            self.used = [
                a.unbounded_shr(count) | carry(b),
                b.unbounded_shr(count) | carry(c),
                c.unbounded_shr(count) | carry(d),
                d.unbounded_shr(count),
            ];
            self.base = self.base.saturating_add(u64::from(count));
            let [first, ..] = self.used;
            count = first.trailing_ones();
        }
    }
}

fn word(offset: u64) -> usize {
    usize::try_from(offset / 64).unwrap_or(usize::MAX)
}

const fn bit(offset: u64) -> u64 {
    1 << (offset % 64)
}

/// A reply that can be given again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReply {
    /// The digest of the request that it answers: a number alone does not say which one was executed under it.
    pub request: Digest,
    /// Where the request was executed.
    pub seq: Seq,
    /// What came of it.
    pub outcome: Outcome,
}

/// The windows of all clients, and recent replies. Both are bounded.
#[derive(Clone, Debug)]
pub struct ClientTable {
    max_clients: usize,
    max_reply_bytes: usize,
    windows: BTreeMap<ClientId, Window>,
    replies: BTreeMap<RequestId, StoredReply>,
    reply_order: VecDeque<RequestId>,
    reply_bytes: usize,
}

/// What a stored reply costs besides its outcome.
const REPLY_OVERHEAD: usize = 96;

impl ClientTable {
    /// An empty table that remembers `max_clients` clients and `max_reply_bytes` of replies.
    #[must_use]
    pub const fn new(max_clients: usize, max_reply_bytes: usize) -> Self {
        Self {
            max_clients,
            max_reply_bytes,
            windows: BTreeMap::new(),
            replies: BTreeMap::new(),
            reply_order: VecDeque::new(),
            reply_bytes: 0,
        }
    }

    /// What it says about a request.
    #[must_use]
    pub fn standing(&self, id: &RequestId) -> Standing {
        match self.windows.get(&id.client) {
            Some(window) => window.standing(id.number),
            None if self.windows.len() < self.max_clients => Window::default().standing(id.number),
            // A window is never forgotten: its numbers could be used again.
            None => Standing::NoRoom,
        }
    }

    /// The reply, if the request was executed and it is still remembered.
    #[must_use]
    pub fn reply(&self, id: &RequestId) -> Option<&StoredReply> {
        self.replies.get(id)
    }

    /// E-4: takes down that a fresh request was executed. A refused one leaves no trace.
    pub fn record(&mut self, id: RequestId, request: Digest, seq: Seq, outcome: Outcome) {
        if matches!(outcome, Outcome::Refused(_)) {
            return;
        }
        self.windows.entry(id.client).or_default().mark(id.number);
        self.reply_bytes = self.reply_bytes.saturating_add(cost(&outcome));
        self.reply_order.push_back(id);
        self.replies.insert(id, StoredReply { request, seq, outcome });
        self.forget_old_replies();
    }

    fn forget_old_replies(&mut self) {
        while self.reply_bytes > self.max_reply_bytes {
            let Some(oldest) = self.reply_order.pop_front() else { return };
            if let Some(reply) = self.replies.remove(&oldest) {
                self.reply_bytes = self.reply_bytes.saturating_sub(cost(&reply.outcome));
            }
        }
    }

    /// The whole table as bytes, the same on every replica at the same sequence number.
    ///
    /// # Errors
    /// If the configured bounds allow a table that no record can hold.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let replies = self.reply_order.iter().filter_map(|id| Some((*id, self.replies.get(id)?.clone())));
        crate::wire::encode(&Snapshot {
            windows: self.windows.iter().map(|(client, window)| (*client, *window)).collect(),
            replies: replies.collect(),
        })
    }

    /// Takes over an encoded table.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let snapshot: Snapshot = crate::wire::decode(bytes)?;
        *self = Self::new(self.max_clients, self.max_reply_bytes);
        self.windows.extend(snapshot.windows);
        for (id, reply) in snapshot.replies {
            self.reply_bytes = self.reply_bytes.saturating_add(cost(&reply.outcome));
            self.reply_order.push_back(id);
            self.replies.insert(id, reply);
        }
        Ok(())
    }

    /// Whether a client has ever executed anything.
    #[must_use]
    pub fn knows(&self, client: &ClientId) -> bool {
        self.windows.contains_key(client)
    }

    /// How many clients are remembered.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.windows.len()
    }
}

fn cost(outcome: &Outcome) -> usize {
    outcome.as_bytes().len().saturating_add(REPLY_OVERHEAD)
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    windows: Vec<(ClientId, Window)>,
    replies: Vec<(RequestId, StoredReply)>,
}

/// An encoded table is handed on, and named, in chunks of this size.
pub const CHUNK_BYTES: usize = 256 << 10;

const CHUNK_DOMAIN: Domain = Domain::new("pbft/clients-chunk/v1");

/// The names of an encoded table's chunks, in order. All but the last have [`CHUNK_BYTES`].
#[must_use]
pub fn chunk_digests(encoded: &[u8]) -> Vec<Digest> {
    encoded.chunks(CHUNK_BYTES).map(chunk_digest).collect()
}

/// The name of one chunk.
#[must_use]
pub fn chunk_digest(chunk: &[u8]) -> Digest {
    pbft_crypto::digest(CHUNK_DOMAIN, chunk)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(client: u8, number: u64) -> RequestId {
        RequestId { client: ClientId::from_bytes([client; 32]), number: RequestNumber::new(number) }
    }

    fn applied() -> Outcome {
        Outcome::Applied(vec![7; 10])
    }

    /// Mistake 22: with one "last timestamp", a primary censors a request by ordering a later one first.
    #[test]
    fn a_later_number_does_not_shut_out_an_earlier_one() {
        let mut table = ClientTable::new(10, 1000);
        table.record(id(1, 9), Digest::ZERO, Seq::new(1), applied());
        assert_eq!(table.standing(&id(1, 3)), Standing::Fresh);
        assert_eq!(table.standing(&id(1, 9)), Standing::Executed);
    }

    /// Mistake 23: a refused request must leave no trace.
    #[test]
    fn a_refused_request_may_come_again() {
        let mut table = ClientTable::new(10, 1000);
        table.record(id(1, 0), Digest::ZERO, Seq::new(1), Outcome::Refused(vec![]));
        assert_eq!(table.standing(&id(1, 0)), Standing::Fresh);
        assert_eq!((table.clients(), table.reply(&id(1, 0))), (0, None));
    }

    #[test]
    fn memory_is_bounded_and_no_window_is_forgotten() {
        let mut table = ClientTable::new(2, 2 * (10 + REPLY_OVERHEAD));
        for (client, number) in [(1, 0), (2, 0), (2, 1)] {
            table.record(id(client, number), Digest::ZERO, Seq::new(1), applied());
        }
        assert_eq!((table.clients(), table.standing(&id(3, 0))), (2, Standing::NoRoom));
        assert_ne!(table.standing(&id(1, 0)), Standing::Fresh, "what was executed is known for ever");
        assert!(
            table.reply(&id(1, 0)).is_none() && table.reply(&id(2, 1)).is_some(),
            "the oldest reply goes first"
        );
    }

    proptest! {
        /// The window agrees with a plain set of used numbers.
        #[test]
        fn window_is_a_set(numbers in prop::collection::vec(0u64..600, 1..600)) {
            let mut window = Window::default();
            let mut used = BTreeSet::new();
            for number in numbers {
                let base = (0..).find(|n| !used.contains(n)).unwrap();
                let expected = if number < base { Standing::TooOld }
                    else if number >= base + WINDOW { Standing::TooFar }
                    else if used.contains(&number) { Standing::Executed }
                    else { Standing::Fresh };
                prop_assert_eq!(window.standing(RequestNumber::new(number)), expected);
                if expected == Standing::Fresh {
                    window.mark(RequestNumber::new(number));
                    used.insert(number);
                }
                prop_assert_eq!(window.base, (0..).find(|n| !used.contains(n)).unwrap());
            }
        }

        #[test]
        fn encoding_keeps_everything(records in prop::collection::vec((0u8..5, 0u64..40), 0..100)) {
            let mut table = ClientTable::new(3, 2000);
            for (at, (client, number)) in records.into_iter().enumerate() {
                let id = id(client, number);
                if table.standing(&id) == Standing::Fresh {
                    table.record(id, Digest::ZERO, Seq::new(at as u64), applied());
                }
            }
            let bytes = table.encode().unwrap();
            let mut restored = ClientTable::new(3, 2000);
            restored.restore(&bytes).unwrap();
            prop_assert_eq!(restored.encode().unwrap(), bytes);
            prop_assert_eq!(restored.reply_bytes, table.reply_bytes);
        }
    }
}
