//! Two sessions in memory: full and resumed handshakes, early data, and what goes wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::cipher_suite;

use super::super::session::CryptoLevel;
use super::super::{
    AttemptIds, Epochs, Identity, LevelKeys, Limits, ReplayWindow, SealInfo, Session, Suite,
    TlsContext, TlsError, TlsOptions, TlsOutput, ed25519_of,
};
use super::{at, hex, layout};
use crate::id::{AttemptId, ChannelNumber, PathId, PeerId, Side};
use crate::time::Time;

const IDS: AttemptIds = AttemptIds {
    original: AttemptId([1; 16]),
    initiator: AttemptId([2; 16]),
    responder: AttemptId([3; 16]),
};

const NOW: Time = Time::from_nanos(1_000_000_000_000);

/// A node, as far as TLS goes.
struct Party {
    identity: Identity,
    context: TlsContext,
}

impl Party {
    fn new(seed: u8) -> Party {
        Party::with(seed, TlsOptions::default())
    }

    fn early(seed: u8) -> Party {
        Party::with(seed, TlsOptions { early_data: true, ..TlsOptions::default() })
    }

    fn with(seed: u8, options: TlsOptions) -> Party {
        let identity = Identity::from_seed([seed; 32]);
        let context = TlsContext::new(&identity, options);
        Party { identity, context }
    }

    fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    fn dial(&self, now: Time, asked: Option<PeerId>) -> End {
        let params = b"initiator's parameters".to_vec();
        End::new(Session::initiator(&self.context, now, asked, params).expect("it begins"))
    }

    fn answer(&self, now: Time) -> End {
        let params = b"responder's parameters".to_vec();
        End::new(Session::responder(&self.context, now, params).expect("it begins"))
    }
}

/// A session, with what it wrote and how far the other side has read that.
struct End {
    session: Session,
    /// Level 0, level 1.
    written: [Vec<u8>; 2],
    unread: [usize; 2],
    keys: Option<LevelKeys>,
    /// What came in which order.
    order: Vec<&'static str>,
}

impl End {
    fn new(session: Session) -> End {
        let written = [Vec::new(), Vec::new()];
        let mut end = End { session, written, unread: [0; 2], keys: None, order: Vec::new() };
        end.take();
        end
    }

    fn take(&mut self) {
        while let Some(output) = self.session.write() {
            match output {
                TlsOutput::Bytes(CryptoLevel::Short, _) => panic!("tickets are asked for"),
                TlsOutput::Bytes(level, bytes) => {
                    self.written[level as usize].extend(bytes);
                    self.order.push(["initial", "handshake"][level as usize]);
                }
                TlsOutput::HandshakeKeys(keys) => {
                    self.keys = Some(keys);
                    self.order.push("keys");
                }
            }
        }
    }

    /// Reads all that `other` wrote at the levels that are wanted, `piece` bytes at a time.
    fn read_from(&mut self, now: Time, other: &mut End, piece: usize) -> Result<(), TlsError> {
        loop {
            let level = self.session.reads();
            let Some(written) = other.written.get(level as usize) else { return Ok(()) };
            let from = &mut other.unread[level as usize];
            if *from == written.len() {
                return Ok(());
            }
            let to = written.len().min(*from + piece);
            let result = self.session.read(now, level, &written[*from..to]);
            *from = to;
            self.take();
            result?;
        }
    }
}

/// Runs a handshake to its end.
fn shake(now: Time, a: &mut End, b: &mut End) -> Result<(), TlsError> {
    shake_by(now, a, b, usize::MAX / 2)
}

fn shake_by(now: Time, a: &mut End, b: &mut End, piece: usize) -> Result<(), TlsError> {
    for _ in 0..4 {
        b.read_from(now, a, piece)?;
        a.read_from(now, b, piece)?;
    }
    Ok(())
}

/// A whole handshake with tickets at its end.
fn meet(now: Time, a: &Party, b: &Party, asked: Option<PeerId>) -> (End, End) {
    let (mut dialer, mut answerer) = (a.dial(now, asked), b.answer(now));
    shake(now, &mut dialer, &mut answerer).expect("a good handshake");
    assert!(dialer.session.is_complete() && answerer.session.is_complete());
    let tickets = answerer.session.tickets(now);
    dialer.session.read(now, CryptoLevel::Short, &tickets).expect("good tickets");
    (dialer, answerer)
}

