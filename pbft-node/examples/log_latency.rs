//! How long the durable log takes on this machine's disk, with and without space reserved ahead, beside a bare
//! `fdatasync` of 4 KiB. All variants take turns, so that noise hits them alike.
//!
//! `cargo run --release -p pbft-node --example log_latency [folder] [rounds]`

use std::{
    error::Error,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pbft_core::{
    Epoch, ReplicaId, Seq, UnixMillis,
    message::{Checkpoint, Membership, Signed, StateSummary},
    storage::{CheckpointRecord, Log, LogPosition, Record},
};
use pbft_crypto::{Digest, Signature};
use pbft_node::{
    disk::{MemoryDisk, RealDisk},
    log::{DurableLog, LogOptions},
};

const RESERVES: [usize; 4] = [0, 256 << 10, 1 << 20, 4 << 20];
/// Bytes of a record, and how many of them one sync covers.
const LOADS: [(usize, u64); 5] = [(200, 1), (4_000, 1), (200, 64), (4_000, 16), (256_000, 1)];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds = arguments.next().map_or(Ok(1000), |rounds| rounds.parse())?;
    let folder = tempfile::tempdir_in(folder)?;
    println!("{:<44} {:>8} {:>8} {:>8} {:>8}  us", "one sync of", "p50", "p90", "p99", "mean");
    for (index, (bytes, records)) in LOADS.into_iter().enumerate() {
        measure(&folder.path().join(index.to_string()), rounds, bytes, records)?;
    }
    open_again(&folder.path().join("again"))?;
    append_alone()
}

fn measure(folder: &Path, rounds: u64, bytes: usize, records: u64) -> Result<(), Box<dyn Error>> {
    let mut logs = Vec::new();
    for reserve_bytes in RESERVES {
        let options = LogOptions { reserve_bytes, ..LogOptions::default() };
        let disk = RealDisk::open(folder.join(reserve_bytes.to_string()))?;
        logs.push((DurableLog::open(disk, options)?, Vec::new()));
    }
    let mut bare = (File::create(folder.join("bare"))?, Vec::new());
    let record = record(bytes);
    let mut position = LogPosition::START;
    for _ in 0..rounds {
        let first = position;
        for (log, times) in &mut logs {
            position = first;
            let started = Instant::now();
            for _ in 0..records {
                position = position.next();
                log.append(position, &record)?;
            }
            log.sync()?;
            times.push(started.elapsed());
            log.truncate(position)?;
        }
        let started = Instant::now();
        bare.0.write_all(&[7; 4096])?;
        bare.0.sync_data()?;
        bare.1.push(started.elapsed());
    }
    for (reserve, (_, times)) in RESERVES.iter().zip(logs) {
        report(&format!("{records} x {bytes} B, {} KiB reserved", reserve >> 10), times);
    }
    report("4 KiB appended to a bare file", bare.1);
    Ok(())
}

/// What a restart costs: checking the log, and decoding its records.
fn open_again(folder: &Path) -> Result<(), Box<dyn Error>> {
    let open = || -> Result<_, Box<dyn Error>> {
        Ok(DurableLog::open(RealDisk::open(folder)?, LogOptions::default())?)
    };
    let mut log = open()?;
    for position in 1..=16_000 {
        log.append(LogPosition::new(position), &record(4_000))?;
    }
    drop(log);
    let started = Instant::now();
    let records = open()?.load()?;
    println!("opening a log of {} records of 4000 B: {} ms", records.len(), started.elapsed().as_millis());
    Ok(())
}

/// The log's own work: encoding, checksums, copying.
fn append_alone() -> Result<(), Box<dyn Error>> {
    for bytes in [200, 4_000, 256_000] {
        let mut log = DurableLog::open(MemoryDisk::new(), LogOptions::default())?;
        let record = record(bytes);
        let rounds = 30_000_000 / (bytes as u64 + 1000);
        let started = Instant::now();
        for position in 1..=rounds {
            log.append(LogPosition::new(position), &record)?;
        }
        let each = started.elapsed().as_nanos() / u128::from(rounds);
        println!("append of {bytes} B without sync: {each} ns");
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        times.get(times.len().saturating_sub(1) * percent / 100).map_or(0, Duration::as_micros)
    };
    let mean = times.iter().sum::<Duration>().as_micros() / times.len().max(1) as u128;
    println!("{what:<44} {:>8} {:>8} {:>8} {mean:>8}", at(50), at(90), at(99));
}

fn record(bytes: usize) -> Record {
    Record::Checkpoint(Box::new(CheckpointRecord {
        checkpoint: Signed {
            statement: Checkpoint { seq: Seq::new(1), digest: Digest::from_bytes([3; 32]) },
            signer: ReplicaId::new(1),
            signature: Signature::from_r_and_s(&[1; 32], &[2; 32]),
        },
        clients: vec![5; bytes],
        snapshot: None,
        summary: StateSummary {
            seq: Seq::new(1),
            time: UnixMillis::new(1),
            wake_at: None,
            service: Digest::ZERO,
            snapshot: false,
            clients: Vec::new(),
            membership: Membership { epoch: Epoch::ZERO, replicas: Digest::ZERO, next: None, wanted: None },
        },
        certified: Seq::ZERO,
        results: Vec::new(),
    }))
}
