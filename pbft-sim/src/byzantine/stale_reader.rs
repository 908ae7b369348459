//! Answers questions from states that it has left: those that others may still be in.

use std::collections::BTreeMap;

use pbft_core::{
    Message, ReplicaId, Seq,
    message::{ReadAnswer, ReadReply, Shown},
};
use pbft_crypto::Digest;

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct StaleReader {
    states: BTreeMap<Seq, Digest>,
}

impl Behaviour for StaleReader {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
    }

    fn on_state(&mut self, seq: Seq, state: Digest) {
        self.states.insert(seq, state);
    }

    fn on_read_reply(&mut self, kit: &mut Kit<'_>, mut reply: ReadReply) -> Option<ReadReply> {
        let back = kit.rng.pick(&[1, 1, 1, 2, 3]);
        if let ReadAnswer::Shown(Shown { executed, result, .. }) = &mut reply.answer
            && let Some((seq, state)) = self.states.range(..*executed).rev().nth(back - 1)
        {
            *executed = *seq;
            *result = state.as_bytes().to_vec();
        }
        Some(reply)
    }
}
