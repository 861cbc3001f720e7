/* Reliable channels over sockets: every mode, large messages, reports, lifetimes, back pressure,
 * statistics. Nothing is lost on loopback: tests/v1 has the losses. */
#include "live.h"

#define LARGE ((size_t)700000)

static live a, b;
static channeler_connection connection;

/* Messages are read by the test, unless `with_callback`. */
static void start_with(const channeler_options *options, int with_callback) {
    channeler_callbacks callbacks;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    callbacks = live_callbacks(&a);
    if (!with_callback) callbacks.on_message = NULL;
    live_new(&a, options, &callbacks);
    callbacks = live_callbacks(&b);
    if (!with_callback) callbacks.on_message = NULL;
    live_new(&b, options, &callbacks);
    connection = live_connect(&a, &b);
}

static void start_both(void) {
    channeler_options options = live_options();
    start_with(&options, 0);
}

static channeler_channel_options mode_of(uint32_t capabilities) {
    channeler_channel_options options;
    OK(channeler_channel_options_init(&options, sizeof options));
    options.capabilities = capabilities;
    return options;
}

/* Opens a channel; `at_b` may be NULL. */
static channeler_channel open_with(const channeler_channel_options *options,
                                   channeler_channel *at_b) {
    channeler_channel channel;
    int before = b.events[CHANNELER_EVENT_CHANNEL_OPENED];
    OK(channeler_channel_open(a.node, connection, options, &channel));
    UNTIL(b.events[CHANNELER_EVENT_CHANNEL_OPENED] > before);
    if (at_b) *at_b = b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    return channel;
}

static channeler_channel open_mode(uint32_t capabilities, channeler_channel *at_b) {
    channeler_channel_options options = mode_of(capabilities);
    return open_with(&options, at_b);
}

/* Whether a message waits; its length. */
static int has_message(live *self, channeler_channel channel, size_t *length) {
    int32_t status = channeler_channel_next_length(self->node, channel, length);
    CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_DATA_UNAVAILABLE);
    return status == CHANNELER_OK;
}

