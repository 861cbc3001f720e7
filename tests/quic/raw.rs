//! A peer on quinn-proto that does what a test says, frames that are none included.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use channeler::crypto::Identity;
use channeler::time::Time;
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ServerConfig, StreamEvent, StreamId, VarInt,
};

use super::tls;

pub(crate) struct RawPeer {
    origin: Instant,
    endpoint: Endpoint,
    client: ClientConfig,
    pub(crate) connections: Vec<(ConnectionHandle, Connection)>,
    pub(crate) stopped: Vec<(StreamId, u64)>,
    pub(crate) lost: Vec<String>,
    replies: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl RawPeer {
    pub(crate) fn new(identity: &Identity, _now: Time) -> RawPeer {
        let server = QuicServerConfig::try_from(tls::server(identity)).expect("AES-128");
        let client = QuicClientConfig::try_from(tls::client(identity)).expect("AES-128");
        let endpoint = Endpoint::new(
            Arc::new(EndpointConfig::default()),
            Some(Arc::new(ServerConfig::with_crypto(Arc::new(server)))),
            true,
            None,
        );
        RawPeer {
            origin: Instant::now(),
            endpoint,
            client: ClientConfig::new(Arc::new(client)),
            connections: Vec::new(),
            stopped: Vec::new(),
            lost: Vec::new(),
            replies: VecDeque::new(),
        }
    }

    pub(crate) fn dial(&mut self, now: Time, to: SocketAddr) {
        let at = self.instant(now);
        let made = self.endpoint.connect(at, self.client.clone(), to, "raw.invalid");
        self.connections.push(made.expect("a good address"));
    }

    /// Opens a stream on the first connection and writes to it.
    pub(crate) fn open(&mut self, dir: Dir, bytes: &[u8]) -> StreamId {
        let connection = &mut self.connections[0].1;
        let stream = connection.streams().open(dir).expect("streams are allowed");
        self.write(stream, bytes);
        stream
    }

    pub(crate) fn write(&mut self, stream: StreamId, bytes: &[u8]) {
        let connection = &mut self.connections[0].1;
        let written = connection.send_stream(stream).write(bytes);
        assert_eq!(written, Ok(bytes.len()));
    }

    pub(crate) fn finish(&mut self, stream: StreamId) {
        self.connections[0].1.send_stream(stream).finish().expect("an open stream");
    }

    pub(crate) fn reset(&mut self, stream: StreamId) {
        self.connections[0].1.send_stream(stream).reset(VarInt::from_u32(9)).expect("open");
    }

    pub(crate) fn close(&mut self, now: Time) {
        let at = self.instant(now);
        self.connections[0].1.close(at, VarInt::from_u32(77), b"enough".as_slice().into());
    }

    /// Forgets all connections without a word.
    pub(crate) fn vanish(&mut self) {
        self.connections.clear();
    }

    pub(crate) fn timeout(&mut self) -> Option<Time> {
        let all = self.connections.iter_mut();
        let due = all.filter_map(|(_, connection)| connection.poll_timeout()).min()?;
        Some(Time::from_nanos(due.duration_since(self.origin).as_nanos() as u64))
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let at = self.instant(now);
        for (_, connection) in &mut self.connections {
            connection.handle_timeout(at);
        }
        self.exchange();
    }

    pub(crate) fn handle(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let at = self.instant(now);
        let mut reply = Vec::new();
        let event = self.endpoint.handle(at, from, None, None, BytesMut::from(bytes), &mut reply);
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let found = self.connections.iter_mut().find(|(known, _)| *known == handle);
                if let Some((_, connection)) = found {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                if let Ok(made) = self.endpoint.accept(incoming, at, &mut reply, None) {
                    self.connections.push(made);
                }
            }
            Some(DatagramEvent::Response(transmit)) => {
                reply.truncate(transmit.size);
                self.replies.push_back((transmit.destination, reply));
            }
            None => {}
        }
        self.exchange();
    }

    pub(crate) fn transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<(SocketAddr, usize)> {
        let at = self.instant(now);
        buf.clear();
        if let Some((to, bytes)) = self.replies.pop_front() {
            *buf = bytes;
            return Some((to, buf.len()));
        }
        for (_, connection) in &mut self.connections {
            if let Some(transmit) = connection.poll_transmit(at, 1, buf) {
                buf.truncate(transmit.size);
                return Some((transmit.destination, transmit.size));
            }
        }
        None
    }

    fn exchange(&mut self) {
        for (handle, connection) in &mut self.connections {
            while let Some(event) = connection.poll_endpoint_events() {
                if let Some(event) = self.endpoint.handle_event(*handle, event) {
                    connection.handle_event(event);
                }
            }
            while let Some(event) = connection.poll() {
                match event {
                    Event::Stream(StreamEvent::Stopped { id, error_code }) => {
                        self.stopped.push((id, error_code.into_inner()));
                    }
                    Event::ConnectionLost { reason } => self.lost.push(reason.to_string()),
                    Event::Stream(_)
                    | Event::Connected
                    | Event::HandshakeDataReady
                    | Event::DatagramReceived
                    | Event::DatagramsUnblocked => {}
                }
            }
        }
    }

    fn instant(&self, now: Time) -> Instant {
        self.origin + now.since(Time::ZERO)
    }
}
