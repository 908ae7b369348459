//! The load program: real replicas as processes of their own (mutual TLS, durable logs with fsync), transactions signed
//! beforehand, and answers counted only when `f + 1` replicas agree.
//!
//! Absolute figures of a small machine mean little, so two things are measured in the same run: the time to check one
//! signature, from which the per-signature ceiling follows, and one `fdatasync` of 4 KiB.

mod audit;
mod ceiling;
mod drive;
mod outage;
mod processes;
mod replace;
mod report;
mod workload;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use audit::Audit;
pub use ceiling::Ceiling;
use clap::ValueEnum;
pub use drive::Latencies;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ledger::Params;
use outage::Silence;
use pbft_core::client::ClientConfig;
use pbft_crypto::{KeyPair, PublicKey};
use pbft_node::client::{Client, ClientOptions};
pub use processes::{JOINED, Processes, READY, Usage, free_ports};
pub use report::Report;
use serde::Serialize;
use thiserror::Error;
pub use workload::Workload;

use crate::{
    commands::complain,
    config::ConfigFileError,
    testnet::{Testnet, TestnetPlan},
};

/// What happens to the replicas while payments run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Nothing.
    #[default]
    Steady,
    /// The last backup is killed after a third of the payments and started again after two thirds.
    KillBackup,
    /// All replicas are killed after half of the payments and started again.
    KillAll,
    /// Whoever is primary is killed and started again, once or several times.
    KillPrimary,
    /// Whoever is primary is stopped with its connections open, and goes on later, once or several times.
    PausePrimary,
    /// The last backup is away for all payments under load, and the others keep no batches for it: it takes the ledger over.
    Away,
    /// The last backup is killed after a third of the payments and loses all its data; it is started again after two
    /// thirds. The others keep no batches for it.
    LoseDisk,
    /// As many replicas as may fail, the last ones, are killed after a fifth of the payments, and new ones join in their places.
    Replace,
}

impl Scenario {
    /// Memory for batches that a replica may have missed, if it is not the usual one.
    const fn archive_bytes(self) -> Option<usize> {
        match self {
            Self::Steady
            | Self::KillBackup
            | Self::KillAll
            | Self::KillPrimary
            | Self::PausePrimary
            | Self::Replace => None,
            Self::Away | Self::LoseDisk => Some(0),
        }
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// How many replicas.
    pub replicas: u16,
    /// How many payments under load.
    pub payments: u32,
    /// How many payments one after the other.
    pub sequential: u32,
    /// Between how many accounts.
    pub accounts: u32,
    /// How many are in flight at once.
    pub in_flight: usize,
    /// What happens meanwhile.
    pub scenario: Scenario,
    /// How often the primary is killed or stopped, if that is the scenario.
    pub kills: u32,
    /// How many primaries in a row are, each time: those who would take over as well.
    pub in_a_row: u16,
    /// Where the cluster lives. Must not exist or be empty.
    pub folder: PathBuf,
    /// The program that runs a replica.
    pub program: PathBuf,
    /// Whether to show progress.
    pub progress: bool,
}

/// Why a run has no result.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The cluster cannot be laid out.
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    /// A replica's process cannot be started or does not answer.
    #[error("replica {replica}: {why}")]
    Process {
        /// Which replica.
        replica: u16,
        /// What is wrong.
        why: String,
    },
    /// Something about files or the system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The client cannot start.
    #[error("the client cannot start: {0}")]
    Client(String),
    /// The replicas do not agree in the end.
    #[error("the replicas did not reach one state within {limit:?}: {seen}")]
    NoCommonState {
        /// How long was waited.
        limit: Duration,
        /// What they report.
        seen: String,
    },
    /// A replica that was killed or stopped does not catch up.
    #[error("a replica is not back after {limit:?}: {seen}")]
    NotBack {
        /// How long was waited.
        limit: Duration,
        /// How far each is.
        seen: String,
    },
    /// The payments came to their end before the primaries did.
    #[error(
        "the payments were over after {done} of {kills} kills: give more --payments ({enough}, say), or less --in-flight"
    )]
    TooFewPayments {
        /// How often a primary fell silent.
        done: u64,
        /// How often it should have.
        kills: u32,
        /// At this pace so many last for all, with some to spare; but the longer the chain, the longer takes a way back.
        enough: u64,
    },
    /// Something that was acknowledged is missing, or something was executed twice.
    #[error("the chain is wrong: {0}")]
    Audit(String),
}

