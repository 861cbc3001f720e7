/* Channels: sending in all ways, receiving in all ways, limits, stale handles. */
#include "pair.h"

static void a_short_read_keeps_the_rest(void) {
    pair both;
    channeler_channel at_a, at_b;
    uint8_t buffer[8];
    size_t length, remaining;

    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    OK(channeler_channel_send(both.a.node, at_a, BYTES("0123456789"), 10));
    OK(channeler_channel_send(both.a.node, at_a, BYTES("next"), 4));
    pair_run(&both);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 4, &length, &remaining));
    CHECK(length == 4 && remaining == 6 && memcmp(buffer, "0123", 4) == 0);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, &remaining));
    CHECK(length == 6 && remaining == 0 && memcmp(buffer, "456789", 6) == 0);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, &remaining));
    CHECK(length == 4 && memcmp(buffer, "next", 4) == 0);
    length = 77;
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, &remaining));
    CHECK(length == 77);
    pair_free(&both);
}

static void a_whole_read_tells_the_size_and_keeps_what_does_not_fit(void) {
    pair both;
    channeler_channel at_a, at_b;
    uint8_t buffer[16];
    size_t length = 77;

    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_next_length(both.b.node, at_b, &length));
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive_whole(both.b.node, at_b, buffer, 16, &length));
    CHECK(length == 77);
    OK(channeler_channel_send(both.a.node, at_a, BYTES("0123456789"), 10));
    OK(channeler_channel_send(both.a.node, at_a, BYTES("next"), 4));
    pair_run(&both);
    OK(channeler_channel_next_length(both.b.node, at_b, &length));
    CHECK(length == 10);
    memset(buffer, 0xee, sizeof buffer);
    length = 77;
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_channel_receive_whole(both.b.node, at_b, buffer, 9, &length));
    CHECK(length == 10 && buffer[0] == 0xee);
    CHECK(strstr(channeler_last_error(), "9 bytes; 10 are needed") != NULL);
    OK(channeler_channel_receive_whole(both.b.node, at_b, buffer, 10, &length));
    CHECK(length == 10 && memcmp(buffer, "0123456789", 10) == 0);
    /* Of one that was begun, it is the rest. */
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 1, &length, NULL));
    OK(channeler_channel_next_length(both.b.node, at_b, &length));
    CHECK(length == 3);
    OK(channeler_channel_receive_whole(both.b.node, at_b, buffer, 16, &length));
    CHECK(length == 3 && memcmp(buffer, "ext", 3) == 0);
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_next_length(both.b.node, at_b, &length));
    pair_free(&both);
}

static void options_of_messages_are_checked(void) {
    pair both;
    channeler_channel at_a, at_b;
    channeler_send_options options;
    channeler_message messages[2];
    uint8_t buffer[8];
    size_t length, sent = 77;

    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    OK(channeler_channel_send_with(both.a.node, at_a, BYTES("null"), 4, NULL));
    OK(channeler_send_options_init(&options, sizeof options));
    options.may_replay = 1;
    options.context = 5; /* means nothing without report */
    OK(channeler_channel_send_with(both.a.node, at_a, BYTES("again"), 5, &options));
    options.may_replay = 2;
    INVALID(channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    CHECK(strstr(channeler_last_error(), "may_replay is 2") != NULL);
    options.may_replay = 0;
    options.report = 2;
    INVALID(channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    CHECK(strstr(channeler_last_error(), "report is 2") != NULL);
    options.report = 0;
    options.struct_size = 8;
    INVALID(channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    CHECK(strstr(channeler_last_error(), "struct_size is 8") != NULL);
    options.struct_size = sizeof options;
    options.lifetime_ns = CHANNELER_LIFETIME_OF_CHANNEL - 1;
    INVALID(channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    CHECK(strstr(channeler_last_error(), "lifetime_ns is 18446744073709551614") != NULL);
    options.lifetime_ns = CHANNELER_LIFETIME_OF_CHANNEL;
    /* Version 0 knows nothing of fates. */
    options.report = 1;
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    CHECK(strstr(channeler_last_error(), "version 0") != NULL);
    options.report = 0;
    options.lifetime_ns = SECOND;
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_channel_send_with(both.a.node, at_a, BYTES("x"), 1, &options));
    messages[0].channel = messages[1].channel = at_a;
    messages[0].data = messages[1].data = BYTES("x");
    messages[0].length = messages[1].length = 1;
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_channel_send_many_with(both.a.node, messages, 2, &options, &sent));
    CHECK(sent == 0);
    INVALID(channeler_channel_send_with(both.a.node, at_a, NULL, 1, NULL));
    INVALID(channeler_channel_send_with(NULL, at_a, BYTES("x"), 1, NULL));
    pair_run(&both);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, NULL));
    CHECK(length == 4 && memcmp(buffer, "null", 4) == 0);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, NULL));
    CHECK(length == 5 && memcmp(buffer, "again", 5) == 0);
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive(both.b.node, at_b, buffer, 8, &length, NULL));
    pair_free(&both);
}

