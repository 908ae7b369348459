//! Mistake 28: panics that a peer can reach. Whatever bytes come, they are refused or lead nowhere.

use std::{sync::Arc, time::Duration};

use pbft_core::{
    Input, Message, Now, Replica, UnixMillis, crypto::Crypto, replica::EmptyLog, request_buffer::FairBuffer,
    service::AdmitAll, storage::Record, verify::Verifier, wire,
};

use crate::values::{self, config, id, key};

/// A replica that hears these bytes as from replica 1.
struct Target {
    replica: Replica,
    verifier: Verifier,
}

impl Target {
    fn new() -> Self {
        let config = config();
        let crypto: Arc<dyn Crypto> = key(2);
        let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
        let recovered =
            Replica::recover(id(2), config.clone(), crypto.clone(), buffer, Vec::new(), EmptyLog::New);
        let verifier = Verifier::new(config, crypto, Arc::new(AdmitAll));
        Self { replica: recovered.unwrap().replica, verifier }
    }

    fn hear(&mut self, bytes: &[u8]) -> bool {
        let Ok(message) = wire::decode::<Message>(bytes) else { return false };
        let Some(Ok(inputs)) = self.verifier.verify(vec![(id(1), message)]).pop() else { return false };
        for input in inputs {
            let now = Now { elapsed: Duration::from_secs(1), wall: UnixMillis::new(1_700_000_000_000) };
            self.replica.step(now, input, &mut Vec::new());
            self.replica.step(now, Input::Timer, &mut Vec::new());
            self.replica.check_invariants().unwrap();
        }
        true
    }
}

/// Each byte of each kind of message is changed in its lowest and its highest bit and set to the largest value, and the
/// message is cut off there.
#[test]
fn mistake_28_no_change_of_a_byte_panics() {
    for message in values::messages() {
        // A handover would have it drop what was checked without it.
        let mut target = Target::new();
        let bytes = wire::encode(&message).unwrap();
        for at in 0..bytes.len() {
            assert!(!target.hear(&bytes[..at]), "{} cut off at {at}", message.kind());
            for changed in [bytes[at] ^ 1, bytes[at] ^ 0x80, 0xff] {
                let mut hostile = bytes.clone();
                hostile[at] = changed;
                target.hear(&hostile);
            }
        }
        assert!(target.hear(&bytes), "the unchanged {} is believed", message.kind());
    }
}

/// A log that is not what was written is refused or read; it does not panic either.
#[test]
fn mistake_28_no_change_of_a_record_panics() {
    for record in values::records() {
        let bytes = wire::encode(&record).unwrap();
        for at in 0..bytes.len() {
            let mut hostile = bytes.clone();
            hostile[at] ^= 1;
            let Ok(record) = wire::decode::<Record>(&hostile) else { continue };
            let position = pbft_core::storage::LogPosition::new(1);
            let buffer = Box::new(FairBuffer::new(config().buffer.clone()));
            let crypto: Arc<dyn Crypto> = key(2);
            _ = Replica::recover(id(2), config(), crypto, buffer, vec![(position, record)], EmptyLog::New);
        }
    }
}
