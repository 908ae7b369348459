//! The explorer: search, the trade histories, and what a block says.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::exchange::with_market;
use super::pages::Browser;
use super::world::{ADMIN, ALICE, BOB, Client, World, account};

/// The kinds and ids of what is found.
async fn found(client: &Client<'_>, q: &str) -> Vec<(String, String)> {
    let q: String = form_urlencoded::byte_serialize(q.as_bytes()).collect();
    let reply = client.get(&format!("/v1/search?q={q}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let hits = reply.json()["data"].as_array().unwrap().clone();
    hits.iter().map(|hit| (text(&hit["kind"]), text(&hit["id"]))).collect()
}

fn hits<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(kind, id)| (kind.to_owned(), id.to_owned())).to_vec()
}

#[tokio::test]
async fn everything_is_found_by_what_names_it() {
    let world = World::new().await;
    let (alice, bob, stranger) = (world.client(ALICE).await, world.client(BOB).await, world.stranger());
    let listing = alice.lists("필름 Camera 100%", 300).await;
    let trade = bob.buys(&listing).await;
    let payment = bob.must("/v1/payments", &json!({"to": account(ALICE), "amount": "9"})).await;
    let charge = bob.must("/v1/charges", &json!({"amount": "9"})).await;
    with_market(&world).await;

    let block = stranger.get("/v1/blocks/2").await.json();
    let hash = block["hash"].as_str().unwrap();
    assert_eq!(found(&stranger, "2").await, hits([("block", "2")]));
    assert_eq!(found(&stranger, hash).await, hits([("block", "2")]));
    let address = account(ALICE).to_string();
    assert_eq!(found(&stranger, &address).await, hits([("account", &address)]));
    assert_eq!(found(&stranger, " AL ").await, hits([("account", &address)]));
    let shop = hits([("token", "SHOP"), ("market", "SHOP-POP")]);
    assert_eq!(found(&stranger, "shop").await, shop);
    assert_eq!(found(&stranger, "shop-pop").await, hits([("market", "SHOP-POP")]));
    assert_eq!(found(&stranger, "카메라").await, hits([]));
    assert_eq!(found(&stranger, "camera 필름").await, hits([("listing", &listing)]));
    assert_eq!(found(&stranger, "100%").await, hits([("listing", &listing)]));
    assert_eq!(found(&stranger, &listing).await, hits([("listing", &listing), ("transaction", &listing)]));
    assert_eq!(found(&stranger, &trade).await, hits([("trade", &trade), ("transaction", &trade)]));
    assert_eq!(found(&stranger, &payment).await, hits([("payment", &payment), ("transaction", &payment)]));
    // That there is a charge is public as a transaction; the charge itself is not.
    assert_eq!(found(&stranger, &charge).await, hits([("transaction", &charge)]));
    for nothing in ["_", "99999999999999999999", "pop1", &"ab".repeat(32), "'; --", "a\u{0}b"] {
        assert_eq!(found(&stranger, nothing).await, hits([]), "{nothing}");
    }
}

#[tokio::test]
async fn a_poll_is_found_by_its_question() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let poll = json!({
        "question": "Which Market day?", "options": ["Monday", "Friday"], "closes_at": "2023-12-01T00:00:00Z",
    });
    let reply = alice.make("/v1/polls", &poll).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    let poll = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(found(&alice, "DAY which").await, hits([("poll", &poll)]));
    assert_eq!(found(&alice, &poll).await, hits([("poll", &poll), ("transaction", &poll)]));

    // Letters of other alphabets have a case, too, as in listings.
    let other =
        json!({"question": "ÄPFEL или Груши?", "options": ["a", "b"], "closes_at": "2023-12-01T00:00:00Z"});
    let other = alice.must("/v1/polls", &other).await;
    let listing = alice.lists("ÄPFEL", 3).await;
    assert_eq!(found(&alice, "äpfel ГРУШИ").await, hits([("poll", &other)]));
    assert_eq!(found(&alice, "äpfel").await, hits([("listing", &listing), ("poll", &other)]));
}

