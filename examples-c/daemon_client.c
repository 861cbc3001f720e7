// Messages through channelerd, over its Unix socket, without libchanneler: all that is needed of
// docs/daemon.md is here. Frames, the few kinds of postcard, requests, answers.

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOTHING = 3 };

#define SOCKET_DEFAULT "/run/channeler/channelerd.sock"
#define WAIT_FOR_EVER UINT32_MAX
#define FRAME_BYTES_MAX ((1u << 30) + (128u << 10)) // of the largest message there can be
#define HEAD_BYTES_MAX 1024                         // of a request

enum { TEAM_BYTES = 32, PEER_BYTES = 16 };

// Kinds of requests and answers that this program uses.
enum request { SEND = 0, RECEIVE = 1, CLOSE = 2, STATUS = 3, FOLLOW = 4 };
enum answer { DONE = 0, ERROR = 1, MESSAGE = 2, NOTHING = 3, STATUS_IS = 4, CLOSED = 7 };

static const char usage_text[] =
    "usage: daemon_client send ADDRESS TEAM LABEL MESSAGE ..  send each MESSAGE\n"
    "       daemon_client receive [FILTER ..] [--count N] [--wait SECONDS]\n"
    "                                                         print messages, a line each\n"
    "       daemon_client receive --follow [FILTER ..]        print all, until Ctrl-C\n"
    "       daemon_client close ADDRESS                       close the connection to a peer\n"
    "       daemon_client status                              who the daemon is, and where\n"
    "\n"
    "ADDRESS is IP:PORT, where the other daemon listens; TEAM is 64 hexadecimal digits. A FILTER\n"
    "is --from ADDRESS, --team TEAM or --label LABEL. The daemon's socket is " SOCKET_DEFAULT ",\n"
    "or what CHANNELER_SOCKET of the environment says.\n"
    "\n"
    "Exits with 0 when all is well, 1 when something failed, 2 when called wrongly, 3 when no\n"
    "message came within --wait.\n";

static void fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(code);
}

// --- requests: postcard, written ---------------------------------------------------------------

struct head {
    size_t length;
    uint8_t bytes[HEAD_BYTES_MAX];
};

static void put(struct head *head, const void *bytes, size_t length)
{
    if (length > sizeof head->bytes - head->length) fail(EXIT_USAGE, "an argument is too long");
    memcpy(head->bytes + head->length, bytes, length);
    head->length += length;
}

static void put_byte(struct head *head, uint8_t byte)
{
    put(head, &byte, 1);
}

// Seven bits a byte, the lowest first; the top bit says that another byte follows.
static void put_varint(struct head *head, uint32_t number)
{
    for (; number > 0x7f; number >>= 7) put_byte(head, (uint8_t)(number | 0x80));
    put_byte(head, (uint8_t)number);
}

static void put_text(struct head *head, const char *text)
{
    size_t length = strlen(text);
    if (length > HEAD_BYTES_MAX) fail(EXIT_USAGE, "an argument is too long");
    put_varint(head, (uint32_t)length);
    put(head, text, length);
}

static void put_team(struct head *head, const char *text)
{
    uint8_t team[TEAM_BYTES];
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (strlen(text) != 2 * TEAM_BYTES || strspn(text, digits) != 2 * TEAM_BYTES)
        fail(EXIT_USAGE, "'%s' is no team: 64 hexadecimal digits", text);
    for (size_t i = 0; i < TEAM_BYTES; i++) {
        size_t high = (size_t)(strchr(digits, text[2 * i]) - digits) % 16;
        size_t low = (size_t)(strchr(digits, text[2 * i + 1]) - digits) % 16;
        team[i] = (uint8_t)(high << 4 | low);
    }
    put(head, team, sizeof team);
}

// Writes all of it. The daemon reads when it has room: that is how it slows us down.
static int write_all(int daemon, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0) {
        ssize_t count = write(daemon, from, length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1; // it is gone; what it said before that is read later
        from += count;
        length -= (size_t)count;
    }
    return 0;
}

