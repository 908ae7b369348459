//! SX-11: what one replica says that it needs moves an idle cluster, and never takes a primary down that was not told.

use std::time::Duration;

use pbft_core::{Config, Message, Seq, replica::WaitsFor};

use crate::cluster::{Cluster, requests};

fn one_each(config: &mut Config) {
    config.max_batch_requests = 1;
}

/// Four replicas that have executed five batches, and hear of a need from replica 3.
fn idle(n: u16) -> Cluster {
    let mut cluster = Cluster::new(n, one_each);
    cluster.complete(&requests(5));
    cluster
}

/// Replica 3 says that it needs the others to get to 20; three windows are 24.
fn needs_20(from: u16, message: Message) -> Option<Message> {
    match message {
        Message::Status(mut status) if from == 3 => {
            status.needs = Some(Seq::new(20));
            Some(Message::Status(status))
        }
        message => Some(message),
    }
}

/// It loses its disk, says what it needs, and dies for good.
#[test]
fn sx_11_who_dies_after_naming_a_need_costs_no_view() {
    for alive in [0, 100, 300, 1_000] {
        let mut cluster = idle(4);
        cluster.lose_disk(3, false);
        cluster.run();
        assert!(matches!(cluster.replica(3).diagnose(), WaitsFor::Return { votes_from: Some(_), .. }));
        cluster.pass(Duration::from_millis(alive));
        cluster.down = vec![3];
        cluster.pass(Duration::from_secs(60));
        assert_eq!([0, 1, 2].map(|replica| cluster.view(replica)), [(0, true); 3], "after {alive} ms");
        let executed = cluster.executed(1);
        cluster.pass(Duration::from_secs(10));
        assert_eq!(cluster.executed(1), executed, "it rests");
    }
}

/// Replica 3 tells the backups what it needs, and never the primary: they tell it.
#[test]
fn sx_11_mistake_32_a_need_told_to_backups_only_costs_no_view() {
    let mut cluster = idle(4);
    cluster.cut = vec![(3, 0)];
    cluster.lie = needs_20;
    cluster.pass(Duration::from_secs(60));
    assert_eq!([0, 1, 2].map(|replica| cluster.view(replica)), [(0, true); 3]);
    assert_eq!(cluster.executed(1), 20, "what a weak quorum has heard is done");
}

/// It tells one backup alone: that one tells the others what it has heard, and they take nobody's word for it.
#[test]
fn sx_11_mistake_32_a_need_told_to_one_backup_moves_nothing() {
    let mut cluster = idle(4);
    cluster.cut = vec![(3, 0), (3, 2)];
    cluster.lie = needs_20;
    cluster.pass(Duration::from_secs(60));
    assert_eq!([0, 1, 2].map(|replica| cluster.view(replica)), [(0, true); 3]);
    assert_eq!(cluster.executed(1), 5);
}

/// What one replica says that it has heard counts once, wherever it is.
#[test]
fn sx_11_false_hearsay_moves_nothing() {
    let mut cluster = idle(4);
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 3 => {
            (status.needs, status.heard) = (Some(Seq::new(1_000_000)), Some(Seq::new(20)));
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(30));
    assert_eq!((cluster.view(1), cluster.executed(1)), ((0, true), 5));
}

/// Who names another number all the time is believed now and then.
#[test]
fn sx_11_another_need_is_believed_after_a_while() {
    let mut cluster = idle(4);
    cluster.lie = |from, message| match message {
        Message::Status(mut status) if from == 3 => {
            status.needs = Some(status.executed.next());
            Some(Message::Status(status))
        }
        message => Some(message),
    };
    cluster.pass(Duration::from_secs(100));
    let executed = cluster.executed(1);
    assert!((8..=10).contains(&executed), "one in thirty seconds: {executed}");
    assert_eq!(cluster.view(1), (0, true));
}

/// A primary that does nothing for who needs it is given up, so that one comes back all the same; also if the next primary
/// is gone in the middle of it.
#[test]
fn sx_11_vc_11_a_primary_that_moves_nothing_is_given_up() {
    for next_dies in [false, true] {
        let mut cluster = idle(10);
        cluster.lie = |from, message| match message {
            Message::PrePrepare(proposal) if from == 0 && proposal.batch.requests.is_empty() => None,
            message => Some(message),
        };
        cluster.lose_disk(9, false);
        cluster.pass(Duration::from_secs(1));
        assert_eq!(cluster.view(2), (0, true), "it has its time");
        for _ in 0..200 {
            if cluster.executed(2) > 8 {
                break;
            }
            cluster.pass(Duration::from_millis(100));
        }
        assert!(cluster.view(2).0 >= 1);
        if next_dies {
            cluster.down = vec![1];
        }
        cluster.pass(Duration::from_secs(40));
        assert_eq!(cluster.replica(9).votes_from(), None, "{}", cluster.replica(9).diagnose());
        assert_eq!(cluster.view(2), (if next_dies { 2 } else { 1 }, true));
    }
}
