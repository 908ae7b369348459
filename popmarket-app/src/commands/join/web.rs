//! What a newcomer asks the web of a member.

use std::{fmt, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::commands::CommandError;

/// How long an answer may take; the web itself waits ten seconds for the ledger.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The genesis of the largest chain is smaller.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// The web of a member, which speaks plain HTTP.
#[derive(Clone, Debug)]
pub(super) struct Web {
    host: String,
}

impl Web {
    /// From a URL without a path.
    pub(super) fn new(url: &str) -> Result<Self, CommandError> {
        let host = url.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
        match host.filter(|host| !host.is_empty() && !host.contains(['/', '@', '?', ' '])) {
            Some(host) if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
                Ok(Self { host: host.to_owned() })
            }
            Some(host) => Ok(Self { host: format!("{host}:80") }),
            None => Err(CommandError::Usage(format!(
                "{url}: the web of a member is needed, as http://HOST:PORT. TLS is not spoken here: use the address behind \
                 the proxy, through a tunnel if need be"
            ))),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CommandError> {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.host), "").await?;
        serde_json::from_slice(&answer).map_err(|error| self.failed(path, &error))
    }

    /// Posts as an admin and waits until the ledger has recorded it.
    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> Result<Value, CommandError> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nprefer: wait=10\r\n\
             content-type: application/json\r\n",
            self.host
        );
        let answer = self.ask(&head, &body).await?;
        serde_json::from_slice(&answer).map_err(|error| self.failed(path, &error))
    }

    async fn ask(&self, head: &str, body: &str) -> Result<Vec<u8>, CommandError> {
        let request = format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let exchange = async {
            let mut stream = TcpStream::connect(&self.host).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(ANSWER_WITHIN, exchange).await;
        let answer = answer.map_err(|_| self.failed("", &format!("no answer within {ANSWER_WITHIN:?}")))?;
        let answer = answer.map_err(|error| self.failed("", &error))?;
        let (status, body) = parse(&answer).ok_or_else(|| self.failed("", &"that was no HTTP"))?;
        if (200..300).contains(&status) { Ok(body) } else { Err(refused(status, &body)) }
    }

    fn failed(&self, path: &str, why: &dyn fmt::Display) -> CommandError {
        CommandError::Failed(format!("http://{}{path}: {why}", self.host))
    }
}

/// In the words of the problem that came back.
fn refused(status: u16, body: &[u8]) -> CommandError {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    CommandError::Failed(format!("refused ({status} {}): {} {}", said("code"), said("title"), said("detail")))
}

/// The status and the body of an answer.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (answer.get(..end)?, answer.get(end.checked_add(4)?..)?);
    let head = str::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if head.contains("\r\ntransfer-encoding: chunked") {
        Some((status, unchunk(body)?))
    } else {
        Some((status, body.to_vec()))
    }
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        rest = rest.get(end.checked_add(2)?..)?;
        whole.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_is_a_host_and_a_port() {
        assert_eq!(Web::new("http://a:8080/").unwrap().host, "a:8080");
        assert_eq!(Web::new("http://[::1]:8080").unwrap().host, "[::1]:8080");
        assert_eq!(Web::new("http://a").unwrap().host, "a:80");
        for wrong in ["https://a", "a:8080", "http://", "http://a/b", "http://user@a"] {
            assert!(Web::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_come_whole_or_in_chunks() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse(whole), Some((201, b"{}".to_vec())));
        let chunks =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3;x=y\r\n,2]\r\n0\r\n\r\n";
        assert_eq!(parse(chunks), Some((200, b"[1,2]".to_vec())));
        for cut in 0..chunks.len() - 5 {
            assert_eq!(parse(&chunks[..cut]), None, "{cut}");
        }
        assert_eq!(parse(b"nonsense\r\n\r\n"), None);
    }
}
