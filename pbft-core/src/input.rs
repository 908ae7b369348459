//! Everything that can happen to a replica.

use crate::{
    ids::{Asker, ReplicaId},
    message::{Message, Read, Request},
    request_buffer::Lane,
    service::{Executed, ServiceAnswer, ServiceCheckpoint},
    storage::Durable,
    verify::Verified,
};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The host is up: the first input of each life.
    Start,
    /// Another replica sent this.
    Message {
        /// Who sent it (not always who signed it).
        from: ReplicaId,
        /// What, after the checks of [`crate::verify`].
        message: Verified<Message>,
    },
    /// A client sent this, directly or through this node.
    Request {
        /// The lane that the service's admission chose.
        lane: Lane,
        /// What, after admission.
        request: Verified<Request>,
    },
    /// The log is durable up to here.
    Durable(Durable),
    /// The service has executed the batch of [`Effect::Execute`](crate::Effect::Execute).
    Executed {
        /// What came of it.
        executed: Executed,
        /// The service's state after it, if the effect asked for it.
        checkpoint: Option<ServiceCheckpoint>,
    },
    /// The service's answer to [`Effect::Ask`](crate::Effect::Ask).
    Answered(ServiceAnswer),
    /// A client asks about the state.
    Read {
        /// Who: the same client under one name as long as it may still get answers to what it asked before.
        asker: Asker,
        /// What. Questions are not signed: whoever may connect may ask.
        read: Read,
    },
    /// The time of the last [`Effect::SetTimer`](crate::Effect::SetTimer) has come.
    Timer,
}
