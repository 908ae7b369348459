//! A disk in memory that does what disks do to people: it forgets, tears, rots, fills up and fails.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Disk, MAX_FILE_BYTES};

/// What a medium takes at once. A write that spans several of these may survive a crash in any subset of them.
const SECTOR_BYTES: usize = 512;

/// A disk in memory. Clones are handles to one disk, until its power fails: then only the handle that
/// [`crash`](Self::crash) returns works, as if the process that held the others had died.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    medium: Arc<Mutex<Medium>>,
    /// Which life of the disk this handle belongs to.
    life: u64,
}

#[derive(Debug)]
struct Medium {
    files: BTreeMap<String, MemoryFile>,
    life: u64,
    capacity: usize,
    syncs_left: Option<u64>,
    operations_left: Option<u64>,
    operations: u64,
}

#[derive(Clone, Debug, Default)]
struct MemoryFile {
    /// What is surely on the medium.
    synced: Vec<u8>,
    /// What a reader sees.
    seen: Vec<u8>,
    /// What was written since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
    name_is_synced: bool,
    removed: bool,
}

impl Default for MemoryDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::from_image(BTreeMap::new())
    }

    /// A disk with these files, all of them synced.
    #[must_use]
    pub fn from_image(files: BTreeMap<String, Vec<u8>>) -> Self {
        let on_medium = |bytes: Vec<u8>| MemoryFile {
            synced: bytes.clone(),
            seen: bytes,
            name_is_synced: true,
            ..MemoryFile::default()
        };
        let files = files.into_iter().map(|(name, bytes)| (name, on_medium(bytes))).collect();
        let medium = Medium {
            files,
            life: 0,
            capacity: usize::MAX,
            syncs_left: None,
            operations_left: None,
            operations: 0,
        };
        Self { medium: Arc::new(Mutex::new(medium)), life: 0 }
    }

    /// All files as a reader sees them.
    #[must_use]
    pub fn image(&self) -> BTreeMap<String, Vec<u8>> {
        let medium = self.medium();
        let there = medium.files.iter().filter(|(_, file)| !file.removed);
        there.map(|(name, file)| (name.clone(), file.seen.clone())).collect()
    }

    /// Cuts the power and turns it on again. `survive` is asked once for each piece of at most 512 bytes that was not
    /// synced, and answers how many of its bytes reached the medium; and with 1 for each name that was added or
    /// removed. The order is always the same. Faults end with the crash.
    #[must_use]
    pub fn crash(&self, mut survive: impl FnMut(usize) -> usize) -> Self {
        let mut medium = self.medium();
        medium.files.retain(|_, file| {
            let change_survives = (file.name_is_synced && !file.removed) || survive(1) > 0;
            file.lose_unsynced(&mut survive);
            let there = if file.removed { !change_survives } else { change_survives };
            file.removed = false;
            file.name_is_synced = true;
            there
        });
        medium.begin_life();
        Self { medium: self.medium.clone(), life: medium.life }
    }

    /// Ends the life of all handles without a power cut, as when their process is killed: what was not synced is still
    /// there and still not synced. Faults end with it.
    #[must_use]
    pub fn restart(&self) -> Self {
        let mut medium = self.medium();
        medium.begin_life();
        Self { medium: self.medium.clone(), life: medium.life }
    }

    /// Rots a byte of a file: turns round the bits of `mask`. False if there is no such byte.
    pub fn rot(&self, name: &str, offset: usize, mask: u8) -> bool {
        let mut medium = self.medium();
        let Some(file) = medium.files.get_mut(name) else { return false };
        if let Some(byte) = file.synced.get_mut(offset) {
            *byte ^= mask;
        }
        file.seen.get_mut(offset).map(|byte| *byte ^= mask).is_some()
    }

    /// From now on all files together have at most this many bytes.
    pub fn set_capacity(&self, bytes: usize) {
        self.medium().capacity = bytes;
    }

    /// Fails one sync, after this many more that succeed. It does what file systems do then: what it was to sync stays
    /// readable, but a later sync takes it for done, and so it never reaches the medium.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.medium().syncs_left = Some(syncs);
    }

    /// Fails everything after this many more writes, syncs and removals. The one that fails is half done: what it
    /// wrote or removed counts as unsynced. To be followed by a [`crash`](Self::crash).
    pub fn cut_power_after(&self, operations: u64) {
        self.medium().operations_left = Some(operations);
    }

    /// How many writes, syncs and removals there were since the last crash.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.medium().operations
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The medium, if this handle still has power.
    fn powered(&self) -> io::Result<MutexGuard<'_, Medium>> {
        let medium = self.medium();
        if medium.life == self.life { Ok(medium) } else { Err(power_is_off()) }
    }
}

