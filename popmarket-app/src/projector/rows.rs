//! What some blocks say, table by table.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    Amount, AssetId, Balance, BlockHeader, Cause, Event, EventKind, ExchangeEvent, Height, MarketId,
    MoneyEvent, OrderId, OrderSide, Outcome, PaymentEvent, TokenId, TradeId, TxId, UnixMillis,
};
use pbft_crypto::{Address, Digest};

use super::ProjectorError;
use super::exchange::Tape;
use crate::read_model::{EventRecord, Position, Projection, ReadError, concerned, sender_ref};
use crate::store::{StoreError, StoredBlock};

/// Rows to write. Those of which there are many are gathered by table, the rest follows from the events.
pub(super) struct Rows {
    pub(super) projection: Projection,
    pub(super) blocks: Vec<BlockRow>,
    pub(super) transactions: Vec<TransactionRow>,
    pub(super) account_transactions: BTreeSet<(Address, Position)>,
    pub(super) events: Vec<EventRow>,
    /// Only the last of each.
    pub(super) balances: BTreeMap<(Address, AssetId), Balance>,
    /// How many holders more a token has; less, if it is negative.
    pub(super) holders: BTreeMap<TokenId, i64>,
    pub(super) trade_steps: Vec<(TradeId, Position)>,
    pub(super) payments: Vec<(Position, PaymentEvent)>,
    pub(super) fills: Vec<(Position, Fill)>,
    pub(super) tape: Tape,
}

/// A line of the tape, as [`ExchangeEvent::Filled`] has it.
pub(super) struct Fill {
    pub(super) market: MarketId,
    pub(super) number: u64,
    pub(super) price: Amount,
    pub(super) quantity: Amount,
    pub(super) cost: Amount,
    pub(super) fee: Amount,
    pub(super) buyer: Address,
    pub(super) seller: Address,
    pub(super) maker: OrderId,
    pub(super) taker: OrderId,
    pub(super) taker_side: OrderSide,
    pub(super) at: UnixMillis,
}

impl Fill {
    fn of(event: &ExchangeEvent) -> Option<Self> {
        let ExchangeEvent::Filled {
            market,
            number,
            price,
            quantity,
            cost,
            fee,
            buyer,
            seller,
            maker,
            taker,
            taker_side,
            at,
            ..
        } = *event
        else {
            return None;
        };
        Some(Self { market, number, price, quantity, cost, fee, buyer, seller, maker, taker, taker_side, at })
    }
}

pub(super) struct BlockRow {
    pub(super) hash: Digest,
    pub(super) header: BlockHeader,
    pub(super) transactions: usize,
    pub(super) events: usize,
}

pub(super) struct TransactionRow {
    pub(super) position: Position,
    pub(super) id: TxId,
    pub(super) sender_ref: Option<Vec<u8>>,
    pub(super) at: UnixMillis,
    pub(super) body: Vec<u8>,
    pub(super) outcome: Outcome,
}

pub(super) struct EventRow {
    pub(super) record: EventRecord,
    pub(super) body: String,
}

impl Rows {
    /// Of at least one block; the first one comes after `last`.
    pub(super) fn of(
        chain_id: Digest,
        last: Option<Projection>,
        blocks: Vec<StoredBlock>,
    ) -> Result<Self, ProjectorError> {
        let mut rows = Self {
            projection: Projection {
                chain_id,
                height: Height::GENESIS,
                hash: Digest::ZERO,
                at: UnixMillis::new(0),
            },
            blocks: Vec::new(),
            transactions: Vec::new(),
            account_transactions: BTreeSet::new(),
            events: Vec::new(),
            balances: BTreeMap::new(),
            holders: BTreeMap::new(),
            trade_steps: Vec::new(),
            payments: Vec::new(),
            fills: Vec::new(),
            tape: Tape::default(),
        };
        let mut parent = last.map(|last| last.hash);
        for block in blocks {
            if parent.is_some_and(|parent| block.block.header.parent != parent) {
                // The first one may not go on from what is in the tables; after that, the chain is broken in itself.
                let is_first = rows.blocks.is_empty();
                let broken = StoreError::Damaged("a block does not go on from the one before it");
                return Err(if is_first { ReadError::OtherChain.into() } else { broken.into() });
            }
            rows.add(block)?;
            parent = Some(rows.projection.hash);
        }
        Ok(rows)
    }

    fn add(&mut self, StoredBlock { block, events }: StoredBlock) -> Result<(), ProjectorError> {
        let (height, at, hash) = (block.header.height, block.header.time, block.hash());
        for receipt in block.receipts {
            // What became of a deadline is told by events.
            let Cause::Transaction { index, id } = receipt.cause else { continue };
            let Some(transaction) = usize::try_from(index).ok().and_then(|i| block.transactions.get(i))
            else {
                continue;
            };
            let position = position(height, index)?;
            self.account_transactions.insert((transaction.body().sender, position));
            let (body, outcome) = (transaction.encode(), receipt.outcome);
            let ledger::Body { sender, client_ref, .. } = transaction.body();
            let sender_ref = sender_ref(sender, client_ref);
            let row = TransactionRow { position, id, sender_ref, at, body, outcome };
            self.transactions.push(row);
        }
        let (transactions, count) = (block.transactions.len(), events.len());
        self.blocks.push(BlockRow { hash, header: block.header, transactions, events: count });
        for (event, index) in events.into_iter().zip(0..) {
            self.add_event(position(height, index)?, at, event)?;
        }
        self.projection = Projection { height, hash, at, ..self.projection };
        Ok(())
    }

    fn add_event(&mut self, position: Position, at: UnixMillis, event: Event) -> Result<(), ProjectorError> {
        if let Cause::Transaction { index, .. } = event.cause {
            let transaction = self::position(position.height(), index)?;
            self.account_transactions.extend(concerned(&event.kind).map(|address| (address, transaction)));
        }
        match &event.kind {
            EventKind::Money(MoneyEvent::BalanceChanged { account, asset, before, after }) => {
                self.balances.insert((*account, *asset), *after);
                if let Some(token) = asset.token() {
                    let change = i64::from(!after.is_zero()) - i64::from(!before.is_zero());
                    *self.holders.entry(token).or_default() += change;
                }
            }
            EventKind::Payment(payment) => self.payments.push((position, payment.clone())),
            EventKind::Exchange(exchange) => self.add_fill(position, exchange),
            EventKind::Trade(trade) => self.trade_steps.push((trade.trade, position)),
            _ => {}
        }
        self.events.push(EventRow { body: json(&event), record: EventRecord { position, at, event } });
        Ok(())
    }
}

impl Rows {
    fn add_fill(&mut self, position: Position, event: &ExchangeEvent) {
        if let Some(fill) = Fill::of(event) {
            self.tape.add(fill.market, fill.price, fill.quantity, fill.at);
            self.fills.push((position, fill));
        }
    }
}

#[expect(clippy::expect_used, reason = "JSON fails on maps whose keys are no texts: events have none")]
fn json(event: &Event) -> String {
    serde_json::to_string(event).expect("events are encodable")
}

fn position(height: Height, index: u32) -> Result<Position, ProjectorError> {
    Position::new(height, index).ok_or(ProjectorError::TooManyEvents(height))
}
