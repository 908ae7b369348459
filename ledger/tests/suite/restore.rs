use std::collections::BTreeSet;

use ledger::{
    AccountOp, AssetId, Ballot, BatchInput, Census, ChargeOp, ChargePolicy, DecodeError, EntryError,
    GenesisError, Ledger, Memo, Millis, PaymentOp, PollContent, PollOp, PollTimes, Rating, Reason,
    ReplicaEdit, ReplicaOp, RestoreError, ReviewOp, ReviewText, Role, RoleOp, StateKey, TradeOp, UnixMillis,
    WithdrawalOp, key_binding,
};

use crate::world::{DAY, DECIDERS, World, address, amount, genesis, key, replica};

/// A ledger with something in every table, one trade of which still runs.
fn lived_in() -> World {
    let mut world = World::new();
    world.register("kim");
    world.ok("kim", ChargeOp::Request { amount: amount(500), memo: Memo::new("").unwrap() });
    let first = world.list("sam", 100);
    let trade = world.buy("bea", first);
    world.ok("sam", TradeOp::Accept { trade });
    let second = world.list("eve", 10);
    let trade = world.buy("bea", second);
    world.ok("bea", TradeOp::Confirm { trade });
    let (rating, text) = (Rating::new(4).unwrap(), ReviewText::new("").unwrap());
    world.ok("bea", ReviewOp::Post { trade, rating, text });
    let role = RoleOp::Propose { account: address("sam"), role: Role::Courier };
    world.ok("ann", AccountOp::Role(role));
    world.ok("ann", ReplicaOp::Propose { edit: ReplicaEdit::Add { replica: replica("r4") } });
    guard(&mut world);
    crate::exchange::live_in(&mut world);
    ask_and_hold(&mut world);
    world
}

/// Money that is held for a payee, and a poll with a vote.
fn ask_and_hold(world: &mut World) {
    let until = UnixMillis::new(world.now.value() + 10 * DAY);
    let hold = PaymentOp::Authorize {
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(9),
        reference: Some("INV-1".parse().unwrap()),
        memo: Memo::default(),
        until,
    };
    world.ok("bea", hold);
    let options = ["yes", "no"].map(|text| text.parse().unwrap()).to_vec();
    let ask = PollOp::Create {
        content: PollContent { question: "?".parse().unwrap(), options: options.try_into().unwrap() },
        ballot: Ballot::Open,
        census: Census::Listed { voters: vec![address("bea")].try_into().unwrap() },
        changeable: true,
        times: PollTimes { opens_at: world.now, closes_at: until },
    };
    let poll = world.ok("sam", ask).id.into();
    world.ok("bea", PollOp::Vote { poll, choice: 1 });
}

/// A policy and a charge by it, a limit, a freeze, a withdrawal, and a recovery that runs.
fn guard(world: &mut World) {
    let one = amount(1);
    let policy = Some(ChargePolicy { per_charge: one, per_day: one, all_per_day: one, min_charges: 0 });
    let proposal = world.ok("ann", ChargeOp::ProposePolicy { policy }).id.into();
    world.ok("ben", ChargeOp::ApprovePolicy { proposal });
    world.ok("kim", ChargeOp::Request { amount: amount(1), memo: Memo::default() });
    world.ok("eve", AccountOp::SetLimit { asset: AssetId::Pop, per_day: Some(amount(50)) });
    world.ok("eve", WithdrawalOp::Request { amount: amount(9), memo: Memo::default() });
    let (guardians, delay) = (vec![address("eve")], Millis::days(1));
    world.ok("kim", AccountOp::SetGuardians { guardians, threshold: 1, delay });
    let proof = key("kim phone").sign(&key_binding(world.ledger.chain_id(), &address("kim")));
    let (account, public_key) = (address("kim"), key("kim phone").public_key());
    world.ok("eve", AccountOp::ProposeRecovery { account, public_key, proof });
    let reason = Reason::new("odd").unwrap();
    world.ok("ann", AccountOp::Freeze { account: address("eve"), reason });
}

