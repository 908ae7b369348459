//! `cargo run --release -p pbft-sim -- run --seeds 10000`

use std::process::ExitCode;

fn main() -> ExitCode {
    pbft_sim::cli::main()
}
