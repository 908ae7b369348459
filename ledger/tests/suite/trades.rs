//! Who may move a trade from where to where: every state, every actor, every action.

use ledger::{
    DeadlineKind, EventKind, ListingStatus, Mover, Outcome, Tracking, TradeChange, TradeEvent, TradeId,
    TradeOp, TradeRejection, TradeState,
};

use crate::world::{COINS, DAY, HOUR, World, address, amount, unknown};

const PRICE: u64 = 9_999;
/// 2.5 % of the price, rounded down.
const FEE: u64 = 249;

const ACTIONS: [&str; 4] = ["accept", "ship", "confirm", "cancel"];

/// Rows: the state that a trade is in (`REQUESTED` is ACCEPTED after the buyer has asked to cancel). Columns: what comes of
/// each of [`ACTIONS`], first by the buyer, then by the seller: the next state or the code of the rejection.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 4], [&str; 4]); 6] = [
    ("FUNDED",
        ["NOT_SELLER", "NOT_SELLER", "RELEASED", "CANCELLED"],
        ["ACCEPTED", "SHIPPED", "NOT_BUYER", "CANCELLED"]),
    ("ACCEPTED",
        ["NOT_SELLER", "NOT_SELLER", "RELEASED", "REQUESTED"],
        ["WRONG_STATE", "SHIPPED", "NOT_BUYER", "CANCELLED"]),
    ("REQUESTED",
        ["NOT_SELLER", "NOT_SELLER", "RELEASED", "CANCEL_ALREADY_REQUESTED"],
        ["WRONG_STATE", "SHIPPED", "NOT_BUYER", "CANCELLED"]),
    ("SHIPPED",
        ["NOT_SELLER", "NOT_SELLER", "RELEASED", "WRONG_STATE"],
        ["WRONG_STATE", "WRONG_STATE", "NOT_BUYER", "WRONG_STATE"]),
    ("RELEASED",
        ["NOT_SELLER", "NOT_SELLER", "WRONG_STATE", "WRONG_STATE"],
        ["WRONG_STATE", "WRONG_STATE", "NOT_BUYER", "WRONG_STATE"]),
    ("CANCELLED",
        ["NOT_SELLER", "NOT_SELLER", "WRONG_STATE", "WRONG_STATE"],
        ["WRONG_STATE", "WRONG_STATE", "NOT_BUYER", "WRONG_STATE"]),
];

/// What strangers, admins among them, get for each action in every state.
const OTHERS: [&str; 4] = ["NOT_SELLER", "NOT_SELLER", "NOT_BUYER", "NOT_A_PARTY"];

fn action(name: &str, trade: TradeId) -> TradeOp {
    match name {
        "accept" => TradeOp::Accept { trade },
        "ship" => TradeOp::Ship { trade, tracking: Tracking::new("CJ 1234").unwrap() },
        "confirm" => TradeOp::Confirm { trade },
        "cancel" => TradeOp::Cancel { trade },
        other => panic!("no such action: {other}"),
    }
}

/// A trade in the given state: bea buys from sam.
fn trade_in(state: &str) -> (World, TradeId) {
    let mut world = World::new();
    let listing = world.list("sam", PRICE);
    let trade = world.buy("bea", listing);
    let way: &[(&str, &str)] = match state {
        "FUNDED" => &[],
        "ACCEPTED" => &[("sam", "accept")],
        "REQUESTED" => &[("sam", "accept"), ("bea", "cancel")],
        "SHIPPED" => &[("sam", "accept"), ("sam", "ship")],
        "RELEASED" => &[("sam", "ship"), ("bea", "confirm")],
        "CANCELLED" => &[("bea", "cancel")],
        other => panic!("no such state: {other}"),
    };
    for (who, what) in way {
        world.ok(who, action(what, trade));
    }
    assert_eq!(state_of(&world, trade), state);
    (world, trade)
}

fn state_of(world: &World, trade: TradeId) -> &'static str {
    let trade = world.ledger.trade(&trade).unwrap();
    if trade.cancel_requested { "REQUESTED" } else { trade.state.code() }
}