/// Each table has an entry, else the tests here say little.
#[test]
fn something_is_in_every_table() {
    let tables: BTreeSet<u8> = lived_in().ledger.entries().map(|(key, _)| key[0]).collect();
    let expected = (1..=11).chain(16..=18).chain(20..=27).chain([32, 33, 36, 37, 44, 45, 46, 48]);
    assert_eq!(tables, expected.collect());
}

type Entry = (Vec<u8>, Vec<u8>);

fn restore(world: &World, entries: impl IntoIterator<Item = Entry>) -> Result<Ledger, RestoreError> {
    Ledger::restore(&genesis(), world.ledger.tip().clone(), entries)
}

fn error(world: &World, change: impl FnOnce(&mut Vec<Entry>)) -> RestoreError {
    let mut entries = world.ledger.entries().collect();
    change(&mut entries);
    restore(world, entries).err().unwrap()
}

#[test]
fn a_restored_ledger_goes_on_like_the_live_one() {
    let mut world = lived_in();
    let mut entries: Vec<_> = world.ledger.entries().collect();
    entries.reverse();
    let mut restored = restore(&world, entries).unwrap();
    restored.check_invariants().unwrap();
    assert_eq!(restored.chain_id(), world.ledger.chain_id());
    assert_eq!(restored.next_deadline(), world.ledger.next_deadline());
    assert_eq!(
        restored.account_by_name(&"KIM".parse().unwrap()),
        world.ledger.account_by_name(&"kim".parse().unwrap())
    );
    let time = world.ledger.next_deadline().unwrap();
    let tx = world.tx("bea", ChargeOp::Request { amount: amount(1), memo: Memo::new("").unwrap() });
    let batch = BatchInput { seq: 50, view: 9, time, transactions: &[tx], replicas: DECIDERS };
    let (live, other) = (world.ledger.apply(batch), restored.apply(batch));
    assert_eq!(live.block.as_ref().unwrap().receipts.len(), 2);
    assert_eq!(live, other);
}

#[test]
fn a_single_other_byte_is_noticed() {
    let world = lived_in();
    let n = world.ledger.entries().count();
    for index in 0..n {
        let lost = error(&world, |entries| drop(entries.remove(index)));
        assert!(matches!(lost, RestoreError::StateRoot { .. }), "{lost}");
        let changed = error(&world, |entries| *entries[index].1.last_mut().unwrap() ^= 1);
        assert!(matches!(changed, RestoreError::StateRoot { .. } | RestoreError::Entry(_)), "{changed}");
    }
}

#[test]
fn what_is_not_an_entry_is_refused() {
    let world = lived_in();
    let entry = |error| RestoreError::Entry(error);
    let twice = error(&world, |entries| entries.push(entries[0].clone()));
    assert_eq!(twice, entry(EntryError::Duplicate));
    let no_key = error(&world, |entries| entries[0].0.clear());
    assert_eq!(no_key, entry(EntryError::UnknownTable(None)));
    let no_table = error(&world, |entries| entries[0].0[0] = 99);
    assert_eq!(no_table, entry(EntryError::UnknownTable(Some(99))));
    let short = error(&world, |entries| entries[0].0.truncate(10));
    assert!(matches!(short, RestoreError::Entry(EntryError::Key(DecodeError::Unreadable(_)))));
    let long = error(&world, |entries| entries[0].1.push(0));
    assert_eq!(long, entry(EntryError::Value(DecodeError::TrailingBytes(1))));
    let other_spelling = error(&world, |entries| {
        let key = StateKey::Nonces(address("bea")).to_bytes();
        let value = &mut entries.iter_mut().find(|entry| entry.0 == key).unwrap().1;
        value.splice(0..1, [value[0] | 0x80, 0]);
    });
    assert_eq!(other_spelling, entry(EntryError::Value(DecodeError::NotCanonical)));
}

#[test]
fn the_genesis_must_be_one() {
    let world = lived_in();
    let mut other = genesis();
    other.fee_account = address("nobody");
    let result = Ledger::restore(&other, world.ledger.tip().clone(), world.ledger.entries());
    assert_eq!(result.err(), Some(RestoreError::Genesis(GenesisError::UnknownFeeAccount)));
}
