// chat: two people type to each other.
//
// Shows: a node inside a poll() loop of your own. The loop sleeps on two descriptors, the
// keyboard's and the node's, and on two timers, the node's and its own; the node never blocks it.

#include "common.h"

#include <poll.h>
#include <unistd.h>

enum {
    HEARTBEAT_MS = 2000, // how often we say that we are still there
    SILENCE_MS = 10000,  // when we think that the other one is not
    LINE_BYTES_MAX = 900 // fits into a message with any path; a longer line goes in pieces
};

// The first byte of each message. A goodbye is what closes a connection; only protocol v0 has no
// message for that, and gets one of our own.
enum { KIND_TEXT = 'T', KIND_HEARTBEAT = 'H', KIND_BYE = 'B' };

static const char usage[] =
    "usage: chat listen ADDRESS [NAME]         wait for somebody\n"
    "       chat join PEERID@ADDRESS [NAME]    join somebody who waits\n"
    "\n"
    "Type lines; Ctrl-D leaves. ADDRESS is IP:PORT: 192.0.2.1:7000, [::]:7000; port 0 takes any\n"
    "that is free. The one who listens prints the PEERID@ADDRESS to give to the other one.\n"
    "Messages are encrypted; the network may lose some.\n"
    "\n"
    SETTINGS_USAGE
    "\n"
    "Exits with 0 when one of the two left, 1 when something failed or the other one vanished,\n"
    "2 when called wrongly.\n";

struct chat {
    char name[64];
    channeler_connection connection; // the one we talk with; id 0: nobody yet
    channeler_channel channel; // id 0: none yet
    int is_heard;              // the other one has said something
    int is_over;               // one of us left
    int32_t closed;            // why the channel ended by itself, or 0
    int32_t over;              // why the connection ended, or 0
    int64_t heard_ns;          // when something came last
    int64_t heartbeat_ns;      // when to say that we are still there
    char line[LINE_BYTES_MAX]; // what was typed and has no line end yet
    size_t line_length;
};

// --- from the node -----------------------------------------------------------------------------

// Only one may come: there is one keyboard.
static int32_t on_accept(void *user_data, channeler_node *node, channeler_connection connection,
                         const channeler_peer_id *peer, const channeler_address *address)
{
    struct chat *chat = user_data;
    (void)node;
    (void)peer;
    (void)address;
    if (chat->connection.id != 0) return 0;
    chat->connection = connection;
    return 1;
}

static void hear_goodbye(struct chat *chat)
{
    if (chat->is_over) return;
    chat->is_over = 1;
    printf("* the other one left\n");
    flush_output();
}

static void on_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct chat *chat = user_data;
    (void)node;
    if (event->connection.id != chat->connection.id) return;
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED && chat->channel.id == 0) {
        // In protocol v0 the one who joins gets here before the other side has let it in, if it
        // ever does. So we both say that we are there, and wait to hear it from the other one: that
        // shows in any protocol that messages go both ways.
        chat->channel = event->channel;
        chat->heard_ns = now_ns();
        chat->heartbeat_ns = 0;
    } else if (event->kind == CHANNELER_EVENT_CHANNEL_CLOSED && !chat->is_over) {
        // A peer may open and close more channels than we know: only ours matters.
        if (chat->channel.id != 0 && event->channel.id != chat->channel.id) return;
        if (event->reason == CHANNELER_ERR_PEER_CLOSED && chat->is_heard)
            hear_goodbye(chat);
        else
            chat->closed = event->reason;
    } else if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) {
        chat->over = event->reason;
    }
}

static void on_message(void *user_data, channeler_node *node, channeler_connection connection,
                       channeler_channel channel, const uint8_t *data, size_t length)
{
    struct chat *chat = user_data;
    char peer[PEER_TEXT_MAX];

    if (channel.id != chat->channel.id) return;
    chat->heard_ns = now_ns();
    if (!chat->is_heard) {
        chat->is_heard = 1;
        describe_connection(node, connection, peer);
        printf("* talking with %s; Ctrl-D leaves\n", peer);
        flush_output();
    }
    if (data[0] == KIND_TEXT) {
        print_text(stdout, data + 1, length - 1);
        putchar('\n');
        flush_output();
    } else if (data[0] == KIND_BYE) {
        hear_goodbye(chat);
    }
}

// --- from the keyboard -------------------------------------------------------------------------

static void send_kind(struct chat *chat, channeler_node *node, char kind, const char *text)
{
    char message[1 + sizeof chat->name + 2 + LINE_BYTES_MAX + 1];
    int length = snprintf(message, sizeof message, "%c%s", kind, text);
    int32_t status = channeler_channel_send(node, chat->channel, (const uint8_t *)message,
                                            (size_t)length);
    if (status == CHANNELER_ERR_WOULD_BLOCK)
        fprintf(stderr, "* not sent: the network takes nothing now\n");
    else
        check(status, "send");
}

