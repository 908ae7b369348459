//! Practical Byzantine fault tolerance (Castro and Liskov, OSDI '99) as a pure state machine.
//!
//! A cluster of `n` replicas executes the same requests in the same order although `f = (n - 1) / 3` of them may
//! do anything at all. This crate is the protocol alone: it opens no socket, reads no clock, starts no thread and
//! touches no disk. One door leads in and one list leads out:
//!
//! ```text
//! Replica::step(now, Input, &mut Vec<Effect>)
//! ```
//!
//! A host feeds [`Input`]s (verified messages, requests, durable log positions, execution results, the timer) and
//! carries out the [`Effect`]s in order. [`pbft-node`](../pbft_node/index.html) is such a host on tokio; the
//! [`local`] module is the smallest one, a whole cluster in one `Vec`.
//!
//! # Embedding it
//!
//! ```
//! use pbft_core::{
//!     Seq,
//!     local::LocalCluster,
//!     service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
//! };
//!
//! /// Adds up the numbers that it is sent.
//! #[derive(Default)]
//! struct Counter(u64);
//!
//! impl Service for Counter {
//!     fn execute(&mut self, batch: &OrderedBatch) -> Executed {
//!         let add = |operation: &[u8]| {
//!             self.0 += u64::from(operation.first().copied().unwrap_or(0));
//!             Outcome::Applied(self.0.to_le_bytes().to_vec())
//!         };
//!         Executed::new(batch.requests.iter().map(|r| r.operation.as_bytes()).map(add).collect())
//!     }
//!     fn checkpoint(&mut self) -> ServiceCheckpoint {
//!         ServiceCheckpoint::from_snapshot(self.0.to_le_bytes().to_vec())
//!     }
//!     fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
//!         let bytes = snapshot.and_then(|bytes| bytes.try_into().ok());
//!         self.0 = bytes.map(u64::from_le_bytes).ok_or(StateLost { seq, why: "no snapshot".into() })?;
//!         Ok(())
//!     }
//!     fn query(&mut self, _: &[u8]) -> Option<Vec<u8>> {
//!         Some(self.0.to_le_bytes().to_vec())
//!     }
//! }
//!
//! let mut cluster = LocalCluster::new(4, Counter::default);
//! assert_eq!(cluster.submit(vec![40]), Some(40u64.to_le_bytes().to_vec()));
//! assert_eq!(cluster.submit(vec![2]), Some(42u64.to_le_bytes().to_vec()));
//! // Looking is not ordered: a quorum shows the same state.
//! assert_eq!(cluster.read(vec![]), Some(42u64.to_le_bytes().to_vec()));
//! ```
//!
//! # Where things are
//!
//! | module | what |
//! | --- | --- |
//! | [`message`], [`wire`], [`verify`] | what replicas say to each other, its bytes, and the way from bytes to trust |
//! | [`replica`] | the state machine, one file for each phase |
//! | [`log`] | what a replica holds between its water marks, and past them for peers that lag |
//! | [`client`] | the client's half of the protocol, also without I/O |
//! | [`recording`] | a replica's life as a file, and living it again |
//! | [`conformance`] | tests for whoever implements a port |
//! | [`crypto`], [`network`], [`storage`], [`service`], [`request_buffer`] | the ports that a host may replace |
//!
//! The rules (`PP-3` and the like) are numbered in the repository's `docs/PROTOCOL.md`.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic
    )
)]

pub mod certificate;
pub mod client;
pub mod client_table;
pub mod config;
pub mod conformance;
pub mod crypto;
pub mod effect;
pub mod error;
pub mod evidence;
pub mod ids;
pub mod input;
pub mod local;
pub mod log;
pub mod message;
pub mod network;
pub mod quorum;
pub mod recording;
pub mod replica;
pub mod request_buffer;
pub mod roster;
pub mod service;
pub mod storage;
pub mod time;
pub mod verify;
pub mod wire;

pub use config::{Config, ValidConfig};
pub use effect::Effect;
pub use ids::{Asker, ClientId, Epoch, ReadNumber, ReplicaId, RequestId, RequestNumber, Seq, View};
pub use input::Input;
pub use message::{Message, Request};
pub use replica::Replica;
pub use time::{Now, UnixMillis};

/// The README's example is compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
