//! Says that it has lost its log, whatever the others have to do for it, and tells who really did wrong things.

use pbft_core::{
    Message, ReplicaId, Seq, UnixMillis, View,
    message::{Returned, StatePart, Status},
};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct FalseReturner {
    asked: u32,
    /// Keeps to one need, which could be true, and names it to these alone (bit `i` for replica `i`).
    names_it_to: Option<u64>,
    need: Seq,
}

impl FalseReturner {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { asked: 0, names_it_to: rng.chance(500_000).then(|| rng.next()), need: Seq::ZERO }
    }
}

impl Behaviour for FalseReturner {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Status(status) => {
                let mut status = status.clone();
                match self.names_it_to {
                    Some(whom) => self.need_something(kit, to, whom, &mut status),
                    None => self.say_anything(kit, to, &mut status),
                }
                kit.send(to, &Message::Status(status));
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
    fn need_something(&mut self, kit: &Kit<'_>, to: ReplicaId, whom: u64, status: &mut Status) {
        if self.need <= status.executed {
            self.need = status.stable.plus(kit.config.window * 2);
        }
        status.needs = Some(self.need).filter(|_| whom >> to.value() & 1 == 1);
        status.heard = status.needs;
    }

    fn say_anything(&mut self, kit: &mut Kit<'_>, to: ReplicaId, status: &mut Status) {
        let far = [Seq::ZERO, status.executed.next(), status.executed.plus(30), Seq::new(u64::MAX)];
        status.votes = kit.rng.chance(500_000);
        status.left = kit.rng.chance(500_000);
        status.view = kit.rng.pick(&[status.view, status.view.next(), View::new(u64::MAX)]);
        status.needs = Some(kit.rng.pick(&far));
        status.heard = Some(kit.rng.pick(&far));
        status.first = kit.rng.pick(&[Seq::ZERO, status.first, Seq::new(u64::MAX)]);
        self.ask(kit, to);
    }

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
