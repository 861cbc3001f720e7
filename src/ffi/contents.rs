//! What a node is made of: an engine with sockets, or a sans-IO core; and its callbacks.

use std::ffi::c_void;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::callbacks::{CHANNELER_LOG_DEBUG, CHANNELER_LOG_ERROR, channeler_callbacks};
use super::guard::{self, Failure, fail};
use super::handler::{Caller, Release, ReleaseFn, Told};
use super::identity;
use super::lifetime::{self, channeler_node};
use super::message;
use super::options::{CHANNELER_MODE_SANS_IO, CHANNELER_MODE_SOCKETS, channeler_options};
use super::quic_events::QuicListener;
use super::sans_core::SansCore;
use crate::config::{Legacy, NodeConfig, SendOptions};
use crate::crypto::Identity;
use crate::engine::{Engine, EngineConfig, SPIN_MAX};
use crate::error::Error;
use crate::id::{ChannelHandle, PeerId};
use crate::node::Node;
use crate::quic::{Quic, QuicConfig, QuicError, TeamId};
use crate::time::Time;

/// Tags of nodes follow each other, so that handles of one are strange to the next.
static NEXT_TAG: AtomicU32 = AtomicU32::new(0);

/// What is inside a `channeler_node`.
pub(super) struct Contents {
    node: &'static channeler_node,
    peer_id: PeerId,
    /// None with version 0 only.
    identity: Option<Identity>,
    core: Core,
    caller: Arc<Caller>,
}

enum Core {
    Sockets(Engine),
    SansIo(Box<SansCore>),
}

/// What the pointers in the options point to.
pub(super) struct Given {
    pub(super) identity: Option<Identity>,
    pub(super) instance_label: Vec<u8>,
}

impl Contents {
    /// Makes the contents of `node`. When it fails, nothing is called.
    pub(super) fn new(
        node: &'static channeler_node,
        options: &channeler_options,
        callbacks: &channeler_callbacks,
        given: Given,
    ) -> Result<Contents, Failure> {
        let config = config(options, callbacks, &given)?;
        let identity = identity_of(options, given.identity, config.legacy)?;
        let peer_id = identity.as_ref().map_or(config.peer_id, Identity::peer_id);
        let caller = Arc::new(Caller::new(node, *callbacks, options.log_level));
        let told = Told::new(Arc::clone(&caller));
        let core = match options.mode {
            CHANNELER_MODE_SOCKETS => {
                if options.seed != [0; 32] {
                    let text = "seed is set; allowed is that only with CHANNELER_MODE_SANS_IO";
                    return Err(fail(Error::InvalidArgument, text));
                }
                Core::Sockets(engine(options, config, identity.clone(), told)?)
            }
            CHANNELER_MODE_SANS_IO => {
                let mut seed = options.seed;
                if seed == [0; 32] {
                    guard::randomness(&mut seed)?;
                }
                let core = Node::new(config, identity.clone(), seed, Time::ZERO)?;
                Core::SansIo(Box::new(SansCore::new(node, core, told)))
            }
            other => {
                let text = format!("mode is {other}; allowed is CHANNELER_MODE_*, 0 and 1");
                return Err(fail(Error::InvalidArgument, text));
            }
        };
        let contents = Contents { node, peer_id, identity, core, caller };
        if contents.caller.wants_key_log() {
            let caller = Arc::clone(&contents.caller);
            let key_log = Arc::new(move |line: &str| caller.keep_key_line(line));
            contents.core(|node, _| node.set_key_log(key_log))?;
        }
        contents.caller.arm();
        Ok(contents)
    }

    /// Our peer id.
    pub(super) fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Our key.
    pub(super) fn identity(&self) -> Result<&Identity, Failure> {
        self.identity.as_ref().ok_or_else(|| {
            let text = "the node has no identity: it was made with CHANNELER_LEGACY_ONLY";
            fail(Error::Unsupported, text)
        })
    }

