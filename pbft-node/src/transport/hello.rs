//! The first frame of each connection, both ways: who speaks, for which cluster, in which version.
//!
//! TLS has proved a key by then; this ties the key to a role. Whoever is refused is told why.

use pbft_core::{
    ReplicaId,
    wire::{DecodeError, EncodeError, decode, encode},
};
use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{FrameError, FrameReader, FrameWriter};

/// The version of frames and of what clients and replicas say to each other.
pub const TRANSPORT_VERSION: u16 = 1;

/// No first frame is longer.
pub(crate) const MAX_HELLO_BYTES: usize = 256;

/// As what someone connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A member that sends its messages.
    Replica(ReplicaId),
    /// Someone who submits requests.
    Client,
}

/// How each side introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version that it speaks.
    pub version: u16,
    /// The cluster that it belongs to.
    pub cluster: Digest,
    /// What it is.
    pub role: Role,
}

/// Why a hello is refused, in words for the one who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error)]
pub enum Refusal {
    /// It speaks another version.
    #[error("only version {spoken} of the transport is spoken here")]
    Version {
        /// The version spoken here.
        spoken: u16,
    },
    /// It belongs to another cluster.
    #[error("this replica belongs to another cluster")]
    OtherCluster,
    /// Its key is not that replica's.
    #[error("the key is not that of the replica it claims to be")]
    WrongReplica,
    /// This client, or all clients together, have too many connections.
    #[error("too many connections of clients")]
    TooManyClients,
}

/// The answer to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Welcome {
    /// Come in; this is who is here.
    Accepted(Hello),
    /// Stay out.
    Refused(Refusal),
}

/// Why no connection comes about after TLS is up.
#[derive(Debug, Error)]
pub enum HelloError {
    /// The stream failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It ended. A peer that does not allow our key hangs up like this.
    #[error("the connection ended before the answer")]
    Closed,
    /// What came is no hello.
    #[error("not a hello: {0}")]
    Malformed(#[from] DecodeError),
    /// Ours cannot be written.
    #[error(transparent)]
    Unencodable(#[from] EncodeError),
    /// The peer refuses us.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The peer took us, but is not what we look for.
    #[error("the peer is another one than expected: {0}")]
    Unexpected(Refusal),
}

impl Hello {
    pub(crate) const fn new(cluster: Digest, role: Role) -> Self {
        Self { version: TRANSPORT_VERSION, cluster, role }
    }

    /// Whether `self` and `peer` may talk at all.
    pub(crate) fn check(&self, peer: &Self) -> Result<(), Refusal> {
        if peer.version != self.version {
            return Err(Refusal::Version { spoken: self.version });
        }
        if peer.cluster != self.cluster {
            return Err(Refusal::OtherCluster);
        }
        Ok(())
    }

    /// The side that dials: says hello and waits to be welcomed by `peer`.
    pub(crate) async fn introduce<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        peer: ReplicaId,
        reader: &mut FrameReader<R>,
        writer: &mut FrameWriter<W>,
    ) -> Result<(), HelloError> {
        write(writer, self).await?;
        let answer = match read::<_, Welcome>(reader).await? {
            Welcome::Accepted(answer) => answer,
            Welcome::Refused(refusal) => return Err(HelloError::Refused(refusal)),
        };
        self.check(&answer).map_err(HelloError::Unexpected)?;
        if answer.role != Role::Replica(peer) {
            return Err(HelloError::Unexpected(Refusal::WrongReplica));
        }
        Ok(())
    }

    /// The side that accepts: what the peer says.
    pub(crate) async fn listen<R: AsyncRead + Unpin>(
        reader: &mut FrameReader<R>,
    ) -> Result<Self, HelloError> {
        read(reader).await
    }
}

impl Welcome {
    pub(crate) async fn say<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut FrameWriter<W>,
    ) -> Result<(), HelloError> {
        write(writer, self).await
    }
}

