//! Replicas as child processes. Only processes that were started here are ever ended.

use std::{
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use pbft_crypto::PublicKey;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::LoadError;
use crate::config::LoadedNode;

/// What a node prints, first thing, when it serves.
pub const READY: &str = "ready";
/// What a new replica prints when it votes.
pub const JOINED: &str = "joined";
/// What a new replica prints before its public key.
const KEY: &str = "key";

/// A node reads its whole state before it serves.
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(20);
const JOIN_WITHIN: Duration = Duration::from_secs(120);

/// A cluster of processes.
#[derive(Debug)]
pub struct Processes {
    program: PathBuf,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    file: PathBuf,
    child: Option<Child>,
    /// What a newcomer prints, until it votes.
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

/// A port such that it and the following ones, `count` in all, were free just now. It lies below those that the system gives
/// to outgoing connections: one of them could sit on the port of a process that is away for a while.
///
/// # Errors
/// If no such port is found.
pub fn free_ports(count: u16) -> Result<u16, LoadError> {
    const PORTS: Range<u32> = 10_000..32_000;
    /// Where the next search of this process begins; other processes begin elsewhere.
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let step = u32::from(count.max(1));
    for _ in 0..1_000 {
        let tried = TRIED.fetch_add(step, Ordering::Relaxed);
        let offset = process::id().wrapping_mul(131).wrapping_add(tried) % (PORTS.end - PORTS.start);
        let first = u16::try_from(PORTS.start + offset).unwrap_or(u16::MAX);
        let last = first.saturating_add(count);
        let held: Result<Vec<_>, _> =
            (first..last).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
        if held.is_ok() {
            return Ok(first);
        }
    }
    Err(LoadError::Io { what: "looking for free ports", source: std::io::ErrorKind::AddrInUse.into() })
}

impl Processes {
    /// Starts a node for each file and waits until all serve.
    ///
    /// # Errors
    /// If one does not.
    pub async fn start(program: &Path, files: &[PathBuf]) -> Result<Self, LoadError> {
        let nodes = files.iter().map(|file| Node { file: file.clone(), child: None, lines: None }).collect();
        let mut processes = Self { program: program.into(), nodes };
        for replica in 0..files.len() {
            processes.restart(replica).await?;
        }
        Ok(processes)
    }

    /// Starts one that does not run.
    ///
    /// # Errors
    /// If it does not serve in time.
    pub async fn restart(&mut self, replica: usize) -> Result<(), LoadError> {
        self.restart_with(replica, &[]).await
    }

    /// The same, with more of the arguments of `popmarket node`.
    ///
    /// # Errors
    /// If it does not serve in time.
    pub async fn restart_with(&mut self, replica: usize, arguments: &[&str]) -> Result<(), LoadError> {
        let program = self.program.clone();
        let node = self.node(replica)?;
        let failed = |why: String| LoadError::Process { replica: as_id(replica), why };
        let mut command = Command::new(program);
        command.args(["node", "--config"]).arg(&node.file).args(arguments);
        let (child, mut lines) = start(&mut command).map_err(failed)?;
        match timeout(START_WITHIN, line_with(&mut lines, READY)).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(failed("ended before it served".into())),
            Err(_) => return Err(failed(format!("does not serve after {START_WITHIN:?}"))),
        }
        // Keep reading, so that the pipe never fills.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        node.child = Some(child);
        Ok(())
    }

    /// Starts a new replica in a folder with `popmarket join`, and says which it is here and what its key is.
    ///
    /// # Errors
    /// If it does not show its key in time.
    pub async fn join(
        &mut self,
        folder: &Path,
        arguments: &[String],
    ) -> Result<(usize, PublicKey), LoadError> {
        let index = self.nodes.len();
        let failed = |why: String| LoadError::Process { replica: as_id(index), why };
        let mut command = Command::new(&self.program);
        command.arg("join").args(arguments).arg("--dir").arg(folder);
        let (child, mut lines) = start(&mut command).map_err(failed)?;
        let line = timeout(START_WITHIN, line_with(&mut lines, KEY)).await;
        let line = line.ok().flatten().ok_or_else(|| failed("shows no key".into()))?;
        let key = line.trim().parse().map_err(|_| failed(format!("shows no key, but {line:?}")))?;
        self.nodes.push(Node { file: folder.join("node.toml"), child: Some(child), lines: Some(lines) });
        Ok((index, key))
    }

    /// Waits until a new replica votes.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn joined(&mut self, replica: usize) -> Result<(), LoadError> {
        let failed = |why: String| LoadError::Process { replica: as_id(replica), why };
        let lines = self.node(replica)?.lines.take();
        let mut lines = lines.ok_or_else(|| failed("is no newcomer".into()))?;
        let joined = timeout(JOIN_WITHIN, line_with(&mut lines, JOINED)).await;
        joined.ok().flatten().ok_or_else(|| failed(format!("does not vote after {JOIN_WITHIN:?}")))?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(())
    }

    /// The files of those that run.
    #[must_use]
    pub fn running(&self) -> Vec<PathBuf> {
        self.nodes.iter().filter(|node| node.child.is_some()).map(|node| node.file.clone()).collect()
    }

    /// Ends one with `kill -9`.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&mut self, replica: usize) -> Result<(), LoadError> {
        let failed = |why: String| LoadError::Process { replica: as_id(replica), why };
        let child = self.node(replica)?.child.take();
        let mut child = child.ok_or_else(|| failed("does not run".into()))?;
        child.kill().await.map_err(|error| failed(format!("cannot be killed: {error}")))
    }

    /// Stops one where it is, with its connections open.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&mut self, replica: usize) -> Result<(), LoadError> {
        self.signal(replica, Signal::STOP)
    }

    /// Lets one go on that was stopped.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&mut self, replica: usize) -> Result<(), LoadError> {
        self.signal(replica, Signal::CONT)
    }

    fn signal(&mut self, replica: usize, signal: Signal) -> Result<(), LoadError> {
        let failed = |why: String| LoadError::Process { replica: as_id(replica), why };
        let child = self.node(replica)?.child.as_ref();
        let pid = child.and_then(pid_of).ok_or_else(|| failed("does not run".into()))?;
        kill_process(pid, signal).map_err(|error| failed(format!("takes no signal: {error}")))
    }

    /// How many there are, running or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Deletes all that one keeps, which must not run.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub fn delete_data(&mut self, replica: usize) -> Result<(), LoadError> {
        let data = LoadedNode::load(&self.node(replica)?.file)?.data;
        std::fs::remove_dir_all(data)
            .map_err(|source| LoadError::Io { what: "deleting a replica's data", source })
    }

    /// Ends all in good order.
    ///
    /// # Errors
    /// If one does not end in time, or not with success.
    pub async fn stop(&mut self) -> Result<(), LoadError> {
        for (replica, node) in self.nodes.iter_mut().enumerate() {
            let failed = |why: String| LoadError::Process { replica: as_id(replica), why };
            let Some(mut child) = node.child.take() else { continue };
            if let Some(pid) = pid_of(&child) {
                kill_process(pid, Signal::TERM)
                    .map_err(|error| failed(format!("cannot be told to end: {error}")))?;
            }
            match timeout(STOP_WITHIN, child.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => return Err(failed(format!("ended with {status}"))),
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(_) => return Err(failed(format!("does not end after {STOP_WITHIN:?}"))),
            }
        }
        Ok(())
    }

    fn node(&mut self, replica: usize) -> Result<&mut Node, LoadError> {
        let unknown =
            || LoadError::Process { replica: as_id(replica), why: "there is no such replica".into() };
        self.nodes.get_mut(replica).ok_or_else(unknown)
    }

    /// What each process has used so far, if it runs.
    #[must_use]
    pub fn usage(&self) -> Vec<Option<Usage>> {
        let ids = self.nodes.iter().map(|node| node.child.as_ref().and_then(Child::id));
        ids.map(|id| id.map(Usage::of)).collect()
    }
}