static void a_message_sent_before_the_channel_opens_arrives(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    uint8_t buffer[8];
    size_t length;

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    OK(channeler_channel_send(both.a.node, channel, BYTES("early"), 5));
    pair_run(&both);
    channel = both.b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    OK(channeler_channel_receive(both.b.node, channel, buffer, 8, &length, NULL));
    CHECK(length == 5 && memcmp(buffer, "early", 5) == 0);
    pair_free(&both);
}

static void size_limits_are_told_and_kept(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel, at_b;
    channeler_connection_details details;
    uint8_t *bytes;
    uint8_t buffer[2048];
    size_t most, length;

    pair_new(&both);
    channel = pair_open(&both, &connection, &at_b);
    details.struct_size = sizeof details;
    OK(channeler_connection_info(both.a.node, connection, &details));
    most = details.message_bytes_max;
    bytes = (uint8_t *)calloc(1, most + 1);
    INVALID(channeler_channel_send(both.a.node, channel, bytes, 0));
    CHECK(strstr(channeler_last_error(), "at least 1 byte") != NULL);
    STATUS(CHANNELER_ERR_WRITE, channeler_channel_send(both.a.node, channel, bytes, most + 1));
    CHECK(strstr(channeler_last_error(), "in pieces") != NULL);
    OK(channeler_channel_send(both.a.node, channel, bytes, most));
    pair_run(&both);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, sizeof buffer, &length, NULL));
    CHECK(length == most);
    free(bytes);
    pair_free(&both);
}

static void a_full_queue_says_so_and_tells_of_room(void) {
    pair both;
    channeler_channel channel;
    uint8_t bytes[1000] = {0};
    int sent = 0;
    int32_t status;

    pair_new(&both);
    channel = pair_open(&both, NULL, NULL);
    while ((status = channeler_channel_send(both.a.node, channel, bytes, sizeof bytes)) == 0) {
        sent++;
        CHECK(sent < 100000);
    }
    STATUS(CHANNELER_ERR_WOULD_BLOCK, status);
    CHECK(sent > 100 && both.a.events[CHANNELER_EVENT_WRITABLE] == 0);
    pair_run(&both);
    CHECK(both.a.events[CHANNELER_EVENT_WRITABLE] == 1);
    CHECK(both.a.last[CHANNELER_EVENT_WRITABLE].channel.id == channel.id);
    OK(channeler_channel_send(both.a.node, channel, bytes, sizeof bytes));
    pair_free(&both);
}

static void many_messages_at_once(void) {
    pair both;
    channeler_channel a1, b1, a2, b2;
    channeler_message messages[4];
    channeler_slot slots[5];
    uint8_t buffers[5][16];
    size_t count, i;

    pair_new(&both);
    a1 = pair_open(&both, NULL, &b1);
    a2 = pair_open(&both, NULL, &b2);
    for (i = 0; i < 4; i++) {
        messages[i].channel = i % 2 ? a2 : a1;
        messages[i].data = BYTES("abcd") + i;
        messages[i].length = 1;
    }
    OK(channeler_channel_send_many(both.a.node, messages, 4, &count));
    CHECK(count == 4);
    pair_run(&both);
    memset(slots, 0xff, sizeof slots);
    for (i = 0; i < 5; i++) {
        slots[i].channel = i < 3 ? b1 : b2;
        slots[i].buffer = buffers[i];
        slots[i].capacity = sizeof buffers[i];
    }
    OK(channeler_channel_receive_many(both.b.node, slots, 5, &count));
    CHECK(count == 4);
    CHECK(slots[0].status == 0 && slots[0].length == 1 && buffers[0][0] == 'a');
    CHECK(slots[1].status == 0 && slots[1].remaining == 0 && buffers[1][0] == 'c');
    CHECK(slots[2].status == CHANNELER_ERR_DATA_UNAVAILABLE && slots[2].length == 0);
    CHECK(buffers[3][0] == 'b' && buffers[4][0] == 'd');
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive_many(both.b.node, slots, 5, &count));
    CHECK(count == 0);
    slots[0].channel.id = 1;
    slots[1].buffer = NULL;
    slots[2].capacity = 0;
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive_many(both.b.node, slots, 3, &count));
    CHECK(slots[0].status == CHANNELER_ERR_INVALID_CHANNELID);
    CHECK(slots[1].status == CHANNELER_ERR_INVALID_ARGUMENT);
    CHECK(slots[2].status == CHANNELER_ERR_INVALID_ARGUMENT);
    pair_free(&both);
}