#[tokio::test]
async fn links_lead_to_what_whoever_asks_may_read() {
    let world = World::new().await;
    let (alice, bob, stranger) = (world.client(ALICE).await, world.client(BOB).await, world.stranger());
    let listing = alice.lists("Lamp", 300).await;
    let trade = bob.buys(&listing).await;
    with_market(&world).await;
    for client in [&stranger, &bob, &world.client(ADMIN).await] {
        for q in ["1", "al", "lamp", "SHOP", &trade, &listing] {
            let reply = client.get(&format!("/v1/search?q={q}")).await.json();
            assert_ne!(reply["data"], json!([]), "{q}");
            for hit in reply["data"].as_array().unwrap() {
                for link in ["href", "page"] {
                    let there = client.get(hit[link].as_str().unwrap()).await;
                    assert_eq!(there.status, StatusCode::OK, "{q} {link} {hit} {there:?}");
                }
            }
        }
    }
    let hit = bob.get(&format!("/v1/search?q={trade}")).await.json()["data"][0].clone();
    assert_eq!(hit["href"], format!("/v1/trades/{trade}"));
    let hit = stranger.get(&format!("/v1/search?q={trade}")).await.json()["data"][0].clone();
    assert_eq!(
        (&hit["href"], &hit["title"]),
        (&json!(format!("/v1/listings/{listing}/trades")), &json!("Lamp"))
    );
}

#[tokio::test]
async fn a_search_is_bounded() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    for number in 0..11 {
        alice.lists(&format!("Lamp {number}"), 300).await;
    }
    assert_eq!(found(&alice, "lamp").await.len(), 10);
    let long = "x".repeat(101);
    for query in ["", "?q=", "?q=%20", "?q=a&q=b", "?q=a&no_such=1", &format!("?q={long}")] {
        assert_eq!(alice.get(&format!("/v1/search{query}")).await.code(), "INVALID_QUERY", "{query}");
    }
}

#[tokio::test]
async fn a_visitor_searches_without_script() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let listing = alice.lists("<b>Lamp</b>", 300).await;
    let visitor = Browser::of(&world, BOB).await;
    let blocks = visitor.page("/blocks?lang=en").await;
    assert!(blocks.contains("method=\"get\" action=\"/search\""), "{blocks}");
    let page = visitor.page("/search?q=%3Cb%3ELamp&lang=en").await;
    assert!(page.contains(&format!("/items/{listing}")) && !page.contains("<b>"), "{page}");
    assert!(visitor.page("/search?q=nobody&lang=en").await.contains("Nothing was found."));
    assert!(!visitor.page("/search?lang=en").await.contains("Nothing was found."));
}

