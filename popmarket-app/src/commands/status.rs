//! `popmarket status`: how a market is.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::CommandError;
use crate::api::Api;

/// Which market.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) market: MarketArgs,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

/// Where it is.
#[derive(Debug, Args)]
pub(super) struct MarketArgs {
    /// The web of one of its nodes
    #[arg(long, alias = "api", env = "POPMARKET_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

impl MarketArgs {
    pub(super) fn api(&self) -> Result<Api, CommandError> {
        Ok(Api::new(&self.url)?)
    }
}

/// What a market says of its replicas, as far as people are shown it.
#[derive(Debug, Deserialize)]
pub(super) struct Network {
    chain_id: String,
    height: u64,
    view: u64,
    primary: u16,
    pub(super) replicas: Vec<Replica>,
    pub(super) diagnosis: String,
    pub(super) has_quorum: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Replica {
    pub(super) id: u16,
    address: String,
    pub(super) status: String,
    height: u64,
    view: u64,
    state_root: String,
    stable_checkpoint: u64,
    pub(super) waits_for: Option<String>,
    pub(super) last_seen: Option<String>,
}

/// Reads what the market said, also as it came.
pub(super) async fn network(api: &Api) -> Result<(Network, Value), CommandError> {
    let value: Value = api.get("/v1/network").await?;
    let network = Network::deserialize(&value);
    let strange =
        |error| CommandError::failed("the market answers something that this program cannot read", error);
    Ok((network.map_err(strange)?, value))
}

pub(super) async fn run(args: StatusArgs) -> Result<(), CommandError> {
    let (network, value) = network(&args.market.api()?).await?;
    if args.json {
        say!("{value:#}")?;
    } else {
        print(&network)?;
    }
    if network.has_quorum {
        return Ok(());
    }
    Err(CommandError::Failed("too few replicas answer for the market to go on".into()))
}

fn print(network: &Network) -> Result<(), CommandError> {
    say!("chain {}", network.chain_id)?;
    say!("height {}, view {}, primary {}\n", network.height, network.view, network.primary)?;
    say!(
        "{:>3}  {:22} {:12} {:>9} {:>6} {:>11}  {:16}",
        "id",
        "address",
        "status",
        "height",
        "view",
        "checkpoint",
        "state"
    )?;
    for replica in &network.replicas {
        say!(
            "{:>3}  {:22} {:12} {:>9} {:>6} {:>11}  {:16}",
            replica.id,
            replica.address,
            replica.status,
            replica.height,
            replica.view,
            replica.stable_checkpoint,
            replica.state_root.get(..16).unwrap_or(&replica.state_root),
        )?;
    }
    say!("\n{}", network.diagnosis)
}