async fn write<W: AsyncWrite + Unpin, T: Serialize>(
    writer: &mut FrameWriter<W>,
    value: &T,
) -> Result<(), HelloError> {
    writer.write(&encode(value)?).await?;
    Ok(writer.flush().await?)
}

async fn read<R: AsyncRead + Unpin, T: for<'de> Deserialize<'de>>(
    reader: &mut FrameReader<R>,
) -> Result<T, HelloError> {
    let frame = reader.next().await?.ok_or(HelloError::Closed)?;
    Ok(decode(&frame)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(role: Role) -> Hello {
        Hello::new(Digest::from_bytes([7; 32]), role)
    }

    async fn introduce(answer: Welcome) -> Result<(), HelloError> {
        let (near, far) = tokio::io::duplex(1024);
        let (near_read, near_write) = tokio::io::split(near);
        let (far_read, far_write) = tokio::io::split(far);
        let accept = async {
            let said = Hello::listen(&mut FrameReader::new(far_read, MAX_HELLO_BYTES)).await.unwrap();
            assert_eq!(said, hello(Role::Client));
            answer.say(&mut FrameWriter::new(far_write)).await.unwrap();
        };
        let mut reader = FrameReader::new(near_read, MAX_HELLO_BYTES);
        let mut writer = FrameWriter::new(near_write);
        let own = hello(Role::Client);
        tokio::join!(own.introduce(ReplicaId::new(2), &mut reader, &mut writer), accept).0
    }

    #[tokio::test]
    async fn the_dialing_side_checks_who_answers() {
        let expected = hello(Role::Replica(ReplicaId::new(2)));
        assert!(introduce(Welcome::Accepted(expected)).await.is_ok());
        let unexpected = [
            (Hello { version: 9, ..expected }, Refusal::Version { spoken: TRANSPORT_VERSION }),
            (Hello { cluster: Digest::ZERO, ..expected }, Refusal::OtherCluster),
            (hello(Role::Replica(ReplicaId::new(1))), Refusal::WrongReplica),
            (hello(Role::Client), Refusal::WrongReplica),
        ];
        for (answer, reason) in unexpected {
            let error = introduce(Welcome::Accepted(answer)).await.unwrap_err();
            assert!(matches!(error, HelloError::Unexpected(given) if given == reason), "{error}");
        }
        let error = introduce(Welcome::Refused(Refusal::TooManyClients)).await.unwrap_err();
        assert!(matches!(error, HelloError::Refused(Refusal::TooManyClients)));
    }

    /// Other versions refuse us by these bytes: they never change.
    #[test]
    fn the_format_is_frozen() {
        let cluster = "07".repeat(32);
        let hex = |value: &Welcome| {
            encode(value).unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let replica = Welcome::Accepted(hello(Role::Replica(ReplicaId::new(300))));
        assert_eq!(hex(&replica), format!("010001{cluster}00ac02"));
        assert_eq!(hex(&Welcome::Accepted(hello(Role::Client))), format!("010001{cluster}01"));
        assert_eq!(hex(&Welcome::Refused(Refusal::Version { spoken: 1 })), "01010001");
        assert_eq!(hex(&Welcome::Refused(Refusal::OtherCluster)), "010101");
        assert_eq!(hex(&Welcome::Refused(Refusal::WrongReplica)), "010102");
        assert_eq!(hex(&Welcome::Refused(Refusal::TooManyClients)), "010103");
    }

    #[test]
    fn every_hello_fits_its_limit() {
        let refusals = [Refusal::Version { spoken: u16::MAX }, Refusal::OtherCluster];
        let hello = Hello { version: u16::MAX, ..hello(Role::Replica(ReplicaId::new(u16::MAX))) };
        assert!(encode(&Welcome::Accepted(hello)).unwrap().len() <= MAX_HELLO_BYTES);
        assert!(refusals.iter().all(|r| encode(&Welcome::Refused(*r)).unwrap().len() <= MAX_HELLO_BYTES));
    }
}
