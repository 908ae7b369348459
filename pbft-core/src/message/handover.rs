//! HANDOVER: one replica set hands the cluster over to the next, at a checkpoint.

use std::sync::Arc;

use pbft_crypto::{Digest, Domain, Hasher};
use serde::{Deserialize, Serialize};

use super::Checkpoint;
use crate::{
    certificate::Certificate,
    config::ReplicaSet,
    ids::{Epoch, Seq},
    time::UnixMillis,
};

/// Replicas that take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Who.
    pub replicas: ReplicaSet,
    /// They decide on the numbers past this checkpoint.
    pub after: Seq,
}

/// Who decides at a checkpoint, and who will: part of the replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// How often the replicas have changed.
    pub epoch: Epoch,
    /// The name of the present set.
    pub replicas: Digest,
    /// The change that was ordered and has not taken effect.
    pub next: Option<Change>,
    /// What the service asks for; it may have to wait for `next`.
    pub wanted: Option<Arc<ReplicaSet>>,
}

/// What the digest of a checkpoint is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSummary {
    /// The last number executed.
    pub seq: Seq,
    /// The time of its batch.
    pub time: UnixMillis,
    /// When the service next falls due.
    pub wake_at: Option<UnixMillis>,
    /// The name of the service's state.
    pub service: Digest,
    /// Whether that state is a snapshot, left to the log.
    pub snapshot: bool,
    /// The names of the encoded client table's chunks ([`crate::client_table::chunk_digests`]).
    pub clients: Vec<Digest>,
    /// Who decides.
    pub membership: Membership,
}

const STATE_DOMAIN: Domain = Domain::new("pbft/state/v3");

impl StateSummary {
    /// CK-1: what a checkpoint vote is about.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Self { seq, time, wake_at, service, snapshot, clients, membership } = self;
        let mut hasher = Hasher::new(STATE_DOMAIN);
        hasher.update_u64(seq.value());
        hasher.update_u64(time.value());
        hasher.update(&[u8::from(wake_at.is_some())]);
        hasher.update_u64(wake_at.unwrap_or_default().value());
        hasher.update(service.as_bytes());
        hasher.update(&[u8::from(*snapshot)]);
        hasher.update_u64(clients.len() as u64);
        for chunk in clients {
            hasher.update(chunk.as_bytes());
        }
        hasher.update_u64(membership.epoch.value());
        hasher.update(membership.replicas.as_bytes());
        // Numbers after which sets take over are never 0.
        let (after, replicas) = match &membership.next {
            None => (Seq::ZERO, Digest::ZERO),
            Some(change) => (change.after, change.replicas.digest()),
        };
        hasher.update_u64(after.value());
        hasher.update(replicas.as_bytes());
        let wanted = membership.wanted.as_ref().map(|wanted| wanted.digest());
        hasher.update(wanted.unwrap_or(Digest::ZERO).as_bytes());
        hasher.finish()
    }
}

/// The last checkpoint of an epoch: its replicas certify who takes over. It convinces everyone who knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// A quorum of the replicas that hand over signed the state.
    pub certificate: Certificate<Checkpoint>,
    /// What they signed, in which the change stands.
    pub summary: StateSummary,
}

impl Handover {
    /// The epoch that ends.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.summary.membership.epoch
    }

    /// RE-4: the change, if the certified state has one that takes effect right here.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        let (certified, summary) = (&self.certificate.statement, &self.summary);
        let fits = certified.seq == summary.seq && certified.digest == summary.digest();
        summary.membership.next.as_ref().filter(|change| fits && change.after == summary.seq)
    }
}
