//! Trades that are far along: bea buys from sam, and arbiters were drawn.

use ledger::{
    ListingId, ListingOp, MAX_EVIDENCE, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, MAX_VERSIONS, TradeId,
    Transaction,
};

use super::trade;
use crate::stage::{action, arbiter};
use crate::world::{World, content};

pub(in crate::adversary) struct Trades {
    /// For sale by sam, in its last version.
    pub(in crate::adversary) worn_out: ListingId,
    /// Accepted, and bea has asked sam to cancel.
    pub(in crate::adversary) asked: TradeId,
    /// Accepted, and bea has offered a split.
    pub(in crate::adversary) offered: TradeId,
    /// Sam will hand the goods over, against a code.
    pub(in crate::adversary) handed_over: TradeId,
    /// Shipped, with more time for bea, and delivered.
    pub(in crate::adversary) delivered: TradeId,
    /// In dispute, and bea has put on record what she may.
    pub(in crate::adversary) full: TradeId,
    /// Accepted, and sam has prepared as many codes, bea made as many offers as they may.
    pub(in crate::adversary) talked_over: TradeId,
    /// Sam was paid, and has given something back as often as he may.
    pub(in crate::adversary) given_often: TradeId,
    /// In dispute: art decides, or abe.
    pub(in crate::adversary) of_art: TradeId,
    pub(in crate::adversary) of_abe: TradeId,
    /// To be sent back; and sent back.
    pub(in crate::adversary) returning: TradeId,
    pub(in crate::adversary) sent_back: TradeId,
    /// In dispute for a second time, since the goods that came back were not those: art decides.
    pub(in crate::adversary) again: TradeId,
    /// Sam was paid, and has given all back.
    pub(in crate::adversary) given_back: TradeId,
}

impl Trades {
    pub(super) fn set(world: &mut World) -> Self {
        let evidence = [("bea", "add_evidence"); MAX_EVIDENCE as usize];
        Self {
            worn_out: worn_out(world),
            asked: trade(world, &[("sam", "accept"), ("bea", "cancel")]),
            offered: trade(world, &[("sam", "accept"), ("bea", "propose_split")]),
            handed_over: trade(world, &[("sam", "hand_over")]),
            delivered: trade(world, &[("sam", "ship"), ("bea", "extend"), ("kit", "attest")]),
            full: trade(world, &[&[("sam", "ship"), ("bea", "dispute")][..], &evidence].concat()),
            talked_over: talked_over(world),
            given_often: given_often(world),
            of_art: disputed(world, "art"),
            of_abe: disputed(world, "abe"),
            returning: returning(world),
            sent_back: sent_back(world),
            again: disputed_again(world),
            given_back: trade(world, &[("sam", "ship"), ("bea", "confirm"), ("sam", "give_back_all")]),
        }
    }
}

fn worn_out(world: &mut World) -> ListingId {
    let listing = world.list("sam", 500);
    let update = |n: u32| {
        let content = content(500 + u64::from(n));
        ListingOp::Update { listing, from_version: n, content }
    };
    let updates: Vec<Transaction> = (1..MAX_VERSIONS).map(|n| world.tx("sam", update(n))).collect();
    super::all(world, &updates);
    listing
}

fn talked_over(world: &mut World) -> TradeId {
    let codes = [("sam", "hand_over"); MAX_HANDOVERS as usize];
    let offers = [("bea", "propose_split"); MAX_OFFERS as usize];
    trade(world, &[&[("sam", "accept")][..], &codes, &offers].concat())
}

fn given_often(world: &mut World) -> TradeId {
    let parts = [("sam", "give_back"); MAX_GIVE_BACKS as usize];
    trade(world, &[&[("sam", "ship"), ("bea", "confirm")][..], &parts].concat())
}

/// Arbiters are drawn, so there are as many disputes as it takes until this one is.
fn disputed(world: &mut World, judge: &str) -> TradeId {
    loop {
        let trade = trade(world, &[("sam", "ship"), ("bea", "dispute")]);
        if arbiter(world, trade) == judge {
            return trade;
        }
    }
}

fn returning(world: &mut World) -> TradeId {
    let trade = disputed(world, "art");
    world.ok("art", action("send back", trade));
    trade
}

fn sent_back(world: &mut World) -> TradeId {
    let trade = returning(world);
    world.ok("bea", action("return_ship", trade));
    trade
}

fn disputed_again(world: &mut World) -> TradeId {
    loop {
        let trade = sent_back(world);
        world.ok("sam", action("dispute", trade));
        if arbiter(world, trade) == "art" {
            return trade;
        }
    }
}
