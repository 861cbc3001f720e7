// Connections and channels.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_CHANNEL_HPP
#define CHANNELER_NET_CHANNEL_HPP

#include <channeler/net/options.hpp>

#include <memory>
#include <vector>

namespace channeler {
namespace net {

class node_ref;
class connection;
class channel;

/// Counters; their fields are said in channeler.h.
using connection_counters = channeler_connection_counters;
using channel_counters = channeler_channel_counters;

/// What channel::receive did.
struct received {
    std::size_t length;    ///< Bytes written.
    std::size_t remaining; ///< Bytes of the same message still waiting.
};

/// A channel: a value, which closes nothing when it goes.
class channel {
public:
    /// No channel.
    channel() = default;
    channel(channeler_node *node, channeler_channel raw) noexcept : node_(node), raw_(raw) {}

    explicit operator bool() const noexcept { return raw_.id != 0; }
    node_ref node() const noexcept;
    channeler_channel capi() const noexcept { return raw_; }

    /// Queues a copy.
    result<void> send(bytes message) const
    {
        return detail::done(
            channeler_channel_send(node_, raw_, message.data(), message.size()));
    }

    /// Queues a copy, with a lifetime, a report of its fate, or leave to be early.
    result<void> send(bytes message, const send_options &options) const
    {
        const channeler_send_options settings = options.capi();
        return detail::done(channeler_channel_send_with(node_, raw_, message.data(),
                                                        message.size(), &settings));
    }

    /// Queues a copy of what does no harm when it arrives twice: it may leave before the handshake.
    result<void> send_early(bytes message) const
    {
        return detail::done(
            channeler_channel_send_early(node_, raw_, message.data(), message.size()));
    }

    /// Queues a container of bytes without copying them (channeler_channel_send_buffer): it moves
    /// into the library, and is destroyed when that needs it no more. When the call fails, it has
    /// moved back into `message`.
    template <class Buffer, class = std::enable_if_t<!std::is_lvalue_reference_v<Buffer>>>
    result<void> send_owned(Buffer &&message, const send_options &options = {}) const
    {
        const channeler_send_options settings = options.capi();
        auto held = std::make_unique<Buffer>(std::move(message));
        const bytes view(*held);
        const std::int32_t status = channeler_channel_send_buffer_with(
            node_, raw_, view.data(), view.size(), &settings,
            [](void *user_data, const std::uint8_t *, std::size_t) {
                delete static_cast<Buffer *>(user_data);
            },
            held.get());
        if (status != CHANNELER_OK) {
            message = std::move(*held);
            return detail::failure(status);
        }
        static_cast<void>(held.release());
        return {};
    }

    result<received> receive(mutable_bytes room) const
    {
        received got = {};
        const std::int32_t status = channeler_channel_receive(
            node_, raw_, room.data(), room.size(), &got.length, &got.remaining);
        return detail::made(status, [&] { return got; });
    }

    /// Reads a message if it fits. When it does not (errc::insufficient_buffer_size) it stays, and
    /// `*needed` becomes its bytes, if it is given. Returns its bytes.
    result<std::size_t> receive_whole(mutable_bytes room, std::size_t *needed = nullptr) const
    {
        std::size_t length = 0;
        const std::int32_t status = channeler_channel_receive_whole(
            node_, raw_, room.data(), room.size(), &length);
        if (status == CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE && needed != nullptr)
            *needed = length;
        return detail::made(status, [&] { return length; });
    }

    /// Reads a message, however large it is.
    result<std::vector<std::uint8_t>> receive_message() const
    {
        const result<std::size_t> length = next_length();
        if (!length) return length.error();
        std::vector<std::uint8_t> message(*length);
        // Another thread may have read that one meanwhile, and the next be larger.
        for (;;) {
            std::size_t needed = 0;
            const result<std::size_t> got = receive_whole(message, &needed);
            if (got) {
                message.resize(*got);
                return message;
            }
            if (got.error() != errc::insufficient_buffer_size) return got.error();
            message.resize(needed);
        }
    }

    /// Bytes of the message that is read next, or of what is left of it.
    result<std::size_t> next_length() const
    {
        std::size_t length = 0;
        const std::int32_t status = channeler_channel_next_length(node_, raw_, &length);
        return detail::made(status, [&] { return length; });
    }

    /// Sets when messages of ours are given up, also of a channel that the peer opened
    /// (channeler_channel_set_limits). A lifetime of 0: never.
    result<void> set_limits(std::uint32_t limit,
                            std::chrono::nanoseconds message_lifetime = {}) const
    {
        const std::uint64_t span = detail::span_ns(message_lifetime);
        return detail::done(channeler_channel_set_limits(node_, raw_, limit, span));
    }

    /// Ends our direction, behind what was sent; the peer's goes on until it ends that
    /// (channeler_channel_close).
    result<void> close() const { return detail::done(channeler_channel_close(node_, raw_)); }

    /// Ends it at once, both ways; the peer is told a number of yours, and a sentence for people.
    result<void> reset(std::uint64_t code = 0, std::string_view reason = {}) const
    {
        if (detail::has_zero(reason))
            return error(errc::invalid_argument, "the reason has a zero byte inside");
        return detail::done(channeler_channel_reset_with(node_, raw_, code,
                                                         std::string(reason).c_str()));
    }

