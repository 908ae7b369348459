//! A stalled replica says in a sentence what it waits for.

use std::time::Duration;

use pbft_core::Message;

use crate::{
    cluster::{Cluster, requests},
    stage::{Stage, request},
};

#[test]
fn each_phase_of_a_number_is_named_with_those_who_are_silent() {
    let mut stage = Stage::new(3);
    let say = |stage: &Stage| stage.replica.diagnose().to_string();
    assert_eq!(say(&stage), "waits for nothing");
    stage.ask(request(1, 0));
    assert_eq!(say(&stage), "waits for replica 0, the primary, to propose 1 requests");
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear_and_settle(0, &Message::PrePrepare(proposal.clone()));
    assert_eq!(say(&stage), "waits for 3 prepares of number 1; silent: 1, 2");
    let prepare = stage.prepare(2, &proposal);
    stage.hear_and_settle(2, &prepare);
    assert_eq!(say(&stage), "waits for 3 commits of number 1; silent: 0, 1, 2");
    for signer in [0, 2] {
        let commit = stage.commit(signer, &proposal);
        stage.hear(signer, &commit);
    }
    assert_eq!(say(&stage), "waits for the service to execute number 1");
    stage.executed(1, false);
    assert_eq!(say(&stage), "waits for nothing");
}

#[test]
fn a_view_that_does_not_begin_is_named() {
    let mut cluster = Cluster::new(7, |_| ());
    cluster.submit(&requests(1)[0]);
    cluster.run();
    cluster.down = vec![0, 1];
    cluster.submit(&request(7, 0));
    cluster.pass(Duration::from_millis(3_000));
    assert_eq!(cluster.replica(3).diagnose().to_string(), "waits for replica 1 to begin view 1");
    cluster.loss = 100;
    cluster.pass(Duration::from_millis(3_500));
    let lonely = cluster.replica(3).diagnose().to_string();
    assert_eq!(lonely, "waits for 5 replicas to ask for view 2; silent: 0, 1, 2, 4, 5, 6");
}
