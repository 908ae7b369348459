//! Keys, guardians and recoveries.

use axum::http::Method;
use ledger::{Amount, AssetId, Memo, PaymentOp, Transaction, UnixMillis, binding_preimage, key_binding};
use pbft_crypto::KeyPair;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, Client, World, account};
use crate::testing::{START, key};

const WAIT: [(&str, &str); 1] = [("prefer", "wait=10")];

/// A new key for an account, with its proof.
pub(super) fn new_key(world: &World, key: &KeyPair, who: u8) -> Value {
    let proof = key.sign(&key_binding(&world.state.chain.id, &account(who)));
    json!({"public_key": key.public_key(), "proof": proof})
}

/// A payment of bob's, signed with some key.
fn payment(world: &World, key: &KeyPair) -> Value {
    let operation = PaymentOp::Pay {
        to: account(ALICE),
        asset: AssetId::Pop,
        amount: Amount::new(1),
        reference: None,
        memo: Memo::default(),
    };
    let body = ledger::Body {
        chain_id: world.state.chain.id,
        operation: operation.into(),
        sender: account(BOB),
        nonce: world.state.gateway.view().read(|ledger| ledger.nonces(&account(BOB)).base()),
        valid_until: UnixMillis::new(START + 30 * 86_400_000),
        client_ref: [0; 16],
    };
    json!({"transaction": hex::encode(Transaction::sign(body, key).encode())})
}

async fn pays(world: &World, key: &KeyPair) -> Result<(), &'static str> {
    let reply = world.stranger().make("/v1/transactions", &payment(world, key)).await;
    if reply.status == 201 { Ok(()) } else { Err(reply.code()) }
}

async fn put(client: &Client<'_>, path: &str, body: &Value) -> super::world::Reply {
    client.send(Method::PUT, path, &WAIT, body).await
}

