//! Small files that are there whole or not at all, readable by their owner only.
//!
//! The bytes are written to a temporary file in the same folder and synced; then the file is renamed and the folder
//! synced. A crash leaves the old state or the new one, at worst with a stray `.wallet-*.tmp` beside it, which nobody
//! reads.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file that must not exist yet: else `AlreadyExists`, and the old one is left alone.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_temporary(path, bytes)?.persist_noclobber(path)?;
    sync_folder(path)
}

/// Writes a file, in place of the old one if there is one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_temporary(path, bytes)?.persist(path)?;
    sync_folder(path)
}

/// Reads a file of at most `max` bytes; of a longer one, one byte more.
pub(crate) fn read(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(max);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Creates a folder that only its owner can enter, unless it exists.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)?;
    sync_folder(path)
}

/// `tempfile` creates with mode 0600.
fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".wallet-").suffix(".tmp").tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the new name of a file last. Folders can be opened on Unix only.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
