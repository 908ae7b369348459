//! Claims wild progress, gives wrong replies, and answers no fetch.

use pbft_core::{
    Epoch, Message, ReplicaId, Seq, View,
    message::{Fetch, Reply, SlotStatus, Status},
    service::Outcome,
};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct Liar {
    /// Always claims to be farther than anyone.
    boasts: bool,
}

impl Liar {
    pub(super) const fn new(rng: &mut Rng) -> Self {
        Self { boasts: rng.chance(500_000) }
    }
}

impl Behaviour for Liar {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Committed(_) => {}
            Message::Status(status) => {
                let mut lie = wild(kit, status);
                if self.boasts {
                    lie.executed = Seq::new(u64::MAX);
                }
                kit.send(to, &Message::Status(lie));
                if kit.rng.chance(200_000) {
                    let after = Seq::new(kit.rng.below(20));
                    kit.send(to, &Message::Fetch(Fetch { after }));
                }
            }
            _ => kit.send(to, message),
        }
    }

    fn on_reply(&mut self, kit: &mut Kit<'_>, mut reply: Reply) -> Option<Reply> {
        match kit.rng.below(3) {
            0 => reply.outcome = Outcome::Applied(b"lies".to_vec()),
            1 => reply.outcome = Outcome::Refused(b"lies".to_vec()),
            _ => reply.seq = reply.seq.next(),
        }
        Some(reply)
    }
}

fn wild(kit: &mut Kit<'_>, truth: &Status) -> Status {
    let far =
        [truth.executed, truth.executed.plus(1), truth.executed.plus(40), Seq::new(u64::MAX), Seq::ZERO];
    let slot = [SlotStatus::Empty, SlotStatus::PrePrepared, SlotStatus::Prepared, SlotStatus::Committed];
    let length = kit.rng.below(kit.config.window + 1);
    Status {
        view: View::new(kit.rng.pick(&[truth.view.value(), truth.view.value(), 0, 1, u64::MAX])),
        active: kit.rng.chance(700_000),
        executed: kit.rng.pick(&far),
        stable: kit.rng.pick(&far),
        certified: kit.rng.pick(&far),
        slots: (0..length).map(|_| kit.rng.pick(&slot)).collect(),
        epoch: kit.rng.pick(&[truth.epoch, truth.epoch, truth.epoch, Epoch::ZERO, truth.epoch.next()]),
        known: kit.rng.pick(&[truth.known, truth.known, Epoch::ZERO, Epoch::new(u64::MAX)]),
        first: kit.rng.pick(&far),
        votes: true,
        left: false,
        needs: None,
        heard: Some(kit.rng.pick(&far)),
    }
}
