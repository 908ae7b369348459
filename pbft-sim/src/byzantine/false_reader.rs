//! Answers questions with results that no state has, in the names of other states, epochs and replica sets, or not at all.

use pbft_core::{
    Message, ReplicaId, Seq,
    message::{ReadAnswer, ReadRefusal, ReadReply, Shown},
};

use super::{Behaviour, Kit, flipped};

pub(super) struct FalseReader;

impl Behaviour for FalseReader {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
    }

    fn on_read_reply(&mut self, kit: &mut Kit<'_>, mut reply: ReadReply) -> Option<ReadReply> {
        let choice = kit.rng.below(8);
        match &mut reply.answer {
            ReadAnswer::Shown(shown) => bend(choice, shown)?,
            ReadAnswer::Refused(refusal) => *refusal = ReadRefusal::Busy,
        }
        if choice == 7 {
            reply.answer = ReadAnswer::Refused(ReadRefusal::NotNow);
        }
        Some(reply)
    }
}

fn bend(choice: u64, shown: &mut Shown) -> Option<()> {
    match choice {
        0 => return None,
        1 | 2 => shown.result.iter_mut().take(1).for_each(|byte| *byte ^= 1),
        3 => shown.executed = shown.executed.next(),
        4 => shown.executed = Seq::ZERO,
        5 => shown.epoch = shown.epoch.next(),
        6 => shown.replicas = flipped(shown.replicas),
        _ => {}
    }
    Some(())
}
