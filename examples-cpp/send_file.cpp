// send_file: sends a file of any size, whole or not at all, and talks beside it.
//
// The file goes over one reliable, ordered channel. A second one of higher priority carries a
// question every now and then, which the receiver answers at once: what is small stays quick beside
// what is large. When the connection breaks the sender dials again, and the file goes on where it
// was.
//
// Shows: reliable channels, labels, priorities, reading at one's own pace (what is not read holds
// the sender back), a peer that goes and comes back.
//
// The messages of the channel "file"; numbers are big-endian:
//   'O' offer    u64 bytes in the file, its SHA-256 (32 bytes), its name: from the sender, first
//   'A' accept   u64 where to begin: the receiver has what is before it
//   'N' no       why not, for people
//   'D' data     the next bytes of the file
//   'V' verdict  u8 1: the receiver has the file, and its SHA-256 is right; 0: it is not
// On the channel "chat" each message is a line of text, and the receiver sends it back.

#include "common.hpp"
#include "../examples-c/sha256.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using digest = std::array<std::uint8_t, SHA256_BYTES>;

constexpr std::size_t piece_bytes = 65536; // of the file in a message
constexpr std::size_t offer_length = 41;   // bytes of an 'O' before the name
constexpr std::size_t name_bytes_max = 200;
constexpr auto progress_span = 100ms;      // how often the progress bar is drawn
constexpr int progress_cells = 30;
constexpr auto ask_span = 20ms;            // how often the sender says something beside the file
constexpr int tries_max = 30;              // how often a broken connection is dialled again
constexpr auto try_span = 500ms;           // and how long after the last try

constexpr std::string_view usage_head =
    "usage: send_file receive ADDRESS [DIRECTORY]       take one file\n"
    "       send_file send PEERID@ADDRESS FILE          send it\n"
    "\n"
    "The file arrives whole, compared by SHA-256, or not at all. What came of it when a\n"
    "connection breaks is kept in DIRECTORY (default: this one) as NAME.HASH.part, and sending\n"
    "the same file again goes on from there. The sender says something beside it all the time,\n"
    "and tells how soon it was answered.\n"
    "\n"
    "ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine\n"
    "has; port 0 takes any that is free. The receiver prints the PEERID@ADDRESS to give to the\n"
    "sender; with --identity its PEERID is the same each time.\n"
    "\n";
constexpr std::string_view usage_tail =
    "\n"
    "Exits with 0 when the file came whole, 1 when something failed, 2 when called wrongly.\n";

// --- numbers, sums, a bar ----------------------------------------------------------------------

void put_number(std::uint8_t *bytes, std::uint64_t number)
{
    for (int i = 8; i > 0; number >>= 8) bytes[--i] = static_cast<std::uint8_t>(number);
}

std::uint64_t take_number(const std::uint8_t *bytes)
{
    std::uint64_t number = 0;
    for (int i = 0; i < 8; i++) number = number << 8 | bytes[i];
    return number;
}

std::string hex(const std::uint8_t *bytes, std::size_t count)
{
    std::ostringstream text;
    text << std::hex << std::setfill('0');
    for (std::size_t i = 0; i < count; i++) text << std::setw(2) << int(bytes[i]);
    return text.str();
}

// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number)
{
    std::string text = std::to_string(number);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
}

