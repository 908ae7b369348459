//! The recoveries, and what is found among them without reading all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use pbft_crypto::{Address, Digest};

use super::Recovery;
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::RecoveryId;
use crate::table::{EntryError, Table};
use crate::time::UnixMillis;

/// Where a recovery stands among others: the newest first.
pub type RecoveryPlace = (Reverse<UnixMillis>, RecoveryId);

/// The recoveries, and with each change the indexes kept up to date.
#[derive(Default)]
pub(crate) struct Recoveries {
    pub(crate) rows: Table<Recovery>,
    indexes: Indexes,
}

/// Follow from the rows.
#[derive(Default, PartialEq, Eq)]
struct Indexes {
    /// By account.
    of: BTreeMap<Address, BTreeSet<RecoveryPlace>>,
    /// Those that are not over: account, who has asked, and the generation of the guardians.
    open: BTreeSet<(Address, Address, u64, RecoveryId)>,
}

impl Indexes {
    fn note(&mut self, id: RecoveryId, row: &Recovery) {
        self.of.entry(row.account).or_default().insert(row.place(id));
        if let Some(asker) = row.agreed.first() {
            let line = (row.account, *asker, row.generation, id);
            if row.status.is_open() {
                self.open.insert(line);
            } else {
                self.open.remove(&line);
            }
        }
    }
}

impl Recoveries {
    /// When it takes effect.
    pub(crate) fn due(&self, id: &RecoveryId) -> Option<UnixMillis> {
        self.rows.find(id)?.status.due()
    }

    /// All that run.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (ObjectId, UnixMillis)> {
        self.rows.iter().filter_map(|(id, row)| Some((ObjectId::Recovery(*id), row.status.due()?)))
    }

    /// Those of an account, newest first, after one of them.
    pub(crate) fn after(
        &self,
        account: &Address,
        after: Option<RecoveryPlace>,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.indexes.of.get(account).into_iter();
        let places = all.flat_map(move |places| places.range((from, Bound::Unbounded)));
        places.filter_map(|(_, id)| Some((*id, self.rows.find(id)?)))
    }

    /// Those of an account that are newer than one of them, from there back to the newest.
    pub(crate) fn before(
        &self,
        account: &Address,
        before: RecoveryPlace,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        let to = Bound::Excluded(before);
        let all = self.indexes.of.get(account).into_iter();
        let places = all.flat_map(move |places| places.range((Bound::Unbounded, to)).rev());
        places.filter_map(|(_, id)| Some((*id, self.rows.find(id)?)))
    }

    /// Whether somebody has asked the guardians of this generation for something that is not over.
    pub(super) fn is_asked_for(&self, account: Address, asker: Address, generation: u64) -> bool {
        let lines = self.indexes.open.range((account, asker, generation, RecoveryId::new(Digest::ZERO))..);
        let first = lines.map(|(of, by, under, _)| (*of, *by, *under)).next();
        first == Some((account, asker, generation))
    }

    pub(super) fn put(&mut self, deadlines: &mut Deadlines, id: RecoveryId, row: Recovery) {
        deadlines.replace(ObjectId::Recovery(id), self.due(&id), row.status.due());
        self.indexes.note(id, &row);
        self.rows.put(id, row);
    }

    pub(crate) fn load(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, row) = self.rows.load(key, value)?;
        deadlines.replace(ObjectId::Recovery(id), None, row.status.due());
        self.indexes.note(id, row);
        Ok(())
    }

    /// The indexes are those of the rows.
    pub(crate) fn indexes_are_sound(&self) -> bool {
        let mut anew = Indexes::default();
        for (id, row) in self.rows.iter() {
            anew.note(*id, row);
        }
        anew == self.indexes
    }
}
