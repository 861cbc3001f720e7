// QUIC channels between nodes on loopback sockets.
#include "pair.hpp"

#include <fstream>
#include <sstream>

namespace quic = net::quic;

namespace {

constexpr auto patience = 60s;
const quic::team_id team = {1, 2, 3};

/// What an event said; the view itself must not be kept.
struct told {
    quic::event_kind kind;
    net::errc reason;
    std::uint64_t connection;
    net::address address;
    net::peer_id peer;
    net::public_key key;
    bool by_peer;
    std::string text;
    std::uint64_t count;
};

/// A node with QUIC channels that notes what it is told.
struct quic_side {
    std::vector<told> events;
    net::node node;
    quic::endpoint quic;
    net::peer_id peer;
    net::address at;

    explicit quic_side(const quic::options &options = {}, net::callbacks callbacks = {})
    {
        node = net::node::create({}, std::move(callbacks)).value();
        node.bind(address_of("127.0.0.1:0")).value();
        peer = node.peer_id().value();
        at = node.local_address().value();
        quic::callbacks functions;
        functions.on_event = [this](const quic::event &event) {
            EXPECT_EQ(event.endpoint().node(), node);
            events.push_back({event.kind(), event.reason(), event.connection(), event.address(),
                              event.peer(), event.key(), event.by_peer(),
                              std::string(event.text()), event.count()});
        };
        quic = node.open_quic(options, std::move(functions)).value();
    }

    bool heard_of(quic::event_kind kind) const
    {
        for (const told &event : events) {
            if (event.kind == kind) return true;
        }
        return false;
    }

    told last(quic::event_kind kind) const
    {
        for (auto event = events.rbegin(); event != events.rend(); ++event) {
            if (event->kind == kind) return *event;
        }
        throw std::runtime_error("no such event");
    }
};

/// Runs both in this thread until something is so.
template <class Done> void run_until(quic_side &a, quic_side &b, Done done)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > until) throw std::runtime_error("it never came");
        a.node.process(1ms).value();
        b.node.process(1ms).value();
    }
}

void run_until_told(quic_side &a, quic_side &b, const quic_side &who, quic::event_kind kind)
{
    run_until(a, b, [&] { return who.heard_of(kind); });
}

void acquaint(quic_side &a, quic_side &b)
{
    b.quic.trust(a.peer).value();
    a.quic.connect(b.at, b.peer).value();
}

/// The next messages of b.
std::vector<quic::message> take(quic_side &a, quic_side &b, std::size_t count)
{
    std::vector<quic::message> taken;
    run_until(a, b, [&] {
        while (auto message = b.quic.receive_message()) taken.push_back(*std::move(message));
        return taken.size() >= count;
    });
    return taken;
}

std::string text_of(const quic::message &message)
{
    return std::string(message.data.begin(), message.data.end());
}

