//! Webhooks, with a receiver on this machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{ADMIN, ALICE, BOB, CAROL, Client, OTHER_ADMIN, World, account};
use crate::http::HttpOptions;
use crate::webhooks::Secret;

/// How long a test waits for what has to come.
const LONG: Duration = Duration::from_secs(30);

/// What came to a receiver.
#[derive(Clone, Debug)]
pub(super) struct Message {
    id: String,
    timestamp: u64,
    signatures: Vec<String>,
    body: Bytes,
}

impl Message {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn is_signed_with(&self, secret: &str) -> bool {
        let secret: Secret = secret.parse().unwrap();
        self.signatures.contains(&secret.sign(&self.id, self.timestamp, &self.body))
    }
}

#[derive(Default)]
struct Inbox {
    messages: Mutex<Vec<Message>>,
    /// What is answered to the next messages; 204 to all later ones.
    answers: Mutex<VecDeque<(u16, Option<&'static str>)>>,
    came: Notify,
}

/// A member's own program.
pub(super) struct Receiver {
    inbox: Arc<Inbox>,
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(inbox): State<Arc<Inbox>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("content-type"), "application/json");
    let message = Message {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap(),
        signatures: text("webhook-signature").split(' ').map(str::to_owned).collect(),
        body,
    };
    inbox.messages.lock().unwrap().push(message);
    inbox.came.notify_waiters();
    let (status, wish) = inbox.answers.lock().unwrap().pop_front().unwrap_or((204, None));
    let header = wish.map_or(("x-nothing", ""), |wish| ("retry-after", wish));
    let header = if (300..400).contains(&status) { ("location", "/elsewhere") } else { header };
    (StatusCode::from_u16(status).unwrap(), [header])
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let inbox = Arc::new(Inbox::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(take).with_state(Arc::clone(&inbox));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inbox, url, server }
    }

    fn answers(&self, answers: &[(u16, Option<&'static str>)]) {
        self.inbox.answers.lock().unwrap().extend(answers.iter().copied());
    }

    fn messages(&self) -> Vec<Message> {
        self.inbox.messages.lock().unwrap().clone()
    }

    /// Waits until so many messages have come.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Message> {
        let wait = async {
            loop {
                let came = self.inbox.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                let messages = self.messages();
                if messages.len() >= count {
                    return messages;
                }
                came.await;
            }
        };
        let messages = tokio::time::timeout(LONG, wait).await;
        messages.unwrap_or_else(|_| panic!("{count} messages in time: {:?}", self.messages()))
    }
}

pub(super) async fn world() -> World {
    World::with_options(HttpOptions { allow_private_webhooks: true, ..HttpOptions::default() }).await
}

