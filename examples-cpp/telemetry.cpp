// telemetry: one publisher measures and tells all who subscribe; they send it commands. The same as
// examples-c/telemetry.c, and it talks with that.
//
// Shows: QUIC channels, which need no opening: a message goes to (address, team, label). The label
// TELEMETRY carries measurements to the subscribers, COMMAND their wishes to the publisher and its
// answers back. Who may connect: anybody who proves a key, or only those who are named.
//
// The messages are text:
//   TELEMETRY   "17 21.6": the 17th measurement, in degrees
//   COMMAND     to the publisher: "subscribe", "every MS", "until NUMBER"; back: what became of it

#include "common.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>

namespace quic = net::quic;

namespace {

constexpr std::size_t subscribers_max = 32;  // as many connections as QUIC channels keep
constexpr std::size_t text_bytes_max = 256;  // of a message; the library takes no longer one
constexpr auto team_text = "telemetry example"sv;

constexpr std::string_view usage_head =
    "usage: telemetry publish ADDRESS [PEERID ..]\n"
    "       telemetry subscribe PEERID@ADDRESS [COMMAND ..]\n"
    "\n"
    "The publisher measures ten times a second, and tells all who subscribe: everybody, or only\n"
    "each PEERID. It prints the PEERID@ADDRESS to give to them. A subscriber prints what it is\n"
    "told until the publisher ends, and sends each COMMAND first:\n"
    "\n"
    "  'every MS'        measure each MS milliseconds, 1 to 10000\n"
    "  'until NUMBER'    end after that measurement\n"
    "\n"
    "ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine\n"
    "has; port 0 takes any that is free.\n"
    "\n";
constexpr std::string_view usage_tail =
    "\n"
    "Exits with 0 when all is well (also after Ctrl-C), 1 when something failed, 2 when called\n"
    "wrongly.\n";

// --- both sides --------------------------------------------------------------------------------

quic::team_id team()
{
    quic::team_id id = {};
    std::copy(team_text.begin(), team_text.end(), id.begin());
    return id;
}

// Opens QUIC channels on a node; `asks`: an event asks about each peer that is not known.
quic::endpoint open_channels(net::node &node, bool asks,
                             std::function<void(const quic::event &)> on_event)
{
    quic::options options;
    options.ask_before_accept = asks;
    options.message_bytes_max = text_bytes_max;
    options.dial_timeout = 20s; // then nobody is there
    return must(node.open_quic(options, {std::move(on_event)}), "QUIC channels");
}

// Sends a text on a channel. Returns whether there was room for it.
bool send_text(const quic::endpoint &channels, const net::address &to, std::string_view label,
               std::string_view text)
{
    const net::result<void> sent = channels.send(to, team(), label, text);
    if (sent.error() == net::errc::would_block) return false;
    must(sent, "send");
    return true;
}

// Calls with each message of this program's team, as text that is fit to be printed.
template <class Call> void receive_texts(const quic::endpoint &channels, Call call)
{
    for (;;) {
        const net::result<quic::message> message = channels.receive_message();
        if (message.error() == net::errc::data_unavailable) return;
        must(message, "receive");
        if (message->from.team != team()) continue;
        std::string text(message->data.begin(), message->data.end());
        std::replace_if(
            text.begin(), text.end(),
            [](char byte) { return std::isprint(static_cast<unsigned char>(byte)) == 0; }, '?');
        call(message->from, text);
    }
}

// What is said of the end of a connection: the reason, and what the side that ended it said.
void print_end(const std::string &who, const quic::event &event)
{
    const std::string_view reason = event.reason() == net::errc::peer_closed
                                        ? "the peer closed it"
                                        : net::error_text(event.reason());
    std::cerr << who << ": " << reason << (event.text().empty() ? "" : ": ");
    print_text(std::cerr, event.text());
    std::cerr << " (" << net::error_name(event.reason()) << ")\n";
}

// --- the publisher -----------------------------------------------------------------------------

struct subscriber {
    net::address address;
    std::string text;           // who and where
    std::uint64_t left_out = 0; // measurements that it did not read fast enough
};

class publisher {
public:
    // Without `peers` everybody may subscribe.
    publisher(const std::string &address, const std::vector<std::string> &peers)
        : node_(new_node(default_options(), {})),
          channels_(open_channels(node_, peers.empty(), [this](const auto &event) { on(event); }))
    {
        for (const std::string &peer : peers)
            must(channels_.trust(parsed(net::peer_id::parse(peer))), "trust");
        listen_at(node_, address);
    }

