use ledger::{
    AccountEvent, AccountOp, AccountRejection, Agreement, Cause, EventKind, Label, MAX_GUARDIANS,
    MAX_LAPSED_WISHES, Millis, Name, ObjectId, Recovery, RecoveryId, RecoveryStatus, Refusal, Rejection,
    UnixMillis,
};
use pbft_crypto::Address;

use crate::keys::{proof, signed};

use crate::world::{DAY, World, address, key, paying, unknown};

pub(crate) fn guardians(names: &[&str], threshold: u8, days: u64) -> AccountOp {
    let guardians = names.iter().map(|name| address(name)).collect();
    AccountOp::SetGuardians { guardians, threshold, delay: Millis::days(days) }
}

pub(crate) fn propose(world: &World, account: &str, key_name: &str) -> AccountOp {
    AccountOp::ProposeRecovery {
        account: address(account),
        public_key: key(key_name).public_key(),
        proof: proof(world, account, key_name),
    }
}

pub(crate) fn start(world: &mut World, guardian: &str, key_name: &str) -> RecoveryId {
    let op = propose(world, "bea", key_name);
    RecoveryId::from(world.ok(guardian, op).id)
}

pub(crate) fn agree(recovery: RecoveryId) -> AccountOp {
    AccountOp::AgreeToRecovery { recovery }
}

pub(crate) fn status(world: &World, id: RecoveryId) -> RecoveryStatus {
    world.ledger.recovery(&id).unwrap().status
}

fn ids<'a>(found: impl Iterator<Item = (RecoveryId, &'a Recovery)>) -> Vec<RecoveryId> {
    found.map(|(id, _)| id).collect()
}

/// Bea has three guardians, two of whom are enough, and two days to object.
pub(crate) fn guarded() -> World {
    let mut world = World::new();
    world.ok("bea", guardians(&["sam", "eve", "ann"], 2, 2));
    world
}

#[test]
fn guardians_bring_an_account_back() {
    let mut world = guarded();
    let phone = AccountOp::AddKey {
        public_key: key("bea phone").public_key(),
        proof: proof(&world, "bea", "bea phone"),
        label: Label::default(),
    };
    world.ok("bea", phone);
    let id = start(&mut world, "sam", "bea new");
    assert_eq!((status(&world, id), world.ledger.next_deadline()), (RecoveryStatus::Proposed, None));
    let sent = world.ok("eve", agree(id));
    let due = UnixMillis::new(world.now.value() + 2 * DAY);
    let (bea, at) = (address("bea"), world.now);
    let agreed =
        AccountEvent::RecoveryAgreed { recovery: id, address: bea, by: address("eve"), due: Some(due), at };
    assert_eq!(sent.events, [EventKind::Account(agreed)]);
    assert_eq!(status(&world, id), RecoveryStatus::Ready { due });

    assert_eq!(world.wait_until(due.value() - 1).block, None, "not before");
    let applied = world.wait_until(due.value());
    assert_eq!(
        applied.block.unwrap().receipts[0].cause,
        Cause::Deadline { object: ObjectId::Recovery(id), due }
    );
    let public_key = key("bea new").public_key();
    let told = AccountEvent::Recovered { recovery: id, address: bea, public_key, at: due };
    assert_eq!(applied.events.last().unwrap().kind, EventKind::Account(told));
    assert_eq!(applied.events.len(), 4, "one key added, two revoked, recovered");
    assert_eq!(status(&world, id), RecoveryStatus::Done { at: due });
    for old in ["bea", "bea phone"] {
        let tx = signed(&world, "bea", old, paying("sam", 1));
        assert_eq!(world.refused(&tx), Refusal::KeyRevoked);
    }
    let new = signed(&world, "bea", "bea new", paying("sam", 1));
    assert!(world.apply(&[new]).block.unwrap().receipts[0].outcome.is_applied());
}

