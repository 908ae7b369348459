//! Replicas that come and go.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use pbft_core::{
    Epoch, ReplicaId, Seq,
    config::ReplicaSet,
    message::Handover,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    wire,
};
use pbft_node::{
    NodeConfig, StartError, client::Session, node::Node, recorder::RecordOptions, transport::TransportError,
};
use tempfile::TempDir;

use crate::support::{Cluster, PATIENCE, session, shut_down};

/// The first byte of an operation that asks for other replicas; their ids follow.
pub(crate) const CHANGE: u8 = 0xee;
/// The first byte of an operation that asks for another key for one of four: its id follows, and whose key it gets.
const ROTATE: u8 = 0xed;

/// Counts requests, says how many there were if it is asked, and asks for the replicas that it was told last.
pub(crate) struct Count {
    requests: u64,
    /// Each with the one whose key it has.
    members: Option<Vec<(u8, u8)>>,
    everyone: ReplicaSet,
    /// How many batches this one carried out itself: those in a state that it was given are not among them.
    pub(crate) batches: Arc<AtomicU64>,
}

impl Count {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self { requests: 0, members: None, everyone: cluster.everyone(), batches: Arc::default() }
    }
}

impl Service for Count {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let count = |request: &pbft_core::Request| {
            self.requests += 1;
            match request.operation.as_bytes() {
                [CHANGE, ids @ ..] => self.members = Some(ids.iter().map(|id| (*id, *id)).collect()),
                [ROTATE, id, other] => {
                    let key_of = |member| (member, if member == *id { *other } else { member });
                    self.members = Some((0..4).map(key_of).collect());
                }
                _ => {}
            }
            Outcome::Applied(self.requests.to_le_bytes().to_vec())
        };
        let executed = Executed::new(batch.requests.iter().map(count).collect());
        let wanted = self.members.as_ref().map(|ids| {
            let key = |owner: u8| *self.everyone.key(ReplicaId::new(owner.into())).unwrap();
            Arc::new(ReplicaSet::of(
                ids.iter().map(|(id, owner)| (ReplicaId::new((*id).into()), key(*owner))),
            ))
        });
        Executed { replicas: wanted, ..executed }
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(wire::encode(&(self.requests, &self.members)).unwrap())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let state = snapshot.and_then(|bytes| wire::decode(bytes).ok());
        (self.requests, self.members) = state.ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }

    fn query(&mut self, _query: &[u8]) -> Option<Vec<u8>> {
        Some(self.requests.to_le_bytes().to_vec())
    }
}

fn cluster(members: usize) -> Cluster {
    Cluster::with(members, 9, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (16, 64, 8);
    })
}

fn start(cluster: &mut Cluster, index: u16) -> Node {
    start_told(cluster, index, Vec::new())
}

/// Starts one that was told about later replicas.
fn start_told(cluster: &mut Cluster, index: u16, handovers: Vec<Handover>) -> Node {
    let service = Count::new(cluster);
    cluster.start_with(NodeConfig { handovers, ..cluster.config(index) }, service)
}

/// Waits until a node has executed `seq` in an epoch of its own.
pub(crate) async fn reach(node: &Node, epoch: u64, seq: Seq) {
    let roster = async {
        let mut roster = node.roster();
        roster.wait_for(|roster| roster.newest().epoch() >= Epoch::new(epoch)).await.unwrap();
    };
    let executed = async {
        let mut progress = node.progress();
        progress.wait_for(|progress| progress.executed >= seq).await.unwrap();
    };
    let both = async { tokio::join!(roster, executed) };
    if tokio::time::timeout(PATIENCE, both).await.is_err() {
        panic!("{:?}, {}", *node.progress().borrow(), node.diagnosis().borrow().waits_for);
    }
}

