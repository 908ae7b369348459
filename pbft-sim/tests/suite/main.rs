//! The simulator's own test run: many seeds, each of them twice the same, and broken hosts that must be caught.

mod determinism;
mod mutants;
mod planted;
mod promises;
mod seeds;
mod tapes;
mod twins;
