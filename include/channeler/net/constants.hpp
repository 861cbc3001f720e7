// The numbers of channeler.h as types, and their names.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_CONSTANTS_HPP
#define CHANNELER_NET_CONSTANTS_HPP

#include <channeler.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace channeler {
namespace net {

/// Statuses; later libraries may have more.
enum class errc : std::int32_t {
    ok = CHANNELER_OK,
    unexpected = CHANNELER_ERR_UNEXPECTED,
    insufficient_buffer_size = CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
    decode = CHANNELER_ERR_DECODE,
    encode = CHANNELER_ERR_ENCODE,
    invalid_channelid = CHANNELER_ERR_INVALID_CHANNELID,
    invalid_reference = CHANNELER_ERR_INVALID_REFERENCE,
    invalid_pipe_event = CHANNELER_ERR_INVALID_PIPE_EVENT,
    invalid_message_type = CHANNELER_ERR_INVALID_MESSAGE_TYPE,
    write = CHANNELER_ERR_WRITE,
    state = CHANNELER_ERR_STATE,
    data_unavailable = CHANNELER_ERR_DATA_UNAVAILABLE,
    would_block = CHANNELER_ERR_WOULD_BLOCK,
    invalid_argument = CHANNELER_ERR_INVALID_ARGUMENT,
    limit = CHANNELER_ERR_LIMIT,
    timeout = CHANNELER_ERR_TIMEOUT,
    idle = CHANNELER_ERR_IDLE,
    closed = CHANNELER_ERR_CLOSED,
    refused = CHANNELER_ERR_REFUSED,
    banned = CHANNELER_ERR_BANNED,
    invalid_address = CHANNELER_ERR_INVALID_ADDRESS,
    socket = CHANNELER_ERR_SOCKET,
    unsupported = CHANNELER_ERR_UNSUPPORTED,
    poisoned = CHANNELER_ERR_POISONED,
    identity = CHANNELER_ERR_IDENTITY,
    crypto = CHANNELER_ERR_CRYPTO,
    peer_closed = CHANNELER_ERR_PEER_CLOSED,
    protocol = CHANNELER_ERR_PROTOCOL,
    reset = CHANNELER_ERR_RESET,
    superseded = CHANNELER_ERR_SUPERSEDED,
    lost = CHANNELER_ERR_LOST,
    expired = CHANNELER_ERR_EXPIRED,
    too_large = CHANNELER_ERR_TOO_LARGE,
    user = CHANNELER_ERR_USER, ///< From here on they belong to applications.
};

/// Why something received was dropped: a place in node_counters.dropped.
enum class drop_reason : std::size_t {
    unknown_protocol = CHANNELER_DROP_UNKNOWN_PROTOCOL,
    legacy_off = CHANNELER_DROP_LEGACY_OFF,
    malformed_packet = CHANNELER_DROP_MALFORMED_PACKET,
    bad_checksum = CHANNELER_DROP_BAD_CHECKSUM,
    encrypted = CHANNELER_DROP_ENCRYPTED,
    wrong_recipient = CHANNELER_DROP_WRONG_RECIPIENT,
    wrong_sender = CHANNELER_DROP_WRONG_SENDER,
    banned = CHANNELER_DROP_BANNED,
    malformed_message = CHANNELER_DROP_MALFORMED_MESSAGE,
    unknown_message = CHANNELER_DROP_UNKNOWN_MESSAGE,
    invalid_channel_id = CHANNELER_DROP_INVALID_CHANNEL_ID,
    misplaced = CHANNELER_DROP_MISPLACED,
    unknown_channel = CHANNELER_DROP_UNKNOWN_CHANNEL,
    bad_cookie = CHANNELER_DROP_BAD_COOKIE,
    duplicate = CHANNELER_DROP_DUPLICATE,
    simultaneous_open = CHANNELER_DROP_SIMULTANEOUS_OPEN,
    amplification = CHANNELER_DROP_AMPLIFICATION,
    connection_limit = CHANNELER_DROP_CONNECTION_LIMIT,
    address_limit = CHANNELER_DROP_ADDRESS_LIMIT,
    channel_limit = CHANNELER_DROP_CHANNEL_LIMIT,
    refused = CHANNELER_DROP_REFUSED,
    reply_queue_full = CHANNELER_DROP_REPLY_QUEUE_FULL,
    receive_queue_full = CHANNELER_DROP_RECEIVE_QUEUE_FULL,
    event_queue_full = CHANNELER_DROP_EVENT_QUEUE_FULL,
    not_opened = CHANNELER_DROP_NOT_OPENED,
    replayed = CHANNELER_DROP_REPLAYED,
    unknown_token = CHANNELER_DROP_UNKNOWN_TOKEN,
    unknown_attempt = CHANNELER_DROP_UNKNOWN_ATTEMPT,
    finished_attempt = CHANNELER_DROP_FINISHED_ATTEMPT,
    cookie_asked = CHANNELER_DROP_COOKIE_ASKED,
    half_open_limit = CHANNELER_DROP_HALF_OPEN_LIMIT,
    early_refused = CHANNELER_DROP_EARLY_REFUSED,
    too_early = CHANNELER_DROP_TOO_EARLY,
};

/// Kind of an address.
enum class family : std::uint16_t {
    none = CHANNELER_FAMILY_NONE,
    ipv4 = CHANNELER_FAMILY_IPV4,
    ipv6 = CHANNELER_FAMILY_IPV6,
};

/// Who opened a channel: we, or the peer.
enum class role : std::uint32_t {
    initiator = CHANNELER_ROLE_INITIATOR,
    responder = CHANNELER_ROLE_RESPONDER,
};

/// Who moves datagrams and tells the time: the node, or the caller.
enum class mode : std::uint32_t {
    sockets = CHANNELER_MODE_SOCKETS,
    sans_io = CHANNELER_MODE_SANS_IO,
};

/// Versions of the protocol: only the second encrypts, and knows who the peer is.
enum class protocol : std::uint32_t {
    v0 = CHANNELER_PROTOCOL_V0,
    v1 = CHANNELER_PROTOCOL_V1,
};

/// How the sending rate is controlled.
enum class congestion : std::uint32_t {
    cubic = CHANNELER_CONGESTION_CUBIC,
    newreno = CHANNELER_CONGESTION_NEWRENO,
    bbr2 = CHANNELER_CONGESTION_BBR2,
};

/// Whether protocol version 0 is spoken.
enum class legacy : std::uint32_t {
    off = CHANNELER_LEGACY_OFF,
    accept = CHANNELER_LEGACY_ACCEPT,
    only = CHANNELER_LEGACY_ONLY,
};

/// What a channel promises: three of them, which add up with `|`, and the names of their sums.
enum class capabilities : std::uint32_t {
    none = 0,
    resend = CHANNELER_CAP_RESEND,
    ordered = CHANNELER_CAP_ORDERED,
    close_on_loss = CHANNELER_CAP_CLOSE_ON_LOSS,