// spec: 3.3, 6.2
#[test]
fn a_full_handshake_gives_both_sides_keys_parameters_and_secrets() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (dialer, answerer) = meet(NOW, &a, &b, Some(b.id()));
    assert_eq!(dialer.session.peer_key(), Ok(Some(b.identity.public_key())));
    assert_eq!(answerer.session.peer_key(), Ok(Some(a.identity.public_key())));
    assert_eq!(dialer.session.peer_params(), Some(&b"responder's parameters"[..]));
    assert_eq!(answerer.session.peer_params(), Some(&b"initiator's parameters"[..]));
    assert!(!dialer.session.is_resumed() && !answerer.session.is_resumed());
    assert!(dialer.session.is_post_quantum() && answerer.session.is_post_quantum());
    assert_eq!(dialer.session.early_accepted(), Some(false));
    assert_eq!(dialer.order, ["initial", "keys", "handshake"]);
    assert_eq!(answerer.order, ["initial", "keys", "handshake"]);
    check_short_packets(&dialer.session, &answerer.session);
    check_level_1(&dialer, &answerer);
}

fn check_short_packets(a: &Session, b: &Session) {
    let epochs = |session: &Session| {
        let secrets = session.secrets(&IDS).expect("it is complete");
        let limits = Limits::of(secrets.suite());
        Epochs::new(secrets, session.side(), limits, 0)
    };
    let (mut a, mut b) = (epochs(a), epochs(b));
    check_short_packet(&mut a, &mut b);
    check_short_packet(&mut b, &mut a);
}

fn check_short_packet(sender: &mut Epochs, receiver: &mut Epochs) {
    let info = SealInfo { channel: ChannelNumber(2), path: PathId(0), number: 0, number_len: 1 };
    let mut packet = layout(1, b"across the handshake");
    sender.seal(&info, &mut packet).expect("room");
    let opened = receiver
        .open(NOW, PathId(0), &mut ReplayWindow::new(), &mut packet, |_| true)
        .expect("it opens");
    assert_eq!(packet[opened.payload], *b"across the handshake");
}

fn check_level_1(a: &End, b: &End) {
    let (a, b) = (a.keys.as_ref().expect("keys"), b.keys.as_ref().expect("keys"));
    for (seals, opens) in [(&a.local, &b.remote), (&b.local, &a.remote)] {
        let mut packet = vec![1; 100];
        seals.seal(5, 45, &mut packet);
        assert!(seals.open(45, None, &mut packet.clone()[..99]).is_err());
        assert_eq!(opens.open(45, None, &mut packet).expect("it opens").0, 5);
    }
}

// spec: 6.2 connection secrets
#[test]
fn secrets_are_bound_to_the_ids_of_the_attempt_and_follow_from_the_key_log() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let key_log = Some(Arc::new(move |line: &str| {
        log.lock().expect("no panic before").push(line.to_owned());
    }) as super::super::KeyLog);
    let a = Party::with(1, TlsOptions { key_log, ..TlsOptions::default() });
    let (dialer, answerer) = meet(NOW, &a, &Party::new(2), None);
    let secrets = dialer.session.secrets(&IDS).expect("complete");
    let other = AttemptIds { responder: AttemptId([4; 16]), ..IDS };
    let others = answerer.session.secrets(&other).expect("complete");
    assert_ne!(secrets.initiator.as_bytes(), others.initiator.as_bytes());
    assert_ne!(secrets.initiator.as_bytes(), secrets.responder.as_bytes());

    let lines = lines.lock().expect("no panic before");
    let line = lines.iter().find(|line| line.starts_with("EXPORTER_SECRET ")).expect("it is there");
    let exporter = hex(line.split(' ').nth(2).expect("label, random, secret"));
    assert_eq!(secrets.suite(), Suite::Aes256Gcm);
    for (secret, label) in [
        (&secrets.initiator, "channeler v1 initiator"),
        (&secrets.responder, "channeler v1 responder"),
    ] {
        assert_eq!(secret.as_bytes(), export(&exporter, label));
    }
}

