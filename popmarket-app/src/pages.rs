//! The pages: rendered here, they work without script. Forms carry a key of their own, so that one that is sent twice is
//! done once.

mod act;
mod assets;
mod exchange;
mod explorer;
mod form;
mod links;
mod locale;
mod market;
mod members;
mod money;
mod network;
mod pay;
mod people;
mod trades;
mod ui;
mod withdrawals;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::http::model::Action;
use crate::http::openapi::Docs;
use crate::http::{AppState, Caller, Code, Problem};

pub use locale::Lang;
use ui::Ui;
pub(crate) use ui::Visit;
pub(crate) use words::Writer;

/// All routes of the pages.
pub(crate) fn router() -> Router<AppState> {
    let sell = get(market::sell).post(market::put_up).layer(DefaultBodyLimit::max(form::MULTIPART_BODY));
    let acts = Action::ALL.iter().fold(Router::new(), |router, action| {
        router.route(&format!("/trades/{{id}}/{}", action.verb()), act::act(*action))
    });
    acts.route("/static/{file}", get(assets::serve))
        .route("/", get(market::home))
        .route("/items/{id}", get(market::item))
        .route("/items/{id}/buy", post(market::buy))
        .route("/items/{id}/close", post(market::close))
        .route("/sell", sell)
        .route("/sign-in", get(members::sign_in).post(members::signed_in))
        .route("/sign-up", get(members::sign_up).post(members::signed_up))
        .route("/sign-out", post(members::sign_out))
        .route("/trades", get(trades::list))
        .route("/trades/{id}", get(trades::show))
        .route("/trades/{id}/review", post(act::review))
        .route("/members/{address}", get(people::show))
        .route("/wallet", get(money::wallet))
        .route("/wallet/charges", post(money::charge))
        .route("/wallet/withdrawals", post(withdrawals::request))
        .route("/wallet/withdrawals/{id}/void", post(withdrawals::void_own))
        .route("/admin/withdrawals/{id}/settle", post(withdrawals::settle))
        .route("/admin/withdrawals/{id}/void", post(withdrawals::void))
        .route("/admin/charges", get(money::queue))
        .route("/admin/charges/{id}/approve", post(money::approve))
        .route("/admin/charges/{id}/reject", post(money::reject))
        .route("/pay", get(pay::show).post(pay::pay))
        .route("/pay/request", get(pay::ask))
        .route("/exchange", get(exchange::list))
        .route("/exchange/{id}", get(exchange::show))
        .route("/exchange/{id}/orders", post(exchange::place))
        .route("/exchange/{id}/cancel", post(exchange::cancel))
        .route("/blocks", get(explorer::blocks))
        .route("/blocks/{id}", get(explorer::block))
        .route("/transactions/{id}", get(explorer::transaction))
        .route("/search", get(explorer::find))
        .route("/network", get(network::show))
        .route("/network/replicas", post(network::propose))
        .route("/network/replicas/changes/{id}/approve", post(network::approve))
        .route("/network/replicas/changes/{id}/reject", post(network::reject))
}

/// The language that a visitor chooses with `?lang=`.
pub(crate) fn chosen_language(uri: &Uri) -> Option<Lang> {
    let query = uri.query()?.as_bytes();
    let mut pairs = form_urlencoded::parse(query);
    pairs.find(|(name, _)| name == "lang").and_then(|(_, code)| Lang::from_code(&code))
}

/// The language of a visitor who does not choose one now: chosen before, or the browser's.
pub(crate) fn language(headers: &HeaderMap) -> Lang {
    let accepted = || headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    crate::http::language(headers).unwrap_or_else(|| Lang::accepted(accepted()))
}

/// The language of the texts in an answer of the API.
impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(language(&parts.headers))
    }
}

/// A page. One that cannot be rendered is a fault of ours.
fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The status of a page that shows a problem, or none.
fn status(problem: Option<&Problem>) -> StatusCode {
    problem.map_or(StatusCode::OK, |problem| problem.code.status)
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    ui: Ui,
    problem: &'a Problem,
}

/// What went wrong, as a page.
pub(crate) fn error_page(state: &AppState, visit: &Visit, caller: &Caller, problem: &Problem) -> Response {
    page(problem.code.status, &ErrorPage { ui: Ui::new(state, visit.clone(), caller), problem })
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    ui: Ui,
    docs: &'a Docs,
}

/// The description of the API, as a page.
pub(crate) fn docs_page(state: &AppState, request: &Request, caller: &Caller, docs: &Docs) -> Response {
    let lang = request.extensions().get().copied().unwrap_or(Lang::Ko);
    page(StatusCode::OK, &DocsPage { ui: Ui::new(state, Visit::of(request, lang), caller), docs })
}

/// A random key for a form.
fn form_key() -> String {
    let mut bytes = [0; 16];
    // Should there be no randomness, the server refuses the form for its missing key.
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        Err(_) => String::new(),
    }
}

/// Whether a problem means that the form itself should be shown again.
const fn not_found(code: Code) -> bool {
    code.status.as_u16() == 404
}

/// The keys of all texts.
#[cfg(test)]
pub(crate) fn text_keys() -> impl Iterator<Item = &'static String> {
    locale::keys()
}
