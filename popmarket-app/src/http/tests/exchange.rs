//! Tokens and the exchange, over HTTP.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::pages::Browser;
use super::world::{ADMIN, ALICE, BOB, CAROL, Client, World, account};

const WAIT: [(&str, &str); 1] = [("prefer", "wait=10")];

impl Client<'_> {
    /// Places an order and says its id.
    pub(super) async fn orders(&self, side: &str, price: &str, quantity: &str) -> String {
        let order = json!({"market": "SHOP-POP", "side": side, "price": price, "quantity": quantity});
        self.must("/v1/orders", &order).await
    }

    async fn order(&self, id: &str) -> Value {
        self.get(&format!("/v1/orders/{id}")).await.json()
    }

    async fn wallet(&self, who: u8) -> Value {
        self.get(&format!("/v1/wallets/{}", account(who))).await.json()["balances"].clone()
    }
}

fn balance(asset: &str, available: &str, held: &str) -> Value {
    json!({"asset": asset, "available": available, "held": held})
}

/// Alice has issued 1,000 shares to herself, and there is a market.
pub(super) async fn with_market(world: &World) {
    let alice = world.client(ALICE).await;
    let token = json!({"symbol": "SHOP", "name": "Shop shares", "cap": "5000"});
    assert_eq!(alice.must("/v1/tokens", &token).await, "SHOP");
    let mint = json!({"to": account(ALICE), "amount": "1000"});
    alice.must("/v1/tokens/SHOP/mint", &mint).await;
    let market = json!({"base": "SHOP", "tick": "5", "lot": "10"});
    assert_eq!(alice.must("/v1/markets", &market).await, "SHOP-POP");
}

#[tokio::test]
async fn a_token_is_made_and_goes_from_hand_to_hand() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    alice.must("/v1/tokens/SHOP/transfer", &json!({"to": account(BOB), "amount": "300"})).await;
    let allow = json!({"spender": account(CAROL), "from": "0", "to": "50"});
    bob.must("/v1/tokens/SHOP/approve", &allow).await;
    assert_eq!(bob.make("/v1/tokens/SHOP/approve", &allow).await.code(), "ALLOWANCE_CHANGED");
    let take = json!({"owner": account(BOB), "to": account(CAROL), "amount": "30"});
    carol.must("/v1/tokens/SHOP/transfer", &take).await;
    assert_eq!(carol.make("/v1/tokens/SHOP/transfer", &take).await.code(), "ALLOWANCE_TOO_SMALL");
    let path = format!("/v1/tokens/SHOP/allowance?owner={}&spender={}", account(BOB), account(CAROL));
    assert_eq!(world.stranger().get(&path).await.json()["amount"], "20");
    let given = async |query: &str| bob.get(&format!("/v1/members/me/allowances{query}")).await;
    let id = format!("{}-SHOP", account(CAROL));
    let shown = json!({"id": id, "token": "SHOP", "spender": account(CAROL), "amount": "20"});
    assert_eq!(given("").await.json(), json!({"data": [shown], "has_more": false}));
    assert_eq!(given(&format!("?starting_after={id}")).await.json(), json!({"data": [], "has_more": false}));
    assert_eq!(given("?starting_after=SHOP").await.code(), "INVALID_QUERY");
    bob.must("/v1/tokens/SHOP/approve", &json!({"spender": account(ALICE), "from": "0", "to": "7"})).await;
    let first = given("?limit=1").await.json();
    let rest =
        given(&format!("?limit=1&starting_after={}", first["data"][0]["id"].as_str().unwrap())).await.json();
    assert_eq!((&first["has_more"], &rest["has_more"]), (&json!(true), &json!(false)));
    let both = [&first, &rest].map(|page| page["data"][0]["amount"].as_str().unwrap().to_owned());
    assert_eq!(std::collections::BTreeSet::from(both), ["20", "7"].map(str::to_owned).into());
    carol.must("/v1/tokens/SHOP/burn", &json!({"amount": "10"})).await;
    // A payment can be in tokens, too.
    carol.must("/v1/payments", &json!({"to": account(ALICE), "amount": "20", "asset": "SHOP"})).await;

    let token = world.stranger().get("/v1/tokens/SHOP").await.json();
    assert_eq!(
        (&token["supply"], &token["holders"], &token["cap"]),
        (&json!("990"), &json!(2), &json!("5000"))
    );
    assert_eq!((&token["issuer_name"], &token["decimals"]), (&json!("alice"), &json!(0)));
    let holders = world.stranger().get("/v1/tokens/SHOP/holders").await.json();
    let have = |name: &str| {
        let of = |holder: &&Value| holder["name"] == name;
        holders["data"].as_array().unwrap().iter().find(of).map(|holder| holder["available"].clone())
    };
    assert_eq!((have("alice"), have("bob"), have("carol")), (Some(json!("720")), Some(json!("270")), None));
    let first = world.stranger().get("/v1/tokens/SHOP/holders?limit=1").await.json();
    assert_eq!(first["has_more"], true);
    let after = first["data"][0]["address"].as_str().unwrap();
    let second =
        world.stranger().get(&format!("/v1/tokens/SHOP/holders?limit=1&starting_after={after}")).await;
    assert_eq!((&second.json()["has_more"], &second.json()["data"][0]), (&json!(false), &holders["data"][1]));

    assert_eq!(
        bob.make("/v1/tokens/SHOP/mint", &json!({"to": account(BOB), "amount": "1"})).await.code(),
        "NOT_ISSUER"
    );
    let too_much = json!({"to": account(ALICE), "amount": "4011"});
    assert_eq!(alice.make("/v1/tokens/SHOP/mint", &too_much).await.code(), "CAP_EXCEEDED");
    let again = json!({"symbol": "SHOP", "name": "Another"});
    assert_eq!(bob.make("/v1/tokens", &again).await.code(), "SYMBOL_TAKEN");
    alice.must("/v1/tokens/SHOP/hand-over", &json!({"to": account(BOB)})).await;
    bob.must("/v1/tokens/SHOP/mint", &json!({"to": account(BOB), "amount": "1"})).await;
    assert_eq!(world.stranger().get("/v1/tokens/SHOP").await.json()["issuer_name"], "bob");
}

