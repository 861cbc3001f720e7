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

#include "common.h"
#include "sha256.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 65536,     // of the file in a message
    OFFER_LENGTH = 41,       // bytes of an 'O' before the name
    NAME_BYTES_MAX = 200,
    PROGRESS_MS = 100,       // how often the progress bar is drawn
    PROGRESS_CELLS = 30,
    ASK_MS = 20,             // how often the sender says something beside the file
    ANSWERS_MAX = 1 << 16,   // how many answering times are kept
    TRIES = 30,              // how often a broken connection is dialled again
    TRY_MS = 500             // and how long after the last try
};

#define FULL_RELIABILITY                                                                           \
    (CHANNELER_CAP_RESEND | CHANNELER_CAP_ORDERED | CHANNELER_CAP_CLOSE_ON_LOSS)

static const char usage[] =
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
    "\n"
    SETTINGS_USAGE
    "\n"
    "Exits with 0 when the file came whole, 1 when something failed, 2 when called wrongly.\n";

// --- numbers, sums, a bar ----------------------------------------------------------------------

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 8; i > 0; number >>= 8) bytes[--i] = (uint8_t)number;
}

static uint64_t take_number(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) number = number << 8 | bytes[i];
    return number;
}

static void hex(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++) sprintf(text + 2 * i, "%02x", bytes[i]);
}

// A bar on a terminal; elsewhere nothing.
struct bar {
    const char *what;
    uint64_t total;
    uint64_t from;     // where it began: only what came since counts for the speed
    int64_t start_ns;
    int64_t drawn_ns;
};

static void begin_bar(struct bar *bar, const char *what, uint64_t from, uint64_t total)
{
    bar->what = what;
    bar->total = total;
    bar->from = from;
    bar->start_ns = now_ns();
    bar->drawn_ns = 0;
}

static void draw_bar(struct bar *bar, uint64_t done)
{
    int64_t now = now_ns();
    int is_last = done >= bar->total;
    if (!isatty(STDERR_FILENO) || (!is_last && now - bar->drawn_ns < PROGRESS_MS * NS_PER_MS))
        return;
    bar->drawn_ns = now;
    double share = bar->total == 0 ? 1.0 : (double)done / (double)bar->total;
    double seconds = (double)(now - bar->start_ns + 1) / NS_PER_S;
    double rate = (double)(done - bar->from) / seconds;
    int cells = (int)(share * PROGRESS_CELLS);
    fprintf(stderr, "\r%s [%.*s%*s] %3.0f %%  %.1f MB/s", bar->what, cells,
            "##############################", PROGRESS_CELLS - cells, "", share * 100, rate / 1e6);
    if (!is_last && rate > 0)
        fprintf(stderr, ", %.0f s left ", (double)(bar->total - done) / rate);
    fprintf(stderr, is_last ? "            \n" : "\033[K");
}

// Begins the SHA-256 of a file with the first `size` bytes of it.
static void hash_file(int file, const char *name, uint64_t size, struct sha256 *hash)
{
    static uint8_t bytes[PIECE_BYTES];
    struct bar bar;
    uint64_t done = 0;

    sha256_init(hash);
    begin_bar(&bar, "checking", 0, size);
    while (done < size) {
        ssize_t length = pread(file, bytes, sizeof bytes, (off_t)done);
        if (length < 0) fail_errno(name);
        if (length == 0) break;
        sha256_add(hash, bytes, (size_t)length);
        done += (uint64_t)length;
        draw_bar(&bar, done);
    }
}

static channeler_channel open_channel(channeler_node *node, channeler_connection connection,
                                      const char *label, uint32_t priority)
{
    channeler_channel_options options;
    channeler_channel channel;
    check(channeler_channel_options_init(&options, sizeof options), "channel options");
    options.capabilities = FULL_RELIABILITY;
    options.priority = priority;
    options.label = (const uint8_t *)label;
    options.label_length = strlen(label);
    check(channeler_channel_open(node, connection, &options, &channel), label);
    return channel;
}

// A peer that says nothing for a while is gone; ours is asked now and then, so that it says
// something.
static void init_endings(channeler_options *options)
{
    init_options(options);
    options->idle_timeout_ns = 10 * NS_PER_S;
    options->keep_alive_ns = 2 * NS_PER_S;
}

// --- sending -----------------------------------------------------------------------------------

