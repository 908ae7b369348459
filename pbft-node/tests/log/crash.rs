//! Power cuts at every point: what was reported durable is there, in order, without a gap.

use std::collections::BTreeMap;

use pbft_core::storage::{Log, LogPosition, Record};
use pbft_node::{
    disk::MemoryDisk,
    log::{LogError, LogOptions},
};
use proptest::prelude::*;

use crate::model::{Choices, MemoryDiskLog, at, options, record};

/// What is done to a log.
#[derive(Clone, Copy, Debug)]
enum Action {
    Append {
        bytes: usize,
    },
    Sync,
    /// Up to so many records before the last.
    Truncate {
        kept: u64,
    },
    /// Closed and opened again.
    Reopen,
}

/// How a life of the log ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// During an operation on the disk; what was not synced is lost in part.
    PowerCut { operation: u64 },
    /// During an operation on the disk; the system goes on.
    Killed { operation: u64 },
    /// The log gives up; the system goes on, and takes for synced what is not.
    FailedSync { sync: u64 },
}

/// A log, and what must be true of it.
struct Experiment {
    disk: MemoryDisk,
    options: LogOptions,
    /// Everything that was appended and is not known to be lost.
    appended: BTreeMap<LogPosition, Record>,
    /// What was reported durable.
    durable: LogPosition,
    /// What may be gone.
    truncated: LogPosition,
    /// Makes records different from those that a crash took from the same place.
    content: u64,
}

impl Experiment {
    fn new(options: LogOptions) -> Self {
        Self {
            disk: MemoryDisk::new(),
            options,
            appended: BTreeMap::new(),
            durable: LogPosition::START,
            truncated: LogPosition::new(1),
            content: 0,
        }
    }

    fn open(&self) -> Result<MemoryDiskLog, LogError> {
        MemoryDiskLog::open(self.disk.clone(), self.options.clone())
    }

    fn last(&self) -> LogPosition {
        self.appended.keys().next_back().copied().unwrap_or_default()
    }

    /// Carries actions out until the power fails or there are no more.
    fn run(&mut self, mut log: MemoryDiskLog, actions: &[Action]) -> Result<MemoryDiskLog, LogError> {
        for action in actions {
            match *action {
                Action::Append { bytes } => {
                    self.content += 1;
                    let (position, record) = (self.last().next(), record(self.content, bytes));
                    self.appended.insert(position, record.clone());
                    log.append(position, &record)?;
                }
                Action::Sync => {
                    self.durable = log.sync()?.position();
                    assert_eq!(self.durable, self.last());
                }
                Action::Truncate { kept } => {
                    let low = at(self.last().value().saturating_sub(kept));
                    self.truncated = self.truncated.max(low);
                    log.truncate(low)?;
                }
                Action::Reopen => {
                    drop(log);
                    log = self.open()?;
                    self.check(&log.load()?);
                }
            }
        }
        Ok(log)
    }

    /// One life, from opening to its end.
    fn live(&mut self, actions: &[Action], ending: Ending, seed: u64) {
        match ending {
            Ending::PowerCut { operation } | Ending::Killed { operation } => {
                self.disk.cut_power_after(operation);
            }
            Ending::FailedSync { sync } => self.disk.fail_sync_after(sync),
        }
        let log = self.open().and_then(|mut log| {
            self.check(&log.load()?);
            self.run(log, actions)
        });
        match ending {
            Ending::PowerCut { .. } => self.crash(Choices::new(seed)),
            Ending::Killed { .. } | Ending::FailedSync { .. } => self.disk = self.disk.restart(),
        }
        drop(log);
    }

    /// A last opening without faults, which must find all that it should.
    fn end(&mut self) {
        let records = self.open().unwrap().load().unwrap();
        self.check(&records);
    }

    fn crash(&mut self, mut choices: Choices) {
        self.disk = self.disk.crash(|length| choices.survivor(length));
    }

    /// Checks what a log gives after a crash, and takes it for what is there now.
    fn check(&mut self, records: &[(LogPosition, Record)]) {
        let last = records.last().map_or(LogPosition::START, |(position, _)| *position);
        let first = records.first().map_or(LogPosition::new(1), |(position, _)| *position);
        assert!(last >= self.durable, "{last:?} < {:?}: durable records are lost", self.durable);
        assert!(last <= self.last());
        assert!(first <= self.truncated, "{first:?} > {:?}: more was truncated than asked", self.truncated);
        let expected = self.appended.range(first..).take_while(|(position, _)| **position <= last);
        assert!(records.iter().map(|(position, record)| (position, record)).eq(expected));
        self.appended.retain(|position, _| *position <= last);
        self.durable = last;
        self.truncated = self.truncated.min(last).max(LogPosition::new(1));
    }
}

