//! The files that describe a cluster and its nodes, as `popmarket testnet` writes them.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::Genesis;
use pbft_core::{Config, ReplicaId, ValidConfig, config::ReplicaSet, error::ConfigError};
use pbft_crypto::{Digest, KeyPair, PublicKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use crate::sql::{DatabasePlace, DatabaseUrl, NotADatabase};
use crate::{accounts_db::Password, introduction::Introduction, market::Official, service::InvariantChecks};

/// What all nodes of a cluster share: the first replicas. Later ones are in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    /// The replicas, by id.
    pub replicas: Vec<ReplicaEntry>,
    /// Keys of clients that may connect, besides the replicas' own.
    #[serde(default)]
    pub clients: Vec<PublicKey>,
    /// Memory of each replica for batches that peers may have missed. Who missed more takes the ledger over instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<usize>,
}

/// One replica of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaEntry {
    /// Its key, for votes and for TLS.
    pub public_key: PublicKey,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What one node needs to know. Paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// Which replica it is.
    pub replica: u16,
    /// Where it listens. One of the first replicas, if this says nothing, where the cluster's file says; any other has to
    /// say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The cluster's file.
    pub cluster: PathBuf,
    /// The ledger's first block.
    pub genesis: PathBuf,
    /// What a newcomer was told about later replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduction: Option<PathBuf>,
    /// The replica's secret key, in hex.
    pub key: PathBuf,
    /// Where log, ledger and tables are kept.
    pub data: PathBuf,
    /// After which blocks the replica checks its whole ledger, and stops if something does not hold: `true` for each one, or
    /// a number for each of so many.
    #[serde(default, skip_serializing_if = "InvariantChecks::are_off")]
    pub check_invariants: InvariantChecks,
    /// Where the web listens; without it the node is a replica alone.
    pub http: Option<SocketAddr>,
    /// Whether browsers come over TLS, through a proxy in front of the web. Only the proxy may reach the web then: what
    /// it says about where requests come from is believed.
    #[serde(default)]
    pub behind_tls: bool,
    /// Whether webhooks may go to private addresses and over plain HTTP. Members can then make this machine ask services of
    /// its own network.
    #[serde(default)]
    pub allow_private_webhooks: bool,
    /// The key that members' keys are encrypted with, in hex; made beside them if this names no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody_key: Option<PathBuf>,
    /// The database of the read model, `postgres://USER@HOST/DATABASE` or a file of SQLite. Without it there is a file below
    /// `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_model: Option<DatabaseUrl>,
    /// Accounts of the first block that sign in at this node's web: its custody takes their keys over.
    #[serde(default)]
    pub officials: Vec<OfficialEntry>,
}

/// An account of the first block that signs in at a node's web.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialEntry {
    /// The account's name.
    pub name: String,
    /// Its secret key, in hex.
    pub key: PathBuf,
    /// What to sign in with.
    pub password: PathBuf,
}

/// A node's file with everything that it points to.
pub struct LoadedNode {
    /// Which replica it is.
    pub id: ReplicaId,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// The cluster.
    pub cluster: ClusterFile,
    /// The first block.
    pub genesis: Genesis,
    /// What it was told about later replicas.
    pub introduction: Introduction,
    /// Where log, ledger and tables are kept.
    pub data: PathBuf,
    /// After which blocks the replica checks its whole ledger.
    pub check_invariants: InvariantChecks,
    /// Where the web listens.
    pub http: Option<SocketAddr>,
    /// Whether browsers come over TLS, through a proxy in front of the web.
    pub behind_tls: bool,
    /// Whether webhooks may go to private addresses and over plain HTTP.
    pub allow_private_webhooks: bool,
    /// The key that members' keys are encrypted with, if it is not beside them.
    pub custody_key: Option<PathBuf>,
    /// The database of the read model.
    pub read_model: DatabasePlace,
    /// Accounts of the first block that sign in at this node's web.
    pub officials: Vec<Official>,
}

/// Where the web of a node keeps its own, below the node's data.
#[must_use]
pub fn web_folder(data: &Path) -> PathBuf {
    data.join("web")
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigFileError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `read_model` names no database.
    #[error("the database of the read model: {0}")]
    Database(#[from] NotADatabase),
    /// Its parts do not fit together.
    #[error("the cluster's configuration: {0}")]
    Protocol(#[from] ConfigError),
    /// The chain begins with others.
    #[error("the cluster's file and the genesis name other replicas, or in another order")]
    OtherReplicas,
    /// A replica that joined later has no place in the cluster's file.
    #[error(
        "replica {replica} is not in the cluster's file, so its own file has to say where it listens: listen = \"ADDRESS:PORT\""
    )]
    NowhereToListen {
        /// Which replica.
        replica: u16,
    },
    /// The key is one of the first replicas', and not this one's.
    #[error("the key is that of replica {owner}, and not of replica {replica}")]
    OthersKey {
        /// Which replica.
        replica: u16,
        /// Whose key it is.
        owner: ReplicaId,
    },
}

impl ClusterFile {
    /// The members.
    #[must_use]
    pub fn replica_set(&self) -> ReplicaSet {
        ReplicaSet::new(self.replicas.iter().map(|replica| replica.public_key).collect())
    }

