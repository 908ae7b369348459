//! The ledger seen from outside.

mod accounts;
mod chain;
mod charges;
mod deadlines;
mod envelope;
mod genesis;
mod listings;
mod model;
mod payments;
mod random;
mod restore;
mod trades;
mod vectors;
mod world;
