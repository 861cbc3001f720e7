// What every example here needs: errors that say something, an identity that stays, addresses as
// text, a clock, a way to stop. Include it before anything else. A program that you copy takes this
// file with it.

#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L // sigaction, clock_gettime, poll, pwrite
#endif

#include <channeler.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// What the examples exit with.
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LOST = 3 };

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

// Who and where, in one word: PEERID@IP:PORT. The size has room for the ending zero byte.
#define PEER_TEXT_MAX (CHANNELER_PEER_ID_TEXT_MAX + CHANNELER_ADDRESS_TEXT_MAX)

// --- errors ------------------------------------------------------------------------------------

// Ends the program when a call of the library failed. The library has three texts for an error: a
// name ("CHANNELER_ERR_SOCKET"), a sentence on what the number means, and, for the last call that
// failed in this thread, what exactly was wrong.
static inline void check(int32_t status, const char *what)
{
    if (status == CHANNELER_OK) return;
    fprintf(stderr, "%s: %s (%s)\n", what, channeler_last_error(), channeler_error_name(status));
    exit(EXIT_FAILED);
}

// The same for what the user typed: the text is wrong, not the world.
static inline void check_text(int32_t status)
{
    if (status == CHANNELER_OK) return;
    fprintf(stderr, "%s\n", channeler_last_error());
    exit(EXIT_USAGE);
}

// Ends the program when a call of the system failed.
static inline void fail_errno(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILED);
}

// What is printed must reach the reader: a full disk or a closed pipe is an error, too.
static inline void flush_output(void)
{
    if (fflush(stdout) != 0) fail_errno("standard output");
}

// Reads a whole number from `min` to `max`.
static inline uint64_t parse_number(const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number < min || number > max) {
        fprintf(stderr, "'%s' is not a number from %" PRIu64 " to %" PRIu64 "\n", text, min, max);
        exit(EXIT_USAGE);
    }
    return number;
}

// Prints what a peer sent. It may hold anything, such as codes that repaint a terminal: control
// characters become '?'.
static inline void print_text(FILE *file, const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int is_control = (text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f;
        putc(is_control ? '?' : text[i], file);
    }
}

// Writes 1234567 as "1,234,567".
static inline const char *grouped(uint64_t number, char text[32])
{
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *out = text;
    for (int i = 0; i < count; i++) {
        *out++ = digits[i];
        if (i + 1 < count && (count - i - 1) % 3 == 0) *out++ = ',';
    }
    *out = '\0';
    return text;
}

// --- time and signals --------------------------------------------------------------------------

// Nanoseconds on a clock that never runs backwards.
static inline int64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) fail_errno("clock_gettime");
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static volatile sig_atomic_t stop_asked; // 1 after Ctrl-C
static channeler_node *stop_node;        // the node to wake then

// channeler_node_wake is one of the few functions that a signal handler may call.
static inline void on_stop_signal(int number)
{
    int saved = errno;
    (void)number;
    stop_asked = 1;
    channeler_node_wake(stop_node);
    errno = saved;
}

// From now on Ctrl-C sets `stop_asked` and ends a channeler_node_process that waits.
static inline void stop_on_signals(channeler_node *node)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop_signal;
    sigemptyset(&action.sa_mask);
    stop_node = node;
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0)
        fail_errno("sigaction");
}

// Frees the node that stop_on_signals was told of.
static inline void free_node(channeler_node *node)
{
    signal(SIGINT, SIG_DFL); // from here on Ctrl-C simply ends the program
    signal(SIGTERM, SIG_DFL);
    check(channeler_node_free(node), "free the node");
}

// --- what every program can be told ------------------------------------------------------------

#define SETTINGS_USAGE                                                                             \
    "  --identity FILE   keep the same peer id between runs: its private key is in FILE, made\n"   \
    "                    when it is not there. Without it there is a new peer id each time\n"      \
    "  --v0              speak the old protocol: not encrypted, a peer id proves nothing\n"

static struct {
    const char *identity_file; // NULL: none
    int is_v0;
} settings;