static void send_many_tells_how_far_it_came(void) {
    pair both;
    channeler_channel channel;
    channeler_message messages[3];
    size_t sent = 77;

    pair_new(&both);
    channel = pair_open(&both, NULL, NULL);
    messages[0].channel = messages[1].channel = messages[2].channel = channel;
    messages[0].data = messages[1].data = messages[2].data = BYTES("x");
    messages[0].length = messages[1].length = messages[2].length = 1;
    messages[1].channel.id = 1;
    STATUS(CHANNELER_ERR_INVALID_CHANNELID,
           channeler_channel_send_many(both.a.node, messages, 3, &sent));
    CHECK(sent == 1);
    messages[0].data = NULL;
    INVALID(channeler_channel_send_many(both.a.node, messages, 3, &sent));
    CHECK(sent == 0);
    OK(channeler_channel_send_many(both.a.node, messages, 0, &sent));
    INVALID(channeler_channel_send_many(both.a.node, NULL, 0, &sent));
    INVALID(channeler_channel_send_many(both.a.node, messages, 1, NULL));
    INVALID(channeler_channel_send_many(both.a.node, messages, SIZE_MAX, &sent));
    pair_free(&both);
}

typedef struct lent {
    uint8_t bytes[16];
    int released;
} lent;

static void take_back(void *user_data, const uint8_t *data, size_t length) {
    lent *buffer = (lent *)user_data;
    CHECK(data == buffer->bytes && length == sizeof buffer->bytes);
    buffer->released++;
}

static void a_lent_buffer_comes_back_once(void) {
    pair both;
    channeler_channel at_a, at_b, stale = {1};
    channeler_send_options options;
    lent sent, refused, unsent;
    uint8_t buffer[32];
    size_t length;

    memset(&sent, 's', sizeof sent);
    memset(&unsent, 'u', sizeof unsent);
    sent.released = refused.released = unsent.released = 0;
    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    OK(channeler_channel_send_buffer(both.a.node, at_a, sent.bytes, 16, take_back, &sent));
    CHECK(sent.released == 0); /* callbacks run only where the node runs */
    STATUS(CHANNELER_ERR_INVALID_CHANNELID,
           channeler_channel_send_buffer(both.a.node, stale, refused.bytes, 16, take_back,
                                         &refused));
    INVALID(channeler_channel_send_buffer(both.a.node, at_a, NULL, 16, take_back, &refused));
    INVALID(channeler_channel_send_buffer(both.a.node, at_a, refused.bytes, 0, take_back,
                                          &refused));
    INVALID(channeler_channel_send_buffer(both.a.node, at_a, refused.bytes, 16, NULL, &refused));
    INVALID(channeler_channel_send_buffer(NULL, at_a, refused.bytes, 16, take_back, &refused));
    OK(channeler_send_options_init(&options, sizeof options));
    options.report = 3;
    INVALID(channeler_channel_send_buffer_with(both.a.node, at_a, refused.bytes, 16, &options,
                                               take_back, &refused));
    INVALID(channeler_channel_send_buffer_with(both.a.node, at_a, refused.bytes, 16, NULL, NULL,
                                               &refused));
    pair_run(&both);
    CHECK(sent.released == 1);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, sizeof buffer, &length, NULL));
    CHECK(length == 16 && buffer[0] == 's');
    /* Freed before it could be sent: it comes back all the same. */
    OK(channeler_channel_send_buffer_with(both.a.node, at_a, unsent.bytes, 16, NULL, take_back,
                                          &unsent));
    pair_free(&both);
    CHECK(sent.released == 1 && refused.released == 0 && unsent.released == 1);
    STATUS(CHANNELER_ERR_STATE, channeler_channel_send_buffer(both.a.node, at_a, refused.bytes,
                                                              16, take_back, &refused));
    CHECK(refused.released == 0);
}

