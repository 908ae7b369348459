//! Receipts: what the replicas sign about a transaction, in a file that anyone can check.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use ledger::{Genesis, Transaction};
use receipt::{Trusted, verify};
use serde_json::json;
use tokio::time::sleep;

use super::How;
use crate::{
    api::{Api, ApiError},
    commands::CommandError,
    config::write_private,
};

/// The replicas sign for a block a moment after it is made.
const COMES_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether a file can be made where the receipt is to be. Asked before anything is sent.
pub(super) fn check_is_free(how: &How) -> Result<(), CommandError> {
    match &how.receipt {
        Some(file) if file.exists() => {
            Err(CommandError::Usage(format!("{} exists: nothing is overwritten", file.display())))
        }
        _ => Ok(()),
    }
}

/// Gets the receipt, checks it, and keeps it.
pub(super) async fn fetch(
    api: &Api,
    genesis: &Genesis,
    transaction: &Transaction,
    file: &Path,
) -> Result<(), CommandError> {
    let path = format!("/v1/transactions/{}/receipt", transaction.id());
    let signed = json!({ "transaction": hex::encode(transaction.encode()) });
    let started = Instant::now();
    let bytes = loop {
        match api.send_for_bytes(&path, &signed).await {
            Ok(bytes) => break bytes,
            Err(ApiError::Problem(problem)) if problem.retryable && started.elapsed() < COMES_WITHIN => {
                sleep(LOOK_EVERY).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let trusted = Trusted { chain_id: genesis.chain_id(), replica_set_hash: genesis.replica_set_hash() };
    let proven = verify(&bytes, &trusted)
        .map_err(|why| CommandError::failed("the market's receipt is not valid", why))?;
    if proven.transaction.id() != transaction.id() || !proven.outcome.is_applied() {
        return Err(CommandError::Failed("the market's receipt is about something else".into()));
    }
    Ok(write_private(file, &bytes)?)
}
