//! Transactions.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use ledger::{AccountOp, Operation, TxId};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::members::decode;
use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Query, TEXT_BODY};
use crate::http::model::{Kind, List, Reply, SignedTransaction, TransactionList, TransactionView, Viewer};
use crate::http::once::Settled;
use crate::http::pipeline::limit;
use crate::http::prefer;
use crate::http::problem::{Answer, Problem};
use crate::http::rate_limit::{Client, Kind as Cost};
use crate::http::state::AppState;
use crate::http::submit::{self, Subject};
use crate::read_model::TransactionQuery;

/// Which transactions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TransactionsQuery {
    /// Only those that this account sent, or that changed something of it.
    account: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Transactions on the chain, newest first.
#[utoipa::path(get, path = "/v1/transactions", tag = "explorer", params(TransactionsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<TransactionView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<TransactionsQuery>,
) -> Answer<Json<TransactionList>> {
    let account: Option<Address> = parsed("account", query.account)?;
    let start = page::<TxId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page = state.read.transactions(TransactionQuery { account }, start).await.map_err(read_problem)?;
    let viewer = Viewer::from(&caller);
    Ok(Json(List::of(page, |record| TransactionView::new(&record, &viewer))))
}

/// Send a transaction that its sender has signed.
///
/// Its id is its idempotency key: the same transaction is recorded once, however often it is sent. One that opens an
/// account counts as a sign-up, of which there may be few: a chain never forgets an account.
#[utoipa::path(post, path = "/v1/transactions", tag = "explorer", request_body = SignedTransaction, responses(
    (status = 201, description = "It is carried out.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: JsonBody<SignedTransaction, TEXT_BODY>,
) -> Answer<Settled> {
    let transaction = decode(&body.value.transaction, "transaction")?;
    if matches!(transaction.body().operation, Operation::Account(AccountOp::Register { .. })) {
        limit(&state, client, Cost::Password)?;
    }
    let submission = state.gateway.submit_signed(transaction).await;
    let submission = submission.map_err(|error| submit::problem(&error))?;
    let subject = Subject::New(Kind::Transaction);
    Ok(submit::settle(submission, prefer::wait(&headers), subject).await?)
}

/// A transaction on the chain. One that is still on its way is not known here.
#[utoipa::path(get, path = "/v1/transactions/{tx_id}", tag = "explorer", params(("tx_id" = String, Path, description = "The transaction.")), responses(
    (status = 200, description = "The transaction and what came of it.", body = TransactionView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<TxId>,
) -> Answer<Json<TransactionView>> {
    let transaction = state.read.transaction(&id).await.map_err(read_problem)?;
    let transaction = transaction.ok_or_else(|| Problem::new(Code::UNKNOWN_TRANSACTION))?;
    Ok(Json(TransactionView::new(&transaction, &Viewer::from(&caller))))
}
