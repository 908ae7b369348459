//! The bytes are frozen: another version that writes others would fork the chain. Long, since it is one list of all that has
//! bytes.

use std::fmt::Write as _;

use ledger::{
    AccountOp, AssetId, Auth, Ballot, Block, BlockHeader, Body, CancelReason, Cause, Census, ChargeId,
    ChargeOp, ChargePolicy, DeadlineKind, Decimals, ExchangeOp, HandoverCode, Height, Label, Ledger,
    Lifetime, ListingId, ListingOp, MarketId, MarketStatus, Memo, Millis, MoneyRejection, Name, NewOrder,
    ObjectId, Operation, OrderId, OrderSide, Outcome, PaymentId, PaymentOp, PolicyProposalId, PollContent,
    PollId, PollOp, PollTimes, Rating, Reason, Receipt, RecoveryId, Reference, ReplicaChangeId, ReplicaEdit,
    ReplicaId, ReplicaOp, ReviewOp, ReviewSide, ReviewText, Role, RoleChangeId, RoleOp, Ruling, Salt,
    SelfTrade, Split, StateKey, TokenId, TokenName, TokenOp, Tracking, TradeId, TradeOp, TradeState,
    Transaction, UnixMillis, Voters, WithdrawalId, WithdrawalOp, handover_hash, key_binding, vote_commitment,
};
use pbft_crypto::{Digest, Signature};
use serde::Serialize;

use crate::random::tip_of_a_long_run;
use crate::stage::{action, arbiter};
use crate::world::{World, address, amount, content, genesis, key, paying, replica};

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
    let dealings = vec![
        ("register", AccountOp::Register { name: Name::new("김철수").unwrap() }.into()),
        (
            "charge_request",
            ChargeOp::Request { amount: amount(u64::MAX), memo: Memo::new("").unwrap() }.into(),
        ),
        ("charge_approve", ChargeOp::Approve { charge }.into()),
        ("charge_reject", ChargeOp::Reject { charge, reason: Reason::new("no").unwrap() }.into()),
        ("pay", pay.into()),
        ("listing_create", ListingOp::Create { content: content(1_000) }.into()),
        ("listing_update", ListingOp::Update { listing, from_version: 300, content: content(900) }.into()),
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
    ];
    let people = [social_operations(trade), escrow_operations(trade), account_operations()].concat();
    let tokens = [token_operations(), exchange_operations()].concat();
    [dealings, people, treasury_operations(), tokens, payments().to_vec(), polls().to_vec()].concat()
}

