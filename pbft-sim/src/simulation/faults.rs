//! Crashes, restarts, partitions; the end of faults, and what must be true some time after it.

use core::time::Duration;

use pbft_core::{Input, ReplicaId, RequestNumber, quorum::QuorumSizes, storage::LogPosition};

use super::{Event, Simulation};
use crate::{
    checks::Violation,
    counters::{Fault, Sometimes},
    customer::client_id,
    network::Partition,
    rng::Rng,
    sabotage::Sabotage,
    service::Verb,
};

impl Simulation {
    /// Blackouts and partitions have their times from the start; crashes come by chance, in any step.
    pub(super) fn plan_faults(&mut self) {
        let span = (Duration::from_millis(5), self.plan.heal_at);
        for _ in 0..self.plan.faults.blackouts {
            let at = self.crashes.span(span);
            self.agenda.at(at, Event::Blackout);
        }
        for _ in 0..self.plan.faults.partitions {
            let at = self.crashes.span(span);
            let partition = match self.crashes.below(4) {
                0 => Partition::OneWay(self.crashes.next()),
                1 => Partition::Ring(self.plan.n),
                _ => Partition::Sides(self.crashes.next()),
            };
            let apart = self.crashes.span(self.plan.faults.apart);
            for flap in 0..self.plan.faults.flaps {
                let at = at + apart * 2 * flap;
                self.agenda.at(at, Event::Partition(Some(partition)));
                self.agenda.at(at + apart, Event::Partition(None));
            }
        }
        for _ in 0..self.plan.faults.clock_jumps {
            let at = self.crashes.span(span);
            let replica = self.crashes.below(u64::from(self.plan.n));
            let replica = ReplicaId::new(u16::try_from(replica).unwrap_or(0));
            self.agenda.at(at, Event::SetClock { replica });
        }
        self.plan_absences();
    }

    /// Replicas that are away for long, and those whose disks are lost.
    fn plan_absences(&mut self) {
        let mut chance = Rng::stream(self.plan.seed, "absences");
        let span = (Duration::from_millis(5), self.plan.heal_at);
        for _ in 0..self.plan.faults.away {
            let replica = self.anyone(&mut chance);
            self.agenda.at(chance.span(span), Event::Away { replica });
        }
        for _ in 0..self.plan.faults.wipes {
            let replica = self.anyone(&mut chance);
            self.agenda.at(chance.span(span), Event::Wipe { replica });
        }
    }

    fn anyone(&self, chance: &mut Rng) -> ReplicaId {
        ReplicaId::new(u16::try_from(chance.below(u64::from(self.plan.n))).unwrap_or(0))
    }

    pub(super) fn send_away(&mut self, replica: ReplicaId) {
        if self.healed || self.plan.is_byzantine(replica) || self.node(replica).life.is_none() {
            return;
        }
        self.counters.fault(Fault::Away);
        let back = self.now + self.crashes.span((Duration::from_millis(600), Duration::from_secs(3)));
        self.crash_until(replica, back);
    }

    /// A replica without its memory is one of the `f` that the cluster can bear.
    pub(super) fn wipe(&mut self, replica: ReplicaId) {
        let returning = self.nodes.iter().filter(|node| node.is_returning()).count();
        let faulty = returning + self.plan.byzantine.len();
        let f = QuorumSizes::of(self.plan.n).f();
        let alive = self.node(replica).life.is_some();
        if self.healed || faulty >= f || !alive || self.plan.is_byzantine(replica) {
            return;
        }
        self.counters.fault(Fault::Wiped);
        self.crash(replica);
        self.node(replica).lose_disk();
        self.checks.on_crash(replica, LogPosition::START);
        self.note(15, replica, 0, &[], || format!("replica {replica}: its disk is lost"));
    }

    /// Somebody sets a wall clock: no replica may rely on it.
    pub(super) fn set_clock(&mut self, replica: ReplicaId) {
        let (back, by) = (self.crashes.chance(500_000), self.crashes.between(1, 400));
        self.note(13, replica, by, &[u8::from(back)], || format!("replica {replica}: clock set by {by} ms"));
        self.node(replica).set_clock(back, by);
        self.counters.fault(Fault::ClockSet);
        if back {
            self.counters.saw(Sometimes::ClockBack);
        }
    }

    /// Whether the disk of a replica fails now. It has to stop then: nothing is known of what was not synced.
    pub(super) fn disk_fails(&mut self, replica: ReplicaId, fault: Fault) -> bool {
        let chance = match fault {
            Fault::DiskFull => self.plan.faults.disk_full,
            _ => self.plan.faults.sync_fails,
        };
        if self.healed || self.plan.is_byzantine(replica) || !self.crashes.chance(chance) {
            return false;
        }
        self.counters.fault(fault);
        self.counters.saw(Sometimes::DiskFailure);
        self.crash(replica);
        true
    }

