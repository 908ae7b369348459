//! Says that it has lost its log, whatever the others have to do for it, and tells who really did wrong things.

use pbft_core::{
    Message, ReplicaId, Seq, UnixMillis, View,
    message::{Returned, StatePart},
};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct FalseReturner {
    asked: u32,
}

impl Behaviour for FalseReturner {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Status(status) => {
                let mut status = status.clone();
                let far = [Seq::ZERO, status.executed.next(), status.executed.plus(30), Seq::new(u64::MAX)];
                status.votes = kit.rng.chance(500_000);
                status.left = kit.rng.chance(500_000);
                status.view = kit.rng.pick(&[status.view, status.view.next(), View::new(u64::MAX)]);
                status.needs = Some(kit.rng.pick(&far));
                status.first = kit.rng.pick(&[Seq::ZERO, status.first, Seq::new(u64::MAX)]);
                kit.send(to, &Message::Status(status));
                self.ask(kit, to);
            }
            Message::Standing(standing) => {
                let mut standing = standing.clone();
                standing.view = View::new(kit.rng.pick(&[0, standing.view.value(), u64::MAX]));
                standing.stable = standing.stable.filter(|_| kit.rng.chance(500_000));
                kit.send(to, &Message::Standing(standing));
            }
            _ => kit.send(to, message),
        }
    }
}

impl FalseReturner {
    fn ask(&mut self, kit: &mut Kit<'_>, to: ReplicaId) {
        self.asked += 1;
        if self.asked < 2_000 {
            let since = UnixMillis::new(kit.rng.below(10));
            kit.send(to, &Message::Returned(Returned { since }));
            let seq = Seq::new(kit.rng.below(40));
            let part = kit.rng.pick(&[
                StatePart::Summary,
                StatePart::Clients(0),
                StatePart::Manifest,
                StatePart::Service(0),
                StatePart::Service(u32::MAX),
            ]);
            kit.send(to, &Message::FetchState(pbft_core::message::FetchState { seq, part }));
        }
    }
}
