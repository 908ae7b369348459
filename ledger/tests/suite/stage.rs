//! Trades in every state: bea buys from sam.

use ledger::{
    HandoverCode, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, Memo, Reason, Ruling, Split, Tracking, TradeId,
    TradeOp, handover_hash,
};
use pbft_crypto::Digest;

use crate::world::{World, address, amount};

pub(crate) const PRICE: u64 = 9_999;
/// 2.5 % of the price, rounded down.
pub(crate) const FEE: u64 = 249;

/// A third for the buyer.
pub(crate) const SPLIT: Split =
    Split { to_buyer: ledger::Amount::new(3_333), to_seller: ledger::Amount::new(6_666) };

pub(crate) fn resolve(trade: TradeId, ruling: Ruling) -> TradeOp {
    TradeOp::Resolve { trade, ruling, reason: Reason::new("as the pictures show").unwrap() }
}

/// The action with this name, as it is asked for where nothing else is said.
pub(crate) fn action(name: &str, trade: TradeId) -> TradeOp {
    let tracking = Tracking::new("CJ 1234").unwrap();
    let code = HandoverCode::new("7-apples").unwrap();
    match name {
        "accept" => TradeOp::Accept { trade },
        "ship" => TradeOp::Ship { trade, tracking },
        "confirm" => TradeOp::Confirm { trade },
        "cancel" => TradeOp::Cancel { trade },
        "attest" => TradeOp::Attest { trade },
        "extend" => TradeOp::Extend { trade },
        "propose_split" => TradeOp::ProposeSplit { trade, split: SPLIT },
        "accept_split" => TradeOp::AcceptSplit { trade, split: SPLIT },
        "dispute" => TradeOp::Dispute { trade, reason: Reason::new("one wheel only").unwrap() },
        "add_evidence" => TradeOp::AddEvidence {
            trade,
            hash: Digest::from_bytes([9; 32]),
            note: Memo::new("a picture").unwrap(),
        },
        "resolve" => resolve(trade, Ruling::Release),
        "refund" => resolve(trade, Ruling::Refund),
        "send back" => resolve(trade, Ruling::Return),
        "return_ship" => TradeOp::ReturnShip { trade, tracking },
        "return_confirm" => TradeOp::ReturnConfirm { trade },
        "give_back" => TradeOp::GiveBack { trade, amount: amount(100) },
        "give_back_all" => TradeOp::GiveBack { trade, amount: amount(PRICE) },
        "hand_over" => TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &code) },
        "collect" => TradeOp::Collect { trade, code },
        other => panic!("no such action: {other}"),
    }
}

/// How a trade comes into a state. `second` is the first arbiter's silence.
fn way(state: &str) -> Vec<(&'static str, &'static str)> {
    let to_dispute = [("sam", "accept"), ("sam", "ship"), ("bea", "dispute")];
    let to_return = [&to_dispute[..], &[("arbiter", "send back")]].concat();
    let to_shipped = &to_dispute[..2];
    let delivered = [to_shipped, &[("kit", "attest")]].concat();
    let again = [&to_return[..], &[("bea", "return_ship"), ("sam", "dispute")]].concat();
    let silence = ("time", "second");
    match state {
        "FUNDED" => vec![],
        "FUNDED code" => vec![("sam", "hand_over")],
        "FUNDED codes" => vec![("sam", "hand_over"); usize::from(MAX_HANDOVERS)],
        "ACCEPTED" => vec![("sam", "accept")],
        "ACCEPTED asked" => vec![("sam", "accept"), ("bea", "cancel")],
        "ACCEPTED offer" => vec![("sam", "accept"), ("bea", "propose_split")],
        "ACCEPTED offers" => {
            [&[("sam", "accept")][..], &[("bea", "propose_split"); MAX_OFFERS as usize]].concat()
        }
        "SHIPPED" => to_shipped.to_vec(),
        "SHIPPED extended" => [to_shipped, &[("bea", "extend")]].concat(),
        "SHIPPED delivered" => delivered,
        "SHIPPED extended delivered" => [to_shipped, &[("bea", "extend"), ("kit", "attest")]].concat(),
        "SHIPPED delivered extended" => [&delivered[..], &[("bea", "extend")]].concat(),
        "SHIPPED offer" => [to_shipped, &[("sam", "propose_split")]].concat(),
        "DISPUTED" => to_dispute.to_vec(),
        "DISPUTED full" => [&to_dispute[..], &[("bea", "add_evidence"); 8]].concat(),
        "DISPUTED delivered" => [&to_dispute[..], &[("kit", "attest")]].concat(),
        "DISPUTED offer" => [&to_dispute[..], &[("bea", "propose_split")]].concat(),
        "DISPUTED second" => [&to_dispute[..], &[silence]].concat(),
        "DISPUTED delivered second" => [&to_dispute[..], &[("kit", "attest"), silence]].concat(),
        "RETURNING" => to_return,
        "RETURNING shipped" => [&to_return[..], &[("bea", "return_ship")]].concat(),
        "RETURNING delivered" => [&to_return[..], &[("bea", "return_ship"), ("kit", "attest")]].concat(),
        "DISPUTED again" => again,
        "DISPUTED again second" => [&again[..], &[silence]].concat(),
        "RELEASED" => vec![("sam", "ship"), ("bea", "confirm")],
        "RELEASED given back" => vec![("sam", "ship"), ("bea", "confirm"), ("sam", "give_back_all")],
        "RELEASED often" => {
            let released = [("sam", "ship"), ("bea", "confirm")];
            [&released[..], &[("sam", "give_back"); MAX_GIVE_BACKS as usize]].concat()
        }
        "CANCELLED" => vec![("bea", "cancel")],
        "REFUNDED" => [&to_dispute[..], &[("arbiter", "refund")]].concat(),
        "SPLIT" => vec![("sam", "accept"), ("bea", "propose_split"), ("sam", "accept_split")],
        other => panic!("no such state: {other}"),
    }
}

pub(crate) fn trade_in(state: &str) -> (World, TradeId) {
    let mut world = World::new();
    let listing = world.list("sam", PRICE);
    let trade = world.buy("bea", listing);
    for (who, what) in way(state) {
        match (who, what) {
            ("time", _) => {
                let due = world.ledger.trade(&trade).unwrap().deadline.unwrap().at;
                world.wait_until(due.value());
            }
            ("arbiter", _) => {
                let judge = arbiter(&world, trade);
                world.ok(judge, action(what, trade));
            }
            _ => {
                world.ok(who, action(what, trade));
            }
        }
    }
    assert_eq!(state_of(&world, trade), state.split(' ').next().unwrap());
    (world, trade)
}

/// The same once more: `trade` is the same one, since all happens at the same times.
pub(crate) fn trade_on(state: &str, trade: TradeId) -> World {
    let (world, again) = trade_in(state);
    assert_eq!(again, trade);
    world
}

pub(crate) fn state_of(world: &World, trade: TradeId) -> &'static str {
    world.ledger.trade(&trade).unwrap().state.code()
}

/// The name of who decides, or would.
pub(crate) fn arbiter(world: &World, trade: TradeId) -> &'static str {
    let arbiter = world.ledger.trade(&trade).unwrap().dispute.and_then(|dispute| dispute.arbiter);
    if arbiter == Some(address("abe")) { "abe" } else { "art" }
}
