//! Who may move a trade from where to where: every state, every actor, every action.

use std::collections::BTreeSet;

use ledger::{
    DeadlineKind, EventKind, ListingStatus, Mover, Outcome, Party, Tracking, Trade, TradeChange, TradeEvent,
    TradeId, TradeRejection, TradeState,
};

use crate::stage::{FEE, PRICE, action, arbiter, state_of, trade_in, trade_on};
use crate::world::{COINS, DAY, HOUR, World, address, amount, unknown};

/// Each action, who does it at all (**b**uyer, **s**eller, **a**rbiter, **c**ourier), and what anyone else is told.
const ACTIONS: [(&str, &str, &str); 16] = [
    ("accept", "s", "NOT_SELLER"),
    ("ship", "s", "NOT_SELLER"),
    ("confirm", "b", "NOT_BUYER"),
    ("cancel", "bs", "NOT_A_PARTY"),
    ("attest", "c", "NOT_COURIER"),
    ("extend", "b", "NOT_BUYER"),
    ("propose_split", "bs", "NOT_A_PARTY"),
    ("accept_split", "bs", "NOT_A_PARTY"),
    ("dispute", "bs", "NOT_A_PARTY"),
    ("add_evidence", "bsa", "NOT_A_PARTY"),
    ("resolve", "a", "NOT_ARBITER"),
    ("return_ship", "b", "NOT_BUYER"),
    ("return_confirm", "s", "NOT_SELLER"),
    ("give_back", "s", "NOT_SELLER"),
    ("hand_over", "s", "NOT_SELLER"),
    ("collect", "b", "NOT_BUYER"),
];

