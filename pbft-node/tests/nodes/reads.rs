//! Quorum reads: a read sees every write that was acknowledged, also with a replica down, and while writes go on.

use std::time::Duration;

use pbft_core::{
    Seq,
    client::{ClientConfig, FoundAnswer},
    message::read::MAX_QUERY_BYTES,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_node::{
    Client, Node,
    client::{ClientError, SubmitError},
};
use tokio::task::JoinSet;

use crate::support::{Cluster, PATIENCE, session};

/// Counts. Asked for it, in order or not, it says how far it is.
struct Count(u64);

const ADD: &[u8] = b"add";
const HOW_MANY: &[u8] = b"how many?";

impl Service for Count {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let mut outcomes = Vec::new();
        for request in &batch.requests {
            self.0 += u64::from(request.operation.as_bytes() == ADD);
            outcomes.push(Outcome::Applied(self.0.to_le_bytes().to_vec()));
        }
        Executed::new(outcomes)
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(self.0.to_le_bytes().to_vec())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
        self.0 = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }

    fn query(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        (query == HOW_MANY).then(|| self.0.to_le_bytes().to_vec())
    }
}

/// Four that count.
struct Counting {
    cluster: Cluster,
    nodes: Vec<Option<Node>>,
}

impl Counting {
    fn start() -> Self {
        let mut cluster = Cluster::new();
        let nodes = (0..4).map(|index| Some(cluster.start(index, Count(0)))).collect();
        Self { cluster, nodes }
    }

    async fn client(&self) -> Client {
        let mut options = self.cluster.client_options();
        // A busy machine is no reason to order what can be read.
        options.config = ClientConfig { read_within: Duration::from_secs(10), ..options.config };
        let client = Client::start(&options).unwrap();
        let up = self.nodes.iter().flatten().count();
        client.connected().wait_for(|connected| *connected >= up).await.unwrap();
        client
    }

    async fn stop(&mut self, index: usize) {
        self.nodes[index].take().unwrap().shutdown().await;
    }

    async fn shutdown(self) {
        for node in self.nodes.into_iter().flatten() {
            assert_eq!(*node.failure().borrow(), None);
            node.shutdown().await;
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_what_was_acknowledged_also_with_a_replica_down() {
    let mut counting = Counting::start();
    let client = counting.client().await;
    let writer = session(&client, 1);
    for round in 1..=40 {
        if round == 21 {
            counting.stop(3).await;
        }
        let written = writer.submit(ADD).await.unwrap();
        let found = client.read(HOW_MANY, None).await.unwrap();
        let FoundAnswer::Quorum { executed, result, .. } = found else { panic!("{found:?}") };
        assert_eq!(number(&result), round);
        assert!(executed >= written.seq);
    }
    assert_eq!(client.read_counts().borrow().by_quorum, 40);
    assert!(
        counting.cluster.metric("pbft_reads_total") >= 40 * 3,
        "{}",
        counting.cluster.metric("pbft_reads_total")
    );

    // Two down: nothing can be shown, and nothing can be ordered; without an ordered way it says so at once.
    counting.stop(2).await;
    let mut options = counting.cluster.client_options();
    options.config.read_within = Duration::from_millis(300);
    let hasty = Client::start(&options).unwrap();
    let error = hasty.read(HOW_MANY, None).await.unwrap_err();
    assert!(matches!(error, SubmitError::Failed(ClientError::NoQuorum { needed: 3, .. })), "{error}");
    counting.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_service_does_not_answer_goes_the_ordered_way() {
    let counting = Counting::start();
    let client = counting.client().await;
    let session = session(&client, 1);
    session.submit(ADD).await.unwrap();
    let found = session.read(b"unheard of".as_slice(), HOW_MANY).await.unwrap();
    assert!(matches!(found, FoundAnswer::Ordered(_)), "{found:?}");
    assert_eq!(number(found.result()), 1);
    assert_eq!(client.read_counts().borrow().without_quorum, 1);
    assert!(counting.cluster.metric("pbft_refused_reads_total") >= 2);
    let long = client.read(vec![0; MAX_QUERY_BYTES + 1], None).await;
    assert!(matches!(long, Err(SubmitError::TooLarge { .. })));
    counting.shutdown().await;
}

/// Each write is acknowledged before the next read begins: so each read has at least as many as that.
#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_at_once() {
    let mut counting = Counting::start();
    let client = counting.client().await;
    let mut tasks = JoinSet::new();
    for id in 1..=4 {
        let (client, session) = (client.clone(), session(&client, id));
        tasks.spawn(async move {
            let mut last = 0;
            for _ in 0..50 {
                let written = number(session.submit(ADD).await.unwrap().outcome.as_bytes());
                let found = session.read(HOW_MANY, HOW_MANY).await.unwrap();
                let shown = number(found.result());
                assert!(shown >= written && shown >= last, "{shown} after {written} and {last}");
                last = shown;
            }
            drop(client);
        });
    }
    counting.stop(1).await;
    let all = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.expect("it must not take so long");
    let counts = *client.read_counts().borrow();
    assert_eq!(counts.by_quorum + counts.without_quorum, 200);
    assert!(counts.by_quorum > 0, "{counts:?}");
    let found = client.read(HOW_MANY, None).await.unwrap();
    assert_eq!(number(found.result()), 200);
    counting.shutdown().await;
}
