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
    /// Nothing if the log holds something: it cannot be new any more.
    pub(super) founder: Option<Founder>,
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
        let founder = if records.is_empty() {
            Some(founder)
        } else {
            // A crash may have come between the first sync and this. The votes in the log are sent again without any sync.
            founder.has_a_log().map_err(StartError::Founder)?;
            None
        };
        let create = |options| Recorder::create(options, crypto.clone());
        let mut recorder = config.record.as_ref().map(create).transpose().map_err(StartError::Recording)?;
        let signer = recorder.as_ref().map_or_else(|| crypto.clone(), Recorder::crypto);
        let recorded = recorder.as_ref().map(|_| records.clone());
        let replica = recover(config, signer, records, empty, service)?;
        if let Some((recorder, records)) = recorder.as_mut().zip(recorded) {
            let known = (config.id, &*config.protocol, &**replica.roster());
            recorder.begin(known, records, empty).map_err(StartError::Recording)?;
        }
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
