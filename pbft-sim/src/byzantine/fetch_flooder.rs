//! Asks for everything, again and again.

use pbft_core::{Message, ReplicaId, Seq, message::Fetch};

use super::{Behaviour, Kit};

pub(super) struct FetchFlooder {
    /// How many more it asks: two liars that answer each other would never end.
    left: u32,
}

impl Default for FetchFlooder {
    fn default() -> Self {
        Self { left: 3_000 }
    }
}

impl Behaviour for FetchFlooder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        for _ in 0..kit.rng.below(4) {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let near = kit.rng.below(30);
            let after = Seq::new(kit.rng.pick(&[0, 0, near, u64::MAX]));
            kit.send(to, &Message::Fetch(Fetch { after }));
        }
    }
}
