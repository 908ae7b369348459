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
