//! Balances and supplies: every movement of money goes through [`Money::post`].

use std::collections::BTreeMap;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::{Amount, AssetId};
use crate::event::{EventKind, event_names};
use crate::table::{Row, Table, TableId};

/// What an account has of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Free to spend.
    pub available: Amount,
    /// Set aside for something that is not over, such as a trade.
    pub held: Amount,
}

impl Balance {
    /// Whether there is nothing.
    pub const fn is_zero(&self) -> bool {
        self.available.is_zero() && self.held.is_zero()
    }
}

impl Row for Balance {
    type Key = (Address, AssetId);
    const TABLE: TableId = TableId::Balances;
}

/// How much of an asset was ever made and destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// Made.
    pub minted: Amount,
    /// Destroyed.
    pub burned: Amount,
}

impl Supply {
    /// How much there is.
    pub fn circulating(&self) -> Amount {
        // Only what was minted can be burned.
        self.minted.checked_sub(self.burned).unwrap_or(Amount::ZERO)
    }
}

impl Row for Supply {
    type Key = AssetId;
    const TABLE: TableId = TableId::Supplies;
}

/// Why money does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum MoneyRejection {
    /// There is too little. It does not say how much there is, or is needed: whoever knows the other receipts of a block could find
    /// such a number by trying.
    #[error("there is too little {asset}")]
    InsufficientFunds {
        /// Of what.
        asset: AssetId,
    },
    /// There would be more of the asset than can be counted.
    #[error("there would be too much {asset}")]
    SupplyExceeded {
        /// Of what.
        asset: AssetId,
    },
}

codes_of! {
    pub(crate) MoneyRejection {
        InsufficientFunds => "INSUFFICIENT_FUNDS",
        SupplyExceeded => "SUPPLY_EXCEEDED",
    }
}

/// What happens to money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyEvent {
    /// A balance is another one now.
    BalanceChanged {
        /// Whose.
        account: Address,
        /// Of what.
        asset: AssetId,
        /// What it was.
        before: Balance,
        /// What it is.
        after: Balance,
    },
}

event_names! {
    MoneyEvent {
        Self::BalanceChanged { .. } => "balance.changed",
    }
}

/// Where money is before or after a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Not in circulation.
    Issuer,
    Available(Address),
    Held(Address),
}

/// Moves an amount from one side to another one. So nothing is ever made or lost but at the issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    pub(crate) asset: AssetId,
    pub(crate) amount: Amount,
    pub(crate) from: Side,
    pub(crate) to: Side,
}

impl Posting {
    pub(crate) const fn new(amount: Amount, from: Side, to: Side) -> Self {
        Self { asset: AssetId::Pop, amount, from, to }
    }
}

#[derive(Default)]
pub(crate) struct Money {
    pub(crate) balances: Table<Balance>,
    pub(crate) supplies: Table<Supply>,
}

impl Money {
    pub(crate) fn balance(&self, account: Address, asset: AssetId) -> Balance {
        self.balances.find(&(account, asset)).copied().unwrap_or_default()
    }

    /// By asset, from the one after `after` on.
    pub(crate) fn balances_of(
        &self,
        account: Address,
        after: Option<AssetId>,
    ) -> impl Iterator<Item = (AssetId, Balance)> {
        self.balances
            .range((account, after.unwrap_or(AssetId::Pop)))
            .skip_while(move |((_, asset), _)| Some(*asset) == after)
            .take_while(move |((owner, _), _)| *owner == account)
            .map(|((_, asset), balance)| (*asset, *balance))
    }

    pub(crate) fn supply(&self, asset: AssetId) -> Supply {
        self.supplies.find(&asset).copied().unwrap_or_default()
    }

    /// Carries out all postings, one after the other, or none. An operation calls it once, after its last check and
    /// before its first change.
    pub(crate) fn post(
        &mut self,
        postings: &[Posting],
        events: &mut Vec<EventKind>,
    ) -> Result<(), MoneyRejection> {
        let mut draft = Draft { money: self, balances: BTreeMap::new(), supplies: BTreeMap::new() };
        for posting in postings.iter().filter(|posting| !posting.amount.is_zero()) {
            draft.take(posting)?;
            draft.give(posting)?;
        }
        let Draft { balances, supplies, .. } = draft;
        for (asset, supply) in supplies {
            self.supplies.put(asset, supply);
        }
        for ((account, asset), after) in balances {
            let before = self.balance(account, asset);
            self.balances.put((account, asset), after);
            events.push(MoneyEvent::BalanceChanged { account, asset, before, after }.into());
        }
        Ok(())
    }
}

/// The few rows that some postings change, before they are written.
struct Draft<'a> {
    money: &'a Money,
    balances: BTreeMap<(Address, AssetId), Balance>,
    supplies: BTreeMap<AssetId, Supply>,
}

