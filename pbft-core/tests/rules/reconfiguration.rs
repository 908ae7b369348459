//! RE: replicas come and go by an ordered operation, at a checkpoint. Long, since all of these tests begin with the same
//! cluster that changes.

use std::{sync::Arc, time::Duration};

use pbft_core::{
    Effect, Epoch, Message, Now, Replica, View,
    config::ConfigError,
    effect::TransferEvent,
    error::{InvalidMessage, RecoverError},
    message::{Handover, Prepare, ProvenViewChange, Signed, ViewChange},
    replica::EmptyLog,
    request_buffer::FairBuffer,
    service::AdmitAll,
    storage::Record,
    verify::Verifier,
    wire,
};

use crate::{
    cluster::{Cluster, NEW_KEY, change_to, requests},
    stage::{Stage, config, id, key, public_key, recover_from, request, sent, seq, status},
    view_messages::view_change,
};

const A_WHILE: Duration = Duration::from_secs(20);

/// Four replicas that are about to become others.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(4, |_| ());
    cluster.changes = true;
    cluster.complete(&requests(4));
    cluster
}

fn epochs(cluster: &Cluster, of: &[u16]) -> Vec<u64> {
    of.iter().map(|index| cluster.replica(*index).epoch().value()).collect()
}

/// Waits until these replicas are in an epoch.
fn reach(cluster: &mut Cluster, replicas: &[u16], epoch: u64) {
    for _ in 0..100 {
        if epochs(cluster, replicas).iter().all(|reached| *reached == epoch) {
            return;
        }
        cluster.pass(Duration::from_millis(200));
    }
    let progress = replicas.iter().map(|index| cluster.replica(*index).progress());
    panic!("epochs {:?}: {:#?}", epochs(cluster, replicas), progress.collect::<Vec<_>>());
}

#[test]
fn re_1_re_3_re_6_a_replica_joins_and_votes() {
    let mut cluster = cluster();
    let joiner = cluster.join();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3, joiner], 1);
    // With the joiner's vote it takes four of five: one may be down.
    cluster.down = vec![1];
    let more: Vec<_> = (0..6).map(|number| request(7, number)).collect();
    cluster.complete(&more);
    assert_eq!(cluster.journal(joiner), cluster.journal(0));
    assert!(cluster.sent.iter().any(|(from, message)| *from == joiner && message.kind() == "commit"));
}

#[test]
fn re_1_the_change_takes_effect_a_window_later() {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[1, 2, 3, 4]));
    cluster.run();
    cluster.pass(A_WHILE);
    let (seq, _) = cluster.replies[&change_to(9, 0, &[]).id()][&2];
    let after = cluster.replica(2).config().after();
    assert_eq!(after.value() % 2, 0, "a checkpoint");
    assert!(after.since(seq) >= 8 && after.since(seq) < 10, "{seq} {after}");
}

