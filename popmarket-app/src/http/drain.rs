//! Bodies that nobody reads to their end.
//!
//! A request can be answered before its body is there: nobody is signed in, say. If the connection was closed then, a
//! client that is still sending would see that, and not the answer. So what is left of a body is read and thrown away, for
//! a while.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};

/// How many bytes are thrown away at most.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// For how long at most.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Takes care of the body of a request. A client that waits to be told to send it is left to itself: reading would be
/// telling.
pub(super) fn drained(request: Request<Incoming>) -> Request<Body> {
    let waits = request.headers().contains_key("expect");
    request.map(|body| if waits { Body::new(body) } else { Body::new(Drained(Some(body))) })
}

struct Drained(Option<Incoming>);

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if let Some(body) = self.0.take().filter(|body| !body.is_end_stream())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(MAX_TIME, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut left = MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(bytes) else {
            return;
        };
        left = rest;
    }
}
