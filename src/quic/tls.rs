//! What TLS believes and shows: raw public keys, or X.509.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, ServerSessionMemoryCache,
    WebPkiClientVerifier,
};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::clock::Calendar;
use super::config::{Certificates, QuicConfig, QuicError, Trust};
use crate::crypto::{AnyKey, Identity, PublicKey, certified_key, ed25519_of};
use crate::id::PeerId;

/// Both sides of TLS, and who we are in it.
pub(super) struct Tls {
    pub(super) client: Arc<QuicClientConfig>,
    pub(super) server: Arc<QuicServerConfig>,
    /// Our own id, as peers see it.
    pub(super) peer_id: PeerId,
    /// 32 bytes that follow from our private key, and that nobody else can compute.
    pub(super) secret: [u8; 32],
}

/// The name that a dial goes by in TLS. Tickets are kept under it, so each peer has its own.
pub(super) fn server_name(trust: &Trust, address: SocketAddr, peer: Option<PeerId>) -> String {
    match (trust, peer) {
        (Trust::RawKeys { .. }, Some(peer)) => {
            let hex = |byte: &u8| format!("{byte:02x}");
            peer.0.iter().map(hex).collect::<String>() + ".invalid"
        }
        (Trust::RawKeys { .. }, None) => {
            let text = address.ip().to_string().replace([':', '.'], "-");
            format!("at-{text}-{}.invalid", address.port())
        }
        (Trust::Certificates(Certificates { server_name: Some(name), .. }), _) => name.clone(),
        (Trust::Certificates(_), _) => address.ip().to_string(),
    }
}

/// Who showed this certificate or raw key: of a raw key its peer id, of a certificate an id that
/// follows from the whole of it.
pub(super) fn peer_of(trust: &Trust, shown: &[CertificateDer<'_>]) -> Option<PeerInTls> {
    let first = shown.first()?;
    match trust {
        Trust::RawKeys { .. } => {
            let key = PublicKey::from_spki(first).ok()?;
            Some(PeerInTls { peer: key.peer_id(), key: Some(key) })
        }
        Trust::Certificates(_) => Some(PeerInTls { peer: id_of(first), key: None }),
    }
}

/// A peer that proved in TLS to have what it shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerInTls {
    pub(super) peer: PeerId,
    pub(super) key: Option<PublicKey>,
}

impl Tls {
    pub(super) fn new(config: &QuicConfig, calendar: &Arc<Calendar>) -> Result<Tls, QuicError> {
        let provider = Arc::new(provider());
        let (mut client, mut server, peer_id, secret) = match &config.trust {
            Trust::RawKeys { identity, .. } => raw(identity, &provider),
            Trust::Certificates(texts) => with_certificates(texts, &provider, calendar)?,
        };
        client.alpn_protocols = vec![config.alpn.clone()];
        client.enable_sni = matches!(config.trust, Trust::Certificates(_));
        client.resumption = match config.tickets_max {
            0 => Resumption::disabled(),
            tickets => Resumption::in_memory_sessions(tickets),
        };
        client.time_provider = Arc::clone(calendar) as Arc<dyn TimeProvider>;
        server.alpn_protocols = vec![config.alpn.clone()];
        server.session_storage = match config.tickets_max {
            0 => Arc::new(NoServerSessionStorage {}),
            tickets => ServerSessionMemoryCache::new(tickets),
        };
        // Early data could be replayed, and nothing says of a message that this does no harm.
        server.max_early_data_size = 0;
        server.time_provider = Arc::clone(calendar) as Arc<dyn TimeProvider>;
        let has_initial = "the provider has the suite of Initial packets";
        Ok(Tls {
            client: Arc::new(QuicClientConfig::try_from(client).expect(has_initial)),
            server: Arc::new(QuicServerConfig::try_from(server).expect(has_initial)),
            peer_id,
            secret,
        })
    }
}

type Sides = (ClientConfig, ServerConfig, PeerId, [u8; 32]);

fn raw(identity: &Identity, provider: &Arc<CryptoProvider>) -> Sides {
    let verifier = Arc::new(AnyKey::new(ed25519_of(provider)));
    let key = Arc::new(certified_key(identity));
    let client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect(SPEAKS_TLS13)
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(
            &key,
        ))));
    let server = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect(SPEAKS_TLS13)
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    (client, server, identity.peer_id(), derive(identity.seed()))
}

fn with_certificates(
    texts: &Certificates,
    provider: &Arc<CryptoProvider>,
    calendar: &Arc<Calendar>,
) -> Result<Sides, QuicError> {
    let chain = certificates("chain", &texts.chain)?;
    let key = PrivateKeyDer::from_pem_slice(&texts.key)
        .map_err(|error| QuicError::Pem { what: "key", why: error.to_string() })?;
    let mut roots = RootCertStore::empty();
    for authority in certificates("authorities", &texts.authorities)? {
        roots.add(authority).map_err(|error| QuicError::Authority(error.to_string()))?;
    }
    let roots = Arc::new(roots);
    let of_server =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .build()
            .map_err(|error| QuicError::Authority(error.to_string()))?;
    let of_client = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|error| QuicError::Authority(error.to_string()))?;
    let (peer_id, secret) = (id_of(&chain[0]), derive(key.secret_der()));
    let time = || Arc::clone(calendar) as Arc<dyn TimeProvider>;
    let refused = |error: rustls::Error| QuicError::Certificate(error.to_string());
    let client = ClientConfig::builder_with_details(Arc::clone(provider), time())
        .with_protocol_versions(&[&TLS13])
        .expect(SPEAKS_TLS13)
        .with_webpki_verifier(of_server)
        .with_client_auth_cert(chain.clone(), key.clone_key())
        .map_err(refused)?;
    let server = ServerConfig::builder_with_details(Arc::clone(provider), time())
        .with_protocol_versions(&[&TLS13])
        .expect(SPEAKS_TLS13)
        .with_client_cert_verifier(of_client)
        .with_single_cert(chain, key)
        .map_err(refused)?;
    Ok((client, server, peer_id, secret))
}

/// The certificates in a PEM text, at least one.
fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, QuicError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| QuicError::Pem { what, why: error.to_string() })?;
    if found.is_empty() {
        let why = "no certificate in it: expected '-----BEGIN CERTIFICATE-----'".to_owned();
        return Err(QuicError::Pem { what, why });
    }
    Ok(found)
}

/// aws-lc-rs with the suites of TLS 1.3. Not the provider of v1: Initial packets need AES-128.
fn provider() -> CryptoProvider {
    let mut provider = default_provider();
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    provider.kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    provider
}

fn id_of(certificate: &CertificateDer<'_>) -> PeerId {
    let hash = digest(&SHA256, &[b"channeler quic certificate\0", certificate.as_ref()].concat());
    let mut id = [0; PeerId::SIZE];
    id.copy_from_slice(&hash.as_ref()[..PeerId::SIZE]);
    PeerId(id)
}

fn derive(private: &[u8]) -> [u8; 32] {
    let input = zeroize::Zeroizing::new([b"channeler quic reset\0", private].concat());
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &input).as_ref());
    out
}

const SPEAKS_TLS13: &str = "the provider's suites are of TLS 1.3";