/// Where the money and the listing are follows from the state alone.
fn check_money(world: &World, trade: TradeId) {
    let row = world.ledger.trade(&trade).unwrap();
    let status = world.ledger.listing(&row.listing).unwrap().status;
    let funds = ["bea", "sam", "fees"].map(|who| world.funds(who));
    let (expected, listed) = match row.state {
        TradeState::Released => {
            ([(COINS - PRICE, 0), (COINS + PRICE - FEE, 0), (FEE, 0)], ListingStatus::Sold { trade })
        }
        TradeState::Cancelled => ([(COINS, 0), (COINS, 0), (0, 0)], ListingStatus::Open),
        _ => ([(COINS - PRICE, PRICE), (COINS, 0), (0, 0)], ListingStatus::Reserved { trade }),
    };
    assert_eq!((funds, status), (expected, listed));
    assert_eq!(row.deadline.is_none(), row.state.is_final());
}

#[test]
fn every_state_actor_and_action() {
    for (state, buyer, seller) in TABLE {
        for (who, expected) in [("bea", buyer), ("sam", seller), ("eve", OTHERS), ("ann", OTHERS)] {
            for (what, expected) in ACTIONS.into_iter().zip(expected) {
                let (mut world, trade) = trade_in(state);
                let sent = world.send(who, action(what, trade));
                let (got, events) = match &sent.outcome {
                    Outcome::Applied => (state_of(&world, trade), true),
                    Outcome::Rejected(rejection) => (rejection.code(), false),
                };
                assert_eq!(got, expected, "{who} does {what} when {state}");
                assert_eq!(!sent.events.is_empty(), events);
                check_money(&world, trade);
            }
        }
    }
}

/// Where time alone leads from each state, and how long it takes after the last step.
#[test]
fn every_state_and_its_deadline() {
    for (state, deadline) in [
        ("FUNDED", Some((DeadlineKind::ShipBy, "CANCELLED"))),
        ("ACCEPTED", Some((DeadlineKind::ShipBy, "CANCELLED"))),
        ("REQUESTED", Some((DeadlineKind::AnswerBy, "CANCELLED"))),
        ("SHIPPED", Some((DeadlineKind::ConfirmBy, "RELEASED"))),
        ("RELEASED", None),
        ("CANCELLED", None),
    ] {
        let (mut world, trade) = trade_in(state);
        let row = *world.ledger.trade(&trade).unwrap();
        assert_eq!(row.deadline.map(|deadline| deadline.kind), deadline.map(|(kind, _)| kind));
        assert_eq!(row.deadline.map(|deadline| deadline.at), world.ledger.next_deadline());
        let Some((kind, to)) = deadline else {
            assert_eq!(world.wait_until(world.now.value() + 100 * DAY).block, None);
            continue;
        };
        let at = row.deadline.unwrap().at.value();
        let after = match kind {
            DeadlineKind::ShipBy => row.opened_at.value() + 5 * DAY,
            DeadlineKind::AnswerBy => row.updated_at.value() + 24 * HOUR,
            DeadlineKind::ConfirmBy => row.updated_at.value() + 10 * DAY,
        };
        assert_eq!(at, after);
        assert_eq!(world.wait_until(at - 1).block, None);
        assert_eq!(state_of(&world, trade), state);
        let applied = world.wait_until(at);
        assert_eq!(state_of(&world, trade), to);
        check_money(&world, trade);
        let moved = applied.events.iter().find_map(|event| match &event.kind {
            EventKind::Trade(event) => Some((event.from, event.to.code(), event.by)),
            _ => None,
        });
        assert_eq!(moved, Some((Some(row.state), to, Mover::Deadline(kind))));
        assert_eq!(world.ledger.next_deadline(), None);
    }
}

