//! The program, as processes.

mod commands;
mod load;
mod members;
mod recording;
mod self_custody;
