//! Who the replicas are, as the node nearby knows it.

use std::sync::Arc;

use pbft_core::{config::ReplicaSet, message::Handover, roster::Roster};
use pbft_node::{Client, node::AddressBook};
use tokio::sync::watch;

use crate::replica::Replica;

/// Who the replicas are, and where, now and whenever that changes. Clones share it.
#[derive(Clone, Debug)]
pub struct Membership {
    /// All that decide or did, epoch by epoch.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// What proves each epoch past the first.
    pub handovers: watch::Receiver<Arc<[Handover]>>,
    /// Where they listen.
    pub addresses: watch::Receiver<AddressBook>,
}

impl Membership {
    /// As a running replica knows it.
    #[must_use]
    pub fn of(replica: &Replica) -> Self {
        let node = &replica.node;
        Self { roster: node.roster(), handovers: node.handovers(), addresses: replica.addresses.clone() }
    }

    /// Those that decide now.
    #[must_use]
    pub fn newest(&self) -> ReplicaSet {
        self.roster.borrow().newest().replicas.clone()
    }

    /// The first ones, which the genesis names.
    #[must_use]
    pub fn first(&self) -> ReplicaSet {
        self.roster.borrow().first().replicas.clone()
    }

    /// The replicas of a genesis, who never change.
    #[cfg(test)]
    pub(crate) fn unchanged(genesis: &ledger::Genesis) -> Self {
        let replicas = crate::testing::replicas();
        let config = pbft_core::Config::new(genesis.chain_id(), replicas).validate().unwrap();
        Self {
            roster: watch::channel(Arc::new(Roster::new(Arc::new(config)))).1,
            handovers: watch::channel(Arc::default()).1,
            addresses: watch::channel(AddressBook::new()).1,
        }
    }

    /// Lets a client follow them, until the node ends.
    pub(super) async fn lead(mut self, client: Client) {
        loop {
            let newest = self.roster.borrow_and_update().newest().replicas.clone();
            let addresses = self.addresses.borrow_and_update().clone();
            client.follow(newest, addresses).await;
            let changed = tokio::select! {
                changed = self.roster.changed() => changed,
                changed = self.addresses.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}
