//! Each command becomes the operation that it names.

use std::fs;

use clap::{CommandFactory, Parser};
use ledger::*;
use pbft_crypto::{Digest, KeyPair, sha256};

use super::{Facts, TxArgs, TxCommand};
use crate::{
    commands::{
        CommandError,
        wallet::{KeyFolder, WalletName},
    },
    load::TemporaryFolder,
    testing::{START, address, key},
};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    tx: TxArgs,
}

/// A folder with one wallet in it, `phone`.
struct World {
    folder: TemporaryFolder,
    wallets: KeyFolder,
}

const PASSPHRASE: &str = "correct horse";

impl World {
    fn new() -> Self {
        let folder = TemporaryFolder::new("popmarket-test").unwrap();
        let wallets = KeyFolder::at(folder.path().join("wallets"));
        wallets.make().unwrap();
        let name: WalletName = "phone".parse().unwrap();
        let file = wallets.path().join(format!("{name}.wallet.json"));
        wallet::Keystore::create(file, &phone(), PASSPHRASE, wallet::Kdf::LEAST).unwrap();
        fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
        Self { folder, wallets }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            chain_id: Digest::from_bytes([7; 32]),
            sender: address(&key(4)),
            now: UnixMillis::new(START),
            wallets: &self.wallets,
        }
    }

    fn build(&self, line: &[&str]) -> Result<Operation, CommandError> {
        let TxArgs { command, .. } = Line::try_parse_from(["tx"].iter().chain(line)).unwrap().tx;
        let TxCommand::Make(kind) = command else { panic!("{line:?} makes nothing") };
        kind.build(&self.facts())
    }

    /// What comes of it is what is expected, also after a way through bytes and JSON.
    fn expect(&self, line: &[&str], expected: impl Into<Operation>) {
        let expected = expected.into();
        let built = self.build(line).unwrap();
        assert_eq!(built, expected, "{line:?}");
        let facts = self.facts();
        let body = Body {
            chain_id: facts.chain_id,
            operation: built,
            sender: facts.sender,
            nonce: 0,
            valid_until: facts.now,
            client_ref: [0; 16],
        };
        assert_eq!(Body::decode(&body.encode()).unwrap().operation, expected, "{line:?}");
        let json = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&json).unwrap().operation, expected, "{line:?}");
    }
}

fn phone() -> KeyPair {
    key(40)
}

fn id<T: From<TxId>>(byte: u8) -> T {
    TxId::new(Digest::from_bytes([byte; 32])).into()
}

fn hex_of(byte: u8) -> String {
    hex::encode([byte; 32])
}

fn refuses(line: &[&str]) {
    assert!(Line::try_parse_from(["tx"].iter().chain(line)).is_err(), "{line:?}");
}

#[test]
fn the_command_line_is_sound() {
    Line::command().debug_assert();
    crate::commands::Cli::command().debug_assert();
}

#[test]
fn admins_set_policies_and_change_replicas() {
    let world = World::new();
    let (one, reason) = (hex_of(1), Reason::new("too much").unwrap());
    let policy = ChargePolicy {
        per_charge: Amount::new(100),
        per_day: Amount::new(200),
        all_per_day: Amount::new(5_000),
        min_charges: 3,
    };
    world.expect(
        &[
            "charge",
            "policy",
            "propose",
            "--per-charge=100",
            "--per-day=200",
            "--all-per-day=5000",
            "--min-charges=3",
        ],
        ChargeOp::ProposePolicy { policy: Some(policy) },
    );
    world.expect(&["charge", "policy", "propose-none"], ChargeOp::ProposePolicy { policy: None });
    world.expect(&["charge", "policy", "approve", &one], ChargeOp::ApprovePolicy { proposal: id(1) });
    world.expect(
        &["charge", "policy", "reject", &one, "too much"],
        ChargeOp::RejectPolicy { proposal: id(1), reason: reason.clone() },
    );
    refuses(&["charge", "policy", "propose", "--per-charge=100"]);

    let (public_key, address) = (key(7).public_key(), "replica.example:9000");
    let (hex, replica) = (public_key.to_string(), ReplicaId::new(3));
    let new = NewReplica { public_key, address: address.parse().unwrap() };
    for (line, edit) in [
        (vec!["add", &hex, address], ReplicaEdit::Add { replica: new }),
        (vec!["remove", "3"], ReplicaEdit::Remove { id: replica }),
        (vec!["rotate", "3", &hex], ReplicaEdit::Rotate { id: replica, public_key }),
        (vec!["move", "3", address], ReplicaEdit::Move { id: replica, address: address.parse().unwrap() }),
    ] {
        world.expect(&[&["replica"][..], &line].concat(), ReplicaOp::Propose { edit });
    }
    world.expect(&["replica", "approve", &one], ReplicaOp::Approve { change: id(1) });
    world.expect(&["replica", "reject", &one, "too much"], ReplicaOp::Reject { change: id(1), reason });
    refuses(&["replica", "remove", "70000"]);
}

