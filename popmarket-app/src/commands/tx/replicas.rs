//! Who orders the transactions: what admins change about it. Who joins asks for it with `popmarket join`.

use clap::Subcommand;
use ledger::{HostPort, NewReplica, Reason, ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaOp};
use pbft_crypto::PublicKey;

#[derive(Debug, Subcommand)]
pub(super) enum ReplicaKind {
    /// Ask for one more
    Add {
        /// The key that it signs with
        public_key: PublicKey,
        /// Where the others reach it
        #[arg(value_name = "HOST:PORT")]
        address: HostPort,
    },
    /// Ask for one less
    Remove {
        /// Which
        #[arg(value_parser = id_of)]
        id: ReplicaId,
    },
    /// Ask for another key for one
    Rotate {
        /// Which
        #[arg(value_parser = id_of)]
        id: ReplicaId,
        /// Its new key
        public_key: PublicKey,
    },
    /// Ask for another address for one
    Move {
        /// Which
        #[arg(value_parser = id_of)]
        id: ReplicaId,
        /// Its new address
        #[arg(value_name = "HOST:PORT")]
        address: HostPort,
    },
    /// Agree, as another admin
    Approve {
        /// The change
        change: ReplicaChangeId,
    },
    /// Turn it down, as another admin
    Reject {
        /// The change
        change: ReplicaChangeId,
        /// Why
        reason: Reason,
    },
}

impl ReplicaKind {
    pub(super) fn operation(self) -> ReplicaOp {
        let edit = match self {
            Self::Add { public_key, address } => {
                ReplicaEdit::Add { replica: NewReplica { public_key, address } }
            }
            Self::Remove { id } => ReplicaEdit::Remove { id },
            Self::Rotate { id, public_key } => ReplicaEdit::Rotate { id, public_key },
            Self::Move { id, address } => ReplicaEdit::Move { id, address },
            Self::Approve { change } => return ReplicaOp::Approve { change },
            Self::Reject { change, reason } => return ReplicaOp::Reject { change, reason },
        };
        ReplicaOp::Propose { edit }
    }
}

fn id_of(text: &str) -> Result<ReplicaId, std::num::ParseIntError> {
    text.parse().map(ReplicaId::new)
}