// Takes what SETTINGS_USAGE names out of the arguments. Returns how many are left.
static inline int take_settings(int argc, char **argv)
{
    int left = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--v0") == 0)
            settings.is_v0 = 1;
        else if (strcmp(argv[i], "--identity") == 0 && i + 1 < argc)
            settings.identity_file = argv[++i];
        else
            argv[left++] = argv[i];
    }
    if (settings.is_v0 && settings.identity_file != NULL) {
        fprintf(stderr, "--v0 has no use for --identity: there are no keys in the old protocol\n");
        exit(EXIT_USAGE);
    }
    return left;
}

// Prints the help when that is all that is asked for. Returns whether it did.
static inline int asks_for_help(int argc, char **argv, const char *usage)
{
    if (argc != 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)) return 0;
    fputs(usage, stdout);
    flush_output();
    return 1;
}

// --- the identity ------------------------------------------------------------------------------

// Makes a key and the file for it, which nobody else may read.
static inline void make_identity(const char *path, char pem[CHANNELER_IDENTITY_PEM_MAX])
{
    check(channeler_identity_generate(pem, CHANNELER_IDENTITY_PEM_MAX), "make an identity");
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) fail_errno(path);
    if (write(file, pem, strlen(pem)) != (ssize_t)strlen(pem) || close(file) != 0)
        fail_errno(path);
    fprintf(stderr, "made a new identity; its private key is in %s\n", path);
}

// Reads the key in a file as text.
static inline void load_identity(const char *path, char pem[CHANNELER_IDENTITY_PEM_MAX])
{
    int file = open(path, O_RDONLY);
    if (file < 0 && errno == ENOENT) {
        make_identity(path, pem);
        return;
    }
    ssize_t length = file < 0 ? -1 : read(file, pem, CHANNELER_IDENTITY_PEM_MAX - 1);
    if (length < 0) fail_errno(path);
    pem[length] = '\0';
    close(file);
}

// --- nodes and peers ---------------------------------------------------------------------------

// Fills in the defaults, but for a few.
static inline void init_options(channeler_options *options)
{
    check(channeler_options_init(options, sizeof *options), "options");
    options->dial_timeout_ns = options->attempt_timeout_ns = 20 * NS_PER_S; // nobody is there
    options->linger_ns = NS_PER_S; // how long a close waits for the peer's last word
    if (settings.is_v0) options->legacy = CHANNELER_LEGACY_ONLY;
    options->handshake_retries = 4; // the same for v0: 0.2 s, 0.4 s, .. 3.2 s
}

// The functions that a node calls, NULL where there is none, each with `user_data`.
static inline channeler_callbacks calls(void *user_data, channeler_event_fn on_event,
                                        channeler_accept_fn on_accept,
                                        channeler_message_fn on_message)
{
    channeler_callbacks callbacks;
    check(channeler_callbacks_init(&callbacks, sizeof callbacks), "callbacks");
    callbacks.user_data = user_data;
    callbacks.on_event = on_event;
    callbacks.on_accept = on_accept;
    callbacks.on_message = on_message;
    return callbacks;
}

// Makes a node. Ctrl-C wakes it. It has no socket yet.
static inline channeler_node *new_node(channeler_options *options,
                                       const channeler_callbacks *callbacks)
{
    char pem[CHANNELER_IDENTITY_PEM_MAX];
    channeler_node *node = NULL;

    if (settings.identity_file != NULL) {
        load_identity(settings.identity_file, pem);
        options->identity = pem; // read during the next call only
    }
    check(channeler_node_new(options, callbacks, &node),
          settings.identity_file != NULL ? settings.identity_file : "make a node");
    memset(pem, 0, sizeof pem);
    stop_on_signals(node);
    return node;
}

// Writes PEERID@IP:PORT.
static inline void format_peer(const channeler_peer_id *peer, const channeler_address *address,
                               char text[PEER_TEXT_MAX])
{
    check(channeler_peer_id_format(peer, text, CHANNELER_PEER_ID_TEXT_MAX), "peer id as text");
    size_t length = strlen(text);
    text[length++] = '@';
    check(channeler_address_format(address, text + length, PEER_TEXT_MAX - length),
          "address as text");
}

