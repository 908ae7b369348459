//! Requests with good signatures for what the sender may not have. They are put on record as failed.

mod dealing;
mod identity;
mod office;
mod trading;

use ledger::{
    AccountOp, AssetId, ChargeOp, ExchangeOp, Label, ListingOp, Memo, Operation, OrderSide, PaymentOp,
    PollOp, Reason, Reference, ReplicaOp, Role, RoleOp, Split, TokenId, TokenOp, TradeOp, WithdrawalOp,
};
use pbft_crypto::Digest;

use super::scene::{Scene, order, request, review};
use crate::stage::action;
use crate::tokens::{create, mint, token};
use crate::world::{COINS, address, amount, content, key, paying, unknown};

/// Who asks for what, and the answer.
pub(super) type Attack = (&'static str, fn(&Scene) -> Operation, &'static str);

fn open(base: TokenId) -> ExchangeOp {
    ExchangeOp::OpenMarket { base, quote: AssetId::Pop, tick: amount(1), lot: amount(1) }
}

fn no() -> Reason {
    Reason::new("no").unwrap()
}

fn relist(scene: &Scene, from_version: u32) -> Operation {
    ListingOp::Update { listing: scene.listing, from_version, content: content(1) }.into()
}

fn transfer(who: &str, units: u64) -> Operation {
    TokenOp::Transfer { token: token("SHOP"), to: address(who), amount: amount(units) }.into()
}

fn transfer_from(owner: &str, units: u64) -> Operation {
    let (owner, to) = (address(owner), address("eve"));
    TokenOp::TransferFrom { token: token("SHOP"), owner, to, amount: amount(units) }.into()
}

fn wrong_split(scene: &Scene) -> Operation {
    let split = Split { to_buyer: amount(u64::MAX), to_seller: amount(10_000) };
    TradeOp::ProposeSplit { trade: scene.shipped, split }.into()
}

fn used_reference(_: &Scene) -> Operation {
    let (to, asset, memo) = (address("sam"), AssetId::Pop, Memo::default());
    let reference = Some(Reference::new("ORDER-2").unwrap());
    PaymentOp::Pay { to, asset, amount: amount(700), reference, memo }.into()
}

fn key_of_another(_: &Scene) -> Operation {
    let (public_key, label) = (key("sam").public_key(), Label::new("mine").unwrap());
    AccountOp::AddKey { public_key, proof: key("eve").sign(&Digest::ZERO), label }.into()
}

fn key_without_proof(_: &Scene) -> Operation {
    let (public_key, label) = (key("a new one").public_key(), Label::new("mine").unwrap());
    AccountOp::AddKey { public_key, proof: key("eve").sign(&Digest::ZERO), label }.into()
}

fn raise_oneself(_: &Scene) -> Operation {
    AccountOp::Role(RoleOp::Propose { account: address("eve"), role: Role::Admin }).into()
}

/// All of them: those below, and those of what takes more to explain.
pub(super) fn attacks() -> Vec<Attack> {
    [ATTACKS, trading::ATTACKS, dealing::ATTACKS, identity::ATTACKS, office::ATTACKS].concat()
}

