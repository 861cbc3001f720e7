//! TLS by `rustls` alone, with the profile of `docs/protocol.md` 3.3.

use std::net::UdpSocket;
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
    SupportedCipherSuite,
};

use crate::bare;
use crate::harness::{median, pin};

/// As many bytes of transport parameters as a node sends, about.
const PARAMETERS: [u8; 64] = [0x5a; 64];

/// What both sides of a handshake are made with: keys known to nobody, and no tickets.
pub(crate) struct Profile {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Profile {
    /// As of version 1.
    pub(super) fn new() -> Profile {
        Profile::preferring(provider::cipher_suite::TLS13_AES_256_GCM_SHA384)
    }

    /// As of QUIC channels.
    pub(crate) fn of_quic_channels() -> Profile {
        Profile::preferring(provider::cipher_suite::TLS13_AES_128_GCM_SHA256)
    }

    fn preferring(suite: SupportedCipherSuite) -> Profile {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![suite, provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
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

/// Full mutual handshakes in memory, both sides in this thread: the median, in microseconds; of
/// both cores, half of the time on each. Two sides that are apart work on one core each, and a core
/// takes up to 1.7 times as long as the other for the same while the host has other guests on its
/// other half.
pub(super) fn handshakes(time: Duration) -> f64 {
    let profile = Profile::new();
    let on_core = |core| {
        pin(core);
        let mut times = Vec::new();
        let began = Instant::now();
        while began.elapsed() < time / 2 {
            let began = Instant::now();
            handshake(&profile);
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        median(times)
    };
    (on_core(0) + on_core(1)) / 2.0
}

/// The same over blocking sockets, a thread and a core a side, a flight a datagram: what sleeping
/// and waking cost when each side works between its hops, as none of the two does in a ping-pong.
pub(super) fn handshakes_over_sockets(time: Duration) -> f64 {
    let profile = Profile::new();
    let sockets = [bare::socket(), bare::socket()];
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().expect("it is bound"));
    sockets[0].connect(addresses[1]).expect("both are on the loopback");
    sockets[1].connect(addresses[0]).expect("both are on the loopback");
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while answer(&sockets[1], &profile, began) < time {}
        });
        pin(0);
        let mut times = Vec::new();
        let mut done = Duration::ZERO;
        while done < time {
            let from = began.elapsed();
            let mut client = client(&profile);
            send(&sockets[0], &mut client);
            receive(&sockets[0], &mut client);
            send(&sockets[0], &mut client);
            let mut nanos = [0; 8];
            sockets[0].recv(&mut nanos).expect("loopback loses nothing of so little");
            done = Duration::from_nanos(u64::from_be_bytes(nanos));
            times.push((done - from).as_secs_f64() * 1e6);
        }
        median(times)
    })
}

/// The responder's side of one handshake; tells the initiator when it was done.
fn answer(socket: &UdpSocket, profile: &Profile, began: Instant) -> Duration {
    let mut server = server(profile);
    receive(socket, &mut server);
    send(socket, &mut server);
    receive(socket, &mut server);
    let done = began.elapsed();
    let nanos = u64::try_from(done.as_nanos()).expect("not for centuries");
    socket.send(&nanos.to_be_bytes()).expect("loopback sends");
    done
}

/// One flight. It is in pieces, each under keys of its own and behind its length.
fn send(socket: &UdpSocket, side: &mut Connection) {
    let (mut flight, mut piece) = (Vec::new(), Vec::new());
    loop {
        let keys = side.write_hs(&mut piece);
        flight.extend((piece.len() as u16).to_be_bytes());
        flight.append(&mut piece);
        if keys.is_none() {
            break;
        }
    }
    socket.send(&flight).expect("loopback sends");
}

fn receive(socket: &UdpSocket, side: &mut Connection) {
    let mut flight = [0; 8192];
    let len = socket.recv(&mut flight).expect("loopback loses nothing of so little");
    let mut rest = &flight[..len];
    while let Some((&[high, low], after)) = rest.split_first_chunk() {
        let (piece, after) = after.split_at(u16::from_be_bytes([high, low]).into());
        if !piece.is_empty() {
            side.read_hs(piece).expect("the other side made it");
        }
        rest = after;
    }
}

fn client(profile: &Profile) -> Connection {
    let name = ServerName::try_from("peer.invalid").expect("a name");
    let config = Arc::clone(&profile.client);
    let client = ClientConnection::new(config, Version::V1, name, PARAMETERS.to_vec());
    client.expect("a good configuration").into()
}

fn server(profile: &Profile) -> Connection {
    let config = Arc::clone(&profile.server);
    let server = ServerConnection::new(config, Version::V1, PARAMETERS.to_vec());
    server.expect("a good configuration").into()
}

fn handshake(profile: &Profile) {
    let mut sides = [client(profile), server(profile)];
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
