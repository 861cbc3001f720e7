/* QUIC channels on the sockets of two nodes: what is sent arrives, who is not known is refused, and
 * every wrong argument is a status. */
#include "live.h"

#include <pthread.h>
#include <sched.h>

#define SENDERS 3
#define SENT_BY_EACH 5000

typedef struct heard {
    int kinds[16];
    channeler_quic_event last[16];
    char said[256];
} heard;

static heard at_a, at_b;

static void on_quic(void *user_data, channeler_node *node, const channeler_quic_event *event) {
    heard *self = (heard *)user_data;
    CHECK(node != NULL && event->struct_size == sizeof *event);
    CHECK(event->kind > 0 && event->kind < 16);
    self->kinds[event->kind]++;
    self->last[event->kind] = *event;
    if (event->text != NULL) snprintf(self->said, sizeof self->said, "%s", event->text);
}

static channeler_quic_options quic_options(void) {
    channeler_quic_options options;
    OK(channeler_quic_options_init(&options, sizeof options));
    return options;
}

static int32_t send_text(live *from, live *to, const char *label, const char *text) {
    channeler_team_id team;
    memset(&team, 7, sizeof team);
    return channeler_quic_send(from->node, &to->address, &team, label, strlen(label),
                               BYTES(text), strlen(text));
}

static void messages_go_both_ways_on_the_sockets_of_the_nodes(void) {
    live a, b;
    channeler_quic_channel from;
    uint8_t buffer[16];
    size_t length = 0;
    uint64_t connection = 0;
    int i;
    live_start(&a);
    live_start(&b);
    OK(channeler_quic_open(a.node, NULL, on_quic, &at_a));
    OK(channeler_quic_open(b.node, NULL, on_quic, &at_b));
    STATUS(CHANNELER_ERR_STATE, channeler_quic_open(a.node, NULL, on_quic, &at_a));

    /* Nobody is known: both refuse. */
    OK(send_text(&a, &b, "TELEMETRY", "lost"));
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 1);
    CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_REFUSED);
    CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].count == 1);
    CHECK(strstr(at_a.said, "not known") != NULL);

    /* One is dialled by its id, the other trusted. */
    OK(channeler_quic_trust(b.node, &a.peer));
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, &connection));
    CHECK(connection != 0);
    STATUS(CHANNELER_ERR_IDENTITY, channeler_quic_connect(a.node, &b.address, &a.peer, NULL));
    OK(send_text(&a, &b, "TELEMETRY", "twelve bytes"));
    OK(send_text(&a, &b, "", ""));
    OK(channeler_quic_send_sync(a.node, &b.address, BYTES("state"), 5));
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_SYNC_READABLE] == 1);
    CHECK(at_b.kinds[CHANNELER_QUIC_EVENT_READABLE] == 1);
    CHECK(same_peer(&at_b.last[CHANNELER_QUIC_EVENT_CONNECTED].peer, &a.peer));
    CHECK(at_b.last[CHANNELER_QUIC_EVENT_CONNECTED].by_peer == 1);

    /* Too small: it stays, and its length is told. */
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_quic_receive(b.node, buffer, 11, &from, &length));
    CHECK(length == 12);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_quic_receive(b.node, NULL, 0, &from, &length));
    OK(channeler_quic_receive(b.node, buffer, sizeof buffer, &from, &length));
    CHECK(length == 12 && memcmp(buffer, "twelve bytes", 12) == 0);
    CHECK(strcmp(from.label, "TELEMETRY") == 0 && from.label_length == 9);
    CHECK(from.team.bytes[0] == 7 && same_peer(&from.peer, &a.peer));
    CHECK(from.address.port == a.address.port);
    OK(channeler_quic_receive(b.node, NULL, 0, &from, &length));
    CHECK(length == 0 && from.label_length == 0);
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_quic_receive(b.node, buffer, sizeof buffer, &from, &length));
    OK(channeler_quic_receive_sync(b.node, buffer, sizeof buffer, &from, &length));
    CHECK(length == 5 && memcmp(buffer, "state", 5) == 0);

    /* The other way, on the same connection, and beside version 1. */
    OK(send_text(&b, &a, "COMMAND", "answer"));
    live_connect(&a, &b);
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_READABLE] == 1);
    OK(channeler_quic_receive(a.node, buffer, sizeof buffer, &from, &length));
    CHECK(length == 6 && strcmp(from.label, "COMMAND") == 0);

    /* What was taken is sent before the end. */
    for (i = 0; i < 100; i++) OK(send_text(&a, &b, "TELEMETRY", "the last ones"));
    OK(channeler_quic_close(a.node, &b.address));
    STATUS(CHANNELER_ERR_INVALID_REFERENCE, channeler_quic_close(a.node, &b.address));
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CLOSED] >= 2);
    CHECK(at_b.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_PEER_CLOSED);
    for (i = 0; i < 100; i++) {
        OK(channeler_quic_receive(b.node, buffer, sizeof buffer, &from, &length));
    }
    live_end();
}

