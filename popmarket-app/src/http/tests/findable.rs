//! What is on record is found: freezes, changes of roles, recoveries, payments that are held, limits, names of events.

use std::collections::BTreeSet;

use axum::http::Method;
use ledger::{AccountOp, Millis, Name};
use serde_json::{Value, json};

use super::events::Listener;
use super::keys::new_key;
use super::lists::walk;
use super::world::{ADMIN, ALICE, BOB, CAROL, COURIER, Client, OTHER_ADMIN, World, account};
use crate::http::timestamp::rfc3339;
use crate::http::{HttpOptions, Rate, Rates};
use crate::testing::{START, key, sign};

async fn put(client: &Client<'_>, path: &str, body: &Value) {
    let reply = client.send(Method::PUT, path, &[("prefer", "wait=10")], body).await;
    assert_eq!(reply.status, 201, "{path} {reply:?}");
}

async fn is_empty(client: &Client<'_>, path: &str) -> bool {
    client.get(path).await.json() == json!({"data": [], "has_more": false})
}

/// Freezes an account, or lifts that, and says by which transaction.
async fn act(admin: &Client<'_>, who: u8, action: &str, body: &Value) -> Value {
    let reply = admin.make(&format!("/v1/accounts/{}/{action}", account(who)), body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["tx_id"].clone()
}

#[tokio::test]
async fn every_freeze_stays_in_the_public_log() {
    let world = World::new().await;
    let (admin, other, stranger) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.stranger());
    assert!(is_empty(&stranger, "/v1/freezes").await);
    let why = |reason: &str| json!({"reason": reason});
    let first = act(&admin, BOB, "freeze", &why("reported stolen")).await;
    world.advance_clock(std::time::Duration::from_secs(60));
    let lifted = act(&other, BOB, "unfreeze", &Value::Null).await;
    let second = act(&other, CAROL, "freeze", &why("many complaints")).await;
    let third = act(&other, BOB, "freeze", &why("again")).await;

    let log = stranger.get("/v1/freezes").await.json();
    let ids: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["tx_id"].clone()).collect();
    assert_eq!(ids, [third.clone(), second, first.clone()]);
    let of_bob = stranger.get(&format!("/v1/freezes?account={}", account(BOB))).await.json();
    let [latest, oldest] = of_bob["data"].as_array().unwrap().as_slice() else { panic!("{of_bob}") };
    let expected = json!({
        "tx_id": first, "account": account(BOB), "account_name": "bob", "by": account(ADMIN), "reason": "reported stolen",
        "at": oldest["at"], "lifted_at": oldest["lifted_at"], "lifted_by": account(OTHER_ADMIN), "lifted_tx_id": lifted,
    });
    assert_eq!(oldest, &expected);
    assert!(oldest["at"].as_str().unwrap() < oldest["lifted_at"].as_str().unwrap());
    assert_eq!((&latest["tx_id"], &latest["by"]), (&third, &json!(account(OTHER_ADMIN))));
    for nothing in ["lifted_at", "lifted_by", "lifted_tx_id"] {
        assert_eq!(latest.get(nothing), Some(&Value::Null), "{nothing}");
    }
    walk(&stranger, "/v1/freezes", 3).await;
    walk(&stranger, &format!("/v1/freezes?account={}", account(BOB)), 2).await;
    assert!(is_empty(&stranger, &format!("/v1/freezes?account={}", account(ALICE))).await);
}

