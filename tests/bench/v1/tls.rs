//! TLS by `rustls` alone, with the profile of `docs/protocol.md` 3.3.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use crate::harness::{median, pin};

/// As many bytes of transport parameters as a node sends, about.
const PARAMETERS: [u8; 64] = [0x5a; 64];

/// What both sides of a handshake are made with: keys known to nobody, and no tickets.
pub(super) struct Profile {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Profile {
    pub(super) fn new() -> Profile {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![
                provider::cipher_suite::TLS13_AES_256_GCM_SHA384,
                provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![provider::kx_group::X25519MLKEM768, provider::kx_group::X25519],
            ..provider::default_provider()
        });
        let protocol = vec![b"channeler/1".to_vec()];
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has its suites")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyKey))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key())));
        client.alpn_protocols = protocol.clone();
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has its suites")
            .with_client_cert_verifier(Arc::new(AnyKey))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key())));
        server.alpn_protocols = protocol;
        server.send_tls13_tickets = 0;
        Profile { client: Arc::new(client), server: Arc::new(server) }
    }
}

/// Full mutual handshakes in memory, both sides in this thread: the median, in microseconds.
pub(super) fn handshakes(time: Duration) -> f64 {
    pin(0);
    let profile = Profile::new();
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time {
        let began = Instant::now();
        handshake(&profile);
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    median(times)
}

fn handshake(profile: &Profile) {
    let name = ServerName::try_from("peer.invalid").expect("a name");
    let parameters = || PARAMETERS.to_vec();
    let client =
        ClientConnection::new(Arc::clone(&profile.client), Version::V1, name, parameters())
            .expect("a good configuration");
    let server = ServerConnection::new(Arc::clone(&profile.server), Version::V1, parameters())
        .expect("a good configuration");
    let mut sides = [Connection::from(client), Connection::from(server)];
    for flight in 0..3 {
        let (client, server) = sides.split_at_mut(1);
        let (from, to) = if flight == 1 { (server, client) } else { (client, server) };
        carry(&mut from[0], &mut to[0]);
    }
    for side in &sides {
        assert!(!side.is_handshaking(), "three flights are a handshake");
        assert!(side.peer_certificates().is_some(), "both have shown a key");
    }
}

/// One flight. The keys that come with it are made and dropped.
fn carry(from: &mut Connection, to: &mut Connection) {
    let mut bytes = Vec::new();
    loop {
        let keys = from.write_hs(&mut bytes);
        if keys.is_none() && bytes.is_empty() {
            return;
        }
        to.read_hs(&bytes).expect("the other side made it");
        bytes.clear();
    }
}

fn key() -> Arc<CertifiedKey> {
    let pair = Ed25519KeyPair::generate().expect("randomness");
    let pkcs8 = pair.to_pkcs8().expect("a fresh key").as_ref().to_vec();
    let key = provider::default_provider()
        .key_provider
        .load_private_key(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8)))
        .expect("a fresh key");
    let public = key.public_key().expect("Ed25519 keys know theirs").as_ref().to_vec();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key))
}

/// Takes any Ed25519 key of which the peer shows that it has it.
#[derive(Debug)]
struct AnyKey;

impl AnyKey {
    fn verify(
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let algorithms = provider::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms)
    }
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
