//! Bodies that come too slowly: a byte now and then would hold a connection for ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a small body may take.
const GRACE: Duration = Duration::from_secs(20);
/// A longer one gets more time as it comes: so many bytes buy a second.
const BYTES_PER_SECOND: u64 = 32 * 1024;

/// Puts a deadline on the body of a request. The time runs from here.
pub(super) async fn limited(request: Request) -> Request {
    request.map(|body| if body.is_end_stream() { body } else { Body::new(Limited::new(body)) })
}

struct Limited {
    body: Body,
    started: Instant,
    received: u64,
    deadline: Pin<Box<Sleep>>,
}

impl Limited {
    fn new(body: Body) -> Self {
        let started = Instant::now();
        Self { body, started, received: 0, deadline: Box::pin(sleep_until(started + GRACE)) }
    }

    fn extend(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
        let more = Duration::from_secs(self.received / BYTES_PER_SECOND);
        self.deadline.as_mut().reset(self.started + GRACE + more);
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("the body comes too slowly".into())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.extend(frame.data_ref().map_or(0, Bytes::len));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    /// A body that comes in so many pieces, one each second. How much of it is read, and whether to its end.
    async fn read(pieces: usize, bytes: usize) -> (usize, bool) {
        let pieces = stream::iter(0..pieces).then(move |_| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; bytes]))
        });
        let mut body = limited(Request::new(Body::from_stream(pieces))).await.into_body();
        let mut count = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return (count, false) };
            count += frame.data_ref().map_or(0, Bytes::len);
        }
        (count, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_long_but_not_drip() {
        let started = Instant::now();
        let (received, complete) = read(1_000, 1).await;
        assert!(!complete && received < 25, "{received}");
        assert!(started.elapsed() <= GRACE + Duration::from_secs(1));
        let large = 40 * 1024;
        assert_eq!(read(200, large).await, (200 * large, true), "200 seconds, but it moves");
        assert_eq!(read(10, 1).await, (10, true));
    }
}
