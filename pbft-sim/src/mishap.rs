//! What goes wrong in a run, one by one: each crash, each lost message. By chance, as a seed says; or as a list says, which
//! can be made shorter and is then a test of its own. Both ways give the same run: chance is drawn for each thing by
//! itself, by its name.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use pbft_core::ReplicaId;
use serde::{Deserialize, Serialize};

use crate::network::Partition;

/// A way for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Link {
    /// Between replicas.
    Peers(ReplicaId, ReplicaId),
    /// From clients to a replica.
    Ask(ReplicaId),
    /// From a replica to clients.
    Answer(ReplicaId),
}

impl Link {
    /// A number for each of them.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Peers(from, to) => (from.value() as u64) << 16 | to.value() as u64,
            Self::Ask(to) => 1 << 32 | to.value() as u64,
            Self::Answer(from) => 2 << 32 | from.value() as u64,
        }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mishap {
    /// A replica crashes.
    Crash {
        /// Which.
        replica: ReplicaId,
        /// In its how-manieth step.
        step: u64,
        /// Before which of the effects of that step.
        before: usize,
    },
    /// A replica's disk fails, and the replica has to stop.
    DiskFails {
        /// Which.
        replica: ReplicaId,
        /// In the how-manieth operation of its disk.
        operation: u64,
    },
    /// All replicas crash.
    Blackout {
        /// When.
        at: Duration,
    },
    /// The network falls apart.
    Partition {
        /// When.
        at: Duration,
        /// When it is joined again.
        until: Duration,
        /// Into what.
        into: Partition,
    },
    /// A wall clock is set.
    ClockSet {
        /// When.
        at: Duration,
        /// Whose.
        replica: ReplicaId,
        /// Back, or forward.
        back: bool,
        /// By how much.
        millis: u64,
    },
    /// A replica goes away for long.
    Away {
        /// When.
        at: Duration,
        /// Which.
        replica: ReplicaId,
        /// For how long.
        away: Duration,
    },
    /// A replica's disk is lost, if the cluster can bear another faulty one then.
    Wiped {
        /// When.
        at: Duration,
        /// Which.
        replica: ReplicaId,
    },
    /// A message is lost.
    Lost(Link, u64),
    /// A message arrives twice.
    Repeated(Link, u64),
    /// A message is held up.
    Late(Link, u64),
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFate {
    /// It does not arrive, or only its copy does.
    pub lost: bool,
    /// There is a copy.
    pub repeated: bool,
    /// It is held up.
    pub late: bool,
}

/// A list of mishaps, to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Script {
    crashes: BTreeMap<(ReplicaId, u64), usize>,
    disks: BTreeSet<(ReplicaId, u64)>,
    messages: BTreeMap<(Link, u64), MessageFate>,
}

impl Script {
    /// The script that these make.
    #[must_use]
    pub fn new(mishaps: &[Mishap]) -> Self {
        let mut script = Self::default();
        for mishap in mishaps {
            match *mishap {
                Mishap::Crash { replica, step, before } => {
                    script.crashes.insert((replica, step), before);
                }
                Mishap::DiskFails { replica, operation } => {
                    script.disks.insert((replica, operation));
                }
                Mishap::Lost(link, nth) => script.fate_of(link, nth).lost = true,
                Mishap::Repeated(link, nth) => script.fate_of(link, nth).repeated = true,
                Mishap::Late(link, nth) => script.fate_of(link, nth).late = true,
                Mishap::Blackout { .. }
                | Mishap::Partition { .. }
                | Mishap::ClockSet { .. }
                | Mishap::Away { .. }
                | Mishap::Wiped { .. } => {}
            }
        }
        script
    }

    fn fate_of(&mut self, link: Link, nth: u64) -> &mut MessageFate {
        self.messages.entry((link, nth)).or_default()
    }

    /// Before which effect a replica crashes in this step.
    #[must_use]
    pub fn crash(&self, replica: ReplicaId, step: u64) -> Option<usize> {
        self.crashes.get(&(replica, step)).copied()
    }

    /// Whether a disk fails in this operation.
    #[must_use]
    pub fn disk_fails(&self, replica: ReplicaId, operation: u64) -> bool {
        self.disks.contains(&(replica, operation))
    }

    /// What becomes of a message.
    #[must_use]
    pub fn message(&self, link: Link, nth: u64) -> MessageFate {
        self.messages.get(&(link, nth)).copied().unwrap_or_default()
    }
}
