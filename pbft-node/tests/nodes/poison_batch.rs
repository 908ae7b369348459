//! Mistake 31: a request that makes the service panic stops every replica at the same batch, which is named. It is in their
//! logs, so a restart alone helps nobody; with a mended service they go on where they stopped.

use pbft_core::{
    Seq,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_node::{Node, node::Failure};

use crate::support::{Cluster, PATIENCE, session, shut_down};

const POISON: &[u8] = b"poison";

/// Panics on poison, until it is mended: then it refuses it.
struct Taster {
    mended: bool,
}

impl Service for Taster {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let taste = |bytes: &[u8]| match bytes {
            POISON if self.mended => Outcome::Refused(b"inedible".to_vec()),
            POISON => panic!("it is poison"),
            other => Outcome::Applied(other.to_vec()),
        };
        Executed::new(batch.requests.iter().map(|request| taste(request.operation.as_bytes())).collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _: Seq, _: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

fn start_all(cluster: &mut Cluster, mended: bool) -> Vec<Node> {
    (0..4).map(|index| cluster.start(index, Taster { mended })).collect()
}

/// Why each node stopped; all of them do.
async fn failures(nodes: &[Node]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for node in nodes {
        let mut failure = node.failure();
        let failed = tokio::time::timeout(PATIENCE, failure.wait_for(Option::is_some)).await;
        failures.push(failed.expect("it stops").unwrap().clone().unwrap());
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn mistake_31_all_stop_at_a_named_batch_and_go_on_once_the_service_is_mended() {
    let mut cluster = Cluster::new();
    let nodes = start_all(&mut cluster, false);
    let client = cluster.client();
    let one = session(&client, 1);
    one.submit(b"bread".to_vec()).await.unwrap();
    let first = tokio::select! {
        answer = one.submit(POISON.to_vec()) => panic!("nobody can answer: {answer:?}"),
        failures = failures(&nodes) => failures,
    };
    let Failure::PoisonBatch { seq, why, requests } = &first[0] else { panic!("{first:?}") };
    assert_eq!((seq.value(), why.as_str()), (2, "it is poison"));
    assert!(!requests.is_empty());
    assert!(first.iter().all(|failure| *failure == first[0]), "{first:?}");
    shut_down(nodes).await;

    let nodes = start_all(&mut cluster, false);
    assert_eq!(failures(&nodes).await, first, "a restart repeats it");
    shut_down(nodes).await;

    let nodes = start_all(&mut cluster, true);
    let again = cluster.client();
    let receipt = session(&again, 2).submit(b"water".to_vec()).await.unwrap();
    assert!(receipt.seq > *seq, "after the batch that stopped them");
    assert!(nodes.iter().all(|node| node.failure().borrow().is_none()));
    shut_down(nodes).await;
}
