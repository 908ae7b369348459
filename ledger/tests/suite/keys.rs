use ledger::{
    AccountEvent, AccountOp, AccountRejection, EventKind, Label, MAX_ACCOUNT_KEYS, Name, Operation, Refusal,
    Rejection, Transaction, binding_preimage, key_binding,
};
use pbft_crypto::{Digest, Signature};

use crate::world::{World, address, key, paying};

/// What a key signs to become one of an account's.
pub(crate) fn proof(world: &World, account: &str, key_name: &str) -> Signature {
    key(key_name).sign(&key_binding(world.ledger.chain_id(), &address(account)))
}

fn add(world: &World, account: &str, key_name: &str) -> AccountOp {
    AccountOp::AddKey {
        public_key: key(key_name).public_key(),
        proof: proof(world, account, key_name),
        label: Label::new(key_name).unwrap(),
    }
}

fn rotate(world: &World, account: &str, key_name: &str) -> AccountOp {
    AccountOp::RotateKey {
        public_key: key(key_name).public_key(),
        proof: proof(world, account, key_name),
        label: Label::new(key_name).unwrap(),
    }
}

fn revoke(key_name: &str) -> AccountOp {
    AccountOp::RevokeKey { public_key: key(key_name).public_key() }
}

/// A transaction of an account, signed with a key of another name.
pub(crate) fn signed(
    world: &World,
    account: &str,
    key_name: &str,
    operation: impl Into<Operation>,
) -> Transaction {
    let nonce = world.ledger.nonces(&address(account)).base();
    Transaction::sign(world.body(account, operation, nonce), &key(key_name))
}

fn live(world: &World, account: &str) -> Vec<String> {
    let account = address(account);
    let live = world.ledger.keys(&account).filter(|(_, row)| row.is_live());
    let mut labels: Vec<String> = live.map(|(_, row)| row.label.to_string()).collect();
    labels.sort();
    labels
}

