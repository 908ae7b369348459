//! Photos: files named by the SHA-256 of what is in them. The same hash is on the chain.

use std::io;
use std::path::{Path, PathBuf};

use pbft_crypto::{Digest, sha256};
use thiserror::Error;
use tokio::fs;

/// A folder of blobs. Clones share it; several processes may, too.
///
/// | file | what |
/// | --- | --- |
/// | `ab/abcd...` | the blob whose hash is `abcd...` in hex |
#[derive(Clone, Debug)]
pub struct BlobStore {
    folder: PathBuf,
}

/// Why a blob cannot be written or read.
#[derive(Debug, Error)]
pub enum BlobError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// What is in the file is not what was written there.
    #[error("the blob {0} is damaged")]
    Damaged(Digest),
}

impl BlobStore {
    /// In a folder, which is made if need be.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).await.map_err(at(&folder))?;
        Ok(Self { folder })
    }

    /// Keeps a blob for good, and says its hash.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn put(&self, bytes: impl AsRef<[u8]> + Send) -> Result<Digest, BlobError> {
        let hash = sha256(bytes.as_ref());
        let path = self.path_of(&hash);
        let parent = path.parent().unwrap_or(&self.folder);
        if !fs::try_exists(&path).await.map_err(at(&path))? {
            fs::create_dir_all(parent).await.map_err(at(parent))?;
            // In one step, so that nobody finds half of it. The name is used once, so two writers never share a file.
            let draft = parent.join(format!("{hash}.{:032x}", random()));
            write(&draft, bytes.as_ref()).await.map_err(at(&draft))?;
            fs::rename(&draft, &path).await.map_err(at(&path))?;
        }
        // Also for a blob that is there: another writer may have come no further than the new name.
        for folder in [parent, &self.folder] {
            sync_folder(folder).await.map_err(at(folder))?;
        }
        Ok(hash)
    }

    /// A blob, if it is here.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn read(&self, hash: &Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path_of(hash);
        match fs::read(&path).await {
            Ok(bytes) if sha256(&bytes) == *hash => Ok(Some(bytes)),
            Ok(_) => Err(BlobError::Damaged(*hash)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    /// Whether a blob is here.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn contains(&self, hash: &Digest) -> Result<bool, BlobError> {
        let path = self.path_of(hash);
        fs::try_exists(&path).await.map_err(at(&path))
    }

    fn path_of(&self, hash: &Digest) -> PathBuf {
        let name = hash.to_string();
        let folder: String = name.chars().take(2).collect();
        self.folder.join(folder).join(name)
    }
}

async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let mut file = fs::File::create_new(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await
}

/// Names of files are on the disk when their folder is.
async fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder).await?.sync_all().await
}

fn random() -> u128 {
    let mut bytes = [0; 16];
    // A clash without random numbers is an error of `create_new`, not a mixed file.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    |source| BlobError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_is_found_by_its_hash_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobStore::open(folder.path().join("blobs")).await.unwrap();
        let hash = blobs.put(b"a photo").await.unwrap();
        assert_eq!(hash, sha256(b"a photo"));
        assert_eq!(blobs.put(b"a photo".to_vec()).await.unwrap(), hash);
        assert_eq!(blobs.read(&hash).await.unwrap().as_deref(), Some(b"a photo".as_slice()));
        assert!(blobs.contains(&hash).await.unwrap());
        assert!(!blobs.contains(&sha256(b"another")).await.unwrap());
        assert_eq!(blobs.read(&sha256(b"another")).await.unwrap(), None);
        let files = std::fs::read_dir(blobs.path_of(&hash).parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "no drafts are left behind");
    }

    #[tokio::test]
    async fn a_damaged_blob_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobStore::open(folder.path()).await.unwrap();
        let hash = blobs.put(b"a photo").await.unwrap();
        std::fs::write(blobs.path_of(&hash), b"A photo").unwrap();
        assert!(matches!(blobs.read(&hash).await, Err(BlobError::Damaged(damaged)) if damaged == hash));
    }
}
