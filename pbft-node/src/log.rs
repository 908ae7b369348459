//! The durable log: [`pbft_core::storage::Log`] on files.
//!
//! A log is a row of segment files, each named by its first record's position. A segment is a header and frames; a
//! frame is a record with its length, position and checksum, and the checksum of the frame before. The byte tables
//! are in the repository's `docs/FORMATS.md`, section "Durable log".
//!
//! [`append`](Log::append) only fills a buffer; [`sync`](Log::sync) is one write and one `fdatasync` for all that was
//! appended. A write starts only after the one before it is durable, and the first frame of each write says that it is
//! the first. So such a frame proves that everything before it was durable.
//!
//! # Torn or damaged
//!
//! A crash may leave any part of the *last* write, and nothing else, undone. On opening, a log that breaks off is
//! therefore
//!
//! * *torn* if it does so in the newest segment and no write starts after the break: the rest is cut off. Whole frames
//!   of the same write after the break change nothing: of one write any part may have reached the disk;
//! * *damaged* if a write starts after the break, if it breaks off in an older segment, if a whole frame is not the one
//!   that follows, or if a file is missing: [`LogError`] says where. Nothing is changed then, and nothing is returned.
//!
//! A segment's header is durable before a frame is written behind it. So a newest file without a header is torn if
//! there is nothing but zeros behind it (it is removed), else damaged. An older segment says in its last frame that it
//! is followed, so a newest segment that is missing is noticed; and the oldest position that is needed is in the log,
//! so the oldest one is, too. A log that is closed in good order (dropped) ends with a mark in a write of its own.
//!
//! What cannot be told:
//!
//! * After a crash: damage in the last write from a torn one. It is cut off although it may have been durable.
//! * A log whose files are all gone from a new one, and one that was put back to an earlier state as a whole.
//! * Damage behind the last frame of a segment, where nothing is read.
//!
//! # After an error
//!
//! A log that has failed refuses everything: after a failed `fsync` the system may take pages for clean that never
//! reached the disk, and a second one would say `Ok`. Opening it anew writes the last write again and syncs that,
//! for the same reason, before a record is handed out.

mod active;
mod error;
mod frame;
mod header;
mod options;
mod recovery;
mod scan;

use std::collections::VecDeque;

use pbft_core::{
    storage::{Durable, Log, LogPosition, Record},
    wire,
};

use self::{
    active::Active,
    frame::Kind,
    header::{Header, file_name},
};
pub use self::{
    error::{Damage, LogError, Operation},
    options::LogOptions,
};
use crate::disk::Disk;

/// A log on a [`Disk`].
#[derive(Debug)]
pub struct DurableLog<D: Disk> {
    disk: D,
    options: LogOptions,
    /// The first positions of the segments before the active one, ascending.
    older: VecDeque<LogPosition>,
    /// Nothing in an empty log.
    active: Option<Active>,
    /// Earlier records are not needed.
    low: LogPosition,
    durable: LogPosition,
    /// What was found on opening, for the first `load`.
    found: Option<Vec<(LogPosition, Record)>>,
    failed: bool,
}

impl<D: Disk> DurableLog<D> {
    /// Opens the log on a disk, after checking all of it and cutting off what a crash has torn. An empty disk is an
    /// empty log.
    ///
    /// # Errors
    /// If it is damaged, or somebody else's, or the disk fails.
    pub fn open(mut disk: D, options: LogOptions) -> Result<Self, LogError> {
        let options = options.bounded();
        let recovered = recovery::recover(&mut disk, &options.owner)?;
        let durable = recovered.active.as_ref().map_or(LogPosition::START, |active| active.last);
        Ok(Self {
            disk,
            options,
            older: recovered.older,
            active: recovered.active,
            low: recovered.low,
            durable,
            found: Some(recovered.records),
            failed: false,
        })
    }

