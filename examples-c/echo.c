// echo: the smallest server and client.
//
// Shows: a server that is all callbacks, run in its own main thread by channeler_node_process; a
// client that reads with channeler_channel_receive instead, and sends again what got lost.

#include "common.h"

enum {
    TRIES = 5,                // a plain channel may lose messages: so often we send one
    WAIT_MS = 500,            // and so long we wait for its echo
    MESSAGE_BYTES_MAX = 65536 // no UDP datagram is larger
};

static const char usage[] =
    "usage: echo server ADDRESS                   send back every message that comes\n"
    "       echo client PEERID@ADDRESS [TEXT ..]  send each TEXT, and print what comes back\n"
    "\n"
    "ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine\n"
    "has; port 0 takes any that is free. The server prints the PEERID@ADDRESS to give to the\n"
    "client. Without a TEXT the client sends \"hello\".\n"
    "\n"
    SETTINGS_USAGE
    "\n"
    "Exits with 0 when all is well (the server: after Ctrl-C), 1 when something failed or an\n"
    "echo never came, 2 when called wrongly.\n";

// --- the server --------------------------------------------------------------------------------

static void server_message(void *user_data, channeler_node *node, channeler_connection connection,
                           channeler_channel channel, const uint8_t *data, size_t length)
{
    (void)user_data;
    (void)connection;
    int32_t status = channeler_channel_send(node, channel, data, length);
    // The queue is full: this echo is lost, as any message on a plain channel may be.
    if (status != CHANNELER_ERR_WOULD_BLOCK) check(status, "send back");
}

static void server_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    char peer[PEER_TEXT_MAX];
    (void)user_data;
    // Ignore the kinds you do not care for: later versions have more of them.
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) {
        describe_connection(node, event->connection, peer);
        fprintf(stderr, "%s opened a channel\n", peer);
    } else if (event->kind == CHANNELER_EVENT_CHANNEL_CLOSED) {
        fprintf(stderr, "a channel ended: %s\n", channeler_error_text(event->reason));
    }
}

static int run_server(const char *address)
{
    channeler_options options;
    channeler_callbacks callbacks;

    init_options(&options);
    check(channeler_callbacks_init(&callbacks, sizeof callbacks), "callbacks");
    callbacks.on_message = server_message;
    callbacks.on_event = server_event;

    channeler_node *node = new_node(&options, &callbacks);
    listen_at(node, address);
    // -1: sleep until there is something to do. The callbacks run inside.
    while (!stop_asked) check(channeler_node_process(node, -1), "process");
    free_node(node);
    return EXIT_GOOD;
}

// --- the client --------------------------------------------------------------------------------

struct client {
    channeler_channel channel;
    int is_open;
    int32_t closed; // why the channel ended, or 0
    int32_t over;   // the same of the connection
};

static void client_event(void *user_data, channeler_node *node, const channeler_event *event)
{
    struct client *client = user_data;
    (void)node;
    if (event->kind == CHANNELER_EVENT_CONNECTION_CLOSED) client->over = event->reason;
    if (event->channel.id != client->channel.id) return;
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) client->is_open = 1;
    if (event->kind == CHANNELER_EVENT_CHANNEL_CLOSED) client->closed = event->reason;
}

// Waits for `text` to come back until `deadline`. Something else may come first: the late echo of
// an earlier text that we sent twice.
static int await_echo(channeler_node *node, channeler_channel channel, const char *text,
                      int64_t deadline)
{
    static uint8_t message[MESSAGE_BYTES_MAX];
    size_t length;

    for (;;) {
        int32_t status = channeler_channel_receive(node, channel, message, sizeof message, &length,
                                                   NULL);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE) {
            int64_t left = deadline - now_ns();
            if (left <= 0 || stop_asked) return 0;
            check(channeler_node_process(node, left), "process");
            continue;
        }
        check(status, "receive");
        if (length == strlen(text) && memcmp(message, text, length) == 0) {
            print_text(stdout, message, length);
            putchar('\n');
            flush_output();
            return 1;
        }
    }
}

static int echo_once(channeler_node *node, channeler_channel channel, const char *text)
{
    for (int try = 0; try < TRIES && !stop_asked; try++) {
        check(channeler_channel_send(node, channel, (const uint8_t *)text, strlen(text)), "send");
        if (await_echo(node, channel, text, now_ns() + WAIT_MS * NS_PER_MS)) return 1;
    }
    fprintf(stderr, "no echo of '%s'\n", text);
    return 0;
}

static int run_client(const char *server, char **texts, int count)
{
    struct client client;
    channeler_options options;
    channeler_callbacks callbacks;

    memset(&client, 0, sizeof client);
    init_options(&options);
    check(channeler_callbacks_init(&callbacks, sizeof callbacks), "callbacks");
    callbacks.user_data = &client; // given to each callback
    callbacks.on_event = client_event;

    channeler_node *node = new_node(&options, &callbacks);
    channeler_connection connection = connect_to(node, server);
    check(channeler_channel_open(node, connection, NULL, &client.channel), "open a channel");
    while (!client.is_open && client.closed == 0 && !stop_asked)
        check(channeler_node_process(node, -1), "process");
    if (client.closed != 0) fail_closed(server, client.closed);

    int echoed = 0;
    int64_t start = now_ns();
    for (int i = 0; i < count && !stop_asked; i++)
        echoed += echo_once(node, client.channel, texts[i]);
    if (echoed > 0)
        fprintf(stderr, "%d of %d came back, in %.3f ms each\n", echoed, count,
                (double)(now_ns() - start) / NS_PER_MS / count);
    close_and_wait(node, connection, "done", &client.over);
    free_node(node);
    return echoed == count ? EXIT_GOOD : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static char hello[] = "hello";
    char *hello_only[] = {hello};

    argc = take_settings(argc, argv);
    if (asks_for_help(argc, argv, usage)) return EXIT_GOOD;
    if (argc == 3 && strcmp(argv[1], "server") == 0) return run_server(argv[2]);
    if (argc == 3 && strcmp(argv[1], "client") == 0) return run_client(argv[2], hello_only, 1);
    if (argc > 3 && strcmp(argv[1], "client") == 0)
        return run_client(argv[2], argv + 3, argc - 3);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
