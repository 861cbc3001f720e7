// chat: two people type to each other.
//
// Shows: a node inside a poll() loop of your own. The loop sleeps on two descriptors, the
// keyboard's and the node's, and on two timers, the node's and its own; the node never blocks it.

#include "common.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace {

constexpr auto heartbeat = 2s; // how often we say that we are still there
constexpr auto silence = 10s;  // when we think that the other one is not
constexpr std::size_t name_bytes_max = 63;
constexpr std::size_t line_bytes_max = 900; // fits with any path; a longer line goes in pieces

// The first byte of each message. A goodbye is what closes a connection; only protocol v0 has no
// message for that, and gets one of our own.
enum kind : char { kind_text = 'T', kind_heartbeat = 'H', kind_bye = 'B' };

constexpr std::string_view usage_head =
    "usage: chat listen ADDRESS [NAME]         wait for somebody\n"
    "       chat join PEERID@ADDRESS [NAME]    join somebody who waits\n"
    "\n"
    "Type lines; Ctrl-D leaves. ADDRESS is IP:PORT: 192.0.2.1:7000, [::]:7000; port 0 takes any\n"
    "that is free. The one who listens prints the PEERID@ADDRESS to give to the other one.\n"
    "Messages are encrypted; the network may lose some.\n"
    "\n";
constexpr std::string_view usage_tail =
    "\n"
    "Exits with 0 when one of the two left, 1 when something failed or the other one vanished,\n"
    "2 when called wrongly.\n";

class chat {
public:
    chat(bool is_listener, const std::string &address, const std::string &name)
        : name_(name.substr(0, name_bytes_max))
    {
        net::callbacks callbacks;
        // Only one may come: there is one keyboard.
        callbacks.on_accept = [this](net::connection connection, const net::peer_id &,
                                     const net::address &) {
            if (connection_) return false;
            connection_ = connection;
            return true;
        };
        callbacks.on_event = [this](const net::event &event) { hear(event); };
        callbacks.on_message = [this](net::connection, net::channel channel, net::bytes message) {
            if (channel == channel_) take(message);
        };
        node_ = new_node(default_options(), std::move(callbacks));
        if (is_listener) {
            listen_at(node_, address);
        } else {
            connection_ = connect_to(node_, address);
            must(connection_.open_channel(), "open a channel"); // `hear` gets it when it works
        }
    }

    int run()
    {
        while (!is_over_ && closed_ == net::errc::ok && !stop_asked) turn();
        if (stop_asked && is_heard_ && !is_over_ && closed_ == net::errc::ok) leave();
        if (closed_ != net::errc::ok)
            fail_closed(is_heard_ ? "the other one is gone" : "nobody let us in", closed_);
        close_and_wait(node_, connection_, "left", over_); // what we said still gets there
        return exit_good;
    }

private:
    // --- from the node -------------------------------------------------------------------------

    void hear(const net::event &event)
    {
        if (event.connection() != connection_) return;
        if (event.kind() == net::event_kind::channel_opened && !channel_) {
            // In protocol v0 the one who joins gets here before the other side has let it in, if it
            // ever does. So we both say that we are there, and wait to hear it from the other one:
            // that shows in any protocol that messages go both ways.
            channel_ = event.channel();
            heard_at_ = clock_type::now();
            heartbeat_at_ = heard_at_;
        } else if (event.kind() == net::event_kind::channel_closed && !is_over_) {
            // A peer may open and close more channels than we know: only ours matters.
            if (channel_ && event.channel() != channel_) return;
            if (event.reason() == net::errc::peer_closed && is_heard_)
                hear_goodbye();
            else
                closed_ = event.reason();
        } else if (event.kind() == net::event_kind::connection_closed) {
            over_ = event.reason();
        }
    }

    void hear_goodbye()
    {
        if (std::exchange(is_over_, true)) return;
        std::cout << "* the other one left\n";
        flush_output();
    }

