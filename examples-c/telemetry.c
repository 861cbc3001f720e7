// telemetry: one publisher measures and tells all who subscribe; they send it commands.
//
// Shows: QUIC channels, which need no opening: a message goes to (address, team, label). The label
// TELEMETRY carries measurements to the subscribers, COMMAND their wishes to the publisher and its
// answers back. Who may connect: anybody who proves a key, or only those who are named.
//
// The messages are text:
//   TELEMETRY   "17 21.6": the 17th measurement, in degrees
//   COMMAND     to the publisher: "subscribe", "every MS", "until NUMBER"; back: what became of it

#include "common.h"

#include <ctype.h>

enum {
    SUBSCRIBERS_MAX = 32,  // as many connections as QUIC channels keep
    EVERY_MS = 100,        // how often is measured, until somebody wishes otherwise
    TEXT_BYTES_MAX = 256   // of a message; the library takes no longer one
};

static const channeler_team_id team = {"telemetry example"};

static const char usage[] =
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
    "\n"
    SETTINGS_USAGE
    "\n"
    "Exits with 0 when all is well (also after Ctrl-C), 1 when something failed, 2 when called\n"
    "wrongly.\n";

// --- both sides --------------------------------------------------------------------------------

// Opens QUIC channels on a node; `asks`: an event asks about each peer that is not known.
static void open_channels(channeler_node *node, int asks, channeler_quic_event_fn on_event,
                          void *user_data)
{
    channeler_quic_options options;
    check(channeler_quic_options_init(&options, sizeof options), "options");
    options.ask_before_accept = asks ? 1 : 0;
    options.message_bytes_max = TEXT_BYTES_MAX;
    options.dial_timeout_ns = 20 * NS_PER_S; // then nobody is there
    check(channeler_quic_open(node, &options, on_event, user_data), "QUIC channels");
}

// Sends a text on a channel. Returns whether there was room for it.
static int send_text(channeler_node *node, const channeler_address *to, const char *label,
                     const char *text)
{
    int32_t status = channeler_quic_send(node, to, &team, label, strlen(label),
                                         (const uint8_t *)text, strlen(text));
    if (status == CHANNELER_ERR_WOULD_BLOCK) return 0;
    check(status, "send");
    return 1;
}

// Takes the oldest message of this program's team, as text that is fit to be printed; 0 when there
// is none.
static int receive_text(channeler_node *node, channeler_quic_channel *from,
                        char text[TEXT_BYTES_MAX + 1])
{
    uint8_t room[TEXT_BYTES_MAX];
    size_t length;
    do {
        int32_t status = channeler_quic_receive(node, room, sizeof room, from, &length);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE) return 0;
        check(status, "receive");
    } while (memcmp(&from->team, &team, sizeof team) != 0);
    for (size_t i = 0; i < length; i++) text[i] = isprint(room[i]) ? (char)room[i] : '?';
    text[length] = '\0';
    return 1;
}

static int is_on(const channeler_quic_channel *from, const char *label)
{
    return strcmp(from->label, label) == 0;
}

// What is said of the end of a connection: the reason, and what the side that ended it said.
static void print_end(const char *who, const channeler_quic_event *event)
{
    const char *said = event->text == NULL ? "" : event->text;
    const char *reason = event->reason == CHANNELER_ERR_PEER_CLOSED
                             ? "the peer closed it"
                             : channeler_error_text(event->reason);
    fprintf(stderr, "%s: %s%s", who, reason, *said ? ": " : "");
    print_text(stderr, (const uint8_t *)said, strlen(said));
    fprintf(stderr, " (%s)\n", channeler_error_name(event->reason));
}

// --- the publisher -----------------------------------------------------------------------------

struct subscriber {
    channeler_address address;
    char text[PEER_TEXT_MAX]; // who and where
    uint64_t left_out;        // measurements that it did not read fast enough
};

struct publisher {
    channeler_node *node;
    struct subscriber subscribers[SUBSCRIBERS_MAX];
    int count;
    uint64_t number; // of the last measurement
    uint64_t until;  // the last one; 0: until Ctrl-C
    int64_t every_ns;
    int64_t next_ns; // when the next measurement is due
};

