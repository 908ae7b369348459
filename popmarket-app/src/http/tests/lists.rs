//! Lists, page by page.

use serde_json::{Value, json};

use super::world::{ALICE, BOB, Client, World, account};

async fn ids(client: &Client<'_>, path: &str) -> (Vec<String>, bool) {
    let page = client.get(path).await.json();
    let items = page["data"].as_array().unwrap_or_else(|| panic!("{path}: {page}"));
    let id = |item: &Value| {
        let id = ["id", "tx_id", "height", "symbol"].iter().find_map(|name| item.get(name)).unwrap();
        id.as_str().map_or_else(|| id.to_string(), str::to_owned)
    };
    (items.iter().map(id).collect(), page["has_more"].as_bool().unwrap())
}

/// Walks a list of `count` items forwards and backwards in steps of two.
pub(super) async fn walk(client: &Client<'_>, path: &str, count: usize) -> Vec<String> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (all, has_more) = ids(client, &format!("{path}{joint}limit=100")).await;
    assert_eq!((all.len(), has_more), (count, false), "{path}");
    let mut forwards: Vec<String> = Vec::new();
    loop {
        let after = forwards.last().map_or(String::new(), |last| format!("&starting_after={last}"));
        let (page, has_more) = ids(client, &format!("{path}{joint}limit=2{after}")).await;
        forwards.extend(page);
        if !has_more {
            break;
        }
    }
    assert_eq!(forwards, all, "{path}");
    let mut backwards: Vec<String> = vec![all.last().unwrap().clone()];
    loop {
        let (mut page, has_more) =
            ids(client, &format!("{path}{joint}limit=2&ending_before={}", backwards[0])).await;
        page.append(&mut backwards);
        backwards = page;
        if !has_more {
            break;
        }
    }
    assert_eq!(backwards, all, "{path}");
    all
}

#[tokio::test]
async fn every_list_can_be_walked_both_ways() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let mut listings = Vec::new();
    for price in [300, 100, 200, 500, 400] {
        listings.push(alice.lists(&format!("Lamp {price}"), price).await);
    }
    let mut trades = Vec::new();
    for listing in &listings[..3] {
        trades.push(bob.buys(listing).await);
    }
    for amount in ["1", "2", "3"] {
        bob.must("/v1/charges", &json!({"amount": amount})).await;
    }
    let newest_first = |ids: &[String]| ids.iter().rev().cloned().collect::<Vec<_>>();
    let stranger = world.stranger();
    assert_eq!(walk(&stranger, "/v1/listings", 5).await, newest_first(&listings));
    let by_price: Vec<_> = [1, 2, 0, 4, 3].iter().map(|i: &usize| listings[*i].clone()).collect();
    assert_eq!(walk(&stranger, "/v1/listings?sort=price", 5).await, by_price);
    assert_eq!(walk(&stranger, "/v1/listings?sort=-price", 5).await, newest_first(&by_price));
    assert_eq!(walk(&stranger, "/v1/listings?q=lamp&min_price=200&max_price=400", 3).await.len(), 3);
    assert_eq!(walk(&stranger, "/v1/listings?status=OPEN", 2).await, newest_first(&listings[3..]));
    assert_eq!(walk(&bob, "/v1/trades?side=buyer", 3).await, newest_first(&trades));
    assert_eq!(walk(&bob, &format!("/v1/trades?listing={}", listings[1]), 1).await, [trades[1].clone()]);
    assert_eq!(ids(&bob, "/v1/trades?side=seller").await, (Vec::new(), false));
    assert_eq!(walk(&bob, "/v1/charges", 3).await.len(), 3);
    assert_eq!(walk(&stranger, "/v1/transactions", 11).await.len(), 11);
    walk(&stranger, "/v1/blocks", 12).await;
    // Those that it sent, and those of others that moved its money: none here.
    walk(&stranger, &format!("/v1/accounts/{}/transactions", account(BOB)), 6).await;
    walk(&stranger, &format!("/v1/accounts/{}/trades", account(ALICE)), 3).await;
    walk(&stranger, &format!("/v1/transactions?account={}", account(BOB)), 6).await;
}

#[tokio::test]
async fn a_cursor_that_names_nothing_is_refused() {
    let world = World::new().await;
    let reply = world.stranger().get(&format!("/v1/listings?starting_after={}", "ab".repeat(32))).await;
    assert_eq!(reply.code(), "INVALID_QUERY");
}
