// Settings of nodes and channels.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_OPTIONS_HPP
#define CHANNELER_NET_OPTIONS_HPP

#include <channeler/net/address.hpp>
#include <channeler/net/identity.hpp>
#include <channeler/net/time.hpp>

namespace channeler {
namespace net {

/// Settings of a node; what is not changed is the library's default. A negative time is refused by
/// node::create, as any other that is out of its range.
class options {
public:
    net::peer_id peer_id;
    net::mode mode;
    net::legacy legacy;
    bool accept_incoming;
    bool padding;
    std::uint32_t packet_size;
    std::uint32_t segments_max;
    std::uint32_t handshake_retries;
    net::log_level log_level;
    std::chrono::nanoseconds bundle_delay;
    std::chrono::nanoseconds handshake_timeout;
    std::chrono::nanoseconds cookie_epoch;
    std::chrono::nanoseconds idle_timeout;
    std::chrono::nanoseconds keep_alive;
    std::chrono::nanoseconds spin;
    std::uint64_t connections_max;
    std::uint64_t connections_per_address_max;
    std::uint64_t channels_per_connection_max;
    std::uint64_t channels_max;
    std::uint64_t send_queue_bytes_max;
    std::uint64_t send_queue_packets_max;
    std::uint64_t node_send_queue_bytes_max;
    std::uint64_t receive_queue_bytes_max;
    std::uint64_t receive_queue_messages_max;
    std::uint64_t node_receive_queue_bytes_max;
    std::uint64_t replies_max;
    std::uint64_t events_max;
    std::array<std::uint8_t, 32> seed;
    net::congestion congestion;
    std::optional<net::identity> identity; ///< None: a fresh one.
    std::string instance_label;            ///< Empty: none.
    bool early_data;
    bool half_close;
    bool always_cookie;
    std::chrono::nanoseconds attempt_timeout;
    std::chrono::nanoseconds dial_timeout;
    std::chrono::nanoseconds linger;
    std::chrono::nanoseconds ack_delay;
    std::uint64_t half_open_free_max;
    std::uint64_t half_open_max;
    std::uint64_t early_bytes_max;
    std::uint64_t tickets_max;
    std::uint64_t peer_channels_max;
    std::uint64_t message_bytes_max;
    std::uint64_t send_low_water_bytes;
    std::uint64_t receive_window_min;
    std::uint64_t connection_receive_bytes_max;
    std::uint64_t node_receive_bytes_max;
    std::uint64_t loss_tolerance_percent;
    std::uint64_t packet_size_max;

    options() : options(defaults()) {}

    /// Points into this object: use it before that changes.
    channeler_options capi() const
    {
        channeler_options raw = defaults();
        raw.peer_id = peer_id.capi();
        raw.mode = std::uint32_t(mode);
        raw.legacy = std::uint32_t(legacy);
        raw.accept_incoming = accept_incoming ? 1 : 0;
        raw.padding = padding ? 1 : 0;
        raw.packet_size = packet_size;
        raw.segments_max = segments_max;
        raw.handshake_retries = handshake_retries;
        raw.log_level = std::uint32_t(log_level);
        raw.bundle_delay_ns = detail::span_ns(bundle_delay);
        raw.handshake_timeout_ns = detail::span_ns(handshake_timeout);
        raw.cookie_epoch_ns = detail::span_ns(cookie_epoch);
        raw.idle_timeout_ns = detail::span_ns(idle_timeout);
        raw.keep_alive_ns = detail::span_ns(keep_alive);
        raw.spin_ns = detail::span_ns(spin);
        raw.connections_max = connections_max;
        raw.connections_per_address_max = connections_per_address_max;
        raw.channels_per_connection_max = channels_per_connection_max;
        raw.channels_max = channels_max;
        raw.send_queue_bytes_max = send_queue_bytes_max;
        raw.send_queue_packets_max = send_queue_packets_max;
        raw.node_send_queue_bytes_max = node_send_queue_bytes_max;
        raw.receive_queue_bytes_max = receive_queue_bytes_max;
        raw.receive_queue_messages_max = receive_queue_messages_max;
        raw.node_receive_queue_bytes_max = node_receive_queue_bytes_max;
        raw.replies_max = replies_max;
        raw.events_max = events_max;
        std::memcpy(raw.seed, seed.data(), seed.size());
        raw.congestion = std::uint32_t(congestion);
        raw.identity = identity ? identity->pem().c_str() : nullptr;
        raw.instance_label = instance_label.empty() ? nullptr : instance_label.c_str();
        raw.early_data = early_data ? 1 : 0;
        raw.half_close = half_close ? 1 : 0;
        raw.always_cookie = always_cookie ? 1 : 0;
        raw.attempt_timeout_ns = detail::span_ns(attempt_timeout);
        raw.dial_timeout_ns = detail::span_ns(dial_timeout);
        raw.linger_ns = detail::span_ns(linger);
        raw.ack_delay_ns = detail::span_ns(ack_delay);
        raw.half_open_free_max = half_open_free_max;
        raw.half_open_max = half_open_max;
        raw.early_bytes_max = early_bytes_max;
        raw.tickets_max = tickets_max;
        raw.peer_channels_max = peer_channels_max;
        raw.message_bytes_max = message_bytes_max;
        raw.send_low_water_bytes = send_low_water_bytes;
        raw.receive_window_min = receive_window_min;
        raw.connection_receive_bytes_max = connection_receive_bytes_max;
        raw.node_receive_bytes_max = node_receive_bytes_max;
        raw.loss_tolerance_percent = loss_tolerance_percent;
        raw.packet_size_max = packet_size_max;
        return raw;
    }

private:
    static channeler_options defaults()
    {
        channeler_options raw;
        detail::done(channeler_options_init(&raw, sizeof raw)).value();
        return raw;
    }

