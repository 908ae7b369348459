//! The ledger seen from outside.

mod accounts;
mod chain;
mod charge_policy;
mod charges;
mod deadlines;
mod envelope;
mod genesis;
mod identity_model;
mod keys;
mod listings;
mod model;
mod network_model;
mod payments;
mod random;
mod recovery;
mod replicas;
mod restore;
mod spending;
mod trades;
mod treasury_model;
mod vectors;
mod withdrawals;
mod world;
