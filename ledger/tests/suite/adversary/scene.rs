//! Something of every kind that others could want.

pub(super) mod people;
pub(super) mod polls;
mod trades;

use std::collections::BTreeSet;

use ledger::{
    AccountOp, AssetId, Ballot, Census, ChargeId, ChargeOp, ExchangeOp, Label, Lifetime, ListingId, MarketId,
    Memo, NewOrder, OrderId, OrderSide, PaymentId, PaymentOp, PollId, PollOp, PollTimes, Rating, Reason,
    Reference, ReplicaChangeId, ReplicaEdit, ReplicaOp, ReviewOp, ReviewText, Role, RoleChangeId, RoleOp,
    SelfTrade, StateKey, TokenOp, TradeId, TradeOp, Transaction, UnixMillis, WithdrawalId, WithdrawalOp,
};

use self::people::People;
use self::polls::{Polls, ask};
use self::trades::Trades;
use crate::keys::proof;
use crate::stage::action;
use crate::tokens::{create, mint, token};
use crate::world::{DAY, World, address, amount, key};

/// Who has an account here.
pub(super) const PEOPLE: [&str; 9] = ["ann", "ben", "fees", "bea", "sam", "eve", "art", "abe", "kit"];

/// Who has none, and may only ask for one.
pub(super) const STRANGER: &str = "a stranger";

/// A key that eve's account had once.
pub(super) const LOST_KEY: &str = "eve's lost phone";

pub(super) struct Scene {
    /// The keys of the only entries that may change.
    pub(super) nonces: BTreeSet<Vec<u8>>,
    /// For sale by sam.
    pub(super) listing: ListingId,
    pub(super) offer: TradeOp,
    /// By sam, too, and in a trade.
    pub(super) sold: ListingId,
    /// Bea's, from sam, in these states.
    pub(super) funded: TradeId,
    pub(super) shipped: TradeId,
    pub(super) disputed: TradeId,
    pub(super) released: TradeId,
    /// Asked for by bea; by ann.
    pub(super) charge: ChargeId,
    pub(super) own_charge: ChargeId,
    pub(super) decided_charge: ChargeId,
    /// Bea's.
    pub(super) withdrawal: WithdrawalId,
    /// By bea for sam: held, and paid.
    pub(super) held: PaymentId,
    pub(super) paid: PaymentId,
    /// Sam's shares against coins, an order of sam's, and one that is over.
    pub(super) market: MarketId,
    pub(super) order: OrderId,
    pub(super) old_order: OrderId,
    /// Of a token of eve's, of which there is as much as there can be. Ann has halted it.
    pub(super) halted: MarketId,
    /// Sam's; bea has voted.
    pub(super) poll: PollId,
    pub(super) later_poll: PollId,
    /// Proposed by ann.
    pub(super) replica_change: ReplicaChangeId,
    pub(super) role_change: RoleChangeId,
    pub(super) trades: Trades,
    pub(super) people: People,
    pub(super) polls: Polls,
    /// What is on the chain already.
    pub(super) recorded: Vec<Transaction>,
}

fn later(world: &World, days: u64) -> UnixMillis {
    UnixMillis::new(world.now.value() + days * DAY)
}

fn trade(world: &mut World, steps: &[(&str, &str)]) -> TradeId {
    let listing = world.list("sam", 9_999);
    let trade = world.buy("bea", listing);
    for (who, what) in steps {
        world.ok(who, action(what, trade));
    }
    trade
}

fn payment(world: &World, held: bool, reference: &str) -> PaymentOp {
    let (to, asset, units) = (address("sam"), AssetId::Pop, amount(700));
    let (reference, memo) = (Some(Reference::new(reference).unwrap()), Memo::default());
    if held {
        return PaymentOp::Authorize { to, asset, amount: units, reference, memo, until: later(world, 5) };
    }
    PaymentOp::Pay { to, asset, amount: units, reference, memo }
}

fn poll(world: &mut World, opens_in: u64) -> PollId {
    let times =
        PollTimes { opens_at: UnixMillis::new(world.now.value() + opens_in), closes_at: later(world, 20) };
    PollId::from(world.ok("sam", ask(Ballot::Open, Census::Everyone, times)).id)
}

pub(super) fn order(market: MarketId, side: OrderSide, price: u64, quantity: u64) -> ExchangeOp {
    let (price, quantity) = (Some(amount(price)), amount(quantity));
    let (lifetime, self_trade) = (Lifetime::UntilCancelled, SelfTrade::CancelNewest);
    ExchangeOp::Place { order: NewOrder { market, side, price, quantity, lifetime, self_trade } }
}

pub(super) fn review(trade: TradeId) -> ReviewOp {
    ReviewOp::Post { trade, rating: Rating::new(1).unwrap(), text: ReviewText::new("bad").unwrap() }
}

pub(super) fn request(units: u64) -> ChargeOp {
    ChargeOp::Request { amount: amount(units), memo: Memo::default() }
}

fn lose_a_key(world: &mut World) {
    let public_key = key(LOST_KEY).public_key();
    let (proof, label) = (proof(world, "eve", LOST_KEY), Label::new("phone").unwrap());
    world.ok("eve", AccountOp::AddKey { public_key, proof, label });
    world.ok("eve", AccountOp::RevokeKey { public_key });
}

/// Carries out many of one person.
fn all(world: &mut World, transactions: &[Transaction]) {
    for some in transactions.chunks(200) {
        let receipts = world.apply(some).block.unwrap().receipts;
        assert!(receipts.len() == some.len() && receipts.iter().all(|receipt| receipt.outcome.is_applied()));
    }
}

