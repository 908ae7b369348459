//! Your own request buffer: the highest bid goes first. The rules are in the docs of `RequestBuffer`.
//!
//! ```sh
//! cargo run --release --example own_request_buffer
//! cargo test --example own_request_buffer    # whether it keeps the rules of the port
//! ```

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use pbft_core::{
    Config, Request, RequestId, Seq,
    local::LocalCluster,
    request_buffer::{BatchLimits, BufferRefusal, Lane, RequestBuffer, Waiting},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};

/// Orders by bid (the operation's first byte), then by arrival. Bounded by `capacity`.
///
/// A low bid still gets its turn: each time it is passed over, its bid rises by one.
struct Auction {
    capacity: usize,
    entries: BTreeMap<RequestId, Bid>,
}

struct Bid {
    request: Request,
    since: Duration,
    amount: u32,
    taken: bool,
}

impl RequestBuffer for Auction {
    fn offer(&mut self, now: Duration, _lane: Lane, request: Request) -> Result<(), BufferRefusal> {
        let id = request.id();
        match self.entries.get(&id) {
            Some(bid) if bid.request == request => return Err(BufferRefusal::Duplicate),
            Some(_) => return Err(BufferRefusal::NumberInUse),
            None if self.entries.len() >= self.capacity => return Err(BufferRefusal::Full),
            None => {}
        }
        let amount = request.operation.as_bytes().first().copied().unwrap_or(0).into();
        self.entries.insert(id, Bid { request, since: now, amount, taken: false });
        Ok(())
    }

    fn take(&mut self, limits: BatchLimits) -> Vec<Request> {
        let mut waiting: Vec<_> = self.entries.values_mut().filter(|bid| !bid.taken).collect();
        waiting.sort_by_key(|bid| (Reverse(bid.amount), bid.since));
        let mut bytes = 0;
        let mut batch = Vec::new();
        for bid in waiting {
            bytes += bid.request.operation.len();
            if batch.len() < limits.requests && bytes <= limits.bytes {
                bid.taken = true;
                batch.push(bid.request.clone());
            } else {
                bid.amount += 1;
            }
        }
        batch
    }

    fn release(&mut self) {
        for bid in self.entries.values_mut() {
            bid.taken = false;
        }
    }

    fn settle(&mut self, ids: &[RequestId]) {
        for id in ids {
            self.entries.remove(id);
        }
    }

    fn overdue(&mut self, _now: Duration, since: Duration, limits: BatchLimits) -> Vec<Request> {
        let old = self.entries.values().filter(|bid| !bid.taken && bid.since <= since);
        old.take(limits.requests).map(|bid| bid.request.clone()).collect()
    }

    fn waiting(&self) -> Waiting {
        let waiting = self.entries.values().filter(|bid| !bid.taken);
        let (requests, bytes) =
            waiting.fold((0, 0), |(count, bytes), bid| (count + 1, bytes + bid.request.operation.len()));
        Waiting { requests, bytes }
    }
}

/// Tells each bid in which place it was executed.
struct Places(u8);

impl Service for Places {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let places = batch.requests.iter().map(|_| {
            self.0 += 1;
            Outcome::Applied(vec![self.0])
        });
        Executed::new(places.collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

fn main() {
    let auction = |_: &Config| -> Box<dyn RequestBuffer> {
        Box::new(Auction { capacity: 100, entries: BTreeMap::new() })
    };
    let mut cluster = LocalCluster::with_buffers(4, || Places(0), auction);
    // The first two are proposed at once, each by itself; the others wait meanwhile, and the auction orders them.
    let bids = [3, 7, 40, 250, 9];
    let accepted = cluster.submit_together(bids.iter().map(|bid| vec![*bid]).collect());
    let mut order: Vec<_> = accepted.into_iter().flatten().zip(bids).collect();
    order.sort_by_key(|(accepted, _)| accepted.outcome.as_bytes()[0]);
    for (accepted, bid) in order {
        println!("place {}: bid {bid:>3} in batch {}", accepted.outcome.as_bytes()[0], accepted.seq);
    }
}

#[cfg(test)]
mod tests {
    use pbft_core::conformance;

    use super::*;

    #[test]
    fn an_auction_keeps_the_rules_of_a_request_buffer() {
        conformance::request_buffer(|limits| {
            Box::new(Auction { capacity: limits.requests.min(100), entries: BTreeMap::new() })
        })
        .unwrap();
    }
}
