//! Two ends of a handshake and a network in memory between them: what tests and the fuzzer drive.
//!
//! It stands in for the node: finds the attempt, asks for cookies, checks keys, and sends the
//! responder's first short packet until it comes through.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use super::inbound::index;
use super::{Complete, Env, Failure, Handshake, HandshakeEvent};
use crate::config::NodeConfig;
use crate::crypto::{
    CookieKeys, CryptoLevel, Epochs, Identity, Limits, PublicKey, ReplayWindow, ResetKey, SealInfo,
    TlsContext, TlsOptions,
};
use crate::id::{ChannelNumber, Level, PathId, PeerId, Side};
use crate::time::Time;
use crate::wire::TAG_LEN;
use crate::wire::Writer;
use crate::wire::codes::ConnectionCode;
use crate::wire::long::{Cookie, DATAGRAM_SIZE, Kind, LongError, LongHeader, set_size};

/// How long every datagram takes when nobody says otherwise.
pub(crate) const DELAY: Duration = Duration::from_millis(10);

/// One node, as far as a handshake needs one.
pub(crate) struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) identity: Identity,
    pub(crate) tls: TlsContext,
    pub(crate) reset_key: ResetKey,
    pub(crate) rng: ChaCha12Rng,
    /// Refuses every peer with this.
    pub(crate) refuses: Option<ConnectionCode>,
    /// Answers nothing that it is asked.
    pub(crate) is_silent: bool,
}

impl Node {
    pub(crate) fn new(seed: u64, options: TlsOptions) -> Node {
        let mut key = [0x5e; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let identity = Identity::from_seed(key);
        Node {
            config: NodeConfig::new(identity.peer_id()),
            tls: TlsContext::new(&identity, options),
            reset_key: ResetKey::new(&identity, b""),
            rng: ChaCha12Rng::seed_from_u64(seed),
            identity,
            refuses: None,
            is_silent: false,
        }
    }

    pub(crate) fn env(&mut self) -> Env<'_> {
        Env {
            window: 1 << 18,
            config: &self.config,
            rng: &mut self.rng,
            tls: &self.tls,
            reset_key: Some(&self.reset_key),
        }
    }
}

/// One side of the attempt, and what it told its owner.
pub(crate) struct End {
    pub(crate) node: Node,
    pub(crate) asked: Option<PeerId>,
    pub(crate) handshake: Option<Handshake>,
    pub(crate) identified: Vec<(PublicKey, bool, bool)>,
    pub(crate) complete: Option<Complete>,
    pub(crate) completed_at: Option<Time>,
    pub(crate) epochs: Option<Epochs>,
    pub(crate) failure: Option<Failure>,
    pub(crate) closed: Option<u64>,
    pub(crate) early: Vec<(u64, Vec<u8>)>,
    /// Datagrams sent, and bytes of UDP payload.
    pub(crate) datagrams: usize,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// What is under way.
struct Flying {
    to: Side,
    bytes: Vec<u8>,
}

/// Both ends and what is between them.
pub(crate) struct Pair {
    pub(crate) now: Time,
    pub(crate) initiator: End,
    pub(crate) responder: End,
    /// The responder wants cookies.
    pub(crate) cookies: Option<CookieKeys>,
    /// The initiator opened a short packet.
    pub(crate) is_confirmed: bool,
    flying: BTreeMap<(Time, u64), Flying>,
    sequence: u64,
    short_due: Option<Time>,
    short_number: u64,
    window: ReplayWindow,
}

/// What the network does with the datagram of that number (of its sender): when copies of it, or of
/// others, arrive.
pub(crate) type Carry<'a> = &'a mut dyn FnMut(Side, usize, Vec<u8>) -> Vec<(Duration, Vec<u8>)>;

/// Everything arrives after `DELAY`.
pub(crate) fn carry_all(_: Side, _: usize, bytes: Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
    vec![(DELAY, bytes)]
}

impl Pair {
    /// The initiator has dialled and asks for the responder's id.
    pub(crate) fn new(initiator: Node, responder: Node) -> Pair {
        let asked = Some(responder.identity.peer_id());
        let mut pair = Pair {
            now: Time::from_nanos(1_000_000_000),
            initiator: End::new(initiator, asked),
            responder: End::new(responder, None),
            cookies: None,
            is_confirmed: false,
            flying: BTreeMap::new(),
            sequence: 0,
            short_due: None,
            short_number: 0,
            window: ReplayWindow::new(),
        };
        pair.dial();
        pair
    }

