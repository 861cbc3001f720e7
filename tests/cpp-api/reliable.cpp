// Reliable channels: every mode, large messages, reports, lifetimes, and what is too large.
#include "pair.hpp"

namespace {

net::channel open(pair &both, const net::channel_options &options)
{
    const net::connection connection = both.a.node.connect(both.b.peer, both.b.at).value();
    const net::channel channel = connection.open_channel(options).value();
    both.run();
    return channel;
}

std::string text_of(const std::vector<std::uint8_t> &message)
{
    return std::string(net::bytes(message).text());
}

} // namespace

TEST(Reliable, EveryModeOpensAndCarriesMessages)
{
    pair both;
    both.a.make();
    both.b.make();
    for (std::uint32_t mode = 0; mode < 8; mode++) {
        net::channel_options options = net::capabilities(mode);
        options.priority = mode;
        options.weight = mode + 1;
        const net::channel at_a = open(both, options), at_b = both.at_b();
        const net::channel_details details = at_b.info().value();
        EXPECT_EQ(std::uint32_t(details.capabilities), mode);
        EXPECT_EQ(details.priority, mode);
        EXPECT_EQ(details.weight, mode + 1);
        at_a.send("there").value();
        both.pass(100ms);
        EXPECT_EQ(text_of(at_b.receive_message().value()), "there");
        at_b.send("back").value();
        both.pass(100ms);
        EXPECT_EQ(text_of(at_a.receive_message().value()), "back");
    }
}

TEST(Reliable, ALargeMessageArrivesWhole)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = open(both, net::capabilities::reliable_ordered);
    const net::connection_details details = at_a.info()->connection.info().value();
    EXPECT_GT(details.message_bytes_max, 300000u);
    EXPECT_LT(details.packet_message_bytes, 1500u);
    std::string large(300000, '?');
    for (std::size_t i = 0; i < large.size(); i++) large[i] = char('a' + i % 23);
    at_a.send(large).value();
    both.pass(5s);
    EXPECT_EQ(both.at_b().next_length().value(), large.size());
    EXPECT_EQ(text_of(both.at_b().receive_message().value()), large);
    const std::string too_large(details.message_bytes_max + 1, 'x');
    EXPECT_EQ(at_a.send(too_large).error(), net::errc::too_large);
}

TEST(Reliable, ReportsTellWhatArrived)
{
    pair both;
    std::vector<std::uint64_t> arrived;
    net::callbacks callbacks;
    callbacks.on_event = [&](const net::event &event) {
        EXPECT_NE(event.kind(), net::event_kind::message_lost);
        if (event.kind() == net::event_kind::message_delivered) arrived.push_back(event.context());
    };
    both.a.make(std::move(callbacks));
    both.b.make();
    const net::channel at_a = open(both, net::capabilities::reliable_ordered);
    net::send_options options;
    options.report = 7;
    at_a.send("silent").value();
    at_a.send("told", options).value();
    options.report = 100;
    at_a.send_owned(std::string("owned"), options).value();
    options.report = 1000;
    const std::vector<net::message> messages{net::make_message(at_a, "one"),
                                             net::make_message(at_a, "two")};
    EXPECT_TRUE(both.a.node.send_many(messages, options));
    both.pass(1s);
    std::sort(arrived.begin(), arrived.end());
    EXPECT_EQ(arrived, (std::vector<std::uint64_t>{7, 100, 1000, 1001}));
}

TEST(Reliable, WhatIsTooOldIsReportedAndSkipped)
{
    pair both;
    std::vector<std::pair<std::uint64_t, net::errc>> lost;
    net::callbacks callbacks;
    callbacks.on_event = [&](const net::event &event) {
        if (event.kind() == net::event_kind::message_lost)
            lost.emplace_back(event.context(), event.reason());
    };
    both.a.make(std::move(callbacks));
    both.b.make();
    net::channel_options options = net::capabilities::partially_reliable_ordered;
    options.message_lifetime = 1ms; // sooner than it is sent again
    const net::channel at_a = open(both, options), at_b = both.at_b();
    both.pass(1s);
    net::send_options reported;
    reported.report = 5;
    at_a.send("lost on the way", reported).value();
    // The packet goes nowhere.
    std::array<std::uint8_t, 2048> room;
    both.a.node.process(0s).value();
    while (both.a.node.poll_transmit(both.now, room)) continue;
    both.pass(3s);
    EXPECT_EQ(lost, (std::vector<std::pair<std::uint64_t, net::errc>>{{5, net::errc::expired}}));
    reported.report.reset();
    reported.lifetime = 0ns;
    at_a.send("comes", reported).value();
    both.pass(3s);
    EXPECT_EQ(text_of(at_b.receive_message().value()), "comes");
    EXPECT_EQ(at_a.stats()->messages_lost, 1u);
    EXPECT_EQ(at_b.stats()->messages_skipped, 1u);
    EXPECT_EQ(both.b.count(net::event_kind::messages_skipped), 1);
}

TEST(Reliable, TheAcceptingSideSetsLimitsOfItsOwn)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = open(both, net::capabilities::partially_reliable_ordered);
    const net::channel at_b = both.at_b();
    at_b.set_limits(2, 1ms).value();
    both.pass(1s);
    at_b.send("lost on the way").value();
    // The packet goes nowhere.
    std::array<std::uint8_t, 2048> room;
    both.b.node.process(0s).value();
    while (both.b.node.poll_transmit(both.now, room)) continue;
    both.pass(3s);
    EXPECT_EQ(at_b.stats()->messages_lost, 1u);
    at_b.set_limits(net::resend_always).value();
    at_b.send("comes").value();
    both.pass(3s);
    EXPECT_EQ(text_of(at_a.receive_message().value()), "comes");
    EXPECT_EQ(at_b.set_limits(net::resend_always, -1ns).error(), net::errc::invalid_argument);
}

TEST(Reliable, StatisticsTellOfThePath)
{
    pair both;
    both.a.make();
    both.b.make();
    const net::channel at_a = open(both, net::capabilities::reliable);
    at_a.send(std::string(20000, 'x')).value();
    both.pass(1s);
    const net::connection_counters counters = at_a.info()->connection.stats().value();
    EXPECT_GT(counters.packets_sent, 15u);
    EXPECT_EQ(counters.packets_lost, 0u);
    EXPECT_GE(counters.packet_size, 1200u);
    EXPECT_GT(counters.congestion_window_bytes, 0u);
    EXPECT_GT(counters.send_credit_bytes, 0u);
    EXPECT_EQ(counters.send_queue_bytes, 0u);
    EXPECT_LE(counters.ecn, std::uint64_t(net::ecn::failed));
}
