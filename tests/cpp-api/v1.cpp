// Version 1: who is there, what is said at an end, labels, early data, keys, and version 0.
#include "pair.hpp"

TEST(V1, BothSidesKnowEachOther)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::connection connection = both.a.node.connect(both.b.peer, both.b.at).value();
    EXPECT_FALSE(connection.info()->encrypted);
    EXPECT_FALSE(connection.info()->public_key);
    EXPECT_EQ(connection.update_keys().error(), net::errc::state);
    both.run();
    for (const auto &[one, other] : {std::pair(&both.a, &both.b), std::pair(&both.b, &both.a)}) {
        const heard connected = one->last(net::event_kind::connected);
        EXPECT_EQ(connected.peer, other->peer);
        const net::connection_details details = connected.connection.info().value();
        EXPECT_EQ(details.protocol, net::protocol::v1);
        EXPECT_TRUE(details.encrypted);
        EXPECT_EQ(details.public_key, other->node.public_key().value());
        EXPECT_EQ(details.peer, details.public_key.peer_id().value());
        EXPECT_EQ(details.observed_address, one->at);
    }
}

TEST(V1, AnotherPeerThanAskedForIsNotTaken)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::peer_id wrong = net::identity::generate()->peer_id();
    both.a.node.connect(wrong, both.b.at).value();
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::connection_closed).reason, net::errc::identity);
    EXPECT_EQ(both.a.count(net::event_kind::connected), 0);
    EXPECT_EQ(both.b.count(net::event_kind::connected), 0);
}

TEST(V1, WhoeverAnswersCanBeAskedFor)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::connection connection = both.a.node.connect(both.b.at).value();
    both.run();
    EXPECT_EQ(connection.info()->peer, both.b.peer);
}

TEST(V1, WhoIsRefusedHearsIt)
{
    pair both;
    net::callbacks callbacks;
    net::public_key shown;
    callbacks.on_accept = [&](net::connection connection, const net::peer_id &,
                              const net::address &) {
        shown = connection.info()->public_key;
        return false;
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    both.a.node.connect(both.b.peer, both.b.at).value();
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::connection_closed).reason, net::errc::refused);
    EXPECT_EQ(shown, both.a.node.public_key().value());
}

TEST(V1, ACloseTellsItsCodeAndReason)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::connection connection = both.open().info()->connection;
    EXPECT_EQ(connection.close(1, "a\0b"sv).error(), net::errc::invalid_argument);
    connection.close(42, "closing time").value();
    both.pass(100ms);
    for (const auto kind : {net::event_kind::connection_closed, net::event_kind::channel_closed}) {
        const heard end = both.b.last(kind);
        EXPECT_EQ(end.reason, net::errc::peer_closed);
        EXPECT_EQ(end.code, 42u);
        EXPECT_EQ(end.text, "closing time");
        EXPECT_EQ(both.a.last(kind).reason, net::errc::closed);
    }
    EXPECT_EQ(both.b.last(net::event_kind::connection_closed).peer, both.a.peer);
    EXPECT_EQ(connection.close().error(), net::errc::invalid_reference);
}

TEST(V1, LabelsReachThePeer)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::connection connection = both.a.node.connect(both.b.peer, both.b.at).value();
    for (const std::string &label : {""s, "chat"s, "\0\xff"s, std::string(255, 'x')}) {
        net::channel_options options;
        options.label = label;
        const net::channel channel = connection.open_channel(options).value();
        both.run();
        EXPECT_EQ(channel.label().value(), label);
        EXPECT_EQ(both.at_b().label().value(), label);
        EXPECT_EQ(both.at_b().info()->label_length, label.size());
        EXPECT_FALSE(both.at_b().info()->early);
    }
    net::channel_options options;
    options.label = std::string(256, 'x');
    EXPECT_EQ(connection.open_channel(options).error(), net::errc::invalid_argument);
    options.label = "";
    options.priority = 8;
    EXPECT_EQ(connection.open_channel(options).error(), net::errc::invalid_argument);
    options = {};
    options.weight = 0;
    EXPECT_EQ(connection.open_channel(options).error(), net::errc::invalid_argument);
    options = net::capabilities::ordered;
    options.resend_limit = 1;
    EXPECT_EQ(connection.open_channel(options).error(), net::errc::invalid_argument);
    options = {};
    options.message_lifetime = -1ns;
    EXPECT_EQ(connection.open_channel(options).error(), net::errc::invalid_argument);
}

TEST(V1, AResetTellsItsCodeAndReason)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    EXPECT_EQ(channel.reset(1, "a\0b"sv).error(), net::errc::invalid_argument);
    channel.reset(77, "enough").value();
    both.run();
    const heard end = both.b.last(net::event_kind::channel_closed);
    EXPECT_EQ(end.reason, net::errc::peer_closed);
    EXPECT_EQ(end.code, 77u);
    EXPECT_EQ(end.text, "enough");
    EXPECT_EQ(channel.reset().error(), net::errc::invalid_channelid);
    EXPECT_EQ(both.b.count(net::event_kind::connection_closed), 0);
}

