use ledger::{
    AssetId, Cause, ListingOp, MAX_DEADLINES_PER_BLOCK, Memo, ObjectId, Outcome, PaymentId, PaymentOp,
    Receipt, RecoveryId, Reference, TradeId, TradeOp, TradeState, Transaction, TxOutcome, UnixMillis,
};

use crate::recovery::{guardians, propose, status};
use crate::world::{COINS, DAY, World, address, amount, content, key};

/// Trades that are all due at the same time.
fn many_trades(world: &mut World, n: usize) -> (Vec<TradeId>, UnixMillis) {
    let listings: Vec<Transaction> =
        (0..n).map(|_| world.tx("sam", ListingOp::Create { content: content(10) })).collect();
    for some in listings.chunks(200) {
        world.apply(some);
    }
    let purchases: Vec<Transaction> = listings
        .iter()
        .map(|tx| {
            let operation = world.buying(tx.id().into());
            world.tx("bea", operation)
        })
        .collect();
    // In one block, so that they are due at one time.
    assert_eq!(world.apply(&purchases).block.unwrap().transactions.len(), n);
    let due = UnixMillis::new(world.now.value() + 5 * DAY);
    (purchases.iter().map(|tx| tx.id().into()).collect(), due)
}

fn fired(receipts: &[ledger::Receipt]) -> Vec<(UnixMillis, TradeId)> {
    let deadline = |cause: &Cause| match cause {
        Cause::Deadline { object: ObjectId::Trade(trade), due } => Some((*due, *trade)),
        _ => None,
    };
    receipts.iter().filter_map(|receipt| deadline(&receipt.cause)).collect()
}

#[test]
fn at_most_256_fire_at_once_in_the_order_of_their_ids() {
    let mut world = World::new();
    let (mut trades, due) = many_trades(&mut world, 300);
    trades.sort_unstable();
    let expected: Vec<_> = trades.iter().map(|trade| (due, *trade)).collect();

    let applied = world.apply_at(due, &[]);
    let block = applied.block.unwrap();
    assert!(block.roots_match());
    assert_eq!(fired(&block.receipts), expected[..MAX_DEADLINES_PER_BLOCK]);
    assert!(block.receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied));
    // The time of a reminder that is passed over, since the deadline itself has passed.
    assert_eq!(world.ledger.next_deadline(), Some(UnixMillis::new(due.value() - DAY)));

    let applied = world.apply(&[]);
    assert_eq!(fired(&applied.block.unwrap().receipts), expected[MAX_DEADLINES_PER_BLOCK..]);
    assert_eq!(world.ledger.next_deadline(), None);
    assert_eq!(world.funds("bea"), (COINS, 0));
    assert_eq!(world.apply(&[]).block, None);
}

#[test]
fn who_touches_a_trade_finds_its_deadline_fired() {
    let mut world = World::new();
    let (mut trades, due) = many_trades(&mut world, 300);
    trades.sort_unstable();
    let last = *trades.last().unwrap();
    let first = trades[0];
    let late = world.tx("bea", TradeOp::Confirm { trade: last });
    let also_late = world.tx("bea", TradeOp::Confirm { trade: first });

    let applied = world.apply_at(due, &[late.clone(), also_late.clone()]);
    let block = applied.block.unwrap();
    let causes: Vec<_> =
        block.receipts[MAX_DEADLINES_PER_BLOCK..].iter().map(|receipt| receipt.cause).collect();
    let transaction = |index, tx: &Transaction| Cause::Transaction { index, id: tx.id() };
    assert_eq!(
        causes,
        [
            Cause::Deadline { object: ObjectId::Trade(last), due },
            transaction(0, &late),
            transaction(1, &also_late)
        ]
    );
    for (outcome, trade) in applied.outcomes.iter().zip([last, first]) {
        let TxOutcome::Included { receipt, .. } = outcome else { panic!("refused") };
        let Outcome::Rejected(rejection) = &receipt.outcome else { panic!("applied") };
        assert_eq!(rejection.code(), "WRONG_STATE");
        assert_eq!(world.ledger.trade(&trade).unwrap().state, TradeState::Cancelled);
    }
    assert_eq!(block.receipt_of(&late.id()).unwrap().0, MAX_DEADLINES_PER_BLOCK + 1);
    assert_eq!(fired(&world.apply(&[]).block.unwrap().receipts).len(), 300 - 257);
}

fn causes(receipts: &[Receipt]) -> Vec<Cause> {
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied));
    receipts.iter().map(|receipt| receipt.cause).collect()
}