#[tokio::test]
async fn changes_of_roles_are_listed_by_what_became_of_them() {
    let world = World::new().await;
    let (admin, other, stranger) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.stranger());
    let mut asked = Vec::new();
    for (who, role) in [(ALICE, "courier"), (BOB, "courier"), (CAROL, "arbiter"), (COURIER, "member")] {
        asked.push(admin.must(&format!("/v1/accounts/{}/role", account(who)), &json!({"role": role})).await);
        world.advance_clock(std::time::Duration::from_secs(1));
    }
    other.must(&format!("/v1/roles/changes/{}/approve", asked[0]), &Value::Null).await;
    other.must(&format!("/v1/roles/changes/{}/reject", asked[2]), &json!({"reason": "not now"})).await;

    let newest_first: Vec<_> = asked.iter().rev().cloned().collect();
    assert_eq!(walk(&stranger, "/v1/roles/changes", 4).await, newest_first);
    let open = walk(&stranger, "/v1/roles/changes?status=PROPOSED", 2).await;
    assert_eq!(open, [asked[3].clone(), asked[1].clone()]);
    let approved = stranger.get("/v1/roles/changes?status=APPROVED").await.json();
    let one = &approved["data"][0];
    assert_eq!(
        (&one["id"], &one["account"], &one["role"]),
        (&json!(asked[0]), &json!(account(ALICE)), &json!("courier"))
    );
    assert_eq!(one["decided_by"], json!(account(OTHER_ADMIN)));
    assert!(one["decided_at"].is_string());
    assert_eq!(one, &stranger.get(&format!("/v1/roles/changes/{}", asked[0])).await.json());
    assert_eq!(walk(&stranger, "/v1/roles/changes?status=REJECTED", 1).await, [asked[2].clone()]);
    // A page may start from something that is in the list no more, but not from nothing.
    let after = stranger.get(&format!("/v1/roles/changes?status=PROPOSED&starting_after={}", asked[2])).await;
    assert_eq!(after.json()["data"][0]["id"], json!(asked[1]));
    let nothing = format!("/v1/roles/changes?starting_after={}", "ab".repeat(32));
    assert_eq!(stranger.get(&nothing).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn guardians_and_owners_find_recoveries_and_nobody_else_does() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let named = |who: u8| json!({"guardians": [account(who)], "threshold": 1, "delay_seconds": 172_800});
    put(&bob, "/v1/members/me/guardians", &named(ALICE)).await;
    put(&alice, "/v1/members/me/guardians", &named(CAROL)).await;
    let start = |who: u8| format!("/v1/accounts/{}/recoveries", account(who));
    let of_bob = alice.must(&start(BOB), &new_key(&world, &key(61), BOB)).await;
    world.advance_clock(std::time::Duration::from_secs(1));
    let of_alice = carol.must(&start(ALICE), &new_key(&world, &key(62), ALICE)).await;
    world.advance_clock(std::time::Duration::from_secs(1));
    bob.must(&format!("/v1/recoveries/{of_bob}/cancel"), &Value::Null).await;
    let again = alice.must(&start(BOB), &new_key(&world, &key(61), BOB)).await;

    let path = "/v1/members/me/recoveries";
    assert_eq!(walk(&bob, path, 2).await, [again.clone(), of_bob.clone()]);
    assert_eq!(walk(&carol, path, 1).await, std::slice::from_ref(&of_alice));
    assert_eq!(walk(&alice, path, 3).await, [again.clone(), of_alice.clone(), of_bob.clone()]);
    assert_eq!(walk(&alice, &format!("{path}?status=CANCELLED"), 1).await, [of_bob]);
    assert_eq!(walk(&alice, &format!("{path}?status=READY"), 2).await, [again.clone(), of_alice]);
    let first = alice.get(&format!("{path}?limit=1")).await.json();
    assert_eq!(first["data"][0], alice.get(&format!("/v1/recoveries/{again}")).await.json());
    // Those who are guardians no more have nothing to do with it.
    put(&bob, "/v1/members/me/guardians", &named(COURIER)).await;
    assert_eq!(walk(&alice, path, 1).await.len(), 1);
    assert_eq!(walk(&world.client(COURIER).await, path, 2).await.len(), 2);
    for nobody in [ADMIN, OTHER_ADMIN] {
        assert!(is_empty(&world.client(nobody).await, path).await);
    }
}

