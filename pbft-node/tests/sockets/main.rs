//! Transports and clients over real sockets, against peers that the test plays.

mod client;
mod conformance;
mod net;
mod refusals;
mod transport;
