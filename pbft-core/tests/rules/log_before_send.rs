//! L-1: a vote leaves, and counts, only when its record is durable.

use pbft_core::{Effect, Message, message::SlotStatus};

use crate::stage::{Stage, messages, request, seq, status, votes};

fn records(effects: &[Effect]) -> Vec<&'static str> {
    let kind = |effect: &Effect| match effect {
        Effect::Persist(_, record) => Some(record.kind()),
        _ => None,
    };
    effects.iter().filter_map(kind).collect()
}

#[test]
fn l_1_a_backup_writes_first_and_votes_after_the_sync() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    let effects = stage.hear(0, &Message::PrePrepare(proposal.clone()));
    assert_eq!((records(&effects), votes(&effects)), (vec!["proposal", "prepare"], vec![]));
    assert_eq!(votes(&stage.sync()), ["prepare"]);

    let prepare = stage.prepare(1, &proposal);
    let effects = stage.hear(1, &prepare);
    assert_eq!((records(&effects), votes(&effects)), (vec!["commit"], vec![]));
    assert_eq!(votes(&stage.sync()), ["commit"]);
    assert_eq!(votes(&stage.sync()), [""; 0], "once");
}

/// A vote that a crash may take away does not count at its own sender either.
#[test]
fn l_1_an_own_vote_counts_when_it_is_durable() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear(0, &Message::PrePrepare(proposal.clone()));
    let prepare = stage.prepare(1, &proposal);
    let effects = stage.hear(1, &prepare);
    assert_eq!(records(&effects), [""; 0], "pre-prepare and one prepare: its own is missing");
    assert_eq!(records(&stage.sync()), ["commit"]);
}

#[test]
fn l_1_the_primary_proposes_after_the_sync() {
    let mut stage = Stage::new(0);
    let effects = stage.ask(request(1, 0));
    assert_eq!((records(&effects), votes(&effects)), (vec!["proposal"], vec![]));
    assert_eq!(votes(&stage.sync()), ["pre-prepare"]);
}

/// One sync covers all that waits, in order.
#[test]
fn l_1_one_sync_releases_many_votes() {
    let mut stage = Stage::new(3);
    for number in 1..=3 {
        let proposal = stage.proposal(number, vec![request(1, number)]);
        assert_eq!(votes(&stage.hear(0, &Message::PrePrepare(proposal))), [""; 0]);
    }
    let effects = stage.sync();
    let numbers: Vec<_> = messages(&effects)
        .map(|message| match message {
            Message::Prepare(vote) => vote.statement.seq,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3].map(seq));
}

/// Checkpoints are votes too.
#[test]
fn l_1_a_checkpoint_leaves_after_the_sync() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![]);
    let proposal = stage.proposal(2, vec![request(1, 0)]);
    let committed = Message::Committed(stage.committed(&proposal, &[0, 1, 2]));
    stage.hear(1, &committed);
    let effects = stage.executed(1, true);
    assert_eq!((records(&effects), votes(&effects)), (vec!["checkpoint"], vec![]));
    assert_eq!(votes(&stage.sync()), ["checkpoint"]);
}

/// L-1: after a loss a peer may bring back votes that are on no disk any more: they neither count nor leave again.
#[test]
fn l_1_own_votes_that_a_peer_brings_back_are_ignored() {
    let mut stage = Stage::new(3);
    let proposal = stage.proposal(1, vec![request(1, 0)]);
    stage.hear(0, &Message::PrePrepare(proposal.clone()));
    for kind in [stage.prepare(3, &proposal), stage.commit(3, &proposal)] {
        stage.hear(1, &kind);
    }
    let lacking = status(0, 0, &[SlotStatus::PrePrepared]);
    let answers: Vec<_> = (0..4)
        .flat_map(|_| {
            stage.advance(stage.config.status_period);
            stage.hear(1, &lacking)
        })
        .collect();
    assert_eq!(votes(&answers), Vec::<&str>::new(), "nothing was synced, so it has said nothing yet");
}
