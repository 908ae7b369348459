//! Why connections were refused or ended by this side, counted.

use std::collections::BTreeMap;

use pbft_core::ReplicaId;
use thiserror::Error;
use tokio::sync::watch;

use super::hello::Refusal;
use crate::sparing::Sparing;

/// Why this side refused a connection, or ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum CutOff {
    /// So many connections are open that no more are taken.
    #[error("too many connections")]
    TooManyConnections,
    /// So many connections from this address have not said who they are.
    #[error("too many unauthenticated connections from one address")]
    TooManyFromAddress,
    /// It did not finish the handshake in time.
    #[error("the handshake took too long")]
    HandshakeTooSlow,
    /// It ended before the handshake did.
    #[error("the connection ended during the handshake")]
    HandshakeAborted,
    /// It does not speak TLS.
    #[error("not TLS")]
    NotTls,
    /// It does not offer TLS 1.3.
    #[error("no TLS 1.3")]
    OldTls,
    /// It shows no key, or one that is not allowed here.
    #[error("the key is not allowed")]
    UnknownKey,
    /// It fails at TLS in another way.
    #[error("the TLS handshake failed")]
    BadHandshake,
    /// Its first frame cannot be read.
    #[error("the first frame is no hello")]
    MalformedHello,
    /// Its first frame was read, and refused.
    #[error(transparent)]
    Refused(Refusal),
    /// A frame is longer than allowed.
    #[error("a frame is too long")]
    FrameTooLong,
    /// A frame's contents cannot be read.
    #[error("a frame is malformed")]
    MalformedFrame,
    /// The client does not read its answers.
    #[error("the client does not read its answers")]
    ClientTooSlow,
}

impl CutOff {
    /// A short name, for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too_many_connections",
            Self::TooManyFromAddress => "too_many_from_address",
            Self::HandshakeTooSlow => "handshake_too_slow",
            Self::HandshakeAborted => "handshake_aborted",
            Self::NotTls => "not_tls",
            Self::OldTls => "old_tls",
            Self::UnknownKey => "unknown_key",
            Self::BadHandshake => "bad_handshake",
            Self::MalformedHello => "malformed_hello",
            Self::Refused(Refusal::Version { .. }) => "other_version",
            Self::Refused(Refusal::OtherCluster) => "other_cluster",
            Self::Refused(Refusal::WrongReplica) => "wrong_replica",
            Self::Refused(Refusal::TooManyClients) => "too_many_clients",
            Self::FrameTooLong => "frame_too_long",
            Self::MalformedFrame => "malformed_frame",
            Self::ClientTooSlow => "client_too_slow",
        }
    }
}

/// How often each reason has come up.
pub type CutOffs = BTreeMap<CutOff, u64>;

/// Who was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Anyone who reaches the port.
    Stranger,
    /// Any client that is let in.
    Client,
    /// A replica that is let in.
    Replica(ReplicaId),
}

/// Counts. Anyone may watch.
#[derive(Debug, Default)]
pub(crate) struct CutOffCounts {
    counts: watch::Sender<CutOffs>,
    lines: Sparing<(Who, &'static str)>,
}

impl CutOffCounts {
    /// Counts it. If it is time for a line in the log: how many there were since the last one.
    pub(crate) fn count(&self, reason: CutOff, who: Who) -> Option<u64> {
        self.counts.send_modify(|counts| {
            let count = counts.entry(reason).or_default();
            *count = count.saturating_add(1);
        });
        self.lines.may_say((who, reason.label()))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<CutOffs> {
        self.counts.subscribe()
    }
}
