// Settings of QUIC channels, and their numbers as types.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_QUIC_OPTIONS_HPP
#define CHANNELER_NET_QUIC_OPTIONS_HPP

#include <channeler/net/peer_id.hpp>
#include <channeler/net/time.hpp>

namespace channeler {
namespace net {
namespace quic {

/// Bytes of a label, at most.
constexpr std::size_t label_bytes_max = CHANNELER_QUIC_LABEL_MAX;

/// Which streams messages go on. Peers need not agree.
enum class streams : std::uint32_t {
    ordered = CHANNELER_QUIC_ORDERED,         ///< All to a peer in the order they were sent.
    per_channel = CHANNELER_QUIC_PER_CHANNEL, ///< In order within each channel.
};

/// What happened; later libraries may have more: ignore those you do not know.
enum class event_kind : std::uint32_t {
    request = CHANNELER_QUIC_EVENT_REQUEST,
    connected = CHANNELER_QUIC_EVENT_CONNECTED,
    closed = CHANNELER_QUIC_EVENT_CLOSED,
    readable = CHANNELER_QUIC_EVENT_READABLE,
    sync_readable = CHANNELER_QUIC_EVENT_SYNC_READABLE,
    writable = CHANNELER_QUIC_EVENT_WRITABLE,
    frame_refused = CHANNELER_QUIC_EVENT_FRAME_REFUSED,
    messages_lost = CHANNELER_QUIC_EVENT_MESSAGES_LOST,
    address_changed = CHANNELER_QUIC_EVENT_ADDRESS_CHANGED,
};

/// The name of a place in counters.dropped; empty past the last one that the library knows.
inline std::string_view drop_reason_name(std::size_t index)
{
    const char *name = channeler_quic_drop_reason_name(index);
    return name == nullptr ? std::string_view() : std::string_view(name);
}

/// Settings of QUIC channels; what is not changed is the library's default. A negative time is
/// refused by node::open_quic, as any other that is out of its range. An empty text is none.
class options {
public:
    quic::streams streams;
    net::congestion congestion;
    bool accept_incoming;
    bool ask_before_accept;
    std::string certificate_chain; ///< With the next two: X.509, and no raw public keys.
    std::string private_key;
    std::string authorities;
    std::string server_name;
    std::string application_protocol;
    std::uint64_t message_bytes_max;
    std::uint64_t receive_bytes_max;
    std::uint64_t receive_messages_max;
    std::uint64_t connection_receive_bytes_max;
    std::uint64_t connection_receive_messages_max;
    std::uint64_t send_queue_bytes_max;
    std::chrono::nanoseconds idle_timeout;
    std::chrono::nanoseconds keep_alive;
    std::chrono::nanoseconds dial_timeout;
    std::chrono::nanoseconds accept_timeout;
    std::chrono::nanoseconds drain_timeout;

    options() : options(defaults()) {}

    /// Points into this object: use it before that changes. A text with a zero byte inside would be
    /// cut: see has_zero.
    channeler_quic_options capi() const
    {
        channeler_quic_options raw = defaults();
        raw.streams = std::uint32_t(streams);
        raw.congestion = std::uint32_t(congestion);
        raw.accept_incoming = accept_incoming ? 1 : 0;
        raw.ask_before_accept = ask_before_accept ? 1 : 0;
        raw.certificate_chain = or_none(certificate_chain);
        raw.private_key = or_none(private_key);
        raw.authorities = or_none(authorities);
        raw.server_name = or_none(server_name);
        raw.application_protocol = or_none(application_protocol);
        raw.message_bytes_max = message_bytes_max;
        raw.receive_bytes_max = receive_bytes_max;
        raw.receive_messages_max = receive_messages_max;
        raw.connection_receive_bytes_max = connection_receive_bytes_max;
        raw.connection_receive_messages_max = connection_receive_messages_max;
        raw.send_queue_bytes_max = send_queue_bytes_max;
        raw.idle_timeout_ns = detail::span_ns(idle_timeout);
        raw.keep_alive_ns = detail::span_ns(keep_alive);
        raw.dial_timeout_ns = detail::span_ns(dial_timeout);
        raw.accept_timeout_ns = detail::span_ns(accept_timeout);
        raw.drain_timeout_ns = detail::span_ns(drain_timeout);
        return raw;
    }

    /// Whether one of the texts has a zero byte inside.
    bool has_zero() const noexcept
    {
        for (const std::string *text : {&certificate_chain, &private_key, &authorities,
                                        &server_name, &application_protocol}) {
            if (detail::has_zero(*text)) return true;
        }
        return false;
    }

private:
    static const char *or_none(const std::string &text) noexcept
    {
        return text.empty() ? nullptr : text.c_str();
    }

    static channeler_quic_options defaults()
    {
        channeler_quic_options raw;
        detail::done(channeler_quic_options_init(&raw, sizeof raw)).value();
        return raw;
    }

    explicit options(const channeler_quic_options &raw)
        : streams(quic::streams(raw.streams)), congestion(net::congestion(raw.congestion)),
          accept_incoming(raw.accept_incoming != 0), ask_before_accept(raw.ask_before_accept != 0),
          message_bytes_max(raw.message_bytes_max), receive_bytes_max(raw.receive_bytes_max),
          receive_messages_max(raw.receive_messages_max),
          connection_receive_bytes_max(raw.connection_receive_bytes_max),
          connection_receive_messages_max(raw.connection_receive_messages_max),
          send_queue_bytes_max(raw.send_queue_bytes_max), idle_timeout(raw.idle_timeout_ns),
          keep_alive(raw.keep_alive_ns), dial_timeout(raw.dial_timeout_ns),
          accept_timeout(raw.accept_timeout_ns), drain_timeout(raw.drain_timeout_ns)
    {
    }
};

} // namespace quic
} // namespace net
} // namespace channeler

#endif
