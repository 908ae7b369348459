//! Requests that come twice.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, World, account};
use crate::http::serve::Peer;

fn payment(amount: &str) -> Value {
    json!({"to": account(BOB), "amount": amount})
}

#[tokio::test]
async fn a_key_is_one_transaction_and_one_answer() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let headers = [("idempotency-key", "order-1"), ("prefer", "wait=10")];
    let first = alice.send(Method::POST, "/v1/payments", &headers, &payment("10")).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (StatusCode::CREATED, ""));
    // The alias is the same route, and waiting is not a part of the request.
    for (path, headers) in [("/v1/payments", &headers[..]), ("/payment", &headers[..1])] {
        let again = alice.send(Method::POST, path, headers, &payment("10")).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("content-type"), first.header("content-type"));
    }
    assert_eq!((world.height(), world.available(BOB)), (1, 1_000_010));
}

#[tokio::test]
async fn a_key_belongs_to_one_member_one_route_and_one_body() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let headers = [("idempotency-key", "k"), ("prefer", "wait=10")];
    let pay = async |amount| alice.send(Method::POST, "/v1/payments", &headers, &payment(amount)).await;
    assert_eq!(pay("10").await.status, StatusCode::CREATED);
    assert_eq!(pay("11").await.code(), "IDEMPOTENCY_KEY_REUSED");
    let charge = json!({"amount": "10"});
    assert_eq!(alice.send(Method::POST, "/v1/charges", &headers, &charge).await.status, StatusCode::CREATED);
    assert_eq!(bob.send(Method::POST, "/v1/charges", &headers, &charge).await.status, StatusCode::CREATED);
    assert_eq!(world.height(), 3);
}

#[tokio::test]
async fn while_the_first_request_runs_the_second_is_told_so() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    world.shut_road(true);
    let headers = [("idempotency-key", "k"), ("prefer", "wait=30")];
    let body = payment("10");
    let (first, second) = tokio::join!(alice.send(Method::POST, "/v1/payments", &headers, &body), async {
        world.in_flight(1).await;
        let second = alice.send(Method::POST, "/v1/payments", &headers, &body).await;
        world.shut_road(false);
        second
    });
    assert_eq!((second.code(), second.header("retry-after")), ("IDEMPOTENCY_IN_FLIGHT", "1"));
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert_eq!(world.height(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_finds_its_answer_later() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let headers = [("idempotency-key", "k"), ("prefer", "wait=30")];
    let body = payment("10");
    world.shut_road(true);
    tokio::select! {
        _ = alice.send(Method::POST, "/v1/payments", &headers, &body) => panic!("it cannot be answered yet"),
        () = world.in_flight(1) => {}
    }
    world.shut_road(false);
    let again = loop {
        let again = alice.send(Method::POST, "/v1/payments", &headers, &body).await;
        if again.status != StatusCode::CONFLICT {
            break again;
        }
        assert_eq!(again.code(), "IDEMPOTENCY_IN_FLIGHT");
        tokio::task::yield_now().await;
    };
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!((world.height(), world.available(BOB)), (1, 1_000_010));
}

#[tokio::test]
async fn what_was_not_done_may_be_tried_again_with_the_same_key() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let headers = [("idempotency-key", "k"), ("prefer", "wait=10")];
    let pay = async || alice.send(Method::POST, "/v1/payments", &headers, &payment("1000010")).await;
    assert_eq!(pay().await.code(), "INSUFFICIENT_FUNDS");
    assert_eq!(world.height(), 0);
    bob.must("/v1/payments", &json!({"to": account(ALICE), "amount": "10"})).await;
    assert_eq!(pay().await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn answers_are_kept_for_a_day_and_the_ledger_remembers_for_ever() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let headers = [("idempotency-key", "k"), ("prefer", "wait=10")];
    let first = alice.send(Method::POST, "/v1/payments", &headers, &payment("10")).await;
    world.advance_clock(Duration::from_secs(25 * 3_600));
    let later = alice.send(Method::POST, "/v1/payments", &headers, &payment("10")).await;
    assert_eq!((later.status, later.header("idempotency-replayed")), (StatusCode::CREATED, ""));
    assert_eq!(later.json()["tx_id"], first.json()["tx_id"]);
    assert_eq!(world.height(), 1);
}

#[tokio::test]
async fn keys_are_short_and_printable() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    for key in ["", " ", "a b", &"k".repeat(65)] {
        let reply =
            alice.send(Method::POST, "/v1/payments", &[("idempotency-key", key)], &payment("10")).await;
        assert_eq!(reply.code(), "INVALID_IDEMPOTENCY_KEY", "{key:?}");
    }
    assert_eq!(world.height(), 0);
}

#[tokio::test]
async fn a_new_member_is_made_once() {
    let world = World::new().await;
    let stranger = world.stranger();
    let headers = [("idempotency-key", "k")];
    let body = json!({"name": "dora", "password": "correct horse"});
    let first = stranger.send(Method::POST, "/v1/members", &headers, &body).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let again = stranger.send(Method::POST, "/v1/members", &headers, &body).await;
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, "true"));
    assert_eq!(stranger.post("/v1/members", &body).await.code(), "NAME_TAKEN");
    assert_eq!(world.height(), 1);
}

/// Mistake: all who are not signed in share one set of keys, so that one of them is in the way of the others.
#[tokio::test]
async fn keys_of_strangers_belong_to_where_they_come_from() {
    let world = World::new().await;
    let join = async |name: &str, from: u8| {
        let body = json!({"name": name, "password": "correct horse"}).to_string();
        let request = world
            .stranger()
            .request(&Method::POST, "/v1/members")
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .extension(Peer(IpAddr::from([10, 0, 0, from])));
        world.answer(request.body(Body::from(body)).unwrap()).await
    };
    assert_eq!(join("dora", 1).await.status, StatusCode::CREATED);
    assert_eq!(join("erin", 1).await.code(), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(join("erin", 2).await.status, StatusCode::CREATED);
    assert_eq!(join("dora", 1).await.header("idempotency-replayed"), "true");
}
