// What nodes can do, and one that somebody else owns.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_NODE_REF_HPP
#define CHANNELER_NET_NODE_REF_HPP

#include <channeler/net/channel.hpp>

namespace channeler {
namespace net {

/// Counters; their fields are said in channeler.h.
using node_counters = channeler_node_counters;

/// One of the messages of send_many, and one of the places of receive_many: the C structs, so that
/// a batch needs no second copy. Fields are said in channeler.h.
using message = channeler_message;
using slot = channeler_slot;

/// `data` is a view: it must last until send_many.
inline message make_message(const channel &to, bytes data) noexcept
{
    return {to.capi(), data.data(), data.size()};
}

/// `room` is a view: it must last until receive_many.
inline slot make_slot(const channel &from, mutable_bytes room) noexcept
{
    slot out = {};
    out.channel = from.capi();
    out.buffer = room.data();
    out.capacity = room.size();
    return out;
}

/// How far send_many came: `count` messages were taken, and the next one failed for `error`.
struct [[nodiscard]] progress {
    std::size_t count = 0;
    net::error error;

    explicit operator bool() const noexcept { return error.code() == errc::ok; }
};

/// Where bytes go that poll_transmit gave.
struct transmit {
    address to;
    address from; ///< None: any.
    std::size_t length = 0;
    std::size_t segment_size = 0;
    net::connection connection; ///< None: an answer to a stranger.

    channeler_transmit capi() const noexcept
    {
        return {to.capi(), from.capi(), length, segment_size, connection.capi()};
    }
};

/// What node and node_ref can do.
class node_base {
public:
    explicit operator bool() const noexcept { return raw_ != nullptr; }
    channeler_node *capi() const noexcept { return raw_; }

    result<void> bind(const address &at) const
    {
        return detail::done(channeler_node_bind(raw_, &at.capi()));
    }

    result<address> local_address(std::size_t index = 0) const
    {
        channeler_address raw = {};
        const std::int32_t status = channeler_node_local_address(raw_, index, &raw);
        return detail::made(status, [&] { return address(raw); });
    }

    result<net::peer_id> peer_id() const
    {
        channeler_peer_id raw = {};
        const std::int32_t status = channeler_node_peer_id(raw_, &raw);
        return detail::made(status, [&] { return net::peer_id(raw); });
    }

    /// The node's private key: how a fresh one can be kept.
    result<net::identity> identity() const { return net::identity::of(raw_); }

    result<net::public_key> public_key() const
    {
        channeler_public_key raw;
        const std::int32_t status = channeler_node_public_key(raw_, &raw);
        return detail::made(status, [&] { return net::public_key(raw); });
    }

    result<connection> connect(const net::peer_id &peer, const address &at) const
    {
        channeler_connection raw = {};
        const std::int32_t status =
            channeler_node_connect(raw_, &peer.capi(), &at.capi(), &raw);
        return detail::made(status, [&] { return connection(raw_, raw); });
    }

    /// Connects to whoever answers; connection::info tells who that is.
    result<connection> connect(const address &at) const
    {
        channeler_connection raw = {};
        const std::int32_t status = channeler_node_connect(raw_, nullptr, &at.capi(), &raw);
        return detail::made(status, [&] { return connection(raw_, raw); });
    }

    /// As connect, with the version of the protocol chosen.
    result<connection> dial(const dial_options &options) const
    {
        const channeler_dial_options settings = options.capi();
        channeler_connection raw = {};
        const std::int32_t status = channeler_node_dial(raw_, &settings, &raw);
        return detail::made(status, [&] { return connection(raw_, raw); });
    }

    progress send_many(span<const message> messages) const
    {
        progress out;
        const std::int32_t status =
            channeler_channel_send_many(raw_, messages.data(), messages.size(), &out.count);
        if (status != CHANNELER_OK) out.error = detail::failure(status);
        return out;
    }

    /// With send_options::report, the context of the first is that, and each further one's is
    /// higher by 1.
    progress send_many(span<const message> messages, const send_options &options) const
    {
        const channeler_send_options settings = options.capi();
        progress out;
        const std::int32_t status = channeler_channel_send_many_with(
            raw_, messages.data(), messages.size(), &settings, &out.count);
        if (status != CHANNELER_OK) out.error = detail::failure(status);
        return out;
    }

    /// Returns how many slots were filled.
    result<std::size_t> receive_many(span<slot> slots) const
    {
        std::size_t filled = 0;
        const std::int32_t status =
            channeler_channel_receive_many(raw_, slots.data(), slots.size(), &filled);
        return detail::made(status, [&] { return filled; });
    }

    result<void> flush() const { return detail::done(channeler_node_flush(raw_)); }

