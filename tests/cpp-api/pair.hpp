// Two sans-IO nodes in one program, a network between them, and a record of what they were told.
#ifndef CPP_API_PAIR_HPP
#define CPP_API_PAIR_HPP

#include <channeler/channeler.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace net = channeler::net;
using namespace std::literals;

inline net::peer_id peer_of(std::uint8_t byte)
{
    std::array<std::uint8_t, 16> raw;
    raw.fill(byte);
    return net::peer_id(raw);
}

inline net::address address_of(std::string_view text)
{
    return net::address::parse(text).value();
}

/// What an event said; the view itself must not be kept.
struct heard {
    net::event_kind kind;
    net::errc reason;
    net::connection connection;
    net::channel channel;
    bool by_peer;
    net::peer_id peer = {};
    std::uint64_t code = 0;
    std::string text = {};
};

struct side {
    net::node node;
    net::peer_id peer; // version 1: known when there is a node, since its key is drawn
    net::address at;
    std::vector<heard> events;

    int count(net::event_kind kind) const
    {
        int found = 0;
        for (const heard &event : events) found += event.kind == kind ? 1 : 0;
        return found;
    }

    heard last(net::event_kind kind) const
    {
        for (auto event = events.rbegin(); event != events.rend(); ++event) {
            if (event->kind == kind) return *event;
        }
        throw std::runtime_error("no such event");
    }

    /// Makes the node; events are recorded, unless `callbacks` has an on_event.
    void make(net::callbacks callbacks = {}, const net::options &from = {})
    {
        net::options options = from;
        options.mode = net::mode::sans_io;
        if (options.legacy == net::legacy::only) options.peer_id = peer;
        options.log_level = net::log_level::debug;
        options.seed.fill(peer.bytes()[0] | 1);
        if (!callbacks.on_event) {
            callbacks.on_event = [this](const net::event &event) {
                events.push_back({event.kind(), event.reason(), event.connection(),
                                  event.channel(), event.by_peer(), event.peer(),
                                  event.code(), std::string(event.text())});
            };
        }
        node = net::node::create(options, std::move(callbacks)).value();
        node.handle_timeout(1s).value();
        peer = node.peer_id().value();
    }
};

struct pair {
    side a{{}, peer_of(0xaa), address_of("192.0.2.1:1000"), {}};
    side b{{}, peer_of(0xbb), address_of("192.0.2.2:2000"), {}};
    std::chrono::nanoseconds now = 1s;

    /// Carries what `from` has to send to `to`; how many datagrams.
    int carry(side &from, side &to)
    {
        std::array<std::uint8_t, 2048> room;
        int count = 0;
        for (;;) {
            const auto sent = from.node.poll_transmit(now, room);
            if (sent.error() == net::errc::data_unavailable) return count;
            EXPECT_EQ(sent->to, to.at);
            to.node.handle_datagram(now, from.at, to.at, {room.data(), sent->length}).value();
            count++;
        }
    }

    /// Carries datagrams both ways, without time passing, until none is left.
    void run()
    {
        int carried = 0;
        do {
            a.node.process(0s).value();
            b.node.process(0s).value();
            carried = carry(a, b);
            carried += carry(b, a);
        } while (carried > 0);
    }

    /// Lets time pass for both, and carries what comes of it.
    void pass(std::chrono::nanoseconds span)
    {
        const std::chrono::nanoseconds end = now + span;
        do {
            const auto due = std::min(a.node.poll_timeout().value(), b.node.poll_timeout().value());
            now = std::min(std::max(now, due), end);
            a.node.handle_timeout(now).value();
            b.node.handle_timeout(now).value();
            run();
        } while (now < end);
    }

    /// Opens a channel from a; the channel as a has it.
    net::channel open()
    {
        net::connection connection = a.node.connect(b.peer, b.at).value();
        net::channel channel = connection.open_channel().value();
        run();
        EXPECT_EQ(a.last(net::event_kind::channel_opened).channel, channel);
        return channel;
    }

    /// The last channel that b was told of.
    net::channel at_b() const { return b.last(net::event_kind::channel_opened).channel; }
};

#endif
