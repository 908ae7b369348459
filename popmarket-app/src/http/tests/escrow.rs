//! What can become of a purchase besides going well, as clients do it; and reviews.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, COURIER, Client, JUDGES, World, account};

const PRICE: u64 = 12_000;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Alice has shipped what bob bought.
async fn shipped(world: &World) -> (Client<'_>, Client<'_>, String) {
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = seller.lists("Film camera", PRICE).await;
    let trade = buyer.buys(&listing).await;
    seller.moves(&trade, "ship", &json!({"tracking": "CJ 1234"})).await;
    (seller, buyer, trade)
}

/// Alice has shipped, and bob is not content.
async fn disputed<'a>(world: &'a World, reason: &str) -> (Client<'a>, Client<'a>, String) {
    let (seller, buyer, trade) = shipped(world).await;
    buyer.moves(&trade, "dispute", &json!({"reason": reason})).await;
    (seller, buyer, trade)
}

async fn look(client: &Client<'_>, trade: &str) -> Value {
    client.get(&format!("/v1/trades/{trade}")).await.json()
}

/// Lets time pass, and the ledger know of it.
async fn wait(world: &World, client: &Client<'_>, days: u32) {
    world.advance_clock(DAY * days);
    client.lists("Chair", 5).await;
}

/// Who decides.
async fn judge<'a>(world: &'a World, client: &Client<'_>, trade: &str) -> (Client<'a>, Client<'a>) {
    let arbiter = look(client, trade).await["dispute"]["arbiter"].clone();
    let [one, other] = JUDGES;
    let (drawn, spare) = if arbiter == json!(account(one)) { (one, other) } else { (other, one) };
    assert_eq!(arbiter, json!(account(drawn)));
    (world.client(drawn).await, world.client(spare).await)
}

