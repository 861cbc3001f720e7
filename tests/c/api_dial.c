/* Who is let in, in version 1: by the id asked for, by the accept callback; version 0 beside. */
#include "live.h"

static int same_key(const channeler_public_key *one, const channeler_public_key *other) {
    return memcmp(one, other, sizeof *one) == 0;
}

static channeler_dial_options dial_to(const live *other) {
    channeler_dial_options options;
    OK(channeler_dial_options_init(&options, sizeof options));
    options.peer = other->peer;
    options.address = other->address;
    return options;
}

static uint64_t dropped(live *self, size_t reason) {
    channeler_node_counters counters;
    counters.struct_size = sizeof counters;
    OK(channeler_node_stats(self->node, &counters));
    return counters.dropped[reason];
}

/* Both sides see the key of the other. */
static void both_sides_know_each_other(void) {
    live a, b;
    channeler_connection at_a, at_b;
    channeler_connection_details details;
    channeler_connection_counters counters;

    live_start(&a);
    live_start(&b);
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &at_a));
    details = live_details(&a, at_a);
    CHECK(details.connected == 0 && details.encrypted == 0 && details.public_key.bytes[0] == 0);
    CHECK(details.protocol == CHANNELER_PROTOCOL_V1 && same_peer(&details.peer, &b.peer));
    STATUS(CHANNELER_ERR_STATE, channeler_connection_update_keys(a.node, at_a));
    CHECK(strstr(channeler_last_error(), "CHANNELER_EVENT_CONNECTED") != NULL);
    UNTIL(a.events[CHANNELER_EVENT_CONNECTED] && b.events[CHANNELER_EVENT_CONNECTED]);
    CHECK(same_peer(&a.last[CHANNELER_EVENT_CONNECTED].peer, &b.peer));
    CHECK(same_peer(&b.last[CHANNELER_EVENT_CONNECTED].peer, &a.peer));
    at_b = b.last[CHANNELER_EVENT_CONNECTED].connection;
    details = live_details(&a, at_a);
    CHECK(details.connected == 1 && details.encrypted == 1);
    CHECK(same_key(&details.public_key, &b.key) && same_address(&details.address, &b.address));
    details = live_details(&b, at_b);
    CHECK(details.connected == 1 && details.encrypted == 1);
    CHECK(same_key(&details.public_key, &a.key) && same_address(&details.address, &a.address));
    counters.struct_size = sizeof counters;
    OK(channeler_connection_stats(a.node, at_a, &counters));
    CHECK(counters.rtt_ns > 0 && counters.rtt_ns < PATIENCE);
    CHECK(counters.congestion_window_bytes > 1000 && counters.bytes_lost == 0);
    /* Connecting again, from either side, finds the same. */
    CHECK(live_details(&a, at_a).connected == 1);
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &at_b));
    CHECK(at_a.id == at_b.id);
    live_end();
}

/* Somebody else is at the address. */
static void another_key_than_asked_for_is_not_taken(void) {
    live a, b;
    channeler_connection connection;
    channeler_peer_id other = peer_of(7);

    live_start(&a);
    live_start(&b);
    OK(channeler_node_connect(a.node, &other, &b.address, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    CHECK(a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_IDENTITY);
    CHECK(a.last[CHANNELER_EVENT_CONNECTION_CLOSED].connection.id == connection.id);
    CHECK(a.events[CHANNELER_EVENT_CONNECTED] == 0);
    live_end();
}

/* Makes `b` with an accept callback that gives this answer. */
static void start_asking(live *self, int32_t answer) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    memset(self, 0, sizeof *self);
    self->answer = answer;
    callbacks = live_callbacks(self);
    callbacks.on_accept = live_accept;
    live_new(self, &options, &callbacks);
}

static void the_accept_callback_sees_the_key_and_refuses(void) {
    live a, b;
    channeler_connection connection;
    channeler_channel channel;

    live_start(&a);
    start_asking(&b, 0);
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &connection));
    OK(channeler_channel_open(a.node, connection, NULL, &channel));
    live_say(&a, channel, "hello");
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    CHECK(a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_REFUSED);
    CHECK(b.asked == 1 && same_peer(&b.asked_peer, &a.peer));
    CHECK(same_key(&b.asked_details.public_key, &a.key));
    CHECK(b.asked_details.protocol == CHANNELER_PROTOCOL_V1);
    CHECK(b.messages == 0 && b.events[CHANNELER_EVENT_CONNECTED] == 0);
    live_end();
}