#[test]
fn who_wants_a_listing_finds_the_deadline_of_its_trade_fired() {
    let mut world = World::new();
    let (mut trades, due) = many_trades(&mut world, 300);
    trades.sort_unstable();
    let [.., third, second, last] = trades[..] else { panic!("too few") };
    let listings = [third, second, last].map(|trade| (trade, world.ledger.trade(&trade).unwrap().listing));
    let buying = world.buying(listings[2].1);
    let sent = [
        world.tx("sam", ListingOp::Close { listing: listings[0].1 }),
        world.tx("sam", ListingOp::Update { listing: listings[1].1, from_version: 1, content: content(11) }),
        world.tx("eve", buying),
    ];
    let block = world.apply_at(due, &sent).block.unwrap();
    let expected = listings.iter().zip(&sent).zip(0..).flat_map(|(((trade, _), tx), index)| {
        [Cause::Deadline { object: ObjectId::Trade(*trade), due }, Cause::Transaction { index, id: tx.id() }]
    });
    assert_eq!(causes(&block.receipts[MAX_DEADLINES_PER_BLOCK..]), expected.collect::<Vec<_>>());
    let codes = listings.map(|(_, listing)| world.ledger.listing(&listing).unwrap().status.code());
    assert_eq!(codes, ["CLOSED", "OPEN", "RESERVED"]);
}

#[test]
fn who_uses_a_reference_finds_the_deadline_of_its_payment_fired() {
    let mut world = World::new();
    let until = UnixMillis::new(world.now.value() + DAY);
    let (to, asset, memo) = (address("sam"), AssetId::Pop, Memo::default());
    // All of one length: keys are in the order of their values, and the test world wants that of their bytes.
    let reference = |n: usize| Some(Reference::new(format!("R{n:03}")).unwrap());
    let holds: Vec<Transaction> = (0..300)
        .map(|n| {
            let (reference, memo) = (reference(n), memo.clone());
            world.tx("bea", PaymentOp::Authorize { to, asset, amount: amount(1), reference, memo, until })
        })
        .collect();
    for some in holds.chunks(200) {
        world.apply(some);
    }
    let mut ids: Vec<PaymentId> = holds.iter().map(|tx| tx.id().into()).collect();
    ids.sort_unstable();
    let last = *ids.last().unwrap();
    let n = holds.iter().position(|tx| PaymentId::from(tx.id()) == last).unwrap();
    let pay = world.tx("eve", PaymentOp::Pay { to, asset, amount: amount(1), reference: reference(n), memo });
    let block = world.apply_at(until, std::slice::from_ref(&pay)).block.unwrap();
    let expected = [
        Cause::Deadline { object: ObjectId::Payment(last), due: until },
        Cause::Transaction { index: 0, id: pay.id() },
    ];
    assert_eq!(causes(&block.receipts[MAX_DEADLINES_PER_BLOCK..]), expected);
    let used = world.ledger.payment_by_reference(&to, &reference(n).unwrap());
    assert_eq!(used, Some(pay.id()));
}

#[test]
fn who_asks_for_a_recovery_anew_finds_the_deadline_of_the_last_one_fired() {
    let mut world = World::new();
    many_trades(&mut world, 600);
    world.ok("kit", guardians(&["eve"], 1, 5));
    let op = propose(&world, "kit", "kit new");
    let last = RecoveryId::from(world.ok("eve", op).id);
    let due = UnixMillis::new(world.now.value() + 5 * DAY);
    let check = |world: &World| {
        let public_key = key("kit newest").public_key();
        world.ledger.check_recovery(&address("eve"), &address("kit"), &public_key).is_ok()
    };
    assert!(!check(&world));
    world.apply_at(due, &[]);
    assert_eq!(status(&world, last).code(), "READY", "the trades have their turn");
    assert!(check(&world));
    let op = propose(&world, "kit", "kit newest");
    let anew = world.tx("eve", op);
    let block = world.apply(std::slice::from_ref(&anew)).block.unwrap();
    let expected = [
        Cause::Deadline { object: ObjectId::Recovery(last), due },
        Cause::Transaction { index: 0, id: anew.id() },
    ];
    assert_eq!(causes(&block.receipts[MAX_DEADLINES_PER_BLOCK..]), expected);
    let codes = [last, anew.id().into()].map(|id| status(&world, id).code());
    assert_eq!(codes, ["DONE", "READY"]);
}

#[test]
fn a_refused_transaction_touches_nothing() {
    let mut world = World::new();
    let (mut trades, due) = many_trades(&mut world, 300);
    trades.sort_unstable();
    let last = *trades.last().unwrap();
    let body = world.body("bea", TradeOp::Confirm { trade: last }, 0);
    let used = Transaction::sign(body, &key("bea"));
    let applied = world.apply_at(due, &[used]);
    assert_eq!(fired(&applied.block.unwrap().receipts).len(), MAX_DEADLINES_PER_BLOCK);
    assert_eq!(world.ledger.trade(&last).unwrap().state, TradeState::Funded);
}

#[test]
fn deadlines_fire_before_the_transactions_of_the_same_block() {
    let mut world = World::new();
    let listing = world.list("sam", 10);
    let trade = world.buy("bea", listing);
    let due = world.ledger.trade(&trade).unwrap().deadline.unwrap().at;
    let confirm = world.tx("bea", TradeOp::Confirm { trade });
    let operation = world.buying(listing);
    let again = world.tx("eve", operation);
    let block = world.apply_at(due, &[confirm, again.clone()]).block.unwrap();
    assert_eq!(fired(&block.receipts), [(due, trade)]);
    assert_eq!(world.ledger.trade(&trade).unwrap().state, TradeState::Cancelled);
    assert_eq!(world.ledger.trade(&again.id().into()).unwrap().state, TradeState::Funded);
}
