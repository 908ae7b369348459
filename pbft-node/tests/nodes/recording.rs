//! A recorded replica's life, lived again.

use pbft_core::{
    Seq,
    recording::{Moment, RecordedInput, ReplayError, Replayed, frame, replay},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    wire::decode,
};
use pbft_node::{NodeConfig, recorder::RecordOptions};

use crate::support::{Cluster, PATIENCE, session, shut_down};

const REQUESTS: u8 = 40;

/// Says what it was told.
struct Echo;

impl Service for Echo {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let echo =
            batch.requests.iter().map(|request| Outcome::Applied(request.operation.as_bytes().to_vec()));
        Executed::new(echo.collect())
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        ServiceCheckpoint::from_snapshot(Vec::new())
    }

    fn restore(&mut self, _seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        Ok(())
    }
}

/// Lets a recorded cluster serve some requests, and returns the four recordings.
async fn live(max_bytes: u64) -> Vec<Vec<u8>> {
    // So that there are checkpoints and truncation in it, too.
    let mut cluster = Cluster::with(4, 4, |config| {
        (config.checkpoint_period, config.window, config.max_in_flight) = (4, 16, 8);
    });
    let files: Vec<_> = (0..4).map(|id| cluster.folder.path().join(format!("recording-{id}"))).collect();
    let mut nodes = Vec::new();
    for (index, file) in (0..).zip(&files) {
        let record = Some(RecordOptions { file: file.clone(), max_bytes });
        nodes.push(cluster.start_with(NodeConfig { record, ..cluster.config(index) }, Echo));
    }
    let client = cluster.client();
    let session = session(&client, 1);
    for request in 0..REQUESTS {
        let answer = tokio::time::timeout(PATIENCE, session.submit(vec![request])).await;
        answer.expect("it must not take so long").unwrap();
    }
    shut_down(nodes).await;
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_life_comes_out_the_same() {
    for recording in live(1 << 30).await {
        let Replayed { steps, torn } = replay(&recording).unwrap();
        assert!(steps > u64::from(REQUESTS) && !torn, "{steps} steps");
        // A crash of the process cuts the last frame off.
        let cut = &recording[..recording.len() - 3];
        assert_eq!(replay(cut), Ok(Replayed { steps: steps - 1, torn: true }));
        any_change_is_noticed(&recording, steps);
    }
}

fn any_change_is_noticed(recording: &[u8], steps: u64) {
    for at in [0, 5, 100, recording.len() / 3, recording.len() / 2, recording.len() - 1] {
        let mut damaged = recording.to_vec();
        damaged[at] ^= 0x10;
        let replayed = replay(&damaged);
        let same = replayed.as_ref().is_ok_and(|replayed| replayed.steps == steps && !replayed.torn);
        assert!(!same, "byte {at}: {replayed:?}");
    }
    // Whole frames that say something else.
    let frames = frames(recording);
    let executed = |moment: &Moment| matches!(moment.input, RecordedInput::Executed { .. });
    let without = edited(&frames, |moment| (!executed(moment)).then_some(()));
    assert!(matches!(replay(&without), Err(ReplayError::Differs { .. })), "a step that is left out");
    let other = edited(&frames, |moment| {
        if let RecordedInput::Executed { executed, .. } = &mut moment.input {
            executed.outcomes.iter_mut().for_each(|outcome| *outcome = Outcome::Applied(b"other".to_vec()));
        }
        Some(())
    });
    assert!(matches!(replay(&other), Err(ReplayError::Differs { .. })), "an outcome that was another one");
    let unsigned = edited(&frames, |moment| {
        moment.signatures.clear();
        Some(())
    });
    assert!(matches!(replay(&unsigned), Err(ReplayError::Differs { .. })), "signatures that are not there");
}

/// The bodies of all frames.
fn frames(mut recording: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = recording.split_first_chunk::<4>() {
        let (body, rest) = rest[8..].split_at(usize::try_from(u32::from_le_bytes(*length)).unwrap());
        frames.push(body.to_vec());
        recording = rest;
    }
    frames
}

/// The recording with its moments changed, or left out. The first frame is the beginning; the log was empty.
fn edited(frames: &[Vec<u8>], mut edit: impl FnMut(&mut Moment) -> Option<()>) -> Vec<u8> {
    let beginning: pbft_core::recording::Beginning = decode(&frames[0]).unwrap();
    assert_eq!(beginning.records, 0);
    let mut bytes = frame(&beginning).unwrap();
    for body in &frames[1..] {
        let mut moment: Moment = decode(body).unwrap();
        if edit(&mut moment).is_some() {
            bytes.extend(frame(&moment).unwrap());
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_at_its_bound_and_the_replica_goes_on() {
    const BOUND: u64 = 20_000;
    for recording in live(BOUND).await {
        assert!(recording.len() as u64 <= BOUND && recording.len() > 10_000, "{}", recording.len());
        assert!(replay(&recording).unwrap().steps > 0);
    }
}
