//! What the table of states does not say: who decides, in which numbers, and what outlives what.

use std::collections::BTreeSet;

use ledger::{
    Amount, DeadlineKind, EventKind, HandoverCode, Ruling, Split, Trade, TradeChange, TradeId, TradeOp,
    TradeRejection, TradeState, handover_hash,
};

use crate::stage::{FEE, PRICE, SPLIT, action, arbiter, resolve, state_of, trade_in};
use crate::world::{COINS, DAY, World, address, amount, genesis};

fn row(world: &World, trade: TradeId) -> Trade {
    *world.ledger.trade(&trade).unwrap()
}

fn changes(events: &[EventKind]) -> Vec<&TradeChange> {
    let all = events.iter().filter_map(|event| match event {
        EventKind::Trade(event) => Some(&event.change),
        _ => None,
    });
    all.collect()
}

#[test]
fn each_ruling_leads_where_it_says() {
    let halves = Split { to_buyer: amount(1), to_seller: amount(PRICE - 1) };
    for (ruling, state, funds) in [
        (Ruling::Release, "RELEASED", [COINS - PRICE, COINS + PRICE - FEE, FEE]),
        (Ruling::Refund, "REFUNDED", [COINS, COINS, 0]),
        (Ruling::Split(halves), "SPLIT", [COINS - PRICE + 1, COINS + PRICE - 1 - FEE, FEE]),
        (Ruling::Return, "RETURNING", [COINS - PRICE, COINS, 0]),
    ] {
        let (mut world, trade) = trade_in("DISPUTED");
        let judge = arbiter(&world, trade);
        let sent = world.ok(judge, resolve(trade, ruling));
        assert_eq!(state_of(&world, trade), state);
        assert_eq!(["bea", "sam", "fees"].map(|who| world.funds(who).0), funds);
        let told = changes(&sent.events);
        let reason = "as the pictures show".parse().unwrap();
        assert_eq!(*told[0], TradeChange::Resolved { ruling, reason });
        assert_eq!(told.len(), 2);
        let other = if judge == "art" { "abe" } else { "art" };
        assert_eq!(world.rejected(other, resolve(trade, ruling)).code(), "NOT_ARBITER");
    }
}

#[test]
fn parts_add_up_to_the_price() {
    let hold = amount(PRICE);
    for (to_buyer, to_seller) in [(0, 0), (1, PRICE), (PRICE, 1), (u64::MAX, PRICE + 1), (0, PRICE - 1)] {
        let split = Split { to_buyer: amount(to_buyer), to_seller: amount(to_seller) };
        let (mut world, trade) = trade_in("DISPUTED");
        let judge = arbiter(&world, trade);
        let rejection = TradeRejection::SplitSum { hold }.into();
        assert_eq!(world.rejected(judge, resolve(trade, Ruling::Split(split))), rejection);
        assert_eq!(world.rejected("bea", TradeOp::ProposeSplit { trade, split }), rejection);
    }
    for (to_buyer, to_seller) in [(PRICE, 0), (0, PRICE)] {
        let split = Split { to_buyer: amount(to_buyer), to_seller: amount(to_seller) };
        let (mut world, trade) = trade_in("SHIPPED");
        world.ok("bea", TradeOp::ProposeSplit { trade, split });
        world.ok("sam", TradeOp::AcceptSplit { trade, split });
        let fee = if to_seller == 0 { 0 } else { FEE };
        assert_eq!(world.funds("sam"), (COINS + to_seller - fee, 0));
        assert_eq!(row(&world, trade).payout.unwrap().sum(), Some(hold));
    }
}

#[test]
fn only_the_offer_on_the_table_is_taken() {
    let (mut world, trade) = trade_in("ACCEPTED");
    let other = Split { to_buyer: amount(9_000), to_seller: amount(999) };
    world.ok("bea", action("propose_split", trade));
    let taken = world.rejected("sam", TradeOp::AcceptSplit { trade, split: other });
    assert_eq!(taken, TradeRejection::OtherSplitOffer { offer: SPLIT }.into());
    // A new offer, from whichever side, takes the place of the first.
    world.ok("sam", TradeOp::ProposeSplit { trade, split: other });
    assert_eq!(world.rejected("sam", TradeOp::AcceptSplit { trade, split: other }).code(), "OWN_SPLIT_OFFER");
    assert_eq!(world.rejected("bea", action("accept_split", trade)).code(), "OTHER_SPLIT_OFFER");
    // An offer to someone who has not shipped is none to someone who has.
    world.ok("sam", action("ship", trade));
    let gone = world.rejected("bea", TradeOp::AcceptSplit { trade, split: other });
    assert_eq!(gone, TradeRejection::NoSplitOffer.into());
}

