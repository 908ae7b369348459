//! Signing in, up and out.

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::form::Form;
use super::ui::{Ui, Visitor};
use super::{form_key, page, status};
use crate::accounts_db::SessionToken;
use crate::http::model::Secret;
use crate::http::routes::{self, Who};
use crate::http::{
    Answer, AppState, Code, Failure, Problem, Query, RequestKey, accounts_problem, drop_session, keep_session,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    ui: Ui,
    name: String,
    next: String,
    problem: Option<Failure>,
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub(super) struct NextQuery {
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    visitor: Visitor,
    Query(query): Query<NextQuery>,
) -> Response {
    let (ui, name, next) = (visitor.ui(&state), String::new(), own_path(&query.next).to_owned());
    page(StatusCode::OK, &SignIn { ui, name, next, problem: None })
}

/// A path of this site: whoever made the link does not choose where the visitor ends up.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if is_own { next } else { "/" }
}

/// The form to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInForm {
    name: String,
    password: Secret,
    #[serde(default)]
    next: String,
}

pub(super) async fn signed_in(
    State(state): State<AppState>,
    visitor: Visitor,
    form: Form<SignInForm>,
) -> Answer<Response> {
    let SignInForm { name, password, next } = form.value;
    match routes::sign_in(&state, name.trim(), password.into_inner()).await {
        Ok((token, _)) => begin(&state, &visitor, &token, own_path(&next)).await,
        Err(problem) => {
            let status = status(Some(&problem));
            let (ui, next) = (visitor.ui(&state), own_path(&next).to_owned());
            Ok(page(status, &SignIn { ui, name, next, problem: Some(problem) }))
        }
    }
}

/// Begins a session. The one before it ends, so that nobody who knew its token is signed in as well.
async fn begin(state: &AppState, visitor: &Visitor, token: &SessionToken, next: &str) -> Answer<Response> {
    if let Some(before) = visitor.caller.identity() {
        state.accounts.sign_out(&before.token).await.map_err(accounts_problem)?;
    }
    Ok(with_cookie(Redirect::to(next), keep_session(&state.options, token)))
}

fn with_cookie(redirect: Redirect, cookie: Option<HeaderValue>) -> Response {
    let mut response = redirect.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUp {
    ui: Ui,
    form_key: String,
    name: String,
    problem: Option<Failure>,
}

pub(super) async fn sign_up(State(state): State<AppState>, visitor: Visitor) -> Response {
    let (ui, name) = (visitor.ui(&state), String::new());
    page(StatusCode::OK, &SignUp { ui, form_key: form_key(), name, problem: None })
}

/// The form to become a member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpForm {
    form_key: String,
    name: String,
    password: Secret,
}

pub(super) async fn signed_up(
    State(state): State<AppState>,
    visitor: Visitor,
    key: RequestKey,
    form: Form<SignUpForm>,
) -> Answer<Response> {
    let SignUpForm { form_key: form_key_sent, name, password } = form.value;
    let password = password.into_inner();
    let joined = async {
        let who = name.trim().parse();
        let who = who.map_err(|error| Problem::in_field(Code::INVALID_BODY, "name", error))?;
        let key = key.of_form(form_key_sent)?;
        let settled =
            routes::enrol(&state, key, form.fingerprint, Who::Custodial(who), password.clone()).await;
        settled.map_err(|failed| failed.0)?.into_reply()?;
        routes::sign_in(&state, name.trim(), password).await
    };
    match joined.await {
        Ok((token, _)) => begin(&state, &visitor, &token, "/?notice=welcome").await,
        Err(problem) => {
            let (ui, status) = (visitor.ui(&state), status(Some(&problem)));
            Ok(page(status, &SignUp { ui, form_key: form_key(), name, problem: Some(problem) }))
        }
    }
}

pub(super) async fn sign_out(State(state): State<AppState>, visitor: Visitor) -> Answer<Response> {
    if let Some(identity) = visitor.caller.identity() {
        state.accounts.sign_out(&identity.token).await.map_err(accounts_problem)?;
    }
    Ok(with_cookie(Redirect::to("/"), drop_session(&state.options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_to() {
        for own in ["/", "/items/ab?x=y", "/trades"] {
            assert_eq!(own_path(own), own);
        }
        for other in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "items", "/\t/evil.example"]
        {
            assert_eq!(own_path(other), "/");
        }
    }
}