    /// Runs `call` on the core under its lock.
    pub(super) fn core<R>(&self, call: impl FnOnce(&mut Node, Time) -> R) -> Result<R, Failure> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.with_node(call).map_err(|error| describe(engine, error))
            }
            Core::SansIo(core) => core.with_node(call),
        }
    }

    /// Serves QUIC channels from now on.
    pub(super) fn open_quic(
        &self,
        config: QuicConfig,
        listener: QuicListener,
    ) -> Result<(), Failure> {
        let Core::Sockets(engine) = &self.core else {
            let text = "the node has no sockets: it was made with CHANNELER_MODE_SANS_IO";
            return Err(fail(Error::Unsupported, text));
        };
        // First, so that no event is missed.
        let before = self.caller.listen_to_quic(Some(listener));
        let opened = engine.open_quic(config).map_err(|error| match error {
            QuicError::Engine(Error::State) => {
                fail(Error::State, "the node serves QUIC channels already")
            }
            QuicError::Engine(error) => describe(engine, error),
            other @ (QuicError::Setting(_)
            | QuicError::Pem { .. }
            | QuicError::Certificate(_)
            | QuicError::Authority(_)) => fail(Error::InvalidArgument, other.to_string()),
        });
        if opened.is_ok() {
            self.node.set_desk(engine.desk());
        } else {
            self.caller.listen_to_quic(before);
        }
        opened
    }

    /// Runs `call` on the QUIC channels under the lock.
    pub(super) fn quic<R>(&self, call: impl FnOnce(&mut Quic, Time) -> R) -> Result<R, Failure> {
        let engine = self.quic_engine()?;
        engine.with_quic(call).map_err(|error| no_quic(engine, error))
    }

    /// Sends a message on a QUIC channel.
    pub(super) fn send_quic(
        &self,
        address: SocketAddr,
        team_id: TeamId,
        label: &str,
        message: &[u8],
    ) -> Result<(), Failure> {
        let engine = self.quic_engine()?;
        let sent = engine.send_quic(address, team_id, label, message);
        sent.map_err(|error| no_quic(engine, error))
    }

    /// As `quic`, for a call that receives a message; with a clock, which is read only when there
    /// is need.
    pub(super) fn receive_quic<R>(
        &self,
        call: impl FnOnce(&mut Quic, &mut dyn FnMut() -> Time) -> R,
    ) -> Result<R, Failure> {
        let engine = self.quic_engine()?;
        engine.receive_quic(call).map_err(|error| no_quic(engine, error))
    }

    fn quic_engine(&self) -> Result<&Engine, Failure> {
        let Core::Sockets(engine) = &self.core else {
            let text = "the node has no sockets: it was made with CHANNELER_MODE_SANS_IO";
            return Err(fail(Error::Unsupported, text));
        };
        Ok(engine)
    }

    /// Bans a peer id, for QUIC channels too.
    pub(super) fn ban_peer(&self, peer: PeerId, span: Duration) -> Result<(), Failure> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.ban_peer(peer, span).map_err(|error| describe(engine, error))
            }
            Core::SansIo(core) => Ok(core.with_node(|node, now| node.ban_peer(now, peer, span))??),
        }
    }

    /// Bans an IP address, for QUIC channels too.
    pub(super) fn ban_address(&self, ip: IpAddr, span: Duration) -> Result<(), Failure> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.ban_address(ip, span).map_err(|error| describe(engine, error))
            }
            Core::SansIo(core) => Ok(core.with_node(|node, now| node.ban_address(now, ip, span))??),
        }
    }

    /// Lifts a ban; whether there was one.
    pub(super) fn lift_ban_peer(&self, peer: PeerId) -> Result<bool, Failure> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.lift_ban_peer(peer).map_err(|error| describe(engine, error))
            }
            Core::SansIo(core) => core.with_node(|node, _| node.lift_ban_peer(peer)),
        }
    }

    /// Lifts a ban; whether there was one.
    pub(super) fn lift_ban_address(&self, ip: IpAddr) -> Result<bool, Failure> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.lift_ban_address(ip).map_err(|error| describe(engine, error))
            }
            Core::SansIo(core) => core.with_node(|node, _| node.lift_ban_address(ip)),
        }
    }

    /// The engine of a node with sockets.
    pub(super) fn engine(&self) -> Result<Sockets<'_>, Failure> {
        match &self.core {
            Core::Sockets(engine) => Ok(Sockets(engine)),
            Core::SansIo(_) => Err(fail(
                Error::Unsupported,
                "the node has no sockets: it was made with CHANNELER_MODE_SANS_IO",
            )),
        }
    }

    /// The core of a node without sockets.
    pub(super) fn sans_io(&self) -> Result<&SansCore, Failure> {
        match &self.core {
            Core::SansIo(core) => Ok(core),
            Core::Sockets(_) => Err(fail(
                Error::Unsupported,
                "the node has sockets: this is for nodes made with CHANNELER_MODE_SANS_IO",
            )),
        }
    }

    /// One turn in this thread.
    pub(super) fn process(&self, timeout: Option<Duration>) -> Result<(), Failure> {
        if lifetime::is_in_callback(self.node) {
            let text = "channeler_node_process was called inside a callback of the same node";
            return Err(fail(Error::State, text));
        }
        let result = match &self.core {
            Core::Sockets(engine) => engine.process(timeout).map_err(|error| {
                describe_as(
                    engine,
                    error,
                    Error::State,
                    "the node has a thread of its own, or another thread is processing it",
                )
            }),
            Core::SansIo(core) => core.process(),
        };
        if let Err(Failure { error: Error::Socket, detail }) = &result {
            self.caller.log(CHANNELER_LOG_ERROR, || detail.to_string());
        }
        result
    }

    /// Copies a message into the send queue, and gives the caller's buffer back in the next turn.
    pub(super) fn send_then_release(
        &self,
        channel: ChannelHandle,
        bytes: &[u8],
        options: &SendOptions,
        release: ReleaseFn,
        user_data: *mut c_void,
    ) -> Result<(), Failure> {
        self.caller.may_take_release()?;
        self.core(|node, now| message::send(node, now, channel, bytes, options))??;
        let is_first = self.caller.take_release(Release::new(release, user_data, bytes));
        if is_first && !lifetime::is_in_callback(self.node) {
            // The loop may sleep with nothing to send: the channel is not open yet, say. A sans-IO
            // node has no loop; its next turn is the caller's.
            let _ = self.wake();
        }
        Ok(())
    }

    /// Wakes a sleeping `process`. Called in signal handlers.
    pub(super) fn wake(&self) -> Result<(), Error> {
        match &self.core {
            Core::Sockets(engine) => {
                engine.wake();
                Ok(())
            }
            Core::SansIo(_) => Err(Error::Unsupported),
        }
    }

    /// Makes the node's thread end, and calls of other threads return soon.
    pub(super) fn close(&self) {
        if let Core::Sockets(engine) = &self.core {
            engine.close();
        }
    }
}

