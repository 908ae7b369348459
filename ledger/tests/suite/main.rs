//! The ledger seen from outside.

mod accounts;
mod chain;
mod charges;
mod deadlines;
mod disputes;
mod envelope;
mod genesis;
mod listings;
mod model;
mod network_model;
mod payments;
mod random;
mod replicas;
mod restore;
mod review_model;
mod reviews;
mod role_model;
mod roles;
mod stage;
mod trade_model;
mod trades;
mod vectors;
mod world;
