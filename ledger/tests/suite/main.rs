//! The ledger seen from outside.

mod accounts;
mod chain;
mod charges;
mod deadlines;
mod envelope;
mod exchange;
mod exchange_model;
mod genesis;
mod listings;
mod model;
mod network_model;
mod payments;
mod random;
mod replicas;
mod restore;
mod token_model;
mod tokens;
mod trades;
mod vectors;
mod world;
