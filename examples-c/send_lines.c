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

#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHANNELS_MAX = 64,
    BATCH = 64,            // messages in one call
    LINES_MAX = 1 << 27,   // the receiver keeps a bit for each
    LINE_HEADER = 13,      // bytes of an 'L' before the text
    END_LENGTH = 25,       // bytes of an 'E'
    GOT_LENGTH = 6,        // bytes of a 'G'
    MESSAGE_BYTES_MAX = 65536,
    QUEUE_BYTES = 65536,   // what may wait in a channel: little, so that the bar tells the truth
    REPEAT_MS = 50,        // when an 'H' or 'E' without an answer is sent again
    TRIES = 60,            // and how often at most
    LINGER_MS = 300,       // how long the receiver goes on answering
    SILENCE_MS = 10000,    // when the receiver gives up a sender that says nothing
    PROGRESS_MS = 100,     // how often the progress bar is drawn
    PROGRESS_CELLS = 30
};

#define FILE_BYTES_MAX (UINT64_C(1) << 40)

static const char usage[] =
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
    "\n"
    SETTINGS_USAGE
    "\n"
    "Exits with 0 when every line came, 3 when some were lost, 1 when something failed, 2 when\n"
    "called wrongly.\n";

// --- bytes and words ---------------------------------------------------------------------------

static void put_number(uint8_t *bytes, uint64_t number, int count)
{
    while (count > 0) {
        bytes[--count] = (uint8_t)number;
        number >>= 8;
    }
}

static uint64_t take_number(const uint8_t *bytes, int count)
{
    uint64_t number = 0;
    for (int i = 0; i < count; i++) number = number << 8 | bytes[i];
    return number;
}

// Prints "in 0.012 s: 83,000 lines/s, 4.3 MB/s".
static void print_rates(uint64_t lines, uint64_t bytes, int64_t span_ns)
{
    char text[32];
    double seconds = (double)(span_ns > 1000 ? span_ns : 1000) / NS_PER_S;
    printf("in %.3f s: %s lines/s, %.1f MB/s", seconds,
           grouped((uint64_t)((double)lines / seconds), text), (double)bytes / seconds / 1e6);
}

// Finds a channel of ours among `count`; -1 when it is none of them.
static int find_channel(const channeler_channel *channels, uint32_t count, channeler_channel wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        if (channels[i].id == wanted.id) return (int)i;
    }
    return -1;
}

// --- sending -----------------------------------------------------------------------------------

struct sender {
    channeler_node *node;
    channeler_connection connection;
    channeler_channel channels[CHANNELS_MAX];
    uint32_t count;                    // of channels
    uint32_t opened;                   // of them
    uint32_t sent[CHANNELS_MAX];       // lines sent on each
    uint8_t asked;                     // what the receiver must answer now: 'H' or 'E'
    int is_answered[CHANNELS_MAX];     // on which channels it did
    uint32_t answered;                 // how many they are
    uint64_t got;                      // lines that it says it has
    channeler_channel blocked;         // the channel whose queue is full; id 0: none
    int32_t closed;                    // why a channel ended, or 0
    int32_t over;                      // why the connection did, or 0
    uint32_t lines;                    // sent on all
    uint64_t bytes;                    // of the file, sent
    uint64_t file_bytes;               // in the file; 0: not known (a pipe)
    uint32_t cut;                      // lines that had to be cut
    uint32_t waits;                    // times that a queue was full
    uint64_t rate;                     // lines in a second; 0: no limit
    int64_t start_ns;
    int64_t drawn_ns;                  // when the progress bar was
    channeler_message messages[BATCH]; // what is sent at once,
    uint8_t *buffers;                  // and a piece of this for each
    size_t message_bytes_max;
};