    /// Begins anew between the same nodes; both forget what was.
    pub(crate) fn redial(self) -> Pair {
        let now = self.now;
        let cookies = self.cookies;
        let asked = self.initiator.asked;
        let mut pair = Pair::new(self.initiator.node, self.responder.node);
        (pair.now, pair.cookies, pair.initiator.asked) = (now, cookies, asked);
        pair.dial();
        pair
    }

    pub(crate) fn dial(&mut self) {
        self.initiator.dial(self.now);
    }

    pub(crate) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        }
    }

    /// Runs until nothing is under way and nothing is waited for, or until `end`.
    pub(crate) fn run(&mut self, end: Time, carry: Carry<'_>) {
        for _ in 0..STEPS_MAX {
            self.drain(carry);
            let Some(next) = self.next_time().filter(|next| *next <= end) else { return };
            self.now = self.now.max(next);
            self.step();
        }
        panic!("the handshake does not come to rest");
    }

    /// The same for as long as a dial's attempt may take, and a little longer.
    pub(crate) fn run_out(&mut self, carry: Carry<'_>) {
        self.run(self.now + Duration::from_secs(30), carry);
    }

    /// A datagram arrives at `to`.
    pub(crate) fn deliver(&mut self, to: Side, mut bytes: Vec<u8>) {
        self.end(to).received += bytes.len() as u64;
        let mut at = 0;
        let is_small = bytes.len() < DATAGRAM_SIZE;
        let mut first = None;
        while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            if rest[0] >> 6 == 0b10 {
                self.deliver_short(to, rest);
                break;
            }
            let header = match LongHeader::parse(rest) {
                Ok(header) => header,
                Err(LongError::Unknown { size }) => {
                    at += size;
                    continue;
                }
                Err(_) => break,
            };
            // spec: 4.4: all long packets of a datagram have the same two ids.
            let ids = (header.sender, header.recipient);
            if *first.get_or_insert(ids) == ids {
                self.deliver_long(to, &header, &mut rest[..header.size], is_small);
            }
            at += header.size;
        }
    }

    fn deliver_long(&mut self, to: Side, header: &LongHeader, packet: &mut [u8], is_small: bool) {
        let now = self.now;
        if let Some(handshake) = &mut self.end(to).handshake {
            handshake.handle_packet(now, header, packet);
        } else if to == Side::Responder && !is_small {
            self.answer(header, packet);
        }
        self.take_events(to);
    }

    fn answer(&mut self, header: &LongHeader, packet: &mut [u8]) {
        if header.kind != Kind::Sealed(Level::Initial) {
            return;
        }
        let (sender, recipient) = (header.sender, header.recipient);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7));
        let cookie = header.cookie.as_slice();
        let mut is_proven = false;
        if let Some(keys) = &mut self.cookies {
            is_proven = keys.check(self.now, address, sender, recipient, cookie);
            if !is_proven {
                let cookie = keys.make(self.now, address, sender, recipient);
                let cookie = Cookie::new(&cookie).expect("as long as cookies are");
                return self.send_cookie(&LongHeader::of_cookie(recipient, sender, cookie));
            }
        }
        let End { node, handshake, .. } = &mut self.responder;
        *handshake = Handshake::answer(&mut node.env(), self.now, header, packet, is_proven);
    }

    fn send_cookie(&mut self, header: &LongHeader) {
        let mut bytes = vec![0; header.size];
        header.write(&mut Writer::new(&mut bytes)).expect("a header is what it is");
        self.fly(Side::Initiator, DELAY, bytes);
    }

    /// Puts a datagram on its way.
    pub(crate) fn fly(&mut self, to: Side, delay: Duration, bytes: Vec<u8>) {
        self.sequence += 1;
        self.flying.insert((self.now + delay, self.sequence), Flying { to, bytes });
    }

    fn drain(&mut self, carry: Carry<'_>) {
        for side in [Side::Initiator, Side::Responder] {
            let now = self.now;
            while let Some(bytes) = self.end(side).poll_transmit(now) {
                self.pass(side, bytes, carry);
            }
        }
        if self.short_due.is_some_and(|due| due <= self.now) && !self.is_confirmed {
            self.short_due = Some(self.now + SHORT_REPEAT);
            let bytes = self.short();
            self.pass(Side::Responder, bytes, carry);
        }
    }

    fn pass(&mut self, from: Side, bytes: Vec<u8>, carry: Carry<'_>) {
        let end = self.end(from);
        let index = end.datagrams;
        end.datagrams += 1;
        end.sent += bytes.len() as u64;
        for (delay, bytes) in carry(from, index, bytes) {
            self.fly(from.peer(), delay, bytes);
        }
    }

    fn next_time(&self) -> Option<Time> {
        let timers = [&self.initiator, &self.responder]
            .map(|end| end.handshake.as_ref().and_then(Handshake::poll_timeout));
        let short = self.short_due.filter(|_| !self.is_confirmed && self.initiator.is_alive());
        let flying = self.flying.keys().next().map(|(at, _)| *at);
        timers.into_iter().chain([short, flying]).flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        for side in [Side::Initiator, Side::Responder] {
            let handshake = self.end(side).handshake.as_mut();
            if let Some(handshake) = handshake
                && handshake.poll_timeout().is_some_and(|at| at <= now)
            {
                handshake.handle_timeout(now);
                self.take_events(side);
            }
        }
        if let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= now) {
            let Flying { to, bytes } = first.remove();
            self.deliver(to, bytes);
        }
    }

    /// Does what the owner does with events.
    fn take_events(&mut self, side: Side) {
        let now = self.now;
        let end = self.end(side);
        end.take_events(now, side);
        if side == Side::Responder && self.responder.complete.is_some() {
            self.short_due = self.short_due.or(Some(now));
        }
    }

    /// A short packet of the responder, with a PING.
    fn short(&mut self) -> Vec<u8> {
        let mut packet = vec![0; 14 + 8 + TAG_LEN];
        packet[14] = 1;
        let info = SealInfo {
            channel: ChannelNumber::NONE,
            path: PathId::ZERO,
            number: self.short_number,
            number_len: 1,
        };
        self.short_number += 1;
        let epochs = self.responder.epochs.as_mut().expect("the responder is complete");
        epochs.seal(&info, &mut packet).expect("the layout of a short packet");
        packet
    }

    fn deliver_short(&mut self, to: Side, packet: &mut [u8]) {
        let now = self.now;
        let Pair { initiator, window, .. } = self;
        let Some(epochs) = initiator.epochs.as_mut().filter(|_| to == Side::Initiator) else {
            return;
        };
        if epochs.open(now, PathId::ZERO, window, packet, |_| true).is_ok() {
            self.is_confirmed = true;
            if let Some(handshake) = &mut initiator.handshake {
                handshake.confirm();
            }
        }
    }
}