// spec: 3.3 TLS profile
#[test]
fn a_peer_that_derives_all_that_tls_knows_derives_the_same_keys() {
    for suite in
        [cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256]
    {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites = vec![suite];
        provider.signature_verification_algorithms = ed25519_of(&provider);
        let identity = Identity::from_seed([1; 32]);
        let context = TlsContext::with_provider(&identity, TlsOptions::default(), provider);
        let (theirs, ours) = (Party { identity, context }, Party::new(2));
        for (a, b) in [(&theirs, &ours), (&ours, &theirs)] {
            // The second time by a ticket.
            for is_resumed in [false, true] {
                let (dialer, answerer) = meet(NOW, a, b, Some(b.id()));
                assert_eq!(dialer.session.is_resumed(), is_resumed);
                check_level_1(&dialer, &answerer);
                check_short_packets(&dialer.session, &answerer.session);
            }
        }
    }
}

#[test]
fn a_node_that_keeps_no_tickets_issues_none() {
    let options = TlsOptions { tickets_issued_max: 0, ..TlsOptions::default() };
    let (a, b) = (Party::new(1), Party::with(2, options));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    assert!(answerer.session.is_complete());
    assert!(answerer.session.tickets(NOW).is_empty());
}

/// RFC 8446 7.5 with SHA-384 over HMAC alone.
fn export(exporter: &[u8], label: &str) -> Vec<u8> {
    use aws_lc_rs::{digest, hmac};
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA384, bytes).as_ref().to_vec();
    let expand = |secret: &[u8], label: &str, context: &[u8]| {
        let label = format!("tls13 {label}");
        let info = [
            &48u16.to_be_bytes()[..],
            &[label.len() as u8],
            label.as_bytes(),
            &[context.len() as u8],
            context,
            &[1],
        ];
        let key = hmac::Key::new(hmac::HMAC_SHA384, secret);
        hmac::sign(&key, &info.concat()).as_ref().to_vec()
    };
    let context = [IDS.original.0, IDS.initiator.0, IDS.responder.0].concat();
    expand(&expand(exporter, label, &hash(b"")), "exporter", &hash(&context))
}

// spec: 7.5 CRYPTO
#[test]
fn a_handshake_goes_through_byte_by_byte() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    shake_by(NOW, &mut dialer, &mut answerer, 1).expect("a good handshake");
    assert!(dialer.session.is_complete() && answerer.session.is_complete());
    assert_eq!(dialer.order, ["initial", "keys", "handshake"]);
}

// spec: 7.2 ids of an attempt
#[test]
fn nothing_is_there_before_its_time() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    assert_eq!(dialer.session.peer_key(), Ok(None));
    assert_eq!(dialer.session.peer_params(), None);
    assert!(dialer.session.secrets(&IDS).is_none());
    answerer.read_from(NOW, &mut dialer, 2000).expect("a good ClientHello");
    assert_eq!(answerer.session.peer_key(), Ok(None), "it shows its key at the end");
    assert_eq!(answerer.session.peer_params(), Some(&b"initiator's parameters"[..]));
    assert!(answerer.session.secrets(&IDS).is_none());
    assert!(answerer.session.tickets(NOW).is_empty());
}

// spec: 3.3 TLS profile
#[test]
fn the_client_hello_names_neither_the_peer_nor_us() {
    let (a, b) = (Party::new(1), Party::new(2));
    let hello = a.dial(NOW, Some(b.id())).written[0].clone();
    let contains = |part: &[u8]| hello.windows(part.len()).any(|window| window == part);
    for party in [&a, &b] {
        assert!(!contains(&party.identity.public_key().raw()));
        assert!(!contains(&party.id().0));
        assert!(!contains(format!("{:032x}", u128::from_be_bytes(party.id().0)).as_bytes()));
    }
    assert!(!contains(b"invalid"));
    assert!(contains(b"channeler/1"));
}

// spec: 3.3 TLS profile
#[test]
fn another_application_protocol_is_refused_with_its_alert() {
    let (a, b) = (Party::new(1), Party::new(2));
    for alpn in [b"channeler/2".as_slice(), b"channeler/", b""] {
        let mut dialer = a.dial(NOW, None);
        let hello = &mut dialer.written[0];
        let place = hello.windows(11).position(|window| window == b"channeler/1").expect("ALPN");
        if alpn.is_empty() {
            // The type of the extension becomes one that nobody knows: the dial names none.
            hello[place - 7..place - 5].copy_from_slice(&[0xfa, 0xfa]);
        } else {
            hello[place..place + 11].copy_from_slice(&[alpn, b"x"].concat()[..11]);
        }
        let error = b.answer(NOW).read_from(NOW, &mut dialer, 4000).expect_err("another protocol");
        assert_eq!(error.alert, Some(120), "{error}");
    }
}