/// A new webhook: its id and its secret.
pub(super) async fn subscribe(client: &Client<'_>, receiver: &Receiver, more: &Value) -> (String, String) {
    let mut body = json!({"url": receiver.url});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = client.post("/v1/webhooks", &body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    let hook = reply.json();
    (hook["id"].as_str().unwrap().to_owned(), hook["secret"].as_str().unwrap().to_owned())
}

async fn pay(client: &Client<'_>, to: u8, amount: u64) -> String {
    let body = json!({"to": account(to), "amount": amount.to_string(), "memo": "for the lamp"});
    client.must("/v1/payments", &body).await
}

/// Waits until so many attempts are written down, and returns them.
async fn attempts(client: &Client<'_>, hook: &str, count: usize) -> Vec<Value> {
    let wait = async {
        loop {
            let list = client.get(&format!("/v1/webhooks/{hook}/attempts?limit=100")).await.json();
            let attempts = list["data"].as_array().unwrap().clone();
            if attempts.len() >= count {
                return attempts;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("attempts in time")
}

#[tokio::test]
async fn an_event_is_sent_with_a_signature_under_the_id_of_its_place() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    let (hook, secret) = subscribe(&bob, &receiver, &json!({"events": ["payment."]})).await;
    let payment = pay(&alice, BOB, 300).await;
    let message = receiver.wait_for(1).await.remove(0);
    assert!(message.is_signed_with(&secret));
    assert!(!message.is_signed_with(&Secret::generate().expose()));
    let body = message.json();
    assert_eq!((&body["type"], &body["data"]["tx"]), (&json!("payment.paid"), &json!(payment)));
    assert_eq!((&body["data"]["memo"], &body["data"]["amount"]), (&json!("for the lamp"), &json!("300")));
    // The same id as in the stream of events.
    let mut listener =
        super::events::Listener::connect(&bob, "/v1/events?types=payment.&last_event_id=0-0", None).await;
    let (id, event) = listener.next().await;
    assert_eq!((message.id.as_str(), &body["id"]), (format!("evt_{id}").as_str(), &json!(id)));
    assert_eq!((&body["data"], &body["timestamp"]), (&event["data"], &event["time"]));
    let attempt = attempts(&bob, &hook, 1).await.remove(0);
    assert_eq!((&attempt["status"], &attempt["error"]), (&json!(204), &Value::Null));
    assert_eq!((&attempt["webhook_id"], &attempt["number"]), (&json!(message.id), &json!(1)));
}

#[tokio::test]
async fn what_fails_is_sent_again_under_the_same_id() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    receiver.answers(&[(500, None), (302, None), (429, Some("3600"))]);
    let (hook, secret) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    pay(&alice, BOB, 1).await;
    attempts(&bob, &hook, 1).await;
    // Five seconds and a tenth, five minutes and a tenth, and then what the receiver has asked for.
    for (count, wait) in [(2, 6), (3, 331), (4, 3_961)] {
        world.advance_clock(Duration::from_secs(wait));
        attempts(&bob, &hook, count).await;
    }
    let messages = receiver.wait_for(4).await;
    let first = &messages[0];
    for message in &messages {
        assert_eq!((&message.id, &message.body), (&first.id, &first.body));
        assert!(message.is_signed_with(&secret));
    }
    assert!(messages.is_sorted_by(|a, b| a.timestamp < b.timestamp), "each attempt has its own time");
    let all = attempts(&bob, &hook, 4).await;
    let status: Vec<_> = all.iter().rev().map(|attempt| attempt["status"].as_u64().unwrap()).collect();
    assert_eq!(status, [500, 302, 429, 204]);
    assert!(all[3]["error"].as_str().unwrap().contains("500"));
    assert_eq!(bob.get(&format!("/v1/webhooks/{hook}")).await.json()["failing_since"], Value::Null);
}

#[tokio::test]
async fn a_retry_waits_its_time() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    receiver.answers(&[(500, None)]);
    let (hook, _) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    pay(&alice, BOB, 1).await;
    attempts(&bob, &hook, 1).await;
    world.advance_clock(Duration::from_millis(4_900));
    // What comes later is sent, and the first one is not.
    pay(&alice, BOB, 2).await;
    let messages = receiver.wait_for(2).await;
    assert_ne!(messages[0].id, messages[1].id);
    attempts(&bob, &hook, 2).await;
    assert_eq!(receiver.messages().len(), 2);
}

#[tokio::test]
async fn after_five_days_of_failure_nothing_more_is_sent() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    receiver.answers(&[(500, None); 3]);
    let (hook, _) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    let path = format!("/v1/webhooks/{hook}");
    pay(&alice, BOB, 1).await;
    attempts(&bob, &hook, 1).await;
    assert!(bob.get(&path).await.json()["failing_since"].is_string());
    world.advance_clock(Duration::from_secs(4 * 86_400));
    attempts(&bob, &hook, 2).await;
    assert_eq!(bob.get(&path).await.json()["status"], "ENABLED");
    world.advance_clock(Duration::from_secs(86_400));
    attempts(&bob, &hook, 3).await;
    let disabled = bob.get(&path).await.json();
    assert_eq!(disabled["status"], "DISABLED");
    assert!(disabled["disabled_because"].as_str().unwrap().contains("five days"));
    let missed = pay(&alice, BOB, 2).await;

    // Enabled again, it gets what is open and what comes from now on.
    let enabled = bob.post(&format!("{path}/enable"), &Value::Null).await.json();
    assert_eq!((&enabled["status"], &enabled["failing_since"]), (&json!("ENABLED"), &Value::Null));
    world.advance_clock(Duration::from_secs(86_400));
    let third = pay(&alice, BOB, 3).await;
    let messages = receiver.wait_for(5).await;
    let last: Vec<Value> = messages[3..].iter().map(Message::json).collect();
    assert!(last.iter().any(|body| body["data"]["amount"] == "1"), "{last:?}");
    assert!(last.iter().any(|body| body["data"]["tx"] == third), "{last:?}");

    // What happened meanwhile is where it says.
    attempts(&bob, &hook, 5).await;
    let from = disabled["replay_from"].as_str().unwrap();
    let to =
        messages.iter().map(Message::json).find(|body| body["data"]["tx"] == third).unwrap()["id"].clone();
    let replayed = bob.post(&format!("{path}/replay"), &json!({"from": from, "to": to})).await.json();
    assert_eq!(replayed, json!({"events": 2, "next": null}));
    let messages = receiver.wait_for(7).await;
    assert!(messages[5..].iter().any(|message| message.json()["data"]["tx"] == missed));
}

