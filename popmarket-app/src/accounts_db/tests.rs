use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::Name;
use pbft_crypto::{Address, Digest};

use super::*;
use crate::testing::{key, sign};

struct World {
    db: AccountsDb,
    clock: Arc<AtomicU64>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicU64::new(1_000_000));
        let db = open(&folder, &clock).await;
        Self { db, clock, folder }
    }

    async fn reopen(&mut self) {
        self.db.close().await;
        self.db = open(&self.folder, &self.clock).await;
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

async fn open(folder: &tempfile::TempDir, clock: &Arc<AtomicU64>) -> AccountsDb {
    let clock = Arc::clone(clock);
    let clock: Clock = Arc::new(move || UnixMillis::new(clock.load(Ordering::Relaxed)));
    AccountsDb::open_with_clock(&folder.path().join("accounts.db"), &Digest::ZERO, clock).await.unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn member(text: &str, number: u8) -> Member {
    Member { name: name(text), address: Address::from_bytes([number; 32]), keeping: KeyKeeping::Custodial }
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

/// Mistake: after a new chain was begun, old members sign in to accounts that it does not have.
#[tokio::test]
async fn members_of_another_chain_are_refused() {
    let world = World::new().await;
    world.db.close().await;
    let file = world.folder.path().join("accounts.db");
    let other = Digest::from_bytes([1; 32]);
    let refused = AccountsDb::open(&file, &other).await.err();
    let Some(AccountsError::OtherChain(why)) = refused else { panic!("it was opened") };
    assert_eq!((&why.file, why.found, why.expected), (&file, Digest::ZERO, other));
    assert!(why.to_string().contains("accounts.db"), "{why}");

    // One that is older than this belongs to whoever has it.
    let db = AccountsDb::open(&file, &Digest::ZERO).await.unwrap();
    db.shared.database.writer.execute(sqlx::query("DELETE FROM chain")).await.unwrap();
    db.close().await;
    AccountsDb::open(&file, &other).await.unwrap().close().await;
    assert!(matches!(AccountsDb::open(&file, &Digest::ZERO).await.err(), Some(AccountsError::OtherChain(_))));
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn passwords_have_8_to_128_characters() {
    for (length, is_good) in [(7, false), (8, true), (128, true), (129, false)] {
        assert_eq!(Password::new("가".repeat(length)).is_ok(), is_good, "{length}");
    }
}

#[tokio::test]
async fn members_sign_in_with_name_and_password() {
    let mut world = World::new().await;
    let alice = member("Alice", 1);
    world.db.enrol(alice.clone(), &password("correct horse")).await.unwrap();
    world.reopen().await;
    let (token, session) = world.db.sign_in(&name("aLICE"), &password("correct horse"), HOUR).await.unwrap();
    assert_eq!(session.member, alice);
    assert_eq!(world.db.session(&token).await.unwrap().unwrap().member, alice);
    for (who, what) in [("Alice", "incorrect horse"), ("Bob", "correct horse")] {
        let refused = world.db.sign_in(&name(who), &password(what), HOUR).await;
        assert!(matches!(refused, Err(AccountsError::WrongCredentials)), "{who}");
    }
    world.db.sign_out(&token).await.unwrap();
    assert!(world.db.session(&token).await.unwrap().is_none());
}

#[tokio::test]
async fn names_and_accounts_belong_to_one_member() {
    let world = World::new().await;
    world.db.enrol(member("Alice", 1), &password("password one")).await.unwrap();
    let taken = world.db.enrol(member("ALICE", 2), &password("password two")).await;
    assert!(matches!(taken, Err(AccountsError::NameTaken)));
    let taken = world.db.enrol(member("Bob", 1), &password("password two")).await;
    assert!(matches!(taken, Err(AccountsError::AccountTaken)));
    let (one, other) = (password("password one"), password("password two"));
    let two =
        tokio::join!(world.db.enrol(member("Carol", 3), &one), world.db.enrol(member("carol", 4), &other));
    assert_eq!(usize::from(two.0.is_ok()) + usize::from(two.1.is_ok()), 1);
    world.db.remove(&Address::from_bytes([1; 32])).await.unwrap();
    world.db.enrol(member("alice", 2), &password("password two")).await.unwrap();
}

#[tokio::test]
async fn sessions_end_and_are_few() {
    let world = World::new().await;
    let alice = member("alice", 1);
    world.db.enrol(alice.clone(), &password("correct horse")).await.unwrap();
    let (first, _) = world.db.begin_session(alice.clone(), HOUR).await.unwrap();
    world.pass(HOUR - Duration::from_millis(1));
    assert!(world.db.session(&first).await.unwrap().is_some());
    world.pass(Duration::from_millis(1));
    assert!(world.db.session(&first).await.unwrap().is_none());
    let mut tokens = Vec::new();
    for _ in 0..17 {
        world.pass(Duration::from_secs(1));
        tokens.push(world.db.begin_session(alice.clone(), HOUR).await.unwrap().0);
    }
    assert!(world.db.session(&tokens[0]).await.unwrap().is_none());
    assert!(world.db.session(&tokens[1]).await.unwrap().is_some());
    let text = tokens[1].to_string();
    assert!(text.parse() == Ok(tokens[1].clone()) && text.len() == 64);
    assert_eq!(format!("{:?}", tokens[1]), "SessionToken");
}

#[tokio::test]
async fn hashing_is_bounded() {
    let world = World::new().await;
    let (name, password) = (name("nobody"), password("correct horse"));
    let attempts = (0..80).map(|_| world.db.sign_in(&name, &password, HOUR));
    let results = futures_util::future::join_all(attempts).await;
    let busy = results.iter().filter(|result| matches!(result, Err(AccountsError::Busy))).count();
    let wrong =
        results.iter().filter(|result| matches!(result, Err(AccountsError::WrongCredentials))).count();
    assert_eq!(busy + wrong, 80);
    // On a slow machine the first has had its turn before the last one comes.
    assert!((8..=16).contains(&busy), "{busy}");
}

fn scope(key: &str) -> IdempotencyScope {
    let member = Address::from_bytes([1; 32]);
    IdempotencyScope { member, route: "POST /v1/payments".into(), key: key.into() }
}

fn answer() -> StoredAnswer {
    StoredAnswer { status: 201, content_type: "application/json".into(), body: b"{}".to_vec() }
}

async fn begin(db: &AccountsDb, key: &str, body: u8) -> IdempotencyBegin {
    db.begin(scope(key), &Digest::from_bytes([body; 32])).await.unwrap()
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let mut world = World::new().await;
    let IdempotencyBegin::New(ticket) = begin(&world.db, "k", 1).await else { panic!() };
    assert!(matches!(begin(&world.db, "k", 1).await, IdempotencyBegin::InFlight));
    assert!(matches!(begin(&world.db, "other", 2).await, IdempotencyBegin::New(_)));
    world.db.answer(ticket, &answer()).await.unwrap();
    world.reopen().await;
    let IdempotencyBegin::Answered(stored) = begin(&world.db, "k", 1).await else { panic!() };
    assert_eq!(stored, answer());
    assert!(matches!(begin(&world.db, "k", 2).await, IdempotencyBegin::OtherRequest));
    world.pass(24 * HOUR);
    assert!(matches!(begin(&world.db, "k", 2).await, IdempotencyBegin::New(_)));
}

#[tokio::test]
async fn an_interrupted_request_may_come_again() {
    let mut world = World::new().await;
    let IdempotencyBegin::New(ticket) = begin(&world.db, "k", 1).await else { panic!() };
    drop(ticket);
    assert!(matches!(begin(&world.db, "k", 2).await, IdempotencyBegin::OtherRequest));
    let IdempotencyBegin::New(ticket) = begin(&world.db, "k", 1).await else { panic!() };
    // As after a kill: nobody says what became of it.
    std::mem::forget(ticket);
    world.reopen().await;
    let IdempotencyBegin::New(ticket) = begin(&world.db, "k", 1).await else { panic!() };
    world.db.abandon(ticket).await.unwrap();
    assert!(matches!(begin(&world.db, "k", 2).await, IdempotencyBegin::New(_)));
}

/// Mistake: past a number of answers a member can do nothing more that day.
#[tokio::test]
async fn the_oldest_answers_make_room_and_only_the_askers_own() {
    let world = World::new().await;
    let mut others = scope("0");
    others.member = Address::from_bytes([2; 32]);
    let IdempotencyBegin::New(ticket) = world.db.begin(others.clone(), &Digest::ZERO).await.unwrap() else {
        panic!()
    };
    world.db.answer(ticket, &answer()).await.unwrap();
    let IdempotencyBegin::New(running) = begin(&world.db, "running", 0).await else { panic!() };
    for key in ["0", "1", "2", "3", "4"] {
        world.pass(Duration::from_secs(1));
        let IdempotencyBegin::New(ticket) = begin(&world.db, key, 0).await else { panic!() };
        world.db.answer(ticket, &answer()).await.unwrap();
    }
    world.db.forget_oldest_answers(&running.scope().member, 3).await.unwrap();
    for (key, is_kept) in [("0", false), ("1", false), ("2", true), ("3", true), ("4", true)] {
        let kept = matches!(begin(&world.db, key, 0).await, IdempotencyBegin::Answered(_));
        assert_eq!(kept, is_kept, "{key}");
    }
    let kept = world.db.begin(others, &Digest::ZERO).await.unwrap();
    assert!(matches!(kept, IdempotencyBegin::Answered(_)));
    drop(running);
    assert!(
        matches!(begin(&world.db, "running", 1).await, IdempotencyBegin::OtherRequest),
        "it is not forgotten"
    );
}

#[test]
fn answers_are_counted_now_and_then_in_bounded_memory() {
    let kept = Kept::default();
    let asker = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    };
    let counts = (1..=2_500).filter(|_| kept.is_time_to_count(asker(0))).count();
    assert_eq!(counts, 2);
    for number in 0..40_000 {
        kept.is_time_to_count(asker(number));
        assert!(kept.askers() <= 16_384);
    }
}

/// Rule: nothing that was answered is lost when the power fails, so every commit waits for the disk.
#[tokio::test]
async fn commits_wait_for_the_disk() {
    const FULL: i64 = 2;
    let world = World::new().await;
    let pragma = sqlx::query("PRAGMA synchronous").fetch_one(&world.db.shared.database.writer).await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&pragma, 0), FULL);
}

#[tokio::test]
async fn one_of_many_at_once_is_the_first() {
    let world = World::new().await;
    let begins = (0..20).map(|_| begin(&world.db, "k", 1));
    let results = futures_util::future::join_all(begins).await;
    let new = results.iter().filter(|result| matches!(result, IdempotencyBegin::New(_))).count();
    assert_eq!(new, 1, "{results:?}");
}

#[tokio::test]
async fn what_was_signed_is_found_again() {
    let mut world = World::new().await;
    let op = ledger::AccountOp::Register { name: name("dave") };
    let transaction = sign(&key(9), 0, op);
    let (sender, client_ref) = (transaction.body().sender, transaction.body().client_ref);
    assert!(world.db.outgoing(&sender, &client_ref).await.unwrap().is_none());
    assert!(world.db.put_outgoing(&transaction).await.unwrap());
    let other = sign(&key(9), 1, ledger::AccountOp::Register { name: name("erin") });
    assert!(!world.db.put_outgoing(&other).await.unwrap());
    world.reopen().await;
    world.db.drop_outgoing(&other).await.unwrap();
    assert_eq!(world.db.outgoing(&sender, &client_ref).await.unwrap(), Some(transaction.clone()));
    world.db.drop_outgoing(&transaction).await.unwrap();
    assert!(world.db.outgoing(&sender, &client_ref).await.unwrap().is_none());
    assert!(world.db.outgoing(&sender, &[9; 16]).await.unwrap().is_none());
}
