use std::collections::BTreeSet;

use sqlx::Row as _;

use super::super::{AttemptRecord, Hook, Status, Subscription};
use super::*;
use crate::testing::{address, key};
use crate::webhooks::Secret;

const MOST: LookAhead = LookAhead { hooks: 8, of_each: 4 };

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::new(millis)
}

fn place(number: u64) -> Position {
    format!("{number}-0").parse().unwrap()
}

struct World {
    _folder: tempfile::TempDir,
    store: Store,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let chain = pbft_crypto::Digest::ZERO;
        let store = Store::open(&folder.path().join("webhooks.db"), &chain).await.unwrap();
        Self { _folder: folder, store }
    }

    async fn hook(&self, owner: u8, everything: bool) -> HookId {
        let hook = Hook {
            id: HookId::generate(),
            owner: address(&key(owner)),
            subscription: Subscription {
                url: "https://x.example/".to_owned(),
                events: Vec::new(),
                everything,
            },
            created_at: at(0),
            status: Status::Enabled,
            failing_since: None,
            replay_from: None,
        };
        self.store.insert(&hook, &Secret::generate(), Position::START).await.unwrap();
        hook.id
    }

    async fn plan(&self, hook: HookId, events: std::ops::RangeInclusive<u64>, now: u64) {
        let last = place(*events.end());
        let wanted = BTreeMap::from([(hook, events.map(place).collect())]);
        assert!(self.store.plan(&wanted, last, at(now), u32::MAX).await.unwrap().is_empty());
    }

    async fn due(&self, now: u64, busy: &[u8], most: LookAhead) -> Vec<Delivery> {
        let busy: Vec<Address> = busy.iter().map(|owner| address(&key(*owner))).collect();
        self.store.due(at(now), &busy, most).await.unwrap()
    }

    async fn ends(&self, delivery: &Delivery, now: u64, next: Next) -> Option<&'static str> {
        self.answers(delivery, now, next, None).await
    }

    async fn answers(
        &self,
        delivery: &Delivery,
        now: u64,
        next: Next,
        status: Option<u16>,
    ) -> Option<&'static str> {
        let error = (next != Next::Delivered).then(|| "no answer".to_owned());
        let (message, number) = (String::new(), delivery.attempts + 1);
        let attempt = AttemptRecord { id: 0, message, number, at: at(now), millis: 0, status, error };
        self.store.record(delivery, &Outcome { attempt, next, at: at(now) }).await.unwrap()
    }

    /// Sends a range of events again, all of which are for the hook. Returns how many there was room for.
    async fn replay(&self, hook: HookId, events: std::ops::RangeInclusive<u64>, max_open: u32) -> usize {
        let (from, up_to) = (place(*events.start()), place(*events.end()).to_number() + 1);
        let positions: Vec<Position> = events.map(place).collect();
        let again = Again { from, positions: &positions, up_to };
        self.store.replay(hook, again, at(13), max_open).await.unwrap()
    }

    async fn shown(&self, hook: HookId) -> Hook {
        self.store.hook(hook).await.unwrap().unwrap()
    }

    /// What is open for a hook, as it is noted and as it is.
    async fn open(&self, hook: HookId) -> (i64, i64) {
        let sql = "SELECT open, (SELECT COUNT(*) FROM deliveries WHERE hook = hooks.id AND due_at IS NOT NULL) AS real \
                   FROM hooks WHERE id = $1";
        let row = sqlx::query(sql).bind(hook.to_vec()).fetch_one(&self.store.database.readers).await.unwrap();
        (row.get("open"), row.get("real"))
    }
}

fn seen(due: &[Delivery]) -> Vec<(HookId, u64)> {
    due.iter().map(|delivery| (delivery.hook.id, delivery.position.height().value())).collect()
}

#[tokio::test]
async fn who_has_much_to_send_is_in_nobodys_way() {
    let world = World::new().await;
    let (big, other) = (world.hook(4, false).await, world.hook(4, false).await);
    let small = world.hook(5, false).await;
    world.plan(big, 1..=5_000, 10).await;
    world.plan(other, 5_001..=5_001, 20).await;
    world.plan(small, 5_002..=5_002, 30).await;
    // The first of each member, then the second; of each hook only so much.
    let due = world.due(40, &[], MOST).await;
    assert_eq!(seen(&due), [(big, 1), (small, 5_002), (big, 2), (big, 3), (big, 4), (other, 5_001)]);
    assert_eq!(seen(&world.due(40, &[4], MOST).await), [(small, 5_002)]);
    assert!(world.due(9, &[], MOST).await.is_empty());

    // There is room for one hook only: whoever was served waits behind those who came later.
    let one = LookAhead { hooks: 1, of_each: 1 };
    let mut served = Vec::new();
    for now in 40..44 {
        let next = world.due(now, &[], one).await.remove(0);
        served.push((next.hook.id, next.position.height().value()));
        world.ends(&next, now, Next::Delivered).await;
    }
    assert_eq!(served, [(big, 1), (other, 5_001), (small, 5_002), (big, 2)]);
    assert_eq!(world.open(big).await, (4_998, 4_998));
    assert_eq!(world.open(small).await, (0, 0));
}