// Begins a request: number and kind.
static struct head begin(uint32_t number, enum request kind)
{
    struct head head = {.length = 0};
    put_varint(&head, number);
    put_varint(&head, kind);
    return head;
}

// A frame: the length of what follows, the head, and behind it the message.
static void ask(int daemon, const struct head *head, const void *message, size_t length)
{
    size_t all = head->length + length;
    if (all > UINT32_MAX) fail(EXIT_USAGE, "the message is too long");
    uint8_t prefix[4] = {(uint8_t)(all >> 24), (uint8_t)(all >> 16), (uint8_t)(all >> 8),
                         (uint8_t)all};
    if (write_all(daemon, prefix, sizeof prefix) == 0 &&
        write_all(daemon, head->bytes, head->length) == 0)
        write_all(daemon, message, length);
}

// --- answers: postcard, read -------------------------------------------------------------------

struct answer_frame {
    uint8_t *bytes; // the whole frame without its length; free it
    size_t length;
    size_t at; // how far it was read
    uint32_t number;
    uint32_t kind;
};

static void garbage(void)
{
    fail(EXIT_FAILED, "what answers at the socket is no channelerd");
}

static const uint8_t *take(struct answer_frame *answer, size_t length)
{
    if (length > answer->length - answer->at) garbage();
    const uint8_t *bytes = answer->bytes + answer->at;
    answer->at += length;
    return bytes;
}

static uint64_t take_varint(struct answer_frame *answer)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *take(answer, 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return number;
    }
    garbage();
    return 0;
}

struct text {
    const char *bytes; // without a zero at its end
    int length;
};

static struct text take_text(struct answer_frame *answer)
{
    uint64_t length = take_varint(answer);
    if (length > FRAME_BYTES_MAX) garbage();
    struct text text = {(const char *)take(answer, (size_t)length), (int)length};
    return text;
}

static void print_hex(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
}

// 1: all of it came. 0: the daemon closed before the first byte.
static int read_all(int daemon, uint8_t *bytes, size_t length, int may_end)
{
    for (size_t have = 0; have < length;) {
        ssize_t count = read(daemon, bytes + have, length - have);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 && have == 0 && may_end) return 0;
        if (count <= 0) fail(EXIT_FAILED, "the daemon went away in the middle of an answer");
        have += (size_t)count;
    }
    return 1;
}

// Reads the next answer. 0: there is none, the daemon closed. A frame takes memory as it comes, so
// that a wrong length cannot take much.
static int next(int daemon, struct answer_frame *answer)
{
    uint8_t prefix[4];
    if (!read_all(daemon, prefix, sizeof prefix, 1)) return 0;
    size_t length = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 |
                    prefix[3];
    if (length > FRAME_BYTES_MAX) garbage();
    memset(answer, 0, sizeof *answer);
    while (answer->length < length) {
        size_t more = answer->length < (1u << 16) ? 1u << 16 : answer->length;
        if (more > length - answer->length) more = length - answer->length;
        answer->bytes = realloc(answer->bytes, answer->length + more);
        if (answer->bytes == NULL) fail(EXIT_FAILED, "no memory for an answer");
        read_all(daemon, answer->bytes + answer->length, more, 0);
        answer->length += more;
    }
    answer->number = (uint32_t)take_varint(answer);
    answer->kind = (uint32_t)take_varint(answer);
    return 1;
}

static void gone(void)
{
    fail(EXIT_FAILED, "the daemon has gone");
}

// Ends the program with what the daemon says: that it could not do it.
static void fail_with(struct answer_frame *answer)
{
    uint64_t code = take_varint(answer);
    struct text text = take_text(answer);
    fail(EXIT_FAILED, "%.*s (error %" PRIu64 ")", text.length, text.bytes, code);
}

// Reads the answer to a request; kinds that a later daemon may send are passed over.
static void expect(int daemon, struct answer_frame *answer, enum answer kind)
{
    while (next(daemon, answer)) {
        if (answer->kind == ERROR) fail_with(answer);
        if (answer->kind == (uint32_t)kind) return;
        free(answer->bytes);
    }
    gone();
}

