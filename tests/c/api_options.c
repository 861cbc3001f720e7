/* Structs that grow: older, newer and wrong sizes; settings out of their range. */
#include "pair.h"

#include <stddef.h>

typedef struct newer_options {
    channeler_options known;
    uint64_t later;
} newer_options;

static void check_new(int32_t expected, const channeler_options *options) {
    channeler_node *node = NULL;
    STATUS(expected, channeler_node_new(options, NULL, &node));
    CHECK((node != NULL) == (expected == CHANNELER_OK));
    OK(channeler_node_free(node));
}

static void defaults_are_those_of_the_documentation(void) {
    channeler_options options;
    memset(&options, 0xff, sizeof options);
    OK(channeler_options_init(&options, sizeof options));
    CHECK(options.struct_size == sizeof options);
    CHECK(options.mode == CHANNELER_MODE_SOCKETS && options.legacy == CHANNELER_LEGACY_OFF);
    CHECK(options.accept_incoming == 1 && options.padding == 0 && options.packet_size == 1232);
    CHECK(options.segments_max == 1 && options.handshake_retries == 5);
    CHECK(options.log_level == CHANNELER_LOG_INFO && options.bundle_delay_ns == 0);
    CHECK(options.handshake_timeout_ns == 200000000 && options.cookie_epoch_ns == 30 * SECOND);
    CHECK(options.idle_timeout_ns == 60 * SECOND && options.keep_alive_ns == 0);
    CHECK(options.spin_ns == 20000 && options.connections_max == 16384);
    CHECK(options.connections_per_address_max == 64);
    CHECK(options.channels_per_connection_max == 65536 && options.channels_max == 1048576);
    CHECK(options.send_queue_bytes_max == 1 << 20 && options.send_queue_packets_max == 4096);
    CHECK(options.node_send_queue_bytes_max == 64 << 20);
    CHECK(options.receive_queue_bytes_max == 1 << 20);
    CHECK(options.receive_queue_messages_max == 4096);
    CHECK(options.node_receive_queue_bytes_max == 64 << 20);
    CHECK(options.replies_max == 1024 && options.events_max == 65536);
    CHECK(options.seed[0] == 0 && options.peer_id.bytes[0] == 0);
    CHECK(options.congestion == CHANNELER_CONGESTION_BBR2);
    CHECK(options.identity == NULL && options.instance_label == NULL);
    CHECK(options.early_data == 0 && options.half_close == 0 && options.always_cookie == 0);
    CHECK(options.attempt_timeout_ns == 10 * SECOND && options.dial_timeout_ns == 30 * SECOND);
    CHECK(options.linger_ns == 5 * SECOND && options.ack_delay_ns == 25000000);
    CHECK(options.half_open_free_max == 256 && options.half_open_max == 4096);
    CHECK(options.early_bytes_max == 65536 && options.tickets_max == 1024);
    CHECK(options.peer_channels_max == 4096 && options.message_bytes_max == 16 << 20);
    CHECK(options.send_low_water_bytes == CHANNELER_LOW_WATER_HALF);
    CHECK(options.receive_window_min == 64 << 10);
    CHECK(options.connection_receive_bytes_max == 16 << 20);
    CHECK(options.node_receive_bytes_max == 256 << 20);
    CHECK(options.loss_tolerance_percent == 2 && options.packet_size_max == 1452);
}

static void defaults_of_channels_and_messages_are_those_of_the_documentation(void) {
    channeler_channel_options channel;
    channeler_send_options message;
    memset(&channel, 0xff, sizeof channel);
    memset(&message, 0xff, sizeof message);
    OK(channeler_channel_options_init(&channel, sizeof channel));
    CHECK(channel.struct_size == sizeof channel && channel.capabilities == CHANNELER_UNRELIABLE);
    CHECK(channel.priority == 3 && channel.weight == 16);
    CHECK(channel.resend_limit == CHANNELER_RESEND_ALWAYS && channel.message_lifetime_ns == 0);
    CHECK(channel.label == NULL && channel.label_length == 0);
    OK(channeler_send_options_init(&message, sizeof message));
    CHECK(message.struct_size == sizeof message && message.report == 0 && message.context == 0);
    CHECK(message.lifetime_ns == CHANNELER_LIFETIME_OF_CHANNEL && message.may_replay == 0);
}

static void modes_are_sums_of_capabilities(void) {
    CHECK(CHANNELER_UNRELIABLE == 0 && CHANNELER_UNRELIABLE_ORDERED == CHANNELER_CAP_ORDERED);
    CHECK(CHANNELER_LOSS_CLOSES == CHANNELER_CAP_CLOSE_ON_LOSS);
    CHECK(CHANNELER_LOSS_CLOSES_ORDERED ==
          (CHANNELER_CAP_CLOSE_ON_LOSS | CHANNELER_CAP_ORDERED));
    CHECK(CHANNELER_PARTIALLY_RELIABLE == CHANNELER_CAP_RESEND);
    CHECK(CHANNELER_PARTIALLY_RELIABLE_ORDERED == (CHANNELER_CAP_RESEND | CHANNELER_CAP_ORDERED));
    CHECK(CHANNELER_RELIABLE == (CHANNELER_CAP_RESEND | CHANNELER_CAP_CLOSE_ON_LOSS));
    CHECK(CHANNELER_RELIABLE_ORDERED == (CHANNELER_RELIABLE | CHANNELER_CAP_ORDERED));
}