    explicit options(const channeler_options &raw)
        : peer_id(raw.peer_id), mode(net::mode(raw.mode)), legacy(net::legacy(raw.legacy)),
          accept_incoming(raw.accept_incoming != 0), padding(raw.padding != 0),
          packet_size(raw.packet_size), segments_max(raw.segments_max),
          handshake_retries(raw.handshake_retries), log_level(net::log_level(raw.log_level)),
          bundle_delay(raw.bundle_delay_ns), handshake_timeout(raw.handshake_timeout_ns),
          cookie_epoch(raw.cookie_epoch_ns), idle_timeout(raw.idle_timeout_ns),
          keep_alive(raw.keep_alive_ns), spin(raw.spin_ns), connections_max(raw.connections_max),
          connections_per_address_max(raw.connections_per_address_max),
          channels_per_connection_max(raw.channels_per_connection_max),
          channels_max(raw.channels_max), send_queue_bytes_max(raw.send_queue_bytes_max),
          send_queue_packets_max(raw.send_queue_packets_max),
          node_send_queue_bytes_max(raw.node_send_queue_bytes_max),
          receive_queue_bytes_max(raw.receive_queue_bytes_max),
          receive_queue_messages_max(raw.receive_queue_messages_max),
          node_receive_queue_bytes_max(raw.node_receive_queue_bytes_max),
          replies_max(raw.replies_max), events_max(raw.events_max),
          congestion(net::congestion(raw.congestion)), early_data(raw.early_data != 0),
          half_close(raw.half_close != 0), always_cookie(raw.always_cookie != 0),
          attempt_timeout(raw.attempt_timeout_ns), dial_timeout(raw.dial_timeout_ns),
          linger(raw.linger_ns), ack_delay(raw.ack_delay_ns),
          half_open_free_max(raw.half_open_free_max), half_open_max(raw.half_open_max),
          early_bytes_max(raw.early_bytes_max), tickets_max(raw.tickets_max),
          peer_channels_max(raw.peer_channels_max), message_bytes_max(raw.message_bytes_max),
          send_low_water_bytes(raw.send_low_water_bytes),
          receive_window_min(raw.receive_window_min),
          connection_receive_bytes_max(raw.connection_receive_bytes_max),
          node_receive_bytes_max(raw.node_receive_bytes_max),
          loss_tolerance_percent(raw.loss_tolerance_percent),
          packet_size_max(raw.packet_size_max)
    {
        std::memcpy(seed.data(), raw.seed, seed.size());
    }
};

/// Settings of a channel; what is not changed is the library's default.
class channel_options {
public:
    net::capabilities capabilities;
    std::uint32_t priority;
    std::uint32_t weight;
    std::string label; ///< Any bytes.
    std::uint32_t resend_limit;
    std::chrono::nanoseconds message_lifetime; ///< 0: for ever.

    channel_options() : channel_options(defaults()) {}

    /// The defaults, but for what the channel promises.
    channel_options(net::capabilities promises) : channel_options() { capabilities = promises; }

    /// Points into this object: use it before that changes.
    channeler_channel_options capi() const
    {
        channeler_channel_options raw = defaults();
        raw.capabilities = std::uint32_t(capabilities);
        raw.priority = priority;
        raw.weight = weight;
        raw.label = label.empty() ? nullptr : bytes(label).data();
        raw.label_length = label.size();
        raw.resend_limit = resend_limit;
        raw.message_lifetime_ns = detail::span_ns(message_lifetime);
        return raw;
    }

private:
    static channeler_channel_options defaults()
    {
        channeler_channel_options raw;
        detail::done(channeler_channel_options_init(&raw, sizeof raw)).value();
        return raw;
    }

    explicit channel_options(const channeler_channel_options &raw)
        : capabilities(net::capabilities(raw.capabilities)), priority(raw.priority),
          weight(raw.weight), resend_limit(raw.resend_limit),
          message_lifetime(raw.message_lifetime_ns)
    {
    }
};

/// How a message is sent; what is not changed is the library's default.
class send_options {
public:
    /// How long it is worth sending; 0: for ever. None: as the channel says.
    std::optional<std::chrono::nanoseconds> lifetime;
    /// Asks for one event, message_delivered or message_lost, with this as its context.
    std::optional<std::uint64_t> report;
    /// It does no harm when it arrives twice: it may leave before the handshake.
    bool may_replay = false;

    channeler_send_options capi() const
    {
        channeler_send_options raw;
        detail::done(channeler_send_options_init(&raw, sizeof raw)).value();
        if (lifetime) raw.lifetime_ns = detail::lifetime_ns(*lifetime);
        raw.report = report ? 1 : 0;
        raw.context = report.value_or(0);
        raw.may_replay = may_replay ? 1 : 0;
        return raw;
    }
};

/// Whom to connect to, and how; what is not changed is the library's default.
class dial_options {
public:
    net::protocol protocol;
    net::peer_id peer; ///< None: whoever answers.
    net::address address;

    dial_options() : protocol(net::protocol(defaults().protocol)) {}
    dial_options(const net::peer_id &who, const net::address &where) : dial_options()
    {
        peer = who;
        address = where;
    }

    channeler_dial_options capi() const
    {
        channeler_dial_options raw = defaults();
        raw.protocol = std::uint32_t(protocol);
        raw.peer = peer.capi();
        raw.address = address.capi();
        return raw;
    }

private:
    static channeler_dial_options defaults()
    {
        channeler_dial_options raw;
        detail::done(channeler_dial_options_init(&raw, sizeof raw)).value();
        return raw;
    }
};

} // namespace net
} // namespace channeler

#endif