    /// What its opener called it: any bytes.
    result<std::string> label() const
    {
        std::uint8_t room[255];
        std::size_t length = 0;
        const std::int32_t status =
            channeler_channel_label(node_, raw_, room, sizeof room, &length);
        return detail::made(status, [&] { return std::string(bytes(room, length).text()); });
    }

    result<struct channel_details> info() const;

    result<channel_counters> stats() const
    {
        channel_counters out = {};
        out.struct_size = sizeof out;
        const std::int32_t status = channeler_channel_stats(node_, raw_, &out);
        return detail::made(status, [&] { return out; });
    }

private:
    channeler_node *node_ = nullptr;
    channeler_channel raw_ = {};
};

inline bool operator==(const channel &left, const channel &right) noexcept
{
    return left.capi().id == right.capi().id;
}
inline bool operator!=(const channel &left, const channel &right) noexcept
{
    return !(left == right);
}
inline bool operator<(const channel &left, const channel &right) noexcept
{
    return left.capi().id < right.capi().id;
}

/// A connection: a value, which closes nothing when it goes.
class connection {
public:
    /// No connection.
    connection() = default;
    connection(channeler_node *node, channeler_connection raw) noexcept : node_(node), raw_(raw) {}

    explicit operator bool() const noexcept { return raw_.id != 0; }
    node_ref node() const noexcept;
    channeler_connection capi() const noexcept { return raw_; }

    result<channel> open_channel(const channel_options &options = {}) const
    {
        const channeler_channel_options settings = options.capi();
        channeler_channel raw = {};
        const std::int32_t status = channeler_channel_open(node_, raw_, &settings, &raw);
        return detail::made(status, [&] { return channel(node_, raw); });
    }

    result<void> close() const { return detail::done(channeler_connection_close(node_, raw_)); }

    /// Tells the peer a number of yours, and a sentence for people.
    result<void> close(std::uint64_t code, std::string_view reason = {}) const
    {
        if (detail::has_zero(reason))
            return error(errc::invalid_argument, "the reason has a zero byte inside");
        return detail::done(channeler_connection_close_with(node_, raw_, code,
                                                            std::string(reason).c_str()));
    }

    result<void> update_keys() const
    {
        return detail::done(channeler_connection_update_keys(node_, raw_));
    }

    result<struct connection_details> info() const;

    result<connection_counters> stats() const
    {
        connection_counters out = {};
        out.struct_size = sizeof out;
        const std::int32_t status = channeler_connection_stats(node_, raw_, &out);
        return detail::made(status, [&] { return out; });
    }

private:
    channeler_node *node_ = nullptr;
    channeler_connection raw_ = {};
};

inline bool operator==(const connection &left, const connection &right) noexcept
{
    return left.capi().id == right.capi().id;
}
inline bool operator!=(const connection &left, const connection &right) noexcept
{
    return !(left == right);
}
inline bool operator<(const connection &left, const connection &right) noexcept
{
    return left.capi().id < right.capi().id;
}

/// What a connection is.
struct connection_details {
    peer_id peer;
    net::address address;
    bool connected;
    std::size_t message_bytes_max; ///< The largest that can be sent.
    net::protocol protocol;
    bool encrypted;                   ///< And the peer is seen to have the key of its id.
    net::public_key public_key;       ///< The peer's; none before it was seen to have it.
    std::size_t packet_message_bytes; ///< The largest that one packet takes.
    net::address observed_address;    ///< Where the peer sees us; none: it has not said.
};

/// What a channel is.
struct channel_details {
    net::connection connection;
    std::uint32_t initiator_half;
    std::uint32_t responder_half;
    net::role role;
    net::capabilities capabilities;
    bool established;
    bool early; ///< The peer opened it in early data, which may be recorded and sent again.
    std::size_t label_length;
    std::uint32_t priority;
    std::uint32_t weight;
};

inline result<connection_details> connection::info() const
{
    channeler_connection_details raw = {};
    raw.struct_size = sizeof raw;
    const std::int32_t status = channeler_connection_info(node_, raw_, &raw);
    return detail::made(status, [&] {
        return connection_details{peer_id(raw.peer), address(raw.address), raw.connected != 0,
                                  raw.message_bytes_max, protocol(raw.protocol),
                                  raw.encrypted != 0, public_key(raw.public_key),
                                  raw.packet_message_bytes, address(raw.observed_address)};
    });
}

inline result<channel_details> channel::info() const
{
    channeler_channel_details raw = {};
    raw.struct_size = sizeof raw;
    const std::int32_t status = channeler_channel_info(node_, raw_, &raw);
    return detail::made(status, [&] {
        return channel_details{connection(node_, raw.connection), raw.initiator_half,
                               raw.responder_half, role(raw.role), capabilities(raw.capabilities),
                               raw.established != 0, raw.early != 0, raw.label_length,
                               raw.priority, raw.weight};
    });
}

} // namespace net
} // namespace channeler

namespace std {

template <> struct hash<channeler::net::connection> {
    size_t operator()(const channeler::net::connection &connection) const noexcept
    {
        return hash<uint64_t>()(connection.capi().id);
    }
};

template <> struct hash<channeler::net::channel> {
    size_t operator()(const channeler::net::channel &channel) const noexcept
    {
        return hash<uint64_t>()(channel.capi().id);
    }
};

} // namespace std

#endif