// A subscriber at an address; NULL: there is none.
static struct subscriber *find(struct publisher *publisher, const channeler_address *address)
{
    for (int i = 0; i < publisher->count; i++) {
        struct subscriber *each = &publisher->subscribers[i];
        if (memcmp(&each->address, address, sizeof *address) == 0) return each;
    }
    return NULL;
}

static void publisher_event(void *user_data, channeler_node *node,
                            const channeler_quic_event *event)
{
    struct publisher *publisher = user_data;
    struct subscriber *who = find(publisher, &event->address);
    // Ignore the kinds you do not care for: later versions have more of them.
    if (event->kind == CHANNELER_QUIC_EVENT_REQUEST) {
        check(channeler_quic_accept(node, event->connection), "accept");
    } else if (event->kind == CHANNELER_QUIC_EVENT_ADDRESS_CHANGED && who != NULL) {
        who->address = event->new_address;
    } else if (event->kind == CHANNELER_QUIC_EVENT_CLOSED && who != NULL) {
        if (event->reason != CHANNELER_ERR_CLOSED) print_end(who->text, event); // not by us
        if (who->left_out > 0)
            fprintf(stderr, "it read too slowly for %" PRIu64 " measurements\n", who->left_out);
        *who = publisher->subscribers[--publisher->count];
    }
}

// A number within its limits behind a word; 0: there is none.
static uint64_t number_behind(const char *text, const char *word, uint64_t max)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || !isdigit((unsigned char)text[length])) return 0;
    char *end;
    uint64_t number = strtoull(text + length, &end, 10);
    return *end == '\0' && number <= max ? number : 0;
}

// Does what a command says, and returns what became of it.
static const char *obey(struct publisher *publisher, const channeler_quic_channel *from,
                        const char *command)
{
    uint64_t number;
    if (strcmp(command, "subscribe") == 0) {
        if (find(publisher, &from->address) != NULL) return "you have subscribed before";
        if (publisher->count == SUBSCRIBERS_MAX) return "there are too many subscribers";
        struct subscriber *who = &publisher->subscribers[publisher->count++];
        memset(who, 0, sizeof *who);
        who->address = from->address;
        format_peer(&from->peer, &from->address, who->text);
    } else if ((number = number_behind(command, "every ", 10000)) > 0) {
        publisher->every_ns = (int64_t)number * NS_PER_MS;
        publisher->next_ns = now_ns();
    } else if ((number = number_behind(command, "until ", UINT32_MAX)) > 0) {
        publisher->until = number;
    } else {
        return "that is no command";
    }
    return "done";
}

static void take_commands(struct publisher *publisher)
{
    static channeler_quic_channel from;
    char command[TEXT_BYTES_MAX + 1], answer[TEXT_BYTES_MAX + 64], who[PEER_TEXT_MAX];
    while (receive_text(publisher->node, &from, command)) {
        if (!is_on(&from, "COMMAND")) continue;
        const char *outcome = obey(publisher, &from, command);
        format_peer(&from.peer, &from.address, who);
        fprintf(stderr, "%s: %s: %s\n", who, command, outcome);
        snprintf(answer, sizeof answer, "%s: %s", command, outcome);
        send_text(publisher->node, &from.address, "COMMAND", answer);
    }
}

static void publish(struct publisher *publisher)
{
    char text[TEXT_BYTES_MAX];
    uint64_t number = ++publisher->number;
    snprintf(text, sizeof text, "%" PRIu64 " 2%" PRIu64 ".%" PRIu64, number, number / 10 % 10,
             number % 10); // no thermometer at hand: each is a little warmer than the last
    for (int i = 0; i < publisher->count; i++) {
        struct subscriber *who = &publisher->subscribers[i];
        // Who does not read fast enough misses measurements: soon they are old anyway.
        if (!send_text(publisher->node, &who->address, "TELEMETRY", text)) who->left_out++;
    }
    publisher->next_ns += publisher->every_ns;
}

