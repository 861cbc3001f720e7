/* Nodes: freed ones, null ones, the wrong kind, sockets, bans, and who drops what when. */
#include "pair.h"

/* Every function that takes a node, with good arguments otherwise. */
static void call_all(channeler_node *node, int32_t expected) {
    channeler_peer_id peer = peer_of(9);
    channeler_address address = address_of("127.0.0.1:9");
    channeler_connection connection = {1};
    channeler_dial_options dial_options;
    channeler_public_key key;
    char text[CHANNELER_IDENTITY_PEM_MAX];
    channeler_channel channel = {1};
    channeler_message message;
    channeler_slot slot;
    channeler_node_counters node_counters;
    channeler_connection_counters connection_counters;
    channeler_channel_counters channel_counters;
    channeler_connection_details connection_details;
    channeler_channel_details channel_details;
    channeler_transmit transmit;
    uint8_t buffer[8] = {0};
    size_t count = 77;
    int64_t timeout = 77;
    uint64_t deadline = 77;
    int32_t lifted = 77;
    int fd = 77;

    message.channel = channel;
    message.data = buffer;
    message.length = sizeof buffer;
    memset(&slot, 0, sizeof slot);
    slot.buffer = buffer;
    slot.capacity = sizeof buffer;
    memset(&transmit, 0, sizeof transmit);
    transmit.to = address;
    OK(channeler_dial_options_init(&dial_options, sizeof dial_options));
    dial_options.peer = peer;
    dial_options.address = address;
    node_counters.struct_size = sizeof node_counters;
    connection_counters.struct_size = sizeof connection_counters;
    channel_counters.struct_size = sizeof channel_counters;
    connection_details.struct_size = sizeof connection_details;
    channel_details.struct_size = sizeof channel_details;

    STATUS(expected, channeler_node_bind(node, &address));
    STATUS(expected, channeler_node_local_address(node, 0, &address));
    STATUS(expected, channeler_node_peer_id(node, &peer));
    STATUS(expected, channeler_node_start(node));
    STATUS(expected, channeler_node_stop(node));
    STATUS(expected, channeler_node_process(node, 0));
    STATUS(expected, channeler_node_flush(node));
    STATUS(expected, channeler_node_fd(node, &fd));
    STATUS(expected, channeler_node_timeout(node, &timeout));
    STATUS(expected, channeler_node_wake(node));
    STATUS(expected, channeler_node_ban_peer(node, &peer, 1));
    STATUS(expected, channeler_node_ban_address(node, &address, 1));
    STATUS(expected, channeler_node_lift_ban_peer(node, &peer, &lifted));
    STATUS(expected, channeler_node_lift_ban_address(node, &address, &lifted));
    STATUS(expected, channeler_node_stats(node, &node_counters));
    STATUS(expected, channeler_node_connect(node, &peer, &address, &connection));
    STATUS(expected, channeler_node_dial(node, &dial_options, &connection));
    STATUS(expected, channeler_node_public_key(node, &key));
    STATUS(expected, channeler_node_identity(node, text, sizeof text));
    STATUS(expected, channeler_connection_update_keys(node, connection));
    STATUS(expected, channeler_connection_close_with(node, connection, 1, NULL));
    STATUS(expected, channeler_connection_close(node, connection));
    STATUS(expected, channeler_connection_info(node, connection, &connection_details));
    STATUS(expected, channeler_connection_stats(node, connection, &connection_counters));
    STATUS(expected, channeler_channel_open(node, connection, NULL, &channel));
    STATUS(expected, channeler_channel_close(node, channel));
    STATUS(expected, channeler_channel_info(node, channel, &channel_details));
    STATUS(expected, channeler_channel_stats(node, channel, &channel_counters));
    STATUS(expected, channeler_channel_label(node, channel, buffer, sizeof buffer, &count));
    STATUS(expected, channeler_channel_reset(node, channel, 7));
    STATUS(expected, channeler_channel_send(node, channel, buffer, sizeof buffer));
    STATUS(expected, channeler_channel_send_early(node, channel, buffer, sizeof buffer));
    STATUS(expected, channeler_channel_send_many(node, &message, 1, &count));
    STATUS(expected, channeler_channel_receive(node, channel, buffer, 8, &count, &count));
    STATUS(expected, channeler_channel_receive_many(node, &slot, 1, &count));
    STATUS(expected,
           channeler_node_handle_datagram(node, 1, &address, NULL, buffer, sizeof buffer));
    STATUS(expected, channeler_node_handle_timeout(node, 1));
    STATUS(expected, channeler_node_poll_transmit(node, 1, buffer, 8, &transmit));
    STATUS(expected, channeler_node_poll_timeout(node, &deadline));
    STATUS(expected, channeler_node_handle_send_error(node, 1, &transmit, 1));
    /* Results are written on success only. */
    CHECK(count == 77 && timeout == 77 && deadline == 77 && lifted == 77 && fd == 77);
}

