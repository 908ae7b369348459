//! The threads around a replica.
//!
//! | thread | does |
//! | --- | --- |
//! | `pbft-verify-*` | decoded messages in, checked inputs out; many at once, senders in turn |
//! | `pbft-replica` | the only one that touches the replica: `step`, and hands its effects out |
//! | `pbft-log` | appends records; one fsync for all that waits |
//! | `pbft-service` | executes batches |

mod events;
mod evidence;
pub(crate) mod fair_source;
pub(crate) mod known_signatures;
pub(crate) mod log_thread;
pub(crate) mod replica_thread;
pub(crate) mod service_thread;
pub(crate) mod verify_threads;
pub(crate) mod waiters;
pub(crate) mod windows;

pub use events::Failure;
pub(crate) use events::{Channels, External, Internal};
