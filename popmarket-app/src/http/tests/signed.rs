//! Members who keep their keys.

use axum::http::{Method, StatusCode};
use ledger::{AccountOp, Amount, AssetId, Body, Memo, Name, Operation, PaymentOp, Transaction, UnixMillis};
use pbft_crypto::{Digest, KeyPair};
use serde_json::json;

use super::world::{ALICE, BOB, PASSWORD, World, account};
use crate::gateway::Proof;
use crate::http::HttpOptions;
use crate::http::rate_limit::{Rate, Rates};
use crate::testing::{address, genesis, key, sign};

fn pay(amount: u64) -> PaymentOp {
    let memo = Memo::new("").unwrap();
    PaymentOp::Pay {
        to: account(BOB),
        asset: AssetId::Pop,
        amount: Amount::new(amount),
        reference: None,
        memo,
    }
}

/// What the signer of a registration has drawn.
const PROOF: Digest = Digest::from_bytes([1; 32]);

fn registration(key: &KeyPair, name: &str) -> Transaction {
    let unbound = sign(key, 0, AccountOp::Register { name: Name::new(name).unwrap() });
    let client_ref = Proof::from_bytes(*PROOF.as_bytes()).client_ref();
    Transaction::sign(Body { client_ref, ..unbound.body().clone() }, key)
}

fn hex_of(transaction: &Transaction) -> serde_json::Value {
    json!({"transaction": hex::encode(transaction.encode())})
}

#[tokio::test]
async fn a_signed_transaction_is_recorded_once_however_often_it_is_sent() {
    let world = World::new().await;
    let stranger = world.stranger();
    let transaction = sign(&key(ALICE), 0, pay(5));
    for _ in 0..3 {
        let reply = stranger.make("/v1/transactions", &hex_of(&transaction)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        assert_eq!((&reply.json()["tx_id"], &reply.json()["height"]), (&json!(transaction.id()), &json!(1)));
    }
    assert_eq!((world.height(), world.available(BOB)), (1, 1_000_005));
    let alice = world.client(ALICE).await;
    assert_eq!(alice.get(&format!("/v1/wallets/{}", account(ALICE))).await.json()["next_nonce"], 1);
    // Whoever keeps the key need not sign in to know what to sign next.
    assert_eq!(stranger.get(&format!("/v1/accounts/{}", account(ALICE))).await.json()["next_nonce"], 1);
}

/// Whoever is told that a nonce is used signs the same again with the next one: then it would be done twice.
#[tokio::test]
async fn what_is_recorded_is_never_said_to_have_a_used_nonce() {
    let world = World::new().await;
    let stranger = world.stranger();
    let send =
        async |transaction: &Transaction| stranger.make("/v1/transactions", &hex_of(transaction)).await;
    let (paid, failed) = (sign(&key(ALICE), 0, pay(5)), sign(&key(ALICE), 1, pay(2_000_000)));
    // Once more after others have been recorded.
    for transaction in [&paid, &failed, &sign(&key(ALICE), 2, pay(5)), &paid, &failed] {
        let reply = send(transaction).await;
        if transaction == &failed {
            assert_eq!(reply.code(), "INSUFFICIENT_FUNDS");
        } else {
            assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        }
        assert_eq!(reply.json()["tx_id"], json!(transaction.id()));
    }
    assert_eq!((world.height(), world.available(BOB)), (3, 1_000_010));
}

#[tokio::test]
async fn what_the_ledger_refuses_leaves_no_trace() {
    let world = World::new().await;
    let stranger = world.stranger();
    stranger.make("/v1/transactions", &hex_of(&sign(&key(ALICE), 0, pay(7)))).await;
    let root = world.state_root();
    let body = |chain_id, sender, nonce, valid_until| Body {
        chain_id,
        operation: Operation::from(pay(5)),
        sender,
        nonce,
        valid_until: UnixMillis::new(valid_until),
        client_ref: [0; 16],
    };
    let (chain, late) = (genesis().chain_id(), u64::MAX);
    let mut tampered = sign(&key(ALICE), 1, pay(5)).encode();
    // The signature is the end of it; its last byte is a hint that nothing hangs on.
    let byte = tampered.len() - 40;
    tampered[byte] ^= 1;
    let bad = [
        (
            Transaction::sign(body(pbft_crypto::Digest::ZERO, account(ALICE), 1, late), &key(ALICE)).encode(),
            "WRONG_CHAIN",
        ),
        (Transaction::sign(body(chain, account(ALICE), 1, late), &key(BOB)).encode(), "KEY_REVOKED"),
        (Transaction::sign(body(chain, address(&key(99)), 1, late), &key(99)).encode(), "UNKNOWN_ACCOUNT"),
        (Transaction::sign(body(chain, account(ALICE), 1, 5), &key(ALICE)).encode(), "EXPIRED"),
        (Transaction::sign(body(chain, account(ALICE), 0, late), &key(ALICE)).encode(), "NONCE_USED"),
        (Transaction::sign(body(chain, account(ALICE), 9_999, late), &key(ALICE)).encode(), "NONCE_TOO_FAR"),
        (sign(&key(ALICE), 1, pay(5)).encode()[1..].to_vec(), "MALFORMED"),
        (tampered, "BAD_SIGNATURE"),
    ];
    for (bytes, code) in bad {
        let reply = stranger.make("/v1/transactions", &json!({"transaction": hex::encode(bytes)})).await;
        assert_eq!(reply.code(), code, "{reply:?}");
    }
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn who_keeps_the_key_signs_and_the_server_cannot() {
    let world = World::new().await;
    let own_key = KeyPair::generate();
    let registration = hex::encode(registration(&own_key, "dora").encode());
    let stranger = world.stranger();
    let body = json!({"registration": registration, "proof": PROOF, "password": PASSWORD});
    let joined = stranger.post("/v1/members", &body).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{joined:?}");
    assert_eq!(joined.json()["id"], json!(address(&own_key)));
    assert_eq!(joined.json()["member"]["custodial"], false);
    assert_eq!(stranger.post("/v1/members", &body).await.code(), "NAME_TAKEN");
    let session = stranger.post("/v1/sessions", &json!({"name": "dora", "password": PASSWORD})).await.json();
    let dora = super::world::Client { world: &world, token: session["token"].as_str().map(str::to_owned) };
    let root = world.state_root();
    assert_eq!(dora.make("/v1/charges", &json!({"amount": "5"})).await.code(), "NO_CUSTODY");
    let not_a_registration = hex::encode(sign(&key(ALICE), 0, pay(5)).encode());
    let body = json!({"registration": not_a_registration, "proof": PROOF, "password": PASSWORD});
    assert_eq!(stranger.post("/v1/members", &body).await.code(), "INVALID_BODY");
    assert_eq!(world.state_root(), root);
    let charge = ledger::ChargeOp::Request { amount: Amount::new(5), memo: Memo::new("").unwrap() };
    let reply = dora.make("/v1/transactions", &hex_of(&sign(&own_key, 1, charge))).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    assert_eq!(dora.get("/v1/charges").await.json()["data"][0]["requester_name"], "dora");
}

#[tokio::test]
async fn a_key_can_be_made_for_an_account_to_be() {
    let world = World::new().await;
    let stranger = world.stranger();
    let first = stranger.post("/v1/wallets", &serde_json::Value::Null).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let wallet = first.json();
    let public_key: pbft_crypto::PublicKey = wallet["public_key"].as_str().unwrap().parse().unwrap();
    assert_eq!(wallet["address"], json!(pbft_crypto::Address::from_public_key(&public_key)));
    let other = stranger.post("/v1/wallets", &json!({})).await.json();
    assert_ne!(other["address"], wallet["address"]);
    let (once, nothing) = ([("idempotency-key", "k")], json!({}));
    let first = stranger.send(Method::POST, "/v1/wallets", &once, &nothing).await;
    let again = stranger.send(Method::POST, "/v1/wallets", &once, &nothing).await;
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, "true"));
    let location = format!("/v1/wallets/{}", first.json()["address"].as_str().unwrap());
    assert_eq!(again.header("location"), location);
    let join = async |name: &str, wallet: &serde_json::Value| {
        stranger.post("/v1/members", &json!({"name": name, "wallet": wallet, "password": PASSWORD})).await
    };
    let joined = join("dora", &wallet["address"]).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{joined:?}");
    assert_eq!(joined.json()["id"], wallet["address"]);
    assert_eq!(joined.json()["member"]["custodial"], true);
    assert_eq!(join("erin", &wallet["address"]).await.code(), "KEY_REGISTERED");
    assert_eq!(join("erin", &json!(address(&key(99)))).await.code(), "INVALID_BODY");
}

