//! `popmarket testnet`: lays out a cluster.

use std::path::PathBuf;

use clap::Args;
use ledger::Params;

use super::{CommandError, answer::or_complain};
use crate::testnet::{Testnet, TestnetPlan};

/// What to lay out.
#[derive(Debug, Args)]
pub(super) struct TestnetArgs {
    /// The folder to make
    #[arg(long, default_value = "testnet")]
    dir: PathBuf,
    /// How many replicas
    #[arg(long, short = 'n', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    replicas: u16,
    /// Replica i listens on this port plus i
    #[arg(long, default_value_t = 7400)]
    port: u16,
    /// The web of node i listens on this port plus i
    #[arg(long, default_value_t = 8180)]
    http_port: u16,
    /// Print JSON instead of words
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TestnetArgs) -> Result<(), CommandError> {
    if args.dir.join("cluster.toml").exists() {
        return Err(CommandError::Usage(format!(
            "{dir} holds a cluster already: start its nodes, choose another --dir, or remove {dir}",
            dir = args.dir.display()
        )));
    }
    let plan = TestnetPlan {
        folder: args.dir.clone(),
        replicas: args.replicas,
        port: args.port,
        http_port: Some(args.http_port),
        clients: Vec::new(),
        accounts: Vec::new(),
        archive_bytes: None,
        params: Params::STANDARD,
        password: None,
    };
    let testnet = plan.write()?;
    // The folder is there, whether or not that can be told.
    or_complain(tell(args, &testnet));
    Ok(())
}

fn tell(args: &TestnetArgs, testnet: &Testnet) -> Result<(), CommandError> {
    if args.json {
        let nodes: Vec<_> = testnet.node_files.iter().map(|path| path.display().to_string()).collect();
        return say!("{}", serde_json::json!({ "chain_id": testnet.genesis.chain_id(), "nodes": nodes }));
    }
    say!("chain {} with {} replicas in {}", testnet.genesis.chain_id(), args.replicas, args.dir.display())?;
    say!("\nStart each node in a terminal of its own:\n")?;
    for file in &testnet.node_files {
        say!("  popmarket node --config {}", file.display())?;
    }
    say!(
        "\nThen open http://127.0.0.1:{}, the web of node 0; node 1 has the next port, and so on.",
        args.http_port
    )?;
    let password = args.dir.join("accounts").join("admin1.password");
    say!("admin1 and admin2 sign in at node 0: see {}", password.display())?;
    say!("Whoever signs up does so at one node, and signs in there.")
}
