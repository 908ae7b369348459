//! Names, keys, guardians, limits and freezes: ways to act for somebody else, or in spite of what holds.

use ledger::{AccountOp, Memo, Millis, Operation, Reason, RecoveryId, TokenOp, WithdrawalOp};
use pbft_crypto::{Address, Digest};

use super::{Attack, open};
use crate::adversary::scene::people::LIMIT;
use crate::adversary::scene::{STRANGER, Scene};
use crate::tokens::{create, mint, token};
use crate::world::{address, amount, key, paying, unknown};

/// Asks for another key for an account, with a proof that proves nothing.
fn recover(account: &str, key_name: &str) -> Operation {
    let (account, public_key) = (address(account), key(key_name).public_key());
    AccountOp::ProposeRecovery { account, public_key, proof: key("eve").sign(&Digest::ZERO) }.into()
}

fn agree(recovery: RecoveryId) -> Operation {
    AccountOp::AgreeToRecovery { recovery }.into()
}

fn cancel(recovery: RecoveryId) -> Operation {
    AccountOp::CancelRecovery { recovery }.into()
}

fn guardians(guardians: Vec<Address>, threshold: u8, delay: Millis) -> Operation {
    AccountOp::SetGuardians { guardians, threshold, delay }.into()
}

fn freeze(who: &str) -> Operation {
    AccountOp::Freeze { account: address(who), reason: Reason::new("no").unwrap() }.into()
}

fn unfreeze(who: &str) -> Operation {
    AccountOp::Unfreeze { account: address(who) }.into()
}

fn withdraw(_: &Scene) -> Operation {
    WithdrawalOp::Request { amount: amount(1), memo: Memo::default() }.into()
}

/// Lets kit take so much of abe's tokens, after so much.
fn approve(from: u64, to: u64) -> Operation {
    let (token, spender) = (token("ABE"), address("kit"));
    TokenOp::Approve { token, spender, from: amount(from), to: amount(to) }.into()
}

fn take(_: &Scene) -> Operation {
    let (owner, to) = (address("sam"), address("kit"));
    TokenOp::TransferFrom { token: token("SHOP"), owner, to, amount: amount(1) }.into()
}

fn hand_over(_: &Scene) -> Operation {
    TokenOp::HandOver { token: token("ABE"), to: address("kit") }.into()
}

pub(super) const ATTACKS: &[Attack] = &[
    (STRANGER, |_| AccountOp::Register { name: "BEA".parse().unwrap() }.into(), "NAME_TAKEN"),
    ("kit", |s| s.people.one_key_more.clone().into(), "TOO_MANY_KEYS"),
    // Guardians and recoveries.
    ("eve", |_| guardians(vec![address("eve")], 1, Millis::days(2)), "BAD_GUARDIANS"),
    ("eve", |_| guardians(vec![address("nobody")], 1, Millis::days(2)), "BAD_GUARDIANS"),
    ("eve", |_| guardians(vec![address("sam")], 2, Millis::days(2)), "BAD_THRESHOLD"),
    ("eve", |_| guardians(vec![address("sam")], 0, Millis::days(2)), "BAD_THRESHOLD"),
    ("eve", |_| guardians(vec![address("sam")], 1, Millis::new(0)), "BAD_DELAY"),
    ("eve", |_| recover("bea", "eve's new phone"), "NOT_GUARDIAN"),
    ("bea", |_| recover("sam", "eve's new phone"), "NOT_GUARDIAN"),
    ("ann", |_| recover("bea", "eve's new phone"), "NOT_GUARDIAN"),
    ("sam", |_| recover("nobody", "eve's new phone"), "UNKNOWN_ACCOUNT"),
    ("sam", |_| recover("bea", "eve's new phone"), "RECOVERY_OPEN"),
    ("kit", |_| recover("bea", "eve"), "KEY_USED"),
    ("kit", |_| recover("bea", "eve's new phone"), "BAD_KEY_PROOF"),
    ("eve", |s| agree(s.people.recovery), "NOT_GUARDIAN"),
    ("bea", |s| agree(s.people.recovery), "NOT_GUARDIAN"),
    ("sam", |s| agree(s.people.recovery), "ALREADY_AGREED"),
    ("kit", |s| agree(s.people.stopped), "RECOVERY_OVER"),
    ("kit", |_| agree(unknown()), "UNKNOWN_RECOVERY"),
    ("sam", |s| cancel(s.people.recovery), "NOT_ACCOUNT_OWNER"),
    ("eve", |s| cancel(s.people.recovery), "NOT_ACCOUNT_OWNER"),
    ("bea", |s| cancel(s.people.stopped), "RECOVERY_OVER"),
    ("bea", |_| cancel(unknown()), "UNKNOWN_RECOVERY"),
    // A frozen account, and one with a limit.
    ("abe", |_| paying("kit", 1).into(), "ACCOUNT_FROZEN"),
    ("abe", withdraw, "ACCOUNT_FROZEN"),
    ("abe", |s| s.offer.clone().into(), "ACCOUNT_FROZEN"),
    ("abe", |_| recover("bea", "abe's new phone"), "ACCOUNT_FROZEN"),
    ("abe", |s| agree(s.people.recovery), "ACCOUNT_FROZEN"),
    ("abe", |_| guardians(vec![address("kit")], 1, Millis::days(2)), "ACCOUNT_FROZEN"),
    ("abe", |_| create("ABES", None).into(), "ACCOUNT_FROZEN"),
    ("abe", |_| mint("ABE", "abe", 1).into(), "ACCOUNT_FROZEN"),
    ("abe", |_| open(token("ABE")).into(), "ACCOUNT_FROZEN"),
    ("abe", |_| approve(3, 4), "ACCOUNT_FROZEN"),
    ("abe", take, "ACCOUNT_FROZEN"),
    ("abe", hand_over, "ACCOUNT_FROZEN"),
    ("abe", |_| unfreeze("abe"), "NOT_ADMIN"),
    ("ann", |_| unfreeze("abe"), "OWN_FREEZE"),
    ("ben", |_| freeze("abe"), "ALREADY_FROZEN"),
    ("ann", |_| freeze("nobody"), "UNKNOWN_ACCOUNT"),
    ("art", |_| paying("kit", LIMIT + 1).into(), "SPENDING_LIMIT_EXCEEDED"),
];