    /// Where they listen.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|replica| replica.address).collect()
    }

    /// What they agree on. The cluster is named by its chain.
    ///
    /// # Errors
    /// If the parts do not fit together.
    pub fn protocol(&self, chain_id: Digest) -> Result<Arc<ValidConfig>, ConfigError> {
        let mut config = Config::new(chain_id, self.replica_set());
        config.archive_bytes = self.archive_bytes.unwrap_or(config.archive_bytes);
        config.validate().map(Arc::new)
    }
}

impl LoadedNode {
    /// Reads a node's file and all that it points to.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(path: &Path) -> Result<Self, ConfigFileError> {
        let file: NodeFile = read_toml(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let cluster: ClusterFile = read_toml(&folder.join(&file.cluster))?;
        let key = read_key(&folder.join(&file.key))?;
        let officials = file.officials.iter().map(|entry| read_official(folder, entry));
        let listed = cluster.replicas.get(usize::from(file.replica)).map(|listed| listed.address);
        let listen = file.listen.or(listed);
        let listen = listen.ok_or(ConfigFileError::NowhereToListen { replica: file.replica })?;
        // Who joined later, or has a new key, is known to the ledger alone.
        let owner = cluster.replica_set().replica_with(&key.public_key());
        if let Some(owner) = owner.filter(|owner| owner.value() != file.replica) {
            return Err(ConfigFileError::OthersKey { replica: file.replica, owner });
        }
        let genesis = read_genesis(&folder.join(&file.genesis))?;
        // Else the ledger would have these replaced by those.
        if cluster.replica_set().digest() != genesis.replica_set_hash() {
            return Err(ConfigFileError::OtherReplicas);
        }
        let introduction =
            file.introduction.map(|path| Introduction::read(&folder.join(path))).transpose()?;
        let data = folder.join(&file.data);
        let read_model = match &file.read_model {
            Some(url) => url.place(folder)?,
            None => DatabasePlace::Sqlite(web_folder(&data).join("read-model.db")),
        };
        Ok(Self {
            id: ReplicaId::new(file.replica),
            introduction: introduction.unwrap_or_default(),
            listen,
            key: Arc::new(key),
            cluster,
            genesis,
            data,
            check_invariants: file.check_invariants,
            behind_tls: file.behind_tls,
            allow_private_webhooks: file.allow_private_webhooks,
            custody_key: file.custody_key.map(|path| folder.join(path)),
            http: file.http,
            read_model,
            officials: officials.collect::<Result<_, _>>()?,
        })
    }
}

fn read(path: &Path) -> Result<String, ConfigFileError> {
    fs::read_to_string(path).map_err(|source| ConfigFileError::Io { path: path.into(), source })
}

fn malformed(path: &Path, why: impl std::fmt::Display) -> ConfigFileError {
    ConfigFileError::Malformed { path: path.into(), why: format!("{why}") }
}

/// Reads a TOML file.
///
/// # Errors
/// If it cannot be read or is not a `T`.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigFileError> {
    let text = read(path)?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        // Without the line itself: there may be a password in it.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        malformed(path, format!("line {line}: {}", error.message()))
    })
}

/// Reads the file of a chain's first block.
///
/// # Errors
/// If it cannot be read or is none.
pub fn read_genesis(path: &Path) -> Result<Genesis, ConfigFileError> {
    read_json(path)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigFileError> {
    serde_json::from_str(&read(path)?).map_err(|error| malformed(path, error))
}

/// Reads a secret key in hex.
///
/// # Errors
/// If it cannot be read or is no key.
pub fn read_key(path: &Path) -> Result<KeyPair, ConfigFileError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    let mut secret = zeroize::Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(text.trim(), &mut *secret).map_err(|_| malformed(path, "not 64 hex digits"))?;
    KeyPair::from_secret_bytes(&secret).map_err(|error| malformed(path, error))
}

fn read_official(folder: &Path, entry: &OfficialEntry) -> Result<Official, ConfigFileError> {
    let path = folder.join(&entry.password);
    let password = Password::new(read(&path)?.trim_end_matches('\n').to_owned());
    Ok(Official {
        name: entry.name.parse().map_err(|error: ledger::TextError| malformed(folder, error))?,
        key: Arc::new(read_key(&folder.join(&entry.key))?),
        password: password.map_err(|error| malformed(&path, error))?,
    })
}

/// Writes a password, readable by its owner alone. Never overwrites.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_password(path: &Path, password: &str) -> Result<(), ConfigFileError> {
    write(path, format!("{password}\n").as_bytes(), 0o600)
}

/// Writes a secret key in hex, readable by its owner alone. Never overwrites.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_key(path: &Path, key: &KeyPair) -> Result<(), ConfigFileError> {
    let text = zeroize::Zeroizing::new(hex::encode(*key.secret_bytes()) + "\n");
    write(path, text.as_bytes(), 0o600)
}

/// Writes a TOML file. Never overwrites.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_toml<T: Serialize>(path: &Path, value: &T) -> Result<(), ConfigFileError> {
    let text = toml::to_string_pretty(value).map_err(|error| malformed(path, error))?;
    write(path, text.as_bytes(), 0o644)
}

/// Writes a JSON file. Never overwrites.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ConfigFileError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| malformed(path, error))?;
    write(path, text.as_bytes(), 0o644)
}

/// Writes a file that only its owner may read. Never overwrites.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ConfigFileError> {
    write(path, bytes, 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ConfigFileError> {
    let create = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    create().map_err(|source| ConfigFileError::Io { path: path.into(), source })
}