// --- what it does ------------------------------------------------------------------------------

static int connect_to_daemon(void)
{
    const char *path = getenv("CHANNELER_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || *path == '\0') path = SOCKET_DEFAULT;
    if (strlen(path) >= sizeof address.sun_path) fail(EXIT_USAGE, "%s: too long a path", path);
    strcpy(address.sun_path, path);
    int daemon = socket(AF_UNIX, SOCK_STREAM, 0);
    if (daemon < 0 || connect(daemon, (struct sockaddr *)&address, sizeof address) != 0)
        fail(EXIT_FAILED, "no daemon at %s: %s", path, strerror(errno));
    signal(SIGPIPE, SIG_IGN); // a daemon that is gone is an error of write
    return daemon;
}

static int run_send(int argc, char **argv)
{
    struct answer_frame answer;
    if (argc < 4) fail(EXIT_USAGE, "%s", usage_text);
    int daemon = connect_to_daemon();
    // All of them before the first answer; many more than these should be sent a hundred at a time.
    for (int i = 3; i < argc; i++) {
        struct head head = begin((uint32_t)(i - 2), SEND);
        put_text(&head, argv[0]);
        put_team(&head, argv[1]);
        put_text(&head, argv[2]);
        ask(daemon, &head, argv[i], strlen(argv[i]));
    }
    for (int i = 3; i < argc; i++) {
        expect(daemon, &answer, DONE);
        free(answer.bytes);
    }
    close(daemon);
    return EXIT_GOOD;
}

struct wanted {
    const char *from, *team, *label; // NULL: any
    int is_follow;
    uint32_t count, wait_ms;
};

static void put_filter(struct head *head, const struct wanted *wanted)
{
    put_byte(head, 0); // messages, not sync messages
    put_byte(head, wanted->from != NULL);
    if (wanted->from != NULL) put_text(head, wanted->from);
    put_byte(head, wanted->team != NULL);
    if (wanted->team != NULL) put_team(head, wanted->team);
    put_byte(head, wanted->label != NULL); // 0: all labels, 1: this one
    if (wanted->label != NULL) put_text(head, wanted->label);
}

static void print_message(struct answer_frame *answer)
{
    take_text(answer);         // the address that it came from
    take(answer, PEER_BYTES);  // whom it came from
    take(answer, TEAM_BYTES);  // its team
    take_text(answer);         // its label
    size_t length = answer->length - answer->at;
    fwrite(take(answer, length), 1, length, stdout);
    putchar('\n');
    if (fflush(stdout) != 0) fail(EXIT_FAILED, "standard output: %s", strerror(errno));
}

static int followed; // the socket of the daemon, for the signal handler
static volatile sig_atomic_t stop_asked;

// Ctrl-C: no more requests from us. The daemon gives us what it had for us, and closes.
static void on_stop_signal(int number)
{
    int saved = errno;
    (void)number;
    stop_asked = 1;
    shutdown(followed, SHUT_WR);
    errno = saved;
}

static int follow(int daemon, const struct wanted *wanted)
{
    struct answer_frame answer;
    struct head head = begin(1, FOLLOW);
    struct sigaction action = {.sa_handler = on_stop_signal, .sa_flags = (int)SA_RESETHAND};
    put_filter(&head, wanted);
    ask(daemon, &head, NULL, 0);
    expect(daemon, &answer, DONE);
    free(answer.bytes);
    followed = daemon;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (next(daemon, &answer)) {
        if (answer.kind == ERROR) fail_with(&answer);
        if (answer.kind == MESSAGE) print_message(&answer);
        free(answer.bytes);
    }
    if (!stop_asked) gone();
    return EXIT_GOOD;
}

static int receive(int daemon, const struct wanted *wanted)
{
    struct answer_frame answer;
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct head head = begin(1, RECEIVE);
        put_filter(&head, wanted);
        put_varint(&head, UINT32_MAX); // of whatever length
        put_varint(&head, wanted->wait_ms);
        ask(daemon, &head, NULL, 0);
        do {
            if (!next(daemon, &answer)) gone();
            if (answer.kind == ERROR) fail_with(&answer);
            if (answer.kind == MESSAGE) print_message(&answer);
            free(answer.bytes);
            if (answer.kind == NOTHING) return EXIT_NOTHING;
        } while (answer.kind != MESSAGE);
    }
    return EXIT_GOOD;
}

