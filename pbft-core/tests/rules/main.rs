//! One test for each rule of docs/PROTOCOL.md and for each mistake listed there, named by its number.
//!
//! [`stage`] holds one replica and plays all others by hand, with real keys; what they say about views is in
//! [`view_messages`]. [`cluster`] holds a whole cluster.

mod cluster;
mod journal;
mod stage;
mod view_messages;

mod attesting;
mod batching;
mod checkpoints;
mod diagnosis;
mod evidence;
mod fairness;
mod ids;
mod log_before_send;
mod needs;
mod new_view;
mod reading;
mod reconfiguration;
mod requests;
mod restart;
mod retransmission;
mod returning;
mod state_transfer;
mod suspicion;
mod verification;
mod view_change;
mod views;
mod votes;
mod window;
