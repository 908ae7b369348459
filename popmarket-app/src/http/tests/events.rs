//! The stream of events.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Method;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, Client, JUDGES, OTHER_ADMIN, World, account};
use crate::http::HttpOptions;

/// How long a test waits for what has to come.
const LONG: Duration = Duration::from_secs(30);

/// A browser that listens.
pub(super) struct Listener {
    stream: BodyDataStream,
    text: String,
}

impl Listener {
    pub(super) async fn connect(client: &Client<'_>, path: &str, last_event_id: Option<&str>) -> Self {
        let request = client.request(&Method::GET, path);
        let request =
            last_event_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = client.world.stream(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The id and the data of the next event.
    pub(super) async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = field("id: ").zip(field("data: "));
                self.text = rest.to_owned();
                if let Some((id, data)) = found {
                    return (id, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let chunk = tokio::time::timeout(LONG, self.stream.next()).await.expect("an event in time");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
        }
    }

    /// All that comes until the stream ends: the names of events, and why it ends.
    async fn rest(mut self) -> (Vec<String>, Value) {
        let end = async {
            while let Some(chunk) = self.stream.next().await {
                self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            }
        };
        tokio::time::timeout(LONG, end).await.expect("it ends in time");
        let (events, why) = self.text.split_once("event: problem\n").expect("it says why it ends");
        assert!(!why.contains("\nid:"), "who connects again goes on after the last event");
        let data = |text: &str| -> Vec<Value> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
            lines.map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let names = data(events).iter().map(|event| event["name"].as_str().unwrap().to_owned()).collect();
        (names, data(why).remove(0))
    }
}

async fn pay(world: &World, times: usize) {
    let alice = world.client(ALICE).await;
    for _ in 0..times {
        alice.must("/v1/payments", &json!({"to": account(BOB), "amount": "1"})).await;
    }
}

#[tokio::test]
async fn who_comes_back_misses_nothing_and_gets_nothing_twice() {
    let world = World::new().await;
    let mut listener = Listener::connect(&world.stranger(), "/v1/events?types=payment.", None).await;
    pay(&world, 3).await;
    let mut seen = vec![listener.next().await.0];
    drop(listener);
    pay(&world, 300).await;
    let mut listener =
        Listener::connect(&world.stranger(), "/v1/events?types=payment.", Some(&seen[0])).await;
    // Some of it from the tables, the rest as it happens.
    let (ids, ()) = tokio::join!(
        async {
            let mut ids = Vec::new();
            for _ in 0..312 {
                ids.push(listener.next().await.0);
            }
            ids
        },
        pay(&world, 10),
    );
    seen.extend(ids);
    let in_order: BTreeSet<(u64, u64)> = seen
        .iter()
        .map(|id| id.split_once('-').unwrap())
        .map(|(height, index)| (height.parse().unwrap(), index.parse().unwrap()))
        .collect();
    assert_eq!(in_order.len(), 313, "no event twice");
    let heights: Vec<u64> = in_order.into_iter().map(|(height, _)| height).collect();
    assert_eq!(heights, (1..=313).collect::<Vec<_>>(), "one payment in each block");
    assert_eq!(
        seen.iter().map(|id| id.split('-').next().unwrap().parse().unwrap()).collect::<Vec<u64>>(),
        heights
    );
}

#[tokio::test]
async fn an_event_says_all_about_it_in_json() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = alice.lists("Lamp", 300).await;
    let trade = bob.buys(&listing).await;
    let mut listener = Listener::connect(
        &world.stranger(),
        "/v1/events?types=listing.created,trade.&last_event_id=0-0",
        None,
    )
    .await;
    let (id, created) = listener.next().await;
    assert_eq!((&created["id"], &created["name"]), (&json!(id), &json!("listing.created")));
    assert_eq!(
        (&created["data"]["content"]["price"], &created["data"]["listing"]),
        (&json!("300"), &json!(listing))
    );
    assert_eq!(created["cause"]["transaction"]["id"], listing);
    let (_, opened) = listener.next().await;
    assert_eq!((&opened["name"], &opened["data"]["trade"]), (&json!("trade.opened"), &json!(trade)));
    assert_eq!(opened["data"]["at"], opened["time"]);
    assert!(opened["data"]["deadline"]["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(opened["height"], 2);
}

#[tokio::test]
async fn a_bad_position_is_refused() {
    let world = World::new().await;
    let request = world.stranger().request(&Method::GET, "/v1/events").header("last-event-id", "yesterday");
    assert_eq!(world.answer(request.body(Body::empty()).unwrap()).await.code(), "INVALID_HEADER");
    let many = format!("/v1/events?types={}", ["a"; 17].join(","));
    assert_eq!(world.stranger().get(&many).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let world = World::with_options(HttpOptions { max_streams: 2, ..HttpOptions::default() }).await;
    let one = Listener::connect(&world.stranger(), "/v1/events", None).await;
    let _two = Listener::connect(&world.stranger(), "/v1/events", None).await;
    let third = world.stranger().get("/v1/events").await;
    assert_eq!((third.code(), third.header("retry-after")), ("BUSY", "10"));
    drop(one);
    Listener::connect(&world.stranger(), "/v1/events", None).await;
}

#[tokio::test]
async fn one_client_cannot_take_all_streams() {
    let world =
        World::with_options(HttpOptions { max_streams_each: 2, behind_tls: true, ..HttpOptions::default() })
            .await;
    let request = |from: &str| {
        let request = world.stranger().request(&Method::GET, "/v1/events").header("x-forwarded-for", from);
        request.body(Body::empty()).unwrap()
    };
    let one = world.stream(request("192.0.2.1")).await;
    let _two = world.stream(request("192.0.2.1")).await;
    let third = world.answer(request("192.0.2.1")).await;
    assert_eq!((third.code(), third.header("retry-after")), ("BUSY", "10"));
    assert_eq!(world.stream(request("192.0.2.2")).await.status().as_u16(), 200);
    drop(one);
    assert_eq!(world.stream(request("192.0.2.1")).await.status().as_u16(), 200);
}

/// Mistake: who has signed out, or was signed out, goes on to see what only members may see.
#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let recheck_streams = Duration::from_millis(10);
    let world = World::with_options(HttpOptions { recheck_streams, ..HttpOptions::default() }).await;
    let (alice, stranger) = (world.client(ALICE).await, world.stranger());
    let of_alice = Listener::connect(&alice, "/v1/events", None).await;
    let mut of_stranger = Listener::connect(&stranger, "/v1/events?types=payment.", None).await;
    let expired = Listener::connect(&world.client(BOB).await, "/v1/events", None).await;
    let reply = alice.send(Method::DELETE, "/v1/sessions", &[], &Value::Null).await;
    assert_eq!(reply.status.as_u16(), 204, "{reply:?}");
    let (_, why) = of_alice.rest().await;
    assert_eq!((&why["code"], &why["detail"]), (&json!("UNAUTHENTICATED"), &json!("the session is over")));
    world.advance_clock(Duration::from_secs(31 * 24 * 3_600));
    assert_eq!(expired.rest().await.1["code"], "UNAUTHENTICATED");
    // Who never was signed in has nothing to lose.
    pay(&world, 1).await;
    assert_eq!(of_stranger.next().await.1["name"], "payment.paid");
}

/// Mistake: a stream shows with a role what happens after its loss, until it is looked at again.
#[tokio::test]
async fn a_stream_ends_with_the_role_that_it_was_opened_with() {
    let recheck_streams = Duration::from_secs(3_600);
    let world = World::with_options(HttpOptions { recheck_streams, ..HttpOptions::default() }).await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let of_judge = Listener::connect(&world.client(JUDGES[0]).await, "/v1/events", None).await;
    let path = format!("/v1/accounts/{}/role", account(JUDGES[0]));
    let change = admin.must(&path, &json!({"role": "member"})).await;
    other.must(&format!("/v1/roles/changes/{change}/approve"), &Value::Null).await;
    pay(&world, 1).await;
    let (names, why) = of_judge.rest().await;
    assert_eq!(why["code"], "FORBIDDEN");
    assert!(!names.iter().any(|name| name.starts_with("payment.")), "{names:?}");
}
