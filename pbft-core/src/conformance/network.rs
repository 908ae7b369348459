//! The kit for [`Network`].

use super::{Verdict, hold};
use crate::{
    ids::{ReplicaId, Seq},
    message::{Fetch, Message},
    network::Network,
};

/// What arrived: at whom, from whom, what.
pub type Received = (ReplicaId, ReplicaId, Message);

/// Takes a network, as replica `own` sees it, through the rules of [`Network`].
///
/// `received` returns what has arrived at other replicas since it was called last; it may wait for it. A message counts as
/// lost if it does not arrive although it was sent a hundred times.
///
/// # Errors
/// The first rule that is broken.
pub fn network<N: Network>(
    network: &mut N,
    own: ReplicaId,
    members: &[ReplicaId],
    mut received: impl FnMut() -> Vec<Received>,
) -> Verdict {
    let others: Vec<_> = members.iter().copied().filter(|member| *member != own).collect();
    for (number, to) in (1..).zip(&others) {
        let message = numbered(number);
        let mut arrived = false;
        for _ in 0..ATTEMPTS {
            network.send(*to, &message);
            arrived |= check(&received(), own, &[*to], &message)?.contains(to);
            if arrived {
                break;
            }
        }
        hold("what is sent arrives, if it is sent again and again", arrived, || {
            format!("nothing arrived at {to}")
        })?;
    }
    let message = numbered(1_000);
    let mut reached = Vec::new();
    for _ in 0..ATTEMPTS {
        network.broadcast(&message);
        reached.extend(check(&received(), own, &others, &message)?);
        if others.iter().all(|other| reached.contains(other)) {
            break;
        }
    }
    let missed: Vec<_> = others.iter().filter(|other| !reached.contains(other)).collect();
    hold("a broadcast reaches all others", missed.is_empty(), || format!("nothing arrived at {missed:?}"))
}

const ATTEMPTS: usize = 100;

fn numbered(number: u64) -> Message {
    Message::Fetch(Fetch { after: Seq::new(number) })
}

/// Whom it reached. Late copies of earlier messages are no fault.
fn check(
    received: &[Received],
    own: ReplicaId,
    meant: &[ReplicaId],
    message: &Message,
) -> Result<Vec<ReplicaId>, super::Broken> {
    for (at, from, what) in received {
        hold("messages arrive under their sender's name", *from == own, || {
            format!("from {from}, not {own}")
        })?;
        hold("nobody hears themselves", *at != own, || format!("{own} heard itself"))?;
        if what == message {
            hold("a message arrives only at whom it was sent to", meant.contains(at), || {
                format!("it arrived at {at}")
            })?;
        } else {
            let known = matches!(what, Message::Fetch(fetch) if fetch.after.value() <= 1_000);
            hold("messages arrive as they were sent", known, || format!("a {} was never sent", what.kind()))?;
        }
    }
    Ok(received.iter().filter(|(_, _, what)| what == message).map(|(at, _, _)| *at).collect())
}
