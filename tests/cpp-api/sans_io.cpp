// Channels between two nodes without sockets: sending, receiving, ending, and what they tell.
#include "pair.hpp"

TEST(Channel, CarriesMessagesBothWays)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = both.open(), at_b = both.at_b();
    std::array<std::uint8_t, 64> room;

    at_a.send("question").value();
    both.run();
    EXPECT_EQ(both.b.last(net::event_kind::readable).channel, at_b);
    const net::received whole = at_b.receive(room).value();
    EXPECT_EQ(net::bytes(room.data(), whole.length).text(), "question");
    EXPECT_EQ(whole.remaining, 0u);
    EXPECT_EQ(at_b.receive(room).error(), net::errc::data_unavailable);

    at_b.send(std::vector<std::uint8_t>{'o', 'k', '!'}).value();
    both.run();
    const net::received part = at_a.receive({room.data(), 2}).value();
    EXPECT_EQ(part.length, 2u);
    EXPECT_EQ(part.remaining, 1u);
    EXPECT_EQ(at_a.receive(room)->length, 1u);
    EXPECT_EQ(room[0], '!');
}

TEST(Channel, ReadsWholeMessagesOrNone)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = both.open(), at_b = both.at_b();
    std::array<std::uint8_t, 4> room;
    EXPECT_EQ(at_b.next_length().error(), net::errc::data_unavailable);
    EXPECT_EQ(at_b.receive_message().error(), net::errc::data_unavailable);
    at_a.send("longer than that").value();
    at_a.send("next").value();
    both.run();
    EXPECT_EQ(at_b.next_length().value(), 16u);
    std::size_t needed = 0;
    EXPECT_EQ(at_b.receive_whole(room, &needed).error(), net::errc::insufficient_buffer_size);
    EXPECT_EQ(needed, 16u);
    EXPECT_EQ(at_b.receive_whole(room).error(), net::errc::insufficient_buffer_size);
    EXPECT_EQ(net::bytes(at_b.receive_message().value()).text(), "longer than that");
    EXPECT_EQ(at_b.receive_whole(room).value(), 4u);
    EXPECT_EQ(net::bytes(room).text(), "next");
}

TEST(Channel, TellsWhatItIs)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = both.open(), at_b = both.at_b();
    const net::channel_details ours = at_a.info().value(), theirs = at_b.info().value();
    EXPECT_EQ(ours.connection, both.a.last(net::event_kind::connected).connection);
    EXPECT_EQ(ours.role, net::role::initiator);
    EXPECT_EQ(theirs.role, net::role::responder);
    EXPECT_TRUE(ours.established);
    EXPECT_EQ(ours.initiator_half, theirs.initiator_half);
    EXPECT_EQ(ours.responder_half, theirs.responder_half);
    EXPECT_EQ(ours.capabilities, net::capabilities::none);
    EXPECT_EQ(at_a.node(), both.a.node);
    EXPECT_EQ(at_a.node(), net::node_ref(both.a.node));
    EXPECT_NE(at_b.node(), both.a.node);
    EXPECT_FALSE(both.a.last(net::event_kind::channel_opened).by_peer);
    EXPECT_TRUE(both.b.last(net::event_kind::channel_opened).by_peer);
}

TEST(Channel, IsOpenedWithItsCapabilities)
{
    pair both;
    both.a.make();
    both.b.make();
    net::channel_options options;
    options.capabilities = net::capabilities::ordered;
    const net::connection connection = both.a.node.connect(both.b.peer, both.b.at).value();
    const net::channel channel = connection.open_channel(options).value();
    EXPECT_FALSE(channel.info()->established);
    both.run();
    EXPECT_EQ(channel.info()->capabilities, net::capabilities::ordered);
    EXPECT_EQ(both.at_b().info()->capabilities, net::capabilities::ordered);
}

TEST(Connection, TellsWhatItIs)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::connection connection = both.a.node.connect(both.b.peer, both.b.at).value();
    EXPECT_EQ(both.a.node.connect(both.b.peer, both.b.at).value(), connection);
    EXPECT_FALSE(connection.info()->connected);
    both.open();
    const net::connection_details details = connection.info().value();
    EXPECT_TRUE(details.connected);
    EXPECT_EQ(details.peer, both.b.peer);
    EXPECT_EQ(details.address, both.b.at);
    EXPECT_GT(details.message_bytes_max, 1000u);
    EXPECT_EQ(connection.node(), both.a.node);
    EXPECT_EQ(both.a.node.peer_id().value(), both.a.peer);
    EXPECT_EQ(both.a.node.connect(both.a.peer, both.b.at).error(), net::errc::invalid_argument);
}