    int run()
    {
        while (!stop_asked && (until_ == 0 || number_ < until_)) {
            must(node_.process(std::max(next_ - clock_type::now(), clock_type::duration::zero())),
                 "process");
            receive_texts(channels_, [this](const quic::channel &from, const std::string &text) {
                if (from.label == "COMMAND") take_command(from, text);
            });
            if (clock_type::now() >= next_) publish();
        }
        // Whatever was sent arrives before the end does.
        for (const subscriber &who : subscribers_) {
            const net::result<void> closed = channels_.close(who.address);
            if (closed.error() != net::errc::invalid_reference) must(closed, "close"); // it left
        }
        while (!subscribers_.empty()) must(node_.process(), "process");
        std::cerr << number_ << " measurements\n";
        return exit_good;
    }

private:
    void on(const quic::event &event)
    {
        const auto who = find(event.address());
        // Ignore the kinds you do not care for: later versions have more of them.
        if (event.kind() == quic::event_kind::request) {
            must(event.endpoint().accept(event.connection()), "accept");
        } else if (event.kind() == quic::event_kind::address_changed && who != subscribers_.end()) {
            who->address = event.new_address();
        } else if (event.kind() == quic::event_kind::closed && who != subscribers_.end()) {
            if (event.reason() != net::errc::closed) print_end(who->text, event); // not by us
            if (who->left_out > 0)
                std::cerr << "it read too slowly for " << who->left_out << " measurements\n";
            subscribers_.erase(who);
        }
    }

    std::vector<subscriber>::iterator find(const net::address &address)
    {
        return std::find_if(subscribers_.begin(), subscribers_.end(),
                            [&](const subscriber &each) { return each.address == address; });
    }

    void take_command(const quic::channel &from, const std::string &command)
    {
        const std::string answer = command + ": " + obey(from, command);
        std::cerr << peer_text(from.peer, from.address) << ": " << answer << '\n';
        send_text(channels_, from.address, "COMMAND", answer);
    }

    // Does what a command says, and returns what became of it.
    std::string obey(const quic::channel &from, const std::string &command)
    {
        if (command == "subscribe") {
            if (find(from.address) != subscribers_.end()) return "you have subscribed before";
            if (subscribers_.size() == subscribers_max) return "there are too many subscribers";
            subscribers_.push_back({from.address, peer_text(from.peer, from.address)});
        } else if (const auto every = number_behind(command, "every ", 10000)) {
            every_ = std::chrono::milliseconds(*every);
            next_ = clock_type::now();
        } else if (const auto until = number_behind(command, "until ", 0xffffffff)) {
            until_ = *until;
        } else {
            return "that is no command";
        }
        return "done";
    }

    // A number within its limits behind a word.
    static std::optional<std::uint64_t> number_behind(const std::string &text,
                                                      const std::string &word, std::uint64_t max)
    {
        if (text.rfind(word, 0) != 0) return {};
        try {
            return parse_number(text.substr(word.size()), 1, max);
        } catch (const usage_error &) {
            return {};
        }
    }

    void publish()
    {
        number_++; // no thermometer at hand: each is a little warmer than the last
        const std::string text = std::to_string(number_) + " 2" +
                                 std::to_string(number_ / 10 % 10) + "." +
                                 std::to_string(number_ % 10);
        for (subscriber &who : subscribers_) {
            // Who does not read fast enough misses measurements: soon they are old anyway.
            if (!send_text(channels_, who.address, "TELEMETRY", text)) who.left_out++;
        }
        next_ += every_;
    }

    std::vector<subscriber> subscribers_;
    std::uint64_t number_ = 0; // of the last measurement
    std::uint64_t until_ = 0;  // the last one; 0: until Ctrl-C
    clock_type::duration every_ = 100ms;
    clock_type::time_point next_ = clock_type::now(); // when the next measurement is due
    net::node node_; // behind all that its callback uses: it goes first
    quic::endpoint channels_;
};

// --- the subscriber ----------------------------------------------------------------------------

int run_subscriber(const std::string &publisher, const std::vector<std::string> &commands)
{
    bool is_over = false;
    int code = exit_good;
    net::node node = new_node(default_options(), {});
    const quic::endpoint channels = open_channels(node, false, [&](const quic::event &event) {
        if (event.kind() != quic::event_kind::closed) return;
        const bool is_good =
            event.reason() == net::errc::peer_closed || event.reason() == net::errc::closed;
        if (!is_good) print_end(publisher, event);
        code = is_good ? exit_good : exit_failed;
        is_over = true;
    });
    const auto [peer, address] = parse_peer(publisher);
    bind_for(node, publisher);
    // The connection is for that peer and no other; what is sent meanwhile waits for it.
    must(channels.connect(address, peer), "connect");
    send_text(channels, address, "COMMAND", "subscribe");
    for (const std::string &command : commands) send_text(channels, address, "COMMAND", command);

    while (!is_over && !stop_asked) {
        must(node.process(), "process");
        receive_texts(channels, [](const quic::channel &from, const std::string &text) {
            if (from.label == "TELEMETRY") std::cout << text << '\n';
            if (from.label == "COMMAND") std::cerr << "the publisher says: " << text << '\n';
        });
        flush_output();
    }
    if (!is_over && channels.close(address)) {
        while (!is_over) must(node.process(), "process");
    }
    return code;
}

int run(const std::vector<std::string> &words)
{
    if (asks_for_help(words, usage_head, usage_tail)) return exit_good;
    if (settings.is_v0) throw usage_error("the old protocol has no QUIC channels");
    if (words.size() >= 2 && words[0] == "publish")
        return publisher(words[1], {words.begin() + 2, words.end()}).run();
    if (words.size() >= 2 && words[0] == "subscribe")
        return run_subscriber(words[1], {words.begin() + 2, words.end()});
    std::cerr << usage_head << settings_usage << usage_tail;
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    return guarded([&] { return run(take_settings(argc, argv)); });
}