    /// Safe in signal handlers: its error has no text of its own.
    result<void> wake() const noexcept
    {
        const std::int32_t status = channeler_node_wake(raw_);
        if (status == CHANNELER_OK) return {};
        return error(errc(status));
    }

    result<int> fd() const
    {
        int descriptor = -1;
        const std::int32_t status = channeler_node_fd(raw_, &descriptor);
        return detail::made(status, [&] { return descriptor; });
    }

    /// How long the caller's own loop may sleep, or forever.
    result<std::chrono::nanoseconds> timeout() const
    {
        std::int64_t ns = 0;
        const std::int32_t status = channeler_node_timeout(raw_, &ns);
        return detail::made(
            status, [&] { return ns < 0 ? forever : std::chrono::nanoseconds(ns); });
    }

    result<void> ban_peer(const net::peer_id &peer, std::chrono::nanoseconds span) const
    {
        if (span.count() < 0) return negative_span();
        return detail::done(channeler_node_ban_peer(raw_, &peer.capi(), detail::span_ns(span)));
    }

    result<void> ban_address(const address &at, std::chrono::nanoseconds span) const
    {
        if (span.count() < 0) return negative_span();
        return detail::done(channeler_node_ban_address(raw_, &at.capi(), detail::span_ns(span)));
    }

    /// Returns whether there was a ban.
    result<bool> lift_ban_peer(const net::peer_id &peer) const
    {
        std::int32_t lifted = 0;
        const std::int32_t status = channeler_node_lift_ban_peer(raw_, &peer.capi(), &lifted);
        return detail::made(status, [&] { return lifted != 0; });
    }

    /// Returns whether there was a ban.
    result<bool> lift_ban_address(const address &at) const
    {
        std::int32_t lifted = 0;
        const std::int32_t status = channeler_node_lift_ban_address(raw_, &at.capi(), &lifted);
        return detail::made(status, [&] { return lifted != 0; });
    }

    result<node_counters> stats() const
    {
        node_counters out = {};
        out.struct_size = sizeof out;
        const std::int32_t status = channeler_node_stats(raw_, &out);
        return detail::made(status, [&] { return out; });
    }

    /// Sans-IO. When `room` is too small, `*needed` becomes the bytes needed, if it is given.
    result<transmit> poll_transmit(std::chrono::nanoseconds now, mutable_bytes room,
                                   std::size_t *needed = nullptr) const
    {
        channeler_transmit raw = {};
        const std::int32_t status = channeler_node_poll_transmit(
            raw_, detail::time_ns(now), room.data(), room.size(), &raw);
        if (status == CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE && needed != nullptr)
            *needed = raw.length;
        return detail::made(status, [&] {
            return transmit{address(raw.to), address(raw.from), raw.length, raw.segment_size,
                            connection(raw_, raw.connection)};
        });
    }

    /// Sans-IO: when handle_timeout wants to be called next, or forever.
    result<std::chrono::nanoseconds> poll_timeout() const
    {
        std::uint64_t deadline = CHANNELER_NO_DEADLINE;
        const std::int32_t status = channeler_node_poll_timeout(raw_, &deadline);
        return detail::made(status, [&] { return detail::from_ns(deadline); });
    }

    /// Sans-IO.
    result<void> handle_send_error(std::chrono::nanoseconds now, const transmit &failed,
                                   send_cause cause) const
    {
        const channeler_transmit raw = failed.capi();
        return detail::done(channeler_node_handle_send_error(raw_, detail::time_ns(now), &raw,
                                                             std::uint32_t(cause)));
    }

protected:
    node_base() = default;
    explicit node_base(channeler_node *raw) noexcept : raw_(raw) {}
    node_base(const node_base &) = default;
    node_base &operator=(const node_base &) = default;
    ~node_base() = default;

    channeler_node *raw_ = nullptr;

private:
    static error negative_span()
    {
        return error(errc::invalid_argument, "the span of a ban is negative");
    }
};

/// A node that somebody else owns: a value. It may outlive the node; each call is an error then.
class node_ref : public node_base {
public:
    /// No node.
    node_ref() = default;
    explicit node_ref(channeler_node *raw) noexcept : node_base(raw) {}
    node_ref(const node_base &node) noexcept : node_base(node) {}
};

inline bool operator==(const node_base &left, const node_base &right) noexcept
{
    return left.capi() == right.capi();
}
inline bool operator!=(const node_base &left, const node_base &right) noexcept
{
    return !(left == right);
}

inline node_ref channel::node() const noexcept { return node_ref(node_); }
inline node_ref connection::node() const noexcept { return node_ref(node_); }

} // namespace net
} // namespace channeler

#endif