#[tokio::test]
async fn two_members_trade_shares_against_coins() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let ask = alice.orders("SELL", "1000", "300").await;
    let dear = alice.orders("SELL", "2000", "100").await;
    assert_eq!(
        alice.wallet(ALICE).await,
        json!([balance("POP", "1000000", "0"), balance("SHOP", "600", "400")])
    );
    let book = world.stranger().get("/v1/markets/SHOP-POP/book").await.json();
    assert_eq!(
        book["asks"],
        json!([
            {"price": "1000", "quantity": "300", "orders": 1},
            {"price": "2000", "quantity": "100", "orders": 1},
        ])
    );
    let bid = bob.orders("BUY", "1500", "350").await;
    // 30 lots at 1,000, of which 0.1 % is the fee; 5 lots wait at 1,500.
    assert_eq!(alice.wallet(ALICE).await[0], balance("POP", "1029970", "0"));
    assert_eq!(bob.wallet(BOB).await, json!([balance("POP", "962500", "7500"), balance("SHOP", "300", "0")]));
    let order = bob.order(&bid).await;
    assert_eq!((&order["status"], &order["remaining"]), (&json!("OPEN"), &json!("50")));
    assert_eq!(alice.order(&ask).await["status"], "FILLED");
    let tape = world.stranger().get("/v1/markets/SHOP-POP/trades").await.json();
    let fill = &tape["data"][0];
    assert_eq!(
        [
            &fill["number"],
            &fill["price"],
            &fill["quantity"],
            &fill["cost"],
            &fill["fee"],
            &fill["taker_side"]
        ],
        [&json!(1), &json!("1000"), &json!("300"), &json!("30000"), &json!("30"), &json!("BUY")]
    );
    let market = world.stranger().get("/v1/markets/SHOP-POP").await.json();
    assert_eq!(
        [&market["last_price"], &market["fills"], &market["volume"], &market["status"]],
        [&json!("1000"), &json!(1), &json!("300"), &json!("OPEN")]
    );
    bob.must(&format!("/v1/orders/{bid}/reduce"), &json!({"by": "20"})).await;
    let order = bob.order(&bid).await;
    assert_eq!((&order["quantity"], &order["remaining"]), (&json!("330"), &json!("30")));
    let gone = bob.send(Method::DELETE, &format!("/v1/orders/{bid}"), &WAIT, &Value::Null).await;
    assert_eq!(gone.status, StatusCode::CREATED, "{gone:?}");
    let order = bob.order(&bid).await;
    assert_eq!((&order["status"], &order["reason"]), (&json!("CANCELLED"), &json!("REQUESTED")));
    assert_eq!(bob.wallet(BOB).await[0], balance("POP", "970000", "0"));
    let open = alice.get("/v1/orders?status=OPEN&market=SHOP-POP").await.json();
    assert_eq!((open["data"].as_array().unwrap().len(), &open["data"][0]["id"]), (1, &json!(dear)));
    assert_eq!(bob.get(&format!("/v1/orders/{dear}")).await.code(), "NOT_ORDER_OWNER");
    let events = world.stranger().get(&format!("/v1/transactions/{bid}")).await;
    assert_eq!(events.json()["kind"], "exchange.place", "{events:?}");
}

