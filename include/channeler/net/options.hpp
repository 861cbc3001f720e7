// Settings of nodes and channels.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_OPTIONS_HPP
#define CHANNELER_NET_OPTIONS_HPP

#include <channeler/net/address.hpp>
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

    options() : options(defaults()) {}

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
          replies_max(raw.replies_max), events_max(raw.events_max)
    {
        std::memcpy(seed.data(), raw.seed, seed.size());
    }
};

/// Settings of a channel; what is not changed is the library's default.
class channel_options {
public:
    net::capabilities capabilities;

    channel_options() : capabilities(net::capabilities(defaults().capabilities)) {}

    channeler_channel_options capi() const
    {
        channeler_channel_options raw = defaults();
        raw.capabilities = std::uint32_t(capabilities);
        return raw;
    }

private:
    static channeler_channel_options defaults()
    {
        channeler_channel_options raw;
        detail::done(channeler_channel_options_init(&raw, sizeof raw)).value();
        return raw;
    }
};

} // namespace net
} // namespace channeler

#endif
