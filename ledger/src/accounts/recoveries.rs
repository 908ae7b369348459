//! The recoveries, and what is found among them without reading all.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
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

/// Whose recoveries: an account, the guardian who has asked, and the generation of the guardians.
type Wishes = (Address, Address, u64);

/// The recoveries, and with each change the indexes kept up to date.
#[derive(Default)]
pub(crate) struct Recoveries {
    pub(crate) rows: Table<Recovery>,
    indexes: Indexes,
}

/// Follow from the rows.
#[derive(Default, PartialEq, Eq)]
struct Indexes {
    /// By account: all, and those of each status.
    of: BTreeMap<(Address, Option<&'static str>), BTreeSet<RecoveryPlace>>,
    /// By who has asked, and the status.
    asked: BTreeSet<(Wishes, &'static str, RecoveryId)>,
}

/// The lists of its account that a recovery is in.
fn lists(row: &Recovery) -> [(Address, Option<&'static str>); 2] {
    [None, Some(row.status.code())].map(|code| (row.account, code))
}

/// Its line among what its guardian has asked for.
fn line(id: RecoveryId, row: &Recovery) -> Option<(Wishes, &'static str, RecoveryId)> {
    let asker = row.agreed.first()?.guardian;
    Some(((row.account, asker, row.generation), row.status.code(), id))
}

impl Indexes {
    fn note(&mut self, id: RecoveryId, row: &Recovery) {
        for list in lists(row) {
            self.of.entry(list).or_default().insert(row.place(id));
        }
        self.asked.extend(line(id, row));
    }

    fn forget(&mut self, id: RecoveryId, row: &Recovery) {
        for list in lists(row) {
            if let Entry::Occupied(mut places) = self.of.entry(list) {
                places.get_mut().remove(&row.place(id));
                if places.get().is_empty() {
                    places.remove();
                }
            }
        }
        if let Some(line) = line(id, row) {
            self.asked.remove(&line);
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

    /// Those of an account, of one status if that is said, newest first, after one of them.
    pub(crate) fn after(
        &self,
        account: &Address,
        status: Option<&'static str>,
        after: Option<RecoveryPlace>,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.indexes.of.get(&(*account, status)).into_iter();
        let places = all.flat_map(move |places| places.range((from, Bound::Unbounded)));
        places.filter_map(|(_, id)| Some((*id, self.rows.find(id)?)))
    }

    /// Those of an account, of one status if that is said, that are newer than one of them, from there back to the newest.
    pub(crate) fn before(
        &self,
        account: &Address,
        status: Option<&'static str>,
        before: RecoveryPlace,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        let to = Bound::Excluded(before);
        let all = self.indexes.of.get(&(*account, status)).into_iter();
        let places = all.flat_map(move |places| places.range((Bound::Unbounded, to)).rev());
        places.filter_map(|(_, id)| Some((*id, self.rows.find(id)?)))
    }

    /// What a guardian has asked for that has this status.
    pub(super) fn asked_for(&self, wishes: Wishes, code: &'static str) -> impl Iterator<Item = RecoveryId> {
        let lines = self.indexes.asked.range((wishes, code, RecoveryId::new(Digest::ZERO))..);
        let such = lines.take_while(move |line| (line.0, line.1) == (wishes, code));
        such.map(|line| line.2)
    }

    pub(super) fn put(&mut self, deadlines: &mut Deadlines, id: RecoveryId, row: Recovery) {
        deadlines.replace(ObjectId::Recovery(id), self.due(&id), row.status.due());
        if let Some(before) = self.rows.find(&id) {
            self.indexes.forget(id, before);
        }
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
