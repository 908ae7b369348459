//! An idle cluster rests: once all is done and nothing goes wrong any more, no view changes for long. A faulty primary may
//! be given up, and who was left behind may be met; after that there is no reason to. Nor do numbers pass for long: a liar
//! may have some of them pass, and a faulty primary what it likes.

use core::time::Duration;
use std::collections::BTreeSet;

use pbft_core::{ReplicaId, Request, RequestId, Seq, View};

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
    /// What they had executed.
    executed: Vec<(ReplicaId, Seq)>,
    /// What liars handed on in this run.
    handed_on: BTreeSet<RequestId>,
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

    pub(super) fn on_handed_on(&mut self, by: ReplicaId, requests: &[Request]) {
        if self.plan.is_byzantine(by) {
            self.rest.handed_on.extend(requests.iter().map(Request::id));
        }
    }

    /// Longer than any replica waits for anything.
    fn stretch(&self) -> Duration {
        let tuning = &self.plan.tuning;
        tuning.request_timeout * 8 + tuning.status_period * 24
    }

    fn begin_rest(&mut self) {
        let end = self.now + self.stretch();
        self.rest.views = Some(self.views_of_correct());
        self.rest.executed = self.executed_by_correct();
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
            self.check_idle(&now)?;
            self.counters.saw(Sometimes::Rested);
            self.rest.done = true;
        } else if self.rest.stretches > self.checks.roster().newest().sizes().f() + OTHER_STRETCHES {
            return Err(Violation::Restless { views: now });
        }
        self.try_finish();
        Ok(())
    }

    /// SX-11: a liar can name another number once in `max_timeout`, three windows away at most. It could tell each replica
    /// of another one, and have as many times more pass; the liars here name about the same to all. What a client asked for
    /// and was refused a liar can hand on again as often as it likes, as the client could (E-4).
    fn check_idle(&self, views: &[(ReplicaId, View)]) -> Result<(), Violation> {
        let newest = self.checks.roster().newest();
        let primary = views.first().map(|(_, view)| newest.replicas.primary(*view));
        if views.iter().any(|(_, view)| Some(newest.replicas.primary(*view)) != primary)
            || primary.is_none_or(|primary| self.nodes[primary.index()].behaviour.is_some())
        {
            return Ok(());
        }
        let liars = newest.sizes().f() as u64;
        let times = self.stretch().as_millis().div_ceil(newest.max_timeout.as_millis().max(1));
        let times = u64::try_from(times).unwrap_or(u64::MAX).saturating_add(1);
        let limit = (liars * newest.window * 3).saturating_mul(times).saturating_add(newest.window);
        let handed_on = |seq: &Seq| self.checks.is_decided_with(*seq, &self.rest.handed_on);
        for (replica, after) in self.executed_by_correct() {
            let before = self.rest.executed.iter().find(|(other, _)| *other == replica);
            let passed = before.map_or(after, |(_, before)| *before).value()..after.value();
            let unasked = passed.map(|before| Seq::new(before).next()).filter(|seq| !handed_on(seq));
            let count = unasked.count() as u64;
            if count > limit {
                return Err(Violation::Idling { replica, count, limit });
            }
        }
        Ok(())
    }

    fn executed_by_correct(&self) -> Vec<(ReplicaId, Seq)> {
        let members = self.checks.roster().newest().replicas.clone();
        let at = |node: &super::Node| Some((node.id, node.life.as_ref()?.replica.progress().executed));
        self.nodes.iter().filter(|node| self.must_finish(node, &members)).filter_map(at).collect()
    }

    fn views_of_correct(&self) -> Vec<(ReplicaId, View)> {
        let members = self.checks.roster().newest().replicas.clone();
        let view = |node: &super::Node| Some((node.id, node.life.as_ref()?.replica.view()));
        self.nodes.iter().filter(|node| self.must_finish(node, &members)).filter_map(view).collect()
    }
}