// A descriptor that closes itself.
class descriptor {
public:
    descriptor() = default;
    descriptor(const std::string &path, int flags) : number_(::open(path.c_str(), flags, 0666)) {}
    descriptor(descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor &operator=(descriptor &&other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor()
    {
        if (number_ >= 0) ::close(number_);
    }
    explicit operator bool() const { return number_ >= 0; }
    int get() const { return number_; }

private:
    int number_ = -1;
};

// A bar on a terminal; elsewhere nothing.
class bar {
public:
    bar(std::string what, std::uint64_t from, std::uint64_t total)
        : what_(std::move(what)), from_(from), total_(total)
    {
    }

    void draw(std::uint64_t done)
    {
        const auto now = clock_type::now();
        const bool is_last = done >= total_;
        if (!::isatty(STDERR_FILENO) || (!is_last && now - drawn_at_ < progress_span)) return;
        drawn_at_ = now;
        const double share = total_ == 0 ? 1.0 : double(done) / double(total_);
        const double seconds = std::chrono::duration<double>(now - began_at_).count() + 1e-9;
        const double rate = double(done - from_) / seconds; // only what came since counts
        const std::string cells(std::size_t(share * progress_cells), '#');
        std::ostringstream out;
        out << std::fixed << '\r' << what_ << " [" << std::left << std::setw(progress_cells)
            << cells << "] " << std::right << std::setprecision(0) << std::setw(3) << share * 100
            << " %  " << std::setprecision(1) << rate / 1e6 << " MB/s";
        if (!is_last && rate > 0)
            out << std::setprecision(0) << ", " << double(total_ - done) / rate << " s left";
        std::cerr << out.str() << "\033[K" << (is_last ? "\n" : "");
    }

private:
    std::string what_;
    std::uint64_t from_;
    std::uint64_t total_;
    clock_type::time_point began_at_ = clock_type::now();
    clock_type::time_point drawn_at_;
};

// What goes before a line on the terminal, so that no bar is in it.
const char *line_start() { return ::isatty(STDERR_FILENO) ? "\r\033[K" : ""; }

digest end_hash(struct sha256 &hash)
{
    digest out;
    sha256_end(&hash, out.data());
    return out;
}

// Begins the SHA-256 of a file with the first `size` bytes of it.
struct sha256 hash_file(const descriptor &file, const std::string &name, std::uint64_t size)
{
    std::vector<std::uint8_t> bytes(piece_bytes);
    struct sha256 hash;
    bar progress("checking", 0, size);
    std::uint64_t done = 0;

    sha256_init(&hash);
    while (done < size) {
        const ssize_t length = ::pread(file.get(), bytes.data(), bytes.size(), off_t(done));
        if (length < 0) fail_errno(name);
        if (length == 0) break;
        sha256_add(&hash, bytes.data(), std::size_t(length));
        done += std::uint64_t(length);
        progress.draw(done);
    }
    return hash;
}

net::channel open_channel(const net::connection &connection, std::string label,
                          std::uint32_t priority)
{
    net::channel_options options;
    options.capabilities = net::capabilities::resend | net::capabilities::ordered |
                           net::capabilities::close_on_loss;
    options.priority = priority;
    options.label = label;
    return must(connection.open_channel(options), label);
}

// A peer that says nothing for a while is gone; ours is asked now and then, so that it says
// something.
net::options options_with_endings()
{
    net::options options = default_options();
    options.idle_timeout = 10s;
    options.keep_alive = 2s;
    return options;
}

// --- sending -----------------------------------------------------------------------------------

class sender {
public:
    sender(std::string peer, std::string name)
        : peer_(std::move(peer)), name_(std::move(name)), file_(name_, O_RDONLY)
    {
        struct stat status = {};
        if (!file_ || ::fstat(file_.get(), &status) != 0) fail_errno(name_);
        if (!S_ISREG(status.st_mode))
            throw usage_error(name_ + ": only a regular file can be sent");
        size_ = std::uint64_t(status.st_size);
        struct sha256 hash = hash_file(file_, name_, size_);
        digest_ = end_hash(hash);
        std::cout << name_ << ": SHA-256 " << hex(digest_.data(), digest_.size()) << '\n';

        net::callbacks callbacks;
        callbacks.on_event = [this](const net::event &event) { hear(event); };
        callbacks.on_message = [this](net::connection, net::channel channel, net::bytes message) {
            take(channel, message);
        };
        node_ = new_node(options_with_endings(), std::move(callbacks));
        connection_ = connect_to(node_, peer_);
        begin();
    }

    int run()
    {
        while (!stop_asked && !verdict_ && !is_refused_) {
            must(node_.process(ask_span), "process");
            if (closed_ != net::errc::ok) try_again();
            send_pieces();
            chat();
        }
        if (verdict_ == true) print_sent();
        if (verdict_ == false)
            std::cerr << "what arrived is not the file: its SHA-256 differs\n";
        flush_output();
        if (closed_ == net::errc::ok)
            close_and_wait(node_, connection_, stop_asked ? "stopped" : "done", closed_);
        return verdict_ == true ? exit_good : exit_failed;
    }

private:
    // Channels can be opened, and messages sent, before the connection is there: they wait for it.
    void begin()
    {
        file_channel_ = open_channel(connection_, "file", 4);
        chat_channel_ = open_channel(connection_, "chat", 0);
        is_accepted_ = is_full_ = false;
        is_answered_ = true;
        closed_ = net::errc::ok;

        const std::string name = std::filesystem::path(name_).filename().string();
        std::vector<std::uint8_t> offer(offer_length, 'O');
        put_number(offer.data() + 1, size_);
        std::copy(digest_.begin(), digest_.end(), offer.begin() + 9);
        offer.insert(offer.end(), name.begin(), name.end());
        must(file_channel_.send(offer), "offer");
    }

    void take(net::channel channel, net::bytes message)
    {
        if (channel == chat_channel_) {
            if (std::exchange(is_answered_, true)) return;
            times_.push_back(clock_type::now() - asked_at_);
        } else if (message[0] == 'A' && message.size() == 9) {
            accept(take_number(message.data() + 1));
        } else if (message[0] == 'N') {
            is_refused_ = true;
            std::cerr << "the receiver does not take the file: ";
            print_text(std::cerr, {message.data() + 1, message.size() - 1});
            std::cerr << '\n';
        } else if (message[0] == 'V' && message.size() == 2) {
            verdict_ = message[1] == 1;
        }
    }

    void accept(std::uint64_t from)
    {
        if (from > size_) return;
        is_accepted_ = true;
        tries_ = 0;
        sent_ = resumed_ = from;
        began_at_ = clock_type::now();
        bar_.emplace("sending ", from, size_);
        if (from > 0) std::cout << "going on at byte " << grouped(from) << '\n';
        flush_output();
    }

    void hear(const net::event &event)
    {
        if (event.connection() != connection_) return;
        if (event.kind() == net::event_kind::writable && event.channel() == file_channel_)
            is_full_ = false;
        if (event.kind() == net::event_kind::connection_closed) closed_ = event.reason();
    }

    // Queues pieces of the file until it takes no more.
    void send_pieces()
    {
        while (is_accepted_ && !is_full_ && sent_ < size_) {
            std::vector<std::uint8_t> piece(1 + piece_bytes, 'D');
            const ssize_t length =
                ::pread(file_.get(), piece.data() + 1, piece_bytes, off_t(sent_));
            if (length < 0) fail_errno(name_);
            if (length == 0) throw failure(name_ + ": the file became shorter meanwhile");
            piece.resize(1 + std::size_t(length));
            // It is full until event_kind::writable, or the connection ended: then the event with
            // the reason is on its way.
            is_full_ = !file_channel_.send_owned(std::move(piece));
            if (!is_full_) sent_ += std::uint64_t(length);
        }
        if (is_accepted_) bar_->draw(sent_);
    }

    // Says something beside the file, once the last was answered.
    void chat()
    {
        if (!is_accepted_ || !is_answered_ || clock_type::now() - asked_at_ < ask_span) return;
        asked_at_ = clock_type::now();
        const std::string line = "still there? (" + std::to_string(++questions_) + ")";
        is_answered_ = !chat_channel_.send(line);
    }

    // Dials again, if there is hope.
    void try_again()
    {
        if (tries_++ >= tries_max) fail_closed("the receiver cannot be reached", closed_);
        std::cerr << line_start() << "the connection ended: " << net::error_text(closed_)
                  << "; trying again (" << tries_ << " of " << tries_max << ")\n";
        const auto until = clock_type::now() + try_span;
        for (auto now = clock_type::now(); !stop_asked && now < until; now = clock_type::now())
            must(node_.process(until - now), "process");
        connection_ = dial(node_, peer_);
        begin();
    }

    void print_sent()
    {
        const double seconds =
            std::chrono::duration<double>(clock_type::now() - began_at_).count();
        const std::uint64_t bytes = size_ - resumed_;
        std::cout << std::fixed << std::setprecision(3) << "sent " << grouped(bytes)
                  << " bytes in " << seconds << " s: " << std::setprecision(1)
                  << double(bytes) / seconds / 1e6 << " MB/s\n";
        if (times_.empty()) return;
        std::sort(times_.begin(), times_.end());
        const auto ms = [](clock_type::duration time) {
            return std::chrono::duration<double, std::milli>(time).count();
        };
        std::cout << std::setprecision(2) << "beside it " << times_.size()
                  << " questions were answered in " << ms(times_[times_.size() / 2])
                  << " ms at the median, " << ms(times_.back()) << " ms at most\n";
    }

    std::string peer_;
    std::string name_;
    descriptor file_;
    std::uint64_t size_ = 0;
    digest digest_ = {};
    net::connection connection_;
    net::channel file_channel_;
    net::channel chat_channel_;
    std::uint64_t sent_ = 0;           // where the next piece begins
    std::uint64_t resumed_ = 0;        // where the receiver told us to begin, the last time
    bool is_accepted_ = false;         // the receiver wants the file
    bool is_full_ = false;             // the file's queue is full
    bool is_refused_ = false;
    std::optional<bool> verdict_;      // none: not known yet
    net::errc closed_ = net::errc::ok; // why the connection ended
    int tries_ = 0;                    // since the last time that it was there
    clock_type::time_point asked_at_;  // when the last question was sent, and
    bool is_answered_ = true;          // whether it was answered
    std::uint64_t questions_ = 0;
    std::vector<clock_type::duration> times_;
    clock_type::time_point began_at_;
    std::optional<bar> bar_;
    net::node node_; // last: it goes first, and its callbacks use the others
};

// --- receiving ---------------------------------------------------------------------------------

class receiver {
public:
    receiver(const std::string &address, std::string directory)
        : directory_(std::move(directory)), message_(1 + piece_bytes)
    {
        net::callbacks callbacks;
        callbacks.on_accept = [this](net::connection connection, const net::peer_id &peer,
                                     const net::address &from) {
            // One sender at a time; when its connection broke it may come back.
            if (connection_) return false;
            connection_ = connection;
            file_channel_ = chat_channel_ = {};
            std::cout << "receiving from " << peer_text(peer, from) << '\n';
            flush_output();
            return true;
        };
        callbacks.on_event = [this](const net::event &event) { hear(event); };
        // No on_message: messages wait until read() takes them.
        node_ = new_node(options_with_endings(), std::move(callbacks));
        listen_at(node_, address);
    }

    int run()
    {
        while (!stop_asked && !is_over_) must(node_.process(), "process");
        return verdict_ == true ? exit_good : exit_failed;
    }

private:
    void hear(const net::event &event)
    {
        if (event.connection() != connection_) return;
        if (event.kind() == net::event_kind::channel_opened) {
            note(event.channel());
        } else if (event.kind() == net::event_kind::readable) {
            read(event.channel());
        } else if (event.kind() == net::event_kind::connection_closed) {
            connection_ = {};
            is_over_ = verdict_.has_value();
            if (!is_over_)
                std::cerr << line_start() << "the connection ended: "
                          << net::error_text(event.reason())
                          << "; waiting for the sender to come back\n";
        }
    }

    // The label says what a channel is for.
    void note(net::channel channel)
    {
        const std::string label = must(channel.label(), "label");
        if (label == "file")
            file_channel_ = channel;
        else if (label == "chat")
            chat_channel_ = channel;
        else
            must(channel.reset(1), "reset");
    }

    // Reads all that waits on a channel. What we would leave there holds the sender back: nothing
    // is ever lost because we are slow.
    void read(net::channel channel)
    {
        for (;;) {
            const auto got = channel.receive(message_);
            if (got.error() == net::errc::data_unavailable ||
                got.error() == net::errc::invalid_channelid)
                return;
            const std::size_t length = must(got, "receive").length;
            if (channel == chat_channel_)
                say(channel, {message_.data(), length});
            else if (message_[0] == 'O' && length > offer_length && !verdict_)
                take_offer({message_.data(), length});
            else if (message_[0] == 'D' && !verdict_)
                take_piece({message_.data() + 1, length - 1});
        }
    }

    void say(net::channel channel, net::bytes message)
    {
        const net::result<void> said = channel.send(message);
        // A sender that has just gone tells us so by an event.
        if (said.error() == net::errc::invalid_channelid || said.error() == net::errc::closed)
            return;
        must(said, "answer");
    }

    void refuse(const std::string &why)
    {
        std::cerr << "refused a file: " << why << '\n';
        say(file_channel_, "N" + why);
    }

    // A name from the network must not lead out of our directory, or hide.
    static bool is_good_name(const std::string &name)
    {
        const auto is_bad = [](char c) { return c == '/' || (c >= 0 && c < 0x20) || c == 0x7f; };
        return !name.empty() && name.size() <= name_bytes_max && name[0] != '.' &&
               std::none_of(name.begin(), name.end(), is_bad);
    }

    void take_offer(net::bytes offer)
    {
        const std::string name(offer.text().substr(offer_length));
        if (!is_good_name(name)) return refuse("its name is none for a file here");
        size_ = take_number(offer.data() + 1);
        std::copy(offer.data() + 9, offer.data() + offer_length, digest_.begin());
        path_ = directory_ + "/" + name;
        // The hash in its name makes sure that only the same file is gone on with.
        part_path_ = path_ + "." + hex(digest_.data(), 8) + ".part";
        if (!open_part()) return refuse(std::strerror(errno));

        std::cout << name << ": " << grouped(size_) << " bytes";
        if (received_ > 0) std::cout << ", going on at byte " << grouped(received_);
        std::cout << '\n';
        flush_output();
        bar_.emplace("receiving", received_, size_);
        std::array<std::uint8_t, 9> accept = {'A'};
        put_number(accept.data() + 1, received_);
        say(file_channel_, accept);
        if (received_ == size_) finish();
    }

    bool open_part()
    {
        struct stat status = {};
        file_ = descriptor(part_path_, O_RDWR | O_CREAT);
        if (!file_ || ::fstat(file_.get(), &status) != 0) return false;
        received_ = std::uint64_t(status.st_size);
        if (received_ > size_) {
            received_ = 0;
            if (::ftruncate(file_.get(), 0) != 0) return false;
        }
        hash_ = hash_file(file_, part_path_, received_);
        return true;
    }

    void take_piece(net::bytes piece)
    {
        if (!file_ || piece.size() > size_ - received_)
            return refuse("more bytes than the file has");
        if (::pwrite(file_.get(), piece.data(), piece.size(), off_t(received_)) !=
            ssize_t(piece.size()))
            fail_errno(part_path_);
        sha256_add(&hash_, piece.data(), piece.size());
        received_ += piece.size();
        bar_->draw(received_);
        if (received_ == size_) finish();
    }

    // Everything is here: is it what was offered?
    void finish()
    {
        const digest came = end_hash(hash_);
        verdict_ = came == digest_;
        file_ = {};
        if (*verdict_) {
            std::filesystem::rename(part_path_, path_);
            std::cout << path_ << ": SHA-256 " << hex(came.data(), came.size())
                      << ", as it was sent\n";
        } else {
            std::filesystem::remove(part_path_);
            std::cerr << "what came is not what was offered: its SHA-256 differs\n";
        }
        flush_output();
        const std::array<std::uint8_t, 2> verdict = {'V', std::uint8_t(*verdict_)};
        say(file_channel_, verdict);
    }

    std::string directory_;
    net::connection connection_; // none now, or the sender's
    net::channel file_channel_;
    net::channel chat_channel_;
    descriptor file_;            // what is written to
    std::uint64_t size_ = 0;
    std::uint64_t received_ = 0; // of it
    struct sha256 hash_ = {};    // of that: made as it comes, so that the end holds nobody up
    digest digest_ = {};
    std::string path_;           // where it will be,
    std::string part_path_;      // and where it is until then
    std::optional<bool> verdict_;
    bool is_over_ = false;       // the sender has the verdict and left
    std::optional<bar> bar_;
    std::vector<std::uint8_t> message_;
    net::node node_; // last: it goes first, and its callbacks use the others
};

int run(const std::vector<std::string> &words)
{
    if (asks_for_help(words, usage_head, usage_tail)) return exit_good;
    if (settings.is_v0) throw usage_error("the old protocol has no reliable channels");
    if ((words.size() == 2 || words.size() == 3) && words[0] == "receive")
        return receiver(words[1], words.size() == 3 ? words[2] : ".").run();
    if (words.size() == 3 && words[0] == "send") return sender(words[1], words[2]).run();
    std::cerr << usage_head << settings_usage << usage_tail;
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    return guarded([&] { return run(take_settings(argc, argv)); });
}
