//! View changes as a whole cluster goes through them: VC and NV rules.

use std::time::Duration;

use pbft_core::{
    Message, Seq, View,
    effect::ViewChangeReason,
    message::{ProvenViewChange, Signed, ViewChange},
};

use crate::{
    cluster::{Cluster, requests},
    stage::{id, key, request},
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn vc_11_a_dead_primary_is_replaced_and_the_work_goes_on() {
    let mut cluster = Cluster::new(4, |_| ());
    let work = requests(5);
    cluster.complete(&work[..2]);
    cluster.down = vec![0];
    cluster.complete(&work);
    for index in 1..4 {
        assert_eq!(cluster.view(index), (1, true));
        assert_eq!(cluster.journal(index).len(), 5);
    }
    assert_eq!(cluster.reasons[0].1, ViewChangeReason::NoProgress, "it is silent for less long");
}

/// Mistake 18: nobody asks for anything, and still the silence of the primary is heard.
#[test]
fn vc_10_mistake_18_an_idle_silent_primary_is_noticed() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.pass(seconds(10));
    assert_eq!(cluster.view(1), (0, true), "a primary that sends its status is left alone");
    cluster.down = vec![0];
    cluster.pass(seconds(10));
    for index in 1..4 {
        assert_eq!(cluster.view(index), (1, true));
    }
    assert_eq!(cluster.reasons[0].1, ViewChangeReason::Silent);
}

#[test]
fn vc_6_f_dead_primaries_in_a_row() {
    let mut cluster = Cluster::new(7, |_| ());
    let work = requests(4);
    cluster.complete(&work[..1]);
    cluster.down = vec![0, 1];
    cluster.complete(&work);
    for index in 2..7 {
        assert_eq!(cluster.view(index), (2, true));
    }
    assert!(cluster.reasons.iter().any(|(_, why)| *why == ViewChangeReason::NotBegun));
}

/// Mistake 7: what is in flight at any moment keeps its number, whichever replicas bring it into the next view.
#[test]
fn nv_3_mistake_7_the_primary_dies_at_every_moment() {
    let work = requests(4);
    for messages in 0..120 {
        let mut cluster = Cluster::new(4, |config| config.max_batch_requests = 1);
        work.iter().for_each(|request| cluster.submit(request));
        cluster.run_some(messages);
        cluster.down = vec![0];
        cluster.complete(&work);
        for index in 1..4 {
            assert_eq!(cluster.journal(index), cluster.journal(1), "after {messages} messages");
            assert_eq!(cluster.journal(index).len(), 4);
        }
    }
}

/// The old primary comes back and is led into the view that the others are in.
#[test]
fn vc_8_a_replica_that_missed_the_view_change_is_shown_the_proof() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.down = vec![0];
    let work = requests(3);
    cluster.complete(&work);
    cluster.restart(0);
    cluster.complete(&work);
    assert_eq!(cluster.view(0), (1, true));
    cluster.down = vec![3];
    let more = [request(9, 0)];
    cluster.complete(&more);
    assert_eq!(cluster.journal(0).len(), 4, "it takes part: without it there is no quorum");
}

/// Mistake 12: all view-changes of a first attempt are lost.
#[test]
fn vc_7_mistake_12_lost_view_changes_are_sent_again() {
    let mut cluster = Cluster::new(4, |_| ());
    let work = requests(1);
    cluster.down = vec![0];
    cluster.submit(&work[0]);
    cluster.run();
    cluster.loss = 100;
    cluster.pass(Duration::from_millis(2_500));
    assert_eq!(cluster.view(3), (1, false), "it gave up on the primary, and nobody heard it");
    cluster.loss = 0;
    cluster.complete(&work);
}

/// Who hears no quorum could not get a new view, but would leave the present one.
#[test]
fn vc_12_a_replica_cut_off_from_the_others_stays_in_its_view() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.down = vec![0, 1];
    cluster.pass(seconds(20));
    cluster.submit(&request(1, 0));
    cluster.pass(seconds(20));
    assert_eq!((cluster.view(2), cluster.view(3)), ((0, true), (0, true)));
    cluster.down = vec![];
    cluster.complete(&requests(2));
    assert_eq!(cluster.view(3), (0, true));
}

/// Mistake 32: one replica that asks for later views moves nobody.
#[test]
fn vc_4_mistake_32_one_replica_alone_moves_nobody() {
    let mut cluster = Cluster::new(4, |_| ());
    for view in 1..20 {
        let statement = ViewChange { view: View::new(view), stable: Seq::ZERO, prepared: vec![] };
        let vote = Signed::sign(statement, id(3), &cluster.config, &*key(3));
        let proven = ProvenViewChange { vote, stable: None, prepared: vec![] };
        cluster.say(3, Message::ViewChange(Box::new(proven)));
        cluster.pass(seconds(1));
    }
    cluster.complete(&requests(3));
    for index in 0..4 {
        assert_eq!(cluster.view(index), (0, true));
    }
}

/// The view changes again and again under loss; everything executes, once.
#[test]
fn mistake_34_view_changes_with_a_third_of_all_messages_lost() {
    let mut cluster = Cluster::new(4, |config| config.max_batch_requests = 1);
    cluster.loss = 30;
    let work = requests(12);
    for (index, some) in (0..4).zip(work.chunks(3)) {
        cluster.down = vec![index];
        cluster.complete(some);
        cluster.restart(index);
    }
    cluster.complete(&work);
    for index in 0..4 {
        assert_eq!(cluster.journal(index), cluster.journal(0));
    }
}

#[test]
fn vc_15_the_primary_rotates_at_checkpoints_if_asked_to() {
    let mut cluster = Cluster::new(4, |config| {
        config.rotation_period = 2;
        config.max_batch_requests = 1;
    });
    let work = requests(20);
    for request in &work {
        cluster.complete(std::slice::from_ref(request));
    }
    cluster.pass(seconds(5));
    let views: Vec<_> = (0..4).map(|index| cluster.view(index)).collect();
    assert_eq!(views, [views[0]; 4]);
    assert!(views[0].1 && views[0].0 >= 4, "{views:?}");
    assert_eq!(cluster.reasons[0].1, ViewChangeReason::Rotation);
}

/// A replica that left for a later view alone is not followed, for one may be wrong about the primary. It executes what the
/// others decide; and as soon as they cannot go on without it, they give up too and meet it.
#[test]
fn vc_4_vc_6_an_exile_follows_and_is_met_when_it_is_needed() {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.complete(&requests(2));
    cluster.cut = vec![(0, 3)];
    cluster.pass(seconds(10));
    cluster.cut.clear();
    cluster.complete(&requests(8));
    cluster.pass(seconds(30));
    assert_eq!([0, 1, 2, 3].map(|index| cluster.view(index)), [(0, true), (0, true), (0, true), (1, false)]);
    assert_eq!(cluster.journal(3), cluster.journal(0));
    cluster.down = vec![2];
    cluster.complete(&requests(12));
    let views = [0, 1, 3].map(|index| cluster.view(index));
    assert!(views.iter().all(|view| *view == views[0] && view.0 >= 1 && view.1), "{views:?}");
}