#[test]
fn money_is_paid_held_charged_and_withdrawn() {
    let world = World::new();
    let (bob, one) = (address(&key(5)).to_string(), hex_of(1));
    let (to, asset, amount) = (address(&key(5)), AssetId::Pop, Amount::new(500));
    let memo = |text: &str| Memo::new(text).unwrap();
    let shop: AssetId = "SHOP".parse().unwrap();
    world
        .expect(&["pay", &bob, "500"], PaymentOp::Pay { to, asset, amount, reference: None, memo: memo("") });
    let reference = Some("INV-7".parse().unwrap());
    world.expect(
        &["pay", &bob, "500", "--asset", "SHOP", "--reference", "INV-7", "--memo", "for the lamp"],
        PaymentOp::Pay { to, asset: shop, amount, reference, memo: memo("for the lamp") },
    );
    for (until, at) in [("2h", START + 7_200_000), ("2030-01-01T00:00:00Z", 1_893_456_000_000)] {
        let until_then = UnixMillis::new(at);
        world.expect(
            &["authorize", &bob, "500", "--until", until],
            PaymentOp::Authorize { to, asset, amount, reference: None, memo: memo(""), until: until_then },
        );
    }
    world.expect(&["capture", &one, "500"], PaymentOp::Capture { payment: id(1), amount });
    world.expect(&["void", &one], PaymentOp::Void { payment: id(1) });
    world.expect(&["refund", &one, "500"], PaymentOp::Refund { payment: id(1), amount });
    world.expect(&["charge", "request", "500"], ChargeOp::Request { amount, memo: memo("") });
    world.expect(&["charge", "approve", &one], ChargeOp::Approve { charge: id(1) });
    let reason: Reason = "no deposit".parse().unwrap();
    world.expect(
        &["charge", "reject", &one, "no deposit"],
        ChargeOp::Reject { charge: id(1), reason: reason.clone() },
    );
    world.expect(
        &["withdrawal", "request", "500", "--memo", "bank 17"],
        WithdrawalOp::Request { amount, memo: memo("bank 17") },
    );
    world.expect(&["withdrawal", "settle", &one], WithdrawalOp::Settle { withdrawal: id(1) });
    world.expect(
        &["withdrawal", "void", &one, "no deposit"],
        WithdrawalOp::Void { withdrawal: id(1), reason },
    );
    let long = "x".repeat(257);
    for bad in [
        &["pay", &bob][..],
        &["pay", "pop1bob", "500"],
        &["pay", &bob, "-500"],
        &["pay", &bob, "5.00"],
        &["pay", &bob, "500", "--asset", "shop"],
        &["pay", &bob, "500", "--memo", &long],
        &["pay", &bob, "500", "--wait", "26"],
        &["pay", &bob, "500", "--valid-for", "soon"],
        &["capture", "1", "500"],
    ] {
        refuses(bad);
    }
}