fn moves(trade: &Value) -> Vec<String> {
    let moves = trade["moves"].as_array().unwrap().iter();
    moves.map(|it| format!("{} {}", it["by"].as_str().unwrap(), it["action"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_trade_shows_who_may_do_what_until_when() {
    let world = World::new().await;
    let (seller, buyer, trade) = shipped(&world).await;
    let seen = look(&buyer, &trade).await;
    let expected =
        ["buyer confirm", "buyer extend", "buyer split", "buyer dispute", "seller split", "courier attest"];
    assert_eq!(moves(&seen), expected);
    assert!(seen["moves"].as_array().unwrap().iter().all(|it| it["until"] == seen["deadline"]["at"]));
    assert_eq!(seen["actions"], json!(["confirm", "split", "dispute", "extend"]));
    assert_eq!(look(&seller, &trade).await["actions"], json!(["split"]));
    let public = world.stranger().get(&format!("/v1/accounts/{}/trades", account(BOB))).await.json();
    assert_eq!(public["data"][0]["actions"], json!([]));
}

#[tokio::test]
async fn a_dispute_is_decided_by_the_arbiter_who_was_drawn() {
    let world = World::new().await;
    let (seller, buyer, trade) = disputed(&world, "the lens is broken").await;
    let file = json!({"hash": "ab".repeat(32), "note": "how it arrived"});
    buyer.moves(&trade, "evidence", &file).await;
    seller.moves(&trade, "evidence", &json!({"hash": "cd".repeat(32)})).await;
    let (judge, spare) = judge(&world, &buyer, &trade).await;
    let seen = look(&judge, &trade).await;
    assert_eq!((&seen["state"], &seen["dispute"]["evidence"]), (&json!("DISPUTED"), &json!(2)));
    assert_eq!(seen["actions"], json!(["resolve", "evidence"]));
    let listed = judge.get("/v1/trades?side=arbiter").await.json();
    assert_eq!(listed["data"][0]["id"], json!(trade));
    // The other one may not even look.
    assert_eq!(spare.get(&format!("/v1/trades/{trade}")).await.code(), "NOT_A_PARTY");
    let path = format!("/v1/trades/{trade}/resolve");
    let refund = json!({"ruling": "refund", "reason": "the pictures show it"});
    assert_eq!(spare.make(&path, &refund).await.code(), "NOT_ARBITER");
    assert_eq!(buyer.make(&path, &refund).await.code(), "NOT_ARBITER");
    for bad in [
        json!({"ruling": "split", "reason": "half"}),
        json!({"ruling": "refund", "reason": "half", "split": {"to_buyer": "1", "to_seller": "2"}}),
        json!({"ruling": "perhaps", "reason": "half"}),
    ] {
        assert_eq!(judge.make(&path, &bad).await.code(), "INVALID_BODY");
    }
    judge.moves(&trade, "resolve", &refund).await;
    let seen = look(&buyer, &trade).await;
    assert_eq!((&seen["state"], &seen["paid"]["to_buyer"]), (&json!("REFUNDED"), &json!("12000")));
    let timeline = seen["timeline"].as_array().unwrap();
    let told = |change: &str| timeline.iter().find(|step| step["change"] == change).unwrap()["words"].clone();
    assert_eq!(
        (told("disputed"), told("resolved")),
        (json!("the lens is broken"), json!("the pictures show it"))
    );
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_000_000, 1_000_000));
}

/// What would fail is not sent: then nothing is recorded, and the answer names no transaction.
#[tokio::test]
async fn a_frozen_arbiter_is_told_before_anything_is_sent() {
    let world = World::new().await;
    let (_, buyer, trade) = disputed(&world, "the lens is broken").await;
    let (judge, _) = judge(&world, &buyer, &trade).await;
    let arbiter = look(&buyer, &trade).await["dispute"]["arbiter"].as_str().unwrap().to_owned();
    let freeze = format!("/v1/accounts/{arbiter}/freeze");
    world.client(ADMIN).await.must(&freeze, &json!({"reason": "stolen"})).await;
    let refund = json!({"ruling": "refund", "reason": "the pictures show it"});
    let reply = judge.make(&format!("/v1/trades/{trade}/resolve"), &refund).await;
    assert_eq!((reply.code(), &reply.json()["tx_id"]), ("ACCOUNT_FROZEN", &Value::Null));
}

/// Why somebody complains concerns the people in it.
#[tokio::test]
async fn the_words_of_a_dispute_are_not_public() {
    let world = World::new().await;
    disputed(&world, "the lens is broken").await;
    let path = format!("/v1/accounts/{}/transactions", account(BOB));
    let shown = world.client(CAROL).await.get(&path).await.text().to_owned();
    assert!(shown.contains("trade.dispute") && !shown.contains("lens"), "{shown}");
}

#[tokio::test]
async fn two_silent_arbiters_leave_it_to_the_couriers() {
    let world = World::new().await;
    let (seller, buyer, trade) = disputed(&world, "it never came").await;
    let (_, spare) = judge(&world, &buyer, &trade).await;
    let courier = world.client(COURIER).await;
    let seen = look(&courier, &trade).await;
    assert!(seen["tracking"].is_string() && !seen.to_string().contains("it never came"), "{seen}");
    courier.moves(&trade, "attest", &Value::Null).await;
    assert_eq!(
        courier.make(&format!("/v1/trades/{trade}/attest"), &Value::Null).await.code(),
        "ALREADY_ATTESTED"
    );
    wait(&world, &buyer, 15).await;
    let seen = look(&spare, &trade).await;
    assert_eq!(seen["deadline"]["kind"], "second_resolve_by");
    wait(&world, &buyer, 8).await;
    assert_eq!(look(&seller, &trade).await["state"], "RELEASED");
    assert_eq!(world.available(ALICE), 1_000_000 + 11_880);
}

/// The ledger would refuse it.
#[tokio::test]
async fn who_is_frozen_is_offered_nothing_to_do_for_others() {
    let world = World::new().await;
    let (seller, buyer, trade) = shipped(&world).await;
    let admin = world.client(ADMIN).await;
    let freeze = async |who: Value| {
        let path = format!("/v1/accounts/{}/freeze", who.as_str().unwrap());
        admin.must(&path, &json!({"reason": "reported stolen"})).await;
    };
    let courier = world.client(COURIER).await;
    assert_eq!(look(&courier, &trade).await["actions"], json!(["attest"]));
    freeze(json!(account(COURIER))).await;
    assert_eq!(look(&courier, &trade).await["actions"], json!([]));
    let refused = courier.make(&format!("/v1/trades/{trade}/attest"), &Value::Null).await;
    assert_eq!(refused.code(), "ACCOUNT_FROZEN");

    buyer.moves(&trade, "dispute", &json!({"reason": "it never came"})).await;
    let (judge, _) = judge(&world, &buyer, &trade).await;
    freeze(look(&buyer, &trade).await["dispute"]["arbiter"].clone()).await;
    assert_eq!(look(&judge, &trade).await["actions"], json!([]));
    // What is one's own goes on.
    let before = look(&seller, &trade).await["actions"].clone();
    freeze(json!(account(ALICE))).await;
    assert_eq!(look(&seller, &trade).await["actions"], before);
}

#[tokio::test]
async fn a_split_needs_both() {
    let world = World::new().await;
    let (seller, buyer, trade) = shipped(&world).await;
    let path = |verb: &str| format!("/v1/trades/{trade}/{verb}");
    let parts = json!({"to_buyer": "4000", "to_seller": "8000"});
    let wrong = json!({"to_buyer": "4000", "to_seller": "8001"});
    assert_eq!(buyer.make(&path("split"), &wrong).await.code(), "SPLIT_SUM");
    assert_eq!(seller.make(&path("accept-split"), &parts).await.code(), "NO_SPLIT_OFFER");
    buyer.moves(&trade, "split", &parts).await;
    let offer = json!({"by": "buyer", "to_buyer": "4000", "to_seller": "8000"});
    assert_eq!(look(&seller, &trade).await["split_offer"], offer);
    assert_eq!(buyer.make(&path("accept-split"), &parts).await.code(), "OWN_SPLIT_OFFER");
    let other = json!({"to_buyer": "3000", "to_seller": "9000"});
    assert_eq!(seller.make(&path("accept-split"), &other).await.code(), "OTHER_SPLIT_OFFER");
    seller.moves(&trade, "accept-split", &parts).await;
    let paid = json!({"to_buyer": "4000", "to_seller": "7920", "fee": "80"});
    assert_eq!(look(&buyer, &trade).await["paid"], paid);
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_007_920, 992_000));
}

