//! The replica sets of a cluster over time: which of them decides on which numbers.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    config::ValidConfig,
    ids::{Epoch, ReplicaId, Seq},
};

/// The configurations of all epochs that are known, oldest first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Roster {
    first: Arc<ValidConfig>,
    later: Vec<Arc<ValidConfig>>,
}

impl Roster {
    /// A cluster whose replicas have never changed, as far as is known.
    #[must_use]
    pub const fn new(first: Arc<ValidConfig>) -> Self {
        Self { first, later: Vec::new() }
    }

    /// RE-3: the configuration that decides on a number.
    #[must_use]
    pub fn at(&self, seq: Seq) -> &Arc<ValidConfig> {
        self.later.iter().rev().find(|config| config.after() < seq).unwrap_or(&self.first)
    }

    /// The configurations of all epochs that are known, oldest first.
    pub fn configs(&self) -> impl DoubleEndedIterator<Item = &Arc<ValidConfig>> {
        core::iter::once(&self.first).chain(&self.later)
    }

    /// The configuration of the first epoch.
    #[must_use]
    pub const fn first(&self) -> &Arc<ValidConfig> {
        &self.first
    }

    /// The configuration of the newest epoch that is known.
    #[must_use]
    pub fn newest(&self) -> &Arc<ValidConfig> {
        self.later.last().unwrap_or(&self.first)
    }

    /// The configuration of an epoch, if it is known.
    #[must_use]
    pub fn of(&self, epoch: Epoch) -> Option<&Arc<ValidConfig>> {
        self.configs().find(|config| config.epoch() == epoch)
    }

    /// Whether a replica is, or once was, a member.
    #[must_use]
    pub fn knows(&self, replica: ReplicaId) -> bool {
        self.configs().any(|config| config.replicas.contains(replica))
    }

    /// Adds the epoch that follows the newest one; anything else is ignored.
    pub fn push(&mut self, next: Arc<ValidConfig>) {
        let newest = self.newest();
        if next.epoch() == newest.epoch().next() && next.after() > newest.after() {
            self.later.push(next);
        }
    }
}
