//! The kit for [`RequestBuffer`].

use core::time::Duration;
use std::collections::BTreeSet;

use super::{Verdict, equal, hold};
use crate::{
    ids::{ClientId, RequestId, RequestNumber},
    message::{Operation, Request},
    request_buffer::{BatchLimits, BufferLimits, BufferRefusal, Lane, RequestBuffer, Waiting},
};

type Buffer = Box<dyn RequestBuffer>;

/// Takes buffers through the rules of [`RequestBuffer`]. `make` makes one that may hold what it is told; one with fixed
/// bounds of its own may hold less, but must hold 50 requests of one client.
///
/// # Errors
/// The first rule that is broken.
pub fn request_buffer(mut make: impl FnMut(BufferLimits) -> Buffer) -> Verdict {
    let roomy = BufferLimits {
        requests: 1_000,
        bytes: 1 << 20,
        requests_per_client: 1_000,
        ..BufferLimits::default()
    };
    gives_each_once(make(roomy.clone()))?;
    knows_what_it_has(make(roomy.clone()))?;
    keeps_to_the_limits_of_a_batch(make(roomy.clone()))?;
    counts_what_waits(make(roomy.clone()))?;
    is_bounded_and_forgets_what_it_refuses(make(BufferLimits { requests: 60, ..roomy.clone() }))?;
    hands_out_what_is_overdue(make(roomy.clone()))?;
    for lane in [Lane::Normal, Lane::Urgent] {
        keeps_nobody_from_their_turn(make(roomy.clone()), lane)?;
    }
    Ok(())
}

const NOW: Duration = Duration::from_secs(100);
const ALL: BatchLimits = BatchLimits { requests: 10_000, bytes: 1 << 20 };
const TAKEN: &str = "an offer to a buffer with room is taken";
const ONCE: &str = "take returns each request once";

fn gives_each_once(mut buffer: Buffer) -> Verdict {
    let requests: Vec<_> = (0..40).map(|number| request(number_of(number % 4), number / 4, 10)).collect();
    for (place, request) in requests.iter().enumerate() {
        let lane = if place.is_multiple_of(3) { Lane::Urgent } else { Lane::Normal };
        equal(TAKEN, &buffer.offer(NOW, lane, request.clone()), &Ok(()))?;
    }
    let mut taken = Vec::new();
    for _ in 0..40 {
        taken.extend(buffer.take(BatchLimits { requests: 3, bytes: 1 << 20 }));
    }
    equal(ONCE, &sorted(&taken), &sorted(&requests))?;
    equal("what was taken does not wait", &buffer.waiting(), &Waiting::default())?;
    buffer.release();
    equal("what was released waits again", &sorted(&buffer.take(ALL)), &sorted(&requests))?;
    buffer.settle(&requests.iter().map(Request::id).collect::<Vec<_>>());
    buffer.release();
    equal("what was settled is gone", &buffer.take(ALL), &Vec::new())
}

fn knows_what_it_has(mut buffer: Buffer) -> Verdict {
    let (first, other) = (request(1, 1, 5), request(1, 1, 6));
    equal(TAKEN, &buffer.offer(NOW, Lane::Normal, first.clone()), &Ok(()))?;
    let same = "the very same request is a duplicate";
    let differs = "another request with the same number is not taken";
    for taken in [false, true] {
        if taken {
            equal(ONCE, &buffer.take(ALL), &vec![first.clone()])?;
        }
        let again = buffer.offer(NOW, Lane::Normal, first.clone());
        equal(same, &again, &Err(BufferRefusal::Duplicate))?;
        let instead = buffer.offer(NOW, Lane::Normal, other.clone());
        equal(differs, &instead, &Err(BufferRefusal::NumberInUse))?;
        equal("a refused request leaves no trace", &buffer.waiting().requests, &usize::from(!taken))?;
    }
    buffer.settle(&[first.id()]);
    equal("a settled number is free", &buffer.offer(NOW, Lane::Normal, other), &Ok(()))
}

fn keeps_to_the_limits_of_a_batch(mut buffer: Buffer) -> Verdict {
    for number in 0..30 {
        equal(TAKEN, &buffer.offer(NOW, lane_of(number), request(1, number, 10)), &Ok(()))?;
    }
    for (requests, bytes, expected) in [(7, 1 << 20, 7), (100, 45, 4), (1, 10, 1)] {
        let batch = buffer.take(BatchLimits { requests, bytes });
        equal("a batch is as large as its limits and what waits allow", &batch.len(), &expected)?;
    }
    Ok(())
}