#[test]
fn re_5_a_replica_that_was_removed_has_no_say() {
    let mut cluster = cluster();
    cluster.join();
    cluster.submit(&change_to(9, 0, &[1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3, 4], 1);
    assert!(!cluster.replica(0).is_member());
    cluster.sent.clear();
    cluster.down = vec![0];
    cluster.complete(&(0..6).map(|number| request(7, number)).collect::<Vec<_>>());
    cluster.restart(0);
    cluster.pass(A_WHILE);
    let said = cluster.sent.iter().filter(|(from, _)| *from == 0).map(|(_, message)| message.kind());
    assert!(said.clone().all(|kind| ["status", "fetch", "stable", "committed", "handover"].contains(&kind)));
}

#[test]
fn two_are_down_and_two_others_take_their_places() {
    let mut cluster = Cluster::new(7, |_| ());
    cluster.changes = true;
    cluster.complete(&requests(4));
    cluster.down = vec![0, 5];
    let joiners = [cluster.join(), cluster.join()];
    cluster.submit(&change_to(9, 0, &[1, 2, 3, 4, 6, 7, 8]));
    reach(&mut cluster, &[1, 2, 3, 4, 6, 7, 8], 1);
    // And two more may fail now.
    cluster.down = vec![0, 5, 1, 2];
    cluster.complete(&(0..6).map(|number| request(7, number)).collect::<Vec<_>>());
    for joiner in joiners {
        assert_eq!(cluster.journal(joiner), cluster.journal(3));
    }
}

#[test]
fn re_4_who_was_away_for_several_changes_is_led_through_all_of_them() {
    let mut cluster = cluster();
    for _ in 0..3 {
        cluster.join();
    }
    cluster.down = vec![3];
    for (number, last) in (0..).zip([4, 5, 6]) {
        cluster.submit(&change_to(9, number, &[0, 1, 2, 3, last]));
        reach(&mut cluster, &[0, 1, 2, last.into()], number + 1);
    }
    cluster.restart(3);
    reach(&mut cluster, &[0, 1, 2, 3, 6], 3);
    cluster.complete(&(0..4).map(|number| request(7, number)).collect::<Vec<_>>());
    assert_eq!(cluster.journal(3), cluster.journal(0));
}

#[test]
fn a_view_change_in_the_middle_of_a_change_and_after_it() {
    let mut cluster = cluster();
    cluster.join();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    cluster.run_some(30);
    // The primary goes away before the epoch has ended: the next one fills it up.
    cluster.down = vec![0];
    reach(&mut cluster, &[1, 2, 3, 4], 1);
    cluster.complete(&(0..4).map(|number| request(7, number)).collect::<Vec<_>>());
    assert!(cluster.view(1).0 > 0, "the first primary of the new epoch is down as well");
}

#[test]
fn re_2_a_set_that_cannot_take_over_is_ignored() {
    let three = config(4, |_| ()).succeeded_by(config(3, |_| ()).replicas.clone(), pbft_core::Seq::new(8));
    assert_eq!(three.err(), Some(ConfigError::TooFewLeft { count: 3 }));
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2]));
    cluster.submit(&change_to(9, 1, &[0, 1, 1, 2, 3]));
    cluster.run();
    cluster.pass(A_WHILE);
    assert_eq!(epochs(&cluster, &[0, 1, 2, 3]), [0; 4]);
    cluster.complete(&(0..4).map(|number| request(7, number)).collect::<Vec<_>>());
}

#[test]
fn re_1_a_second_wish_waits_for_the_first_change() {
    let mut cluster = cluster();
    cluster.join();
    cluster.join();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    cluster.submit(&change_to(9, 1, &[0, 1, 2, 3, 4, 5]));
    reach(&mut cluster, &[0, 1, 2, 3, 4, 5], 2);
    assert_eq!(cluster.replica(0).config().replicas.count(), 6);
}

/// The proof of the first change of a cluster.
fn handover() -> Handover {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3], 1);
    let found = cluster.sent.iter().find_map(|(_, message)| match message {
        Message::Handover(handover) => Some((**handover).clone()),
        _ => None,
    });
    found.unwrap_or_else(|| {
        cluster.join();
        cluster.pass(A_WHILE);
        let found = cluster.sent.iter().find_map(|(_, message)| match message {
            Message::Handover(handover) => Some((**handover).clone()),
            _ => None,
        });
        found.expect("the joiner is told")
    })
}

type Row = (&'static str, fn(&mut Handover), InvalidMessage);

#[test]
fn re_4_each_check_of_a_handover() {
    use InvalidMessage::{BadSignature, NoQuorum, UnknownEpoch, WrongHandover};
    let valid = handover();
    let rows: [Row; 7] = [
        ("of an epoch that is unknown", |h| h.summary.membership.epoch = Epoch::new(1), UnknownEpoch),
        ("another state", |h| h.summary.service = pbft_crypto::Digest::ZERO, WrongHandover),
        ("no change", |h| h.summary.membership.next = None, WrongHandover),
        (
            "other replicas",
            |h| h.summary.membership.next.as_mut().unwrap().replicas = others(),
            WrongHandover,
        ),
        (
            "elsewhere",
            |h| h.summary.membership.next.as_mut().unwrap().after = pbft_core::Seq::new(64),
            WrongHandover,
        ),
        ("too few", |h| h.certificate.signatures.truncate(2), NoQuorum),
        ("a false signature", swap_signatures, BadSignature),
    ];
    let stage = Stage::new(3);
    assert!(stage.verify(1, &Message::Handover(Box::new(valid.clone()))).is_ok());
    for (what, change, why) in rows {
        let mut handover = valid.clone();
        change(&mut handover);
        let message = Message::Handover(Box::new(handover));
        assert_eq!(stage.verify(1, &message).err(), Some(why), "{what}");
    }
}

fn others() -> pbft_core::config::ReplicaSet {
    pbft_core::config::ReplicaSet::of((5..10).map(|index| (id(index), public_key(index))))
}

fn swap_signatures(handover: &mut Handover) {
    let [(_, first), (_, second), ..] = handover.certificate.signatures.as_mut_slice() else { panic!() };
    std::mem::swap(first, second);
}

/// RE-3: what one epoch signed says nothing in another.
#[test]
fn re_3_votes_of_another_epoch_are_not_believed() {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3], 1);
    let config = cluster.replica(0).config().clone();
    assert_eq!(config.epoch(), Epoch::new(1));
    assert_ne!(config.domain(), cluster.config.domain());
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(config.after().value() + 1, vec![request(1, 0)]);
    let message = Message::PrePrepare(proposal);
    assert!(stage.verify(0, &message).is_ok(), "in the first epoch, had it not ended");
    stage.verifier.update(cluster.replica(0).roster().clone());
    assert_eq!(stage.verify(0, &message).err(), Some(InvalidMessage::BadSignature));
}

