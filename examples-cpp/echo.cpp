// echo: the smallest server and client.
//
// Shows: a server that is all callbacks, run in its own main thread by node.process(); a client
// that reads with channel.receive() instead, and sends again what got lost.

#include "common.hpp"

#include <iomanip>
#include <vector>

namespace {

constexpr int tries = 5;     // a plain channel may lose messages: so often we send one
constexpr auto wait = 500ms; // and so long we wait for its echo
constexpr std::size_t message_bytes_max = 65536; // no UDP datagram is larger

constexpr std::string_view usage_head =
    "usage: echo server ADDRESS                   send back every message that comes\n"
    "       echo client PEERID@ADDRESS [TEXT ..]  send each TEXT, and print what comes back\n"
    "\n"
    "ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine\n"
    "has; port 0 takes any that is free. The server prints the PEERID@ADDRESS to give to the\n"
    "client. Without a TEXT the client sends \"hello\".\n"
    "\n";
constexpr std::string_view usage_tail =
    "\n"
    "Exits with 0 when all is well (the server: after Ctrl-C), 1 when something failed or an\n"
    "echo never came, 2 when called wrongly.\n";

// --- the server --------------------------------------------------------------------------------

int run_server(const std::string &address)
{
    net::callbacks callbacks;
    callbacks.on_message = [](net::connection, net::channel from, net::bytes message) {
        const net::result<void> sent = from.send(message);
        // The queue is full: this echo is lost, as any message on a plain channel may be.
        if (sent.error() != net::errc::would_block) must(sent, "send back");
    };
    callbacks.on_event = [](const net::event &event) {
        // Ignore the kinds you do not care for: later versions have more of them.
        if (event.kind() == net::event_kind::channel_opened)
            std::cerr << peer_text(event.connection()) + " opened a channel\n";
        else if (event.kind() == net::event_kind::channel_closed)
            std::cerr << "a channel ended: " << net::error_text(event.reason()) << '\n';
    };

    net::node node = new_node(default_options(), std::move(callbacks));
    listen_at(node, address);
    // Sleeps until there is something to do. The callbacks run inside; what they throw comes out.
    while (!stop_asked) must(node.process(), "process");
    return exit_good;
}

// --- the client --------------------------------------------------------------------------------

class client {
public:
    explicit client(const std::string &server)
    {
        net::callbacks callbacks;
        callbacks.on_event = [this](const net::event &event) {
            if (event.kind() == net::event_kind::connection_closed) over_ = event.reason();
            if (event.channel() != channel_) return;
            if (event.kind() == net::event_kind::channel_opened) is_open_ = true;
            if (event.kind() == net::event_kind::channel_closed) closed_ = event.reason();
        };
        node_ = new_node(default_options(), std::move(callbacks));
        connection_ = connect_to(node_, server);
        channel_ = must(connection_.open_channel(), "open a channel");
        while (!is_open_ && closed_ == net::errc::ok && !stop_asked)
            must(node_.process(), "process");
        if (closed_ != net::errc::ok) fail_closed(server, closed_);
    }

    bool echo(const std::string &text)
    {
        for (int i = 0; i < tries && !stop_asked; i++) {
            must(channel_.send(text), "send");
            if (await_echo(text, clock_type::now() + wait)) return true;
        }
        std::cerr << "no echo of '" << text << "'\n";
        return false;
    }

    void leave() { close_and_wait(node_, connection_, "done", over_); }

private:
    // Waits for `text` to come back until `deadline`. Something else may come first: the late echo
    // of an earlier text that we sent twice.
    bool await_echo(const std::string &text, clock_type::time_point deadline)
    {
        for (;;) {
            const net::result<net::received> got = channel_.receive(room_);
            if (got.error() == net::errc::data_unavailable) {
                const auto left = deadline - clock_type::now();
                if (left <= 0s || stop_asked) return false;
                must(node_.process(left), "process");
                continue;
            }
            const net::bytes message(room_.data(), must(got, "receive").length);
            if (message.text() == text) {
                print_text(std::cout, message);
                std::cout << '\n';
                flush_output();
                return true;
            }
        }
    }

    bool is_open_ = false;
    net::errc closed_ = net::errc::ok; // why the channel ended
    net::errc over_ = net::errc::ok;   // the same of the connection
    net::connection connection_;
    net::channel channel_;
    std::vector<std::uint8_t> room_ = std::vector<std::uint8_t>(message_bytes_max);
    net::node node_; // last: it goes first, and its callbacks use the others
};

int run_client(const std::string &server, const std::vector<std::string> &texts)
{
    client client(server);
    std::size_t echoed = 0;
    const auto start = clock_type::now();
    for (const std::string &text : texts) {
        if (stop_asked) break;
        if (client.echo(text)) echoed++;
    }
    const std::chrono::duration<double, std::milli> span = clock_type::now() - start;
    if (echoed > 0)
        std::cerr << echoed << " of " << texts.size() << " came back, in " << std::fixed
                  << std::setprecision(3) << span.count() / static_cast<double>(texts.size())
                  << " ms each\n";
    client.leave();
    return echoed == texts.size() ? exit_good : exit_failed;
}

int run(const std::vector<std::string> &words)
{
    if (asks_for_help(words, usage_head, usage_tail)) return exit_good;
    if (words.size() == 2 && words[0] == "server") return run_server(words[1]);
    if (words.size() == 2 && words[0] == "client") return run_client(words[1], {"hello"});
    if (words.size() > 2 && words[0] == "client")
        return run_client(words[1], {words.begin() + 2, words.end()});
    std::cerr << usage_head << settings_usage << usage_tail;
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    return guarded([&] { return run(take_settings(argc, argv)); });
}