#[test]
fn things_are_offered_bought_and_reviewed() {
    let world = World::new();
    let one = hex_of(1);
    let trade = id(1);
    let photo = Digest::from_bytes([9; 32]);
    let content = ListingContent {
        title: "Film camera".parse().unwrap(),
        description: "Works.".parse().unwrap(),
        price: Amount::new(12_000),
        photos: vec![photo].try_into().unwrap(),
    };
    let said = ["Film camera", "12000", "--description", "Works.", "--photo", &hex_of(9)];
    world.expect(
        &[&["listing", "create"], &said[..]].concat(),
        ListingOp::Create { content: content.clone() },
    );
    world.expect(
        &[&["listing", "update", &one, "--from-version", "3"], &said[..]].concat(),
        ListingOp::Update { listing: id(1), from_version: 3, content },
    );
    world.expect(&["listing", "close", &one], ListingOp::Close { listing: id(1) });

    for (line, operation) in [
        ("accept", TradeOp::Accept { trade }),
        ("confirm", TradeOp::Confirm { trade }),
        ("cancel", TradeOp::Cancel { trade }),
        ("attest", TradeOp::Attest { trade }),
        ("extend", TradeOp::Extend { trade }),
        ("return-confirm", TradeOp::ReturnConfirm { trade }),
    ] {
        world.expect(&[line, &one], operation);
    }
    let tracking: Tracking = "CJ 1".parse().unwrap();
    world.expect(&["ship", &one, "CJ 1"], TradeOp::Ship { trade, tracking: tracking.clone() });
    world.expect(&["return-ship", &one, "CJ 1"], TradeOp::ReturnShip { trade, tracking });
    let split = Split { to_buyer: Amount::new(3), to_seller: Amount::new(7) };
    world.expect(&["split", &one, "3", "7"], TradeOp::ProposeSplit { trade, split });
    world.expect(&["accept-split", &one, "3", "7"], TradeOp::AcceptSplit { trade, split });
    let reason: Reason = "it is broken".parse().unwrap();
    world.expect(&["dispute", &one, "it is broken"], TradeOp::Dispute { trade, reason: reason.clone() });
    world.expect(&["give-back", &one, "3"], TradeOp::GiveBack { trade, amount: Amount::new(3) });
    for (ruling, more, expected) in [
        ("release", &[][..], Ruling::Release),
        ("refund", &[], Ruling::Refund),
        ("return", &[], Ruling::Return),
        ("split", &["--to-buyer", "3", "--to-seller", "7"], Ruling::Split(split)),
    ] {
        let line = [&["resolve", &one, ruling, "it is broken"], more].concat();
        world.expect(&line, TradeOp::Resolve { trade, ruling: expected, reason: reason.clone() });
    }
    refuses(&["resolve", &one, "split", "it is broken", "--to-buyer", "3"]);

    let code: HandoverCode = "7-apples".parse().unwrap();
    let code_hash = handover_hash(&trade, &code);
    world.expect(&["hand-over", &one, "7-apples"], TradeOp::HandOver { trade, code_hash });
    world.expect(&["collect", &one, "7-apples"], TradeOp::Collect { trade, code });
    fs::write(world.path("photo"), "scratched").unwrap();
    let (hash, note) = (sha256(b"scratched"), "the lens".parse().unwrap());
    world.expect(
        &["evidence", &one, &world.path("photo"), "--note", "the lens"],
        TradeOp::AddEvidence { trade, hash, note },
    );
    assert!(world.build(&["evidence", &one, &world.path("none")]).is_err());
    let (rating, text) = (Rating::new(4).unwrap(), "as described".parse().unwrap());
    world.expect(&["review", &one, "4", "as described"], ReviewOp::Post { trade, rating, text });
    refuses(&["review", &one, "6"]);
}

