/* Sans-IO: two nodes in one program, datagrams carried by hand, time given by hand. */
#include "pair.h"

static void both_ways_on_one_channel(void) {
    pair both;
    channeler_channel at_a, at_b;
    uint8_t buffer[64];
    size_t length, remaining;

    pair_new(&both);
    at_a = pair_open(&both, NULL, &at_b);
    CHECK(both.a.events[CHANNELER_EVENT_CONNECTED] == 1);
    CHECK(both.b.events[CHANNELER_EVENT_CONNECTED] == 1);

    OK(channeler_channel_send(both.a.node, at_a, BYTES("question"), 8));
    pair_run(&both);
    CHECK(both.b.events[CHANNELER_EVENT_READABLE] == 1);
    CHECK(both.b.last[CHANNELER_EVENT_READABLE].channel.id == at_b.id);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, sizeof buffer, &length, &remaining));
    CHECK(length == 8 && remaining == 0 && memcmp(buffer, "question", 8) == 0);

    OK(channeler_channel_send(both.b.node, at_b, BYTES("answer"), 6));
    pair_run(&both);
    OK(channeler_channel_receive(both.a.node, at_a, buffer, sizeof buffer, &length, &remaining));
    CHECK(length == 6 && memcmp(buffer, "answer", 6) == 0);
    CHECK(both.a.log_lines > 0 && both.b.log_lines > 0);
    pair_free(&both);
}

static void a_small_transmit_buffer_loses_nothing(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    channeler_transmit transmit;
    uint8_t buffer[2048];
    size_t needed;

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_node_poll_transmit(both.a.node, both.now, buffer, 1, &transmit));
    needed = transmit.length;
    CHECK(needed > 1 && needed <= sizeof buffer);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_node_poll_transmit(both.a.node, both.now, buffer, needed - 1, &transmit));
    OK(channeler_node_poll_transmit(both.a.node, both.now, buffer, needed, &transmit));
    CHECK(transmit.length == needed && same_address(&transmit.to, &both.b.address));
    OK(channeler_node_handle_datagram(both.b.node, both.now, &both.a.address, NULL, buffer,
                                      needed));
    pair_run(&both);
    CHECK(both.a.events[CHANNELER_EVENT_CHANNEL_OPENED] == 1);
    pair_free(&both);
}

static void an_answer_leaves_from_the_address_that_was_asked(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    channeler_transmit transmit;
    uint8_t buffer[2048];

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    CHECK(carry(&both.a, &both.b, both.now) == 1);
    OK(channeler_node_poll_transmit(both.b.node, both.now, buffer, sizeof buffer, &transmit));
    CHECK(transmit.from.family == CHANNELER_FAMILY_IPV4);
    CHECK(memcmp(transmit.from.ip, both.b.address.ip, 16) == 0);
    CHECK(same_address(&transmit.to, &both.a.address));
    pair_free(&both);
}

static void nobody_answers_and_that_is_told(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    channeler_transmit transmit;
    uint8_t buffer[2048];
    int sent = 0;

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    while (both.a.events[CHANNELER_EVENT_CHANNEL_CLOSED] == 0) {
        uint64_t deadline;
        while (channeler_node_poll_transmit(both.a.node, both.now, buffer, sizeof buffer,
                                            &transmit) == CHANNELER_OK)
            sent++;
        OK(channeler_node_poll_timeout(both.a.node, &deadline));
        CHECK(deadline != CHANNELER_NO_DEADLINE && deadline >= both.now);
        CHECK(deadline < 120 * SECOND);
        both.now = deadline;
        OK(channeler_node_handle_timeout(both.a.node, both.now));
    }
    CHECK(sent == 6); /* once, and handshake_retries more */
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_TIMEOUT);
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].channel.id == channel.id);
    pair_free(&both);
}

static void silence_ends_channel_and_connection(void) {
    pair both;
    channeler_channel at_a;

    pair_new(&both);
    at_a = pair_open(&both, NULL, NULL);
    pair_wait(&both, 200 * SECOND);
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_IDLE);
    CHECK(both.a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_IDLE);
    CHECK(both.b.events[CHANNELER_EVENT_CONNECTION_CLOSED] == 1);
    STATUS(CHANNELER_ERR_INVALID_CHANNELID,
           channeler_channel_send(both.a.node, at_a, BYTES("x"), 1));
    pair_free(&both);
}

static void time_that_runs_backwards_does_no_harm(void) {
    pair both;
    pair_new(&both);
    pair_open(&both, NULL, NULL);
    OK(channeler_node_handle_timeout(both.a.node, 0));
    both.now = 0;
    pair_open(&both, NULL, NULL);
    pair_free(&both);
}

