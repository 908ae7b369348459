//! Votes for numbers far past the window: whoever keeps them all runs out of memory.

use pbft_core::{
    Message, ReplicaId, Seq,
    message::{Checkpoint, Commit, Prepare},
};

use super::{Behaviour, Kit};

pub(super) struct SequenceFlooder;

const VOTES: usize = 4;

impl Behaviour for SequenceFlooder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        for _ in 0..VOTES {
            let flood = match message {
                Message::Prepare(vote) => {
                    let seq = far(kit, vote.statement.seq);
                    Message::Prepare(kit.sign_as(kit.id, Prepare { seq, ..vote.statement }))
                }
                Message::Commit(vote) => {
                    let seq = far(kit, vote.statement.seq);
                    Message::Commit(kit.sign_as(kit.id, Commit { seq, ..vote.statement }))
                }
                Message::Checkpoint(vote) => {
                    let seq = far(kit, vote.statement.seq);
                    Message::Checkpoint(kit.sign_as(kit.id, Checkpoint { seq, ..vote.statement }))
                }
                _ => return,
            };
            kit.send(to, &flood);
        }
    }
}

fn far(kit: &mut Kit<'_>, seq: Seq) -> Seq {
    let random = kit.rng.next();
    seq.plus(kit.rng.pick(&[kit.config.window, kit.config.window * 2, 1 << 40, random]))
}