std::string file(const std::string &name)
{
    std::ifstream in("tests/vectors/quic/" + name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace

TEST(Quic, MessagesGoThereAndBackWithAllThatTheyAre)
{
    quic_side a, b;
    acquaint(a, b);
    const std::vector<std::pair<std::string, std::string>> sent = {
        {"TELEMETRY", "21.5"},
        {"", ""},
        {"a\0b"s, std::string(3, '\0')},
        {std::string(quic::label_bytes_max, 'x'), "longest label"},
        {"large", std::string(1 << 20, 'y')},
    };
    for (const auto &[label, data] : sent) a.quic.send(b.at, team, label, data).value();
    const std::vector<quic::message> taken = take(a, b, sent.size());
    for (std::size_t i = 0; i < sent.size(); i++) {
        EXPECT_EQ(taken[i].from.label, sent[i].first);
        EXPECT_EQ(text_of(taken[i]), sent[i].second);
        EXPECT_EQ(taken[i].from.address, a.at);
        EXPECT_EQ(taken[i].from.peer, a.peer);
        EXPECT_EQ(taken[i].from.team, team);
    }
    b.quic.send(taken[0].from, "off").value();
    const quic::message answer = take(b, a, 1)[0];
    EXPECT_EQ(answer.from.label, "TELEMETRY");
    EXPECT_EQ(text_of(answer), "off");
    EXPECT_EQ(a.last(quic::event_kind::connected).peer, b.peer);
    EXPECT_FALSE(a.last(quic::event_kind::connected).by_peer);
    EXPECT_TRUE(b.last(quic::event_kind::connected).by_peer);
}

TEST(Quic, ManyMessagesOfAChannelAreSentAndTakenTogether)
{
    quic_side a, b;
    acquaint(a, b);
    const std::vector<std::string> texts = {"one", "", "three"};
    std::vector<quic::outgoing> messages;
    for (const std::string &text : texts) messages.push_back(quic::make_outgoing(text));
    const net::progress sent = a.quic.send_many(b.at, team, "x", messages);
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.count, 3u);
    const net::progress wrong = a.quic.send_many(b.at, team, "\xc3(", messages);
    EXPECT_EQ(wrong.count, 0u);
    EXPECT_EQ(wrong.error.code(), net::errc::decode);

    std::vector<std::string> taken;
    run_until(a, b, [&] {
        std::array<std::uint8_t, 64> room;
        std::array<std::size_t, 8> lengths;
        quic::channel from;
        const auto got = b.quic.receive_many(room, lengths, from);
        if (!got) return false;
        EXPECT_EQ(from.label, "x");
        EXPECT_EQ(from.address, a.at);
        const std::uint8_t *data = room.data();
        for (std::size_t i = 0; i < *got; data += lengths[i], i++)
            taken.emplace_back(data, data + lengths[i]);
        return taken.size() == texts.size();
    });
    EXPECT_EQ(taken, texts);
}

TEST(Quic, EachPolicyKeepsTheOrderThatItPromises)
{
    for (const auto streams : {quic::streams::ordered, quic::streams::per_channel}) {
        quic::options options;
        options.streams = streams;
        quic_side a(options), b;
        acquaint(a, b);
        constexpr int count = 300;
        for (int i = 0; i < count; i++)
            a.quic.send(b.at, team, std::to_string(i % 3), std::to_string(i)).value();
        int next[3] = {0, 1, 2};
        int expected = 0;
        for (const quic::message &message : take(a, b, count)) {
            const int number = std::stoi(text_of(message)), label = std::stoi(message.from.label);
            EXPECT_EQ(number, next[label]);
            next[label] += 3;
            EXPECT_TRUE(streams != quic::streams::ordered || number == expected);
            expected++;
        }
    }
}

TEST(Quic, AMessageThatDoesNotFitStaysAndTellsItsSize)
{
    quic_side a, b;
    acquaint(a, b);
    a.quic.send(b.at, team, "x", "twelve bytes").value();
    a.quic.send_sync(b.at, "state").value();
    run_until_told(a, b, b, quic::event_kind::sync_readable);
    std::array<std::uint8_t, 11> small;
    std::array<std::uint8_t, 12> room;
    quic::channel from;
    std::size_t needed = 0;
    EXPECT_EQ(b.quic.receive(small, from, &needed).error(), net::errc::insufficient_buffer_size);
    EXPECT_EQ(needed, 12u);
    EXPECT_EQ(b.quic.receive(small, from).error(), net::errc::insufficient_buffer_size);
    EXPECT_EQ(b.quic.receive(room, from).value(), 12u);
    EXPECT_EQ(from.label, "x");
    EXPECT_EQ(b.quic.receive(room, from).error(), net::errc::data_unavailable);
    EXPECT_EQ(b.quic.receive_sync(small, from).value(), 5u);
    EXPECT_EQ(from.peer, a.peer);
    EXPECT_EQ(b.quic.receive_sync_message().error(), net::errc::data_unavailable);
}

TEST(Quic, AnotherPeerThanThePinnedOneIsNotSentTo)
{
    quic_side a, b;
    b.quic.trust(a.peer).value();
    const std::uint64_t connection =
        a.quic.connect(b.at, net::identity::generate()->peer_id()).value();
    a.quic.send(b.at, team, "x", "secret").value();
    run_until_told(a, b, a, quic::event_kind::closed);
    const told end = a.last(quic::event_kind::closed);
    EXPECT_EQ(end.connection, connection);
    EXPECT_EQ(end.reason, net::errc::identity);
    EXPECT_EQ(end.count, 1u);
    EXPECT_NE(end.text.find("not the peer that was dialled"), std::string::npos) << end.text;
    run_until_told(a, b, b, quic::event_kind::closed);
    EXPECT_EQ(b.quic.receive_message().error(), net::errc::data_unavailable);
    a.quic.connect(b.at, b.peer).value();
    const net::result<std::uint64_t> other = a.quic.connect(b.at, a.peer);
    EXPECT_EQ(other.error(), net::errc::identity);
}

TEST(Quic, WhoIsNotKnownIsRefusedAndTrustCanBeTakenBack)
{
    quic_side a, b;
    EXPECT_FALSE(b.quic.distrust(a.peer).value());
    b.quic.trust(a.peer).value();
    EXPECT_TRUE(b.quic.distrust(a.peer).value());
    a.quic.connect(b.at, b.peer).value();
    run_until_told(a, b, a, quic::event_kind::closed);
    const told end = a.last(quic::event_kind::closed);
    EXPECT_EQ(end.reason, net::errc::refused);
    EXPECT_NE(end.text.find("not known"), std::string::npos) << end.text;
}

TEST(Quic, ARequestIsAnswered)
{
    for (const bool is_welcome : {true, false}) {
        quic::options options;
        options.ask_before_accept = true;
        quic_side a, b(options);
        a.quic.connect(b.at, b.peer).value();
        run_until_told(a, b, b, quic::event_kind::request);
        const told request = b.last(quic::event_kind::request);
        EXPECT_EQ(request.peer, a.peer);
        EXPECT_EQ(request.key, a.node.public_key().value());
        if (is_welcome) {
            b.quic.accept(request.connection).value();
            EXPECT_EQ(b.quic.accept(request.connection).error(), net::errc::state);
            run_until_told(a, b, b, quic::event_kind::connected);
        } else {
            b.quic.refuse(request.connection).value();
            run_until_told(a, b, a, quic::event_kind::closed);
            EXPECT_EQ(a.last(quic::event_kind::closed).reason, net::errc::refused);
        }
    }
}

TEST(Quic, WhoDoesNotReadHoldsTheSenderBackAndNothingIsLost)
{
    for (const auto streams : {quic::streams::ordered, quic::streams::per_channel}) {
        quic::options options, few;
        options.streams = streams;
        options.send_queue_bytes_max = 1 << 20;
        few.connection_receive_messages_max = 2;
        quic_side a(options), b(few);
        acquaint(a, b);
        const std::string data(1 << 18, 'x');
        int sent = 0;
        run_until(a, b, [&] {
            // Until nothing more is taken, even when both have run for a while.
            const int before = sent;
            while (const auto taken = a.quic.send(b.at, team, "x", std::to_string(sent) + data))
                sent++;
            a.events.clear();
            for (int i = 0; i < 20; i++) {
                a.node.process(1ms).value();
                b.node.process(1ms).value();
            }
            return sent == before && !a.heard_of(quic::event_kind::writable);
        });
        const auto full = a.quic.send(b.at, team, "x", "x");
        EXPECT_EQ(full.error(), net::errc::would_block);
        EXPECT_LT(sent, 200);
        int next = 0;
        for (const quic::message &message : take(a, b, std::size_t(sent)))
            EXPECT_EQ(std::stoi(text_of(message)), next++);
        EXPECT_EQ(a.last(quic::event_kind::writable).address, b.at);
        a.quic.send(b.at, team, "x", "room again").value();
        EXPECT_EQ(text_of(take(a, b, 1)[0]), "room again");
    }
}

TEST(Quic, ACloseComesAfterWhatWasSent)
{
    quic_side a, b;
    acquaint(a, b);
    for (int i = 0; i < 100; i++) a.quic.send(b.at, team, "x", std::to_string(i)).value();
    a.quic.close(b.at).value();
    EXPECT_EQ(a.quic.close(b.at).error(), net::errc::invalid_reference);
    run_until_told(a, b, a, quic::event_kind::closed);
    run_until_told(a, b, b, quic::event_kind::closed);
    EXPECT_EQ(a.last(quic::event_kind::closed).reason, net::errc::closed);
    EXPECT_EQ(a.last(quic::event_kind::closed).count, 0u);
    EXPECT_EQ(b.last(quic::event_kind::closed).reason, net::errc::peer_closed);
    EXPECT_EQ(take(a, b, 100).size(), 100u);
}

TEST(Quic, ConnectionsAreCountedAndDescribed)
{
    quic_side a, b;
    acquaint(a, b);
    for (int i = 0; i < 10; i++) a.quic.send(b.at, team, "x", std::string(1000, 'x')).value();
    run_until(a, b, [&] { return b.quic.stats()->receive_queue_messages == 10; });
    EXPECT_EQ(a.quic.connections().value(), std::vector<net::address>{b.at});
    const quic::connection_details details = a.quic.info(b.at).value();
    EXPECT_EQ(details.connection, a.last(quic::event_kind::connected).connection);
    EXPECT_EQ(details.address, b.at);
    EXPECT_EQ(details.peer, b.peer);
    EXPECT_TRUE(details.connected);
    EXPECT_FALSE(details.by_peer);
    EXPECT_EQ(details.counters.messages_sent, 10u);
    EXPECT_GT(details.counters.rtt_ns, 0u);
    EXPECT_TRUE(b.quic.info(a.at)->by_peer);
    EXPECT_EQ(a.quic.info(a.at).error(), net::errc::invalid_reference);
    EXPECT_EQ(a.quic.stats()->dialled, 1u);
    EXPECT_EQ(b.quic.stats()->accepted, 1u);
    EXPECT_FALSE(quic::drop_reason_name(0).empty());
    EXPECT_TRUE(quic::drop_reason_name(CHANNELER_QUIC_DROP_PLACES).empty());
}

TEST(Quic, ABanOfTheNodeEndsThemToo)
{
    quic_side a, b;
    acquaint(a, b);
    run_until_told(a, b, b, quic::event_kind::connected);
    b.node.ban_peer(a.peer, 60s).value();
    run_until_told(a, b, b, quic::event_kind::closed);
    EXPECT_EQ(b.last(quic::event_kind::closed).reason, net::errc::banned);
    a.node.ban_address(b.at, 60s).value();
    EXPECT_EQ(a.quic.send(b.at, team, "x", "x").error(), net::errc::banned);
}

TEST(Quic, CertificatesOfOneAuthorityBelieveEachOther)
{
    const auto certified = [](const std::string &name) {
        quic::options options;
        options.certificate_chain = file(name + ".pem");
        options.private_key = file(name + ".key");
        options.authorities = file("first.pem");
        options.server_name = "node.test";
        return options;
    };
    quic_side a(certified("one")), b(certified("two")), stranger(certified("three"));
    a.quic.send(b.at, team, "x", "hello").value();
    EXPECT_EQ(text_of(take(a, b, 1)[0]), "hello");
    EXPECT_FALSE(b.last(quic::event_kind::connected).key);
    stranger.quic.send(b.at, team, "x", "hello").value();
    run_until_told(stranger, b, b, quic::event_kind::closed);
    EXPECT_EQ(b.last(quic::event_kind::closed).reason, net::errc::identity);
    EXPECT_NE(b.last(quic::event_kind::closed).text.find("UnknownIssuer"), std::string::npos);
}

TEST(Quic, WhatACallbackThrowsGoesWhereTheNodesExceptionsGo)
{
    for (const bool has_handler : {false, true}) {
        int handled = 0;
        net::callbacks callbacks;
        if (has_handler) callbacks.on_exception = [&](std::exception_ptr) { handled++; };
        net::node node = net::node::create({}, std::move(callbacks)).value();
        node.bind(address_of("127.0.0.1:0")).value();
        quic::callbacks functions;
        functions.on_event = [](const quic::event &) { throw 7; };
        quic::options options;
        options.dial_timeout = 100ms;
        const quic::endpoint quic = node.open_quic(options, std::move(functions)).value();
        quic.send(address_of("127.0.0.1:9"), team, "x", "nobody is there").value();
        const auto run = [&] {
            const auto until = std::chrono::steady_clock::now() + patience;
            while (handled == 0 && std::chrono::steady_clock::now() < until)
                node.process(10ms).value();
        };
        if (has_handler) {
            EXPECT_NO_THROW(run());
        } else {
            EXPECT_THROW(run(), int);
        }
        EXPECT_EQ(handled, has_handler ? 1 : 0);
    }
}

TEST(Quic, CapturesLiveAsLongAsTheNodeAndAnEndpointMayOutliveIt)
{
    auto captured = std::make_shared<int>(7);
    quic::endpoint quic;
    {
        net::node node = net::node::create().value();
        quic::callbacks functions;
        functions.on_event = [captured](const quic::event &) {};
        quic = node.open_quic({}, std::move(functions)).value();
        net::node moved = std::move(node);
        EXPECT_EQ(captured.use_count(), 2);
        // A second one is refused, and the first stays.
        EXPECT_EQ(moved.open_quic().error(), net::errc::state);
        EXPECT_EQ(captured.use_count(), 2);
    }
    EXPECT_EQ(captured.use_count(), 1);
    EXPECT_TRUE(quic);
    EXPECT_EQ(quic.send(address_of("127.0.0.1:9"), team, "x", "x").error(), net::errc::state);
    EXPECT_EQ(quic.receive_message().error(), net::errc::state);
    EXPECT_FALSE(quic::endpoint());
    EXPECT_EQ(quic::endpoint().trust({}).error(), net::errc::invalid_argument);
}

TEST(Quic, ANodeMayEndInItsCallback)
{
    quic_side a;
    net::node node = net::node::create().value();
    node.bind(address_of("127.0.0.1:0")).value();
    bool is_over = false;
    quic::callbacks functions;
    functions.on_event = [&](const quic::event &event) {
        if (event.kind() != quic::event_kind::readable) return;
        node.reset();
        EXPECT_EQ(event.endpoint().receive_message().error(), net::errc::state);
        is_over = true;
    };
    node.open_quic({}, std::move(functions)).value().trust(a.peer).value();
    a.quic.connect(node.local_address().value(), node.peer_id().value()).value();
    a.quic.send(node.local_address().value(), team, "x", "the end").value();
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!is_over) {
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        a.node.process(1ms).value();
        node.process(1ms).value();
    }
}