static void sender_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct sender *sender = user_data;
    (void)node;
    if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) sender->over = event->reason;
    // The peer could open channels, too: they are not our business.
    if (find_channel(sender->channels, sender->count, event->channel) < 0) return;
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) sender->opened++;
    if (event->kind == CHANNELER_EVENT_CHANNEL_CLOSED) sender->closed = event->reason;
    if (event->kind == CHANNELER_EVENT_WRITABLE && event->channel.id == sender->blocked.id)
        sender->blocked.id = 0;
}

static void sender_message(void *user_data, channeler_node *node, channeler_connection connection,
                           channeler_channel channel, const uint8_t *data, size_t length)
{
    struct sender *sender = user_data;
    int index = find_channel(sender->channels, sender->count, channel);
    (void)node;
    (void)connection;
    if (index < 0 || length != GOT_LENGTH || data[0] != 'G') return;
    if (data[1] != sender->asked || sender->is_answered[index]) return;
    sender->is_answered[index] = 1;
    sender->answered++;
    sender->got += take_number(data + 2, 4);
}

// Runs the node for up to `wait_ns`; ends the program when the receiver is gone or Ctrl-C came.
static void turn(struct sender *sender, int64_t wait_ns)
{
    check(channeler_node_process(sender->node, wait_ns), "process");
    if (sender->closed == CHANNELER_ERR_REFUSED)
        fail_closed("the receiver does not let us in", sender->closed);
    if (sender->closed != 0) fail_closed("the receiver does not answer", sender->closed);
    if (stop_asked) {
        fprintf(stderr, "stopped\n");
        exit(EXIT_FAILED);
    }
}

// Draws a bar on a terminal: [########----------] 44 %. Nobody wants one in a log.
static void draw_progress(struct sender *sender, int is_last)
{
    int64_t now = now_ns();
    if (sender->file_bytes == 0 || !isatty(STDERR_FILENO)) return;
    if (!is_last && now - sender->drawn_ns < PROGRESS_MS * NS_PER_MS) return;
    sender->drawn_ns = now;
    double part = (double)sender->bytes / (double)sender->file_bytes;
    if (part > 1) part = 1; // the file grew meanwhile
    fprintf(stderr, "\r[");
    for (int i = 0; i < PROGRESS_CELLS; i++) putc(i < part * PROGRESS_CELLS ? '#' : '-', stderr);
    fprintf(stderr, "] %3.0f %%%s", part * 100, is_last ? "\n" : "");
}

// Says hello ('H') or that this was all ('E') on each channel, again and again until the receiver
// answers that it heard. Returns 0 when it never did.
static int ask(struct sender *sender, uint8_t kind)
{
    sender->asked = kind;
    sender->answered = 0;
    sender->got = 0;
    memset(sender->is_answered, 0, sizeof sender->is_answered);
    for (int try = 0; try < TRIES && sender->answered < sender->count; try++) {
        for (uint32_t i = 0; i < sender->count; i++) {
            uint8_t message[END_LENGTH] = {kind};
            if (sender->is_answered[i]) continue;
            put_number(message + 1, sender->count, 4);
            put_number(message + 5, i, 4);
            put_number(message + 9, sender->sent[i], 4);
            put_number(message + 13, sender->lines, 4);
            put_number(message + 17, sender->bytes, 8);
            int32_t status = channeler_channel_send(sender->node, sender->channels[i], message,
                                                    kind == 'E' ? END_LENGTH : 1);
            // A full queue is no harm here: this is said again.
            if (status != CHANNELER_ERR_WOULD_BLOCK) check(status, "send");
        }
        int64_t again_ns = now_ns() + REPEAT_MS * NS_PER_MS;
        int64_t left_ns;
        while (sender->answered < sender->count && (left_ns = again_ns - now_ns()) > 0)
            turn(sender, left_ns);
    }
    return sender->answered == sender->count;
}

