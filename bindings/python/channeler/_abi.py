"""Declares what include/channeler.h declares, under the same names.

Made by generate_abi.py from that header. Do not edit: run it again.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

Library = ctypes.CDLL

SONAME_VERSION = 0
CHANNELER_VERSION = "0.1.0"
CHANNELER_OK = 0
CHANNELER_ERR_UNEXPECTED = 1
CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE = 2
CHANNELER_ERR_DECODE = 3
CHANNELER_ERR_ENCODE = 4
CHANNELER_ERR_INVALID_CHANNELID = 5
CHANNELER_ERR_INVALID_REFERENCE = 6
CHANNELER_ERR_INVALID_PIPE_EVENT = 7
CHANNELER_ERR_INVALID_MESSAGE_TYPE = 8
CHANNELER_ERR_WRITE = 9
CHANNELER_ERR_STATE = 10
CHANNELER_ERR_DATA_UNAVAILABLE = 11
CHANNELER_ERR_WOULD_BLOCK = 12
CHANNELER_ERR_INVALID_ARGUMENT = 13
CHANNELER_ERR_LIMIT = 14
CHANNELER_ERR_TIMEOUT = 15
CHANNELER_ERR_IDLE = 16
CHANNELER_ERR_CLOSED = 17
CHANNELER_ERR_REFUSED = 18
CHANNELER_ERR_BANNED = 19
CHANNELER_ERR_INVALID_ADDRESS = 20
CHANNELER_ERR_SOCKET = 21
CHANNELER_ERR_UNSUPPORTED = 22
CHANNELER_ERR_POISONED = 23
CHANNELER_ERR_IDENTITY = 24
CHANNELER_ERR_CRYPTO = 25
CHANNELER_ERR_PEER_CLOSED = 26
CHANNELER_ERR_PROTOCOL = 27
CHANNELER_ERR_RESET = 28
CHANNELER_ERR_SUPERSEDED = 29
CHANNELER_ERR_LOST = 30
CHANNELER_ERR_EXPIRED = 31
CHANNELER_ERR_TOO_LARGE = 32
CHANNELER_ERR_USER = 1000
CHANNELER_DROP_UNKNOWN_PROTOCOL = 0
CHANNELER_DROP_LEGACY_OFF = 1
CHANNELER_DROP_MALFORMED_PACKET = 2
CHANNELER_DROP_BAD_CHECKSUM = 3
CHANNELER_DROP_ENCRYPTED = 4
CHANNELER_DROP_WRONG_RECIPIENT = 5
CHANNELER_DROP_WRONG_SENDER = 6
CHANNELER_DROP_BANNED = 7
CHANNELER_DROP_MALFORMED_MESSAGE = 8
CHANNELER_DROP_UNKNOWN_MESSAGE = 9
CHANNELER_DROP_INVALID_CHANNEL_ID = 10
CHANNELER_DROP_MISPLACED = 11
CHANNELER_DROP_UNKNOWN_CHANNEL = 12
CHANNELER_DROP_BAD_COOKIE = 13
CHANNELER_DROP_DUPLICATE = 14
CHANNELER_DROP_SIMULTANEOUS_OPEN = 15
CHANNELER_DROP_AMPLIFICATION = 16
CHANNELER_DROP_CONNECTION_LIMIT = 17
CHANNELER_DROP_ADDRESS_LIMIT = 18
CHANNELER_DROP_CHANNEL_LIMIT = 19
CHANNELER_DROP_REFUSED = 20
CHANNELER_DROP_REPLY_QUEUE_FULL = 21
CHANNELER_DROP_RECEIVE_QUEUE_FULL = 22
CHANNELER_DROP_EVENT_QUEUE_FULL = 23
CHANNELER_DROP_NOT_OPENED = 24
CHANNELER_DROP_REPLAYED = 25
CHANNELER_DROP_UNKNOWN_TOKEN = 26
CHANNELER_DROP_UNKNOWN_ATTEMPT = 27
CHANNELER_DROP_FINISHED_ATTEMPT = 28
CHANNELER_DROP_COOKIE_ASKED = 29
CHANNELER_DROP_HALF_OPEN_LIMIT = 30
CHANNELER_DROP_EARLY_REFUSED = 31
CHANNELER_DROP_TOO_EARLY = 32
CHANNELER_DROP_COUNT = 33
CHANNELER_ABI_VERSION = 1
CHANNELER_PEER_ID_TEXT_MAX = 35
CHANNELER_IDENTITY_PEM_MAX = 256
CHANNELER_WIRE_PROTOCOL_ID = 203595156
CHANNELER_WIRE_NO_HALF = 61680
CHANNELER_WIRE_NEW = 10
CHANNELER_WIRE_ACKNOWLEDGE = 11
CHANNELER_WIRE_FINALIZE = 12
CHANNELER_WIRE_COOKIE = 13
CHANNELER_WIRE_DATA = 20
CHANNELER_WIRE_SIZE_VARIABLE = -1
CHANNELER_WIRE_SIZE_UNKNOWN = -2
CHANNELER_FAMILY_NONE = 0
CHANNELER_FAMILY_IPV4 = 4
CHANNELER_FAMILY_IPV6 = 6
CHANNELER_ADDRESS_TEXT_MAX = 64
CHANNELER_PROTOCOL_V0 = 0
CHANNELER_PROTOCOL_V1 = 1
CHANNELER_ROLE_INITIATOR = 1
CHANNELER_ROLE_RESPONDER = 2
CHANNELER_LIFETIME_OF_CHANNEL = 2**64 - 1
CHANNELER_PROFILE_NODE = 0
CHANNELER_PROFILE_REFERENCE = 1
CHANNELER_MODE_SOCKETS = 0
CHANNELER_MODE_SANS_IO = 1
CHANNELER_LEGACY_OFF = 0
CHANNELER_LEGACY_ACCEPT = 1
CHANNELER_LEGACY_ONLY = 2
CHANNELER_CONGESTION_CUBIC = 0
CHANNELER_CONGESTION_NEWRENO = 1
CHANNELER_CONGESTION_BBR2 = 2
CHANNELER_CAP_RESEND = 1
CHANNELER_CAP_ORDERED = 2
CHANNELER_CAP_CLOSE_ON_LOSS = 4
CHANNELER_UNRELIABLE = 0
CHANNELER_UNRELIABLE_ORDERED = 2
CHANNELER_LOSS_CLOSES = 4
CHANNELER_LOSS_CLOSES_ORDERED = 6
CHANNELER_PARTIALLY_RELIABLE = 1
CHANNELER_PARTIALLY_RELIABLE_ORDERED = 3
CHANNELER_RELIABLE = 5
CHANNELER_RELIABLE_ORDERED = 7
CHANNELER_LOW_WATER_HALF = 2**64 - 1
CHANNELER_RESEND_ALWAYS = 2**32 - 1
CHANNELER_LOG_ERROR = 1
CHANNELER_LOG_WARN = 2
CHANNELER_LOG_INFO = 3
CHANNELER_LOG_DEBUG = 4
CHANNELER_EVENT_CONNECTED = 1
CHANNELER_EVENT_CONNECTION_CLOSED = 2
CHANNELER_EVENT_CHANNEL_OPENED = 3
CHANNELER_EVENT_CHANNEL_CLOSED = 4
CHANNELER_EVENT_READABLE = 5
CHANNELER_EVENT_WRITABLE = 6
CHANNELER_EVENT_PATH_CHANGED = 7
CHANNELER_EVENT_PATH_UNREACHABLE = 8
CHANNELER_EVENT_PACKET_SIZE_REDUCED = 9
CHANNELER_EVENT_PACKET = 10
CHANNELER_EVENT_CHANNEL_FINISHED = 11
CHANNELER_EVENT_MESSAGE_DELIVERED = 12
CHANNELER_EVENT_MESSAGE_LOST = 13
CHANNELER_EVENT_MESSAGES_SKIPPED = 14
CHANNELER_DROP_PLACES = 64
CHANNELER_ECN_OFF = 0
CHANNELER_ECN_TESTING = 1
CHANNELER_ECN_CAPABLE = 2
CHANNELER_ECN_FAILED = 3
CHANNELER_NO_DEADLINE = 2**64 - 1
CHANNELER_SEND_TOO_LARGE = 1
CHANNELER_SEND_UNREACHABLE = 2
CHANNELER_QUIC_ORDERED = 0
CHANNELER_QUIC_PER_CHANNEL = 1
CHANNELER_QUIC_EVENT_REQUEST = 1
CHANNELER_QUIC_EVENT_CONNECTED = 2
CHANNELER_QUIC_EVENT_CLOSED = 3
CHANNELER_QUIC_EVENT_READABLE = 4
CHANNELER_QUIC_EVENT_SYNC_READABLE = 5
CHANNELER_QUIC_EVENT_WRITABLE = 6
CHANNELER_QUIC_EVENT_FRAME_REFUSED = 7
CHANNELER_QUIC_EVENT_MESSAGES_LOST = 8
CHANNELER_QUIC_EVENT_ADDRESS_CHANGED = 9
CHANNELER_QUIC_LABEL_MAX = 256
CHANNELER_QUIC_DROP_PLACES = 64


class channeler_peer_id(Structure):
    _fields_ = [
        ("bytes", c_uint8 * 16),
    ]


class channeler_public_key(Structure):
    _fields_ = [
        ("bytes", c_uint8 * 44),
    ]


class channeler_wire_id(Structure):
    _fields_ = [
        ("initiator_half", c_uint16),
        ("responder_half", c_uint16),
    ]


class channeler_wire_message(Structure):
    _fields_ = [
        ("kind", c_uint32),
        ("id", channeler_wire_id),
        ("cookie1", c_uint32),
        ("cookie2", c_uint32),
        ("capabilities", c_uint32),
        ("size", c_size_t),
        ("payload", c_void_p),
        ("payload_size", c_size_t),
    ]


class channeler_wire_header(Structure):
    _fields_ = [
        ("protocol", c_uint32),
        ("sender", channeler_peer_id),
        ("recipient", channeler_peer_id),
        ("id", channeler_wire_id),
        ("flags", c_uint16),
        ("packet_size", c_uint16),
        ("sequence", c_uint16),
        ("payload_size", c_uint16),
    ]


class channeler_address(Structure):
    _fields_ = [
        ("family", c_uint16),
        ("port", c_uint16),
        ("scope_id", c_uint32),
        ("ip", c_uint8 * 16),
    ]


class channeler_dial_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("protocol", c_uint32),
        ("reserved", c_uint32),
        ("peer", channeler_peer_id),
        ("address", channeler_address),
    ]


class channeler_connection(Structure):
    _fields_ = [
        ("id", c_uint64),
    ]


class channeler_connection_details(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("peer", channeler_peer_id),
        ("address", channeler_address),
        ("connected", c_uint32),
        ("message_bytes_max", c_uint32),
        ("protocol", c_uint32),
        ("encrypted", c_uint32),
        ("public_key", channeler_public_key),
        ("packet_message_bytes", c_uint32),
        ("observed_address", channeler_address),
    ]


class channeler_channel_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("capabilities", c_uint32),
        ("priority", c_uint32),
        ("weight", c_uint32),
        ("resend_limit", c_uint32),
        ("label", c_void_p),
        ("label_length", c_size_t),
        ("message_lifetime_ns", c_uint64),
    ]


class channeler_channel(Structure):
    _fields_ = [
        ("id", c_uint64),
    ]


class channeler_channel_details(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("connection", channeler_connection),
        ("initiator_half", c_uint32),
        ("responder_half", c_uint32),
        ("role", c_uint32),
        ("capabilities", c_uint32),
        ("established", c_uint32),
        ("early", c_uint32),
        ("label_length", c_uint32),
        ("priority", c_uint32),
        ("weight", c_uint32),
        ("reserved", c_uint32),
    ]


class channeler_send_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("lifetime_ns", c_uint64),
        ("report", c_uint32),
        ("may_replay", c_uint32),
        ("context", c_uint64),
    ]


channeler_release_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)


class channeler_message(Structure):
    _fields_ = [
        ("channel", channeler_channel),
        ("data", c_void_p),
        ("length", c_size_t),
    ]


class channeler_slot(Structure):
    _fields_ = [
        ("channel", channeler_channel),
        ("buffer", c_void_p),
        ("capacity", c_size_t),
        ("length", c_size_t),
        ("remaining", c_size_t),
        ("status", c_int32),
        ("reserved", c_uint32),
    ]


class channeler_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("peer_id", channeler_peer_id),
        ("mode", c_uint32),
        ("legacy", c_uint32),
        ("accept_incoming", c_uint32),
        ("padding", c_uint32),
        ("packet_size", c_uint32),
        ("segments_max", c_uint32),
        ("handshake_retries", c_uint32),
        ("log_level", c_uint32),
        ("bundle_delay_ns", c_uint64),
        ("handshake_timeout_ns", c_uint64),
        ("cookie_epoch_ns", c_uint64),
        ("idle_timeout_ns", c_uint64),
        ("keep_alive_ns", c_uint64),
        ("spin_ns", c_uint64),
        ("connections_max", c_uint64),
        ("connections_per_address_max", c_uint64),
        ("channels_per_connection_max", c_uint64),
        ("channels_max", c_uint64),
        ("send_queue_bytes_max", c_uint64),
        ("send_queue_packets_max", c_uint64),
        ("node_send_queue_bytes_max", c_uint64),
        ("receive_queue_bytes_max", c_uint64),
        ("receive_queue_messages_max", c_uint64),
        ("node_receive_queue_bytes_max", c_uint64),
        ("replies_max", c_uint64),
        ("events_max", c_uint64),
        ("seed", c_uint8 * 32),
        ("profile", c_uint32),
        ("congestion", c_uint32),
        ("identity", c_char_p),
        ("instance_label", c_char_p),
        ("early_data", c_uint32),
        ("half_close", c_uint32),
        ("always_cookie", c_uint32),
        ("reserved", c_uint32),
        ("attempt_timeout_ns", c_uint64),
        ("dial_timeout_ns", c_uint64),
        ("linger_ns", c_uint64),
        ("ack_delay_ns", c_uint64),
        ("half_open_free_max", c_uint64),
        ("half_open_max", c_uint64),
        ("early_bytes_max", c_uint64),
        ("tickets_max", c_uint64),
        ("peer_channels_max", c_uint64),
        ("message_bytes_max", c_uint64),
        ("send_low_water_bytes", c_uint64),
        ("receive_window_min", c_uint64),
        ("connection_receive_bytes_max", c_uint64),
        ("node_receive_bytes_max", c_uint64),
        ("loss_tolerance_percent", c_uint64),
        ("packet_size_max", c_uint64),
    ]


channeler_drop_fn = CFUNCTYPE(None, c_void_p)


channeler_accept_fn = CFUNCTYPE(
    c_int32,
    c_void_p,
    c_void_p,
    channeler_connection,
    POINTER(channeler_peer_id),
    POINTER(channeler_address),
)


class channeler_event(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_uint32),
        ("reason", c_int32),
        ("connection", channeler_connection),
        ("channel", channeler_channel),
        ("address", channeler_address),
        ("by_peer", c_uint32),
        ("packet_size", c_uint32),
        ("peer", channeler_peer_id),
        ("id", channeler_wire_id),
        ("reserved", c_uint32),
        ("code", c_uint64),
        ("text", c_char_p),
        ("context", c_uint64),
        ("count", c_uint64),
    ]


channeler_event_fn = CFUNCTYPE(None, c_void_p, c_void_p, POINTER(channeler_event))


channeler_message_fn = CFUNCTYPE(
    None,
    c_void_p,
    c_void_p,
    channeler_connection,
    channeler_channel,
    c_void_p,
    c_size_t,
)


channeler_datagram_fn = CFUNCTYPE(
    None,
    c_void_p,
    c_void_p,
    POINTER(channeler_address),
    c_void_p,
    c_size_t,
)


channeler_log_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_uint32, c_char_p)


channeler_key_log_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_char_p)


class channeler_callbacks(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("user_data", c_void_p),
        ("drop", channeler_drop_fn),
        ("on_accept", channeler_accept_fn),
        ("on_event", channeler_event_fn),
        ("on_message", channeler_message_fn),
        ("on_datagram", channeler_datagram_fn),
        ("on_log", channeler_log_fn),
        ("on_key_log", channeler_key_log_fn),
    ]


class channeler_node_counters(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("datagrams_received", c_uint64),
        ("bytes_received", c_uint64),
        ("datagrams_sent", c_uint64),
        ("bytes_sent", c_uint64),
        ("messages_received", c_uint64),
        ("messages_sent", c_uint64),
        ("connections", c_uint64),
        ("channels", c_uint64),
        ("send_queue_bytes", c_uint64),
        ("receive_queue_bytes", c_uint64),
        ("dropped", c_uint64 * 64),
    ]


class channeler_connection_counters(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("datagrams_received", c_uint64),
        ("bytes_received", c_uint64),
        ("datagrams_sent", c_uint64),
        ("bytes_sent", c_uint64),
        ("channels", c_uint64),
        ("rtt_ns", c_uint64),
        ("congestion_window_bytes", c_uint64),
        ("bytes_lost", c_uint64),
        ("rtt_variation_ns", c_uint64),
        ("rtt_min_ns", c_uint64),
        ("in_flight_bytes", c_uint64),
        ("pacing_rate_bytes", c_uint64),
        ("packet_size", c_uint64),
        ("packets_sent", c_uint64),
        ("packets_lost", c_uint64),
        ("packets_lost_spuriously", c_uint64),
        ("bytes_resent", c_uint64),
        ("send_queue_bytes", c_uint64),
        ("receive_queue_bytes", c_uint64),
        ("send_credit_bytes", c_uint64),
        ("ecn", c_uint64),
    ]


class channeler_channel_counters(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("messages_sent", c_uint64),
        ("bytes_sent", c_uint64),
        ("messages_received", c_uint64),
        ("bytes_received", c_uint64),
        ("messages_dropped", c_uint64),
        ("send_queue_bytes", c_uint64),
        ("receive_queue_bytes", c_uint64),
        ("send_queue_messages", c_uint64),
        ("receive_queue_messages", c_uint64),
        ("messages_lost", c_uint64),
        ("messages_skipped", c_uint64),
        ("bytes_resent", c_uint64),
        ("send_credit_bytes", c_uint64),
        ("receive_credit_bytes", c_uint64),
        ("receive_window_bytes", c_uint64),
    ]


class channeler_transmit(Structure):
    _fields_ = [
        ("to", channeler_address),
        ("from", channeler_address),
        ("length", c_size_t),
        ("segment_size", c_size_t),
        ("connection", channeler_connection),
    ]


class channeler_quic_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("streams", c_uint32),
        ("congestion", c_uint32),
        ("accept_incoming", c_uint32),
        ("ask_before_accept", c_uint32),
        ("certificate_chain", c_char_p),
        ("private_key", c_char_p),
        ("authorities", c_char_p),
        ("server_name", c_char_p),
        ("application_protocol", c_char_p),
        ("message_bytes_max", c_uint64),
        ("receive_bytes_max", c_uint64),
        ("receive_messages_max", c_uint64),
        ("connection_receive_bytes_max", c_uint64),
        ("connection_receive_messages_max", c_uint64),
        ("send_queue_bytes_max", c_uint64),
        ("idle_timeout_ns", c_uint64),
        ("keep_alive_ns", c_uint64),
        ("dial_timeout_ns", c_uint64),
        ("accept_timeout_ns", c_uint64),
        ("drain_timeout_ns", c_uint64),
    ]


class channeler_quic_event(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_uint32),
        ("reason", c_int32),
        ("connection", c_uint64),
        ("address", channeler_address),
        ("new_address", channeler_address),
        ("peer", channeler_peer_id),
        ("key", channeler_public_key),
        ("by_peer", c_uint32),
        ("code", c_uint64),
        ("text", c_char_p),
        ("count", c_uint64),
        ("cut", c_uint64),
    ]


channeler_quic_event_fn = CFUNCTYPE(None, c_void_p, c_void_p, POINTER(channeler_quic_event))


class channeler_team_id(Structure):
    _fields_ = [
        ("bytes", c_uint8 * 32),
    ]


class channeler_quic_message(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("length", c_size_t),
    ]


class channeler_quic_channel(Structure):
    _fields_ = [
        ("address", channeler_address),
        ("peer", channeler_peer_id),
        ("team", channeler_team_id),
        ("label", c_char * 260),
        ("label_length", c_size_t),
    ]


class channeler_quic_counters(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("connections", c_uint64),
        ("connections_beside", c_uint64),
        ("dialled", c_uint64),
        ("accepted", c_uint64),
        ("evicted", c_uint64),
        ("superseded", c_uint64),
        ("handshakes_retried", c_uint64),
        ("messages_sent", c_uint64),
        ("bytes_sent", c_uint64),
        ("messages_received", c_uint64),
        ("bytes_received", c_uint64),
        ("messages_undelivered", c_uint64),
        ("receive_queue_bytes", c_uint64),
        ("receive_queue_messages", c_uint64),
        ("send_queue_bytes", c_uint64),
        ("datagrams_received", c_uint64),
        ("datagram_bytes_received", c_uint64),
        ("datagrams_sent", c_uint64),
        ("datagram_bytes_sent", c_uint64),
        ("dropped", c_uint64 * 64),
    ]


class channeler_quic_details(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("connection", c_uint64),
        ("address", channeler_address),
        ("peer", channeler_peer_id),
        ("connected", c_uint32),
        ("by_peer", c_uint32),
        ("rtt_ns", c_uint64),
        ("rtt_min_ns", c_uint64),
        ("congestion_window_bytes", c_uint64),
        ("pacing_rate_bytes", c_uint64),
        ("in_flight_bytes", c_uint64),
        ("send_queue_bytes", c_uint64),
        ("receive_queue_bytes", c_uint64),
        ("receive_queue_messages", c_uint64),
        ("messages_sent", c_uint64),
        ("messages_received", c_uint64),
        ("messages_cut", c_uint64),
        ("packets_sent", c_uint64),
        ("packets_lost", c_uint64),
        ("bytes_lost", c_uint64),
        ("congestion_events", c_uint64),
        ("packet_size", c_uint64),
        ("datagrams_sent", c_uint64),
        ("datagram_bytes_sent", c_uint64),
        ("datagrams_received", c_uint64),
        ("datagram_bytes_received", c_uint64),
    ]


PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "channeler_version": (c_char_p, []),
    "channeler_abi_version": (c_uint32, []),
    "channeler_error_name": (c_char_p, [c_int32]),
    "channeler_error_text": (c_char_p, [c_int32]),
    "channeler_last_error": (c_char_p, []),
    "channeler_peer_id_random": (c_int32, [POINTER(channeler_peer_id)]),
    "channeler_peer_id_parse": (c_int32, [c_char_p, POINTER(channeler_peer_id)]),
    "channeler_peer_id_format": (c_int32, [POINTER(channeler_peer_id), c_char_p, c_size_t]),
    "channeler_identity_generate": (c_int32, [c_char_p, c_size_t]),
    "channeler_identity_public_key": (c_int32, [c_char_p, POINTER(channeler_public_key)]),
    "channeler_public_key_peer_id": (c_int32, [
        POINTER(channeler_public_key),
        POINTER(channeler_peer_id),
    ]),
    "channeler_node_identity": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "channeler_node_public_key": (c_int32, [c_void_p, POINTER(channeler_public_key)]),
    "channeler_wire_varint_parse": (c_int32, [
        c_void_p,
        c_size_t,
        POINTER(c_uint64),
        POINTER(c_size_t),
    ]),
    "channeler_wire_varint_write": (c_int32, [c_uint64, c_void_p, c_size_t, POINTER(c_size_t)]),
    "channeler_wire_payload_size": (c_int64, [c_uint32]),
    "channeler_wire_message_parse": (c_int32, [
        c_void_p,
        c_size_t,
        POINTER(channeler_wire_message),
    ]),
    "channeler_wire_message_size": (c_int32, [POINTER(channeler_wire_message), POINTER(c_size_t)]),
    "channeler_wire_message_write": (c_int32, [
        POINTER(channeler_wire_message),
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_wire_header_parse": (c_int32, [c_void_p, c_size_t, POINTER(channeler_wire_header)]),
    "channeler_wire_header_write": (c_int32, [POINTER(channeler_wire_header), c_void_p, c_size_t]),
    "channeler_wire_checksum": (c_int32, [c_void_p, c_size_t, POINTER(c_uint32)]),
    "channeler_wire_checksum_parse": (c_int32, [c_void_p, c_size_t, POINTER(c_uint32)]),
    "channeler_wire_checksum_write": (c_int32, [c_uint32, c_void_p, c_size_t]),
    "channeler_wire_cookie_initiator": (c_int32, [
        c_void_p,
        c_size_t,
        POINTER(channeler_peer_id),
        POINTER(channeler_peer_id),
        c_uint16,
        POINTER(c_uint32),
    ]),
    "channeler_wire_cookie_responder": (c_int32, [
        c_void_p,
        c_size_t,
        POINTER(channeler_peer_id),
        POINTER(channeler_peer_id),
        channeler_wire_id,
        POINTER(c_uint32),
    ]),
    "channeler_wire_random_half": (c_int32, [POINTER(c_uint16)]),
    "channeler_address_parse": (c_int32, [c_char_p, POINTER(channeler_address)]),
    "channeler_address_format": (c_int32, [POINTER(channeler_address), c_char_p, c_size_t]),
    "channeler_address_from_sockaddr": (c_int32, [c_void_p, c_size_t, POINTER(channeler_address)]),
    "channeler_address_to_sockaddr": (c_int32, [
        POINTER(channeler_address),
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_dial_options_init": (c_int32, [POINTER(channeler_dial_options), c_size_t]),
    "channeler_node_connect": (c_int32, [
        c_void_p,
        POINTER(channeler_peer_id),
        POINTER(channeler_address),
        POINTER(channeler_connection),
    ]),
    "channeler_node_dial": (c_int32, [
        c_void_p,
        POINTER(channeler_dial_options),
        POINTER(channeler_connection),
    ]),
    "channeler_connection_close": (c_int32, [c_void_p, channeler_connection]),
    "channeler_connection_close_with": (c_int32, [
        c_void_p,
        channeler_connection,
        c_uint64,
        c_char_p,
    ]),
    "channeler_connection_update_keys": (c_int32, [c_void_p, channeler_connection]),
    "channeler_connection_info": (c_int32, [
        c_void_p,
        channeler_connection,
        POINTER(channeler_connection_details),
    ]),
    "channeler_channel_open": (c_int32, [
        c_void_p,
        channeler_connection,
        POINTER(channeler_channel_options),
        POINTER(channeler_channel),
    ]),
    "channeler_channel_set_limits": (c_int32, [c_void_p, channeler_channel, c_uint32, c_uint64]),
    "channeler_channel_close": (c_int32, [c_void_p, channeler_channel]),
    "channeler_channel_reset": (c_int32, [c_void_p, channeler_channel, c_uint64]),
    "channeler_channel_reset_with": (c_int32, [c_void_p, channeler_channel, c_uint64, c_char_p]),
    "channeler_channel_label": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_channel_info": (c_int32, [
        c_void_p,
        channeler_channel,
        POINTER(channeler_channel_details),
    ]),
    "channeler_send_options_init": (c_int32, [POINTER(channeler_send_options), c_size_t]),
    "channeler_channel_send": (c_int32, [c_void_p, channeler_channel, c_void_p, c_size_t]),
    "channeler_channel_send_with": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        POINTER(channeler_send_options),
    ]),
    "channeler_channel_send_early": (c_int32, [c_void_p, channeler_channel, c_void_p, c_size_t]),
    "channeler_channel_send_buffer": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        channeler_release_fn,
        c_void_p,
    ]),
    "channeler_channel_send_buffer_with": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        POINTER(channeler_send_options),
        channeler_release_fn,
        c_void_p,
    ]),
    "channeler_channel_send_many": (c_int32, [
        c_void_p,
        POINTER(channeler_message),
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_channel_send_many_with": (c_int32, [
        c_void_p,
        POINTER(channeler_message),
        c_size_t,
        POINTER(channeler_send_options),
        POINTER(c_size_t),
    ]),
    "channeler_channel_receive": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
        POINTER(c_size_t),
    ]),
    "channeler_channel_receive_whole": (c_int32, [
        c_void_p,
        channeler_channel,
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_channel_next_length": (c_int32, [c_void_p, channeler_channel, POINTER(c_size_t)]),
    "channeler_channel_receive_many": (c_int32, [
        c_void_p,
        POINTER(channeler_slot),
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_node_set_secret": (c_int32, [c_void_p, c_void_p, c_size_t]),
    "channeler_node_supply_halves": (c_int32, [c_void_p, POINTER(c_uint16), c_size_t]),
    "channeler_channel_find": (c_int32, [
        c_void_p,
        channeler_connection,
        channeler_wire_id,
        POINTER(channeler_channel),
    ]),
    "channeler_channel_adopt": (c_int32, [
        c_void_p,
        channeler_connection,
        channeler_wire_id,
        POINTER(channeler_channel),
    ]),
    "channeler_channel_complete": (c_int32, [c_void_p, channeler_connection, channeler_wire_id]),
    "channeler_channel_new_pending": (c_int32, [
        c_void_p,
        channeler_connection,
        POINTER(channeler_wire_id),
    ]),
    "channeler_options_init": (c_int32, [POINTER(channeler_options), c_size_t]),
    "channeler_channel_options_init": (c_int32, [POINTER(channeler_channel_options), c_size_t]),
    "channeler_callbacks_init": (c_int32, [POINTER(channeler_callbacks), c_size_t]),
    "channeler_node_stats": (c_int32, [c_void_p, POINTER(channeler_node_counters)]),
    "channeler_connection_stats": (c_int32, [
        c_void_p,
        channeler_connection,
        POINTER(channeler_connection_counters),
    ]),
    "channeler_channel_stats": (c_int32, [
        c_void_p,
        channeler_channel,
        POINTER(channeler_channel_counters),
    ]),
    "channeler_drop_reason_name": (c_char_p, [c_size_t]),
    "channeler_node_new": (c_int32, [
        POINTER(channeler_options),
        POINTER(channeler_callbacks),
        POINTER(c_void_p),
    ]),
    "channeler_node_free": (c_int32, [c_void_p]),
    "channeler_node_bind": (c_int32, [c_void_p, POINTER(channeler_address)]),
    "channeler_node_local_address": (c_int32, [c_void_p, c_size_t, POINTER(channeler_address)]),
    "channeler_node_peer_id": (c_int32, [c_void_p, POINTER(channeler_peer_id)]),
    "channeler_node_start": (c_int32, [c_void_p]),
    "channeler_node_stop": (c_int32, [c_void_p]),
    "channeler_node_process": (c_int32, [c_void_p, c_int64]),
    "channeler_node_flush": (c_int32, [c_void_p]),
    "channeler_node_fd": (c_int32, [c_void_p, POINTER(c_int)]),
    "channeler_node_timeout": (c_int32, [c_void_p, POINTER(c_int64)]),
    "channeler_node_wake": (c_int32, [c_void_p]),
    "channeler_node_ban_peer": (c_int32, [c_void_p, POINTER(channeler_peer_id), c_uint64]),
    "channeler_node_ban_address": (c_int32, [c_void_p, POINTER(channeler_address), c_uint64]),
    "channeler_node_lift_ban_peer": (c_int32, [
        c_void_p,
        POINTER(channeler_peer_id),
        POINTER(c_int32),
    ]),
    "channeler_node_lift_ban_address": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        POINTER(c_int32),
    ]),
    "channeler_node_handle_datagram": (c_int32, [
        c_void_p,
        c_uint64,
        POINTER(channeler_address),
        POINTER(channeler_address),
        c_void_p,
        c_size_t,
    ]),
    "channeler_node_handle_timeout": (c_int32, [c_void_p, c_uint64]),
    "channeler_node_poll_transmit": (c_int32, [
        c_void_p,
        c_uint64,
        c_void_p,
        c_size_t,
        POINTER(channeler_transmit),
    ]),
    "channeler_node_poll_timeout": (c_int32, [c_void_p, POINTER(c_uint64)]),
    "channeler_node_handle_send_error": (c_int32, [
        c_void_p,
        c_uint64,
        POINTER(channeler_transmit),
        c_uint32,
    ]),
    "channeler_quic_options_init": (c_int32, [POINTER(channeler_quic_options), c_size_t]),
    "channeler_quic_open": (c_int32, [
        c_void_p,
        POINTER(channeler_quic_options),
        channeler_quic_event_fn,
        c_void_p,
    ]),
    "channeler_quic_send": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        POINTER(channeler_team_id),
        c_char_p,
        c_size_t,
        c_void_p,
        c_size_t,
    ]),
    "channeler_quic_send_many": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        POINTER(channeler_team_id),
        c_char_p,
        c_size_t,
        POINTER(channeler_quic_message),
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_quic_send_sync": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        c_void_p,
        c_size_t,
    ]),
    "channeler_quic_receive": (c_int32, [
        c_void_p,
        c_void_p,
        c_size_t,
        POINTER(channeler_quic_channel),
        POINTER(c_size_t),
    ]),
    "channeler_quic_receive_many": (c_int32, [
        c_void_p,
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
        c_size_t,
        POINTER(channeler_quic_channel),
        POINTER(c_size_t),
    ]),
    "channeler_quic_receive_sync": (c_int32, [
        c_void_p,
        c_void_p,
        c_size_t,
        POINTER(channeler_quic_channel),
        POINTER(c_size_t),
    ]),
    "channeler_quic_connect": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        POINTER(channeler_peer_id),
        POINTER(c_uint64),
    ]),
    "channeler_quic_close": (c_int32, [c_void_p, POINTER(channeler_address)]),
    "channeler_quic_accept": (c_int32, [c_void_p, c_uint64]),
    "channeler_quic_refuse": (c_int32, [c_void_p, c_uint64]),
    "channeler_quic_trust": (c_int32, [c_void_p, POINTER(channeler_peer_id)]),
    "channeler_quic_distrust": (c_int32, [c_void_p, POINTER(channeler_peer_id), POINTER(c_int32)]),
    "channeler_quic_stats": (c_int32, [c_void_p, POINTER(channeler_quic_counters)]),
    "channeler_quic_info": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        POINTER(channeler_quic_details),
    ]),
    "channeler_quic_connections": (c_int32, [
        c_void_p,
        POINTER(channeler_address),
        c_size_t,
        POINTER(c_size_t),
    ]),
    "channeler_quic_drop_reason_name": (c_char_p, [c_size_t]),
}


def declare(library: Library) -> Library:
    """Gives every function of the library its types."""
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
