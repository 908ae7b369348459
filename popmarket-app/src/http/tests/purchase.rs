//! From a charge to the seller's money, as clients do it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, OTHER_ADMIN, World, account};

#[tokio::test]
async fn a_buyer_confirms_and_the_seller_is_paid() {
    let world = World::new().await;
    let (admin, seller, buyer) =
        (world.client(ADMIN).await, world.client(ALICE).await, world.client(BOB).await);

    let charge = buyer.must("/v1/charges", &json!({"amount": "500", "memo": "bank, Monday"})).await;
    let queue = admin.get("/v1/charges?status=REQUESTED").await.json();
    assert_eq!(queue["data"][0]["id"], *charge);
    assert_eq!(queue["data"][0]["requester_name"], "bob");
    admin.must(&format!("/v1/charges/{charge}/approve"), &Value::Null).await;
    assert_eq!(world.available(BOB), 1_000_500);

    let listing = seller.lists("Film camera", 12_000).await;
    let seen = world.stranger().get(&format!("/v1/listings/{listing}")).await.json();
    assert_eq!(
        (&seen["price"], &seen["fee"], &seen["seller_receives"]),
        (&json!("12000"), &json!("120"), &json!("11880"))
    );
    assert_eq!((&seen["asset"], &seen["status"]), (&json!("POP"), &json!("OPEN")));

    let exactly = json!({"version": seen["version"], "content_hash": seen["content_hash"]});
    let trade = buyer.must(&format!("/v1/listings/{listing}/buy"), &exactly).await;
    let wallet = buyer.get(&format!("/v1/wallets/{}", account(BOB))).await.json();
    assert_eq!(wallet["balances"], json!([{"asset": "POP", "available": "988500", "held": "12000"}]));

    let at = |path: &str| format!("/v1/trades/{trade}{path}");
    assert_eq!(seller.get(&at("")).await.json()["actions"], json!(["accept", "ship", "hand-over", "cancel"]));
    seller.must(&at("/accept"), &Value::Null).await;
    seller.must(&at("/ship"), &json!({"tracking": "CJ 1234"})).await;
    let shipped = buyer.get(&at("")).await.json();
    assert_eq!((&shipped["state"], &shipped["tracking"]), (&json!("SHIPPED"), &json!("CJ 1234")));
    assert_eq!(
        (&shipped["actions"], &shipped["deadline"]["kind"]),
        (&json!(["confirm", "split", "dispute", "extend"]), &json!("confirm_by"))
    );
    let confirmed = buyer.make(&at("/confirm"), &Value::Null).await;
    assert_eq!(confirmed.status, StatusCode::CREATED);
    assert_eq!(confirmed.header("location"), at(""));

    assert_eq!((world.available(ALICE), world.available(BOB)), (1_011_880, 988_500));
    let trade = seller.get(&at("")).await.json();
    assert_eq!(
        (&trade["state"], &trade["actions"], &trade["deadline"]),
        (&json!("RELEASED"), &json!(["give-back"]), &Value::Null)
    );
    let changes: Vec<_> =
        trade["timeline"].as_array().unwrap().iter().map(|step| step["change"].clone()).collect();
    assert_eq!(changes, ["opened", "accepted", "shipped", "released"]);
    let block = world.stranger().get(&format!("/v1/blocks/{}", confirmed.json()["height"])).await.json();
    assert_eq!(block["transactions"][0]["kind"], "trade.confirm");
    assert_eq!(block["transactions"][0]["outcome"]["status"], "APPLIED");
    assert_eq!(block["state_root"], world.state_root().to_string());
    let sold = world.stranger().get("/v1/listings?status=SOLD").await.json();
    assert_eq!((&sold["data"][0]["id"], &sold["has_more"]), (&json!(listing), &json!(false)));
}

