//! Whatever is sent: an answer of 4xx with a code, and the ledger stays as it is.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::access::unknown_path;
use super::world::{ADMIN, ALICE, BOB, Client, World, account};
use crate::http::access::{self, Rule};
use crate::testing::{key, sign};

/// The routes of the API that take a body, and whether they need one.
fn takes_body(rule: &Rule) -> Option<bool> {
    let document = crate::http::openapi::description();
    let pointer = format!("/paths/{}/{}", rule.path.replace('/', "~1"), rule.method.as_str().to_lowercase());
    let body = document.pointer(&pointer)?.get("requestBody")?;
    (rule.path != "/v1/blobs").then(|| body["required"] == true)
}

async fn send(client: &Client<'_>, rule: &Rule, content_type: &str, body: &str) -> &'static str {
    let request = client.request(&rule.method, &unknown_path(rule)).header("content-type", content_type);
    client.world.answer(request.body(Body::from(body.to_owned())).unwrap()).await.code()
}

#[tokio::test]
async fn every_body_that_is_not_what_it_should_be_is_refused() {
    let world = World::new().await;
    let root = world.state_root();
    let mut tried = 0;
    for rule in access::RULES.iter().filter(|rule| access::is_api(rule.path)) {
        let Some(needs_body) = takes_body(rule) else { continue };
        let client = world.client_for(rule.access).await;
        let json = "application/json";
        for garbage in ["{", "nonsense", "\u{0}\u{1}", "{'a':1}", "\u{feff}{}"] {
            assert_eq!(send(&client, rule, json, garbage).await, "MALFORMED_JSON", "{rule:?} {garbage:?}");
        }
        for wrong in ["[]", "null", "7", "\"text\"", "{\"no_such_field\":1}"] {
            assert_eq!(send(&client, rule, json, wrong).await, "INVALID_BODY", "{rule:?} {wrong:?}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(
            ["INVALID_BODY", "MALFORMED_JSON", "BODY_TOO_LARGE"]
                .contains(&send(&client, rule, json, &deep).await)
        );
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
        assert_eq!(send(&client, rule, json, &large).await, "BODY_TOO_LARGE", "{rule:?}");
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"] {
            assert_eq!(
                send(&client, rule, content_type, "{\"a\":1}").await,
                "UNSUPPORTED_MEDIA_TYPE",
                "{rule:?}"
            );
        }
        if needs_body {
            assert_eq!(send(&client, rule, json, "").await, "MALFORMED_JSON", "{rule:?}");
            if rule.method == Method::POST {
                assert_eq!(send(&client, rule, json, "{}").await, "INVALID_BODY", "{rule:?}");
            }
        }
        tried += 1;
    }
    assert!(tried >= 11, "only {tried} routes take a body");
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn every_path_to_nothing_is_refused() {
    let world = World::new().await;
    let root = world.state_root();
    for rule in access::RULES.iter().filter(|rule| access::is_api(rule.path) && rule.path.contains('{')) {
        let client = world.client_for(rule.access).await;
        let start = rule.path.find('{').unwrap();
        let end = rule.path.find('}').unwrap();
        for garbage in
            ["x", "-1", "%00", "%ff", "..%2f..%2fetc", "ABABAB", &"a".repeat(65), "%F0%9F%98%80", "0x1"]
        {
            // That is a symbol.
            if garbage == "ABABAB" && rule.path.contains("{symbol}") {
                continue;
            }
            let path = format!("{}{garbage}{}", &rule.path[..start], &rule.path[end + 1..]);
            let request = client.request(&rule.method, &path).header("content-type", "application/json");
            let reply = world.answer(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(reply.code(), "INVALID_PATH", "{} {path}", rule.method);
        }
        let body = match rule.path.rsplit('/').next() {
            Some("ship") => json!({"tracking": "CJ 1"}),
            Some("split" | "accept-split") => json!({"to_buyer": "1", "to_seller": "1"}),
            Some("return") => json!({"tracking": "CJ 2"}),
            Some("evidence") => json!({"hash": "ab".repeat(32)}),
            Some("resolve") => json!({"ruling": "release", "reason": "so be it"}),
            Some("give-back") => json!({"amount": "1"}),
            Some("collect") => json!({"code": "7-apples"}),
            Some("hand-over") if rule.path.contains("{id}") => json!({"code": "7-apples"}),
            Some("reviews") => json!({"rating": 5}),
            Some("role") => json!({"role": "courier"}),
            Some("void") if rule.path.contains("{tx_id}") => json!({}),
            Some("votes") => json!({"choice": 0}),
            Some("commit") => json!({"commitment": "ab".repeat(32)}),
            Some("reveal") => json!({"choice": 0, "salt": "ab".repeat(32)}),
            Some("replay") => json!({"from": "1-0", "to": "1-1"}),
            Some("receipt") => {
                let operation =
                    ledger::PollOp::Close { poll: ledger::TxId::new(pbft_crypto::Digest::ZERO).into() };
                json!({"transaction": hex::encode(sign(&key(9), 0, operation).encode())})
            }
            Some("reject" | "void" | "freeze" | "dispute") => json!({"reason": "no"}),
            Some("{public_key}") if rule.method == Method::PATCH => json!({"label": "phone"}),
            Some("recoveries") => {
                let key = pbft_crypto::KeyPair::from_secret_bytes(&[8; 32]).unwrap();
                let proof = key.sign(&pbft_crypto::Digest::ZERO);
                json!({"public_key": key.public_key(), "proof": proof})
            }
            Some("mint" | "transfer") => json!({"to": account(BOB), "amount": "1"}),
            Some("burn") => json!({"amount": "1"}),
            Some("approve") if rule.path.contains("{symbol}") => {
                json!({"spender": account(BOB), "from": "0", "to": "1"})
            }
            Some("hand-over") => json!({"to": account(BOB)}),
            Some("reduce") => json!({"by": "1"}),
            _ => json!({}),
        };
        let reply =
            client.send(rule.method.clone(), &unknown_path(rule), &[("prefer", "wait=10")], &body).await;
        let code = if rule.path.contains("/wallets/") { "FORBIDDEN" } else { reply.code() };
        assert!(code.starts_with("UNKNOWN_") || code == "FORBIDDEN", "{rule:?} {reply:?}");
        assert_eq!(reply.code(), code);
    }
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn every_query_that_is_not_what_it_should_be_is_refused() {
    let world = World::new().await;
    let listing = world.client(ALICE).await.lists("Lamp", 300).await;
    let lists = [
        format!("/v1/accounts/{}/transactions", account(ALICE)),
        format!("/v1/accounts/{}/trades", account(ALICE)),
        "/v1/charges".to_owned(),
        "/v1/listings".to_owned(),
        "/v1/trades".to_owned(),
        "/v1/blocks".to_owned(),
        "/v1/transactions".to_owned(),
        "/v1/orders".to_owned(),
        format!("/v1/listings/{listing}/trades"),
        "/v1/freezes".to_owned(),
        "/v1/roles/changes".to_owned(),
        "/v1/members/me/recoveries".to_owned(),
        "/v1/payments".to_owned(),
    ];
    let queries = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=4294967296",
        "limit=",
        "no_such=1",
        "limit=1&limit=2",
        "starting_after=x",
        "ending_before=%00",
        "min_height=x",
        "min_height=-1",
        "min_height=18446744073709551616",
    ];
    let admin = world.client(ADMIN).await;
    for list in &lists {
        for query in queries {
            assert_eq!(admin.get(&format!("{list}?{query}")).await.code(), "INVALID_QUERY", "{list}?{query}");
        }
        let id = if list == "/v1/blocks" { "7".to_owned() } else { "ab".repeat(32) };
        let both = admin.get(&format!("{list}?starting_after={id}&ending_before={id}")).await;
        assert_eq!(both.code(), "INVALID_QUERY", "{list}");
    }
    let others = [
        "/v1/charges?status=requested",
        "/v1/charges?requester=bob",
        "/v1/listings?status=open",
        "/v1/listings?seller=x",
        "/v1/listings?min_price=-1",
        "/v1/listings?max_price=1.5",
        "/v1/listings?sort=dearest",
        "/v1/trades?side=both",
        "/v1/trades?state=funded",
        "/v1/trades?listing=x",
        "/v1/charges?format=xml",
        "/v1/transactions?format=",
        "/v1/blocks?format=csv",
        "/v1/search?q=",
        "/v1/blocks/1?limit=0",
        "/v1/blocks/1?limit=101",
        "/v1/blocks/1?starting_after=x",
        "/v1/blocks/1?no_such=1",
        "/v1/transactions?account=pop1",
        "/v1/events?last_event_id=x",
        "/v1/events?no_such=1",
        "/v1/listings?min_price=99999999999999999999",
        "/v1/orders?status=open",
        "/v1/orders?market=SHOP",
        "/v1/tokens?starting_after=x",
        "/v1/markets?ending_before=x",
        "/v1/payments?status=held",
        "/v1/payments?side=both",
        "/v1/roles/changes?status=open",
        "/v1/members/me/recoveries?status=begun",
        "/v1/members/me/recoveries?guarded_after=bob",
        "/v1/members/me/limit?asset=shop",
        "/v1/freezes?account=bob",
    ];
    for path in others {
        assert_eq!(admin.get(path).await.code(), "INVALID_QUERY", "{path}");
    }
    let long = format!("/v1/listings?q={}", "x".repeat(201));
    assert_eq!(admin.get(&long).await.code(), "INVALID_QUERY");
}

/// An order with something about it changed.
fn order(change: Value) -> Value {
    let mut order = json!({"market": "NONE-POP", "side": "BUY", "price": "1", "quantity": "1"});
    let Value::Object(change) = change else { panic!("not a change: {change}") };
    order.as_object_mut().unwrap().extend(change);
    order
}

/// Values that are of the right shape and wrong all the same.
#[tokio::test]
async fn every_value_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let (me, bob) = (account(ALICE), account(BOB));
    let root = world.state_root();
    let long = |chars: usize| "가".repeat(chars);
    let mut cases: Vec<(&str, Value, &str)> = Vec::new();
    for amount in [
        json!("-1"),
        json!(5),
        json!("1.5"),
        json!("18446744073709551616"),
        json!(""),
        json!(" 1"),
        json!("0x1"),
        Value::Null,
        json!("1e3"),
        json!(true),
    ] {
        cases.push(("/v1/charges", json!({"amount": amount}), "INVALID_BODY"));
        cases.push(("/v1/payments", json!({"to": bob, "amount": amount}), "INVALID_BODY"));
        cases.push(("/payment", json!({"to": bob, "amount": amount}), "INVALID_BODY"));
        cases.push(("/v1/listings", json!({"title": "x", "price": amount}), "INVALID_BODY"));
    }
    cases.extend([
        ("/v1/charges", json!({"amount": "0"}), "ZERO_AMOUNT"),
        ("/v1/charges", json!({"amount": "1", "asset": "BTC"}), "INVALID_BODY"),
        ("/v1/charges", json!({"amount": "1", "asset": "btc"}), "INVALID_BODY"),
        ("/v1/listings", json!({"title": "x", "price": "1", "asset": "BTC"}), "INVALID_BODY"),
        ("/v1/payments", json!({"to": bob, "amount": "1", "asset": "BTC"}), "INSUFFICIENT_FUNDS"),
        ("/v1/tokens", json!({"symbol": "POP", "name": "x"}), "INVALID_BODY"),
        ("/v1/tokens", json!({"symbol": "shop", "name": "x"}), "INVALID_BODY"),
        ("/v1/tokens", json!({"symbol": "SHOP", "name": "x", "decimals": 19}), "INVALID_BODY"),
        ("/v1/tokens", json!({"symbol": "SHOP", "name": "x", "decimals": -1}), "INVALID_BODY"),
        ("/v1/tokens", json!({"symbol": "SHOP", "name": "<b>"}), "INVALID_BODY"),
        ("/v1/tokens", json!({"symbol": "SHOP", "name": "x", "cap": "-1"}), "INVALID_BODY"),
        ("/v1/markets", json!({"base": "NONE", "tick": "1", "lot": "1"}), "UNKNOWN_TOKEN"),
        ("/v1/markets", json!({"base": "POP", "tick": "1", "lot": "1"}), "INVALID_BODY"),
        ("/v1/orders", order(json!({"market": "NONE-POP"})), "UNKNOWN_MARKET"),
        ("/v1/orders", order(json!({"market": "NONE"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"side": "buy"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"quantity": 7})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"kind": "GTX"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"kind": "GTT"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"kind": "GTT", "until": "tomorrow"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"kind": "IOC", "until": "2030-01-01T00:00:00Z"})), "INVALID_BODY"),
        ("/v1/orders", order(json!({"self_trade": "DECREMENT"})), "INVALID_BODY"),
        ("/v1/charges", json!({"amount": "1", "memo": long(257)}), "INVALID_BODY"),
        ("/v1/charges", json!({"amount": "1", "memo": "a\u{202e}b"}), "INVALID_BODY"),
        ("/v1/payments", json!({"to": bob, "amount": "0"}), "ZERO_AMOUNT"),
        ("/v1/payments", json!({"to": me, "amount": "1"}), "SELF_PAYMENT"),
        (
            "/v1/payments",
            json!({"to": pbft_crypto::Address::from_bytes([9; 32]), "amount": "1"}),
            "UNKNOWN_PAYEE",
        ),
        ("/v1/payments", json!({"to": "bob", "amount": "1"}), "INVALID_BODY"),
        ("/v1/payments", json!({"to": bob, "amount": "18446744073709551615"}), "INSUFFICIENT_FUNDS"),
        ("/v1/payments", json!({"to": bob, "amount": "1", "reference": "a b"}), "INVALID_BODY"),
        ("/v1/payments", json!({"to": bob, "amount": "1", "reference": ""}), "INVALID_BODY"),
        ("/v1/payments", json!({"to": bob, "amount": "1", "reference": "x".repeat(65)}), "INVALID_BODY"),
        ("/v1/listings", json!({"title": "x", "price": "0"}), "ZERO_PRICE"),
        ("/v1/listings", json!({"title": "  ", "price": "1"}), "INVALID_BODY"),
        ("/v1/listings", json!({"title": long(101), "price": "1"}), "INVALID_BODY"),
        ("/v1/listings", json!({"title": "x", "price": "1", "description": long(3_001)}), "INVALID_BODY"),
        ("/v1/listings", json!({"title": "x", "price": "1", "description": "a\u{7}"}), "INVALID_BODY"),
        (
            "/v1/listings",
            json!({"title": "x", "price": "1", "photos": vec!["ab".repeat(32); 17]}),
            "INVALID_BODY",
        ),
        ("/v1/listings", json!({"title": "x", "price": "1", "photos": ["ab".repeat(32)]}), "UNKNOWN_PHOTO"),
        ("/v1/listings", json!({"title": "x", "price": "1", "photos": ["x"]}), "INVALID_BODY"),
        ("/v1/members", json!({"name": "x", "password": "short"}), "WEAK_PASSWORD"),
        ("/v1/members", json!({"name": "x", "password": "p".repeat(129)}), "WEAK_PASSWORD"),
        ("/v1/members", json!({"name": "<b>", "password": "correct horse"}), "INVALID_BODY"),
        ("/v1/members", json!({"name": long(33), "password": "correct horse"}), "INVALID_BODY"),
        ("/v1/members", json!({"name": "alice", "password": "correct horse"}), "NAME_TAKEN"),
        ("/v1/members", json!({"name": "ALICE", "password": "correct horse"}), "NAME_TAKEN"),
        ("/v1/members", json!({"password": "correct horse"}), "INVALID_BODY"),
        (
            "/v1/members",
            json!({"name": "x", "registration": "00", "password": "correct horse"}),
            "INVALID_BODY",
        ),
        ("/v1/members", json!({"registration": "00", "password": "correct horse"}), "MALFORMED"),
        ("/v1/sessions", json!({"name": "alice", "password": "wrong horse"}), "INVALID_CREDENTIALS"),
        ("/v1/sessions", json!({"name": "<b>", "password": ""}), "INVALID_CREDENTIALS"),
        ("/v1/transactions", json!({"transaction": "xyz"}), "MALFORMED"),
        ("/v1/transactions", json!({"transaction": ""}), "MALFORMED"),
        ("/v1/transactions", json!({"transaction": "00".repeat(20_000)}), "MALFORMED"),
    ]);
    for (path, body, code) in &cases {
        assert_eq!(alice.make(path, body).await.code(), *code, "{path} {body}");
    }
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn nothing_is_done_in_the_wrong_state() {
    let world = World::new().await;
    let (seller, buyer, admin) =
        (world.client(ALICE).await, world.client(BOB).await, world.client(ADMIN).await);
    let listing = seller.lists("Lamp", 300).await;
    let closed = seller.lists("Chair", 300).await;
    seller
        .send(Method::DELETE, &format!("/v1/listings/{closed}"), &[("prefer", "wait=10")], &Value::Null)
        .await;
    let dear = seller.lists("Palace", 1_000_001).await;
    let trade = buyer.buys(&listing).await;
    seller.moves(&trade, "ship", &json!({"tracking": "CJ 1"})).await;
    let charge = buyer.must("/v1/charges", &json!({"amount": "9"})).await;
    admin.must(&format!("/v1/charges/{charge}/approve"), &Value::Null).await;
    let invoice = json!({"to": account(ALICE), "amount": "1", "reference": "INV-1"});
    buyer.must("/v1/payments", &invoice).await;

    let root = world.state_root();
    let nothing = Value::Null;
    let tracking = json!({"tracking": "CJ 2"});
    let stale = json!({"version": 7});
    let other_content = json!({"content_hash": "ab".repeat(32)});
    let cases: [(&Client<'_>, String, &Value, &str); 13] = [
        (&seller, format!("/v1/trades/{trade}/accept"), &nothing, "WRONG_STATE"),
        (&seller, format!("/v1/trades/{trade}/ship"), &tracking, "WRONG_STATE"),
        (&seller, format!("/v1/trades/{trade}/cancel"), &nothing, "WRONG_STATE"),
        (&buyer, format!("/v1/trades/{trade}/cancel"), &nothing, "WRONG_STATE"),
        (&buyer, format!("/v1/listings/{listing}/buy"), &nothing, "LISTING_NOT_OPEN"),
        (&buyer, format!("/v1/listings/{closed}/buy"), &nothing, "LISTING_NOT_OPEN"),
        (&buyer, format!("/v1/listings/{dear}/buy"), &nothing, "INSUFFICIENT_FUNDS"),
        (&buyer, format!("/v1/listings/{dear}/buy"), &stale, "STALE_VERSION"),
        (&buyer, format!("/v1/listings/{dear}/buy"), &other_content, "CONTENT_MISMATCH"),
        (&seller, format!("/v1/listings/{dear}/buy"), &nothing, "OWN_LISTING"),
        (&admin, format!("/v1/charges/{charge}/approve"), &nothing, "CHARGE_ALREADY_DECIDED"),
        (&admin, format!("/v1/charges/{charge}/reject"), &json!({"reason": "no"}), "CHARGE_ALREADY_DECIDED"),
        (&buyer, "/v1/payments".to_owned(), &invoice, "REFERENCE_USED"),
    ];
    for (client, path, body, code) in cases {
        assert_eq!(client.make(&path, body).await.code(), code, "{path}");
    }
    for method in [Method::PATCH, Method::DELETE] {
        let body = if method == Method::PATCH { json!({"price": "7"}) } else { Value::Null };
        let reply =
            seller.send(method, &format!("/v1/listings/{closed}"), &[("prefer", "wait=10")], &body).await;
        assert_eq!(reply.code(), "LISTING_NOT_OPEN");
    }
    assert_eq!(world.state_root(), root);

    buyer.moves(&trade, "confirm", &nothing).await;
    let root = world.state_root();
    assert_eq!(buyer.make(&format!("/v1/trades/{trade}/confirm"), &nothing).await.code(), "WRONG_STATE");
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn pictures_are_checked_and_stored_as_jpegs() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let upload = async |content_type: &str, bytes: Vec<u8>| {
        let request = alice.request(&Method::POST, "/v1/blobs").header("content-type", content_type);
        world.answer(request.body(Body::from(bytes)).unwrap()).await
    };
    assert_eq!(upload("text/html", b"<script>".to_vec()).await.code(), "UNSUPPORTED_MEDIA_TYPE");
    for bytes in [b"".to_vec(), b"<svg onload=alert(1)>".to_vec(), b"\x89PNG\r\n\x1a\nnonsense".to_vec()] {
        assert_eq!(upload("image/png", bytes).await.code(), "NOT_A_PICTURE");
    }
    assert_eq!(upload("image/png", vec![0; 9 << 20]).await.code(), "BODY_TOO_LARGE");
    let stored = upload("image/png", picture()).await;
    let blob = stored.json();
    assert_eq!(stored.status.as_u16(), 201, "{stored:?}");
    let photo = world.stranger().get(blob["href"].as_str().unwrap()).await;
    assert_eq!(
        (photo.header("content-type"), photo.body.len()),
        ("image/jpeg", usize::try_from(blob["bytes"].as_u64().unwrap()).unwrap())
    );
    assert!(photo.header("cache-control").contains("immutable"));
    let listing = json!({"title": "Lamp", "price": "5", "photos": [blob["hash"]]});
    let listing = alice.must("/v1/listings", &listing).await;
    assert_eq!(alice.get(&format!("/v1/listings/{listing}")).await.json()["photos"], json!([blob["hash"]]));
}

/// A small picture.
pub(super) fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 6, image::Rgb([200, 30, 40]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
