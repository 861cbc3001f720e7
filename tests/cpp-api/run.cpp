// Nodes on loopback sockets, in the three ways to run them, with threads.
#include "pair.hpp"

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <thread>

namespace {

constexpr int rounds = 100;
constexpr auto patience = 60s;

/// Sends back what comes.
net::callbacks echo()
{
    net::callbacks callbacks;
    callbacks.on_message = [](net::connection, net::channel from, net::bytes data) {
        from.send(data).value();
    };
    return callbacks;
}

/// Asks `rounds` times, one question after the other, then fulfils the promise.
net::callbacks ask(int &answers, std::promise<void> &done)
{
    net::callbacks callbacks;
    callbacks.on_event = [](const net::event &event) {
        if (event.kind() == net::event_kind::channel_opened)
            event.channel().send("question").value();
    };
    callbacks.on_message = [&](net::connection, net::channel from, net::bytes data) {
        EXPECT_EQ(data.text(), "question");
        if (++answers < rounds)
            from.send(data).value();
        else
            done.set_value();
    };
    return callbacks;
}

net::node bound(net::callbacks callbacks, std::string_view at = "127.0.0.1:0")
{
    net::node node = net::node::create({}, std::move(callbacks)).value();
    node.bind(address_of(at)).value();
    return node;
}

net::connection dial(const net::node &from, const net::node &to)
{
    const net::connection connection =
        from.connect(to.peer_id().value(), to.local_address().value()).value();
    connection.open_channel().value();
    return connection;
}

bool is_ready(const std::future<void> &future)
{
    return future.wait_for(0s) == std::future_status::ready;
}

} // namespace

TEST(Run, InTheCallersThread)
{
    for (const std::string_view at : {"127.0.0.1:0", "[::1]:0"}) {
        int answers = 0;
        std::promise<void> promise;
        const std::future<void> done = promise.get_future();
        net::node asker = bound(ask(answers, promise), at), echoer = bound(echo(), at);
        dial(asker, echoer);
        const auto until = std::chrono::steady_clock::now() + patience;
        while (!is_ready(done)) {
            asker.process(1ms).value();
            echoer.process(1ms).value();
            ASSERT_LT(std::chrono::steady_clock::now(), until);
        }
        EXPECT_EQ(answers, rounds);
        EXPECT_EQ(asker.local_address(7).error(), net::errc::invalid_argument);
    }
}

TEST(Run, InThreadsOfTheirOwn)
{
    int answers = 0;
    std::promise<void> promise;
    const std::future<void> done = promise.get_future();
    net::node asker = bound(ask(answers, promise)), echoer = bound(echo());
    asker.start().value();
    echoer.start().value();
    EXPECT_EQ(asker.start().error(), net::errc::state);
    EXPECT_EQ(asker.process(0s).error(), net::errc::state);
    dial(asker, echoer);
    ASSERT_EQ(done.wait_for(patience), std::future_status::ready);
    asker.stop().value();
    asker.stop().value();
    EXPECT_EQ(answers, rounds);
    asker.process(0s).value();
    // echoer is destroyed while its thread runs
}

TEST(Run, InTheCallersOwnLoop)
{
    int answers = 0;
    std::promise<void> promise;
    const std::future<void> done = promise.get_future();
    net::node nodes[2] = {bound(ask(answers, promise)), bound(echo())};
    pollfd waits[2];
    for (int i = 0; i < 2; i++) waits[i] = {nodes[i].fd().value(), POLLIN, 0};
    dial(nodes[0], nodes[1]);
    const auto until = std::chrono::steady_clock::now() + patience;
    int turns = 0;
    while (!is_ready(done)) {
        const auto sleep = std::min(nodes[0].timeout().value(), nodes[1].timeout().value());
        const auto most = std::min<std::chrono::nanoseconds>(sleep, 10s);
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(most + 999999ns);
        ASSERT_GE(::poll(waits, 2, static_cast<int>(ms.count())), 0);
        for (net::node &node : nodes) node.process(0s).value();
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        turns++;
    }
    EXPECT_LT(turns, 100 * rounds) << "it did not sleep";
}

TEST(Run, NothingToDoIsForever)
{
    const net::node node = bound({});
    EXPECT_EQ(node.timeout().value(), net::forever);
}

TEST(Run, LessThanNoTimeDoesNotWait)
{
    net::node node = bound({});
    node.process(-1ns).value(); // for C, -1 is forever
    node.process(std::chrono::nanoseconds::min()).value();
}