static void fill(uint8_t *bytes, size_t length, uint32_t seed) {
    size_t i;
    for (i = 0; i < length; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static channeler_channel_counters counters_of(live *self, channeler_channel channel) {
    channeler_channel_counters counters;
    counters.struct_size = sizeof counters;
    OK(channeler_channel_stats(self->node, channel, &counters));
    return counters;
}

static channeler_connection_counters connection_counters(void) {
    channeler_connection_counters counters;
    counters.struct_size = sizeof counters;
    OK(channeler_connection_stats(a.node, connection, &counters));
    return counters;
}

static void every_mode_opens_tells_what_it_is_and_carries_messages(void) {
    uint32_t mode;

    start_both();
    for (mode = 0; mode < 8; mode++) {
        channeler_channel_options options = mode_of(mode);
        channeler_channel_details details;
        channeler_channel at_a, at_b;
        char buffer[16];
        size_t length = 0;
        options.priority = mode;
        options.weight = 100 + mode;
        at_a = open_with(&options, &at_b);
        details.struct_size = sizeof details;
        OK(channeler_channel_info(b.node, at_b, &details));
        CHECK(details.capabilities == mode && details.priority == mode);
        CHECK(details.weight == 100 + mode && details.role == CHANNELER_ROLE_RESPONDER);
        live_say(&a, at_a, "there");
        UNTIL(has_message(&b, at_b, &length));
        OK(channeler_channel_receive_whole(b.node, at_b, (uint8_t *)buffer, 16, &length));
        CHECK(length == 5 && memcmp(buffer, "there", 5) == 0);
        live_say(&b, at_b, "back");
        UNTIL(has_message(&a, at_a, &length));
        OK(channeler_channel_receive_whole(a.node, at_a, (uint8_t *)buffer, 16, &length));
        CHECK(length == 4 && memcmp(buffer, "back", 4) == 0);
    }
    live_end();
}

static void a_large_message_arrives_whole_and_waits_for_room_to_be_read(void) {
    channeler_channel at_a, at_b;
    uint8_t *sent = (uint8_t *)malloc(LARGE), *read = (uint8_t *)malloc(LARGE);
    size_t length = 0, remaining = 0;

    start_both();
    at_a = open_mode(CHANNELER_RELIABLE_ORDERED, &at_b);
    fill(sent, LARGE, 1);
    CHECK(live_details(&a, connection).message_bytes_max >= LARGE);
    CHECK(live_details(&a, connection).packet_message_bytes < 65507);
    OK(channeler_channel_send(a.node, at_a, sent, LARGE));
    live_say(&a, at_a, "behind it");
    UNTIL(has_message(&b, at_b, &length));
    CHECK(length == LARGE);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_channel_receive_whole(b.node, at_b, read, LARGE - 1, &length));
    CHECK(length == LARGE);
    OK(channeler_channel_receive_whole(b.node, at_b, read, LARGE, &length));
    CHECK(length == LARGE && memcmp(sent, read, LARGE) == 0);
    UNTIL(has_message(&b, at_b, &length));
    CHECK(length == 9);
    OK(channeler_channel_receive(b.node, at_b, read, 6, &length, &remaining));
    CHECK(length == 6 && remaining == 3);
    free(sent);
    free(read);
    live_end();
}

static void what_can_never_be_sent_is_too_large(void) {
    channeler_channel at_a;
    size_t most;
    uint8_t *bytes;

    start_both();
    at_a = open_mode(CHANNELER_RELIABLE, NULL);
    most = live_details(&a, connection).message_bytes_max;
    bytes = (uint8_t *)calloc(1, most + 1);
    CHECK(bytes != NULL);
    STATUS(CHANNELER_ERR_TOO_LARGE, channeler_channel_send(a.node, at_a, bytes, most + 1));
    CHECK(strstr(channeler_last_error(), "send_queue_bytes_max") != NULL);
    OK(channeler_channel_send(a.node, at_a, bytes, most));
    INVALID(channeler_channel_send(a.node, at_a, bytes, 0));
    free(bytes);
    live_end();
}

/* Each report has its own context, and none comes for messages that asked for none. */
static uint64_t told[8];
static int told_count;

static void note_report(live *self) {
    const channeler_event *event = &self->last[CHANNELER_EVENT_MESSAGE_DELIVERED];
    int count = self->events[CHANNELER_EVENT_MESSAGE_DELIVERED];
    if (count > told_count) {
        CHECK(count == told_count + 1 && told_count < 8);
        CHECK(event->connection.id == connection.id && event->reason == 0);
        told[told_count++] = event->context;
    }
}

static void delivered_messages_are_reported_once_each(void) {
    channeler_channel at_a, at_b;
    channeler_send_options options;
    channeler_message messages[3];
    size_t sent = 0, i;
    uint64_t seen = 0;

    start_both();
    told_count = 0;
    a.also = note_report;
    at_a = open_mode(CHANNELER_RELIABLE_ORDERED, &at_b);
    OK(channeler_send_options_init(&options, sizeof options));
    options.report = 1;
    options.context = UINT64_MAX;
    live_say(&a, at_a, "not reported");
    OK(channeler_channel_send_with(a.node, at_a, BYTES("one"), 3, &options));
    for (i = 0; i < 3; i++) {
        messages[i].channel = at_a;
        messages[i].data = BYTES("abc") + i;
        messages[i].length = 1;
    }
    options.context = 10;
    OK(channeler_channel_send_many_with(a.node, messages, 3, &options, &sent));
    CHECK(sent == 3);
    UNTIL(told_count == 4);
    for (i = 0; i < 4; i++) {
        CHECK(told[i] == UINT64_MAX || (told[i] >= 10 && told[i] < 13));
        seen |= (uint64_t)1 << (told[i] == UINT64_MAX ? 0 : told[i]);
    }
    CHECK(seen == (1 | 7 << 10));
    CHECK(a.events[CHANNELER_EVENT_MESSAGE_LOST] == 0);
    CHECK(a.last[CHANNELER_EVENT_MESSAGE_DELIVERED].channel.id == at_a.id);
    live_end();
}

static void what_an_ended_channel_still_had_is_reported_lost(void) {
    channeler_channel at_a;
    channeler_send_options options;

    start_both();
    at_a = open_mode(CHANNELER_RELIABLE_ORDERED, NULL);
    OK(channeler_send_options_init(&options, sizeof options));
    options.report = 1;
    options.context = 99;
    OK(channeler_channel_send_with(a.node, at_a, BYTES("never sent"), 10, &options));
    OK(channeler_channel_reset_with(a.node, at_a, 5, "changed my mind"));
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_CLOSED] == 1);
    CHECK(a.events[CHANNELER_EVENT_MESSAGE_LOST] == 1);
    CHECK(a.last[CHANNELER_EVENT_MESSAGE_LOST].context == 99);
    CHECK(a.last[CHANNELER_EVENT_MESSAGE_LOST].reason == CHANNELER_ERR_CLOSED);
    CHECK(a.events[CHANNELER_EVENT_MESSAGE_DELIVERED] == 0);
    UNTIL(b.events[CHANNELER_EVENT_CHANNEL_CLOSED] == 1);
    CHECK(strcmp(b.said[CHANNELER_EVENT_CHANNEL_CLOSED], "changed my mind") == 0);
    live_end();
}

