//! POP Market: a second-hand marketplace on a Byzantine-fault-tolerant ledger.
//!
//! The thin application: it wires the crates together and holds no business rule of its own.
//!
//! ```text
//! HTTP -> gateway -> consensus -> service (ledger + store) -> blocks -> projector -> read model (SQL) -> HTTP
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`service`] | the replicated service: the ledger, made durable by [`store`] |
//! | [`projector`], [`read_model`] | what the blocks say, as SQL: can be dropped and rebuilt |
//! | [`gateway`] | signs for members, submits, waits for what came of it |
//! | [`accounts_db`] | what does not belong on a chain: passwords, sessions, idempotency keys |
//! | [`blobs`] | photos, by the hash that is on the chain |
//! | [`api`] | the web of a running market, for the commands that ask one |
//! | [`directory`] | where the replicas are, by the ledger's address book |
//! | [`webhooks`] | tells members' own programs what happens |
//! | [`demo`] | a small market to try things with |

// It panics if standard error is gone: see `complain!`.
#![warn(clippy::print_stderr)]

pub mod accounts_db;
pub mod api;
pub mod blobs;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod directory;
pub mod gateway;
pub mod http;
pub mod introduction;
pub mod load;
pub mod market;
pub mod pages;
pub mod projector;
pub mod read_model;
pub mod replica;
pub mod service;
mod sql;
pub mod store;
#[cfg(test)]
mod testing;
pub mod testnet;
pub mod webhooks;