#[test]
fn the_owner_stops_it_until_it_takes_effect() {
    let mut world = guarded();
    let early = start(&mut world, "sam", "bea new");
    let cancel = |recovery| AccountOp::CancelRecovery { recovery };
    assert_eq!(world.rejected("sam", cancel(early)), AccountRejection::NotOwner.into());
    world.ok("bea", cancel(early));
    let over = AccountRejection::RecoveryOver { status: status(&world, early) };
    assert_eq!(world.rejected("eve", agree(early)), over.into());
    assert_eq!(world.rejected("bea", cancel(early)), over.into());

    let ready = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(ready));
    let due = world.ledger.next_deadline().unwrap();
    world.now = UnixMillis::new(due.value() - 2_000);
    let sent = world.ok("bea", cancel(ready));
    let event = AccountEvent::RecoveryCancelled { recovery: ready, address: address("bea"), at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    assert_eq!(world.ledger.next_deadline(), None);
    assert_eq!(world.wait_until(due.value()).block, None);
    world.ok("bea", paying("sam", 1));

    // Whoever comes when it is due comes too late: the key is revoked when the transaction has its turn.
    let last = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(last));
    let due = world.ledger.next_deadline().unwrap();
    let late = world.tx("bea", cancel(last));
    let applied = world.apply_at(due, &[late]);
    assert!(matches!(applied.outcomes[0], ledger::TxOutcome::Refused(Refusal::KeyRevoked)));
}

#[test]
fn only_guardians_ask_and_agree_once_each() {
    let mut world = guarded();
    let op = propose(&world, "bea", "bea new");
    for who in ["ben", "bea"] {
        assert_eq!(world.rejected(who, op.clone()), AccountRejection::NotGuardian.into());
    }
    let op = propose(&world, "sam", "sam new");
    assert_eq!(world.rejected("bea", op), AccountRejection::NotGuardian.into());
    let op = propose(&world, "nobody", "sam new");
    assert_eq!(world.rejected("sam", op), AccountRejection::UnknownAccount.into());
    let id = start(&mut world, "sam", "bea new");
    assert_eq!(world.rejected("ben", agree(id)), AccountRejection::NotGuardian.into());
    assert_eq!(world.rejected("sam", agree(id)), AccountRejection::AlreadyAgreed.into());
    assert_eq!(world.rejected("sam", agree(unknown())), AccountRejection::UnknownRecovery.into());
    let cancel = AccountOp::CancelRecovery { recovery: unknown() };
    assert_eq!(world.rejected("bea", cancel), AccountRejection::UnknownRecovery.into());
    world.ok("eve", agree(id));
    let ready = status(&world, id);
    assert_eq!(world.rejected("eve", agree(id)), AccountRejection::AlreadyAgreed.into());
    world.ok("ann", agree(id));
    assert_eq!(status(&world, id), ready, "enough had agreed");
}

#[test]
fn a_guardian_does_not_ask_anew_while_a_recovery_runs() {
    let mut world = guarded();
    let open: Rejection = AccountRejection::RecoveryOpen.into();
    let op = propose(&world, "bea", "bea newest");
    let public_key = key("bea newest").public_key();
    let check = |world: &World| world.ledger.check_recovery(&address("sam"), &address("bea"), &public_key);
    assert_eq!(check(&world), Ok(()));
    let first = start(&mut world, "sam", "bea new");
    assert_eq!(check(&world), Ok(()));
    world.ok("eve", agree(first));
    let (runs, deadline) = (status(&world, first), world.ledger.next_deadline());
    assert_eq!(check(&world), Err(AccountRejection::RecoveryOpen));
    assert_eq!(world.rejected("sam", op.clone()), open);
    // The others may, and sam may for somebody else.
    let of_eve = start(&mut world, "eve", "bea new");
    world.ok("kit", guardians(&["sam", "ann"], 2, 1));
    let of_kit = propose(&world, "kit", "kit new");
    let of_kit = RecoveryId::from(world.ok("sam", of_kit).id);
    assert_eq!((status(&world, first), world.ledger.next_deadline()), (runs, deadline));
    world.ok("bea", AccountOp::CancelRecovery { recovery: first });
    world.ok("sam", op);
    assert_eq!([of_eve, of_kit].map(|id| status(&world, id).code()), ["PROPOSED"; 2]);
}