#[tokio::test]
async fn a_frozen_admin_is_told_what_everyone_is() {
    let world = world().await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let (alice, carol) = (world.client(ALICE).await, world.client(CAROL).await);
    let of_carol = |verb: &str| format!("/v1/accounts/{}/{verb}", account(CAROL));
    admin.must(&of_carol("freeze"), &json!({"reason": "stolen"})).await;
    let change = admin.must(&of_carol("role"), &json!({"role": "admin"})).await;
    other.must(&format!("/v1/roles/changes/{change}/approve"), &Value::Null).await;
    let receiver = Receiver::start().await;
    subscribe(&carol, &receiver, &json!({"events": ["payment.paid"], "everything": true})).await;
    pay(&alice, BOB, 300).await;
    assert_eq!(receiver.wait_for(1).await[0].json()["data"]["memo"], Value::Null);
    other.must(&of_carol("unfreeze"), &Value::Null).await;
    pay(&alice, BOB, 300).await;
    assert_eq!(receiver.wait_for(2).await[1].json()["data"]["memo"], "for the lamp");
}

#[tokio::test]
async fn who_says_gone_is_asked_no_more() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    receiver.answers(&[(410, None)]);
    let (hook, _) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    pay(&alice, BOB, 1).await;
    attempts(&bob, &hook, 1).await;
    assert_eq!(bob.get(&format!("/v1/webhooks/{hook}")).await.json()["status"], "DISABLED");
}

#[tokio::test]
async fn members_get_what_they_may_see_and_no_more() {
    let world = world().await;
    let (alice, carol, admin) =
        (world.client(ALICE).await, world.client(CAROL).await, world.client(ADMIN).await);
    let [mine, all, of_admin] = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    subscribe(&carol, &mine, &json!({})).await;
    subscribe(&carol, &all, &json!({"everything": true})).await;
    subscribe(&admin, &of_admin, &json!({"everything": true})).await;
    pay(&alice, BOB, 300).await;
    pay(&alice, CAROL, 7).await;
    // Two balances and a payment each; of the second, one balance and the payment are about carol.
    for (receiver, count, sees) in [(&mine, 2, false), (&all, 6, false), (&of_admin, 6, true)] {
        let bodies: Vec<Value> = receiver.wait_for(count).await.iter().map(Message::json).collect();
        let of_others = |body: &&Value| body["data"]["amount"] == "300";
        match bodies.iter().find(of_others) {
            Some(body) if sees => assert_eq!(body["data"]["memo"], "for the lamp"),
            Some(body) => assert_eq!(body["data"]["memo"], Value::Null),
            None => assert_eq!(count, 2),
        }
        let own = bodies.iter().find(|body| body["data"]["amount"] == "7").unwrap();
        assert_eq!(own["data"]["memo"], "for the lamp");
        let hidden = |body: &&Value| body["type"] == "balance.changed" && body["data"]["after"].is_null();
        assert_eq!(bodies.iter().filter(hidden).count(), if count == 6 && !sees { 3 } else { 0 });
    }
}