/// What happened to the replicas.
#[derive(Clone, Debug, Default)]
struct Events {
    /// How long each dead primary kept the cluster from answering.
    outages: Vec<Duration>,
    /// How long each new replica took from the approval to its vote.
    joins: Vec<Duration>,
    /// When a replica that was away was started again.
    back_since: Option<Instant>,
    /// How long it took from then until all reported one state.
    back: Option<Duration>,
}

/// Payments that have no answer after this long count as missed.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// So long the replicas may take to come to one state at the end.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

impl LoadPlan {
    /// Runs it all.
    ///
    /// # Errors
    /// If there is no result, or the result is wrong.
    pub async fn run(&self) -> Result<Report, LoadError> {
        let say = |text: &str| {
            if self.progress {
                complain!("{text}");
            }
        };
        say("measuring one signature check and one fdatasync");
        let ceiling = Ceiling::measure(&self.folder, self.replicas)?;
        say("signing payments");
        let first = processes::free_ports(replace::ports(self.replicas))?;
        let client_key = KeyPair::generate();
        let workload = Workload::accounts(self.accounts);
        let testnet = TestnetPlan {
            folder: self.folder.join("cluster"),
            replicas: self.replicas,
            port: first,
            http_port: (self.scenario == Scenario::Replace).then(|| first.saturating_add(self.replicas)),
            clients: vec![client_key.public_key()],
            accounts: workload.funded(),
            archive_bytes: self.scenario.archive_bytes(),
            params: Params::STANDARD,
            password: None,
        }
        .write()?;
        if self.scenario == Scenario::Replace {
            replace::leave_one_web(&testnet)?;
        }
        let requests = workload.payments(testnet.genesis.chain_id(), self.sequential + self.payments);

        say("starting replicas");
        let mut processes = Processes::start(&self.program, &testnet.node_files).await?;
        let config = ClientConfig {
            give_up_after: GIVE_UP_AFTER,
            max_outstanding: self.in_flight.saturating_mul(2),
            ..ClientConfig::new(self.replicas)
        };
        let (replicas, addresses) = (testnet.cluster.replica_set(), testnet.cluster.addresses());
        let client_public = client_key.public_key();
        let options = ClientOptions::new(testnet.genesis.chain_id(), replicas, addresses, client_key);
        let client = Client::start(&ClientOptions { config, ..options })
            .map_err(|error| LoadError::Client(error.to_string()))?;

        let (one_by_one, together) = requests.split_at(self.sequential as usize);
        let bar = self.bar(one_by_one.len(), "one after the other");
        let sequential = drive::one_after_the_other(&client, one_by_one, &bar).await;
        bar.finish();
        let before = processes.usage();
        let bar = self.bar(together.len(), "under load");
        let started = Instant::now();
        // The last ones show that newcomers do their part.
        let last = if self.scenario == Scenario::Replace { together.len() / 10 } else { 0 };
        let (meanwhile, afterwards) = together.split_at(together.len() - last);
        // A disturbance that fails ends the run: its payments might wait for long.
        let (mut load, mut events) = tokio::try_join!(
            async { Ok(drive::together(&client, meanwhile, self.in_flight, &bar).await) },
            self.disturb(&client, &mut processes, &bar, (&testnet, &client_public))
        )?;
        load.join(drive::together(&client, afterwards, self.in_flight, &bar).await);
        let load = load.finish(started);
        let took = started.elapsed();
        bar.finish();
        let after = processes.usage();
        say("waiting for one state on all replicas");
        let settled = drive::settle(&client, SETTLE_WITHIN).await?;
        events.back = events.back_since.map(|since| since.elapsed());
        let files = processes.running();
        processes.stop().await?;
        say("checking the chains");
        let acknowledged: Vec<_> =
            sequential.acknowledged.iter().chain(&load.acknowledged).copied().collect();
        let audit = Audit::of(&files, &acknowledged)?;
        Ok(Report::new(
            self,
            &ceiling,
            &sequential,
            &load,
            took,
            &Usage::between(&before, &after),
            settled,
            &events,
            audit,
        ))
    }