TEST(Channel, RefusesWhatIsTooLargeAndWhatIsEmpty)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    EXPECT_EQ(channel.send(std::string(2 << 20, 'x')).error(), net::errc::too_large);
    EXPECT_EQ(channel.send("").error(), net::errc::invalid_argument);
    EXPECT_EQ(channel.send(net::bytes()).error(), net::errc::invalid_argument);
    EXPECT_EQ(channel.receive(net::mutable_bytes()).error(), net::errc::invalid_argument);
}

TEST(Channel, FullQueueWouldBlockAndIsWritableLater)
{
    pair both;
    net::options options;
    options.send_queue_packets_max = 2;
    both.a.make({}, options);
    both.b.make();
    const net::channel channel = both.open();
    const std::string large(1000, 'x');
    net::result<void> sent;
    int taken = 0;
    while ((sent = channel.send(large))) taken++;
    EXPECT_EQ(taken, 2);
    EXPECT_EQ(sent.error(), net::errc::would_block);
    EXPECT_EQ(both.a.count(net::event_kind::writable), 0);
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::writable).channel, channel);
}

TEST(Channel, BatchesAreTakenUpToTheFirstThatFails)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open(), at_b = both.at_b();
    const std::string too_large(2 << 20, 'x'); // more than a queue takes
    const std::vector<net::message> messages{
        net::make_message(channel, "one"), net::make_message(channel, "two"),
        net::make_message(channel, too_large), net::make_message(channel, "four")};
    const net::progress sent = both.a.node.send_many(messages);
    EXPECT_FALSE(sent);
    EXPECT_EQ(sent.count, 2u);
    EXPECT_EQ(sent.error, net::errc::too_large);
    const net::progress rest = both.a.node.send_many({&messages[3], 1});
    EXPECT_TRUE(rest);
    EXPECT_EQ(rest.count, 1u);
    both.run();

    std::array<std::array<char, 16>, 4> rooms;
    std::array<net::slot, 4> slots;
    for (std::size_t i = 0; i < slots.size(); i++) slots[i] = net::make_slot(at_b, rooms[i]);
    EXPECT_EQ(both.b.node.receive_many(slots).value(), 3u);
    EXPECT_EQ(std::string(rooms[0].data(), slots[0].length), "one");
    EXPECT_EQ(std::string(rooms[1].data(), slots[1].length), "two");
    EXPECT_EQ(std::string(rooms[2].data(), slots[2].length), "four");
    EXPECT_EQ(net::errc(slots[3].status), net::errc::data_unavailable);
    EXPECT_EQ(both.b.node.receive_many(slots).error(), net::errc::data_unavailable);
}

namespace {

/// A buffer that counts how many of them hold bytes.
class counted {
public:
    counted(std::string text, int &alive) : text_(std::move(text)), alive_(&alive) { alive++; }
    counted(counted &&other) noexcept
        : text_(std::move(other.text_)), alive_(std::exchange(other.alive_, nullptr))
    {
    }
    counted &operator=(counted &&other) noexcept
    {
        std::swap(text_, other.text_);
        std::swap(alive_, other.alive_);
        return *this;
    }
    ~counted()
    {
        if (alive_ != nullptr) --*alive_;
    }
    const char *data() const { return text_.data(); }
    std::size_t size() const { return text_.size(); }

private:
    std::string text_;
    int *alive_;
};

} // namespace

TEST(Channel, OwnedBufferIsDestroyedOnceWhenItWasSent)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open(), at_b = both.at_b();
    int alive = 0;
    channel.send_owned(counted("long enough to be on the heap, all of it", alive)).value();
    EXPECT_EQ(alive, 1);
    both.run();
    EXPECT_EQ(alive, 0);
    std::array<std::uint8_t, 64> room;
    EXPECT_EQ(at_b.receive(room)->length, 40u);
    channel.send_owned(std::string("short")).value();
    both.run();
    EXPECT_EQ(at_b.receive(room)->length, 5u);
    EXPECT_EQ(net::bytes(room.data(), 5).text(), "short");
}

