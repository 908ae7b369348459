//! What `popmarket` and `popmarket node` take about the web.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{ConfigFileError, DatabaseUrl, LoadedNode};

/// What the operator says about the web, besides what the node's file says.
#[derive(Debug, Args)]
pub(super) struct WebArgs {
    /// Browsers come over TLS, through a proxy in front of the web. Nobody else may reach it: what the proxy says about
    /// where requests come from is believed
    #[arg(long)]
    pub(super) behind_tls: bool,
    /// Webhooks may go to private addresses and over plain HTTP. Members can then make this machine ask services of its own
    /// network
    #[arg(long)]
    allow_private_webhooks: bool,
    /// The key that members' keys are encrypted with, 64 hex digits in a file, to keep it apart from them
    #[arg(long, value_name = "FILE")]
    custody_key: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArg,
}

/// Another database for the read model.
#[derive(Debug, Args)]
pub(super) struct DatabaseArg {
    /// The database of the read model: postgres://USER@HOST:PORT/DATABASE, or a file of SQLite. A password belongs into the
    /// environment or into ~/.pgpass: whoever lists processes reads this one
    #[arg(long, value_name = "URL", env = "POPMARKET_DATABASE", hide_env_values = true)]
    database: Option<DatabaseUrl>,
}

impl DatabaseArg {
    /// Puts it into what was loaded from the node's file.
    pub(super) fn apply(&self, node: &mut LoadedNode) -> Result<(), ConfigFileError> {
        if let Some(url) = &self.database {
            node.read_model = url.place(Path::new(""))?;
        }
        Ok(())
    }
}

impl WebArgs {
    /// Puts it into what was loaded from the node's file.
    pub(super) fn apply(&self, node: &mut LoadedNode) -> Result<(), ConfigFileError> {
        node.behind_tls |= self.behind_tls;
        node.allow_private_webhooks |= self.allow_private_webhooks;
        if let Some(file) = &self.custody_key {
            node.custody_key = Some(file.clone());
        }
        self.database.apply(node)
    }
}
