//! Polls, as clients hold them.

use std::time::Duration;

use axum::http::Method;
use ledger::{Salt, vote_commitment};
use pbft_crypto::Digest;
use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, Client, OTHER_ADMIN, World, account};
use crate::http::timestamp::rfc3339;
use crate::testing::START;

const HOUR: u64 = 3_600_000;

fn after(hours: u64) -> String {
    rfc3339(ledger::UnixMillis::new(START + hours * HOUR))
}

fn question() -> Value {
    json!({"question": "무슨 색?", "options": ["빨강", "파랑", "초록"], "closes_at": after(2)})
}

fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn shown(client: &Client<'_>, id: &str) -> Value {
    client.get(&format!("/v1/polls/{id}")).await.json()
}

fn votes(poll: &Value) -> Vec<u64> {
    poll["options"].as_array().unwrap().iter().map(|option| option["votes"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn members_vote_and_the_result_is_final() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.client(ALICE).await, world.client(BOB).await, world.client(CAROL).await);
    let id = alice.must("/v1/polls", &question()).await;
    let poll = shown(&world.stranger(), &id).await;
    assert_eq!((&poll["phase"], &poll["ballot"]), (&json!("VOTING"), &json!("OPEN")));
    assert_eq!((&poll["creator_name"], &poll["options"][1]["text"]), (&json!("alice"), &json!("파랑")));
    assert_eq!((&poll["may_vote"], &poll["choice"]), (&Value::Null, &Value::Null));

    bob.must(&format!("/v1/polls/{id}/votes"), &json!({"choice": 1})).await;
    carol.must("/vote", &json!({"poll": id, "choice": 1})).await;
    alice.must("/vote", &json!({"poll": id, "choice": 0})).await;
    let poll = shown(&bob, &id).await;
    assert_eq!(votes(&poll), [1, 2, 0]);
    assert_eq!((&poll["may_vote"], &poll["choice"]), (&json!(true), &json!(1)));
    let again = bob.make("/vote", &json!({"poll": id, "choice": 2})).await;
    assert_eq!(again.code(), "ALREADY_VOTED");

    world.advance_clock(Duration::from_secs(7_200));
    assert_eq!(shown(&bob, &id).await["phase"], "CLOSED");
    let admin = world.client(ADMIN).await;
    let late = admin.make("/vote", &json!({"poll": id, "choice": 2})).await;
    assert_eq!(late.code(), "WRONG_POLL_PHASE");
    let poll = shown(&bob, &id).await;
    assert_eq!(votes(&poll), [1, 2, 0]);
    assert_eq!(poll["closed_height"], world.height());
    let block = world.stranger().get(&format!("/v1/blocks/{}", world.height())).await.json();
    assert_eq!(poll["closed_at"], block["time"]);
}

/// Mistake: the alias remembers keys of its own, so that a vote that is sent again by the other path is another request.
#[tokio::test]
async fn a_key_counts_at_the_alias_and_at_the_route() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = alice.must("/v1/polls", &with(question(), &json!({"changeable": true}))).await;
    let headers = [("idempotency-key", "ballot-1"), ("prefer", "wait=10")];
    let route = format!("/v1/polls/{id}/votes");
    let vote = async |choice: u8| bob.send(Method::POST, &route, &headers, &json!({"choice": choice})).await;
    let alias = async |choice: u8| {
        bob.send(Method::POST, "/vote", &headers, &json!({"poll": id, "choice": choice})).await
    };
    let first = alias(1).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""), "{first:?}");
    let height = world.height();
    for again in [vote(1).await, alias(1).await] {
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    }
    for other in [vote(2).await, alias(2).await] {
        assert_eq!(other.code(), "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!((world.height(), votes(&shown(&bob, &id).await)), (height, vec![0, 1, 0]));
}

#[tokio::test]
async fn sealed_votes_are_counted_when_they_are_revealed() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let sealed = with(question(), &json!({"reveal_by": after(4)}));
    let id = alice.must("/v1/polls", &sealed).await;
    let salt = Salt::new(Digest::from_bytes([7; 32]));
    let commitment = vote_commitment(&id.parse().unwrap(), &account(BOB), 2, &salt);
    bob.must(&format!("/v1/polls/{id}/commit"), &json!({"commitment": commitment})).await;
    let poll = shown(&bob, &id).await;
    assert_eq!((votes(&poll), &poll["unrevealed"]), (vec![0, 0, 0], &json!(1)));
    assert_eq!((&poll["commitment"], &poll["choice"]), (&json!(commitment), &Value::Null));
    assert_eq!(bob.make("/vote", &json!({"poll": id, "choice": 2})).await.code(), "OTHER_BALLOT");

    world.advance_clock(Duration::from_secs(7_200));
    assert_eq!(shown(&bob, &id).await["phase"], "REVEALING");
    let reveal = format!("/v1/polls/{id}/reveal");
    let wrong = bob.make(&reveal, &json!({"choice": 1, "salt": salt})).await;
    assert_eq!(wrong.code(), "COMMITMENT_MISMATCH");
    assert_eq!(alice.make(&reveal, &json!({"choice": 1, "salt": salt})).await.code(), "NOTHING_TO_REVEAL");
    let close = format!("/v1/polls/{id}/close");
    assert_eq!(alice.make(&close, &Value::Null).await.code(), "VOTES_UNREVEALED");
    bob.must(&reveal, &json!({"choice": 2, "salt": salt})).await;
    let poll = shown(&bob, &id).await;
    assert_eq!((votes(&poll), &poll["unrevealed"]), (vec![0, 0, 1], &json!(0)));
    assert_eq!(bob.make(&close, &Value::Null).await.code(), "NOT_POLL_CREATOR");
    alice.must(&close, &Value::Null).await;
    assert_eq!(shown(&bob, &id).await["phase"], "CLOSED");
}