#[tokio::test]
async fn an_item_and_a_seller_have_a_history() {
    let world = World::new().await;
    let (alice, bob, stranger) = (world.client(ALICE).await, world.client(BOB).await, world.stranger());
    let listing = alice.lists("Lamp", 300).await;
    let cancelled = bob.buys(&listing).await;
    let path = format!("/v1/listings/{listing}/trades");
    assert_eq!(stranger.get(&path).await.json()["data"], json!([]), "it goes on");
    alice.moves(&cancelled, "cancel", &Value::Null).await;
    let change = json!({"price": "250"});
    let reply = alice
        .send(Method::PATCH, &format!("/v1/listings/{listing}"), &[("prefer", "wait=10")], &change)
        .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    world.advance_clock(std::time::Duration::from_secs(60));
    let sold = bob.buys(&listing).await;
    alice.moves(&sold, "ship", &json!({"tracking": "CJ 1"})).await;
    bob.moves(&sold, "confirm", &Value::Null).await;
    let ended = stranger.get(&path).await.json()["data"][0]["closed_at"].clone();
    world.advance_clock(std::time::Duration::from_secs(60));
    alice.moves(&sold, "give-back", &json!({"amount": "10"})).await;

    let history = stranger.get(&path).await.json();
    let read = |sale: &Value| {
        ["trade", "state", "price", "title"].map(|field| sale[field].as_str().unwrap().to_owned())
    };
    let sales: Vec<_> = history["data"].as_array().unwrap().iter().map(read).collect();
    let expected =
        [[sold.as_str(), "RELEASED", "250", "Lamp"], [cancelled.as_str(), "CANCELLED", "300", "Lamp"]];
    assert_eq!(sales, expected.map(|sale| sale.map(str::to_owned)));
    let last = &history["data"][0];
    assert_eq!((&last["version"], &last["given_back"]), (&json!(2), &json!("10")));
    assert_eq!(last["closed_at"], ended, "what is given back later does not move the end");
    assert_eq!(last["paid"], json!({"to_buyer": "0", "to_seller": "248", "fee": "2"}));

    let of = |who: u8, side: &str| format!("/v1/accounts/{}/trades?side={side}", account(who));
    let count = |list: Value| list["data"].as_array().unwrap().len();
    assert_eq!(count(stranger.get(&of(ALICE, "seller")).await.json()), 2);
    assert_eq!(count(stranger.get(&of(ALICE, "buyer")).await.json()), 0);
    assert_eq!(count(stranger.get(&format!("{}&state=RELEASED", of(ALICE, "seller"))).await.json()), 1);
    assert_eq!(stranger.get(&of(ALICE, "both")).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn a_symbol_has_a_history_whose_numbers_have_no_gaps() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob, stranger) = (world.client(ALICE).await, world.client(BOB).await, world.stranger());
    alice.must("/v1/tokens", &json!({"symbol": "SHOPS", "name": "Another"})).await;
    for price in ["1000", "1005", "1010"] {
        alice.orders("SELL", price, "10").await;
        bob.orders("BUY", price, "10").await;
    }
    let read = |list: &Value| -> Vec<(String, u64)> {
        let fills = list["data"].as_array().unwrap().iter();
        fills.map(|fill| (fill["market"].to_string(), fill["number"].as_u64().unwrap())).collect()
    };
    let expected: Vec<_> = [3, 2, 1].map(|number| ("\"SHOP-POP\"".to_owned(), number)).to_vec();
    let of_market = stranger.get("/v1/markets/SHOP-POP/trades").await.json();
    let of_token = stranger.get("/v1/tokens/SHOP/trades").await.json();
    assert_eq!((read(&of_market), read(&of_token)), (expected.clone(), expected));
    assert_eq!(stranger.get("/v1/tokens/SHOPS/trades").await.json()["data"], json!([]));
    let page = stranger.get("/v1/tokens/SHOP/trades?limit=2").await.json();
    let after = page["data"][1]["id"].as_str().unwrap();
    let rest = stranger.get(&format!("/v1/tokens/SHOP/trades?limit=2&starting_after={after}")).await.json();
    assert_eq!((read(&rest).len(), &rest["has_more"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_block_says_all_that_it_is_made_of() {
    let world = World::new().await;
    let listing = world.client(ALICE).await.lists("Lamp", 300).await;
    let stranger = world.stranger();
    assert_eq!(
        stranger.get("/v1/blocks/1").await.json()["certificate"],
        Value::Null,
        "nobody has signed yet"
    );
    world.certify(1);
    let block = stranger.get("/v1/blocks/1").await.json();
    let before = stranger.get("/v1/blocks/0").await.json();
    assert_eq!((&block["height"], &block["parent"]), (&json!(1), &before["hash"]));
    for number in ["view", "seq"] {
        assert!(block[number].is_u64(), "{block}");
    }
    assert!(block["time"].as_str().unwrap().ends_with('Z'));
    for digest in ["hash", "parent", "tx_root", "receipts_root", "state_root", "replica_set_hash"] {
        assert_eq!(block[digest].as_str().unwrap().len(), 64, "{digest}");
    }
    assert_eq!((&block["transactions"][0]["tx_id"], &block["has_more"]), (&json!(listing), &json!(false)));
    let rest = stranger.get(&format!("/v1/blocks/1?limit=1&starting_after={listing}")).await.json();
    assert_eq!((&rest["hash"], &rest["transactions"]), (&block["hash"], &json!([])));
    let page = Browser::stranger(&world).page(&format!("/blocks/1?before={listing}&lang=en")).await;
    assert!(!page.contains("tx-"), "{page}");
    let certificate = &block["certificate"];
    assert_eq!((&certificate["hash"], &certificate["seq"]), (&block["hash"], &block["seq"]));
    assert_eq!(certificate["signatures"].as_array().unwrap().len(), 2);
    let by_hash = stranger.get(&format!("/v1/blocks/{}", block["hash"].as_str().unwrap())).await.json();
    assert_eq!(by_hash, block);
}

#[tokio::test]
async fn words_are_in_the_language_that_is_asked_for() {
    let world = World::new().await;
    let listing = world.client(ALICE).await.lists("Lamp", 300).await;
    let stranger = world.stranger();
    let summary = async |language: &str| {
        let request = stranger.request(&Method::GET, &format!("/v1/transactions/{listing}"));
        let request = request.header("accept-language", language).body(Body::empty()).unwrap();
        world.answer(request).await.json()["summary"].as_str().unwrap().to_owned()
    };
    assert_eq!(summary("en-GB, ko;q=0.5").await, "alice put “Lamp” up for sale at 300 POP");
    assert_eq!(summary("ko").await, "alice 님이 ‘Lamp’을(를) 300 POP에 올렸습니다");
    let unsaid = stranger.get(&format!("/v1/transactions/{listing}")).await.json();
    assert_eq!(unsaid["summary"], json!(summary("ko").await));
    let block = stranger.get("/v1/blocks/1").await.json();
    assert_eq!(block["transactions"][0]["summary"], unsaid["summary"]);
}