/* Sends what is there, from message number `sent` on; returns how many were taken. */
static size_t send_rest(live *from, live *to, const channeler_quic_message *messages, size_t count,
                        size_t sent) {
    channeler_team_id team;
    size_t taken = 0;
    int32_t status;
    memset(&team, 7, sizeof team);
    status = channeler_quic_send_many(from->node, &to->address, &team, "MANY", 4, messages + sent,
                                      count - sent, &taken);
    CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_WOULD_BLOCK);
    CHECK((status == CHANNELER_OK) == (taken == count - sent));
    return taken;
}

static void many_messages_of_a_channel_go_together(void) {
    enum { COUNT = 20000, ROOM = 1000 };
    static uint32_t texts[COUNT];
    static channeler_quic_message messages[COUNT];
    static size_t lengths[ROOM];
    static uint8_t buffer[70 * 1000];
    live a, b;
    channeler_quic_channel from;
    channeler_team_id team;
    size_t i, sent = 0, received = 0, count = 9, most = 0;
    memset(&team, 7, sizeof team);
    live_start(&a);
    live_start(&b);
    OK(channeler_quic_open(a.node, NULL, on_quic, &at_a));
    OK(channeler_quic_open(b.node, NULL, on_quic, &at_b));
    OK(channeler_quic_trust(b.node, &a.peer));
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_quic_receive_many(b.node, buffer, sizeof buffer, lengths, ROOM, &from,
                                       &count));
    CHECK(count == 0);
    for (i = 0; i < COUNT; i++) {
        /* Some are empty, a few large. */
        texts[i] = (uint32_t)i;
        messages[i].data = i % 7 == 3 ? NULL : (const uint8_t *)&texts[i];
        messages[i].length = i % 7 == 3 ? 0 : sizeof texts[i];
        if (i % 5000 == 17) {
            messages[i].data = buffer;
            messages[i].length = sizeof buffer;
        }
    }
    while (received < COUNT) {
        int32_t status;
        if (sent < COUNT) sent += send_rest(&a, &b, messages, COUNT, sent);
        OK(channeler_node_process(a.node, 0));
        OK(channeler_node_process(b.node, 0));
        while ((status = channeler_quic_receive_many(b.node, buffer, sizeof buffer, lengths, ROOM,
                                                     &from, &count)) == CHANNELER_OK) {
            const uint8_t *at = buffer;
            CHECK(count >= 1 && count <= ROOM);
            CHECK(strcmp(from.label, "MANY") == 0 && same_peer(&from.peer, &a.peer));
            for (i = 0; i < count; at += lengths[i], i++, received++) {
                CHECK(lengths[i] == messages[received].length);
                CHECK(lengths[i] != 4 || memcmp(at, &texts[received], 4) == 0);
            }
            if (count > most) most = count;
        }
        STATUS(CHANNELER_ERR_DATA_UNAVAILABLE, status);
        CHECK(count == 0);
    }
    CHECK(most > 1);

    /* Up to the first that fails; and one that has no room stays. */
    messages[2].data = NULL;
    messages[2].length = 5;
    INVALID(channeler_quic_send_many(a.node, &b.address, &team, "MANY", 4, messages, 4, &sent));
    CHECK(sent == 2);
    UNTIL(channeler_quic_receive_many(b.node, NULL, 0, lengths, 1, &from, &count) ==
          CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE);
    CHECK(lengths[0] == 4 && count == 0);
    OK(channeler_quic_receive_many(b.node, buffer, 7, lengths, ROOM, &from, &count));
    CHECK(count == 1 && lengths[0] == 4);
    live_end();
}

