//! What happens on an accepted connection.

use pbft_core::wire;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

use super::{
    config::REPLICA_FRAME_BYTES,
    cut_off::CutOff,
    dial::Connection,
    frame::{FrameError, FrameReader, FrameWriter},
    peers::{Seated, SeatedAs},
    protocol::{ClientAnswer, Inbound, Quota, Share},
    queue::{QueueReceiver, Weight},
};

/// So many answers are taken at once, if they are there.
const ANSWERS_AT_ONCE: usize = 1024;
/// A frame of answers has about so many bytes, unless one answer alone has more.
const ANSWER_FRAME_BYTES: usize = 1 << 20;

/// Serves a connection until it ends. Returns the reason if it is cut off for one.
pub(crate) async fn serve(
    connection: Connection,
    mut seated: Seated,
    inbound: &mpsc::Sender<Inbound>,
    client_frame_bytes: usize,
) -> Option<CutOff> {
    let Connection { mut reader, mut writer } = connection;
    let (share, stopped) = (seated.share.clone(), &mut seated.stopped);
    match &mut seated.as_what {
        SeatedAs::Replica(from) => {
            let from = *from;
            reader.set_limit(REPLICA_FRAME_BYTES);
            let make = move |message, quota| Inbound::Replica { from, message, quota };
            tokio::select! {
                ended = receive(&mut reader, inbound, &share, make) => ended,
                _ = stopped => None,
            }
        }
        SeatedAs::Client(id, answers) => {
            let connection = *id;
            reader.set_limit(client_frame_bytes);
            let make = move |request, quota| Inbound::Client { connection, request, quota };
            let ended = tokio::select! {
                ended = receive(&mut reader, inbound, &share, make) => ended,
                _ = send_answers(&mut writer, answers) => None,
                _ = stopped => None,
            };
            // A host that is gone needs no telling.
            let _ = inbound.send(Inbound::ClientGone(connection)).await;
            ended
        }
    }
}

/// Hands on frame after frame. When the host or the sender's share is full, it waits, and TCP lets the sender wait.
async fn receive<R: AsyncRead + Unpin, T: DeserializeOwned>(
    reader: &mut FrameReader<R>,
    inbound: &mpsc::Sender<Inbound>,
    share: &Share,
    make: impl Fn(T, Quota) -> Inbound,
) -> Option<CutOff> {
    loop {
        let frame = match reader.next().await {
            Ok(Some(frame)) => frame,
            Err(FrameError::TooLong { .. }) => return Some(CutOff::FrameTooLong),
            Ok(None) | Err(FrameError::Truncated | FrameError::Io(_)) => return None,
        };
        let quota = share.take(frame.len()).await?;
        let Ok(contents) = wire::decode(&frame) else { return Some(CutOff::MalformedFrame) };
        drop(frame);
        if inbound.send(make(contents, quota)).await.is_err() {
            return None;
        }
    }
}

/// Writes answers until there can be no more. Those that come together go out together.
async fn send_answers<W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    queue: &mut QueueReceiver<ClientAnswer>,
) -> Result<(), FrameError> {
    let mut answers = Vec::new();
    while queue.take(&mut answers, ANSWERS_AT_ONCE).await > 0 {
        for together in answers.chunk_by(frame_filler()) {
            match wire::encode(&together) {
                Ok(frame) => writer.write(&frame).await?,
                Err(error) => tracing::error!(%error, "an answer cannot be sent"),
            }
        }
        writer.flush().await?;
        answers.clear();
    }
    Ok(())
}

/// Says of each answer whether it still fits the frame of those before it.
fn frame_filler() -> impl FnMut(&ClientAnswer, &ClientAnswer) -> bool {
    let mut bytes = 0_usize;
    move |before, after| {
        bytes = bytes.saturating_add(before.weight());
        let fits = bytes.saturating_add(after.weight()) <= ANSWER_FRAME_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use pbft_core::{ClientId, RequestId, RequestNumber, Seq, View, message::Reply, service::Outcome};

    use pbft_crypto::Digest;

    use super::*;

    fn reply(number: u64, bytes: usize) -> ClientAnswer {
        let id = RequestId { client: ClientId::from_bytes([1; 32]), number: RequestNumber::new(number) };
        let (request, outcome) = (Digest::ZERO, Outcome::Applied(vec![7; bytes]));
        ClientAnswer::Reply(Reply { view: View::ZERO, seq: Seq::new(1), id, request, outcome })
    }

    #[test]
    fn answers_share_frames_up_to_a_bound() {
        let sizes = [10, 20, 600_000, 300_000, 200_000, 3_000_000, 5];
        let answers: Vec<_> = (0..).zip(sizes).map(|(number, bytes)| reply(number, bytes)).collect();
        let frames: Vec<_> = answers.chunk_by(frame_filler()).map(<[_]>::len).collect();
        assert_eq!(frames, [4, 1, 1, 1]);
        let frame = wire::encode(&&answers[..4]).unwrap();
        assert_eq!(wire::decode::<Vec<ClientAnswer>>(&frame).unwrap(), answers[..4]);
    }
}
