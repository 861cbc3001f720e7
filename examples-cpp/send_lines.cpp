// send_lines: sends a file, each line a message, over several channels at once.
//
// A plain channel neither repeats what gets lost nor keeps an order, so each message says which
// line it is and where it belongs in the file, and the receiver counts.
//
// Shows: many channels; sending and receiving in batches; what to do when a queue is full; how to
// make an end known when any message may be lost.
//
// The messages; numbers are big-endian:
//   'H' hello    nothing more. Sent first, repeated until answered
//   'L' line     u32 number, u64 offset in the file, the bytes (line end included)
//   'E' end      u32 channels, u32 which of them, u32 lines sent on it, u32 lines sent on all,
//                u64 bytes of the file. Sent last, repeated until answered
//   'G' got      u8 'H' or 'E', which it answers, u32 lines received on this channel

#include "common.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr std::uint32_t channels_max = 64;
constexpr std::size_t batch = 64;              // messages in one call
constexpr std::uint32_t lines_max = 1u << 27;  // the receiver keeps a bit for each
constexpr std::uint64_t file_bytes_max = std::uint64_t(1) << 40;
constexpr std::size_t line_header = 13;        // bytes of an 'L' before the text
constexpr std::size_t end_length = 25;         // bytes of an 'E'
constexpr std::size_t got_length = 6;          // bytes of a 'G'
constexpr std::size_t message_bytes_max = 65536;
constexpr std::uint64_t queue_bytes = 65536;   // little, so that the bar tells the truth
constexpr auto repeat = 50ms;                  // when an 'H' or 'E' is sent again
constexpr int tries = 60;                      // and how often at most
constexpr auto linger = 300ms;                 // how long the receiver goes on answering
constexpr auto silence = 10s;                  // when the receiver gives up the sender
constexpr auto progress_span = 100ms;          // how often the progress bar is drawn
constexpr int progress_cells = 30;

constexpr std::string_view usage_head =
    "usage: send_lines receive ADDRESS [--output FILE]\n"
    "       send_lines send PEERID@ADDRESS FILE [--channels N] [--rate LINES]\n"
    "\n"
    "Sends a file, each line a message, over N channels at once (1 to 64, default 4), at most so\n"
    "many LINES in a second (default: as fast as it goes). The receiver takes one file, says what\n"
    "came and what was lost, and ends; it keeps the lines only with --output, each at its place,\n"
    "so that nothing is missing from FILE but what was lost.\n"
    "\n"
    "ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine\n"
    "has; port 0 takes any that is free. The receiver prints the PEERID@ADDRESS to give to the\n"
    "sender.\n"
    "\n";
constexpr std::string_view usage_tail =
    "\n"
    "Exits with 0 when every line came, 3 when some were lost, 1 when something failed, 2 when\n"
    "called wrongly.\n";

// --- bytes and words ---------------------------------------------------------------------------

void put_number(std::uint8_t *bytes, std::uint64_t number, int count)
{
    while (count > 0) {
        bytes[--count] = static_cast<std::uint8_t>(number);
        number >>= 8;
    }
}

std::uint64_t take_number(const std::uint8_t *bytes, int count)
{
    std::uint64_t number = 0;
    for (int i = 0; i < count; i++) number = number << 8 | bytes[i];
    return number;
}

// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number)
{
    std::string text = std::to_string(number);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
}

// "in 0.012 s: 83,000 lines/s, 4.3 MB/s".
std::string rates(std::uint64_t lines, std::uint64_t bytes, std::chrono::nanoseconds span)
{
    const double seconds = std::chrono::duration<double>(std::max(span, 1000ns)).count();
    const auto lines_per_second = static_cast<double>(lines) / seconds;
    std::ostringstream out;
    out << std::fixed << std::setprecision(3) << "in " << seconds << " s: "
        << grouped(static_cast<std::uint64_t>(lines_per_second)) << " lines/s, "
        << std::setprecision(1) << static_cast<double>(bytes) / seconds / 1e6 << " MB/s";
    return out.str();
}

