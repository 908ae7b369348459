//! The program as an operator starts it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use popmarket_app::load::TemporaryFolder;

const KNOWN_PASSWORD: &str = "popmarket-demo";
/// How long a test waits for what has to come.
const LONG: Duration = Duration::from_secs(60);

pub(super) fn popmarket(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_popmarket"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A market with nothing in it, on loopback.
pub(super) struct Market {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it has printed.
    said: String,
}

impl Market {
    /// Waits until it is ready.
    pub(super) fn start(data: &Path, more: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let arguments = [&["--no-demo", "--listen", "127.0.0.1:0", "--data", data], more].concat();
        let mut child = popmarket(&arguments).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut market = Self { child, output, said: String::new() };
        while !market.said.contains("Stop with Ctrl-C") {
            assert!(market.output.read_line(&mut market.said).unwrap() > 0, "it ended: {}", market.said);
        }
        let started = Instant::now();
        let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        while !market.ask(request).starts_with("HTTP/1.1 200") {
            assert!(started.elapsed() < LONG, "it is not ready");
        }
        market
    }

    fn ask(&self, request: &str) -> String {
        let (_, rest) = self.said.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn sign_in(&self, password: &str) -> String {
        let body = format!("{{\"name\":\"admin1\",\"password\":\"{password}\"}}");
        self.ask(&format!(
            "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Where its web is.
    pub(super) fn url(&self) -> String {
        let (_, rest) = self.said.split_once("http://").unwrap();
        format!("http://{}", rest.split('/').next().unwrap())
    }

    pub(super) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command says that has to end by itself.
pub(super) fn ended(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > LONG {
            child.kill().unwrap();
            panic!("it goes on");
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// The body of an answer, put together if it came in chunks.
fn body(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return rest.to_owned();
    }
    let mut whole = String::new();
    while let Some((size, chunk)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&chunk[..size]);
        rest = chunk[size..].trim_start_matches("\r\n");
    }
    whole
}

/// What a cluster of four replicas signs for, the program checks without any network; and of a receipt in which a byte
/// was changed, nothing is believed.
#[test]
fn a_receipt_of_a_running_cluster_verifies_offline() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let market = Market::start(folder.path(), &[]);
    let signed_in: serde_json::Value = serde_json::from_str(&body(&market.sign_in(KNOWN_PASSWORD))).unwrap();
    let token = signed_in["token"].as_str().unwrap();
    let listing = r#"{"title":"Lamp","description":"It glows.","price":"300"}"#;
    let listed = market.ask(&format!(
        "POST /v1/listings HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         prefer: wait=30\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{listing}",
        listing.len()
    ));
    assert!(listed.starts_with("HTTP/1.1 201"), "{listed}");
    let listed: serde_json::Value = serde_json::from_str(&body(&listed)).unwrap();
    let id = listed["tx_id"].as_str().unwrap();
    let get =
        format!("GET /v1/transactions/{id}/receipt HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let started = Instant::now();
    let receipt = loop {
        let answer = market.ask(&get);
        if answer.starts_with("HTTP/1.1 200") {
            break body(&answer);
        }
        assert!(answer.contains("NOT_CERTIFIED") && started.elapsed() < LONG, "{answer}");
    };
    market.stop();

    let (file, genesis) = (folder.path().join("receipt.json"), folder.path().join("genesis.json"));
    let run = |bytes: &[u8], genesis: &Path| {
        fs::write(&file, bytes).unwrap();
        let arguments = ["verify-receipt", file.to_str().unwrap(), "--genesis", genesis.to_str().unwrap()];
        let output = ended(&mut popmarket(&arguments));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = run(receipt.as_bytes(), &genesis);
    assert_eq!(code, Some(0));
    assert!(said.contains(id) && said.contains("APPLIED") && said.contains("Lamp"), "{said}");
    assert_eq!(run(b"{}", &genesis).0, Some(1));
    assert_eq!(run(receipt.as_bytes(), &folder.path().join("none.json")).0, Some(2));
    let nothing =
        ended(&mut popmarket(&["verify-receipt", "no-such-file", "--genesis", genesis.to_str().unwrap()]));
    assert_eq!(nothing.status.code(), Some(2));

    let genesis: ledger::Genesis = serde_json::from_str(&fs::read_to_string(&genesis).unwrap()).unwrap();
    let trusted =
        receipt::Trusted { chain_id: genesis.chain_id(), replica_set_hash: genesis.replica_set_hash() };
    receipt::verify(receipt.as_bytes(), &trusted).unwrap();
    for place in 0..receipt.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut changed = receipt.clone().into_bytes();
            changed[place] ^= mask;
            assert!(receipt::verify(&changed, &trusted).is_err(), "byte {place}, {mask}");
        }
    }
    let mut changed = receipt.into_bytes();
    *changed.last_mut().unwrap() = b' ';
    assert_eq!(run(&changed, &folder.path().join("genesis.json")).0, Some(1));
}

/// An operator asks how a market is; scripts go by the exit code.
#[test]
fn a_market_says_how_it_is() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let market = Market::start(folder.path(), &[]);
    let url = market.url();
    let run = |arguments: &[&str]| {
        let output = ended(&mut popmarket(arguments));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let started = Instant::now();
    let said = loop {
        let (code, said, _) = run(&["status", "--url", &url]);
        assert_eq!(code, Some(0), "{said}");
        // The market is ready once enough replicas answer: the last one may still be on its way.
        if said.contains("all 4 replicas agree") {
            break said;
        }
        assert!(started.elapsed() < LONG, "{said}");
    };
    assert!(said.contains("checkpoint"), "{said}");
    let (code, said, _) = run(&["status", "--json", "--url", &url]);
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, status["replicas"].as_array().unwrap().len()), (Some(0), 4));
    let well = |arguments: &[&str]| {
        let started = Instant::now();
        loop {
            let (code, said, why) = run(arguments);
            if code == Some(0) {
                return said;
            }
            // On a busy machine a replica may not answer in time, once.
            assert!(code == Some(1) && started.elapsed() < LONG, "{said}{why}");
        }
    };
    assert_eq!(well(&["diagnose", "--url", &url]).trim(), "all 4 replicas agree");
    let found: serde_json::Value =
        serde_json::from_str(&well(&["diagnose", "--json", "--url", &url])).unwrap();
    assert_eq!(found["well"], true);
    let metrics = market.ask("GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    for replica in 0..4 {
        let line = format!("pbft_waits_for{{replica=\"{replica}\",kind=\"");
        assert!(
            body(&metrics).lines().any(|found| found.starts_with(&line) && found.ends_with(" 1")),
            "{metrics}"
        );
    }

    let (code, _, why) = run(&["diagnose", "--url", "ftp://nowhere"]);
    assert!(code == Some(2) && why.contains("no address of a market"), "{why}");
    let (code, _, why) = run(&["status", "--url", &format!("{url}/no/such/path")]);
    assert!(code == Some(1) && why.contains("404"), "{why}");
    market.stop();
    let (code, _, why) = run(&["status", "--url", &url]);
    assert!(code == Some(1) && why.contains("no market answers"), "{why}");
}

#[test]
fn a_market_that_others_can_reach_has_no_known_password() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let market = Market::start(folder.path(), &["--behind-tls"]);
    assert!(!market.said.contains(KNOWN_PASSWORD), "{}", market.said);
    let refused = market.sign_in(KNOWN_PASSWORD);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("strict-transport-security"), "it knows that it is behind TLS: {refused}");
    let (_, password) = market.said.split_once("with the password ").unwrap();
    let password = password.lines().next().unwrap().to_owned();
    assert!(market.sign_in(&password).starts_with("HTTP/1.1 201"));
    market.stop();
}

#[test]
fn a_market_with_the_known_password_is_not_shown_to_others() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let data = folder.path().to_str().unwrap();
    let market = Market::start(folder.path(), &[]);
    let signed_in = market.sign_in(KNOWN_PASSWORD);
    assert!(signed_in.starts_with("HTTP/1.1 201"), "{signed_in}");
    assert!(!signed_in.contains("strict-transport-security"));
    market.stop();
    for exposed in [&["--listen", "0.0.0.0:0"][..], &["--behind-tls"]] {
        let output = ended(popmarket(&[&["--data", data], exposed].concat()).stdout(Stdio::null()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{exposed:?}: {said}");
        assert!(said.contains("well-known password") && said.contains("--data"), "{said}");
    }
    // Nor if the node's file says that there is a proxy.
    let file = folder.path().join("node-0").join("node.toml");
    let text = fs::read_to_string(&file).unwrap().replace("behind_tls = false", "behind_tls = true");
    fs::write(&file, text).unwrap();
    let output = ended(popmarket(&["--data", data, "--listen", "127.0.0.1:0"]).stdout(Stdio::null()));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn deadlines_of_a_new_market_are_short_if_asked_for() {
    for (more, day) in [(&["--short-deadlines"][..], 1_000), (&[], 24 * 3_600_000)] {
        let folder = TemporaryFolder::new("popmarket-test").unwrap();
        let market = Market::start(folder.path(), more);
        let answer =
            market.ask("GET /v1/network/genesis HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let genesis: serde_json::Value = serde_json::from_str(&body(&answer)).unwrap();
        let params = &genesis["params"];
        assert_eq!(params["trade"]["ship_within"], 5 * day, "{answer}");
        assert_eq!(params["accounts"]["min_recovery_delay"], day, "{answer}");
        market.stop();
    }
}

#[test]
fn tables_of_another_chain_end_the_program_at_once() {
    let (one, other) =
        (TemporaryFolder::new("popmarket-test").unwrap(), TemporaryFolder::new("popmarket-test").unwrap());
    let table = |folder: &TemporaryFolder, what: &str| {
        folder.path().join("node-0/data/web").join(format!("read-model.db{what}"))
    };
    Market::start(one.path(), &[]).stop();
    Market::start(other.path(), &[]).stop();
    // SQLite leaves its log behind if a connection outlived the writer.
    for file in ["", "-wal", "-shm"] {
        let (from, to) = (table(&other, file), table(&one, file));
        if to.exists() {
            fs::remove_file(&to).unwrap();
        }
        if from.exists() {
            fs::copy(from, to).unwrap();
        }
    }
    let data = one.path().to_str().unwrap();
    let arguments = ["--no-demo", "--listen", "127.0.0.1:0", "--data", data];
    let output = ended(popmarket(&arguments).stdout(Stdio::null()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the read model is of another chain"), "{said}");
}

#[test]
fn a_cluster_is_not_laid_out_over_another_one() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let arguments = ["testnet", "--dir", folder.path().to_str().unwrap()];
    let first = ended(&mut popmarket(&arguments));
    assert!(first.status.success());
    let said = String::from_utf8_lossy(&first.stdout);
    assert!(said.contains("http://127.0.0.1:8180") && said.contains("admin1.password"), "{said}");
    let second = ended(&mut popmarket(&arguments));
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("holds a cluster already"), "{said}");
}

/// Tables are made anew from the blocks of a market that is stopped, the same wherever they are.
#[test]
fn tables_are_made_anew_and_compared() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let data = folder.path().to_str().unwrap();
    let market = Market::start(folder.path(), &[]);
    let run = |more: &[&str]| {
        let output = ended(&mut popmarket(&[&["reindex", "--data", data], more].concat()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, why) = run(&[]);
    assert!(code == Some(2) && why.contains("stop it first"), "{why}");
    market.stop();

    let digest = |more: &[&str]| {
        let (code, said, why) = run(&[&["--json"], more].concat());
        assert_eq!(code, Some(0), "{said}{why}");
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        report["digest"].as_str().unwrap().to_owned()
    };
    let grown = digest(&["--check"]);
    assert_eq!(digest(&[]), grown);
    let elsewhere = folder.path().join("elsewhere.db");
    assert_eq!(digest(&["--database", elsewhere.to_str().unwrap()]), grown);
    let empty = folder.path().join("empty.db");
    let (code, _, why) = run(&["--check", "--database", empty.to_str().unwrap()]);
    assert!(code == Some(1) && why.contains("there is no database"), "{why}");
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("empty.db")).collect();
    assert!(left.is_empty(), "a check made {left:?}");

    // Nobody listens on port 1, and a port is a number.
    for (url, expected, words) in [
        ("postgres://shop:s3cret@127.0.0.1:1/market?sslmode=disable", 1, "cannot be reached"),
        ("postgres://shop:s3cret@127.0.0.1:one/market", 2, "not a URL of PostgreSQL"),
    ] {
        let (code, said, why) = run(&["--database", url]);
        assert!(code == Some(expected) && why.contains(words), "{why}");
        assert!(!(said + &why).contains("s3cret"), "a password is shown");
    }
    Market::start(folder.path(), &[]).stop();
}