static void what_is_not_for_us_is_dropped_and_counted(void) {
    pair both;
    uint8_t junk[64];
    channeler_node_counters counters;

    pair_new(&both);
    memset(junk, 0x01, sizeof junk);
    OK(channeler_node_handle_datagram(both.a.node, 1, &both.b.address, NULL, junk, 0));
    OK(channeler_node_handle_datagram(both.a.node, 1, &both.b.address, NULL, junk, sizeof junk));
    CHECK(both.a.datagrams == 1); /* of no protocol of ours: `on_datagram` */
    counters.struct_size = sizeof counters;
    OK(channeler_node_stats(both.a.node, &counters));
    CHECK(counters.datagrams_received >= 1);
    pair_free(&both);
}

static void an_unreachable_address_is_an_event(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    channeler_transmit transmit;
    uint8_t buffer[2048];

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    OK(channeler_node_poll_transmit(both.a.node, both.now, buffer, sizeof buffer, &transmit));
    CHECK(transmit.connection.id == connection.id);
    INVALID(channeler_node_handle_send_error(both.a.node, both.now, &transmit, 0));
    INVALID(channeler_node_handle_send_error(both.a.node, both.now, NULL,
                                             CHANNELER_SEND_UNREACHABLE));
    OK(channeler_node_handle_send_error(both.a.node, both.now, &transmit,
                                        CHANNELER_SEND_UNREACHABLE));
    OK(channeler_node_process(both.a.node, 0));
    CHECK(both.a.events[CHANNELER_EVENT_PATH_UNREACHABLE] == 1);
    CHECK(same_address(&both.a.last[CHANNELER_EVENT_PATH_UNREACHABLE].address,
                       &both.b.address));
    pair_free(&both);
}

static void null_and_nonsense_are_refused(void) {
    pair both;
    uint8_t buffer[64];
    channeler_transmit transmit;
    channeler_address nowhere;
    uint64_t deadline;

    pair_new(&both);
    memset(&nowhere, 0, sizeof nowhere);
    memset(buffer, 0, sizeof buffer);
    INVALID(channeler_node_handle_datagram(NULL, 1, &nowhere, NULL, buffer, 1));
    INVALID(channeler_node_handle_datagram(both.a.node, 1, NULL, NULL, buffer, 1));
    INVALID(channeler_node_handle_datagram(both.a.node, 1, &both.b.address, NULL, NULL, 1));
    INVALID(channeler_node_handle_datagram(both.a.node, 1, &both.b.address, NULL, buffer,
                                           SIZE_MAX));
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_node_handle_datagram(both.a.node, 1, &nowhere, NULL, buffer, 1));
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_node_handle_datagram(both.a.node, 1, &both.b.address, &nowhere, buffer, 1));
    INVALID(channeler_node_handle_timeout(NULL, 1));
    INVALID(channeler_node_poll_transmit(NULL, 1, buffer, sizeof buffer, &transmit));
    INVALID(channeler_node_poll_transmit(both.a.node, 1, NULL, sizeof buffer, &transmit));
    INVALID(channeler_node_poll_transmit(both.a.node, 1, buffer, sizeof buffer, NULL));
    INVALID(channeler_node_poll_timeout(NULL, &deadline));
    INVALID(channeler_node_poll_timeout(both.a.node, NULL));
    INVALID(channeler_node_handle_send_error(NULL, 1, &transmit, CHANNELER_SEND_TOO_LARGE));
    pair_free(&both);
}

static void sockets_are_not_for_this_mode(void) {
    pair both;
    int64_t timeout;
    int fd;

    pair_new(&both);
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_bind(both.a.node, &both.a.address));
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_node_local_address(both.a.node, 0, &both.a.address));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_start(both.a.node));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_stop(both.a.node));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_flush(both.a.node));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_fd(both.a.node, &fd));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_timeout(both.a.node, &timeout));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_wake(both.a.node));
    CHECK(strstr(channeler_last_error(), "CHANNELER_MODE_SANS_IO") != NULL);
    pair_free(&both);
}

int main(void) {
    both_ways_on_one_channel();
    a_small_transmit_buffer_loses_nothing();
    an_answer_leaves_from_the_address_that_was_asked();
    nobody_answers_and_that_is_told();
    silence_ends_channel_and_connection();
    time_that_runs_backwards_does_no_harm();
    what_is_not_for_us_is_dropped_and_counted();
    an_unreachable_address_is_an_event();
    null_and_nonsense_are_refused();
    sockets_are_not_for_this_mode();
    return 0;
}