// --- sending -----------------------------------------------------------------------------------

class sender {
public:
    sender(const std::string &receiver, const std::string &name, std::uint32_t channels,
           std::uint64_t rate)
        : name_(name), file_(std::fopen(name.c_str(), "rb"), std::fclose), rate_(rate),
          lanes_(channels)
    {
        struct stat info = {};
        if (!file_ || ::fstat(::fileno(file_.get()), &info) != 0) fail_errno(name_);
        if (S_ISREG(info.st_mode)) file_bytes_ = static_cast<std::uint64_t>(info.st_size);

        net::callbacks callbacks;
        callbacks.on_event = [this](const net::event &event) { hear(event); };
        callbacks.on_message = [this](net::connection, net::channel channel, net::bytes message) {
            take(channel, message);
        };
        net::options options = default_options();
        options.send_queue_bytes_max = queue_bytes;
        node_ = new_node(options, std::move(callbacks));
        open_channels(receiver);
    }

    int run()
    {
        start_ = clock_type::now();
        send_file();
        const auto span = clock_type::now() - start_;
        if (std::ferror(file_.get())) fail_errno(name_);
        const bool is_answered = ask('E');
        const int code = print_sent(span, is_answered);
        flush_output();
        close_and_wait(node_, connection_, "done", over_);
        return code;
    }

private:
    struct out_lane {
        net::channel channel;
        std::uint32_t sent = 0;   // lines
        bool is_answered = false; // the receiver answered what we ask now
    };

    void hear(const net::event &event)
    {
        if (event.kind() == net::event_kind::connection_closed) over_ = event.reason();
        // The peer could open channels, too: they are not our business.
        if (find(event.channel()) == nullptr) return;
        if (event.kind() == net::event_kind::channel_opened) opened_++;
        if (event.kind() == net::event_kind::channel_closed) closed_ = event.reason();
        if (event.kind() == net::event_kind::writable && event.channel() == blocked_)
            blocked_ = net::channel();
    }

    void take(net::channel channel, net::bytes message)
    {
        out_lane *lane = find(channel);
        if (lane == nullptr || message.size() != got_length || message[0] != 'G') return;
        if (message[1] != asked_ || lane->is_answered) return;
        lane->is_answered = true;
        answered_++;
        got_ += take_number(message.data() + 2, 4);
    }

    // None when it is no channel of ours.
    out_lane *find(const net::channel &channel)
    {
        for (out_lane &lane : lanes_) {
            if (lane.channel == channel) return &lane;
        }
        return nullptr;
    }

    // Runs the node for a while; ends the program when the receiver is gone or Ctrl-C came.
    void turn(std::chrono::nanoseconds wait)
    {
        must(node_.process(wait), "process");
        if (closed_ == net::errc::refused) fail_closed("the receiver does not let us in", closed_);
        if (closed_ != net::errc::ok) fail_closed("the receiver does not answer", closed_);
        if (stop_asked) throw failure("stopped");
    }

    // Opens the channels and waits until all work both ways. In protocol v0 the opener is told so
    // before the other side has let it in, if it ever does: hence the hello.
    void open_channels(const std::string &receiver)
    {
        connection_ = connect_to(node_, receiver);
        for (out_lane &lane : lanes_)
            lane.channel = must(connection_.open_channel(), "open a channel");
        while (opened_ < lanes_.size()) turn(net::forever);
        if (!ask('H')) fail_closed("the receiver does not let us in", net::errc::timeout);

        const std::size_t largest = must(connection_.info(), "connection").packet_message_bytes;
        buffers_.assign(batch, std::vector<std::uint8_t>(largest));
    }

