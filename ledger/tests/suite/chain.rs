use ledger::{
    AccountOp, AssetId, BatchInput, Block, BlockHeader, Cause, Height, Ledger, ListingOp, Memo, Name,
    PaymentOp, Receipt, Refusal, StateKey, Transaction, TxOutcome, UnixMillis,
};
use pbft_crypto::Digest;
use proptest::prelude::*;

use crate::world::{DECIDERS, START, World, address, amount, content, genesis, key};

fn pay(to: &str, units: u64) -> PaymentOp {
    PaymentOp::Pay {
        to: address(to),
        asset: AssetId::Pop,
        amount: amount(units),
        reference: None,
        memo: Memo::new("").unwrap(),
    }
}

#[test]
fn a_batch_becomes_a_block_of_what_was_recorded() {
    let mut world = World::new();
    let parent = *world.ledger.tip_hash();
    let good = world.tx("bea", pay("sam", 5));
    let failing = world.tx("bea", pay("nobody", 5));
    let stranger = world.tx("nobody", pay("bea", 5));
    let last = world.tx("sam", pay("bea", 1));
    let all = [good.clone(), stranger, failing.clone(), good.clone(), last.clone()];
    let applied = world.apply(&all);

    let block = applied.block.unwrap();
    let BlockHeader { height, time, view, seq, .. } = block.header.clone();
    assert_eq!((height, time, view, seq), (Height::new(1), world.now, 3, 1));
    assert_eq!(block.header.replica_set_hash, DECIDERS);
    assert_eq!((block.header.parent, block.hash()), (parent, *world.ledger.tip_hash()));
    assert_eq!(block.transactions, [good.clone(), failing.clone(), last.clone()]);
    assert!(block.roots_match());
    let codes: Vec<_> = applied
        .outcomes
        .iter()
        .map(|outcome| match outcome {
            TxOutcome::Refused(refusal) => (None, refusal.code()),
            TxOutcome::Included { index, receipt } => match &receipt.outcome {
                ledger::Outcome::Applied => (Some(*index), "APPLIED"),
                ledger::Outcome::Rejected(rejection) => (Some(*index), rejection.code()),
            },
        })
        .collect();
    assert_eq!(
        codes,
        [
            (Some(0), "APPLIED"),
            (None, "UNKNOWN_ACCOUNT"),
            (Some(1), "UNKNOWN_PAYEE"),
            (None, "NONCE_USED"),
            (Some(2), "APPLIED")
        ]
    );
    let causes: Vec<_> = block.receipts.iter().map(|receipt| receipt.cause).collect();
    let ids = [good.id(), failing.id(), last.id()];
    let expected: Vec<_> = (0u32..).zip(ids).map(|(index, id)| Cause::Transaction { index, id }).collect();
    assert_eq!(causes, expected);
    assert!(applied.events.iter().all(|event| event.cause != expected[1]));
    assert_eq!(Block::decode(&block.encode()).unwrap(), block);
    assert_eq!(BlockHeader::decode(&block.header.encode()).unwrap(), block.header);
}

#[test]
fn nothing_recorded_no_block() {
    let mut world = World::new();
    let (tip, hash) = (world.ledger.tip().clone(), *world.ledger.tip_hash());
    let applied = world.apply(&[]);
    assert_eq!((applied.block, applied.changes.len()), (None, 0));
    let stranger = world.tx("nobody", pay("bea", 5));
    assert_eq!(world.refused(&stranger), Refusal::UnknownAccount);
    assert_eq!((world.ledger.tip(), *world.ledger.tip_hash()), (&tip, hash));
}

#[test]
fn blocks_are_a_chain_and_time_moves_on() {
    let mut world = World::new();
    let mut parent = *world.ledger.tip_hash();
    for time in [START.value() + 10, START.value() + 10, 0, START.value() + 11, u64::MAX / 2] {
        let before = world.ledger.tip().time;
        let tx = world.tx("bea", pay("sam", 1));
        let block = world.apply_at(UnixMillis::new(time), &[tx]).block.unwrap();
        let later = UnixMillis::new(time).max(before.next());
        assert_eq!((block.header.parent, block.header.time), (parent, later));
        parent = block.hash();
    }
    assert_eq!(world.ledger.height(), Height::new(5));
}

#[test]
fn a_transaction_is_valid_until_its_last_moment() {
    let mut world = World::new();
    let mut body = world.body("bea", pay("sam", 1), 0);
    body.valid_until = UnixMillis::new(START.value() + 5_000);
    let tx = Transaction::sign(body, &key("bea"));
    assert_eq!(world.ledger.check(&tx, tx.body().valid_until), Ok(()));
    let late = world.ledger.check(&tx, tx.body().valid_until.next());
    assert_eq!(late, Err(Refusal::Expired { valid_until: tx.body().valid_until }));
    world.now = UnixMillis::new(START.value() + 5_000);
    assert_eq!(world.refused(&tx).code(), "EXPIRED");
    let applied = world.apply_at(tx.body().valid_until, std::slice::from_ref(&tx));
    assert_eq!(applied.block.unwrap().transactions, [tx]);
}

#[test]
fn a_transaction_for_another_chain_is_refused() {
    let mut world = World::new();
    let mut body = world.body("bea", pay("sam", 1), 0);
    body.chain_id = Digest::ZERO;
    let tx = Transaction::sign(body, &key("bea"));
    assert_eq!(world.refused(&tx), Refusal::WrongChain);
}

