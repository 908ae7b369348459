//! The replicas as a change would leave them, and how they get there.

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::PublicKey;

use super::{
    NewReplica, Replica, ReplicaEdit, ReplicaEvent, ReplicaKey, ReplicaRejection, ReplicaStatus, Replicas,
};
use crate::event::EventKind;
use crate::ids::ReplicaId;
use crate::text::HostPort;
use crate::time::UnixMillis;

/// As many as tolerate one fault.
const FAULT_TOLERANT: usize = 4;

/// Key and address of each one that would take part.
pub(super) type Members = BTreeMap<ReplicaId, NewReplica>;

struct Draft<'a> {
    present: &'a Replicas,
    members: Members,
    new_keys: BTreeSet<PublicKey>,
}

/// Who would take part after a change, or why it cannot be made.
pub(super) fn draft(present: &Replicas, edit: &ReplicaEdit, max: u16) -> Result<Members, ReplicaRejection> {
    let members = members_of(present);
    let before = members.len();
    let mut draft = Draft { present, members, new_keys: BTreeSet::new() };
    match edit {
        ReplicaEdit::Add { replica } => draft.add(replica)?,
        ReplicaEdit::Remove { id } => draft.remove(*id)?,
        ReplicaEdit::Rotate { id, public_key } => draft.rotate(*id, *public_key)?,
        ReplicaEdit::Move { id, address } => draft.relocate(*id, address)?,
        ReplicaEdit::Replace { remove, add } => draft.replace(remove, add)?,
    }
    check_size(before, draft.members.len(), max)?;
    Ok(draft.members)
}

fn members_of(present: &Replicas) -> Members {
    let member = |(id, row): (ReplicaId, &Replica)| {
        (id, NewReplica { public_key: row.public_key, address: row.address.clone() })
    };
    present.members().map(member).collect()
}

/// Removals, one by one, never end in a cluster that a single replica can stop.
fn check_size(before: usize, after: usize, max: u16) -> Result<(), ReplicaRejection> {
    let count = u64::try_from(after).unwrap_or(u64::MAX);
    if after == 0 || (before >= FAULT_TOLERANT && after < FAULT_TOLERANT) {
        return Err(ReplicaRejection::TooFew { count });
    }
    if after > usize::from(max) {
        return Err(ReplicaRejection::TooMany { count, max });
    }
    Ok(())
}

impl Draft<'_> {
    fn add(&mut self, replica: &NewReplica) -> Result<(), ReplicaRejection> {
        self.take_key(replica.public_key)?;
        self.check_address(&replica.address)?;
        let id = self.next_id()?;
        self.members.insert(id, replica.clone());
        Ok(())
    }

    fn remove(&mut self, id: ReplicaId) -> Result<(), ReplicaRejection> {
        self.members.remove(&id).map(drop).ok_or(ReplicaRejection::UnknownReplica { id })
    }

    fn rotate(&mut self, id: ReplicaId, public_key: PublicKey) -> Result<(), ReplicaRejection> {
        if !self.members.contains_key(&id) {
            return Err(ReplicaRejection::UnknownReplica { id });
        }
        self.take_key(public_key)?;
        self.members.entry(id).and_modify(|member| member.public_key = public_key);
        Ok(())
    }

    fn relocate(&mut self, id: ReplicaId, address: &HostPort) -> Result<(), ReplicaRejection> {
        if !self.members.contains_key(&id) {
            return Err(ReplicaRejection::UnknownReplica { id });
        }
        self.check_address(address)?;
        self.members.entry(id).and_modify(|member| member.address = address.clone());
        Ok(())
    }

    fn replace(&mut self, remove: &[ReplicaId], add: &[NewReplica]) -> Result<(), ReplicaRejection> {
        if remove.is_empty() && add.is_empty() {
            return Err(ReplicaRejection::NothingToChange);
        }
        remove.iter().try_for_each(|id| self.remove(*id))?;
        add.iter().try_for_each(|replica| self.add(replica))
    }

    fn take_key(&mut self, key: PublicKey) -> Result<(), ReplicaRejection> {
        if PublicKey::from_sec1_bytes(key.as_bytes()).is_err() {
            return Err(ReplicaRejection::BadKey);
        }
        if self.present.keys.contains(&key) || !self.new_keys.insert(key) {
            return Err(ReplicaRejection::KeyUsed);
        }
        Ok(())
    }

    fn check_address(&self, address: &HostPort) -> Result<(), ReplicaRejection> {
        match self.members.iter().find(|(_, member)| member.address == *address) {
            Some((id, _)) => Err(ReplicaRejection::AddressInUse { id: *id }),
            None => Ok(()),
        }
    }

    /// Above all that were ever given, so that an id never stands for two.
    fn next_id(&self) -> Result<ReplicaId, ReplicaRejection> {
        let given = self.present.rows.last_key().map(|id| ReplicaId::from_bytes(*id));
        let last = given.max(self.members.last_key_value().map(|(id, _)| *id));
        match last {
            Some(last) => last.next().ok_or(ReplicaRejection::NoIdLeft),
            None => Ok(ReplicaId::new(0)),
        }
    }
}

/// Makes the members those of the draft.
pub(super) fn settle(replicas: &mut Replicas, draft: &Members, at: UnixMillis, events: &mut Vec<EventKind>) {
    for id in members_of(replicas).into_keys().filter(|id| !draft.contains_key(id)) {
        if let Some(row) = replicas.find(id).cloned() {
            let row = Replica { status: ReplicaStatus::Left, updated_at: at, ..row };
            replicas.rows.put(id.to_bytes(), row);
            events.push(ReplicaEvent::Left { replica: id, at }.into());
        }
    }
    for (id, seat) in draft {
        match replicas.find(*id).cloned() {
            Some(row) => update(replicas, *id, &row, seat, at, events),
            None => join(replicas, *id, seat, at, events),
        }
    }
}

fn join(
    replicas: &mut Replicas,
    replica: ReplicaId,
    seat: &NewReplica,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    let NewReplica { public_key, address } = seat.clone();
    replicas.keys.put(public_key, ReplicaKey { replica, since: at });
    let status = ReplicaStatus::Active;
    let row = Replica { public_key, address: address.clone(), status, joined_at: at, updated_at: at };
    replicas.rows.put(replica.to_bytes(), row);
    events.push(ReplicaEvent::Joined { replica, public_key, address, at }.into());
}

fn update(
    replicas: &mut Replicas,
    replica: ReplicaId,
    row: &Replica,
    seat: &NewReplica,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    let NewReplica { public_key, address } = seat.clone();
    let (rotated, moved) = (public_key != row.public_key, address != row.address);
    if rotated {
        replicas.keys.put(public_key, ReplicaKey { replica, since: at });
        events.push(ReplicaEvent::KeyRotated { replica, public_key, at }.into());
    }
    if moved {
        events.push(ReplicaEvent::Moved { replica, address: address.clone(), at }.into());
    }
    if rotated || moved {
        replicas.rows.put(replica.to_bytes(), Replica { public_key, address, updated_at: at, ..*row });
    }
}
