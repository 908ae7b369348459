//! `popmarket tx`: transactions that are made and signed on this computer.
//!
//! Each kind of business has a file with its commands, each of which becomes an operation of the ledger. Whether it may be
//! done is for the ledger to say.

mod accounts;
mod chain;
mod exchange;
mod look;
mod market;
mod money;
mod polls;
mod receipts;
mod replicas;
mod send;
mod tokens;
mod trades;
mod values;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledger::{Operation, TradeState, TxId, UnixMillis};
use pbft_crypto::{Address, Digest};

use super::{
    CommandError,
    answer::{Answer, give},
    wallet::{KeyFolder, KeyFolderArgs, PassphraseArgs, WalletName},
};
use crate::api::Api;

/// What to do, and how.
#[derive(Debug, Args)]
pub(super) struct TxArgs {
    #[command(subcommand)]
    command: TxCommand,
    #[command(flatten)]
    how: How,
}

/// What all transactions have in common.
#[derive(Debug, Args)]
struct How {
    /// The web of a market
    #[arg(
        long,
        visible_alias = "url",
        env = "POPMARKET_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        global = true
    )]
    api: String,
    /// The wallet that signs; needed only if there are several and none is called `default`
    #[arg(long, value_name = "NAME", global = true)]
    wallet: Option<WalletName>,
    #[command(flatten)]
    folder: KeyFolderArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The account that does it, if it is not the one that began with the wallet's key
    #[arg(long, value_name = "ADDRESS", global = true)]
    sender: Option<Address>,
    /// The chain that it must be: else the market is believed the first time, and held to it from then on
    #[arg(long, value_name = "HEX", global = true)]
    chain_id: Option<Digest>,
    /// The account's number for the transaction, instead of asking the market for the next one
    #[arg(long, global = true)]
    nonce: Option<u64>,
    /// How long it may be recorded, as in 90s, 10m, 2h or 7d
    #[arg(long, value_name = "SPAN", default_value = "10m", global = true)]
    valid_for: values::Span,
    /// How many seconds to wait until it is recorded
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=25), global = true)]
    wait: u32,
    /// Print the transaction without signing or sending it
    #[arg(long, global = true)]
    dry_run: bool,
    /// Keep the replicas' receipt in a new file: see `popmarket verify-receipt`
    #[arg(long, value_name = "FILE", global = true)]
    receipt: Option<PathBuf>,
    /// Print one JSON object instead of words
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum TxCommand {
    #[command(flatten)]
    Make(Kind),
    /// Do anything that the ledger knows, from a file with the `operation` of what `--dry-run --json` prints
    Operation {
        /// JSON; - is standard input
        file: PathBuf,
    },
    /// Send what `popmarket wallet sign` has signed; again, if need be: it is recorded once
    Submit {
        /// Hex; - is standard input
        file: PathBuf,
    },
    /// Show a transaction, and what came of it
    Show {
        /// Which
        tx_id: TxId,
    },
    /// Show the latest transactions
    List {
        /// Only those that this account sent, or that changed something of it
        #[arg(long, value_name = "ADDRESS")]
        account: Option<Address>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Show the latest purchases and sales of an account: yours, if none is named
    Trades {
        /// Whose
        #[arg(long, value_name = "ADDRESS")]
        account: Option<Address>,
        /// Only those in this state, such as FUNDED, SHIPPED or RELEASED
        #[arg(long, value_parser = values::trade_state)]
        state: Option<TradeState>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
}

/// Everything that becomes an operation.
#[derive(Debug, Subcommand)]
enum Kind {
    #[command(flatten)]
    Money(money::MoneyKind),
    #[command(flatten)]
    Trade(trades::TradeKind),
    #[command(flatten)]
    Account(accounts::AccountKind),
    /// Have an account topped up
    #[command(subcommand)]
    Charge(money::ChargeKind),
    /// Take money out
    #[command(subcommand)]
    Withdrawal(money::WithdrawalKind),
    /// Offer something for sale
    #[command(subcommand)]
    Listing(market::ListingKind),
    /// Tokens
    #[command(subcommand)]
    Token(tokens::TokenKind),
    /// Buy and sell tokens
    #[command(subcommand)]
    Order(exchange::OrderKind),
    /// Where tokens are bought and sold
    #[command(subcommand)]
    Market(exchange::MarketKind),
    /// Ask many, and vote
    #[command(subcommand)]
    Poll(polls::PollKind),
    /// The keys that sign for an account
    #[command(subcommand)]
    Key(accounts::KeyKind),
    /// Those who can bring an account back whose keys are lost
    #[command(subcommand)]
    Recovery(accounts::RecoveryKind),
    /// Who orders the transactions; for admins
    #[command(subcommand)]
    Replica(replicas::ReplicaKind),
}

/// What an operation is made from, besides what is said on the command line.
#[derive(Clone, Copy, Debug)]
struct Facts<'a> {
    chain_id: Digest,
    sender: Address,
    now: UnixMillis,
    wallets: &'a KeyFolder,
}

impl Kind {
    async fn operation(self, facts: &Facts<'_>, api: &Api) -> Result<Operation, CommandError> {
        match self {
            Self::Trade(trades::TradeKind::Buy(what)) => what.operation(api).await,
            other => other.build(facts),
        }
    }

    /// All that takes no network.
    fn build(self, facts: &Facts<'_>) -> Result<Operation, CommandError> {
        Ok(match self {
            Self::Money(kind) => kind.operation(facts).into(),
            Self::Trade(kind) => kind.operation()?.into(),
            Self::Account(kind) => kind.operation(),
            Self::Charge(kind) => kind.operation().into(),
            Self::Withdrawal(kind) => kind.operation().into(),
            Self::Listing(kind) => kind.operation()?.into(),
            Self::Token(kind) => kind.operation().into(),
            Self::Order(kind) => kind.operation(facts).into(),
            Self::Market(kind) => kind.operation().into(),
            Self::Poll(kind) => kind.operation(facts)?.into(),
            Self::Key(kind) => kind.operation(facts)?.into(),
            Self::Recovery(kind) => kind.operation(facts)?.into(),
            Self::Replica(kind) => kind.operation().into(),
        })
    }
}

pub(super) async fn run(args: TxArgs) -> Result<(), CommandError> {
    let json = args.how.json;
    give(carry_out(args).await, json)
}

async fn carry_out(args: TxArgs) -> Result<Answer, CommandError> {
    let TxArgs { command, how } = args;
    let api = Api::new(&how.api)?;
    match command {
        TxCommand::Make(kind) => send::make(how, &api, send::What::Kind(Box::new(kind))).await,
        TxCommand::Operation { file } => send::make(how, &api, send::What::File(file)).await,
        TxCommand::Submit { file } => send::submit(how, &api, &file).await,
        TxCommand::Show { tx_id } => look::show(&api, tx_id).await,
        TxCommand::List { account, limit } => look::list(&api, account, limit).await,
        TxCommand::Trades { account, state, limit } => {
            let mine = || how.folder.open()?.choose(how.wallet).map(|wallet| wallet.address());
            let account = account.or(how.sender).map_or_else(mine, Ok)?;
            look::trades(&api, account, state, limit).await
        }
    }
}
