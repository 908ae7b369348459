//! Anybody can send anybody some of a token of their own.

use serde_json::{Value, json};

use super::world::{ALICE, BOB, World, account};

/// More than are shown at a time.
const TOKENS: usize = 102;

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
    for number in 0..TOKENS {
        let token = json!({"symbol": symbol(number), "name": "Dust"});
        alice.must("/v1/tokens", &token).await;
        let gift = json!({"to": account(BOB), "amount": "1"});
        alice.must(&format!("/v1/tokens/{}/mint", symbol(number)), &gift).await;
    }
    // What has come to nothing does not count.
    let back = json!({"to": account(ALICE), "amount": "1"});
    bob.must(&format!("/v1/tokens/{}/transfer", symbol(0)), &back).await;
    for number in [0, 1] {
        let token = world.stranger().get(&format!("/v1/tokens/{}", symbol(number))).await.json();
        assert_eq!(token["holders"], json!(1), "{token}");
    }

    let expected = |numbers: std::ops::Range<usize>| -> Vec<String> {
        std::iter::once("POP".to_owned()).chain(numbers.map(symbol)).collect()
    };
    for consistency in ["local", "quorum"] {
        let path = format!("/v1/wallets/{}?consistency={consistency}", account(BOB));
        let first = bob.get(&path).await.json();
        assert_eq!((assets(&first), &first["has_more"]), (expected(1..101), &json!(true)), "{consistency}");
        assert_eq!(first["balances"][0]["available"], json!("1000000"));
        let rest = bob.get(&format!("{path}&starting_after={}", symbol(100))).await.json();
        assert_eq!((assets(&rest), &rest["has_more"]), (expected(101..102), &json!(false)), "{consistency}");
        assert_eq!(bob.get(&format!("{path}&starting_after=dust")).await.code(), "INVALID_QUERY");
    }
    let page = bob.get("/wallet").await;
    let more = format!("/v1/wallets/{}?starting_after={}", account(BOB), symbol(100));
    assert!(page.text().contains(&symbol(100)) && !page.text().contains(&symbol(101)), "{}", page.text());
    assert!(page.text().contains(&more), "{}", page.text());
}
