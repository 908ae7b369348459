//! Asks for everything, again and again.

use pbft_core::{Message, ReplicaId, Seq, message::Fetch};

use super::{Behaviour, Kit};

pub(super) struct FetchFlooder;

impl Behaviour for FetchFlooder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        for _ in 0..kit.rng.below(4) {
            let near = kit.rng.below(30);
            let after = Seq::new(kit.rng.pick(&[0, 0, near, u64::MAX]));
            kit.send(to, &Message::Fetch(Fetch { after }));
        }
    }
}
