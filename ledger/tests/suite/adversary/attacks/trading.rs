//! Listings, trades and disputes: twice, too late, or by those who are not asked.

use ledger::{HandoverCode, ListingOp, MAX_VERSIONS, Operation, Split, TradeOp};
use pbft_crypto::Digest;

use super::Attack;
use crate::adversary::scene::Scene;
use crate::stage::{PRICE, action};
use crate::world::{amount, content, unknown};

/// Not what bea has offered.
fn other_split(scene: &Scene) -> Operation {
    let split = Split { to_buyer: amount(0), to_seller: amount(PRICE) };
    TradeOp::AcceptSplit { trade: scene.trades.offered, split }.into()
}

fn guessed_code(scene: &Scene) -> Operation {
    let code = HandoverCode::new("6-apples").unwrap();
    TradeOp::Collect { trade: scene.trades.handed_over, code }.into()
}

fn buy_unknown(_: &Scene) -> Operation {
    TradeOp::Open { listing: unknown(), version: 1, content_hash: Digest::ZERO }.into()
}

pub(super) const ATTACKS: &[Attack] = &[
    ("eve", buy_unknown, "UNKNOWN_LISTING"),
    ("sam", |_| ListingOp::Close { listing: unknown() }.into(), "UNKNOWN_LISTING"),
    (
        "sam",
        |s| {
            let (listing, from_version) = (s.trades.worn_out, MAX_VERSIONS);
            ListingOp::Update { listing, from_version, content: content(1) }.into()
        },
        "VERSION_LIMIT",
    ),
    ("bea", |s| action("cancel", s.trades.asked).into(), "CANCEL_ALREADY_REQUESTED"),
    ("bea", |s| action("extend", s.trades.delivered).into(), "ALREADY_EXTENDED"),
    ("kit", |s| action("attest", s.trades.delivered).into(), "ALREADY_ATTESTED"),
    // Splits.
    ("bea", |s| action("accept_split", s.trades.offered).into(), "OWN_SPLIT_OFFER"),
    ("sam", other_split, "OTHER_SPLIT_OFFER"),
    ("eve", |s| action("accept_split", s.trades.offered).into(), "NOT_A_PARTY"),
    ("art", |s| action("accept_split", s.trades.of_art).into(), "NOT_A_PARTY"),
    // Hand-over in person.
    ("bea", guessed_code, "WRONG_CODE"),
    ("sam", |s| action("collect", s.trades.handed_over).into(), "NOT_BUYER"),
    ("eve", |s| action("collect", s.trades.handed_over).into(), "NOT_BUYER"),
    ("bea", |s| action("hand_over", s.trades.handed_over).into(), "NOT_SELLER"),
    // Again and again.
    ("bea", |s| action("propose_split", s.trades.talked_over).into(), "OFFER_LIMIT"),
    ("sam", |s| action("hand_over", s.trades.talked_over).into(), "HANDOVER_LIMIT"),
    ("sam", |s| action("give_back", s.trades.given_often).into(), "GIVE_BACK_LIMIT"),
    // Arbiters who are not drawn, and one who must not decide now.
    ("abe", |s| action("resolve", s.trades.of_art).into(), "NOT_ARBITER"),
    ("art", |s| action("refund", s.trades.of_abe).into(), "NOT_ARBITER"),
    ("ann", |s| action("refund", s.trades.of_abe).into(), "NOT_ARBITER"),
    ("abe", |s| action("refund", s.trades.of_abe).into(), "ACCOUNT_FROZEN"),
    ("art", |s| action("add_evidence", s.trades.of_abe).into(), "NOT_A_PARTY"),
    ("eve", |s| action("add_evidence", s.trades.of_art).into(), "NOT_A_PARTY"),
    ("bea", |s| action("add_evidence", s.trades.full).into(), "EVIDENCE_LIMIT"),
    // What is sent back.
    ("art", |s| action("send back", s.trades.again).into(), "RETURNED_BEFORE"),
    ("bea", |s| action("return_ship", s.trades.sent_back).into(), "ALREADY_SHIPPED_BACK"),
    ("sam", |s| action("return_ship", s.trades.returning).into(), "NOT_BUYER"),
    ("bea", |s| action("return_confirm", s.trades.sent_back).into(), "NOT_SELLER"),
    ("sam", |s| action("dispute", s.trades.returning).into(), "NOT_SHIPPED_BACK"),
    ("bea", |s| action("dispute", s.trades.returning).into(), "WRONG_STATE"),
    ("sam", |s| action("give_back", s.trades.given_back).into(), "TOO_MUCH_GIVEN_BACK"),
];
