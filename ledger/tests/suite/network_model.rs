//! The rules about replicas once more, as naively as possible: a list of all that happened to each of them.

use std::collections::BTreeSet;

use ledger::{Genesis, NewReplica, ReplicaEdit, ReplicaOp};
use pbft_crypto::{Address, Digest, PublicKey};

use crate::model::{Outcome, ensure};

/// A replica under its place in the list of all.
#[derive(Clone, Debug)]
pub(crate) struct MReplica {
    /// All keys that it ever had, the present one last.
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) address: String,
    pub(crate) active: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MChange {
    pub(crate) who: Address,
    pub(crate) edit: ReplicaEdit,
    pub(crate) state: &'static str,
}

pub(crate) struct Network {
    max: usize,
    pub(crate) replicas: Vec<MReplica>,
    pub(crate) changes: Vec<(Digest, MChange)>,
}

impl Network {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let replicas = genesis.replicas.iter().map(joining).collect();
        Self { max: usize::from(genesis.params.max_replicas), replicas, changes: Vec::new() }
    }

    pub(crate) fn apply(
        &mut self,
        who: Address,
        admins: &BTreeSet<Address>,
        id: Digest,
        op: &ReplicaOp,
    ) -> Outcome {
        let admin = admins.contains(&who);
        let (change, approve) = match op {
            ReplicaOp::Propose { edit } => {
                ensure(admin, "NOT_ADMIN")?;
                self.after(edit)?;
                self.changes.push((id, MChange { who, edit: edit.clone(), state: "PROPOSED" }));
                return Ok(());
            }
            ReplicaOp::Approve { change } => (change.digest(), true),
            ReplicaOp::Reject { change, .. } => (change.digest(), false),
        };
        let at = self.changes.iter().position(|(id, _)| id == change).ok_or("UNKNOWN_REPLICA_CHANGE")?;
        let MChange { who: proposer, edit, state } = self.changes[at].1.clone();
        ensure(admin, "NOT_ADMIN")?;
        ensure(proposer != who, "OWN_REPLICA_CHANGE")?;
        ensure(state == "PROPOSED", "REPLICA_CHANGE_ALREADY_DECIDED")?;
        if approve {
            ensure(admins.contains(&proposer), "PROPOSER_NOT_ADMIN")?;
            self.replicas = self.after(&edit)?;
        }
        self.changes[at].1.state = if approve { "APPROVED" } else { "REJECTED" };
        Ok(())
    }

    /// All replicas after an edit, on a copy of what there is.
    fn after(&self, edit: &ReplicaEdit) -> Result<Vec<MReplica>, &'static str> {
        let mut all = self.replicas.clone();
        let before = all.iter().filter(|replica| replica.active).count();
        match edit {
            ReplicaEdit::Add { replica } => add(&mut all, replica)?,
            ReplicaEdit::Remove { id } => active(&mut all, id.value())?.active = false,
            ReplicaEdit::Rotate { id, public_key } => {
                active(&mut all, id.value())?;
                ensure(is_point(public_key), "BAD_REPLICA_KEY")?;
                ensure(!has_key(&all, public_key), "REPLICA_KEY_USED")?;
                active(&mut all, id.value())?.keys.push(*public_key);
            }
            ReplicaEdit::Move { id, address } => {
                active(&mut all, id.value())?;
                ensure(!is_taken(&all, address.as_str()), "REPLICA_ADDRESS_IN_USE")?;
                active(&mut all, id.value())?.address = address.as_str().to_owned();
            }
            ReplicaEdit::Replace { remove, add: newcomers } => {
                ensure(remove.len() + newcomers.len() > 0, "NOTHING_TO_CHANGE")?;
                for id in remove {
                    active(&mut all, id.value())?.active = false;
                }
                for replica in newcomers {
                    add(&mut all, replica)?;
                }
            }
        }
        let after = all.iter().filter(|replica| replica.active).count();
        let faults = |n: usize| n.saturating_sub(1) / 3;
        ensure(after > 0 && (faults(before) == 0 || faults(after) > 0), "TOO_FEW_REPLICAS")?;
        ensure(after <= self.max, "TOO_MANY_REPLICAS")?;
        Ok(all)
    }
}

fn joining(replica: &NewReplica) -> MReplica {
    let NewReplica { public_key, address } = replica;
    MReplica { keys: vec![*public_key], address: address.as_str().to_owned(), active: true }
}

fn add(all: &mut Vec<MReplica>, replica: &NewReplica) -> Outcome {
    ensure(is_point(&replica.public_key), "BAD_REPLICA_KEY")?;
    ensure(!has_key(all, &replica.public_key), "REPLICA_KEY_USED")?;
    ensure(!is_taken(all, replica.address.as_str()), "REPLICA_ADDRESS_IN_USE")?;
    all.push(joining(replica));
    Ok(())
}

fn active(all: &mut [MReplica], id: u16) -> Result<&mut MReplica, &'static str> {
    all.get_mut(usize::from(id)).filter(|replica| replica.active).ok_or("UNKNOWN_REPLICA")
}

fn is_point(key: &PublicKey) -> bool {
    PublicKey::from_sec1_bytes(key.as_bytes()).is_ok()
}

fn has_key(all: &[MReplica], key: &PublicKey) -> bool {
    all.iter().any(|replica| replica.keys.contains(key))
}

fn is_taken(all: &[MReplica], address: &str) -> bool {
    all.iter().any(|replica| replica.active && replica.address == address)
}
