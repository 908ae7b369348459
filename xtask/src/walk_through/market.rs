//! A POP Market that is there for a while.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A POP Market of its own, with the data of the demo, that ends with this value.
pub(super) struct Market {
    child: Child,
    /// Where its web is.
    pub(super) address: SocketAddr,
}

impl Market {
    /// Starts it, and waits until it is ready.
    pub(super) fn start(options: &[String]) -> Result<Self, String> {
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let program = programs::program("popmarket");
        let mut command = Command::new(&program);
        command.args(["--ephemeral", "--listen", &address.to_string()]).stdout(Stdio::null());
        command.args(options.iter().filter(|option| *option != "--ephemeral"));
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let mut market = Self { child, address };
        market.wait_until_ready()?;
        Ok(market)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("popmarket ended: {status}"));
            }
            if is_ready(self.address).unwrap_or(false) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("popmarket did not answer within {START_LIMIT:?}"))
    }

    /// Whether it has ended within a while of being asked to, so that it has cleared up after itself.
    fn ends_when_asked(&mut self) -> bool {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let started = Instant::now();
        while asked.as_ref().is_ok_and(ExitStatus::success) && started.elapsed() < STOP_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) && !self.ends_when_asked() {
            // Nothing is left to do if this fails, too.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_ready_on_a_free_port() {
        assert!(is_ready(free_address().unwrap()).is_err());
    }
}
