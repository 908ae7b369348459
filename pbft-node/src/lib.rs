//! Hosts [`pbft_core`] for real: tokio, mutual TLS, a durable log, metrics, and a client.
//!
//! ```text
//! socket -> frame -> decode -> verify (worker threads, many at once) -> Replica::step (one thread)
//!        -> effects: log thread (one fsync for all that waits) | service thread | sockets
//! ```
//!
//! [`Node::start`] brings one replica up; [`client::Client`] talks to a cluster. `examples/cluster.rs` in the
//! repository shows both.

pub mod client;
pub mod config;
pub mod diagnosis;
pub mod disk;
pub mod founder;
mod host;
pub mod log;
pub mod metrics;
pub mod node;
pub mod recorder;
mod sparing;
pub mod tls;
pub mod transport;

pub use client::Client;
pub use config::NodeConfig;
pub use diagnosis::Diagnosis;
pub use founder::Founder;
pub use node::{Application, Node, StartError};