static void null_options_are_the_defaults(void) {
    check_new(CHANNELER_OK, NULL);
    INVALID(channeler_node_new(NULL, NULL, NULL));
}

static void wrong_sizes_are_refused(void) {
    const size_t wrong[] = {0, 1, 8, 24, 33, sizeof(channeler_options) + 1, 8192, SIZE_MAX};
    channeler_options options;
    channeler_callbacks callbacks;
    channeler_channel_options channel_options;
    channeler_dial_options dial_options;
    channeler_send_options send_options;
    size_t i;

    OK(channeler_options_init(&options, sizeof options));
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.struct_size = wrong[i];
        check_new(CHANNELER_ERR_INVALID_ARGUMENT, &options);
        CHECK(strstr(channeler_last_error(), "struct_size") != NULL);
        INVALID(channeler_options_init(&options, wrong[i]));
    }
    INVALID(channeler_options_init(NULL, sizeof options));
    INVALID(channeler_callbacks_init(NULL, sizeof callbacks));
    INVALID(channeler_callbacks_init(&callbacks, 0));
    INVALID(channeler_callbacks_init(&callbacks, SIZE_MAX));
    INVALID(channeler_dial_options_init(NULL, sizeof dial_options));
    INVALID(channeler_dial_options_init(&dial_options, 8));
    INVALID(channeler_channel_options_init(NULL, sizeof channel_options));
    INVALID(channeler_channel_options_init(&channel_options, 4));
    INVALID(channeler_send_options_init(NULL, sizeof send_options));
    INVALID(channeler_send_options_init(&send_options, 8));
}

static void an_older_struct_is_a_prefix(void) {
    /* As an old program had it: nothing after `padding`, and not a byte more of memory. */
    size_t size = offsetof(channeler_options, packet_size);
    channeler_options *options = (channeler_options *)malloc(size);
    OK(channeler_options_init(options, size));
    CHECK(options->struct_size == size);
    options->mode = CHANNELER_MODE_SANS_IO;
    check_new(CHANNELER_OK, options);
    free(options);
}

static void a_newer_struct_may_not_ask_for_what_we_do_not_know(void) {
    newer_options options;
    memset(&options, 0xff, sizeof options);
    OK(channeler_options_init(&options.known, sizeof options));
    CHECK(options.known.struct_size == sizeof options && options.later == 0);
    check_new(CHANNELER_OK, &options.known);
    options.later = 1;
    check_new(CHANNELER_ERR_INVALID_ARGUMENT, &options.known);
    CHECK(strstr(channeler_last_error(), "must be 0") != NULL);
}

static void results_fit_the_callers_struct(void) {
    pair both;
    channeler_node_counters counters;
    struct {
        channeler_node_counters known;
        uint64_t later;
    } longer;

    pair_new(&both);
    memset(&counters, 0x55, sizeof counters);
    counters.struct_size = 16;
    OK(channeler_node_stats(both.a.node, &counters));
    CHECK(counters.struct_size == 16 && counters.datagrams_received == 0);
    CHECK(counters.bytes_received == 0x5555555555555555u);
    memset(&longer, 0x55, sizeof longer);
    longer.known.struct_size = sizeof longer;
    OK(channeler_node_stats(both.a.node, &longer.known));
    CHECK(longer.known.struct_size == sizeof longer && longer.later == 0);
    counters.struct_size = 0;
    INVALID(channeler_node_stats(both.a.node, &counters));
    pair_free(&both);
}

#define REFUSED(field, value, text)                                                             \
    do {                                                                                        \
        OK(channeler_options_init(&options, sizeof options));                                   \
        options.field = (value);                                                                \
        check_new(CHANNELER_ERR_INVALID_ARGUMENT, &options);                                    \
        CHECK(strstr(channeler_last_error(), text) != NULL);                                    \
    } while (0)