/* The peer does not read: what is queued expires. */
static void what_is_too_old_to_send_is_reported_expired(void) {
    channeler_options node_options = live_options();
    channeler_channel_options channel_options = mode_of(CHANNELER_PARTIALLY_RELIABLE_ORDERED);
    channeler_channel at_a;
    channeler_send_options options;
    static uint8_t bytes[60000];
    int32_t status;

    node_options.receive_window_min = 65536;
    node_options.connection_receive_bytes_max = 65536;
    node_options.message_bytes_max = 65536;
    start_with(&node_options, 0);
    channel_options.message_lifetime_ns = SECOND / 20;
    at_a = open_with(&channel_options, NULL);
    OK(channeler_send_options_init(&options, sizeof options));
    options.report = 1;
    options.lifetime_ns = 0; /* for ever, whatever the channel says */
    OK(channeler_channel_send_with(a.node, at_a, bytes, sizeof bytes, &options));
    UNTIL(a.events[CHANNELER_EVENT_MESSAGE_DELIVERED] == 1);
    options.lifetime_ns = CHANNELER_LIFETIME_OF_CHANNEL;
    options.context = 7;
    status = channeler_channel_send_with(a.node, at_a, bytes, sizeof bytes, &options);
    CHECK(status == CHANNELER_OK);
    UNTIL(a.events[CHANNELER_EVENT_MESSAGE_LOST] == 1);
    CHECK(a.last[CHANNELER_EVENT_MESSAGE_LOST].context == 7);
    CHECK(a.last[CHANNELER_EVENT_MESSAGE_LOST].reason == CHANNELER_ERR_EXPIRED);
    CHECK(counters_of(&a, at_a).messages_lost == 1);
    live_end();
}

/* Who accepted a channel has limits of its own, once it sets them. */
static void the_accepting_side_sets_when_its_messages_are_given_up(void) {
    channeler_options node_options = live_options();
    channeler_channel at_a, at_b;
    channeler_send_options options;
    static uint8_t bytes[60000];
    size_t length;
    int lives;

    for (lives = 0; lives < 2; lives++) {
        node_options.receive_window_min = 65536;
        node_options.connection_receive_bytes_max = 65536;
        node_options.message_bytes_max = 65536;
        start_with(&node_options, 0);
        at_a = open_mode(CHANNELER_PARTIALLY_RELIABLE_ORDERED, &at_b);
        OK(channeler_send_options_init(&options, sizeof options));
        options.report = 1;
        OK(channeler_channel_send_with(b.node, at_b, bytes, sizeof bytes, &options));
        UNTIL(b.events[CHANNELER_EVENT_MESSAGE_DELIVERED] == 1);
        OK(channeler_channel_set_limits(b.node, at_b, 3, SECOND / 20));
        if (lives) OK(channeler_channel_set_limits(b.node, at_b, CHANNELER_RESEND_ALWAYS, 0));
        options.context = 7;
        OK(channeler_channel_send_with(b.node, at_b, bytes, sizeof bytes, &options));
        if (lives) {
            OK(channeler_channel_receive_whole(a.node, at_a, bytes, sizeof bytes, &length));
            UNTIL(b.events[CHANNELER_EVENT_MESSAGE_DELIVERED] == 2);
            CHECK(b.events[CHANNELER_EVENT_MESSAGE_LOST] == 0);
        } else {
            UNTIL(b.events[CHANNELER_EVENT_MESSAGE_LOST] == 1);
            CHECK(b.last[CHANNELER_EVENT_MESSAGE_LOST].context == 7);
            CHECK(b.last[CHANNELER_EVENT_MESSAGE_LOST].reason == CHANNELER_ERR_EXPIRED);
        }
        live_end();
    }
}