    // Says hello ('H') or that this was all ('E') on each channel, again and again until the
    // receiver answers that it heard. Returns whether it did.
    bool ask(char kind)
    {
        asked_ = static_cast<std::uint8_t>(kind);
        answered_ = 0;
        got_ = 0;
        for (out_lane &lane : lanes_) lane.is_answered = false;
        for (int i = 0; i < tries && answered_ < lanes_.size(); i++) {
            for (std::uint32_t index = 0; index < lanes_.size(); index++) ask_on(index);
            const auto again_at = clock_type::now() + repeat;
            while (answered_ < lanes_.size() && clock_type::now() < again_at)
                turn(again_at - clock_type::now());
        }
        return answered_ == lanes_.size();
    }

    void ask_on(std::uint32_t index)
    {
        const out_lane &lane = lanes_[index];
        if (lane.is_answered) return;
        std::array<std::uint8_t, end_length> message = {asked_};
        put_number(&message[1], lanes_.size(), 4);
        put_number(&message[5], index, 4);
        put_number(&message[9], lane.sent, 4);
        put_number(&message[13], lines_, 4);
        put_number(&message[17], bytes_, 8);
        const std::size_t length = asked_ == 'E' ? end_length : 1;
        const net::result<void> sent = lane.channel.send({message.data(), length});
        // A full queue is no harm here: this is said again.
        if (sent.error() != net::errc::would_block) must(sent, "send");
    }

    // Reads a line with its end, or as much of it as fits; 0 at the end of the file.
    std::size_t read_line(std::uint8_t *text, std::size_t max)
    {
        std::size_t length = 0;
        while (length < max) {
            const int byte = ::getc_unlocked(file_.get());
            if (byte == EOF) break;
            text[length++] = static_cast<std::uint8_t>(byte);
            if (byte == '\n') break;
        }
        return length;
    }

    // Makes up to `max` messages from the next lines; the channels take turns.
    std::vector<net::message> fill_batch(std::size_t max)
    {
        std::vector<net::message> messages;
        while (messages.size() < max) {
            std::vector<std::uint8_t> &buffer = buffers_[messages.size()];
            const std::size_t room = buffer.size() - line_header;
            const std::size_t length = read_line(&buffer[line_header], room);
            if (length == 0) break;
            if (lines_ == lines_max || bytes_ + length > file_bytes_max)
                throw failure("the file has too many lines");
            out_lane &lane = lanes_[lines_ % lanes_.size()];
            buffer[0] = 'L';
            put_number(&buffer[1], lines_, 4);
            put_number(&buffer[5], bytes_, 8);
            const net::bytes message(buffer.data(), line_header + length);
            messages.push_back(net::make_message(lane.channel, message));
            if (length == room && message[message.size() - 1] != '\n') cut_++;
            lane.sent++;
            lines_++;
            bytes_ += length;
        }
        return messages;
    }

    // Where a queue is full the library says so, takes nothing more, and later tells by an event
    // that there is room: then we go on with the message that was not taken.
    void send_batch(std::vector<net::message> messages)
    {
        net::span<const net::message> rest = messages;
        while (!rest.empty()) {
            const net::progress sent = node_.send_many(rest);
            rest = {rest.data() + sent.count, rest.size() - sent.count};
            if (sent.error == net::errc::would_block) {
                blocked_ = net::channel(node_.capi(), rest[0].channel);
                waits_++;
                while (blocked_) turn(net::forever);
            } else if (!sent) {
                must(net::result<void>(sent.error), "send");
            }
        }
        turn(0s); // let the network have it
    }

    void send_file()
    {
        for (;;) {
            std::size_t max = batch;
            if (rate_ != 0) {
                const std::chrono::duration<double> span = clock_type::now() - start_;
                const double rate = static_cast<double>(rate_);
                const double due = span.count() * rate - static_cast<double>(lines_);
                if (due < 1) {
                    const std::chrono::duration<double> wait((1 - due) / rate);
                    turn(std::chrono::ceil<std::chrono::nanoseconds>(wait));
                    continue;
                }
                if (due < static_cast<double>(batch)) max = static_cast<std::size_t>(due);
            }
            std::vector<net::message> messages = fill_batch(max);
            if (messages.empty()) break;
            send_batch(std::move(messages));
            draw_progress(false);
        }
        draw_progress(true);
    }

