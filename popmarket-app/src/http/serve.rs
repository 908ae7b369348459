//! The server: hyper with a limit on how long a header may take, which `axum::serve` has none for.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::drain::drained;
use super::quota::{Held, Quota};
use super::rate_limit::Client;
use super::state::AppState;

/// How long the header of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests may go on once the server is to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when there are no file descriptors left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// How many connections there are at most.
const MAX_CONNECTIONS: usize = 4_096;
/// How many bytes of a header are held at most before more is read, up to as many again.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

/// Answers requests until `shutdown` is done, then lets those that run end.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let closing = state.shared.closing.clone();
    let each = if state.options.behind_tls { usize::MAX } else { state.options.max_connections_each };
    let quota = Quota::new(each);
    let router = super::router(state);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // A connection that cannot be held stays with the kernel.
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            () = &mut shutdown => break,
            (accepted, permit) = accepted => match (accepted, permit) {
                (Ok((stream, peer)), Ok(permit)) => match quota.take(Client::at(peer.ip())) {
                    Some(share) => answer(stream, peer, (permit, share), router.clone(), &graceful),
                    None => tracing::debug!(%peer, "too many connections from one address"),
                },
                (Err(error), _) if is_of_the_connection(&error) => {}
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
                (Ok(_), Err(_closed)) => break,
            },
        }
    }
    drop(listener);
    // Streams of events would go on for ever.
    closing.send_replace(true);
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
    Ok(())
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    held: (OwnedSemaphorePermit, Held),
    router: Router,
    graceful: &GracefulShutdown,
) {
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        drained(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
        drop(held);
    });
}
