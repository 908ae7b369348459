//! Arbiters, voters and guardians are told what they have to know, and see no more than they may.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::keys::new_key;
use super::webhooks::{Receiver, subscribe, world};
use super::world::{ALICE, BOB, CAROL, JUDGES, account};
use crate::http::timestamp::rfc3339;
use crate::testing::{START, key};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What came, in the order in which it happened.
async fn came(receiver: &Receiver, count: usize) -> Vec<Value> {
    let mut came: Vec<Value> =
        receiver.wait_for(count).await.iter().map(super::webhooks::Message::json).collect();
    let place = |body: &Value| {
        let (height, index) = body["id"].as_str().unwrap().split_once('-').unwrap();
        (height.parse::<u64>().unwrap(), index.parse::<u64>().unwrap())
    };
    came.sort_by_key(place);
    came
}

#[tokio::test]
async fn an_arbiter_hears_of_the_dispute_with_its_words_and_the_others_do_not() {
    let world = world().await;
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let receivers = [Receiver::start().await, Receiver::start().await];
    for (judge, receiver) in JUDGES.iter().zip(&receivers) {
        subscribe(&world.client(*judge).await, receiver, &json!({"events": ["trade."]})).await;
    }
    let listing = seller.lists("Film camera", 12_000).await;
    let trade = buyer.buys(&listing).await;
    seller.moves(&trade, "ship", &json!({"tracking": "CJ 1234"})).await;
    buyer.moves(&trade, "dispute", &json!({"reason": "the lens is broken"})).await;
    let shown = buyer.get(&format!("/v1/trades/{trade}")).await.json();
    let is_first = shown["dispute"]["arbiter"] == json!(account(JUDGES[0]));
    let [one, other] = &receivers;
    let (drawn, spare) = if is_first { (one, other) } else { (other, one) };
    let disputed = came(drawn, 1).await.remove(0);
    assert_eq!((&disputed["type"], &disputed["data"]["trade"]), (&json!("trade.disputed"), &json!(trade)));
    assert_eq!(disputed["data"]["change"]["disputed"]["reason"], "the lens is broken");

    // Whoever is replaced hears of it as well, and nothing of it that is for others.
    world.advance_clock(DAY * 15);
    seller.lists("Chair", 5).await;
    let replaced = came(spare, 1).await.remove(0);
    assert_eq!(replaced["type"], "trade.arbiter_replaced");
    let first = came(drawn, 2).await;
    let types: Vec<&str> = first.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["trade.disputed", "trade.arbiter_replaced"]);
    assert_eq!(first[1]["id"], replaced["id"]);
}

#[tokio::test]
async fn voters_hear_of_polls_that_name_them() {
    let world = world().await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let [named, unnamed] = [Receiver::start().await, Receiver::start().await];
    subscribe(&bob, &named, &json!({"events": ["poll.created", "poll.closed"]})).await;
    subscribe(&carol, &unnamed, &json!({"events": ["poll.created", "poll.closed"]})).await;
    let after = |hours: u64| rfc3339(ledger::UnixMillis::new(START + hours * 3_600_000));
    let poll = json!({"question": "?", "options": ["a", "b"], "closes_at": after(2)});
    let mut listed = poll.clone();
    listed["voters"] = json!({"listed": [account(BOB)]});
    let id = alice.must("/v1/polls", &listed).await;
    // Everyone may vote in this one: it is told to who asks.
    let open = carol.must("/v1/polls", &poll).await;
    world.advance_clock(DAY);
    alice.lists("Chair", 5).await;
    for (receiver, id) in [(&named, id), (&unnamed, open)] {
        let told = came(receiver, 2).await;
        let of_each: Vec<_> = told.iter().map(|body| (&body["type"], &body["data"]["poll"])).collect();
        let id = json!(id);
        assert_eq!(of_each, [(&json!("poll.created"), &id), (&json!("poll.closed"), &id)]);
    }
}

#[tokio::test]
async fn guardians_hear_of_recoveries_and_of_nothing_else() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    let carol = world.client(CAROL).await;
    subscribe(&carol, &receiver, &json!({})).await;
    let named =
        json!({"guardians": [account(ALICE), account(CAROL)], "threshold": 1, "delay_seconds": 2 * 86_400});
    let wait = [("prefer", "wait=10")];
    let reply = bob.send(Method::PUT, "/v1/members/me/guardians", &wait, &named).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    // Not the affair of a guardian.
    alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "300"})).await;
    let start = format!("/v1/accounts/{}/recoveries", account(BOB));
    let id = alice.must(&start, &new_key(&world, &key(61), BOB)).await;
    let told = came(&receiver, 3).await;
    let types: Vec<&str> = told.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["account.guardians_set", "account.recovery_proposed", "account.recovery_agreed"]);
    assert_eq!(told[1]["data"]["recovery"], json!(id));
    bob.must(&format!("/v1/recoveries/{id}/cancel"), &Value::Null).await;
    assert_eq!(came(&receiver, 4).await[3]["type"], "account.recovery_cancelled");
}
