// Callbacks: what they get, what they may throw, and that a node may be destroyed in its own.
#include "pair.hpp"

#include <stdexcept>

TEST(Callbacks, GetMessagesAsTheyCome)
{
    pair both;
    std::vector<std::string> got;
    net::callbacks callbacks;
    callbacks.on_message = [&](net::connection connection, net::channel from, net::bytes data) {
        EXPECT_EQ(from.info()->connection, connection);
        EXPECT_EQ(from.node(), both.b.node);
        got.emplace_back(data.text());
        from.send("echo").value();
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    const net::channel channel = both.open();
    channel.send("hello").value();
    both.run();
    EXPECT_EQ(got, std::vector<std::string>{"hello"});
    std::array<std::uint8_t, 8> room;
    EXPECT_EQ(channel.receive(room)->length, 4u);
    EXPECT_EQ(both.b.count(net::event_kind::readable), 0);
}

TEST(Callbacks, AreAskedWhetherAPeerMayConnect)
{
    for (const bool answer : {false, true}) {
        pair both;
        int asked = 0;
        net::callbacks callbacks;
        callbacks.on_accept = [&](net::connection connection, const net::peer_id &peer,
                                  const net::address &from) {
            asked++;
            EXPECT_EQ(peer, both.a.peer);
            EXPECT_EQ(from, both.a.at);
            EXPECT_EQ(connection.info()->peer, peer);
            return answer;
        };
        both.a.make();
        both.b.make(std::move(callbacks));
        both.a.node.connect(both.b.peer, both.b.at)->open_channel().value();
        both.run();
        EXPECT_EQ(asked, 1);
        EXPECT_EQ(both.b.count(net::event_kind::channel_opened), answer ? 1 : 0);
    }
}

TEST(Callbacks, EventsHaveAllTheirFields)
{
    pair both;
    int opened = 0;
    net::callbacks callbacks;
    callbacks.on_event = [&](const net::event &event) {
        EXPECT_EQ(event.node(), both.b.node);
        EXPECT_EQ(event.capi().kind, std::uint32_t(event.kind()));
        if (event.kind() != net::event_kind::channel_opened) return;
        opened++;
        EXPECT_TRUE(event.by_peer());
        EXPECT_TRUE(event.connection());
        EXPECT_TRUE(event.channel());
        EXPECT_EQ(event.reason(), net::errc::ok);
        EXPECT_EQ(event.packet_size(), 0u);
        EXPECT_FALSE(event.address());
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    both.open();
    EXPECT_EQ(opened, 1);
}

TEST(Callbacks, GetDatagramsOfOtherProtocolsAndLinesForALog)
{
    side one{{}, peer_of(1), address_of("192.0.2.1:1"), {}};
    std::vector<std::string> datagrams, lines;
    net::callbacks callbacks;
    callbacks.on_datagram = [&](net::node_ref node, const net::address &from, net::bytes data) {
        EXPECT_EQ(node, one.node);
        EXPECT_EQ(from, address_of("192.0.2.7:7"));
        datagrams.emplace_back(data.text());
    };
    callbacks.on_log = [&](net::node_ref node, net::log_level level, std::string_view line) {
        EXPECT_TRUE(node);
        EXPECT_GE(level, net::log_level::error);
        EXPECT_LE(level, net::log_level::debug);
        lines.emplace_back(line);
    };
    one.make(std::move(callbacks));
    one.node.handle_datagram(1s, address_of("192.0.2.7:7"), one.at, "\x01 STUN").value();
    EXPECT_EQ(datagrams, std::vector<std::string>{"\x01 STUN"});
    one.node.connect(peer_of(2), address_of("192.0.2.2:2"))->open_channel().value();
    for (int i = 0; i < 60 && one.node.poll_timeout().value() != net::forever; i++)
        one.node.handle_timeout(one.node.poll_timeout().value()).value();
    EXPECT_FALSE(lines.empty());
}

TEST(Callbacks, AreDestroyedWithTheNode)
{
    const auto captured = std::make_shared<int>(0);
    net::callbacks callbacks;
    callbacks.on_log = [captured](net::node_ref, net::log_level, std::string_view) {};
    net::options options;
    options.mode = net::mode::sans_io;
    {
        const net::node node = net::node::create(options, callbacks).value();
        EXPECT_EQ(captured.use_count(), 3);
    }
    EXPECT_EQ(captured.use_count(), 2);
    options.packet_size = 1;
    EXPECT_FALSE(net::node::create(options, callbacks));
    EXPECT_EQ(captured.use_count(), 2);
}

TEST(Exceptions, AreThrownAgainByTheFunctionThatRanTheCallback)
{
    pair both;
    net::callbacks callbacks;
    callbacks.on_message = [](net::connection, net::channel, net::bytes data) {
        throw std::runtime_error(std::string(data.text()));
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    const net::channel channel = both.open();
    channel.send("first").value();
    channel.send("second").value();
    try {
        both.run();
        FAIL() << "nothing was thrown";
    } catch (const std::runtime_error &thrown) {
        EXPECT_STREQ(thrown.what(), "first");
    }
    // Both were called; what came after the first exception is gone, and the node goes on.
    both.b.node.process(0s).value();
    EXPECT_EQ(both.at_b().stats()->messages_received, 2u);
    channel.send("third").value();
    EXPECT_THROW(both.run(), std::runtime_error);
    both.run();
}

TEST(Exceptions, AreThrownByProcessAndHandleTimeoutToo)
{
    int thrown = 0;
    net::callbacks callbacks;
    callbacks.on_event = [&](const net::event &event) {
        thrown++;
        throw event.kind();
    };
    side one{{}, peer_of(1), address_of("192.0.2.1:1"), {}};
    one.make(callbacks);
    const net::connection connection =
        one.node.connect(peer_of(2), address_of("192.0.2.2:2")).value();
    connection.open_channel().value();
    connection.close().value();
    EXPECT_THROW(one.node.process(0s).value(), net::event_kind);
    EXPECT_GT(thrown, 0);

    thrown = 0;
    one.node.connect(peer_of(2), address_of("192.0.2.2:2"))->open_channel().value();
    const auto until_the_end = [&] {
        while (one.node.poll_timeout().value() != net::forever)
            one.node.handle_timeout(one.node.poll_timeout().value()).value();
    };
    EXPECT_THROW(until_the_end(), net::event_kind);
    EXPECT_GT(thrown, 0);
}

TEST(Exceptions, OfOnAcceptRefuse)
{
    pair both;
    net::callbacks callbacks;
    callbacks.on_accept = [](net::connection, const net::peer_id &, const net::address &) -> bool {
        throw 7;
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    both.a.node.connect(both.b.peer, both.b.at)->open_channel().value();
    EXPECT_THROW(both.run(), int);
    both.run();
    EXPECT_EQ(both.b.count(net::event_kind::channel_opened), 0);
    EXPECT_EQ(both.b.node.stats()->connections, 0u);
}

TEST(Exceptions, GoToOnExceptionWhenThereIsOne)
{
    pair both;
    int seen = 0;
    bool rethrows = false;
    net::callbacks callbacks;
    callbacks.on_message = [](net::connection, net::channel, net::bytes) { throw 7; };
    callbacks.on_exception = [&](std::exception_ptr thrown) {
        seen++;
        if (rethrows) std::rethrow_exception(thrown);
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    const net::channel channel = both.open();
    channel.send("x").value();
    both.run();
    EXPECT_EQ(seen, 1);
    rethrows = true;
    channel.send("y").value();
    EXPECT_THROW(both.run(), int);
    EXPECT_EQ(seen, 2);
}

TEST(Node, MayBeDestroyedInItsOwnCallback)
{
    pair both;
    const auto captured = std::make_shared<int>(0);
    net::callbacks callbacks;
    int calls = 0;
    callbacks.on_message = [&both, &calls, captured](net::connection, net::channel from,
                                                     net::bytes) {
        both.b.node.reset();
        calls++;
        *captured += 1; // what was captured is still there
        EXPECT_EQ(from.send("x").error(), net::errc::state);
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    callbacks = {};
    const net::channel channel = both.open();
    channel.send("one").value();
    channel.send("two").value();
    std::array<std::uint8_t, 2048> room;
    for (;;) {
        const auto sent = both.a.node.poll_transmit(both.now, room);
        if (!sent) break;
        static_cast<void>(both.b.node.handle_datagram(both.now, both.a.at, both.b.at,
                                                      {room.data(), sent->length}));
    }
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(captured.use_count(), 1);
    EXPECT_EQ(both.b.node.stats().error(), net::errc::invalid_argument) << "it is no node";
}

TEST(Node, MayBeDestroyedInACallbackThatThrows)
{
    pair both;
    net::callbacks callbacks;
    callbacks.on_message = [&](net::connection, net::channel, net::bytes) {
        both.b.node = net::node();
        throw std::runtime_error("after the end");
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    const net::channel channel = both.open();
    channel.send("x").value();
    EXPECT_THROW(both.run(), std::runtime_error);
    EXPECT_FALSE(both.b.node);
}

TEST(Node, ProcessInItsOwnCallbackIsAnError)
{
    pair both;
    net::errc inside = net::errc::ok;
    net::callbacks callbacks;
    callbacks.on_message = [&](net::connection, net::channel, net::bytes) {
        inside = both.b.node.process(0s).error().code();
    };
    both.a.make();
    both.b.make(std::move(callbacks));
    both.open().send("x").value();
    both.run();
    EXPECT_EQ(inside, net::errc::state);
}

TEST(Node, IsMovedNotCopied)
{
    static_assert(!std::is_copy_constructible_v<net::node>);
    static_assert(!std::is_copy_assignable_v<net::node>);
    static_assert(std::is_nothrow_move_constructible_v<net::node>);
    static_assert(std::is_nothrow_move_assignable_v<net::node>);
    static_assert(!std::is_assignable_v<net::node &, net::node_ref>, "a node has one owner");

    side one{{}, peer_of(1), address_of("192.0.2.1:1"), {}};
    side two{{}, peer_of(2), address_of("192.0.2.2:2"), {}};
    one.make();
    two.make();
    const net::node_ref first = one.node, second = two.node;
    net::node moved(std::move(one.node));
    EXPECT_EQ(moved, first);
    EXPECT_FALSE(one.node);
    EXPECT_EQ(one.node.process(0s).error(), net::errc::invalid_argument);
    moved = std::move(two.node);
    EXPECT_EQ(moved, second);
    EXPECT_EQ(first.stats().error(), net::errc::state) << "it was freed";
    net::node &itself = moved;
    moved = std::move(itself);
    EXPECT_EQ(moved, second);
    EXPECT_EQ(moved.peer_id().value(), two.peer);
    using std::swap;
    swap(moved, one.node);
    EXPECT_EQ(one.node, second);
    EXPECT_FALSE(moved);
}

TEST(Node, ExceptionsFollowAMovedNode)
{
    pair both;
    net::callbacks callbacks;
    callbacks.on_message = [](net::connection, net::channel, net::bytes) { throw 7; };
    both.a.make();
    both.b.make(std::move(callbacks));
    net::node moved = std::move(both.b.node);
    swap(moved, both.b.node);
    both.open().send("x").value();
    EXPECT_THROW(both.run(), int);
}

TEST(Node, IsGivenAwayWithItsCallbacks)
{
    side one{{}, peer_of(1), address_of("192.0.2.1:1"), {}};
    const auto captured = std::make_shared<int>(0);
    net::callbacks callbacks;
    callbacks.on_event = [captured](const net::event &) { ++*captured; };
    one.make(std::move(callbacks));
    callbacks = {};
    EXPECT_NE(one.node.capi(), nullptr);
    channeler_node *raw = one.node.capi_release();
    EXPECT_FALSE(one.node);
    const net::node_ref ref(raw);
    const net::connection connection = ref.connect(peer_of(2), address_of("192.0.2.2:2")).value();
    connection.close().value();
    EXPECT_EQ(channeler_node_process(raw, 0), CHANNELER_OK);
    EXPECT_EQ(*captured, 1);
    EXPECT_EQ(channeler_node_free(raw), CHANNELER_OK);
    EXPECT_EQ(captured.use_count(), 1);
}
