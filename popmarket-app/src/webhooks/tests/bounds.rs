//! Nobody's queue grows for ever, and what breaks breaks alone.

use std::net::IpAddr;

use futures_util::future::BoxFuture;

use super::*;
use crate::webhooks::{AttemptRecord, Hook, HookId, Names, Status};

pub(super) const CAROL: u8 = 6;

pub(super) struct World {
    folder: tempfile::TempDir,
    service: LedgerService,
    read: ReadModel,
    projector: Projector,
    /// Payments so far.
    paid: u64,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder.path().join("ledger"));
        let read = ReadModel::open(&folder.path().join("read.db")).await.unwrap();
        let projector = Projector::new(service.view(), read.clone());
        projector.catch_up().await.unwrap();
        Self { folder, service, read, projector, paid: 0 }
    }

    pub(super) async fn open(&self, change: impl FnOnce(&mut WebhookOptions)) -> Webhooks {
        let mut options =
            WebhookOptions { tick: Duration::from_millis(10), ..WebhookOptions::new(Targets::Any) };
        change(&mut options);
        let file = self.folder.path().join("webhooks.db");
        Webhooks::open(&file, self.read.clone(), self.service.view(), options).await.unwrap()
    }

    /// A payment to bob, and its event.
    pub(super) async fn pay(&mut self) -> Position {
        self.pay_to(BOB).await
    }

    pub(super) async fn pay_to(&mut self, payee: u8) -> Position {
        self.paid += 1;
        pay_to(payee, &mut self.service, self.paid, self.paid - 1);
        self.projector.catch_up().await.unwrap();
        format!("{}-2", self.paid).parse().unwrap()
    }
}

pub(super) fn payments(url: String, everything: bool) -> Subscription {
    Subscription { url, events: vec!["payment.paid".to_owned()], everything }
}

pub(super) fn run(webhooks: &Webhooks) -> tokio::task::JoinHandle<()> {
    let webhooks = webhooks.clone();
    tokio::spawn(async move { webhooks.run().await })
}

/// Asks until it is as wished.
pub(super) async fn ask<T>(mut what: impl AsyncFnMut() -> T, wish: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let found = what().await;
            if wish(&found) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, asking).await.expect("in time")
}

pub(super) async fn open_for(webhooks: &Webhooks, id: HookId) -> u64 {
    webhooks.shared.store.open_for(id).await
}

pub(super) fn names(positions: &[Position]) -> BTreeSet<String> {
    positions.iter().map(|position| format!("evt_{position}")).collect()
}

#[tokio::test]
async fn a_hook_that_is_too_far_behind_is_disabled_and_its_owner_replays() {
    let mut world = World::new().await;
    let (inbox, at) = receiver().await;
    let webhooks = world.open(|options| options.max_open = 3).await;
    let bob = address(&key(BOB));
    let (hook, _) = webhooks.create(bob, payments(format!("http://{at}/"), false)).await.unwrap();
    let running = run(&webhooks);
    let mut all = vec![world.pay().await];
    let attempts = async || webhooks.attempts(&bob, hook.id, None, 100).await.unwrap();
    ask(&attempts, |all: &Vec<AttemptRecord>| all.len() == 1).await;

    // From now on it does not answer.
    inbox.is_open.send_replace(false);
    for open in 1..=3 {
        all.push(world.pay().await);
        ask(async || open_for(&webhooks, hook.id).await, |found| *found == open).await;
    }
    // All of it is on its way: what had yet to be sent would be forgotten.
    until(&inbox.seen, |seen| seen.len() == 4).await;
    let shown = async || webhooks.hook(&bob, hook.id).await.unwrap();
    assert_eq!((shown().await.status, shown().await.replay_from), (Status::Enabled, None));
    all.push(world.pay().await);
    let disabled = ask(&shown, |hook: &Hook| hook.status != Status::Enabled).await;
    let Status::Disabled { why } = &disabled.status else { unreachable!() };
    assert!(why.contains("too far behind") && why.contains("more than 3"), "{why}");
    assert!(why.contains("replay from event 2-2") && why.ends_with("got before is 1-2"), "{why}");
    assert_eq!(disabled.replay_from, Some(all[1]));
    assert_eq!(open_for(&webhooks, hook.id).await, 0, "what was open is not kept");
    assert_eq!(webhooks.hooks_of(&bob).await.unwrap(), [disabled]);

    // What happens meanwhile is not dealt out; what was on its way may still come, and opens or closes nothing.
    all.push(world.pay().await);
    inbox.is_open.send_replace(true);
    ask(&attempts, |all: &Vec<AttemptRecord>| all.len() == 4).await;
    assert_eq!(open_for(&webhooks, hook.id).await, 0);

    // The owner enables it, and gets the rest part by part: replays leave room for what happens meanwhile.
    let enabled = webhooks.enable(&bob, hook.id).await.unwrap();
    assert_eq!((&enabled.status, enabled.replay_from), (&Status::Enabled, Some(all[1])));
    let mut from = enabled.replay_from;
    let mut replays = 0;
    while let Some(next) = from {
        let replay = webhooks.replay(&bob, hook.id, (next, all[5])).await.unwrap();
        assert!(replay.events <= 1, "{replay:?}");
        assert!(replay.next.is_none_or(|next| all.contains(&next)), "{replay:?}");
        from = replay.next;
        replays += replay.events;
        ask(async || open_for(&webhooks, hook.id).await, |open| *open == 0).await;
    }
    assert_eq!(replays, 5);
    until(&inbox.taken, |taken| *taken == names(&all)).await;
    // It is told what happens from now on, as ever.
    all.push(world.pay().await);
    until(&inbox.taken, |taken| *taken == names(&all)).await;
    assert_eq!(shown().await.status, Status::Enabled);
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}

/// Where these names lead, something breaks.
struct Broken;

impl Names for Broken {
    fn look_up(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        panic!("{host} breaks it")
    }
}

#[tokio::test]
async fn what_breaks_counts_as_failed_and_the_others_go_on() {
    let mut world = World::new().await;
    let (inbox, at) = receiver().await;
    let webhooks = world.open(|options| options.names = Arc::new(Broken)).await;
    let carol = address(&key(CAROL));
    webhooks.create(carol, payments(format!("http://{at}/"), true)).await.unwrap();
    let running = run(&webhooks);
    // This one is on its way all the time.
    inbox.is_open.send_replace(false);
    let mut all = vec![world.pay().await];
    until(&inbox.seen, |seen| seen.len() == 1).await;

    let bob = address(&key(BOB));
    let (hook, _) = webhooks.create(bob, payments("http://broken.example/".to_owned(), false)).await.unwrap();
    all.push(world.pay().await);
    let attempts = async || webhooks.attempts(&bob, hook.id, None, 100).await.unwrap();
    let attempt = ask(&attempts, |all: &Vec<AttemptRecord>| !all.is_empty()).await.remove(0);
    assert_eq!((attempt.message, attempt.number, attempt.status), (format!("evt_{}", all[1]), 1, None));
    assert!(attempt.error.unwrap().contains("an error in the program"));
    let shown = webhooks.hook(&bob, hook.id).await.unwrap();
    assert_eq!((shown.status, shown.failing_since), (Status::Enabled, Some(attempt.at)));
    assert_eq!(open_for(&webhooks, hook.id).await, 1, "it is tried again");

    all.push(world.pay().await);
    until(&inbox.seen, |seen| seen.len() == 3).await;
    inbox.is_open.send_replace(true);
    until(&inbox.taken, |taken| *taken == names(&all)).await;
    assert_eq!(inbox.seen.borrow().len(), 3, "nothing was broken off and sent again");
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}
