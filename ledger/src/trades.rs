//! Trades: purchases whose money is held in escrow until they are over.
//!
//! | from | to | who |
//! | --- | --- | --- |
//! | - | FUNDED | the buyer, whose money is held from now on |
//! | FUNDED | ACCEPTED | the seller |
//! | FUNDED, ACCEPTED | SHIPPED | the seller |
//! | FUNDED, ACCEPTED | CANCELLED | the seller; the `ship_by` deadline |
//! | FUNDED | CANCELLED | the buyer |
//! | ACCEPTED | CANCELLED | the buyer asks, then the seller stays silent until the `answer_by` deadline |
//! | FUNDED, ACCEPTED, SHIPPED | RELEASED | the buyer confirms |
//! | FUNDED, ACCEPTED | RELEASED | the buyer enters the code that the seller shows when handing over in person |
//! | SHIPPED | RELEASED | the `confirm_by` deadline, which an attested delivery moves and the buyer puts off once |
//! | SHIPPED | DISPUTED | the buyer |
//! | ACCEPTED, SHIPPED, DISPUTED | SPLIT | buyer and seller: one offers, the other takes the offer |
//! | DISPUTED | RELEASED, REFUNDED, SPLIT, RETURNING | the arbiter |
//! | DISPUTED | DISPUTED | the `resolve_by` deadline: a second arbiter, if there is one |
//! | DISPUTED | RELEASED, REFUNDED | the `second_resolve_by` deadline: released if a courier has attested the delivery |
//! | RETURNING | REFUNDED | the seller; the `return_confirm_by` deadline, which an attested return moves |
//! | RETURNING | RELEASED | the `return_by` deadline: the buyer sent nothing back |
//! | RETURNING | DISPUTED | the seller, once the goods are said to be on their way back |
//!
//! RELEASED pays the seller and the fee, SPLIT both sides and a fee on the seller's part, CANCELLED and REFUNDED pay the buyer
//! back. All four are final. CANCELLED opens the listing again; REFUNDED closes it, since the goods were on their way, and
//! the seller lists them anew if they are back.
//!
//! **Deliveries are attested by couriers**: accounts with that role which are neither buyer nor seller. A courier may speak for
//! any parcel, so the role is for carriers that can be trusted; two admins give and take it.
//!
//! **The arbiter is fixed when the dispute is opened**, drawn from the accounts with that role but buyer and seller by the digest
//! of transaction and block time: nobody chooses their judge. Who loses the role still decides what they were drawn for.
//! After two silent arbiters, or if there are none, what couriers have attested decides: a return that arrived, or
//! a delivery that never did, pays the buyer back.

mod agreements;
mod disputes;
mod ending;
mod event;
mod expiry;
mod moves;
mod op;
mod params;
mod rejection;
mod row;
mod rules;

use pbft_crypto::Address;

use crate::amount::{Amount, AssetId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::TradeId;
use crate::table::{EntryError, Table};
use crate::time::UnixMillis;

pub use event::{Mover, TradeChange, TradeEvent};
pub use moves::{MAX_EVIDENCE, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, Party, PossibleMove, TradeAction};
pub use op::{Ruling, Split, TradeOp};
pub use params::TradeParams;
pub use rejection::TradeRejection;
pub use row::{
    DeadlineKind, Dispute, Payout, Repeats, Return, SplitOffer, Trade, TradeDeadline, TradeState,
    handover_hash,
};

pub(crate) use expiry::expire;
pub(crate) use rules::{apply, check};

/// The trades, and with each change the index of deadlines kept up to date.
#[derive(Default)]
pub(crate) struct Trades {
    pub(crate) rows: Table<Trade>,
}

impl Trades {
    pub(crate) fn find(&self, id: &TradeId) -> Option<&Trade> {
        self.rows.find(id)
    }

    /// What the trades hold: of whom, and how much.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (Address, AssetId, Amount)> {
        let live = self.rows.iter().filter(|(_, trade)| !trade.state.is_final());
        live.map(|(_, trade)| (trade.buyer, AssetId::Pop, trade.amount))
    }

    /// All deadlines and reminders that run.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (ObjectId, UnixMillis)> {
        self.rows.iter().filter_map(|(id, trade)| Some((ObjectId::Trade(*id), trade.due()?)))
    }

    /// When something happens to the trade by itself.
    pub(crate) fn due(&self, id: &TradeId) -> Option<UnixMillis> {
        self.find(id)?.due()
    }

    /// The deadline, or, before that, the reminder.
    pub(crate) fn fires_for(&self, id: &TradeId, now: UnixMillis) -> Option<UnixMillis> {
        let trade = self.find(id)?;
        let passed = trade.deadline.map(|deadline| deadline.at).filter(|at| *at <= now);
        passed.or(trade.due())
    }

    fn put(&mut self, deadlines: &mut Deadlines, id: TradeId, trade: Trade) {
        deadlines.replace(ObjectId::Trade(id), self.due(&id), trade.due());
        self.rows.put(id, trade);
    }

    pub(crate) fn load(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, trade) = self.rows.load(key, value)?;
        deadlines.replace(ObjectId::Trade(id), None, trade.due());
        Ok(())
    }
}
