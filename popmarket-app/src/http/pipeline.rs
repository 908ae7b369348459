//! What every request goes through before its handler, and every answer after it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use ledger::Height;

use super::access::{self, Access, Rule};
use super::caller::{Caller, authenticate};
use super::code::Code;
use super::problem::{Failure, Problem};
use super::rate_limit::{Client, Kind};
use super::serve::Peer;
use super::state::AppState;
use super::timestamp::rfc3339;
use super::{cookie, csrf, heavy};
use crate::pages::{self, Lang};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LEDGER_HEIGHT: HeaderName = HeaderName::from_static("ledger-height");
const LEDGER_TIME: HeaderName = HeaderName::from_static("ledger-time");

/// How long a request waits for the height that it asks for.
const FRESHNESS_WAIT: Duration = Duration::from_secs(5);

/// No script or style but our own files, nothing from elsewhere, in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; img-src 'self'; script-src 'self'; style-src 'self'";

const SECURITY_HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // With `no-referrer` browsers would send no `Origin` that tells our own forms from those of others.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// The outermost layer: gives each request an id, and each answer its headers.
pub(super) async fn envelope(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = Instant::now();
    let mut response = next.run(request).await;
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(%method, path, status = response.status().as_u16(), micros, id = ?id, "answered");
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    let (height, time) = state.tip();
    headers.insert(LEDGER_HEIGHT, HeaderValue::from(height.value()));
    if let Ok(time) = HeaderValue::try_from(rfc3339(time)) {
        headers.insert(LEDGER_TIME, time);
    }
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if state.options.behind_tls {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert("strict-transport-security", year);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_short = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&bytes.len()) && bytes.iter().all(fits)
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(is_short) {
        return id.clone();
    }
    let mut bytes = [0; 8];
    // An id that is not unique is no harm.
    let _ = getrandom::fill(&mut bytes);
    HeaderValue::try_from(hex::encode(bytes)).unwrap_or(HeaderValue::from_static("-"))
}

/// Lets a request through to its handler, if it may go there. Without a rule nobody gets further.
pub(super) async fn gate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let rule = route.as_ref().and_then(|route| access::rule(&parts.method, route.as_str()));
    let Some(rule) = rule else {
        return nowhere(&state, &parts, route.as_ref());
    };
    let client = Client::at(peer(&state, &parts));
    let (kind, lane) = heavy::weigh(&state, &parts, rule);
    match admit(&state, &parts, (rule, kind), client.clone()).await {
        Ok(caller) => {
            parts.extensions.insert(caller.clone());
            parts.extensions.insert(client);
            if let Some(lane) = lane {
                parts.extensions.insert(lane);
            }
            let mut response = next.run(Request::from_parts(parts, body)).await;
            // For the page that says what went wrong.
            response.extensions_mut().insert(caller);
            response
        }
        Err(problem) if sends_to_sign_in(&problem, &parts) => to_sign_in(&parts.uri),
        Err(problem) => problem.into_response(),
    }
}

fn nowhere(state: &AppState, parts: &Parts, route: Option<&MatchedPath>) -> Response {
    if let Err(problem) = limit(state, Client::at(peer(state, parts)), Kind::Read) {
        return problem.into_response();
    }
    let Some(route) = route else {
        return Problem::new(Code::NO_SUCH_ROUTE).into_response();
    };
    let mut response = Problem::new(Code::METHOD_NOT_ALLOWED).into_response();
    let methods: Vec<&str> = access::methods(route.as_str()).map(Method::as_str).collect();
    if let Ok(methods) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

/// Where a request comes from. A proxy in front of this server adds whom it heard to the end of `X-Forwarded-For`; what
/// stands before that was written by whoever asks.
fn peer(state: &AppState, parts: &Parts) -> IpAddr {
    let forwarded = || {
        let line = parts.headers.get_all("x-forwarded-for").iter().next_back()?;
        line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let forwarded = if state.options.behind_tls { forwarded() } else { None };
    let peer = || parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    forwarded.unwrap_or_else(peer)
}

async fn admit(
    state: &AppState,
    parts: &Parts,
    (rule, kind): (&Rule, Kind),
    client: Client,
) -> Result<Caller, Failure> {
    limit(state, client, kind)?;
    let caller = authenticate(state, &parts.headers).await?;
    let by_browser = caller.identity().map_or_else(|| csrf::by_browser(&parts.headers), |who| who.by_cookie);
    if by_browser && !csrf::is_own_site(&parts.method, &parts.headers) {
        return Err(Problem::new(Code::CROSS_SITE));
    }
    if let Some(identity) = caller.identity() {
        limit(state, Client::Member(identity.address()), kind)?;
    }
    match rule.access {
        Access::Anyone => {}
        Access::Member if caller.identity().is_some() => {}
        Access::Admin if caller.is_admin() => {}
        Access::Admin if caller.identity().is_some() => return Err(Problem::new(Code::FORBIDDEN)),
        Access::Member | Access::Admin => return Err(Problem::new(Code::UNAUTHENTICATED)),
    }
    freshness(state, &parts.uri).await?;
    Ok(caller)
}

/// Counts a request.
pub(super) fn limit(state: &AppState, client: Client, kind: Kind) -> Result<(), Failure> {
    let taken = state.shared.limiter.take(client, kind, Instant::now());
    taken.map_err(|seconds| Problem::later(Code::RATE_LIMITED, seconds))
}

/// Waits for the height that the client knows of, so that it never sees an older state than it has seen.
async fn freshness(state: &AppState, uri: &Uri) -> Result<(), Failure> {
    let query = uri.query().unwrap_or_default();
    let wanted = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "min_height");
    let Some((_, wanted)) = wanted else {
        return Ok(());
    };
    let height = wanted.parse().map(Height::new);
    let height = height.map_err(|_| Problem::because(Code::INVALID_QUERY, "min_height: a number"))?;
    match state.read.wait_for_height(height, FRESHNESS_WAIT).await {
        Some(_) => Ok(()),
        None => Err(Problem::later(Code::NOT_AT_HEIGHT, 1)),
    }
}

fn sends_to_sign_in(problem: &Problem, parts: &Parts) -> bool {
    problem.code == Code::UNAUTHENTICATED && parts.method == Method::GET && !access::is_api(parts.uri.path())
}

fn to_sign_in(uri: &Uri) -> Response {
    let here = uri.path_and_query().map_or("/", |here| here.as_str());
    let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

/// Pages say what went wrong in HTML, in the visitor's language, and remember that language.
pub(super) async fn page_manners(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    if access::is_api(request.uri().path()) {
        return next.run(request).await;
    }
    let chosen = pages::chosen_language(request.uri());
    let lang = chosen.unwrap_or_else(|| pages::language(request.headers()));
    request.extensions_mut().insert(lang);
    let visit = pages::Visit::of(&request, lang);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let caller = response.extensions_mut().remove::<Caller>().unwrap_or_default();
        response = in_html(&state, &visit, &caller, &problem, &response);
    }
    if let Some(cookie) = chosen.and_then(|lang: Lang| cookie::keep_language(&state.options, lang)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn in_html(
    state: &AppState,
    visit: &pages::Visit,
    caller: &Caller,
    problem: &Problem,
    response: &Response,
) -> Response {
    let mut page = pages::error_page(state, visit, caller, problem);
    for name in [RETRY_AFTER, ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    *page.status_mut() = problem.code.status;
    page
}

/// A handler that panicked: the client is not told what about.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::INTERNAL).into_response()
}