    fn bar(&self, length: usize, what: &'static str) -> ProgressBar {
        if !self.progress {
            // With its length: whoever watches it must know when it is full.
            let hidden = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
            return hidden.with_finish(indicatif::ProgressFinish::Abandon);
        }
        let style = "{msg:20} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(length as u64).with_style(style).with_message(what)
    }

    fn too_few_payments(&self, done: u64) -> LoadError {
        let (payments, kills) = (u64::from(self.payments), u64::from(self.kills));
        // A quarter more.
        let enough = payments.saturating_mul(kills).saturating_mul(5) / (4 * done.max(1));
        LoadError::TooFewPayments { done, kills: self.kills, enough }
    }

    /// Kills and starts replicas as the scenario says, by the number of payments done.
    async fn disturb(
        &self,
        client: &Client,
        processes: &mut Processes,
        done: &ProgressBar,
        (testnet, client_key): (&Testnet, &PublicKey),
    ) -> Result<Events, LoadError> {
        let mut events = Events::default();
        let payments = u64::from(self.payments);
        let last = usize::from(self.replicas.saturating_sub(1));
        match self.scenario {
            Scenario::Steady => {}
            Scenario::KillBackup => {
                drive::reaches(done, payments / 3).await;
                processes.kill(last).await?;
                drive::reaches(done, payments / 3 * 2).await;
                processes.restart(last).await?;
            }
            Scenario::KillAll => {
                drive::reaches(done, payments / 2).await;
                for replica in 0..=last {
                    processes.kill(replica).await?;
                }
                for replica in 0..=last {
                    processes.restart(replica).await?;
                }
            }
            Scenario::KillPrimary | Scenario::PausePrimary => {
                let silence = match self.scenario {
                    Scenario::PausePrimary => Silence::Stopped,
                    _ => Silence::Killed,
                };
                let in_a_row = usize::from(self.in_a_row);
                for kill in 1..=u64::from(self.kills) {
                    drive::reaches(done, payments * kill / (u64::from(self.kills) + 1)).await;
                    outage::all_are_back(client, processes.len()).await?;
                    // The load goes on meanwhile, so it may be over before the last one, or in the midst of it.
                    let outage =
                        outage::silence_primaries(client, processes, silence, in_a_row, done).await?;
                    events.outages.push(outage.ok_or_else(|| self.too_few_payments(kill - 1))?);
                }
            }
            Scenario::Away => {
                processes.kill(last).await?;
                drive::reaches(done, payments).await;
                events.back_since = Some(Instant::now());
                processes.restart(last).await?;
            }
            Scenario::LoseDisk => {
                drive::reaches(done, payments / 3).await;
                processes.kill(last).await?;
                processes.delete_data(last)?;
                drive::reaches(done, payments / 3 * 2).await;
                events.back_since = Some(Instant::now());
                processes.restart(last).await?;
            }
            Scenario::Replace => {
                drive::reaches(done, payments / 5).await;
                events.joins = replace::replace(testnet, client_key, client, processes).await?;
            }
        }
        Ok(events)
    }
}

/// Removes a folder when it goes out of scope.
#[derive(Debug)]
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes a new one under the system's folder for such things.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(prefix: &str) -> std::io::Result<Self> {
        let name = format!("{prefix}-{}", hex::encode(&KeyPair::generate().public_key().as_bytes()[1..9]));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What is left behind is for the system to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
