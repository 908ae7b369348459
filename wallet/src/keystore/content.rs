//! What a keystore can hold.

use pbft_crypto::{KeyPair, PublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::custody::MasterKey;

/// What a keystore says to hold, readable without its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// The secret key of an account or a replica.
    P256Key {
        /// Its public key.
        public_key: PublicKey,
    },
    /// The key under which a [`Custody`](crate::Custody) keeps those of its members.
    CustodyMasterKey,
}

/// A secret of 32 bytes that a keystore can hold: [`KeyPair`] and [`MasterKey`].
pub trait StoredSecret: sealed::Sealed + Sized {
    /// What the keystore's file says about it.
    fn content(&self) -> Content;

    /// The secret.
    fn secret_bytes(&self) -> Zeroizing<[u8; 32]>;

    /// The secret back, if these bytes are what `content` says.
    fn restore(content: &Content, secret: &[u8; 32]) -> Option<Self>;
}

impl StoredSecret for KeyPair {
    fn content(&self) -> Content {
        Content::P256Key { public_key: self.public_key() }
    }

    fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret_bytes()
    }

    fn restore(content: &Content, secret: &[u8; 32]) -> Option<Self> {
        Self::from_secret_bytes(secret).ok().filter(|key| key.content() == *content)
    }
}

impl StoredSecret for MasterKey {
    fn content(&self) -> Content {
        Content::CustodyMasterKey
    }

    fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.as_bytes())
    }

    fn restore(content: &Content, secret: &[u8; 32]) -> Option<Self> {
        (*content == Content::CustodyMasterKey).then(|| Self::from_bytes(*secret))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for pbft_crypto::KeyPair {}
    impl Sealed for crate::custody::MasterKey {}
}
