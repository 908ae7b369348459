//! Nonces for many threads: each once, none lost.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{NONCE_WINDOW, NonceWindow, UnixMillis};
use pbft_crypto::Address;
use proptest::prelude::*;
use wallet::{NonceAllocator, NonceError, NonceLease, NonceView};

const ALICE: Address = Address::from_bytes([1; 32]);
const LATE: UnixMillis = UnixMillis::new(1_000_000);

/// The ledger's window when exactly these nonces are used, at a block time.
fn view(used: impl IntoIterator<Item = u64>, as_of: u64) -> NonceView {
    let used: BTreeSet<u64> = used.into_iter().collect();
    let base = (0..).find(|n| !used.contains(n)).unwrap();
    let mut words = [0_u64; 4];
    for offset in used.iter().filter_map(|n| n.checked_sub(base)) {
        words[usize::try_from(offset / 64).unwrap()] |= 1 << (offset % 64);
    }
    NonceView { window: window(base, words), as_of: UnixMillis::new(as_of) }
}

/// The ledger does not let others make windows, but it does read them.
fn window(base: u64, used: [u64; 4]) -> NonceWindow {
    serde_json::from_value(serde_json::json!({ "base": base, "used": used })).unwrap()
}

fn take(nonces: &NonceAllocator, view: &NonceView) -> NonceLease {
    nonces.hand_out(ALICE, view, LATE).unwrap()
}

