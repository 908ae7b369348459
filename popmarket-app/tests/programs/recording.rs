//! What `popmarket node --record` writes, `pbft-sim replay` lives again.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use ledger::Params;
use pbft_core::{
    ReplicaId, Request,
    recording::{Beginning, FRAME_HEADER, Replayed, replay},
    wire::decode,
};
use pbft_crypto::KeyPair;
use pbft_node::{
    client::{Client, ClientOptions},
    transport::ReplicaReport,
};
use popmarket_app::{
    load::{Processes, READY, TemporaryFolder, Workload, free_ports},
    testnet::{Testnet, TestnetPlan},
};

use crate::commands::{ended, popmarket};

/// How long a test waits for what has to come.
const LONG: Duration = Duration::from_secs(60);
/// Who is recorded.
const RECORDED: u16 = 3;
const PAYMENTS: u32 = 60;

/// A replica whose life is recorded.
struct Recorded {
    child: Child,
    /// A program whose output nobody takes would end.
    _output: BufReader<ChildStdout>,
}

impl Recorded {
    fn start(node_file: &Path, recording: &Path) -> Self {
        let mut child = node(node_file, recording).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains(READY) {
            assert!(output.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        Self { child, _output: output }
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn node(node_file: &Path, recording: &Path) -> Command {
    popmarket(&["node", "--config", node_file.to_str().unwrap(), "--record", recording.to_str().unwrap()])
}

fn lay_out(folder: &Path, client: &KeyPair, workload: &Workload) -> Testnet {
    let plan = TestnetPlan {
        folder: folder.join("cluster"),
        replicas: 4,
        port: free_ports(4).unwrap(),
        http_port: None,
        clients: vec![client.public_key()],
        accounts: workload.funded(),
        archive_bytes: None,
        params: Params::STANDARD,
        password: None,
    };
    plan.write().unwrap()
}

async fn pay(client: &Client, payments: &[Request]) {
    for payment in payments {
        tokio::time::timeout(LONG, client.submit(payment.clone())).await.unwrap().unwrap();
    }
}

/// Waits until the recorded replica is where the farthest one is.
async fn is_level(client: &Client) {
    let (started, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
    loop {
        tick.tick().await;
        let reports = client.reports().await;
        let place = |(id, report): (&ReplicaId, &Option<ReplicaReport>)| {
            Some((id.value(), report.as_ref()?.progress.executed))
        };
        let executed: Vec<_> = reports.iter().filter_map(place).collect();
        let farthest = executed.iter().map(|(_, seq)| *seq).max();
        let own = executed.iter().find(|(id, _)| *id == RECORDED).map(|(_, seq)| *seq);
        if executed.len() == 4 && own == farthest {
            return;
        }
        assert!(started.elapsed() < LONG, "{executed:?}");
    }
}

/// How many records the log held.
fn records_before(recording: &[u8]) -> u64 {
    let length = usize::try_from(u32::from_le_bytes(*recording.first_chunk().unwrap())).unwrap();
    decode::<Beginning>(&recording[FRAME_HEADER..][..length]).unwrap().records
}

/// Set by whoever has built the whole workspace: the command is another package's program, and may be an old one.
const WHOLE_BUILD: &str = "POPMARKET_TEST_WHOLE_BUILD";

fn the_command_says(recording: &Path, expected: &str) {
    if env::var_os(WHOLE_BUILD).is_none() {
        println!("left out: without {WHOLE_BUILD} the recording is not replayed by `pbft-sim`");
        return;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_popmarket")).with_file_name("pbft-sim");
    let mut command = Command::new(&program);
    command.arg("replay").arg(recording).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = ended(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {said}", program.display());
    assert_eq!(said.trim(), expected);
    // One that says something else does not come out the same.
    let mut changed = fs::read(recording).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let file = recording.with_extension("changed");
    fs::write(&file, changed).unwrap();
    let mut command = Command::new(&program);
    command.arg("replay").arg(&file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = ended(&mut command);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The first life ends with `kill -9` among payments, the second one in good order.
#[tokio::test(flavor = "multi_thread")]
async fn two_recorded_lives_of_a_replica_come_out_the_same() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let (key, workload) = (KeyPair::generate(), Workload::accounts(10));
    let testnet = lay_out(folder.path(), &key, &workload);
    let chain = testnet.genesis.chain_id();
    let (own, others) = testnet.node_files.split_last().unwrap();
    let mut others = Processes::start(Path::new(env!("CARGO_BIN_EXE_popmarket")), others).await.unwrap();
    let files: [PathBuf; 2] =
        ["first", "second"].map(|name| folder.path().join(name).with_extension("recording"));
    let first = Recorded::start(own, &files[0]);
    let (replicas, addresses) = (testnet.cluster.replica_set(), testnet.cluster.addresses());
    let client = Client::start(&ClientOptions::new(chain, replicas, addresses, key)).unwrap();
    let payments = workload.payments(chain, PAYMENTS);
    let (before, after) = payments.split_at(payments.len() / 2);
    pay(&client, before).await;
    is_level(&client).await;
    first.kill();

    let refused = ended(&mut node(own, &files[0]));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(why.contains("the recording cannot begin"), "{why}");
    let second = Recorded::start(own, &files[1]);
    pay(&client, after).await;
    is_level(&client).await;
    second.stop();
    others.stop().await.unwrap();

    for (file, is_first) in files.iter().zip([true, false]) {
        let recording = fs::read(file).unwrap();
        assert_eq!(records_before(&recording) == 0, is_first);
        let Replayed { steps, torn } = replay(&recording).unwrap();
        println!("{} bytes, {steps} steps for {} payments", recording.len(), PAYMENTS / 2);
        assert!(steps > u64::from(PAYMENTS), "{steps} steps");
        // Who is killed may be in the middle of a write.
        assert!(!torn || is_first);
        let end = if torn { ", and the last one is cut off" } else { "" };
        the_command_says(file, &format!("{steps} steps, each with the same effects as before{end}"));
    }
}
