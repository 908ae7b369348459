//! `popmarket verify-receipt`: whether a receipt shows what it says. Asks nobody.

use std::{fs, path::PathBuf};

use clap::Args;
use ledger::Outcome;
use receipt::{Proven, Trusted, verify};
use serde_json::json;

use super::CommandError;
use crate::{config::read_genesis, http::timestamp::rfc3339};

/// What to check.
#[derive(Debug, Args)]
pub(super) struct VerifyReceiptArgs {
    /// The receipt, as GET /v1/transactions/{id}/receipt gives it
    file: PathBuf,
    /// The genesis file of the chain, from someone you trust: it says who the replicas are
    #[arg(long, default_value = "popmarket-data/genesis.json")]
    genesis: PathBuf,
    /// Print JSON instead of words
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyReceiptArgs) -> Result<(), CommandError> {
    let genesis = read_genesis(&args.genesis)?;
    let trusted = Trusted { chain_id: genesis.chain_id(), replica_set_hash: genesis.replica_set_hash() };
    let bytes = fs::read(&args.file);
    let bytes = bytes.map_err(|error| CommandError::Usage(format!("{}: {error}", args.file.display())))?;
    match verify(&bytes, &trusted) {
        Ok(proven) if args.json => say!("{}", as_json(&proven)),
        Ok(proven) => print(&proven),
        Err(why) if args.json => {
            mention!("{}", json!({ "valid": false, "why": why.to_string() }));
            Err(CommandError::Failed("the receipt is not valid".into()))
        }
        Err(why) => Err(CommandError::Failed(format!("the receipt is not valid: {why}"))),
    }
}

fn outcome(proven: &Proven) -> (&'static str, Option<String>) {
    match &proven.outcome {
        Outcome::Applied => ("APPLIED", None),
        Outcome::Rejected(why) => ("REJECTED", Some(format!("{}: {why}", why.code()))),
    }
}

fn as_json(proven: &Proven) -> serde_json::Value {
    let (status, why) = outcome(proven);
    let body = proven.transaction.body();
    json!({
        "valid": true,
        "tx_id": proven.transaction.id(),
        "sender": body.sender,
        "operation": body.operation,
        "outcome": status,
        "why": why,
        "height": proven.header.height,
        "hash": proven.header.hash(),
        "time": rfc3339(proven.header.time),
        "signers": proven.signers,
        "epoch": proven.epoch,
    })
}

fn print(proven: &Proven) -> Result<(), CommandError> {
    let (status, why) = outcome(proven);
    let body = proven.transaction.body();
    let signers: Vec<_> = proven.signers.iter().map(ToString::to_string).collect();
    say!("The receipt is valid.\n")?;
    say!("  transaction  {}", proven.transaction.id())?;
    say!("  sender       {}", body.sender)?;
    say!("  operation    {}", json!(body.operation))?;
    say!("  outcome      {status}{}", why.map(|why| format!(" ({why})")).unwrap_or_default())?;
    say!("  block        {}, {}", proven.header.height, proven.header.hash())?;
    say!("  time         {}", rfc3339(proven.header.time))?;
    say!("  signed by    replicas {}", signers.join(", "))?;
    if proven.epoch > 0 {
        say!("  led to them  {} changes of the replicas, each certified by those before", proven.epoch)?;
    }
    Ok(())
}
