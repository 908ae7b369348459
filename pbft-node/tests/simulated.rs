//! The simulator's clusters on the durable log: its own code, on disks that tear what was not synced, lose any part of it,
//! and lose power in the middle of a sync.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use pbft_core::{
    ReplicaId,
    storage::{Log, LogPosition, Record},
};
use pbft_node::{
    disk::MemoryDisk,
    log::{DurableLog, LogOptions},
};
use pbft_sim::{Plan, Simulation, disk::Medium, rng::Rng};

const SEEDS: u64 = 150;

/// What happened to all disks.
#[derive(Default)]
struct Seen {
    power_cuts: AtomicU64,
    /// Power cuts after which a part of what was not synced was there.
    partly: AtomicU64,
}

struct RealLog {
    disk: MemoryDisk,
    log: Option<DurableLog<MemoryDisk>>,
    options: LogOptions,
    seen: Arc<Seen>,
    /// The last position that was appended, and that was synced.
    last: u64,
    synced: u64,
}

impl RealLog {
    fn new(replica: ReplicaId, seen: &Arc<Seen>) -> Self {
        // Small segments, so that there are many.
        let mut options = LogOptions::new([u8::try_from(replica.value()).unwrap(); 32]);
        (options.segment_bytes, options.reserve_bytes, options.salt) = (8 << 10, 2 << 10, 0x5a17);
        let disk = MemoryDisk::new();
        let log = DurableLog::open(disk.clone(), options.clone()).unwrap();
        Self { disk, log: Some(log), options, seen: seen.clone(), last: 0, synced: 0 }
    }

    fn log(&mut self) -> &mut DurableLog<MemoryDisk> {
        self.log.as_mut().unwrap()
    }
}

impl Medium for RealLog {
    fn append(&mut self, position: LogPosition, record: &Record) {
        self.last = position.value();
        self.log().append(position, record).unwrap();
    }

    fn sync(&mut self) {
        self.log().sync().unwrap();
        self.synced = self.last;
    }

    fn truncate(&mut self, position: LogPosition) {
        self.log().truncate(position).unwrap();
    }

    fn load(&mut self) -> Vec<(LogPosition, Record)> {
        self.log().load().unwrap()
    }

    fn power_cut(&mut self, chance: &mut Rng) {
        self.disk.cut_power_after(chance.below(4));
        // What it says about it nobody hears any more.
        let _ = self.log().sync();
        self.disk = self.disk.crash(|length| match chance.below(4) {
            0 => 0,
            1 => length,
            _ => chance.index(length + 1),
        });
        // What the dead process still does reaches no disk.
        self.log = None;
        self.log = Some(DurableLog::open(self.disk.clone(), self.options.clone()).unwrap());
        let left = self.load().last().map_or(0, |(at, _)| at.value());
        self.seen.power_cuts.fetch_add(1, Ordering::Relaxed);
        if left > self.synced && left < self.last {
            self.seen.partly.fetch_add(1, Ordering::Relaxed);
        }
        (self.last, self.synced) = (left, left);
    }
}

#[test]
fn clusters_survive_on_disks_that_tear() {
    let seen = Arc::new(Seen::default());
    for seed in 0..SEEDS {
        let mut plan = Plan::of(seed, &[4]);
        plan.faults.crash = plan.faults.crash.max(4_000);
        plan.faults.blackouts = plan.faults.blackouts.max(1);
        let simulation = Simulation::new(plan, false);
        let finished = simulation.on_disks(|replica| Box::new(RealLog::new(replica, &seen))).run();
        assert_eq!(finished.violation, None, "seed {seed}: {}", finished.plan);
    }
    let [cuts, partly] = [&seen.power_cuts, &seen.partly].map(|count| count.load(Ordering::Relaxed));
    assert!(cuts > SEEDS * 10 && partly > SEEDS / 15, "{cuts} power cuts, {partly} with a part of a write");
}