#[tokio::test]
async fn without_waiting_the_answer_is_202_with_all_that_is_needed_to_look_it_up() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let reply = alice.post("/payment", &json!({"to": account(BOB), "amount": "70", "memo": "lunch"})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let sent = reply.json();
    assert_eq!(
        (&sent["status"], &sent["kind"], &sent["id"]),
        (&json!("SUBMITTED"), &json!("payment"), &sent["tx_id"])
    );
    let location = reply.header("location");
    assert_eq!(location, format!("/v1/transactions/{}", sent["tx_id"].as_str().unwrap()));
    let transaction = alice.get(&format!("{location}?min_height=1")).await.json();
    assert_eq!((&transaction["kind"], &transaction["height"]), (&json!("payment.pay"), &json!(1)));
    assert_eq!(transaction["operation"]["amount"], "70");
    let payment = alice.get(sent["href"].as_str().unwrap()).await.json();
    assert_eq!((&payment["from"], &payment["memo"]), (&json!(account(ALICE)), &json!("lunch")));
    assert_eq!((world.available(ALICE), world.available(BOB)), (999_930, 1_000_070));
}

#[tokio::test]
async fn who_waits_in_vain_is_told_that_it_is_on_its_way() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    world.shut_road(true);
    let body = json!({"to": account(BOB), "amount": "70"});
    let reply = alice.send(Method::POST, "/v1/payments", &[("prefer", "wait=0")], &body).await;
    assert_eq!((reply.status, &reply.json()["status"]), (StatusCode::ACCEPTED, &json!("SUBMITTED")));
    assert_eq!(world.height(), 0);
    world.shut_road(false);
    let later = alice.get(&format!("{}?min_height=1", reply.header("location"))).await;
    assert_eq!(later.json()["outcome"]["status"], "APPLIED");
}

#[tokio::test]
async fn a_failure_on_the_ledger_is_a_problem_that_names_the_transaction() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    // Each is fine when it is checked, but only one of them when it is executed.
    world.shut_road(true);
    let body = json!({"to": account(BOB), "amount": "600000"});
    let pay = async || alice.make("/v1/payments", &body).await;
    let (one, other, ()) = tokio::join!(pay(), pay(), async {
        world.in_flight(2).await;
        world.shut_road(false);
    });
    let (paid, failed) = if one.status == StatusCode::CREATED { (one, other) } else { (other, one) };
    assert_eq!((paid.status, failed.code()), (StatusCode::CREATED, "INSUFFICIENT_FUNDS"));
    let tx_id = failed.json()["tx_id"].as_str().unwrap().to_owned();
    let recorded = alice.get(&format!("/v1/transactions/{tx_id}")).await.json();
    assert_eq!(recorded["outcome"]["status"], "REJECTED");
    assert_eq!(recorded["outcome"]["code"], "INSUFFICIENT_FUNDS");
    assert_eq!(alice.get(&format!("/v1/payments/{tx_id}")).await.code(), "UNKNOWN_PAYMENT");
    assert_eq!((world.height(), world.available(ALICE)), (2, 400_000));
}

#[tokio::test]
async fn a_cancelled_purchase_is_paid_back_and_a_late_one_by_the_deadline() {
    let world = World::new().await;
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = seller.lists("Lamp", 300).await;
    let trade = buyer.buys(&listing).await;
    buyer.moves(&trade, "cancel", &Value::Null).await;
    assert_eq!(world.available(BOB), 1_000_000);
    let again = buyer.buys(&listing).await;
    world.advance_clock(std::time::Duration::from_secs(6 * 24 * 3_600));
    // The next transaction lets the deadline fire.
    buyer.lists("Chair", 5).await;
    let trade = buyer.get(&format!("/v1/trades/{again}")).await.json();
    assert_eq!((&trade["state"], &trade["timeline"][1]["by"]), (&json!("CANCELLED"), &json!("deadline")));
    assert_eq!(world.available(BOB), 1_000_000);
}

