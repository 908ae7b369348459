//! The simulator's own test run: many seeds, each of them twice the same, and broken hosts that must be caught.

mod determinism;
mod planted;
mod seeds;
mod twins;
