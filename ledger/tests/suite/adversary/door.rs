//! Tricks that nobody needs an account for: what is refused without a trace.

use ledger::{Auth, ListingOp, Transaction, UnixMillis};
use pbft_crypto::{Digest, Signature};

use super::Run;
use super::scene::{LOST_KEY, PEOPLE};
use crate::world::{address, key, paying};

/// What is sent, and the answer to it.
pub(super) type Trick = (fn(&mut Run) -> Vec<u8>, &'static str);

pub(super) const TRICKS: &[Trick] = &[
    (cut_short, "MALFORMED"),
    (with_a_tail, "MALFORMED"),
    (noise, "MALFORMED"),
    (empty, "MALFORMED"),
    (too_long, "MALFORMED"),
    (of_another_chain, "WRONG_CHAIN"),
    (other_amount, "BAD_SIGNATURE"),
    (other_sender, "BAD_SIGNATURE"),
    (other_nonce, "BAD_SIGNATURE"),
    (spoiled_signature, "BAD_SIGNATURE"),
    (zero_signature, "BAD_SIGNATURE"),
    (signed_by_another, "BAD_SIGNATURE"),
    (high_s, "HIGH_S"),
    (replayed, "NONCE_USED"),
    (spent_again, "NONCE_USED"),
    (far_nonce, "NONCE_TOO_FAR"),
    (last_nonce, "NONCE_TOO_FAR"),
    (late, "EXPIRED"),
    (with_a_revoked_key, "KEY_REVOKED"),
    (with_an_own_key, "KEY_REVOKED"),
    (by_nobody, "UNKNOWN_ACCOUNT"),
];

fn somebody(run: &mut Run) -> &'static str {
    run.dice.pick(&PEOPLE).unwrap()
}

/// One that was good, and is on the chain.
fn good(run: &mut Run) -> Transaction {
    run.dice.pick(&run.scene.recorded).unwrap().clone()
}

/// A payment of somebody with something changed before it is signed.
fn signed(run: &mut Run, change: impl FnOnce(&mut ledger::Body, u64)) -> Vec<u8> {
    let who = somebody(run);
    let base = run.world.ledger.nonces(&address(who)).base();
    let mut body = run.world.body(who, paying("sam", 5), base);
    change(&mut body, base);
    Transaction::sign(body, &key(who)).encode()
}

/// A payment with something changed after it was signed.
fn forged(run: &mut Run, change: impl FnOnce(&mut ledger::Body)) -> Vec<u8> {
    let tx = good(run);
    let mut body = tx.body().clone();
    change(&mut body);
    Transaction::new(body, *tx.auth()).encode()
}

fn with_signature(run: &mut Run, change: impl FnOnce(&Signature, u64) -> Signature) -> Vec<u8> {
    let tx = good(run);
    let (public_key, chance) = (*tx.public_key(), run.dice.roll());
    let signature = change(tx.signature(), chance);
    Transaction::new(tx.body().clone(), Auth::P256 { public_key, signature }).encode()
}

fn cut_short(run: &mut Run) -> Vec<u8> {
    let mut bytes = good(run).encode();
    let keep = run.dice.below(bytes.len() as u64);
    bytes.truncate(usize::try_from(keep).unwrap());
    bytes
}

fn with_a_tail(run: &mut Run) -> Vec<u8> {
    let mut bytes = good(run).encode();
    bytes.push(u8::try_from(run.dice.below(256)).unwrap());
    bytes
}

fn noise(run: &mut Run) -> Vec<u8> {
    let length = run.dice.below(300);
    // No operation begins like this.
    let tail = (0..length).map(|_| u8::try_from(run.dice.below(256)).unwrap());
    [0xff; 34].into_iter().chain(tail).collect()
}

const fn empty(_: &mut Run) -> Vec<u8> {
    Vec::new()
}

fn too_long(run: &mut Run) -> Vec<u8> {
    let mut bytes = good(run).encode();
    bytes.resize(ledger::MAX_TRANSACTION_BYTES + 1, 0);
    bytes
}

fn of_another_chain(run: &mut Run) -> Vec<u8> {
    let digest = Digest::from_bytes(std::array::from_fn(|_| run.dice.roll().to_be_bytes()[0]));
    signed(run, |body, _| body.chain_id = digest)
}

fn other_amount(run: &mut Run) -> Vec<u8> {
    let units = 4 + run.dice.below(u64::MAX - 4);
    forged(run, |body| body.operation = paying("eve", units).into())
}

fn other_sender(run: &mut Run) -> Vec<u8> {
    forged(run, |body| body.sender = address("kit"))
}

fn other_nonce(run: &mut Run) -> Vec<u8> {
    let by = 1 + run.dice.below(1_000);
    forged(run, |body| body.nonce += by)
}

fn spoiled_signature(run: &mut Run) -> Vec<u8> {
    with_signature(run, |signature, chance| {
        let mut r = *signature.r();
        r[16 + usize::try_from(chance % 16).unwrap()] ^= 1 << (chance % 8);
        Signature::from_r_and_s(&r, signature.s())
    })
}

fn zero_signature(run: &mut Run) -> Vec<u8> {
    with_signature(run, |_, _| Signature::from_r_and_s(&[0; 32], &[0; 32]))
}

fn signed_by_another(run: &mut Run) -> Vec<u8> {
    let tx = good(run);
    let (public_key, signature) = (key("kit").public_key(), *tx.signature());
    Transaction::new(tx.body().clone(), Auth::P256 { public_key, signature }).encode()
}

fn high_s(run: &mut Run) -> Vec<u8> {
    with_signature(run, |signature, _| Signature::from_r_and_s(signature.r(), &[0xf0; 32]))
}

fn replayed(run: &mut Run) -> Vec<u8> {
    good(run).encode()
}

/// The same nonce for something else.
fn spent_again(run: &mut Run) -> Vec<u8> {
    let mut body = good(run).body().clone();
    let who = PEOPLE.into_iter().find(|name| address(name) == body.sender).unwrap();
    body.operation = ListingOp::Create { content: crate::world::content(1 + run.dice.below(1_000)) }.into();
    Transaction::sign(body, &key(who)).encode()
}

fn far_nonce(run: &mut Run) -> Vec<u8> {
    let by = 100_000 + run.dice.below(1_000);
    signed(run, |body, base| body.nonce = base + by)
}

fn last_nonce(run: &mut Run) -> Vec<u8> {
    signed(run, |body, _| body.nonce = u64::MAX)
}

fn late(run: &mut Run) -> Vec<u8> {
    let tip = run.world.ledger.tip().time.value();
    let ago = run.dice.below(tip);
    signed(run, |body, _| body.valid_until = UnixMillis::new(ago))
}

fn with_a_revoked_key(run: &mut Run) -> Vec<u8> {
    let nonce = run.world.ledger.nonces(&address("eve")).base();
    Transaction::sign(run.world.body("eve", paying("sam", 1), nonce), &key(LOST_KEY)).encode()
}

/// A key that is somebody else's, or nobody's.
fn with_an_own_key(run: &mut Run) -> Vec<u8> {
    let nonce = run.world.ledger.nonces(&address("bea")).base();
    Transaction::sign(run.world.body("bea", paying("eve", 900), nonce), &key("eve")).encode()
}

fn by_nobody(run: &mut Run) -> Vec<u8> {
    let name = format!("nobody {}", run.dice.below(50));
    let body = run.world.body(&name, paying("eve", 1), 0);
    Transaction::sign(body, &key(&name)).encode()
}