#[test]
fn lowest_first_and_each_once() {
    let nonces = NonceAllocator::new(10);
    let leases: Vec<_> = (0..5).map(|_| take(&nonces, &view([], 0))).collect();
    assert_eq!(leases.iter().map(NonceLease::nonce).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(leases.iter().all(|lease| lease.account() == ALICE));
    let other = nonces.hand_out(Address::from_bytes([2; 32]), &view([], 0), LATE).unwrap();
    assert_eq!(other.nonce(), 0, "each account has its own");
}

#[test]
fn nonces_that_others_used_are_left_out() {
    let nonces = NonceAllocator::new(10);
    let view = view([0, 1, 3, 4], 0);
    assert_eq!([(); 3].map(|()| take(&nonces, &view).nonce()), [2, 5, 6]);
}

#[test]
fn a_released_nonce_is_next() {
    let nonces = NonceAllocator::new(10);
    let [_zero, one, _two] = [(); 3].map(|()| take(&nonces, &view([], 0)));
    nonces.release(one);
    assert_eq!([(); 2].map(|()| take(&nonces, &view([], 0)).nonce()), [1, 3]);
}

#[test]
fn a_confirmed_nonce_is_used_up_whatever_an_old_view_says() {
    let nonces = NonceAllocator::new(10);
    let old = view([], 0);
    let lease = take(&nonces, &old);
    nonces.confirm(lease);
    assert_eq!(nonces.taken(&ALICE), 1);
    assert_eq!(take(&nonces, &old).nonce(), 1);
    nonces.resync(&ALICE, &view([0], 1));
    assert_eq!(nonces.taken(&ALICE), 1, "the ledger knows about 0 now");
    assert_eq!(take(&nonces, &old).nonce(), 2, "a view from before does not bring 0 back");
}

#[test]
fn the_window_is_the_limit() {
    let nonces = NonceAllocator::new(10);
    let mut leases: Vec<_> = (0..NONCE_WINDOW).map(|_| take(&nonces, &view([], 0))).collect();
    assert_eq!(leases.iter().map(NonceLease::nonce).max(), Some(255));
    assert_eq!(nonces.hand_out(ALICE, &view([], 0), LATE), Err(NonceError::WindowFull { base: 0 }));
    // What is used above the base does not move the window; the lowest does.
    assert_eq!(nonces.hand_out(ALICE, &view([1, 2], 1), LATE), Err(NonceError::WindowFull { base: 0 }));
    assert_eq!(take(&nonces, &view([0, 1, 2], 2)).nonce(), 256);
    nonces.release(leases.pop().unwrap());
    assert_eq!(take(&nonces, &view([0, 1, 2], 2)).nonce(), 255);
}

#[test]
fn a_dropped_lease_stays_taken_until_it_expires() {
    let nonces = NonceAllocator::new(10);
    let until = UnixMillis::new(100);
    drop(nonces.hand_out(ALICE, &view([], 0), until).unwrap());
    drop(nonces.hand_out(ALICE, &view([], 0), until).unwrap());
    assert_eq!(take(&nonces, &view([], 99)).nonce(), 2, "both may still be recorded");
    // At 100 the second one turns out to be recorded. The first is not, and later blocks have later times.
    assert_eq!(take(&nonces, &view([1], 100)).nonce(), 0);
}

/// Its nonce belongs to someone else by then.
#[test]
fn a_lease_that_has_expired_ends_without_effect() {
    let nonces = NonceAllocator::new(10);
    let [first, second] =
        [(); 2].map(|()| nonces.hand_out(ALICE, &view([], 0), UnixMillis::new(100)).unwrap());
    let again = [(); 2].map(|()| take(&nonces, &view([], 100)));
    assert_eq!(again.each_ref().map(NonceLease::nonce), [0, 1]);
    nonces.release(first);
    nonces.confirm(second);
    assert_eq!(take(&nonces, &view([], 100)).nonce(), 2, "0 and 1 are still in flight");
    let [zero, one] = again;
    nonces.release(zero);
    nonces.release(one);
    assert_eq!(take(&nonces, &view([], 100)).nonce(), 0);
}

#[test]
fn the_last_nonce_of_all_is_not_handed_out() {
    let nonces = NonceAllocator::new(10);
    let view = NonceView { window: window(u64::MAX - 2, [0; 4]), as_of: UnixMillis::new(0) };
    assert_eq!([(); 2].map(|()| take(&nonces, &view).nonce()), [u64::MAX - 2, u64::MAX - 1]);
    let full = Err(NonceError::WindowFull { base: u64::MAX - 2 });
    assert_eq!(nonces.hand_out(ALICE, &view, LATE), full);
}

#[test]
fn only_accounts_with_something_in_flight_count() {
    let nonces = NonceAllocator::new(2);
    let [a, b, c] = [1, 2, 3].map(|n| Address::from_bytes([n; 32]));
    let until = UnixMillis::new(100);
    let hand_out = |account, as_of| nonces.hand_out(account, &view([], as_of), until);
    let of_a = hand_out(a, 0).unwrap();
    let _of_b = hand_out(b, 0).unwrap();
    assert_eq!(hand_out(c, 0), Err(NonceError::TooManyAccounts));
    assert!(hand_out(a, 0).is_ok(), "those already there may go on");
    nonces.release(of_a);
    assert_eq!(hand_out(c, 0), Err(NonceError::TooManyAccounts), "a has another one");
    assert!(nonces.hand_out(c, &view([], 100), LATE).is_ok(), "all of a and b have expired");
    assert_eq!([a, b, c].map(|account| nonces.taken(&account)), [0, 0, 1]);
}

#[test]
fn a_confirmed_account_makes_room() {
    let nonces = NonceAllocator::new(1);
    nonces.confirm(take(&nonces, &view([], 0)));
    assert!(nonces.hand_out(Address::from_bytes([2; 32]), &view([], 0), LATE).is_ok());
}

#[test]
fn threads_never_share_a_nonce() {
    let nonces = NonceAllocator::new(10);
    let all: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    // Give every other one back, so that the threads take over each other's.
                    let keep_one_of_two = |_| {
                        let (first, second) = (take(&nonces, &view([], 0)), take(&nonces, &view([], 0)));
                        nonces.release(first);
                        let nonce = second.nonce();
                        nonces.confirm(second);
                        nonce
                    };
                    (0..24).map(keep_one_of_two).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (8 * 24, 8 * 24));
    assert_eq!(nonces.taken(&ALICE), 8 * 24);
    assert!(distinct.iter().all(|nonce| *nonce < NONCE_WINDOW));
}