const ATTACKS: &[Attack] = &[
    // Money.
    ("eve", |_| paying("kit", 2 * COINS).into(), "INSUFFICIENT_FUNDS"),
    ("eve", |_| paying("kit", u64::MAX).into(), "INSUFFICIENT_FUNDS"),
    ("kit", |_| paying("eve", 1).into(), "INSUFFICIENT_FUNDS"),
    ("eve", |_| paying("kit", 0).into(), "ZERO_AMOUNT"),
    ("eve", |_| paying("eve", 1).into(), "SELF_PAYMENT"),
    ("eve", |_| paying("nobody", 1).into(), "UNKNOWN_PAYEE"),
    ("bea", used_reference, "REFERENCE_USED"),
    ("bea", |s| PaymentOp::Capture { payment: s.held, amount: amount(1) }.into(), "NOT_PAYEE"),
    ("sam", |s| PaymentOp::Capture { payment: s.held, amount: amount(701) }.into(), "CAPTURE_TOO_LARGE"),
    ("sam", |s| PaymentOp::Capture { payment: s.paid, amount: amount(1) }.into(), "WRONG_PAYMENT_STATUS"),
    ("bea", |s| PaymentOp::Void { payment: s.held }.into(), "NOT_PAYEE"),
    ("bea", |s| PaymentOp::Refund { payment: s.paid, amount: amount(1) }.into(), "NOT_PAYEE"),
    ("sam", |s| PaymentOp::Refund { payment: s.paid, amount: amount(701) }.into(), "REFUND_TOO_LARGE"),
    ("eve", |_| PaymentOp::Void { payment: unknown() }.into(), "UNKNOWN_PAYMENT"),
    // Charges and withdrawals.
    ("bea", |s| ChargeOp::Approve { charge: s.charge }.into(), "NOT_ADMIN"),
    ("ann", |s| ChargeOp::Approve { charge: s.own_charge }.into(), "OWN_CHARGE"),
    ("ben", |s| ChargeOp::Approve { charge: s.decided_charge }.into(), "CHARGE_ALREADY_DECIDED"),
    ("ben", |_| ChargeOp::Approve { charge: unknown() }.into(), "UNKNOWN_CHARGE"),
    ("eve", |s| ChargeOp::Reject { charge: s.charge, reason: no() }.into(), "NOT_ADMIN"),
    ("eve", |_| request(0).into(), "ZERO_AMOUNT"),
    ("eve", |_| ChargeOp::ProposePolicy { policy: None }.into(), "NOT_ADMIN"),
    ("bea", |s| WithdrawalOp::Settle { withdrawal: s.withdrawal }.into(), "NOT_ADMIN"),
    ("eve", |s| WithdrawalOp::Void { withdrawal: s.withdrawal, reason: no() }.into(), "NOT_WITHDRAWAL_OWNER"),
    ("ann", |_| WithdrawalOp::Settle { withdrawal: unknown() }.into(), "UNKNOWN_WITHDRAWAL"),
    // Listings and trades.
    ("eve", |s| relist(s, 1), "NOT_LISTING_OWNER"),
    ("sam", |s| relist(s, 0), "STALE_VERSION"),
    ("sam", |s| relist(s, 2), "STALE_VERSION"),
    ("eve", |s| ListingOp::Close { listing: s.listing }.into(), "NOT_LISTING_OWNER"),
    ("sam", |s| ListingOp::Close { listing: s.sold }.into(), "LISTING_NOT_OPEN"),
    ("sam", |_| ListingOp::Create { content: content(0) }.into(), "ZERO_PRICE"),
    (
        "eve",
        |s| TradeOp::Open { listing: s.listing, version: 9, content_hash: Digest::ZERO }.into(),
        "STALE_VERSION",
    ),
    (
        "eve",
        |s| TradeOp::Open { listing: s.listing, version: 1, content_hash: Digest::ZERO }.into(),
        "CONTENT_MISMATCH",
    ),
    ("sam", |s| s.offer.clone().into(), "OWN_LISTING"),
    ("bea", |s| action("accept", s.funded).into(), "NOT_SELLER"),
    ("bea", |s| action("ship", s.funded).into(), "NOT_SELLER"),
    ("sam", |s| action("confirm", s.funded).into(), "NOT_BUYER"),
    ("eve", |s| action("confirm", s.shipped).into(), "NOT_BUYER"),
    ("eve", |s| action("cancel", s.funded).into(), "NOT_A_PARTY"),
    ("bea", |s| action("cancel", s.shipped).into(), "WRONG_STATE"),
    ("sam", |s| action("attest", s.shipped).into(), "NOT_COURIER"),
    ("sam", |s| action("extend", s.shipped).into(), "NOT_BUYER"),
    ("bea", wrong_split, "SPLIT_SUM"),
    ("bea", |s| action("accept_split", s.shipped).into(), "NO_SPLIT_OFFER"),
    ("bea", |s| action("confirm", s.disputed).into(), "WRONG_STATE"),
    ("sam", |s| action("resolve", s.disputed).into(), "NOT_ARBITER"),
    ("bea", |s| action("refund", s.disputed).into(), "NOT_ARBITER"),
    ("bea", |s| action("confirm", s.released).into(), "WRONG_STATE"),
    ("bea", |s| action("cancel", s.released).into(), "WRONG_STATE"),
    ("bea", |s| action("dispute", s.released).into(), "WRONG_STATE"),
    ("bea", |s| action("give_back", s.released).into(), "NOT_SELLER"),
    ("bea", |s| action("collect", s.funded).into(), "NO_HANDOVER"),
    ("bea", |_| action("confirm", unknown()).into(), "UNKNOWN_TRADE"),
    ("bea", |s| review(s.released).into(), "ALREADY_REVIEWED"),
    ("bea", |s| review(s.shipped).into(), "NOT_REVIEWABLE"),
    ("eve", |s| review(s.released).into(), "NOT_A_PARTY"),
    // Tokens and the exchange.
    ("eve", |_| create("SHOP", None).into(), "SYMBOL_TAKEN"),
    ("eve", |_| mint("SHOP", "eve", 1).into(), "NOT_ISSUER"),
    ("sam", |_| mint("SHOP", "sam", 1).into(), "CAP_EXCEEDED"),
    ("sam", |_| mint("SHOP", "sam", u64::MAX).into(), "CAP_EXCEEDED"),
    ("bea", |_| transfer("eve", 101), "INSUFFICIENT_FUNDS"),
    ("bea", |_| transfer("eve", u64::MAX), "INSUFFICIENT_FUNDS"),
    ("bea", |_| transfer("nobody", 1), "UNKNOWN_RECIPIENT"),
    ("eve", |_| transfer_from("sam", 8), "ALLOWANCE_TOO_SMALL"),
    ("eve", |_| transfer_from("bea", 1), "ALLOWANCE_TOO_SMALL"),
    ("bea", |s| order(s.market, OrderSide::Sell, 90, 110).into(), "INSUFFICIENT_FUNDS"),
    ("bea", |s| order(s.market, OrderSide::Buy, 95, 2_000_000).into(), "INSUFFICIENT_FUNDS"),
    ("bea", |s| order(s.market, OrderSide::Buy, u64::MAX - 5, 1 << 60).into(), "QUANTITY_OFF_LOT"),
    ("bea", |s| order(s.market, OrderSide::Buy, u64::MAX / 5 * 5, 10 << 50).into(), "ORDER_TOO_LARGE"),
    ("bea", |s| order(s.market, OrderSide::Buy, 101, 10).into(), "PRICE_OFF_TICK"),
    ("eve", |s| ExchangeOp::Cancel { order: s.order }.into(), "NOT_ORDER_OWNER"),
    ("eve", |s| ExchangeOp::Reduce { order: s.order, by: amount(10) }.into(), "NOT_ORDER_OWNER"),
    ("eve", |_| ExchangeOp::Cancel { order: unknown() }.into(), "UNKNOWN_ORDER"),
    ("eve", |s| ExchangeOp::Halt { market: s.market }.into(), "NOT_ADMIN"),
    ("eve", |s| open(s.market.base).into(), "NOT_ADMIN_OR_ISSUER"),
    // Polls.
    ("bea", |s| PollOp::Vote { poll: s.poll, choice: 1 }.into(), "ALREADY_VOTED"),
    ("eve", |s| PollOp::Vote { poll: s.poll, choice: 2 }.into(), "UNKNOWN_OPTION"),
    ("eve", |s| PollOp::Vote { poll: s.later_poll, choice: 1 }.into(), "WRONG_POLL_PHASE"),
    ("eve", |s| PollOp::Commit { poll: s.poll, commitment: Digest::ZERO }.into(), "OTHER_BALLOT"),
    ("eve", |s| PollOp::Close { poll: s.poll }.into(), "NOT_POLL_CREATOR"),
    // Accounts and who decides.
    ("eve", |_| AccountOp::Register { name: "eva".parse().unwrap() }.into(), "ALREADY_REGISTERED"),
    ("eve", key_of_another, "KEY_USED"),
    ("eve", key_without_proof, "BAD_KEY_PROOF"),
    ("eve", |_| AccountOp::RevokeKey { public_key: key("sam").public_key() }.into(), "UNKNOWN_KEY"),
    ("eve", |_| AccountOp::RevokeKey { public_key: key("eve").public_key() }.into(), "LAST_KEY"),
    ("eve", |_| AccountOp::Freeze { account: address("bea"), reason: no() }.into(), "NOT_ADMIN"),
    ("ann", |_| AccountOp::Freeze { account: address("ben"), reason: no() }.into(), "ADMIN_ACCOUNT"),
    ("ben", |_| AccountOp::Unfreeze { account: address("bea") }.into(), "NOT_FROZEN"),
    ("eve", raise_oneself, "NOT_ADMIN"),
    ("ann", |s| AccountOp::Role(RoleOp::Approve { change: s.role_change }).into(), "OWN_ROLE_CHANGE"),
    ("eve", |s| AccountOp::Role(RoleOp::Approve { change: s.role_change }).into(), "NOT_ADMIN"),
    ("ann", |s| ReplicaOp::Approve { change: s.replica_change }.into(), "OWN_REPLICA_CHANGE"),
    ("eve", |s| ReplicaOp::Approve { change: s.replica_change }.into(), "NOT_ADMIN"),
    ("ben", |_| ReplicaOp::Approve { change: unknown() }.into(), "UNKNOWN_REPLICA_CHANGE"),
];
