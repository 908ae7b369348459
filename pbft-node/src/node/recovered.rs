//! A replica from what its disk holds, before anything runs.

use std::sync::Arc;

use pbft_core::{
    Replica,
    crypto::Crypto,
    replica::EmptyLog,
    request_buffer::FairBuffer,
    service::Service,
    storage::{Log, LogPosition, Record},
};

use super::StartError;
use crate::{config::NodeConfig, disk::RealDisk, founder::Founder, log::DurableLog, recorder::Recorder};

/// A replica, its log, and who takes down its life.
pub(super) struct Recovered {
    pub(super) replica: Replica,
    pub(super) log: DurableLog<RealDisk>,
    pub(super) founder: Founder,
    pub(super) recorder: Option<Recorder>,
}

impl Recovered {
    /// Opens the log, and brings the service to where the log starts.
    pub(super) fn from_disk<S: Service>(
        config: &NodeConfig,
        crypto: &Arc<dyn Crypto>,
        service: &mut S,
    ) -> Result<Self, StartError> {
        let mut log = DurableLog::open(RealDisk::open(&config.log_folder)?, config.log.clone())?;
        let records = log.load()?;
        let founder = Founder::of(&config.log_folder);
        let empty = founder.empty_log();
        let begin = |options| {
            let log = (records.as_slice(), empty);
            Recorder::begin(options, config.id, &config.protocol, log, crypto.clone())
        };
        let recorder = config.record.as_ref().map(begin).transpose().map_err(StartError::Recording)?;
        let signer = recorder.as_ref().map_or_else(|| crypto.clone(), Recorder::crypto);
        let replica = recover(config, signer, records, empty, service)?;
        Ok(Self { replica, log, founder, recorder })
    }
}

/// The replica from its records, with the service at the same point.
fn recover<S: Service>(
    config: &NodeConfig,
    crypto: Arc<dyn Crypto>,
    records: Vec<(LogPosition, Record)>,
    empty: EmptyLog,
    service: &mut S,
) -> Result<Replica, StartError> {
    let buffer = Box::new(FairBuffer::new(config.protocol.buffer.clone()));
    let recovered = Replica::recover(config.id, config.protocol.clone(), crypto, buffer, records, empty)?;
    if let Some(checkpoint) = recovered.checkpoint {
        service.restore(checkpoint.seq, checkpoint.snapshot.as_deref())?;
    }
    Ok(recovered.replica)
}
