//! Lays out a whole cluster on this machine: keys, genesis, and one file for each node.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use ledger::{Amount, Genesis, GenesisAccount, Name, NewReplica, Params, Role, UnixMillis};
use pbft_crypto::{Address, KeyPair, PublicKey};

use pbft_node::Founder;

use crate::{
    config::{
        ClusterFile, ConfigFileError, NodeFile, OfficialEntry, ReplicaEntry, write_json, write_key,
        write_password, write_toml,
    },
    replica::log_folder,
    service::InvariantChecks,
};

/// Where a node keeps everything, beside its file.
const DATA: &str = "data";

/// What to lay out.
#[derive(Clone, Debug)]
pub struct TestnetPlan {
    /// Where.
    pub folder: PathBuf,
    /// How many replicas.
    pub replicas: u16,
    /// Replica `i` listens on this port plus `i`, on loopback.
    pub port: u16,
    /// The web of node `i` listens on this port plus `i`; without it the nodes are replicas alone.
    pub http_port: Option<u16>,
    /// Keys of clients that may connect, besides the replicas' own.
    pub clients: Vec<PublicKey>,
    /// Accounts with coins from the start, besides two admins and the fee account.
    pub accounts: Vec<(Name, PublicKey, Amount)>,
    /// Memory for batches that peers may have missed; the usual amount if nothing is said.
    pub archive_bytes: Option<usize>,
    /// The rules that operators choose.
    pub params: Params,
    /// What the admins sign in with; a random one for each, in a file beside its key, if none is given.
    pub password: Option<String>,
}

/// What was laid out.
#[derive(Clone, Debug)]
pub struct Testnet {
    /// What all nodes share.
    pub cluster: ClusterFile,
    /// The first block.
    pub genesis: Genesis,
    /// The nodes' files, by replica.
    pub node_files: Vec<PathBuf>,
}

/// The accounts that every testnet has. The last one gets the fees.
const OFFICIALS: [(&str, Role); 6] = [
    ("admin1", Role::Admin),
    ("admin2", Role::Admin),
    ("arbiter1", Role::Arbiter),
    ("arbiter2", Role::Arbiter),
    ("courier", Role::Courier),
    ("fees", Role::Member),
];

impl TestnetPlan {
    /// Writes all files. Never overwrites any.
    ///
    /// # Errors
    /// If something is in the way or cannot be written.
    pub fn write(&self) -> Result<Testnet, ConfigFileError> {
        let keys: Vec<_> = (0..self.replicas).map(|_| KeyPair::generate()).collect();
        let entries = keys.iter().zip(0..).map(|(key, index)| ReplicaEntry {
            public_key: key.public_key(),
            address: loopback(self.port, index),
        });
        let cluster = ClusterFile {
            replicas: entries.collect(),
            clients: self.clients.clone(),
            archive_bytes: self.archive_bytes,
        };
        make_folder(&self.folder)?;
        write_toml(&self.folder.join("cluster.toml"), &cluster)?;
        let officials = self.write_officials()?;
        let genesis = self.genesis(&cluster, &officials)?;
        write_json(&self.folder.join("genesis.json"), &genesis)?;
        let node_files = keys.iter().zip(0..).map(|(key, index)| self.write_node(index, key));
        Ok(Testnet { node_files: node_files.collect::<Result<_, _>>()?, cluster, genesis })
    }

    fn write_officials(&self) -> Result<Vec<GenesisAccount>, ConfigFileError> {
        let folder = self.folder.join("accounts");
        make_folder(&folder)?;
        let write = |(name, role): (&str, Role)| {
            let key = KeyPair::generate();
            write_key(&folder.join(format!("{name}.key")), &key)?;
            let password = self.password.clone().unwrap_or_else(random_password);
            write_password(&folder.join(format!("{name}.password")), &password)?;
            let name = self.name(name)?;
            Ok(GenesisAccount { name, public_key: key.public_key(), role, coins: Amount::ZERO })
        };
        OFFICIALS.into_iter().map(write).collect()
    }

    fn name(&self, text: &str) -> Result<Name, ConfigFileError> {
        Name::new(text).map_err(|error| self.malformed(error))
    }

    fn malformed(&self, error: ledger::TextError) -> ConfigFileError {
        ConfigFileError::Malformed { path: self.folder.join("genesis.json"), why: error.to_string() }
    }

    fn genesis(
        &self,
        cluster: &ClusterFile,
        officials: &[GenesisAccount],
    ) -> Result<Genesis, ConfigFileError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fee_account = officials.last().map(GenesisAccount::address);
        let members = self.accounts.iter().map(|(name, public_key, coins)| GenesisAccount {
            name: name.clone(),
            public_key: *public_key,
            role: Role::Member,
            coins: *coins,
        });
        let replicas = cluster.replicas.iter().map(|replica| {
            let address = replica.address.to_string().parse().map_err(|error| self.malformed(error))?;
            Ok::<_, ConfigFileError>(NewReplica { public_key: replica.public_key, address })
        });
        Ok(Genesis {
            chain: self.name("popmarket-testnet")?,
            time: UnixMillis::new(u64::try_from(now.as_millis()).unwrap_or(0)),
            fee_account: fee_account.unwrap_or(Address::from_bytes([0; 32])),
            params: self.params.clone(),
            accounts: officials.iter().cloned().chain(members).collect(),
            replicas: replicas.collect::<Result<_, _>>()?,
        })
    }

    fn write_node(&self, index: u16, key: &KeyPair) -> Result<PathBuf, ConfigFileError> {
        let folder = self.folder.join(format!("node-{index}"));
        make_folder(&folder)?;
        write_key(&folder.join("replica.key"), key)?;
        // The first node's web signs for the officials.
        let officials = if index == 0 && self.http_port.is_some() { OFFICIALS.as_slice() } else { &[] };
        let officials = officials.iter().map(|(name, _)| OfficialEntry {
            name: (*name).to_owned(),
            key: format!("../accounts/{name}.key").into(),
            password: format!("../accounts/{name}.password").into(),
        });
        let path = folder.join("node.toml");
        let file = NodeFile {
            replica: index,
            listen: None,
            cluster: "../cluster.toml".into(),
            genesis: "../genesis.json".into(),
            introduction: None,
            key: "replica.key".into(),
            data: DATA.into(),
            check_invariants: InvariantChecks::default(),
            http: self.http_port.map(|port| loopback(port, index)),
            behind_tls: false,
            allow_private_webhooks: false,
            custody_key: None,
            read_model: None,
            officials: officials.collect(),
        };
        write_toml(&path, &file)?;
        let data = folder.join(DATA);
        let as_error = |source| ConfigFileError::Io { path: data.clone(), source };
        // The replica has never voted. Who loses its data folder later finds no such mark.
        Founder::of(&log_folder(&data)).mark().map_err(as_error)?;
        Ok(path)
    }
}

/// 96 random bits.
pub(crate) fn random_password() -> String {
    hex::encode(&KeyPair::generate().secret_bytes()[..12])
}

fn loopback(port: u16, index: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port.saturating_add(index)).into()
}

fn make_folder(path: &Path) -> Result<(), ConfigFileError> {
    let as_error = |source: io::Error| ConfigFileError::Io { path: path.into(), source };
    fs::create_dir_all(path).map_err(as_error)
}
