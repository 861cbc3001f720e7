//! The TLS profile of a node: one client and one server configuration, the tickets, the clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_eddsa_type};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use super::tickets::{IssuedTickets, ReceivedTickets};
use super::verifier::AnyKey;
use super::{Identity, Suite, shares};
use crate::id::PeerId;
use crate::time::Time;

/// What `TlsContext::new` leaves to the node.
pub struct TlsOptions {
    /// Whether a responder takes early data, and tickets that it issues allow it.
    pub early_data: bool,
    /// How many tickets given out are remembered; with 0 none are issued.
    pub tickets_issued_max: usize,
    /// How many tickets got from peers are kept, 4 a peer at most.
    pub tickets_received_max: usize,
    /// The cipher suites offered and taken, best first. One or both.
    pub suites: Vec<Suite>,
    /// Whether X25519MLKEM768 is offered and preferred.
    pub post_quantum: bool,
    /// Receives the secrets of all handshakes, for debuggers.
    pub key_log: Option<KeyLog>,
}

impl Default for TlsOptions {
    fn default() -> TlsOptions {
        TlsOptions {
            early_data: false,
            tickets_issued_max: 1024,
            tickets_received_max: 1024,
            suites: Suite::ALL.to_vec(),
            post_quantum: true,
            key_log: None,
        }
    }
}

/// Gets lines in the format of `SSLKEYLOGFILE`, without line ends. It must not call the node.
pub type KeyLog = Arc<dyn Fn(&str) + Send + Sync>;

/// What all handshakes of a node share. One a node: tickets are bound to it.
///
/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct TlsContext {
    pub(super) inner: Arc<Context>,
}

pub(super) struct Context {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    pub(super) issued: Arc<IssuedTickets>,
    pub(super) received: Arc<ReceivedTickets>,
    pub(super) clock: Arc<Clock>,
    pub(super) peer_id: PeerId,
    key_log: Arc<Lines>,
}

/// The application protocol that both sides must name.
// spec: 3.3 TLS profile
pub(super) const ALPN: &[u8] = b"channeler/1";

const TICKETS_PER_HANDSHAKE: usize = 2;

impl TlsContext {
    /// The profile of section 3.3 for the node with `identity`.
    ///
    /// # Panics
    /// When `options` has no suites.
    // spec: 3.3 TLS profile
    pub fn new(identity: &Identity, options: TlsOptions) -> TlsContext {
        assert!(!options.suites.is_empty(), "a node speaks at least one cipher suite");
        let provider = provider(&options);
        TlsContext::with_provider(identity, options, provider)
    }

    /// The same with other suites and groups than those of `options`.
    pub(super) fn with_provider(
        identity: &Identity,
        options: TlsOptions,
        provider: CryptoProvider,
    ) -> TlsContext {
        let clock = Arc::new(Clock::default());
        let issued = Arc::new(IssuedTickets::new(Arc::clone(&clock), options.tickets_issued_max));
        let received = Arc::new(ReceivedTickets::new(options.tickets_received_max));
        let provider = Arc::new(provider);
        // The first random byte of a process costs aws-lc some 40 ms: better now than in the first
        // handshake. A failure shows there.
        let _seeded = provider.secure_random.fill(&mut [0]);
        let verifier = Arc::new(AnyKey::new(provider.signature_verification_algorithms));
        let key = Arc::new(certified_key(identity));
        let key_log = Arc::new(Lines(options.key_log.map(OnceLock::from).unwrap_or_default()));

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider's suites are of TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&key),
            )));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        // What a ticket says decides; a ticket without early data allows none.
        client.enable_early_data = true;
        client.resumption = Resumption::store(Arc::clone(&received) as _);
        client.key_log = Arc::clone(&key_log) as _;
        client.time_provider = Arc::clone(&clock) as _;

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider's suites are of TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::clone(&issued) as _;
        let issues_tickets = options.tickets_issued_max > 0;
        server.send_tls13_tickets = if issues_tickets { TICKETS_PER_HANDSHAKE } else { 0 };
        server.max_early_data_size = if options.early_data { u32::MAX } else { 0 };
        server.key_log = Arc::clone(&key_log) as _;
        server.time_provider = Arc::clone(&clock) as _;

        let inner = Context {
            client: Arc::new(client),
            server: Arc::new(server),
            issued,
            received,
            clock,
            peer_id: identity.peer_id(),
            key_log,
        };
        TlsContext { inner: Arc::new(inner) }
    }

    /// Our own peer id.
    pub fn peer_id(&self) -> PeerId {
        self.inner.peer_id
    }

    /// Gives the secrets of all handshakes from now on to `key_log`, unless somebody gets them
    /// already.
    pub fn set_key_log(&self, key_log: KeyLog) {
        let _first_stays = self.inner.key_log.0.set(key_log);
    }

    /// Makes every ticket that was given out worthless, as a node must before it lowers one of the
    /// parameters that go with tickets.
    // spec: 7.13 early data
    pub fn forget_tickets(&self) {
        self.inner.issued.forget_all();
    }

    /// How many tickets are kept: given out, and got from peers.
    pub fn ticket_counts(&self) -> (usize, usize) {
        (self.inner.issued.len(), self.inner.received.len())
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext").field("peer_id", &self.inner.peer_id).finish()
    }
}

/// aws-lc-rs, without whatever section 3.3 does not name, and with faster HKDF and key shares.
fn provider(options: &TlsOptions) -> CryptoProvider {
    let mut provider = default_provider();
    provider.cipher_suites = options.suites.iter().map(|suite| suite.supported()).collect();
    provider.kx_groups = if options.post_quantum {
        vec![&shares::X25519MLKEM768, &shares::X25519]
    } else {
        vec![&shares::X25519]
    };
    provider.signature_verification_algorithms = ed25519_of(&provider);
    provider
}

/// Of what `provider` verifies, Ed25519 only.
pub(crate) fn ed25519_of(provider: &CryptoProvider) -> WebPkiSupportedAlgorithms {
    let ed25519 = provider
        .signature_verification_algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == SignatureScheme::ED25519)
        .expect("the provider verifies Ed25519");
    WebPkiSupportedAlgorithms { all: ed25519.1, mapping: std::slice::from_ref(ed25519) }
}

/// What a node shows of itself in TLS: its raw public key.
pub(crate) fn certified_key(identity: &Identity) -> CertifiedKey {
    let key = any_eddsa_type(&identity.to_pkcs8()).expect("an identity is an Ed25519 key");
    CertifiedKey::new(vec![CertificateDer::from(identity.public_key().spki().to_vec())], key)
}

/// The node's clock, which rustls reads for the age of tickets: it never asks the system.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn set(&self, now: Time) {
        // Nothing else is ordered by it, and all calls of a node come one after the other.
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_nanos(self.now().as_nanos())))
    }
}

/// Makes lines of what rustls logs.
struct Lines(OnceLock<KeyLog>);

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let Some(log) = self.0.get() else { return };
        // The application traffic secrets, which are not derived.
        if secret.is_empty() {
            return;
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        log(&format!("{label} {} {}", hex(client_random), hex(secret)));
    }

    fn will_log(&self, _label: &str) -> bool {
        self.0.get().is_some()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lines").field(&self.0.get().is_some()).finish()
    }
}