    // Draws a bar on a terminal: [########----------] 44 %. Nobody wants one in a log.
    void draw_progress(bool is_last)
    {
        const auto now = clock_type::now();
        if (file_bytes_ == 0 || !::isatty(STDERR_FILENO)) return;
        if (!is_last && now - drawn_at_ < progress_span) return;
        drawn_at_ = now;
        // At most 1, though the file may have grown meanwhile.
        const double part =
            std::min(static_cast<double>(bytes_) / static_cast<double>(file_bytes_), 1.0);
        const auto cells = static_cast<std::size_t>(std::ceil(part * progress_cells));
        std::ostringstream bar;
        bar << "\r[" << std::string(cells, '#') << std::string(progress_cells - cells, '-') << "] "
            << std::fixed << std::setprecision(0) << std::setw(3) << part * 100 << " %"
            << (is_last ? "\n" : "");
        std::cerr << bar.str();
    }

    // Prints what was sent and what became of it. Returns the exit code.
    int print_sent(std::chrono::nanoseconds span, bool is_answered) const
    {
        std::cout << "sent " << grouped(lines_) << " lines (" << grouped(bytes_)
                  << " bytes) over " << lanes_.size() << " channel"
                  << (lanes_.size() == 1 ? " " : "s ") << rates(lines_, bytes_, span) << '\n';
        if (cut_ > 0)
            std::cout << grouped(cut_) << " times a line was too long for a message, and went in "
                      << "pieces that count as lines\n";
        if (waits_ > 0)
            std::cout << grouped(waits_) << " times a queue was full and we waited for room\n";
        if (!is_answered) {
            std::cout << "the receiver did not say what it has\n";
            return exit_failed;
        }
        std::cout << "the receiver has " << grouped(got_) << " of " << grouped(lines_) << '\n';
        if (got_ == lines_) return exit_good;
        std::cout << "(it could not follow, or the network could not: --rate sends more slowly)\n";
        return exit_lost;
    }

    std::string name_;
    std::unique_ptr<std::FILE, int (*)(std::FILE *)> file_;
    std::uint64_t rate_;           // lines in a second; 0: no limit
    std::uint64_t file_bytes_ = 0; // in the file; 0: not known (a pipe)
    std::vector<out_lane> lanes_;
    std::size_t opened_ = 0;   // of them
    std::size_t answered_ = 0; // of them
    std::uint8_t asked_ = 0;   // what the receiver must answer now: 'H' or 'E'
    std::uint64_t got_ = 0;    // lines that it says it has
    net::channel blocked_;     // the channel whose queue is full; none
    net::connection connection_;
    net::errc closed_ = net::errc::ok; // why a channel ended
    net::errc over_ = net::errc::ok;   // why the connection did
    std::uint32_t lines_ = 0;          // sent on all
    std::uint64_t bytes_ = 0;          // of the file, sent
    std::uint32_t cut_ = 0;            // lines that had to be cut
    std::uint32_t waits_ = 0;          // times that a queue was full
    clock_type::time_point start_, drawn_at_;
    std::vector<std::vector<std::uint8_t>> buffers_; // one for each message of a batch
    net::node node_; // last: it goes first, and its callbacks use the others
};

// --- receiving ---------------------------------------------------------------------------------

// A file to write at any place, or none.
class output_file {
public:
    explicit output_file(const std::optional<std::string> &name) : name_(name.value_or(""))
    {
        if (!name) return;
        file_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (file_ < 0) fail_errno(name_);
    }
    output_file(const output_file &) = delete;
    output_file &operator=(const output_file &) = delete;
    ~output_file()
    {
        if (file_ >= 0) ::close(file_);
    }