TEST(Run, AWakeEndsAProcessThatWaitsForever)
{
    net::node node = bound({});
    const net::node_ref ref = node;
    std::future<bool> ran = std::async(std::launch::async, [&] { return bool(node.process()); });
    while (ran.wait_for(1ms) != std::future_status::ready) ref.wake().value();
    EXPECT_TRUE(ran.get());
}

namespace {

net::node_ref to_wake;
std::atomic<int> woken{0};

} // namespace

TEST(Run, AWakeIsAllowedInASignalHandler)
{
    net::node node = bound({});
    to_wake = node;
    woken = 0;
    const auto before = std::signal(SIGUSR1, [](int) { woken = to_wake.wake() ? 1 : 2; });
    ASSERT_EQ(std::raise(SIGUSR1), 0);
    node.process().value();
    EXPECT_EQ(woken, 1);
    node.reset();
    ASSERT_EQ(std::raise(SIGUSR1), 0);
    EXPECT_EQ(woken, 2) << "a freed node is an error";
    std::signal(SIGUSR1, before);
}

TEST(Run, ExceptionsOfANodesOwnThreadAreThrownByStop)
{
    std::promise<void> called;
    net::callbacks callbacks;
    callbacks.on_event = [&](const net::event &event) {
        if (event.kind() != net::event_kind::channel_opened) return;
        called.set_value();
        throw std::runtime_error("in its own thread");
    };
    net::node asker = bound({}), thrower = bound(std::move(callbacks));
    asker.start().value();
    thrower.start().value();
    dial(asker, thrower);
    ASSERT_EQ(called.get_future().wait_for(patience), std::future_status::ready);
    EXPECT_THROW(thrower.stop().value(), std::runtime_error);
    thrower.stop().value();
}

TEST(Run, ANodeMayBeDestroyedInACallbackOfItsOwnThread)
{
    std::promise<void> gone;
    struct tell {
        std::promise<void> *gone;
        ~tell() { gone->set_value(); }
    };
    std::mutex mutex;
    net::node doomed;
    net::callbacks callbacks;
    // The promise is fulfilled when the library has destroyed the callback.
    callbacks.on_event = [&, last = std::shared_ptr<tell>(new tell{&gone})](const net::event &) {
        const std::lock_guard<std::mutex> lock(mutex);
        doomed.reset();
    };
    net::node asker = bound({});
    net::connection connection;
    {
        const std::lock_guard<std::mutex> lock(mutex);
        doomed = bound(std::move(callbacks));
        callbacks = {};
        doomed.start().value();
        connection = dial(asker, doomed);
    }
    asker.start().value();
    EXPECT_EQ(gone.get_future().wait_for(patience), std::future_status::ready);
    const std::lock_guard<std::mutex> lock(mutex);
    EXPECT_FALSE(doomed);
}

TEST(Run, HandlesMayBeUsedFromManyThreads)
{
    std::atomic<int> got{0};
    std::promise<net::channel> opened;
    net::callbacks counts, tells;
    counts.on_message = [&](net::connection, net::channel, net::bytes) { got++; };
    tells.on_event = [&](const net::event &event) {
        if (event.kind() == net::event_kind::channel_opened) opened.set_value(event.channel());
    };
    net::node sender = bound(std::move(tells)), receiver = bound(std::move(counts));
    sender.start().value();
    receiver.start().value();
    dial(sender, receiver);
    const net::channel channel = opened.get_future().get();
    std::atomic<int> sent{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, channel] {
            for (int j = 0; j < 50; j++) {
                if (channel.send("x")) sent++;
                EXPECT_TRUE(channel.node().flush());
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(sent, 200);
    EXPECT_EQ(channel.stats()->messages_sent, 200u);
    // Loopback may lose some, not all.
    const auto until = std::chrono::steady_clock::now() + patience;
    while (got == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_GT(got, 0);
}

TEST(Run, DestroyingWhileOthersUseTheirHandlesIsSafe)
{
    net::node node = bound({});
    const net::connection connection =
        node.connect(peer_of(9), address_of("127.0.0.1:9")).value();
    std::atomic<bool> is_over{false};
    std::thread user([&, connection] {
        while (connection.info()) std::this_thread::yield();
        EXPECT_EQ(connection.info().error(), net::errc::state);
        is_over = true;
    });
    node.start().value();
    node.reset();
    user.join();
    EXPECT_TRUE(is_over);
}

TEST(Bind, FailsWithAReason)
{
    const net::node first = bound({});
    const net::node second = net::node::create().value();
    const auto taken = second.bind(first.local_address().value());
    EXPECT_EQ(taken.error(), net::errc::socket);
    EXPECT_FALSE(taken.error().message().empty());
    EXPECT_EQ(second.bind(net::address()).error(), net::errc::invalid_address);
}