static void null_is_an_error_for_all_and_good_for_free(void) {
    OK(channeler_node_free(NULL));
    call_all(NULL, CHANNELER_ERR_INVALID_ARGUMENT);
}

static void a_freed_node_is_an_error_for_all(void) {
    channeler_node *node;
    channeler_options options;
    OK(channeler_node_new(NULL, NULL, &node));
    OK(channeler_node_free(node));
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(node));
    CHECK(strstr(channeler_last_error(), "freed") != NULL);
    call_all(node, CHANNELER_ERR_STATE);

    OK(channeler_options_init(&options, sizeof options));
    options.mode = CHANNELER_MODE_SANS_IO;
    OK(channeler_node_new(&options, NULL, &node));
    OK(channeler_node_free(node));
    call_all(node, CHANNELER_ERR_STATE);
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(node));
}

static void null_results_and_arguments_are_refused(void) {
    channeler_node *node;
    OK(channeler_node_new(NULL, NULL, &node));
    INVALID(channeler_node_bind(node, NULL));
    INVALID(channeler_node_local_address(node, 0, NULL));
    INVALID(channeler_node_peer_id(node, NULL));
    INVALID(channeler_node_public_key(node, NULL));
    INVALID(channeler_node_identity(node, NULL, 256));
    INVALID(channeler_node_fd(node, NULL));
    INVALID(channeler_node_timeout(node, NULL));
    INVALID(channeler_node_ban_peer(node, NULL, 1));
    INVALID(channeler_node_ban_address(node, NULL, 1));
    INVALID(channeler_node_lift_ban_peer(node, NULL, NULL));
    INVALID(channeler_node_lift_ban_address(node, NULL, NULL));
    INVALID(channeler_node_stats(node, NULL));
    OK(channeler_node_free(node));
}

static void feeding_datagrams_is_not_for_sockets(void) {
    channeler_node *node;
    channeler_address address = address_of("127.0.0.1:9");
    channeler_transmit transmit;
    uint8_t byte = 0;
    uint64_t deadline;

    memset(&transmit, 0, sizeof transmit);
    transmit.to = address;
    OK(channeler_node_new(NULL, NULL, &node));
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_node_handle_datagram(node, 1, &address, NULL, &byte, 1));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_handle_timeout(node, 1));
    STATUS(CHANNELER_ERR_UNSUPPORTED,
           channeler_node_poll_transmit(node, 1, &byte, 1, &transmit));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_poll_timeout(node, &deadline));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_handle_send_error(node, 1, &transmit, 1));
    OK(channeler_node_free(node));
}

static void sockets_tell_their_addresses(void) {
    channeler_node *node, *other;
    channeler_address any = address_of("127.0.0.1:0"), first, second;
    channeler_address bad = address_of("192.0.2.1:7"); /* not ours */
    int i;

    OK(channeler_node_new(NULL, NULL, &node));
    INVALID(channeler_node_local_address(node, 0, &first));
    OK(channeler_node_bind(node, &any));
    OK(channeler_node_bind(node, &any));
    OK(channeler_node_local_address(node, 0, &first));
    OK(channeler_node_local_address(node, 1, &second));
    CHECK(first.port != 0 && second.port != 0 && first.port != second.port);
    INVALID(channeler_node_local_address(node, 2, &second));
    INVALID(channeler_node_local_address(node, SIZE_MAX, &second));
    OK(channeler_node_new(NULL, NULL, &other));
    STATUS(CHANNELER_ERR_SOCKET, channeler_node_bind(other, &first));
    CHECK(strstr(channeler_last_error(), "in use") != NULL);
    STATUS(CHANNELER_ERR_SOCKET, channeler_node_bind(other, &bad));
    bad.family = 9;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS, channeler_node_bind(other, &bad));
    for (i = 0; i < 16; i++) OK(channeler_node_bind(other, &any));
    STATUS(CHANNELER_ERR_LIMIT, channeler_node_bind(other, &any));
    OK(channeler_node_free(node));
    OK(channeler_node_free(other));
}