static void send_line(struct chat *chat, channeler_node *node)
{
    char text[sizeof chat->name + 2 + LINE_BYTES_MAX + 1];
    snprintf(text, sizeof text, "%s: %.*s", chat->name, (int)chat->line_length, chat->line);
    send_kind(chat, node, KIND_TEXT, text);
    chat->line_length = 0;
}

static void leave(struct chat *chat, channeler_node *node)
{
    if (chat->line_length > 0) send_line(chat, node);
    if (settings.is_v0) send_kind(chat, node, KIND_BYE, "");
    chat->is_over = 1;
}

// Reads what is there. A terminal gives a line at a time, a pipe gives what it has.
static void read_keyboard(struct chat *chat, channeler_node *node)
{
    char typed[4096];
    ssize_t length = read(STDIN_FILENO, typed, sizeof typed);
    if (length < 0 && errno != EINTR) fail_errno("read");
    if (length == 0) leave(chat, node);
    for (ssize_t i = 0; i < length; i++) {
        if (typed[i] != '\n') chat->line[chat->line_length++] = typed[i];
        if (typed[i] == '\n' || chat->line_length == sizeof chat->line) send_line(chat, node);
    }
}

// --- the loop ----------------------------------------------------------------------------------

// Milliseconds for poll(), rounded up: to wake a little late is better than to spin.
static int poll_timeout(channeler_node *node, int64_t own_ns)
{
    int64_t node_ns;
    int64_t wait_ns = own_ns - now_ns();
    check(channeler_node_timeout(node, &node_ns), "timeout");
    if (node_ns >= 0 && node_ns < wait_ns) wait_ns = node_ns; // -1 is "whenever"
    return wait_ns <= 0 ? 0 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void run_loop(struct chat *chat, channeler_node *node)
{
    int node_fd;
    check(channeler_node_fd(node, &node_fd), "descriptor");

    while (!chat->is_over && chat->closed == 0 && !stop_asked) {
        // Until somebody is there nobody can be told anything: poll ignores a descriptor of -1.
        struct pollfd waits[2] = {
            {.fd = chat->is_heard ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = node_fd, .events = POLLIN},
        };
        if (poll(waits, 2, poll_timeout(node, chat->heartbeat_ns)) < 0 && errno != EINTR)
            fail_errno("poll");
        if (waits[0].revents != 0) read_keyboard(chat, node);
        if (now_ns() >= chat->heartbeat_ns) {
            chat->heartbeat_ns = now_ns() + HEARTBEAT_MS * NS_PER_MS;
            if (chat->channel.id != 0 && !chat->is_over)
                send_kind(chat, node, KIND_HEARTBEAT, "");
        }
        // Whatever woke us: 0 waits for nothing. It sends, receives, and calls the callbacks.
        check(channeler_node_process(node, 0), "process");
        if (chat->channel.id != 0 && now_ns() - chat->heard_ns > SILENCE_MS * NS_PER_MS)
            chat->closed = CHANNELER_ERR_TIMEOUT;
    }
}

static int run(int is_listener, const char *address, const char *name)
{
    struct chat chat;
    channeler_options options;
    channeler_callbacks callbacks;
    channeler_channel channel;

    memset(&chat, 0, sizeof chat);
    snprintf(chat.name, sizeof chat.name, "%s", name);
    init_options(&options);
    check(channeler_callbacks_init(&callbacks, sizeof callbacks), "callbacks");
    callbacks.user_data = &chat;
    callbacks.on_accept = on_accept;
    callbacks.on_event = on_event;
    callbacks.on_message = on_message;

    channeler_node *node = new_node(&options, &callbacks);
    if (is_listener) {
        listen_at(node, address);
    } else {
        chat.connection = connect_to(node, address);
        check(channeler_channel_open(node, chat.connection, NULL, &channel), "open a channel");
    }
    run_loop(&chat, node);
    if (stop_asked && chat.is_heard && !chat.is_over && chat.closed == 0) leave(&chat, node);
    if (chat.closed != 0)
        fail_closed(chat.is_heard ? "the other one is gone" : "nobody let us in", chat.closed);
    close_and_wait(node, chat.connection, "left", &chat.over); // what we said still gets there
    free_node(node);
    return EXIT_GOOD;
}

int main(int argc, char **argv)
{
    argc = take_settings(argc, argv);
    const char *user = getenv("USER");
    const char *name = argc == 4 ? argv[3] : user != NULL && *user != '\0' ? user : "somebody";

    if (asks_for_help(argc, argv, usage)) return EXIT_GOOD;
    if (argc == 3 || argc == 4) {
        if (strcmp(argv[1], "listen") == 0) return run(1, argv[2], name);
        if (strcmp(argv[1], "join") == 0) return run(0, argv[2], name);
    }
    fputs(usage, stderr);
    return EXIT_USAGE;
}