impl Draft<'_> {
    fn take(&mut self, posting: &Posting) -> Result<(), MoneyRejection> {
        let Posting { asset, amount, from, .. } = *posting;
        let source = match from {
            Side::Issuer => {
                let minted = &mut self.supply(asset).minted;
                *minted = minted.checked_add(amount).ok_or(MoneyRejection::SupplyExceeded { asset })?;
                return Ok(());
            }
            Side::Available(account) => &mut self.balance(account, asset).available,
            Side::Held(account) => &mut self.balance(account, asset).held,
        };
        *source = source.checked_sub(amount).ok_or(MoneyRejection::InsufficientFunds { asset })?;
        Ok(())
    }

    /// Only what was minted can be given, so once the supply is counted no sum here is too large.
    fn give(&mut self, posting: &Posting) -> Result<(), MoneyRejection> {
        let Posting { asset, amount, to, .. } = *posting;
        let target = match to {
            Side::Issuer => &mut self.supply(asset).burned,
            Side::Available(account) => &mut self.balance(account, asset).available,
            Side::Held(account) => &mut self.balance(account, asset).held,
        };
        *target = target.checked_add(amount).ok_or(MoneyRejection::SupplyExceeded { asset })?;
        Ok(())
    }

    fn balance(&mut self, account: Address, asset: AssetId) -> &mut Balance {
        let balance = || self.money.balance(account, asset);
        self.balances.entry((account, asset)).or_insert_with(balance)
    }

    fn supply(&mut self, asset: AssetId) -> &mut Supply {
        self.supplies.entry(asset).or_insert_with(|| self.money.supply(asset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POP: AssetId = AssetId::Pop;

    fn address(byte: u8) -> Address {
        Address::from_bytes([byte; 32])
    }

    fn posting(amount: u64, from: Side, to: Side) -> Posting {
        Posting::new(Amount::new(amount), from, to)
    }

    fn funds(money: &Money, byte: u8) -> (u64, u64) {
        let balance = money.balance(address(byte), POP);
        (balance.available.value(), balance.held.value())
    }

    fn with_100() -> Money {
        let mut money = Money::default();
        let mint = posting(100, Side::Issuer, Side::Available(address(1)));
        money.post(&[mint], &mut Vec::new()).unwrap();
        money
    }

    #[test]
    fn postings_are_carried_out_one_after_the_other() {
        let (one, two) = (address(1), address(2));
        let mut money = with_100();
        let mut events = Vec::new();
        let way = [
            posting(60, Side::Available(one), Side::Held(one)),
            posting(50, Side::Held(one), Side::Available(two)),
            posting(10, Side::Held(one), Side::Available(one)),
            posting(30, Side::Available(two), Side::Issuer),
        ];
        money.post(&way, &mut events).unwrap();
        assert_eq!((funds(&money, 1), funds(&money, 2)), ((50, 0), (20, 0)));
        let supply = money.supply(POP);
        assert_eq!((supply.minted.value(), supply.burned.value()), (100, 30));
        let changed: Vec<_> = events
            .iter()
            .map(|event| match event {
                EventKind::Money(MoneyEvent::BalanceChanged { account, before, after, .. }) => {
                    (*account, before.available.value(), after.available.value())
                }
                other => panic!("not a change of a balance: {other:?}"),
            })
            .collect();
        assert_eq!(changed, [(one, 100, 50), (two, 0, 20)]);
    }

    #[test]
    fn all_postings_or_none() {
        let (one, two) = (address(1), address(2));
        let mut money = with_100();
        let mut events = Vec::new();
        let way = [
            posting(60, Side::Available(one), Side::Available(two)),
            posting(5, Side::Issuer, Side::Available(two)),
            posting(41, Side::Available(one), Side::Held(one)),
        ];
        let rejection = money.post(&way, &mut events).unwrap_err();
        assert_eq!(rejection, MoneyRejection::InsufficientFunds { asset: POP });
        assert_eq!((funds(&money, 1), funds(&money, 2)), ((100, 0), (0, 0)));
        assert_eq!((money.supply(POP).minted.value(), events.len()), (100, 0));
    }

    #[test]
    fn held_money_is_not_available_and_the_other_way_round() {
        let (one, two) = (address(1), address(2));
        let mut money = with_100();
        let mut post = |posting| money.post(&[posting], &mut Vec::new());
        assert!(post(posting(1, Side::Held(one), Side::Available(two))).is_err());
        post(posting(100, Side::Available(one), Side::Held(one))).unwrap();
        assert!(post(posting(1, Side::Available(one), Side::Available(two))).is_err());
        assert!(post(posting(101, Side::Held(one), Side::Available(two))).is_err());
        post(posting(100, Side::Held(one), Side::Available(two))).unwrap();
        assert_eq!((funds(&money, 1), funds(&money, 2)), ((0, 0), (100, 0)));
    }

    #[test]
    fn the_supply_has_an_end_even_after_burning() {
        let mut money = with_100();
        let to = Side::Available(address(2));
        let too_much = posting(u64::MAX - 99, Side::Issuer, to);
        let exceeded = Err(MoneyRejection::SupplyExceeded { asset: POP });
        assert_eq!(money.post(&[too_much], &mut Vec::new()), exceeded);
        money.post(&[posting(u64::MAX - 100, Side::Issuer, to)], &mut Vec::new()).unwrap();
        money.post(&[posting(50, to, Side::Issuer)], &mut Vec::new()).unwrap();
        assert_eq!(money.post(&[posting(1, Side::Issuer, to)], &mut Vec::new()), exceeded);
    }

    #[test]
    fn nothing_is_no_change() {
        let mut money = with_100();
        let mut events = Vec::new();
        money.post(&[posting(0, Side::Held(address(3)), Side::Issuer)], &mut events).unwrap();
        assert_eq!((events.len(), money.balances.find(&(address(3), POP))), (0, None));
    }
}