#[tokio::test]
async fn a_member_adds_a_key_and_revokes_the_servers() {
    let world = World::new().await;
    let (bob, phone) = (world.client(BOB).await, key(60));
    let path = "/v1/members/me/keys";
    let shown = bob.get(path).await.json();
    let preimage = binding_preimage(&world.state.chain.id, &account(BOB));
    assert_eq!(shown["to_sign"], hex::encode(preimage));
    assert_eq!(shown["data"].as_array().unwrap().len(), 1);
    assert_eq!(pays(&world, &phone).await, Err("KEY_REVOKED"));
    let stolen = new_key(&world, &phone, ALICE);
    assert_eq!(bob.make(path, &stolen).await.code(), "BAD_KEY_PROOF");
    let mut adding = new_key(&world, &phone, BOB);
    adding["label"] = json!("phone");
    bob.must(path, &adding).await;
    assert_eq!(bob.make(path, &adding).await.code(), "KEY_USED");
    assert_eq!(pays(&world, &phone).await, Ok(()));

    let at = |key: &KeyPair| format!("{path}/{}", key.public_key());
    let renamed = bob.send(Method::PATCH, &at(&phone), &WAIT, &json!({"label": "new phone"})).await;
    assert_eq!(renamed.status, 201, "{renamed:?}");
    let labels = |keys: &Value| {
        keys["data"].as_array().unwrap().iter().map(|key| key["label"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(labels(&bob.get(path).await.json()), [json!(""), json!("new phone")]);
    let public = world.stranger().get(&format!("/v1/accounts/{}/keys", account(BOB))).await.json();
    assert_eq!(labels(&public), [Value::Null, Value::Null]);
    assert_eq!(public["data"][1]["public_key"], json!(phone.public_key()));

    let revoked = bob.send(Method::DELETE, &at(&key(BOB)), &WAIT, &Value::Null).await;
    assert_eq!(revoked.status, 201, "{revoked:?}");
    // The server has no key any more that could sign for bob.
    let pay = json!({"to": account(ALICE), "amount": "1"});
    assert_eq!(bob.make("/v1/payments", &pay).await.code(), "KEY_REVOKED");
    assert_eq!(pays(&world, &key(BOB)).await, Err("KEY_REVOKED"));
    assert_eq!(pays(&world, &phone).await, Ok(()));
    let keys = bob.get(path).await.json();
    assert_eq!((&keys["data"][0]["live"], &keys["data"][1]["live"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn the_last_key_stays_and_only_ones_own_are_revoked() {
    let world = World::new().await;
    let bob = world.client(BOB).await;
    for (who, code) in [(BOB, "LAST_KEY"), (ALICE, "UNKNOWN_KEY")] {
        let path = format!("/v1/members/me/keys/{}", key(who).public_key());
        assert_eq!(bob.send(Method::DELETE, &path, &WAIT, &Value::Null).await.code(), code);
    }
}

#[tokio::test]
async fn guardians_bring_an_account_back_unless_its_owner_objects() {
    let world = World::new().await;
    let (bob, alice, carol) = (world.client(BOB).await, world.client(ALICE).await, world.client(CAROL).await);
    let path = "/v1/members/me/guardians";
    assert_eq!(bob.get(path).await.json(), Value::Null);
    let named = |threshold: u8, days: u64| json!({"guardians": [account(ALICE), account(CAROL)], "threshold": threshold, "delay_seconds": days * 86_400});
    assert_eq!(put(&bob, path, &named(3, 2)).await.code(), "BAD_THRESHOLD");
    assert_eq!(put(&bob, path, &named(2, 0)).await.code(), "BAD_DELAY");
    assert_eq!(put(&bob, path, &named(2, 2)).await.status, 201);

    let (start, found) = (format!("/v1/accounts/{}/recoveries", account(BOB)), key(61));
    let wish = new_key(&world, &found, BOB);
    let stranger = world.client(ADMIN).await;
    assert_eq!(stranger.make(&start, &wish).await.code(), "NOT_GUARDIAN");
    let lost = alice.must(&start, &new_key(&world, &key(62), BOB)).await;
    let first = alice.must(&start, &wish).await;
    let at = |id: &str, action: &str| format!("/v1/recoveries/{id}{action}");
    let seen = world.stranger().get(&at(&lost, "")).await.json();
    assert_eq!((&seen["status"], &seen["due"]), (&json!("LAPSED"), &Value::Null));
    assert_eq!(carol.make(&at(&lost, "/agree"), &Value::Null).await.code(), "RECOVERY_OVER");
    assert_eq!(alice.make(&at(&first, "/agree"), &Value::Null).await.code(), "ALREADY_AGREED");
    assert_eq!(alice.make(&start, &wish).await.code(), "RECOVERY_OPEN", "pressed twice");
    assert_eq!(alice.make(&at(&first, "/cancel"), &Value::Null).await.code(), "NOT_ACCOUNT_OWNER");
    bob.must(&at(&first, "/cancel"), &Value::Null).await;
    assert_eq!(carol.make(&at(&first, "/agree"), &Value::Null).await.code(), "RECOVERY_OVER");

    let second = alice.must(&start, &wish).await;
    carol.must(&at(&second, "/agree"), &Value::Null).await;
    assert_eq!(alice.make(&start, &wish).await.code(), "RECOVERY_OPEN");
    let seen = world.stranger().get(&at(&second, "")).await.json();
    assert_eq!(
        (&seen["status"], &seen["agreed"]),
        (&json!("READY"), &json!([account(ALICE), account(CAROL)]))
    );
    let times = seen["agreed_at"].as_array().unwrap();
    assert_eq!((&times[0], times.len()), (&seen["proposed_at"], 2));
    let listed = bob.get("/v1/members/me/recoveries").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    let lapsed = alice.get("/v1/members/me/recoveries?status=LAPSED").await.json();
    assert_eq!((&lapsed["data"][0]["id"], &lapsed["data"][1]), (&json!(lost), &Value::Null));
    assert_eq!(bob.get(path).await.json().get("recoveries"), None, "there may be any number");
    assert_eq!(pays(&world, &found).await, Err("KEY_REVOKED"));
    world.advance_clock(std::time::Duration::from_secs(2 * 86_400 + 60));
    // The next block lets the deadline fire.
    alice.lists("Chair", 5).await;
    assert_eq!(world.stranger().get(&at(&second, "")).await.json()["status"], "DONE");
    assert_eq!(pays(&world, &found).await, Ok(()));
    assert_eq!(pays(&world, &key(BOB)).await, Err("KEY_REVOKED"));
}