    pub(super) fn on_partition(&mut self, partition: Option<Partition>) {
        if self.healed {
            return;
        }
        match partition {
            Some(Partition::Ring(_)) => self.counters.saw(Sometimes::Ring),
            Some(Partition::OneWay(_)) => self.counters.saw(Sometimes::OneWay),
            _ => {}
        }
        if partition.is_some() {
            self.counters.fault(Fault::Partition);
        }
        self.note(9, ReplicaId::new(0), u64::from(partition.is_some()), &[], || {
            format!("network: {partition:?}")
        });
        self.network.set_partition(partition);
    }

    /// Whether the replica crashes in this step, and before which of its effects.
    pub(super) fn crash_point(&mut self, replica: ReplicaId, effects: usize) -> Option<usize> {
        let may = !self.healed && !self.plan.is_byzantine(replica);
        (may && self.crashes.chance(self.plan.faults.crash)).then(|| self.crashes.index(effects + 1))
    }

    pub(super) fn crash(&mut self, replica: ReplicaId) {
        let back = self.now + self.crashes.span(self.plan.faults.down);
        self.crash_until(replica, back);
    }

    fn crash_until(&mut self, replica: ReplicaId, back: Duration) {
        let kept = self.nodes[replica.index()].disk.at_risk();
        let kept = self.crashes.index(kept + 1);
        let node = &mut self.nodes[replica.index()];
        if node.life.is_none() {
            return;
        }
        let lost = node.disk.at_risk() - kept;
        node.die();
        let mut last = node.disk.crash(kept);
        if node.sabotage == Some(Sabotage::ForgetSynced) {
            node.disk.forget_synced(self.crashes.index(8));
            last = LogPosition::new(u64::MAX);
        }
        self.checks.on_crash(replica, last);
        self.counters.fault(Fault::Crash);
        self.counters.faults(Fault::RecordLost, lost as u64);
        if lost > 0 {
            self.counters.saw(Sometimes::UnsyncedLoss);
        }
        self.note(10, replica, lost as u64, &[], || format!("replica {replica}: crash, {lost} records lost"));
        self.agenda.at(back, Event::Restart { replica });
    }

    pub(super) fn blackout(&mut self) {
        if self.healed {
            return;
        }
        self.counters.fault(Fault::Blackout);
        for replica in (0..self.plan.n).map(ReplicaId::new) {
            if !self.plan.is_byzantine(replica) {
                self.crash(replica);
            }
        }
    }

    pub(super) fn restart(&mut self, replica: ReplicaId) -> Result<(), Violation> {
        if self.node(replica).life.is_some() {
            return Ok(());
        }
        let (executed, some_records) = self.node(replica).recover()?;
        self.checks.on_recovered(replica, executed);
        if executed > pbft_core::Seq::ZERO {
            self.counters.saw(Sometimes::RestoredCheckpoint);
        } else if some_records {
            self.counters.saw(Sometimes::ReplayedLog);
        }
        self.note(11, replica, executed.value(), &[], || {
            format!("replica {replica}: starts after {executed}")
        });
        self.check_node(replica)?;
        self.step(replica, Input::Start)?;
        if self.plan.sabotage == Some(Sabotage::InventRequest) && replica.index() == 0 {
            let request = Verb::Put.request(client_id(0), RequestNumber::new(200), 9, 9);
            self.deliver_request(replica, request)?;
        }
        Ok(())
    }

    /// From now on there are no faults, and all that is asked must be answered.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.note(12, ReplicaId::new(0), 0, &[], || "the end of all faults".to_owned());
        self.healed = true;
        self.network.heal();
        for replica in (0..self.plan.n).map(ReplicaId::new) {
            self.restart(replica)?;
        }
        self.try_finish();
        Ok(())
    }

    /// The run is over once all are answered and all correct replicas stand at the same place.
    pub(super) fn try_finish(&mut self) {
        if !self.healed || !self.customers.iter().all(crate::customer::Customer::is_done) {
            return;
        }
        let correct = self.nodes.iter().filter(|node| node.behaviour.is_none());
        let mut ends = correct.map(|node| {
            let life = node.life.as_ref()?;
            let progress = life.replica.progress();
            // What small archives have given up is no longer certified (AT-7).
            let certified =
                !self.plan.has_archive() || self.checks.has_all_certificates(node.id, progress.executed);
            let quiet = progress.proposed == progress.executed
                && !life.service.waits()
                && certified
                && !node.is_returning();
            quiet.then_some(progress.executed)
        });
        let first = ends.next().flatten();
        self.over = first.is_some() && ends.all(|end| end == first);
    }

    pub(super) fn on_deadline(&mut self) -> Result<(), Violation> {
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