#[tokio::test]
async fn orders_fail_for_reasons_that_can_be_read() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let dear = alice.orders("SELL", "1000", "100").await;
    let root = world.state_root();
    let order = |change: Value| {
        let mut order = json!({"market": "SHOP-POP", "side": "BUY", "price": "1000", "quantity": "10"});
        order.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        order
    };
    let cases = [
        (json!({"quantity": "15"}), "QUANTITY_OFF_LOT"),
        (json!({"price": "1001"}), "PRICE_OFF_TICK"),
        (json!({"price": null}), "PRICE_NEEDED"),
        (json!({"kind": "POST_ONLY"}), "WOULD_TRADE"),
        (json!({"kind": "FOK", "quantity": "200"}), "NOT_FILLABLE"),
        (json!({"quantity": "18446744073709551610"}), "ORDER_TOO_LARGE"),
        (json!({"kind": "GTT", "until": "2001-01-01T00:00:00Z"}), "ORDER_ALREADY_OVER"),
        (json!({"side": "SELL"}), "INSUFFICIENT_FUNDS"),
        (json!({"price": "1000000", "quantity": "200"}), "INSUFFICIENT_FUNDS"),
    ];
    for (change, code) in cases {
        let reply = bob.make("/v1/orders", &order(change.clone())).await;
        assert!(!reply.status.is_success(), "{change}");
        assert_eq!((reply.code(), world.state_root()), (code, root), "{change}");
    }
    let path = format!("/v1/orders/{dear}");
    assert_eq!(bob.send(Method::DELETE, &path, &WAIT, &Value::Null).await.code(), "NOT_ORDER_OWNER");
    assert_eq!(alice.make(&format!("{path}/reduce"), &json!({"by": "100"})).await.code(), "NOTHING_LEFT");
    let market = json!({"base": "SHOP", "tick": "1", "lot": "1"});
    assert_eq!(alice.make("/v1/markets", &market).await.code(), "MARKET_EXISTS");
    let other = json!({"base": "SHOP", "quote": "SHOP", "tick": "1", "lot": "1"});
    assert_eq!(alice.make("/v1/markets", &other).await.code(), "SAME_ASSET");
    assert_eq!(bob.make("/v1/markets", &other).await.code(), "NOT_ADMIN_OR_ISSUER");
    for query in ["depth=0", "depth=101", "depth=x"] {
        assert_eq!(bob.get(&format!("/v1/markets/SHOP-POP/book?{query}")).await.code(), "INVALID_QUERY");
    }
    for query in ["span=2h", "before=x", "limit=0", "limit=1001"] {
        assert_eq!(bob.get(&format!("/v1/markets/SHOP-POP/candles?{query}")).await.code(), "INVALID_QUERY");
    }
}

#[tokio::test]
async fn an_admin_halts_a_market_and_lets_it_go_on() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, admin) = (world.client(ALICE).await, world.client(ADMIN).await);
    let order = alice.orders("SELL", "1000", "100").await;
    admin.must("/v1/markets/SHOP-POP/halt", &Value::Null).await;
    assert_eq!(world.stranger().get("/v1/markets").await.json()["data"][0]["status"], "HALTED");
    let another = json!({"market": "SHOP-POP", "side": "SELL", "price": "1000", "quantity": "10"});
    assert_eq!(alice.make("/v1/orders", &another).await.code(), "WRONG_MARKET_STATUS");
    let gone = alice.send(Method::DELETE, &format!("/v1/orders/{order}"), &WAIT, &Value::Null).await;
    assert_eq!(gone.status, StatusCode::CREATED, "{gone:?}");
    admin.must("/v1/markets/SHOP-POP/resume", &Value::Null).await;
    alice.must("/v1/orders", &another).await;
    assert_eq!(admin.make("/v1/markets/SHOP-POP/resume", &Value::Null).await.code(), "WRONG_MARKET_STATUS");
}

