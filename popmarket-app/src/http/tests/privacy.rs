//! What the public sees of what concerns others: nothing that the owners' own routes keep from it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::events::Listener;
use super::world::{ADMIN, ALICE, BOB, CAROL, Client, World, account};

/// Texts and numbers that stand nowhere but in what is private.
const SECRETS: [&str; 6] =
    ["CJ 777", "for the lamp", "invoice-31", "bank, Monday", "no such deposit", "\"4711\""];

/// Says every secret, and returns the transactions that say them.
async fn gossip(world: &World) -> Vec<String> {
    let (alice, bob, admin) = (world.client(ALICE).await, world.client(BOB).await, world.client(ADMIN).await);
    let listing = alice.lists("Lamp", 300).await;
    let trade = bob.buys(&listing).await;
    let note =
        json!({"to": account(ALICE), "amount": "1", "memo": "for the lamp", "reference": "invoice-31"});
    let payment = bob.must("/v1/payments", &note).await;
    let charge = bob.must("/v1/charges", &json!({"amount": "4711", "memo": "bank, Monday"})).await;
    let told = json!({"reason": "no such deposit"});
    let rejecting = admin.make(&format!("/v1/charges/{charge}/reject"), &told).await.json();
    let tracking = json!({"tracking": "CJ 777"});
    let shipping = alice.make(&format!("/v1/trades/{trade}/ship"), &tracking).await.json();
    let text = |reply: &Value| reply["tx_id"].as_str().unwrap().to_owned();
    vec![payment, charge, text(&rejecting), text(&shipping)]
}

/// All that someone can read about it.
async fn read_all(client: &Client<'_>, transactions: &[String]) -> String {
    let mut paths =
        vec!["/v1/transactions?limit=100".to_owned(), format!("/v1/payments/{}", transactions[0])];
    paths.extend(transactions.iter().map(|id| format!("/v1/transactions/{id}")));
    paths.extend([ALICE, BOB, ADMIN].map(|who| format!("/v1/accounts/{}/transactions", account(who))));
    paths.extend([ALICE, BOB].map(|who| format!("/v1/accounts/{}/trades", account(who))));
    paths.extend(
        (1..=client.world.height()).flat_map(|at| [format!("/v1/blocks/{at}"), format!("/blocks/{at}")]),
    );
    let mut all = String::new();
    for path in paths {
        let reply = client.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        all.push_str(reply.text());
    }
    let mut listener = Listener::connect(client, "/v1/events?last_event_id=0-0", None).await;
    loop {
        let (_, event) = listener.next().await;
        all.push_str(&event.to_string());
        if event["name"] == "trade.shipped" {
            return all;
        }
    }
}

#[tokio::test]
async fn outsiders_read_no_notes_charges_or_balances() {
    let world = World::new().await;
    let transactions = gossip(&world).await;
    // Before and after the gift of the first block, one sees one's own.
    for (outsider, balances) in [(world.stranger(), 0), (world.client(CAROL).await, 2)] {
        let all = read_all(&outsider, &transactions).await;
        for secret in SECRETS {
            assert!(!all.contains(secret), "{secret}");
        }
        assert!(!all.contains("4,711 POP"), "no charge");
        assert_eq!(all.matches("\"available\"").count(), balances);
        assert!(all.contains("\"before\":null"), "but that it changed");
    }
}

/// With everything but one short text, one could try texts until the id is right.
#[tokio::test]
async fn what_is_hidden_cannot_be_found_out_by_trying() {
    let world = World::new().await;
    let transactions = gossip(&world).await;
    let (stranger, bob) = (world.stranger(), world.client(BOB).await);
    for id in &transactions[..3] {
        let seen = stranger.get(&format!("/v1/transactions/{id}")).await.json();
        assert_eq!(seen["client_ref"], Value::Null, "{id}");
    }
    let own = bob.get(&format!("/v1/transactions/{}", transactions[1])).await.json();
    assert_eq!(own["client_ref"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn those_whom_it_concerns_and_admins_read_it() {
    let world = World::new().await;
    let transactions = gossip(&world).await;
    let (alice, bob, admin) = (world.client(ALICE).await, world.client(BOB).await, world.client(ADMIN).await);
    let all = read_all(&admin, &transactions).await;
    assert!(SECRETS.iter().all(|secret| all.contains(secret)));
    let of_alice = read_all(&alice, &transactions).await;
    let of_bob = read_all(&bob, &transactions).await;
    let seen = |all: &str| SECRETS.map(|secret| all.contains(secret));
    assert_eq!(seen(&of_alice), [true, true, true, false, false, false]);
    // That it is on its way, and why the charge was turned down, he hears from the events.
    assert_eq!(seen(&of_bob), [true; 6]);
}

#[tokio::test]
async fn why_a_payment_failed_does_not_tell_how_much_someone_has() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    // Two payments that both look good, of which the ledger takes one.
    world.shut_road(true);
    for _ in 0..2 {
        let reply = alice.post("/v1/payments", &json!({"to": account(BOB), "amount": "600000"})).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    }
    world.in_flight(2).await;
    world.shut_road(false);
    world
        .state
        .read
        .wait_for_height(ledger::Height::new(2), std::time::Duration::from_secs(30))
        .await
        .unwrap();
    let failed = |list: &Value| {
        let outcomes = list["data"].as_array().unwrap().iter().map(|item| item["outcome"].clone());
        outcomes.into_iter().find(|outcome| outcome["status"] == "REJECTED").unwrap()
    };
    let of_sender = failed(&alice.get("/v1/transactions").await.json());
    assert_eq!(of_sender["code"], "INSUFFICIENT_FUNDS");
    assert_eq!(of_sender["detail"], "there is too little POP");
    let of_other = failed(&bob.get("/v1/transactions").await.json());
    assert_eq!(of_other, json!({"status": "REJECTED", "code": "INSUFFICIENT_FUNDS"}));
}
