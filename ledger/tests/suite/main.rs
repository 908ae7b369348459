//! The ledger seen from outside.

mod accounts;
mod chain;
mod charges;
mod deadlines;
mod envelope;
mod genesis;
mod listings;
mod model;
mod network_model;
mod payments;
mod payments_model;
mod polls;
mod polls_model;
mod random;
mod replicas;
mod restore;
mod trades;
mod two_phase;
mod vectors;
mod world;
