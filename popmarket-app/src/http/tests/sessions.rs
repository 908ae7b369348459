//! Signing in, up and out; cookies, and requests that other sites forge.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, PASSWORD, Reply, World, account};
use crate::http::HttpOptions;
use crate::http::rate_limit::{Rate, Rates};
use crate::http::serve::Peer;

async fn form(world: &World, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let request = world
        .stranger()
        .request(&Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    world.answer(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

#[tokio::test]
async fn a_member_signs_up_in_and_out() {
    let world = World::new().await;
    let mut client = world.stranger();
    let joined = client.post("/v1/members", &json!({"name": "dora", "password": PASSWORD})).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{joined:?}");
    assert_eq!(
        (&joined.json()["member"]["name"], &joined.json()["member"]["custodial"]),
        (&json!("dora"), &json!(true))
    );
    let session = client.post("/v1/sessions", &json!({"name": "DORA", "password": PASSWORD})).await;
    assert_eq!(session.status, StatusCode::CREATED, "{session:?}");
    assert_eq!(session.header("set-cookie"), "");
    client.token = session.json()["token"].as_str().map(str::to_owned);
    let me = client.get("/v1/members/me").await.json();
    assert_eq!((&me["address"], &me["role"]), (&joined.json()["id"], &json!("member")));
    let account = client.get(joined.header("location")).await.json();
    assert_eq!(account["name"], "dora");
    let out = client.send(Method::DELETE, "/v1/sessions", &[], &Value::Null).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/v1/members/me").await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn who_is_wrong_learns_nothing_about_what() {
    let world = World::new().await;
    world.token(ALICE).await;
    let attempt = async |name: &str, password: &str| {
        let reply = world.stranger().post("/v1/sessions", &json!({"name": name, "password": password})).await;
        (reply.code(), reply.body)
    };
    let wrong_password = attempt("alice", "wrong horse").await;
    assert_eq!(wrong_password.0, "INVALID_CREDENTIALS");
    assert_eq!(attempt("nobody", "wrong horse").await, wrong_password);
    assert_eq!(attempt("nobody", "x").await, wrong_password);
    assert_eq!(attempt("\u{0}", "wrong horse").await, wrong_password);
}

#[tokio::test]
async fn a_browser_gets_a_new_cookie_each_time_and_the_old_one_dies() {
    let world = World::new().await;
    world.token(ALICE).await;
    let credentials = "name=alice&password=correct+horse&next=%2Ftrades";
    let first = form(&world, "/sign-in", &[OWN], credentials).await;
    assert_eq!((first.status, first.header("location")), (StatusCode::SEE_OTHER, "/trades"));
    let set = first.header("set-cookie");
    assert!(
        set.starts_with("session=") && set.contains("; HttpOnly") && set.contains("; SameSite=Lax"),
        "{set}"
    );
    let old = cookie(&first);
    let second = form(&world, "/sign-in", &[OWN, ("cookie", &old)], credentials).await;
    let new = cookie(&second);
    assert_ne!(old, new);
    let me = async |cookie: &str| {
        let request = world.stranger().request(&Method::GET, "/v1/members/me").header("cookie", cookie);
        world.answer(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!((me(&old).await, me(&new).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    let out = form(&world, "/sign-out", &[OWN, ("cookie", &new)], "").await;
    assert_eq!((out.status, me(&new).await), (StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let wrong = form(&world, "/sign-in", &[OWN], "name=alice&password=wrong+horse&next=").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (StatusCode::UNAUTHORIZED, ""));
    let elsewhere =
        form(&world, "/sign-in", &[OWN], "name=alice&password=correct+horse&next=%2F%2Fevil.example").await;
    assert_eq!(elsewhere.header("location"), "/");
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let world = World::with_options(HttpOptions { behind_tls: true, ..HttpOptions::default() }).await;
    world.token(ALICE).await;
    let reply = form(&world, "/sign-in", &[OWN], "name=alice&password=correct+horse").await;
    let set = reply.header("set-cookie");
    assert!(
        set.starts_with("__Host-session=") && set.contains("; Secure") && set.contains("; Path=/;"),
        "{set}"
    );
}

#[tokio::test]
async fn other_sites_cannot_act_through_a_browser() {
    let world = World::new().await;
    let session = format!("session={}", world.token(ALICE).await);
    let root = world.state_root();
    let body = json!({"to": account(BOB), "amount": "1"}).to_string();
    let pay = async |headers: &[(&str, &str)]| {
        let request = world
            .stranger()
            .request(&Method::POST, "/v1/payments")
            .header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        world.answer(request.body(Body::from(body.clone())).unwrap()).await
    };
    let cookie = ("cookie", session.as_str());
    let forged: [&[(&str, &str)]; 5] = [
        &[cookie],
        &[cookie, ("sec-fetch-site", "cross-site")],
        &[cookie, ("sec-fetch-site", "same-site"), ("origin", "http://localhost:8080")],
        &[cookie, ("origin", "http://evil.example")],
        &[cookie, ("origin", "null")],
    ];
    for headers in forged {
        assert_eq!(pay(headers).await.code(), "CROSS_SITE", "{headers:?}");
    }
    let login =
        form(&world, "/sign-in", &[("sec-fetch-site", "cross-site")], "name=alice&password=correct+horse")
            .await;
    assert_eq!((login.status, login.header("set-cookie")), (StatusCode::FORBIDDEN, ""));
    assert_eq!(world.state_root(), root);
    assert_eq!(pay(&[cookie, OWN]).await.status, StatusCode::ACCEPTED);
    assert_eq!(pay(&[cookie, ("origin", "http://localhost:8080")]).await.status, StatusCode::ACCEPTED);
    // A bearer token is not sent by a browser by itself.
    let bearer = format!("Bearer {}", world.token(ALICE).await);
    assert_eq!(
        pay(&[("authorization", &bearer), ("sec-fetch-site", "cross-site")]).await.status,
        StatusCode::ACCEPTED
    );
}

/// Mistake: who has many addresses can try as many passwords for a name.
#[tokio::test]
async fn passwords_for_one_name_are_tried_slowly_from_wherever() {
    let password = Rate { burst: 3.0, per_second: 0.001 };
    let rates = Rates { password, ..Rates::default() };
    let world = World::with_options(HttpOptions { rates, ..HttpOptions::default() }).await;
    world.token(ALICE).await;
    let attempt = async |name: &str, from: u8| {
        let body = json!({"name": name, "password": "wrong horse"}).to_string();
        let request = world
            .stranger()
            .request(&Method::POST, "/v1/sessions")
            .header("content-type", "application/json")
            .extension(Peer(IpAddr::from([10, 0, 0, from])));
        let reply = world.answer(request.body(Body::from(body)).unwrap()).await;
        (reply.code(), reply.header("retry-after").to_owned(), reply.body)
    };
    let mut answers = Vec::new();
    for (name, other_case) in [("alice", "ALICE"), ("nobody", "NoBody")] {
        for from in 1..=3 {
            assert_eq!(attempt(name, from).await.0, "INVALID_CREDENTIALS");
        }
        answers.push((attempt(name, 4).await, attempt(other_case, 5).await));
    }
    assert_eq!(answers[0].0.0, "RATE_LIMITED");
    assert_eq!(answers[0], answers[1], "members and others are told the same");
    assert_eq!(attempt("bob", 4).await.0, "INVALID_CREDENTIALS");
}