fn halted(world: &mut World) -> MarketId {
    world.ok("eve", create("BIG", None));
    world.ok("eve", mint("BIG", "eve", u64::MAX));
    let (base, quote, tick, lot) = (token("BIG"), AssetId::Pop, amount(1), amount(1));
    world.ok("eve", ExchangeOp::OpenMarket { base, quote, tick, lot });
    let market = MarketId { base, quote };
    world.ok("ann", ExchangeOp::Halt { market });
    market
}

/// A token of abe's, of which kit may take 3, and for which there is no market. Abe may take some of sam's.
fn of_abe(world: &mut World) {
    world.ok("abe", create("ABE", None));
    world.ok("abe", mint("ABE", "abe", 50));
    for (owner, symbol, spender, to) in [("abe", "ABE", "kit", 3), ("sam", "SHOP", "abe", 5)] {
        let (token, spender) = (token(symbol), address(spender));
        world.ok(owner, TokenOp::Approve { token, spender, from: amount(0), to: amount(to) });
    }
}

fn shares(world: &mut World) -> (MarketId, [OrderId; 2]) {
    world.ok("sam", create("SHOP", Some(1_000)));
    world.ok("sam", mint("SHOP", "sam", 900));
    world.ok("sam", mint("SHOP", "bea", 100));
    let (base, spender) = (token("SHOP"), address("eve"));
    world.ok("sam", TokenOp::Approve { token: base, spender, from: amount(0), to: amount(7) });
    let (tick, lot, quote) = (amount(5), amount(10), AssetId::Pop);
    world.ok("sam", ExchangeOp::OpenMarket { base, quote, tick, lot });
    let market = MarketId { base, quote };
    let orders: [OrderId; 2] =
        [100, 200].map(|price| world.ok("sam", order(market, OrderSide::Sell, price, 30)).id.into());
    world.ok("sam", ExchangeOp::Cancel { order: orders[1] });
    (market, orders)
}

impl Scene {
    pub(super) fn set() -> (World, Self) {
        let mut set = World::new();
        let world = &mut set;
        lose_a_key(world);
        let listing = world.list("sam", 500);
        let shipped = trade(world, &[("sam", "ship")]);
        let (market, [order, old_order]) = shares(world);
        of_abe(world);
        let (trades, people, polls) = (Trades::set(world), People::set(world), Polls::set(world));
        // Only now, since nobody who is frozen is drawn.
        let (account, reason) = (address("abe"), Reason::new("looks stolen").unwrap());
        world.ok("ann", AccountOp::Freeze { account, reason });
        let poll = poll_with_a_vote(world);
        let funded = trade(world, &[]);
        let op = payment(world, true, "ORDER-1");
        let held = PaymentId::from(world.ok("bea", op).id);
        let op = payment(world, false, "ORDER-2");
        let paid = PaymentId::from(world.ok("bea", op).id);
        let decided_charge = ChargeId::from(world.ok("bea", request(10)).id);
        world.ok("ann", ChargeOp::Approve { charge: decided_charge });
        let grown = ReplicaEdit::Add { replica: crate::world::replica("r4") };
        let raised = RoleOp::Propose { account: address("eve"), role: Role::Admin };
        let senders = PEOPLE.into_iter().chain([STRANGER]);
        let scene = Self {
            nonces: senders.map(|name| StateKey::Nonces(address(name)).to_bytes()).collect(),
            listing,
            offer: world.buying(listing),
            sold: world.ledger.trade(&funded).unwrap().listing,
            funded,
            shipped,
            disputed: trade(world, &[("sam", "ship"), ("bea", "dispute")]),
            released: reviewed(world),
            charge: ChargeId::from(world.ok("bea", request(10)).id),
            own_charge: ChargeId::from(world.ok("ann", request(10)).id),
            decided_charge,
            withdrawal: WithdrawalId::from(
                world.ok("bea", WithdrawalOp::Request { amount: amount(50), memo: Memo::default() }).id,
            ),
            held,
            paid,
            market,
            order,
            old_order,
            halted: halted(world),
            poll,
            later_poll: self::poll(world, 3 * DAY),
            replica_change: ReplicaChangeId::from(world.ok("ann", ReplicaOp::Propose { edit: grown }).id),
            role_change: RoleChangeId::from(world.ok("ann", AccountOp::Role(raised)).id),
            trades,
            people,
            polls,
            recorded: recorded(world),
        };
        (set, scene)
    }
}

fn poll_with_a_vote(world: &mut World) -> PollId {
    let poll = poll(world, 1_000);
    world.ok("bea", PollOp::Vote { poll, choice: 0 });
    poll
}

fn reviewed(world: &mut World) -> TradeId {
    let trade = trade(world, &[("sam", "ship"), ("bea", "confirm")]);
    world.ok("bea", review(trade));
    trade
}

/// Some that were good.
fn recorded(world: &mut World) -> Vec<Transaction> {
    let good: Vec<_> = ["bea", "sam", "eve"]
        .into_iter()
        .map(|who| {
            let to = if who == "bea" { "sam" } else { "bea" };
            world.tx(who, crate::world::paying(to, 3))
        })
        .collect();
    let applied = world.apply(&good);
    assert!(applied.block.unwrap().receipts.iter().all(|receipt| receipt.outcome.is_applied()));
    good
}