#[tokio::test]
async fn who_may_vote_is_settled_at_the_beginning() {
    let world = World::new().await;
    let (alice, bob, admin) = (world.client(ALICE).await, world.client(BOB).await, world.client(ADMIN).await);
    let listed = with(question(), &json!({"voters": {"listed": [account(BOB), account(BOB)]}}));
    let id = alice.must("/v1/polls", &listed).await;
    assert_eq!(shown(&alice, &id).await["may_vote"], false);
    assert_eq!(shown(&bob, &id).await["listed"], 1);
    assert_eq!(alice.make("/vote", &json!({"poll": id, "choice": 0})).await.code(), "NOT_ELIGIBLE");
    bob.must("/vote", &json!({"poll": id, "choice": 0})).await;

    let id = alice.must("/v1/polls", &with(question(), &json!({"voters": "admins"}))).await;
    assert_eq!(bob.make("/vote", &json!({"poll": id, "choice": 0})).await.code(), "NOT_ELIGIBLE");
    admin.must("/vote", &json!({"poll": id, "choice": 0})).await;
    world.client(OTHER_ADMIN).await.must("/vote", &json!({"poll": id, "choice": 0})).await;
}

#[tokio::test]
async fn a_vote_is_changed_where_that_is_allowed() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let id = alice.must("/v1/polls", &with(question(), &json!({"changeable": true}))).await;
    for choice in [0, 2] {
        bob.must("/vote", &json!({"poll": id, "choice": choice})).await;
    }
    assert_eq!(votes(&shown(&bob, &id).await), [0, 0, 1]);
}

#[tokio::test]
async fn polls_are_listed() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let short = with(question(), &json!({"closes_at": after(1)}));
    let first = alice.must("/v1/polls", &short).await;
    let second = bob.must("/v1/polls", &question()).await;
    let ids = async |query: &str| -> Vec<String> {
        let list = world.stranger().get(&format!("/v1/polls{query}")).await.json();
        list["data"].as_array().unwrap().iter().map(|poll| poll["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, [second.clone(), first.clone()]);
    assert_eq!(ids(&format!("?creator={}", account(ALICE))).await, std::slice::from_ref(&first));
    assert_eq!(ids(&format!("?limit=1&starting_after={second}")).await, std::slice::from_ref(&first));
    world.advance_clock(Duration::from_secs(3_600));
    assert_eq!(ids("?running=true").await, [second]);
    assert_eq!(ids("?running=false").await, [first]);
    assert_eq!(world.stranger().get("/v1/polls?running=perhaps").await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn polls_that_make_no_sense_are_refused() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    for (change, code) in [
        (json!({"options": ["one"]}), "INVALID_BODY"),
        (json!({"options": ["one", "one"]}), "INVALID_BODY"),
        (json!({"question": ""}), "INVALID_BODY"),
        (json!({"closes_at": "soon"}), "INVALID_BODY"),
        (json!({"voters": {"listed": []}}), "INVALID_BODY"),
        (json!({"voters": "somebody"}), "INVALID_BODY"),
        (json!({"closes_at": after(0)}), "NO_TIME_TO_VOTE"),
        (json!({"opens_at": after(2)}), "NO_TIME_TO_VOTE"),
        (json!({"reveal_by": after(2)}), "NO_TIME_TO_REVEAL"),
        (json!({"closes_at": after(24 * 400)}), "POLL_TOO_LONG"),
        (json!({"voters": {"listed": [pbft_crypto::Address::from_bytes([9; 32])]}}), "UNKNOWN_VOTER"),
    ] {
        let reply = alice.make("/v1/polls", &with(question(), &change)).await;
        assert_eq!(reply.code(), code, "{change}");
    }
    let unknown = "ab".repeat(32);
    assert_eq!(world.stranger().get(&format!("/v1/polls/{unknown}")).await.code(), "UNKNOWN_POLL");
    assert_eq!(alice.make("/vote", &json!({"poll": unknown, "choice": 0})).await.code(), "UNKNOWN_POLL");
}
