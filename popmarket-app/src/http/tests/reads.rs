//! What a quorum of the replicas shows, instead of the tables of this server.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, World, account};

#[tokio::test]
async fn a_wallet_is_shown_by_a_quorum_before_the_tables_know() {
    let world = World::new().await;
    let (admin, bob) = (world.client(ADMIN).await, world.client(BOB).await);
    let (local, quorum) = (format!("/v1/wallets/{}", account(BOB)), "?consistency=quorum");
    let before = bob.get(&local).await.json();
    assert_eq!(before["shown_at"], Value::Null);
    let shown = bob.get(&format!("{local}{quorum}")).await.json();
    assert_eq!(shown["shown_at"], json!(world.height()));
    assert_eq!((&shown["balances"], &shown["next_nonce"]), (&before["balances"], &before["next_nonce"]));

    // The ledger goes on, and the tables stay where they are.
    world.stop_projector();
    let payment = json!({"to": account(ALICE).to_string(), "amount": "700"});
    let submitted = bob.post("/v1/payments", &payment).await;
    assert_eq!(submitted.status, StatusCode::ACCEPTED);
    world.reach(1).await;
    assert_eq!(bob.get(&local).await.json()["balances"], before["balances"]);
    let shown = bob.get(&format!("{local}{quorum}")).await.json();
    assert_eq!(shown["balances"], json!([{"asset": "POP", "available": "999300", "held": "0"}]));
    assert_eq!((&shown["next_nonce"], &shown["shown_at"]), (&json!(1), &json!(1)));

    let stranger = bob.get(&format!("/v1/wallets/{}{quorum}", account(ALICE))).await;
    assert_eq!(stranger.code(), "FORBIDDEN");
    assert_eq!(admin.get(&format!("{local}{quorum}")).await.status, StatusCode::OK);
    assert_eq!(bob.get(&format!("{local}?consistency=strong")).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn without_a_quorum_it_says_so_and_the_tables_still_answer() {
    let world = World::new().await;
    let bob = world.client(BOB).await;
    world.shut_road(true);
    let path = format!("/v1/wallets/{}", account(BOB));
    let reply = bob.get(&format!("{path}?consistency=quorum")).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("NO_QUORUM")));
    assert_eq!((&reply.json()["retryable"], reply.header("retry-after")), (&json!(true), "1"));
    assert_eq!(bob.get(&path).await.status, StatusCode::OK);
}