static void the_accept_callback_lets_in(void) {
    live a, b;

    live_start(&a);
    start_asking(&b, 1);
    live_connect(&a, &b);
    CHECK(b.asked == 1 && same_key(&b.asked_details.public_key, &a.key));
    live_end();
}

/* Who dials nobody in particular decides when it sees who answered. */
static void a_dial_without_an_id_asks_the_accept_callback(void) {
    live a, b;
    channeler_connection connection;

    start_asking(&a, 0);
    live_start(&b);
    OK(channeler_node_connect(a.node, NULL, &b.address, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    CHECK(a.asked == 1 && same_peer(&a.asked_peer, &b.peer));
    CHECK(same_key(&a.asked_details.public_key, &b.key));
    CHECK(a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_REFUSED);
    CHECK(a.events[CHANNELER_EVENT_CONNECTED] == 0);
    a.answer = 1;
    OK(channeler_node_connect(a.node, NULL, &b.address, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTED]);
    CHECK(a.asked == 2 && same_peer(&a.last[CHANNELER_EVENT_CONNECTED].peer, &b.peer));
    /* Named, it need not be asked. */
    OK(channeler_connection_close(a.node, connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED] == 2);
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTED] == 2);
    CHECK(a.asked == 2);
    live_end();
}

/* A node with this `legacy`. */
static void start_legacy(live *self, uint32_t legacy) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    memset(self, 0, sizeof *self);
    options.legacy = legacy;
    callbacks = live_callbacks(self);
    live_new(self, &options, &callbacks);
}

static void version_0_does_not_reach_a_node_with_legacy_off(void) {
    live old, b;
    channeler_connection connection;
    channeler_channel channel;

    start_legacy(&old, CHANNELER_LEGACY_ONLY);
    live_start(&b);
    OK(channeler_node_connect(old.node, &b.peer, &b.address, &connection));
    CHECK(live_details(&old, connection).protocol == CHANNELER_PROTOCOL_V0);
    OK(channeler_channel_open(old.node, connection, NULL, &channel));
    UNTIL(dropped(&b, CHANNELER_DROP_LEGACY_OFF) >= 2);
    CHECK(old.events[CHANNELER_EVENT_CONNECTED] == 0 && b.events[CHANNELER_EVENT_CONNECTED] == 0);
    live_end();
}

static void legacy_accept_serves_both(void) {
    live old, a, b;
    channeler_connection from_old, from_a;
    channeler_channel channel;
    channeler_connection_details details;

    start_legacy(&old, CHANNELER_LEGACY_ONLY);
    live_start(&a);
    start_legacy(&b, CHANNELER_LEGACY_ACCEPT);
    OK(channeler_node_connect(old.node, &b.peer, &b.address, &from_old));
    OK(channeler_channel_open(old.node, from_old, NULL, &channel));
    live_say(&old, channel, "in the open");
    UNTIL(b.messages == 1);
    CHECK(strcmp(b.message, "in the open") == 0);
    details = live_details(&b, b.last[CHANNELER_EVENT_CONNECTED].connection);
    CHECK(details.protocol == CHANNELER_PROTOCOL_V0 && details.encrypted == 0);
    CHECK(details.public_key.bytes[0] == 0);
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_connection_update_keys(old.node, from_old));
    CHECK(strstr(channeler_last_error(), "version 0") != NULL);

    from_a = live_connect(&a, &b);
    OK(channeler_channel_open(a.node, from_a, NULL, &channel));
    live_say(&a, channel, "sealed");
    UNTIL(b.messages == 2);
    CHECK(strcmp(b.message, "sealed") == 0);
    details = live_details(&b, b.last[CHANNELER_EVENT_CONNECTED].connection);
    CHECK(details.protocol == CHANNELER_PROTOCOL_V1 && details.encrypted == 1);
    live_end();
}