#[test]
fn the_way_of_a_good_trade_is_told_in_full() {
    let mut world = World::new();
    let listing = world.list("sam", PRICE);
    let hash = world.ledger.listing(&listing).unwrap().content_hash;
    let buying = world.buying(listing);
    let opened = world.ok("bea", buying);
    let trade = TradeId::from(opened.id);
    let event = |events: &[EventKind]| match events.last() {
        Some(EventKind::Trade(event)) => event.clone(),
        other => panic!("not an event of a trade: {other:?}"),
    };
    let first = TradeEvent {
        trade,
        listing,
        buyer: address("bea"),
        seller: address("sam"),
        amount: amount(PRICE),
        fee: amount(FEE),
        from: None,
        to: TradeState::Funded,
        by: Mover::Buyer,
        deadline: world.ledger.trade(&trade).unwrap().deadline,
        change: TradeChange::Opened { version: 1, content_hash: hash },
        at: world.now,
    };
    assert_eq!(event(&opened.events), first);

    let accepted = world.ok("sam", action("accept", trade));
    let from = Some(TradeState::Funded);
    let change = TradeChange::Accepted;
    let at = world.now;
    let second = TradeEvent { from, to: TradeState::Accepted, by: Mover::Seller, change, at, ..first };
    assert_eq!(event(&accepted.events), second);

    let shipped = world.ok("sam", action("ship", trade));
    let from = Some(TradeState::Accepted);
    let change = TradeChange::Shipped { tracking: Tracking::new("CJ 1234").unwrap() };
    let deadline = world.ledger.trade(&trade).unwrap().deadline;
    let at = world.now;
    let third = TradeEvent { from, to: TradeState::Shipped, change, at, deadline, ..second };
    assert_eq!(event(&shipped.events), third);

    let released = world.ok("bea", action("confirm", trade));
    let from = Some(TradeState::Shipped);
    let change = TradeChange::Released { payout: amount(PRICE - FEE) };
    let (by, at) = (Mover::Buyer, world.now);
    let last = TradeEvent { from, to: TradeState::Released, by, change, at, deadline: None, ..third };
    assert_eq!(event(&released.events), last);
    check_money(&world, trade);
}

#[test]
fn shipping_answers_the_wish_to_cancel() {
    let (mut world, trade) = trade_in("REQUESTED");
    world.ok("sam", action("ship", trade));
    let row = *world.ledger.trade(&trade).unwrap();
    assert_eq!((row.state, row.cancel_requested), (TradeState::Shipped, false));
    world.wait_until(row.updated_at.value() + 25 * HOUR);
    assert_eq!(state_of(&world, trade), "SHIPPED");
}

#[test]
fn the_wish_to_cancel_never_puts_the_refund_off() {
    let (mut world, trade) = trade_in("ACCEPTED");
    let ship_by = world.ledger.trade(&trade).unwrap().deadline.unwrap();
    world.wait_until(ship_by.at.value() - HOUR);
    world.ok("bea", action("cancel", trade));
    let row = *world.ledger.trade(&trade).unwrap();
    assert_eq!((row.deadline, row.cancel_requested), (Some(ship_by), true));
    assert_eq!(world.rejected("bea", action("cancel", trade)).code(), "CANCEL_ALREADY_REQUESTED");
    world.wait_until(ship_by.at.value());
    assert_eq!(state_of(&world, trade), "CANCELLED");
}

#[test]
fn a_cancelled_listing_can_be_bought_again() {
    let (mut world, first) = trade_in("CANCELLED");
    let listing = world.ledger.trade(&first).unwrap().listing;
    let second = world.buy("eve", listing);
    assert_eq!(world.ledger.listing(&listing).unwrap().status, ListingStatus::Reserved { trade: second });
    assert_eq!(world.rejected("bea", action("confirm", first)).code(), "WRONG_STATE");
}

#[test]
fn buying_needs_money_and_another_seller() {
    let mut world = World::new();
    let own = world.list("bea", 5);
    let buying = world.buying(own);
    assert_eq!(world.rejected("bea", buying), TradeRejection::OwnListing.into());
    let dear = world.list("sam", COINS + 1);
    let buying = world.buying(dear);
    assert_eq!(world.rejected("bea", buying).code(), "INSUFFICIENT_FUNDS");
    for what in ACTIONS {
        assert_eq!(world.rejected("bea", action(what, unknown())), TradeRejection::UnknownTrade.into());
    }
}

#[test]
fn the_fee_account_trades_like_everyone() {
    let mut world = World::new();
    let listing = world.list("fees", 1_000);
    let trade = world.buy("bea", listing);
    world.ok("bea", action("confirm", trade));
    assert_eq!(world.funds("fees"), (1_000, 0));
    let listing = world.list("sam", 1_000);
    let trade = world.buy("fees", listing);
    world.ok("fees", action("confirm", trade));
    assert_eq!((world.funds("fees"), world.funds("sam")), ((25, 0), (COINS + 975, 0)));
}

#[test]
fn a_fee_below_one_unit_is_none() {
    let mut world = World::new();
    let listing = world.list("sam", 39);
    let trade = world.buy("bea", listing);
    world.ok("bea", action("confirm", trade));
    assert_eq!((world.funds("sam"), world.funds("fees")), ((COINS + 39, 0), (0, 0)));
}
