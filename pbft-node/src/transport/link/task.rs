//! The task that keeps a link up: dials, sends what is queued, listens, and dials again.

use core::{pin::Pin, sync::atomic::Ordering, time::Duration};
use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use pbft_core::{ReplicaId, wire};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    super::{
        config::LinkLimits,
        dial::{Backoff, Connection, Dialer, LinkError},
        frame::{FrameReader, FrameWriter},
        queue::QueueReceiver,
    },
    Expect, FromReplica, LinkStatus,
};

/// So many frames are written before they are flushed, if they are there.
const FRAMES_AT_ONCE: usize = 256;
/// A peer is not dialed again before this, whatever happens.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct LinkTask {
    pub(super) dialer: Dialer,
    pub(super) expect: Expect,
    pub(super) limits: LinkLimits,
    pub(super) queue: QueueReceiver<Bytes>,
    pub(super) status: Arc<LinkStatus>,
    pub(super) seen: Arc<Notify>,
}

impl LinkTask {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(&self.limits);
        loop {
            match self.dialer.dial().await {
                Ok(connection) => {
                    self.status.up();
                    let since = Instant::now();
                    match self.serve(connection).await {
                        LinkError::ShutDown => return self.status.down(LinkError::ShutDown),
                        error => self.status.down(error),
                    }
                    backoff.was_up(since.elapsed());
                }
                Err(error) => {
                    self.status.takes_frames.store(false, Ordering::Relaxed);
                    self.forget_queue();
                    self.status.down(error);
                }
            }
            self.pause(&mut backoff).await;
            if self.queue.is_closed() {
                return;
            }
        }
    }

    /// Waits before the next try; less if the peer shows itself.
    async fn pause(&self, backoff: &mut Backoff) {
        let wait = backoff.wait();
        sleep(wait.min(SHORTEST_PAUSE)).await;
        tokio::select! {
            () = sleep(wait.saturating_sub(SHORTEST_PAUSE)) => {}
            () = self.seen.notified() => backoff.reset(),
        }
    }

    /// What waited for a dead peer is old by the time it is back; replicas and clients send again what matters.
    fn forget_queue(&mut self) {
        let count = u64::try_from(self.queue.clear()).unwrap_or(u64::MAX);
        self.status.dropped_frames.fetch_add(count, Ordering::Relaxed);
    }

    /// Both ways until one fails. Says why.
    async fn serve(&mut self, connection: Connection) -> LinkError {
        let Connection { mut reader, mut writer } = connection;
        let receiving: Pin<Box<dyn Future<Output = LinkError> + Send + '_>> = match &self.expect {
            Expect::Nothing => Box::pin(expect_nothing(&mut reader)),
            Expect::Answers { from, to, frame_limit } => {
                Box::pin(expect_answers(&mut reader, *frame_limit, *from, to))
            }
        };
        let sending = send_frames(&mut writer, &mut self.queue, &self.status, &self.limits);
        tokio::select! {
            error = receiving => error,
            error = sending => error,
        }
    }
}

/// Writes what is queued. Frames that come together go out together.
async fn send_frames<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    queue: &mut QueueReceiver<Bytes>,
    status: &LinkStatus,
    limits: &LinkLimits,
) -> LinkError {
    let mut frames = Vec::with_capacity(FRAMES_AT_ONCE);
    loop {
        frames.clear();
        if queue.take(&mut frames, FRAMES_AT_ONCE).await == 0 {
            return LinkError::ShutDown;
        }
        let mut bytes = 0_u64;
        let write = async {
            for frame in &frames {
                // A peer may be slow, but has to take something now and then.
                timeout(limits.stall, writer.write(frame)).await.map_err(|_| LinkError::Stalled)??;
                bytes = bytes.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
            }
            timeout(limits.stall, writer.flush()).await.map_err(|_| LinkError::Stalled)??;
            Ok::<_, LinkError>(())
        };
        if let Err(error) = write.await {
            return error;
        }
        status.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        status.sent_frames.fetch_add(u64::try_from(frames.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

async fn expect_nothing<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> LinkError {
    match reader.next().await {
        Ok(None) => LinkError::Closed,
        Ok(Some(_)) => LinkError::Unexpected,
        Err(error) => error.into(),
    }
}

async fn expect_answers<R: AsyncRead + Unpin>(
    reader: &mut FrameReader<R>,
    frame_limit: usize,
    from: ReplicaId,
    to: &mpsc::Sender<FromReplica>,
) -> LinkError {
    reader.set_limit(frame_limit);
    loop {
        let frame = match reader.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return LinkError::Closed,
            Err(error) => return error.into(),
        };
        let Ok(answers) = wire::decode(&frame) else { return LinkError::Unexpected };
        drop(frame);
        if to.send((from, answers)).await.is_err() {
            return LinkError::ShutDown;
        }
    }
}