    void take(net::bytes message)
    {
        heard_at_ = clock_type::now();
        if (!is_heard_) {
            is_heard_ = true;
            std::cout << "* talking with " << peer_text(connection_) << "; Ctrl-D leaves\n";
        }
        if (message[0] == kind_text) {
            print_text(std::cout, {message.data() + 1, message.size() - 1});
            std::cout << '\n';
        } else if (message[0] == kind_bye) {
            hear_goodbye();
        }
        flush_output();
    }

    // --- from the keyboard ---------------------------------------------------------------------

    void send(kind kind, const std::string &text = {})
    {
        const net::result<void> sent = channel_.send(std::string(1, kind) + text);
        if (sent.error() == net::errc::would_block)
            std::cerr << "* not sent: the network takes nothing now\n";
        else
            must(sent, "send");
    }

    void send_line()
    {
        send(kind_text, name_ + ": " + line_);
        line_.clear();
    }

    void leave()
    {
        if (!line_.empty()) send_line();
        if (settings.is_v0) send(kind_bye);
        is_over_ = true;
    }

    // Reads what is there. A terminal gives a line at a time, a pipe gives what it has.
    void read_keyboard()
    {
        char typed[4096];
        const ssize_t length = ::read(STDIN_FILENO, typed, sizeof typed);
        if (length < 0 && errno != EINTR) fail_errno("read");
        if (length == 0) leave();
        for (ssize_t i = 0; i < length; i++) {
            if (typed[i] != '\n') line_ += typed[i];
            if (typed[i] == '\n' || line_.size() == line_bytes_max) send_line();
        }
    }

    // --- the loop ------------------------------------------------------------------------------

    // Milliseconds for poll(), rounded up: to wake a little late is better than to spin.
    int poll_timeout() const
    {
        const std::chrono::nanoseconds own = heartbeat_at_ - clock_type::now();
        const auto sleep = std::min(own, must(node_.timeout(), "timeout"));
        if (sleep <= 0s) return 0;
        return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(sleep).count());
    }

    void turn()
    {
        // Until somebody is there nobody can be told anything: poll ignores a descriptor of -1.
        pollfd waits[2] = {
            {is_heard_ ? STDIN_FILENO : -1, POLLIN, 0},
            {must(node_.fd(), "descriptor"), POLLIN, 0},
        };
        if (::poll(waits, 2, poll_timeout()) < 0 && errno != EINTR) fail_errno("poll");
        if (waits[0].revents != 0) read_keyboard();
        if (clock_type::now() >= heartbeat_at_) {
            heartbeat_at_ = clock_type::now() + heartbeat;
            if (channel_ && !is_over_) send(kind_heartbeat);
        }
        // Whatever woke us: 0 waits for nothing. It sends, receives, and calls the callbacks.
        must(node_.process(0s), "process");
        if (channel_ && clock_type::now() - heard_at_ > silence) closed_ = net::errc::timeout;
    }

    std::string name_;
    net::connection connection_; // the one we talk with; none: nobody yet
    net::channel channel_;
    bool is_heard_ = false;             // the other one has said something
    bool is_over_ = false;              // one of us left
    net::errc closed_ = net::errc::ok;  // why the channel ended by itself
    net::errc over_ = net::errc::ok;    // why the connection ended
    clock_type::time_point heard_at_;     // when something came last
    clock_type::time_point heartbeat_at_; // when to say that we are still there
    std::string line_;                    // what was typed and has no line end yet
    net::node node_; // last: it goes first, and its callbacks use the others
};

int run(const std::vector<std::string> &words)
{
    if (asks_for_help(words, usage_head, usage_tail)) return exit_good;
    if (words.size() == 2 || words.size() == 3) {
        const char *user = std::getenv("USER");
        const std::string own = user != nullptr && *user != '\0' ? user : "somebody";
        const std::string &name = words.size() == 3 ? words[2] : own;
        if (words[0] == "listen") return chat(true, words[1], name).run();
        if (words[0] == "join") return chat(false, words[1], name).run();
    }
    std::cerr << usage_head << settings_usage << usage_tail;
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    return guarded([&] { return run(take_settings(argc, argv)); });
}
