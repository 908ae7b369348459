//! What the machine could do at best, measured in the same run.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use pbft_crypto::{Domain, KeyPair, verify};
use serde::Serialize;

use super::LoadError;

const SIGNATURES: u32 = 2_000;
const SYNCS: usize = 64;

/// The time for one signature and for one sync, and what follows from the first.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceiling {
    /// Microseconds to check one signature, one at a time, on one processor.
    pub verify_us: f64,
    /// Microseconds for one `fdatasync` after 4 KiB, the median.
    pub fdatasync_us: f64,
    /// Processors of this machine.
    pub cores: usize,
    /// `cores / (n x t_verify)`: nobody who checks each client signature on each replica one at a time does more.
    pub per_second: f64,
}

impl Ceiling {
    /// Measures on this machine, in this folder.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn measure(folder: &Path, replicas: u16) -> Result<Self, LoadError> {
        let verify_us = time_of_one_check().as_secs_f64() * 1e6;
        let io = |source| LoadError::Io { what: "measuring fdatasync", source };
        let fdatasync_us = time_of_one_sync(folder).map_err(io)?.as_secs_f64() * 1e6;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores_f64 = f64::from(u32::try_from(cores).unwrap_or(1));
        let per_second = cores_f64 * 1e6 / (f64::from(replicas) * verify_us);
        Ok(Self { verify_us, fdatasync_us, cores, per_second })
    }
}

fn time_of_one_check() -> Duration {
    let key = KeyPair::generate();
    let digest = pbft_crypto::digest(Domain::new("popmarket/load/v1"), b"one payment");
    let signature = key.sign(&digest);
    let check =
        || assert!(verify(&key.public_key(), &digest, &signature).is_ok(), "a fresh signature is valid");
    (0..SIGNATURES / 10).for_each(|_| check());
    let started = Instant::now();
    (0..SIGNATURES).for_each(|_| check());
    started.elapsed() / SIGNATURES
}

fn time_of_one_sync(folder: &Path) -> std::io::Result<Duration> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("fdatasync.probe");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0x5a; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed());
    }
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}
