//! Commits towards one replica only, so that at most one learns in time what is final.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct SelectiveCommit {
    favourite: u64,
}

impl SelectiveCommit {
    pub(super) const fn new(rng: &mut Rng) -> Self {
        Self { favourite: rng.next() }
    }
}

impl Behaviour for SelectiveCommit {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let favourite = self.favourite % u64::from(kit.config.replicas.count());
        let commits = matches!(message, Message::Commit(_) | Message::Committed(_));
        if !commits || favourite == u64::from(to.value()) {
            kit.send(to, message);
        }
    }
}