TEST(Channel, OwnedBufferIsDestroyedWithTheNodeAtTheLatest)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    int alive = 0;
    channel.send_owned(counted("text", alive)).value();
    both.a.node.reset();
    EXPECT_EQ(alive, 0);
}

TEST(Channel, OwnedBufferComesBackWhenTheCallFails)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    std::string large(2 << 20, 'x'); // more than a queue takes
    EXPECT_EQ(channel.send_owned(std::move(large)).error(), net::errc::too_large);
    EXPECT_EQ(large.size(), 2u << 20);
    int alive = 0;
    {
        counted buffer(std::string(2 << 20, 'y'), alive);
        EXPECT_FALSE(channel.send_owned(std::move(buffer)));
        EXPECT_EQ(buffer.size(), 2u << 20);
        EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Channel, CountsAsConnectionAndNodeDo)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    channel.send("12345").value();
    EXPECT_GT(channel.stats()->send_queue_bytes, 0u);
    both.run();
    EXPECT_EQ(channel.stats()->messages_sent, 1u);
    EXPECT_EQ(channel.stats()->bytes_sent, 5u);
    EXPECT_EQ(both.at_b().stats()->receive_queue_bytes, 5u);
    EXPECT_EQ(channel.info()->connection.stats()->channels, 1u);
    EXPECT_GT(channel.info()->connection.stats()->bytes_sent, 5u);
    const net::node_counters counters = both.b.node.stats().value();
    EXPECT_EQ(counters.connections, 1u);
    EXPECT_EQ(counters.messages_received, 1u);
}

TEST(Stale, HandlesAreErrorsAfterClose)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    const net::connection connection = channel.info()->connection;
    channel.close().value();
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::channel_closed).reason, net::errc::closed);
    EXPECT_EQ(channel.send("x").error(), net::errc::invalid_channelid);
    EXPECT_EQ(channel.info().error(), net::errc::invalid_channelid);
    EXPECT_EQ(channel.stats().error(), net::errc::invalid_channelid);
    EXPECT_EQ(channel.close().error(), net::errc::invalid_channelid);
    connection.close().value();
    both.run();
    EXPECT_EQ(both.a.last(net::event_kind::connection_closed).connection, connection);
    EXPECT_EQ(connection.open_channel().error(), net::errc::invalid_reference);
    EXPECT_EQ(connection.info().error(), net::errc::invalid_reference);
    EXPECT_EQ(connection.stats().error(), net::errc::invalid_reference);
    EXPECT_EQ(connection.close().error(), net::errc::invalid_reference);
}

TEST(Stale, HandlesOfADestroyedNodeAreErrors)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    const net::connection connection = channel.info()->connection;
    const net::node_ref ref = both.a.node;
    EXPECT_TRUE(ref.stats());
    both.a.node.reset();
    EXPECT_FALSE(both.a.node);
    EXPECT_EQ(channel.send("x").error(), net::errc::state);
    EXPECT_EQ(connection.open_channel().error(), net::errc::state);
    EXPECT_EQ(ref.stats().error(), net::errc::state);
    EXPECT_EQ(channel.node().peer_id().error(), net::errc::state);
}

TEST(Stale, HandlesOfAnotherNodeAreErrors)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel channel = both.open();
    const net::channel stranger(both.b.node.capi(), channel.capi());
    EXPECT_EQ(stranger.send("x").error(), net::errc::invalid_channelid);
}

TEST(Ban, ClosesAndKeepsOutUntilLifted)
{
    pair both;
    both.a.make();
    both.b.make();
    both.open();
    EXPECT_FALSE(both.b.node.lift_ban_peer(both.a.peer).value());
    both.b.node.ban_peer(both.a.peer, 1h).value();
    both.b.node.ban_address(both.a.at, 1h).value();
    both.run();
    EXPECT_EQ(both.b.last(net::event_kind::connection_closed).reason, net::errc::banned);
    EXPECT_EQ(both.b.node.connect(both.a.peer, both.a.at).error(), net::errc::banned);
    EXPECT_TRUE(both.b.node.lift_ban_peer(both.a.peer).value());
    EXPECT_TRUE(both.b.node.lift_ban_address(both.a.at).value());
    EXPECT_FALSE(both.b.node.lift_ban_address(both.a.at).value());
    EXPECT_TRUE(both.b.node.connect(both.a.peer, both.a.at));
    EXPECT_EQ(both.b.node.ban_peer(both.a.peer, -1s).error(), net::errc::invalid_argument);
    EXPECT_EQ(both.b.node.ban_address(both.a.at, -1s).error(), net::errc::invalid_argument);
    both.b.node.ban_peer(both.a.peer, net::forever).value();
    EXPECT_EQ(both.b.node.ban_address(net::address(), 1s).error(), net::errc::invalid_address);
}