struct sender {
    channeler_node *node;
    channeler_connection connection; // id 0: none now
    channeler_channel file_channel;
    channeler_channel chat_channel;
    int file;
    const char *name;
    uint64_t size;
    uint8_t digest[SHA256_BYTES];
    uint64_t sent;      // where the next piece begins
    uint64_t resumed;   // where the receiver told us to begin, the last time
    int is_accepted;    // the receiver wants the file
    int is_full;        // the file's queue is full
    int is_refused;
    int verdict;        // -1: not known yet
    int32_t closed;     // why the connection ended, or 0
    int tries;          // since the last time that it was there
    int64_t asked_ns;   // when the last question was sent, and
    int is_answered;    // whether it was answered
    uint32_t questions;
    uint32_t answers;
    int64_t times_ns[ANSWERS_MAX];
    int64_t start_ns;
    struct bar bar;
};

static void send_offer(struct sender *sender)
{
    uint8_t offer[OFFER_LENGTH + NAME_BYTES_MAX] = {'O'};
    const char *slash = strrchr(sender->name, '/');
    const char *name = slash == NULL ? sender->name : slash + 1;
    size_t length = strlen(name) < NAME_BYTES_MAX ? strlen(name) : NAME_BYTES_MAX;

    put_number(offer + 1, sender->size);
    memcpy(offer + 9, sender->digest, SHA256_BYTES);
    memcpy(offer + OFFER_LENGTH, name, length);
    check(channeler_channel_send(sender->node, sender->file_channel, offer, OFFER_LENGTH + length),
          "offer");
}

// Channels can be opened, and messages sent, before the connection is there: they wait for it.
static void begin_sending(struct sender *sender)
{
    sender->file_channel = open_channel(sender->node, sender->connection, "file", 4);
    sender->chat_channel = open_channel(sender->node, sender->connection, "chat", 0);
    sender->is_accepted = sender->is_full = 0;
    sender->is_answered = 1;
    sender->closed = 0;
    send_offer(sender);
}

static void take_answer(struct sender *sender)
{
    if (sender->is_answered) return;
    sender->is_answered = 1;
    sender->times_ns[sender->answers % ANSWERS_MAX] = now_ns() - sender->asked_ns;
    sender->answers++;
}

static void sender_message(void *user_data, channeler_node *node, channeler_connection connection,
                           channeler_channel channel, const uint8_t *data, size_t length)
{
    struct sender *sender = user_data;
    (void)node;
    (void)connection;
    if (channel.id == sender->chat_channel.id) {
        take_answer(sender);
    } else if (data[0] == 'A' && length == 9) {
        uint64_t from = take_number(data + 1);
        if (from > sender->size) return;
        sender->is_accepted = 1;
        sender->tries = 0;
        sender->sent = sender->resumed = from;
        sender->start_ns = now_ns();
        begin_bar(&sender->bar, "sending ", from, sender->size);
        if (from > 0) {
            char text[32];
            printf("going on at byte %s\n", grouped(from, text));
            flush_output();
        }
    } else if (data[0] == 'N') {
        sender->is_refused = 1;
        fputs("the receiver does not take the file: ", stderr);
        print_text(stderr, data + 1, length - 1);
        putc('\n', stderr);
    } else if (data[0] == 'V' && length == 2) {
        sender->verdict = data[1];
    }
}

static void sender_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct sender *sender = user_data;
    (void)node;
    if (event->connection.id != sender->connection.id) return;
    if (event->kind == CHANNELER_EVENT_WRITABLE && event->channel.id == sender->file_channel.id)
        sender->is_full = 0;
    if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) sender->closed = event->reason;
}

// Queues pieces of the file until it takes no more. Says 0 when there is nothing to send now.
static void send_pieces(struct sender *sender)
{
    static uint8_t piece[1 + PIECE_BYTES] = {'D'};
    while (sender->is_accepted && !sender->is_full && sender->sent < sender->size) {
        ssize_t length = pread(sender->file, piece + 1, PIECE_BYTES, (off_t)sender->sent);
        if (length < 0) fail_errno(sender->name);
        if (length == 0) {
            fprintf(stderr, "%s: the file became shorter meanwhile\n", sender->name);
            exit(EXIT_FAILED);
        }
        int32_t status = channeler_channel_send(sender->node, sender->file_channel, piece,
                                                1 + (size_t)length);
        if (status == CHANNELER_ERR_WOULD_BLOCK) {
            sender->is_full = 1; // CHANNELER_EVENT_WRITABLE says when it is not
        } else if (status != CHANNELER_OK) {
            sender->is_full = 1; // the connection ended; the event with the reason is on its way
        } else {
            sender->sent += (uint64_t)length;
        }
    }
    if (sender->is_accepted) draw_bar(&sender->bar, sender->sent);
}