impl End {
    /// One side, before it dials or is dialled.
    pub(crate) fn new(node: Node, asked: Option<PeerId>) -> End {
        End {
            node,
            asked,
            handshake: None,
            identified: Vec::new(),
            complete: None,
            completed_at: None,
            epochs: None,
            failure: None,
            closed: None,
            early: Vec::new(),
            datagrams: 0,
            sent: 0,
            received: 0,
        }
    }

    /// Begins an attempt.
    pub(crate) fn dial(&mut self, now: Time) {
        let End { node, asked, handshake, .. } = self;
        *handshake = Handshake::dial(&mut node.env(), now, *asked).ok();
    }

    /// The attempt. Panics when there is none.
    pub(crate) fn handshake(&mut self) -> &mut Handshake {
        self.handshake.as_mut().expect("there is an attempt")
    }

    fn is_alive(&self) -> bool {
        self.handshake.as_ref().is_some_and(|handshake| !handshake.is_over())
    }

    /// The next datagram, at `now`.
    pub(crate) fn poll_transmit(&mut self, now: Time) -> Option<Vec<u8>> {
        let handshake = self.handshake.as_mut()?;
        let mut bytes = Vec::new();
        let datagram = handshake.poll_transmit(&mut self.node.rng, now, &mut bytes, false);
        let Some(datagram) = datagram else {
            // An initiator that has nothing more to send is complete.
            let side = handshake.side;
            self.take_events(now, side);
            return None;
        };
        assert_eq!(datagram.len, bytes.len());
        assert!((1..=DATAGRAM_SIZE).contains(&bytes.len()), "{} bytes", bytes.len());
        Some(bytes)
    }

