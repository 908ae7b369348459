//! Transactions.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use ledger::{AccountOp, Operation, TxId};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::members::decode;
use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::csv::{Format, Wanted};
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Query, TEXT_BODY};
use crate::http::model::{Kind, List, Reply, SignedTransaction, TransactionView, Viewer};
use crate::http::once::Settled;
use crate::http::pipeline::limit;
use crate::http::prefer;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::rate_limit::{Client, Kind as Cost};
use crate::http::state::AppState;
use crate::http::submit::{self, Subject};
use crate::pages::{Lang, Writer};
use crate::read_model::{TransactionQuery, TransactionRecord};

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
    /// `json` or `csv`, whatever `Accept` says.
    #[param(inline)]
    format: Option<Format>,
}

/// Transactions on the chain, newest first.
#[utoipa::path(get, path = "/v1/transactions", tag = "explorer", params(TransactionsQuery), responses(
    (status = 200, description = "A part of the list.", content(
        (List<TransactionView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    lang: Lang,
    wanted: Wanted,
    Query(query): Query<TransactionsQuery>,
) -> Answer<Response> {
    let account: Option<Address> = parsed("account", query.account)?;
    let start = page::<TxId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page = state.read.transactions(TransactionQuery { account }, start).await.map_err(read_problem)?;
    let data = views(&state, &page.items, &Viewer::from(&caller), lang).await?;
    Ok(wanted.answer(query.format, List { data, has_more: page.has_more }))
}

/// Transactions as someone sees them, with words for each.
pub(super) async fn views(
    state: &AppState,
    records: &[TransactionRecord],
    viewer: &Viewer,
    lang: Lang,
) -> Result<Vec<TransactionView>, Failure> {
    let mut writer = Writer::new(&state.read, lang);
    let mut views = Vec::with_capacity(records.len());
    for record in records {
        let summary = writer.summary(record).await.map_err(read_problem)?;
        views.push(TransactionView::new(record, viewer, summary));
    }
    Ok(views)
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
    lang: Lang,
    Id(id): Id<TxId>,
) -> Answer<Json<TransactionView>> {
    let transaction = state.read.transaction(&id).await.map_err(read_problem)?;
    let transaction = transaction.ok_or_else(|| Problem::new(Code::UNKNOWN_TRANSACTION))?;
    let summary = Writer::new(&state.read, lang).summary(&transaction).await.map_err(read_problem)?;
    Ok(Json(TransactionView::new(&transaction, &Viewer::from(&caller), summary)))
}