#[tokio::test]
async fn what_failed_waits_its_time_and_holds_up_nothing() {
    let world = World::new().await;
    let hook = world.hook(4, false).await;
    world.plan(hook, 1..=2, 10).await;
    let first = world.due(10, &[], MOST).await.remove(0);
    world.ends(&first, 11, Next::Again(at(100))).await;
    assert_eq!(seen(&world.due(12, &[], MOST).await), [(hook, 2)]);
    let second = world.due(12, &[], MOST).await.remove(0);
    world.store.put_off(&second, (at(12), at(50))).await.unwrap();
    assert!(world.due(49, &[], MOST).await.is_empty());
    assert_eq!(seen(&world.due(50, &[], MOST).await), [(hook, 2)]);
    world.ends(&second, 50, Next::GivenUp).await;
    assert_eq!(world.open(hook).await, (1, 1));
    assert!(world.due(99, &[], MOST).await.is_empty());
    // What comes later does not wait for the one that failed.
    world.plan(hook, 3..=3, 60).await;
    assert_eq!(seen(&world.due(60, &[], MOST).await), [(hook, 3)]);
    assert_eq!(seen(&world.due(100, &[], MOST).await), [(hook, 3), (hook, 1)]);
}

#[tokio::test]
async fn what_is_open_is_counted_whatever_happens() {
    let world = World::new().await;
    let hook = world.hook(4, false).await;
    world.plan(hook, 1..=3, 10).await;
    let due = world.due(10, &[], MOST).await;
    world.ends(&due[0], 10, Next::Delivered).await;
    // Told a second time, it is not open: nothing was replayed. What is dealt out twice is open once.
    world.ends(&due[0], 11, Next::Delivered).await;
    world.plan(hook, 2..=4, 12).await;
    assert_eq!(world.open(hook).await, (3, 3));
    assert_eq!(world.replay(hook, 1..=9, 5).await, 2);
    assert_eq!(world.open(hook).await, (4, 4));
    assert_eq!(world.replay(hook, 1..=9, 4).await, 0);
    world.store.remove(hook).await.unwrap();
    assert_eq!(world.replay(hook, 1..=9, 100).await, 0);
    world.plan(hook, 5..=6, 14).await;
    assert!(world.due(20, &[], MOST).await.is_empty());
}

/// What is given up is not lost, although the hook goes on.
#[tokio::test]
async fn what_was_given_up_can_be_replayed() {
    let world = World::new().await;
    let hook = world.hook(4, false).await;
    world.plan(hook, 1..=5, 10).await;
    let due = world.due(10, &[], LookAhead { hooks: 1, of_each: 5 }).await;
    let ends = [Next::Delivered, Next::GivenUp, Next::Delivered, Next::GivenUp, Next::Delivered];
    for (delivery, next) in due.iter().zip(ends) {
        assert_eq!(world.ends(delivery, 10, next).await, None);
    }
    let shown = world.shown(hook).await;
    assert_eq!((shown.status, shown.replay_from), (Status::Enabled, Some(place(2))));
    // Only what covers both covers it all, and what begins later covers nothing.
    for (events, left) in [(3..=9, Some(2)), (1..=1, Some(2)), (2..=3, None), (3..=4, None)] {
        let (first, last) = (*events.start(), *events.end());
        world.replay(hook, events, 100).await;
        let left = left
            .map(place)
            .or((last < 4).then(|| Position::from_number(place(last).to_number() + 1).unwrap()));
        assert_eq!(world.shown(hook).await.replay_from, left, "{first} to {last}");
    }
    // Told a second time, it is not missed again.
    assert_eq!(world.ends(&due[1], 11, Next::Delivered).await, None);
    assert_eq!(world.ends(&due[1], 12, Next::GivenUp).await, None);
    assert_eq!(world.shown(hook).await.replay_from, None);
}