static void options_and_info_agree_on_both_sides(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel, at_b;
    channeler_channel_options options;
    channeler_channel_details a, b;

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_options_init(&options, sizeof options));
    options.capabilities = 8;
    INVALID(channeler_channel_open(both.a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "capabilities is 8") != NULL);
    options.capabilities = CHANNELER_UNRELIABLE_ORDERED;
    options.resend_limit = 3;
    INVALID(channeler_channel_open(both.a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "CHANNELER_CAP_RESEND") != NULL);
    options.resend_limit = CHANNELER_RESEND_ALWAYS;
    options.message_lifetime_ns = UINT64_MAX;
    INVALID(channeler_channel_open(both.a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "message_lifetime_ns") != NULL);
    options.message_lifetime_ns = SECOND;
    options.resend_limit = 3;
    options.capabilities = CHANNELER_PARTIALLY_RELIABLE_ORDERED;
    options.struct_size = 1;
    INVALID(channeler_channel_open(both.a.node, connection, &options, &channel));
    options.struct_size = sizeof options;
    INVALID(channeler_channel_open(both.a.node, connection, &options, NULL));
    OK(channeler_channel_open(both.a.node, connection, &options, &channel));
    a.struct_size = b.struct_size = sizeof a;
    OK(channeler_channel_info(both.a.node, channel, &a));
    CHECK(a.established == 0 && a.responder_half == 0xf0f0 && a.connection.id == connection.id);
    pair_run(&both);
    at_b = both.b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    OK(channeler_channel_info(both.a.node, channel, &a));
    OK(channeler_channel_info(both.b.node, at_b, &b));
    CHECK(a.established == 1 && b.established == 1);
    CHECK(a.role == CHANNELER_ROLE_INITIATOR && b.role == CHANNELER_ROLE_RESPONDER);
    CHECK(a.initiator_half == b.initiator_half && a.responder_half == b.responder_half);
    CHECK(a.capabilities == 3 && b.capabilities == 3);
    pair_free(&both);
}

/* Every function that takes a channel. */
static void call_all(channeler_node *node, channeler_channel channel, int32_t expected) {
    channeler_channel_details details;
    channeler_channel_counters counters;
    uint8_t buffer[8] = {0};
    size_t length = 77;
    details.struct_size = sizeof details;
    counters.struct_size = sizeof counters;
    STATUS(expected, channeler_channel_info(node, channel, &details));
    STATUS(expected, channeler_channel_stats(node, channel, &counters));
    STATUS(expected, channeler_channel_send(node, channel, buffer, sizeof buffer));
    STATUS(expected, channeler_channel_receive(node, channel, buffer, 8, &length, NULL));
    STATUS(expected, channeler_channel_send_early(node, channel, buffer, sizeof buffer));
    STATUS(expected, channeler_channel_label(node, channel, buffer, sizeof buffer, &length));
    STATUS(expected, channeler_channel_send_with(node, channel, buffer, sizeof buffer, NULL));
    STATUS(expected, channeler_channel_next_length(node, channel, &length));
    STATUS(expected, channeler_channel_set_limits(node, channel, CHANNELER_RESEND_ALWAYS, 0));
    STATUS(expected, channeler_channel_receive_whole(node, channel, buffer, 8, &length));
    STATUS(expected, channeler_channel_reset(node, channel, 7));
    STATUS(expected, channeler_channel_reset_with(node, channel, 7, "why"));
    STATUS(expected, channeler_channel_close(node, channel));
    CHECK(length == 77);
}

static void stale_foreign_and_invented_ones_are_unknown(void) {
    const uint64_t invented[] = {0, 1, UINT64_MAX, (uint64_t)1 << 48};
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    size_t i;

    pair_new(&both);
    channel = pair_open(&both, &connection, NULL);
    call_all(both.b.node, channel, CHANNELER_ERR_INVALID_CHANNELID);
    OK(channeler_channel_close(both.a.node, channel));
    pair_run(&both);
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_CLOSED);
    call_all(both.a.node, channel, CHANNELER_ERR_INVALID_CHANNELID);
    /* Its place is used again, by one with another handle. */
    CHECK(pair_open(&both, NULL, NULL).id != channel.id);
    call_all(both.a.node, channel, CHANNELER_ERR_INVALID_CHANNELID);
    channel.id = connection.id;
    call_all(both.a.node, channel, CHANNELER_ERR_INVALID_CHANNELID);
    for (i = 0; i < sizeof invented / sizeof *invented; i++) {
        channel.id = invented[i];
        call_all(both.a.node, channel, CHANNELER_ERR_INVALID_CHANNELID);
    }
    pair_free(&both);
}

