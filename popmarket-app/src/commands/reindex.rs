//! `popmarket reindex`: makes the read model anew from the blocks of a node that is stopped, or says whether it has to be.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Height;
use pbft_crypto::Digest;
use serde_json::json;

use super::{CommandError, start_logging, web::DatabaseArg};
use crate::{
    config::{DatabasePlace, LoadedNode},
    load::TemporaryFolder,
    projector::{Projector, ProjectorError},
    read_model::{ReadError, ReadModel},
    service::{LedgerService, LedgerView},
    store::{StoreError, StoreOptions},
};

/// How often the bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Whose tables.
#[derive(Debug, Args)]
pub(super) struct ReindexArgs {
    /// The folder of a market that `popmarket` runs by itself
    #[arg(long, default_value = "popmarket-data", conflicts_with = "config")]
    data: PathBuf,
    /// The file of a node
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArg,
    /// Change nothing: make the tables in a temporary place, and compare
    #[arg(long)]
    check: bool,
    /// Print JSON instead of words
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ReindexArgs) -> Result<(), CommandError> {
    start_logging("warn");
    let file = args.config.clone().unwrap_or_else(|| args.data.join("node-0").join("node.toml"));
    let mut node = LoadedNode::load(&file)?;
    args.database.apply(&mut node)?;
    let blocks = Blocks::open(&node)?;
    if args.check {
        return check(&blocks, &node.read_model, args.json).await;
    }
    let started = Instant::now();
    let (model, resumed) = begin(&blocks, &node.read_model).await?;
    if resumed && !args.json {
        complain!("goes on with what was begun before");
    }
    blocks.fill(&model).await?;
    model.set_being_rebuilt(false).await?;
    let digest = model.digest().await?;
    model.close().await;
    report(&blocks, &node.read_model, digest, started.elapsed(), args.json)
}

/// The stored blocks of a node that does not run.
struct Blocks {
    view: LedgerView,
    height: Height,
}

impl Blocks {
    fn open(node: &LoadedNode) -> Result<Self, CommandError> {
        let folder = node.data.join("ledger");
        if !folder.exists() {
            return Err(CommandError::Usage(format!("there are no blocks in {}", folder.display())));
        }
        let service = LedgerService::open(&folder, &node.genesis, &StoreOptions::default());
        let service = service.map_err(|error| match error {
            StoreError::InUse => {
                CommandError::Usage(format!("a node uses {}: stop it first", folder.display()))
            }
            error => CommandError::failed("the blocks cannot be read", error),
        })?;
        let view = service.view();
        let height = view.read(ledger::Ledger::height);
        Ok(Self { view, height })
    }

    /// Brings a read model up to the last block, and shows how far it is.
    async fn fill(&self, model: &ReadModel) -> Result<(), CommandError> {
        let bar = self.bar();
        let begun = model.watermark().map_or(0, |mark| mark.height.value());
        bar.set_position(begun);
        bar.reset_eta();
        let projector = Projector::new(self.view.clone(), model.clone()).verifying();
        let reached = projector.fill(|mark| bar.set_position(mark.height.value())).await?;
        bar.finish_and_clear();
        if reached.is_some_and(|mark| mark.height == self.height) {
            return Ok(());
        }
        Err(CommandError::Failed(format!("the blocks end before block {}", self.height)))
    }

    fn bar(&self) -> ProgressBar {
        let style = "{msg} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(self.height.value()).with_style(style).with_message("blocks");
        bar.enable_steady_tick(DRAW_EVERY);
        bar
    }
}

/// A read model to be filled: one that a rebuild has begun with, if there is one, or an empty one.
async fn begin(blocks: &Blocks, place: &DatabasePlace) -> Result<(ReadModel, bool), CommandError> {
    match ReadModel::open_at(place).await {
        Ok(model) => {
            if model.is_being_rebuilt().await? && is_of(&model, blocks).await? {
                return Ok((model, true));
            }
            model.close().await;
        }
        // Whatever else is wrong with it, it is thrown away.
        Err(error @ (ReadError::InUse(_) | ReadError::Unreachable { .. })) => return Err(error.into()),
        Err(_) => {}
    }
    Ok((ReadModel::begin_anew(place).await?, false))
}

/// Whether what is in it is of these blocks.
async fn is_of(model: &ReadModel, blocks: &Blocks) -> Result<bool, CommandError> {
    match Projector::new(blocks.view.clone(), model.clone()).check().await {
        Ok(()) => Ok(true),
        Err(ProjectorError::Model(ReadError::OtherChain)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn report(
    blocks: &Blocks,
    place: &DatabasePlace,
    digest: Digest,
    took: Duration,
    as_json: bool,
) -> Result<(), CommandError> {
    let (chain, height) = blocks.view.read(|ledger| (*ledger.chain_id(), ledger.height()));
    if as_json {
        let value = json!({
            "chain_id": chain,
            "database": place.to_string(),
            "height": height,
            "digest": digest,
            "seconds": took.as_secs_f64(),
        });
        return say!("{value}");
    }
    say!("chain    {chain}")?;
    say!("database {place}")?;
    say!("height   {height}, in {took:.1?}")?;
    say!("digest   {digest}")
}

async fn check(blocks: &Blocks, place: &DatabasePlace, as_json: bool) -> Result<(), CommandError> {
    let folder = TemporaryFolder::new("popmarket-reindex");
    let folder = folder.map_err(|error| CommandError::failed("no folder", error))?;
    // Opening it would begin one.
    if let DatabasePlace::Sqlite(file) = place
        && !file.exists()
    {
        return Err(CommandError::Failed(format!("there is no database {place}: nothing to check")));
    }
    let started = Instant::now();
    let here = ReadModel::open_at(place).await?;
    let fresh = ReadModel::open(&folder.path().join("read-model.db")).await?;
    blocks.fill(&fresh).await?;
    let difference = here.first_difference(&fresh).await?;
    let digest = fresh.digest().await?;
    here.close().await;
    fresh.close().await;
    let Some(difference) = difference else {
        report(blocks, place, digest, started.elapsed(), as_json)?;
        if !as_json {
            say!("         it is what the blocks say")?;
        }
        return Ok(());
    };
    if as_json {
        mention!("{}", json!({ "database": place.to_string(), "difference": difference.to_string() }));
    }
    Err(CommandError::Failed(format!("{place} differs from what the blocks say: {difference}")))
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::InUse(_) => Self::Usage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ProjectorError> for CommandError {
    fn from(error: ProjectorError) -> Self {
        Self::Failed(error.to_string())
    }
}
