//! Measures how long it takes to hand a chain of payments out and to take it over: `cargo run --release -p popmarket-app
//! --example take_over -- 200000`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::{Genesis, Params};
use pbft_core::{
    Request, Seq, UnixMillis, View,
    service::{OrderedBatch, Service},
};
use pbft_crypto::{Digest, KeyPair};
use popmarket_app::{
    load::{TemporaryFolder, Workload},
    service::LedgerService,
    store::StoreOptions,
    testnet::TestnetPlan,
};

/// As many as a batch has under load.
const PAYMENTS_IN_A_BATCH: usize = 120;
const ACCOUNTS: u32 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let payments = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let folder = TemporaryFolder::new("popmarket-take-over")?;
    let workload = Workload::accounts(ACCOUNTS);
    let genesis = genesis(folder.path(), &workload)?;
    let requests = workload.payments(genesis.chain_id(), payments);

    let open =
        |name: &str| LedgerService::open(&folder.path().join(name), &genesis, &StoreOptions::default());
    let (mut source, mut target) = (open("source")?, open("target")?);
    let (seq, executing) = timed(|| execute(&mut source, &requests));
    let digest = source.checkpoint().digest;
    say("executed, and answered", payments, executing);

    let manifest = source.manifest(seq).ok_or("no manifest")?;
    let missing = target.begin_install(seq, &digest, &manifest)?;
    let (parts, handing_out) =
        timed(|| missing.iter().map(|index| source.part(seq, *index)).collect::<Option<Vec<_>>>());
    let parts = parts.ok_or("a part is missing")?;
    let bytes: usize = parts.iter().map(Vec::len).sum();
    println!("{} parts, {bytes} bytes, and a manifest of {} bytes", parts.len(), manifest.len());
    say("handed out", payments, handing_out);
    let (taken, taking_in) = timed(|| -> Result<(), Box<dyn Error>> {
        for (index, part) in missing.iter().zip(&parts) {
            target.accept_part(*index, part)?;
        }
        Ok(target.complete_install()?)
    });
    taken?;
    say("checked and taken in", payments, taking_in);
    let (restored, executing_again) = timed(|| target.restore(seq, None));
    restored?;
    say("executed again", payments, executing_again);
    if target.checkpoint().digest != digest {
        return Err("another state".into());
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed())
}

fn say(what: &str, payments: u32, took: Duration) {
    println!(
        "{what}: {:.2} s, {:.0} payments a second",
        took.as_secs_f64(),
        f64::from(payments) / took.as_secs_f64()
    );
}

fn genesis(folder: &Path, workload: &Workload) -> Result<Genesis, Box<dyn Error>> {
    let plan = TestnetPlan {
        folder: folder.join("cluster"),
        replicas: 4,
        port: 1,
        http_port: None,
        clients: vec![KeyPair::generate().public_key()],
        accounts: workload.funded(),
        archive_bytes: None,
        params: Params::STANDARD,
        password: None,
    };
    Ok(plan.write()?.genesis)
}

/// The number of the last batch.
fn execute(service: &mut LedgerService, requests: &[Request]) -> Seq {
    let mut seq = Seq::ZERO;
    for requests in requests.chunks(PAYMENTS_IN_A_BATCH) {
        seq = seq.next();
        let time = UnixMillis::new(4_000_000_000_000 + seq.value());
        let batch = OrderedBatch {
            seq,
            origin: View::ZERO,
            time,
            requests: requests.to_vec(),
            replicas: Digest::ZERO,
        };
        service.execute(&batch);
    }
    seq
}
