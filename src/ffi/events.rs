//! Events of the core as C structs, and as lines of a log.

use std::ffi::CString;

use super::callbacks::{
    CHANNELER_EVENT_CHANNEL_CLOSED, CHANNELER_EVENT_CHANNEL_FINISHED,
    CHANNELER_EVENT_CHANNEL_OPENED, CHANNELER_EVENT_CONNECTED, CHANNELER_EVENT_CONNECTION_CLOSED,
    CHANNELER_EVENT_MESSAGE_DELIVERED, CHANNELER_EVENT_MESSAGE_LOST,
    CHANNELER_EVENT_MESSAGES_SKIPPED, CHANNELER_EVENT_PACKET, CHANNELER_EVENT_PACKET_SIZE_REDUCED,
    CHANNELER_EVENT_PATH_CHANGED, CHANNELER_EVENT_PATH_UNREACHABLE, CHANNELER_EVENT_READABLE,
    CHANNELER_EVENT_WRITABLE, CHANNELER_LOG_DEBUG, CHANNELER_LOG_INFO, CHANNELER_LOG_WARN,
    channeler_event,
};
use crate::id::ConnectionHandle;
use crate::io::{CloseReason, Event};

/// The event as the caller sees it; None for those with a function of their own.
pub(super) fn told(event: &Event) -> Option<channeler_event> {
    Some(match *event {
        Event::ConnectionRequest { .. }
        | Event::Message { .. }
        | Event::Assembled { .. }
        | Event::Datagram { .. } => {
            return None;
        }
        Event::Connected { connection, peer } => {
            channeler_event { peer: peer.into(), ..kind(CHANNELER_EVENT_CONNECTED, connection) }
        }
        Event::ConnectionClosed { connection, peer, reason, .. } => channeler_event {
            peer: peer.into(),
            reason: reason.code(),
            ..kind(CHANNELER_EVENT_CONNECTION_CLOSED, connection)
        },
        Event::ChannelOpened { .. }
        | Event::ChannelClosed { .. }
        | Event::ChannelFinished { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageLost { .. }
        | Event::MessagesSkipped { .. }
        | Event::Readable { .. }
        | Event::Writable { .. } => return told_of_channel(event),
        Event::PathChanged { connection, address } => channeler_event {
            address: address.into(),
            ..kind(CHANNELER_EVENT_PATH_CHANGED, connection)
        },
        Event::PathUnreachable { connection, address } => channeler_event {
            address: address.into(),
            ..kind(CHANNELER_EVENT_PATH_UNREACHABLE, connection)
        },
        Event::PacketSizeReduced { connection, packet_size } => channeler_event {
            packet_size: u32::try_from(packet_size).unwrap_or(u32::MAX),
            ..kind(CHANNELER_EVENT_PACKET_SIZE_REDUCED, connection)
        },
        Event::Packet { id } => channeler_event {
            kind: CHANNELER_EVENT_PACKET,
            id: id.into(),
            ..channeler_event::default()
        },
    })
}

/// The same of a channel's.
fn told_of_channel(event: &Event) -> Option<channeler_event> {
    Some(match *event {
        Event::ChannelOpened { connection, channel, by_peer } => channeler_event {
            channel: channel.into(),
            by_peer: by_peer.into(),
            ..kind(CHANNELER_EVENT_CHANNEL_OPENED, connection)
        },
        Event::ChannelClosed { connection, channel, reason, .. } => channeler_event {
            channel: channel.into(),
            reason: reason.code(),
            ..kind(CHANNELER_EVENT_CHANNEL_CLOSED, connection)
        },
        Event::ChannelFinished { connection, channel } => channeler_event {
            channel: channel.into(),
            ..kind(CHANNELER_EVENT_CHANNEL_FINISHED, connection)
        },
        Event::MessageDelivered { connection, channel, context } => channeler_event {
            channel: channel.into(),
            context,
            ..kind(CHANNELER_EVENT_MESSAGE_DELIVERED, connection)
        },
        Event::MessageLost { connection, channel, context, reason } => channeler_event {
            channel: channel.into(),
            context,
            reason: reason.code(),
            ..kind(CHANNELER_EVENT_MESSAGE_LOST, connection)
        },
        Event::MessagesSkipped { connection, channel, count } => channeler_event {
            channel: channel.into(),
            count,
            ..kind(CHANNELER_EVENT_MESSAGES_SKIPPED, connection)
        },
        Event::Readable { connection, channel } => channeler_event {
            channel: channel.into(),
            ..kind(CHANNELER_EVENT_READABLE, connection)
        },
        Event::Writable { connection, channel } => channeler_event {
            channel: channel.into(),
            ..kind(CHANNELER_EVENT_WRITABLE, connection)
        },
        Event::ConnectionRequest { .. }
        | Event::Connected { .. }
        | Event::ConnectionClosed { .. }
        | Event::Message { .. }
        | Event::Assembled { .. }
        | Event::PathChanged { .. }
        | Event::PathUnreachable { .. }
        | Event::PacketSizeReduced { .. }
        | Event::Packet { .. }
        | Event::Datagram { .. } => return None,
    })
}

fn kind(kind: u32, connection: ConnectionHandle) -> channeler_event {
    channeler_event { kind, connection: connection.into(), ..channeler_event::default() }
}

/// What the one who closed said with it.
pub(super) fn said(event: &Event) -> Option<&CloseReason> {
    match event {
        Event::ConnectionClosed { said, .. } | Event::ChannelClosed { said, .. } => said.as_deref(),
        Event::ConnectionRequest { .. }
        | Event::Connected { .. }
        | Event::ChannelOpened { .. }
        | Event::ChannelFinished { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageLost { .. }
        | Event::MessagesSkipped { .. }
        | Event::Message { .. }
        | Event::Assembled { .. }
        | Event::Readable { .. }
        | Event::Writable { .. }
        | Event::PathChanged { .. }
        | Event::PathUnreachable { .. }
        | Event::PacketSizeReduced { .. }
        | Event::Packet { .. }
        | Event::Datagram { .. } => None,
    }
}

/// A text for C; none if it is empty.
pub(super) fn text_of(text: &str) -> Option<CString> {
    CString::new(text.replace('\0', " ")).ok().filter(|text| !text.is_empty())
}

pub(super) fn level(event: &Event) -> u32 {
    match event {
        Event::PathUnreachable { .. } | Event::PacketSizeReduced { .. } => CHANNELER_LOG_WARN,
        Event::Connected { .. }
        | Event::ConnectionClosed { .. }
        | Event::ChannelOpened { .. }
        | Event::ChannelClosed { .. }
        | Event::PathChanged { .. } => CHANNELER_LOG_INFO,
        Event::ConnectionRequest { .. }
        | Event::ChannelFinished { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageLost { .. }
        | Event::MessagesSkipped { .. }
        | Event::Message { .. }
        | Event::Assembled { .. }
        | Event::Readable { .. }
        | Event::Writable { .. }
        | Event::Packet { .. }
        | Event::Datagram { .. } => CHANNELER_LOG_DEBUG,
    }
}

/// The event as a line of a log.
pub(super) fn line(event: &Event) -> String {
    let id = |connection: &ConnectionHandle| format!("connection {:?}", connection.0);
    match event {
        Event::ConnectionRequest { connection, peer, address } => {
            format!("{}: {peer} at {address} wants to connect", id(connection))
        }
        Event::Connected { connection, peer } => {
            format!("{}: connected to {peer}", id(connection))
        }
        Event::ConnectionClosed { connection, peer, reason, .. } => {
            format!("{} to {peer}: closed: {reason}", id(connection))
        }
        Event::ChannelOpened { connection, channel, by_peer } => {
            let who = if *by_peer { "the peer" } else { "us" };
            format!("{}: channel {:?} opened by {who}", id(connection), channel.0)
        }
        Event::ChannelClosed { connection, channel, reason, .. } => {
            format!("{}: channel {:?} closed: {reason}", id(connection), channel.0)
        }
        Event::ChannelFinished { connection, channel } => {
            format!("{}: the peer is done with channel {:?}", id(connection), channel.0)
        }
        Event::MessageDelivered { connection, channel, context } => {
            format!("{}: channel {:?}: message {context} arrived", id(connection), channel.0)
        }
        Event::MessageLost { connection, channel, context, reason } => {
            let channel = channel.0;
            format!("{}: channel {channel:?}: message {context} lost: {reason}", id(connection))
        }
        Event::MessagesSkipped { connection, channel, count } => {
            format!("{}: channel {:?}: {count} messages lost", id(connection), channel.0)
        }
        Event::Message { connection, channel, bytes } => {
            format!("{}: channel {:?}: {} bytes", id(connection), channel.0, bytes.len())
        }
        Event::Assembled { connection, channel, bytes } => {
            format!("{}: channel {:?}: {} bytes", id(connection), channel.0, bytes.len())
        }
        Event::Readable { connection, channel } => {
            format!("{}: channel {:?} is readable", id(connection), channel.0)
        }
        Event::Writable { connection, channel } => {
            format!("{}: channel {:?} is writable", id(connection), channel.0)
        }
        Event::PathChanged { connection, address } => {
            format!("{}: the peer is at {address} now", id(connection))
        }
        Event::PathUnreachable { connection, address } => {
            format!("{}: {address} cannot be reached", id(connection))
        }
        Event::PacketSizeReduced { connection, packet_size } => {
            format!("{}: packets of {packet_size} bytes at most from now on", id(connection))
        }
        Event::Packet { id } => format!("a packet on {id:?} waits to be sent"),
        Event::Datagram { from, bytes } => {
            format!("{} bytes of another protocol from {from}", bytes.len())
        }
    }
}
