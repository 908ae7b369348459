//! The address book of the replicas, and how admins change it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, Client, OTHER_ADMIN, World, account};
use crate::testing::key;

fn public_key(number: u8) -> String {
    key(number).public_key().to_string()
}

async fn members(client: &Client<'_>) -> Vec<(u64, String)> {
    let book = client.get("/v1/network/replicas").await.json();
    assert_eq!(book["has_more"], json!(false));
    let entry =
        |entry: &Value| (entry["id"].as_u64().unwrap(), entry["address"].as_str().unwrap().to_owned());
    book["data"].as_array().unwrap().iter().map(entry).collect()
}

fn first() -> Vec<(u64, String)> {
    (0..4).map(|id| (id, format!("127.0.0.1:{}", 101 + id))).collect()
}

#[tokio::test]
async fn one_admin_asks_another_decides_and_everyone_can_look() {
    let world = World::new().await;
    let (admin, other, stranger) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.stranger());
    assert_eq!(members(&stranger).await, first());
    let book = stranger.get("/v1/network/replicas").await.json();
    assert_eq!(book["data"][0]["public_key"], json!(public_key(101)));
    assert_eq!(book["data"][0]["since"], json!("2023-11-14T22:13:20.000Z"));

    let wish = json!({"action": "add", "public_key": public_key(105), "address": "replica5.example:7000"});
    let change = admin.must("/v1/network/replicas", &wish).await;
    let at = format!("/v1/network/replicas/changes/{change}");
    let shown = stranger.get(&at).await.json();
    assert_eq!((&shown["status"], &shown["proposer"]), (&json!("PROPOSED"), &json!(account(ADMIN))));
    assert_eq!(shown["edit"]["add"]["replica"]["address"], json!("replica5.example:7000"));
    assert_eq!(members(&stranger).await, first());
    let approve = format!("{at}/approve");
    assert_eq!(admin.make(&approve, &Value::Null).await.code(), "OWN_REPLICA_CHANGE");
    other.must(&approve, &Value::Null).await;
    let five = [first(), vec![(4, "replica5.example:7000".to_owned())]].concat();
    assert_eq!(members(&stranger).await, five);
    assert_eq!(stranger.get(&at).await.json()["decided_by"], json!(account(OTHER_ADMIN)));
    assert_eq!(other.make(&approve, &Value::Null).await.code(), "REPLICA_CHANGE_ALREADY_DECIDED");
    for (lang, words) in [("en", "Address book"), ("ko", "주소록")] {
        let page = stranger.get(&format!("/network?lang={lang}")).await;
        assert!(page.text().contains(words) && page.text().contains("replica5.example:7000"));
    }

    let removal = [("prefer", "wait=10")];
    let reply = admin.send(Method::DELETE, "/v1/network/replicas/0", &removal, &Value::Null).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let change = reply.json()["id"].as_str().unwrap().to_owned();
    let reject = format!("/v1/network/replicas/changes/{change}/reject");
    other.must(&reject, &json!({"reason": "it works"})).await;
    let shown = stranger.get(&format!("/v1/network/replicas/changes/{change}")).await.json();
    assert_eq!(shown["status"], json!("REJECTED"));
    assert_eq!(members(&stranger).await, five);
}