impl Medium {
    fn begin_life(&mut self) {
        self.life = self.life.saturating_add(1);
        self.capacity = usize::MAX;
        self.syncs_left = None;
        self.operations_left = None;
        self.operations = 0;
    }

    /// Counts a sync: whether it succeeds.
    fn sync_succeeds(&mut self) -> bool {
        let left = self.syncs_left.take();
        self.syncs_left = left.and_then(|left| left.checked_sub(1));
        left != Some(0)
    }

    /// Counts a changing operation: whether it is still carried out.
    fn has_power(&mut self) -> bool {
        self.operations = self.operations.saturating_add(1);
        match &mut self.operations_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut MemoryFile> {
        let file = self.files.get_mut(name).filter(|file| !file.removed);
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free_bytes(&self) -> usize {
        let used = self.files.values().filter(|file| !file.removed).map(|file| file.seen.len()).sum();
        self.capacity.saturating_sub(used)
    }
}

impl MemoryFile {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.seen, offset, bytes);
        self.writes.push((offset, bytes.to_vec()));
    }

    fn sync(&mut self) {
        for (offset, bytes) in self.writes.drain(..) {
            put(&mut self.synced, offset, &bytes);
        }
        self.name_is_synced = true;
    }

    fn lose_unsynced(&mut self, survive: &mut impl FnMut(usize) -> usize) {
        for (mut offset, bytes) in std::mem::take(&mut self.writes) {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let length = rest.len().min(SECTOR_BYTES - offset % SECTOR_BYTES);
                let (piece, behind) = rest.split_at(length);
                let (survivor, _) = piece.split_at(survive(length).min(length));
                put(&mut self.synced, offset, survivor);
                offset += length;
                rest = behind;
            }
        }
        self.seen.clone_from(&self.synced);
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let medium = self.powered()?;
        Ok(medium.files.iter().filter(|(_, file)| !file.removed).map(|(name, _)| name.clone()).collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.powered()?.file(name)?.seen.clone())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut medium = self.powered()?;
        let has_power = medium.has_power();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = offset.saturating_add(bytes.len());
        if end > MAX_FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if medium.files.get(name).is_none_or(|file| file.removed) {
            medium.files.insert(name.to_owned(), MemoryFile::default());
        }
        let free = medium.free_bytes();
        let file = medium.file(name)?;
        let fits = file.seen.len().saturating_add(free).saturating_sub(offset).min(bytes.len());
        file.write(offset, bytes.get(..fits).unwrap_or_default());
        match has_power {
            false => Err(power_is_off()),
            true if fits < bytes.len() => Err(io::ErrorKind::StorageFull.into()),
            true => Ok(()),
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut medium = self.powered()?;
        if !medium.has_power() {
            return Err(power_is_off());
        }
        let succeeds = medium.sync_succeeds();
        let file = medium.file(name)?;
        if !succeeds {
            file.writes.clear();
            return Err(io::Error::other("the medium did not take the bytes"));
        }
        let was_new = !file.name_is_synced;
        file.sync();
        if was_new {
            // The folder was synced for the new name, and with it all removals so far.
            medium.files.retain(|_, file| !file.removed);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut medium = self.powered()?;
        let has_power = medium.has_power();
        medium.file(name)?.removed = true;
        if has_power { Ok(()) } else { Err(power_is_off()) }
    }
}

fn power_is_off() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the power is off")
}

/// Puts bytes into a vector as a file system puts them into a file: a gap is filled with zeros.
fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if content.len() < end && !bytes.is_empty() {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}