/// The key that was asked for may get lost as well.
#[test]
fn a_guardian_who_asks_anew_takes_back_what_waits() {
    let mut world = World::new();
    world.ok("bea", guardians(&["sam", "eve", "ann"], 3, 2));
    let first = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(first));
    let of_eve = start(&mut world, "eve", "bea new");
    let op = propose(&world, "bea", "bea newest");
    let sent = world.ok("sam", op);
    let (second, bea, sam, at) = (RecoveryId::from(sent.id), address("bea"), address("sam"), world.now);
    let public_key = key("bea newest").public_key();
    let expected = [
        AccountEvent::RecoveryLapsed { recovery: first, address: bea, at },
        AccountEvent::RecoveryProposed { recovery: second, address: bea, public_key, by: sam, at },
        AccountEvent::RecoveryAgreed { recovery: second, address: bea, by: sam, due: None, at },
    ];
    assert_eq!(sent.events, expected.map(EventKind::Account));
    assert_eq!(status(&world, first), RecoveryStatus::Lapsed { at });
    assert_eq!(status(&world, of_eve), RecoveryStatus::Proposed, "that is another's");
    let over = AccountRejection::RecoveryOver { status: status(&world, first) };
    assert_eq!(world.rejected("ann", agree(first)), over.into());
    let agreed = &world.ledger.recovery(&second).unwrap().agreed;
    assert_eq!(*agreed, [Agreement { guardian: sam, at }], "all agree anew");
    for who in ["eve", "ann"] {
        world.ok(who, agree(second));
    }
    world.wait_until(world.now.value() + 2 * DAY);
    let codes = [first, second, of_eve].map(|id| status(&world, id).code());
    assert_eq!(codes, ["LAPSED", "DONE", "PROPOSED"]);
}

/// Who presses twice would take back what the others have agreed to.
#[test]
fn a_guardian_who_asks_for_the_same_key_again_changes_nothing() {
    let mut world = World::new();
    world.ok("bea", guardians(&["sam", "eve", "ann"], 3, 2));
    let id = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(id));
    let (op, public_key) = (propose(&world, "bea", "bea new"), key("bea new").public_key());
    let check = |who: &str| world.ledger.check_recovery(&address(who), &address("bea"), &public_key);
    assert_eq!((check("sam"), check("eve")), (Err(AccountRejection::RecoveryOpen), Ok(())));
    assert_eq!(world.rejected("sam", op.clone()), AccountRejection::RecoveryOpen.into());
    let row = world.ledger.recovery(&id).unwrap();
    assert_eq!((row.status, row.agreed.len()), (RecoveryStatus::Proposed, 2));
    // Others may want the same, and so may sam when it is over.
    let of_eve = RecoveryId::from(world.ok("eve", op.clone()).id);
    world.ok("bea", AccountOp::CancelRecovery { recovery: id });
    world.ok("sam", op);
    assert_eq!(status(&world, of_eve), RecoveryStatus::Proposed);
}

/// Whoever errs in the key does not lose what was asked for before.
#[test]
fn what_waits_does_not_lapse_for_a_wish_that_is_refused() {
    let mut world = guarded();
    let first = start(&mut world, "sam", "bea new");
    let op = propose(&world, "bea", "eve");
    assert_eq!(world.rejected("sam", op), AccountRejection::KeyUsed.into());
    assert_eq!(status(&world, first), RecoveryStatus::Proposed);
}

/// Otherwise a single one could fill the ledger, and the lists of the others.
#[test]
fn a_guardian_asks_anew_only_so_often() {
    let mut world = guarded();
    let open: Rejection = AccountRejection::RecoveryOpen.into();
    let mut last = start(&mut world, "sam", "bea new");
    for n in 0..MAX_LAPSED_WISHES {
        let before = last;
        last = start(&mut world, "sam", &format!("bea new {n}"));
        assert_eq!(status(&world, before).code(), "LAPSED");
    }
    let op = propose(&world, "bea", "bea newest");
    assert_eq!(world.rejected("sam", op.clone()), open);
    assert_eq!(status(&world, last), RecoveryStatus::Proposed);
    // The others have not.
    start(&mut world, "eve", "bea new");
    start(&mut world, "eve", "bea newest");
    // One that is over is in nobody's way.
    world.ok("bea", AccountOp::CancelRecovery { recovery: last });
    world.ok("sam", op.clone());
    let another = propose(&world, "bea", "bea another");
    assert_eq!(world.rejected("sam", another), open);
    world.ok("bea", guardians(&["sam", "eve", "ann"], 2, 2));
    world.ok("sam", op);
    start(&mut world, "sam", "bea new");
}

