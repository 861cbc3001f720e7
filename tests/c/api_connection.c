/* Connections: connecting, info, closing, and handles that are stale or of another node. */
#include "pair.h"

static channeler_connection_details details_of(channeler_node *node, channeler_connection of) {
    channeler_connection_details details;
    details.struct_size = sizeof details;
    OK(channeler_connection_info(node, of, &details));
    return details;
}

static void info_tells_peer_and_address(void) {
    pair both;
    channeler_connection connection;
    channeler_connection_details details;

    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    details = details_of(both.a.node, connection);
    CHECK(same_peer(&details.peer, &both.b.peer));
    CHECK(same_address(&details.address, &both.b.address));
    CHECK(details.connected == 0 && details.message_bytes_max > 1000);
    pair_open(&both, &connection, NULL);
    CHECK(details_of(both.a.node, connection).connected == 1);
    pair_free(&both);
}

static void connecting_again_finds_the_same(void) {
    pair both;
    channeler_connection one, other;
    pair_new(&both);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &one));
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &other));
    CHECK(one.id != 0 && one.id == other.id);
    pair_free(&both);
}

static void what_cannot_be_connected_is_refused(void) {
    pair both;
    channeler_connection out = {7};
    channeler_address nowhere = address_of("192.0.2.1:0");

    pair_new(&both);
    INVALID(channeler_node_connect(both.a.node, NULL, &both.b.address, &out));
    INVALID(channeler_node_connect(both.a.node, &both.b.peer, NULL, &out));
    INVALID(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, NULL));
    INVALID(channeler_node_connect(both.a.node, &both.a.peer, &both.b.address, &out));
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_node_connect(both.a.node, &both.b.peer, &nowhere, &out));
    nowhere.family = 0;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_node_connect(both.a.node, &both.b.peer, &nowhere, &out));
    CHECK(out.id == 7);
    pair_free(&both);
}

/* Every function that takes a connection. */
static void call_all(channeler_node *node, channeler_connection connection, int32_t expected) {
    channeler_connection_details details;
    channeler_connection_counters counters;
    channeler_channel channel = {7};
    details.struct_size = sizeof details;
    counters.struct_size = sizeof counters;
    STATUS(expected, channeler_connection_info(node, connection, &details));
    STATUS(expected, channeler_connection_stats(node, connection, &counters));
    STATUS(expected, channeler_channel_open(node, connection, NULL, &channel));
    STATUS(expected, channeler_connection_update_keys(node, connection));
    STATUS(expected, channeler_connection_close_with(node, connection, 7, "why"));
    STATUS(expected, channeler_connection_close(node, connection));
    CHECK(channel.id == 7);
}

static void closed_ones_are_stale_for_all(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;

    pair_new(&both);
    channel = pair_open(&both, &connection, NULL);
    OK(channeler_connection_close(both.a.node, connection));
    pair_run(&both);
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].channel.id == channel.id);
    CHECK(both.a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_CLOSED);
    CHECK(both.a.last[CHANNELER_EVENT_CONNECTION_CLOSED].connection.id == connection.id);
    CHECK(both.a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_CLOSED);
    call_all(both.a.node, connection, CHANNELER_ERR_INVALID_REFERENCE);
    STATUS(CHANNELER_ERR_INVALID_CHANNELID, channeler_channel_close(both.a.node, channel));
    pair_free(&both);
}

static void closing_sends_what_is_queued(void) {
    pair both;
    channeler_connection connection;
    channeler_channel at_a, at_b;
    uint8_t buffer[8];
    size_t length;

    pair_new(&both);
    at_a = pair_open(&both, &connection, &at_b);
    OK(channeler_channel_send(both.a.node, at_a, BYTES("last"), 4));
    OK(channeler_connection_close(both.a.node, connection));
    pair_run(&both);
    OK(channeler_channel_receive(both.b.node, at_b, buffer, sizeof buffer, &length, NULL));
    CHECK(length == 4 && memcmp(buffer, "last", 4) == 0);
    pair_free(&both);
}

static void those_of_another_node_and_invented_ones_are_unknown(void) {
    const uint64_t invented[] = {0, 1, UINT64_MAX, (uint64_t)1 << 48, 0x0001000001ffffffu};
    pair both;
    channeler_connection connection;
    size_t i;

    pair_new(&both);
    pair_open(&both, &connection, NULL);
    call_all(both.b.node, connection, CHANNELER_ERR_INVALID_REFERENCE);
    for (i = 0; i < sizeof invented / sizeof *invented; i++) {
        connection.id = invented[i];
        call_all(both.a.node, connection, CHANNELER_ERR_INVALID_REFERENCE);
    }
    INVALID(channeler_connection_info(both.a.node, connection, NULL));
    INVALID(channeler_connection_stats(both.a.node, connection, NULL));
    pair_free(&both);
}

static void counters_count(void) {
    pair both;
    channeler_connection connection;
    channeler_connection_counters counters;

    pair_new(&both);
    pair_open(&both, &connection, NULL);
    counters.struct_size = sizeof counters;
    OK(channeler_connection_stats(both.a.node, connection, &counters));
    CHECK(counters.datagrams_sent >= 2 && counters.datagrams_received >= 1);
    CHECK(counters.bytes_sent >= 104 && counters.bytes_received >= 52);
    CHECK(counters.channels == 1);
    pair_free(&both);
}

int main(void) {
    info_tells_peer_and_address();
    connecting_again_finds_the_same();
    what_cannot_be_connected_is_refused();
    closed_ones_are_stale_for_all();
    closing_sends_what_is_queued();
    those_of_another_node_and_invented_ones_are_unknown();
    counters_count();
    return 0;
}
