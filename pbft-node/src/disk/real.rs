//! A folder of the file system.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{Disk, MAX_FILE_BYTES};

const LOCK_FILE: &str = "lock";

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it, or this one has it twice.
    #[error("{folder} is in use by another process")]
    Locked {
        /// Which folder.
        folder: PathBuf,
    },
    /// The system says no.
    #[error("{folder} cannot be opened: {source}")]
    Io {
        /// Which folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Files of one folder, locked against other processes for as long as this value lives.
#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
    /// The file written last, kept open.
    open: Option<(String, File)>,
    /// Whether names were added since the folder was synced.
    new_names: bool,
    /// Unlocked when dropped.
    _lock: File,
}

impl RealDisk {
    /// Opens a folder, and makes it if need be.
    ///
    /// # Errors
    /// If it is in use, or cannot be made or locked.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let folder = folder.as_ref();
        let failed = |source| OpenError::Io { folder: folder.to_path_buf(), source };
        let made = !folder.exists();
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = lock(folder)?;
        // Names that an earlier process added and did not live to sync.
        sync_folder(folder).map_err(failed)?;
        if made && let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent).map_err(failed)?;
        }
        Ok(Self { folder: folder.to_path_buf(), open: None, new_names: false, _lock: lock })
    }

    /// The file's handle, open for writing; made if need be.
    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            let path = self.folder.join(name);
            let file = match OpenOptions::new().write(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.new_names = true;
                    OpenOptions::new().write(true).create_new(true).open(&path)?
                }
                other => other?,
            };
            self.open = Some((name.to_owned(), file));
        }
        match &mut self.open {
            Some((_, file)) => Ok(file),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            names.extend(entry?.file_name().into_string().ok().filter(|name| name != LOCK_FILE));
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = File::open(self.folder.join(name))?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length > MAX_FILE_BYTES {
            let why = format!("{length} bytes: no file of a log is longer than {MAX_FILE_BYTES}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        let mut bytes = Vec::with_capacity(length);
        // It might still grow while it is read.
        file.take(MAX_FILE_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        // On Linux this is fdatasync: it writes the length too, but not the times.
        self.file(name)?.sync_data()?;
        if self.new_names {
            sync_folder(&self.folder)?;
            self.new_names = false;
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open = self.open.take().filter(|(open, _)| open != name);
        fs::remove_file(self.folder.join(name))
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| OpenError::Io { folder: folder.to_path_buf(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Names are on the medium once the folder that holds them is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file; the file system's own journal has to do.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