// A number from `least` to `most`.
static double number(const char *text, double least, double most)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= least && number <= most))
        fail(EXIT_USAGE, "'%s' is not a number from %.0f to %.0f", text, least, most);
    return number;
}

static int run_receive(int argc, char **argv)
{
    struct wanted wanted = {.count = 1, .wait_ms = WAIT_FOR_EVER};
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--follow") == 0) {
            wanted.is_follow = 1;
            continue;
        }
        if (value == NULL) fail(EXIT_USAGE, "%s", usage_text);
        if (strcmp(argv[i], "--from") == 0)
            wanted.from = value;
        else if (strcmp(argv[i], "--team") == 0)
            wanted.team = value;
        else if (strcmp(argv[i], "--label") == 0)
            wanted.label = value;
        else if (strcmp(argv[i], "--count") == 0)
            wanted.count = (uint32_t)number(value, 1, 4e9);
        else if (strcmp(argv[i], "--wait") == 0)
            wanted.wait_ms = (uint32_t)(1e3 * number(value, 0, 4e6));
        else
            fail(EXIT_USAGE, "%s", usage_text);
        i++;
    }
    int daemon = connect_to_daemon();
    int code = wanted.is_follow ? follow(daemon, &wanted) : receive(daemon, &wanted);
    close(daemon);
    return code;
}

static int run_close(int argc, char **argv)
{
    struct answer_frame answer;
    struct head head = begin(1, CLOSE);
    if (argc != 1) fail(EXIT_USAGE, "%s", usage_text);
    put_text(&head, argv[0]);
    int daemon = connect_to_daemon();
    ask(daemon, &head, NULL, 0);
    expect(daemon, &answer, CLOSED);
    uint64_t undelivered = take_varint(&answer);
    free(answer.bytes);
    close(daemon);
    if (undelivered > 0)
        fail(EXIT_FAILED, "%" PRIu64 " messages may not have arrived", undelivered);
    return EXIT_GOOD;
}

static int run_status(void)
{
    struct answer_frame answer;
    struct head head = begin(1, STATUS);
    int daemon = connect_to_daemon();
    ask(daemon, &head, NULL, 0);
    expect(daemon, &answer, STATUS_IS);
    take_varint(&answer); // the version of the protocol: later ones only add kinds
    struct text version = take_text(&answer);
    printf("channelerd %.*s\npeer id     0x", version.length, version.bytes);
    print_hex(take(&answer, PEER_BYTES), PEER_BYTES);
    printf("\nlistens on  ");
    uint64_t count = take_varint(&answer);
    for (uint64_t i = 0; i < count; i++) {
        struct text address = take_text(&answer);
        printf("%s%.*s", i > 0 ? ", " : "", address.length, address.bytes);
    }
    putchar('\n');
    free(answer.bytes); // counters and connections follow, which nobody asked us for
    close(daemon);
    return EXIT_GOOD;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--help") == 0) {
        fputs(usage_text, stdout);
        return EXIT_GOOD;
    }
    if (strcmp(command, "send") == 0) return run_send(argc - 2, argv + 2);
    if (strcmp(command, "receive") == 0) return run_receive(argc - 2, argv + 2);
    if (strcmp(command, "close") == 0) return run_close(argc - 2, argv + 2);
    if (strcmp(command, "status") == 0 && argc == 2) return run_status();
    fail(EXIT_USAGE, "%s", usage_text);
    return EXIT_USAGE;
}
