//! The simulator's clusters on the durable log: its own code, on disks that tear what was not synced, lose any part of it,
//! and lose power in the middle of a sync; and on disks that rot, or put a write where it does not belong.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use pbft_core::{
    ReplicaId,
    storage::{Log, LogPosition, Record},
};
use pbft_node::{
    disk::MemoryDisk,
    log::{Damage, DurableLog, LogError, LogOptions},
};
use pbft_sim::{
    Plan, Simulation,
    counters::{Fault, Sometimes},
    disk::Medium,
    rng::Rng,
};

const SEEDS: u64 = 150;

/// What happened to all disks.
#[derive(Default)]
struct Seen {
    power_cuts: AtomicU64,
    /// Power cuts after which a part of what was not synced was there.
    partly: AtomicU64,
    /// What came of the disks that were taken away, in that order.
    harmed: Mutex<Vec<Option<Harmed>>>,
}

struct RealLog {
    disk: MemoryDisk,
    log: Option<DurableLog<MemoryDisk>>,
    options: LogOptions,
    seen: Arc<Seen>,
    /// The last position that was appended, and that was synced.
    last: u64,
    synced: u64,
    /// What will be wrong with it in the end.
    harm: Rng,
}

impl RealLog {
    fn new(seed: u64, replica: ReplicaId, seen: &Arc<Seen>) -> Self {
        // Small segments, so that there are many.
        let mut options = LogOptions::new([u8::try_from(replica.value()).unwrap(); 32]);
        (options.segment_bytes, options.reserve_bytes, options.salt) = (8 << 10, 2 << 10, 0x5a17);
        let disk = MemoryDisk::new();
        let log = DurableLog::open(disk.clone(), options.clone()).unwrap();
        let harm = Rng::stream(seed, "harm").of(u64::from(replica.value()), 0);
        Self { disk, log: Some(log), options, seen: seen.clone(), last: 0, synced: 0, harm }
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

/// The simulator takes a disk away when a replica loses it, and all others at the end of a run. So this is what a host does
/// that starts on a disk which has gone bad: its log is refused, and the replica starts without.
impl Drop for RealLog {
    fn drop(&mut self) {
        // In good order, so that damage in the last write is not taken for a torn one.
        self.log = None;
        let harmed = harm(&mut self.harm, self.disk.image(), &self.options);
        self.seen.harmed.lock().unwrap().push(harmed);
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
        let finished = simulation.on_disks(|replica| Box::new(RealLog::new(seed, replica, &seen))).run();
        assert_eq!(finished.violation, None, "seed {seed}: {}", finished.plan);
    }
    let [cuts, partly] = [&seen.power_cuts, &seen.partly].map(|count| count.load(Ordering::Relaxed));
    assert!(cuts > SEEDS * 10 && partly > SEEDS / 15, "{cuts} power cuts, {partly} with a part of a write");
}

// --- Rot and misdirected writes ---------------------------------------------------------------------------------------

/// What a disk did to a log after it was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// A bit turned round.
    Rotten,
    /// A write went to the place of another one; its own place is blank.
    Misdirected,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Harmed {
    harm: Harm,
    /// How it was noticed, if it was; and the disk was left as it is.
    refused: Option<Damage>,
}

/// A frame of a log: in which file, from where to where.
type Frame = (String, usize, usize);

const HEADER_BYTES: usize = 76;
const FRAME_BYTES: usize = 28;

/// Harms a log that was closed in good order, and opens it. Nothing if it holds nothing.
fn harm(chance: &mut Rng, image: BTreeMap<String, Vec<u8>>, options: &LogOptions) -> Option<Harmed> {
    let mut frames: Vec<Frame> = image.iter().flat_map(|(name, bytes)| frames(name, bytes)).collect();
    // The mark that closes the log proves what stands before it. Without it nothing is lost.
    let (mark_file, mark, _) = frames.pop()?;
    let harm = if chance.chance(500_000) { Harm::Rotten } else { Harm::Misdirected };
    let mut harmed = image;
    // Nor is anything lost with the mark that ends a segment: the next one begins with the next record.
    let records: Vec<_> = frames.iter().filter(|(_, start, end)| end - start > FRAME_BYTES).collect();
    let (name, start, end) = (*records.get(chance.index(records.len()))?).clone();
    if harm == Harm::Rotten {
        let at = start + chance.index(end - start);
        harmed.get_mut(&name)?[at] ^= 1u8 << chance.below(8);
    } else {
        let write = harmed.get_mut(&name)?[start..end].to_vec();
        harmed.get_mut(&name)?[start..end].fill(0);
        let others: Vec<_> = frames.iter().filter(|other| (&other.0, other.1) != (&name, start)).collect();
        let (other, place, _) = others.get(chance.index(others.len()))?;
        let file = harmed.get_mut(other)?;
        let room = if *other == mark_file { mark } else { file.len() } - place;
        let length = write.len().min(room);
        file[*place..place + length].copy_from_slice(&write[..length]);
    }
    let disk = MemoryDisk::from_image(harmed.clone());
    let opened = DurableLog::open(disk.clone(), options.clone());
    let refused = match opened.map(drop) {
        Err(LogError::Damaged { damage, .. }) if disk.image() == harmed => Some(damage),
        _ => None,
    };
    Some(Harmed { harm, refused })
}

fn frames(name: &str, bytes: &[u8]) -> Vec<Frame> {
    let (mut frames, mut start) = (Vec::new(), HEADER_BYTES);
    while let Some([a, b, c, d, kind]) = bytes.get(start..start + 5)
        && *kind != 0
    {
        let end = start + FRAME_BYTES + u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        frames.push((name.to_owned(), start, end));
        start = end;
    }
    frames
}

/// One replica loses its disk to rot, or to a write that went astray: one of the `f` that may fail. It starts without its
/// log, comes back, and all that was promised to anyone still holds: the simulator's checks see to that after each event.
#[test]
fn clusters_survive_a_disk_that_rots_or_misplaces_a_write() {
    let (mut lost, mut voted_again) = (BTreeMap::new(), 0);
    for seed in 0..SEEDS {
        let mut plan = Plan::of(seed, &[4]);
        plan.faults.wipes = 1;
        // Nobody else is faulty, else the simulator would spare the disk.
        (plan.byzantine, plan.outside) = (Vec::new(), Vec::new());
        let seen = Arc::new(Seen::default());
        let simulation = Simulation::new(plan, false);
        let finished = simulation.on_disks(|replica| Box::new(RealLog::new(seed, replica, &seen))).run();
        assert_eq!(finished.violation, None, "seed {seed}: {}", finished.plan);
        let harmed = seen.harmed.lock().unwrap();
        for Harmed { harm, refused } in harmed.iter().flatten() {
            assert!(refused.is_some(), "seed {seed}: a log was taken for sound that was {harm:?}");
        }
        // The disk that was lost went first, the others when all was over.
        if finished.counters.faults.contains_key(&Fault::Wiped)
            && let Some(Some(first)) = harmed.first()
        {
            *lost.entry(first.harm).or_insert(0) += 1;
            voted_again += u64::from(finished.counters.sometimes.contains_key(&Sometimes::VotesAgain));
        }
    }
    let [rotten, misdirected] =
        [Harm::Rotten, Harm::Misdirected].map(|harm| lost.get(&harm).copied().unwrap_or(0));
    let seen =
        format!("{rotten} rotten logs, {misdirected} with a misdirected write, {voted_again} voted again");
    println!("{seen}");
    assert!(rotten > SEEDS / 5 && misdirected > SEEDS / 5 && voted_again > SEEDS / 2, "{seen}");
}
