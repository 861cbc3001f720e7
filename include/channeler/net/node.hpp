// A node and its owner.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_NODE_HPP
#define CHANNELER_NET_NODE_HPP

#include <channeler/net/callbacks.hpp>
#include <channeler/net/quic.hpp>

namespace channeler {
namespace net {

/// A node, and its owner.
class node : public node_base {
public:
    static result<node> create(const net::options &options = {}, net::callbacks callbacks = {})
    {
        const channeler_options settings = options.capi();
        node out;
        out.thrown_ = std::make_shared<detail::keeper>(std::move(callbacks.on_exception));
        auto caller = std::make_unique<detail::caller>(std::move(callbacks), out.thrown_);
        const channeler_callbacks functions = caller->capi();
        const std::int32_t status = channeler_node_new(&settings, &functions, &out.raw_);
        if (status != CHANNELER_OK) return detail::failure(status);
        static_cast<void>(caller.release()); // the library has it, until it drops it
        return result<node>(std::move(out));
    }

    /// No node.
    node() = default;
    node(node &&other) noexcept { swap(other); }
    node &operator=(node &&other) noexcept
    {
        node taken(std::move(other)); // first: `other` may be this one
        swap(taken);
        return *this;
    }
    node(const node &) = delete;
    node &operator=(const node &) = delete;

    /// Frees the node. An exception that is still kept is lost.
    ~node() { static_cast<void>(channeler_node_free(raw_)); }

    void swap(node &other) noexcept
    {
        std::swap(raw_, other.raw_);
        thrown_.swap(other.thrown_);
    }

    /// Frees the node now.
    void reset() noexcept { *this = node(); }

    /// Gives the node away: the caller frees it, with channeler_node_free. Its callbacks stay.
    [[nodiscard]] channeler_node *capi_release() noexcept
    {
        thrown_.reset();
        return std::exchange(raw_, nullptr);
    }

    /// Runs a turn; less than 0 does not wait. Throws what a callback threw.
    result<void> process(std::chrono::nanoseconds timeout = forever)
    {
        const std::int64_t ns =
            timeout == forever ? -1 : timeout.count() < 0 ? 0 : timeout.count();
        return run([&](channeler_node *raw) { return channeler_node_process(raw, ns); });
    }

    /// Sans-IO. `to` may be none: not known. Throws what a callback threw.
    result<void> handle_datagram(std::chrono::nanoseconds now, const address &from,
                                 const address &to, bytes data)
    {
        return run([&](channeler_node *raw) {
            return channeler_node_handle_datagram(raw, detail::time_ns(now), &from.capi(),
                                                  to ? &to.capi() : nullptr, data.data(),
                                                  data.size());
        });
    }

    /// Sans-IO. Throws what a callback threw.
    result<void> handle_timeout(std::chrono::nanoseconds now)
    {
        return run([&](channeler_node *raw) {
            return channeler_node_handle_timeout(raw, detail::time_ns(now));
        });
    }

    /// Serves QUIC channels on the node's sockets until it is freed. What `callbacks` throw goes
    /// where exceptions of the node's own go.
    result<quic::endpoint> open_quic(const quic::options &options = {},
                                     quic::callbacks callbacks = {})
    {
        if (options.has_zero())
            return error(errc::invalid_argument, "a text has a zero byte inside");
        const channeler_quic_options settings = options.capi();
        const std::shared_ptr<detail::keeper> keeper = thrown_;
        auto caller = std::make_shared<detail::quic_caller>(std::move(callbacks), keeper.get());
        const std::int32_t status =
            channeler_quic_open(raw_, &settings, caller->capi(), caller.get());
        if (status != CHANNELER_OK) return detail::failure(status);
        if (keeper) keeper->hold(std::move(caller));
        return quic::endpoint(*this);
    }

    result<void> start() { return detail::done(channeler_node_start(raw_)); }

    /// Throws what a callback threw in the node's own thread.
    result<void> stop()
    {
        return run([](channeler_node *raw) { return channeler_node_stop(raw); });
    }

private:
    /// A callback may destroy or move this object: nothing of it is used after the call.
    template <class Call> result<void> run(Call call)
    {
        const std::shared_ptr<detail::keeper> thrown = thrown_;
        const std::int32_t status = call(raw_);
        if (thrown) thrown->rethrow();
        return detail::done(status);
    }

    std::shared_ptr<detail::keeper> thrown_;
};

inline void swap(node &left, node &right) noexcept { left.swap(right); }

} // namespace net
} // namespace channeler

#endif