#[test]
fn recoveries_are_found_by_their_account_and_that_by_its_guardians() {
    let mut world = guarded();
    world.ok("kit", guardians(&["sam"], 1, 1));
    let [first, second, third] = ["sam", "eve", "ann"].map(|who| start(&mut world, who, "bea new"));
    let of_kit = propose(&world, "kit", "kit new");
    world.ok("sam", of_kit);

    let (ledger, bea) = (&world.ledger, address("bea"));
    assert_eq!(ids(ledger.recoveries_after(&bea, None, None)), [third, second, first], "the newest first");
    let place = ledger.recovery(&second).unwrap().place(second);
    assert_eq!(ids(ledger.recoveries_after(&bea, None, Some(place))), [first]);
    assert_eq!(ids(ledger.recoveries_before(&bea, None, place)), [third]);
    let oldest = ledger.recovery(&first).unwrap().place(first);
    assert_eq!(ids(ledger.recoveries_before(&bea, None, oldest)), [second, third], "back from there");
    assert_eq!(ids(ledger.recoveries_after(&address("sam"), None, None)), []);
    let (sam, mut guarded) = (address("sam"), [address("bea"), address("kit")]);
    guarded.sort_unstable();
    assert!(ledger.guarded_by(&sam, None).eq(&guarded));
    assert!(ledger.guarded_by(&sam, Some(guarded[0])).eq(&guarded[1..]));
    assert_eq!(ledger.guarded_by(&sam, Some(guarded[1])).next(), None);
    assert_eq!(ledger.guarded_by(&bea, None).next(), None);
    world.ok("bea", guardians(&["eve"], 1, 1));
    assert!(world.ledger.guarded_by(&sam, None).eq([&address("kit")]));
}

#[test]
fn recoveries_are_found_by_how_far_they_are() {
    let mut world = guarded();
    let [first, second, third] = ["sam", "eve", "ann"].map(|who| start(&mut world, who, "bea new"));
    world.ok("bea", AccountOp::CancelRecovery { recovery: second });
    world.ok("sam", agree(third));
    let (ledger, bea) = (&world.ledger, address("bea"));
    let of = |code: &'static str| ids(ledger.recoveries_after(&bea, Some(code), None));
    assert_eq!((of("PROPOSED"), of("CANCELLED"), of("READY")), (vec![first], vec![second], vec![third]));
    assert_eq!((of("LAPSED"), of("DONE")), (Vec::new(), Vec::new()));
    // Also next to one that is in another list.
    let place = ledger.recovery(&second).unwrap().place(second);
    assert_eq!(ids(ledger.recoveries_after(&bea, Some("PROPOSED"), Some(place))), [first]);
    assert_eq!(ids(ledger.recoveries_before(&bea, Some("READY"), place)), [third]);
    assert_eq!(ids(ledger.recoveries_before(&bea, Some("PROPOSED"), place)), []);
}

#[test]
fn the_new_key_is_nobodys_and_agrees() {
    let mut world = guarded();
    for key_name in ["bea", "sam"] {
        let op = propose(&world, "bea", key_name);
        assert_eq!(world.rejected("sam", op), AccountRejection::KeyUsed.into());
    }
    let (account, public_key) = (address("bea"), key("bea new").public_key());
    let op = AccountOp::ProposeRecovery { account, public_key, proof: proof(&world, "sam", "bea new") };
    assert_eq!(world.rejected("sam", op), AccountRejection::BadKeyProof.into());
}

#[test]
fn other_guardians_end_what_was_begun() {
    let mut world = guarded();
    let proposed = start(&mut world, "sam", "bea new");
    let ready = start(&mut world, "eve", "bea new");
    world.ok("sam", agree(ready));
    let due = world.ledger.next_deadline().unwrap();
    world.ok("bea", guardians(&["sam", "eve", "ann"], 2, 2));
    // So they may ask anew.
    start(&mut world, "sam", "bea newest");
    let over = AccountRejection::RecoveryOver { status: RecoveryStatus::Proposed };
    assert_eq!(world.rejected("eve", agree(proposed)), over.into());
    let applied = world.wait_until(due.value());
    let lapsed = AccountEvent::RecoveryLapsed { recovery: ready, address: address("bea"), at: due };
    assert_eq!(applied.events.iter().map(|event| &event.kind).collect::<Vec<_>>(), [&lapsed.into()]);
    assert_eq!(status(&world, ready), RecoveryStatus::Lapsed { at: due });
    world.ok("bea", paying("sam", 1));
}

