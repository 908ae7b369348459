//! Crashes, restarts, partitions, and the end of faults.

use core::time::Duration;

use pbft_core::{Input, ReplicaId, RequestNumber, quorum::QuorumSizes, storage::LogPosition};

use super::{Event, Simulation};
use crate::{
    checks::Violation,
    counters::{Fault, Sometimes},
    customer::client_id,
    mishap::Mishap,
    network::Partition,
    sabotage::Sabotage,
    service::Verb,
};

impl Simulation {
    /// Puts what has a time of its own on the agenda.
    pub(super) fn plan_mishaps(&mut self, timed: &[Mishap]) {
        for mishap in timed {
            match *mishap {
                Mishap::Blackout { at } => self.agenda.at(at, Event::Blackout),
                Mishap::Partition { at, until, into } => {
                    self.agenda.at(at, Event::Partition(Some(into)));
                    self.agenda.at(until, Event::Partition(None));
                }
                Mishap::ClockSet { at, replica, back, millis } => {
                    self.agenda.at(at, Event::SetClock { replica, back, millis });
                }
                Mishap::Away { at, replica, away } => self.agenda.at(at, Event::Away { replica, away }),
                Mishap::Wiped { at, replica } => self.agenda.at(at, Event::Wipe { replica }),
                _ => {}
            }
        }
    }

    pub(super) fn send_away(&mut self, replica: ReplicaId, away: Duration) {
        if self.healed || self.plan.is_byzantine(replica) || self.node(replica).life.is_none() {
            return;
        }
        self.counters.fault(Fault::Away);
        let back = self.now + away;
        self.crash_until(replica, back);
    }

    /// A replica without its memory is one of the `f` that the cluster can bear.
    pub(super) fn wipe(&mut self, replica: ReplicaId) {
        let returning = self.nodes.iter().filter(|node| node.is_returning()).count();
        let faulty = returning + self.plan.byzantine.len() + self.plan.outside.len();
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
    pub(super) fn set_clock(&mut self, replica: ReplicaId, back: bool, by: u64) {
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
        if self.healed || self.plan.is_byzantine(replica) {
            return false;
        }
        let node = self.node(replica);
        node.disk_operations += 1;
        let operation = node.disk_operations;
        let fails = match &self.script {
            Some(script) => script.disk_fails(replica, operation),
            None => self.disks.of(u64::from(replica.value()), operation).chance(chance),
        };
        if !fails {
            return false;
        }
        self.take_down(Mishap::DiskFails { replica, operation });
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
        let node = self.node(replica);
        node.steps += 1;
        let step = node.steps;
        if self.healed || self.plan.is_byzantine(replica) {
            return None;
        }
        let mut rng = self.crashes.of(u64::from(replica.value()), step);
        let before = match &self.script {
            Some(script) => script.crash(replica, step)?.min(effects),
            None => rng.chance(self.plan.faults.crash).then(|| rng.index(effects + 1))?,
        };
        self.take_down(Mishap::Crash { replica, step, before });
        Some(before)
    }

    fn take_down(&mut self, mishap: Mishap) {
        if let Some(happened) = &mut self.happened {
            happened.push(mishap);
        }
    }

    pub(super) fn crash(&mut self, replica: ReplicaId) {
        let mut chance = self.losses.of(u64::from(replica.value()), self.nodes[replica.index()].lives);
        let back = self.now + chance.span(self.plan.faults.down);
        self.crash_until(replica, back);
    }

    fn crash_until(&mut self, replica: ReplicaId, back: Duration) {
        let node = &mut self.nodes[replica.index()];
        let mut chance = self.losses.of(u64::from(replica.value()), node.lives);
        if node.life.is_none() {
            return;
        }
        let written = node.disk.last();
        node.die();
        let mut last = node.disk.crash(&mut chance);
        let lost = written.value().saturating_sub(last.value());
        if node.sabotage == Some(Sabotage::ForgetSynced) {
            node.disk.forget_synced(chance.index(8));
            last = LogPosition::new(u64::MAX);
        }
        self.node(replica).kept.cut(last);
        self.checks.on_crash(replica, last);
        self.counters.fault(Fault::Crash);
        self.counters.faults(Fault::RecordLost, lost);
        if lost > 0 {
            self.counters.saw(Sometimes::UnsyncedLoss);
        }
        self.note(10, replica, lost, &[], || format!("replica {replica}: crash, {lost} records lost"));
        self.agenda.at(back, Event::Restart { replica });
    }

    pub(super) fn blackout(&mut self) {
        if self.healed {
            return;
        }
        self.counters.fault(Fault::Blackout);
        for replica in self.plan.seats() {
            if !self.plan.is_byzantine(replica) {
                self.crash(replica);
            }
        }
    }

    pub(super) fn restart(&mut self, replica: ReplicaId) -> Result<(), Violation> {
        if self.node(replica).life.is_some() || (self.healed && self.is_gone(replica)) {
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

    /// From now on there are no faults but for who is gone for good, and all that is asked must be answered.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.note(12, ReplicaId::new(0), 0, &[], || "the end of all faults".to_owned());
        for replica in self.plan.outside.clone() {
            self.counters.saw(Sometimes::Core);
            self.crash(replica);
        }
        self.healed = true;
        self.network.heal();
        for replica in self.plan.seats() {
            self.node(replica).mend_clock();
            self.restart(replica)?;
        }
        self.try_finish();
        Ok(())
    }
}