/// Someone who opens an account and names alice as the guardian of it, without asking her.
async fn outsider(world: &World, number: u8) {
    let name = Name::new(format!("outsider{number}")).unwrap();
    let (guardians, delay) = (vec![account(ALICE)], Millis::days(2));
    let named = AccountOp::SetGuardians { guardians, threshold: 1, delay };
    for (nonce, operation) in [(0, AccountOp::Register { name }), (1, named)] {
        let signed = sign(&key(number), nonce, operation);
        let body = json!({"transaction": hex::encode(signed.encode())});
        let reply = world.stranger().make("/v1/transactions", &body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
}

#[tokio::test]
async fn a_guardian_is_answered_however_many_have_named_one() {
    let many = Rate { burst: 1e6, per_second: 1e6 };
    let rates = Rates { read: many, write: many, password: many, heavy: many };
    let world = World::with_options(HttpOptions { rates, ..HttpOptions::default() }).await;
    let mut outsiders: Vec<u8> = (110..=211).collect();
    for number in &outsiders {
        outsider(&world, *number).await;
    }
    outsiders.sort_by_cached_key(|number| account(*number));
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let named = json!({"guardians": [account(BOB)], "threshold": 1, "delay_seconds": 172_800});
    put(&alice, "/v1/members/me/guardians", &named).await;
    let ask = async |guardian: &Client<'_>, who: u8| {
        world.advance_clock(std::time::Duration::from_secs(1));
        let path = format!("/v1/accounts/{}/recoveries", account(who));
        guardian.must(&path, &new_key(&world, &key(61), who)).await
    };
    let mut asked = Vec::new();
    for place in [0, 99, 100, 101] {
        asked.push(ask(&alice, outsiders[place]).await);
    }
    let own = ask(&bob, ALICE).await;

    let path = "/v1/members/me/recoveries";
    assert_eq!(walk(&alice, path, 3).await, [own, asked[1].clone(), asked[0].clone()]);
    let first = alice.get(path).await.json();
    let last = account(outsiders[99]);
    assert_eq!(first["next_guarded"], json!(last));
    let path = format!("{path}?guarded_after={last}");
    assert_eq!(walk(&alice, &path, 2).await, [asked[3].clone(), asked[2].clone()]);
    assert_eq!(alice.get(&path).await.json().get("next_guarded"), None);
}

#[tokio::test]
async fn a_payee_finds_what_is_held() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let until = rfc3339(ledger::UnixMillis::new(START + 3_600_000));
    let hold = async |from: &Client<'_>, to: u8| {
        let body = json!({"to": account(to), "amount": "70", "hold_until": until, "memo": "deposit"});
        from.must("/v1/payments", &body).await
    };
    let (held, taken) = (hold(&alice, BOB).await, hold(&alice, BOB).await);
    let (voided, for_alice) = (hold(&carol, BOB).await, hold(&bob, ALICE).await);
    bob.must(&format!("/v1/payments/{taken}/capture"), &Value::Null).await;
    bob.must(&format!("/v1/payments/{voided}/void"), &Value::Null).await;

    let list = |query: &str| format!("/v1/payments{query}");
    let waiting = bob.get(&list("?status=AUTHORIZED&side=payee")).await.json();
    assert_eq!(waiting["data"], json!([bob.get(&list(&format!("/{held}"))).await.json()]));
    assert_eq!(waiting["data"][0]["memo"], "deposit");
    assert_eq!(walk(&bob, &list("?status=AUTHORIZED"), 2).await, [for_alice.clone(), held.clone()]);
    assert_eq!(walk(&bob, &list("?side=payer"), 1).await, std::slice::from_ref(&for_alice));
    assert_eq!(walk(&bob, &list("?side=payee&status=PAID"), 1).await, std::slice::from_ref(&taken));
    assert_eq!(walk(&bob, &list("?side=payee&status=VOIDED"), 1).await, std::slice::from_ref(&voided));
    assert_eq!(walk(&bob, &list(""), 4).await, [for_alice, voided.clone(), taken, held]);
    assert_eq!(walk(&carol, &list(""), 1).await, [voided]);
}

#[tokio::test]
async fn a_limit_is_read_for_the_asset_it_was_set_for() {
    let world = World::new().await;
    let bob = world.client(BOB).await;
    let path = "/v1/members/me/limit";
    put(&bob, path, &json!({"per_day": "100"})).await;
    put(&bob, path, &json!({"per_day": "7", "asset": "SHOP"})).await;
    let shown = async |query: &str| {
        let limit = bob.get(&format!("{path}{query}")).await.json();
        (limit["asset"].clone(), limit["per_day"].clone())
    };
    assert_eq!(shown("").await, (json!("POP"), json!("100")));
    assert_eq!(shown("?asset=POP").await, (json!("POP"), json!("100")));
    assert_eq!(shown("?asset=SHOP").await, (json!("SHOP"), json!("7")));
    assert_eq!(shown("?asset=FLEA").await, (json!("FLEA"), Value::Null));
}

#[tokio::test]
async fn nobody_waits_for_events_that_never_come() {
    let world = World::new().await;
    let stranger = world.stranger();
    for unknown in ["trades.", "trade.,order.field", "webhook.test", "trade.,", ",", "Trade.", "%00"] {
        let reply = stranger.get(&format!("/v1/events?types={unknown}")).await;
        assert_eq!(reply.code(), "UNKNOWN_EVENT_NAME", "{unknown}");
        assert_eq!(reply.json()["field"], "types");
    }
    for known in ["", "t", "order.", "order.filled,balance.changed"] {
        Listener::connect(&stranger, &format!("/v1/events?types={known}"), None).await;
    }
}

#[test]
fn every_name_of_an_event_is_documented_and_no_other() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api/webhooks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("\n## All events\n").expect("the table");
    let table = table.split("\n## ").next().unwrap();
    let mut documented = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, when, who] = cells[..] else { panic!("{row}") };
        assert!(!when.is_empty() && !who.is_empty(), "{row}");
        documented.push(name.trim_matches('`'));
    }
    let unique: BTreeSet<_> = documented.iter().copied().collect();
    assert_eq!(unique.len(), documented.len());
    let names: BTreeSet<_> = ledger::Event::names().collect();
    assert_eq!(unique, names);
}
