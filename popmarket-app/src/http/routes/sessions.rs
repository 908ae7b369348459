//! Signing in and out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ledger::Name;

use crate::accounts_db::{Password, Session, SessionToken};
use crate::http::caller::{SignedIn, role_of};
use crate::http::code::Code;
use crate::http::extract::JsonBody;
use crate::http::model::{NewSession, SessionView};
use crate::http::once::accounts_problem;
use crate::http::pipeline::limit;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::rate_limit::{Client, Kind};
use crate::http::state::AppState;

/// Sign in.
///
/// The token goes into the header `Authorization: Bearer ...` of the requests that follow.
#[utoipa::path(post, path = "/v1/sessions", tag = "members", request_body = NewSession, responses(
    (status = 201, description = "Signed in.", body = SessionView),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    body: JsonBody<NewSession>,
) -> Answer<(StatusCode, Json<SessionView>)> {
    let NewSession { name, password } = body.value;
    let (token, session) = sign_in(&state, &name, password.into_inner()).await?;
    let (role, _) = role_of(&state, &session.member.address);
    Ok((StatusCode::CREATED, Json(SessionView::new(&token, &session, role))))
}

/// Checks name and password. What cannot be a name or a password is just a wrong one.
pub(crate) async fn sign_in(
    state: &AppState,
    name: &str,
    password: String,
) -> Result<(SessionToken, Session), Failure> {
    let wrong = || Problem::new(Code::INVALID_CREDENTIALS);
    let name: Name = name.parse().map_err(|_| wrong())?;
    // Whoever tries passwords from many addresses is slow all the same.
    limit(state, Client::Name(name.folded()), Kind::Password)?;
    let password = Password::new(password).map_err(|_| wrong())?;
    state.accounts.sign_in(&name, &password, state.options.session_lasts).await.map_err(accounts_problem)
}

/// Sign out: the token is no good from now on.
#[utoipa::path(delete, path = "/v1/sessions", tag = "members", responses(
    (status = 204, description = "Signed out."),
))]
pub(super) async fn delete(State(state): State<AppState>, member: SignedIn) -> Answer<StatusCode> {
    state.accounts.sign_out(&member.token).await.map_err(accounts_problem)?;
    Ok(StatusCode::NO_CONTENT)
}