static void who_asks_says_yes_or_no(void) {
    live a, b;
    channeler_quic_options options = quic_options();
    uint64_t connection;
    int answer;
    for (answer = 0; answer < 2; answer++) {
        memset(&at_a, 0, sizeof at_a);
        memset(&at_b, 0, sizeof at_b);
        live_start(&a);
        live_start(&b);
        options.ask_before_accept = 1;
        OK(channeler_quic_open(a.node, NULL, on_quic, &at_a));
        OK(channeler_quic_open(b.node, &options, on_quic, &at_b));
        OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
        UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_REQUEST] == 1);
        CHECK(memcmp(&at_b.last[CHANNELER_QUIC_EVENT_REQUEST].key, &a.key, sizeof a.key) == 0);
        connection = at_b.last[CHANNELER_QUIC_EVENT_REQUEST].connection;
        STATUS(CHANNELER_ERR_INVALID_REFERENCE, channeler_quic_accept(b.node, 999));
        if (answer) {
            OK(channeler_quic_accept(b.node, connection));
            STATUS(CHANNELER_ERR_STATE, channeler_quic_accept(b.node, connection));
            UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CONNECTED] == 1);
        } else {
            OK(channeler_quic_refuse(b.node, connection));
            UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 1);
            CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_REFUSED);
        }
        live_end();
    }
}

static void settings_that_cannot_work_say_why(void) {
    live a;
    channeler_quic_options options = quic_options();
    live_start(&a);
    options.streams = 9;
    INVALID(channeler_quic_open(a.node, &options, NULL, NULL));
    options = quic_options();
    options.connection_receive_bytes_max = options.message_bytes_max;
    INVALID(channeler_quic_open(a.node, &options, NULL, NULL));
    CHECK(strstr(channeler_last_error(), "connection_receive_bytes_max") != NULL);
    options = quic_options();
    options.certificate_chain = "nothing";
    INVALID(channeler_quic_open(a.node, &options, NULL, NULL));
    CHECK(strstr(channeler_last_error(), "all or none") != NULL);
    options.private_key = "nothing";
    options.authorities = "nothing";
    INVALID(channeler_quic_open(a.node, &options, NULL, NULL));
    CHECK(strstr(channeler_last_error(), "chain") != NULL);
    options = quic_options();
    options.struct_size = 1;
    INVALID(channeler_quic_open(a.node, &options, NULL, NULL));
    INVALID(channeler_quic_options_init(NULL, sizeof options));
    STATUS(CHANNELER_ERR_UNSUPPORTED, send_text(&a, &a, "x", "nobody opened it"));
    live_end();
}

