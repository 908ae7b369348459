//! A receipt shows to anyone that a transaction is on the chain, and what came of it: without the network, without trust
//! in whoever hands it on. All that is needed besides is who the replicas are, which the chain's genesis says.
//!
//! ```text
//! transaction --Merkle path--> tx_root ---\
//! outcome     --Merkle path--> receipts_root --> header --hash--> f + 1 replicas have signed (number, hash)
//! ```
//!
//! Replicas come and go. A receipt for a block that later ones decided has the handovers that lead to them, each signed by a
//! quorum of the set before, so that the first set is still all that has to be known.
//!
//! At most `f` replicas are faulty, so one of `f + 1` is correct, and has executed the batch to exactly this block.
//!
//! # One form
//! A receipt is JSON without white space, with its fields in one order: [`verify`] takes no other bytes than those that
//! [`TransactionReceipt::encode`] writes, and no byte in them is without meaning. So a receipt in which any byte was
//! changed is refused, and two that are equal in what they say are equal in their bytes.
//!
//! # Where
//! Without the feature `native` this crate and all below it are pure Rust and ask nothing of an operating system: it builds for
//! `wasm32-unknown-unknown`, too.

mod build;
mod form;
mod verify;

pub use build::{BuildError, Lineage};
pub use form::{HandoverProof, MAX_RECEIPT_BYTES, ReplicaSignature, TransactionReceipt};
pub use verify::{InvalidReceipt, Proven, Trusted, verify};