/// Every kind of action, over several segments, with syncs that cover one record and many.
fn script() -> Vec<Action> {
    use Action::{Append, Reopen, Sync, Truncate};
    let mut script = Vec::new();
    for round in 0..7 {
        script.extend([Append { bytes: 300 }, Sync, Append { bytes: 900 }, Append { bytes: 5 }, Sync]);
        script.extend([Append { bytes: 200 * round }, Append { bytes: 1500 }]);
        match round % 3 {
            0 => script.push(Truncate { kept: 4 }),
            1 => script.push(Reopen),
            _ => script.push(Sync),
        }
    }
    script
}

#[test]
fn power_cut_at_every_operation_with_every_kind_of_loss() {
    let mut whole = Experiment::new(options());
    let log = whole.open().unwrap();
    drop(whole.run(log, &script()).unwrap());
    let operations = whole.disk.operations();
    assert!(operations > 60, "{operations}");
    let mut images = 0_u32;
    for cut in 0..operations {
        for seed in 0..100 {
            let mut experiment = Experiment::new(options());
            experiment.disk.cut_power_after(cut);
            let log = experiment.open().unwrap();
            assert!(
                experiment.run(log, &script()).and_then(|mut log| log.sync()).is_err()
                    || cut + 3 > operations
            );
            experiment.crash(Choices::new(seed * operations + cut));
            let mut log = experiment.open().unwrap();
            experiment.check(&log.load().unwrap());
            // Going on needs nothing special.
            let log = experiment.run(log, &script()).unwrap();
            experiment.crash(Choices::new(seed));
            drop(log);
            let records = experiment.open().unwrap().load().unwrap();
            experiment.check(&records);
            images += 2;
        }
    }
    assert!(images > 12_000, "{images}");
}

#[test]
fn killed_at_every_operation_then_power_cut_during_recovery() {
    for operation in 0..70 {
        for seed in 0..20 {
            for ending in [Ending::PowerCut { operation }, Ending::Killed { operation }] {
                let mut experiment = Experiment::new(options());
                experiment.live(&script(), ending, seed);
                for step in 0..7 {
                    experiment.live(
                        &[],
                        Ending::PowerCut { operation: step },
                        seed + operation * 1000 + step,
                    );
                }
                experiment.end();
            }
        }
    }
}

#[test]
fn every_sync_failing_once_then_a_power_cut() {
    for sync in 0..50 {
        for (seed, actions) in [(0, 0), (1, 3), (2, 30), (3, 7)] {
            let mut experiment = Experiment::new(options());
            experiment.live(&script(), Ending::FailedSync { sync }, seed);
            experiment.live(&script()[..actions], Ending::PowerCut { operation: 1000 }, seed);
            experiment.end();
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0usize..3000).prop_map(|bytes| Action::Append { bytes }),
        4 => Just(Action::Sync),
        1 => (0u64..12).prop_map(|kept| Action::Truncate { kept }),
        1 => Just(Action::Reopen),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        3 => (0u64..60).prop_map(|operation| Ending::PowerCut { operation }),
        1 => (0u64..60).prop_map(|operation| Ending::Killed { operation }),
        1 => (0u64..30).prop_map(|sync| Ending::FailedSync { sync }),
    ]
}

/// Sizes around the smallest that make sense.
fn layout() -> impl Strategy<Value = LogOptions> {
    let layouts = (prop_oneof![Just(0usize), 100usize..9000], prop_oneof![Just(0usize), 1usize..5000]);
    layouts.prop_map(|(segment_bytes, reserve_bytes)| LogOptions {
        segment_bytes,
        reserve_bytes,
        ..options()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Lives of a log, each ended somewhere in some way.
    #[test]
    fn nothing_durable_is_lost_through_many_lives(
        lives in prop::collection::vec((prop::collection::vec(action(), 0..40), ending(), any::<u64>()), 1..8),
        options in layout(),
    ) {
        let mut experiment = Experiment::new(options);
        for (actions, ending, seed) in lives {
            experiment.live(&actions, ending, seed);
        }
        experiment.end();
    }
}
