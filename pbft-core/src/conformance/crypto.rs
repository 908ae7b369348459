//! The kit for [`Crypto`].

use pbft_crypto::{Digest, PublicKey, Signature};

use super::{Verdict, equal, hold};
use crate::crypto::{Crypto, SignatureCheck};

/// Takes two signers with different keys through the rules of [`Crypto`].
///
/// # Errors
/// The first rule that is broken.
pub fn crypto(
    (key, signer): (PublicKey, &dyn Crypto),
    (other_key, other): (PublicKey, &dyn Crypto),
) -> Verdict {
    equal("it names the key that it signs with", &signer.public_key(), &key)?;
    let mut checks = Vec::new();
    for number in 0..20 {
        let digest = Digest::from_bytes([number; 32]);
        let (signature, theirs) = (signer.sign(&digest), other.sign(&digest));
        equal("a signature depends on key and digest alone", &signer.sign(&digest), &signature)?;
        let good = SignatureCheck { key, digest, signature };
        for crypto in [signer, other] {
            hold("a good signature is accepted by all", crypto.verify(&good), || format!("digest {number}"))?;
            for (what, bad) in forgeries(&good, other_key, theirs) {
                let rule = "what the owner of the key did not sign is refused";
                hold(rule, !crypto.verify(&bad), || format!("{what} was accepted"))?;
            }
        }
        checks.extend(forgeries(&good, other_key, theirs).map(|(_, bad)| bad));
        checks.push(good);
    }
    for length in [0, 1, 2, 17, checks.len()] {
        let some: Vec<_> = checks.iter().take(length).cloned().collect();
        let each: Vec<_> = some.iter().map(|check| signer.verify(check)).collect();
        equal("many at once are judged as one by one", &signer.verify_many(&some), &each)?;
    }
    Ok(())
}

fn forgeries(
    good: &SignatureCheck,
    other_key: PublicKey,
    other_signature: Signature,
) -> [(&'static str, SignatureCheck); 4] {
    let zero = Signature::from_r_and_s(&[0; 32], &[0; 32]);
    [
        ("another's key", SignatureCheck { key: other_key, ..good.clone() }),
        ("another's signature", SignatureCheck { signature: other_signature, ..good.clone() }),
        ("another digest", SignatureCheck { digest: Digest::from_bytes([0xee; 32]), ..good.clone() }),
        ("zeros", SignatureCheck { signature: zero, ..good.clone() }),
    ]
}
