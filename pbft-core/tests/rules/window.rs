//! Water marks: what lies outside is ignored, and the primary stays well inside.

use pbft_core::{Message, message::Checkpoint};
use pbft_crypto::Digest;

use crate::stage::{Stage, request, sent, seq, votes};

/// Numbers at or below the low water mark, or past the high one, leave no trace.
#[test]
fn pp_7_numbers_outside_the_window_are_ignored() {
    let mut stage = Stage::new(3);
    for number in [9, 10, 1000, u64::MAX] {
        let proposal = stage.proposal(number, vec![]);
        let digest = Digest::from_bytes([1; 32]);
        let messages = [
            Message::PrePrepare(proposal.clone()),
            stage.prepare(1, &proposal),
            stage.commit(1, &proposal),
            Message::Checkpoint(stage.sign(1, Checkpoint { seq: seq(number), digest })),
            Message::Committed(stage.committed(&proposal, &[0, 1, 2])),
        ];
        for message in messages {
            assert_eq!(sent(&stage.hear_and_settle(1, &message)), [""; 0], "{number} {}", message.kind());
        }
    }
    assert_eq!(stage.log.len(), 0);
    let last = Message::PrePrepare(stage.proposal(8, vec![]));
    assert_eq!(votes(&stage.hear_and_settle(0, &last)), ["prepare"], "the last number inside");
}

/// What is stable and below the mark cannot be voted on again.
#[test]
fn pp_7_the_low_water_mark_shuts_the_past() {
    let mut stage = Stage::new(3);
    stage.order(1, vec![request(1, 0)]);
    let effects = stage.order(2, vec![request(1, 1)]);
    let own = crate::stage::own_checkpoint(&effects).unwrap();
    stage.stabilize(&own, &[0, 1, 2]);
    assert_eq!(stage.replica.progress().low, seq(2));
    let records = stage.log.len();
    for number in [1, 2] {
        let other = stage.proposal(number, vec![request(7, 7)]);
        for message in [Message::PrePrepare(other.clone()), stage.commit(1, &other)] {
            assert_eq!(sent(&stage.hear_and_settle(0, &message)), [""; 0]);
        }
    }
    assert_eq!(stage.log.len(), records);
}

/// B-2, mistake 20: the primary proposes up to half of the window, however much waits and is executed.
#[test]
fn mistake_20_the_primary_stays_within_half_the_window() {
    let mut stage = Stage::with(0, 4, |config| {
        config.max_in_flight = 4;
        config.eager_in_flight = 100;
        config.max_batch_requests = 1;
    });
    for number in 0..20 {
        stage.ask(request(1, number));
    }
    let mut numbers = Vec::new();
    for _ in 0..10 {
        let effects = stage.sync();
        for message in crate::stage::messages(&effects) {
            if let Message::PrePrepare(proposal) = message {
                numbers.push(proposal.pre_prepare.statement.seq.value());
                // A peer proves that the number is final, so that nothing but the window holds the primary back.
                let committed = stage.committed(proposal, &[1, 2, 3]);
                stage.hear_and_settle(1, &Message::Committed(committed));
            }
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4], "no checkpoint is stable: 8 / 2");
    assert_eq!(stage.replica.progress().executed, seq(4));
}

/// Every bound that a configuration leaves open would be an attacker's to use.
#[test]
fn configurations_without_bounds_are_refused() {
    use pbft_core::{Config, config::ReplicaSet, error::ConfigError};
    let config = |tweak: fn(&mut Config)| {
        let keys = (0..4).map(crate::stage::public_key).collect();
        let mut config = Config::new(pbft_crypto::Digest::ZERO, ReplicaSet::new(keys));
        tweak(&mut config);
        config.validate().err()
    };
    assert_eq!(config(|_| ()), None);
    assert_eq!(config(|c| c.window = 1 << 15), Some(ConfigError::WindowTooLarge));
    assert_eq!(config(|c| c.request_timeout = std::time::Duration::ZERO), Some(ConfigError::NoPatience));
    assert!(matches!(config(|c| c.window = 1 << 12), Some(ConfigError::WindowTooHeavy { .. })));
    assert!(matches!(config(|c| c.max_clients = 1 << 20), Some(ConfigError::TooLargeToEncode { .. })));
}