#[tokio::test]
async fn candles_say_what_the_tape_says() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    for (price, quantity, pause) in
        [("1000", "10", 0), ("1200", "20", 1), ("900", "10", 1), ("950", "10", 3_600)]
    {
        world.advance_clock(std::time::Duration::from_secs(pause));
        alice.orders("SELL", price, quantity).await;
        bob.orders("BUY", price, quantity).await;
    }
    let hours = world.stranger().get("/v1/markets/SHOP-POP/candles?span=1h").await.json();
    let hours = hours["data"].as_array().unwrap();
    let read = |candle: &Value| {
        ["open", "high", "low", "close", "volume", "fills"]
            .map(|field| candle[field].as_str().map_or_else(|| candle[field].to_string(), str::to_owned))
    };
    assert_eq!(read(&hours[0]), ["1000", "1200", "900", "900", "40", "3"]);
    assert_eq!(read(&hours[1]), ["950", "950", "950", "950", "10", "1"]);
    let days = world.stranger().get("/v1/markets/SHOP-POP/candles?span=1d").await.json();
    let volume: u64 = days["data"].as_array().unwrap().iter().map(|day| day["fills"].as_u64().unwrap()).sum();
    assert_eq!(volume, 4);
    let start = hours[1]["start"].as_str().unwrap();
    let before = world.stranger().get(&format!("/v1/markets/SHOP-POP/candles?span=1h&before={start}")).await;
    assert_eq!(before.json()["data"], json!([hours[0]]));
}

#[tokio::test]
async fn lists_of_tokens_markets_orders_and_the_tape_go_on() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    alice.must("/v1/tokens", &json!({"symbol": "GOLD", "name": "Gold", "decimals": 3})).await;
    alice.must("/v1/markets", &json!({"base": "GOLD", "tick": "1", "lot": "1"})).await;
    for price in ["1000", "1005", "1010"] {
        alice.orders("SELL", price, "10").await;
        bob.orders("BUY", price, "10").await;
    }
    let stranger = world.stranger();
    let walk = async |client: &Client<'_>, path: &str, name: &str| {
        let mut seen = Vec::new();
        loop {
            let after = seen.last().map_or(String::new(), |last| format!("&starting_after={last}"));
            let page = client.get(&format!("{path}?limit=1{after}")).await.json();
            seen.push(page["data"][0][name].as_str().unwrap().to_owned());
            if page["has_more"] == false {
                return seen;
            }
        }
    };
    assert_eq!(walk(&stranger, "/v1/tokens", "symbol").await, ["GOLD", "SHOP"]);
    assert_eq!(walk(&stranger, "/v1/markets", "id").await, ["GOLD-POP", "SHOP-POP"]);
    assert_eq!(walk(&stranger, "/v1/markets/SHOP-POP/trades", "id").await.len(), 3);
    assert_eq!(walk(&bob, "/v1/orders", "id").await.len(), 3);
    assert_eq!(stranger.get("/v1/markets/GOLD-POP/trades").await.json()["data"], json!([]));
}

#[tokio::test]
async fn an_order_is_placed_and_taken_back_without_script() {
    let world = World::new().await;
    with_market(&world).await;
    world.client(ALICE).await.orders("SELL", "1000", "100").await;
    let bob = Browser::of(&world, BOB).await;
    let list = bob.page("/exchange?lang=en").await;
    assert!(list.contains("/exchange/SHOP-POP") && list.contains("1,000 SHOP"), "{list}");
    let market = bob.page("/exchange/SHOP-POP?lang=en").await;
    assert!(market.contains("1,000 POP") && market.contains("100 SHOP"), "{market}");
    let order = [("side", "BUY"), ("price", "1000"), ("quantity", "150")];
    let market = bob.press(&market, "/orders", &order).await;
    assert!(market.contains("50 SHOP"), "{market}");
    assert_eq!(world.available(BOB), 1_000_000 - 10_000 - 5_000);
    let wrong =
        bob.press_once(&market, "/orders", &[("side", "BUY"), ("price", "1"), ("quantity", "10")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    bob.press(&market, "/cancel", &[]).await;
    assert_eq!(world.available(BOB), 1_000_000 - 10_000);
    assert!(bob.page("/wallet").await.contains("100 SHOP"));
}