static void null_pointers_are_refused(void) {
    pair both;
    channeler_channel channel;
    channeler_slot slot;
    uint8_t buffer[8];
    size_t length;

    pair_new(&both);
    channel = pair_open(&both, NULL, NULL);
    memset(&slot, 0, sizeof slot);
    INVALID(channeler_channel_send(both.a.node, channel, NULL, 1));
    INVALID(channeler_channel_send(both.a.node, channel, buffer, SIZE_MAX));
    INVALID(channeler_channel_send_early(both.a.node, channel, NULL, 1));
    INVALID(channeler_channel_label(both.a.node, channel, NULL, 8, &length));
    INVALID(channeler_channel_label(both.a.node, channel, buffer, 8, NULL));
    INVALID(channeler_channel_receive(both.a.node, channel, NULL, 1, &length, NULL));
    INVALID(channeler_channel_receive(both.a.node, channel, buffer, 0, &length, NULL));
    INVALID(channeler_channel_receive(both.a.node, channel, buffer, 8, NULL, NULL));
    INVALID(channeler_channel_receive_whole(both.a.node, channel, NULL, 1, &length));
    INVALID(channeler_channel_receive_whole(both.a.node, channel, buffer, 0, &length));
    INVALID(channeler_channel_receive_whole(both.a.node, channel, buffer, 8, NULL));
    INVALID(channeler_channel_next_length(both.a.node, channel, NULL));
    INVALID(channeler_channel_next_length(NULL, channel, &length));
    INVALID(channeler_channel_set_limits(NULL, channel, CHANNELER_RESEND_ALWAYS, 0));
    INVALID(channeler_channel_set_limits(both.a.node, channel, CHANNELER_RESEND_ALWAYS,
                                         UINT64_MAX));
    INVALID(channeler_channel_reset_with(NULL, channel, 1, "why"));
    STATUS(CHANNELER_ERR_DECODE, channeler_channel_reset_with(both.a.node, channel, 1, "\xff"));
    INVALID(channeler_channel_receive_many(both.a.node, NULL, 1, &length));
    INVALID(channeler_channel_receive_many(both.a.node, &slot, 1, NULL));
    INVALID(channeler_channel_info(both.a.node, channel, NULL));
    INVALID(channeler_channel_stats(both.a.node, channel, NULL));
    pair_free(&both);
}

static void counters_count(void) {
    pair both;
    channeler_channel at_a, at_b;
    channeler_channel_counters counters;

    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    OK(channeler_channel_send(both.a.node, at_a, BYTES("12345"), 5));
    counters.struct_size = sizeof counters;
    OK(channeler_channel_stats(both.a.node, at_a, &counters));
    CHECK(counters.messages_sent == 1 && counters.bytes_sent == 5);
    CHECK(counters.send_queue_bytes >= 5 && counters.send_queue_messages == 1);
    pair_run(&both);
    OK(channeler_channel_stats(both.b.node, at_b, &counters));
    CHECK(counters.messages_received == 1 && counters.bytes_received == 5);
    CHECK(counters.receive_queue_bytes == 5 && counters.messages_dropped == 0);
    CHECK(counters.receive_queue_messages == 1);
    pair_free(&both);
}

int main(void) {
    a_short_read_keeps_the_rest();
    a_whole_read_tells_the_size_and_keeps_what_does_not_fit();
    options_of_messages_are_checked();
    a_message_sent_before_the_channel_opens_arrives();
    size_limits_are_told_and_kept();
    a_full_queue_says_so_and_tells_of_room();
    many_messages_at_once();
    send_many_tells_how_far_it_came();
    a_lent_buffer_comes_back_once();
    options_and_info_agree_on_both_sides();
    stale_foreign_and_invented_ones_are_unknown();
    null_pointers_are_refused();
    counters_count();
    return 0;
}
