//! A bare `popmarket`: a whole market on this machine, in one process.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use ledger::{AccountParams, Params, TradeParams};
use pbft_node::metrics::Metrics;
use prometheus_client::registry::Registry;

use super::{
    CommandError,
    node::{StartOptions, listen, start_market, start_replica},
    serve, start_logging,
    web::WebArgs,
};
use crate::{
    config::{ClusterFile, LoadedNode, read_toml},
    load::TemporaryFolder,
    market::Market,
    replica::Replica,
    testnet::{TestnetPlan, random_password},
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
    #[arg(long, conflicts_with_all = ["data", "database"])]
    ephemeral: bool,
    /// How many replicas a new market has
    #[arg(long, short = 'n', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16))]
    replicas: u16,
    /// Begin with an empty market
    #[arg(long)]
    no_demo: bool,
    /// In a new market trades, recoveries and higher limits have a second for each day, to see what happens when time runs
    /// out
    #[arg(long)]
    short_deadlines: bool,
    #[command(flatten)]
    web: WebArgs,
}

/// What the admins of a market on one machine sign in with: no secret, so only while nobody else can reach the web.
const KNOWN_PASSWORD: &str = "popmarket-demo";

impl RunArgs {
    /// Whether others than this machine's own users may reach the web.
    fn is_exposed(&self) -> bool {
        self.web.behind_tls || !self.listen.ip().to_canonical().is_loopback()
    }

    /// The rules of a new market.
    const fn params(&self) -> Params {
        match self.short_deadlines {
            true => Params { trade: TradeParams::SHORT, accounts: AccountParams::SHORT, ..Params::STANDARD },
            false => Params::STANDARD,
        }
    }
}

pub(super) async fn run(args: RunArgs) -> Result<(), CommandError> {
    start_logging("warn");
    let started = Instant::now();
    if !args.ephemeral && args.is_exposed() {
        refuse_known_password(&args.data)?;
    }
    // First of all, so that a taken address is known before anything is written.
    let web = listen(args.listen)?;
    let temporary = match args.ephemeral {
        true => Some(
            TemporaryFolder::new("popmarket").map_err(|error| CommandError::failed("no folder", error))?,
        ),
        false => None,
    };
    let folder = temporary.as_ref().map_or(args.data.as_path(), TemporaryFolder::path);
    let mut nodes = load_or_lay_out(folder, &args)?;
    if let Some(first) = nodes.first_mut() {
        args.web.apply(first)?;
        // Members are whoever uses this machine, and so are their programs.
        first.allow_private_webhooks |= !args.is_exposed();
    }
    if nodes.iter().any(|node| node.behind_tls) {
        refuse_known_password(folder)?;
    }
    let (replicas, mut market) = start(&mut nodes, web).await?;
    let password = admin_password(folder)?;
    if !args.no_demo {
        let state = market.state.clone();
        tokio::select! {
            seeded = crate::demo::seed(&state, &password) => {
                seeded.map_err(|error| CommandError::failed("the demo data", error))?;
            }
            why = market.failed() => return Err(CommandError::Failed(why)),
        }
    }
    greet(&market, &replicas, started.elapsed());
    tell_passwords(folder, &password, !args.no_demo);
    mention!("\nEverything is kept in {}. Stop with Ctrl-C.", folder.display());
    serve(replicas, Some(market)).await
}

/// Who signs in with what. In a folder that `popmarket testnet` has made each official has a password of its own.
fn tell_passwords(folder: &Path, password: &str, demo: bool) {
    let officials = ["admin1", "admin2", "arbiter1", "arbiter2", "courier"];
    let is_shared = officials.iter().all(|name| read_password(folder, name).is_ok_and(|own| own == password));
    if is_shared {
        mention!("Sign in with the password {password}");
    } else {
        mention!("Sign in with the password in {}", password_file(folder, "NAME").display());
    }
    mention!("  as an admin     admin1, admin2");
    mention!("  as an arbiter   arbiter1, arbiter2");
    mention!("  as a courier    courier");
    if demo {
        let whose = if is_shared { "" } else { ", with the password of admin1" };
        mention!("  as a member     {}{whose}", crate::demo::MEMBERS.join(", "));
    }
}

fn password_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("accounts").join(format!("{name}.password"))
}

/// What admin1 signs in with, and the members of the demo.
fn admin_password(folder: &Path) -> Result<String, CommandError> {
    read_password(folder, "admin1")
}

fn read_password(folder: &Path, name: &str) -> Result<String, CommandError> {
    let path = password_file(folder, name);
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| CommandError::failed(&path.display().to_string(), error))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// A market that was made for this machine alone must not be shown to others: whoever has read the manual could make
/// money in it.
fn refuse_known_password(folder: &Path) -> Result<(), CommandError> {
    if !password_file(folder, "admin1").exists() || admin_password(folder)? != KNOWN_PASSWORD {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "the admins of {} sign in with the well-known password {KNOWN_PASSWORD}, so others must not reach it: make a new \
         market with --data DIR or --ephemeral, whose password is random, or let --listen be a loopback address",
        folder.display()
    )))
}

/// The nodes of a market that is there already, or of a new one.
fn load_or_lay_out(folder: &Path, args: &RunArgs) -> Result<Vec<LoadedNode>, CommandError> {
    let cluster = folder.join("cluster.toml");
    if !cluster.exists() {
        let plan = TestnetPlan {
            folder: folder.into(),
            replicas: args.replicas,
            // Replicas within one process find their ports anew at each start: these only tell them apart.
            port: 1,
            http_port: Some(0),
            clients: Vec::new(),
            accounts: Vec::new(),
            archive_bytes: None,
            params: args.params(),
            password: Some(if args.is_exposed() { random_password() } else { KNOWN_PASSWORD.into() }),
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
        replicas.push(start_replica(node, Some(&addresses), listener, &metrics, StartOptions::default())?);
    }
    let (Some(first), Some(replica)) = (nodes.first_mut(), replicas.first()) else {
        return Err(CommandError::Usage("the cluster has no replicas".into()));
    };
    let market = start_market(first, replica, web, registry).await?;
    Ok((replicas, market))
}

fn greet(market: &Market, replicas: &[Replica], took: Duration) {
    let web = format!("http://{}", market.address);
    mention!("POP Market is open: {} replicas, up after {took:.1?}\n", replicas.len());
    mention!("  shop            {web}/");
    mention!("  network         {web}/network");
    mention!("  blocks          {web}/blocks");
    mention!("  API             {web}/docs");
    mention!("  state           curl {web}/v1/network\n");
}
