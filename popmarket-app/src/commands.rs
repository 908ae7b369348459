//! The command line.

/// Like `println!`, for what a command is asked to say. Says whether it could: that nobody reads on, as in
/// `popmarket status | head -1`, is no failure.
macro_rules! say {
    ($($words:tt)*) => { $crate::commands::answer::line(format_args!($($words)*)) };
}

/// The same, for what a command says by the way: it goes on all the same if that cannot be written.
macro_rules! mention {
    ($($words:tt)*) => { $crate::commands::answer::or_complain(say!($($words)*)) };
}

/// Like `eprintln!`, but does not panic if nothing can be written there: what a command does matters more.
macro_rules! complain {
    ($($words:tt)*) => { $crate::commands::complaint(format_args!($($words)*)) };
}
pub(crate) use complain;

mod answer;
mod bench;
mod completions;
mod diagnose;
mod failure;
mod join;
mod node;
mod reindex;
mod run;
mod status;
mod testnet;
mod tx;
mod verify_receipt;
mod wallet;
mod web;

use std::{
    fmt,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use futures_util::{FutureExt, future::select_all};

use crate::{market::Market, replica::Replica};
pub use failure::{CommandError, EXIT_FAILED, EXIT_UNKNOWN, EXIT_USAGE};

/// A second-hand marketplace whose money is locked until the buyer confirms, on a ledger that no single party can
/// rewrite.
///
/// Without a command: four replicas on this machine, with demo data, and the web on http://127.0.0.1:8080.
#[derive(Debug, Parser)]
#[command(name = "popmarket", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lay out a cluster on this machine: keys, genesis, and a file for each node
    Testnet(testnet::TestnetArgs),
    /// Run one node of a cluster
    Node(node::NodeArgs),
    /// Show how a market is: its replicas, how far each is, what each waits for
    ///
    /// Exits with 0 if enough replicas answer for it to go on, and with 1 if not.
    Status(status::StatusArgs),
    /// Say in a sentence what is wrong with a market, if anything is
    ///
    /// Exits with 0 if all is well, and with 1 if not.
    Diagnose(diagnose::DiagnoseArgs),
    /// Join a running market with a new replica, and run it
    Join(Box<join::JoinArgs>),
    /// Drop the tables that are made from the blocks, and make them again
    ///
    /// Goes on where it was if it is stopped. Exits with 0 if it is done, and with 1 if not; with --check, with 1 if what is
    /// there differs from what the blocks say.
    Reindex(reindex::ReindexArgs),
    /// Measure a cluster of real processes under load
    Bench(bench::BenchArgs),
    /// Check a receipt for a transaction, without any network
    ///
    /// Exits with 0 if it is valid, with 1 if not, and with 2 if a file cannot be read.
    VerifyReceipt(verify_receipt::VerifyReceiptArgs),
    /// Keep keys on this computer, each in a file under a passphrase
    Wallet(wallet::WalletArgs),
    /// Make a transaction, sign it on this computer, and send it
    ///
    /// Exits with 0 if it is carried out, with 1 if it is refused or fails, with 2 if it cannot be made as asked for, and
    /// with 3 if it is not known yet what comes of it.
    Tx(Box<tx::TxArgs>),
    /// Print what a shell needs to complete these commands
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Runs the command and says how the process should exit.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            None => block_on(run::run(self.run)),
            Some(Command::Testnet(args)) => testnet::run(&args),
            Some(Command::Join(args)) => block_on(join::run(*args)),
            Some(Command::Node(args)) => block_on(node::run(args)),
            Some(Command::Status(args)) => block_on(status::run(args)),
            Some(Command::Diagnose(args)) => block_on(diagnose::run(args)),
            Some(Command::VerifyReceipt(args)) => verify_receipt::run(&args),
            Some(Command::Reindex(args)) => block_on(reindex::run(args)),
            Some(Command::Bench(args)) => block_on(bench::run(args)),
            Some(Command::Wallet(args)) => wallet::run(args),
            Some(Command::Tx(args)) => block_on(tx::run(*args)),
            Some(Command::Completions(args)) => completions::run(&args),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain!("popmarket: {error}");
                ExitCode::from(error.exit_code())
            }
        }
    }
}

/// A line on standard error, if it can be written.
pub(crate) fn complaint(words: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn block_on(command: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| CommandError::Failed(format!("no runtime can be started: {error}")))?;
    let result = runtime.block_on(command);
    // Whatever still runs in the background has nothing more to say.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

/// Logs to standard error: `RUST_LOG` chooses what, `filter` if it is not set.
fn start_logging(filter: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written is lost: to complain about it would end the thread that logs.
    let log = log.log_internal_errors(false);
    // Colours in a file are in the way of whoever searches it. A second call in one process changes nothing.
    let _ = log.with_ansi(std::io::stderr().is_terminal()).try_init();
}

/// Serves until it is asked to stop, or until something has to stop by itself. Stops everything then.
async fn serve(mut replicas: Vec<Replica>, mut market: Option<Market>) -> Result<(), CommandError> {
    let parts = replicas.iter_mut().map(|replica| why_failed(replica).boxed());
    let parts = parts.chain(market.as_mut().map(|market| market.failed().boxed()));
    let failed = tokio::select! {
        () = asked_to_stop() => None,
        (why, ..) = select_all(parts) => Some(why),
    };
    complain!("stopping");
    if let Some(market) = market {
        market.shutdown().await;
    }
    for replica in replicas {
        replica.node.shutdown().await;
    }
    failed.map_or(Ok(()), |why| Err(CommandError::Failed(why)))
}

/// Waits until a replica has to stop by itself.
async fn why_failed(replica: &mut Replica) -> String {
    let mut failure = replica.node.failure();
    match failure.wait_for(Option::is_some).await {
        Ok(failure) => failure.as_ref().map_or_else(String::new, ToString::to_string),
        Err(_) => "the replica's thread ended".into(),
    }
}

/// Until the operator or the system asks the process to end.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