/// One step of a life with a ledger.
#[derive(Clone, Debug)]
enum Step {
    Take {
        valid_for: u64,
    },
    Release(usize),
    Record(usize),
    RecordAndDrop(usize),
    Drop(usize),
    /// Someone else with the same key uses the lowest nonce that is free for it.
    Stranger,
    Tick(u64),
    /// Look at the ledger as it was a few steps ago.
    OldView(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..50_u64).prop_map(|valid_for| Step::Take { valid_for }),
        1 => any::<usize>().prop_map(Step::Release),
        4 => any::<usize>().prop_map(Step::Record),
        1 => any::<usize>().prop_map(Step::RecordAndDrop),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => Just(Step::Stranger),
        2 => (1..20_u64).prop_map(Step::Tick),
        2 => (0..5_usize).prop_map(Step::OldView),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Against a naive ledger: a nonce that is handed out is never one that another transaction may still use.
    #[test]
    fn no_two_transactions_compete(steps in prop::collection::vec(any_step(), 1..300)) {
        let nonces = NonceAllocator::new(1);
        let (mut used, mut now) = (BTreeSet::new(), 0);
        let mut views = vec![view([], 0)];
        let mut leases: Vec<(NonceLease, u64)> = Vec::new();
        // Dropped, and not known to be over: until when.
        let mut dropped: BTreeMap<u64, u64> = BTreeMap::new();
        let mut looked_back = 0;
        for step in steps {
            let pick = |n: usize, len: usize| (len > 0).then(|| n % len);
            match step {
                Step::Take { valid_for } => {
                    let valid_until = now + valid_for;
                    let seen = &views[views.len().saturating_sub(1 + looked_back)];
                    let until = UnixMillis::new(valid_until);
                    match nonces.hand_out(ALICE, seen, until) {
                        Ok(lease) => {
                            let nonce = lease.nonce();
                            let rival = leases.iter().any(|(l, until)| l.nonce() == nonce && *until > now)
                                || dropped.get(&nonce).is_some_and(|until| *until > now);
                            prop_assert!(!rival, "{nonce} is in flight");
                            if looked_back == 0 {
                                prop_assert!(seen.window.check(nonce).is_ok(), "{nonce} would be refused");
                                prop_assert!(!used.contains(&nonce), "{nonce} is used");
                            }
                            leases.push((lease, valid_until));
                        }
                        Err(e) => {
                            let base = seen.window.base();
                            let full = matches!(e, NonceError::WindowFull { base: at } if at >= base);
                            prop_assert!(full, "{e}");
                        }
                    }
                }
                Step::Release(n) => if let Some(n) = pick(n, leases.len()) {
                    nonces.release(leases.swap_remove(n).0);
                },
                Step::Record(n) | Step::RecordAndDrop(n) => if let Some(n) = pick(n, leases.len()) {
                    let (lease, until) = leases.swap_remove(n);
                    let nonce = lease.nonce();
                    // The next block has a later time, and the ledger accepts only what is valid then.
                    now += 1;
                    let latest = view(used.iter().copied(), now);
                    let recorded = now <= until && latest.window.check(nonce).is_ok();
                    if recorded {
                        used.insert(nonce);
                    }
                    views.push(view(used.iter().copied(), now));
                    match step {
                        Step::Record(_) if recorded => nonces.confirm(lease),
                        _ => {
                            drop(lease);
                            dropped.insert(nonce, until);
                        }
                    }
                },
                Step::Drop(n) => if let Some(n) = pick(n, leases.len()) {
                    let (lease, until) = leases.swap_remove(n);
                    dropped.insert(lease.nonce(), until);
                },
                Step::Stranger => {
                    let free = (0..).find(|n| !used.contains(n)
                        && !leases.iter().any(|(l, _)| l.nonce() == *n)
                        && !dropped.contains_key(n)).unwrap();
                    now += 1;
                    if view(used.iter().copied(), now).window.check(free).is_ok() {
                        used.insert(free);
                    }
                    views.push(view(used.iter().copied(), now));
                }
                Step::Tick(span) => {
                    now += span;
                    views.push(view(used.iter().copied(), now));
                }
                Step::OldView(steps) => looked_back = steps,
            }
            prop_assert!(nonces.taken(&ALICE) <= 256);
        }
        // In the end everything that is not used is free again.
        let end = view(used.iter().copied(), now + 1_000);
        nonces.resync(&ALICE, &end);
        prop_assert_eq!(nonces.taken(&ALICE), 0);
    }
}
