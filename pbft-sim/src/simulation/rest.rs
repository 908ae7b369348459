//! An idle cluster rests: once all is done and nothing goes wrong any more, no view changes for long. A faulty primary may
//! be given up, and who was left behind may be met; after that there is no reason to.

use pbft_core::{ReplicaId, View};

use super::{Event, Simulation};
use crate::{checks::Violation, counters::Sometimes, rng::Rng};

/// How many runs have an idle stretch before they end, in a million.
const RESTED: u32 = 200_000;
/// A faulty primary takes one stretch at most; who was left behind, and what was under way, another two.
const OTHER_STRETCHES: usize = 2;

/// The idle stretch of a run.
#[derive(Default)]
pub(super) struct Rest {
    stretches: usize,
    /// Where the correct replicas were when the present one began.
    views: Option<Vec<(ReplicaId, View)>>,
    done: bool,
}

impl Simulation {
    /// Whether the cluster has rested, or need not. Begins an idle stretch if it has not.
    pub(super) fn has_rested(&mut self) -> bool {
        let tuning = &self.plan.tuning;
        // Whoever has numbers pass has the primary rotate.
        let wanted = || tuning.rotation_period == 0 && Rng::stream(self.plan.seed, "rest").chance(RESTED);
        if self.rest.done || !self.plan.live || !wanted() {
            return true;
        }
        if self.rest.views.is_none() {
            self.begin_rest();
        }
        false
    }

    /// Longer than any replica waits for anything.
    fn begin_rest(&mut self) {
        let tuning = &self.plan.tuning;
        let end = self.now + tuning.request_timeout * 8 + tuning.status_period * 24;
        self.rest.views = Some(self.views_of_correct());
        self.rest.stretches += 1;
        self.deadline = end + self.plan.patience;
        self.agenda.at(end, Event::Rested);
        self.agenda.at(self.deadline, Event::Deadline);
    }

    pub(super) fn on_rested(&mut self) -> Result<(), Violation> {
        let (before, now) = (self.rest.views.take(), self.views_of_correct());
        self.note(17, ReplicaId::new(0), self.rest.stretches as u64, &[], || {
            "an idle stretch is over".to_owned()
        });
        if before.as_ref() == Some(&now) {
            self.counters.saw(Sometimes::Rested);
            self.rest.done = true;
        } else if self.rest.stretches > self.checks.roster().newest().sizes().f() + OTHER_STRETCHES {
            return Err(Violation::Restless { views: now });
        }
        self.try_finish();
        Ok(())
    }

    fn views_of_correct(&self) -> Vec<(ReplicaId, View)> {
        let members = self.checks.roster().newest().replicas.clone();
        let view = |node: &super::Node| Some((node.id, node.life.as_ref()?.replica.view()));
        self.nodes.iter().filter(|node| self.must_finish(node, &members)).filter_map(view).collect()
    }
}