// spec: 3.3 TLS profile
#[test]
fn either_suite_is_spoken_when_it_is_all_that_one_side_has() {
    for suite in Suite::ALL {
        let only = |seed, suites| Party::with(seed, TlsOptions { suites, ..TlsOptions::default() });
        let (a, b) = (only(1, vec![suite]), only(2, Suite::ALL.to_vec()));
        for (a, b) in [(&a, &b), (&b, &a)] {
            let (dialer, answerer) = meet(NOW, a, b, None);
            assert_eq!(dialer.session.secrets(&IDS).expect("complete").suite(), suite);
            check_short_packets(&dialer.session, &answerer.session);
        }
    }
    let only = |seed, suite| {
        Party::with(seed, TlsOptions { suites: vec![suite], ..TlsOptions::default() })
    };
    let (a, b) = (only(1, Suite::Aes256Gcm), only(2, Suite::ChaCha20Poly1305));
    assert!(shake(NOW, &mut a.dial(NOW, None), &mut b.answer(NOW)).is_err());
}

// spec: 3.3 TLS profile
#[test]
fn x25519_alone_serves_a_peer_without_the_hybrid_group() {
    let plain = Party::with(1, TlsOptions { post_quantum: false, ..TlsOptions::default() });
    let full = Party::new(2);
    for (a, b) in [(&plain, &full), (&full, &plain)] {
        let (dialer, answerer) = meet(NOW, a, b, None);
        assert!(!dialer.session.is_post_quantum() && !answerer.session.is_post_quantum());
        assert_eq!(answerer.order.iter().filter(|part| **part == "initial").count(), 1, "no retry");
    }
}

// spec: 3.4, 7.12
#[test]
fn a_resumed_handshake_still_gives_the_keys_and_the_responder_has_them_at_once() {
    let (a, b) = (Party::new(1), Party::new(2));
    meet(NOW, &a, &b, Some(b.id()));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    answerer.read_from(NOW, &mut dialer, 4000).expect("a good ClientHello");
    assert!(answerer.session.is_resumed());
    assert!(!answerer.session.is_complete());
    assert_eq!(answerer.session.peer_key(), Ok(Some(a.identity.public_key())));
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    assert!(dialer.session.is_resumed());
    assert_eq!(dialer.session.peer_key(), Ok(Some(b.identity.public_key())));
    assert!(dialer.session.is_post_quantum(), "resumed, with fresh keys");
    check_short_packets(&dialer.session, &answerer.session);
}

// spec: 3.4 identity checks
#[test]
fn the_key_of_somebody_else_is_shown_to_a_dial_that_asked_for_another() {
    let (a, b, c) = (Party::new(1), Party::new(2), Party::new(3));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), c.answer(NOW));
    shake(NOW, &mut dialer, &mut answerer).expect("TLS does not mind");
    let key = dialer.session.peer_key().expect("a key").expect("shown");
    assert_eq!(key.peer_id(), c.id());
    assert_ne!(key.peer_id(), b.id());
    // Whatever tickets came are filed under whose they are: none is offered to b.
    let tickets = answerer.session.tickets(NOW);
    dialer.session.read(NOW, CryptoLevel::Short, &tickets).expect("good tickets");
    assert!(!is_resumable(&a, &b) && is_resumable(&a, &c));
}

/// Whether a dial from `a` to `b` offers a ticket that `b` takes.
fn is_resumable(a: &Party, b: &Party) -> bool {
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    assert_eq!(dialer.session.is_resumed(), answerer.session.is_resumed());
    dialer.session.is_resumed()
}

// spec: 7.12 tickets
#[test]
fn each_of_two_tickets_works_once() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (dialer, _) = meet(NOW, &a, &b, Some(b.id()));
    assert_eq!(dialer.session.tickets_received(), 2);
    assert_eq!((b.context.ticket_counts().0, a.context.ticket_counts().1), (2, 2));
    assert!(is_resumable(&a, &b) && is_resumable(&a, &b));
    assert!(!is_resumable(&a, &b));
    assert_eq!((b.context.ticket_counts().0, a.context.ticket_counts().1), (0, 0));
}