static void wrong_arguments_are_statuses(void) {
    live a;
    channeler_team_id team;
    channeler_address nowhere = address_of("0.0.0.0:9"), good = address_of("127.0.0.1:9");
    channeler_quic_channel from;
    uint8_t byte = 0;
    channeler_quic_message message = {&byte, 1};
    size_t length, count;
    char label[257];
    memset(&team, 0, sizeof team);
    memset(label, 'x', sizeof label);
    live_start(&a);
    OK(channeler_quic_open(a.node, NULL, NULL, NULL));
    INVALID(channeler_quic_open(NULL, NULL, NULL, NULL));
    INVALID(channeler_quic_send(NULL, &good, &team, "x", 1, &byte, 1));
    INVALID(channeler_quic_send(a.node, NULL, &team, "x", 1, &byte, 1));
    INVALID(channeler_quic_send(a.node, &good, NULL, "x", 1, &byte, 1));
    INVALID(channeler_quic_send(a.node, &good, &team, NULL, 1, &byte, 1));
    INVALID(channeler_quic_send(a.node, &good, &team, "x", 1, NULL, 1));
    INVALID(channeler_quic_send(a.node, &good, &team, label, sizeof label, &byte, 1));
    STATUS(CHANNELER_ERR_DECODE, channeler_quic_send(a.node, &good, &team, "\xc3(", 2, &byte, 1));
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_quic_send(a.node, &nowhere, &team, "x", 1, &byte, 1));
    INVALID(channeler_quic_send_sync(a.node, NULL, &byte, 1));
    INVALID(channeler_quic_send_sync(a.node, &good, NULL, 1));
    INVALID(channeler_quic_receive(a.node, NULL, 1, &from, &length));
    INVALID(channeler_quic_receive(a.node, &byte, 1, NULL, &length));
    INVALID(channeler_quic_receive(a.node, &byte, 1, &from, NULL));
    INVALID(channeler_quic_receive_sync(NULL, &byte, 1, &from, &length));
    OK(channeler_quic_send_many(a.node, &good, &team, "x", 1, &message, 0, &length));
    CHECK(length == 0);
    INVALID(channeler_quic_send_many(NULL, &good, &team, "x", 1, &message, 1, &length));
    INVALID(channeler_quic_send_many(a.node, NULL, &team, "x", 1, &message, 1, &length));
    INVALID(channeler_quic_send_many(a.node, &good, &team, "x", 1, NULL, 1, &length));
    INVALID(channeler_quic_send_many(a.node, &good, &team, "x", 1, &message, SIZE_MAX, &length));
    INVALID(channeler_quic_send_many(a.node, &good, &team, "x", 1, &message, 1, NULL));
    INVALID(channeler_quic_receive_many(NULL, &byte, 1, &length, 1, &from, &length));
    INVALID(channeler_quic_receive_many(a.node, NULL, 1, &length, 1, &from, &count));
    INVALID(channeler_quic_receive_many(a.node, &byte, 1, NULL, 1, &from, &count));
    INVALID(channeler_quic_receive_many(a.node, &byte, 1, &length, 0, &from, &count));
    INVALID(channeler_quic_receive_many(a.node, &byte, 1, &length, 1, NULL, &count));
    INVALID(channeler_quic_receive_many(a.node, &byte, 1, &length, 1, &from, NULL));
    INVALID(channeler_quic_connect(a.node, NULL, NULL, NULL));
    INVALID(channeler_quic_close(a.node, NULL));
    INVALID(channeler_quic_accept(NULL, 1));
    INVALID(channeler_quic_refuse(NULL, 1));
    INVALID(channeler_quic_trust(a.node, NULL));
    INVALID(channeler_quic_distrust(a.node, NULL, NULL));
    live_end();
    STATUS(CHANNELER_ERR_STATE, channeler_quic_send(a.node, &good, &team, "x", 1, &byte, 1));
    STATUS(CHANNELER_ERR_STATE, channeler_quic_receive(a.node, &byte, 1, &from, &length));
    STATUS(CHANNELER_ERR_STATE,
           channeler_quic_send_many(a.node, &good, &team, "x", 1, &message, 1, &length));
    STATUS(CHANNELER_ERR_STATE,
           channeler_quic_receive_many(a.node, &byte, 1, &length, 1, &from, &count));
}

static channeler_quic_details details_of(live *self, live *other) {
    channeler_quic_details details;
    details.struct_size = sizeof details;
    OK(channeler_quic_info(self->node, &other->address, &details));
    return details;
}

static channeler_quic_counters counters_of(live *self) {
    channeler_quic_counters counters;
    counters.struct_size = sizeof counters;
    OK(channeler_quic_stats(self->node, &counters));
    return counters;
}

static uint64_t dropped(live *self, const char *reason) {
    channeler_quic_counters counters = counters_of(self);
    size_t i;
    for (i = 0; channeler_quic_drop_reason_name(i) != NULL; i++) {
        if (strcmp(channeler_quic_drop_reason_name(i), reason) == 0) return counters.dropped[i];
    }
    CHECK(!"a reason of that name");
    return 0;
}

/* Two nodes with a connection that `a` began. */
static void meet(live *a, live *b) {
    memset(&at_a, 0, sizeof at_a);
    memset(&at_b, 0, sizeof at_b);
    live_start(a);
    live_start(b);
    OK(channeler_quic_open(a->node, NULL, on_quic, &at_a));
    OK(channeler_quic_open(b->node, NULL, on_quic, &at_b));
    OK(channeler_quic_trust(b->node, &a->peer));
    OK(channeler_quic_connect(a->node, &b->address, &b->peer, NULL));
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CONNECTED] == 1);
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CONNECTED] == 1);
}