    void write(net::bytes text, std::uint64_t offset)
    {
        if (file_ < 0) return;
        const ssize_t done = ::pwrite(file_, text.data(), text.size(), static_cast<off_t>(offset));
        if (done < 0 || static_cast<std::size_t>(done) != text.size()) fail_errno(name_);
    }

    // Only here a disk may say that it could not keep what was written.
    void close()
    {
        if (file_ >= 0 && ::close(std::exchange(file_, -1)) != 0) fail_errno(name_);
    }

private:
    std::string name_;
    int file_ = -1;
};

class receiver {
public:
    receiver(const std::string &address, const std::optional<std::string> &output)
        : output_(output), buffers_(batch, std::vector<std::uint8_t>(message_bytes_max))
    {
        net::callbacks callbacks;
        // One sender at a time: the first one who comes.
        callbacks.on_accept = [this](net::connection connection, const net::peer_id &peer,
                                     const net::address &from) {
            if (connection_) return false;
            connection_ = connection;
            heard_at_ = clock_type::now();
            std::cout << "receiving from " << peer_text(peer, from) << '\n';
            flush_output();
            return true;
        };
        callbacks.on_event = [this](const net::event &event) { hear(event); };
        // No on_message: messages are kept until read_channel takes them.
        node_ = new_node(default_options(), std::move(callbacks));
        listen_at(node_, address);
    }

    int run()
    {
        receive_file();
        int code = exit_failed;
        if (lanes_.empty())
            std::cerr << "nothing came\n";
        else
            code = print_summary();
        flush_output();
        output_.close();
        return code;
    }

private:
    // What came on one channel.
    struct in_lane {
        std::uint32_t received = 0;  // different lines
        std::uint32_t doubled = 0;   // lines that came again
        std::uint32_t overtaken = 0; // lines that came after a later one
        std::uint32_t last = 0;      // highest number so far, plus one
        bool is_ended = false;       // an 'E' came; it said:
        std::uint32_t index = 0;     // which channel of the sender's this is,
        std::uint32_t sent = 0;      // and how many lines were sent on it
    };

    void hear(const net::event &event)
    {
        const net::channel channel = event.channel();
        if (event.connection() != connection_) return;
        if (event.kind() == net::event_kind::channel_opened && lanes_.size() < channels_max)
            lanes_.emplace(channel, in_lane());
        else if (event.kind() == net::event_kind::readable && lanes_.count(channel) != 0)
            read_channel(channel, lanes_[channel]);
        else if (event.kind() == net::event_kind::connection_closed)
            closed_ = event.reason();
    }

    // Reads all that waits on a channel, many messages in a call.
    void read_channel(const net::channel &channel, in_lane &lane)
    {
        heard_at_ = clock_type::now();
        std::vector<net::slot> slots;
        for (std::vector<std::uint8_t> &buffer : buffers_)
            slots.push_back(net::make_slot(channel, buffer));
        std::size_t count = batch;
        while (count == batch) {
            const net::result<std::size_t> received = node_.receive_many(slots);
            if (received.error() == net::errc::data_unavailable) break;
            count = must(received, "receive");
            // The slots are of one channel, so that those which were filled come first.
            for (std::size_t i = 0; i < count; i++)
                take(channel, lane, {slots[i].buffer, slots[i].length});
        }
    }

    void take(const net::channel &channel, in_lane &lane, net::bytes message)
    {
        if (message[0] == 'L' && message.size() > line_header) {
            take_line(lane, message);
        } else if (message[0] == 'E' && message.size() == end_length) {
            take_end(lane, message);
            answer(channel, 'E', lane.received);
        } else if (message[0] == 'H' && message.size() == 1) {
            answer(channel, 'H', 0);
        }
    }

