//! Hands out batches one by one, so that who asked never stands still, and hardly ever says that this was all.

use std::collections::BTreeMap;

use pbft_core::{Input, Message, Now, ReplicaId, Seq, message::Status};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct Trickler {
    /// How many batches are on their way to each.
    queued: BTreeMap<ReplicaId, u32>,
}

impl Behaviour for Trickler {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Committed(_) => {
                let queued = self.queued.entry(to).or_default();
                *queued += 1;
                kit.send_later(to, message, kit.config.status_period * *queued * 9 / 10);
            }
            Message::Status(status) if kit.rng.chance(100_000) => {
                kit.send(to, &Message::Status(Status { first: Seq::ZERO, ..status.clone() }));
            }
            Message::Status(_) => {}
            _ => kit.send(to, message),
        }
    }

    fn hears(&mut self, _kit: &mut Kit<'_>, _now: Now, input: &Input) -> bool {
        if let Input::Message { from, message } = input
            && matches!(message.get(), Message::Fetch(_))
        {
            self.queued.remove(from);
        }
        true
    }
}