/// Mistake: whoever reads a registration on the chain posts it with a password, and is signed in as its signer.
#[tokio::test]
async fn a_registration_that_everyone_can_read_signs_nobody_in() {
    let world = World::new().await;
    let stranger = world.stranger();
    let transaction = registration(&KeyPair::generate(), "dora");
    let sent = stranger.make("/v1/transactions", &hex_of(&transaction)).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{sent:?}");
    let body = |proof: serde_json::Value| json!({"registration": hex::encode(transaction.encode()), "proof": proof, "password": "stolen horse"});
    for proof in [serde_json::Value::Null, json!(Digest::ZERO), json!(Digest::from_bytes([2; 32]))] {
        let reply = stranger.post("/v1/members", &body(proof)).await;
        assert_eq!((reply.code(), reply.json()["field"].as_str()), ("INVALID_BODY", Some("proof")));
    }
    let session = json!({"name": "dora", "password": "stolen horse"});
    assert_eq!(stranger.post("/v1/sessions", &session).await.code(), "INVALID_CREDENTIALS");
    assert_eq!(stranger.post("/v1/members", &body(json!(PROOF))).await.status, StatusCode::CREATED);
}

/// Mistake: accounts, which no chain forgets, can be opened as fast as anything else.
#[tokio::test]
async fn accounts_are_opened_slowly_also_by_signed_transactions() {
    let password = Rate { burst: 2.0, per_second: 0.001 };
    let rates = Rates { password, ..Rates::default() };
    let world = World::with_options(HttpOptions { rates, ..HttpOptions::default() }).await;
    let stranger = world.stranger();
    for (number, status) in [(21, 201), (22, 201), (23, 429)] {
        let reply = stranger
            .make("/v1/transactions", &hex_of(&registration(&key(number), &format!("n{number}"))))
            .await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
    }
    let paid = stranger.make("/v1/transactions", &hex_of(&sign(&key(ALICE), 0, pay(5)))).await;
    assert_eq!(paid.status, StatusCode::CREATED, "{paid:?}");
}
