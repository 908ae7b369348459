//! The server itself, over TCP.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::world::World;
use crate::http::{HttpOptions, serve};

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(world: &World) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { stopped.await.unwrap_or(()) };
    Server { address, stop, task: tokio::spawn(serve(listener, world.state.clone(), shutdown)) }
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_and_ends_its_streams_when_it_stops() {
    let world = World::new().await;
    let server = start(&world).await;
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(ask(server.address, request).await.starts_with("HTTP/1.1 200 OK"));

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    server.stop.send(()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream was ended, not cut off");
    server.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let world = World::new().await;
    let server = start(&world).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
    let started = tokio::time::Instant::now();
    // From here on time passes as soon as everyone waits.
    tokio::time::pause();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays open");
    assert!(started.elapsed() >= Duration::from_secs(10));
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn nonsense_is_not_served() {
    let world = World::new().await;
    let server = start(&world).await;
    assert!(ask(server.address, "NONSENSE\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    let answer = ask(server.address, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// Reads an answer to its end.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let length = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        line.unwrap().parse::<usize>().unwrap()
    };
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            return text;
        }
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the connection ended: {text}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_not_lost() {
    let world = World::new().await;
    let server = start(&world).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for (path, code) in [
        ("/v1/payments", "UNAUTHENTICATED"),
        ("/v1/none", "NO_SUCH_ROUTE"),
        ("/v1/sessions", "UNSUPPORTED_MEDIA_TYPE"),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream).await.contains(code));
        // Only now the body; the connection goes on after it.
        stream.write_all(&[b'x'; 200_000]).await.unwrap();
    }
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn who_asks_before_sending_is_told_not_to() {
    let world = World::new().await;
    let server = start(&world).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/payments HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn an_address_has_only_so_many_connections() {
    let options = HttpOptions { max_connections_each: 2, ..HttpOptions::default() };
    let world = World::with_options(options).await;
    let server = start(&world).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        held.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    // It is closed whether or not it says something.
    let _ = third.write_all(request).await;
    let mut answer = Vec::new();
    let _ = third.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    assert!(!held.is_empty());
}

#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let world = World::new().await;
    let server = start(&world).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let started = tokio::time::Instant::now();
    tokio::time::pause();
    let (mut read, mut write) = stream.split();
    let drip = async {
        // Until the connection is closed.
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        answered = read.read_exact(&mut answer) => assert_eq!(answered.unwrap(), 12),
        () = drip => panic!("it ended without an answer"),
    }
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
