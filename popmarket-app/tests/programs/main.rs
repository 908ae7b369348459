//! The program, as processes.

mod commands;
mod load;
mod members;
mod self_custody;