    /// How many segment files there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.older.len().saturating_add(usize::from(self.active.is_some()))
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LogError>) -> Result<T, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        let result = work(self);
        self.failed = result.is_err();
        result
    }

    fn add(&mut self, position: LogPosition, record: &Record) -> Result<(), LogError> {
        let expected =
            self.active.as_ref().map_or(position.max(LogPosition::new(1)), |active| active.last.next());
        if position != expected {
            return Err(LogError::OutOfOrder { expected, found: position });
        }
        let unencodable = |source| LogError::Unencodable { position, source };
        let payload = wire::encode(record).map_err(unencodable)?;
        self.found = None;
        if self.active.as_ref().is_some_and(|active| !active.has_room(payload.len(), &self.options)) {
            self.begin_next_segment()?;
        }
        self.active(position)?.push(Kind::Record, position, &payload);
        Ok(())
    }

    /// The segment to write to; made if the log is empty.
    fn active(&mut self, first: LogPosition) -> Result<&mut Active, LogError> {
        let active = match self.active.take() {
            Some(active) => active,
            None => {
                let Self { options, .. } = self;
                self.low = first;
                let header = Header { seed: 0, first, low: first, salt: options.salt, owner: options.owner };
                Active::create(&mut self.disk, header, options)?
            }
        };
        Ok(self.active.insert(active))
    }

    /// Ends the active segment. The next one must be durable before the end says that there is one.
    fn begin_next_segment(&mut self) -> Result<(), LogError> {
        self.flush()?;
        let Some(ended) = &mut self.active else { return Ok(()) };
        let header = Header { seed: ended.chain, first: ended.last.next(), low: self.low, ..ended.header };
        let next = Active::create(&mut self.disk, header, &self.options)?;
        ended.push(Kind::End, ended.last, &[]);
        ended.flush(&mut self.disk, &self.options)?;
        self.older.push_back(ended.header.first);
        self.active = Some(next);
        Ok(())
    }

    /// Makes everything durable, then gives back the space of what durably is not needed.
    fn flush(&mut self) -> Result<(), LogError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        active.flush(&mut self.disk, &self.options)?;
        self.durable = active.last;
        let newest = active.header.first;
        while self.older.get(1).copied().unwrap_or(newest) <= self.low
            && let Some(oldest) = self.older.pop_front()
        {
            let file = file_name(oldest);
            let failed = |source| LogError::Disk { operation: Operation::Remove, file: file.clone(), source };
            self.disk.remove(&file).map_err(failed)?;
        }
        Ok(())
    }

    fn read_again(&mut self) -> Result<Vec<(LogPosition, Record)>, LogError> {
        self.flush()?;
        let recovered = recovery::recover(&mut self.disk, &self.options.owner)?;
        let end =
            |active: &Option<Active>| active.as_ref().map(|active| (active.last, active.end, active.chain));
        if end(&recovered.active) == end(&self.active) {
            return Ok(recovered.records);
        }
        let found = recovered.active.as_ref();
        Err(LogError::Damaged {
            file: self.active.as_ref().map_or_else(String::new, |active| active.name.clone()),
            offset: found.map_or(0, |found| found.end),
            position: found.map_or(LogPosition::new(1), |found| found.last.next()),
            damage: Damage::Shortened,
        })
    }
}

impl<D: Disk> Log for DurableLog<D> {
    type Error = LogError;

    /// Fills a buffer. Writes only when a segment is full.
    fn append(&mut self, position: LogPosition, record: &Record) -> Result<(), LogError> {
        self.guarded(|log| log.add(position, record))
    }

    fn sync(&mut self) -> Result<Durable, LogError> {
        self.guarded(|log| {
            log.flush()?;
            Ok(Durable::through(log.durable))
        })
    }

    /// The records from the newest truncation on. What is still buffered is made durable first.
    fn load(&mut self) -> Result<Vec<(LogPosition, Record)>, LogError> {
        self.guarded(|log| match log.found.take() {
            Some(records) => Ok(records),
            None => log.read_again(),
        })
    }

    /// Takes effect with the next sync, since the records that make the earlier ones needless must be durable first.
    /// Removes whole segments, never the one that holds the last record.
    fn truncate(&mut self, position: LogPosition) -> Result<(), LogError> {
        self.guarded(|log| {
            if let Some(active) = &mut log.active {
                let low = position.min(active.last);
                if low > log.low {
                    log.low = low;
                    log.found = None;
                    active.push_mark(low);
                }
            }
            Ok(())
        })
    }
}

impl<D: Disk> Drop for DurableLog<D> {
    /// Closes the log in good order, unless it has failed: writes what is buffered, then a mark that proves it.
    fn drop(&mut self) {
        if self.failed {
            return;
        }
        let closed = self.guarded(|log| {
            log.flush()?;
            if let Some(active) = log.active.as_mut().filter(|active| !active.proven) {
                active.push_mark(log.low);
                active.flush(&mut log.disk, &log.options)?;
            }
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the log could not be closed in good order");
        }
    }
}