#[test]
fn an_offer_outlives_a_reminder_and_evidence() {
    let (mut world, trade) = trade_in("DISPUTED offer");
    world.ok("sam", action("add_evidence", trade));
    world.wait_until(world.ledger.next_deadline().unwrap().value());
    world.ok("sam", action("accept_split", trade));
    assert_eq!(state_of(&world, trade), "SPLIT");
}

#[test]
fn the_arbiter_is_neither_party_and_the_second_another_one() {
    // abe sells: art is the only one left, and there is no second one.
    let mut world = World::new();
    let listing = world.list("abe", 100);
    let trade = world.buy("bea", listing);
    world.ok("abe", action("ship", trade));
    world.ok("bea", action("dispute", trade));
    assert_eq!(row(&world, trade).dispute.unwrap().arbiter, Some(address("art")));
    assert_eq!(world.rejected("abe", action("resolve", trade)).code(), "NOT_ARBITER");
    world.wait_until(world.now.value() + 14 * DAY);
    assert_eq!(row(&world, trade).state, TradeState::Refunded);

    let (mut world, trade) = trade_in("DISPUTED");
    let first = arbiter(&world, trade);
    world.ok(first, action("add_evidence", trade));
    let applied = world.wait_until(row(&world, trade).deadline.unwrap().at.value());
    let second = arbiter(&world, trade);
    assert_ne!(first, second);
    assert_eq!(row(&world, trade).deadline.unwrap().kind, DeadlineKind::SecondResolveBy);
    let names: Vec<_> = applied.events.iter().map(ledger::Event::name).collect();
    assert_eq!(names, ["trade.arbiter_replaced"]);
    assert_eq!(world.rejected(first, action("resolve", trade)).code(), "NOT_ARBITER");
    world.ok(second, action("resolve", trade));
    assert_eq!(state_of(&world, trade), "RELEASED");
}

#[test]
fn without_an_arbiter_what_was_attested_decides() {
    for (delivered, state) in [(true, "RELEASED"), (false, "REFUNDED")] {
        let mut genesis = genesis();
        genesis.accounts.retain(|account| account.role != ledger::Role::Arbiter);
        let mut world = World::of(&genesis);
        let listing = world.list("sam", 100);
        let trade = world.buy("bea", listing);
        world.ok("sam", action("ship", trade));
        world.ok("bea", action("dispute", trade));
        assert_eq!(row(&world, trade).dispute.unwrap().arbiter, None);
        let now = world.now;
        let arbiters =
            row(&world, trade).possible(now).into_iter().filter(|it| it.by == ledger::Party::Arbiter);
        assert_eq!(arbiters.count(), 0);
        if delivered {
            world.ok("kit", action("attest", trade));
        }
        world.wait_until(row(&world, trade).deadline.unwrap().at.value());
        assert_eq!(state_of(&world, trade), state);
    }
}

/// Each of two is drawn about every second time.
#[test]
fn every_arbiter_has_a_turn() {
    let mut drawn = BTreeSet::new();
    for seconds in 0..12 {
        let (mut world, trade) = trade_in("SHIPPED");
        world.wait_until(world.now.value() + 7_000 * (seconds + 1));
        world.ok("bea", action("dispute", trade));
        drawn.insert(arbiter(&world, trade));
    }
    assert_eq!(drawn, BTreeSet::from(["abe", "art"]));
}

/// The same transaction at the same time, after other blocks.
#[test]
fn the_block_before_has_a_part_in_the_draw() {
    let mut drawn = BTreeSet::new();
    for price in 1..=12 {
        let (mut world, trade) = trade_in("SHIPPED");
        world.list("eve", price);
        world.ok("bea", action("dispute", trade));
        drawn.insert(arbiter(&world, trade));
    }
    assert_eq!(drawn, BTreeSet::from(["abe", "art"]));
}