/// The engine, with failures that say more.
pub(super) struct Sockets<'a>(&'a Engine);

impl Sockets<'_> {
    pub(super) fn bind(&self, address: SocketAddr) -> Result<(), Failure> {
        match self.0.bind(address) {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = describe(self.0, error);
                let detail = format!("{address}: {}", failure.detail);
                Err(fail(error, detail))
            }
        }
    }

    pub(super) fn local_address(&self, index: usize) -> Result<SocketAddr, Failure> {
        let addresses = self.0.addresses();
        addresses.get(index).copied().ok_or_else(|| {
            let text = format!("index is {index}; the node has {} sockets", addresses.len());
            fail(Error::InvalidArgument, text)
        })
    }

    pub(super) fn start(&self) -> Result<(), Failure> {
        self.0.start().map_err(|error| {
            describe_as(self.0, error, Error::State, "the node has a thread of its own already")
        })
    }

    pub(super) fn stop(&self) -> Result<(), Failure> {
        self.0.stop().map_err(|error| {
            describe_as(
                self.0,
                error,
                Error::State,
                "channeler_node_stop was called inside a callback",
            )
        })
    }

    pub(super) fn flush(&self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| describe(self.0, error))
    }

    pub(super) fn fd(&self) -> Result<i32, Failure> {
        self.0.fd().map_err(|error| {
            describe_as(
                self.0,
                error,
                Error::Unsupported,
                "this system has no descriptor to poll a node with",
            )
        })
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        self.0.timeout().map_err(|error| describe(self.0, error))
    }
}

