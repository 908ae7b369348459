//! Payments in two steps, as clients make them.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, Client, World, account};
use crate::http::timestamp::rfc3339;
use crate::testing::START;

const HOUR: u64 = 3_600_000;

fn at(millis: u64) -> String {
    rfc3339(ledger::UnixMillis::new(millis))
}

/// Alice's money is held for bob, for an hour.
async fn hold(alice: &Client<'_>, amount: u64) -> String {
    let body = json!({
        "to": account(BOB), "amount": amount.to_string(), "hold_until": at(START + HOUR), "memo": "deposit",
        "reference": "ROOM-7",
    });
    alice.must("/v1/payments", &body).await
}

async fn shown(client: &Client<'_>, id: &str) -> Value {
    client.get(&format!("/v1/payments/{id}")).await.json()
}

#[tokio::test]
async fn money_is_held_taken_in_part_and_given_back() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = hold(&alice, 1_000).await;
    let held = shown(&alice, &id).await;
    assert_eq!((&held["status"], &held["hold_until"]), (&json!("AUTHORIZED"), &json!(at(START + HOUR))));
    assert_eq!((&held["amount"], &held["paid"]), (&json!("1000"), &json!("0")));
    assert_eq!((world.available(ALICE), world.available(BOB)), (999_000, 1_000_000));

    let path = |what: &str| format!("/v1/payments/{id}/{what}");
    bob.must(&path("capture"), &json!({"amount": "300"})).await;
    assert_eq!((world.available(ALICE), world.available(BOB)), (999_700, 1_000_300));
    bob.must(&path("refund"), &json!({"amount": "100"})).await;
    let paid = shown(&bob, &id).await;
    assert_eq!((&paid["status"], &paid["hold_until"]), (&json!("PAID"), &Value::Null));
    assert_eq!((&paid["paid"], &paid["refunded"]), (&json!("300"), &json!("100")));

    // What is left, without saying how much that is.
    bob.must(&path("refund"), &Value::Null).await;
    assert_eq!(shown(&bob, &id).await["refunded"], "300");
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_000_000, 1_000_000));
}

#[tokio::test]
async fn all_of_it_is_taken_if_nothing_is_said() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = hold(&alice, 500).await;
    bob.must(&format!("/v1/payments/{id}/capture"), &Value::Null).await;
    assert_eq!(shown(&bob, &id).await["paid"], "500");
    assert_eq!(world.available(BOB), 1_000_500);
}

#[tokio::test]
async fn the_payee_gives_it_up_or_time_does() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let first = hold(&alice, 500).await;
    bob.must(&format!("/v1/payments/{first}/void"), &Value::Null).await;
    assert_eq!(shown(&alice, &first).await["status"], "VOIDED");
    // The reference is free again.
    let second = hold(&alice, 500).await;
    world.advance_clock(Duration::from_secs(3_600));
    alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    assert_eq!(shown(&alice, &second).await["status"], "VOIDED");
    assert_eq!(world.available(ALICE), 999_999);
    let late = bob.make(&format!("/v1/payments/{second}/capture"), &Value::Null).await;
    assert_eq!(late.code(), "WRONG_PAYMENT_STATUS");
}

#[tokio::test]
async fn what_is_not_possible_is_not_sent() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = hold(&alice, 500).await;
    let path = |what: &str| format!("/v1/payments/{id}/{what}");
    let (root, height) = (world.state_root(), world.height());
    assert_eq!(alice.make(&path("capture"), &Value::Null).await.code(), "NOT_PAYEE");
    assert_eq!(alice.make(&path("void"), &Value::Null).await.code(), "NOT_PAYEE");
    assert_eq!(bob.make(&path("refund"), &Value::Null).await.code(), "WRONG_PAYMENT_STATUS");
    assert_eq!(bob.make(&path("capture"), &json!({"amount": "501"})).await.code(), "CAPTURE_TOO_LARGE");
    assert_eq!(bob.make(&path("capture"), &json!({"amount": "0"})).await.code(), "ZERO_AMOUNT");
    let nothing = format!("/v1/payments/{}/capture", "ab".repeat(32));
    assert_eq!(bob.make(&nothing, &Value::Null).await.code(), "UNKNOWN_PAYMENT");
    let same = json!({"to": account(BOB), "amount": "1", "reference": "ROOM-7"});
    assert_eq!(alice.make("/v1/payments", &same).await.code(), "REFERENCE_USED");
    assert_eq!((world.state_root(), world.height()), (root, height));

    let never = json!({"to": account(BOB), "amount": "1", "hold_until": at(START - 1)});
    assert_eq!(alice.make("/v1/payments", &never).await.code(), "DEADLINE_PASSED");
    let for_ever = json!({"to": account(BOB), "amount": "1", "hold_until": "9000-01-01T00:00:00Z"});
    assert_eq!(alice.make("/v1/payments", &for_ever).await.code(), "HOLD_TOO_LONG");
    let nonsense = json!({"to": account(BOB), "amount": "1", "hold_until": "tomorrow"});
    assert_eq!(alice.make("/v1/payments", &nonsense).await.code(), "INVALID_BODY");
}

#[tokio::test]
async fn notes_are_for_payer_and_payee() {
    let world = World::new().await;
    let id = hold(&world.client(ALICE).await, 500).await;
    for (who, memo) in [(BOB, json!("deposit")), (ADMIN, json!("deposit")), (CAROL, Value::Null)] {
        let client = world.client(who).await;
        assert_eq!(shown(&client, &id).await["memo"], memo);
        let transaction = client.get(&format!("/v1/transactions/{id}")).await.json();
        assert_eq!(transaction["operation"]["memo"], memo);
        assert_eq!(transaction["kind"], "payment.authorize");
    }
}

#[tokio::test]
async fn a_refund_that_comes_twice_is_made_once() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "300"})).await;
    let headers = [("prefer", "wait=10"), ("idempotency-key", "once")];
    for _ in 0..2 {
        let path = format!("/v1/payments/{id}/refund");
        let reply = bob.send(axum::http::Method::POST, &path, &headers, &json!({"amount": "100"})).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    }
    assert_eq!(shown(&bob, &id).await["refunded"], "100");
}