/// RE-1: a replica keeps its id and gets another key. From the checkpoint on the old one counts for nothing, and the new one
/// for as much.
#[test]
fn re_1_re_3_a_replica_gets_another_key() {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3 + NEW_KEY]));
    reach(&mut cluster, &[0, 1, 2], 1);
    cluster.down = vec![1];
    let executed = cluster.executed(0);
    cluster.submit(&request(7, 0));
    cluster.pass(A_WHILE);
    assert_eq!(cluster.executed(0), executed, "three of four are needed, and one has the old key");
    let said = cluster.replica(3).diagnose().to_string();
    assert!(said.starts_with("has not the key that the replicas of epoch 1 know it by"), "{said}");
    cluster.restart_with_new_key(3);
    cluster.complete_by(&[0, 2, 3], &[request(7, 0), request(7, 1)]);
    assert_eq!(epochs(&cluster, &[0, 2, 3]), [1; 3]);
}

/// RE-5: a checkpoint that it made under the old key counts under the new one, which signs it again.
#[test]
fn re_5_a_checkpoint_from_before_the_new_key_is_signed_again() {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3 + NEW_KEY]));
    reach(&mut cluster, &[0, 1, 2, 3], 1);
    // Nobody hears of replica 0's checkpoints, so that the word of replica 3 is needed.
    cluster.lie = |from, message| match message {
        Message::Checkpoint(_) | Message::Stable(_) if from == 0 => None,
        message => Some(message),
    };
    let before = cluster.replica(1).progress().stable_checkpoint;
    cluster.complete_by(&[0, 1, 2], &[request(7, 0), request(7, 1)]);
    cluster.pass(Duration::from_secs(5));
    assert!(cluster.executed(3) > before.value() + 1, "it follows, and makes checkpoints");
    assert_eq!(cluster.replica(1).progress().stable_checkpoint, before);
    cluster.down = vec![0];
    cluster.restart_with_new_key(3);
    cluster.complete_by(&[1, 2, 3], &(2..12).map(|number| request(7, number)).collect::<Vec<_>>());
    assert!(cluster.replica(1).progress().stable_checkpoint > before);
}

/// Crashes at every record of a change, one replica or all.
#[test]
fn re_3_rc_5_a_change_survives_a_restart_at_every_record() {
    let mut cluster = cluster();
    cluster.join();
    cluster.submit(&change_to(9, 0, &[1, 2, 3, 4]));
    let mut rounds = 0;
    for round in 0..60 {
        rounds = round;
        let which = u16::try_from(round % 5).unwrap();
        cluster.run_some(7 + round % 5);
        cluster.restart(which);
        if round % 7 == 0 {
            (0..5).for_each(|index| cluster.restart(index));
        }
        cluster.pass(Duration::from_millis(100));
    }
    assert_eq!(rounds, 59);
    reach(&mut cluster, &[1, 2, 3, 4], 1);
    cluster.down = vec![0];
    cluster.complete(&(0..4).map(|number| request(7, number)).collect::<Vec<_>>());
    (1..5).for_each(|index| cluster.restart(index));
    assert_eq!(epochs(&cluster, &[1, 2, 3, 4]), [1; 4]);
    cluster.complete(&(4..8).map(|number| request(7, number)).collect::<Vec<_>>());
}

