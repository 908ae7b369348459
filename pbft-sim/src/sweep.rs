//! Many seeds: independent runs, one thread each at a time, added up in one place.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Finished, Plan, Simulation, Violation, counters::Counters};

/// Which seeds.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The first seed.
    pub start: u64,
    /// How many.
    pub seeds: u64,
    /// The sizes that clusters may have.
    pub sizes: Vec<u16>,
    /// How many threads.
    pub threads: usize,
    /// Stops handing out seeds after so many failures.
    pub max_failures: usize,
    /// Stops handing out seeds then.
    pub until: Option<Instant>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many events that were.
    pub events: u64,
    /// Virtual time, all runs together.
    pub virtual_time: Duration,
    /// Real time.
    pub real_time: Duration,
    /// What happened.
    pub counters: Counters,
    /// Runs with a violation, by seed.
    pub failures: Vec<Failure>,
}

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub plan: Plan,
    /// What was wrong.
    pub violation: Violation,
    /// After how many events.
    pub events: u64,
}

/// Below so many seeds it proves nothing that something rare never occurred.
pub const ENOUGH_SEEDS: u64 = 500;

impl Sweep {
    /// `seeds` seeds from `start`, on all cores.
    #[must_use]
    pub fn new(start: u64, seeds: u64, sizes: Vec<u16>) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { start, seeds, sizes, threads, max_failures: 10, until: None }
    }

    /// Runs them all; `on_finished` hears of each, in any order.
    pub fn run(&self, on_finished: impl FnMut(&Finished)) -> Summary {
        self.run_plans(|seed| Plan::of(seed, &self.sizes), on_finished)
    }

    /// The same with other plans than the seeds' own.
    pub fn run_plans(
        &self,
        plan: impl Fn(u64) -> Plan + Sync,
        mut on_finished: impl FnMut(&Finished),
    ) -> Summary {
        let plan = &plan;
        let late = || self.until.is_some_and(|until| Instant::now() > until);
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        let began = Instant::now();
        let mut summary = Summary::default();
        thread::scope(|scope| {
            for _ in 0..self.threads {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let offset = next.fetch_add(1, Ordering::Relaxed);
                        let done = offset >= self.seeds || late();
                        if done || sender.send(run_plan(plan(self.start + offset), false)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for finished in receiver {
                on_finished(&finished);
                summary.take(finished);
                stop.store(summary.failures.len() >= self.max_failures, Ordering::Relaxed);
            }
        });
        summary.real_time = began.elapsed();
        summary.failures.sort_by_key(|failure| failure.plan.seed);
        summary
    }
}

impl Summary {
    fn take(&mut self, finished: Finished) {
        self.seeds += 1;
        self.events += finished.events;
        self.virtual_time += finished.ended_at;
        self.counters.add(&finished.counters);
        if let Some(violation) = finished.violation {
            self.failures.push(Failure { plan: finished.plan, violation, events: finished.events });
        }
    }

    /// Whether nothing was wrong, and enough happened for that to mean something.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && !self.is_empty()
    }

    /// Whether something happened too rarely for the runs to prove much.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seeds >= ENOUGH_SEEDS && self.counters.too_rare(self.seeds).next().is_some()
    }
}

/// Runs one seed; a panic counts as a violation.
#[must_use]
pub fn run_seed(seed: u64, sizes: &[u16]) -> Finished {
    run_plan(Plan::of(seed, sizes), false)
}

/// Runs one plan; a panic counts as a violation.
#[must_use]
pub fn run_plan(plan: Plan, print: bool) -> Finished {
    run_guarded(plan, |plan| Simulation::new(plan, print))
}

/// Runs what `make` makes of a plan; a panic counts as a violation.
pub(crate) fn run_guarded(plan: Plan, make: impl FnOnce(Plan) -> Simulation) -> Finished {
    let attempt = plan.clone();
    match catch_unwind(AssertUnwindSafe(|| make(attempt).run())) {
        Ok(finished) => finished,
        Err(cause) => Finished {
            plan,
            events: 0,
            digest: 0,
            ended_at: Duration::ZERO,
            counters: Counters::default(),
            violation: Some(Violation::Panic(words(&*cause))),
            tape: None,
        },
    }
}

fn words(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