#[test]
fn of_two_recoveries_the_first_one_holds() {
    let mut world = guarded();
    let wishes = [("sam", "new one"), ("eve", "new two"), ("ann", "new one")];
    let [one, two, three] = wishes.map(|(who, name)| start(&mut world, who, name));
    for (who, id) in [("eve", one), ("ann", two), ("sam", three)] {
        world.ok(who, agree(id));
    }
    world.wait_until(world.now.value() + 3 * DAY);
    let codes = [one, two, three].map(|id| status(&world, id).code());
    assert_eq!(codes, ["DONE", "LAPSED", "LAPSED"]);
    let bea = address("bea");
    let live: Vec<_> = world.ledger.keys(&bea).filter(|(_, row)| row.is_live()).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].0, key("new one").public_key());
}

#[test]
fn a_key_that_came_into_use_meanwhile_is_not_taken() {
    let mut world = guarded();
    let id = start(&mut world, "sam", "kim");
    world.ok("eve", agree(id));
    world.register("kim");
    world.wait_until(world.now.value() + 2 * DAY);
    assert_eq!(status(&world, id).code(), "LAPSED");
    world.ok("bea", paying("kim", 1));
    world.ok("kim", paying("bea", 1));
}

#[test]
fn guardians_are_some_other_accounts() {
    let mut world = World::new();
    let bad: Rejection = AccountRejection::BadGuardians { max: MAX_GUARDIANS }.into();
    for names in [&["bea"][..], &["sam", "sam"], &["nobody"]] {
        assert_eq!(world.rejected("bea", guardians(names, 1, 2)), bad, "{names:?}");
    }
    let many: Vec<String> = (0..=MAX_GUARDIANS).map(|n| format!("friend {n}")).collect();
    for name in &many {
        world.ok(name, AccountOp::Register { name: Name::new(name.as_str()).unwrap() });
    }
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(world.rejected("bea", guardians(&many, 1, 2)), bad);
    world.ok("bea", guardians(&many[1..], 16, 2));
    for (names, threshold) in [(&["sam", "eve"][..], 0), (&["sam", "eve"], 3), (&[], 1)] {
        let rejection = world.rejected("bea", guardians(names, threshold, 2));
        assert_eq!(rejection, AccountRejection::BadThreshold.into());
    }
    for delay in [Millis::new(DAY - 1), Millis::new(30 * DAY + 1)] {
        let op = AccountOp::SetGuardians { guardians: vec![address("sam")], threshold: 1, delay };
        assert_eq!(world.rejected("bea", op), AccountRejection::BadDelay.into());
    }
    world.ok("bea", guardians(&[], 0, 2));
    let row = world.ledger.guardians(&address("bea")).unwrap();
    assert_eq!((row.guardians.len(), row.generation), (0, 2));
}

#[test]
fn one_guardian_may_be_enough() {
    let mut world = World::new();
    world.ok("bea", guardians(&["sam"], 1, 1));
    let op = propose(&world, "bea", "bea new");
    let sent = world.ok("sam", op);
    let due = UnixMillis::new(world.now.value() + DAY);
    let (recovery, sam, at) = (RecoveryId::from(sent.id), address("sam"), world.now);
    let bea: Address = address("bea");
    let public_key = key("bea new").public_key();
    let expected = [
        AccountEvent::RecoveryProposed { recovery, address: bea, public_key, by: sam, at },
        AccountEvent::RecoveryAgreed { recovery, address: bea, by: sam, due: Some(due), at },
    ];
    assert_eq!(sent.events, expected.map(EventKind::Account));
    assert_eq!(world.ledger.next_deadline(), Some(due));
}

/// Otherwise a thief would add keys until no recovery fits.
#[test]
fn a_full_account_can_be_brought_back() {
    let mut world = guarded();
    let names: Vec<String> = (1..ledger::MAX_ACCOUNT_KEYS).map(|n| format!("key {n}")).collect();
    for name in &names {
        let proof = proof(&world, "bea", name);
        let op = AccountOp::AddKey { public_key: key(name).public_key(), proof, label: Label::default() };
        let tx = world.tx("bea", op);
        assert!(world.apply(&[tx]).block.unwrap().receipts[0].outcome.is_applied());
    }
    let id = start(&mut world, "sam", "bea new");
    world.ok("eve", agree(id));
    world.wait_until(world.now.value() + 2 * DAY);
    assert_eq!(status(&world, id).code(), "DONE");
    assert_eq!(world.ledger.keys(&address("bea")).filter(|(_, row)| row.is_live()).count(), 1);
}