// Opens the channels and waits until all work both ways. In protocol v0 the opener is told so
// before the other side has let it in, if it ever does: hence the hello.
static void open_channels(struct sender *sender, const char *receiver)
{
    channeler_connection_details details = {.struct_size = sizeof details};

    sender->connection = connect_to(sender->node, receiver);
    for (uint32_t i = 0; i < sender->count; i++)
        check(channeler_channel_open(sender->node, sender->connection, NULL, &sender->channels[i]),
              "open a channel");
    while (sender->opened < sender->count) turn(sender, -1);
    if (!ask(sender, 'H')) fail_closed("the receiver does not let us in", CHANNELER_ERR_TIMEOUT);

    check(channeler_connection_info(sender->node, sender->connection, &details), "connection");
    sender->message_bytes_max = details.packet_message_bytes; // a packet lost is a line lost
    sender->buffers = malloc(BATCH * sender->message_bytes_max);
    if (sender->buffers == NULL) fail_errno("malloc");
}

// Reads a line with its end, or as much of it as fits into a message; 0 at the end of the file.
static size_t read_line(FILE *file, uint8_t *text, size_t max)
{
    size_t length = 0;
    while (length < max) {
        int byte = getc_unlocked(file);
        if (byte == EOF) break;
        text[length++] = (uint8_t)byte;
        if (byte == '\n') break;
    }
    return length;
}

// Makes up to `max` messages from the next lines; the channels take turns. Returns how many.
static size_t fill_batch(struct sender *sender, FILE *file, size_t max)
{
    size_t count = 0;
    while (count < max) {
        uint8_t *buffer = sender->buffers + count * sender->message_bytes_max;
        size_t length = read_line(file, buffer + LINE_HEADER,
                                  sender->message_bytes_max - LINE_HEADER);
        if (length == 0) break;
        if (sender->lines == LINES_MAX || sender->bytes + length > FILE_BYTES_MAX) {
            fprintf(stderr, "the file has too many lines\n");
            exit(EXIT_FAILED);
        }
        uint32_t index = sender->lines % sender->count;
        buffer[0] = 'L';
        put_number(buffer + 1, sender->lines, 4);
        put_number(buffer + 5, sender->bytes, 8);
        sender->messages[count].channel = sender->channels[index];
        sender->messages[count].data = buffer;
        sender->messages[count].length = LINE_HEADER + length;
        int is_cut = LINE_HEADER + length == sender->message_bytes_max;
        if (is_cut && buffer[LINE_HEADER + length - 1] != '\n') sender->cut++;
        sender->sent[index]++;
        sender->lines++;
        sender->bytes += length;
        count++;
    }
    return count;
}

// Sends a batch. Where a queue is full the library says so, takes nothing more, and later tells by
// an event that there is room: then we go on with the message that was not taken.
static void send_batch(struct sender *sender, size_t count)
{
    size_t done = 0;
    while (done < count) {
        size_t taken;
        int32_t status = channeler_channel_send_many(sender->node, sender->messages + done,
                                                     count - done, &taken);
        done += taken;
        if (status == CHANNELER_ERR_WOULD_BLOCK) {
            sender->blocked = sender->messages[done].channel;
            sender->waits++;
            while (sender->blocked.id != 0) turn(sender, -1);
        } else {
            check(status, "send");
        }
    }
    turn(sender, 0); // let the network have it
}

static void send_file(struct sender *sender, FILE *file)
{
    sender->start_ns = now_ns();
    for (;;) {
        size_t max = BATCH;
        if (sender->rate != 0) {
            double seconds = (double)(now_ns() - sender->start_ns) / NS_PER_S;
            double due = seconds * (double)sender->rate - (double)sender->lines;
            if (due < 1) {
                turn(sender, (int64_t)((1 - due) / (double)sender->rate * NS_PER_S) + 1);
                continue;
            }
            if (due < BATCH) max = (size_t)due;
        }
        size_t count = fill_batch(sender, file, max);
        if (count == 0) break;
        send_batch(sender, count);
        draw_progress(sender, 0);
    }
    draw_progress(sender, 1);
}