    void take_line(in_lane &lane, net::bytes message)
    {
        const std::uint64_t number = take_number(message.data() + 1, 4);
        const std::uint64_t offset = take_number(message.data() + 5, 8);
        const net::bytes text(message.data() + line_header, message.size() - line_header);
        if (number >= lines_max || offset >= file_bytes_max) return; // no sender of ours says that

        last_at_ = heard_at_;
        if (first_at_ == clock_type::time_point()) first_at_ = heard_at_;
        // At most lines_max of them, checked above, and then some.
        if (seen_.size() <= number) seen_.resize(std::max(number + 1, seen_.size() * 2));
        if (seen_[number]) {
            lane.doubled++;
            return;
        }
        seen_[number] = true;
        if (number < lane.last)
            lane.overtaken++;
        else
            lane.last = static_cast<std::uint32_t>(number) + 1;
        lane.received++;
        bytes_ += text.size();
        output_.write(text, offset);
    }

    void take_end(in_lane &lane, net::bytes message)
    {
        const auto number = [&](std::size_t at) {
            return static_cast<std::uint32_t>(take_number(message.data() + at, 4));
        };
        if (lane.is_ended) return;
        lane.is_ended = true;
        expected_ = number(1);
        lane.index = number(5);
        lane.sent = number(9);
        lines_sent_ = number(13);
        file_bytes_ = take_number(message.data() + 17, 8);
        ended_++;
    }

    // Answers an 'H' or 'E': the sender repeats them until it hears us.
    void answer(const net::channel &channel, char kind, std::uint32_t received)
    {
        std::array<std::uint8_t, got_length> got = {'G', static_cast<std::uint8_t>(kind)};
        put_number(&got[2], received, 4);
        const net::result<void> sent = channel.send(got);
        if (sent.error() != net::errc::would_block) must(sent, "answer");
    }

    // Runs the node until all channels have ended, or the sender has gone.
    void receive_file()
    {
        std::optional<clock_type::time_point> over_at; // when all had ended
        std::chrono::nanoseconds wait = net::forever;  // somebody must come first
        while (!stop_asked && closed_ == net::errc::ok) {
            must(node_.process(wait), "process");
            if (!connection_) continue;
            const auto now = clock_type::now();
            if (expected_ != 0 && ended_ >= expected_ && !over_at) over_at = now;
            // Our answer may be lost, and the sender then asks again: stay a little.
            const auto end = over_at ? *over_at + linger : heard_at_ + silence;
            const bool is_last = wait <= 0s; // the time is up, and we have looked once more
            wait = end - now;
            if (wait <= 0s && is_last) break;
        }
    }

    static void print_row(const std::string &channel, const std::string &sent,
                          const std::string &received, const std::string &lost)
    {
        std::cout << "  " << std::setw(7) << channel << ' ' << std::setw(12) << sent << ' '
                  << std::setw(12) << received << ' ' << std::setw(12) << lost << '\n';
    }

    static std::uint64_t lost(std::uint64_t sent, std::uint64_t received)
    {
        return sent > received ? sent - received : 0;
    }

    // Prints a row a channel, in the sender's order, then what it comes to. Returns the exit code.
    int print_summary() const
    {
        std::vector<in_lane> lanes;
        for (const auto &[channel, lane] : lanes_) lanes.push_back(lane);
        // Channels may be established in another order than they were opened in.
        std::sort(lanes.begin(), lanes.end(), [](const in_lane &left, const in_lane &right) {
            return left.index < right.index;
        });
        std::uint64_t received = 0, doubled = 0, overtaken = 0;
        std::cout << '\n';
        print_row("channel", "sent", "received", "lost");
        for (const in_lane &lane : lanes) {
            if (lane.is_ended)
                print_row(std::to_string(lane.index + 1), grouped(lane.sent),
                          grouped(lane.received), grouped(lost(lane.sent, lane.received)));
            else
                print_row("?", "?", grouped(lane.received), "?");
            received += lane.received;
            doubled += lane.doubled;
            overtaken += lane.overtaken;
        }
        if (expected_ == 0) {
            std::cout << '\n' << grouped(received) << " lines came, and then nothing: "
                      << "the sender never said that it had ended.\n";
            return exit_failed;
        }
        print_row("all", grouped(lines_sent_), grouped(received),
                  grouped(lost(lines_sent_, received)));
        std::cout << '\n' << grouped(received) << " of " << grouped(lines_sent_)
                  << " lines came (" << grouped(bytes_) << " of " << grouped(file_bytes_)
                  << " bytes) " << rates(received, bytes_, last_at_ - first_at_) << ".\n";
        if (doubled + overtaken > 0)
            std::cout << grouped(doubled) << " came twice, " << grouped(overtaken)
                      << " after a later one.\n";
        return print_lost(lost(lines_sent_, received));
    }

