// QUIC channels: messages on (address of the peer, team, label).
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_QUIC_HPP
#define CHANNELER_NET_QUIC_HPP

#include <channeler/net/callbacks.hpp>
#include <channeler/net/quic_options.hpp>

namespace channeler {
namespace net {
namespace quic {

/// Which team a channel belongs to.
using team_id = std::array<std::uint8_t, 32>;

/// Counters; their fields are said in channeler.h.
using counters = channeler_quic_counters;
using connection_counters = channeler_quic_details;

/// What a connection is.
struct connection_details {
    std::uint64_t connection; ///< Its number, as events have it.
    net::address address;
    net::peer_id peer; ///< None before it proved who it is.
    bool connected;
    bool by_peer;
    connection_counters counters; ///< How it does.
};

/// Where a message came from.
struct channel {
    net::address address;
    net::peer_id peer;
    team_id team = {}; ///< Of sync messages zeros.
    std::string label; ///< Of sync messages empty.

    channel() = default;
    explicit channel(const channeler_quic_channel &raw)
        : address(raw.address), peer(raw.peer), label(raw.label, raw.label_length)
    {
        std::memcpy(team.data(), raw.team.bytes, team.size());
    }
};

/// A message, and where it came from.
struct message {
    channel from;
    std::vector<std::uint8_t> data;
};

/// One of the messages of send_many: the C struct, so that a batch needs no second copy.
using outgoing = channeler_quic_message;

/// `data` is a view: it must last until send_many.
inline outgoing make_outgoing(bytes data) noexcept { return {data.data(), data.size()}; }

/// The QUIC channels of a node: a value, which closes nothing when it goes. node::open_quic gives
/// one. It may outlive the node; each call is an error then.
class endpoint {
public:
    /// None.
    endpoint() = default;
    /// Those that were opened on `node`.
    explicit endpoint(const node_base &node) noexcept : node_(node.capi()) {}

    explicit operator bool() const noexcept { return node_ != nullptr; }
    node_ref node() const noexcept { return node_ref(node_); }

    /// Queues a copy.
    result<void> send(const address &to, const team_id &team, std::string_view label,
                      bytes message) const
    {
        channeler_team_id raw;
        std::memcpy(raw.bytes, team.data(), team.size());
        return detail::done(channeler_quic_send(node_, &to.capi(), &raw, label.data(),
                                                label.size(), message.data(), message.size()));
    }

    /// Queues a copy on the channel that a message came from.
    result<void> send(const channel &to, bytes message) const
    {
        return send(to.address, to.team, to.label, message);
    }

    /// Queues copies on one channel, in order: what costs least for many small messages.
    progress send_many(const address &to, const team_id &team, std::string_view label,
                       span<const outgoing> messages) const
    {
        channeler_team_id raw;
        std::memcpy(raw.bytes, team.data(), team.size());
        progress out;
        const std::int32_t status = channeler_quic_send_many(
            node_, &to.capi(), &raw, label.data(), label.size(), messages.data(), messages.size(),
            &out.count);
        if (status != CHANNELER_OK) out.error = detail::failure(status);
        return out;
    }

    result<void> send_sync(const address &to, bytes message) const
    {
        return detail::done(
            channeler_quic_send_sync(node_, &to.capi(), message.data(), message.size()));
    }

    /// Takes the oldest message if it fits; its bytes. When it does not
    /// (errc::insufficient_buffer_size) it stays, and `*needed` becomes its bytes, if it is given.
    result<std::size_t> receive(mutable_bytes room, channel &from,
                                std::size_t *needed = nullptr) const
    {
        return receive_with(channeler_quic_receive, room, from, needed);
    }

    /// Takes the oldest message, and those behind it that came in the same channel as far as they
    /// are at hand and have room: one behind the other in `room`, and in `lengths` the bytes of
    /// each. Returns how many they are. When the first does not fit
    /// (errc::insufficient_buffer_size) it stays, and `lengths[0]` becomes its bytes.
    result<std::size_t> receive_many(mutable_bytes room, span<std::size_t> lengths,
                                     channel &from) const
    {
        channeler_quic_channel raw;
        std::size_t count = 0;
        const std::int32_t status = channeler_quic_receive_many(
            node_, room.data(), room.size(), lengths.data(), lengths.size(), &raw, &count);
        if (status != CHANNELER_OK) return detail::failure(status);
        from = channel(raw);
        return count;
    }

    /// As receive, of sync messages.
    result<std::size_t> receive_sync(mutable_bytes room, channel &from,
                                     std::size_t *needed = nullptr) const
    {
        return receive_with(channeler_quic_receive_sync, room, from, needed);
    }

    /// Takes the oldest message, however large it is.
    result<message> receive_message() const { return message_with(channeler_quic_receive); }

    /// Takes the oldest sync message, however large it is.
    result<message> receive_sync_message() const
    {
        return message_with(channeler_quic_receive_sync);
    }

    /// `peer` is who must answer. Returns the connection's number, as events have it.
    result<std::uint64_t> connect(const address &to, const peer_id &peer) const
    {
        return dial(to, &peer.capi());
    }

    /// Somebody who is known must answer.
    result<std::uint64_t> connect(const address &to) const { return dial(to, nullptr); }

    /// Closes the connection to an address, not these channels.
    result<void> close(const address &to) const
    {
        return detail::done(channeler_quic_close(node_, &to.capi()));
    }

    result<void> accept(std::uint64_t connection) const
    {
        return detail::done(channeler_quic_accept(node_, connection));
    }