#[test]
fn transactions_and_receipts_are_proven_by_the_header() {
    let mut world = World::new();
    let batch: Vec<_> = (0..5).map(|n| world.tx("bea", pay("sam", n))).collect();
    let block = world.apply(&batch).block.unwrap();
    let header = BlockHeader::decode(&block.header.encode()).unwrap();
    for (index, tx) in batch.iter().enumerate() {
        let (place, receipt) = block.receipt_of(&tx.id()).unwrap();
        let of_tx = block.prove_transaction(index).unwrap();
        let of_receipt = block.prove_receipt(place).unwrap();
        assert!(of_tx.verify(&header.tx_root, &tx.encode()));
        assert!(of_receipt.verify(&header.receipts_root, &receipt.encode()));
        assert!(!of_receipt.verify(&header.tx_root, &receipt.encode()));
        let lie = Receipt { outcome: ledger::Outcome::Applied, ..receipt.clone() };
        assert_eq!(
            of_receipt.verify(&header.receipts_root, &lie.encode()),
            index > 0,
            "only the first one failed"
        );
    }
    let mut changed = block;
    changed.transactions.swap(0, 1);
    assert!(!changed.roots_match());
}

#[test]
fn entries_of_the_state_are_proven_by_the_header() {
    let mut world = World::new();
    let listing = world.list("sam", 50);
    let trade = world.buy("bea", listing);
    let root = world.ledger.tip().state_root;
    let (bea, pop) = (address("bea"), AssetId::Pop);
    for key in [
        StateKey::Account(bea),
        StateKey::Nonces(bea),
        StateKey::Balance(bea, pop),
        StateKey::Supply(pop),
        StateKey::Listing(listing),
        StateKey::Trade(trade),
    ] {
        let entry = world.ledger.prove(&key).unwrap();
        assert_eq!(entry.key, key.to_bytes());
        assert!(entry.verify(&root));
        assert!(!entry.verify(&Digest::ZERO));
        let mut lie = entry;
        *lie.value.last_mut().unwrap() ^= 1;
        assert!(!lie.verify(&root));
    }
    assert_eq!(world.ledger.prove(&StateKey::Account(address("nobody"))), None);
}

proptest! {
    #[test]
    fn damaged_blocks_are_refused_or_read_as_they_are(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut world = World::new();
        let batch = [world.tx("bea", pay("sam", 1)), world.tx("bea", pay("nobody", 1))];
        let block = world.apply(&batch).block.unwrap();
        let mut bytes = block.encode();
        prop_assert!(Block::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let at = at.index(bytes.len());
        let old = std::mem::replace(&mut bytes[at], byte);
        if let Ok(read) = Block::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
            // Whatever is changed, the hash is another one or the contents do not fit it.
            prop_assert_eq!(read.hash() == block.hash() && read.roots_match(), byte == old);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let header = BlockHeader::decode(&bytes).map(|header| header.encode());
        prop_assert!(header.is_err() || header.as_deref() == Ok(&bytes[..]));
        let block = Block::decode(&bytes).map(|block| block.encode());
        prop_assert!(block.is_err() || block.as_deref() == Ok(&bytes[..]));
    }
}

/// All that a replica needs to catch up, or a reader to rebuild its tables, is the blocks.
#[test]
fn the_same_blocks_lead_to_the_same_ledger() {
    let mut world = World::new();
    let mut blocks = Vec::new();
    let mut events = Vec::new();
    let steps: [(&str, ledger::Operation); 4] = [
        ("bea", pay("sam", 5).into()),
        ("kim", AccountOp::Register { name: Name::new("kim").unwrap() }.into()),
        ("kim", pay("sam", 5).into()),
        ("sam", ListingOp::Create { content: content(5) }.into()),
    ];
    for (who, operation) in steps {
        let tx = world.tx(who, operation);
        let refused = world.tx("stranger", pay("sam", 1));
        let applied = world.apply(&[refused, tx]);
        blocks.push(applied.block.unwrap().encode());
        events.extend(applied.events);
    }
    let mut again = Ledger::from_genesis(&genesis()).unwrap();
    let mut told = Vec::new();
    for bytes in &blocks {
        let block = Block::decode(bytes).unwrap();
        let applied = again.apply(BatchInput::of_block(&block));
        assert_eq!(applied.block, Some(block));
        told.extend(applied.events);
    }
    assert_eq!(again.tip_hash(), world.ledger.tip_hash());
    assert_eq!(told, events);
}

#[test]
fn events_and_outcomes_can_be_stored_and_sent() {
    let mut world = World::new();
    let listing = world.list("sam", 50);
    let operation = world.buying(listing);
    let txs = [world.tx("bea", operation), world.tx("bea", pay("sam", u64::MAX))];
    let applied = world.apply(&txs);
    for event in &applied.events {
        let json = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<ledger::Event>(&json).unwrap(), event);
        let bytes = postcard::to_allocvec(event).unwrap();
        assert_eq!(&postcard::from_bytes::<ledger::Event>(&bytes).unwrap(), event);
    }
    let names: Vec<_> = applied.events.iter().map(ledger::Event::name).collect();
    assert_eq!(names, ["balance.changed", "listing.reserved", "trade.opened"]);
    for outcome in &applied.outcomes {
        let bytes = postcard::to_allocvec(outcome).unwrap();
        assert_eq!(&postcard::from_bytes::<TxOutcome>(&bytes).unwrap(), outcome);
    }
    let json = serde_json::to_value(&applied.outcomes[1]).unwrap();
    let funds = &json["included"]["receipt"]["outcome"]["rejected"]["money"]["insufficient_funds"];
    assert_eq!(*funds, serde_json::json!({"asset": "POP"}), "and no number that others could find by trying");
}
