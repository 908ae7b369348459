//! Four replicas with mutual TLS and durable logs in one process: 10,000 requests, one backup is stopped on the way and
//! comes back, and in the end all four have the same state.
//!
//! ```sh
//! cargo run --release --example cluster            # --quick for 1,000 requests
//! ```

use std::{
    error::Error,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use pbft_core::{
    ClientId, Config, ReplicaId, Seq, ValidConfig,
    config::ReplicaSet,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
};
use pbft_crypto::{Digest, KeyPair};
use pbft_node::{Application, Client, Founder, Node, NodeConfig, client::ClientOptions, metrics::Metrics};

const REPLICAS: u16 = 4;

#[derive(Parser)]
struct Args {
    /// Only 1,000 requests
    #[arg(long)]
    quick: bool,
    /// How many requests are in flight at once
    #[arg(long, default_value_t = 200)]
    in_flight: u64,
}

/// Adds up the numbers that it is sent, and shows the sum to the outside.
struct Sum {
    value: u64,
    seen: Arc<AtomicU64>,
}

impl Service for Sum {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let add = |request: &pbft_core::Request| match request.operation.as_bytes().try_into() {
            Ok(bytes) => {
                self.value = self.value.wrapping_add(u64::from_le_bytes(bytes));
                Outcome::Applied(self.value.to_le_bytes().to_vec())
            }
            Err(_) => Outcome::Refused(b"eight bytes make a number".to_vec()),
        };
        let outcomes = batch.requests.iter().map(add).collect();
        self.seen.store(self.value, Ordering::Relaxed);
        Executed::new(outcomes)
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(self.value.to_le_bytes().to_vec())
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
        self.value = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
        Ok(())
    }
}

/// What every replica of this process is started with.
struct Cluster {
    protocol: Arc<ValidConfig>,
    keys: Vec<Arc<KeyPair>>,
    client_key: Arc<KeyPair>,
    addresses: Vec<SocketAddr>,
    folder: tempfile::TempDir,
    metrics: Metrics,
}

impl Cluster {
    fn log_folder(&self, id: ReplicaId) -> PathBuf {
        self.folder.path().join(format!("replica-{id}"))
    }

    fn start(&self, id: ReplicaId, listener: TcpListener) -> Result<(Node, Arc<AtomicU64>), Box<dyn Error>> {
        let log_folder = self.log_folder(id);
        let mut config = NodeConfig::new(id, self.protocol.clone(), self.addresses.clone(), log_folder);
        config.clients = vec![self.client_key.public_key()];
        let seen = Arc::new(AtomicU64::new(0));
        let (of_service, of_report) = (seen.clone(), seen.clone());
        let application = Application {
            report: Arc::new(move || of_report.load(Ordering::Relaxed).to_le_bytes().to_vec()),
            ..Application::open(Sum { value: 0, seen: of_service })
        };
        let key = self.keys[id.index()].clone();
        Ok((Node::start(config, &key, listener, application, &self.metrics)?, seen))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let requests: u64 = if args.quick { 1_000 } else { 10_000 };
    let keys: Vec<_> = (0..REPLICAS).map(|_| Arc::new(KeyPair::generate())).collect();
    let replicas = ReplicaSet::new(keys.iter().map(|key| key.public_key()).collect());
    let listeners: Vec<_> =
        keys.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let client_key = Arc::new(KeyPair::generate());
    let cluster = Cluster {
        protocol: Arc::new(Config::new(Digest::ZERO, replicas.clone()).validate()?),
        keys,
        client_key: client_key.clone(),
        addresses: listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?,
        folder: tempfile::tempdir()?,
        metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
    };
    let mut nodes = Vec::new();
    for (id, listener) in replicas.ids().zip(listeners) {
        Founder::of(&cluster.log_folder(id)).mark()?;
        nodes.push(Some(cluster.start(id, listener)?));
    }
    let client_key = KeyPair::from_secret_bytes(&client_key.secret_bytes())?;
    let options = ClientOptions::new(Digest::ZERO, replicas.clone(), cluster.addresses.clone(), client_key);
    let client = Client::start(&options)?;

    let style = "{msg:32} [{bar:40}] {human_pos}/{human_len} {per_sec}";
    let bar = ProgressBar::new(requests).with_style(ProgressStyle::with_template(style)?);
    bar.set_message("four replicas");
    let started = Instant::now();
    let load = tokio::spawn(drive(client.clone(), requests, args.in_flight, bar.clone()));

    // The last backup goes away for the middle third.
    let last = ReplicaId::new(REPLICAS - 1);
    reach(&bar, requests / 3).await;
    if let Some((node, _)) = nodes[last.index()].take() {
        node.shutdown().await;
    }
    bar.set_message("three replicas: one was stopped");
    reach(&bar, requests * 2 / 3).await;
    let listener = TcpListener::bind(cluster.addresses[last.index()])?;
    nodes[last.index()] = Some(cluster.start(last, listener)?);
    bar.set_message("four again: it catches up");
    load.await??;
    let took = started.elapsed();
    bar.finish_with_message("done");

    let expected = requests * (requests + 1) / 2;
    let caught_up = wait_until(&nodes, expected).await;
    println!("\n{requests} requests in {took:.2?}: {:.0} per second", requests as f64 / took.as_secs_f64());
    println!("\n| replica | sum | batches | stable checkpoint |\n| --- | --- | --- | --- |");
    for (node, sum) in nodes.iter().flatten() {
        let progress = *node.progress().borrow();
        let sum = sum.load(Ordering::Relaxed);
        println!("| {} | {sum} | {} | {} |", progress.replica, progress.executed, progress.stable_checkpoint);
    }
    println!("\nlogs were in {}", Path::new(cluster.folder.path()).display());
    for (node, _) in nodes.into_iter().flatten() {
        node.shutdown().await;
    }
    if caught_up { Ok(()) } else { Err(format!("not all replicas reached the sum {expected}").into()) }
}

/// Sends the numbers 1 to `requests`, `in_flight` at a time.
async fn drive(client: Client, requests: u64, in_flight: u64, bar: ProgressBar) -> Result<(), String> {
    let next = Arc::new(AtomicU64::new(1));
    let mut workers = tokio::task::JoinSet::<Result<(), String>>::new();
    for worker in 0..in_flight {
        let (next, bar) = (next.clone(), bar.clone());
        let mut id = [0; 32];
        id[..8].copy_from_slice(&worker.to_le_bytes());
        let session = client.session(ClientId::from_bytes(id));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > requests {
                    return Ok(());
                }
                session.submit(number.to_le_bytes().to_vec()).await.map_err(|error| error.to_string())?;
                bar.inc(1);
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.map_err(|error| error.to_string())??;
    }
    Ok(())
}

async fn reach(bar: &ProgressBar, count: u64) {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    while bar.position() < count {
        tick.tick().await;
    }
}

/// Waits until every replica has executed everything.
async fn wait_until(nodes: &[Option<(Node, Arc<AtomicU64>)>], expected: u64) -> bool {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_500 {
        if nodes.iter().flatten().all(|(_, sum)| sum.load(Ordering::Relaxed) == expected) {
            return true;
        }
        tick.tick().await;
    }
    false
}
