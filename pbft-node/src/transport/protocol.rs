//! What clients and replicas say to each other, and what the transport hands to its host.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId, Request, RequestId,
    message::{DeclineReason, Read, ReadAnswer, ReadReply, Reply},
    replica::{Progress, WaitsFor},
    wire::byte_string,
};
use serde::{Deserialize, Deserializer, Serialize, de};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::queue::Weight;

/// What is in memory besides the bytes of a message or an answer, roughly.
pub(crate) const OVERHEAD_BYTES: usize = 256;

/// Names one connection of a client for as long as the transport lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Wraps a plain number.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client asks of one replica. New kinds are added at the end: the tag is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientRequest {
    /// Have these executed.
    Submit(Vec<Request>),
    /// Tell how far you are.
    Report,
    /// Say what the state shows, without ordering anything. At most [`MAX_READS_IN_FRAME`].
    Read(#[serde(deserialize_with = "few_reads")] Vec<Read>),
}

/// So many questions come in one frame at most: two bytes make one, and each takes far more once it is read.
pub const MAX_READS_IN_FRAME: usize = 64;

/// Stops at the first question that is too many.
fn few_reads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Read>, D::Error> {
    struct Few;
    impl<'de> de::Visitor<'de> for Few {
        type Value = Vec<Read>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX_READS_IN_FRAME} questions")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Read>, A::Error> {
            let mut reads = Vec::new();
            while let Some(read) = list.next_element()? {
                if reads.len() >= MAX_READS_IN_FRAME {
                    return Err(de::Error::invalid_length(reads.len().saturating_add(1), &self));
                }
                reads.push(read);
            }
            Ok(reads)
        }
    }
    deserializer.deserialize_seq(Few)
}

/// What one replica answers. A frame carries a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAnswer {
    /// What came of a request.
    Reply(Reply),
    /// A request was not taken.
    Decline(RequestId, DeclineReason),
    /// The answer to [`ClientRequest::Report`].
    Report(ReplicaReport),
    /// What the state shows.
    Read(ReadReply),
}

/// One replica's word about itself. Unsigned: it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaReport {
    /// How far it is.
    pub progress: Progress,
    /// What it waited for when it last looked, less than a second ago.
    pub waits_for: WaitsFor,
    /// For how many milliseconds it has, and executed nothing.
    pub waited: u64,
    /// What its service says, in the service's own bytes.
    #[serde(with = "byte_string")]
    pub application: Vec<u8>,
}

impl Weight for ClientAnswer {
    fn weight(&self) -> usize {
        let bytes = match self {
            Self::Reply(reply) => reply.outcome.as_bytes().len(),
            Self::Decline(_, DeclineReason::NotAdmitted(why)) => why.len(),
            Self::Decline(..) => 0,
            Self::Report(report) => report.application.len(),
            Self::Read(ReadReply { answer: ReadAnswer::Shown(shown), .. }) => shown.result.len(),
            Self::Read(_) => 0,
        };
        bytes.saturating_add(OVERHEAD_BYTES)
    }
}

/// One thing that came in.
#[derive(Debug)]
pub enum Inbound {
    /// A replica sent a message. It did come from that replica, but may say anything.
    Replica {
        /// Which replica.
        from: ReplicaId,
        /// What.
        message: Message,
        /// The sender's share of memory that it takes up.
        quota: Quota,
    },
    /// A client sent a request. Its key is allowed here, but what it asks is not checked.
    Client {
        /// Where answers go.
        connection: ConnectionId,
        /// What.
        request: ClientRequest,
        /// The sender's share of memory that it takes up.
        quota: Quota,
    },
    /// A client's connection ended: answers to it go nowhere.
    ClientGone(ConnectionId),
}

/// The part of a sender's memory that one message takes up. A sender whose messages wait somewhere cannot send more than
/// its bound: keep this until the message has left your queues, or is done with. Dropping it lets the next bytes in.
#[derive(Debug)]
pub struct Quota {
    permit: OwnedSemaphorePermit,
}

impl Quota {
    /// How much it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }
}

/// How much memory one sender may take up, over all its connections; and what it has sent.
#[derive(Debug)]
pub(crate) struct Share {
    free: Arc<Semaphore>,
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Share {
    /// No share is so small that a frame of `longest_frame` bytes could not pass.
    pub(crate) fn new(bytes: usize, longest_frame: usize) -> Arc<Self> {
        let bytes = bytes.max(longest_frame.saturating_add(OVERHEAD_BYTES)).min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(bytes));
        Arc::new(Self { free, frames: AtomicU64::new(0), bytes: AtomicU64::new(0) })
    }