/// RE-5: who left follows, and its own word must not make a certificate where it counts no more.
#[test]
fn re_5_the_checkpoints_of_who_was_removed_count_nowhere() {
    let mut cluster = cluster();
    cluster.join();
    cluster.submit(&change_to(9, 0, &[1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3, 4], 1);
    let requests: Vec<_> = (0..8).map(|number| request(7, number)).collect();
    cluster.complete(&requests);
    for _ in 0..3 {
        cluster.restart(0);
        cluster.pass(A_WHILE);
    }
    let certified = cluster.sent.iter().filter_map(|(from, message)| match message {
        Message::Stable(certificate) if *from == 0 => Some(certificate),
        _ => None,
    });
    let after = cluster.replica(1).config().after();
    for certificate in certified.filter(|certificate| certificate.statement.seq > after) {
        assert!(certificate.signatures.iter().all(|(signer, _)| *signer != id(0)), "{certificate:?}");
    }
}

/// RC-5: the log may begin in any epoch.
#[test]
fn rc_5_a_truncated_log_knows_its_epoch() {
    let mut cluster = Cluster::new(4, |config| config.archive_bytes = 4096);
    cluster.changes = true;
    for _ in 0..2 {
        cluster.join();
    }
    for (number, last) in (0..).zip([4, 5]) {
        cluster.submit(&change_to(9, number, &[1, 2, 3, last]));
        reach(&mut cluster, &[1, 2, 3, last.into()], number + 1);
        cluster.complete_by(&[1, 2, 3], &(0..40).map(|n| request(20 + last, n)).collect::<Vec<_>>());
        (1..4).for_each(|index| cluster.restart(index));
        assert_eq!(epochs(&cluster, &[1, 2, 3]), [number + 1; 3]);
    }
    let first = cluster.first_position(2);
    assert!(first > 100, "{first}: the log was truncated");
    cluster.complete_by(&[1, 2, 3, 5], &(0..4).map(|number| request(7, number)).collect::<Vec<_>>());
}

#[test]
fn a_replica_alone_learns_of_a_handover_and_tells_its_host() {
    let mut stage = Stage::new(3);
    let effects = stage.hear(1, &Message::Handover(Box::new(handover())));
    let told = effects.iter().any(
        |effect| matches!(effect, Effect::Reconfigured(roster) if roster.newest().epoch() == Epoch::new(1)),
    );
    assert!(told);
    assert_eq!(stage.replica.epoch(), Epoch::ZERO, "it has to get there first");
    let again = stage.hear(1, &Message::Handover(Box::new(handover())));
    assert!(!again.iter().any(|effect| matches!(effect, Effect::Reconfigured(_))));
    assert_eq!(stage.replica.handovers().len(), 1);
    stage.restart(0);
    assert_eq!(stage.replica.handovers().len(), 0, "what it has not come to is not in its log");
    stage.hear(1, &Message::Handover(Box::new(handover())));
    assert_eq!((stage.replica.epoch(), stage.replica.handovers().len()), (Epoch::ZERO, 1));
}

/// A joiner that finds no batches takes over a state, and with it the epoch; the way there is in its log.
#[test]
fn sx_6_re_4_a_joiner_takes_over_a_state_of_a_later_epoch() {
    for restart in [false, true] {
        let mut cluster = Cluster::new(4, |config| {
            config.archive_bytes = 0;
            config.max_batch_requests = 1;
        });
        cluster.changes = true;
        cluster.complete(&requests(9));
        let joiner = cluster.join();
        cluster.down = vec![joiner];
        cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
        reach(&mut cluster, &[0, 1, 2, 3], 1);
        cluster.complete(&requests(30));
        cluster.down.clear();
        reach(&mut cluster, &[0, 1, 2, 3, joiner], 1);
        let done =
            |(at, event): &(u16, TransferEvent)| *at == joiner && matches!(event, TransferEvent::Done { .. });
        assert!(cluster.transfers.iter().any(done), "{:?}", cluster.transfers);
        if restart {
            cluster.restart(joiner);
            assert_eq!(epochs(&cluster, &[joiner]), [1]);
        }
        // With the joiner's vote it takes four of five.
        cluster.down = vec![1];
        cluster.complete(&requests(40));
        assert_eq!(cluster.journal(joiner), cluster.journal(0));
    }
}

/// SX-8: who lost its log after others took over must hear of them before it can tell what it may have voted for.
#[test]
fn sx_8_a_replica_that_lost_its_disk_learns_who_the_others_are() {
    let mut cluster = cluster();
    let joiner = cluster.join();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3, joiner], 1);
    cluster.complete(&(0..6).map(|number| request(7, number)).collect::<Vec<_>>());
    cluster.lose_disk(3, false);
    cluster.pass(Duration::from_secs(40));
    reach(&mut cluster, &[0, 1, 2, 3, joiner], 1);
    assert_eq!(cluster.replica(3).votes_from(), None, "{:?}", cluster.replica(3).diagnose());
    cluster.down = vec![1];
    cluster.complete(&(0..12).map(|number| request(7, number)).collect::<Vec<_>>());
}