// Says something beside the file, once the last was answered.
static void chat(struct sender *sender)
{
    if (!sender->is_accepted || !sender->is_answered) return;
    if (now_ns() - sender->asked_ns < ASK_MS * NS_PER_MS) return;
    char line[64];
    int length = snprintf(line, sizeof line, "still there? (%" PRIu32 ")", ++sender->questions);
    sender->asked_ns = now_ns();
    int32_t status = channeler_channel_send(sender->node, sender->chat_channel,
                                            (const uint8_t *)line, (size_t)length);
    sender->is_answered = status != CHANNELER_OK;
}

// Dials again, if there is hope.
static void try_again(struct sender *sender, const char *peer)
{
    if (sender->tries++ >= TRIES) fail_closed("the receiver cannot be reached", sender->closed);
    fprintf(stderr, "%sthe connection ended: %s; trying again (%d of %d)\n",
            isatty(STDERR_FILENO) ? "\r\033[K" : "", channeler_error_text(sender->closed),
            sender->tries, TRIES);
    int64_t until_ns = now_ns() + TRY_MS * NS_PER_MS;
    while (!stop_asked && now_ns() < until_ns)
        check(channeler_node_process(sender->node, until_ns - now_ns()), "process");
    sender->connection = dial(sender->node, peer);
    begin_sending(sender);
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void print_sent(struct sender *sender)
{
    char text[32];
    double seconds = (double)(now_ns() - sender->start_ns) / NS_PER_S;
    uint64_t bytes = sender->size - sender->resumed;
    printf("sent %s bytes in %.3f s: %.1f MB/s\n", grouped(bytes, text), seconds,
           (double)bytes / seconds / 1e6);
    size_t count = sender->answers < ANSWERS_MAX ? sender->answers : ANSWERS_MAX;
    if (count > 0) {
        qsort(sender->times_ns, count, sizeof sender->times_ns[0], compare_times);
        printf("beside it %zu questions were answered in %.2f ms at the median, %.2f ms at most\n",
               count, (double)sender->times_ns[count / 2] / 1e6,
               (double)sender->times_ns[count - 1] / 1e6);
    }
}

static int run_sender(struct sender *sender, const char *peer, const char *name)
{
    channeler_options options;
    struct sha256 hash;
    struct stat status;
    char digest[2 * SHA256_BYTES + 1];

    sender->name = name;
    sender->verdict = -1;
    sender->file = open(name, O_RDONLY);
    if (sender->file < 0 || fstat(sender->file, &status) != 0) fail_errno(name);
    if (!S_ISREG(status.st_mode)) {
        fprintf(stderr, "%s: only a regular file can be sent\n", name);
        return EXIT_USAGE;
    }
    sender->size = (uint64_t)status.st_size;
    hash_file(sender->file, name, sender->size, &hash);
    sha256_end(&hash, sender->digest);
    hex(sender->digest, SHA256_BYTES, digest);
    printf("%s: SHA-256 %s\n", name, digest);

    channeler_callbacks callbacks = calls(sender, sender_event, NULL, sender_message);
    init_endings(&options);
    sender->node = new_node(&options, &callbacks);
    sender->connection = connect_to(sender->node, peer);
    begin_sending(sender);

    while (!stop_asked && sender->verdict < 0 && !sender->is_refused) {
        check(channeler_node_process(sender->node, ASK_MS * NS_PER_MS), "process");
        if (sender->closed != 0) try_again(sender, peer);
        send_pieces(sender);
        chat(sender);
    }
    if (sender->verdict == 1) print_sent(sender);
    if (sender->verdict == 0)
        fprintf(stderr, "what arrived is not the file: its SHA-256 differs\n");
    flush_output();
    if (sender->closed == 0)
        close_and_wait(sender->node, sender->connection, stop_asked ? "stopped" : "done",
                       &sender->closed);
    free_node(sender->node);
    return sender->verdict == 1 ? EXIT_GOOD : EXIT_FAILED;
}

// --- receiving ---------------------------------------------------------------------------------

struct receiver {
    channeler_node *node;
    channeler_connection connection; // id 0: none now
    channeler_channel file_channel;  // id 0: none yet
    channeler_channel chat_channel;
    const char *directory;
    int file;           // what is written to, or -1
    uint64_t size;
    uint64_t received;  // of it
    struct sha256 hash; // of what was received: made as it comes, so that the end holds nobody up
    uint8_t digest[SHA256_BYTES];
    char name[NAME_BYTES_MAX + 1];
    char path[4096];      // where it will be,
    char part_path[4096]; // and where it is until then
    int verdict;          // -1: not known yet
    int is_over;          // the sender has the verdict and left
    struct bar bar;
    uint8_t *message;
    size_t capacity;
};

static void say(struct receiver *receiver, channeler_channel channel, const uint8_t *message,
                size_t length)
{
    int32_t status = channeler_channel_send(receiver->node, channel, message, length);
    // A sender that has just gone tells us so by an event.
    if (status != CHANNELER_ERR_INVALID_CHANNELID && status != CHANNELER_ERR_CLOSED)
        check(status, "answer");
}

static void refuse(struct receiver *receiver, const char *why)
{
    uint8_t message[256] = {'N'};
    int length = snprintf((char *)message + 1, sizeof message - 1, "%s", why);
    fprintf(stderr, "refused a file: %s\n", why);
    say(receiver, receiver->file_channel, message, 1 + (size_t)length);
}

// A name from the network must not lead out of our directory, or hide.
static int take_name(struct receiver *receiver, const uint8_t *name, size_t length)
{
    if (length == 0 || length > NAME_BYTES_MAX || name[0] == '.') return 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '/' || name[i] < 0x20 || name[i] == 0x7f) return 0;
    }
    memcpy(receiver->name, name, length);
    receiver->name[length] = '\0';
    return 1;
}

