//! Blocks show who signed for them, and receipts show transactions to strangers.

use axum::http::StatusCode;
use ledger::{Amount, AssetId, Memo, PaymentOp, Transaction};
use receipt::{Trusted, verify};
use serde_json::json;

use super::world::{ADMIN, ALICE, BOB, CAROL, World, account};
use crate::testing::{genesis, key, sign};

fn trusted() -> Trusted {
    let genesis = genesis();
    Trusted { chain_id: genesis.chain_id(), replica_set_hash: genesis.replica_set_hash() }
}

#[tokio::test]
async fn a_receipt_comes_once_the_block_is_signed_for() {
    let world = World::new().await;
    let (alice, stranger) = (world.client(ALICE).await, world.stranger());
    let listing = alice.lists("Lamp", 300).await;
    let (block, path) =
        (format!("/v1/blocks/{}", world.height()), format!("/v1/transactions/{listing}/receipt"));
    assert_eq!(stranger.get(&block).await.json()["certificate"], json!(null));
    let early = stranger.get(&path).await;
    assert_eq!((early.status, early.code()), (StatusCode::CONFLICT, "NOT_CERTIFIED"));
    assert!(early.json()["retryable"].as_bool().unwrap() && !early.header("retry-after").is_empty());
    let page = format!("/transactions/{listing}");
    assert!(!stranger.get(&page).await.text().contains("download="));

    world.certify(world.height());
    let certificate = stranger.get(&block).await.json()["certificate"].clone();
    assert_eq!(certificate["hash"], stranger.get(&block).await.json()["hash"]);
    let signers: Vec<_> =
        certificate["signatures"].as_array().unwrap().iter().map(|s| s["replica"].clone()).collect();
    assert_eq!(signers, [0, 2]);
    let reply = stranger.get(&path).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/json"));
    assert!(reply.header("content-disposition").contains(&format!("receipt-{listing}.json")));
    let proven = verify(reply.text().as_bytes(), &trusted()).unwrap();
    assert_eq!(proven.transaction.id().to_string(), listing);
    assert!(proven.outcome.is_applied());
    for (lang, words) in [("en", "Download the receipt"), ("ko", "영수증 내려받기")] {
        let page = stranger.get(&format!("{page}?lang={lang}")).await;
        assert!(page.text().contains(words) && page.text().contains(&path), "{}", page.text());
    }
    let unknown = stranger.get(&format!("/v1/transactions/{}/receipt", "ab".repeat(32))).await;
    assert_eq!(unknown.code(), "UNKNOWN_TRANSACTION");
}

/// A receipt has the whole transaction: notes, and why it failed, are for those whom they concern.
#[tokio::test]
async fn what_others_may_not_see_they_get_no_receipt_for() {
    let world = World::new().await;
    let bob = world.client(BOB).await;
    let note = json!({"to": account(ALICE), "amount": "1", "memo": "for the lamp"});
    let paid = bob.must("/v1/payments", &note).await;
    let too_much = json!({"to": account(ALICE), "amount": "1000000000"});
    bob.make("/v1/payments", &too_much).await;
    for height in 1..=world.height() {
        world.certify(height);
    }
    let path = format!("/v1/transactions/{paid}/receipt");
    for (who, status) in [(ALICE, 200), (BOB, 200), (ADMIN, 200), (CAROL, 403)] {
        let client = world.client(who).await;
        assert_eq!(client.get(&path).await.status.as_u16(), status, "{who}");
        let page = client.get(&format!("/transactions/{paid}")).await;
        assert_eq!(page.text().contains("download="), status == 200, "{who}");
    }
    let stranger = world.stranger().get(&path).await;
    assert_eq!(stranger.code(), "FORBIDDEN");
}

fn pay(nonce: u64, amount: u64, memo: &str) -> Transaction {
    let (asset, amount, memo) = (AssetId::Pop, Amount::new(amount), Memo::new(memo).unwrap());
    sign(&key(ALICE), nonce, PaymentOp::Pay { to: account(BOB), asset, amount, reference: None, memo })
}

/// Mistake: whoever signs has to have a login to get a receipt; or anyone gets one who shows another transaction.
#[tokio::test]
async fn who_has_the_signed_transaction_gets_its_receipt_without_signing_in() {
    let world = World::new().await;
    let stranger = world.stranger();
    let with = |transaction: &Transaction| json!({"transaction": hex::encode(transaction.encode())});
    let (paid, failed) = (pay(0, 1, "for the lamp"), pay(1, u64::MAX, "too much"));
    for transaction in [&paid, &failed] {
        stranger.make("/v1/transactions", &with(transaction)).await;
    }
    for height in 1..=world.height() {
        world.certify(height);
    }
    let path = |transaction: &Transaction| format!("/v1/transactions/{}/receipt", transaction.id());
    let reply = stranger.post(&path(&paid), &with(&paid)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let proven = verify(reply.text().as_bytes(), &trusted()).unwrap();
    assert_eq!(proven.transaction.id(), paid.id());
    for (of, shown) in [(&paid, pay(0, 1, "")), (&paid, pay(1, 1, "for the lamp")), (&failed, failed.clone())]
    {
        assert_eq!(stranger.post(&path(of), &with(&shown)).await.code(), "FORBIDDEN");
    }
    let unknown = pay(7, 1, "");
    assert_eq!(stranger.post(&path(&unknown), &with(&unknown)).await.code(), "UNKNOWN_TRANSACTION");
}
