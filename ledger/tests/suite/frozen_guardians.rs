//! Guardians whose accounts were frozen: whoever stole their keys must not take other accounts with them.

use ledger::{
    AccountEvent, AccountOp, AccountRejection, Agreement, EventKind, Label, MAX_LAPSED_WISHES, Millis,
    Reason, RecoveryStatus, Rejection, UnixMillis,
};

use crate::keys::{proof, signed};
use crate::recovery::{agree, guarded, guardians, propose, start, status};
use crate::world::{DAY, World, address, key};

fn freeze(who: &str) -> AccountOp {
    AccountOp::Freeze { account: address(who), reason: Reason::new("looks stolen").unwrap() }
}

fn unfreeze(who: &str) -> AccountOp {
    AccountOp::Unfreeze { account: address(who) }
}

/// Whoever stole a guardian's keys must not take this account, too.
#[test]
fn a_frozen_guardian_neither_asks_nor_agrees() {
    let mut world = guarded();
    let early = start(&mut world, "sam", "bea new");
    world.ok("ben", freeze("sam"));
    world.ok("ben", freeze("eve"));
    let asks = propose(&world, "bea", "bea new");
    for (who, op) in [("sam", asks), ("eve", agree(early))] {
        assert_eq!(world.rejected(who, op), AccountRejection::Frozen.into());
    }
    // What sam said before does not count: it takes another one.
    world.ok("ann", agree(early));
    assert_eq!((status(&world, early), world.ledger.next_deadline()), (RecoveryStatus::Proposed, None));
    world.ok("ann", unfreeze("eve"));
    let sent = world.ok("eve", agree(early));
    let due = UnixMillis::new(world.now.value() + 2 * DAY);
    assert_eq!(status(&world, early), RecoveryStatus::Ready { due });
    let EventKind::Account(AccountEvent::RecoveryAgreed { due: told, .. }) = sent.events[0] else {
        panic!("{:?}", sent.events)
    };
    assert_eq!(told, Some(due));
    world.wait_until(due.value());
    assert_eq!(status(&world, early).code(), "DONE", "ann and eve are two");
}

/// Whoever stole the keys of one guardian and is in league with another must not be two, once the owner of the first account has it back.
#[test]
fn what_a_guardian_said_before_a_freeze_never_counts_again() {
    let mut world = guarded();
    // It is not eve who asks, and sam knows.
    let id = start(&mut world, "eve", "bea new");
    world.ok("ben", freeze("eve"));
    world.ok("sam", agree(id));
    assert_eq!(status(&world, id), RecoveryStatus::Proposed);
    let (public_key, proof) = (key("eve new").public_key(), proof(&world, "eve", "eve new"));
    world.ok("eve", AccountOp::RotateKey { public_key, proof, label: Label::default() });
    world.ok("ann", unfreeze("eve"));
    assert_eq!(world.rejected("sam", agree(id)), AccountRejection::AlreadyAgreed.into());
    assert_eq!((status(&world, id), world.ledger.next_deadline()), (RecoveryStatus::Proposed, None));

    // What eve herself says does count, once, and until the next freeze.
    let own = signed(&world, "eve", "eve new", agree(id));
    world.apply(&[own]);
    let due = UnixMillis::new(world.now.value() + 2 * DAY);
    assert_eq!(status(&world, id), RecoveryStatus::Ready { due });
    assert_eq!(world.ledger.check_agreement(&address("eve"), &id), Err(AccountRejection::AlreadyAgreed));
    world.ok("ben", freeze("eve"));
    world.ok("ann", unfreeze("eve"));
    assert_eq!(world.ledger.check_agreement(&address("eve"), &id), Ok(()));
    world.wait_until(due.value());
    assert_eq!(status(&world, id).code(), "LAPSED");
}

/// Otherwise it would hang for ever: nothing looks again when a freeze ends.
#[test]
fn a_recovery_goes_on_when_a_guardian_who_was_frozen_agrees_anew() {
    let mut world = World::new();
    world.ok("bea", guardians(&["sam", "eve"], 2, 2));
    let id = start(&mut world, "sam", "bea new");
    world.ok("ben", freeze("sam"));
    world.ok("eve", agree(id));
    let of_eve = Agreement { guardian: address("eve"), at: world.now };
    world.ok("ann", unfreeze("sam"));
    assert_eq!(world.rejected("eve", agree(id)), AccountRejection::AlreadyAgreed.into());
    assert_eq!(status(&world, id), RecoveryStatus::Proposed);
    world.ok("sam", agree(id));
    let of_sam = Agreement { guardian: address("sam"), at: world.now };
    let due = world.now.plus(Millis::days(2));
    let row = world.ledger.recovery(&id).unwrap();
    assert_eq!(row.status, RecoveryStatus::Ready { due });
    assert_eq!(row.agreed, [of_sam, of_eve], "each once");
    assert_eq!(world.rejected("sam", agree(id)), AccountRejection::AlreadyAgreed.into());
    world.wait_until(due.value());
    assert_eq!(status(&world, id).code(), "DONE");
}