TEST(Quic, SettingsThatCannotWorkSayWhy)
{
    net::node node = net::node::create().value();
    const auto refusal = [&](auto change) {
        quic::options options;
        change(options);
        const net::result<quic::endpoint> made = node.open_quic(options);
        EXPECT_EQ(made.error(), net::errc::invalid_argument);
        return std::string(made.error().message());
    };
    using options = quic::options;
    EXPECT_NE(refusal([](options &o) { o.message_bytes_max = 0; }).find("message_bytes_max"),
              std::string::npos);
    EXPECT_NE(refusal([](options &o) { o.certificate_chain = "x"; }).find("all or none"),
              std::string::npos);
    EXPECT_NE(refusal([](options &o) { o.server_name = "a\0b"s; }).find("zero byte"),
              std::string::npos);
    refusal([](options &o) { o.keep_alive = -1ns; });
    const quic::options defaults;
    EXPECT_EQ(defaults.streams, quic::streams::ordered);
    EXPECT_EQ(defaults.message_bytes_max, 16u << 20);
    EXPECT_EQ(defaults.idle_timeout, 30s);
    EXPECT_TRUE(defaults.accept_incoming);
    EXPECT_FALSE(defaults.ask_before_accept);
    EXPECT_EQ(node.open_quic(defaults).error(), net::errc::ok);
    const quic::endpoint quic(node);
    const std::string label(quic::label_bytes_max + 1, 'x');
    EXPECT_EQ(quic.send(address_of("127.0.0.1:9"), team, label, "").error(),
              net::errc::invalid_argument);
    EXPECT_EQ(quic.send(address_of("127.0.0.1:9"), team, "\xc3(", "").error(),
              net::errc::decode);
}
