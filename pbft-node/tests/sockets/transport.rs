//! Transports talk to each other over real sockets.

use std::{collections::BTreeSet, time::Duration};

use crate::net::{Cluster, large_message, message, small_queue, soon};
use pbft_core::{ReplicaId, network::Network};
use pbft_node::transport::{Inbound, LinkError};

#[tokio::test]
async fn two_replicas_exchange_messages_in_order() {
    let mut nodes = Cluster::new(2).start_all();
    let mut second = nodes.pop().unwrap();
    let mut first = nodes.pop().unwrap();
    first.connected(1).await;
    second.connected(1).await;
    for number in 0..1000 {
        first.transport.send(ReplicaId::new(1), &message(number));
        second.transport.send(ReplicaId::new(0), &message(number + 5000));
    }
    for number in 0..1000 {
        assert_eq!(second.message().await, (0, message(number)));
        assert_eq!(first.message().await, (1, message(number + 5000)));
    }
    let link = second.link(0);
    assert!(link.connected && link.received_frames == 1000 && link.received_bytes > 1000);
    assert_eq!(first.link(1).dropped_frames, 0);
}

#[tokio::test]
async fn a_broadcast_reaches_all_others_and_a_message_only_its_receiver() {
    let mut nodes = Cluster::new(4).start_all();
    for node in &nodes {
        node.connected(3).await;
    }
    for (node, number) in nodes.iter_mut().zip(0..) {
        node.transport.broadcast(&message(number));
    }
    for (node, own) in nodes.iter_mut().zip(0..) {
        let mut senders = BTreeSet::new();
        for _ in 0..3 {
            let (from, received) = node.message().await;
            assert_eq!(received, message(u64::from(from)));
            senders.insert(from);
        }
        assert_eq!(senders, (0..4).filter(|id| *id != own).collect());
    }
    nodes[0].transport.send(ReplicaId::new(2), &message(77));
    nodes[0].transport.broadcast(&message(78));
    assert_eq!(nodes[1].message().await, (0, message(78)));
    assert_eq!(nodes[2].message().await, (0, message(77)));
    assert_eq!(nodes[2].message().await, (0, message(78)));
}

#[tokio::test]
async fn the_largest_message_passes() {
    let mut nodes = Cluster::new(2).start_all();
    nodes[0].connected(1).await;
    let large = large_message((12 << 20) - 100);
    nodes[0].transport.send(ReplicaId::new(1), &large);
    assert_eq!(nodes[1].message().await, (0, large));
}

#[tokio::test]
async fn a_peer_that_restarts_on_its_port_is_found_again() {
    let mut cluster = Cluster::new(2);
    let mut first = cluster.start(0);
    for life in 0..3 {
        let mut second = cluster.start(1);
        first.connected(1).await;
        second.connected(1).await;
        first.transport.send(ReplicaId::new(1), &message(life));
        second.transport.send(ReplicaId::new(0), &message(life));
        assert_eq!(second.message().await, (0, message(life)));
        assert_eq!(first.message().await, (1, message(life)));
        second.transport.shutdown().await;
        first.link_is(1, |link| !link.connected).await;
    }
}

#[tokio::test]
async fn a_peer_that_shows_itself_is_dialed_at_once() {
    let mut cluster = Cluster::new(2);
    cluster.listeners[1] = None;
    let mut patient = cluster.config(0);
    patient.limits.link.min_backoff = Duration::from_secs(3600);
    patient.limits.link.max_backoff = Duration::from_secs(3600);
    let first = cluster.start_with(patient, 10);
    first.link_is(1, |link| link.last_error.is_some()).await;
    let _second = cluster.start(1);
    first.connected(1).await;
}

#[tokio::test]
async fn a_dead_peer_costs_no_memory() {
    let mut cluster = Cluster::new(2);
    cluster.listeners[1] = None;
    let mut first = cluster.start(0);
    first.link_is(1, |link| matches!(link.last_error.as_deref(), Some(LinkError::Connect(_)))).await;
    for number in 0..10_000 {
        first.transport.broadcast(&message(number));
    }
    let link = first.link(1);
    assert_eq!((link.dropped_frames, link.waiting_bytes, link.sent_frames), (10_000, 0, 0));
}

