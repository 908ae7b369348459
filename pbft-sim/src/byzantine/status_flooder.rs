//! Says again and again that it has nothing, so that others send it everything.

use pbft_core::{
    Epoch, Message, ReplicaId, Seq, View,
    message::{SlotStatus, Status},
};

use super::{Behaviour, Kit};

pub(super) struct StatusFlooder {
    /// How many more it says: two liars that answer each other would never end.
    left: u32,
}

impl Default for StatusFlooder {
    fn default() -> Self {
        Self { left: 3_000 }
    }
}

impl Behaviour for StatusFlooder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        if let Message::Status(status) = message
            && self.left > 0
        {
            let slots = usize::try_from(kit.config.window).unwrap_or(0) + kit.rng.index(2);
            let nothing = Status {
                certified: Seq::ZERO,
                view: View::new(kit.rng.pick(&[0, status.view.value()])),
                active: kit.rng.chance(500_000),
                executed: kit.rng.pick(&[Seq::ZERO, status.stable, status.executed]),
                stable: kit.rng.pick(&[Seq::ZERO, status.stable]),
                slots: vec![SlotStatus::Empty; slots],
                epoch: status.epoch,
                known: kit.rng.pick(&[Epoch::ZERO, status.known]),
                first: status.first,
                votes: true,
                left: false,
                needs: None,
                heard: None,
            };
            self.left = self.left.saturating_sub(6);
            for _ in 0..6 {
                kit.send(to, &Message::Status(nothing.clone()));
            }
        }
    }
}