    int print_lost(std::uint64_t lines) const
    {
        if (lines == 0) {
            std::cout << "Nothing was lost.\n";
            return exit_good;
        }
        const double part = static_cast<double>(lines) / static_cast<double>(lines_sent_);
        std::ostringstream percent;
        percent << std::fixed << std::setprecision(1) << part * 100;
        std::cout << grouped(lines) << " lines (" << percent.str()
                  << " %) were lost: a plain channel does not repeat them.\n";
        // The others were lost on the way, or did not fit into the system's buffer of the socket.
        const net::node_counters counters = must(node_.stats(), "statistics");
        const auto full = static_cast<std::size_t>(net::drop_reason::receive_queue_full);
        if (counters.dropped[full] > 0)
            std::cout << grouped(counters.dropped[full])
                      << " of them came faster than we read them.\n";
        else
            std::cout << "None of them reached us.\n";
        return exit_lost;
    }

    output_file output_;
    net::connection connection_; // the sender; none: nobody yet
    std::map<net::channel, in_lane> lanes_;
    std::uint32_t ended_ = 0;       // of them
    std::uint32_t expected_ = 0;    // channels that the sender has; 0: not known yet
    std::uint32_t lines_sent_ = 0;  // on all, by its word
    std::uint64_t file_bytes_ = 0;  // by its word, too
    std::uint64_t bytes_ = 0;       // received, each line once
    std::vector<bool> seen_;        // for each line
    clock_type::time_point first_at_, last_at_; // when lines came
    clock_type::time_point heard_at_;           // when anything came
    net::errc closed_ = net::errc::ok;          // why the connection ended
    std::vector<std::vector<std::uint8_t>> buffers_; // one for each slot
    net::node node_; // last: it goes first, and its callbacks use the others
};

// -----------------------------------------------------------------------------------------------

int run(const std::vector<std::string> &arguments)
{
    if (asks_for_help(arguments, usage_head, usage_tail)) return exit_good;
    std::vector<std::string> words; // what is no option: command, address, file
    std::optional<std::string> output;
    std::uint32_t channels = 4;
    std::uint64_t rate = 0;

    for (std::size_t i = 0; i < arguments.size(); i++) {
        const std::string &word = arguments[i];
        const bool has_value = i + 1 < arguments.size();
        if (word == "--channels" && has_value) {
            channels = static_cast<std::uint32_t>(parse_number(arguments[++i], 1, channels_max));
        } else if (word == "--rate" && has_value) {
            rate = parse_number(arguments[++i], 1, 1000000000);
        } else if (word == "--output" && has_value) {
            output = arguments[++i];
        } else if (word.substr(0, 2) != "--") {
            words.push_back(word);
        } else {
            words.clear();
            break;
        }
    }
    if (words.size() == 2 && words[0] == "receive") return receiver(words[1], output).run();
    if (words.size() == 3 && words[0] == "send")
        return sender(words[1], words[2], channels, rate).run();
    std::cerr << usage_head << settings_usage << usage_tail;
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    return guarded([&] { return run(take_settings(argc, argv)); });
}