// Prints what was sent and what became of it. Returns the exit code.
static int print_sent(const struct sender *sender, int64_t span_ns)
{
    char lines[32], text[32];

    printf("sent %s lines (%s bytes) ", grouped(sender->lines, lines),
           grouped(sender->bytes, text));
    printf("over %" PRIu32 " channel%s ", sender->count, sender->count == 1 ? "" : "s");
    print_rates(sender->lines, sender->bytes, span_ns);
    printf("\n");
    if (sender->cut > 0)
        printf("%s times a line was too long for a message, and went in pieces that count as "
               "lines\n", grouped(sender->cut, text));
    if (sender->waits > 0)
        printf("%s times a queue was full and we waited for room\n",
               grouped(sender->waits, text));
    if (sender->answered < sender->count) {
        printf("the receiver did not say what it has\n");
        return EXIT_FAILED;
    }
    printf("the receiver has %s of %s\n", grouped(sender->got, text), lines);
    if (sender->got == sender->lines) return EXIT_GOOD;
    printf("(it could not follow, or the network could not: --rate sends more slowly)\n");
    return EXIT_LOST;
}

static int run_sender(struct sender *sender, const char *receiver, const char *name)
{
    channeler_options options;
    struct stat info;

    FILE *file = fopen(name, "rb");
    if (file == NULL || fstat(fileno(file), &info) != 0) fail_errno(name);
    if (S_ISREG(info.st_mode)) sender->file_bytes = (uint64_t)info.st_size;

    channeler_callbacks callbacks = calls(sender, sender_event, NULL, sender_message);
    init_options(&options);
    options.send_queue_bytes_max = QUEUE_BYTES;
    sender->node = new_node(&options, &callbacks);
    open_channels(sender, receiver);
    send_file(sender, file);
    int64_t span_ns = now_ns() - sender->start_ns;
    if (ferror(file)) fail_errno(name);
    fclose(file);
    ask(sender, 'E');

    int code = print_sent(sender, span_ns);
    flush_output();
    free(sender->buffers);
    close_and_wait(sender->node, sender->connection, "done", &sender->over);
    free_node(sender->node);
    return code;
}

// --- receiving ---------------------------------------------------------------------------------

// What came on one channel.
struct lane {
    uint32_t received; // different lines
    uint32_t doubled;  // lines that came again
    uint32_t overtaken; // lines that came after a later one
    uint32_t last;     // highest number so far, plus one
    int is_ended;      // an 'E' came; it said:
    uint32_t index;    // which channel of the sender's this is,
    uint32_t sent;     // and how many lines were sent on it
};

struct receiver {
    channeler_node *node;
    channeler_connection connection; // the sender; id 0: none yet
    channeler_channel channels[CHANNELS_MAX];
    struct lane lanes[CHANNELS_MAX];
    uint32_t count;       // of channels
    uint32_t ended;       // of them
    uint32_t expected;    // channels that the sender has; 0: not known yet
    uint32_t lines_sent;  // on all, by its word
    uint64_t file_bytes;  // by its word, too
    uint64_t bytes;       // received, each line once
    uint8_t *seen;        // a bit for each line
    size_t seen_bytes;
    int output;           // descriptor of the file to write, or -1
    const char *output_name;
    int64_t first_ns, last_ns; // when lines came
    int64_t heard_ns;          // when anything came
    int32_t closed;            // why the connection ended, or 0
    uint8_t *buffers;          // MESSAGE_BYTES_MAX for each slot
};

