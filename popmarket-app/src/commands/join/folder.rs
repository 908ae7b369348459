//! The folder of a newcomer.
//!
//! What is dangerous about it is one empty file, the mark of a founder (see [`Founder`]): it says that an empty log is a new
//! one, so that the replica votes at once. That is true of a key that was never used, and of no other. So the mark is made
//! together with the key and before it: whoever finds the key makes no mark, whatever else is lost by then. The ledger
//! takes no key and gives no id twice, so nothing that was signed before can be signed differently under them.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ledger::Genesis;
use pbft_crypto::{Digest, KeyPair};
use pbft_node::Founder;

use crate::{
    commands::CommandError,
    config::{
        ClusterFile, ConfigFileError, NodeFile, read_genesis, read_key, write_json, write_key, write_toml,
    },
    introduction::Introduction,
    replica::log_folder,
    service::InvariantChecks,
};

const KEY: &str = "replica.key";
const GENESIS: &str = "genesis.json";
const CLUSTER: &str = "cluster.toml";
const INTRODUCTION: &str = "introduction.json";
const DATA: &str = "data";

/// Everything that a newcomer keeps.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.into())
    }

    /// Written last: once it is there, the replica has an id, and the node may start.
    pub(super) fn node_file(&self) -> PathBuf {
        self.0.join("node.toml")
    }

    /// The key, made if there is none.
    pub(super) fn key(&self) -> Result<KeyPair, CommandError> {
        let path = self.0.join(KEY);
        if !path.exists() {
            self.refuse_others()?;
            let log = log_folder(&self.0.join(DATA));
            let as_error = |source: io::Error| ConfigFileError::Io { path: log.clone(), source };
            Founder::of(&log).mark().map_err(as_error)?;
            write_key(&path, &KeyPair::generate())?;
        }
        Ok(read_key(&path)?)
    }

    /// A folder without a key holds nothing that a newcomer could go on with.
    fn refuse_others(&self) -> Result<(), CommandError> {
        let others = [CLUSTER, GENESIS, "node.toml"].into_iter().find(|name| self.0.join(name).exists());
        let others = others.or_else(|| log_folder(&self.0.join(DATA)).exists().then_some("data/log"));
        others.map_or(Ok(()), |name| {
            Err(CommandError::Usage(format!(
                "{dir} holds {name}, but no {KEY}: it is not the folder of a replica that is to join. Choose another --dir",
                dir = self.0.display()
            )))
        })
    }

    /// The first block that an earlier try left here.
    pub(super) fn genesis(&self) -> Result<Option<Genesis>, CommandError> {
        let path = self.0.join(GENESIS);
        if path.exists() { Ok(Some(read_genesis(&path)?)) } else { Ok(None) }
    }

    pub(super) fn keep_genesis(&self, genesis: &Genesis) -> Result<(), CommandError> {
        Ok(write_json(&self.0.join(GENESIS), genesis)?)
    }

    /// Writes the node's files, which lets it start.
    pub(super) fn finish(
        &self,
        cluster: &ClusterFile,
        introduction: &Introduction,
        id: u16,
        listen: SocketAddr,
        http: Option<SocketAddr>,
    ) -> Result<(), CommandError> {
        write_toml(&self.renewed(CLUSTER)?, cluster)?;
        write_json(&self.renewed(INTRODUCTION)?, introduction)?;
        let file = NodeFile {
            replica: id,
            listen: Some(listen),
            cluster: CLUSTER.into(),
            genesis: GENESIS.into(),
            introduction: Some(INTRODUCTION.into()),
            key: KEY.into(),
            data: DATA.into(),
            check_invariants: InvariantChecks::default(),
            http,
            behind_tls: false,
            allow_private_webhooks: false,
            custody_key: None,
            read_model: None,
            officials: Vec::new(),
        };
        Ok(write_toml(&self.node_file(), &file)?)
    }

    /// The place of a file, without what an earlier try wrote there: where the members were then.
    fn renewed(&self, name: &str) -> Result<PathBuf, CommandError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CommandError::failed(&path.display().to_string(), error))
            }
            _ => Ok(path),
        }
    }
}

/// Refuses a first block that is not the chain's.
pub(super) fn check_chain(genesis: &Genesis, expected: &Digest, of: &str) -> Result<(), CommandError> {
    let found = genesis.chain_id();
    if found == *expected {
        return Ok(());
    }
    Err(CommandError::Usage(format!("the genesis is that of chain {found}, and not of {expected}, {of}")))
}

#[cfg(test)]
mod tests {
    use pbft_core::replica::EmptyLog;

    use super::*;

    fn says(folder: &Folder) -> EmptyLog {
        Founder::of(&log_folder(&folder.0.join(DATA))).empty_log()
    }

    #[test]
    fn only_a_new_key_is_a_founders() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(&temporary.path().join("new"));
        let key = folder.key().unwrap();
        assert_eq!(says(&folder), EmptyLog::New);
        // The node has voted, and lost its disk but for the key.
        fs::remove_dir_all(folder.0.join(DATA)).unwrap();
        assert_eq!(folder.key().unwrap().public_key(), key.public_key());
        assert_eq!(says(&folder), EmptyLog::Lost);
    }

    #[test]
    fn a_crash_before_the_key_is_written_leaves_a_folder_to_go_on_with() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path());
        Founder::of(&log_folder(&folder.0.join(DATA))).mark().unwrap();
        folder.key().unwrap();
        assert_eq!(says(&folder), EmptyLog::New);
    }

    #[test]
    fn the_folder_of_something_else_stays_as_it_is() {
        for name in [CLUSTER, GENESIS, "node.toml", "data/log/1"] {
            let temporary = tempfile::tempdir().unwrap();
            let path = temporary.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "something").unwrap();
            let folder = Folder::new(temporary.path());
            let error = folder.key().unwrap_err().to_string();
            assert!(error.contains("Choose another --dir"), "{error}");
            assert_eq!(says(&folder), EmptyLog::Lost, "{name}");
            assert_eq!(fs::read_to_string(path).unwrap(), "something");
        }
    }
}