#[tokio::test]
async fn goods_go_back_and_then_the_money() {
    let world = World::new().await;
    let (seller, buyer, trade) = disputed(&world, "another one than in the pictures").await;
    let (judge, _) = judge(&world, &buyer, &trade).await;
    judge.moves(&trade, "resolve", &json!({"ruling": "return", "reason": "send it back"})).await;
    assert_eq!(look(&buyer, &trade).await["actions"], json!(["return"]));
    assert_eq!(
        seller.make(&format!("/v1/trades/{trade}/dispute"), &json!({"reason": "x"})).await.code(),
        "NOT_SHIPPED_BACK"
    );
    buyer.moves(&trade, "return", &json!({"tracking": "CJ 77"})).await;
    let seen = look(&seller, &trade).await;
    assert_eq!((&seen["return"]["tracking"], &seen["tracking"]), (&json!("CJ 77"), &json!("CJ 1234")));
    assert_eq!(seen["actions"], json!(["confirm-return", "dispute"]));
    seller.moves(&trade, "confirm-return", &Value::Null).await;
    assert_eq!(
        (look(&buyer, &trade).await["state"].clone(), world.available(BOB)),
        (json!("REFUNDED"), 1_000_000)
    );
}

#[tokio::test]
async fn the_buyer_takes_more_time_once() {
    let world = World::new().await;
    let (_, buyer, trade) = shipped(&world).await;
    buyer.moves(&trade, "extend", &Value::Null).await;
    assert_eq!(
        buyer.make(&format!("/v1/trades/{trade}/extend"), &Value::Null).await.code(),
        "ALREADY_EXTENDED"
    );
    // A block comes a moment after the one before it, so a day of the trade is not over with a day of the clock.
    world.advance_clock(std::time::Duration::from_secs(60));
    wait(&world, &buyer, 16).await;
    let seen = look(&buyer, &trade).await;
    assert_eq!((&seen["state"], &seen["is_extended"]), (&json!("SHIPPED"), &json!(true)));
    assert_eq!(seen["timeline"].as_array().unwrap().last().unwrap()["change"], "reminder");
    wait(&world, &buyer, 2).await;
    assert_eq!(look(&buyer, &trade).await["state"], "RELEASED");
}