static void counters_and_details_tell_what_was_done(void) {
    live a, b;
    channeler_quic_counters counters;
    channeler_quic_details details;
    channeler_quic_channel from;
    channeler_address addresses[32], nowhere = address_of("127.0.0.1:9");
    uint8_t buffer[16];
    size_t count = 99, length;
    meet(&a, &b);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_quic_connections(a.node, NULL, 0, &count));
    CHECK(count == 1);
    OK(channeler_quic_connections(a.node, addresses, 32, &count));
    CHECK(count == 1 && addresses[0].port == b.address.port);
    OK(send_text(&a, &b, "TELEMETRY", "one"));
    OK(send_text(&a, &b, "TELEMETRY", "three"));
    UNTIL(counters_of(&b).messages_received == 2);

    details = details_of(&b, &a);
    CHECK(details.connected == 1 && details.by_peer == 1 && same_peer(&details.peer, &a.peer));
    CHECK(details.connection == at_b.last[CHANNELER_QUIC_EVENT_CONNECTED].connection);
    CHECK(details.address.port == a.address.port);
    CHECK(details.messages_received == 2 && details.receive_queue_messages == 2);
    CHECK(details.receive_queue_bytes >= 8 && details.datagrams_received > 0);
    OK(channeler_quic_receive(b.node, buffer, sizeof buffer, &from, &length));
    CHECK(details_of(&b, &a).receive_queue_messages == 1);

    details = details_of(&a, &b);
    CHECK(details.by_peer == 0 && details.messages_sent == 2 && details.messages_received == 0);
    CHECK(details.rtt_ns > 0 && details.rtt_min_ns <= details.rtt_ns * 8);
    CHECK(details.congestion_window_bytes > 10000 && details.pacing_rate_bytes > 0);
    CHECK(details.packet_size >= 1200 && details.packets_sent > 0);
    CHECK(details.datagram_bytes_sent > 1200 && details.send_queue_bytes == 0);

    counters = counters_of(&a);
    CHECK(counters.connections == 1 && counters.dialled == 1 && counters.accepted == 0);
    CHECK(counters.messages_sent == 2 && counters.bytes_sent == 8);
    CHECK(counters.datagrams_sent > 0 && counters.datagram_bytes_sent > 1200);
    CHECK(counters_of(&b).accepted == 1 && counters_of(&b).receive_queue_messages == 1);

    /* A caller of an earlier version has a shorter struct. */
    memset(&counters, 0xee, sizeof counters);
    counters.struct_size = 16;
    OK(channeler_quic_stats(a.node, &counters));
    CHECK(counters.connections == 1 && counters.connections_beside == 0xeeeeeeeeeeeeeeee);
    counters.struct_size = 1;
    INVALID(channeler_quic_stats(a.node, &counters));
    INVALID(channeler_quic_stats(a.node, NULL));
    INVALID(channeler_quic_stats(NULL, &counters));
    INVALID(channeler_quic_info(a.node, NULL, &details));
    INVALID(channeler_quic_info(a.node, &b.address, NULL));
    STATUS(CHANNELER_ERR_INVALID_REFERENCE, channeler_quic_info(a.node, &nowhere, &details));
    INVALID(channeler_quic_connections(a.node, NULL, 1, &count));
    INVALID(channeler_quic_connections(a.node, addresses, 32, NULL));
    CHECK(channeler_quic_drop_reason_name(CHANNELER_QUIC_DROP_PLACES) == NULL);
    CHECK(channeler_quic_drop_reason_name(SIZE_MAX) == NULL);
    live_end();
}

static void bans_of_the_node_hold_for_quic_too(void) {
    live a, b;
    int32_t lifted = 0;
    meet(&a, &b);

    /* A ban of the key ends the connection, and the peer gets no further one. */
    OK(channeler_node_ban_peer(b.node, &a.peer, 3600 * SECOND));
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 1);
    CHECK(at_b.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_BANNED);
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 1);
    CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_REFUSED);
    STATUS(CHANNELER_ERR_BANNED, channeler_quic_connect(b.node, &a.address, &a.peer, NULL));
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 2);
    CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_REFUSED);
    CHECK(dropped(&b, "peer_banned") == 1);

    /* Lifted, it is welcome again. */
    OK(channeler_node_lift_ban_peer(b.node, &a.peer, &lifted));
    CHECK(lifted == 1);
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CONNECTED] == 2);

    /* A ban of the address: not a datagram is taken. */
    OK(channeler_node_ban_address(b.node, &a.address, 3600 * SECOND));
    UNTIL(at_b.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_BANNED);
    STATUS(CHANNELER_ERR_BANNED, send_text(&b, &a, "x", "y"));
    OK(channeler_quic_send_sync(a.node, &b.address, BYTES("z"), 1));
    UNTIL(dropped(&b, "address_banned") > 0);
    OK(channeler_node_lift_ban_address(b.node, &a.address, &lifted));
    CHECK(lifted == 1);
    live_end();
}