#[test]
fn tokens_are_made_and_traded() {
    let world = World::new();
    let (bob, carol) = (address(&key(5)), address(&key(6)));
    let (b, c, one) = (bob.to_string(), carol.to_string(), hex_of(1));
    let token: TokenId = "SHOP".parse().unwrap();
    let amount = Amount::new(5);
    let (name, decimals) = ("Shop shares".parse().unwrap(), Decimals::new(2).unwrap());
    world.expect(
        &["token", "create", "SHOP", "Shop shares", "--decimals", "2", "--cap", "5"],
        TokenOp::Create { token, name, decimals, cap: Some(amount) },
    );
    world.expect(&["token", "mint", "SHOP", &b, "5"], TokenOp::Mint { token, to: bob, amount });
    world.expect(&["token", "burn", "SHOP", "5"], TokenOp::Burn { token, amount });
    world.expect(&["token", "transfer", "SHOP", &b, "5"], TokenOp::Transfer { token, to: bob, amount });
    world.expect(
        &["token", "approve", "SHOP", &b, "--from", "3", "--to", "5"],
        TokenOp::Approve { token, spender: bob, from: Amount::new(3), to: amount },
    );
    world.expect(
        &["token", "transfer-from", "SHOP", &b, &c, "5"],
        TokenOp::TransferFrom { token, owner: bob, to: carol, amount },
    );
    world.expect(&["token", "hand-over", "SHOP", &b], TokenOp::HandOver { token, to: bob });
    refuses(&["token", "create", "SHOP", "Shop", "--decimals", "19"]);

    let market: MarketId = "SHOP-POP".parse().unwrap();
    let order = NewOrder {
        market,
        side: OrderSide::Buy,
        price: Some(Amount::new(30)),
        quantity: amount,
        lifetime: Lifetime::UntilCancelled,
        self_trade: SelfTrade::CancelNewest,
    };
    let buy = ["order", "place", "SHOP-POP", "buy", "5", "--price", "30"];
    world.expect(&buy, ExchangeOp::Place { order });
    let at = UnixMillis::new(START + 60_000);
    for (more, lifetime) in [
        (&["--lifetime", "ioc"], Lifetime::Immediate),
        (&["--lifetime", "fok"], Lifetime::FillOrKill),
        (&["--lifetime", "post-only"], Lifetime::PostOnly),
        (&["--until", "1m"], Lifetime::Until { at }),
    ] {
        let order = NewOrder { lifetime, ..order };
        world.expect(&[&buy[..], more].concat(), ExchangeOp::Place { order });
    }
    let (side, price, lifetime) = (OrderSide::Sell, None, Lifetime::Immediate);
    let order = NewOrder { side, price, lifetime, self_trade: SelfTrade::CancelOldest, ..order };
    world.expect(
        &["order", "place", "SHOP-POP", "sell", "5", "--lifetime", "ioc", "--cancel-oldest"],
        ExchangeOp::Place { order },
    );
    refuses(&["order", "place", "SHOP-POP", "buy", "5", "--lifetime", "ioc", "--until", "1m"]);
    world.expect(&["order", "cancel", &one], ExchangeOp::Cancel { order: id(1) });
    world.expect(&["order", "reduce", &one, "5"], ExchangeOp::Reduce { order: id(1), by: amount });
    let (base, quote, one_unit) = (token, AssetId::Pop, Amount::new(1));
    world.expect(
        &["market", "open", "SHOP", "--tick", "5"],
        ExchangeOp::OpenMarket { base, quote, tick: amount, lot: one_unit },
    );
    world.expect(&["market", "halt", "SHOP-POP"], ExchangeOp::Halt { market });
    world.expect(&["market", "resume", "SHOP-POP"], ExchangeOp::Resume { market });
}

#[test]
fn accounts_have_names_keys_limits_and_guardians() {
    let world = World::new();
    let facts = world.facts();
    let (bob, b, one) = (address(&key(5)), address(&key(5)).to_string(), hex_of(1));
    world.expect(&["register", "minji"], AccountOp::Register { name: "minji".parse().unwrap() });
    let per_day = Some(Amount::new(5));
    world.expect(&["limit", "5"], AccountOp::SetLimit { asset: AssetId::Pop, per_day });
    world.expect(&["limit"], AccountOp::SetLimit { asset: AssetId::Pop, per_day: None });
    let reason: Reason = "stolen".parse().unwrap();
    world.expect(&["freeze", &b, "stolen"], AccountOp::Freeze { account: bob, reason: reason.clone() });
    world.expect(&["unfreeze", &b], AccountOp::Unfreeze { account: bob });
    let role = |op: RoleOp| AccountOp::Role(op);
    world.expect(
        &["role", "propose", &b, "courier"],
        role(RoleOp::Propose { account: bob, role: Role::Courier }),
    );
    world.expect(&["role", "approve", &one], role(RoleOp::Approve { change: id(1) }));
    world.expect(&["role", "reject", &one, "stolen"], role(RoleOp::Reject { change: id(1), reason }));
    refuses(&["role", "propose", &b, "king"]);

    let public_key = phone().public_key();
    let proof = phone().sign(&key_binding(&facts.chain_id, &facts.sender));
    let with = world.path("passphrase");
    let other = ["phone", "--label", "my phone", "--other-passphrase-file", &with];
    let label: Label = "my phone".parse().unwrap();
    world.expect(
        &[&["key", "add"], &other[..]].concat(),
        AccountOp::AddKey { public_key, proof, label: label.clone() },
    );
    world.expect(
        &[&["key", "rotate"], &other[..]].concat(),
        AccountOp::RotateKey { public_key, proof, label: label.clone() },
    );
    let shown = public_key.to_string();
    world.expect(&["key", "revoke", &shown], AccountOp::RevokeKey { public_key });
    world.expect(&["key", "label", &shown, "my phone"], AccountOp::LabelKey { public_key, label });
    assert!(world.build(&["key", "add", "tablet", "--other-passphrase-file", &with]).is_err());

    world.expect(
        &["recovery", "guardians", &b, "--threshold", "1", "--delay", "2d"],
        AccountOp::SetGuardians { guardians: vec![bob], threshold: 1, delay: Millis::days(2) },
    );
    let proof = phone().sign(&key_binding(&facts.chain_id, &bob));
    world.expect(
        &["recovery", "propose", &b, "phone", "--other-passphrase-file", &with],
        AccountOp::ProposeRecovery { account: bob, public_key, proof },
    );
    world.expect(&["recovery", "agree", &one], AccountOp::AgreeToRecovery { recovery: id(1) });
    world.expect(&["recovery", "cancel", &one], AccountOp::CancelRecovery { recovery: id(1) });
}