static int run_publisher(const char *address, char **peers, int count)
{
    static struct publisher publisher = {.every_ns = EVERY_MS * NS_PER_MS};
    channeler_options options;

    init_options(&options);
    publisher.node = new_node(&options, NULL);
    open_channels(publisher.node, count == 0, publisher_event, &publisher);
    for (int i = 0; i < count; i++) {
        channeler_peer_id peer;
        check_text(channeler_peer_id_parse(peers[i], &peer));
        check(channeler_quic_trust(publisher.node, &peer), "trust");
    }
    listen_at(publisher.node, address);

    publisher.next_ns = now_ns();
    while (!stop_asked && (publisher.until == 0 || publisher.number < publisher.until)) {
        int64_t left = publisher.next_ns - now_ns();
        check(channeler_node_process(publisher.node, left > 0 ? left : 0), "process");
        take_commands(&publisher);
        if (now_ns() >= publisher.next_ns) publish(&publisher);
    }
    // Whatever was sent arrives before the end does.
    for (int i = 0; i < publisher.count; i++) {
        int32_t status = channeler_quic_close(publisher.node, &publisher.subscribers[i].address);
        if (status != CHANNELER_ERR_INVALID_REFERENCE) check(status, "close"); // it was faster
    }
    while (publisher.count > 0) check(channeler_node_process(publisher.node, -1), "process");
    fprintf(stderr, "%" PRIu64 " measurements\n", publisher.number);
    free_node(publisher.node);
    return EXIT_GOOD;
}

// --- the subscriber ----------------------------------------------------------------------------

struct listener {
    const char *publisher; // PEERID@ADDRESS
    int is_over;
    int code;
};

static void subscriber_event(void *user_data, channeler_node *node,
                             const channeler_quic_event *event)
{
    struct listener *listener = user_data;
    (void)node;
    if (event->kind != CHANNELER_QUIC_EVENT_CLOSED) return;
    int is_good =
        event->reason == CHANNELER_ERR_PEER_CLOSED || event->reason == CHANNELER_ERR_CLOSED;
    if (!is_good) print_end(listener->publisher, event);
    listener->code = is_good ? EXIT_GOOD : EXIT_FAILED;
    listener->is_over = 1;
}

static void print_messages(channeler_node *node)
{
    static channeler_quic_channel from;
    char text[TEXT_BYTES_MAX + 1];
    while (receive_text(node, &from, text)) {
        if (is_on(&from, "TELEMETRY")) printf("%s\n", text);
        if (is_on(&from, "COMMAND")) fprintf(stderr, "the publisher says: %s\n", text);
    }
    flush_output();
}

static int run_subscriber(const char *publisher, char **commands, int count)
{
    struct listener listener = {publisher, 0, EXIT_GOOD};
    channeler_options options;
    channeler_peer_id peer;
    channeler_address address;

    init_options(&options);
    channeler_node *node = new_node(&options, NULL);
    open_channels(node, 0, subscriber_event, &listener);
    parse_peer(publisher, &peer, &address);
    bind_for(node, publisher);
    // The connection is for that peer and no other; what is sent meanwhile waits for it.
    check(channeler_quic_connect(node, &address, &peer, NULL), "connect");
    send_text(node, &address, "COMMAND", "subscribe");
    for (int i = 0; i < count; i++) send_text(node, &address, "COMMAND", commands[i]);

    while (!listener.is_over && !stop_asked) {
        check(channeler_node_process(node, -1), "process");
        print_messages(node);
    }
    if (!listener.is_over && channeler_quic_close(node, &address) == CHANNELER_OK)
        while (!listener.is_over) check(channeler_node_process(node, -1), "process");
    free_node(node);
    return listener.code;
}

int main(int argc, char **argv)
{
    argc = take_settings(argc, argv);
    if (asks_for_help(argc, argv, usage)) return EXIT_GOOD;
    if (settings.is_v0) {
        fprintf(stderr, "the old protocol has no QUIC channels\n");
        return EXIT_USAGE;
    }
    if (argc >= 3 && strcmp(argv[1], "publish") == 0)
        return run_publisher(argv[2], argv + 3, argc - 3);
    if (argc >= 3 && strcmp(argv[1], "subscribe") == 0)
        return run_subscriber(argv[2], argv + 3, argc - 3);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