    unreliable = CHANNELER_UNRELIABLE,                 ///< As it comes, as with UDP.
    unreliable_ordered = CHANNELER_UNRELIABLE_ORDERED, ///< What comes late is lost.
    loss_closes = CHANNELER_LOSS_CLOSES,
    loss_closes_ordered = CHANNELER_LOSS_CLOSES_ORDERED,
    /// All within the resend limit and the messages' lifetimes.
    partially_reliable = CHANNELER_PARTIALLY_RELIABLE,
    partially_reliable_ordered = CHANNELER_PARTIALLY_RELIABLE_ORDERED,
    reliable = CHANNELER_RELIABLE,                 ///< All, in any order.
    reliable_ordered = CHANNELER_RELIABLE_ORDERED, ///< All in order, as with TCP.
};

constexpr capabilities operator|(capabilities left, capabilities right) noexcept
{
    return capabilities(std::uint32_t(left) | std::uint32_t(right));
}

constexpr capabilities operator&(capabilities left, capabilities right) noexcept
{
    return capabilities(std::uint32_t(left) & std::uint32_t(right));
}

/// How severe a line of the log is.
enum class log_level : std::uint32_t {
    error = CHANNELER_LOG_ERROR,
    warn = CHANNELER_LOG_WARN,
    info = CHANNELER_LOG_INFO,
    debug = CHANNELER_LOG_DEBUG,
};

/// What happened; later libraries may have more: ignore those you do not know.
enum class event_kind : std::uint32_t {
    connected = CHANNELER_EVENT_CONNECTED,
    connection_closed = CHANNELER_EVENT_CONNECTION_CLOSED,
    channel_opened = CHANNELER_EVENT_CHANNEL_OPENED,
    channel_closed = CHANNELER_EVENT_CHANNEL_CLOSED,
    readable = CHANNELER_EVENT_READABLE,
    writable = CHANNELER_EVENT_WRITABLE,
    path_changed = CHANNELER_EVENT_PATH_CHANGED,
    path_unreachable = CHANNELER_EVENT_PATH_UNREACHABLE,
    packet_size_reduced = CHANNELER_EVENT_PACKET_SIZE_REDUCED,
    channel_finished = CHANNELER_EVENT_CHANNEL_FINISHED,
    message_delivered = CHANNELER_EVENT_MESSAGE_DELIVERED,
    message_lost = CHANNELER_EVENT_MESSAGE_LOST,
    messages_skipped = CHANNELER_EVENT_MESSAGES_SKIPPED,
};

/// Whether a path carries marks of explicit congestion notification: connection_counters.ecn.
enum class ecn : std::uint64_t {
    off = CHANNELER_ECN_OFF,
    testing = CHANNELER_ECN_TESTING,
    capable = CHANNELER_ECN_CAPABLE,
    failed = CHANNELER_ECN_FAILED,
};

/// As options::send_low_water_bytes: half of send_queue_bytes_max.
constexpr std::uint64_t low_water_half = CHANNELER_LOW_WATER_HALF;

/// As channel_options::resend_limit: as often as it takes.
constexpr std::uint32_t resend_always = CHANNELER_RESEND_ALWAYS;

/// Why a datagram of a sans-IO node could not be sent.
enum class send_cause : std::uint32_t {
    too_large = CHANNELER_SEND_TOO_LARGE,
    unreachable = CHANNELER_SEND_UNREACHABLE,
};

/// The version of the interface that this program was compiled with; see abi_version.
constexpr std::uint32_t header_abi_version = CHANNELER_ABI_VERSION;

/// The version of the header that this program was compiled with; see version.
constexpr std::string_view header_version = CHANNELER_VERSION;

/// The version of the library.
inline std::string_view version() { return channeler_version(); }

/// The version of the library's interface.
inline std::uint32_t abi_version() { return channeler_abi_version(); }

/// The name of a status in channeler.h.
inline std::string_view error_name(errc code) { return channeler_error_name(std::int32_t(code)); }

/// One sentence on what a status means.
inline std::string_view error_text(errc code) { return channeler_error_text(std::int32_t(code)); }

/// What went wrong in the last call of this thread that failed. An error has its copy.
inline std::string_view last_error() { return channeler_last_error(); }

/// The name of a reason; empty past the last one that the library knows.
inline std::string_view drop_reason_name(drop_reason reason)
{
    const char *name = channeler_drop_reason_name(std::size_t(reason));
    return name == nullptr ? std::string_view() : std::string_view(name);
}

} // namespace net
} // namespace channeler

#endif
