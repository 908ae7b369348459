//! Keeps the connections in step with who the replicas are, and where.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use pbft_core::{ReplicaId, config::ReplicaSet, roster::Roster};
use tokio::sync::watch;

use crate::{config::NodeConfig, transport::Transport};

/// Where replicas listen.
pub type AddressBook = BTreeMap<ReplicaId, SocketAddr>;

/// Where they are until somebody knows better.
pub(super) fn first_addresses(config: &NodeConfig) -> AddressBook {
    config.protocol.replicas.ids().zip(config.addresses.iter().copied()).collect()
}

/// Keeps the transport in step with who the replicas are, and where. Ends with the node.
pub(super) async fn follow(
    transport: Transport,
    mut roster: watch::Receiver<Arc<Roster>>,
    mut book: watch::Receiver<AddressBook>,
) {
    loop {
        let (known, addresses) = (roster.borrow_and_update().clone(), book.borrow_and_update().clone());
        // Who was a member may have to be told that it is none any more. Of each, the last key counts. All of them may
        // connect and ask; but replicas answer on connections that they dialed, and who left longer ago is not dialed.
        let all = known.configs().flat_map(|config| config.replicas.members().iter().copied());
        let admitted: BTreeMap<_, _> = all.collect();
        let lately: BTreeMap<_, _> =
            known.configs().rev().take(2).flat_map(|config| config.replicas.members()).copied().collect();
        let dialed = lately.into_keys().filter_map(|id| Some((id, *admitted.get(&id)?)));
        if let Err(error) = transport.update(admitted.clone(), &ReplicaSet::of(dialed), &addresses) {
            tracing::error!(%error, "the connections stay as they were");
        }
        let changed = tokio::select! {
            changed = roster.changed() => changed,
            changed = book.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}
