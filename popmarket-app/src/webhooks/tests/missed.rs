//! What a hook has missed is told until it was replayed, and not dealt out by itself.

use super::bounds::{CAROL, World, ask, names, open_for, payments, run};
use super::*;
use crate::webhooks::{AttemptRecord, Hook, Status};

/// A hook of bob's that was too far behind: it has got nothing of these events.
async fn disabled() -> (World, Arc<Inbox>, Hook, Vec<Position>) {
    let mut world = World::new().await;
    let (inbox, at) = receiver().await;
    let webhooks = world.open(|options| options.max_open = 3).await;
    let bob = address(&key(BOB));
    let (hook, _) = webhooks.create(bob, payments(format!("http://{at}/"), false)).await.unwrap();
    inbox.is_open.send_replace(false);
    let running = run(&webhooks);
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(world.pay().await);
    }
    let shown = async || webhooks.hook(&bob, hook.id).await.unwrap();
    let hook = ask(shown, |hook: &Hook| hook.status != Status::Enabled).await;
    assert_eq!(hook.replay_from, Some(all[0]));
    running.abort();
    let _ = running.await;
    webhooks.close().await;
    inbox.is_open.send_replace(true);
    (world, inbox, hook, all)
}

fn place(text: &str) -> Option<Position> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn what_was_missed_is_told_until_all_of_it_was_replayed() {
    let (mut world, inbox, hook, mut all) = disabled().await;
    let bob = hook.owner;
    let webhooks = world.open(|_| ()).await;
    let running = run(&webhooks);
    // Nobody listens, so nobody notes how far it is.
    for _ in 0..6 {
        all.push(world.pay().await);
    }
    let replay = async |from: Position, to: Position| {
        let replay = webhooks.replay(&bob, hook.id, (from, to)).await.unwrap();
        (replay.events, webhooks.hook(&bob, hook.id).await.unwrap().replay_from)
    };
    assert_eq!(replay(all[0], all[6]).await, (7, place("8-0")), "what comes is missed as well");
    assert_eq!(replay(all[7], Position::from_number(i64::MAX).unwrap()).await, (3, place("8-0")));
    let enabled = webhooks.enable(&bob, hook.id).await.unwrap();
    assert_eq!((enabled.status, enabled.replay_from), (Status::Enabled, place("8-0")));
    assert_eq!(replay("8-0".parse().unwrap(), all[8]).await, (2, place("10-0")), "one is left");
    // Behind the last one nothing has happened.
    assert_eq!(replay("10-0".parse().unwrap(), all[9]).await, (1, None));
    all.push(world.pay().await);
    until(&inbox.taken, |taken| *taken == names(&all)).await;
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}

#[tokio::test]
async fn nothing_is_missed_if_all_was_replayed_before_the_hook_was_enabled() {
    let (mut world, inbox, hook, mut all) = disabled().await;
    let bob = hook.owner;
    let webhooks = world.open(|_| ()).await;
    let running = run(&webhooks);
    let replay = webhooks.replay(&bob, hook.id, (all[0], all[3])).await.unwrap();
    assert_eq!((replay.events, replay.next), (4, None));
    let shown = async || webhooks.hook(&bob, hook.id).await.unwrap();
    assert_eq!(shown().await.replay_from, place("5-0"), "more may come that is missed");
    let enabled = webhooks.enable(&bob, hook.id).await.unwrap();
    assert_eq!((enabled.status, enabled.replay_from), (Status::Enabled, None));
    // What comes now is not missed.
    all.push(world.pay().await);
    until(&inbox.taken, |taken| *taken == names(&all)).await;
    assert_eq!(shown().await.replay_from, None);
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}

/// Only a look at it tells that what others did was not for the hook.
#[tokio::test]
async fn what_others_did_meanwhile_is_covered_by_one_more_replay() {
    let (mut world, _inbox, hook, all) = disabled().await;
    let bob = hook.owner;
    let webhooks = world.open(|_| ()).await;
    assert_eq!(webhooks.replay(&bob, hook.id, (all[0], all[3])).await.unwrap().events, 4);
    let last = world.pay_to(CAROL).await;
    let enabled = webhooks.enable(&bob, hook.id).await.unwrap();
    assert_eq!((enabled.status, enabled.replay_from), (Status::Enabled, place("5-0")));
    let replay = webhooks.replay(&bob, hook.id, (place("5-0").unwrap(), last)).await.unwrap();
    assert_eq!((replay.events, replay.next), (0, None));
    assert_eq!(webhooks.hook(&bob, hook.id).await.unwrap().replay_from, None);
    webhooks.close().await;
}

/// Also if the program ends before anything else is written down.
#[tokio::test]
async fn what_happened_before_a_hook_was_enabled_is_not_dealt_out() {
    let (mut world, inbox, hook, _) = disabled().await;
    let bob = hook.owner;
    let mut missed = Vec::new();
    for _ in 0..5 {
        missed.push(world.pay().await);
    }
    // It ends before it has looked at anything.
    let webhooks = world.open(|_| ()).await;
    webhooks.enable(&bob, hook.id).await.unwrap();
    webhooks.close().await;
    drop(webhooks);

    let webhooks = world.open(|_| ()).await;
    let running = run(&webhooks);
    let next = world.pay().await;
    let attempts = async || webhooks.attempts(&bob, hook.id, None, 100).await.unwrap();
    let is_next = |attempt: &AttemptRecord| attempt.message == format!("evt_{next}");
    ask(attempts, |all: &Vec<AttemptRecord>| all.iter().any(is_next)).await;
    ask(async || open_for(&webhooks, hook.id).await, |open| *open == 0).await;
    let (seen, missed) = (inbox.seen.borrow().clone(), names(&missed));
    assert!(!seen.iter().any(|name| missed.contains(name)), "{seen:?}");
    assert_eq!(webhooks.hook(&bob, hook.id).await.unwrap().replay_from, hook.replay_from);
    running.abort();
    let _ = running.await;
    webhooks.close().await;
}