// Notes that a line came; 0 when it came before.
static int is_new_line(struct receiver *receiver, uint32_t number)
{
    if (number / 8 >= receiver->seen_bytes) {
        size_t bytes = receiver->seen_bytes == 0 ? 4096 : receiver->seen_bytes;
        while (number / 8 >= bytes) bytes *= 2; // at most LINES_MAX / 8: the caller has checked
        uint8_t *seen = realloc(receiver->seen, bytes);
        if (seen == NULL) fail_errno("realloc");
        memset(seen + receiver->seen_bytes, 0, bytes - receiver->seen_bytes);
        receiver->seen = seen;
        receiver->seen_bytes = bytes;
    }
    uint8_t bit = (uint8_t)(1 << number % 8);
    int is_new = (receiver->seen[number / 8] & bit) == 0;
    receiver->seen[number / 8] |= bit;
    return is_new;
}

static void take_line(struct receiver *receiver, struct lane *lane, const uint8_t *message,
                      size_t length)
{
    uint32_t number = (uint32_t)take_number(message + 1, 4);
    uint64_t offset = take_number(message + 5, 8);
    size_t text_length = length - LINE_HEADER;
    if (number >= LINES_MAX || offset >= FILE_BYTES_MAX) return; // no sender of ours says that

    receiver->last_ns = receiver->heard_ns;
    if (receiver->first_ns == 0) receiver->first_ns = receiver->heard_ns;
    if (!is_new_line(receiver, number)) {
        lane->doubled++;
        return;
    }
    if (number < lane->last)
        lane->overtaken++;
    else
        lane->last = number + 1;
    lane->received++;
    receiver->bytes += text_length;
    if (receiver->output >= 0 && pwrite(receiver->output, message + LINE_HEADER, text_length,
                                        (off_t)offset) != (ssize_t)text_length)
        fail_errno(receiver->output_name);
}

static void take_end(struct receiver *receiver, struct lane *lane, const uint8_t *message)
{
    if (lane->is_ended) return;
    lane->is_ended = 1;
    lane->index = (uint32_t)take_number(message + 5, 4);
    lane->sent = (uint32_t)take_number(message + 9, 4);
    receiver->ended++;
    receiver->expected = (uint32_t)take_number(message + 1, 4);
    receiver->lines_sent = (uint32_t)take_number(message + 13, 4);
    receiver->file_bytes = take_number(message + 17, 8);
}

// Answers an 'H' or 'E': the sender repeats them until it hears us.
static void answer(struct receiver *receiver, channeler_channel channel, uint8_t kind,
                   uint32_t received)
{
    uint8_t got[GOT_LENGTH] = {'G', kind};
    put_number(got + 2, received, 4);
    int32_t status = channeler_channel_send(receiver->node, channel, got, sizeof got);
    if (status != CHANNELER_ERR_WOULD_BLOCK) check(status, "answer");
}

static void take_message(struct receiver *receiver, int index, const uint8_t *message,
                         size_t length)
{
    struct lane *lane = &receiver->lanes[index];
    if (message[0] == 'L' && length > LINE_HEADER) {
        take_line(receiver, lane, message, length);
    } else if (message[0] == 'E' && length == END_LENGTH) {
        take_end(receiver, lane, message);
        answer(receiver, receiver->channels[index], 'E', lane->received);
    } else if (message[0] == 'H' && length == 1) {
        answer(receiver, receiver->channels[index], 'H', 0);
    }
}

// Reads all that waits on a channel, many messages in a call.
static void read_channel(struct receiver *receiver, int index)
{
    channeler_slot slots[BATCH];
    size_t received;

    receiver->heard_ns = now_ns();
    memset(slots, 0, sizeof slots);
    for (int i = 0; i < BATCH; i++) {
        slots[i].channel = receiver->channels[index];
        slots[i].buffer = receiver->buffers + (size_t)i * MESSAGE_BYTES_MAX;
        slots[i].capacity = MESSAGE_BYTES_MAX;
    }
    do {
        int32_t status = channeler_channel_receive_many(receiver->node, slots, BATCH, &received);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE) break;
        check(status, "receive");
        // The slots are of one channel, so that those which were filled come first.
        for (size_t i = 0; i < received; i++)
            take_message(receiver, index, slots[i].buffer, slots[i].length);
    } while (received == BATCH);
}