/// While a hook is disabled more is missed, so nothing that is replayed covers it all.
#[tokio::test]
async fn what_a_disabled_hook_misses_has_no_end_yet() {
    const GONE: Option<u16> = Some(410);
    let world = World::new().await;
    let hook = world.hook(4, false).await;
    world.plan(hook, 1..=2, 10).await;
    let due = world.due(10, &[], MOST).await;
    assert!(world.answers(&due[0], 10, Next::Again(at(90)), GONE).await.unwrap().contains("gone"));
    let missed = Position::from_number(place(2).to_number() + 1).unwrap();
    assert_eq!(world.shown(hook).await.replay_from, Some(missed));
    // What was on its way when it was disabled, and fails for good, too.
    assert_eq!(world.answers(&due[1], 11, Next::GivenUp, GONE).await, None);
    assert_eq!(world.shown(hook).await.replay_from, Some(place(2)));
    world.replay(hook, 2..=5_000, 10).await;
    let left = world.shown(hook).await.replay_from.unwrap();
    assert_eq!(left, place(11), "there was room for nine");
    world.replay(hook, 11..=5_000, 6_000).await;
    let left = world.shown(hook).await.replay_from.unwrap();
    assert_eq!(left.to_number(), place(5_000).to_number() + 1);

    world.store.enable(hook, place(6_000), at(20)).await.unwrap();
    // A second time changes nothing of where it ends.
    world.store.enable(hook, place(7_000), at(20)).await.unwrap();
    assert_eq!(world.shown(hook).await.replay_from, Some(left));
    world.replay(hook, 5_000..=5_999, 10_000).await;
    assert!(world.shown(hook).await.replay_from.is_some());
    world.replay(hook, 5_999..=6_000, 10_000).await;
    assert_eq!(world.shown(hook).await.replay_from, None);
    assert_eq!(world.store.planned().await.unwrap(), Some(place(7_000)));
}

/// What was found out about a hook before is no reason to disable it.
#[tokio::test]
async fn only_how_a_hook_is_now_can_disable_it() {
    const DAY: u64 = 86_400_000;
    let world = World::new().await;
    let hook = world.hook(4, false).await;
    world.plan(hook, 1..=4, 10).await;
    let first = world.due(10, &[], MOST).await;
    world.ends(&first[0], 10, Next::Again(at(20))).await;
    // These know that it has been failing for five days.
    let due = world.due(5 * DAY + 10, &[], MOST).await;
    assert!(due.iter().all(|delivery| delivery.hook.failing_since == Some(at(10))));
    world.ends(&due[0], 5 * DAY + 10, Next::Delivered).await;
    assert_eq!(world.ends(&due[1], 5 * DAY + 10, Next::Again(at(6 * DAY))).await, None);
    assert_eq!(world.shown(hook).await.status, Status::Enabled);

    let late = 11 * DAY;
    assert_eq!(
        world.ends(&due[2], late, Next::Again(at(late))).await,
        Some("nothing got through for five days")
    );
    world.store.enable(hook, place(4), at(late + 5)).await.unwrap();
    for status in [None, Some(410)] {
        assert_eq!(world.answers(&due[3], late + 4, Next::Again(at(late)), status).await, None);
        let shown = world.shown(hook).await;
        assert_eq!((shown.status, shown.failing_since), (Status::Enabled, None));
    }
    assert!(world.answers(&due[3], late + 5, Next::Again(at(late)), Some(410)).await.is_some());
}

#[tokio::test]
async fn only_those_who_listen_are_looked_up() {
    let world = World::new().await;
    assert!(!world.store.has_enabled().await.unwrap());
    let (mine, all) = (world.hook(4, false).await, world.hook(5, true).await);
    world.hook(6, false).await;
    // More people than fit into one statement.
    let mut people: BTreeSet<Address> = (0..2_500_u16)
        .map(|number| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            Address::from_bytes(bytes)
        })
        .collect();
    people.extend([address(&key(4)), address(&key(5))]);
    let found = world.store.listening(&people).await.unwrap();
    let found: BTreeSet<HookId> = found.into_iter().map(|(hook, _)| hook.id).collect();
    assert_eq!(found, BTreeSet::from([mine, all]));
    assert!(world.store.has_enabled().await.unwrap());
}

/// However many hooks and deliveries there are, only those are touched that are found.
#[tokio::test]
async fn an_index_leads_to_what_is_due() {
    let world = World::new().await;
    world.hook(4, false).await;
    let plan = async |mut query: QueryBuilder<Db>| -> Vec<String> {
        let rows = query.build().fetch_all(&world.store.database.readers).await.unwrap();
        rows.iter().map(|row| row.get("detail")).collect()
    };
    let mut due = QueryBuilder::<Db>::new("EXPLAIN QUERY PLAN ");
    push_due(&mut due, at(1), &[address(&key(4)), address(&key(5))], MOST);
    let everyone = QueryBuilder::<Db>::new(
        "EXPLAIN QUERY PLAN SELECT * FROM hooks WHERE disabled IS NULL AND everything = TRUE",
    );
    let mut some = QueryBuilder::<Db>::new(
        "EXPLAIN QUERY PLAN SELECT * FROM hooks WHERE disabled IS NULL AND everything = FALSE AND owner IN (",
    );
    push_list(&mut some, &[address(&key(4)), address(&key(5))]);
    for (query, indices) in [
        (due, &["hooks_by_turn", "deliveries_by_due"][..]),
        (everyone, &["hooks_by_audience"]),
        (some, &["hooks_by_audience"]),
    ] {
        let steps = plan(query).await;
        for table in ["hooks", "deliveries", "due"] {
            assert!(!steps.iter().any(|step| step.starts_with(&format!("SCAN {table}"))), "{steps:#?}");
        }
        for index in indices {
            assert!(steps.iter().any(|step| step.contains(index)), "{index}: {steps:#?}");
        }
    }
}
