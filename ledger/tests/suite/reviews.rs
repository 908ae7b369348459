//! Reviews and records.

use ledger::{
    EventKind, Outcome, Rating, Record, ReviewEvent, ReviewOp, ReviewRejection, ReviewSide, ReviewText,
    Tally, TradeId, TradeState, review_hash,
};

use crate::stage::{action, trade_in};
use crate::world::{World, address, unknown};

fn text() -> ReviewText {
    ReviewText::new("Quick, kind.\n고마워요").unwrap()
}

fn review(trade: TradeId, stars: u8) -> ReviewOp {
    ReviewOp::Post { trade, rating: Rating::new(stars).unwrap(), text: text() }
}

#[test]
fn each_side_writes_one_about_a_trade_that_is_over() {
    let states = [
        ("FUNDED", false),
        ("ACCEPTED", false),
        ("SHIPPED", false),
        ("DISPUTED", false),
        ("RETURNING", false),
        ("CANCELLED", false),
        ("RELEASED", true),
        ("REFUNDED", true),
        ("SPLIT", true),
    ];
    assert_eq!(states.len(), TradeState::ALL.len());
    for (state, is_over) in states {
        let (mut world, trade) = trade_in(state);
        for who in ["bea", "sam"] {
            let sent = world.send(who, review(trade, 4));
            if is_over {
                assert_eq!(sent.outcome, Outcome::Applied);
                assert_eq!(world.rejected(who, review(trade, 5)), ReviewRejection::AlreadyReviewed.into());
            } else {
                let code =
                    ReviewRejection::NotReviewable { state: world.ledger.trade(&trade).unwrap().state };
                assert_eq!(sent.outcome, Outcome::Rejected(code.into()));
            }
        }
        assert_eq!(world.rejected("eve", review(trade, 1)), ReviewRejection::NotParty.into());
        assert_eq!(world.rejected("bea", review(unknown(), 1)), ReviewRejection::UnknownTrade.into());
    }
}

#[test]
fn a_review_is_told_in_full_and_its_words_are_kept_as_a_hash() {
    let (mut world, trade) = trade_in("RELEASED");
    let sent = world.ok("bea", review(trade, 5));
    let (author, subject, rating) = (address("bea"), address("sam"), Rating::new(5).unwrap());
    let (side, text_hash, at) = (ReviewSide::ByBuyer, review_hash(&text()), world.now);
    let event = ReviewEvent::Posted { trade, side, author, subject, rating, text: text(), text_hash, at };
    assert_eq!(sent.events, [EventKind::from(event)]);
    let row = world.ledger.review(&trade, side).unwrap();
    assert_eq!((row.author, row.subject, row.rating, row.text_hash), (author, subject, rating, text_hash));
    assert_eq!(world.ledger.review(&trade, ReviewSide::BySeller), None);
}

#[test]
fn a_record_counts_what_was() {
    let (mut world, trade) = trade_in("REFUNDED");
    world.ok("bea", review(trade, 1));
    world.ok("sam", review(trade, 3));
    for stars in [5, 4] {
        let listing = world.list("sam", 100);
        let trade = world.buy("bea", listing);
        world.ok("bea", action("confirm", trade));
        world.ok("bea", review(trade, stars));
    }
    let listing = world.list("bea", 100);
    let trade = world.buy("sam", listing);
    world.ok("sam", action("cancel", trade));
    let bought = Tally { completed: 2, cancelled: 1, disputed: 1, reviews: 1, stars: 3 };
    let sold = Tally { cancelled: 1, ..Tally::default() };
    assert_eq!(world.ledger.record(&address("bea")), Record { as_buyer: bought, as_seller: sold });
    let sold = Tally { completed: 2, cancelled: 1, disputed: 1, reviews: 3, stars: 10 };
    let bought = Tally { cancelled: 1, ..Tally::default() };
    assert_eq!(world.ledger.record(&address("sam")), Record { as_buyer: bought, as_seller: sold });
    assert_eq!(world.ledger.record(&address("eve")), Record::default());
}

#[test]
fn a_rating_is_from_one_to_five() {
    for stars in 0..=u8::MAX {
        assert_eq!(Rating::new(stars).is_some(), (1..=5).contains(&stars));
        assert_eq!(postcard::from_bytes::<Rating>(&[stars]).is_ok(), (1..=5).contains(&stars));
    }
}

/// Nobody has to wait for the deadline of a trade to be looked at.
#[test]
fn a_review_finds_the_deadline_fired() {
    let (mut world, trade) = trade_in("SHIPPED");
    let due = world.ledger.trade(&trade).unwrap().deadline.unwrap().at;
    let tx = world.tx("bea", review(trade, 2));
    let applied = world.apply_at(due, &[tx]);
    assert!(applied.block.unwrap().receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied));
}

#[test]
fn strangers_have_no_record() {
    assert_eq!(World::new().ledger.record(&address("nobody")), Record::default());
}