/// RE-3: all numbers of an epoch are final once others took over; a view of it brings nothing.
#[test]
fn re_3_who_knows_of_successors_asks_for_no_view() {
    for told in [false, true] {
        let mut stage = Stage::new(3);
        if told {
            stage.hear(1, &Message::Handover(Box::new(handover())));
        }
        for peer in [1, 2] {
            let wish = view_change(&stage, peer, 1, 0, Vec::new());
            stage.hear(peer, &Message::ViewChange(Box::new(wish)));
        }
        assert_eq!(stage.replica.view().value() == 0, told);
        // Nor does time stand still: what falls due is acted on, or is no deadline.
        stage.advance(A_WHILE * 6);
        for peer in [1, 2] {
            stage.hear(peer, &status(0, 0, &[]));
        }
        let next = stage.timer().into_iter().find_map(|effect| match effect {
            Effect::SetTimer(at) => Some(at),
            _ => None,
        });
        assert!(next.unwrap() > stage.now.elapsed, "{next:?}");
    }
}

/// RE-3: a vote of the old epoch that was written after a state of the new one does not put the replica into a view of the
/// new one.
#[test]
fn re_3_rc_5_votes_from_before_a_state_of_a_later_epoch() {
    let mut cluster = Cluster::new(4, |config| {
        config.archive_bytes = 0;
        config.max_batch_requests = 1;
    });
    cluster.changes = true;
    cluster.complete(&requests(4));
    let joiner = cluster.join();
    cluster.down = vec![3];
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, joiner], 1);
    cluster.complete(&requests(30));
    cluster.down.clear();
    reach(&mut cluster, &[3], 1);
    let mut records = cluster.records(3);
    let last = records.last().unwrap().0;
    assert!(records.iter().any(|(_, record)| matches!(record, Record::Checkpoint(_))));
    let statement = Prepare { view: View::new(3), seq: seq(6), digest: pbft_crypto::Digest::ZERO };
    let vote = Signed::sign(statement, id(3), &cluster.config, &*key(3));
    records.push((last.next(), Record::Prepare(vote)));
    let buffer = Box::new(FairBuffer::new(cluster.config.buffer.clone()));
    let recovered = Replica::recover(id(3), cluster.config.clone(), key(3), buffer, records, EmptyLog::New);
    let replica = recovered.unwrap().replica;
    assert_eq!((replica.epoch(), replica.view()), (Epoch::new(1), View::ZERO));
}