/// Each state (see `stage::trade_in` for those with an addition), and what comes of the actions of those who do them at all:
/// the next state or the code of the rejection. What is not said is WRONG_STATE.
#[rustfmt::skip]
const TABLE: [(&str, &[&str]); 25] = [
    ("FUNDED", &["b confirm RELEASED", "b cancel CANCELLED", "b collect NO_HANDOVER",
        "s accept ACCEPTED", "s ship SHIPPED", "s cancel CANCELLED", "s hand_over FUNDED"]),
    ("FUNDED code", &["b confirm RELEASED", "b cancel CANCELLED", "b collect RELEASED",
        "s accept ACCEPTED", "s ship SHIPPED", "s cancel CANCELLED", "s hand_over FUNDED"]),
    ("FUNDED codes", &["b confirm RELEASED", "b cancel CANCELLED", "b collect RELEASED",
        "s accept ACCEPTED", "s ship SHIPPED", "s cancel CANCELLED", "s hand_over HANDOVER_LIMIT"]),
    ("ACCEPTED", &["b confirm RELEASED", "b cancel ACCEPTED", "b collect NO_HANDOVER",
        "b propose_split ACCEPTED", "b accept_split NO_SPLIT_OFFER",
        "s ship SHIPPED", "s cancel CANCELLED", "s hand_over ACCEPTED",
        "s propose_split ACCEPTED", "s accept_split NO_SPLIT_OFFER"]),
    ("ACCEPTED asked", &["b confirm RELEASED", "b cancel CANCEL_ALREADY_REQUESTED", "b collect NO_HANDOVER",
        "b propose_split ACCEPTED", "b accept_split NO_SPLIT_OFFER",
        "s ship SHIPPED", "s cancel CANCELLED", "s hand_over ACCEPTED",
        "s propose_split ACCEPTED", "s accept_split NO_SPLIT_OFFER"]),
    ("ACCEPTED offer", &["b confirm RELEASED", "b cancel ACCEPTED", "b collect NO_HANDOVER",
        "b propose_split ACCEPTED", "b accept_split OWN_SPLIT_OFFER",
        "s ship SHIPPED", "s cancel CANCELLED", "s hand_over ACCEPTED",
        "s propose_split ACCEPTED", "s accept_split SPLIT"]),
    ("ACCEPTED offers", &["b confirm RELEASED", "b cancel ACCEPTED", "b collect NO_HANDOVER",
        "b propose_split OFFER_LIMIT", "b accept_split OWN_SPLIT_OFFER",
        "s ship SHIPPED", "s cancel CANCELLED", "s hand_over ACCEPTED",
        "s propose_split ACCEPTED", "s accept_split SPLIT"]),
    ("SHIPPED", &["b confirm RELEASED", "b extend SHIPPED", "b dispute DISPUTED", "c attest SHIPPED",
        "b propose_split SHIPPED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split SHIPPED", "s accept_split NO_SPLIT_OFFER"]),
    ("SHIPPED extended", &["b confirm RELEASED", "b extend ALREADY_EXTENDED", "b dispute DISPUTED",
        "c attest SHIPPED", "b propose_split SHIPPED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split SHIPPED", "s accept_split NO_SPLIT_OFFER"]),
    ("SHIPPED delivered", &["b confirm RELEASED", "b extend SHIPPED", "b dispute DISPUTED",
        "c attest ALREADY_ATTESTED", "b propose_split SHIPPED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split SHIPPED", "s accept_split NO_SPLIT_OFFER"]),
    ("SHIPPED offer", &["b confirm RELEASED", "b extend SHIPPED", "b dispute DISPUTED", "c attest SHIPPED",
        "b propose_split SHIPPED", "b accept_split SPLIT",
        "s propose_split SHIPPED", "s accept_split OWN_SPLIT_OFFER"]),
    ("DISPUTED", &["b add_evidence DISPUTED", "s add_evidence DISPUTED", "a add_evidence DISPUTED",
        "a resolve RELEASED", "c attest DISPUTED", "b propose_split DISPUTED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split DISPUTED", "s accept_split NO_SPLIT_OFFER"]),
    ("DISPUTED full", &["b add_evidence EVIDENCE_LIMIT", "s add_evidence DISPUTED", "a add_evidence DISPUTED",
        "a resolve RELEASED", "c attest DISPUTED", "b propose_split DISPUTED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split DISPUTED", "s accept_split NO_SPLIT_OFFER"]),
    ("DISPUTED delivered", &["b add_evidence DISPUTED", "s add_evidence DISPUTED", "a add_evidence DISPUTED",
        "a resolve RELEASED", "c attest ALREADY_ATTESTED", "b propose_split DISPUTED",
        "b accept_split NO_SPLIT_OFFER", "s propose_split DISPUTED", "s accept_split NO_SPLIT_OFFER"]),
    ("DISPUTED offer", &["b add_evidence DISPUTED", "s add_evidence DISPUTED", "a add_evidence DISPUTED",
        "a resolve RELEASED", "c attest DISPUTED", "b propose_split DISPUTED", "b accept_split OWN_SPLIT_OFFER",
        "s propose_split DISPUTED", "s accept_split SPLIT"]),
    ("RETURNING", &["b return_ship RETURNING", "s return_confirm REFUNDED", "s dispute NOT_SHIPPED_BACK",
        "c attest RETURNING"]),
    ("RETURNING shipped", &["b return_ship ALREADY_SHIPPED_BACK", "s return_confirm REFUNDED",
        "s dispute DISPUTED", "c attest RETURNING"]),
    ("RETURNING delivered", &["b return_ship ALREADY_SHIPPED_BACK", "s return_confirm REFUNDED",
        "s dispute DISPUTED", "c attest ALREADY_ATTESTED"]),
    ("DISPUTED again", &["b add_evidence DISPUTED", "s add_evidence DISPUTED", "a add_evidence DISPUTED",
        "a resolve RELEASED", "c attest DISPUTED", "b propose_split DISPUTED", "b accept_split NO_SPLIT_OFFER",
        "s propose_split DISPUTED", "s accept_split NO_SPLIT_OFFER"]),
    ("RELEASED", &["s give_back RELEASED"]),
    ("RELEASED given back", &["s give_back TOO_MUCH_GIVEN_BACK"]),
    ("RELEASED often", &["s give_back GIVE_BACK_LIMIT"]),
    ("CANCELLED", &[]),
    ("REFUNDED", &[]),
    ("SPLIT", &[]),
];

/// Where the money and the listing are follows from the row of the trade.
fn check_money(world: &World, trade: TradeId) {
    let row = world.ledger.trade(&trade).unwrap();
    let status = world.ledger.listing(&row.listing).unwrap().status;
    let funds = ["bea", "sam", "fees"].map(|who| world.funds(who));
    let back = row.given_back.value();
    let (expected, listed) = match row.state {
        TradeState::Released => (
            [(COINS - PRICE + back, 0), (COINS + PRICE - FEE - back, 0), (FEE, 0)],
            ListingStatus::Sold { trade },
        ),
        TradeState::Cancelled => ([(COINS, 0), (COINS, 0), (0, 0)], ListingStatus::Open),
        TradeState::Refunded => ([(COINS, 0), (COINS, 0), (0, 0)], ListingStatus::Closed),
        // 2.5 % of 6,666 are 166.
        TradeState::Split => {
            ([(COINS - 6_666, 0), (COINS + 6_500, 0), (166, 0)], ListingStatus::Sold { trade })
        }
        _ => ([(COINS - PRICE, PRICE), (COINS, 0), (0, 0)], ListingStatus::Reserved { trade }),
    };
    assert_eq!((funds, status), (expected, listed));
    assert_eq!((row.deadline.is_none(), row.payout.is_some()), (row.state.is_final(), row.state.is_final()));
}

