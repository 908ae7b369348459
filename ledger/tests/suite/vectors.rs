//! The bytes are frozen: another version that writes others would fork the chain.

use std::fmt::Write as _;

use ledger::{
    AccountOp, AssetId, Auth, Ballot, Block, BlockHeader, Body, Cause, Census, ChargeId, ChargeOp,
    DeadlineKind, Height, Ledger, ListingId, ListingOp, Memo, MoneyRejection, Name, ObjectId, Operation,
    Outcome, PaymentId, PaymentOp, PollContent, PollId, PollOp, PollTimes, Reason, Receipt, Reference,
    ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaOp, Salt, StateKey, Tracking, TradeId, TradeOp,
    TradeState, Transaction, UnixMillis, Voters, vote_commitment,
};
use pbft_crypto::{Digest, Signature};
use serde::Serialize;

use crate::world::{World, address, amount, content, genesis, key, replica};

const FROZEN: &str = include_str!("../vectors/ledger.toml");

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn propose(edit: ReplicaEdit) -> Operation {
    ReplicaOp::Propose { edit }.into()
}

fn operations() -> Vec<(&'static str, Operation)> {
    let (charge, listing, trade) =
        (ChargeId::new(digest(0xc1)), ListingId::new(digest(0xc2)), TradeId::new(digest(0xc3)));
    let change = ReplicaChangeId::new(digest(0xc5));
    let pay = PaymentOp::Pay {
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(300),
        reference: Some(Reference::new("INV-1").unwrap()),
        memo: Memo::new("thanks").unwrap(),
    };
    vec![
        ("register", AccountOp::Register { name: Name::new("김철수").unwrap() }.into()),
        (
            "charge_request",
            ChargeOp::Request { amount: amount(u64::MAX), memo: Memo::new("").unwrap() }.into(),
        ),
        ("charge_approve", ChargeOp::Approve { charge }.into()),
        ("charge_reject", ChargeOp::Reject { charge, reason: Reason::new("no").unwrap() }.into()),
        ("pay", pay.into()),
        ("listing_create", ListingOp::Create { content: content(1_000) }.into()),
        ("listing_update", ListingOp::Update { listing, content: content(900) }.into()),
        ("listing_close", ListingOp::Close { listing }.into()),
        ("trade_open", TradeOp::Open { listing, version: 300, content_hash: digest(0xc4) }.into()),
        ("trade_accept", TradeOp::Accept { trade }.into()),
        ("trade_ship", TradeOp::Ship { trade, tracking: Tracking::new("CJ 1").unwrap() }.into()),
        ("trade_confirm", TradeOp::Confirm { trade }.into()),
        ("trade_cancel", TradeOp::Cancel { trade }.into()),
        ("replica_add", propose(ReplicaEdit::Add { replica: replica("r9") })),
        ("replica_remove", propose(ReplicaEdit::Remove { id: ReplicaId::new(300) })),
        (
            "replica_rotate",
            propose(ReplicaEdit::Rotate { id: ReplicaId::new(1), public_key: key("r9").public_key() }),
        ),
        (
            "replica_move",
            propose(ReplicaEdit::Move { id: ReplicaId::new(1), address: "[::1]:9001".parse().unwrap() }),
        ),
        (
            "replica_replace",
            propose(ReplicaEdit::Replace {
                remove: vec![ReplicaId::new(1), ReplicaId::new(2)],
                add: vec![replica("r9")],
            }),
        ),
        ("replica_approve", ReplicaOp::Approve { change }.into()),
        ("replica_reject", ReplicaOp::Reject { change, reason: Reason::new("no").unwrap() }.into()),
    ]
    .into_iter()
    .chain(payments())
    .chain(polls())
    .collect()
}

