//! Payments, tokens, orders and votes that do not fit what there is.

use ledger::{
    AssetId, Ballot, Census, ExchangeOp, Lifetime, MarketId, Memo, NewOrder, Operation, OrderSide, PaymentOp,
    PollOp, PollTimes, Salt, SelfTrade, TokenOp, UnixMillis,
};
use pbft_crypto::Digest;

use super::{Attack, open};
use crate::adversary::scene::polls::{CHOICE, SALT, ask, only};
use crate::adversary::scene::{Scene, order};
use crate::tokens::{mint, token};
use crate::world::{DAY, START, address, amount, unknown};

fn hold_until(at: u64) -> Operation {
    let (to, asset, units, memo) = (address("sam"), AssetId::Pop, amount(1), Memo::default());
    PaymentOp::Authorize { to, asset, amount: units, reference: None, memo, until: UnixMillis::new(at) }
        .into()
}

/// An order for so many of sam's shares, of which 30 are there for 100 a lot.
fn buy(scene: &Scene, price: Option<u64>, quantity: u64, lifetime: Lifetime) -> Operation {
    let (market, side, self_trade) = (scene.market, OrderSide::Buy, SelfTrade::CancelNewest);
    let (price, quantity) = (price.map(amount), amount(quantity));
    ExchangeOp::Place { order: NewOrder { market, side, price, quantity, lifetime, self_trade } }.into()
}

fn unknown_market(scene: &Scene) -> MarketId {
    MarketId { base: scene.halted.base, quote: scene.market.base.into() }
}

fn open_for(base: &str, quote: AssetId, tick: u64) -> Operation {
    ExchangeOp::OpenMarket { base: token(base), quote, tick: amount(tick), lot: amount(1) }.into()
}

/// A poll that opens and closes so many days after the chain began.
fn poll(ballot: Ballot, census: Census, opens: u64, closes: u64) -> Operation {
    ask(ballot, census, PollTimes { opens_at: day(opens), closes_at: day(closes) }).into()
}

const fn day(n: u64) -> UnixMillis {
    UnixMillis::new(START.value() + n * DAY)
}

fn reveal(scene: &Scene, choice: u8, salt: Salt) -> Operation {
    PollOp::Reveal { poll: scene.polls.sealed, choice, salt }.into()
}

fn ask_nobody(_: &Scene) -> Operation {
    poll(Ballot::Open, Census::Listed { voters: only(address("nobody")) }, 1, 20)
}

fn approve_again(_: &Scene) -> Operation {
    let (token, spender) = (token("SHOP"), address("eve"));
    TokenOp::Approve { token, spender, from: amount(0), to: amount(900) }.into()
}

fn transfer_to_oneself(_: &Scene) -> Operation {
    TokenOp::Transfer { token: token("SHOP"), to: address("bea"), amount: amount(1) }.into()
}

pub(super) const ATTACKS: &[Attack] = &[
    ("eve", |_| hold_until(1), "DEADLINE_PASSED"),
    ("eve", |_| hold_until(u64::MAX), "HOLD_TOO_LONG"),
    // Tokens and markets.
    ("eve", |_| mint("NONE", "eve", 1).into(), "UNKNOWN_TOKEN"),
    ("eve", |_| mint("BIG", "eve", 1).into(), "SUPPLY_EXCEEDED"),
    ("bea", transfer_to_oneself, "SAME_ACCOUNT"),
    ("sam", approve_again, "ALLOWANCE_CHANGED"),
    ("eve", |_| open_for("NONE", AssetId::Pop, 1), "UNKNOWN_TOKEN"),
    ("eve", |_| open_for("BIG", token("BIG").into(), 1), "SAME_ASSET"),
    ("eve", |_| open_for("BIG", token("SHOP").into(), 0), "ZERO_TICK_OR_LOT"),
    ("sam", |s| open(s.market.base).into(), "MARKET_EXISTS"),
    ("ann", |s| ExchangeOp::Halt { market: s.halted }.into(), "WRONG_MARKET_STATUS"),
    ("ann", |s| ExchangeOp::Resume { market: s.market }.into(), "WRONG_MARKET_STATUS"),
    ("eve", |s| ExchangeOp::Resume { market: s.halted }.into(), "NOT_ADMIN"),
    // Orders.
    ("eve", |s| order(s.halted, OrderSide::Sell, 1, 1).into(), "WRONG_MARKET_STATUS"),
    ("eve", |s| order(unknown_market(s), OrderSide::Sell, 1, 1).into(), "UNKNOWN_MARKET"),
    ("bea", |s| buy(s, None, 10, Lifetime::UntilCancelled), "PRICE_NEEDED"),
    ("bea", |s| buy(s, Some(95), 10, Lifetime::Until { at: UnixMillis::new(1) }), "ORDER_ALREADY_OVER"),
    ("bea", |s| buy(s, Some(100), 10, Lifetime::PostOnly), "WOULD_TRADE"),
    ("bea", |s| buy(s, Some(100), 40, Lifetime::FillOrKill), "NOT_FILLABLE"),
    ("sam", |s| ExchangeOp::Cancel { order: s.old_order }.into(), "ORDER_NOT_OPEN"),
    ("sam", |s| ExchangeOp::Reduce { order: s.old_order, by: amount(10) }.into(), "ORDER_NOT_OPEN"),
    ("sam", |s| ExchangeOp::Reduce { order: s.order, by: amount(30) }.into(), "NOTHING_LEFT"),
    // Polls.
    ("eve", |_| poll(Ballot::Open, Census::Everyone, 9, 8), "NO_TIME_TO_VOTE"),
    ("eve", |_| poll(Ballot::Sealed { reveal_by: day(7) }, Census::Everyone, 5, 8), "NO_TIME_TO_REVEAL"),
    ("eve", |_| poll(Ballot::Open, Census::Everyone, 1, 4_000), "POLL_TOO_LONG"),
    ("eve", ask_nobody, "UNKNOWN_VOTER"),
    ("eve", |_| PollOp::Vote { poll: unknown(), choice: 0 }.into(), "UNKNOWN_POLL"),
    ("eve", |s| PollOp::Vote { poll: s.polls.listed, choice: 0 }.into(), "NOT_ELIGIBLE"),
    ("sam", |s| PollOp::Vote { poll: s.polls.listed, choice: 0 }.into(), "NOT_ELIGIBLE"),
    ("eve", |s| PollOp::Commit { poll: s.polls.sealed, commitment: Digest::ZERO }.into(), "WRONG_POLL_PHASE"),
    ("eve", |s| reveal(s, CHOICE, SALT), "NOTHING_TO_REVEAL"),
    ("bea", |s| reveal(s, 1 - CHOICE, SALT), "COMMITMENT_MISMATCH"),
    ("bea", |s| reveal(s, CHOICE, Salt::new(Digest::ZERO)), "COMMITMENT_MISMATCH"),
    ("sam", |s| PollOp::Close { poll: s.polls.sealed }.into(), "VOTES_UNREVEALED"),
    ("bea", |s| PollOp::Close { poll: s.polls.sealed }.into(), "NOT_POLL_CREATOR"),
];
