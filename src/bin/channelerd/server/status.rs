//! How things are, for a client that asks.

use channeler::daemon::{Answer, Connection, Status, VERSION};
use channeler::quic::{QuicInfo, QuicStats};

use super::post::Asker;
use super::{Fatal, Server};

/// Counters of the server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) clients_served: u64,
    pub(super) clients_refused: u64,
    pub(super) clients_dropped: u64,
    pub(super) messages_taken: u64,
    pub(super) messages_dropped: u64,
}

impl Server {
    pub(super) fn tell_status(&mut self, asker: Asker) -> Result<(), Fatal> {
        let (stats, infos) = self.engine.with_quic(|quic, _| {
            let info = |address| quic.info(address).map(|info| (address, info));
            let infos: Vec<_> = quic.addresses().filter_map(info).collect();
            (quic.stats(), infos)
        })?;
        let listen: Vec<String> = self.engine.addresses().iter().map(ToString::to_string).collect();
        let addresses: Vec<String> = infos.iter().map(|(address, _)| address.to_string()).collect();
        let connections = addresses.iter().zip(&infos).map(|(address, (_, info))| Connection {
            address,
            peer: info.peer.map(|peer| peer.0),
            is_connected: info.is_connected,
            by_peer: info.by_peer,
            counters: counters_of(info),
        });
        let mut counters = self.own_counters();
        counters.extend(quic_counters(&stats));
        let status = Status {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION"),
            peer: self.peer.0,
            listen: listen.iter().map(String::as_str).collect(),
            counters,
            connections: connections.collect(),
        };
        self.answer(asker.client, asker.number, &Answer::Status(status));
        Ok(())
    }

    fn own_counters(&self) -> Vec<(&'static str, u64)> {
        let (messages, bytes) = self.post.waiting();
        let uptime = self.began.elapsed().as_millis();
        vec![
            ("uptime_ms", u64::try_from(uptime).unwrap_or(u64::MAX)),
            ("clients", self.clients.len() as u64),
            ("clients_served", self.counts.clients_served),
            ("clients_refused", self.counts.clients_refused),
            ("clients_dropped", self.counts.clients_dropped),
            ("follows", self.post.follows() as u64),
            ("receives", self.post.receives() as u64),
            ("messages_waiting", messages as u64),
            ("bytes_waiting", bytes as u64),
            ("messages_dropped", self.counts.messages_dropped),
            ("messages_taken", self.counts.messages_taken),
        ]
    }
}

fn quic_counters(stats: &QuicStats) -> [(&'static str, u64); 20] {
    [
        ("connections", stats.connections),
        ("connections_beside", stats.connections_beside),
        ("dialled", stats.dialled),
        ("accepted", stats.accepted),
        ("evicted", stats.evicted),
        ("superseded", stats.superseded),
        ("peers_refused", stats.peers_refused),
        ("handshakes_refused", stats.handshakes_refused),
        ("messages_sent", stats.messages_sent),
        ("bytes_sent", stats.bytes_sent),
        ("messages_received", stats.messages_received),
        ("bytes_received", stats.bytes_received),
        ("messages_undelivered", stats.messages_undelivered),
        ("frames_refused", stats.frames_refused.iter().sum()),
        ("receive_bytes", stats.receive_bytes),
        ("receive_messages", stats.receive_messages),
        ("send_queue_bytes", stats.send_queue_bytes),
        ("datagrams_sent", stats.datagrams_sent),
        ("datagrams_received", stats.datagrams_received),
        ("datagrams_dropped", stats.datagrams_dropped),
    ]
}

fn counters_of(info: &QuicInfo) -> Vec<(&'static str, u64)> {
    vec![
        ("rtt_us", u64::try_from(info.rtt.as_micros()).unwrap_or(u64::MAX)),
        ("window_bytes", info.congestion_window_bytes),
        ("in_flight_bytes", info.in_flight_bytes),
        ("send_queue_bytes", info.send_queue_bytes),
        ("receive_bytes", info.receive_bytes),
        ("packets_sent", info.packets_sent),
        ("packets_lost", info.packets_lost),
        ("packet_size", u64::from(info.packet_size)),
    ]
}