// spec: 7.12, 7.13
#[test]
fn a_replayed_first_flight_finds_no_ticket() {
    let (a, b) = (Party::new(1), Party::early(2));
    meet(NOW, &a, &b, Some(b.id()));
    let mut dialer = a.dial(NOW, Some(b.id()));
    let [mut first, mut second] = [b.answer(NOW), b.answer(NOW)];
    first.read_from(NOW, &mut dialer, 4000).expect("a good ClientHello");
    assert!(first.session.is_resumed() && first.session.early_key().is_some());
    dialer.unread = [0; 2];
    second.read_from(NOW, &mut dialer, 4000).expect("a good ClientHello");
    assert!(!second.session.is_resumed() && second.session.early_key().is_none());
    shake(NOW, &mut dialer, &mut second).expect("the honest one gets a full handshake");
    assert_eq!(dialer.session.early_accepted(), Some(false));
}

// spec: 7.12 tickets
#[test]
fn a_dial_that_asks_for_nobody_offers_no_ticket_and_keeps_those_it_gets() {
    let (a, b) = (Party::new(1), Party::new(2));
    meet(NOW, &a, &b, None);
    let (dialer, _) = meet(NOW, &a, &b, None);
    assert!(!dialer.session.is_resumed());
    assert_eq!(a.context.ticket_counts().1, 4);
    assert!(is_resumable(&a, &b), "they were filed under the id that was found");
}

// spec: 3.4, 7.12
#[test]
fn tickets_of_a_peer_that_was_not_accepted_do_not_exist() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    drop(answerer);
    assert_eq!(b.context.ticket_counts().0, 0);
    // Nor do they fall to the next one.
    let (_, mut next) = meet(NOW, &Party::new(3), &b, Some(b.id()));
    assert_eq!(b.context.ticket_counts().0, 2);
    assert!(next.session.tickets(NOW).is_empty(), "asked for twice");
}

// spec: 7.12 tickets
#[test]
fn tables_of_tickets_are_bounded_and_the_oldest_go() {
    let options = |issued, received| TlsOptions {
        tickets_issued_max: issued,
        tickets_received_max: received,
        ..TlsOptions::default()
    };
    let a = Party::with(1, options(1024, 5));
    let [b, c, d] = [2, 3, 4].map(|seed| Party::with(seed, options(3, 5)));
    for _ in 0..3 {
        meet(NOW, &a, &b, None);
    }
    assert_eq!((b.context.ticket_counts().0, a.context.ticket_counts().1), (3, 4), "4 a peer");
    meet(NOW, &a, &c, None);
    meet(NOW, &a, &d, None);
    assert_eq!(a.context.ticket_counts().1, 5, "5 a node");
    assert!(is_resumable(&a, &b), "the newest of the first peer is kept");
    let none = Party::with(5, options(0, 0));
    let (dialer, _) = meet(NOW, &a, &none, None);
    assert_eq!((dialer.session.tickets_received(), none.context.ticket_counts()), (0, (0, 0)));
    let (dialer, _) = meet(NOW, &none, &b, None);
    assert_eq!((dialer.session.tickets_received(), none.context.ticket_counts()), (2, (0, 0)));
}

// spec: 7.12 tickets
#[test]
fn a_ticket_works_for_a_day_of_the_callers_clock() {
    let day = Duration::from_secs(24 * 3600);
    let (a, b) = (Party::new(1), Party::new(2));
    for (age, is_good) in [(day - Duration::from_secs(1), true), (day, false)] {
        meet(NOW, &a, &b, Some(b.id()));
        let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
        answerer.read_from(NOW + age, &mut dialer, 4000).expect("a good ClientHello");
        assert_eq!(answerer.session.is_resumed(), is_good, "{age:?}");
    }
}