/// A block has one time: whether the freeze came before nobody can tell from the rows.
#[test]
fn what_is_said_in_the_block_of_a_freeze_does_not_count() {
    let mut world = guarded();
    let id = start(&mut world, "sam", "bea new");
    let steps = [("ben", freeze("eve")), ("ann", unfreeze("eve")), ("eve", agree(id))];
    let steps = steps.map(|(who, op)| world.tx(who, op));
    let receipts = world.apply(&steps).block.unwrap().receipts;
    assert!(receipts.iter().all(|receipt| receipt.outcome.is_applied()));
    assert_eq!(status(&world, id), RecoveryStatus::Proposed);
    world.ok("eve", agree(id));
    assert_eq!(status(&world, id).code(), "READY");
}

/// Mistake: a thief who asks for keys until the guardian may ask no more locks the account for ever.
#[test]
fn what_was_asked_for_before_a_freeze_uses_up_no_wishes() {
    let mut world = guarded();
    let open: Rejection = AccountRejection::RecoveryOpen.into();
    let mut names: Vec<String> = (0..=MAX_LAPSED_WISHES).map(|n| format!("thief {n}")).collect();
    for _ in 0..2 {
        for name in &names {
            start(&mut world, "sam", name);
        }
        let op = propose(&world, "bea", "bea new");
        assert_eq!(world.rejected("sam", op), open);
        world.ok("ben", freeze("sam"));
        world.ok("ann", unfreeze("sam"));
        // Then it begins with the key that waits.
        names.reverse();
    }
    let id = start(&mut world, "sam", "bea new");
    let op = propose(&world, "bea", "bea new");
    assert_eq!(world.rejected("sam", op), open, "a double press");
    world.ok("eve", agree(id));
    assert_eq!(status(&world, id).code(), "READY");
}

/// Mistake: the delay runs with words that do not count, and the owner has no time left when they do.
#[test]
fn another_guardian_steps_in_for_one_who_was_frozen_since() {
    let mut world = guarded();
    let id = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(id));
    let early = world.ledger.next_deadline().unwrap();
    world.ok("ben", freeze("eve"));
    let sent = world.ok("ann", agree(id));
    let due = world.now.plus(Millis::days(2));
    assert_eq!(status(&world, id), RecoveryStatus::Ready { due }, "the owner has all of the time again");
    assert_eq!(world.ledger.next_deadline(), Some(due));
    let EventKind::Account(AccountEvent::RecoveryAgreed { due: told, .. }) = sent.events[0] else {
        panic!("{:?}", sent.events)
    };
    assert_eq!(told, Some(due));
    assert!(early < due);
    world.wait_until(early.value());
    assert_eq!(status(&world, id), RecoveryStatus::Ready { due });
    world.wait_until(due.value());
    assert_eq!(status(&world, id).code(), "DONE");
}

#[test]
fn guardians_who_were_frozen_before_it_would_take_effect_do_not_count_unless_they_agree_anew() {
    for (is_lifted, agrees_anew) in [(false, false), (true, false), (true, true)] {
        let mut world = guarded();
        let id = start(&mut world, "sam", "bea new");
        world.ok("eve", agree(id));
        let mut due = world.ledger.next_deadline().unwrap();
        world.ok("ben", freeze("eve"));
        if is_lifted {
            world.ok("ann", unfreeze("eve"));
        }
        if agrees_anew {
            world.ok("eve", agree(id));
            due = world.now.plus(Millis::days(2));
        }
        assert_eq!(status(&world, id), RecoveryStatus::Ready { due });
        assert_eq!(world.ledger.next_deadline(), Some(due));
        world.wait_until(due.value());
        assert_eq!(status(&world, id).code(), if agrees_anew { "DONE" } else { "LAPSED" });
        let has_old_key = world.ledger.key(&key("bea").public_key()).unwrap().is_live();
        assert_eq!(has_old_key, !agrees_anew);
    }
}

/// A thief would name an accomplice, who is still there when the freeze is over.
#[test]
fn a_frozen_account_names_no_guardians() {
    let mut world = guarded();
    let before = world.ledger.guardians(&address("bea")).unwrap().clone();
    world.ok("ann", freeze("bea"));
    for op in [guardians(&["kit"], 1, 1), guardians(&[], 0, 1)] {
        assert_eq!(world.rejected("bea", op), AccountRejection::Frozen.into());
    }
    assert_eq!(world.ledger.guardians(&address("bea")), Some(&before));
    world.ok("ben", unfreeze("bea"));
    world.ok("bea", guardians(&["kit"], 1, 1));
}
