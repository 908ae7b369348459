//! `popmarket join`: a new replica of a running market, from an empty folder to its vote.

mod admission;
mod folder;
mod progress;

use std::{net::SocketAddr, path::PathBuf, time::Instant};

use clap::Args;
use ledger::{Genesis, HostPort};
use pbft_core::ReplicaId;
use pbft_crypto::{Digest, PublicKey};
use pbft_node::metrics::Metrics;
use prometheus_client::registry::Registry;
use serde::Deserialize;

use self::{
    admission::{Admission, Tokens},
    folder::{Folder, check_chain},
    progress::Watch,
};
use super::{
    CommandError,
    node::{StartOptions, listen, say_ready, start_market, start_replica},
    serve, start_logging,
};
use crate::{
    api::Api,
    config::{ClusterFile, LoadedNode, ReplicaEntry, read_genesis},
    directory::look_up_or_nowhere,
    introduction::{Acquaintance, Introduction},
};

/// Who is to join what.
#[derive(Debug, Args)]
pub(super) struct JoinArgs {
    /// The web of a member, as http://HOST:PORT
    #[arg(long, value_name = "URL")]
    from: String,
    /// The folder to make, or to go on with
    #[arg(long, default_value = "joined")]
    dir: PathBuf,
    /// Where the others are to reach this replica, as HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    address: HostPort,
    /// Where it listens, if --address is no address of this machine
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where its web listens; without it the node is a replica alone
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// The chain that it must be, from someone you trust: else the web of the member is believed
    #[arg(long, value_name = "HEX")]
    chain_id: Option<Digest>,
    /// The first block of the chain, from someone you trust, instead of asking the web for it
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Replicas that are to leave in exchange, by id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    replace: Vec<u16>,
    /// Asks for the change itself, with an admin's session token in this file
    #[arg(long, value_name = "FILE")]
    ask_with: Option<PathBuf>,
    /// Approves the change itself, with another admin's session token in this file
    #[arg(long, value_name = "FILE")]
    approve_with: Option<PathBuf>,
    /// The key of a client that may connect, besides the replicas' own; as in the others' cluster.toml
    #[arg(long, value_name = "KEY")]
    client: Vec<PublicKey>,
}

/// What `GET /v1/network` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Network {
    chain_id: Digest,
}

pub(super) async fn run(args: JoinArgs) -> Result<(), CommandError> {
    start_logging("warn");
    let folder = Folder::new(&args.dir);
    let web = Api::new(&args.from)?;
    let mut listener = None;
    if !folder.node_file().exists() {
        // First of all, so that a taken address is known before anyone is asked for anything.
        listener = Some(listen(listens_at(&args)?)?);
        set_up(&args, &folder, &web).await?;
    }
    let started = Instant::now();
    let mut loaded = LoadedNode::load(&folder.node_file())?;
    let listener = listener.map_or_else(|| listen(loaded.listen), Ok)?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let replica = start_replica(&loaded, None, listener, &metrics, StartOptions::default())?;
    let market = match loaded.http {
        None => None,
        Some(http) => Some(start_market(&mut loaded, &replica, listen(http)?, registry).await?),
    };
    say_ready(&loaded, market.as_ref());
    let watch = Watch::new(&replica, loaded.id, started);
    let again = format!("popmarket node --config {}", folder.node_file().display());
    let shown = tokio::spawn(async move {
        if watch.show().await {
            mention!("From now on it is started with: {again}");
        }
    });
    let served = serve(vec![replica], market).await;
    shown.abort();
    served
}

/// From nothing to a node that may start.
async fn set_up(args: &JoinArgs, folder: &Folder, web: &Api) -> Result<(), CommandError> {
    let listen = listens_at(args)?;
    let tokens = Tokens::read(args.ask_with.as_deref(), args.approve_with.as_deref())?;
    let network: Network = web.get("/v1/network").await?;
    let genesis = find_genesis(args, folder, web, &network.chain_id).await?;
    let key = folder.key()?;
    if folder.genesis()?.is_none() {
        folder.keep_genesis(&genesis)?;
    }
    mention!("chain {}", network.chain_id);
    if args.chain_id.is_none() && args.genesis.is_none() {
        mention!("      as {} says: make sure that this is the chain you mean", args.from);
    }
    mention!("key   {}", key.public_key());
    let admission = Admission { web, key: key.public_key(), address: &args.address, replace: &args.replace };
    let id = admission.wait(tokens).await?;
    let book = admission.book().await?;
    let cluster = cluster_file(&genesis, &book, &args.client).await;
    folder.finish(&cluster, &introduction(web, book).await?, id, listen, args.http)
}

/// A handover as the web gives it.
#[derive(Deserialize)]
struct Handover {
    handover: String,
}

#[derive(Deserialize)]
struct Handovers {
    data: Vec<Handover>,
}

/// What leads to the present replicas, whether or not any of the first ones is left.
async fn introduction(web: &Api, book: Vec<admission::Entry>) -> Result<Introduction, CommandError> {
    let handovers: Handovers = web.get("/v1/network/handovers").await?;
    let known = |admission::Entry { id, address, .. }| Acquaintance { id, address };
    Ok(Introduction {
        handovers: handovers.data.into_iter().map(|one| one.handover).collect(),
        addresses: book.into_iter().map(known).collect(),
    })
}

fn listens_at(args: &JoinArgs) -> Result<SocketAddr, CommandError> {
    let named = || args.address.as_str().parse().ok();
    args.listen.or_else(named).ok_or_else(|| {
        CommandError::Usage(format!(
            "{} is a name: say with --listen at which address to listen",
            args.address
        ))
    })
}

/// The first block: from before, from a file, or from the web; always the one of the chain.
async fn find_genesis(
    args: &JoinArgs,
    folder: &Folder,
    web: &Api,
    chain_id: &Digest,
) -> Result<Genesis, CommandError> {
    let genesis = match (folder.genesis()?, &args.genesis) {
        (Some(genesis), _) => genesis,
        (None, Some(file)) => read_genesis(file)?,
        (None, None) => web.get("/v1/network/genesis").await?,
    };
    if let Some(expected) = &args.chain_id {
        check_chain(&genesis, expected, "which --chain-id asks for")?;
    }
    check_chain(&genesis, chain_id, &format!("which {} belongs to", args.from))?;
    Ok(genesis)
}

/// The first replicas, where they are now, or were at last.
async fn cluster_file(genesis: &Genesis, book: &[admission::Entry], clients: &[PublicKey]) -> ClusterFile {
    let mut replicas = Vec::new();
    for (first, id) in genesis.replicas.iter().zip(0..) {
        let present = book.iter().find(|entry| entry.id == id);
        let address = look_up_or_nowhere(present.map_or(&first.address, |entry| &entry.address)).await;
        replicas.push(ReplicaEntry { public_key: first.public_key, address });
    }
    ClusterFile { replicas, clients: clients.to_vec(), archive_bytes: None }
}

/// How a replica is called in what is said to operators.
fn name(id: ReplicaId) -> String {
    format!("replica {id}")
}
