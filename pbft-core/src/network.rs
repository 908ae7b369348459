//! The port to the network.

use crate::{ids::ReplicaId, message::Message};

/// Carries messages to other replicas. It may lose, delay, repeat and reorder them.
///
/// # To be correct
/// * Neither call waits: what cannot be queued within the implementation's bounds is dropped. Replicas send again what
///   matters.
/// * What is handed to [`Replica::step`](crate::Replica::step) as coming from a replica did come from it (mutual TLS,
///   say). A wrong sender costs no safety, since votes are signed; it lets one replica speak of another's progress.
pub trait Network {
    /// Sends to one replica.
    fn send(&mut self, to: ReplicaId, message: &Message);

    /// Sends to all others.
    fn broadcast(&mut self, message: &Message);
}