/// What a process has used, as the kernel tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// The most memory that was resident at any time, in KiB.
    pub peak_resident_kib: u64,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
}

/// Clock ticks in a second, on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

impl Usage {
    fn of(process: u32) -> Self {
        Self {
            peak_resident_kib: peak_resident_kib(process).unwrap_or(0),
            cpu_seconds: cpu_seconds(process).unwrap_or(0.0),
        }
    }

    /// What those that run in the end have used from `before` to `after`, process by process. One that was started in between
    /// counts from its start.
    #[must_use]
    pub fn between(before: &[Option<Self>], after: &[Option<Self>]) -> Vec<Self> {
        let before = before.iter().copied().chain(std::iter::repeat(None));
        let between = |(before, after): (Option<Self>, &Option<Self>)| {
            let (before, after) = (before.unwrap_or_default(), (*after)?);
            let used = after.cpu_seconds - before.cpu_seconds;
            let cpu_seconds = if used < 0.0 { after.cpu_seconds } else { used };
            Some(Self { peak_resident_kib: after.peak_resident_kib, cpu_seconds })
        };
        before.zip(after).filter_map(between).collect()
    }
}

/// Starts a program, with what it prints.
fn start(command: &mut Command) -> Result<(Child, Lines<BufReader<ChildStdout>>), String> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    let stdout = child.stdout.take().ok_or("has no output")?;
    Ok((child, BufReader::new(stdout).lines()))
}

/// What follows `start` in the first line that begins with it.
async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, start: &str) -> Option<String> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(rest) = line.strip_prefix(start) {
            return Some(rest.to_owned());
        }
    }
    None
}

fn peak_resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the command in parentheses, user and system ticks are fields 12 and 13.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

fn as_id(replica: usize) -> u16 {
    u16::try_from(replica).unwrap_or(u16::MAX)
}
