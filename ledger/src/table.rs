//! Rows of one kind by their keys, and which of them a block has touched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::codec::{DecodeError, decode, encode};

/// The first byte of a state key: which table it belongs to. The numbers are part of the state's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TableId {
    Accounts = 1,
    Nonces = 2,
    Balances = 3,
    Supplies = 4,
    Charges = 5,
    References = 6,
    Listings = 7,
    Trades = 8,
    Replicas = 9,
    ReplicaKeys = 10,
    ReplicaChanges = 11,
    Reviews = 16,
    Records = 17,
    RoleChanges = 18,
    AccountKeys = 20,
    Guardians = 21,
    Recoveries = 22,
    AutoCharges = 23,
    Withdrawals = 24,
    ChargeRules = 25,
    Freezes = 26,
    SpendingLimits = 27,
    SoleApprovals = 28,
    Tokens = 32,
    Allowances = 33,
    Markets = 36,
    Orders = 37,
    Polls = 44,
    Votes = 45,
    Censuses = 46,
    Payments = 48,
}

impl TableId {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Accounts,
            2 => Self::Nonces,
            3 => Self::Balances,
            4 => Self::Supplies,
            5 => Self::Charges,
            6 => Self::References,
            7 => Self::Listings,
            8 => Self::Trades,
            9 => Self::Replicas,
            10 => Self::ReplicaKeys,
            11 => Self::ReplicaChanges,
            16 => Self::Reviews,
            17 => Self::Records,
            18 => Self::RoleChanges,
            20 => Self::AccountKeys,
            21 => Self::Guardians,
            22 => Self::Recoveries,
            23 => Self::AutoCharges,
            24 => Self::Withdrawals,
            25 => Self::ChargeRules,
            26 => Self::Freezes,
            27 => Self::SpendingLimits,
            28 => Self::SoleApprovals,
            32 => Self::Tokens,
            33 => Self::Allowances,
            36 => Self::Markets,
            37 => Self::Orders,
            44 => Self::Polls,
            45 => Self::Votes,
            46 => Self::Censuses,
            48 => Self::Payments,
            _ => return None,
        })
    }
}

/// The most bytes of a state entry that are read.
const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// A kind of row.
pub(crate) trait Row: Serialize + DeserializeOwned {
    /// What names a row.
    type Key: Serialize + DeserializeOwned + Ord + Clone;
    /// Where it is kept.
    const TABLE: TableId;
}

/// A change of one entry of the state, as a host stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// The key: table number and encoded key.
    pub key: Vec<u8>,
    /// The new encoded row; `None` takes the entry away.
    pub value: Option<Vec<u8>>,
}

/// Why a stored entry is not one of this state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// No table has this number.
    #[error("no table has the number {0:?}")]
    UnknownTable(Option<u8>),
    /// The key cannot be read.
    #[error("the key of an entry: {0}")]
    Key(DecodeError),
    /// The row cannot be read.
    #[error("the value of an entry: {0}")]
    Value(DecodeError),
    /// Two entries have the same key.
    #[error("an entry occurs twice")]
    Duplicate,
}

pub(crate) struct Table<R: Row> {
    rows: BTreeMap<R::Key, R>,
    touched: Vec<R::Key>,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), touched: Vec::new() }
    }
}

impl<R: Row> Table<R> {
    pub(crate) fn find(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)
    }

    pub(crate) fn contains(&self, key: &R::Key) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn put(&mut self, key: R::Key, row: R) {
        self.touched.push(key.clone());
        self.rows.insert(key, row);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&R::Key, &R)> {
        self.rows.iter()
    }

    pub(crate) fn last_key(&self) -> Option<&R::Key> {
        self.rows.last_key_value().map(|(key, _)| key)
    }

    pub(crate) fn range(&self, from: R::Key) -> impl Iterator<Item = (&R::Key, &R)> {
        self.rows.range(from..)
    }

    /// Moves what was touched since the last call to `changes`, each key once, in the order of the keys.
    pub(crate) fn drain_changes(&mut self, changes: &mut Vec<StateChange>) {
        self.touched.sort_unstable();
        self.touched.dedup();
        for key in self.touched.drain(..) {
            let value = self.rows.get(&key).map(encode);
            changes.push(StateChange { key: entry_key::<R>(&key), value });
        }
    }

    /// All rows as a host stores them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.rows.iter().map(|(key, row)| (entry_key::<R>(key), encode(row)))
    }

    /// Takes back a stored entry and shows it. `key` is without the number of the table.
    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(R::Key, &R), EntryError> {
        let key: R::Key = decode(key, MAX_ENTRY_BYTES).map_err(EntryError::Key)?;
        let row: R = decode(value, MAX_ENTRY_BYTES).map_err(EntryError::Value)?;
        match self.rows.entry(key.clone()) {
            std::collections::btree_map::Entry::Vacant(vacant) => Ok((key, vacant.insert(row))),
            std::collections::btree_map::Entry::Occupied(_) => Err(EntryError::Duplicate),
        }
    }
}

pub(crate) fn entry_key<R: Row>(key: &R::Key) -> Vec<u8> {
    let mut bytes = vec![R::TABLE as u8];
    bytes.append(&mut encode(key));
    bytes
}