#[test]
fn polls_are_held_and_sealed_votes_can_be_shown() {
    let world = World::new();
    let options = vec!["Yes".parse().unwrap(), "No".parse().unwrap()].try_into().unwrap();
    let content = PollContent { question: "Lunch?".parse().unwrap(), options };
    let at = |span: Millis| UnixMillis::new(START).plus(span);
    let times = PollTimes { opens_at: at(Millis::new(0)), closes_at: at(Millis::days(7)) };
    let (ballot, census, changeable) = (Ballot::Open, Census::Everyone, false);
    world.expect(
        &["poll", "create", "Lunch?", "Yes", "No"],
        PollOp::Create { content: content.clone(), ballot, census, changeable, times },
    );
    let mut voters = vec![address(&key(6)), address(&key(5))];
    let named: Vec<_> = voters.iter().map(ToString::to_string).collect();
    voters.sort();
    let times = PollTimes { opens_at: at(Millis::hours(1)), closes_at: at(Millis::hours(2)) };
    let line = [
        &["poll", "create", "Lunch?", "Yes", "No", "--opens", "1h", "--closes", "2h", "--reveal-by", "3h"][..],
        &["--changeable", "--voter", &named[0], "--voter", &named[1]],
    ];
    let ballot = Ballot::Sealed { reveal_by: at(Millis::hours(3)) };
    let census = Census::Listed { voters: voters.try_into().unwrap() };
    world.expect(&line.concat(), PollOp::Create { content, ballot, census, changeable: true, times });
    refuses(&["poll", "create", "Lunch?", "Yes"]);
    assert!(world.build(&["poll", "create", "Lunch?", "Yes", "Yes"]).is_err());

    let (one, two) = (hex_of(1), hex_of(2));
    world.expect(&["poll", "vote", &one, "1"], PollOp::Vote { poll: id(1), choice: 1 });
    world.expect(&["poll", "close", &one], PollOp::Close { poll: id(1) });
    let secret = world.path("vote");
    let commit = |poll: &str, choice| world.build(&["poll", "commit", poll, choice, "--secret", &secret]);
    let Operation::Poll(PollOp::Commit { poll, commitment }) = commit(&one, "1").unwrap() else { panic!() };
    let again = commit(&one, "1").unwrap();
    assert_eq!(again, PollOp::Commit { poll, commitment }.into(), "the vote can be sent again");
    assert!(commit(&one, "0").is_err() && commit(&two, "1").is_err(), "the first vote would be lost");
    let shown = world.build(&["poll", "reveal", "--secret", &secret]).unwrap();
    let Operation::Poll(PollOp::Reveal { poll, choice, salt }) = shown else { panic!() };
    let voter = world.facts().sender;
    assert_eq!((poll, choice), (id(1), 1));
    assert_eq!(vote_commitment(&poll, &voter, choice, &salt), commitment);
}