    result<void> refuse(std::uint64_t connection) const
    {
        return detail::done(channeler_quic_refuse(node_, connection));
    }

    result<void> trust(const peer_id &peer) const
    {
        return detail::done(channeler_quic_trust(node_, &peer.capi()));
    }

    /// Returns whether the peer was known.
    result<bool> distrust(const peer_id &peer) const
    {
        std::int32_t was_known = 0;
        const std::int32_t status = channeler_quic_distrust(node_, &peer.capi(), &was_known);
        return detail::made(status, [&] { return was_known != 0; });
    }

    result<counters> stats() const
    {
        counters out = {};
        out.struct_size = sizeof out;
        const std::int32_t status = channeler_quic_stats(node_, &out);
        return detail::made(status, [&] { return out; });
    }

    /// What the connection to an address is, and how it does.
    result<connection_details> info(const address &to) const
    {
        connection_counters raw = {};
        raw.struct_size = sizeof raw;
        const std::int32_t status = channeler_quic_info(node_, &to.capi(), &raw);
        return detail::made(status, [&] {
            return connection_details{raw.connection,     net::address(raw.address),
                                      peer_id(raw.peer),  raw.connected != 0,
                                      raw.by_peer != 0,   raw};
        });
    }

    /// The addresses of the peers that there are connections to.
    result<std::vector<address>> connections() const
    {
        std::vector<channeler_address> room(32);
        for (;;) {
            std::size_t count = 0;
            const std::int32_t status =
                channeler_quic_connections(node_, room.data(), room.size(), &count);
            // A later library may have more of them.
            if (status != CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE)
                return detail::made(status, [&] {
                    room.resize(count);
                    return std::vector<address>(room.begin(), room.end());
                });
            room.resize(count);
        }
    }

private:
    using receiver = decltype(channeler_quic_receive);

    result<std::size_t> receive_with(receiver *take, mutable_bytes room, channel &from,
                                     std::size_t *needed) const
    {
        channeler_quic_channel raw;
        std::size_t length = 0;
        const std::int32_t status = take(node_, room.data(), room.size(), &raw, &length);
        if (status == CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE && needed != nullptr)
            *needed = length;
        if (status != CHANNELER_OK) return detail::failure(status);
        from = channel(raw);
        return length;
    }

    result<message> message_with(receiver *take) const
    {
        message out;
        std::size_t needed = 4096;
        // Another thread may have taken that one meanwhile, and the next be larger.
        for (;;) {
            out.data.resize(needed);
            const result<std::size_t> got = receive_with(take, out.data, out.from, &needed);
            if (got) {
                out.data.resize(*got);
                return out;
            }
            if (got.error() != errc::insufficient_buffer_size) return got.error();
        }
    }

    result<std::uint64_t> dial(const address &to, const channeler_peer_id *peer) const
    {
        std::uint64_t connection = 0;
        const std::int32_t status = channeler_quic_connect(node_, &to.capi(), peer, &connection);
        return detail::made(status, [&] { return connection; });
    }

    channeler_node *node_ = nullptr;
};

/// What happened: a view for the time of the callback. What its kind does not mention is none or 0.
class event {
public:
    event(channeler_node *node, const channeler_quic_event &raw) noexcept : node_(node), raw_(&raw)
    {
    }

    event_kind kind() const noexcept { return event_kind(raw_->kind); }
    errc reason() const noexcept { return errc(raw_->reason); }
    std::uint64_t connection() const noexcept { return raw_->connection; }
    net::address address() const noexcept { return net::address(raw_->address); }
    net::address new_address() const noexcept { return net::address(raw_->new_address); }
    net::peer_id peer() const noexcept { return net::peer_id(raw_->peer); }
    net::public_key key() const noexcept { return net::public_key(raw_->key); }
    bool by_peer() const noexcept { return raw_->by_peer != 0; }

    /// The number that was said.
    std::uint64_t code() const noexcept { return raw_->code; }

    /// What was said with it. It comes from outside: it may be anything.
    std::string_view text() const noexcept { return raw_->text == nullptr ? "" : raw_->text; }

    /// How many messages.
    std::uint64_t count() const noexcept { return raw_->count; }

    /// How many messages of the peer broke off.
    std::uint64_t cut() const noexcept { return raw_->cut; }

    quic::endpoint endpoint() const noexcept { return quic::endpoint(node_ref(node_)); }
    const channeler_quic_event &capi() const noexcept { return *raw_; }

private:
    channeler_node *node_;
    const channeler_quic_event *raw_;
};

/// The functions that QUIC channels call. They, and what they capture, are destroyed with those of
/// the node.
struct callbacks {
    std::function<void(const event &)> on_event;
};

} // namespace quic

namespace detail {

/// What the library calls for the QUIC channels of a node. The node's keeper has it.
class quic_caller {
public:
    quic_caller(quic::callbacks functions, keeper *owner)
        : functions_(std::move(functions)), owner_(owner)
    {
    }

    channeler_quic_event_fn capi() const noexcept { return functions_.on_event ? event : nullptr; }

private:
    static void event(void *self, channeler_node *node, const channeler_quic_event *what) noexcept
    {
        const quic_caller &caller = *static_cast<quic_caller *>(self);
        caller.owner_->guard([&] { caller.functions_.on_event({node, *what}); });
    }

    quic::callbacks functions_;
    keeper *owner_;
};

} // namespace detail

} // namespace net
} // namespace channeler

#endif