/// What the system said belongs to the text. An engine that was closed under a call is a node that
/// another thread is freeing.
fn describe(engine: &Engine, error: Error) -> Failure {
    match (error, engine.stats().last_os_error) {
        (Error::Closed, _) => lifetime::freed(),
        (Error::Socket, number) if number != 0 => {
            fail(error, io::Error::from_raw_os_error(number).to_string())
        }
        _ => error.into(),
    }
}

/// As `describe`, with a better text for the error that has one meaning here.
fn describe_as(engine: &Engine, error: Error, known: Error, text: &'static str) -> Failure {
    if error == known {
        return fail(error, text);
    }
    describe(engine, error)
}

fn engine(
    options: &channeler_options,
    config: NodeConfig,
    identity: Option<Identity>,
    told: Told,
) -> Result<Engine, Failure> {
    let spin = Duration::from_nanos(options.spin_ns);
    if spin > SPIN_MAX {
        let most = SPIN_MAX.as_nanos();
        let text = format!("spin_ns is {}; allowed is 0 to {most}", options.spin_ns);
        return Err(fail(Error::InvalidArgument, text));
    }
    let engine = EngineConfig { spin, ..EngineConfig::default() };
    Ok(Engine::with_config(engine, config, identity, Box::new(told))?)
}

/// The key that was given, or a fresh one; none for a node that speaks version 0 only.
fn no_quic(engine: &Engine, error: Error) -> Failure {
    let text = "the node serves no QUIC channels: channeler_quic_open comes first";
    describe_as(engine, error, Error::Unsupported, text)
}

fn identity_of(
    options: &channeler_options,
    given: Option<Identity>,
    legacy: Legacy,
) -> Result<Option<Identity>, Failure> {
    match (legacy, given) {
        (Legacy::Only, None) => Ok(None),
        (Legacy::Only, Some(_)) => {
            let text = "identity is set; with CHANNELER_LEGACY_ONLY it must be NULL: version 0 has \
                        no keys";
            Err(fail(Error::InvalidArgument, text))
        }
        (Legacy::Off | Legacy::Accept, _) if options.peer_id.bytes != [0; PeerId::SIZE] => {
            let text = "peer_id is set; it must be all zero unless legacy is \
                        CHANNELER_LEGACY_ONLY: a node of version 1 has the peer id of its identity";
            Err(fail(Error::InvalidArgument, text))
        }
        (Legacy::Off | Legacy::Accept, Some(identity)) => Ok(Some(identity)),
        (Legacy::Off | Legacy::Accept, None) => identity::generate().map(Some),
    }
}

fn config(
    options: &channeler_options,
    callbacks: &channeler_callbacks,
    given: &Given,
) -> Result<NodeConfig, Failure> {
    let mut peer_id = options.peer_id.bytes;
    if peer_id == [0; PeerId::SIZE] {
        guard::randomness(&mut peer_id)?;
    }
    if !(CHANNELER_LOG_ERROR..=CHANNELER_LOG_DEBUG).contains(&options.log_level) {
        let text =
            format!("log_level is {}; allowed is CHANNELER_LOG_*, 1 to 4", options.log_level);
        return Err(fail(Error::InvalidArgument, text));
    }
    let tag = NEXT_TAG.fetch_add(1, Ordering::Relaxed) % u32::from(u16::MAX) + 1;
    // At most 65535, and never 0.
    let mut config = options.to_config(PeerId(peer_id), &given.instance_label, tag as u16)?;
    config.ask_before_accept = callbacks.on_accept.is_some();
    config.lend_messages = callbacks.on_message.is_some();
    config.raw_datagrams = callbacks.on_datagram.is_some();
    Ok(config)
}