// Writes who is at the other end of a connection.
static inline void describe_connection(channeler_node *node, channeler_connection connection,
                                       char text[PEER_TEXT_MAX])
{
    channeler_connection_details details = {.struct_size = sizeof details};
    check(channeler_connection_info(node, connection, &details), "connection");
    format_peer(&details.peer, &details.address, text);
}

// Opens a socket at `text`, such as "127.0.0.1:7000", "[::1]:7000", or with port 0 for any that is
// free; "[::]:7000" takes IPv4 and IPv6. Then prints what the other side must be given.
static inline void listen_at(channeler_node *node, const char *text)
{
    channeler_address address;
    channeler_peer_id peer;
    char self[PEER_TEXT_MAX];

    check_text(channeler_address_parse(text, &address));
    check(channeler_node_bind(node, &address), "listen");
    check(channeler_node_local_address(node, 0, &address), "own address");
    check(channeler_node_peer_id(node, &peer), "own peer id");
    format_peer(&peer, &address, self);
    printf("listening on %s\n", self);
    flush_output();
    // 0.0.0.0 and [::] are all addresses of this machine, and none to send to.
    static const uint8_t all[sizeof address.ip];
    if (memcmp(address.ip, all, sizeof all) == 0)
        fprintf(stderr, "(give others an address of this machine in place of %s)\n",
                address.family == CHANNELER_FAMILY_IPV6 ? "[::]" : "0.0.0.0");
}

// Reads a PEERID@IP:PORT, as listen_at prints it.
static inline void parse_peer(const char *text, channeler_peer_id *peer, channeler_address *address)
{
    char id[CHANNELER_PEER_ID_TEXT_MAX];

    const char *at = strchr(text, '@');
    if (at == NULL || (size_t)(at - text) >= sizeof id) {
        fprintf(stderr, "'%s' is not PEERID@IP:PORT, as the other side prints it\n", text);
        exit(EXIT_USAGE);
    }
    memcpy(id, text, (size_t)(at - text));
    id[at - text] = '\0';
    check_text(channeler_peer_id_parse(id, peer));
    check_text(channeler_address_parse(at + 1, address));
}

// Opens a socket from which `text` can be reached; which port does not matter.
static inline void bind_for(channeler_node *node, const char *text)
{
    channeler_address any;
    const char *at = strchr(text, '@');
    const char *local = at != NULL && at[1] == '[' ? "[::]:0" : "0.0.0.0:0";
    check(channeler_address_parse(local, &any), local);
    check(channeler_node_bind(node, &any), "open a socket");
}

// Begins a connection to PEERID@IP:PORT, from a socket of the node that fits.
static inline channeler_connection dial(channeler_node *node, const char *text)
{
    channeler_peer_id peer;
    channeler_address address;
    channeler_connection connection;

    parse_peer(text, &peer, &address);
    check(channeler_node_connect(node, &peer, &address, &connection), "connect");
    return connection;
}

// The same for the first time.
static inline channeler_connection connect_to(channeler_node *node, const char *text)
{
    bind_for(node, text);
    return dial(node, text);
}

// Closes a connection with a word to the peer, and waits until it is over: `closed`, which the
// program's on_event sets when CHANNELER_EVENT_CONNECTION_CLOSED comes.
static inline void close_and_wait(channeler_node *node, channeler_connection connection,
                                  const char *reason, const int32_t *closed)
{
    int32_t status = channeler_connection_close_with(node, connection, 0, reason);
    if (status == CHANNELER_ERR_INVALID_REFERENCE) return; // the peer was faster
    check(status, "close");
    while (*closed == 0) check(channeler_node_process(node, -1), "process");
}

// Says that `text` does not answer, or has gone, and ends the program.
static inline void fail_closed(const char *text, int32_t reason)
{
    fprintf(stderr, "%s: %s (%s)\n", text, channeler_error_text(reason),
            channeler_error_name(reason));
    exit(EXIT_FAILED);
}

#endif
