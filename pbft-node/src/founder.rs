//! Whether an empty log is a new one or a lost one.
//!
//! A file beside the folder of the log, written when a node of a new cluster is laid out, says that the log never held
//! anything. It goes once the first record is durable and before any vote leaves. So whoever finds neither a log nor this
//! file has lost the log, and with it the knowledge of what it voted for.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use pbft_core::replica::EmptyLog;

/// The marker of one node.
#[derive(Debug)]
pub struct Founder {
    path: PathBuf,
}

impl Founder {
    /// The marker that belongs to a log folder.
    #[must_use]
    pub fn of(log_folder: &Path) -> Self {
        let mut name = log_folder.file_name().map_or_else(|| OsString::from("log"), OsString::from);
        name.push(".founder");
        Self { path: log_folder.with_file_name(name) }
    }

    /// Lays the node out as one that never voted. To be done once in its life, before its first start: whoever does it
    /// again after a loss lets the replica contradict itself.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn mark(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create(&self.path)?.sync_all()?;
        self.sync_folder()
    }

    /// What an empty log means.
    #[must_use]
    pub fn empty_log(&self) -> EmptyLog {
        if self.path.exists() { EmptyLog::New } else { EmptyLog::Lost }
    }

    /// The log holds something: it cannot be new any more.
    pub(crate) fn has_a_log(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}
