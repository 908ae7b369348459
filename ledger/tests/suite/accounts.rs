use ledger::{
    AccountEvent, AccountOp, AccountRejection, EventKind, Name, NonceWindow, Outcome, Refusal, Role,
    Transaction,
};

use crate::world::{World, address, key};

fn register(name: &str) -> AccountOp {
    AccountOp::Register { name: Name::new(name).unwrap() }
}

#[test]
fn the_first_transaction_opens_the_account() {
    let mut world = World::new();
    let sent = world.register("kim");
    let account = world.ledger.account(&address("kim")).unwrap().clone();
    assert_eq!(
        (account.name.as_str(), account.key, account.role, account.charge_count, account.registered_at),
        ("kim", key("kim").public_key(), Role::Member, 0, world.now)
    );
    let event = AccountEvent::Registered {
        address: address("kim"),
        name: account.name.clone(),
        public_key: account.key,
        role: Role::Member,
        at: world.now,
    };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    let (found, by_name) = world.ledger.account_by_name(&Name::new("KIM").unwrap()).unwrap();
    assert_eq!((found, by_name), (address("kim"), &account));
    assert_eq!(world.funds("kim"), (0, 0));
}

#[test]
fn without_an_account_nothing_else_is_possible() {
    let mut world = World::new();
    let buying = world.list("sam", 5);
    let operation = world.buying(buying);
    let tx = world.tx("kim", operation);
    assert_eq!(world.refused(&tx), Refusal::UnknownAccount);
}

#[test]
fn nobody_opens_an_account_for_another_address() {
    let mut world = World::new();
    let body = world.body("kim", register("kim"), 0);
    let tx = Transaction::sign(body, &key("mallory"));
    assert_eq!(tx.verify_signature(), Ok(()));
    assert_eq!(world.refused(&tx), Refusal::UnknownAccount);
}

#[test]
fn only_the_accounts_own_key_signs() {
    let mut world = World::new();
    let tx = Transaction::sign(world.body("bea", register("x"), 0), &key("mallory"));
    assert_eq!(world.refused(&tx), Refusal::KeyRevoked);
}

#[test]
fn an_account_opens_once() {
    let mut world = World::new();
    world.register("kim");
    assert_eq!(world.rejected("kim", register("kim2")), AccountRejection::AlreadyRegistered.into());
    assert_eq!(world.rejected("bea", register("bea2")), AccountRejection::AlreadyRegistered.into());
}

#[test]
fn a_taken_name_uses_the_nonce_up_and_the_next_try_may_succeed() {
    let mut world = World::new();
    assert_eq!(world.rejected("kim", register("BEA")), AccountRejection::NameTaken.into());
    assert!(world.ledger.account(&address("kim")).is_none());
    assert_eq!(world.ledger.nonces(&address("kim")).base(), 1);
    let again = Transaction::sign(world.body("kim", register("BEA"), 0), &key("kim"));
    assert_eq!(world.refused(&again), Refusal::NonceUsed { base: 1 });
    world.register("kim");
}

#[test]
fn nonces_come_in_any_order_within_the_window() {
    let mut world = World::new();
    let tx = |world: &World, nonce| Transaction::sign(world.body("bea", register("x"), nonce), &key("bea"));
    for nonce in [255, 3, 0, 1] {
        let tx = tx(&world, nonce);
        assert_eq!(world.apply(&[tx]).outcomes.len(), 1);
    }
    let nonces: NonceWindow = world.ledger.nonces(&address("bea"));
    assert_eq!((nonces.base(), nonces.after_last_used()), (2, 256));
    let (used, too_far, last) = (tx(&world, 3), tx(&world, 258), tx(&world, 257));
    assert_eq!(world.refused(&used), Refusal::NonceUsed { base: 2 });
    assert_eq!(world.refused(&too_far), Refusal::NonceTooFar { base: 2 });
    let applied = world.apply(&[last]);
    assert!(matches!(applied.block.unwrap().receipts[0].outcome, Outcome::Rejected(_)));
}
