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
mod random;
mod replicas;
mod restore;
mod trades;
mod vectors;
mod world;
