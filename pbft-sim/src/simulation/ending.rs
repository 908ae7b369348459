//! The end of a run: when all is done, what must be true then, and whether the cluster would still go on.

use core::time::Duration;

use pbft_core::{ReplicaId, Seq, config::ReplicaSet};

use super::{Event, Simulation, node::Node};
use crate::{
    checks::Violation,
    counters::Sometimes,
    customer::{Customer, Wish},
    rng::Rng,
    service::Verb,
};

/// How many runs end with a probe although nobody was left behind in a later view, in a million.
const PROBED: u32 = 250_000;

/// The last question of a run: with as many replicas gone as the cluster tolerates, is a fresh request still executed?
#[derive(Default)]
pub(super) struct Probe {
    asked: bool,
    /// Who was taken away for it.
    gone: Vec<ReplicaId>,
}

impl Simulation {
    /// Who does not come back.
    pub(super) fn is_gone(&self, replica: ReplicaId) -> bool {
        self.plan.outside.contains(&replica) || self.probe.gone.contains(&replica)
    }

    /// The run is over once all are answered, all correct replicas stand at the same place, and, in some runs, rested there,
    /// and a probe was answered too.
    pub(super) fn try_finish(&mut self) {
        if !self.healed || self.over || !self.customers.iter().all(Customer::is_done) {
            return;
        }
        let Some(exiles) = self.exiles_at_rest() else { return };
        if !self.has_rested() {
            return;
        }
        if self.probe.asked || !self.wants_probe(&exiles) {
            self.over = true;
        } else {
            self.send_probe(&exiles);
        }
    }

    /// If all correct replicas have nothing left to do: those that left for a later view alone, and wait there. The others
    /// are content and will not follow (see "Exiles" in `docs/PROTOCOL.md`); more than `f` would have taken them along.
    fn exiles_at_rest(&self) -> Option<Vec<ReplicaId>> {
        let members = self.checks.roster().newest().replicas.clone();
        let mut place = None;
        let mut exiles = Vec::new();
        for node in self.nodes.iter().filter(|node| self.must_finish(node, &members)) {
            let executed = self.rests_at(node)?;
            if *place.get_or_insert(executed) != executed {
                return None;
            }
            if node.life.as_ref().is_some_and(|life| !life.replica.progress().view_active) {
                exiles.push(node.id);
            }
        }
        let few = exiles.len() <= self.checks.roster().newest().sizes().f();
        place.filter(|_| few).map(|_: Seq| exiles)
    }

    pub(super) fn must_finish(&self, node: &Node, members: &ReplicaSet) -> bool {
        node.behaviour.is_none() && members.contains(node.id) && !self.is_gone(node.id)
    }

    /// Where a replica stands that has nothing left to do.
    fn rests_at(&self, node: &Node) -> Option<Seq> {
        let life = node.life.as_ref()?;
        let epoch = self.checks.roster().newest().epoch();
        let progress = life.replica.progress();
        // What small archives have given up is no longer certified (AT-7). Nor does anybody sign with an old key again, so a
        // newcomer may find too few who sign what was before.
        let certified = !self.plan.has_archive()
            || self.counters.sometimes.contains_key(&Sometimes::Rekeyed)
            || self.checks.has_all_certificates(node.id, progress.executed);
        // What was proposed in a view that a replica left is in flight no more.
        let nothing_in_flight = !progress.view_active || progress.proposed == progress.executed;
        // A primary that is gone must be noticed, too, without any request.
        let noticed = !(progress.view_active && self.is_gone(progress.primary));
        let settled = life.replica.epoch() == epoch && life.replica.next_change().is_none();
        let quiet = nothing_in_flight && !life.service.waits() && !node.is_returning();
        (settled && quiet && certified && noticed).then_some(progress.executed)
    }

    // --- The probe ------------------------------------------------------------------------------------------------

    fn wants_probe(&self, exiles: &[ReplicaId]) -> bool {
        let chance = || Rng::stream(self.plan.seed, "probe").chance(PROBED);
        self.plan.live && !self.plan.is_calm() && (!exiles.is_empty() || chance())
    }

    /// Takes away as many of the content replicas as may be faulty, their primary first, and asks for one thing more: the
    /// rest has to meet those that wait in a later view.
    fn send_probe(&mut self, exiles: &[ReplicaId]) {
        self.probe.asked = true;
        self.counters.saw(Sometimes::Probed);
        if !exiles.is_empty() {
            self.counters.saw(Sometimes::Exile);
        }
        self.note(16, ReplicaId::new(0), exiles.len() as u64, &[], || {
            format!("all is done, with {exiles:?} in a later view: a probe")
        });
        for replica in self.whom_to_take_away(exiles) {
            self.probe.gone.push(replica);
            self.crash(replica);
        }
        self.deadline = self.now + self.plan.patience;
        self.agenda.at(self.deadline, Event::Deadline);
        self.customers[0].wish(Wish { verb: Verb::Put, key: 0, amount: 1 });
        self.agenda.at(self.now + Duration::from_millis(1), Event::Ask { client: 0 });
    }

    fn whom_to_take_away(&self, exiles: &[ReplicaId]) -> Vec<ReplicaId> {
        let newest = self.checks.roster().newest().clone();
        let members = &newest.replicas;
        let faulty = members.ids().filter(|id| self.plan.is_byzantine(*id) || self.is_gone(*id)).count();
        let spare = newest.sizes().f().saturating_sub(faulty);
        let content = self.nodes.iter().filter(|node| self.must_finish(node, members));
        let mut content: Vec<_> = content.filter(|node| !exiles.contains(&node.id)).collect();
        let leads = |node: &&Node| node.life.as_ref().is_some_and(|life| life.replica.is_primary());
        content.sort_by_key(|node| !leads(node));
        content.iter().take(spare).map(|node| node.id).collect()
    }

    pub(super) fn on_deadline(&mut self) -> Result<(), Violation> {
        if self.now < self.deadline {
            return Ok(());
        }
        self.over = true;
        if !self.plan.live {
            return Ok(());
        }
        let open = self.customers.iter().map(crate::customer::Customer::open).sum();
        let replicas = self.nodes.iter().filter_map(|node| {
            let replica = &node.life.as_ref()?.replica;
            Some(format!("\n    {:?}, certified {}", replica.progress(), replica.certified()))
        });
        Err(Violation::Stuck { waited: self.plan.patience, open, replicas: replicas.collect() })
    }

    /// Equal histories in the end.
    pub(super) fn check_end(&self) -> Result<(), Violation> {
        let correct = self.nodes.iter().filter(|node| node.behaviour.is_none());
        // A run that need not end well may stop while a service is ahead of what its replica has heard of.
        let alive = correct.filter_map(|node| Some((node.id, node.life.as_ref()?)));
        let mut lives = alive.filter(|(_, life)| life.executed.is_none());
        let Some((id, first)) = lives.next() else { return Ok(()) };
        let differs = |life: &super::node::Life| {
            life.cursor == first.cursor && life.service.history() != first.service.history()
        };
        match lives.find(|(_, life)| differs(life)) {
            Some((other, _)) => Err(Violation::FinalStatesDiffer(id, other)),
            None => Ok(()),
        }
    }
}