fn payments() -> [(&'static str, Operation); 4] {
    let payment = PaymentId::new(digest(0xc6));
    let authorize = PaymentOp::Authorize {
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(300),
        reference: Some(Reference::new("INV-2").unwrap()),
        memo: Memo::new("hold").unwrap(),
        until: UnixMillis::new(1_700_000_600_000),
    };
    [
        ("authorize", authorize.into()),
        ("capture", PaymentOp::Capture { payment, amount: amount(200) }.into()),
        ("void", PaymentOp::Void { payment }.into()),
        ("refund", PaymentOp::Refund { payment, amount: amount(100) }.into()),
    ]
}

fn polls() -> [(&'static str, Operation); 6] {
    let poll = PollId::new(digest(0xc7));
    let ask = |ballot, census| {
        let options = ["예", "아니오"].map(|text| text.parse().unwrap()).to_vec();
        let content =
            PollContent { question: "할까요?".parse().unwrap(), options: options.try_into().unwrap() };
        let times = PollTimes { opens_at: UnixMillis::new(1), closes_at: UnixMillis::new(1_700_000_600_000) };
        PollOp::Create { content, ballot, census, changeable: true, times }
    };
    let reveal_by = UnixMillis::new(1_700_000_700_000);
    let voters = Voters::try_from(vec![address("bea")]).unwrap();
    let salt = Salt::new(digest(0xc8));
    let commitment = vote_commitment(&poll, &address("bea"), 1, &salt);
    [
        ("poll_create", ask(Ballot::Open, Census::Everyone).into()),
        ("poll_create_sealed", ask(Ballot::Sealed { reveal_by }, Census::Listed { voters }).into()),
        ("poll_vote", PollOp::Vote { poll, choice: 1 }.into()),
        ("poll_commit", PollOp::Commit { poll, commitment }.into()),
        ("poll_reveal", PollOp::Reveal { poll, choice: 1, salt }.into()),
        ("poll_close", PollOp::Close { poll }.into()),
    ]
}

fn transaction(operation: Operation) -> Transaction {
    let body = Body {
        chain_id: digest(0xaa),
        operation,
        sender: address("bea"),
        nonce: 7,
        valid_until: UnixMillis::new(1_700_000_060_000),
        client_ref: [0xbb; 16],
    };
    Transaction::sign(body, &key("bea"))
}

fn header() -> BlockHeader {
    BlockHeader {
        height: Height::new(300),
        parent: digest(1),
        time: UnixMillis::new(1_700_000_000_123),
        view: 2,
        seq: 301,
        tx_root: digest(2),
        receipts_root: digest(3),
        state_root: digest(4),
        replica_set_hash: digest(5),
    }
}

fn receipts() -> [(&'static str, Receipt); 5] {
    let id = transaction(TradeOp::Cancel { trade: TradeId::new(digest(0xc3)) }.into()).id();
    let cause = Cause::Transaction { index: 1, id };
    let object = ObjectId::Trade(TradeId::new(digest(0xc3)));
    let deadline = Cause::Deadline { object, due: UnixMillis::new(1_700_000_000_000) };
    let deadline_of = |object| {
        let cause = Cause::Deadline { object, due: UnixMillis::new(1_700_000_000_000) };
        Receipt { cause, outcome: Outcome::Applied }
    };
    let funds = MoneyRejection::InsufficientFunds {
        asset: AssetId::Pop,
        needed: amount(1_000),
        available: amount(999),
    };
    [
        ("applied", Receipt { cause, outcome: Outcome::Applied }),
        ("rejected", Receipt { cause, outcome: Outcome::Rejected(funds.into()) }),
        ("deadline", Receipt { cause: deadline, outcome: Outcome::Applied }),
        ("deadline_poll", deadline_of(ObjectId::Poll(PollId::new(digest(0xc7))))),
        ("deadline_payment", deadline_of(ObjectId::Payment(PaymentId::new(digest(0xc6))))),
    ]
}

fn postcard_hex<T: Serialize>(value: &T) -> String {
    hex::encode(postcard::to_allocvec(value).unwrap())
}

/// A short chain with something in every table.
fn chain() -> (World, Vec<(&'static str, StateKey)>) {
    let mut world = World::new();
    let listing = world.list("sam", 1_000);
    let trade = world.buy("bea", listing);
    let request = ChargeOp::Request { amount: amount(5), memo: Memo::new("").unwrap() };
    let charge = ChargeId::from(world.ok("bea", request).id);
    let Operation::Payment(pay) = operations().swap_remove(4).1 else { panic!("the fifth is a payment") };
    world.ok("bea", pay);
    let change = ReplicaChangeId::from(world.ok("ann", operations().swap_remove(13).1).id);
    let bea = address("bea");
    let by_name = |name: &str| operations().into_iter().find(|(other, _)| *other == name).unwrap().1;
    let payment = PaymentId::from(world.ok("bea", by_name("authorize")).id);
    let poll = PollId::from(world.ok("sam", by_name("poll_create_sealed")).id);
    world.ok("bea", PollOp::Commit { poll, commitment: digest(0xc9) });
    let keys = vec![
        ("account", StateKey::Account(bea)),
        ("nonces", StateKey::Nonces(bea)),
        ("balance", StateKey::Balance(bea, AssetId::Pop)),
        ("supply", StateKey::Supply(AssetId::Pop)),
        ("charge", StateKey::Charge(charge)),
        ("reference", StateKey::Reference(address("sam"), Reference::new("INV-1").unwrap())),
        ("listing", StateKey::Listing(listing)),
        ("trade", StateKey::Trade(trade)),
        ("replica", StateKey::Replica(ReplicaId::new(1))),
        ("replica_key", StateKey::ReplicaKey(key("r1").public_key())),
        ("replica_change", StateKey::ReplicaChange(change)),
        ("poll", StateKey::Poll(poll)),
        ("vote", StateKey::Vote(poll, bea)),
        ("census", StateKey::Census(poll)),
        ("payment", StateKey::Payment(payment)),
    ];
    (world, keys)
}

fn written() -> String {
    let mut text = String::from("# Frozen. A difference is a fork of the chain.\n");
    for (name, operation) in operations() {
        let tx = transaction(operation);
        writeln!(text, "\n[transaction.{name}]").unwrap();
        writeln!(text, "bytes = \"{}\"\ntx_id = \"{}\"", hex::encode(tx.encode()), tx.id()).unwrap();
    }
    let (bytes, hash) = (hex::encode(header().encode()), header().hash());
    writeln!(text, "\n[header]\nbytes = \"{bytes}\"\nhash = \"{hash}\"").unwrap();
    for (name, receipt) in receipts() {
        writeln!(text, "\n[receipt.{name}]\nbytes = \"{}\"", hex::encode(receipt.encode())).unwrap();
    }
    let content_hash = content(1_000).hash();
    writeln!(text, "\n[content]\nbytes = \"{}\"\nhash = \"{content_hash}\"", postcard_hex(&content(1_000)))
        .unwrap();
    let ledger = Ledger::from_genesis(&genesis()).unwrap();
    writeln!(text, "\n[genesis]\nbytes = \"{}\"", postcard_hex(&genesis())).unwrap();
    writeln!(text, "replica_set_hash = \"{}\"", genesis().replica_set_hash()).unwrap();
    writeln!(text, "chain_id = \"{}\"\nblock = \"{}\"", ledger.chain_id(), ledger.tip_hash()).unwrap();
    let (world, keys) = chain();
    writeln!(text, "\n[chain]\ntip = \"{}\"", world.ledger.tip_hash()).unwrap();
    writeln!(text, "state_root = \"{}\"", world.ledger.tip().state_root).unwrap();
    for (name, key) in keys {
        let entry = world.ledger.prove(&key).unwrap();
        let (key, value) = (hex::encode(&entry.key), hex::encode(&entry.value));
        writeln!(text, "\n[state.{name}]\nkey = \"{key}\"\nvalue = \"{value}\"").unwrap();
        writeln!(text, "proof = \"{}\"", postcard_hex(&entry.proof)).unwrap();
    }
    text
}

#[test]
fn the_bytes_are_the_frozen_ones() {
    let written = written();
    if std::env::var_os("RENEW_VECTORS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ledger.toml"), &written).unwrap();
        return;
    }
    assert!(written == FROZEN, "the vectors differ; this version writes:\n{written}");
}

#[test]
fn the_frozen_bytes_are_read() {
    let frozen: toml::Table = toml::from_str(FROZEN).unwrap();
    let field = |path: &[&str]| {
        let mut value = &frozen[path[0]];
        for step in &path[1..] {
            value = &value[*step];
        }
        value.as_str().unwrap().to_owned()
    };
    let bytes = |path: &[&str]| hex::decode(field(path)).unwrap();
    for (name, operation) in operations() {
        let tx = Transaction::decode(&bytes(&["transaction", name, "bytes"])).unwrap();
        assert_eq!(tx, transaction(operation));
        assert_eq!(tx.id().to_string(), field(&["transaction", name, "tx_id"]));
        assert_eq!(tx.verify_signature(), Ok(()));
        let Auth::P256 { signature, .. } = tx.auth();
        assert_eq!(Signature::from_bytes(signature.as_bytes()), Ok(*signature));
    }
    assert_eq!(BlockHeader::decode(&bytes(&["header", "bytes"])).unwrap(), header());
    let root: Digest = field(&["chain", "state_root"]).parse().unwrap();
    for (name, _) in chain().1 {
        let [key, value, proof] = ["key", "value", "proof"].map(|part| bytes(&["state", name, part]));
        let proof: ledger::state_tree::StateProof = postcard::from_bytes(&proof).unwrap();
        assert!(proof.verify(&root, &key, &value), "{name}");
    }
    assert!(Block::decode(&bytes(&["header", "bytes"])).is_err());
}

/// The numbers of variants are in the bytes of receipts and entries too.
#[test]
fn numbers_of_variants_are_frozen() {
    assert_eq!(postcard_hex(&TradeState::Cancelled), "04");
    assert_eq!(postcard_hex(&DeadlineKind::ConfirmBy), "02");
    let rejections: [(ledger::Rejection, &str); 9] = [
        (MoneyRejection::SupplyExceeded { asset: AssetId::Pop }.into(), "000100"),
        (ledger::AccountRejection::NameTaken.into(), "0101"),
        (ledger::ChargeRejection::OwnCharge.into(), "0203"),
        (ledger::PaymentRejection::UnknownPayee.into(), "0302"),
        (ledger::ListingRejection::VersionLimit.into(), "0406"),
        (ledger::TradeRejection::CancelAlreadyRequested.into(), "0506"),
        (ledger::ReplicaRejection::NoIdLeft.into(), "060b"),
        (ledger::PaymentRejection::RefundTooLarge { refundable: amount(7) }.into(), "030a07"),
        (ledger::PollRejection::Unrevealed { unrevealed: 7 }.into(), "070d07"),
    ];
    for (rejection, bytes) in rejections {
        assert_eq!(postcard_hex(&rejection), bytes, "{rejection:?}");
    }
}