// spec: 7.13 early data
#[test]
fn early_data_goes_with_a_ticket_to_a_responder_that_takes_it() {
    let (a, b) = (Party::new(1), Party::early(2));
    let (first, _) = meet(NOW, &a, &b, Some(b.id()));
    assert!(first.session.early_key().is_none());
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(b.id())), b.answer(NOW));
    let ours = dialer.session.early_key().expect("the ticket allows it");
    assert_eq!(dialer.session.early_params(), Some(&b"responder's parameters"[..]));
    assert_eq!(dialer.session.early_accepted(), None, "not known yet");
    answerer.read_from(NOW, &mut dialer, 4000).expect("a good ClientHello");
    let theirs = answerer.session.early_key().expect("it takes early data");
    let mut packet = vec![1; 100];
    ours.seal(0, 45, &mut packet);
    assert!(theirs.open(45, None, &mut packet).is_ok());
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    assert_eq!(dialer.session.early_accepted(), Some(true));
    assert_eq!(dialer.session.early_params(), None, "the new ones count now");
}

// spec: 7.13 early data
#[test]
fn early_data_is_refused_by_default_and_for_tickets_of_a_wrong_age_or_forgotten() {
    let (a, b) = (Party::new(1), Party::new(2));
    meet(NOW, &a, &b, Some(b.id()));
    assert!(a.dial(NOW, Some(b.id())).session.early_key().is_none(), "by default");

    let c = Party::early(3);
    let minute = Duration::from_secs(60);
    for (delay, is_good) in [(minute, true), (2 * minute, false)] {
        meet(NOW, &a, &c, Some(c.id()));
        let (mut dialer, mut answerer) = (a.dial(NOW, Some(c.id())), c.answer(NOW));
        assert!(dialer.session.early_key().is_some());
        answerer.read_from(NOW + delay, &mut dialer, 4000).expect("a good ClientHello");
        assert_eq!(answerer.session.early_key().is_some(), is_good, "late by {delay:?}");
        shake(NOW + delay, &mut dialer, &mut answerer).expect("a good handshake");
        assert!(dialer.session.is_resumed());
        assert_eq!(dialer.session.early_accepted(), Some(is_good));
    }
    c.context.forget_tickets();
    let (mut dialer, mut answerer) = (a.dial(NOW, Some(c.id())), c.answer(NOW));
    shake(NOW, &mut dialer, &mut answerer).expect("a good handshake");
    assert!(!dialer.session.is_resumed());
    assert_eq!(dialer.session.early_accepted(), Some(false));
}

// spec: 7.3, 4.5
#[test]
fn bytes_of_another_level_change_nothing() {
    let (a, b) = (Party::new(1), Party::new(2));
    let (mut dialer, mut answerer) = (a.dial(NOW, None), b.answer(NOW));
    for level in [CryptoLevel::Handshake, CryptoLevel::Short] {
        assert!(answerer.session.read(NOW, level, &dialer.written[0]).is_err());
    }
    answerer.read_from(NOW, &mut dialer, 4000).expect("a good ClientHello");
    let error = answerer.session.read(NOW, CryptoLevel::Initial, b"more").expect_err("over");
    assert_eq!(error.alert, Some(10));
    shake(NOW, &mut dialer, &mut answerer).expect("as if nothing had been");
    assert!(answerer.session.is_complete());
}

// spec: 7.4 responder states
#[test]
fn a_flipped_bit_in_any_byte_of_a_flight_fails_the_handshake_or_changes_nothing_secret() {
    let (a, b) = (Party::new(1), Party::new(2));
    let whole = a.dial(NOW, None).written[0].len();
    for at in (0..whole).step_by(29) {
        let (mut dialer, mut answerer) = (a.dial(NOW, None), b.answer(NOW));
        dialer.written[0][at] ^= 0x40;
        let result = shake(NOW, &mut dialer, &mut answerer);
        assert!(result.is_err() || !dialer.session.is_complete(), "byte {at}");
        assert!(!answerer.session.is_complete(), "byte {at}");
    }
}

// spec: 3.4 identity checks
#[test]
fn a_clock_that_stands_far_in_the_future_is_no_trouble() {
    let (a, b) = (Party::new(1), Party::new(2));
    let late = at(500 * 365 * 24 * 3600);
    meet(late, &a, &b, Some(b.id()));
    let (mut dialer, mut answerer) = (a.dial(late, Some(b.id())), b.answer(late));
    shake(late, &mut dialer, &mut answerer).expect("a good handshake");
    assert!(dialer.session.is_resumed());
    assert_eq!(dialer.session.side(), Side::Initiator);
}