fn treasury_operations() -> Vec<(&'static str, Operation)> {
    let proposal = PolicyProposalId::new(digest(0xc6));
    let withdrawal = WithdrawalId::new(digest(0xc7));
    let (reason, memo) = (Reason::new("no").unwrap(), Memo::new("account 1").unwrap());
    vec![
        ("charge_propose_policy", ChargeOp::ProposePolicy { policy: Some(policy()) }.into()),
        ("charge_propose_no_policy", ChargeOp::ProposePolicy { policy: None }.into()),
        ("charge_approve_policy", ChargeOp::ApprovePolicy { proposal }.into()),
        ("charge_reject_policy", ChargeOp::RejectPolicy { proposal, reason: reason.clone() }.into()),
        ("withdrawal_request", WithdrawalOp::Request { amount: amount(300), memo }.into()),
        ("withdrawal_settle", WithdrawalOp::Settle { withdrawal }.into()),
        ("withdrawal_void", WithdrawalOp::Void { withdrawal, reason }.into()),
    ]
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

fn token_operations() -> Vec<(&'static str, Operation)> {
    let (token, to) = (TokenId::new("SHOP").unwrap(), address("sam"));
    let units = amount(300);
    let name = TokenName::new("Shop shares").unwrap();
    let decimals = Decimals::new(18).unwrap();
    vec![
        ("token_create", TokenOp::Create { token, name, decimals, cap: Some(amount(1_000)) }.into()),
        ("token_mint", TokenOp::Mint { token, to, amount: units }.into()),
        ("token_burn", TokenOp::Burn { token, amount: units }.into()),
        ("token_transfer", TokenOp::Transfer { token, to, amount: units }.into()),
        ("token_approve", TokenOp::Approve { token, spender: to, from: amount(0), to: units }.into()),
        (
            "token_transfer_from",
            TokenOp::TransferFrom { token, owner: to, to: address("bea"), amount: units }.into(),
        ),
        ("token_hand_over", TokenOp::HandOver { token, to }.into()),
    ]
}

fn exchange_operations() -> Vec<(&'static str, Operation)> {
    let base = TokenId::new("SHOP").unwrap();
    let market = MarketId { base, quote: AssetId::Pop };
    let order = OrderId::new(digest(0xc6));
    let (tick, lot) = (amount(5), amount(10));
    let limit = NewOrder {
        market,
        side: OrderSide::Sell,
        price: Some(amount(300)),
        quantity: amount(20),
        lifetime: Lifetime::Until { at: UnixMillis::new(1_700_000_060_000) },
        self_trade: SelfTrade::CancelOldest,
    };
    let at_once = NewOrder {
        side: OrderSide::Buy,
        price: None,
        lifetime: Lifetime::FillOrKill,
        self_trade: SelfTrade::CancelNewest,
        ..limit
    };
    let gold = TokenId::new("GOLD").unwrap().into();
    vec![
        ("market_open", ExchangeOp::OpenMarket { base, quote: gold, tick, lot }.into()),
        ("market_halt", ExchangeOp::Halt { market }.into()),
        ("market_resume", ExchangeOp::Resume { market }.into()),
        ("order_place", ExchangeOp::Place { order: limit }.into()),
        ("order_place_without_a_price", ExchangeOp::Place { order: at_once }.into()),
        ("order_cancel", ExchangeOp::Cancel { order }.into()),
        ("order_reduce", ExchangeOp::Reduce { order, by: lot }.into()),
    ]
}

fn policy() -> ChargePolicy {
    let [per_charge, per_day, all_per_day] = [300, 1_000, 5_000].map(amount);
    ChargePolicy { per_charge, per_day, all_per_day, min_charges: 3 }
}

fn account_operations() -> Vec<(&'static str, Operation)> {
    let (account, recovery) = (address("bea"), RecoveryId::new(digest(0xc8)));
    let (public_key, label) = (key("bea phone").public_key(), Label::new("phone").unwrap());
    let proof = key("bea phone").sign(&key_binding(&digest(0xaa), &account));
    let guardians = vec![address("sam"), address("eve")];
    let set_guardians = AccountOp::SetGuardians { guardians, threshold: 2, delay: Millis::days(2) };
    let reason = Reason::new("odd").unwrap();
    vec![
        ("key_add", AccountOp::AddKey { public_key, proof, label: label.clone() }.into()),
        ("key_revoke", AccountOp::RevokeKey { public_key }.into()),
        ("key_rotate", AccountOp::RotateKey { public_key, proof, label: label.clone() }.into()),
        ("key_label", AccountOp::LabelKey { public_key, label }.into()),
        ("guardians", set_guardians.into()),
        ("recovery_propose", AccountOp::ProposeRecovery { account, public_key, proof }.into()),
        ("recovery_agree", AccountOp::AgreeToRecovery { recovery }.into()),
        ("recovery_cancel", AccountOp::CancelRecovery { recovery }.into()),
        ("limit", AccountOp::SetLimit { asset: AssetId::Pop, per_day: Some(amount(300)) }.into()),
        ("no_limit", AccountOp::SetLimit { asset: AssetId::Pop, per_day: None }.into()),
        ("freeze", AccountOp::Freeze { account, reason }.into()),
        ("unfreeze", AccountOp::Unfreeze { account }.into()),
    ]
}

/// Roles and reviews.
fn social_operations(trade: TradeId) -> Vec<(&'static str, Operation)> {
    let role_change = RoleChangeId::new(digest(0xc9));
    vec![
        ("role_propose", role(RoleOp::Propose { account: address("sam"), role: Role::Courier })),
        ("role_approve", role(RoleOp::Approve { change: role_change })),
        ("role_reject", role(RoleOp::Reject { change: role_change, reason: Reason::new("no").unwrap() })),
        (
            "review_post",
            ReviewOp::Post {
                trade,
                rating: Rating::new(5).unwrap(),
                text: ReviewText::new("good\ngoods").unwrap(),
            }
            .into(),
        ),
    ]
}

fn role(op: RoleOp) -> Operation {
    AccountOp::Role(op).into()
}

/// Those of trades that not every trade has.
fn escrow_operations(trade: TradeId) -> Vec<(&'static str, Operation)> {
    let reason = Reason::new("no").unwrap();
    let split = Split { to_buyer: amount(300), to_seller: amount(700) };
    let resolve = |ruling| TradeOp::Resolve { trade, ruling, reason: reason.clone() };
    let code = HandoverCode::new("7-apples").unwrap();
    let note = Memo::new("a picture").unwrap();
    let all = [
        ("attest", TradeOp::Attest { trade }),
        ("extend", TradeOp::Extend { trade }),
        ("propose_split", TradeOp::ProposeSplit { trade, split }),
        ("accept_split", TradeOp::AcceptSplit { trade, split }),
        ("dispute", TradeOp::Dispute { trade, reason: reason.clone() }),
        ("add_evidence", TradeOp::AddEvidence { trade, hash: digest(0xc6), note }),
        ("resolve_release", resolve(Ruling::Release)),
        ("resolve_refund", resolve(Ruling::Refund)),
        ("resolve_split", resolve(Ruling::Split(split))),
        ("resolve_return", resolve(Ruling::Return)),
        ("return_ship", TradeOp::ReturnShip { trade, tracking: Tracking::new("CJ 2").unwrap() }),
        ("return_confirm", TradeOp::ReturnConfirm { trade }),
        ("give_back", TradeOp::GiveBack { trade, amount: amount(300) }),
        ("hand_over", TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &code) }),
        ("collect", TradeOp::Collect { trade, code }),
    ];
    all.into_iter().map(|(name, op)| (name, op.into())).collect()
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

