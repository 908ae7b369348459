//! One test for each rule of docs/PROTOCOL.md and for each mistake listed there, named by its number.
//!
//! [`stage`] holds one replica and plays all others by hand, with real keys; [`cluster`] holds a whole cluster.

mod cluster;
mod stage;

mod batching;
mod checkpoints;
mod diagnosis;
mod evidence;
mod log_before_send;
mod requests;
mod restart;
mod retransmission;
mod verification;
mod view_change;
mod votes;
mod window;