/// What comes of an action by someone who is this to the trade.
fn expected<'a>(row: &[&'a str], who: &str, what: &str) -> &'a str {
    let (_, actors, refusal) = ACTIONS.into_iter().find(|(name, ..)| *name == what).unwrap();
    if !actors.contains(who) {
        return refusal;
    }
    let told = row.iter().find_map(|line| line.strip_prefix(&format!("{who} {what} ")));
    told.unwrap_or("WRONG_STATE")
}

#[test]
fn every_state_actor_and_action() {
    let mut tried = 0;
    for (state, row) in TABLE {
        let (mut world, trade) = trade_in(state);
        let judge = arbiter(&world, trade);
        let other_judge = if judge == "art" { "abe" } else { "art" };
        let people = [
            ("b", "bea"),
            ("s", "sam"),
            ("a", judge),
            ("c", "kit"),
            ("-", "eve"),
            ("-", "ann"),
            ("-", other_judge),
        ];
        let now = world.now;
        let possible = world.ledger.trade(&trade).unwrap().possible(now);
        let until = world.ledger.trade(&trade).unwrap().deadline.map(|deadline| deadline.at);
        let mut succeeded = BTreeSet::new();
        for (what, ..) in ACTIONS {
            for (who, name) in people {
                // Nobody decides before there is a dispute.
                let who = if who == "a" && world.ledger.trade(&trade).unwrap().dispute.is_none() {
                    "-"
                } else {
                    who
                };
                let was = world.ledger.trade(&trade).copied();
                let sent = world.send(name, action(what, trade));
                let (got, happened) = match &sent.outcome {
                    Outcome::Applied => (state_of(&world, trade), true),
                    Outcome::Rejected(rejection) => (rejection.code(), false),
                };
                assert_eq!(got, expected(row, who, what), "{name} does {what} when {state}");
                assert_eq!(!sent.events.is_empty(), happened);
                check_money(&world, trade);
                tried += 1;
                if happened {
                    succeeded.insert((who, what));
                    world = trade_on(state, trade);
                } else {
                    assert_eq!(world.ledger.trade(&trade).copied(), was);
                }
            }
        }
        let listed: BTreeSet<_> = possible.iter().map(|it| (letter(it.by), it.action)).collect();
        let listed: BTreeSet<_> = listed.iter().map(|(who, what)| (*who, name_of(*what))).collect();
        assert_eq!(
            listed,
            succeeded.iter().map(|(who, what)| (*who, (*what).to_owned())).collect(),
            "{state}"
        );
        assert!(possible.iter().all(|it| it.until == until), "{state}");
        let late = until.map(|at| world.ledger.trade(&trade).unwrap().possible(at));
        assert_eq!(late.unwrap_or_default(), [], "{state}");
    }
    assert_eq!(tried, 25 * 16 * 7);
}

fn letter(party: Party) -> &'static str {
    match party {
        Party::Buyer => "b",
        Party::Seller => "s",
        Party::Arbiter => "a",
        Party::Courier => "c",
    }
}

fn name_of(action: ledger::TradeAction) -> String {
    serde_json::to_value(action).unwrap().as_str().unwrap().to_owned()
}