// One sender at a time: the first one who comes.
static int32_t receiver_accept(void *user_data, channeler_node *node,
                               channeler_connection connection, const channeler_peer_id *peer,
                               const channeler_address *address)
{
    struct receiver *receiver = user_data;
    char text[PEER_TEXT_MAX];
    (void)node;
    if (receiver->connection.id != 0) return 0;
    receiver->connection = connection;
    receiver->heard_ns = now_ns();
    format_peer(peer, address, text);
    printf("receiving from %s\n", text);
    flush_output();
    return 1;
}

static void receiver_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct receiver *receiver = user_data;
    (void)node;
    if (event->connection.id != receiver->connection.id) return;
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED && receiver->count < CHANNELS_MAX) {
        receiver->channels[receiver->count++] = event->channel;
    } else if (event->kind == CHANNELER_EVENT_READABLE) {
        int index = find_channel(receiver->channels, receiver->count, event->channel);
        if (index >= 0) read_channel(receiver, index);
    } else if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) {
        receiver->closed = event->reason;
    }
}

// Runs the node until all channels have ended, or the sender has gone.
static void receive_file(struct receiver *receiver)
{
    int64_t over_ns = 0;  // when all had ended
    int64_t wait_ns = -1; // for ever: somebody must come first
    while (!stop_asked && receiver->closed == 0) {
        check(channeler_node_process(receiver->node, wait_ns), "process");
        if (receiver->connection.id == 0) continue;
        int is_over = receiver->expected != 0 && receiver->ended >= receiver->expected;
        if (is_over && over_ns == 0) over_ns = now_ns();
        // Our answer may be lost, and the sender then asks again: stay a little.
        int64_t end_ns = is_over ? over_ns + LINGER_MS * NS_PER_MS
                                 : receiver->heard_ns + SILENCE_MS * NS_PER_MS;
        int is_last = wait_ns == 0; // the time is up, and we have looked once more
        wait_ns = end_ns - now_ns();
        if (wait_ns <= 0 && is_last) break;
        if (wait_ns < 0) wait_ns = 0;
    }
}

// Channels may be established in another order than they were opened in.
static int compare_lanes(const void *left, const void *right)
{
    const struct lane *a = left, *b = right;
    return (a->index > b->index) - (a->index < b->index);
}

static void print_lane(const struct lane *lane)
{
    char sent[32], received[32], lost[32];
    grouped(lane->received, received);
    if (lane->is_ended) {
        grouped(lane->sent > lane->received ? lane->sent - lane->received : 0, lost);
        printf("  %7" PRIu32 " %12s %12s %12s\n", lane->index + 1, grouped(lane->sent, sent),
               received, lost);
    } else {
        printf("  %7s %12s %12s %12s\n", "?", "?", received, "?");
    }
}

// Tells how many lines our own node dropped. The others were lost on the way, or did not fit into
// the system's buffer of the socket.
static void print_dropped(channeler_node *node)
{
    channeler_node_counters counters = {.struct_size = sizeof counters};
    char text[32];

    check(channeler_node_stats(node, &counters), "statistics");
    uint64_t dropped = counters.dropped[CHANNELER_DROP_RECEIVE_QUEUE_FULL];
    if (dropped > 0)
        printf("%s of them came faster than we read them.\n", grouped(dropped, text));
    else
        printf("None of them reached us.\n");
}