/* Each version by name, from a node that speaks both. */
static void the_dialling_program_names_the_version(void) {
    live old, a, b;
    channeler_dial_options options;
    channeler_connection connection;
    channeler_channel channel;

    start_legacy(&old, CHANNELER_LEGACY_ONLY);
    live_start(&a);
    start_legacy(&b, CHANNELER_LEGACY_ACCEPT);
    options = dial_to(&old);
    CHECK(options.protocol == CHANNELER_PROTOCOL_V1);
    options.protocol = CHANNELER_PROTOCOL_V0;
    OK(channeler_node_dial(b.node, &options, &connection));
    OK(channeler_channel_open(b.node, connection, NULL, &channel));
    UNTIL(old.events[CHANNELER_EVENT_CONNECTED]);
    options = dial_to(&a);
    OK(channeler_node_dial(b.node, &options, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTED]);
    CHECK(live_details(&b, connection).protocol == CHANNELER_PROTOCOL_V1);
    live_end();
}

/* No version is tried in place of another. */
static void a_version_that_the_node_does_not_speak_is_refused(void) {
    live old, a;
    channeler_dial_options options;
    channeler_connection connection = {7};

    start_legacy(&old, CHANNELER_LEGACY_ONLY);
    live_start(&a);
    options = dial_to(&a);
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_dial(old.node, &options, &connection));
    CHECK(strstr(channeler_last_error(), "legacy") != NULL);
    options = dial_to(&old);
    options.protocol = CHANNELER_PROTOCOL_V0;
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_dial(a.node, &options, &connection));
    INVALID(channeler_node_connect(old.node, NULL, &a.address, &connection));
    CHECK(strstr(channeler_last_error(), "peer id") != NULL && connection.id == 7);
    live_end();
}

static void wrong_dials_are_refused(void) {
    live a;
    channeler_dial_options options, good;
    channeler_connection connection = {7};

    live_start(&a);
    good = dial_to(&a);
    good.peer = peer_of(7);
    INVALID(channeler_node_dial(a.node, NULL, &connection));
    INVALID(channeler_node_dial(a.node, &good, NULL));
    options = good;
    options.peer = a.peer;
    INVALID(channeler_node_dial(a.node, &options, &connection));
    CHECK(strstr(channeler_last_error(), "own peer id") != NULL);
    options = good;
    options.protocol = 2;
    INVALID(channeler_node_dial(a.node, &options, &connection));
    CHECK(strstr(channeler_last_error(), "protocol is 2") != NULL);
    options = good;
    options.reserved = 1;
    INVALID(channeler_node_dial(a.node, &options, &connection));
    options = good;
    options.struct_size = 8;
    INVALID(channeler_node_dial(a.node, &options, &connection));
    options = good;
    memset(&options.address, 0, sizeof options.address);
    STATUS(CHANNELER_ERR_INVALID_ADDRESS, channeler_node_dial(a.node, &options, &connection));
    options = good;
    options.address.port = 0;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS, channeler_node_dial(a.node, &options, &connection));
    OK(channeler_node_ban_peer(a.node, &good.peer, SECOND));
    STATUS(CHANNELER_ERR_BANNED, channeler_node_dial(a.node, &good, &connection));
    CHECK(strstr(channeler_last_error(), "lift") != NULL && connection.id == 7);
    live_end();
}

/* Nobody is there: said within the time that the program allows. */
static void a_dial_into_the_void_ends(void) {
    live a, b;
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    channeler_connection connection;

    memset(&a, 0, sizeof a);
    options.dial_timeout_ns = options.attempt_timeout_ns = SECOND / 2;
    callbacks = live_callbacks(&a);
    live_new(&a, &options, &callbacks);
    start_legacy(&b, CHANNELER_LEGACY_ONLY);
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    CHECK(a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_TIMEOUT);
    live_end();
}

int main(void) {
    both_sides_know_each_other();
    another_key_than_asked_for_is_not_taken();
    the_accept_callback_sees_the_key_and_refuses();
    the_accept_callback_lets_in();
    a_dial_without_an_id_asks_the_accept_callback();
    version_0_does_not_reach_a_node_with_legacy_off();
    legacy_accept_serves_both();
    the_dialling_program_names_the_version();
    a_version_that_the_node_does_not_speak_is_refused();
    wrong_dials_are_refused();
    a_dial_into_the_void_ends();
    return 0;
}