static void settings_out_of_range_are_named(void) {
    channeler_options options;
    REFUSED(mode, 2, "mode is 2");
    REFUSED(legacy, 3, "legacy is 3");
    REFUSED(accept_incoming, 2, "accept_incoming is 2");
    REFUSED(padding, 7, "padding is 7");
    REFUSED(packet_size, 127, "packet_size is 127; allowed is 128 to 65507");
    REFUSED(packet_size, 65508, "packet_size");
    REFUSED(segments_max, 0, "segments_max");
    REFUSED(handshake_retries, 17, "handshake_retries");
    REFUSED(handshake_retries, 256, "handshake_retries");
    REFUSED(log_level, 0, "log_level");
    REFUSED(log_level, 5, "log_level");
    REFUSED(bundle_delay_ns, 2 * SECOND, "bundle_delay");
    REFUSED(handshake_timeout_ns, 0, "handshake_timeout");
    REFUSED(cookie_epoch_ns, 0, "cookie_epoch");
    REFUSED(idle_timeout_ns, UINT64_MAX, "idle_timeout");
    REFUSED(keep_alive_ns, UINT64_MAX, "keep_alive");
    /* Seconds where nanoseconds belong. */
    REFUSED(idle_timeout_ns, 60, "idle_timeout");
    REFUSED(keep_alive_ns, 20, "keep_alive");
    /* A peer that is asked once a minute cannot be heard within the minute of idle_timeout. */
    REFUSED(keep_alive_ns, 60 * SECOND, "keep_alive");
    REFUSED(spin_ns, 1000001, "spin_ns is 1000001; allowed is 0 to 1000000");
    REFUSED(connections_max, 0, "connections_max");
    REFUSED(connections_per_address_max, UINT64_MAX, "connections_per_address_max");
    REFUSED(channels_per_connection_max, 131071, "channels_per_connection_max");
    REFUSED(channels_max, 0, "channels_max");
    REFUSED(send_queue_bytes_max, 1, "send_queue_bytes_max");
    REFUSED(send_queue_packets_max, 0, "send_queue_packets_max");
    REFUSED(node_send_queue_bytes_max, 1, "node_send_queue_bytes_max");
    REFUSED(receive_queue_bytes_max, 1, "receive_queue_bytes_max");
    REFUSED(receive_queue_messages_max, 0, "receive_queue_messages_max");
    REFUSED(node_receive_queue_bytes_max, 1, "node_receive_queue_bytes_max");
    REFUSED(replies_max, 0, "replies_max");
    REFUSED(events_max, 15, "events_max");
    REFUSED(seed[31], 1, "seed");
    REFUSED(peer_id.bytes[0], 1, "peer_id is set");
    REFUSED(congestion, 3, "congestion is 3");
    REFUSED(early_data, 2, "early_data is 2");
    REFUSED(half_close, 2, "half_close is 2");
    REFUSED(always_cookie, 2, "always_cookie is 2");
    REFUSED(reserved, 1, "reserved is 1");
    REFUSED(attempt_timeout_ns, 10, "attempt_timeout");
    REFUSED(dial_timeout_ns, 0, "dial_timeout");
    REFUSED(linger_ns, 3601 * SECOND, "linger");
    REFUSED(ack_delay_ns, 17 * SECOND, "ack_delay");
    REFUSED(half_open_max, 0, "half_open_max");
    REFUSED(tickets_max, 1048577, "tickets_max");
    REFUSED(peer_channels_max, UINT64_MAX, "peer_channels_max");
    REFUSED(message_bytes_max, 0, "message_bytes_max");
    REFUSED(message_bytes_max, 1 << 25, "it must hold a message of message_bytes_max");
    REFUSED(send_low_water_bytes, (1 << 20) + 1, "1048577; allowed is 0 to 1048576 (send_queue");
    REFUSED(receive_window_min, 1231, "receive_window_min is 1231; allowed is 1232 to 16777216");
    REFUSED(receive_window_min, (16 << 20) + 1, "connection_receive_bytes_max");
    REFUSED(connection_receive_bytes_max, (16 << 20) - 1, "message_bytes_max");
    REFUSED(node_receive_bytes_max, (16 << 20) - 1, "it must hold connection_receive_bytes_max");
    REFUSED(loss_tolerance_percent, 1, "loss_tolerance_percent is 1; allowed is 2 to 50");
    REFUSED(packet_size_max, 65508, "packet_size_max is 65508; allowed is 0 to 65507");
    REFUSED(loss_tolerance_percent, 1000, "loss_tolerance_percent");
    REFUSED(profile, CHANNELER_PROFILE_REFERENCE, "CHANNELER_LEGACY_ONLY");
}

static void a_failed_node_leaves_user_data_alone(void) {
    side self;
    channeler_options options;
    channeler_callbacks callbacks;

    memset(&self, 0, sizeof self);
    OK(channeler_options_init(&options, sizeof options));
    callbacks = side_callbacks(&self);
    options.packet_size = 1;
    INVALID(channeler_node_new(&options, &callbacks, &self.node));
    options.packet_size = 1232;
    INVALID(channeler_node_new(&options, &callbacks, NULL));
    callbacks.struct_size = 3;
    INVALID(channeler_node_new(&options, &callbacks, &self.node));
    CHECK(self.drops == 0 && self.node == NULL);
    callbacks.struct_size = sizeof callbacks;
    OK(channeler_node_new(&options, &callbacks, &self.node));
    OK(channeler_node_free(self.node));
    CHECK(self.drops == 1);
}

int main(void) {
    defaults_are_those_of_the_documentation();
    defaults_of_channels_and_messages_are_those_of_the_documentation();
    modes_are_sums_of_capabilities();
    null_options_are_the_defaults();
    wrong_sizes_are_refused();
    an_older_struct_is_a_prefix();
    a_newer_struct_may_not_ask_for_what_we_do_not_know();
    results_fit_the_callers_struct();
    settings_out_of_range_are_named();
    a_failed_node_leaves_user_data_alone();
    return 0;
}
