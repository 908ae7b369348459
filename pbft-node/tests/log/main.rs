//! The durable log against crashes, rot, full disks and other people's files.

mod conformance;
mod crash;
mod faults;
mod files;
mod model;
mod rot;
mod round_trip;
mod torn;
