//! Wallets and accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{TokenId, TradeId};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::read_problem;
use super::trades::{side, trade_state};
use super::transactions::views;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::csv::{Format, Wanted};
use crate::http::cursor::{TableQuery, page, parsed};
use crate::http::extract::{Id, Nothing, OptionalBody, Query};
use crate::http::model::{
    AccountView, List, Look, TradeView, TransactionView, Viewer, WalletKey, WalletView,
};
use crate::http::once::{RequestKey, Settled, once};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit;
use crate::pages::Lang;
use crate::read_model::{Balances, PageLimit, TradeQuery, TransactionQuery};
use crate::service::{Holdings, LedgerQuery};

/// Make a key that the server keeps.
///
/// `POST /v1/members` opens the account of such a key, whose address is its `wallet`; without one it makes the key, too.
#[utoipa::path(post, path = "/v1/wallets", tag = "wallets", responses(
    (status = 201, description = "The key and the address of the account that it can open.", body = WalletKey),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    key: RequestKey,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let work = {
        let gateway = state.gateway.clone();
        async move {
            match gateway.create_key().await {
                Ok(public_key) => {
                    let key = WalletKey { address: Address::from_public_key(&public_key), public_key };
                    Settled::done(StatusCode::CREATED, key.location(), &key)
                }
                Err(error) => Settled::failed(&submit::problem(&error)),
            }
        }
    };
    let stranger = key.stranger();
    once(&state, key, stranger, body.fingerprint, work).await
}

/// From where an answer comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Consistency {
    /// From this server's tables, which may be a moment behind.
    #[default]
    Local,
    /// From a quorum of the replicas: everything that was acknowledged anywhere before is in it.
    Quorum,
}

/// How a wallet is looked up.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WalletQuery {
    /// `local`: what this server has read so far. `quorum`: what a quorum of the replicas shows, with everything that was
    /// acknowledged before; 503 `NO_QUORUM` if they do not agree in time.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
    /// The symbol of the token before the first one wanted.
    starting_after: Option<String>,
}

/// What an account has. Members see their own, admins all.
///
/// With `has_more`, `next` is `starting_after` of the next part.
#[utoipa::path(get, path = "/v1/wallets/{address}", tag = "wallets", params(("address" = String, Path, description = "The account."), WalletQuery), responses(
    (status = 200, description = "Its balances.", body = WalletView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(address): Id<Address>,
    Query(query): Query<WalletQuery>,
) -> Answer<Json<WalletView>> {
    if address != member.address() {
        if !member.is_admin() {
            return Err(Problem::new(Code::FORBIDDEN).into());
        }
        exists(&state, &address).await?;
    }
    let after = parsed("starting_after", query.starting_after)?;
    let wallet = match query.consistency {
        Consistency::Local => wallet(&state, address, balances(&state, &address, after).await?),
        Consistency::Quorum => shown_wallet(&state, address, after).await?,
    };
    Ok(Json(state.gateway.view().read(|ledger| wallet.guarded(ledger))))
}

/// What a quorum of the replicas says that an account has.
async fn shown_wallet(state: &AppState, address: Address, after: Option<TokenId>) -> Answer<WalletView> {
    let answer = state.network.query(LedgerQuery::Holdings { account: address, after }).await;
    let holdings = answer.and_then(|bytes| Holdings::decode(&bytes).ok());
    let holdings = holdings.ok_or_else(|| Problem::later(Code::NO_QUORUM, 1))?;
    Ok(WalletView::shown(address, holdings))
}

/// What an account has: as much of it as a quorum shows at a time.
pub(crate) async fn balances(
    state: &AppState,
    address: &Address,
    after: Option<TokenId>,
) -> Result<Balances, Failure> {
    state.read.balances(address, after, PageLimit::MAX).await.map_err(read_problem)
}

/// The same, as it is shown.
pub(crate) fn wallet(state: &AppState, address: Address, balances: Balances) -> WalletView {
    let next_nonce = state.gateway.view().read(|ledger| ledger.nonces(&address).after_last_used());
    WalletView::new(address, balances, next_nonce)
}

pub(super) async fn exists(state: &AppState, address: &Address) -> Answer<AccountView> {
    let account = state.read.account(address).await.map_err(read_problem)?;
    let account = account.ok_or_else(|| Problem::new(Code::UNKNOWN_ACCOUNT))?;
    Ok(state.gateway.view().read(|ledger| AccountView::new(account, ledger)))
}

/// An account, as everyone sees it.
#[utoipa::path(get, path = "/v1/accounts/{address}", tag = "wallets", params(("address" = String, Path, description = "The account.")), responses(
    (status = 200, description = "The account.", body = AccountView),
))]
pub(super) async fn account(
    State(state): State<AppState>,
    Id(address): Id<Address>,
) -> Answer<Json<AccountView>> {
    exists(&state, &address).await.map(Json)
}

/// The transactions that an account sent or that changed something of it, newest first.
#[utoipa::path(get, path = "/v1/accounts/{address}/transactions", tag = "wallets", params(("address" = String, Path, description = "The account."), TableQuery), responses(
    (status = 200, description = "A part of the list.", content(
        (List<TransactionView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn account_transactions(
    State(state): State<AppState>,
    Id(address): Id<Address>,
    lang: Lang,
    wanted: Wanted,
    Query(list): Query<TableQuery>,
) -> Answer<Response> {
    exists(&state, &address).await?;
    let format = list.format;
    let query = TransactionQuery { account: Some(address) };
    let page = state.read.transactions(query, list.page()?).await.map_err(read_problem)?;
    let data = views(&state, &page.items, &Viewer::PUBLIC, lang).await?;
    Ok(wanted.answer(format, List { data, has_more: page.has_more }))
}

/// Which trades of an account.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountTradesQuery {
    /// `buyer`, `seller` or `arbiter`: what the account is in it. Without it: buyer or seller.
    side: Option<String>,
    /// `FUNDED`, `ACCEPTED`, `SHIPPED`, `DISPUTED`, `RETURNING`, `RELEASED`, `CANCELLED`, `REFUNDED` or `SPLIT`.
    state: Option<String>,
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

/// The trades that an account takes part in, newest first, as everyone sees them.
///
/// With `side=seller` it is the history of a seller.
#[utoipa::path(get, path = "/v1/accounts/{address}/trades", tag = "wallets", params(("address" = String, Path, description = "The account."), AccountTradesQuery), responses(
    (status = 200, description = "A part of the list.", content(
        (List<TradeView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn account_trades(
    State(state): State<AppState>,
    Id(address): Id<Address>,
    wanted: Wanted,
    Query(query): Query<AccountTradesQuery>,
) -> Answer<Response> {
    let start = page::<TradeId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let filter = TradeQuery {
        member: Some(address),
        side: side(query.side.as_deref())?,
        state: query.state.as_deref().map(trade_state).transpose()?,
        ..TradeQuery::default()
    };
    exists(&state, &address).await?;
    let page = state.read.trades(filter, start).await.map_err(read_problem)?;
    let look = Look { viewer: None, is_courier: false, is_frozen: false, now: state.tip().1 };
    Ok(wanted.answer(query.format, List::of(page, |trade| TradeView::new(trade, &look))))
}
