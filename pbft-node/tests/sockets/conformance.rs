//! The rules of the port to the network, as the core's kit knows them, over real sockets.

use std::{iter, sync::mpsc, time::Duration};

use pbft_core::{
    ReplicaId,
    conformance::{self, Received},
};
use pbft_node::transport::{Inbound, Transport};
use tokio::runtime::Runtime;

use crate::net::{Cluster, Node};

/// So long the test waits for something to arrive, before the kit sends again: far more than loopback takes.
const WHILE: Duration = Duration::from_secs(5);
/// After such a silence the kit sends again, though something has arrived: a link may be slower than the others.
const SILENCE: Duration = Duration::from_millis(50);

/// Hands on what arrives at a replica, and the transport itself.
fn listen(runtime: &Runtime, at: ReplicaId, node: Node, arrived: mpsc::Sender<Received>) -> Transport {
    let Node { transport, mut inbound } = node;
    runtime.spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            let Inbound::Replica { from, message, .. } = inbound else { panic!("{inbound:?}") };
            // The test may be over.
            let _ = arrived.send((at, from, message));
        }
    });
    transport
}

#[test]
fn the_transport_keeps_the_rules() {
    let runtime = Runtime::new().unwrap();
    let _guard = runtime.enter();
    let members = [0, 1, 2, 3].map(ReplicaId::new);
    // What is late from one sender would be another sender's fault in the same cluster.
    for own in members {
        let nodes = Cluster::new(4).start_all();
        for node in &nodes {
            runtime.block_on(node.connected(3));
        }
        let (sender, arrived) = mpsc::channel();
        let listen = |(at, node)| listen(&runtime, at, node, sender.clone());
        let mut transports: Vec<_> = members.into_iter().zip(nodes).map(listen).collect();
        let received = || {
            let first = arrived.recv_timeout(WHILE).into_iter();
            first.chain(iter::from_fn(|| arrived.recv_timeout(SILENCE).ok())).collect::<Vec<_>>()
        };
        conformance::network(&mut transports[own.index()], own, &members, received).unwrap();
        transports.iter().for_each(|transport| runtime.block_on(transport.shutdown()));
    }
}
