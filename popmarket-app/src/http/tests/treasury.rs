//! Charges that take two admins or none, and money that goes out.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, Client, OTHER_ADMIN, World, account};

async fn asks(client: &Client<'_>, amount: &str) -> String {
    client.must("/v1/charges", &json!({"amount": amount})).await
}

#[tokio::test]
async fn a_large_charge_takes_two_admins() {
    let world = World::new().await;
    let (admin, other, bob) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.client(BOB).await);
    let charge = asks(&bob, "1000001").await;
    let path = format!("/v1/charges/{charge}");
    admin.must(&format!("{path}/approve"), &Value::Null).await;
    let half = bob.get(&path).await.json();
    assert_eq!((&half["status"], &half["first_approval"]), (&json!("REQUESTED"), &json!(account(ADMIN))));
    let again = admin.make(&format!("{path}/approve"), &Value::Null).await;
    assert_eq!(again.code(), "CHARGE_ALREADY_APPROVED");
    assert_eq!(world.available(BOB), 1_000_000);
    other.must(&format!("{path}/approve"), &Value::Null).await;
    let whole = bob.get(&path).await.json();
    assert_eq!((&whole["status"], &whole["decided_by"]), (&json!("APPROVED"), &json!(account(OTHER_ADMIN))));
    assert_eq!((&whole["by_policy"], world.available(BOB)), (&json!(false), 2_000_001));
    let me = world.stranger().get(&format!("/v1/accounts/{}", account(BOB))).await.json();
    assert_eq!((&me["charge_count"], &me["points"], &me["frozen"]), (&json!(1), &json!(10), &Value::Null));
}

#[tokio::test]
async fn two_admins_set_a_policy_that_approves_at_once() {
    let world = World::new().await;
    let (admin, other, bob) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.client(BOB).await);
    let stranger = world.stranger();
    let none = stranger.get("/v1/charges/policy").await.json();
    assert_eq!(
        none,
        json!({"policy": null, "proposal": null, "two_admins_above": "1000000", "one_admin_per_day": "10000000"})
    );
    let terms = json!({"per_charge": "500", "per_day": "800", "all_per_day": "5000", "min_charges": 0});
    let proposal = admin.must("/v1/charges/policy", &json!({"policy": terms})).await;
    let open = stranger.get("/v1/charges/policy").await.json();
    assert_eq!((&open["proposal"]["id"], &open["proposal"]["policy"]), (&json!(proposal), &terms));
    assert_eq!(open["proposal"]["proposer"], json!(account(ADMIN)));
    let approve = format!("/v1/charges/policy/{proposal}/approve");
    assert_eq!(admin.make(&approve, &Value::Null).await.code(), "OWN_POLICY_PROPOSAL");
    assert_eq!(bob.make(&approve, &Value::Null).await.code(), "FORBIDDEN");
    other.must(&approve, &Value::Null).await;
    assert_eq!(other.make(&approve, &Value::Null).await.code(), "UNKNOWN_POLICY_PROPOSAL");
    let now = stranger.get("/v1/charges/policy").await.json();
    assert_eq!((&now["policy"], &now["proposal"]), (&terms, &Value::Null));

    let small = bob.get(&format!("/v1/charges/{}", asks(&bob, "500").await)).await.json();
    assert_eq!((&small["status"], &small["by_policy"]), (&json!("APPROVED"), &json!(true)));
    assert_eq!((&small["decided_by"], world.available(BOB)), (&Value::Null, 1_000_500));
    assert!(small["decided_at"].is_string());
    let past_the_day = bob.get(&format!("/v1/charges/{}", asks(&bob, "301").await)).await.json();
    assert_eq!(past_the_day["status"], "REQUESTED");

    let nothing = admin.must("/v1/charges/policy", &json!({"policy": null})).await;
    let reject = format!("/v1/charges/policy/{nothing}/reject");
    other.must(&reject, &json!({"reason": "it works well"})).await;
    assert_eq!(stranger.get("/v1/charges/policy").await.json()["policy"], terms);
}

