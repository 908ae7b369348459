//! What no event by itself shows: whole runs in which one thing is wrong with what surrounds the core, and the same runs
//! without it.

use std::time::Duration;

use pbft_core::{
    client::ClientError,
    message::DeclineReason,
    storage::{LogPosition, MemoryLog, Record},
};
use pbft_sim::{Finished, Plan, Simulation, Violation, disk::Medium, rng::Rng, sweep::run_plan};

/// A run in which nothing goes wrong.
fn calm() -> Plan {
    Plan::of(1, &[4]).calm()
}

fn run_on(plan: Plan, medium: impl Fn() -> Box<dyn Medium>) -> Finished {
    Simulation::new(plan, false).on_disks(|_| medium()).run()
}

// --- Refusals ---------------------------------------------------------------------------------------------------------

/// One client asks for so many things at once.
fn eager(requests: u64) -> Finished {
    let mut plan = calm();
    (plan.workload.clients, plan.workload.requests, plan.workload.in_flight) = (1, requests, requests);
    (plan.workload.reads, plan.workload.patience) = (0, Duration::from_secs(60));
    plan.tuning.buffered_requests = 1_000;
    run_plan(plan, false)
}

/// Its numbers run out of its window, and it is told so.
#[test]
fn a_refusal_that_no_client_should_see_is_noticed() {
    let told = eager(300).violation;
    let too_far = ClientError::Declined(DeclineReason::NumberTooFar);
    assert!(matches!(&told, Some(Violation::FalseRefusal { error, .. }) if *error == too_far), "{told:?}");
    assert_eq!(eager(200).violation, None);
}

// --- Disks ------------------------------------------------------------------------------------------------------------

/// What a disk does to the log on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Sound,
    /// Nothing is ever given up.
    Hoards,
    /// It has a hole where a record was.
    HasHole,
}

struct Log {
    log: MemoryLog,
    disk: Disk,
}

impl Medium for Log {
    fn append(&mut self, position: LogPosition, record: &Record) {
        Medium::append(&mut self.log, position, record);
    }

    fn sync(&mut self) {
        Medium::sync(&mut self.log);
    }

    fn truncate(&mut self, position: LogPosition) {
        if self.disk != Disk::Hoards {
            Medium::truncate(&mut self.log, position);
        }
    }

    fn load(&mut self) -> Vec<(LogPosition, Record)> {
        let mut records = Medium::load(&mut self.log);
        if self.disk == Disk::HasHole && records.len() > 2 {
            records.remove(1);
        }
        records
    }

    fn power_cut(&mut self, chance: &mut Rng) {
        Medium::power_cut(&mut self.log, chance);
    }
}

/// Many checkpoints in small logs, and then all crash.
fn with_disks(disk: Disk) -> Option<Violation> {
    let mut plan = calm();
    (plan.tuning.window, plan.tuning.checkpoint_period, plan.tuning.archive_bytes) = (4, 2, 0);
    (plan.tuning.max_in_flight, plan.tuning.eager_in_flight) = (1, 1);
    (plan.workload.clients, plan.workload.requests, plan.workload.reads) = (4, 200, 0);
    (plan.heal_at, plan.faults.blackouts) = (Duration::from_secs(4), 1);
    run_on(plan, || Box::new(Log { log: MemoryLog::default(), disk })).violation
}

#[test]
fn sound_disks_break_nothing() {
    assert_eq!(with_disks(Disk::Sound), None);
}

#[test]
fn a_log_that_only_grows_is_noticed() {
    let kept = with_disks(Disk::Hoards);
    assert!(
        matches!(&kept, Some(Violation::Unbounded { what: "records", count, limit, .. }) if count > limit),
        "{kept:?}"
    );
}

#[test]
fn a_log_that_makes_no_replica_is_noticed() {
    let lost = with_disks(Disk::HasHole);
    assert!(matches!(&lost, Some(Violation::CannotRecover { .. })), "{lost:?}");
}

// --- Ends -------------------------------------------------------------------------------------------------------------

/// Nothing arrives anywhere, and clients ask again for longer than anybody would look.
#[test]
fn a_run_without_an_end_is_noticed() {
    let (mut plan, ages) = (calm(), Duration::from_secs(10_000_000));
    plan.network.drop = 1_000_000;
    (plan.heal_at, plan.workload.patience) = (ages, ages);
    // Only clients do anything, which costs little.
    (plan.tuning.status_period, plan.tuning.request_timeout) = (ages / 100, ages / 10);
    (plan.workload.clients, plan.workload.reads) = (4, 0);
    let finished = run_plan(plan, false);
    let Some(Violation::Endless { events }) = finished.violation else { panic!("{:?}", finished.violation) };
    assert!(finished.events > events);
}

/// A plan that makes no cluster.
#[test]
fn a_panic_is_a_broken_promise() {
    let mut plan = calm();
    plan.tuning.window = 0;
    let ended = run_plan(plan, false).violation;
    assert!(matches!(&ended, Some(Violation::Panic(_))), "{ended:?}");
}
