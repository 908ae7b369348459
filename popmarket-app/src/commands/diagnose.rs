//! `popmarket diagnose`: what is wrong, in sentences.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CommandError,
    status::{MarketArgs, Network, Replica, network},
};
use crate::api::Api;

/// Which market.
#[derive(Debug, Args)]
pub(super) struct DiagnoseArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Print JSON instead of sentences
    #[arg(long)]
    json: bool,
}

/// So much evidence is shown.
const SHOWN: &str = "/v1/network/evidence?limit=20";

#[derive(Debug, Deserialize)]
struct Evidence {
    replica: u16,
    kind: String,
    view: u64,
    seq: u64,
}

pub(super) async fn run(args: DiagnoseArgs) -> Result<(), CommandError> {
    let api = args.market.api()?;
    let (network, _) = network(&api).await?;
    let faults = faults(&api).await?;
    let replicas: Vec<_> = network.replicas.iter().filter_map(sentence).collect();
    let well = network.has_quorum && replicas.is_empty() && faults.is_empty();
    if args.json {
        let found =
            json!({ "well": well, "diagnosis": network.diagnosis, "replicas": replicas, "faults": faults });
        say!("{found:#}")?;
    } else {
        print(&network, &replicas, &faults)?;
    }
    if well { Ok(()) } else { Err(CommandError::Failed(network.diagnosis)) }
}

/// What stands out about a replica. One that works waits for the next vote now and then: that is no news.
fn sentence(replica: &Replica) -> Option<String> {
    let id = replica.id;
    let waits_for = replica.waits_for.as_deref();
    match (replica.status.as_str(), waits_for, &replica.last_seen) {
        ("up", ..) => None,
        ("unreachable", _, Some(seen)) => {
            Some(format!("replica {id} does not answer: it was last asked, and did, at {seen}"))
        }
        ("unreachable", _, None) => {
            Some(format!("replica {id} does not answer, and has not since this node's web was started"))
        }
        (status, None, _) => Some(format!("replica {id} is {status}")),
        (status, Some(waits_for), _) => Some(format!("replica {id} is {status}: it {waits_for}")),
    }
}

async fn faults(api: &Api) -> Result<Vec<String>, CommandError> {
    let mut list: Value = api.get(SHOWN).await?;
    let evidence = Vec::<Evidence>::deserialize(list["data"].take());
    let evidence = evidence.map_err(|error| {
        CommandError::failed("the market answers something that this program cannot read", error)
    })?;
    let say = |fault: &Evidence| {
        let Evidence { replica, kind, view, seq } = fault;
        format!(
            "replica {replica} signed two kinds of {kind} for view {view}, number {seq}: it lies, runs twice, or its key is stolen"
        )
    };
    Ok(evidence.iter().map(say).collect())
}

fn print(network: &Network, replicas: &[String], faults: &[String]) -> Result<(), CommandError> {
    say!("{}", network.diagnosis)?;
    for sentence in replicas.iter().chain(faults) {
        say!("  {sentence}")?;
    }
    if !network.has_quorum {
        say!("Start the replicas that do not answer: nothing is lost, and they go on by themselves.")?;
    }
    Ok(())
}
