//! A bare `popmarket`: a whole market on this machine, in one process.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use pbft_node::metrics::Metrics;
use prometheus_client::registry::Registry;

use super::{
    CommandError, asked_to_stop,
    node::{listen, start_market, start_replica, why_failed},
    start_logging,
};
use crate::{
    config::{ClusterFile, LoadedNode, read_toml},
    load::TemporaryFolder,
    market::Market,
    replica::Replica,
    testnet::TestnetPlan,
};

/// How to run it.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Where the web listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, default_value = "popmarket-data")]
    data: PathBuf,
    /// Keep everything in a temporary folder, and remove it at the end
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// How many replicas a new market has
    #[arg(long, short = 'n', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16))]
    replicas: u16,
    /// Begin with an empty market
    #[arg(long)]
    no_demo: bool,
}

/// What the admins of a market on one machine sign in with. It is printed at each start.
const PASSWORD: &str = "popmarket-demo";

pub(super) async fn run(args: RunArgs) -> Result<(), CommandError> {
    start_logging("warn");
    let started = Instant::now();
    // First of all, so that a taken address is known before anything is written.
    let web = listen(args.listen)?;
    let temporary = match args.ephemeral {
        true => Some(
            TemporaryFolder::new("popmarket").map_err(|error| CommandError::failed("no folder", error))?,
        ),
        false => None,
    };
    let folder = temporary.as_ref().map_or(args.data.as_path(), TemporaryFolder::path);
    let mut nodes = load_or_lay_out(folder, args.replicas)?;
    let (mut replicas, market) = start(&mut nodes, web).await?;
    if !args.no_demo {
        crate::demo::seed(&market.state, PASSWORD)
            .await
            .map_err(|error| CommandError::failed("the demo data", error))?;
    }
    greet(&market, &replicas, folder, started.elapsed(), args.no_demo);

    let failures = replicas.iter_mut().map(|replica| Box::pin(why_failed(replica)));
    let failed = tokio::select! {
        () = asked_to_stop() => None,
        (why, ..) = futures_util::future::select_all(failures) => Some(why),
    };
    eprintln!("stopping");
    market.shutdown().await;
    for replica in replicas {
        replica.node.shutdown().await;
    }
    failed.map_or(Ok(()), |why| Err(CommandError::Failed(why)))
}

/// The nodes of a market that is there already, or of a new one.
fn load_or_lay_out(folder: &Path, replicas: u16) -> Result<Vec<LoadedNode>, CommandError> {
    let cluster = folder.join("cluster.toml");
    if !cluster.exists() {
        let plan = TestnetPlan {
            folder: folder.into(),
            replicas,
            // Replicas within one process find their ports anew at each start.
            port: 0,
            http_port: Some(0),
            clients: Vec::new(),
            accounts: Vec::new(),
            password: Some(PASSWORD.into()),
        };
        plan.write()?;
    }
    let cluster: ClusterFile = read_toml(&cluster)?;
    let load = |index| LoadedNode::load(&folder.join(format!("node-{index}")).join("node.toml"));
    (0..cluster.replicas.len()).map(|index| load(index).map_err(CommandError::from)).collect()
}

async fn start(nodes: &mut [LoadedNode], web: TcpListener) -> Result<(Vec<Replica>, Market), CommandError> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners = nodes.iter().map(|_| listen(any_port)).collect::<Result<Vec<_>, _>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| CommandError::failed("a socket has no address", error))?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let mut replicas = Vec::new();
    for (node, listener) in nodes.iter().zip(listeners) {
        replicas.push(start_replica(node, addresses.clone(), listener, &metrics)?);
    }
    let (Some(first), Some(replica)) = (nodes.first_mut(), replicas.first()) else {
        return Err(CommandError::Usage("the cluster has no replicas".into()));
    };
    let market = start_market(first, addresses, replica, web, registry).await?;
    Ok((replicas, market))
}

fn greet(market: &Market, replicas: &[Replica], folder: &Path, took: Duration, empty: bool) {
    let web = format!("http://{}", market.address);
    println!("POP Market is open: {} replicas, up after {took:.1?}\n", replicas.len());
    println!("  shop            {web}/");
    println!("  network         {web}/network");
    println!("  blocks          {web}/blocks");
    println!("  API             {web}/docs");
    println!("  state           curl {web}/v1/network\n");
    println!("Sign in as admin1 or admin2 with the password {PASSWORD}");
    if !empty {
        for name in crate::demo::MEMBERS {
            println!("     or as {name}");
        }
    }
    println!("\nEverything is kept in {}. Stop with Ctrl-C.", folder.display());
}
