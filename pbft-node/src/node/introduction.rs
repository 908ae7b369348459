//! What a newcomer was told about later replicas, checked as if a peer had sent it.

use std::sync::Arc;

use pbft_core::{
    Input, Message,
    crypto::Crypto,
    message::Handover,
    roster::Roster,
    service::AdmitAll,
    verify::{InvalidMessage, Verifier, succession},
};

use crate::config::NodeConfig;

/// RE-4: inputs for a replica that knows the first set, each proven by the one before.
pub(super) fn introduction(
    config: &NodeConfig,
    crypto: &Arc<dyn Crypto>,
) -> Result<Vec<Input>, InvalidMessage> {
    let mut verifier = Verifier::new(config.protocol.clone(), crypto.clone(), Arc::new(AdmitAll));
    let mut roster = Roster::new(config.protocol.clone());
    let mut inputs = Vec::new();
    for handover in &config.handovers {
        let (next, _) = succession(roster.newest(), handover)?;
        let message = (config.id, Message::Handover(Box::new(Handover::clone(handover))));
        for verdict in verifier.verify(vec![message]) {
            inputs.extend(verdict?);
        }
        roster.push(Arc::new(next));
        verifier.update(Arc::new(roster.clone()));
    }
    Ok(inputs)
}
