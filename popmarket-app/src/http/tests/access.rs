//! Who may use which route: every route with every kind of client.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, Client, Reply, World, account};
use crate::http::access::{self, Access, Rule};

/// The path with its parameters filled in by what is named nowhere.
pub(super) fn unknown_path(rule: &Rule) -> String {
    // The one name that is a number.
    if rule.path == "/v1/network/replicas/{id}" {
        return rule.path.replace("{id}", "65535");
    }
    let key = pbft_crypto::KeyPair::from_secret_bytes(&[9; 32]).unwrap().public_key();
    let nobody = pbft_crypto::Address::from_bytes([9; 32]).to_string();
    if rule.path.starts_with("/v1/tokens/") {
        let query = if rule.path.ends_with("/allowance") {
            format!("?owner={nobody}&spender={nobody}")
        } else {
            String::new()
        };
        return format!("{}{query}", rule.path.replace("{symbol}", "NOSUCH"));
    }
    if rule.path.starts_with("/v1/webhooks/") {
        return rule.path.replace("{id}", &"ab".repeat(16));
    }
    if rule.path.starts_with("/v1/markets/") || rule.path.starts_with("/exchange/") {
        return rule.path.replace("{id}", "NOSUCH-POP");
    }
    rule.path
        .replace("{address}", &nobody)
        .replace("{public_key}", &key.to_string())
        .replace("{file}", "none.css")
        .replace(
            ["{id}", "{tx_id}", "{hash}"]
                .iter()
                .find(|name| rule.path.contains(**name))
                .copied()
                .unwrap_or("{}"),
            &"ab".repeat(32),
        )
}

async fn try_route(client: &Client<'_>, rule: &Rule) -> StatusCode {
    let request =
        client.request(&rule.method, &unknown_path(rule)).header("content-type", "application/json");
    // Streams of events do not end.
    client.world.stream(request.body(Body::empty()).unwrap()).await.status()
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let world = World::new().await;
    let clients = [
        (Access::Anyone, world.stranger()),
        (Access::Member, world.client(ALICE).await),
        (Access::Admin, world.client(ADMIN).await),
    ];
    let root = world.state_root();
    for rule in access::RULES.iter().filter(|rule| rule.path != "/v1/sessions" && rule.path != "/sign-out") {
        for (level, client) in &clients {
            let status = try_route(client, rule).await;
            let is_page = !access::is_api(rule.path);
            let let_in = !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            match (rule.access, level) {
                (Access::Anyone, _)
                | (Access::Member, Access::Member | Access::Admin)
                | (_, Access::Admin) => {
                    assert!(let_in || rule.path.contains("{address}"), "{rule:?} {level:?} {status}");
                }
                (_, Access::Anyone) if is_page && rule.method == Method::GET => {
                    assert_eq!(status, StatusCode::SEE_OTHER, "{rule:?}");
                }
                (_, Access::Anyone) => assert_eq!(status, StatusCode::UNAUTHORIZED, "{rule:?}"),
                (_, Access::Member) => assert_eq!(status, StatusCode::FORBIDDEN, "{rule:?}"),
            }
            assert!(!status.is_server_error(), "{rule:?} {level:?} {status}");
        }
    }
    assert_eq!(world.state_root(), root);
}