#[test]
fn a_courier_of_its_own_parcel_attests_nothing() {
    let mut world = World::new();
    let listing = world.list("kit", 100);
    let trade = world.buy("bea", listing);
    world.ok("kit", action("ship", trade));
    assert_eq!(world.rejected("kit", action("attest", trade)).code(), "NOT_COURIER");
}

#[test]
fn goods_go_back_once_and_the_seller_may_object() {
    let (mut world, trade) = trade_in("RETURNING shipped");
    world.ok("sam", action("dispute", trade));
    let judge = arbiter(&world, trade);
    let again = world.rejected(judge, resolve(trade, Ruling::Return));
    assert_eq!(again, TradeRejection::ReturnedBefore.into());
    // In this dispute a courier speaks for the parcel on its way back.
    let told = world.ok("kit", action("attest", trade));
    assert_eq!(changes(&told.events), [&TradeChange::ReturnAttested]);
    for _ in 0..2 {
        world.wait_until(row(&world, trade).deadline.unwrap().at.value());
    }
    assert_eq!(state_of(&world, trade), "REFUNDED");
    assert_eq!(world.ledger.record(&address("sam")).as_seller.disputed, 1);
}

#[test]
fn a_code_from_hand_to_hand_releases_at_once() {
    let (mut world, trade) = trade_in("ACCEPTED");
    world.ok("sam", action("hand_over", trade));
    let code = HandoverCode::new("7-pears").unwrap();
    let wrong = TradeOp::Collect { trade, code: code.clone() };
    assert_eq!(world.rejected("bea", wrong.clone()), TradeRejection::WrongCode.into());
    // A code of another trade is none of this one.
    let elsewhere = handover_hash(&crate::world::unknown(), &code);
    assert_ne!(handover_hash(&trade, &code), elsewhere);
    world.ok("sam", TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &code) });
    assert_eq!(world.rejected("bea", action("collect", trade)), TradeRejection::WrongCode.into());
    world.ok("bea", wrong);
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS - PRICE, 0), (COINS + PRICE - FEE, 0)));
}

#[test]
fn a_seller_gives_back_what_they_have_up_to_the_price() {
    let (mut world, trade) = trade_in("RELEASED");
    let give = |units| TradeOp::GiveBack { trade, amount: amount(units) };
    assert_eq!(world.rejected("sam", give(0)), TradeRejection::ZeroAmount.into());
    let first = world.ok("sam", give(9_000));
    let told = TradeChange::GivenBack { amount: amount(9_000), total: amount(9_000) };
    assert_eq!(changes(&first.events), [&told]);
    let left = Amount::new(999);
    assert_eq!(world.rejected("sam", give(1_000)), TradeRejection::TooMuch { left }.into());
    assert_eq!(world.rejected("sam", give(u64::MAX)), TradeRejection::TooMuch { left }.into());
    let all = world.funds("sam").0;
    let pay = ledger::PaymentOp::Pay {
        to: address("eve"),
        asset: ledger::AssetId::Pop,
        amount: amount(all),
        reference: None,
        memo: "".parse().unwrap(),
    };
    world.ok("sam", pay);
    assert_eq!(world.rejected("sam", give(999)).code(), "INSUFFICIENT_FUNDS");
    assert_eq!(
        (row(&world, trade).state, row(&world, trade).given_back),
        (TradeState::Released, amount(9_000))
    );
}

#[test]
fn a_reminder_of_an_old_deadline_is_none_of_a_new_one() {
    let (mut world, trade) = trade_in("SHIPPED");
    let confirm_by = row(&world, trade).deadline.unwrap().at.value();
    world.wait_until(confirm_by - DAY);
    assert_eq!(row(&world, trade).remind_at, None);
    world.ok("bea", action("extend", trade));
    assert_eq!(row(&world, trade).remind_at.unwrap().value(), confirm_by + 6 * DAY);
    // A block after the deadline does not remind of it.
    let applied = world.wait_until(confirm_by + 8 * DAY);
    assert!(applied.events.iter().all(|event| event.name() != "trade.reminder"));
    assert_eq!(state_of(&world, trade), "RELEASED");
}
