//! What every answer says about itself.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::access::unknown_path;
use super::world::{ALICE, BOB, World, account};
use crate::http::access;
use crate::http::{HttpOptions, Rate, Rates};

#[tokio::test]
async fn every_answer_has_the_headers_errors_too() {
    let world = World::with_options(HttpOptions { behind_tls: true, ..HttpOptions::default() }).await;
    let stranger = world.stranger();
    let rules = access::RULES.iter().map(|rule| (rule.method.clone(), unknown_path(rule)));
    let others = [(Method::GET, "/no/such/page"), (Method::GET, "/v1/none"), (Method::PUT, "/v1/blocks")];
    for (method, path) in rules.chain(others.map(|(method, path)| (method, path.to_owned()))) {
        let request = stranger.request(&method, &path).body(Body::empty()).unwrap();
        let response = world.stream(request).await;
        let header =
            |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert!(header("strict-transport-security").starts_with("max-age="), "{path}");
        assert_eq!(header("ledger-height"), "0", "{path}");
        assert_eq!(header("ledger-time"), "2023-11-14T22:13:20.000Z", "{path}");
        assert_eq!(header("x-request-id").len(), 16, "{path}");
        assert!(!header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_that_it_comes_with_if_that_is_one() {
    let world = World::new().await;
    let long = "x".repeat(65);
    for (given, kept) in [("trace-1.2_3", true), ("", false), ("a b", false), (long.as_str(), false)] {
        let stranger = world.stranger();
        let request = stranger.request(&Method::GET, "/healthz").header("x-request-id", given);
        let reply = world.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header("x-request-id") == given, kept, "{given:?}");
    }
}

#[tokio::test]
async fn height_and_time_go_on_and_can_be_waited_for() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    let reply = world.stranger().get("/v1/blocks?min_height=1").await;
    assert_eq!((reply.status.as_u16(), reply.header("ledger-height")), (200, "1"));
    world.shut_road(true);
    alice.post("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    let (reply, ()) = tokio::join!(alice.get("/v1/blocks/2?min_height=2"), async {
        world.in_flight(1).await;
        world.shut_road(false);
    });
    assert_eq!((reply.status.as_u16(), &reply.json()["height"]), (200, &json!(2)));
}

#[tokio::test]
async fn a_height_that_does_not_come_is_a_problem() {
    let world = World::new().await;
    let reply = world.stranger().get("/v1/blocks?min_height=999").await;
    assert_eq!((reply.code(), reply.header("retry-after")), ("NOT_AT_HEIGHT", "1"));
    assert_eq!(reply.json()["retryable"], true);
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_come_back() {
    let few = Rate { burst: 2.0, per_second: 0.01 };
    let many = Rate { burst: 1_000.0, per_second: 1_000.0 };
    let rates = Rates { read: many, write: many, password: few, heavy: many };
    let world = World::with_options(HttpOptions { rates, ..HttpOptions::default() }).await;
    let stranger = world.stranger();
    let wrong = json!({"name": "alice", "password": "wrong horse"});
    for _ in 0..2 {
        assert_eq!(stranger.post("/v1/sessions", &wrong).await.code(), "INVALID_CREDENTIALS");
    }
    let reply = stranger.post("/v1/sessions", &wrong).await;
    assert_eq!(reply.code(), "RATE_LIMITED");
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 90);
    assert_eq!(stranger.get("/healthz").await.status.as_u16(), 200);
}

#[tokio::test]
async fn behind_a_proxy_each_client_is_counted_by_itself() {
    let one = Rate { burst: 1.0, per_second: 0.01 };
    let rates = Rates { read: one, write: one, password: one, heavy: one };
    for (behind_tls, counted) in [(true, [200, 429, 200]), (false, [200, 429, 429])] {
        let world = World::with_options(HttpOptions { behind_tls, rates, ..HttpOptions::default() }).await;
        let stranger = world.stranger();
        let forwarded = ["10.0.0.1", "1.2.3.4, 10.0.0.1", "10.0.0.1, 10.0.0.2"];
        for (header, status) in forwarded.into_iter().zip(counted) {
            let request = stranger.request(&Method::GET, "/healthz").header("x-forwarded-for", header);
            let reply = world.answer(request.body(Body::empty()).unwrap()).await;
            assert_eq!(reply.status.as_u16(), status, "{header}");
        }
    }
}

#[tokio::test]
async fn the_server_describes_itself() {
    let world = World::new().await;
    let stranger = world.stranger();
    assert_eq!(stranger.get("/openapi.json").await.json()["openapi"], "3.1.0");
    let docs = stranger.get("/docs").await;
    assert!(docs.text().contains("/v1/trades/{id}/confirm") && docs.text().contains("INSUFFICIENT_FUNDS"));
    assert_eq!(stranger.get("/healthz").await.json(), json!({"status": "ok"}));
    assert_eq!(stranger.get("/readyz").await.json(), json!({"status": "ok"}));
    assert!(
        stranger.get("/metrics").await.header("content-type").starts_with("application/openmetrics-text")
    );
    let network = stranger.get("/v1/network").await.json();
    assert_eq!(network["replicas"][0]["state_root"], world.state_root().to_string());
    assert_eq!(network["replicas"][0]["last_seen"], "2023-11-14T22:13:20.000Z");
    for name in ["chain_id", "height", "view", "primary", "diagnosis"] {
        assert!(!network[name].is_null(), "{name}");
    }
    let genesis = stranger.get("/v1/blocks/0").await.json();
    assert_eq!(
        stranger.get(&format!("/v1/blocks/{}", genesis["hash"].as_str().unwrap())).await.json(),
        genesis
    );
}

#[tokio::test]
async fn a_server_whose_tables_do_not_follow_the_chain_is_not_ready() {
    let world = World::new().await;
    assert_eq!(world.stranger().get("/readyz").await.status, StatusCode::OK);
    world.stop_projector();
    let mut height = world.state.gateway.view().height();
    let alice = world.client(ALICE).await;
    alice.post("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    height.wait_for(|height| height.value() == 1).await.unwrap();
    let reply = world.stranger().get("/readyz").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.json()["detail"], "the read model is behind the chain");
    assert_eq!(world.stranger().get("/healthz").await.status, StatusCode::OK);
}