// The hash in its name makes sure that only the same file is gone on with.
static int open_part(struct receiver *receiver)
{
    char digest[17];
    struct stat status;
    hex(receiver->digest, 8, digest);
    snprintf(receiver->path, sizeof receiver->path, "%s/%s", receiver->directory, receiver->name);
    snprintf(receiver->part_path, sizeof receiver->part_path, "%s/%s.%s.part",
             receiver->directory, receiver->name, digest);
    if (receiver->file >= 0) close(receiver->file);
    receiver->file = open(receiver->part_path, O_RDWR | O_CREAT, 0666);
    if (receiver->file < 0 || fstat(receiver->file, &status) != 0) return 0;
    receiver->received = (uint64_t)status.st_size;
    if (receiver->received > receiver->size) {
        if (ftruncate(receiver->file, 0) != 0) return 0;
        receiver->received = 0;
    }
    hash_file(receiver->file, receiver->part_path, receiver->received, &receiver->hash);
    return 1;
}

// Everything is here: is it what was offered?
static void finish_file(struct receiver *receiver)
{
    uint8_t digest[SHA256_BYTES], verdict[2] = {'V'};
    char text[2 * SHA256_BYTES + 1];

    sha256_end(&receiver->hash, digest);
    receiver->verdict = memcmp(digest, receiver->digest, SHA256_BYTES) == 0;
    if (close(receiver->file) != 0) fail_errno(receiver->part_path);
    receiver->file = -1;
    if (receiver->verdict == 1) {
        if (rename(receiver->part_path, receiver->path) != 0) fail_errno(receiver->path);
        hex(digest, SHA256_BYTES, text);
        printf("%s: SHA-256 %s, as it was sent\n", receiver->path, text);
    } else {
        unlink(receiver->part_path);
        fprintf(stderr, "what came is not what was offered: its SHA-256 differs\n");
    }
    flush_output();
    verdict[1] = (uint8_t)receiver->verdict;
    say(receiver, receiver->file_channel, verdict, sizeof verdict);
}

static void take_offer(struct receiver *receiver, const uint8_t *offer, size_t length)
{
    uint8_t accept[9] = {'A'};
    char size[32], from[32];

    if (!take_name(receiver, offer + OFFER_LENGTH, length - OFFER_LENGTH)) {
        refuse(receiver, "its name is none for a file here");
        return;
    }
    receiver->size = take_number(offer + 1);
    memcpy(receiver->digest, offer + 9, SHA256_BYTES);
    if (!open_part(receiver)) {
        refuse(receiver, strerror(errno));
        return;
    }
    printf("%s: %s bytes", receiver->name, grouped(receiver->size, size));
    if (receiver->received > 0) printf(", going on at byte %s", grouped(receiver->received, from));
    putchar('\n');
    flush_output();
    begin_bar(&receiver->bar, "receiving", receiver->received, receiver->size);
    put_number(accept + 1, receiver->received);
    say(receiver, receiver->file_channel, accept, sizeof accept);
    if (receiver->received == receiver->size) finish_file(receiver);
}