    /// Waits until there is room for a frame of so many bytes. Nothing if that can never be.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Quota> {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let permits = u32::try_from(bytes.saturating_add(OVERHEAD_BYTES)).ok()?;
        let permit = self.free.clone().acquire_many_owned(permits).await.ok()?;
        Some(Quota { permit })
    }

    /// Frames and bytes so far.
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use pbft_core::{
        ClientId, Epoch, ReadNumber, RequestNumber, Seq, View,
        message::{Operation, ReadRefusal, Shown},
        service::Outcome,
        wire::{decode, encode},
    };

    use pbft_crypto::Digest;

    use super::*;

    fn hex(value: &impl Serialize) -> String {
        encode(value).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_format_is_frozen() {
        let (client, number) = (ClientId::from_bytes([0xcc; 32]), RequestNumber::new(300));
        let request = Request { client, number, operation: Operation::new(vec![1, 2]) };
        let id = request.id();
        let name = format!("{}ac02", "cc".repeat(32));
        assert_eq!(hex(&ClientRequest::Submit(vec![request])), format!("010001{name}020102"));
        assert_eq!(hex(&ClientRequest::Report), "0101");

        let outcome = Outcome::Applied(vec![9]);
        let request = Digest::from_bytes([0xdd; 32]);
        let digest = "dd".repeat(32);
        let reply = Reply { view: View::new(2), seq: Seq::new(5), id, request, outcome };
        let answers = vec![
            ClientAnswer::Reply(reply),
            ClientAnswer::Decline(id, DeclineReason::Busy),
            ClientAnswer::Decline(id, DeclineReason::NotAdmitted(vec![7])),
        ];
        assert_eq!(hex(&answers), format!("0103000205{name}{digest}00010901{name}0001{name}070107"));

        let seq = Seq::new(3);
        let progress = Progress {
            replica: ReplicaId::new(1),
            view: View::new(2),
            view_active: true,
            primary: ReplicaId::new(2),
            executed: seq,
            proposed: seq,
            stable_checkpoint: seq,
            low: seq,
            high: seq,
            waiting_requests: 4,
            clients: 5,
            farthest_claim: seq,
            first_archived: None,
        };
        let report = ClientAnswer::Report(ReplicaReport {
            progress,
            waits_for: WaitsFor::Execution { seq },
            waited: 6,
            application: vec![8],
        });
        assert_eq!(hex(&report), "0102010201020303030303040503000503060108");

        let number = ReadNumber::new(300);
        let read = Read { number, query: Operation::new(vec![1, 2]) };
        assert_eq!(hex(&ClientRequest::Read(vec![read])), "010201ac02020102");
        let (epoch, replicas) = (Epoch::new(6), Digest::from_bytes([0xdd; 32]));
        let shown = Shown { epoch, replicas, executed: Seq::new(5), result: vec![9] };
        let answers = [ReadAnswer::Shown(shown), ReadAnswer::Refused(ReadRefusal::NotNow)];
        let answers = answers.map(|answer| ClientAnswer::Read(ReadReply { number, answer }));
        assert_eq!(hex(&answers.to_vec()), format!("010203ac020006{digest}05010903ac020101"));
    }

    #[test]
    fn a_frame_has_few_questions() {
        let ask = |count| {
            let read = |number| Read { number: ReadNumber::new(number), query: Operation::new(vec![]) };
            encode(&ClientRequest::Read((0..count).map(read).collect())).unwrap()
        };
        let read = |bytes: &[u8]| decode::<ClientRequest>(bytes).is_ok();
        assert!(read(&ask(64)));
        assert!(!read(&ask(65)));
        assert!(!read(&ask(1_000_000)));
    }

    /// What `take` gives without waiting.
    async fn take_now(share: &Share, bytes: usize) -> Option<Quota> {
        tokio::select! {
            biased;
            quota = share.take(bytes) => quota,
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_sender_waits_when_its_share_is_taken_up() {
        let share = Share::new(3000, 0);
        let first = take_now(&share, 1000).await.unwrap();
        let second = take_now(&share, 1000).await.unwrap();
        assert!(take_now(&share, 1000).await.is_none());
        drop(first);
        let third = take_now(&share, 1000).await.unwrap();
        drop((second, third));
        assert!(take_now(&share, 2 * 1000).await.is_some());
    }

    #[tokio::test]
    async fn the_longest_frame_always_passes() {
        let share = Share::new(0, 5000);
        assert!(take_now(&share, 5000).await.is_some());
    }
}
