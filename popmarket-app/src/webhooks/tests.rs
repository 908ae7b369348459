//! Whatever ends the program, nothing is lost: what was to be told is told after the next start, under the same id.

mod bounds;
mod missed;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ledger::{Amount, AssetId, Memo, PaymentOp};
use pbft_core::service::Service;
use pbft_crypto::Digest;
use tokio::sync::watch;

use super::{Store, Subscription, Targets, WebhookError, WebhookOptions, Webhooks};
use crate::projector::Projector;
use crate::read_model::{Position, ReadModel};
use crate::service::{LedgerService, request_of};
use crate::testing::{START, address, batch, key, service, sign};

const LONG: Duration = Duration::from_secs(30);
const ALICE: u8 = 4;
const BOB: u8 = 5;

/// Ids of messages that were taken, all that ever came, and whether messages are taken now.
struct Inbox {
    taken: watch::Sender<BTreeSet<String>>,
    seen: watch::Sender<Vec<String>>,
    is_open: watch::Sender<bool>,
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap) -> StatusCode {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    inbox.seen.send_modify(|seen| seen.push(id.clone()));
    let mut is_open = inbox.is_open.subscribe();
    let _ = is_open.wait_for(|is_open| *is_open).await;
    inbox.taken.send_modify(|taken| _ = taken.insert(id));
    StatusCode::OK
}

async fn receiver() -> (Arc<Inbox>, SocketAddr) {
    let inbox = Arc::new(Inbox {
        taken: watch::Sender::default(),
        seen: watch::Sender::default(),
        is_open: watch::Sender::new(true),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(take).with_state(Arc::clone(&inbox));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (inbox, at)
}

fn pay(service: &mut LedgerService, read_seq: u64, nonce: u64) {
    pay_to(BOB, service, read_seq, nonce);
}

fn pay_to(payee: u8, service: &mut LedgerService, read_seq: u64, nonce: u64) {
    let operation = PaymentOp::Pay {
        to: address(&key(payee)),
        asset: AssetId::Pop,
        amount: Amount::new(1),
        reference: None,
        memo: Memo::default(),
    };
    let request = request_of(&sign(&key(ALICE), nonce, operation));
    service.execute(&batch(read_seq, START + read_seq * 1_000, vec![request]));
}

async fn open(folder: &Path, read: &ReadModel, service: &LedgerService) -> Webhooks {
    let options = WebhookOptions { tick: Duration::from_millis(10), ..WebhookOptions::new(Targets::Any) };
    Webhooks::open(&folder.join("webhooks.db"), read.clone(), service.view(), options).await.unwrap()
}

async fn until<T>(sender: &watch::Sender<T>, ready: impl FnMut(&T) -> bool) {
    let mut receiver = sender.subscribe();
    tokio::time::timeout(LONG, receiver.wait_for(ready)).await.expect("in time").unwrap();
}

/// Mistake: after a new chain was begun, hooks get nothing until it is as high as the old one was.
#[tokio::test]
async fn hooks_of_another_chain_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.db");
    let (one, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    Store::open(&file, &one).await.unwrap().close().await;
    assert!(matches!(Store::open(&file, &other).await.err(), Some(WebhookError::OtherChain(_))));
    Store::open(&file, &one).await.unwrap().close().await;
}

#[tokio::test]
async fn a_program_that_ends_anywhere_loses_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(&folder.path().join("ledger"));
    let read = ReadModel::open(&folder.path().join("read.db")).await.unwrap();
    let projector = Projector::new(service.view(), read.clone());
    projector.catch_up().await.unwrap();
    let (inbox, at) = receiver().await;
    let webhooks = open(folder.path(), &read, &service).await;
    let subscription = Subscription {
        url: format!("http://{at}/"),
        events: vec!["payment.paid".to_owned()],
        everything: false,
    };
    webhooks.create(address(&key(BOB)), subscription).await.unwrap();
    webhooks.close().await;
    drop(webhooks);

    let mut seq = 0;
    for round in 0..8_u64 {
        // Messages hang in the receiver in every second round, so that it ends in the middle of sending.
        inbox.is_open.send_replace(round % 2 == 1);
        let seen = inbox.seen.borrow().len();
        let webhooks = open(folder.path(), &read, &service).await;
        let running = tokio::spawn({
            let webhooks = webhooks.clone();
            async move { webhooks.run().await }
        });
        for _ in 0..5 {
            seq += 1;
            pay(&mut service, seq, seq - 1);
        }
        projector.catch_up().await.unwrap();
        match round {
            // Right away, whatever it was doing.
            2 | 5 => tokio::task::yield_now().await,
            _ => until(&inbox.seen, |all| all.len() > seen).await,
        }
        running.abort();
        let _ = running.await;
        webhooks.close().await;
        // What happens while nobody tells it counts as well.
        seq += 1;
        pay(&mut service, seq, seq - 1);
        projector.catch_up().await.unwrap();
    }

    inbox.is_open.send_replace(true);
    let webhooks = open(folder.path(), &read, &service).await;
    let running = tokio::spawn({
        let webhooks = webhooks.clone();
        async move { webhooks.run().await }
    });
    // Each payment makes a block, in which the payment comes after the two balances.
    let all: BTreeSet<String> = (1..=seq).map(|height| format!("evt_{height}-2")).collect();
    until(&inbox.taken, |taken| taken.len() >= all.len()).await;
    assert_eq!(*inbox.taken.borrow(), all);
    assert!(
        inbox.seen.borrow().len() > all.len(),
        "some were sent twice, since it ended before they were taken"
    );
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}

#[tokio::test]
async fn a_new_hook_gets_what_comes_and_not_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(&folder.path().join("ledger"));
    let read = ReadModel::open(&folder.path().join("read.db")).await.unwrap();
    let projector = Projector::new(service.view(), read.clone());
    pay(&mut service, 1, 0);
    projector.catch_up().await.unwrap();
    let (inbox, at) = receiver().await;
    let webhooks = open(folder.path(), &read, &service).await;
    let subscription =
        Subscription { url: format!("http://{at}/"), events: vec!["payment.".to_owned()], everything: true };
    let (hook, _) = webhooks.create(address(&key(6)), subscription).await.unwrap();
    let running = tokio::spawn({
        let webhooks = webhooks.clone();
        async move { webhooks.run().await }
    });
    pay(&mut service, 2, 1);
    projector.catch_up().await.unwrap();
    until(&inbox.taken, |taken| !taken.is_empty()).await;
    assert_eq!(*inbox.taken.borrow(), BTreeSet::from(["evt_2-2".to_owned()]));
    let place = |text: &str| text.parse::<Position>().unwrap();
    let again = webhooks.replay(&hook.owner, hook.id, (place("0-0"), place("9-0"))).await.unwrap();
    assert_eq!((again.events, again.next), (2, None));
    until(&inbox.taken, |taken| taken.len() == 2).await;
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}
