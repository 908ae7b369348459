//! A link: one outgoing connection to one replica, kept up by one task.

mod task;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use pbft_core::ReplicaId;
use tokio::sync::{Notify, mpsc, watch};

use self::task::LinkTask;
use super::{
    config::LinkLimits,
    dial::{Dialer, LinkError},
    protocol::ClientAnswer,
    queue::{QueueSender, queue},
};
use crate::sparing::Sparing;

/// What one replica answered.
pub(crate) type FromReplica = (ReplicaId, Vec<ClientAnswer>);

/// What the peer may send on this connection.
pub(crate) enum Expect {
    /// Nothing: replicas send on the connections that they dialed themselves.
    Nothing,
    /// Answers, which go there.
    Answers { from: ReplicaId, to: mpsc::Sender<FromReplica>, frame_limit: usize },
}

/// How one link is, at one moment.
#[derive(Clone, Debug)]
pub struct LinkState {
    /// The replica at the other end.
    pub peer: ReplicaId,
    /// Whether what is sent goes out now.
    pub connected: bool,
    /// Since when it is connected, or not.
    pub since: SystemTime,
    /// Frames sent since the start.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that were not sent since there was no room, or no connection.
    pub dropped_frames: u64,
    /// Bytes that wait to be sent.
    pub waiting_bytes: usize,
    /// Frames received from the peer, on the connection that it dialed.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Why it was down last.
    pub last_error: Option<Arc<LinkError>>,
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct Link {
    queue: QueueSender<Bytes>,
    status: Arc<LinkStatus>,
}

#[derive(Debug)]
struct LinkStatus {
    peer: ReplicaId,
    /// Whether frames are queued. Not after a failed try: a dead peer must not cost memory.
    takes_frames: AtomicBool,
    sent_frames: AtomicU64,
    sent_bytes: AtomicU64,
    dropped_frames: AtomicU64,
    phase: Mutex<Phase>,
    /// How many links of this node are connected.
    connected: watch::Sender<usize>,
    /// A peer can take a connection and end it as often as it likes.
    lines: Sparing<bool>,
}

#[derive(Debug)]
struct Phase {
    connected: bool,
    since: SystemTime,
    last_error: Option<Arc<LinkError>>,
    /// Why it is down, as the log says: a reason that lasts is written some time, however soon after another one it came.
    said: Option<String>,
}

impl Link {
    /// A link with its task, which dials until the link is dropped. `connected` counts the links that are; `seen` tells that
    /// the peer is alive, so that there is no need to wait before dialing it again.
    pub(crate) fn new(
        dialer: Dialer,
        expect: Expect,
        limits: LinkLimits,
        connected: watch::Sender<usize>,
        seen: Arc<Notify>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, receiver) = queue(limits.queue);
        let phase = Phase { connected: false, since: SystemTime::now(), last_error: None, said: None };
        let status = Arc::new(LinkStatus {
            peer: dialer.peer,
            takes_frames: AtomicBool::new(true),
            sent_frames: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
            phase: Mutex::new(phase),
            connected,
            lines: Sparing::default(),
        });
        let task = LinkTask { dialer, expect, limits, queue: receiver, status: status.clone(), seen };
        (Self { queue: sender, status }, task.run())
    }

    /// Queues a frame, or drops and counts it. Never waits.
    pub(crate) fn send(&self, frame: Bytes) {
        if !self.takes_frames() || self.queue.push(frame).is_err() {
            self.status.dropped_frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it is of any use to encode something for this link.
    pub(crate) fn takes_frames(&self) -> bool {
        self.status.takes_frames.load(Ordering::Relaxed)
    }

    /// A frame that was not even made.
    pub(crate) fn count_dropped(&self) {
        self.status.dropped_frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.status.lock().connected
    }

    /// How it is, with what came the other way.
    pub(crate) fn state(&self, received_frames: u64, received_bytes: u64) -> LinkState {
        let status = &self.status;
        let phase = status.lock();
        LinkState {
            peer: status.peer,
            connected: phase.connected,
            since: phase.since,
            sent_frames: status.sent_frames.load(Ordering::Relaxed),
            sent_bytes: status.sent_bytes.load(Ordering::Relaxed),
            dropped_frames: status.dropped_frames.load(Ordering::Relaxed),
            waiting_bytes: self.queue.bytes(),
            received_frames,
            received_bytes,
            last_error: phase.last_error.clone(),
        }
    }
}

impl LinkStatus {
    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn up(&self) {
        if let Some(left_out) = self.lines.may_say(true) {
            tracing::info!(peer = %self.peer, left_out, "connected");
        }
        self.takes_frames.store(true, Ordering::Relaxed);
        {
            let mut phase = self.lock();
            (phase.connected, phase.since) = (true, SystemTime::now());
            phase.said = None;
        }
        self.connected.send_modify(|count| *count = count.saturating_add(1));
    }

    /// `error` ended a connection, or a try.
    fn down(&self, error: LinkError) {
        let was_connected = {
            let mut phase = self.lock();
            let is_said = phase.said.as_ref().is_some_and(|said| *said == error.to_string());
            if (phase.connected || !is_said)
                && let Some(left_out) = self.lines.may_say(false)
            {
                tracing::info!(peer = %self.peer, %error, left_out, "not connected");
                phase.said = Some(error.to_string());
            }
            phase.last_error = Some(Arc::new(error));
            if phase.connected {
                phase.since = SystemTime::now();
            }
            core::mem::replace(&mut phase.connected, false)
        };
        // Also tells of a try that failed.
        self.connected.send_modify(|count| *count = count.saturating_sub(usize::from(was_connected)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log's last word on a peer that is gone must not be "connected".
    #[test]
    fn why_a_link_is_down_is_not_taken_as_said_since_it_was_up() {
        let status = LinkStatus {
            peer: ReplicaId::new(1),
            takes_frames: AtomicBool::new(true),
            sent_frames: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
            phase: Mutex::new(Phase {
                connected: false,
                since: SystemTime::now(),
                last_error: None,
                said: None,
            }),
            connected: watch::channel(0).0,
            lines: Sparing::default(),
        };
        status.down(LinkError::Closed);
        assert_eq!(status.lock().said, Some(LinkError::Closed.to_string()));
        status.up();
        assert_eq!(status.lock().said, None, "the same reason is news again");
    }
}