#[tokio::test]
async fn every_rule_has_a_route_and_every_other_method_is_refused() {
    let world = World::new().await;
    let stranger = world.stranger();
    for rule in access::RULES {
        // Without its route, a rule would lead to the fallback.
        let reply = world
            .stream(stranger.request(&rule.method, &unknown_path(rule)).body(Body::empty()).unwrap())
            .await;
        let problem = reply.extensions().get::<crate::http::Problem>();
        let missing = problem.is_some_and(|problem| problem.code == crate::http::Code::METHOD_NOT_ALLOWED);
        assert!(!missing, "{rule:?}");
    }
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    for rule in access::RULES.iter().filter(|rule| access::is_api(rule.path)) {
        for method in all.iter().filter(|method| access::rule(method, rule.path).is_none()) {
            let request = stranger.request(method, &unknown_path(rule)).body(Body::empty()).unwrap();
            let reply = world.answer(request).await;
            assert_eq!(reply.code(), "METHOD_NOT_ALLOWED", "{method} {}", rule.path);
            assert!(reply.header("allow").contains(rule.method.as_str()));
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_everywhere() {
    let world = World::new().await;
    let forged = Client { world: &world, token: Some("ab".repeat(32)) };
    let garbled = Client { world: &world, token: Some("nonsense".to_owned()) };
    for rule in access::RULES.iter().filter(|rule| access::is_api(rule.path)) {
        for client in [&forged, &garbled] {
            assert_eq!(try_route(client, rule).await, StatusCode::UNAUTHORIZED, "{rule:?}");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_member_is_left_alone() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let listing = alice.lists("Lamp", 300).await;
    let charge = bob.must("/v1/charges", &json!({"amount": "9"})).await;
    let sold = alice.lists("Chair", 300).await;
    let trade = bob.buys(&sold).await;
    let root = world.state_root();

    let read = [
        (format!("/v1/wallets/{}", account(BOB)), "FORBIDDEN"),
        (format!("/v1/charges/{charge}"), "FORBIDDEN"),
        (format!("/v1/charges?requester={}", account(BOB)), "FORBIDDEN"),
        (format!("/v1/trades/{trade}"), "NOT_A_PARTY"),
    ];
    for (path, code) in read {
        assert_eq!(carol.get(&path).await.code(), code, "{path}");
    }
    let nothing = Value::Null;
    let tracking = json!({"tracking": "CJ 1"});
    let at = |action: &str| format!("/v1/trades/{trade}/{action}");
    let write: [(&Client<'_>, Method, String, &Value, &str); 9] = [
        (
            &carol,
            Method::PATCH,
            format!("/v1/listings/{listing}"),
            &json!({"price": "1"}),
            "NOT_LISTING_OWNER",
        ),
        (&carol, Method::DELETE, format!("/v1/listings/{listing}"), &nothing, "NOT_LISTING_OWNER"),
        (&carol, Method::DELETE, format!("/v1/listings/{sold}"), &nothing, "NOT_LISTING_OWNER"),
        (&carol, Method::POST, at("accept"), &nothing, "NOT_SELLER"),
        (&bob, Method::POST, at("accept"), &nothing, "NOT_SELLER"),
        (&bob, Method::POST, at("ship"), &tracking, "NOT_SELLER"),
        (&alice, Method::POST, at("confirm"), &nothing, "NOT_BUYER"),
        (&carol, Method::POST, at("confirm"), &nothing, "NOT_BUYER"),
        (&carol, Method::POST, at("cancel"), &nothing, "NOT_A_PARTY"),
    ];
    for (client, method, path, body, code) in write {
        let reply: Reply = client.send(method, &path, &[("prefer", "wait=10")], body).await;
        assert_eq!(reply.code(), code, "{path}");
    }
    assert_eq!(carol.make(&format!("/v1/charges/{charge}/approve"), &nothing).await.code(), "FORBIDDEN");
    assert_eq!(world.state_root(), root);

    // What they may see of others.
    assert_eq!(carol.get("/v1/trades").await.json()["data"], json!([]));
    assert_eq!(carol.get("/v1/charges").await.json()["data"], json!([]));
    let public = world.stranger().get(&format!("/v1/accounts/{}/trades", account(BOB))).await.json();
    assert_eq!((&public["data"][0]["id"], &public["data"][0]["actions"]), (&json!(trade), &json!([])));
    let admin = world.client(ADMIN).await;
    assert_eq!(
        admin.get(&format!("/v1/wallets/{}", account(BOB))).await.json()["balances"][0]["held"],
        "300"
    );
    assert_eq!(admin.get(&format!("/v1/trades/{trade}")).await.json()["actions"], json!([]));
}