/// Who left long ago is not dialed, and may ask all the same.
#[tokio::test]
async fn what_is_for_somebody_who_is_not_dialed_is_counted() {
    let mut cluster = Cluster::new(2);
    let mut first = cluster.start(0);
    for number in 1..=3 {
        first.transport.send(ReplicaId::new(7), &message(number));
        assert_eq!(first.transport.unreachable(), number);
    }
    first.transport.send(ReplicaId::new(1), &message(4));
    assert_eq!(first.transport.unreachable(), 3);
}

#[tokio::test]
async fn a_full_queue_drops_and_does_not_wait() {
    let mut cluster = Cluster::new(2);
    cluster.limits.link.queue = small_queue(1_000_000, 1 << 20);
    let mut first = cluster.start(0);
    let silent = cluster.accept_one(1).await;
    first.connected(1).await;
    // 100 MB: far more than sockets and queue hold. It comes back at once though nobody reads.
    for _ in 0..1000 {
        first.transport.send(ReplicaId::new(1), &large_message(100_000));
    }
    let link = first.link(1);
    assert!(link.waiting_bytes <= 1 << 20, "{link:?}");
    assert!(link.dropped_frames > 500 && link.dropped_frames < 1000, "{link:?}");
    drop(silent);
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_given_up() {
    let mut cluster = Cluster::new(2);
    cluster.limits.link.stall = Duration::from_millis(200);
    let mut first = cluster.start(0);
    let silent = cluster.accept_one(1).await;
    first.connected(1).await;
    for _ in 0..20 {
        first.transport.send(ReplicaId::new(1), &large_message(1 << 20));
    }
    let stalled = |error: &LinkError| matches!(error, LinkError::Stalled);
    first.link_is(1, |link| link.last_error.as_deref().is_some_and(stalled)).await;
    drop(silent);
}

#[tokio::test]
async fn a_busy_host_makes_senders_wait_and_loses_nothing() {
    let mut cluster = Cluster::new(2);
    let mut second = cluster.start_with(cluster.config(1), 1);
    let mut first = cluster.start(0);
    first.connected(1).await;
    for number in 0..10_000 {
        first.transport.send(ReplicaId::new(1), &message(number));
    }
    for number in 0..10_000 {
        assert_eq!(second.message().await, (0, message(number)));
    }
}

#[tokio::test]
async fn a_sender_s_bytes_on_their_way_through_the_host_are_bounded() {
    let mut cluster = Cluster::new(2);
    cluster.limits.link.queue = small_queue(1000, 100 << 20);
    let mut second = cluster.start(1);
    let mut first = cluster.start(0);
    first.connected(1).await;
    for _ in 0..40 {
        first.transport.send(ReplicaId::new(1), &large_message(1 << 20));
    }
    let mut held = Vec::new();
    for _ in 0..15 {
        held.push(soon(second.inbound.recv()).await.unwrap());
    }
    // 16 MiB may be on their way, and one frame may wait in the connection's task.
    assert!(second.link(0).received_frames <= 16, "{:?}", second.link(0));
    drop(held);
    for _ in 15..40 {
        assert!(matches!(soon(second.inbound.recv()).await, Some(Inbound::Replica { .. })));
    }
}

#[tokio::test]
async fn after_a_shutdown_nothing_is_left() {
    let mut cluster = Cluster::new(2);
    let mut nodes = cluster.start_all();
    nodes[0].connected(1).await;
    let mut second = nodes.pop().unwrap();
    second.transport.shutdown().await;
    assert!(soon(second.inbound.recv()).await.is_none(), "all senders are gone");
    std::net::TcpListener::bind(cluster.addresses[1]).expect("the port is free");
    second.transport.broadcast(&message(1));
    second.transport.shutdown().await;
}

#[tokio::test]
async fn dropping_the_last_handle_ends_it() {
    let mut cluster = Cluster::new(2);
    let mut nodes = cluster.start_all();
    let crate::net::Node { transport, mut inbound } = nodes.pop().unwrap();
    let clone = transport.clone();
    drop(transport);
    soon(clone.connected().wait_for(|connected| *connected == 1)).await.unwrap();
    drop(clone);
    assert!(soon(inbound.recv()).await.is_none());
}
