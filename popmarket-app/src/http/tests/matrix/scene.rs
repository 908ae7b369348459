//! Something of each kind, and whose it is.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::exchange::with_market;
use super::super::keys::new_key;
use super::super::world::{ADMIN, ALICE, BOB, COURIER, Client, JUDGES, World, account};
use crate::http::timestamp::rfc3339;
use crate::testing::{START, key};

/// Alice sells, issues a token, asks all kinds of things; bob buys, pays and orders.
pub(super) struct Scene {
    /// A wish of an admin to be topped up.
    pub(super) charge: String,
    pub(super) policy: String,
    /// Of bob.
    pub(super) withdrawal: String,
    pub(super) listing: String,
    /// Alice's goods, which bob bought.
    pub(super) trade: String,
    /// Another such trade, which is in dispute, and who decides.
    pub(super) disputed: String,
    pub(super) arbiter: u8,
    /// Bob's money, held for alice.
    pub(super) payment: String,
    pub(super) order: String,
    /// Of alice, and for bob alone.
    pub(super) open_poll: String,
    pub(super) sealed_poll: String,
    /// Of bob.
    pub(super) webhook: String,
    /// Of alice, for bob.
    pub(super) recovery: String,
    /// A new key for bob with its proof.
    pub(super) found_key: Value,
    pub(super) alices_key: String,
    /// Asked for by an admin.
    pub(super) role_change: String,
    pub(super) replica_change: String,
}

fn after(days: u64) -> String {
    rfc3339(ledger::UnixMillis::new(START + days * 86_400_000))
}

pub(super) async fn put(client: &Client<'_>, path: &str, body: &Value) {
    let reply = client.send(Method::PUT, path, &[("prefer", "wait=10")], body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{path} {reply:?}");
}

impl Scene {
    pub(super) async fn set(world: &World) -> Self {
        let (alice, bob, admin) =
            (world.client(ALICE).await, world.client(BOB).await, world.client(ADMIN).await);
        with_market(world).await;
        alice.must("/v1/tokens", &json!({"symbol": "FLEA", "name": "No market yet"})).await;
        let guardians = json!({"guardians": [account(ALICE), account(COURIER)], "threshold": 2, "delay_seconds": 172_800});
        put(&bob, "/v1/members/me/guardians", &guardians).await;
        let found_key = new_key(world, &key(61), BOB);
        let trade = bob.buys(&alice.lists("Chair", 300).await).await;
        let (disputed, arbiter) = dispute(&alice, &bob).await;
        let hold = json!({"to": account(ALICE), "amount": "70", "hold_until": after(1)});
        let poll = json!({"question": "?", "options": ["a", "b"], "closes_at": after(2), "voters": {"listed": [account(BOB)]}});
        let mut sealed = poll.clone();
        sealed["reveal_by"] = json!(after(3));
        // It concerns nobody: nothing is sent.
        let webhook = json!({"url": "https://localhost/", "events": ["replica.moved"]});
        let webhook = bob.post("/v1/webhooks", &webhook).await.json();
        let freeze = format!("/v1/accounts/{}/freeze", account(3));
        admin.must(&freeze, &json!({"reason": "reported stolen"})).await;
        let role = format!("/v1/accounts/{}/role", account(3));
        let moving = json!({"action": "move", "id": 3, "address": "10.0.0.9:7000"});
        Self {
            charge: admin.must("/v1/charges", &json!({"amount": "9"})).await,
            policy: admin.must("/v1/charges/policy", &json!({"policy": null})).await,
            withdrawal: bob.must("/v1/withdrawals", &json!({"amount": "9"})).await,
            listing: alice.lists("Lamp", 300).await,
            trade,
            disputed,
            arbiter,
            payment: bob.must("/v1/payments", &hold).await,
            order: bob.orders("BUY", "5", "10").await,
            open_poll: alice.must("/v1/polls", &poll).await,
            sealed_poll: alice.must("/v1/polls", &sealed).await,
            webhook: webhook["id"].as_str().unwrap().to_owned(),
            recovery: alice.must(&format!("/v1/accounts/{}/recoveries", account(BOB)), &found_key).await,
            found_key,
            alices_key: key(ALICE).public_key().to_string(),
            role_change: admin.must(&role, &json!({"role": "courier"})).await,
            replica_change: admin.must("/v1/network/replicas", &moving).await,
        }
    }
}

/// Alice has shipped, and bob is not content.
async fn dispute(alice: &Client<'_>, bob: &Client<'_>) -> (String, u8) {
    let trade = bob.buys(&alice.lists("Camera", 300).await).await;
    alice.moves(&trade, "ship", &json!({"tracking": "CJ 1"})).await;
    bob.moves(&trade, "dispute", &json!({"reason": "a wheel is missing"})).await;
    let drawn = bob.get(&format!("/v1/trades/{trade}")).await.json()["dispute"]["arbiter"].clone();
    let arbiter = JUDGES.into_iter().find(|judge| drawn == json!(account(*judge)));
    (trade, arbiter.expect("one of the judges"))
}