static void peer_ids_are_drawn_or_given(void) {
    channeler_node *one, *other;
    channeler_options options;
    channeler_peer_id mine = peer_of(5), a, b;

    OK(channeler_options_init(&options, sizeof options));
    OK(channeler_node_new(&options, NULL, &one));
    OK(channeler_node_new(&options, NULL, &other));
    OK(channeler_node_peer_id(one, &a));
    OK(channeler_node_peer_id(other, &b));
    CHECK(!same_peer(&a, &b));
    OK(channeler_node_free(other));
    /* Who has a key has the peer id of the key. */
    options.peer_id = mine;
    INVALID(channeler_node_new(&options, NULL, &other));
    CHECK(strstr(channeler_last_error(), "identity") != NULL);
    options.legacy = CHANNELER_LEGACY_ONLY;
    OK(channeler_node_new(&options, NULL, &other));
    OK(channeler_node_peer_id(other, &b));
    CHECK(same_peer(&mine, &b));
    OK(channeler_node_free(one));
    OK(channeler_node_free(other));
}

static void bans_close_refuse_and_can_be_lifted(void) {
    pair both;
    channeler_connection connection;
    int32_t lifted = 7;

    pair_new(&both);
    pair_open(&both, NULL, NULL);
    OK(channeler_node_ban_peer(both.a.node, &both.b.peer, 1000 * SECOND));
    pair_run(&both);
    CHECK(both.a.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_BANNED);
    STATUS(CHANNELER_ERR_BANNED, channeler_node_connect(both.a.node, &both.b.peer,
                                                        &both.b.address, &connection));
    OK(channeler_node_lift_ban_peer(both.a.node, &both.b.peer, &lifted));
    CHECK(lifted == 1);
    OK(channeler_node_lift_ban_peer(both.a.node, &both.b.peer, &lifted));
    CHECK(lifted == 0);
    OK(channeler_node_ban_address(both.a.node, &both.b.address, 1000 * SECOND));
    STATUS(CHANNELER_ERR_BANNED, channeler_node_connect(both.a.node, &both.b.peer,
                                                        &both.b.address, &connection));
    OK(channeler_node_lift_ban_address(both.a.node, &both.b.address, NULL));
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    pair_free(&both);
}

static void bans_expire(void) {
    pair both;
    channeler_connection connection;
    pair_new(&both);
    OK(channeler_node_ban_peer(both.a.node, &both.b.peer, 5 * SECOND));
    pair_wait(&both, 6 * SECOND);
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    pair_free(&both);
}

static void drop_is_called_once_without_any_callback(void) {
    side self;
    channeler_callbacks callbacks;

    memset(&self, 0, sizeof self);
    OK(channeler_callbacks_init(&callbacks, sizeof callbacks));
    callbacks.user_data = &self;
    callbacks.drop = side_drop;
    OK(channeler_node_new(NULL, &callbacks, &self.node));
    CHECK(self.drops == 0);
    OK(channeler_node_free(self.node));
    CHECK(self.drops == 1);
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(self.node));
    CHECK(self.drops == 1);
}

int main(void) {
    null_is_an_error_for_all_and_good_for_free();
    a_freed_node_is_an_error_for_all();
    null_results_and_arguments_are_refused();
    feeding_datagrams_is_not_for_sockets();
    sockets_tell_their_addresses();
    peer_ids_are_drawn_or_given();
    bans_close_refuse_and_can_be_lifted();
    bans_expire();
    drop_is_called_once_without_any_callback();
    return 0;
}