/* A reader that stops stops the sender, who hears when it may go on; nothing is dropped. */
static void who_does_not_read_stops_the_sender_and_loses_nothing(void) {
    channeler_options node_options = live_options();
    channeler_channel at_a, at_b;
    static uint8_t bytes[10000], read[10000];
    uint32_t sent = 0, got = 0, after = 0;
    size_t length;
    uint64_t queued;
    int32_t status;

    node_options.connection_receive_bytes_max = 1 << 20;
    node_options.message_bytes_max = 1 << 20;
    node_options.send_queue_bytes_max = 1 << 20;
    node_options.send_low_water_bytes = 100000;
    start_with(&node_options, 0);
    at_a = open_mode(CHANNELER_RELIABLE_ORDERED, &at_b);
    for (;;) {
        fill(bytes, sizeof bytes, sent);
        status = channeler_channel_send(a.node, at_a, bytes, sizeof bytes);
        if (status == CHANNELER_ERR_WOULD_BLOCK) {
            uint64_t until = clock_ns() + SECOND / 5;
            int before = a.events[CHANNELER_EVENT_WRITABLE];
            while (clock_ns() < until) live_turn();
            if (a.events[CHANNELER_EVENT_WRITABLE] == before) break;
        } else {
            OK(status);
            sent++;
        }
        CHECK(sent < 1000);
    }
    CHECK(sent > 50 && sent < 300);
    CHECK(counters_of(&b, at_b).receive_queue_bytes <= 1 << 20);
    queued = counters_of(&a, at_a).send_queue_bytes;
    CHECK(queued > 100000 && queued <= (1 << 20) + (1 << 16));
    CHECK(connection_counters().send_queue_bytes == queued);
    while (got < sent) {
        if (a.events[CHANNELER_EVENT_WRITABLE] > 0 && after == 0) {
            after = 1;
            CHECK(counters_of(&a, at_a).send_queue_bytes <= 100000 + (1 << 16));
        }
        if (!has_message(&b, at_b, &length)) {
            live_turn();
            continue;
        }
        OK(channeler_channel_receive_whole(b.node, at_b, read, sizeof read, &length));
        fill(bytes, sizeof bytes, got++);
        CHECK(length == sizeof bytes && memcmp(bytes, read, sizeof bytes) == 0);
    }
    UNTIL(a.events[CHANNELER_EVENT_WRITABLE] > 0);
    CHECK(counters_of(&b, at_b).messages_dropped == 0);
    CHECK(counters_of(&b, at_b).messages_skipped == 0);
    live_end();
}

static void statistics_tell_of_the_path(void) {
    channeler_channel at_a, at_b;
    channeler_connection_counters counters;
    channeler_channel_counters of_channel;
    static uint8_t bytes[50000], read[50000];
    size_t length;
    int i;

    start_both();
    at_a = open_mode(CHANNELER_RELIABLE_ORDERED, &at_b);
    for (i = 0; i < 20; i++) {
        OK(channeler_channel_send(a.node, at_a, bytes, sizeof bytes));
        UNTIL(has_message(&b, at_b, &length));
        OK(channeler_channel_receive_whole(b.node, at_b, read, sizeof read, &length));
    }
    UNTIL(connection_counters().in_flight_bytes == 0);
    counters = connection_counters();
    CHECK(counters.rtt_ns > 0 && counters.rtt_min_ns > 0 && counters.rtt_min_ns <= counters.rtt_ns);
    CHECK(counters.rtt_variation_ns > 0 && counters.rtt_ns < 5 * SECOND);
    CHECK(counters.congestion_window_bytes > 2000 && counters.pacing_rate_bytes > 0);
    CHECK(counters.packet_size >= 1200 && counters.packet_size <= 65507);
    CHECK(counters.packets_sent >= 20 * sizeof bytes / counters.packet_size);
    CHECK(counters.packets_sent > counters.packets_lost);
    CHECK(counters.packets_lost >= counters.packets_lost_spuriously);
    CHECK(counters.send_credit_bytes > 0 && counters.send_queue_bytes == 0);
    CHECK(counters.ecn <= CHANNELER_ECN_FAILED);
    of_channel = counters_of(&a, at_a);
    CHECK(of_channel.send_credit_bytes > 0 && of_channel.send_queue_bytes == 0);
    CHECK(of_channel.messages_sent == 20 && of_channel.messages_lost == 0);
    of_channel = counters_of(&b, at_b);
    CHECK(of_channel.receive_window_bytes >= 65536 && of_channel.receive_credit_bytes > 0);
    CHECK(of_channel.messages_received == 20 && of_channel.bytes_received == 20 * sizeof bytes);
    live_end();
}

static void large_messages_reach_the_callback_whole(void) {
    channeler_options options = live_options();
    channeler_channel at_a;
    char bytes[1900];

    /* More than a packet, and what live.h can keep. */
    start_with(&options, 1);
    memset(bytes, 'm', sizeof bytes);
    at_a = open_mode(CHANNELER_RELIABLE, NULL);
    OK(channeler_channel_send(a.node, at_a, BYTES(bytes), sizeof bytes));
    UNTIL(b.messages == 1);
    CHECK(strlen(b.message) == sizeof bytes && strspn(b.message, "m") == sizeof bytes);
    live_end();
}

int main(void) {
    every_mode_opens_tells_what_it_is_and_carries_messages();
    a_large_message_arrives_whole_and_waits_for_room_to_be_read();
    what_can_never_be_sent_is_too_large();
    delivered_messages_are_reported_once_each();
    what_an_ended_channel_still_had_is_reported_lost();
    what_is_too_old_to_send_is_reported_expired();
    the_accepting_side_sets_when_its_messages_are_given_up();
    who_does_not_read_stops_the_sender_and_loses_nothing();
    statistics_tell_of_the_path();
    large_messages_reach_the_callback_whole();
    return 0;
}