static void bans_from_before_hold_when_quic_is_opened(void) {
    live a, b;
    memset(&at_a, 0, sizeof at_a);
    live_start(&a);
    live_start(&b);
    OK(channeler_node_ban_peer(b.node, &a.peer, 3600 * SECOND));
    OK(channeler_quic_open(a.node, NULL, on_quic, &at_a));
    OK(channeler_quic_open(b.node, NULL, NULL, NULL));
    OK(channeler_quic_trust(b.node, &a.peer));
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
    UNTIL(at_a.kinds[CHANNELER_QUIC_EVENT_CLOSED] == 1);
    CHECK(at_a.last[CHANNELER_QUIC_EVENT_CLOSED].reason == CHANNELER_ERR_REFUSED);
    CHECK(dropped(&b, "peer_banned") == 1);
    live_end();
}

typedef struct sender {
    pthread_t thread;
    live *from;
    live *to;
    char label[2];
} sender;

static void *send_numbers(void *argument) {
    sender *self = (sender *)argument;
    channeler_team_id team;
    uint64_t until = clock_ns() + PATIENCE;
    uint32_t number;
    memset(&team, 7, sizeof team);
    for (number = 0; number < SENT_BY_EACH; number++) {
        uint8_t bytes[4 + 7] = {0};
        memcpy(bytes, &number, 4);
        for (;;) {
            int32_t status =
                channeler_quic_send(self->from->node, &self->to->address, &team, self->label, 1,
                                    bytes, 4 + number % 8);
            if (status != CHANNELER_ERR_WOULD_BLOCK) {
                OK(status);
                break;
            }
            CHECK(clock_ns() < until);
            sched_yield();
        }
    }
    return NULL;
}

static void what_many_threads_send_arrives_once_and_in_the_order_of_each(void) {
    live a, b;
    sender senders[SENDERS];
    uint32_t next[SENDERS] = {0};
    channeler_quic_channel from;
    channeler_quic_options options = quic_options();
    uint64_t until;
    int i, received = 0;
    memset(&at_b, 0, sizeof at_b);
    /* Full queues on both sides are part of it. */
    options.send_queue_bytes_max = 100000;
    options.receive_messages_max = 3000;
    options.connection_receive_messages_max = 3000;
    live_start(&a);
    live_start(&b);
    OK(channeler_quic_open(a.node, &options, NULL, NULL));
    OK(channeler_quic_open(b.node, &options, on_quic, &at_b));
    OK(channeler_quic_trust(b.node, &a.peer));
    OK(channeler_quic_connect(a.node, &b.address, &b.peer, NULL));
    UNTIL(at_b.kinds[CHANNELER_QUIC_EVENT_CONNECTED] == 1);
    OK(channeler_node_start(a.node));
    OK(channeler_node_start(b.node));
    for (i = 0; i < SENDERS; i++) {
        senders[i].from = &a;
        senders[i].to = &b;
        senders[i].label[0] = (char)('a' + i);
        CHECK(pthread_create(&senders[i].thread, NULL, send_numbers, &senders[i]) == 0);
    }
    until = clock_ns() + PATIENCE;
    while (received < SENDERS * SENT_BY_EACH) {
        uint8_t bytes[4 + 7];
        uint32_t number;
        size_t length;
        int32_t status =
            channeler_quic_receive(b.node, bytes, sizeof bytes, &from, &length);
        CHECK(clock_ns() < until);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE) {
            sched_yield();
            continue;
        }
        OK(status);
        memcpy(&number, bytes, 4);
        i = from.label[0] - 'a';
        CHECK(from.label_length == 1 && i >= 0 && i < SENDERS);
        CHECK(number == next[i] && length == 4 + number % 8);
        next[i]++;
        received++;
    }
    for (i = 0; i < SENDERS; i++) CHECK(pthread_join(senders[i].thread, NULL) == 0);
    OK(channeler_node_stop(a.node));
    OK(channeler_node_stop(b.node));
    live_end();
}

int main(void) {
    messages_go_both_ways_on_the_sockets_of_the_nodes();
    many_messages_of_a_channel_go_together();
    who_asks_says_yes_or_no();
    settings_that_cannot_work_say_why();
    wrong_arguments_are_statuses();
    counters_and_details_tell_what_was_done();
    bans_of_the_node_hold_for_quic_too();
    bans_from_before_hold_when_quic_is_opened();
    what_many_threads_send_arrives_once_and_in_the_order_of_each();
    return 0;
}