TEST(SansIo, SmallBufferLosesNothingAndTellsWhatIsNeeded)
{
    pair both;
    net::options options;
    options.legacy = net::legacy::only; // of which one packet is all
    both.a.make({}, options);
    both.b.make({}, options);
    both.a.node.connect(both.b.peer, both.b.at)->open_channel().value();
    std::array<std::uint8_t, 2048> room;
    std::size_t needed = 0;
    EXPECT_EQ(both.a.node.poll_transmit(1s, {room.data(), 1}).error(),
              net::errc::insufficient_buffer_size);
    EXPECT_EQ(both.a.node.poll_transmit(1s, {room.data(), 1}, &needed).error(),
              net::errc::insufficient_buffer_size);
    ASSERT_GT(needed, 1u);
    const net::transmit sent = both.a.node.poll_transmit(1s, {room.data(), needed}).value();
    EXPECT_EQ(sent.length, needed);
    EXPECT_EQ(sent.segment_size, needed);
    EXPECT_EQ(sent.to, both.b.at);
    EXPECT_FALSE(sent.from);
    EXPECT_EQ(sent.connection, both.a.node.connect(both.b.peer, both.b.at).value());
    EXPECT_EQ(both.a.node.poll_transmit(1s, room).error(), net::errc::data_unavailable);
}

TEST(SansIo, DeadlineIsForeverUntilThereIsSomethingToDo)
{
    pair both;
    net::options options;
    options.idle_timeout = 0s;
    options.legacy = net::legacy::only;
    both.a.make({}, options);
    EXPECT_EQ(both.a.node.poll_timeout().value(), net::forever);
    both.a.node.connect(both.b.peer, both.b.at)->open_channel().value();
    std::array<std::uint8_t, 2048> room;
    EXPECT_TRUE(both.a.node.poll_transmit(1s, room));
    const std::chrono::nanoseconds deadline = both.a.node.poll_timeout().value();
    EXPECT_GE(deadline, 1s + 100ms); // 200 ms, more or less
    EXPECT_LE(deadline, 1s + 300ms);
    both.a.node.handle_timeout(deadline).value();
    EXPECT_TRUE(both.a.node.poll_transmit(deadline, room)) << "the request is repeated";
    // Time before 0 is 0, not the far future.
    both.a.node.handle_timeout(-1s).value();
    EXPECT_EQ(both.a.node.poll_transmit(-1s, room).error(), net::errc::data_unavailable);
    EXPECT_GT(both.a.node.poll_timeout().value(), deadline);
}

TEST(SansIo, SendErrorsAreHeard)
{
    pair both;
    both.a.make();
    both.b.make();
    both.a.node.connect(both.b.peer, both.b.at)->open_channel().value();
    std::array<std::uint8_t, 2048> room;
    const net::transmit sent = both.a.node.poll_transmit(1s, room).value();
    both.a.node.handle_send_error(1s, sent, net::send_cause::unreachable).value();
    both.a.node.process(0s).value();
    EXPECT_EQ(both.a.count(net::event_kind::path_unreachable), 1);
    EXPECT_EQ(both.a.node.handle_send_error(1s, sent, net::send_cause(99)).error(),
              net::errc::invalid_argument);
}

TEST(SansIo, HasNoSocketsAndNoThread)
{
    side one{{}, peer_of(1), address_of("192.0.2.1:1"), {}};
    one.make();
    EXPECT_EQ(one.node.bind(one.at).error(), net::errc::unsupported);
    EXPECT_EQ(one.node.local_address().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.start().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.stop().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.flush().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.fd().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.timeout().error(), net::errc::unsupported);
    EXPECT_EQ(one.node.wake().error(), net::errc::unsupported);
    EXPECT_TRUE(one.node.handle_datagram(1s, one.at, net::address(), "nonsense"));
    EXPECT_EQ(one.node.stats()->datagrams_received, 1u);
}
