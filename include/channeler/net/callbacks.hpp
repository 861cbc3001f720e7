// What a node calls, and what becomes of exceptions.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_CALLBACKS_HPP
#define CHANNELER_NET_CALLBACKS_HPP

#include <channeler/net/node_ref.hpp>

#include <exception>
#include <mutex>

namespace channeler {
namespace net {

/// What happened: a view for the time of the callback. What its kind does not mention is none or 0.
class event {
public:
    event(channeler_node *node, const channeler_event &raw) noexcept : node_(node), raw_(&raw) {}

    event_kind kind() const noexcept { return event_kind(raw_->kind); }
    errc reason() const noexcept { return errc(raw_->reason); }
    net::connection connection() const noexcept { return {node_, raw_->connection}; }
    net::channel channel() const noexcept { return {node_, raw_->channel}; }
    net::address address() const noexcept { return net::address(raw_->address); }
    bool by_peer() const noexcept { return raw_->by_peer != 0; }
    std::uint32_t packet_size() const noexcept { return raw_->packet_size; }
    net::peer_id peer() const noexcept { return net::peer_id(raw_->peer); }

    /// With errc::peer_closed, the number that the peer's application gave.
    std::uint64_t code() const noexcept { return raw_->code; }

    /// Of a message sent with send_options::report: the number given there.
    std::uint64_t context() const noexcept { return raw_->context; }

    /// How many messages were skipped.
    std::uint64_t count() const noexcept { return raw_->count; }

    /// What was said with it. It comes from outside: it may be anything.
    std::string_view text() const noexcept { return raw_->text == nullptr ? "" : raw_->text; }

    node_ref node() const noexcept { return node_ref(node_); }
    const channeler_event &capi() const noexcept { return *raw_; }

private:
    channeler_node *node_;
    const channeler_event *raw_;
};

/// The functions that a node calls; leave empty what you do not want. They, and what they capture,
/// are destroyed after the last call, when the node is freed.
struct callbacks {
    std::function<bool(connection, const peer_id &, const address &)> on_accept;
    std::function<void(const event &)> on_event;
    std::function<void(connection, channel, bytes)> on_message;
    std::function<void(node_ref, const address &, bytes)> on_datagram;
    std::function<void(node_ref, log_level, std::string_view)> on_log;
    std::function<void(node_ref, std::string_view)> on_key_log;

    /// Gets what the others throw, at once and in the same thread. Empty: see channeler.hpp.
    std::function<void(std::exception_ptr)> on_exception;
};

namespace detail {

/// What is told of exceptions of callbacks: on_exception, or else the call that ran the callback.
/// It has also what must live as long as a node calls.
class keeper {
public:
    explicit keeper(std::function<void(std::exception_ptr)> on_exception)
        : on_exception_(std::move(on_exception))
    {
    }

    /// Calls, and lets no exception out.
    template <class Call> void guard(Call call) noexcept
    {
        try {
            call();
        } catch (...) {
            report();
        }
    }

    /// Keeps `what` until the node calls no more.
    void hold(std::shared_ptr<void> what)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        held_ = std::move(what);
    }

    void rethrow()
    {
        std::exception_ptr thrown;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            thrown.swap(thrown_);
        }
        if (thrown) std::rethrow_exception(thrown);
    }

private:
    /// Called in a catch block.
    void report() noexcept
    {
        if (!on_exception_) return keep(std::current_exception());
        try {
            on_exception_(std::current_exception());
        } catch (...) {
            keep(std::current_exception());
        }
    }

    void keep(std::exception_ptr thrown) noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!thrown_) thrown_ = std::move(thrown);
    }

    std::mutex mutex_;
    std::exception_ptr thrown_;
    std::shared_ptr<void> held_;
    std::function<void(std::exception_ptr)> on_exception_;
};

/// What the library calls: it finds the std::function, and lets no exception out. The library owns
/// one for each node, and gives it back to `drop`.
class caller {
public:
    caller(callbacks functions, std::shared_ptr<keeper> thrown)
        : functions_(std::move(functions)), thrown_(std::move(thrown))
    {
    }

    /// Only what is not empty is set: whether there is an on_message changes what a node does.
    channeler_callbacks capi()
    {
        channeler_callbacks raw;
        done(channeler_callbacks_init(&raw, sizeof raw)).value();
        raw.user_data = this;
        raw.drop = drop;
        if (functions_.on_accept) raw.on_accept = accept;
        if (functions_.on_event) raw.on_event = event;
        if (functions_.on_message) raw.on_message = message;
        if (functions_.on_datagram) raw.on_datagram = datagram;
        if (functions_.on_log) raw.on_log = log;
        if (functions_.on_key_log) raw.on_key_log = key_log;
        return raw;
    }

private:
    static void drop(void *self) noexcept { delete static_cast<caller *>(self); }

    static std::int32_t accept(void *self, channeler_node *node, channeler_connection from,
                               const channeler_peer_id *peer, const channeler_address *at) noexcept
    {
        bool is_welcome = false;
        guard(self, [&](const callbacks &functions) {
            is_welcome = functions.on_accept(connection(node, from), peer_id(*peer), address(*at));
        });
        return is_welcome ? 1 : 0;
    }

    static void event(void *self, channeler_node *node, const channeler_event *what) noexcept
    {
        guard(self, [&](const callbacks &functions) { functions.on_event({node, *what}); });
    }

    static void message(void *self, channeler_node *node, channeler_connection from,
                        channeler_channel on, const std::uint8_t *data,
                        std::size_t length) noexcept
    {
        guard(self, [&](const callbacks &functions) {
            functions.on_message(connection(node, from), channel(node, on), bytes(data, length));
        });
    }

    static void datagram(void *self, channeler_node *node, const channeler_address *from,
                         const std::uint8_t *data, std::size_t length) noexcept
    {
        guard(self, [&](const callbacks &functions) {
            functions.on_datagram(node_ref(node), address(*from), bytes(data, length));
        });
    }

    static void log(void *self, channeler_node *node, std::uint32_t level,
                    const char *text) noexcept
    {
        guard(self, [&](const callbacks &functions) {
            functions.on_log(node_ref(node), log_level(level), text);
        });
    }

    static void key_log(void *self, channeler_node *node, const char *line) noexcept
    {
        guard(self, [&](const callbacks &functions) {
            functions.on_key_log(node_ref(node), line);
        });
    }

    template <class Call> static void guard(void *self, Call call) noexcept
    {
        const caller &caller = *static_cast<class caller *>(self);
        caller.thrown_->guard([&] { call(caller.functions_); });
    }

    callbacks functions_;
    std::shared_ptr<keeper> thrown_;
};

} // namespace detail

} // namespace net
} // namespace channeler

#endif
