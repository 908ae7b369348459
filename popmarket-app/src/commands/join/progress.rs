//! How far a newcomer is, in words.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pbft_core::{
    ReplicaId,
    replica::{Progress, WaitsFor},
    roster::Roster,
};
use pbft_node::Diagnosis;
use tokio::{sync::watch, time::interval};

use crate::{load::JOINED, replica::Replica};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who has nothing new to say says it again after so long.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What is watched of a newcomer.
pub(super) struct Watch {
    id: ReplicaId,
    started: Instant,
    roster: watch::Receiver<Arc<Roster>>,
    progress: watch::Receiver<Progress>,
    diagnosis: watch::Receiver<Diagnosis>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The others do not talk to it before its epoch.
    Outside,
    CatchingUp,
    Member,
}

impl Watch {
    pub(super) fn new(replica: &Replica, id: ReplicaId, started: Instant) -> Self {
        let node = &replica.node;
        let (roster, progress, diagnosis) = (node.roster(), node.progress(), node.diagnosis());
        Self { id, started, roster, progress, diagnosis }
    }

    fn stage(&self) -> Stage {
        let newest = self.roster.borrow().newest().clone();
        if !newest.replicas.contains(self.id) {
            return Stage::Outside;
        }
        let progress = self.progress.borrow();
        // The claims of others come with their statuses; there are some once it is let in.
        let behind = progress.farthest_claim.since(progress.executed) > newest.max_in_flight;
        let level =
            progress.executed >= newest.after() && progress.farthest_claim >= newest.after() && !behind;
        let votes = !matches!(
            self.diagnosis.borrow().waits_for,
            WaitsFor::CatchUp { .. }
                | WaitsFor::Membership { .. }
                | WaitsFor::Key { .. }
                | WaitsFor::State { .. }
                | WaitsFor::Return { .. }
                | WaitsFor::LaterView { .. }
        );
        if level && votes { Stage::Member } else { Stage::CatchingUp }
    }

    /// Says how far it is until it takes part. `false` if the node ends before.
    pub(super) async fn show(self) -> bool {
        let mut tick = interval(LOOK_EVERY);
        let (mut said, mut said_at, mut let_in) = (None, Instant::now(), None);
        while self.progress.has_changed().is_ok() {
            tick.tick().await;
            let stage = self.stage();
            if stage != Stage::Outside {
                let_in.get_or_insert_with(|| self.started.elapsed());
            }
            if said != Some(stage) || said_at.elapsed() >= SAY_AGAIN_AFTER {
                self.say(stage, let_in.unwrap_or_default());
                (said, said_at) = (Some(stage), Instant::now());
            }
            if stage == Stage::Member {
                return true;
            }
        }
        false
    }

    fn say(&self, stage: Stage, let_in: Duration) {
        let Progress { executed, farthest_claim, .. } = *self.progress.borrow();
        match stage {
            Stage::Outside => mention!(
                "waits to be let in, since {:.1?}: the others do so at a checkpoint, some hundred batches after the approval",
                self.started.elapsed()
            ),
            Stage::CatchingUp => {
                mention!(
                    "catching up: batch {executed} of {farthest_claim}; {}",
                    self.diagnosis.borrow().waits_for
                );
            }
            Stage::Member => mention!(
                "{JOINED}: {} votes, {:.1?} after its start; let in after {let_in:.1?}",
                super::name(self.id),
                self.started.elapsed()
            ),
        }
    }
}