async fn submit(session: &Session, requests: u32) -> u64 {
    let mut last = 0;
    for _ in 0..requests {
        let receipt = tokio::time::timeout(PATIENCE, session.submit(vec![1])).await.unwrap().unwrap();
        last = u64::from_le_bytes(receipt.outcome.as_bytes().try_into().unwrap());
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_are_gone_and_two_others_take_their_places() {
    let mut cluster = cluster(7);
    let mut nodes: Vec<_> = (0..7).map(|index| start(&mut cluster, index)).collect();
    let client = cluster.client();
    let session = session(&client, 1);
    assert_eq!(submit(&session, 50).await, 50);

    nodes.remove(6).shutdown().await;
    nodes.remove(0).shutdown().await;
    assert_eq!(submit(&session, 50).await, 100);
    nodes.extend([start(&mut cluster, 7), start(&mut cluster, 8)]);
    let wish = [&[CHANGE][..], &[1, 2, 3, 4, 5, 7, 8]].concat();
    session.submit(wish).await.unwrap();
    let counted = submit(&session, 50).await;
    assert_eq!(counted, 151, "nothing twice, nothing lost");

    let after = nodes[0].progress().borrow().executed;
    for node in &nodes {
        reach(node, 1, after).await;
    }
    let newest = nodes[0].roster().borrow().newest().replicas.clone();
    client.follow(newest.clone(), cluster.book()).await;
    let peers: Vec<_> = client.links().await.iter().map(|link| link.peer).collect();
    assert_eq!(peers, newest.ids().collect::<Vec<_>>(), "the client has followed");
    // The new ones vote: two more of the old ones may be gone.
    nodes.remove(0).shutdown().await;
    nodes.remove(0).shutdown().await;
    assert_eq!(submit(&session, 50).await, 201);
    shut_down(nodes).await;
}

/// RE-4: the first replicas are all gone, so nobody is left whom a newcomer knows from the configuration alone.
#[tokio::test(flavor = "multi_thread")]
async fn handovers_that_it_was_told_lead_a_newcomer_to_later_replicas() {
    let mut cluster = cluster(4);
    let mut nodes: Vec<_> = (0..4).map(|index| start(&mut cluster, index)).collect();
    let client = cluster.client();
    let session = session(&client, 1);
    for (epoch, members) in [(1, [2, 3, 4, 5]), (2, [4, 5, 6, 7])] {
        nodes.extend(members[2..].iter().map(|index| start(&mut cluster, (*index).into())));
        session.submit([&[CHANGE][..], &members].concat()).await.unwrap();
        submit(&session, 20).await;
        let leaving = nodes.drain(..2).collect::<Vec<_>>();
        for node in &nodes {
            reach(node, epoch, Seq::new(1)).await;
        }
        client.follow(nodes[0].roster().borrow().newest().replicas.clone(), cluster.book()).await;
        submit(&session, 20).await;
        shut_down(leaving).await;
    }
    let told = nodes[0].handovers().borrow().to_vec();
    assert_eq!(told.len(), 2);
    let mut forged = told.clone();
    forged[1].certificate.signatures.swap_remove(0);
    let refused =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| start_told(&mut cluster, 8, forged)));
    assert!(refused.is_err(), "what is not proven is not believed");
    nodes.push(start_told(&mut cluster, 8, told));
    session.submit([&[CHANGE][..], &[4, 5, 6, 7, 8]].concat()).await.unwrap();
    let counted = submit(&session, 20).await;
    assert_eq!(counted, 3 + 5 * 20);
    let after = nodes[0].progress().borrow().executed;
    for node in &nodes {
        reach(node, 3, after).await;
    }

    // Who joined later is known by its log.
    nodes.pop().unwrap().shutdown().await;
    for (owner, new_key) in [(5, false), (5, true), (0, false)] {
        let own = cluster.hand_over_key(8, owner);
        let config = NodeConfig { new_key, ..cluster.config(8) };
        let service = Count::new(&cluster);
        let refused = cluster.try_start(config, service).map(drop);
        let Err(StartError::Transport(TransportError::NotThisReplica { .. })) = refused else {
            panic!("the key of {owner} is not its own: {refused:?}")
        };
        cluster.set_key(8, own);
    }
    shut_down(nodes).await;
}

/// RE-5: its log does not know the key that the others know it by.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_while_it_got_another_key_comes_back_with_it() {
    let mut cluster = Cluster::with(4, 5, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (16, 64, 8);
    });
    let mut nodes: Vec<_> = (0..4).map(|index| start(&mut cluster, index)).collect();
    let client = cluster.client();
    let session = session(&client, 1);
    submit(&session, 5).await;
    nodes.pop().unwrap().shutdown().await;
    session.submit(vec![ROTATE, 3, 4]).await.unwrap();
    submit(&session, 40).await;
    for node in &nodes {
        reach(node, 1, Seq::new(1)).await;
    }

    let own = cluster.hand_over_key(3, 2);
    let service = Count::new(&cluster);
    let config = NodeConfig { new_key: true, ..cluster.config(3) };
    let refused = cluster.try_start(config, service).map(drop);
    let Err(StartError::Transport(TransportError::NotThisReplica { .. })) = refused else {
        panic!("another replica's key is never its own: {refused:?}")
    };
    cluster.set_key(3, own);

    cluster.hand_over_key(3, 4);
    let service = Count::new(&cluster);
    let folder = TempDir::new().unwrap();
    let record = Some(RecordOptions::new(folder.path().join("recording")));
    let config = NodeConfig { record: record.clone(), ..cluster.config(3) };
    let refused = cluster.try_start(config, service).map(drop);
    let Err(StartError::Transport(TransportError::NotThisReplica { .. })) = refused else {
        panic!("a key that nobody spoke of is taken for another's: {refused:?}")
    };
    // What did not start left no recording in the way.
    let service = Count::new(&cluster);
    let node = cluster.start_with(NodeConfig { new_key: true, record, ..cluster.config(3) }, service);
    reach(&node, 1, nodes[0].progress().borrow().executed).await;
    nodes.remove(0).shutdown().await;
    assert_eq!(submit(&session, 20).await, 66, "of the three that are left, it is one");

    // Now its log knows the key.
    node.shutdown().await;
    nodes.push(start(&mut cluster, 3));
    assert_eq!(submit(&session, 20).await, 86);
    shut_down(nodes).await;
}
