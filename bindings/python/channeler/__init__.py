"""Many independent message channels between peers, over one UDP port.

A `Node` is our end of all connections; `Node.connect` begins one, `Connection.open_channel` opens a
channel on it, `Channel.send` sends a message. `channeler.aio` has the same for asyncio.
"""

from ._lib import LibraryNotFound, library
from .errors import (
    Banned,
    BufferTooSmall,
    ChannelerError,
    Closed,
    DataUnavailable,
    DecodeError,
    EncodeError,
    ErrorCode,
    Idle,
    InvalidAddress,
    InvalidArgument,
    InvalidChannel,
    InvalidConnection,
    LimitReached,
    MessageTooLarge,
    Poisoned,
    Refused,
    SocketError,
    StateError,
    Timeout,
    UnexpectedError,
    Unsupported,
    WouldBlock,
    error_from,
)
from .events import (
    ChannelClosed,
    ChannelOpened,
    Connected,
    ConnectionClosed,
    Event,
    PacketSizeReduced,
    PathChanged,
    PathUnreachable,
    Readable,
    Writable,
)
from .node import Channel, Connection, Node, NodeBase, Received
from .sans_io import SansIoNode, Transmit
from .stats import ChannelInfo, ChannelStats, ConnectionInfo, ConnectionStats, NodeStats
from .values import (
    Address,
    Capability,
    Legacy,
    LogLevel,
    Options,
    PeerId,
    Role,
    SendFailure,
)

__all__ = [
    "Address",
    "Banned",
    "BufferTooSmall",
    "Capability",
    "Channel",
    "ChannelClosed",
    "ChannelInfo",
    "ChannelOpened",
    "ChannelStats",
    "ChannelerError",
    "Closed",
    "Connected",
    "Connection",
    "ConnectionClosed",
    "ConnectionInfo",
    "ConnectionStats",
    "DataUnavailable",
    "DecodeError",
    "EncodeError",
    "ErrorCode",
    "Event",
    "Idle",
    "InvalidAddress",
    "InvalidArgument",
    "InvalidChannel",
    "InvalidConnection",
    "Legacy",
    "LibraryNotFound",
    "LimitReached",
    "LogLevel",
    "MessageTooLarge",
    "Node",
    "NodeBase",
    "NodeStats",
    "Options",
    "PacketSizeReduced",
    "PathChanged",
    "PathUnreachable",
    "PeerId",
    "Poisoned",
    "Readable",
    "Received",
    "Refused",
    "Role",
    "SansIoNode",
    "SendFailure",
    "SocketError",
    "StateError",
    "Timeout",
    "Transmit",
    "UnexpectedError",
    "Unsupported",
    "WouldBlock",
    "Writable",
    "error_from",
    "library_version",
]

__version__ = "0.1.0"


def library_version() -> str:
    """The version of the loaded library."""
    return str(library.channeler_version().decode())
