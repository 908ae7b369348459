//! whose turn it is in the buffer.

use std::time::Duration;

use pbft_core::request_buffer::{BatchLimits, BufferLimits, FairBuffer, Lane, RequestBuffer};

use crate::stage::request;

fn batch(buffer: &mut FairBuffer, requests: usize) -> Vec<(u8, u64)> {
    let taken = buffer.take(BatchLimits { requests, bytes: usize::MAX });
    taken.iter().map(|request| (request.client.as_bytes()[0], request.number.value())).collect()
}

/// Client, number and lane of each, offered at the same time.
fn holding(requests: impl IntoIterator<Item = (u8, u64, Lane)>) -> FairBuffer {
    let mut buffer = FairBuffer::new(BufferLimits::default());
    for (client, number, lane) in requests {
        buffer.offer(Duration::ZERO, lane, request(client, number)).unwrap();
    }
    buffer
}

/// A hundred requests of one client do not keep another from its turn.
#[test]
fn r_4_clients_take_turns() {
    let crowd = (0..100).map(|number| (1, number, Lane::Normal));
    let mut buffer = holding(crowd.chain([(2, 0, Lane::Normal), (2, 1, Lane::Normal)]));
    assert_eq!(batch(&mut buffer, 4), [(1, 0), (2, 0), (1, 1), (2, 1)]);
}

/// Urgent requests go first, however many there are, and leave a tenth of the batch to the others.
#[test]
fn r_4_urgent_requests_go_first_and_leave_a_tenth() {
    let normal = (0..100).map(|number| (1, number, Lane::Normal));
    let urgent = (0..100).map(|number| (2, number, Lane::Urgent));
    let mut buffer = holding(normal.chain(urgent));
    let taken = batch(&mut buffer, 20);
    assert!(taken[..18].iter().all(|(client, _)| *client == 2), "{taken:?}");
    assert_eq!(taken[18..], [(1, 0), (1, 1)]);
}

/// VC-13 judges by what goes first of each client, and has waited long enough.
#[test]
fn r_4_the_next_of_each_client_is_known() {
    let (long_ago, now) = (Duration::from_secs(1), Duration::from_secs(9));
    let mut buffer = holding([(1, 7, Lane::Normal), (1, 3, Lane::Normal), (2, 5, Lane::Urgent)]);
    buffer.offer(now, Lane::Normal, request(3, 0)).unwrap();
    let mut next = |since| -> Vec<(u8, u64)> {
        let ids = buffer.next_in_turn(now, since);
        ids.iter().map(|id| (id.client.as_bytes()[0], id.number.value())).collect()
    };
    assert_eq!(next(long_ago), [(2, 5), (1, 3)]);
    assert_eq!(next(now), [(2, 5), (1, 3), (3, 0)]);
    buffer.take(BatchLimits { requests: 2, bytes: usize::MAX });
    let ids = buffer.next_in_turn(now, now);
    assert_eq!(ids, [request(1, 7).id(), request(3, 0).id()], "what is taken does not wait");
}
