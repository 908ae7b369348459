//! `cargo xtask walk-through`: pastes the README's walk-through into a shell, beside a fresh POP Market.
//!
//! The walk-through is every fenced block of the README whose fence says `sh`, one after the other. It speaks to
//! 127.0.0.1:8080; here a free port takes that one's place. What must be true afterwards is in `walk_through_check.sh`.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{programs, workspace_root};

const FENCE: &str = "```sh";
const CHECK: &str = include_str!("walk_through_check.sh");
const USUAL_ADDRESS: &str = "127.0.0.1:8080";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Runs the chore.
pub(crate) fn main() -> ExitCode {
    match run(workspace_root()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walk-through: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The script in the README, if there is one.
pub(crate) fn script(root: &Path) -> Option<String> {
    let readme = std::fs::read_to_string(root.join("README.md")).ok()?;
    let script = blocks(&readme);
    (!script.is_empty()).then_some(script)
}

fn blocks(readme: &str) -> String {
    let mut script = String::new();
    let mut lines = readme.lines();
    while lines.any(|line| line.trim_end() == FENCE) {
        for line in lines.by_ref().take_while(|line| line.trim_end() != "```") {
            script.push_str(line);
            script.push('\n');
        }
    }
    script
}

fn run(root: &Path) -> Result<(), String> {
    let script = script(root).ok_or_else(|| format!("README.md has no block that starts with {FENCE}"))?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    succeed(Command::new(cargo).current_dir(root).args(programs::BUILD))?;
    let address = free_address().map_err(|error| format!("no free port: {error}"))?;
    let mut market = Market::start(address)?;
    market.wait_until_ready(address)?;
    let script = script.replace(USUAL_ADDRESS, &address.to_string()) + CHECK;
    succeed(Command::new("bash").current_dir(root).args(["-euo", "pipefail", "-c", &script]))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// A port that was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A POP Market that ends with this value.
struct Market(Child);

impl Market {
    fn start(address: SocketAddr) -> Result<Self, String> {
        let program = programs::program("popmarket");
        let mut command = Command::new(&program);
        command.args(["--ephemeral", "--listen", &address.to_string()]).stdout(Stdio::null());
        command.spawn().map(Self).map_err(|error| format!("{}: {error}", program.display()))
    }

    fn wait_until_ready(&mut self, address: SocketAddr) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("popmarket ended: {status}"));
            }
            if is_ready(address).unwrap_or(false) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("popmarket did not answer within {START_LIMIT:?}"))
    }
}

impl Market {
    /// Whether it has ended within a while of being asked to, so that it has cleared up after itself.
    fn ends_when_asked(&mut self) -> bool {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        let started = Instant::now();
        while asked.as_ref().is_ok_and(ExitStatus::success) && started.elapsed() < STOP_LIMIT {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) && !self.ends_when_asked() {
            // Nothing is left to do if this fails, too.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
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
    fn marked_blocks_become_one_script() {
        let readme = "text\n```sh\na=1\n```\n```\nnot me\n```\n```sh\necho $a\n```\nend\n";
        assert_eq!(blocks(readme), "a=1\necho $a\n");
        assert_eq!(blocks("```\nnothing\n```\n"), "");
    }

    #[test]
    fn nobody_is_ready_on_a_free_port() {
        assert!(is_ready(free_address().unwrap()).is_err());
    }
}