/// The deadline of each state: which, how long after the last step, and where it leads.
#[test]
fn every_state_and_its_deadline() {
    use DeadlineKind::{AnswerBy, ConfirmBy, ResolveBy, ReturnBy, ReturnConfirmBy, SecondResolveBy, ShipBy};
    let day = DAY;
    for (state, deadline) in [
        ("FUNDED", Some((ShipBy, 5 * day, "CANCELLED"))),
        ("ACCEPTED", Some((ShipBy, 5 * day - 1_000, "CANCELLED"))),
        ("ACCEPTED asked", Some((AnswerBy, day, "CANCELLED"))),
        ("SHIPPED", Some((ConfirmBy, 10 * day, "RELEASED"))),
        ("SHIPPED extended", Some((ConfirmBy, 17 * day - 1_000, "RELEASED"))),
        ("SHIPPED delivered", Some((ConfirmBy, 3 * day, "RELEASED"))),
        ("SHIPPED extended delivered", Some((ConfirmBy, 10 * day, "RELEASED"))),
        ("SHIPPED delivered extended", Some((ConfirmBy, 10 * day - 1_000, "RELEASED"))),
        ("DISPUTED", Some((ResolveBy, 14 * day, "DISPUTED"))),
        ("DISPUTED delivered", Some((ResolveBy, 14 * day - 1_000, "DISPUTED"))),
        ("DISPUTED second", Some((SecondResolveBy, 7 * day, "REFUNDED"))),
        ("DISPUTED delivered second", Some((SecondResolveBy, 7 * day, "RELEASED"))),
        ("RETURNING", Some((ReturnBy, 5 * day, "RELEASED"))),
        ("RETURNING shipped", Some((ReturnConfirmBy, 10 * day, "REFUNDED"))),
        ("RETURNING delivered", Some((ReturnConfirmBy, 3 * day, "REFUNDED"))),
        ("DISPUTED again", Some((ResolveBy, 14 * day, "DISPUTED"))),
        ("DISPUTED again second", Some((SecondResolveBy, 7 * day, "REFUNDED"))),
        ("RELEASED", None),
        ("CANCELLED", None),
        ("REFUNDED", None),
        ("SPLIT", None),
    ] {
        let (mut world, trade) = trade_in(state);
        let row = *world.ledger.trade(&trade).unwrap();
        assert_eq!(row.deadline.map(|deadline| deadline.kind), deadline.map(|(kind, ..)| kind), "{state}");
        assert_eq!(row.due(), world.ledger.next_deadline());
        let Some((kind, span, to)) = deadline else {
            assert_eq!(world.wait_until(world.now.value() + 100 * DAY).block, None);
            continue;
        };
        let at = row.deadline.unwrap().at.value();
        assert_eq!(at, world.now.value() + span, "{state}");
        expect_reminder(&mut world, trade, at);
        assert_eq!(world.wait_until(at - 1).block, None);
        let now = world.ledger.trade(&trade).unwrap();
        assert_eq!((now.state, now.updated_at), (row.state, row.updated_at));
        let applied = world.wait_until(at);
        assert_eq!(state_of(&world, trade), to, "{state}");
        check_money(&world, trade);
        let moved = applied.events.iter().find_map(|event| match &event.kind {
            EventKind::Trade(event) => Some((event.from, event.to.code(), event.by)),
            _ => None,
        });
        assert_eq!(moved, Some((Some(row.state), to, Mover::Deadline(kind))));
        assert_eq!(world.ledger.next_deadline().is_none(), to != "DISPUTED");
    }
}

/// Once, a day before the deadline; none where there was no more than a day from the start.
fn expect_reminder(world: &mut World, trade: TradeId, deadline: u64) {
    let at = deadline - DAY;
    if at <= world.ledger.trade(&trade).unwrap().updated_at.value() {
        assert_eq!(world.ledger.next_deadline().unwrap().value(), deadline);
        return;
    }
    assert_eq!(world.wait_until(at - 1).block, None);
    let applied = world.wait_until(at);
    let names: Vec<_> = applied.events.iter().map(ledger::Event::name).collect();
    assert_eq!(names, ["trade.reminder"]);
    let EventKind::Trade(event) = &applied.events[0].kind else { panic!("of a trade") };
    assert_eq!(
        (event.trade, event.from, event.deadline.unwrap().at.value()),
        (trade, Some(event.to), deadline)
    );
    assert_eq!(world.ledger.next_deadline().unwrap().value(), deadline);
}

fn row(world: &World, trade: TradeId) -> Box<Trade> {
    Box::new(*world.ledger.trade(&trade).unwrap())
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
        row: row(&world, trade),
        at: world.now,
    };
    assert_eq!(event(&opened.events), first);

    let accepted = world.ok("sam", action("accept", trade));
    let from = Some(TradeState::Funded);
    let change = TradeChange::Accepted;
    let (row_now, at) = (row(&world, trade), world.now);
    let by = Mover::Seller;
    let second = TradeEvent { from, to: TradeState::Accepted, by, change, row: row_now, at, ..first };
    assert_eq!(event(&accepted.events), second);

    let shipped = world.ok("sam", action("ship", trade));
    let from = Some(TradeState::Accepted);
    let change = TradeChange::Shipped { tracking: Tracking::new("CJ 1234").unwrap() };
    let deadline = world.ledger.trade(&trade).unwrap().deadline;
    let (row_now, at) = (row(&world, trade), world.now);
    let third = TradeEvent { from, to: TradeState::Shipped, change, row: row_now, at, deadline, ..second };
    assert_eq!(event(&shipped.events), third);

    let released = world.ok("bea", action("confirm", trade));
    let from = Some(TradeState::Shipped);
    let change = TradeChange::Released { payout: amount(PRICE - FEE) };
    let (by, row, at) = (Mover::Buyer, row(&world, trade), world.now);
    let last = TradeEvent { from, to: TradeState::Released, by, change, row, at, deadline: None, ..third };
    assert_eq!(event(&released.events), last);
    check_money(&world, trade);
}

#[test]
fn shipping_answers_the_wish_to_cancel() {
    let (mut world, trade) = trade_in("ACCEPTED asked");
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
    for (what, ..) in ACTIONS {
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