#[tokio::test]
async fn two_secrets_sign_for_a_day_after_a_new_one_was_made() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let receiver = Receiver::start().await;
    let (hook, old) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    let reply = bob.post(&format!("/v1/webhooks/{hook}/secret"), &Value::Null).await.json();
    let new = reply["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    pay(&alice, BOB, 1).await;
    let message = receiver.wait_for(1).await.remove(0);
    assert_eq!(message.signatures.len(), 2);
    assert!(message.is_signed_with(&old) && message.is_signed_with(&new));
    world.advance_clock(Duration::from_secs(86_400));
    pay(&alice, BOB, 1).await;
    let message = receiver.wait_for(2).await.remove(1);
    assert!(!message.is_signed_with(&old) && message.is_signed_with(&new));
}

#[tokio::test]
async fn a_range_is_sent_again_under_the_same_ids() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let before = pay(&alice, BOB, 1).await;
    let receiver = Receiver::start().await;
    let (hook, _) = subscribe(&bob, &receiver, &json!({"events": ["payment.paid"]})).await;
    for amount in [2, 3, 4] {
        pay(&alice, BOB, amount).await;
    }
    let first: BTreeMap<String, Bytes> =
        receiver.wait_for(3).await.into_iter().map(|message| (message.id, message.body)).collect();
    attempts(&bob, &hook, 3).await;
    let replay = async |from: &str, to: &str| {
        let body = json!({"from": from, "to": to});
        bob.post(&format!("/v1/webhooks/{hook}/replay"), &body).await
    };
    let reply = replay("2-0", "3-99").await;
    assert_eq!((reply.status, reply.json()), (StatusCode::ACCEPTED, json!({"events": 2, "next": null})));
    let again = receiver.wait_for(5).await.split_off(3);
    for message in &again {
        assert_eq!(first.get(&message.id), Some(&message.body));
    }
    assert_ne!(again[0].id, again[1].id);
    // What was before the hook can be had as well.
    assert_eq!(replay("0-0", "1-99").await.json(), json!({"events": 1, "next": null}));
    let oldest = receiver.wait_for(6).await.remove(5).json();
    assert_eq!(oldest["data"]["tx"], before);
    assert_eq!(replay("now", "2-0").await.code(), "INVALID_BODY");
}