fn counts_what_waits(mut buffer: Buffer) -> Verdict {
    let rule = "waiting tells what was not taken";
    for number in 0..10 {
        equal(TAKEN, &buffer.offer(NOW, lane_of(number), request(2, number, 8)), &Ok(()))?;
    }
    equal(rule, &buffer.waiting(), &Waiting { requests: 10, bytes: 80 })?;
    let taken = buffer.take(BatchLimits { requests: 4, bytes: 1 << 20 });
    equal(rule, &buffer.waiting(), &Waiting { requests: 6, bytes: 48 })?;
    buffer.settle(&taken.iter().map(Request::id).collect::<Vec<_>>());
    equal(rule, &buffer.waiting(), &Waiting { requests: 6, bytes: 48 })
}

fn is_bounded_and_forgets_what_it_refuses(mut buffer: Buffer) -> Verdict {
    let mut held = Vec::new();
    let mut refused = None;
    for number in 0..100_000 {
        let request = request(1, number, 1);
        match buffer.offer(NOW, Lane::Normal, request.clone()) {
            Ok(()) => held.push(request.id()),
            Err(why) => {
                refused = Some((request, why));
                break;
            }
        }
        // What is taken counts, too.
        if number.is_multiple_of(2) {
            buffer.take(BatchLimits { requests: 1, bytes: 1 << 20 });
        }
    }
    let rule = "a buffer is bounded, and what was taken counts until it is settled";
    let Some((request, why)) = refused else {
        return hold(rule, false, || format!("{} are held", held.len()));
    };
    equal(rule, &why, &BufferRefusal::Full)?;
    hold("a buffer takes what it has room for", held.len() >= 50, || format!("full with {}", held.len()))?;
    buffer.settle(&held);
    equal("a refused request may come again", &buffer.offer(NOW, Lane::Normal, request), &Ok(()))
}

fn hands_out_what_is_overdue(mut buffer: Buffer) -> Verdict {
    let early = NOW.saturating_sub(Duration::from_secs(1));
    equal(TAKEN, &buffer.offer(early, Lane::Normal, request(1, 1, 5)), &Ok(()))?;
    equal(TAKEN, &buffer.offer(NOW, Lane::Normal, request(2, 1, 5)), &Ok(()))?;
    let rule = "overdue returns what has waited since then, and leaves it";
    for _ in 0..2 {
        equal(rule, &buffer.overdue(NOW, early, ALL), &vec![request(1, 1, 5)])?;
    }
    let next = buffer.next_in_turn(NOW, early);
    equal("what comes next in turn is overdue", &next, &vec![request(1, 1, 5).id()])?;
    let both = buffer.overdue(NOW, NOW, ALL);
    equal(rule, &sorted(&both), &vec![request(1, 1, 5), request(2, 1, 5)])?;
    let none = buffer.overdue(NOW, NOW, BatchLimits { requests: 0, bytes: 0 });
    equal("overdue keeps to its limits", &none, &Vec::new())?;
    buffer.take(ALL);
    equal("what was taken is not overdue", &buffer.overdue(NOW, NOW, ALL), &Vec::new())
}

/// One client floods, in the urgent lane or not; a single request of another must come out nevertheless.
fn keeps_nobody_from_their_turn(mut buffer: Buffer, flood: Lane) -> Verdict {
    let quiet = request(9, 0, 1);
    let mut next = 0u64;
    let mut offer_flood = |buffer: &mut Buffer| {
        for _ in 0..10 {
            // Full or not: the flood takes all that there is.
            let _ = buffer.offer(NOW, flood, request(1, next, 200));
            next = next.saturating_add(1);
        }
    };
    for _ in 0..4 {
        offer_flood(&mut buffer);
    }
    equal(TAKEN, &buffer.offer(NOW, Lane::Normal, quiet.clone()), &Ok(()))?;
    for _ in 0..1_000 {
        offer_flood(&mut buffer);
        let batch = buffer.take(BatchLimits { requests: 10, bytes: 1 << 20 });
        if batch.contains(&quiet) {
            return Ok(());
        }
        buffer.settle(&batch.iter().map(Request::id).collect::<Vec<_>>());
    }
    hold("no client keeps another from its turn", false, || {
        format!("{flood:?} requests of one kept another waiting")
    })
}

fn lane_of(number: u64) -> Lane {
    if number.is_multiple_of(4) { Lane::Urgent } else { Lane::Normal }
}

fn number_of(client: u64) -> u8 {
    u8::try_from(client).unwrap_or(u8::MAX)
}

fn request(client: u8, number: u64, bytes: u8) -> Request {
    Request {
        client: ClientId::from_bytes([client; 32]),
        number: RequestNumber::new(number),
        operation: Operation::new(vec![bytes; usize::from(bytes)]),
    }
}

fn sorted(requests: &[Request]) -> Vec<Request> {
    let mut sorted = requests.to_vec();
    sorted.sort();
    let ids: BTreeSet<RequestId> = requests.iter().map(Request::id).collect();
    // A repeated one stays visible.
    if ids.len() == sorted.len() { sorted } else { [sorted.clone(), sorted].concat() }
}
