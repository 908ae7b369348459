//! A deterministic simulator for `pbft-core`: whole clusters on one thread and on virtual time.
//!
//! One number, the seed, decides everything: how large the cluster is, what the network loses, who crashes when and
//! which records survive, what clients ask for, and which replicas are Byzantine. The same seed gives the same run,
//! event by event, on any machine. So a failure that one run in a million shows can be looked at as often as need be.
//!
//! ```text
//! seed -> Plan -> Simulation: one heap of (time, id)
//!                   |  Deliver, Synced, Executed, Timer, Submit, Crash, ...
//!                   v
//!         bytes -> wire::decode -> Verifier -> Replica::step -> effects -> disk, network, service, clients
//!                                                                 |
//!                                                              Checks: after each event
//! ```
//!
//! The replicas are wired as in production: messages are encoded and decoded, checked by the
//! [`Verifier`](pbft_core::verify::Verifier), records wait in a [`disk`] until a sync that takes its time, and a
//! crash takes away what was not synced. A run has two phases. First there are faults. Then the network heals, every
//! replica comes back, and all that was asked must be answered within a bound of virtual time.
//!
//! | module | what |
//! | --- | --- |
//! | [`plan`] | what one seed means |
//! | [`simulation`] | the loop and the hosts of the replicas |
//! | [`agenda`], [`rng`] | virtual time and reproducible chance |
//! | [`network`], [`disk`], [`service`], [`customer`], [`oracle`] | what surrounds the replicas |
//! | [`byzantine`] | replicas that lie, one file for each way to |
//! | [`checks`] | what must hold, one file for each promise |
//! | [`sabotage`] | deliberate defects of the host, which the checks must find: a simulator that finds nothing proves nothing |
//! | [`counters`], [`sweep`], [`report`] | many seeds, and what happened in them |

pub mod agenda;
pub mod byzantine;
pub mod checks;
pub mod cli;
pub mod counters;
pub mod customer;
pub mod disk;
pub mod key_ring;
pub mod mishap;
pub mod mutants;
pub mod network;
pub mod oracle;
pub mod plan;
pub mod report;
pub mod rng;
pub mod sabotage;
pub mod service;
pub mod simulation;
pub mod sweep;
pub mod tape;
pub mod trace;
pub mod twins;

pub use checks::Violation;
pub use plan::Plan;
pub use simulation::{Finished, Simulation};
