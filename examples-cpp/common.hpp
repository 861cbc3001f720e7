// What every example here needs: an identity that stays, addresses as text, a way to stop, exit
// codes. A program that you copy takes this file with it.

#ifndef EXAMPLES_COMMON_HPP
#define EXAMPLES_COMMON_HPP

#include <channeler/channeler.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace net = channeler::net;
using namespace std::literals;
using clock_type = std::chrono::steady_clock;

// What the examples exit with.
enum exit_code { exit_good = 0, exit_failed = 1, exit_usage = 2, exit_lost = 3 };

// --- errors ------------------------------------------------------------------------------------

// What the user typed is wrong, not the world.
struct usage_error : std::runtime_error {
    using runtime_error::runtime_error;
};

// Ends the program: something failed, and this is what to say.
struct failure : std::runtime_error {
    using runtime_error::runtime_error;
};

[[noreturn]] inline void fail_errno(const std::string &what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// Says that `who` does not answer, or has gone.
[[noreturn]] inline void fail_closed(const std::string &who, net::errc reason)
{
    throw failure(who + ": " + std::string(net::error_text(reason)) + " (" +
                  std::string(net::error_name(reason)) + ")");
}

// The value of a result. result::value() throws what exactly was wrong; this says what for.
template <class T> T must(net::result<T> result, std::string_view what)
{
    if (result) return std::move(result).value();
    throw failure(std::string(what) + ": " + net::exception(result.error()).what());
}

// The same for what the user typed.
template <class T> T parsed(net::result<T> result)
{
    if (result) return std::move(result).value();
    throw usage_error(std::string(result.error().message()));
}

// What is printed must reach the reader: a full disk or a closed pipe is an error, too.
inline void flush_output()
{
    if (!std::cout.flush()) throw failure("standard output: cannot be written");
}

// Runs a program's `run`, and turns what it throws into a line and an exit code.
template <class Run> int guarded(Run run)
{
    try {
        return run();
    } catch (const usage_error &error) {
        std::cerr << error.what() << '\n';
        return exit_usage;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return exit_failed;
    }
}

// Reads a whole number from `min` to `max`.
inline std::uint64_t parse_number(const std::string &text, std::uint64_t min, std::uint64_t max)
{
    std::uint64_t number = 0;
    bool is_good = !text.empty() && text.size() < 19; // of which none overflows
    for (const char digit : text) {
        is_good = is_good && digit >= '0' && digit <= '9';
        if (is_good) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    if (!is_good || number < min || number > max)
        throw usage_error("'" + text + "' is not a number from " + std::to_string(min) + " to " +
                          std::to_string(max));
    return number;
}

// Prints what a peer sent. It may hold anything, such as codes that repaint a terminal: control
// characters become '?'.
inline void print_text(std::ostream &out, net::bytes text)
{
    for (const std::uint8_t byte : text) {
        const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        out.put(is_control ? '?' : static_cast<char>(byte));
    }
}

// --- signals -----------------------------------------------------------------------------------

inline volatile sig_atomic_t stop_asked = 0; // 1 after Ctrl-C
inline net::node_ref stop_node;              // the node to wake then

// From now on Ctrl-C sets `stop_asked` and ends a process() that waits. wake() is one of the few
// functions that a signal handler may call; a node that is gone is an error there, and no harm.
inline void stop_on_signals(const net::node &node)
{
    stop_node = node;
    struct sigaction action = {};
    action.sa_handler = [](int) {
        const int saved = errno;
        stop_asked = 1;
        static_cast<void>(stop_node.wake());
        errno = saved;
    };
    if (sigaction(SIGINT, &action, nullptr) != 0 || sigaction(SIGTERM, &action, nullptr) != 0)
        fail_errno("sigaction");
}

// --- what every program can be told ------------------------------------------------------------

constexpr std::string_view settings_usage =
    "  --identity FILE   keep the same peer id between runs: its private key is in FILE, which is\n"
    "                    made when it is not there. Without it there is a new peer id each time\n"
    "  --v0              speak the old protocol: not encrypted, and a peer id proves nothing\n";

struct settings_type {
    std::string identity_file; // empty: none
    bool is_v0 = false;
};
inline settings_type settings;

// Takes what settings_usage names out of the arguments. Returns the rest.
inline std::vector<std::string> take_settings(int argc, char **argv)
{
    std::vector<std::string> words;
    for (int i = 1; i < argc; i++) {
        if (argv[i] == "--v0"sv)
            settings.is_v0 = true;
        else if (argv[i] == "--identity"sv && i + 1 < argc)
            settings.identity_file = argv[++i];
        else
            words.emplace_back(argv[i]);
    }
    if (settings.is_v0 && !settings.identity_file.empty())
        throw usage_error("--v0 has no use for --identity: there are no keys in the old protocol");
    return words;
}

// Prints the help when that is all that is asked for. Returns whether it did.
inline bool asks_for_help(const std::vector<std::string> &words, std::string_view usage_head,
                          std::string_view usage_tail)
{
    if (words.size() != 1 || (words[0] != "--help" && words[0] != "-h")) return false;
    std::cout << usage_head << settings_usage << usage_tail;
    flush_output();
    return true;
}

// --- the identity ------------------------------------------------------------------------------

// Makes a key and the file for it, which nobody else may read.
inline net::identity make_identity(const std::string &path)
{
    net::identity made = must(net::identity::generate(), "make an identity");
    const std::string &pem = made.pem();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) fail_errno(path);
    const ssize_t written = ::write(file, pem.data(), pem.size());
    if (::close(file) != 0 || written != static_cast<ssize_t>(pem.size())) fail_errno(path);
    std::cerr << "made a new identity; its private key is in " << path << '\n';
    return made;
}

// Reads the key in a file.
inline net::identity load_identity(const std::string &path)
{
    const int file = ::open(path.c_str(), O_RDONLY);
    if (file < 0 && errno == ENOENT) return make_identity(path);
    char pem[CHANNELER_IDENTITY_PEM_MAX];
    const ssize_t length = file < 0 ? -1 : ::read(file, pem, sizeof pem);
    if (length < 0) fail_errno(path);
    ::close(file);
    return must(net::identity::from_pem({pem, static_cast<std::size_t>(length)}), path);
}

// --- nodes and peers ---------------------------------------------------------------------------

// The defaults, but for a few.
inline net::options default_options()
{
    net::options options;
    options.dial_timeout = options.attempt_timeout = 20s; // then nobody is there
    options.linger = 1s; // how long a close waits for the peer's last word
    if (settings.is_v0) options.legacy = net::legacy::only;
    options.handshake_retries = 4; // the same for v0: 0.2 s, 0.4 s, .. 3.2 s
    return options;
}

// Makes a node. Ctrl-C wakes it. It has no socket yet.
inline net::node new_node(net::options options, net::callbacks callbacks)
{
    if (!settings.identity_file.empty())
        options.identity = load_identity(settings.identity_file);
    net::node node = must(net::node::create(options, std::move(callbacks)), "make a node");
    stop_on_signals(node);
    return node;
}

// Who and where, in one word: PEERID@IP:PORT.
inline std::string peer_text(const net::peer_id &peer, const net::address &address)
{
    return peer.text() + "@" + address.text();
}

// Who is at the other end of a connection.
inline std::string peer_text(const net::connection &connection)
{
    const net::connection_details details = must(connection.info(), "connection");
    return peer_text(details.peer, details.address);
}

// Opens a socket at `text`, such as "127.0.0.1:7000", "[::1]:7000", or with port 0 for any that is
// free; "[::]:7000" takes IPv4 and IPv6. Then prints what the other side must be given.
inline void listen_at(const net::node &node, const std::string &text)
{
    must(node.bind(parsed(net::address::parse(text))), "listen");
    const net::address address = must(node.local_address(), "own address");
    std::cout << "listening on " << peer_text(must(node.peer_id(), "own peer id"), address)
              << '\n';
    flush_output();
    // 0.0.0.0 and [::] are all addresses of this machine, and none to send to.
    bool is_all = true;
    for (const std::uint8_t byte : address.ip()) is_all = is_all && byte == 0;
    if (is_all)
        std::cerr << "(give others an address of this machine in place of "
                  << (address.family() == net::family::ipv6 ? "[::]" : "0.0.0.0") << ")\n";
}

// Reads a PEERID@IP:PORT, as listen_at prints it.
inline std::pair<net::peer_id, net::address> parse_peer(const std::string &text)
{
    const std::size_t at = text.find('@');
    if (at == std::string::npos)
        throw usage_error("'" + text + "' is not PEERID@IP:PORT, as the other side prints it");
    const auto peer = parsed(net::peer_id::parse(text.substr(0, at)));
    return {peer, parsed(net::address::parse(text.substr(at + 1)))};
}

// Opens a socket from which `text` can be reached; which port does not matter.
inline void bind_for(const net::node &node, const std::string &text)
{
    const bool is_ipv6 = text.find("@[") != std::string::npos;
    const auto any = parsed(net::address::parse(is_ipv6 ? "[::]:0" : "0.0.0.0:0"));
    must(node.bind(any), "open a socket");
}

// Begins a connection to PEERID@IP:PORT, from a socket of the node that fits.
inline net::connection dial(const net::node &node, const std::string &text)
{
    const auto [peer, address] = parse_peer(text);
    return must(node.connect(peer, address), "connect");
}

// The same for the first time.
inline net::connection connect_to(const net::node &node, const std::string &text)
{
    bind_for(node, text);
    return dial(node, text);
}

// Closes a connection with a word to the peer, and waits until it is over: `closed`, which the
// program's on_event sets when event_kind::connection_closed comes.
inline void close_and_wait(net::node &node, const net::connection &connection,
                           std::string_view reason, const net::errc &closed)
{
    const net::result<void> done = connection.close(0, reason);
    if (done.error() == net::errc::invalid_reference) return; // the peer was faster
    must(done, "close");
    while (closed == net::errc::ok) must(node.process(), "process");
}

#endif