#[test]
fn each_key_of_an_account_signs_for_it() {
    let mut world = World::new();
    let stranger = signed(&world, "bea", "bea phone", paying("sam", 5));
    assert_eq!(world.refused(&stranger), Refusal::KeyRevoked);
    let op = add(&world, "bea", "bea phone");
    let sent = world.ok("bea", op);
    let (address, public_key) = (address("bea"), key("bea phone").public_key());
    let label = Label::new("bea phone").unwrap();
    let event = AccountEvent::KeyAdded { address, public_key, label, at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    for key_name in ["bea", "bea phone"] {
        let tx = signed(&world, "bea", key_name, paying("sam", 5));
        assert!(world.apply(&[tx]).block.unwrap().receipts[0].outcome.is_applied());
    }
    assert_eq!(live(&world, "bea"), ["", "bea phone"]);
}

#[test]
fn a_revoked_key_signs_no_more() {
    let mut world = World::new();
    let op = add(&world, "bea", "bea phone");
    world.ok("bea", op);
    let sent = world.ok("bea", revoke("bea phone"));
    let public_key = key("bea phone").public_key();
    let event = AccountEvent::KeyRevoked { address: address("bea"), public_key, at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    let late = signed(&world, "bea", "bea phone", paying("sam", 5));
    assert_eq!(late.verify_signature(), Ok(()));
    assert_eq!(world.refused(&late), Refusal::KeyRevoked);
    assert_eq!(world.rejected("bea", revoke("bea phone")), AccountRejection::UnknownKey.into());
    // In the same batch too.
    let op = add(&world, "bea", "bea tablet");
    world.ok("bea", op);
    let nonce = world.ledger.nonces(&address("bea")).base();
    let revoking = Transaction::sign(world.body("bea", revoke("bea tablet"), nonce), &key("bea tablet"));
    let after = Transaction::sign(world.body("bea", paying("sam", 5), nonce + 1), &key("bea tablet"));
    let outcomes = world.apply(&[revoking, after]).outcomes;
    assert!(matches!(outcomes[1], ledger::TxOutcome::Refused(Refusal::KeyRevoked)), "{outcomes:?}");
}

#[test]
fn the_last_key_stays() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", revoke("bea")), AccountRejection::LastKey.into());
    let op = add(&world, "bea", "bea phone");
    world.ok("bea", op);
    world.ok("bea", revoke("bea"));
    let last = signed(&world, "bea", "bea phone", revoke("bea phone"));
    let receipts = world.apply(&[last]).block.unwrap().receipts;
    let last: Rejection = AccountRejection::LastKey.into();
    assert_eq!(receipts[0].outcome, ledger::Outcome::Rejected(last));
}

#[test]
fn rotating_keeps_address_name_and_money() {
    let mut world = World::new();
    let before = (world.funds("bea"), world.ledger.account(&address("bea")).cloned());
    let op = rotate(&world, "bea", "bea two");
    let sent = world.ok("bea", op);
    let names: Vec<_> = sent.events.iter().map(|event| matches!(event, EventKind::Account(_))).collect();
    assert_eq!(names, [true, true], "added and revoked");
    assert_eq!((world.funds("bea"), world.ledger.account(&address("bea")).cloned()), before);
    assert_eq!(live(&world, "bea"), ["bea two"]);
    let old = signed(&world, "bea", "bea", paying("sam", 5));
    assert_eq!(world.refused(&old), Refusal::KeyRevoked);
    let new = signed(&world, "bea", "bea two", paying("sam", 5));
    assert!(world.apply(&[new]).block.unwrap().receipts[0].outcome.is_applied());
}

#[test]
fn a_key_belongs_to_one_account_for_good() {
    let mut world = World::new();
    let used: Rejection = AccountRejection::KeyUsed.into();
    // That of another account, one's own, and a revoked one.
    for key_name in ["sam", "bea"] {
        let op = add(&world, "bea", key_name);
        assert_eq!(world.rejected("bea", op), used);
    }
    let op = add(&world, "bea", "bea phone");
    world.ok("bea", op);
    world.ok("bea", revoke("bea phone"));
    for account in ["bea", "sam"] {
        let (added, rotated) = (add(&world, account, "bea phone"), rotate(&world, account, "bea phone"));
        assert_eq!(world.rejected(account, added), used);
        assert_eq!(world.rejected(account, rotated), used);
    }
    // Nor does it open an account of its own.
    let register = AccountOp::Register { name: Name::new("phone").unwrap() };
    assert_eq!(world.rejected("bea phone", register), used);
}

#[test]
fn a_key_agrees_to_the_account_it_is_for() {
    let mut world = World::new();
    let public_key = key("bea phone").public_key();
    let chain = *world.ledger.chain_id();
    let signs = |signer: &str, digest: &Digest| key(signer).sign(digest);
    let proofs = [
        signs("bea", &key_binding(&chain, &address("bea"))),
        signs("bea phone", &key_binding(&chain, &address("sam"))),
        signs("bea phone", &key_binding(&Digest::ZERO, &address("bea"))),
        signs("bea phone", &pbft_crypto::sha256(b"anything")),
    ];
    for proof in proofs {
        let op = AccountOp::AddKey { public_key, proof, label: Label::default() };
        assert_eq!(world.rejected("bea", op), AccountRejection::BadKeyProof.into());
        let op = AccountOp::RotateKey { public_key, proof, label: Label::default() };
        assert_eq!(world.rejected("bea", op), AccountRejection::BadKeyProof.into());
    }
    let not_a_point = postcard::from_bytes(&[[2; 1].as_slice(), &[0xff; 32]].concat()).unwrap();
    let proof = proof(&world, "bea", "bea phone");
    let op = AccountOp::AddKey { public_key: not_a_point, proof, label: Label::default() };
    assert_eq!(world.rejected("bea", op), AccountRejection::BadKeyProof.into());
    assert_eq!(
        pbft_crypto::sha256(&binding_preimage(&chain, &address("bea"))),
        key_binding(&chain, &address("bea"))
    );
}

#[test]
fn keys_have_labels() {
    let mut world = World::new();
    let op = |key_name: &str, label: &str| AccountOp::LabelKey {
        public_key: key(key_name).public_key(),
        label: Label::new(label).unwrap(),
    };
    world.ok("bea", op("bea", "laptop"));
    assert_eq!(live(&world, "bea"), ["laptop"]);
    assert_eq!(world.rejected("bea", op("sam", "mine")), AccountRejection::UnknownKey.into());
    assert_eq!(world.rejected("bea", op("nobody", "mine")), AccountRejection::UnknownKey.into());
    let two = rotate(&world, "bea", "bea two");
    world.ok("bea", two);
    let label = signed(&world, "bea", "bea two", op("bea", "old"));
    let receipts = world.apply(&[label]).block.unwrap().receipts;
    assert_eq!(receipts[0].outcome, ledger::Outcome::Rejected(AccountRejection::UnknownKey.into()));
}

#[test]
fn an_account_has_a_bounded_number_of_keys() {
    let mut world = World::new();
    let names: Vec<String> = (1..MAX_ACCOUNT_KEYS).map(|n| format!("key {n}")).collect();
    let adding: Vec<Transaction> = names
        .iter()
        .map(|name| {
            let op = add(&world, "bea", name);
            world.tx("bea", op)
        })
        .collect();
    let receipts = world.apply(&adding).block.unwrap().receipts;
    assert!(receipts.iter().all(|receipt| receipt.outcome.is_applied()));
    let too_many: Rejection = AccountRejection::TooManyKeys { max: MAX_ACCOUNT_KEYS }.into();
    let op = add(&world, "bea", "one more");
    assert_eq!(world.rejected("bea", op), too_many);
    // Revoked ones count.
    world.ok("bea", revoke("key 1"));
    let op = rotate(&world, "bea", "one more");
    assert_eq!(world.rejected("bea", op), too_many);
}
