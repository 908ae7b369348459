//! Mutual TLS 1.3 with pinned keys.
//!
//! Every node shows a certificate that it signed itself with its own P-256 key. Nothing in the certificate counts but
//! that key: no name, no authority, no date. The handshake proves that the peer holds the secret, and the key is
//! compared with the one that is expected. There is no resumption: each connection proves itself anew.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, PoisonError, RwLock},
};

use pbft_crypto::{KeyPair, PublicKey};
use rcgen::{CertificateParams, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms,
        aws_lc_rs::{default_provider, sign::any_ecdsa_type},
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        NoServerSessionStorage, ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
    version::TLS13,
};
use thiserror::Error as ThisError;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The only way to sign a handshake here.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

/// A SubjectPublicKeyInfo of a P-256 key is these bytes, and then the uncompressed point.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why TLS cannot be set up: something is wrong with this node's own key or the configured ones.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// A configured key is no point of the curve.
    #[error("{0} is no P-256 key")]
    NotAKey(PublicKey),
    /// The certificate cannot be written.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses the key.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] Error),
}

/// Why a peer's certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum PinError {
    /// It holds another kind of key, or there is more than one certificate.
    #[error("not a single certificate with a P-256 key")]
    NotP256,
    /// It proves a key that is not expected here.
    #[error("the key {0} is not allowed here")]
    UnknownKey(PublicKey),
}

/// Keys that may come and go. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct AllowedKeys(Arc<RwLock<BTreeSet<PublicKey>>>);

impl AllowedKeys {
    /// These keys.
    ///
    /// # Errors
    /// If one of them is no key.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, TlsError> {
        let allowed = Self::default();
        allowed.replace(keys)?;
        Ok(allowed)
    }

    /// These keys from now on. Connections that are there stay.
    ///
    /// # Errors
    /// If one of them is no key; then nothing has changed.
    pub fn replace(&self, keys: impl IntoIterator<Item = PublicKey>) -> Result<(), TlsError> {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        if let Some(key) = keys.iter().find(|key| key.to_uncompressed().is_err()) {
            return Err(TlsError::NotAKey(*key));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn contains(&self, key: &PublicKey) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

/// A node's end of all its connections.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    provider: Arc<CryptoProvider>,
    certificate: Arc<SingleCertAndKey>,
}

impl TlsIdentity {
    /// Makes the certificate of `key`.
    ///
    /// # Errors
    /// If the libraries refuse the key, which no [`KeyPair`] makes them do.
    pub fn new(key: &KeyPair) -> Result<Self, TlsError> {
        let secret = key.to_pkcs8_der();
        let signing_key = any_ecdsa_type(&PrivatePkcs8KeyDer::from(secret.as_slice()).into())?;
        let certificate = self_signed(&key.public_key(), &signing_key)?;
        let certified = CertifiedKey::new(vec![certificate], signing_key);
        Ok(Self { provider: Arc::new(default_provider()), certificate: Arc::new(certified.into()) })
    }

    /// Dials exactly `peer`.
    ///
    /// # Errors
    /// If `peer` is no key.
    pub fn connector(&self, peer: PublicKey) -> Result<TlsConnector, TlsError> {
        let verifier = self.pin(AllowedKeys::new([peer])?);
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(self.certificate.clone());
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Accepts any of the `allowed` keys, whichever these are when somebody connects.
    ///
    /// # Errors
    /// If the libraries cannot be set up.
    pub fn acceptor(&self, allowed: AllowedKeys) -> Result<TlsAcceptor, TlsError> {
        let verifier = self.pin(allowed);
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.certificate.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn pin(&self, allowed: AllowedKeys) -> Arc<PinnedKeys> {
        let algorithms = self.provider.signature_verification_algorithms;
        Arc::new(PinnedKeys { allowed, algorithms })
    }
}

/// The key that the peer of a finished handshake has proved.
#[must_use]
pub fn proved_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
    match certificates? {
        [certificate] => key_of(certificate).ok(),
        _ => None,
    }
}

/// The TLS library's error in an I/O error of a handshake, if there is one.
#[must_use]
pub fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<PublicKey, PinError> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|_| PinError::NotP256)?;
    let spki = parsed.subject_public_key_info();
    let point = spki.strip_prefix(&SPKI_PREFIX).ok_or(PinError::NotP256)?;
    PublicKey::from_sec1_bytes(point).map_err(|_| PinError::NotP256)
}

/// Lets the peers with these keys in, and nobody else.
#[derive(Debug)]
struct PinnedKeys {
    allowed: AllowedKeys,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedKeys {
    fn check(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = if others.is_empty() { key_of(certificate) } else { Err(PinError::NotP256) };
        let allowed = key.and_then(|key| match self.allowed.contains(&key) {
            true => Ok(()),
            false => Err(PinError::UnknownKey(key)),
        });
        allowed.map_err(|error| CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for PinnedKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }
}

impl ClientCertVerifier for PinnedKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }
}

/// Signs the certificate with the key as the TLS library holds it, so that no other copy of the secret is made.
struct CertificateSigner<'a> {
    point: [u8; 65],
    key: &'a Arc<dyn SigningKey>,
}

impl PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[SCHEME]).ok_or(rcgen::Error::RemoteKeyError)?;
        signer.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn self_signed(public: &PublicKey, key: &Arc<dyn SigningKey>) -> Result<CertificateDer<'static>, TlsError> {
    let point = public.to_uncompressed().map_err(|_| TlsError::NotAKey(*public))?;
    let certificate = CertificateParams::default().self_signed(&CertificateSigner { point, key })?;
    Ok(certificate.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_carries_the_node_s_own_key() {
        let key = KeyPair::generate();
        let identity = TlsIdentity::new(&key).unwrap();
        let secret = key.to_pkcs8_der();
        let signing_key = any_ecdsa_type(&PrivatePkcs8KeyDer::from(secret.as_slice()).into()).unwrap();
        let certificate = self_signed(&key.public_key(), &signing_key).unwrap();
        assert_eq!(proved_key(Some(std::slice::from_ref(&certificate))), Some(key.public_key()));
        assert_eq!(proved_key(Some(&[certificate.clone(), certificate.clone()])), None);
        assert_eq!(proved_key(Some(&[])), None);

        let allowed = AllowedKeys::new([key.public_key()]).unwrap();
        let pinned = identity.pin(allowed.clone());
        assert_eq!(pinned.check(&certificate, &[]), Ok(()));
        allowed.replace([KeyPair::generate().public_key()]).unwrap();
        assert!(pinned.check(&certificate, &[]).is_err());
    }

    #[test]
    fn every_flipped_byte_of_a_key_is_another_key_or_none() {
        let key = KeyPair::generate();
        let secret = key.to_pkcs8_der();
        let signing_key = any_ecdsa_type(&PrivatePkcs8KeyDer::from(secret.as_slice()).into()).unwrap();
        let certificate = self_signed(&key.public_key(), &signing_key).unwrap();
        let start = certificate.windows(26).position(|window| window == SPKI_PREFIX).unwrap();
        for position in start..start + 26 + 65 {
            let mut bytes = certificate.to_vec();
            bytes[position] ^= 1;
            assert_ne!(key_of(&CertificateDer::from(bytes)).ok(), Some(key.public_key()), "byte {position}");
        }
    }
}