#[tokio::test]
async fn a_withdrawal_is_held_and_then_burned_or_paid_back() {
    let world = World::new().await;
    let (admin, bob, alice) = (world.client(ADMIN).await, world.client(BOB).await, world.client(ALICE).await);
    let asks = async || bob.must("/v1/withdrawals", &json!({"amount": "300", "memo": "bank 12-34"})).await;
    let settled = asks().await;
    let wallet = bob.get(&format!("/v1/wallets/{}", account(BOB))).await.json();
    assert_eq!(wallet["balances"], json!([{"asset": "POP", "available": "999700", "held": "300"}]));
    let queue = admin.get("/v1/withdrawals?status=REQUESTED").await.json();
    assert_eq!((&queue["data"][0]["id"], &queue["data"][0]["owner_name"]), (&json!(settled), &json!("bob")));
    let path = format!("/v1/withdrawals/{settled}");
    assert_eq!(alice.get(&path).await.code(), "FORBIDDEN");
    assert_eq!(alice.get("/v1/withdrawals").await.json()["data"], json!([]));
    assert_eq!(alice.get(&format!("/v1/withdrawals?owner={}", account(BOB))).await.code(), "FORBIDDEN");
    assert_eq!(bob.make(&format!("{path}/settle"), &Value::Null).await.code(), "FORBIDDEN");
    let void = json!({"reason": "changed my mind"});
    assert_eq!(alice.make(&format!("{path}/void"), &void).await.code(), "NOT_WITHDRAWAL_OWNER");
    admin.must(&format!("{path}/settle"), &Value::Null).await;
    let seen = bob.get(&path).await.json();
    assert_eq!((&seen["status"], &seen["memo"]), (&json!("SETTLED"), &json!("bank 12-34")));
    assert_eq!(seen["decided_by"], json!(account(ADMIN)));
    assert_eq!(bob.make(&format!("{path}/void"), &void).await.code(), "WITHDRAWAL_ALREADY_DECIDED");

    let voided = asks().await;
    bob.must(&format!("/v1/withdrawals/{voided}/void"), &void).await;
    let seen = bob.get(&format!("/v1/withdrawals/{voided}")).await.json();
    assert_eq!((&seen["status"], &seen["reason"]), (&json!("VOIDED"), &json!("changed my mind")));
    assert_eq!(world.available(BOB), 999_700);
    let own = admin.make("/v1/withdrawals", &json!({"amount": "1"})).await;
    assert_eq!(own.code(), "INSUFFICIENT_FUNDS");
    let all = bob.get("/v1/withdrawals?limit=1").await.json();
    assert_eq!((&all["data"][0]["id"], &all["has_more"]), (&json!(voided), &json!(true)));
}

#[tokio::test]
async fn a_frozen_account_is_stopped_until_another_admin_lifts_it() {
    let world = World::new().await;
    let (admin, other, bob) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.client(BOB).await);
    let at = |action: &str| format!("/v1/accounts/{}/{action}", account(BOB));
    let why = json!({"reason": "reported stolen"});
    assert_eq!(bob.make(&at("freeze"), &why).await.code(), "FORBIDDEN");
    let of_admin = format!("/v1/accounts/{}/freeze", account(OTHER_ADMIN));
    assert_eq!(admin.make(&of_admin, &why).await.code(), "ADMIN_ACCOUNT");
    assert_eq!(admin.make(&at("unfreeze"), &Value::Null).await.code(), "NOT_FROZEN");
    admin.must(&at("freeze"), &why).await;
    assert_eq!(admin.make(&at("freeze"), &why).await.code(), "ALREADY_FROZEN");
    let payment = json!({"to": account(ALICE), "amount": "1"});
    assert_eq!(bob.make("/v1/payments", &payment).await.code(), "ACCOUNT_FROZEN");
    assert_eq!(bob.make("/v1/withdrawals", &json!({"amount": "1"})).await.code(), "ACCOUNT_FROZEN");
    let public = world.stranger().get(&format!("/v1/accounts/{}", account(BOB))).await.json();
    assert_eq!(public["frozen"]["reason"], "reported stolen");
    let wallet = bob.get(&format!("/v1/wallets/{}", account(BOB))).await.json();
    assert_eq!(wallet["frozen"]["by"], json!(account(ADMIN)));
    assert_eq!(admin.make(&at("unfreeze"), &Value::Null).await.code(), "OWN_FREEZE");
    other.must(&at("unfreeze"), &Value::Null).await;
    bob.must("/v1/payments", &payment).await;
}

#[tokio::test]
async fn a_limit_holds_at_once_and_a_higher_one_a_day_later() {
    let world = World::new().await;
    let bob = world.client(BOB).await;
    let wait = [("prefer", "wait=10")];
    let set = async |per_day: Value| {
        let reply = bob.send(Method::PUT, "/v1/members/me/limit", &wait, &json!({"per_day": per_day})).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    };
    let shown = async || bob.get("/v1/members/me/limit").await.json();
    assert_eq!((&shown().await["per_day"], &shown().await["raise"]), (&Value::Null, &Value::Null));
    set(json!("100")).await;
    let pay =
        async |amount: &str| bob.make("/v1/payments", &json!({"to": account(ALICE), "amount": amount})).await;
    assert_eq!(pay("60").await.status, 201);
    assert_eq!(pay("41").await.code(), "SPENDING_LIMIT_EXCEEDED");
    set(Value::Null).await;
    let waiting = shown().await;
    assert_eq!((&waiting["per_day"], &waiting["spent_today"]), (&json!("100"), &json!("60")));
    assert_eq!(waiting["raise"]["per_day"], Value::Null);
    assert!(waiting["raise"]["at"].is_string());
    let wallet = bob.get(&format!("/v1/wallets/{}", account(BOB))).await.json();
    assert_eq!(wallet["limit"], waiting);
    world.advance_clock(std::time::Duration::from_secs(24 * 3_600 + 60));
    // The ledger learns the time from the next block.
    bob.lists("Chair", 5).await;
    assert_eq!(pay("500").await.status, 201);
}
