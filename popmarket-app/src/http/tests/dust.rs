//! Anybody can send anybody some of a token of their own.

use serde_json::{Value, json};

use super::world::{ALICE, BOB, World, account};

/// More than are shown at a time.
const TOKENS: usize = 102;
/// By their letters they would be the last one and the first one.
const SHORT: &str = "ZZZ";
const LONG: &str = "AAAAA";

fn symbol(number: usize) -> String {
    format!("T{number:03}")
}

fn assets(wallet: &Value) -> Vec<String> {
    let balances = wallet["balances"].as_array().unwrap();
    balances.iter().map(|balance| balance["asset"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_wallet_is_shown_however_many_tokens_strangers_sent() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    for symbol in (0..TOKENS).map(symbol).chain([SHORT, LONG].map(str::to_owned)) {
        let token = json!({"symbol": symbol, "name": "Dust"});
        alice.must("/v1/tokens", &token).await;
        let gift = json!({"to": account(BOB), "amount": "1"});
        alice.must(&format!("/v1/tokens/{symbol}/mint"), &gift).await;
    }
    // What has come to nothing does not count.
    let back = json!({"to": account(ALICE), "amount": "1"});
    bob.must(&format!("/v1/tokens/{}/transfer", symbol(0)), &back).await;
    for number in [0, 1] {
        let token = world.stranger().get(&format!("/v1/tokens/{}", symbol(number))).await.json();
        assert_eq!(token["holders"], json!(1), "{token}");
    }

    let with_coin = |symbols: &[String]| -> Vec<String> {
        std::iter::once("POP".to_owned()).chain(symbols.iter().cloned()).collect()
    };
    let all: Vec<String> =
        [SHORT.to_owned()].into_iter().chain((1..TOKENS).map(symbol)).chain([LONG.to_owned()]).collect();
    let (begin, end) = all.split_at(100);
    let path = |consistency: &str| format!("/v1/wallets/{}?consistency={consistency}", account(BOB));
    // Whoever has one part can have the next one from either.
    for (one, other) in [("local", "local"), ("quorum", "quorum"), ("local", "quorum"), ("quorum", "local")] {
        let first = bob.get(&path(one)).await.json();
        assert_eq!((assets(&first), &first["has_more"]), (with_coin(begin), &json!(true)), "{one}");
        assert_eq!(first["balances"][0]["available"], json!("1000000"));
        let last = begin.last().unwrap();
        assert_eq!(first["next"], json!(last));
        let rest = bob.get(&format!("{}&starting_after={last}", path(other))).await.json();
        assert_eq!((assets(&rest), &rest["has_more"]), (with_coin(end), &json!(false)), "{one}, {other}");
        assert!(rest.get("next").is_none(), "{rest}");
        assert_eq!(bob.get(&format!("{}&starting_after=dust", path(other))).await.code(), "INVALID_QUERY");
    }
    let page = bob.get("/wallet").await;
    let more = format!("/v1/wallets/{}?starting_after={}", account(BOB), symbol(99));
    assert!(page.text().contains(&symbol(99)) && !page.text().contains(&symbol(100)), "{}", page.text());
    assert!(page.text().contains(&more), "{}", page.text());
}
