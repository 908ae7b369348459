//! Tokens: assets that members make.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use ledger::{TokenId, TokenOp};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::code::Code;
use crate::http::csv::Wanted;
use crate::http::cursor::{ListQuery, TableQuery, page, parsed};
use crate::http::extract::{Id, JsonBody, Query};
use crate::http::model::{
    AllowanceView, Allowing, Burning, FillView, Giving, HandingOver, HolderList, HolderView, Kind, List,
    Minting, NewToken, Reply, TokenList, TokenView,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

fn about(token: TokenId) -> Subject {
    Subject::Old(Kind::Token, token.to_string())
}

/// Make a token, of which there is nothing yet. You are its issuer.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewToken, responses(
    (status = 201, description = "There is a new token.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewToken>,
) -> Answer<Settled> {
    let NewToken { symbol: token, name, decimals, cap } = body.value;
    let operation = TokenOp::Create { token, name, decimals, cap };
    intent.carry_out(&state, body.fingerprint, operation, about(token)).await
}

/// Tokens, newest first. Items are named by their symbols.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(ListQuery), responses(
    (status = 200, description = "A part of the list.", body = List<TokenView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<TokenList>> {
    let page = state.read.tokens(query.page()?).await.map_err(read_problem)?;
    Ok(Json(List::of(page, TokenView::from)))
}

/// A token.
#[utoipa::path(get, path = "/v1/tokens/{symbol}", tag = "tokens", params(("symbol" = String, Path, description = "The token.")), responses(
    (status = 200, description = "The token.", body = TokenView),
))]
pub(super) async fn show(State(state): State<AppState>, Id(token): Id<TokenId>) -> Answer<Json<TokenView>> {
    Ok(Json(find(&state, token).await?))
}

/// A token that there is.
async fn find(state: &AppState, token: TokenId) -> Result<TokenView, Failure> {
    let found = state.read.token(token).await.map_err(read_problem)?;
    found.map(TokenView::from).ok_or_else(|| Problem::new(Code::UNKNOWN_TOKEN))
}

/// Which holders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HoldersQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The address of the item before the first one wanted.
    starting_after: Option<String>,
}

/// Who has some of a token, by address. Everyone sees it, like the register of a company's shares.
#[utoipa::path(get, path = "/v1/tokens/{symbol}/holders", tag = "tokens", params(("symbol" = String, Path, description = "The token."), HoldersQuery), responses(
    (status = 200, description = "A part of the list.", body = List<HolderView>),
))]
pub(super) async fn holders(
    State(state): State<AppState>,
    Id(token): Id<TokenId>,
    Query(query): Query<HoldersQuery>,
) -> Answer<Json<HolderList>> {
    find(&state, token).await?;
    let after: Option<Address> = parsed("starting_after", query.starting_after)?;
    let limit = page::<Address>(query.limit, None, None)?.limit.value();
    let holders = state.read.holders(token, after, limit + 1).await.map_err(read_problem)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = holders.len() > limit;
    Ok(Json(List { data: holders.into_iter().take(limit).map(HolderView::from).collect(), has_more }))
}

/// What changed hands of a token, on all markets that are for it (their names begin with its symbol), newest first. All prices are prices
/// of it; where it is what others are paid with, the history is that of the other token.
#[utoipa::path(get, path = "/v1/tokens/{symbol}/trades", tag = "tokens", params(("symbol" = String, Path, description = "The token."), TableQuery), responses(
    (status = 200, description = "A part of the list. Each market has numbers of its own, without gaps.", content(
        (List<FillView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn trades(
    State(state): State<AppState>,
    Id(token): Id<TokenId>,
    wanted: Wanted,
    Query(query): Query<TableQuery>,
) -> Answer<Response> {
    find(&state, token).await?;
    let format = query.format;
    let page = state.read.fills_of_token(token, query.page()?).await.map_err(read_problem)?;
    Ok(wanted.answer(format, List::of(page, FillView::from)))
}

/// Whose allowance.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AllowanceQuery {
    /// The address of who has the token.
    #[param(value_type = String)]
    owner: Address,
    /// The address of who may transfer it.
    #[param(value_type = String)]
    spender: Address,
}

/// How much of what an owner has someone else may transfer.
#[utoipa::path(get, path = "/v1/tokens/{symbol}/allowance", tag = "tokens", params(("symbol" = String, Path, description = "The token."), AllowanceQuery), responses(
    (status = 200, description = "The allowance.", body = AllowanceView),
))]
pub(super) async fn allowance(
    State(state): State<AppState>,
    Id(token): Id<TokenId>,
    Query(AllowanceQuery { owner, spender }): Query<AllowanceQuery>,
) -> Answer<Json<AllowanceView>> {
    find(&state, token).await?;
    let amount = state.gateway.view().read(|ledger| ledger.allowance(&owner, &spender, token));
    Ok(Json(AllowanceView { token, owner, spender, amount }))
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $body:ident, $done:literal, |$token:ident, $value:ident| $op:expr;)*) => {
        $(
            $(#[$doc])*
            #[utoipa::path(post, path = $path, tag = "tokens", params(("symbol" = String, Path, description = "The token.")), request_body = $body, responses(
                (status = 201, description = $done, body = Reply),
                (status = 202, description = "It is on its way.", body = Reply),
            ))]
            pub(super) async fn $name(
                State(state): State<AppState>,
                intent: Intent,
                Id($token): Id<TokenId>,
                body: JsonBody<$body>,
            ) -> Answer<Settled> {
                let $value = body.value;
                intent.carry_out(&state, body.fingerprint, $op, about($token)).await
            }
        )*
    };
}

actions! {
    /// Make more of a token. By its issuer.
    mint, "/v1/tokens/{symbol}/mint", Minting, "There is more of it.",
        |token, body| TokenOp::Mint { token, to: body.to, amount: body.amount };

    /// Destroy some of what you have.
    burn, "/v1/tokens/{symbol}/burn", Burning, "There is less of it.",
        |token, body| TokenOp::Burn { token, amount: body.amount };

    /// Give someone tokens: yours, or, within your allowance, those of another owner.
    transfer, "/v1/tokens/{symbol}/transfer", Giving, "They have another owner.",
        |token, body| giving(token, &body);

    /// Set how much someone may transfer of what you have.
    approve, "/v1/tokens/{symbol}/approve", Allowing, "The allowance is set.",
        |token, body| TokenOp::Approve { token, spender: body.spender, from: body.from, to: body.to };

    /// Make someone else the issuer. By the issuer.
    hand_over, "/v1/tokens/{symbol}/hand-over", HandingOver, "Someone else is the issuer.",
        |token, body| TokenOp::HandOver { token, to: body.to };
}

const fn giving(token: TokenId, body: &Giving) -> TokenOp {
    let Giving { to, amount, owner } = *body;
    match owner {
        None => TokenOp::Transfer { token, to, amount },
        Some(owner) => TokenOp::TransferFrom { token, owner, to, amount },
    }
}
