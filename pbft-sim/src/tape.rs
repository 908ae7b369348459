//! A run as a list: who is there, what clients ask for, and each thing that goes wrong. A seed's run can be written down as
//! one; parts of it can be left out; and what is left is a run of its own, which a file keeps.

mod shrink;

use core::time::Duration;
use std::{fs, io, path::Path};

use pbft_core::ReplicaId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use shrink::{Effort, Shrunk, shrink};

use crate::{
    Finished, Plan, Simulation, customer::Wish, mishap::Mishap, network::Partition, rng::Rng,
    sweep::run_guarded,
};

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// What is not a list: its seed says how long things take, and what liars choose. Its rates count for nothing.
    pub plan: Plan,
    /// What each client asks for.
    pub clients: Vec<Vec<Wish>>,
    /// What goes wrong.
    pub mishaps: Vec<Mishap>,
}

/// Why there is no tape in a file.
#[derive(Debug, Error)]
pub enum TapeError {
    /// It cannot be read or written.
    #[error("the tape: {0}")]
    File(#[from] io::Error),
    /// It is none.
    #[error("the tape is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Tape {
    /// The run of a plan, written down.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> (Finished, Option<Self>) {
        let mut finished = run_guarded(plan.clone(), |plan| Simulation::new(plan, false).recording());
        let tape = finished.tape.take();
        (finished, tape.map(|tape| *tape))
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, print: bool) -> Finished {
        run_guarded(self.plan.clone(), |_| Simulation::of_tape(self, print))
    }

    /// How many requests there are.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.clients.iter().map(Vec::len).sum()
    }

    /// Reads one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self, TapeError> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TapeError> {
        Ok(fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

/// What goes wrong at a time of its own, as a seed says: everything else comes by chance in its place.
#[must_use]
pub fn timed(plan: &Plan) -> Vec<Mishap> {
    let mut rng = Rng::stream(plan.seed, "timed");
    let (faults, span) = (&plan.faults, (Duration::from_millis(5), plan.heal_at));
    let mut mishaps = Vec::new();
    for _ in 0..faults.blackouts {
        mishaps.push(Mishap::Blackout { at: rng.span(span) });
    }
    for _ in 0..faults.partitions {
        let at = rng.span(span);
        let into = match rng.below(4) {
            0 => Partition::OneWay(rng.next()),
            1 => Partition::Ring(plan.n + plan.spares),
            _ => Partition::Sides(rng.next()),
        };
        let apart = rng.span(faults.apart);
        for flap in 0..faults.flaps {
            let at = at + apart * 2 * flap;
            mishaps.push(Mishap::Partition { at, until: at + apart, into });
        }
    }
    for _ in 0..faults.clock_jumps {
        let at = rng.span(span);
        let replica = ReplicaId::new(u16::try_from(rng.below(u64::from(plan.n + plan.spares))).unwrap_or(0));
        let (back, millis) = (rng.chance(500_000), rng.between(1, 400));
        // Far enough for its word about the time to be refused, or for it to refuse the others' (PP-9).
        let millis = if rng.chance(100_000) { millis * 10 } else { millis };
        mishaps.push(Mishap::ClockSet { at, replica, back, millis });
    }
    absences(plan, &mut mishaps);
    mishaps
}

/// Replicas that are away for long, and those whose disks are lost.
fn absences(plan: &Plan, mishaps: &mut Vec<Mishap>) {
    let mut rng = Rng::stream(plan.seed, "absences");
    let span = (Duration::from_millis(5), plan.heal_at);
    let anyone = |rng: &mut Rng| ReplicaId::new(u16::try_from(rng.below(u64::from(plan.n))).unwrap_or(0));
    for _ in 0..plan.faults.away {
        let (at, replica) = (rng.span(span), anyone(&mut rng));
        let away = rng.span((Duration::from_millis(600), Duration::from_secs(3)));
        mishaps.push(Mishap::Away { at, replica, away });
    }
    for _ in 0..plan.faults.wipes {
        let (at, replica) = (rng.span(span), anyone(&mut rng));
        mishaps.push(Mishap::Wiped { at, replica });
    }
}
