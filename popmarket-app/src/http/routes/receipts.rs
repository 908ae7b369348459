//! Receipts for transactions, and the signatures that they rest on.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use ledger::TxId;
use pbft_core::{Seq, certificate::Certificate, message::Attestation};
use receipt::{Lineage, TransactionReceipt};

use super::members::decode;
use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::extract::{Id, JsonBody, TEXT_BODY};
use crate::http::model::{SignedTransaction, Viewer, sees_all};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::read_model::TransactionRecord;
use crate::store::StoreError;

/// A file that shows to anyone that a transaction is on the chain, and what came of it: see `popmarket verify-receipt`.
///
/// It has the whole transaction, so what only some may see of it only they get. A block is signed for a moment after it
/// is made.
#[utoipa::path(get, path = "/v1/transactions/{tx_id}/receipt", tag = "explorer", params(("tx_id" = String, Path, description = "The transaction.")), responses(
    (status = 200, description = "The receipt: JSON in one form, in which no byte may be changed.", body = Object),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<TxId>,
) -> Answer<Response> {
    let record = find(&state, &id).await?;
    if !sees_all(&record, &Viewer::from(&caller)) {
        return Err(for_others().into());
    }
    Ok(file(&state, record, id).await?)
}

/// The same file for whoever has the signed transaction, as its sender has, signed in or not.
///
/// All that it adds is that the transaction was carried out, and when. Why one failed may say how much money its sender
/// has: that is for the sender alone, signed in.
#[utoipa::path(post, path = "/v1/transactions/{tx_id}/receipt", tag = "explorer", params(("tx_id" = String, Path, description = "The transaction.")), request_body = SignedTransaction, responses(
    (status = 200, description = "The receipt: JSON in one form, in which no byte may be changed.", body = String, content_type = "application/json"),
))]
pub(super) async fn show_to_holder(
    State(state): State<AppState>,
    Id(id): Id<TxId>,
    body: JsonBody<SignedTransaction, TEXT_BODY>,
) -> Answer<Response> {
    let transaction = decode(&body.value.transaction, "transaction")?;
    let record = find(&state, &id).await?;
    if transaction != record.transaction || !record.outcome.is_applied() {
        return Err(for_others().into());
    }
    Ok(file(&state, record, id).await?)
}

fn for_others() -> Failure {
    Problem::because(Code::FORBIDDEN, "some of the transaction is for others alone")
}

async fn find(state: &AppState, id: &TxId) -> Result<TransactionRecord, Failure> {
    let record = state.read.transaction(id).await.map_err(read_problem)?;
    record.ok_or_else(|| Problem::new(Code::UNKNOWN_TRANSACTION))
}

async fn file(state: &AppState, record: TransactionRecord, id: TxId) -> Result<Response, Failure> {
    let bytes = make(state, record).await?.encode();
    let name = format!("attachment; filename=\"receipt-{id}.json\"");
    Ok(([(CONTENT_TYPE, "application/json"), (CONTENT_DISPOSITION, name.as_str())], bytes).into_response())
}

async fn make(state: &AppState, record: TransactionRecord) -> Result<TransactionReceipt, Failure> {
    let seq = header_seq(state, &record).await?;
    let certificate = certificate_of(state, seq)?.ok_or_else(|| Problem::later(Code::NOT_CERTIFIED, 1))?;
    let block = state.gateway.view().store().block(record.height).map_err(store_problem)?;
    let block = block.ok_or_else(|| Problem::new(Code::UNKNOWN_BLOCK))?;
    let (chain, first) = (state.chain.id, state.members.first());
    let handovers = state.members.handovers.borrow().clone();
    let index = usize::try_from(record.index).unwrap_or(usize::MAX);
    // The trees of a full block take some milliseconds.
    let made = tokio::task::spawn_blocking(move || {
        let replicas = Lineage { first: &first, handovers: &handovers };
        TransactionReceipt::new(chain, replicas, &block, index, &certificate)
    });
    match made.await {
        Ok(Ok(receipt)) => Ok(receipt),
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn header_seq(state: &AppState, record: &TransactionRecord) -> Result<u64, Failure> {
    let block = state.read.block_at(record.height).await.map_err(read_problem)?;
    Ok(block.ok_or_else(|| Problem::new(Code::UNKNOWN_BLOCK))?.header.seq)
}

/// The signatures for the block of a batch, once they have come.
pub(crate) fn certificate_of(
    state: &AppState,
    seq: u64,
) -> Result<Option<Certificate<Attestation>>, Failure> {
    state.gateway.view().store().certificate(Seq::new(seq)).map_err(store_problem)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn store_problem(error: StoreError) -> Failure {
    Problem::internal(&error)
}
