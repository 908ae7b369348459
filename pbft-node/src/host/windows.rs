//! What can be seen of a replica while it runs: its thread shows it, others look.

use std::sync::{Arc, Mutex};

use pbft_core::{Replica, evidence::Evidence, message::Handover, replica::Progress, roster::Roster};
use tokio::sync::watch;

use super::Failure;
use crate::diagnosis::Diagnosis;

/// The replica thread's side.
pub(crate) struct Shown {
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) diagnosis: watch::Sender<Diagnosis>,
    pub(crate) failure: watch::Sender<Option<Failure>>,
    pub(crate) roster: watch::Sender<Arc<Roster>>,
    pub(crate) handovers: watch::Sender<Arc<[Handover]>>,
    pub(crate) evidence: Arc<Mutex<Vec<Evidence>>>,
}

/// The side of everyone else.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) diagnosis: watch::Receiver<Diagnosis>,
    pub(crate) failure: watch::Receiver<Option<Failure>>,
    pub(crate) roster: watch::Receiver<Arc<Roster>>,
    pub(crate) handovers: watch::Receiver<Arc<[Handover]>>,
    pub(crate) evidence: Arc<Mutex<Vec<Evidence>>>,
}

/// Both, with the replica as it is now.
pub(crate) fn windows(replica: &Replica) -> (Shown, Seen) {
    let (progress, progress_seen) = watch::channel(replica.progress());
    let (diagnosis, diagnosis_seen) = watch::channel(Diagnosis::of(replica));
    let (failure, failure_seen) = watch::channel(None);
    let (roster, roster_seen) = watch::channel(replica.roster().clone());
    let (handovers, handovers_seen) = watch::channel(replica.handovers().into());
    let evidence = Arc::new(Mutex::new(Vec::new()));
    let seen = Seen {
        progress: progress_seen,
        diagnosis: diagnosis_seen,
        failure: failure_seen,
        roster: roster_seen,
        handovers: handovers_seen,
        evidence: evidence.clone(),
    };
    (Shown { progress, diagnosis, failure, roster, handovers, evidence }, seen)
}
