//! Whole nodes on loopback: mutual TLS, durable logs, and a service of the test's own.

mod lost_disk;
mod metrics;
mod poison_batch;
mod reads;
mod reconfiguration;
mod recording;
mod support;