    /// A packet of level 0 or 1 that this end might have sent, had it been another program. None
    /// without the keys.
    pub(crate) fn forge(&mut self, level: Level, payload: &[u8]) -> Option<Vec<u8>> {
        let handshake = self.handshake.as_mut()?;
        let header = handshake.header(Kind::Sealed(level));
        let space = &mut handshake.spaces[index(level)];
        let number = space.keys.is_some().then(|| space.begin(&mut self.node.rng))?;
        let mut packet = vec![0; header.payload_offset() + payload.len() + TAG_LEN];
        header.write(&mut Writer::new(&mut packet)).ok()?;
        set_size(&mut packet);
        packet[header.payload_offset()..][..payload.len()].copy_from_slice(payload);
        space.keys.as_ref()?.local.seal(number, header.number_offset(), &mut packet);
        space.finish(Time::ZERO, packet.len(), false, false);
        Some(packet)
    }

    /// Does what the owner of a handshake does with its events.
    pub(crate) fn take_events(&mut self, now: Time, side: Side) {
        while let Some(event) = self.handshake.as_mut().and_then(Handshake::poll_event) {
            match event {
                HandshakeEvent::Identified { key, is_resumed, is_early } => {
                    self.identified.push((key, is_resumed, is_early));
                    self.judge(now, &key);
                }
                HandshakeEvent::EarlyPayload { number, payload, .. } => {
                    self.early.push((number, payload));
                }
                HandshakeEvent::Complete(complete) => self.take_complete(now, side, *complete),
                HandshakeEvent::Failed(failure) => self.failure = Some(failure),
                HandshakeEvent::PeerClosed { code } => self.closed = Some(code),
            }
        }
    }

    /// The checks of 3.4, as a node makes them.
    fn judge(&mut self, now: Time, key: &PublicKey) {
        let handshake = self.handshake.as_mut().expect("it asked");
        let is_asked = self.asked.is_none_or(|asked| asked == key.peer_id());
        match self.node.refuses {
            _ if self.node.is_silent => {}
            _ if !is_asked => handshake.refuse(now, ConnectionCode::Identity),
            Some(code) => handshake.refuse(now, code),
            None => handshake.accept(now),
        }
    }

    fn take_complete(&mut self, now: Time, side: Side, complete: Complete) {
        // The session gives the same secrets again, as often as it is asked.
        let secrets = complete.session.secrets(&complete.ids).expect("TLS is done");
        let limits = Limits::of(secrets.suite());
        self.epochs = Some(Epochs::new(secrets, side, limits, complete.forgeries));
        self.completed_at = Some(now);
        self.complete = Some(complete);
    }
}

impl Pair {
    /// The responder's tickets reach the initiator, as CRYPTO in short packets would.
    pub(crate) fn deliver_tickets(&mut self) {
        let tickets = &self.responder.complete.as_ref().expect("complete").tickets;
        let complete = self.initiator.complete.as_mut().expect("complete");
        complete.session.read(self.now, CryptoLevel::Short, tickets).expect("good tickets");
    }
}

/// How often a responder sends its first short packet again.
const SHORT_REPEAT: Duration = Duration::from_millis(200);

/// Steps after which a handshake counts as one that never rests.
const STEPS_MAX: usize = 100_000;