#[tokio::test]
async fn a_test_says_at_once_what_came_of_it() {
    let world = world().await;
    let bob = world.client(BOB).await;
    let receiver = Receiver::start().await;
    receiver.answers(&[(204, None), (503, None)]);
    let (hook, secret) = subscribe(&bob, &receiver, &json!({"events": ["trade."]})).await;
    let path = format!("/v1/webhooks/{hook}/test");
    let good = bob.post(&path, &Value::Null).await.json();
    assert_eq!((&good["status"], &good["error"]), (&json!(204), &Value::Null));
    let bad = bob.post(&path, &Value::Null).await.json();
    assert_eq!(bad["status"], 503);
    drop(receiver.wait_for(2).await);
    let message = receiver.messages().remove(0);
    assert!(message.is_signed_with(&secret) && message.id.starts_with("test_"));
    assert_eq!(message.json()["type"], "webhook.test");
    // Nobody listens there any more.
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = bob.post("/v1/webhooks", &json!({"url": format!("http://{nowhere}/")})).await.json();
    let path = format!("/v1/webhooks/{}/test", gone["id"].as_str().unwrap());
    let refused = bob.post(&path, &Value::Null).await.json();
    assert_eq!(refused["status"], Value::Null);
    assert!(!refused["error"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn hooks_are_their_owners_alone() {
    let world = world().await;
    let (bob, admin) = (world.client(BOB).await, world.client(ADMIN).await);
    let receiver = Receiver::start().await;
    let (hook, _) = subscribe(&bob, &receiver, &json!({})).await;
    let listed = bob.get("/v1/webhooks").await.json();
    assert_eq!(listed["data"][0]["id"], hook);
    assert!(!listed.to_string().contains("whsec_"), "a secret is shown once");
    assert_eq!(admin.get("/v1/webhooks").await.json()["data"], json!([]));
    let path = format!("/v1/webhooks/{hook}");
    assert_eq!(admin.get(&path).await.code(), "UNKNOWN_WEBHOOK");
    assert_eq!(admin.get(&format!("{path}/attempts")).await.code(), "UNKNOWN_WEBHOOK");
    for what in ["test", "secret", "enable"] {
        assert_eq!(admin.post(&format!("{path}/{what}"), &Value::Null).await.code(), "UNKNOWN_WEBHOOK");
    }
    assert_eq!(admin.send(Method::DELETE, &path, &[], &Value::Null).await.code(), "UNKNOWN_WEBHOOK");
    assert_eq!(bob.send(Method::DELETE, &path, &[], &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bob.get(&path).await.code(), "UNKNOWN_WEBHOOK");
}

#[tokio::test]
async fn a_member_has_sixteen_hooks_at_most() {
    let world = world().await;
    let bob = world.client(BOB).await;
    let receiver = Receiver::start().await;
    for _ in 0..16 {
        subscribe(&bob, &receiver, &json!({})).await;
    }
    assert_eq!(bob.post("/v1/webhooks", &json!({"url": receiver.url})).await.code(), "TOO_MANY_WEBHOOKS");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_the_operator_allows_them() {
    let strict = World::new().await;
    let bob = strict.client(BOB).await;
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "http://shop.example/",
        "ftp://shop.example/",
        "nonsense",
        "https://user:pass@shop.example/",
    ] {
        let reply = bob.post("/v1/webhooks", &json!({"url": url})).await;
        assert_eq!((reply.code(), &reply.json()["field"]), ("BAD_WEBHOOK_URL", &json!("url")), "{url}");
    }
    // A name is looked up when something is sent: this one always leads to this machine.
    let hook = bob.post("/v1/webhooks", &json!({"url": "https://localhost/"})).await.json();
    let path = format!("/v1/webhooks/{}/test", hook["id"].as_str().unwrap());
    let tried = bob.post(&path, &Value::Null).await.json();
    assert_eq!(tried["error"], "localhost is not a public address");
    for unknown in ["Payment.*", "payments.", "", "webhook.test"] {
        let events = json!({"url": "https://shop.example/", "events": ["trade.", unknown]});
        let reply = bob.post("/v1/webhooks", &events).await;
        assert_eq!(
            (reply.code(), &reply.json()["field"]),
            ("UNKNOWN_EVENT_NAME", &json!("events")),
            "{unknown}"
        );
    }
    let many = json!({"url": "https://shop.example/", "events": vec!["trade."; 17]});
    assert_eq!(bob.post("/v1/webhooks", &many).await.code(), "INVALID_BODY");
}

/// Mistake: a replay whose filter hardly lets anything pass looks through all that ever happened in one go.
#[tokio::test]
async fn a_replay_looks_at_so_much_and_says_where_to_go_on() {
    let world = world().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    // Three events each.
    for _ in 0..200 {
        pay(&alice, BOB, 1).await;
    }
    bob.lists("Lamp", 300).await;
    let receiver = Receiver::start().await;
    let (hook, _) = subscribe(&bob, &receiver, &json!({"events": ["listing."]})).await;
    let (mut from, mut sent) = ("0-0".to_owned(), Vec::new());
    loop {
        let body = json!({"from": from, "to": "999-0"});
        let reply = bob.post(&format!("/v1/webhooks/{hook}/replay"), &body).await.json();
        sent.push(reply["events"].as_u64().unwrap());
        let Some(next) = reply["next"].as_str() else { break };
        from = next.to_owned();
    }
    assert_eq!(sent, [0, 1]);
    assert_eq!(receiver.wait_for(1).await[0].json()["type"], "listing.created");
}