TEST(V1, WithHalfCloseTheOtherDirectionGoesOn)
{
    pair both;
    net::options options;
    options.half_close = true;
    both.a.make();
    both.b.make({}, options);
    const net::channel at_a = both.open(), at_b = both.at_b();
    at_a.close().value();
    both.run();
    EXPECT_EQ(both.b.last(net::event_kind::channel_finished).channel, at_b);
    EXPECT_EQ(both.b.count(net::event_kind::channel_closed), 0);
    at_b.send("answer").value();
    both.run();
    std::array<std::uint8_t, 8> room;
    EXPECT_EQ(at_a.receive(room)->length, 6u);
    at_b.close().value();
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::channel_closed).reason, net::errc::closed);
    EXPECT_EQ(both.b.last(net::event_kind::channel_closed).reason, net::errc::closed);
}

TEST(V1, KeysChangeWhileMessagesFlow)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = both.open(), at_b = both.at_b();
    std::array<std::uint8_t, 8> room;
    for (int i = 0; i < 10; i++) {
        if (i % 3 == 0) at_a.info()->connection.update_keys().value();
        if (i % 4 == 0) at_b.info()->connection.update_keys().value();
        at_a.send("ping").value();
        at_b.send("pong").value();
        both.pass(1s);
        EXPECT_EQ(at_a.receive(room)->length, 4u);
        EXPECT_EQ(at_b.receive(room)->length, 4u);
    }
    EXPECT_EQ(both.a.count(net::event_kind::connection_closed), 0);
}

TEST(V1, AnEarlyMessageComesWithTheFirstPackets)
{
    for (const bool is_taken : {false, true}) {
        pair both;
        net::options options;
        options.early_data = is_taken;
        both.a.make();
        both.b.make({}, options);
        const net::channel first = both.open();
        both.pass(100ms); // for the ticket
        first.info()->connection.close().value();
        both.pass(1s);
        EXPECT_EQ(both.b.node.stats()->connections, 0u);

        const net::connection again = both.a.node.connect(both.b.peer, both.b.at).value();
        again.open_channel()->send_early("early").value();
        both.carry(both.a, both.b); // one way, and nothing back yet
        EXPECT_EQ(both.b.count(net::event_kind::channel_opened), is_taken ? 2 : 1);
        both.run();
        std::array<std::uint8_t, 8> room;
        EXPECT_EQ(both.at_b().receive(room)->length, 5u);
        EXPECT_EQ(both.at_b().info()->early, is_taken);
    }
}

TEST(V1, TheKeyLogTellsTheSameOnBothSides)
{
    pair both;
    std::vector<std::string> lines[2];
    net::callbacks callbacks[2];
    for (int i = 0; i < 2; i++) {
        callbacks[i].on_key_log = [&lines, i](net::node_ref node, std::string_view line) {
            EXPECT_TRUE(node);
            lines[i].emplace_back(line);
        };
    }
    both.a.make(std::move(callbacks[0]));
    both.b.make(std::move(callbacks[1]));
    both.open();
    for (std::vector<std::string> &each : lines) std::sort(each.begin(), each.end());
    EXPECT_GE(lines[0].size(), 3u);
    EXPECT_EQ(lines[0], lines[1]);
    EXPECT_EQ(lines[0][0].rfind("CLIENT_", 0), 0u);
}

TEST(V1, WhatAKeyLogThrowsComesOutOfTheCallThatRanIt)
{
    pair both;
    net::callbacks callbacks;
    callbacks.on_key_log = [](net::node_ref, std::string_view) { throw 7; };
    both.a.make(std::move(callbacks));
    both.b.make();
    both.a.node.connect(both.b.peer, both.b.at).value();
    EXPECT_THROW(both.run(), int);
}

TEST(V1, TheDiallingProgramNamesTheVersion)
{
    for (const auto version : {net::protocol::v0, net::protocol::v1}) {
        pair both;
        net::options options;
        options.legacy = net::legacy::accept;
        both.a.make({}, options);
        options.legacy = version == net::protocol::v0 ? net::legacy::only : net::legacy::off;
        both.b.make({}, options);
        net::dial_options dial(both.b.peer, both.b.at);
        dial.protocol = version;
        const net::connection connection = both.a.node.dial(dial).value();
        connection.open_channel().value();
        both.run();
        EXPECT_EQ(connection.info()->protocol, version);
        EXPECT_EQ(connection.info()->encrypted, version == net::protocol::v1);
        EXPECT_EQ(both.b.count(net::event_kind::channel_opened), 1);
        dial.protocol =
            version == net::protocol::v0 ? net::protocol::v1 : net::protocol::v0;
        dial.peer = both.a.peer;
        dial.address = both.a.at;
        EXPECT_EQ(both.b.node.dial(dial).error(), net::errc::unsupported);
    }
}