fn receipts() -> [(&'static str, Receipt); 6] {
    let id = transaction(TradeOp::Cancel { trade: TradeId::new(digest(0xc3)) }.into()).id();
    let cause = Cause::Transaction { index: 1, id };
    let object = ObjectId::Trade(TradeId::new(digest(0xc3)));
    let deadline = Cause::Deadline { object, due: UnixMillis::new(1_700_000_000_000) };
    let deadline_of = |object| {
        let cause = Cause::Deadline { object, due: UnixMillis::new(1_700_000_000_000) };
        Receipt { cause, outcome: Outcome::Applied }
    };
    let funds = MoneyRejection::InsufficientFunds { asset: AssetId::Pop };
    [
        ("applied", Receipt { cause, outcome: Outcome::Applied }),
        ("rejected", Receipt { cause, outcome: Outcome::Rejected(funds.into()) }),
        ("deadline", Receipt { cause: deadline, outcome: Outcome::Applied }),
        ("recovery", deadline_of(ObjectId::Recovery(RecoveryId::new(digest(0xc8))))),
        ("deadline_poll", deadline_of(ObjectId::Poll(PollId::new(digest(0xc7))))),
        ("deadline_payment", deadline_of(ObjectId::Payment(PaymentId::new(digest(0xc6))))),
    ]
}

fn postcard_hex<T: Serialize>(value: &T) -> String {
    hex::encode(postcard::to_allocvec(value).unwrap())
}

fn operation(name: &str) -> Operation {
    operations().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// A trade with all that a trade can have, and a review of it.
fn over(world: &mut World) -> TradeId {
    let listing = world.list("sam", 1_000);
    let trade = world.buy("bea", listing);
    let split = Split { to_buyer: amount(300), to_seller: amount(700) };
    let way = [
        ("sam", "hand_over"),
        ("sam", "accept"),
        ("sam", "ship"),
        ("kit", "attest"),
        ("bea", "extend"),
        ("bea", "dispute"),
        ("bea", "add_evidence"),
        ("arbiter", "send back"),
        ("bea", "return_ship"),
        ("sam", "dispute"),
        ("kit", "attest"),
    ];
    for (who, what) in way {
        let who = if who == "arbiter" { arbiter(world, trade) } else { who };
        world.ok(who, action(what, trade));
    }
    world.ok("bea", TradeOp::ProposeSplit { trade, split });
    world.ok("sam", TradeOp::AcceptSplit { trade, split });
    let text = ReviewText::new("").unwrap();
    world.ok("bea", ReviewOp::Post { trade, rating: Rating::new(5).unwrap(), text });
    trade
}

/// A short chain with something in every table.
fn chain() -> (World, Vec<(&'static str, StateKey)>) {
    let mut world = World::new();
    let listing = world.list("sam", 1_000);
    let trade = world.buy("bea", listing);
    let request = ChargeOp::Request { amount: amount(5), memo: Memo::new("").unwrap() };
    let charge = ChargeId::from(world.ok("bea", request).id);
    world.ok("bea", operation("pay"));
    let change = ReplicaChangeId::from(world.ok("ann", operation("replica_add")).id);
    let role_change = RoleChangeId::from(world.ok("ann", operation("role_propose")).id);
    let (token, shop) = (TokenId::new("SHOP").unwrap(), "SHOP-POP".parse().unwrap());
    for name in ["token_create", "token_mint", "token_approve"] {
        world.ok(if name == "token_approve" { "bea" } else { "sam" }, operation(name));
    }
    let (tick, lot) = (amount(5), amount(10));
    world.ok("sam", ExchangeOp::OpenMarket { base: token, quote: AssetId::Pop, tick, lot });
    let order = OrderId::from(world.ok("sam", operation("order_place")).id);
    let over = over(&mut world);
    let bea = address("bea");
    let payment = PaymentId::from(world.ok("bea", operation("authorize")).id);
    let poll = PollId::from(world.ok("sam", operation("poll_create_sealed")).id);
    world.ok("bea", PollOp::Commit { poll, commitment: digest(0xc9) });
    let rows = guarded(&mut world);
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
        ("trade_over", StateKey::Trade(over)),
        ("review", StateKey::Review(over, ReviewSide::ByBuyer)),
        ("record", StateKey::Record(bea)),
        ("role_change", StateKey::RoleChange(role_change)),
        ("token", StateKey::Token(token)),
        ("balance_of_token", StateKey::Balance(address("sam"), token.into())),
        ("allowance", StateKey::Allowance(bea, address("sam"), token)),
        ("market", StateKey::Market(shop)),
        ("order", StateKey::Order(order)),
        ("poll", StateKey::Poll(poll)),
        ("vote", StateKey::Vote(poll, bea)),
        ("census", StateKey::Census(poll)),
        ("payment", StateKey::Payment(payment)),
    ];
    (world, [keys, rows].concat())
}

/// Something in the tables of keys, limits and withdrawals.
fn guarded(world: &mut World) -> Vec<(&'static str, StateKey)> {
    let eve = address("eve");
    let proposal = PolicyProposalId::from(world.ok("ann", treasury_operations().swap_remove(0).1).id);
    world.ok("ben", ChargeOp::ApprovePolicy { proposal });
    let charge = |units| ChargeOp::Request { amount: amount(units), memo: Memo::default() };
    for _ in 0..3 {
        let charge = ChargeId::from(world.ok("eve", charge(7)).id);
        world.ok("ann", ChargeOp::Approve { charge });
    }
    let automatic = world.ok("eve", charge(8));
    assert!(world.ledger.charge(&ChargeId::from(automatic.id)).unwrap().status.code() == "APPROVED");
    world.ok("ann", treasury_operations().swap_remove(1).1);
    let memo = Memo::default();
    let withdrawal = WithdrawalOp::Request { amount: amount(9), memo };
    let withdrawal = WithdrawalId::from(world.ok("eve", withdrawal).id);
    world.ok("eve", AccountOp::SetLimit { asset: AssetId::Pop, per_day: Some(amount(300)) });
    world.ok("eve", AccountOp::SetLimit { asset: AssetId::Pop, per_day: None });
    world.ok("eve", paying("sam", 10));
    let guardians = vec![address("bea"), address("sam")];
    world.ok("eve", AccountOp::SetGuardians { guardians, threshold: 2, delay: Millis::days(2) });
    let proof = key("eve phone").sign(&key_binding(world.ledger.chain_id(), &eve));
    let public_key = key("eve phone").public_key();
    let recovery = AccountOp::ProposeRecovery { account: eve, public_key, proof };
    let recovery = RecoveryId::from(world.ok("sam", recovery).id);
    world.ok("ann", AccountOp::Freeze { account: eve, reason: Reason::new("odd").unwrap() });
    vec![
        ("account_key", StateKey::AccountKey(key("eve").public_key())),
        ("guardians", StateKey::Guardians(eve)),
        ("recovery", StateKey::Recovery(recovery)),
        ("auto_charges", StateKey::AutoCharges(eve)),
        ("withdrawal", StateKey::Withdrawal(withdrawal)),
        ("charge_rules", StateKey::ChargeRules),
        ("freeze", StateKey::Freeze(eve)),
        ("spending_limit", StateKey::SpendingLimit(eve, AssetId::Pop)),
        ("sole_approvals", StateKey::SoleApprovals(eve)),
    ]
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
    let (tip, state_root) = tip_of_a_long_run();
    writeln!(text, "\n[long_run]\ntip = \"{tip}\"\nstate_root = \"{state_root}\"").unwrap();
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
    assert_eq!(postcard_hex(&TradeState::Returning), "08");
    assert_eq!(postcard_hex(&DeadlineKind::ReturnConfirmBy), "06");
    assert_eq!(postcard_hex(&Role::Courier), "03");
    assert_eq!(postcard_hex(&Lifetime::PostOnly), "04");
    assert_eq!(postcard_hex(&CancelReason::Frozen), "05");
    assert_eq!(postcard_hex(&MarketStatus::Halted), "01");
    let order = ObjectId::Order(OrderId::new(digest(1)));
    assert!(postcard_hex(&order).starts_with("0201"));
    let rejections: [(ledger::Rejection, &str); 20] = [
        (MoneyRejection::SupplyExceeded { asset: AssetId::Pop }.into(), "000100"),
        (ledger::AccountRejection::NameTaken.into(), "0101"),
        (ledger::ChargeRejection::OwnCharge.into(), "0203"),
        (ledger::PaymentRejection::UnknownPayee.into(), "0302"),
        (ledger::ListingRejection::VersionLimit.into(), "0406"),
        (ledger::TradeRejection::CancelAlreadyRequested.into(), "0506"),
        (ledger::ReplicaRejection::ProposerNotAdmin.into(), "060c"),
        (ledger::AccountRejection::OwnFreeze.into(), "0116"),
        (ledger::AccountRejection::LimitExceeded { asset: AssetId::Pop }.into(), "011200"),
        (ledger::AccountRejection::Role(ledger::RoleRejection::ProposerNotAdmin).into(), "011707"),
        (ledger::AccountRejection::RecoveryOpen.into(), "0118"),
        (ledger::ChargeRejection::ProposerNotAdmin.into(), "0208"),
        (ledger::TradeRejection::WrongCode.into(), "0516"),
        (ledger::TradeRejection::GiveBackLimit.into(), "0519"),
        (ledger::ReviewRejection::AlreadyReviewed.into(), "0703"),
        (ledger::WithdrawalRejection::NotOwner.into(), "0804"),
        (ledger::TokenRejection::AllowanceTooSmall { allowed: amount(1) }.into(), "090801"),
        (ledger::ExchangeRejection::NothingLeft { left: amount(1) }.into(), "0a1201"),
        (ledger::PaymentRejection::RefundTooLarge { refundable: amount(7) }.into(), "030a07"),
        (ledger::PollRejection::Unrevealed { unrevealed: 7 }.into(), "0b0d07"),
    ];
    for (rejection, bytes) in rejections {
        assert_eq!(postcard_hex(&rejection), bytes, "{rejection:?}");
    }
}
