//! Blame: evidence convinces a stranger, and only liars are blamed.

use pbft_core::{
    ReplicaId, ValidConfig,
    crypto::Crypto,
    evidence::Evidence,
    message::{NewView, Signed, Statement},
    roster::Roster,
};

use super::Violation;

/// Judges evidence as a stranger would.
///
/// # Errors
/// If it proves nothing, or blames a correct replica.
pub fn check(
    roster: &Roster,
    crypto: &dyn Crypto,
    accuser: ReplicaId,
    evidence: &Evidence,
    liars: &dyn Fn(ReplicaId) -> bool,
) -> Result<(), Violation> {
    let culprit = evidence.culprit();
    // The judge that strangers are given must not be milder, nor stricter.
    let convicted = roster.configs().any(|config| evidence.verify(config, crypto).is_ok());
    let sound = match evidence {
        Evidence::PrePrepares(pair) => contradict(roster, crypto, pair, |a, b| {
            (a.view, a.seq) == (b.view, b.seq) && a.digest != b.digest
        }),
        Evidence::Prepares(pair) => contradict(roster, crypto, pair, |a, b| {
            (a.view, a.seq) == (b.view, b.seq) && a.digest != b.digest
        }),
        Evidence::Commits(pair) => contradict(roster, crypto, pair, |a, b| {
            (a.view, a.seq) == (b.view, b.seq) && a.digest != b.digest
        }),
        Evidence::Checkpoints(pair) => {
            contradict(roster, crypto, pair, |a, b| a.seq == b.seq && a.digest != b.digest)
        }
        Evidence::ViewChanges(pair) => contradict(roster, crypto, pair, |a, b| a.view == b.view && a != b),
        Evidence::Attestations(pair) => {
            contradict(roster, crypto, pair, |a, b| a.seq == b.seq && a.digest != b.digest)
        }
        Evidence::NewViews(pair) => {
            contradict(roster, crypto, pair, |a, b| a.view == b.view && !say_the_same(a, b))
        }
    };
    if !sound || !convicted {
        return Err(Violation::WeakEvidence { accuser, culprit });
    }
    if !liars(culprit) {
        return Err(Violation::WronglyBlamed { accuser, culprit });
    }
    Ok(())
}

/// Whether the primary itself said the same: what others signed may be signed in more than one way.
fn say_the_same(a: &NewView, b: &NewView) -> bool {
    let votes = |said: &NewView| -> Vec<_> {
        said.view_changes.iter().map(|vote| (vote.signer, vote.statement.clone())).collect()
    };
    let assigned = |said: &NewView| -> Vec<_> {
        said.pre_prepares.iter().map(|vote| (vote.signer, vote.statement)).collect()
    };
    votes(a) == votes(b) && assigned(a) == assigned(b)
}

fn contradict<T: Statement>(
    roster: &Roster,
    crypto: &dyn Crypto,
    [first, second]: &[Signed<T>; 2],
    contradict: impl Fn(&T, &T) -> bool,
) -> bool {
    let valid = |vote: &Signed<T>, config: &ValidConfig| {
        vote.signature_check(config).is_some_and(|check| crypto.verify(&check))
    };
    // Both in the name of one epoch: what is said in another contradicts nothing.
    first.signer == second.signer
        && contradict(&first.statement, &second.statement)
        && roster.configs().any(|config| valid(first, config) && valid(second, config))
}
