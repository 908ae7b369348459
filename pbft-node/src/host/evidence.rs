//! Which evidence is kept: enough to convict each liar, whatever the others make up.

use pbft_core::evidence::Evidence;

/// So many pieces of one kind are kept against one replica; one is enough to convict.
const MAX_OF_EACH_KIND: usize = 8;

/// Whether a piece says something that those kept do not. One for each kind, view and number convicts, so a liar that
/// repeats itself costs nothing, and one that does not, no more than its own share.
pub(crate) fn is_news(kept: &[Evidence], evidence: &Evidence) -> bool {
    let like_it =
        |other: &&Evidence| (other.culprit(), other.kind()) == (evidence.culprit(), evidence.kind());
    let like_it = || kept.iter().filter(like_it);
    like_it().count() < MAX_OF_EACH_KIND && like_it().all(|other| other.about() != evidence.about())
}

#[cfg(test)]
mod tests {
    use pbft_core::{
        Config, ReplicaId, Seq, View,
        config::ReplicaSet,
        crypto::P256Crypto,
        message::{Commit, Prepare, Signed},
    };
    use pbft_crypto::{Digest, KeyPair};

    use super::*;

    /// Replica `culprit` voted twice for `number`, in its prepares or in its commits.
    fn piece(culprit: u16, number: u64, commits: bool) -> Evidence {
        let pair = || KeyPair::from_secret_bytes(&[7; 32]).unwrap();
        let config = Config::new(Digest::ZERO, ReplicaSet::new(vec![pair().public_key()]));
        let (config, crypto) = (config.validate().unwrap(), P256Crypto::new(pair()));
        let (view, seq, signer) = (View::ZERO, Seq::new(number), ReplicaId::new(culprit));
        let digests = [1, 2].map(|byte| Digest::from_bytes([byte; 32]));
        if commits {
            let vote = |digest| Signed::sign(Commit { view, seq, digest }, signer, &config, &crypto);
            Evidence::Commits(Box::new(digests.map(vote)))
        } else {
            let vote = |digest| Signed::sign(Prepare { view, seq, digest }, signer, &config, &crypto);
            Evidence::Prepares(Box::new(digests.map(vote)))
        }
    }

    #[test]
    fn no_liar_hides_another() {
        let mut kept = Vec::new();
        let mut keep = |piece: Evidence| {
            let news = is_news(&kept, &piece);
            if news {
                kept.push(piece);
            }
            news
        };
        let new = (0..200).filter(|number| keep(piece(1, *number, false))).count();
        assert_eq!(new, MAX_OF_EACH_KIND);
        assert!(keep(piece(2, 7, false)), "of another replica");
        assert!(!keep(piece(2, 7, false)), "the same again");
        assert!(keep(piece(1, 7, true)), "of another kind");
    }
}
