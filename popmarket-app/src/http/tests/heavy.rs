//! Requests that cost much.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Notify;
use tower::ServiceExt;

use super::world::{ALICE, BOB, CAROL, Client, Reply, World, account};
use crate::http::heavy::{Lane, in_turn};
use crate::http::rate_limit::{Client as Origin, Rate, Rates};
use crate::http::{Code, HttpOptions};
use crate::read_model::SCANS;
use crate::sql::READERS;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nobody may do anything heavy twice.
fn once() -> HttpOptions {
    let many = Rate { burst: 1e6, per_second: 1e6 };
    let heavy = Rate { burst: 1.0, per_second: 0.001 };
    let rates = Rates { read: many, write: many, heavy, ..Rates::default() };
    HttpOptions { behind_tls: true, rates, ..HttpOptions::default() }
}

/// One at a time, and nobody waits.
fn alone() -> HttpOptions {
    HttpOptions { max_heavy: 1, heavy_patience: Duration::ZERO, ..HttpOptions::default() }
}

/// Asks twice, from an address of its own.
async fn twice(client: &Client<'_>, number: u8, (method, path, accept, body): Asked<'_>) -> [Reply; 2] {
    let ask = async || {
        let request = client.request(&method, path).header("x-forwarded-for", format!("192.0.2.{number}"));
        let request = request.header("accept", accept).header("content-type", "application/json");
        client.world.answer(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    [ask().await, ask().await]
}

type Asked<'a> = (Method, &'a str, &'a str, &'a str);

#[tokio::test]
async fn what_costs_much_has_a_budget_of_its_own() {
    let world = World::with_options(once()).await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let stranger = world.stranger();
    let (csv, nothing) = ("text/csv", "");
    let receipt = format!("/v1/transactions/{}/receipt", "ab".repeat(32));
    let wallet = format!("/v1/wallets/{}?consistency=quorum", account(ALICE));
    let replay = format!("/v1/webhooks/{}/replay", "ab".repeat(16));
    let range = json!({"from": "0-0", "to": "9-0"}).to_string();
    let cases: [(&Client<'_>, Asked<'_>); 11] = [
        (&stranger, (Method::GET, "/v1/search?q=a", "*/*", nothing)),
        (&stranger, (Method::GET, "/search?q=a", "*/*", nothing)),
        (&stranger, (Method::GET, "/?q=a", "*/*", nothing)),
        (&stranger, (Method::GET, "/v1/listings?q=a", "*/*", nothing)),
        (&stranger, (Method::HEAD, "/v1/listings?limit=1&min_price=5", "*/*", nothing)),
        (&stranger, (Method::GET, "/v1/transactions?format=csv", "*/*", nothing)),
        (&stranger, (Method::GET, "/v1/transactions", csv, nothing)),
        (&bob, (Method::GET, &receipt, "*/*", nothing)),
        (&stranger, (Method::POST, &receipt, "*/*", "{}")),
        (&alice, (Method::GET, &wallet, "*/*", nothing)),
        (&carol, (Method::POST, &replay, "*/*", &range)),
    ];
    for (number, (client, asked)) in (1..).zip(cases) {
        let [first, second] = twice(client, number, asked.clone()).await;
        assert_ne!(first.status, StatusCode::TOO_MANY_REQUESTS, "{asked:?}");
        assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS, "{asked:?} {second:?}");
    }
    let wallet = format!("/v1/wallets/{}", account(ALICE));
    let cheap: [Asked<'_>; 7] = [
        (Method::GET, "/v1/listings?q=", "*/*", nothing),
        (Method::GET, "/v1/listings?status=OPEN", "text/html, */*;q=0.8", nothing),
        (Method::GET, "/?q=+", csv, nothing),
        (Method::GET, "/v1/transactions?format=json", csv, nothing),
        (Method::GET, "/v1/transactions?limit=100", "application/json", nothing),
        (Method::GET, "/v1/blocks/0", "*/*", nothing),
        (Method::GET, &wallet, "*/*", nothing),
    ];
    for asked in cheap {
        for reply in twice(&alice, 100, asked.clone()).await {
            assert_eq!(reply.status, StatusCode::OK, "{asked:?} {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_events_of_long_ago_costs_much_and_who_comes_back_pays_little() {
    let world = World::with_options(once()).await;
    let alice = world.client(ALICE).await;
    for _ in 0..257 {
        alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    }
    let stranger = world.stranger();
    let status = async |path: &str, last: &str| {
        let request = stranger.request(&Method::GET, path).header("last-event-id", last);
        world.stream(request.body(Body::empty()).unwrap()).await.status().as_u16()
    };
    for _ in 0..2 {
        assert_eq!(status("/v1/events", "").await, 200);
        assert_eq!(status("/v1/events", "1-0").await, 200);
        assert_eq!(status("/v1/events?last_event_id=0-0", "200-0").await, 200, "the header counts more");
    }
    assert_eq!(status("/v1/events?types=poll.", "0-0").await, 200);
    assert_eq!(status("/v1/events", "0-0").await, 429);
    let by_parameter = stranger.get("/v1/events?types=poll.&last_event_id=0-0").await;
    assert_eq!(by_parameter.code(), "RATE_LIMITED");
}

#[tokio::test]
async fn beyond_so_many_at_once_there_is_a_problem_that_says_when_to_come_back() {
    let world = World::with_options(alone()).await;
    let (alice, stranger) = (world.client(ALICE).await, world.stranger());
    let wallet = format!("/v1/wallets/{}?consistency=quorum", account(ALICE));
    let turn = world.state.shared.lanes.enter(Lane::Tables, Origin::at(HERE)).await.unwrap();
    let reply = stranger.get("/v1/search?q=lamp").await;
    assert_eq!((reply.status, reply.trouble()), (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED"), "{reply:?}");
    assert_eq!((reply.header("retry-after"), &reply.json()["retryable"]), ("2", &true.into()));
    let page = stranger.get("/search?q=lamp&lang=en").await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    assert!(page.text().contains("Too many requests that cost much"), "{page:?}");
    assert_eq!(stranger.get("/v1/listings").await.status, StatusCode::OK, "others are not held up");
    assert_eq!(alice.get(&wallet).await.status, StatusCode::OK, "nor who asks the replicas");
    drop(turn);
    assert_eq!(stranger.get("/v1/search?q=lamp").await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_client_takes_so_many_places_at_most_and_others_wait_for_a_moment() {
    let (max_heavy_each, heavy_patience) = (1, Duration::from_secs(30));
    let options = HttpOptions { max_heavy: 1, max_heavy_each, heavy_patience, ..HttpOptions::default() };
    let world = World::with_options(options).await;
    let stranger = world.stranger();
    let turn = world.state.shared.lanes.enter(Lane::Tables, Origin::at(HERE)).await.unwrap();
    let reply = stranger.get("/v1/search?q=lamp").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::TOO_MANY_REQUESTS, "BUSY"));
    assert_eq!(reply.header("retry-after"), "2");
    drop(turn);
    let other = Origin::at(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let turn = world.state.shared.lanes.enter(Lane::Tables, other).await.unwrap();
    let (reply, ()) = tokio::join!(biased; stranger.get("/v1/search?q=lamp"), async { drop(turn) });
    assert_eq!(reply.status, StatusCode::OK);
}

/// Mistake: a place is free while the database still works for a client that is gone, so that more run than may.
#[tokio::test]
async fn a_place_is_taken_as_long_as_the_work_goes_on() {
    let world = World::with_options(alone()).await;
    let (begun, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let work = {
        let (begun, may_end) = (Arc::clone(&begun), Arc::clone(&may_end));
        move || async move {
            begun.notify_one();
            may_end.notified().await;
        }
    };
    let router: Router = Router::new()
        .route("/", get(work))
        .layer(from_fn_with_state(world.state.clone(), in_turn))
        .with_state(());
    let request = Request::get("/").extension(Lane::Tables).extension(Origin::at(HERE));
    let request = request.body(Body::empty()).unwrap();
    tokio::select! {
        _ = router.oneshot(request) => panic!("it does not end yet"),
        () = begun.notified() => {}
    }
    let enter = async || world.state.shared.lanes.enter(Lane::Tables, Origin::at(HERE)).await;
    assert_eq!(enter().await.err().map(|problem| problem.code), Some(Code::OVERLOADED));
    may_end.notify_one();
    while enter().await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// Mistake: who sends a body slowly takes a place meanwhile.
#[tokio::test]
async fn a_slow_body_is_in_nobodys_way() {
    let world = World::with_options(alone()).await;
    let stranger = world.stranger();
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let path = format!("/v1/transactions/{}/receipt", "ab".repeat(32));
    let request = stranger.request(&Method::POST, &path).header("content-type", "application/json");
    tokio::select! {
        biased;
        reply = world.answer(request.body(endless).unwrap()) => panic!("it has not come yet: {reply:?}"),
        reply = stranger.get("/v1/search?q=lamp") => assert_eq!(reply.status, StatusCode::OK),
    }
}

#[test]
fn a_reader_is_left_for_what_costs_little() {
    let readers = usize::try_from(READERS).unwrap();
    let HttpOptions { max_heavy, max_heavy_each, .. } = HttpOptions::default();
    assert!(max_heavy + SCANS < readers);
    assert!(max_heavy_each < max_heavy, "nobody takes all places");
}