/// RE-3: the proof in a vote of the old epoch may be what ends that epoch here. The vote is none of the next one.
#[test]
fn re_3_a_vote_that_ends_its_epoch_does_not_count_in_the_next() {
    let mut cluster = cluster();
    cluster.submit(&change_to(9, 0, &[0, 1, 2, 3, 4]));
    reach(&mut cluster, &[0, 1, 2, 3], 1);
    let certificate = cluster.replica(0).handovers()[0].certificate.clone();
    let last = certificate.statement.seq;
    let mut records = cluster.records(0);
    let ends = |record: &Record| match record {
        Record::Stable(certificate) => certificate.statement.seq == last,
        Record::Handover(_) => true,
        _ => false,
    };
    let end = records.iter().position(|(_, record)| ends(record)).unwrap();
    records.truncate(end);
    let buffer = Box::new(FairBuffer::new(cluster.config.buffer.clone()));
    let recovered = Replica::recover(id(0), cluster.config.clone(), key(0), buffer, records, EmptyLog::New);
    let mut replica = recovered.unwrap().replica;
    let mut verifier = Verifier::new(cluster.config.clone(), key(0), Arc::new(AdmitAll));
    let mut hear = |replica: &mut Replica, from: u16| {
        verifier.update(replica.roster().clone());
        let statement = ViewChange { view: View::new(1), stable: last, prepared: Vec::new() };
        let vote = Signed::sign(statement, id(from), replica.config(), &*key(from));
        let proven = ProvenViewChange { vote, stable: Some(certificate.clone()), prepared: Vec::new() };
        let message = Message::ViewChange(Box::new(proven));
        for input in verifier.verify(vec![(id(from), message)]).pop().unwrap().unwrap() {
            replica.step(Now::default(), input, &mut Vec::new());
        }
    };
    assert_eq!(replica.epoch(), Epoch::ZERO);
    hear(&mut replica, 3);
    assert_eq!(replica.epoch(), Epoch::new(1));
    hear(&mut replica, 2);
    assert_eq!(replica.view(), View::ZERO, "one vote of this epoch, where two are a weak quorum");
    hear(&mut replica, 1);
    assert_eq!(replica.view(), View::new(1));
}

/// RE-3: what was checked before the replicas changed is not believed after it; it is sent again.
#[test]
fn re_3_what_was_checked_by_old_keys_is_dropped() {
    let mut stage = Stage::new(3);
    let message = Message::PrePrepare(stage.proposal(1, vec![request(1, 0)]));
    let inputs = stage.verify(0, &message).unwrap();
    stage.hear(1, &Message::Handover(Box::new(handover())));
    let late: Vec<_> = inputs.into_iter().flat_map(|input| stage.input(input)).collect();
    assert_eq!(sent(&late), [""; 0]);
    let again = stage.hear_and_settle(0, &message);
    assert_eq!(sent(&again), ["prepare"]);
}

/// RE-4 and CK-6: replicas come and go again and again. No record of the log grows with that, and a restart still finds the
/// way from the first set to the present one.
#[test]
fn re_4_ck_6_no_record_grows_with_the_number_of_changes() {
    let mut cluster = Cluster::new(1, |config| config.archive_bytes = 0);
    cluster.changes = true;
    cluster.join();
    let changes = 70;
    for number in 0..changes {
        let members: &[u8] = if number % 2 == 0 { &[0, 1] } else { &[0] };
        cluster.submit_to(0, &change_to(9, number, members));
        cluster.run();
        reach(&mut cluster, &[0], number + 1);
    }
    for restarts in [false, true] {
        if restarts {
            cluster.restart(0);
            cluster.run();
        }
        assert_eq!((epochs(&cluster, &[0]), cluster.replica(0).handovers().len()), (vec![changes], 70));
        cluster.complete_by(&[0], &requests(if restarts { 8 } else { 4 }));
    }
    let records = cluster.records(0);
    let lineage = |(_, record): &(_, Record)| match record {
        Record::Lineage(part) => Some(part.len()),
        _ => None,
    };
    assert_eq!(records.iter().filter_map(lineage).take(2).collect::<Vec<_>>(), [64, 6]);
    // A crash may take away any end of what came after the first checkpoint: also all but one part of a later lineage.
    let begins = records.iter().position(|(_, record)| record.kind() == "checkpoint").unwrap();
    let part = (records.last().unwrap().0.next(), records[0].1.clone());
    let torn: Vec<_> = records.iter().cloned().chain([part]).collect();
    for end in begins + 1..=torn.len() {
        let replica = recover_from(0, &cluster.config, torn[..end].to_vec()).unwrap();
        assert_eq!((replica.epoch(), replica.handovers().len()), (Epoch::new(changes), 70), "{end} records");
    }
    // Without the way there, an epoch says nothing.
    let orphan = vec![records[begins].clone()];
    let refused = recover_from(0, &cluster.config, orphan).map(|replica| replica.epoch());
    assert!(matches!(refused, Err(RecoverError::Contradiction { .. })), "{refused:?}");
    let longest = |checkpoint| {
        let of_kind = records.iter().filter(|(_, record)| (record.kind() == "checkpoint") == checkpoint);
        of_kind.map(|(_, record)| wire::encode(record).unwrap().len()).max().unwrap()
    };
    assert!(longest(true) < 16_000 && longest(false) < 64_000, "{} {}", longest(true), longest(false));
}