#[tokio::test]
async fn every_kind_of_change_is_carried_out() {
    let world = World::new().await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let changes = [
        json!({"action": "rotate", "id": 1, "public_key": public_key(105)}),
        json!({"action": "move", "id": 1, "address": "[::1]:7001"}),
        json!({"action": "replace", "remove": [0], "add": [
            {"public_key": public_key(106), "address": "a:1"}, {"public_key": public_key(107), "address": "b:1"},
        ]}),
        json!({"action": "remove", "id": 2}),
    ];
    for wish in changes {
        let change = admin.must("/v1/network/replicas", &wish).await;
        other.must(&format!("/v1/network/replicas/changes/{change}/approve"), &Value::Null).await;
    }
    let book = admin.get("/v1/network/replicas").await.json();
    assert_eq!(book["data"][0]["public_key"], json!(public_key(105)));
    let expected = [(1, "[::1]:7001"), (3, "127.0.0.1:104"), (4, "a:1"), (5, "b:1")];
    assert_eq!(members(&admin).await, expected.map(|(id, address)| (id, address.to_owned())));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_nothing_is_recorded() {
    let world = World::new().await;
    let (admin, alice) = (world.client(ADMIN).await, world.client(ALICE).await);
    let root = world.state_root();
    let add = |key: String, address: &str| json!({"action": "add", "public_key": key, "address": address});
    let cases = [
        (json!({"action": "remove", "id": 0}), "TOO_FEW_REPLICAS"),
        (json!({"action": "remove", "id": 9}), "UNKNOWN_REPLICA"),
        (json!({"action": "replace", "remove": [], "add": []}), "NOTHING_TO_CHANGE"),
        (add(public_key(102), "a:1"), "REPLICA_KEY_USED"),
        (add(format!("02{}", "ff".repeat(32)), "a:1"), "BAD_REPLICA_KEY"),
        (add(public_key(105), "127.0.0.1:101"), "REPLICA_ADDRESS_IN_USE"),
        (add(public_key(105), "no port"), "INVALID_BODY"),
        (add("00".to_owned(), "a:1"), "INVALID_BODY"),
        (json!({"action": "add", "id": 1}), "INVALID_BODY"),
        (json!({"action": "remove", "id": 1, "more": 1}), "INVALID_BODY"),
        (json!({"action": "burn", "id": 1}), "INVALID_BODY"),
    ];
    for (wish, code) in cases {
        assert_eq!(admin.make("/v1/network/replicas", &wish).await.code(), code, "{wish}");
    }
    let wish = add(public_key(105), "a:1");
    assert_eq!(alice.make("/v1/network/replicas", &wish).await.code(), "FORBIDDEN");
    let unknown = format!("/v1/network/replicas/changes/{}", "ab".repeat(32));
    assert_eq!(admin.get(&unknown).await.code(), "UNKNOWN_REPLICA_CHANGE");
    let approve = format!("{unknown}/approve");
    assert_eq!(admin.make(&approve, &Value::Null).await.code(), "UNKNOWN_REPLICA_CHANGE");
    assert_eq!(world.state_root(), root);
}

/// Which replica a wish is about, by the id of the change.
async fn list(client: &Client<'_>, query: &str) -> (Vec<String>, bool) {
    let page = client.get(&format!("/v1/network/replicas/changes{query}")).await.json();
    let id = |change: &Value| change["id"].as_str().unwrap().to_owned();
    (page["data"].as_array().unwrap().iter().map(id).collect(), page["has_more"].as_bool().unwrap())
}

#[tokio::test]
async fn open_changes_are_listed_newest_first() {
    let world = World::new().await;
    let (admin, other, stranger) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.stranger());
    assert_eq!(list(&stranger, "").await, (Vec::new(), false));
    let mut changes = Vec::new();
    for port in 1..=5 {
        let wish = json!({"action": "move", "id": 0, "address": format!("a:{port}")});
        world.advance_clock(std::time::Duration::from_millis(10));
        changes.insert(0, admin.must("/v1/network/replicas", &wish).await);
    }
    assert_eq!(list(&stranger, "").await, (changes.clone(), false));
    other.must(&format!("/v1/network/replicas/changes/{}/approve", changes[1]), &Value::Null).await;
    let reject = format!("/v1/network/replicas/changes/{}/reject", changes[3]);
    other.must(&reject, &json!({"reason": "no"})).await;
    let open = vec![changes[0].clone(), changes[2].clone(), changes[4].clone()];
    assert_eq!(list(&stranger, "?status=PROPOSED").await, (open.clone(), false));
    assert_eq!(list(&stranger, "?status=APPROVED").await.0, changes[1..2]);
    assert_eq!(list(&stranger, "?status=REJECTED").await.0, changes[3..4]);
    assert_eq!(list(&stranger, "?status=PROPOSED&limit=2").await, (open[..2].to_vec(), true));
    // What a page starts from may be decided by the time the next one is asked for.
    let after = format!("?status=PROPOSED&limit=2&starting_after={}", changes[1]);
    assert_eq!(list(&stranger, &after).await, (open[1..].to_vec(), false));
    let before = format!("?limit=2&ending_before={}", changes[3]);
    assert_eq!(list(&stranger, &before).await, (changes[1..3].to_vec(), true));
    for wrong in ["?status=OPEN", "?starting_after=x", "?limit=0"] {
        let reply = stranger.get(&format!("/v1/network/replicas/changes{wrong}")).await;
        assert_eq!(reply.code(), "INVALID_QUERY", "{wrong}");
    }
    let unknown = format!("/v1/network/replicas/changes?starting_after={}", "ab".repeat(32));
    assert_eq!(stranger.get(&unknown).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn the_genesis_is_there_for_newcomers() {
    let world = World::new().await;
    let genesis: ledger::Genesis =
        serde_json::from_value(world.stranger().get("/v1/network/genesis").await.json()).unwrap();
    assert_eq!(genesis, crate::testing::genesis());
}