#[tokio::test]
async fn a_listing_is_changed_and_taken_back_by_its_seller() {
    let world = World::new().await;
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = seller.lists("Lamp", 300).await;
    let path = format!("/v1/listings/{listing}");
    let seen = buyer.get(&path).await.json();
    let wait = [("prefer", "wait=10")];
    let changed = seller
        .send(Method::PATCH, &path, &wait, &json!({"price": "250", "description": "두 줄\nscratched"}))
        .await;
    assert_eq!(changed.status, StatusCode::CREATED, "{changed:?}");
    let now = buyer.get(&path).await.json();
    assert_eq!((&now["title"], &now["price"], &now["version"]), (&json!("Lamp"), &json!("250"), &json!(2)));
    let old = json!({"version": 1, "content_hash": seen["content_hash"]});
    assert_eq!(buyer.make(&format!("{path}/buy"), &old).await.code(), "STALE_VERSION");
    let closed = seller.send(Method::DELETE, &path, &wait, &Value::Null).await;
    assert_eq!(closed.status, StatusCode::CREATED, "{closed:?}");
    assert_eq!(buyer.make(&format!("{path}/buy"), &Value::Null).await.code(), "LISTING_NOT_OPEN");
}

#[tokio::test]
async fn of_two_changes_at_once_neither_is_lost_silently() {
    let world = World::new().await;
    let seller = world.client(ALICE).await;
    let path = format!("/v1/listings/{}", seller.lists("Lamp", 300).await);
    let changes = [json!({"price": "250"}), json!({"title": "Lantern"})];
    let patch = async |key: &str, change: &Value| {
        let headers = [("idempotency-key", key), ("prefer", "wait=10")];
        seller.send(Method::PATCH, &path, &headers, change).await
    };
    world.shut_road(true);
    let both_are_on_their_way = async {
        world.in_flight(2).await;
        world.shut_road(false);
    };
    let (one, other, ()) =
        tokio::join!(patch("one", &changes[0]), patch("other", &changes[1]), both_are_on_their_way);
    let refused: Vec<_> = [one, other]
        .into_iter()
        .zip(["one", "other"].into_iter().zip(&changes))
        .filter(|(reply, _)| reply.status != StatusCode::CREATED)
        .collect();
    let [(reply, (key, change))] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(reply.code(), "STALE_VERSION");
    // It is on record that this request failed.
    let again = patch(key, change).await;
    assert_eq!((again.code(), again.header("idempotency-replayed")), ("STALE_VERSION", "true"));
    assert_eq!(patch("another", change).await.status, StatusCode::CREATED);
    let now = seller.get(&path).await.json();
    assert_eq!((&now["title"], &now["price"]), (&json!("Lantern"), &json!("250")));
    assert_eq!(now["version"], json!(3));
}

/// The ledger, which has no texts, is ahead of the tables.
#[tokio::test]
async fn a_change_is_not_made_of_a_version_that_is_no_more() {
    let world = World::new().await;
    let seller = world.client(ALICE).await;
    let path = format!("/v1/listings/{}", seller.lists("Lamp", 300).await);
    world.stop_projector();
    let height = world.height();
    let first = seller.send(Method::PATCH, &path, &[], &json!({"price": "250"})).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    world.reach(height + 1).await;
    let second = seller.send(Method::PATCH, &path, &[], &json!({"title": "Lantern"})).await;
    assert_eq!(second.code(), "STALE_VERSION");
}

#[tokio::test]
async fn an_admin_turns_a_charge_down_but_not_its_own() {
    let world = World::new().await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let charge = admin.must("/v1/charges", &json!({"amount": "9", "asset": "POP"})).await;
    let path = format!("/v1/charges/{charge}");
    assert_eq!(admin.make(&format!("{path}/approve"), &Value::Null).await.code(), "OWN_CHARGE");
    other.must(&format!("{path}/reject"), &json!({"reason": "no deposit"})).await;
    let decided = admin.get(&path).await.json();
    assert_eq!((&decided["status"], &decided["reason"]), (&json!("REJECTED"), &json!("no deposit")));
    assert_eq!(decided["decided_by"], json!(account(OTHER_ADMIN)));
}