static void take_piece(struct receiver *receiver, const uint8_t *bytes, size_t length)
{
    if (receiver->file < 0 || length > receiver->size - receiver->received) {
        refuse(receiver, "more bytes than the file has");
        return;
    }
    if (pwrite(receiver->file, bytes, length, (off_t)receiver->received) != (ssize_t)length)
        fail_errno(receiver->part_path);
    sha256_add(&receiver->hash, bytes, length);
    receiver->received += length;
    draw_bar(&receiver->bar, receiver->received);
    if (receiver->received == receiver->size) finish_file(receiver);
}

// Reads all that waits on a channel. What we would leave there holds the sender back: nothing is
// ever lost because we are slow.
static void read_channel(struct receiver *receiver, channeler_channel channel)
{
    size_t length;
    for (;;) {
        int32_t status = channeler_channel_receive(receiver->node, channel, receiver->message,
                                                   receiver->capacity, &length, NULL);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE || status == CHANNELER_ERR_INVALID_CHANNELID)
            return;
        check(status, "receive");
        if (channel.id == receiver->chat_channel.id)
            say(receiver, channel, receiver->message, length);
        else if (receiver->message[0] == 'O' && length > OFFER_LENGTH && receiver->verdict < 0)
            take_offer(receiver, receiver->message, length);
        else if (receiver->message[0] == 'D' && receiver->verdict < 0)
            take_piece(receiver, receiver->message + 1, length - 1);
    }
}

// One sender at a time; when its connection broke it may come back.
static int32_t receiver_accept(void *user_data, channeler_node *node,
                               channeler_connection connection, const channeler_peer_id *peer,
                               const channeler_address *address)
{
    struct receiver *receiver = user_data;
    char text[PEER_TEXT_MAX];
    (void)node;
    if (receiver->connection.id != 0) return 0;
    receiver->connection = connection;
    receiver->file_channel.id = receiver->chat_channel.id = 0;
    format_peer(peer, address, text);
    printf("receiving from %s\n", text);
    flush_output();
    return 1;
}

// The label says what a channel is for.
static void note_channel(struct receiver *receiver, channeler_channel channel)
{
    uint8_t label[255];
    size_t length;
    check(channeler_channel_label(receiver->node, channel, label, sizeof label, &length), "label");
    if (length == 4 && memcmp(label, "file", 4) == 0)
        receiver->file_channel = channel;
    else if (length == 4 && memcmp(label, "chat", 4) == 0)
        receiver->chat_channel = channel;
    else
        check(channeler_channel_reset(receiver->node, channel, 1), "reset");
}

static void receiver_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct receiver *receiver = user_data;
    (void)node;
    if (event->connection.id != receiver->connection.id) return;
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) {
        note_channel(receiver, event->channel);
    } else if (event->kind == CHANNELER_EVENT_READABLE) {
        read_channel(receiver, event->channel);
    } else if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) {
        receiver->connection.id = 0;
        receiver->is_over = receiver->verdict >= 0;
        if (!receiver->is_over) {
            fprintf(stderr, "%sthe connection ended: %s; waiting for the sender to come back\n",
                    isatty(STDERR_FILENO) ? "\r\033[K" : "", channeler_error_text(event->reason));
        }
    }
}

static int run_receiver(struct receiver *receiver, const char *address, const char *directory)
{
    channeler_options options;

    receiver->directory = directory;
    receiver->file = receiver->verdict = -1;
    receiver->capacity = 1 + PIECE_BYTES;
    receiver->message = malloc(receiver->capacity);
    if (receiver->message == NULL) fail_errno("malloc");

    // No on_message: messages wait until read_channel takes them.
    channeler_callbacks callbacks = calls(receiver, receiver_event, receiver_accept, NULL);
    init_endings(&options);
    receiver->node = new_node(&options, &callbacks);
    listen_at(receiver->node, address);
    while (!stop_asked && !receiver->is_over)
        check(channeler_node_process(receiver->node, -1), "process");

    free_node(receiver->node);
    free(receiver->message);
    return receiver->verdict == 1 ? EXIT_GOOD : EXIT_FAILED;
}

// -----------------------------------------------------------------------------------------------

int main(int argc, char **argv)
{
    static struct sender sender;
    static struct receiver receiver;
    argc = take_settings(argc, argv);
    if (asks_for_help(argc, argv, usage)) return EXIT_GOOD;
    if (settings.is_v0) {
        fprintf(stderr, "the old protocol has no reliable channels\n");
        return EXIT_USAGE;
    }
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "receive") == 0)
        return run_receiver(&receiver, argv[2], argc == 4 ? argv[3] : ".");
    if (argc == 4 && strcmp(argv[1], "send") == 0) return run_sender(&sender, argv[2], argv[3]);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
