//! `popmarket node`: one node of a cluster.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use clap::Args;
use pbft_crypto::KeyPair;
use pbft_node::{StartError, metrics::Metrics, transport::TransportError};
use prometheus_client::registry::Registry;

use super::{CommandError, serve, start_logging, web::WebArgs};
use crate::{
    config::{LoadedNode, web_folder},
    directory::Directory,
    http::HttpOptions,
    load::READY,
    market::{Market, MarketPlan, Membership},
    replica::{Replica, ReplicaError, ReplicaPlan},
};

/// Which node.
#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    /// The node's file, as `popmarket testnet` writes it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Records the replica's life in a new file, up to 1 GiB, for `pbft-sim replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The key in the node's folder is one that the admins gave this replica while it was away
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    web: WebArgs,
}

/// How the replica of a node's file is started.
#[derive(Debug, Default)]
pub(super) struct StartOptions {
    /// Where its life is recorded, if it is.
    pub(super) record: Option<PathBuf>,
    /// Whether its key is one that its log need not know of yet.
    pub(super) new_key: bool,
}

pub(super) async fn run(args: NodeArgs) -> Result<(), CommandError> {
    start_logging("warn");
    let mut loaded = LoadedNode::load(&args.config)?;
    args.web.apply(&mut loaded)?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let listener = listen(loaded.listen)?;
    let options = StartOptions { record: args.record, new_key: args.new_key };
    let replica = start_replica(&loaded, None, listener, &metrics, options)?;
    let market = match loaded.http {
        None => None,
        Some(http) => Some(start_market(&mut loaded, &replica, listen(http)?, registry).await?),
    };
    say_ready(&loaded, market.as_ref());
    serve(vec![replica], market).await
}

/// What whoever started this process may be waiting for.
pub(super) fn say_ready(loaded: &LoadedNode, market: Option<&Market>) {
    mention!("{READY}: replica {} of chain {}", loaded.id, loaded.genesis.chain_id());
    if let Some(market) = market {
        mention!("web: http://{}", market.address);
    }
    let _ = std::io::stdout().flush();
}

/// Takes an address, or says in words why it cannot be had.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).map_err(|error| {
        let in_use = error.kind() == std::io::ErrorKind::AddrInUse;
        let hint = if in_use {
            ": perhaps a market runs there already; another place is chosen with --listen"
        } else {
            ""
        };
        CommandError::Usage(format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// Starts the replica that a node's file describes; `here` are the addresses of all, if they share this process.
pub(super) fn start_replica(
    loaded: &LoadedNode,
    here: Option<&[SocketAddr]>,
    listener: TcpListener,
    metrics: &Metrics,
    options: StartOptions,
) -> Result<Replica, CommandError> {
    let directory = Directory::new(&loaded.cluster, &loaded.genesis).told(&loaded.introduction);
    let handovers = loaded.introduction.handovers().map_err(CommandError::Usage)?;
    let plan = ReplicaPlan {
        id: loaded.id,
        key: Arc::clone(&loaded.key),
        cluster: &loaded.cluster,
        addresses: here.map_or_else(|| loaded.cluster.addresses(), Into::into),
        directory: directory.here(here.unwrap_or_default()),
        genesis: &loaded.genesis,
        handovers,
        data: loaded.data.clone(),
        checks: loaded.check_invariants,
        verify_threads: None,
        new_key: options.new_key,
        record: options.record,
    };
    plan.start(listener, metrics).map_err(|error| CommandError::Failed(said(&error)))
}

/// Why a replica does not start, and what may help.
fn said(error: &ReplicaError) -> String {
    let hint = match error {
        ReplicaError::Node(StartError::Transport(TransportError::NotThisReplica { .. })) => {
            ": if the admins gave it this key while it was away, start it once with `popmarket node --config FILE --new-key`"
        }
        _ => "",
    };
    format!("{error}{hint}")
}

/// Starts the web on top of a replica. The gateway shows the replica's own key to the cluster.
pub(super) async fn start_market(
    loaded: &mut LoadedNode,
    replica: &Replica,
    listener: TcpListener,
    registry: Registry,
) -> Result<Market, CommandError> {
    let failed =
        |error: &dyn std::fmt::Display| CommandError::Failed(format!("the web cannot start: {error}"));
    listener.set_nonblocking(true).map_err(|error| failed(&error))?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| failed(&error))?;
    let client_key =
        KeyPair::from_secret_bytes(&loaded.key.secret_bytes()).map_err(|error| failed(&error))?;
    let plan = MarketPlan {
        genesis: &loaded.genesis,
        members: Membership::of(replica),
        first_addresses: replica.node.config().addresses.clone(),
        client_key,
        ledger: replica.ledger.clone(),
        data: &web_folder(&loaded.data),
        read_model: &loaded.read_model,
        custody_key: loaded.custody_key.as_deref(),
        officials: std::mem::take(&mut loaded.officials),
        http: HttpOptions {
            behind_tls: loaded.behind_tls,
            allow_private_webhooks: loaded.allow_private_webhooks,
            ..HttpOptions::default()
        },
    };
    plan.start(listener, registry).await.map_err(|error| failed(&error))
}