// Prints a row a channel, in the sender's order, then what it comes to. Returns the exit code.
static int print_summary(struct receiver *receiver)
{
    uint64_t received = 0, doubled = 0, overtaken = 0;
    char a[32], b[32], c[32], d[32], e[32];

    qsort(receiver->lanes, receiver->count, sizeof receiver->lanes[0], compare_lanes);
    printf("\n  channel         sent     received         lost\n");
    for (uint32_t i = 0; i < receiver->count; i++) {
        const struct lane *lane = &receiver->lanes[i];
        print_lane(lane);
        received += lane->received;
        doubled += lane->doubled;
        overtaken += lane->overtaken;
    }
    if (receiver->expected == 0) {
        printf("\n%s lines came, and then nothing: the sender never said that it had ended.\n",
               grouped(received, a));
        return EXIT_FAILED;
    }
    uint64_t lost = receiver->lines_sent > received ? receiver->lines_sent - received : 0;
    printf("  %7s %12s %12s %12s\n\n", "all", grouped(receiver->lines_sent, a),
           grouped(received, b), grouped(lost, c));
    printf("%s of %s lines came (%s of %s bytes) ", b, a, grouped(receiver->bytes, d),
           grouped(receiver->file_bytes, e));
    print_rates(received, receiver->bytes, receiver->last_ns - receiver->first_ns);
    printf(".\n");
    if (doubled + overtaken > 0)
        printf("%s came twice, %s after a later one.\n", grouped(doubled, a),
               grouped(overtaken, b));
    if (lost == 0) {
        printf("Nothing was lost.\n");
    } else {
        printf("%s lines (%.1f %%) were lost: a plain channel does not repeat them.\n", c,
               100.0 * (double)lost / (double)receiver->lines_sent);
        print_dropped(receiver->node);
    }
    return lost == 0 ? EXIT_GOOD : EXIT_LOST;
}

static int run_receiver(struct receiver *receiver, const char *address, const char *output)
{
    channeler_options options;

    receiver->output = -1;
    receiver->output_name = output;
    if (output != NULL) {
        receiver->output = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (receiver->output < 0) fail_errno(output);
    }
    receiver->buffers = malloc((size_t)BATCH * MESSAGE_BYTES_MAX);
    if (receiver->buffers == NULL) fail_errno("malloc");

    // No on_message: messages are kept until read_channel takes them.
    channeler_callbacks callbacks = calls(receiver, receiver_event, receiver_accept, NULL);
    init_options(&options);
    receiver->node = new_node(&options, &callbacks);
    listen_at(receiver->node, address);
    receive_file(receiver);

    int code = EXIT_FAILED;
    if (receiver->count > 0)
        code = print_summary(receiver);
    else
        fprintf(stderr, "nothing came\n");
    flush_output();
    if (receiver->output >= 0 && close(receiver->output) != 0) fail_errno(output);
    free_node(receiver->node);
    free(receiver->buffers);
    free(receiver->seen);
    return code;
}

// -----------------------------------------------------------------------------------------------

static int fail_usage(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static struct sender sender;
    static struct receiver receiver;
    argc = take_settings(argc, argv);
    const char *words[3] = {NULL, NULL, NULL}; // what is no option: command, address, file
    const char *output = NULL;
    int count = 0;

    if (asks_for_help(argc, argv, usage)) return EXIT_GOOD;
    sender.count = 4;
    for (int i = 1; i < argc; i++) {
        int has_value = i + 1 < argc;
        if (strcmp(argv[i], "--channels") == 0 && has_value) {
            sender.count = (uint32_t)parse_number(argv[++i], 1, CHANNELS_MAX);
        } else if (strcmp(argv[i], "--rate") == 0 && has_value) {
            sender.rate = parse_number(argv[++i], 1, 1000000000);
        } else if (strcmp(argv[i], "--output") == 0 && has_value) {
            output = argv[++i];
        } else if (count < 3 && strncmp(argv[i], "--", 2) != 0) {
            words[count++] = argv[i];
        } else {
            return fail_usage();
        }
    }
    if (count == 2 && strcmp(words[0], "receive") == 0)
        return run_receiver(&receiver, words[1], output);
    if (count == 3 && strcmp(words[0], "send") == 0)
        return run_sender(&sender, words[1], words[2]);
    return fail_usage();
}