#[tokio::test]
async fn a_code_is_shown_with_the_goods() {
    let world = World::new().await;
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = seller.lists("Table", PRICE).await;
    let trade = buyer.buys(&listing).await;
    let path = |verb: &str| format!("/v1/trades/{trade}/{verb}");
    let code = json!({"code": "7-apples"});
    assert_eq!(buyer.make(&path("collect"), &code).await.code(), "NO_HANDOVER");
    seller.moves(&trade, "hand-over", &code).await;
    let seen = buyer.get(&path("")[..path("").len() - 1]).await;
    assert!(!seen.text().contains("7-apples"));
    assert_eq!(seen.json()["has_handover"], true);
    assert_eq!(buyer.make(&path("collect"), &json!({"code": "8-apples"})).await.code(), "WRONG_CODE");
    buyer.moves(&trade, "collect", &code).await;
    assert_eq!(
        (look(&buyer, &trade).await["state"].clone(), world.available(ALICE)),
        (json!("RELEASED"), 1_011_880)
    );
    assert_eq!(
        seller.make(&path("give-back"), &json!({"amount": "12001"})).await.code(),
        "TOO_MUCH_GIVEN_BACK"
    );
    seller.moves(&trade, "give-back", &json!({"amount": "500"})).await;
    assert_eq!(
        (look(&buyer, &trade).await["given_back"].clone(), world.available(BOB)),
        (json!("500"), 988_500)
    );
}

#[tokio::test]
async fn each_side_writes_a_review_and_a_record_grows() {
    let world = World::new().await;
    let (seller, buyer, trade) = shipped(&world).await;
    let path = format!("/v1/trades/{trade}/reviews");
    let review = json!({"rating": 4, "text": "Quick.\nKind."});
    assert_eq!(buyer.make(&path, &review).await.code(), "NOT_REVIEWABLE");
    buyer.moves(&trade, "confirm", &Value::Null).await;
    for bad in [json!({"rating": 0}), json!({"rating": 6}), json!({"rating": "5"}), json!({})] {
        assert_eq!(buyer.make(&path, &bad).await.code(), "INVALID_BODY", "{bad}");
    }
    assert_eq!(world.client(CAROL).await.make(&path, &review).await.code(), "NOT_A_PARTY");
    assert_eq!(buyer.make(&path, &review).await.status, StatusCode::CREATED);
    assert_eq!(buyer.make(&path, &review).await.code(), "ALREADY_REVIEWED");
    seller.must(&path, &json!({"rating": 5})).await;

    let about = |who: u8| format!("/v1/accounts/{}/reviews", account(who));
    let of_seller = world.stranger().get(&about(ALICE)).await.json();
    let first = &of_seller["data"][0];
    assert_eq!(
        (&first["rating"], &first["text"], &first["by"]),
        (&json!(4), &json!("Quick.\nKind."), &json!("BUYER"))
    );
    assert_eq!((&first["author_name"], &first["title"]), (&json!("bob"), &json!("Film camera")));
    let sold = json!({"completed": 1, "cancelled": 0, "disputed": 0, "reviews": 1, "stars": 4});
    assert_eq!(of_seller["record"]["as_seller"], sold);
    let of_buyer = world.stranger().get(&about(BOB)).await.json();
    assert_eq!((&of_buyer["data"][0]["rating"], &of_buyer["has_more"]), (&json!(5), &json!(false)));
    let nobody = pbft_crypto::Address::from_bytes([9; 32]);
    assert_eq!(
        world.stranger().get(&format!("/v1/accounts/{nobody}/reviews")).await.code(),
        "UNKNOWN_ACCOUNT"
    );
}
