/* What version 1 adds to connections that are there: labels, early messages, fresh keys, an end
 * with a reason, the key log; and that all of it may be called inside callbacks. */
#include "live.h"

#define MESSAGES 400

static live a, b;
static channeler_connection connection;

static void start_both(void) {
    live_start(&a);
    live_start(&b);
    connection = live_connect(&a, &b);
}

static channeler_channel open_named(const char *label, size_t length) {
    channeler_channel_options options;
    channeler_channel channel;
    int before = b.events[CHANNELER_EVENT_CHANNEL_OPENED];
    OK(channeler_channel_options_init(&options, sizeof options));
    options.label = BYTES(label);
    options.label_length = length;
    OK(channeler_channel_open(a.node, connection, &options, &channel));
    UNTIL(b.events[CHANNELER_EVENT_CHANNEL_OPENED] > before);
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_OPENED] == b.events[CHANNELER_EVENT_CHANNEL_OPENED]);
    return channel;
}

static void both_sides_read_the_label_and_talk(void) {
    channeler_channel at_a, at_b;
    channeler_channel_details details;
    uint8_t label[255];
    size_t length = 0;

    start_both();
    at_a = open_named("files\0two", 9);
    at_b = b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    OK(channeler_channel_label(a.node, at_a, label, sizeof label, &length));
    CHECK(length == 9 && memcmp(label, "files\0two", 9) == 0);
    length = 0;
    OK(channeler_channel_label(b.node, at_b, label, 9, &length));
    CHECK(length == 9 && memcmp(label, "files\0two", 9) == 0);
    length = 77;
    memset(label, 'x', sizeof label);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_channel_label(b.node, at_b, label, 8, &length));
    CHECK(length == 77 && label[0] == 'x');
    CHECK(strstr(channeler_last_error(), "9 are needed") != NULL);
    details.struct_size = sizeof details;
    OK(channeler_channel_info(b.node, at_b, &details));
    CHECK(details.label_length == 9 && details.early == 0 && details.established == 1);
    CHECK(details.role == CHANNELER_ROLE_RESPONDER);
    live_say(&a, at_a, "there");
    UNTIL(b.messages == 1 && strcmp(b.message, "there") == 0);
    live_say(&b, at_b, "and back");
    UNTIL(a.messages == 1 && strcmp(a.message, "and back") == 0);
    CHECK(a.message_channel.id == at_a.id && b.message_channel.id == at_b.id);
    /* No label is one, too. */
    at_a = open_named(NULL, 0);
    OK(channeler_channel_label(a.node, at_a, label, sizeof label, &length));
    CHECK(length == 0);
    live_end();
}

static void wrong_channel_options_say_what_is_right(void) {
    channeler_channel_options options, good;
    channeler_channel channel = {7};
    uint8_t label[256] = {0};

    start_both();
    OK(channeler_channel_options_init(&good, sizeof good));
    CHECK(good.priority == 3 && good.weight == 16);
    options = good;
    options.priority = 8;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "priority is 8; allowed is 0 to 7") != NULL);
    options = good;
    options.weight = 0;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    options.weight = 256;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    options = good;
    options.label_length = 1;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    options.label = label;
    options.label_length = 256;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "256 bytes; allowed is 0 to 255") != NULL);
    options = good;
    options.resend_limit = 0;
    INVALID(channeler_channel_open(a.node, connection, &options, &channel));
    CHECK(strstr(channeler_last_error(), "resend_limit is 0") != NULL);
    CHECK(channel.id == 7);
    options = good;
    options.capabilities = CHANNELER_UNRELIABLE_ORDERED;
    OK(channeler_channel_open(a.node, connection, &options, &channel));
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_OPENED] == 1);
    live_end();
}

/* Code and words reach the peer's application. */
static void the_peer_hears_why_a_connection_closed(void) {
    const channeler_event *event;
    channeler_connection other;

    start_both();
    open_named("x", 1);
    STATUS(CHANNELER_ERR_DECODE,
           channeler_connection_close_with(a.node, connection, 1, "\xff\xfe"));
    OK(channeler_connection_close_with(a.node, connection, 4711, "the shop is closed"));
    STATUS(CHANNELER_ERR_STATE,
           channeler_node_connect(a.node, &b.peer, &b.address, &other));
    CHECK(strstr(channeler_last_error(), "CHANNELER_EVENT_CONNECTION_CLOSED") != NULL);
    UNTIL(b.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    event = &b.last[CHANNELER_EVENT_CONNECTION_CLOSED];
    CHECK(event->reason == CHANNELER_ERR_PEER_CLOSED && event->code == 4711);
    CHECK(strcmp(b.said[CHANNELER_EVENT_CONNECTION_CLOSED], "the shop is closed") == 0);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_PEER_CLOSED);
    event = &a.last[CHANNELER_EVENT_CONNECTION_CLOSED];
    CHECK(event->reason == CHANNELER_ERR_CLOSED);
    STATUS(CHANNELER_ERR_INVALID_REFERENCE,
           channeler_connection_close_with(a.node, connection, 1, "again"));
    live_end();
}

static void without_a_reason_there_is_none(void) {
    start_both();
    OK(channeler_connection_close(a.node, connection));
    UNTIL(b.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    CHECK(b.last[CHANNELER_EVENT_CONNECTION_CLOSED].reason == CHANNELER_ERR_PEER_CLOSED);
    CHECK(b.last[CHANNELER_EVENT_CONNECTION_CLOSED].code == 0);
    CHECK(b.last[CHANNELER_EVENT_CONNECTION_CLOSED].text == NULL);
    live_end();
}

static void a_reset_channel_tells_why_and_spares_the_others(void) {
    channeler_channel one, other;

    start_both();
    one = open_named("one", 3);
    other = open_named("other", 5);
    OK(channeler_channel_reset(a.node, one, UINT64_C(1) << 40));
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_CLOSED] && b.events[CHANNELER_EVENT_CHANNEL_CLOSED]);
    CHECK(a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_CLOSED);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_PEER_CLOSED);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_CLOSED].code == UINT64_C(1) << 40);
    CHECK(b.said[CHANNELER_EVENT_CHANNEL_CLOSED][0] == 0);
    STATUS(CHANNELER_ERR_INVALID_CHANNELID, channeler_channel_reset(a.node, one, 1));
    one = open_named("third", 5);
    OK(channeler_channel_reset_with(a.node, one, 2, "out of tea"));
    UNTIL(b.events[CHANNELER_EVENT_CHANNEL_CLOSED] == 2);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_CLOSED].code == 2);
    CHECK(strcmp(b.said[CHANNELER_EVENT_CHANNEL_CLOSED], "out of tea") == 0);
    live_say(&a, other, "still there");
    UNTIL(b.messages == 1);
    live_end();
}

static void a_closed_channel_ends_on_both_sides_after_its_messages(void) {
    channeler_channel channel;

    start_both();
    channel = open_named("x", 1);
    live_say(&a, channel, "the last");
    OK(channeler_channel_close(a.node, channel));
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_CLOSED] && b.events[CHANNELER_EVENT_CHANNEL_CLOSED]);
    CHECK(b.messages == 1 && strcmp(b.message, "the last") == 0);
    CHECK(a.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_CLOSED);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_CLOSED].reason == CHANNELER_ERR_CLOSED);
    live_end();
}

/* With half_close the other direction stays open until its side closes, too. */
static void a_half_closed_channel_still_carries_the_answer(void) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    channeler_channel at_a, at_b;

    live_start(&a);
    memset(&b, 0, sizeof b);
    options.half_close = 1;
    callbacks = live_callbacks(&b);
    live_new(&b, &options, &callbacks);
    connection = live_connect(&a, &b);
    at_a = open_named("x", 1);
    at_b = b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    OK(channeler_channel_close(a.node, at_a));
    UNTIL(b.events[CHANNELER_EVENT_CHANNEL_FINISHED] == 1);
    CHECK(b.last[CHANNELER_EVENT_CHANNEL_FINISHED].channel.id == at_b.id);
    live_say(&b, at_b, "the answer");
    UNTIL(a.messages == 1);
    CHECK(a.events[CHANNELER_EVENT_CHANNEL_CLOSED] == 0);
    OK(channeler_channel_close(b.node, at_b));
    UNTIL(a.events[CHANNELER_EVENT_CHANNEL_CLOSED] && b.events[CHANNELER_EVENT_CHANNEL_CLOSED]);
    live_end();
}

static channeler_channel talking;

static void echo_back(live *self) {
    if (self->messages > 0 && self->messages <= MESSAGES) {
        OK(channeler_channel_send(self->node, self->message_channel, BYTES("pong"), 4));
        self->messages += MESSAGES; /* once a message */
    }
}

/* Keys change on both sides again and again, and every message arrives. */
static void keys_change_while_messages_flow(void) {
    int i, heard = 0;

    start_both();
    talking = open_named("x", 1);
    b.also = echo_back;
    for (i = 0; i < MESSAGES; i++) {
        b.messages = 0;
        live_say(&a, talking, "ping");
        if (i % 10 == 0) OK(channeler_connection_update_keys(a.node, connection));
        if (i % 15 == 0) {
            OK(channeler_connection_update_keys(b.node,
                                                b.last[CHANNELER_EVENT_CONNECTED].connection));
        }
        UNTIL(a.messages > heard);
        heard = a.messages;
    }
    CHECK(heard == MESSAGES && a.events[CHANNELER_EVENT_CONNECTION_CLOSED] == 0);
    live_end();
}

/* Makes `b` take early data or not. */
static void start_for_early(uint32_t early_data) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    int i;

    live_start(&a);
    memset(&b, 0, sizeof b);
    options.early_data = early_data;
    callbacks = live_callbacks(&b);
    live_new(&b, &options, &callbacks);
    connection = live_connect(&a, &b);
    open_named("x", 1);
    for (i = 0; i < 50; i++) live_turn(); /* the tickets */
    OK(channeler_connection_close(a.node, connection));
    UNTIL(a.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
    UNTIL(b.events[CHANNELER_EVENT_CONNECTION_CLOSED]);
}

/* Dials, opens a channel, and sends two messages of which one may be early. */
static void dial_with_early_message(void) {
    channeler_channel channel;
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &connection));
    OK(channeler_channel_open(a.node, connection, NULL, &channel));
    OK(channeler_channel_send_early(a.node, channel, BYTES("early"), 5));
    UNTIL(b.messages == 1);
    CHECK(strcmp(b.message, "early") == 0);
}

static channeler_channel_details details_at_b(void) {
    channeler_channel_details details;
    details.struct_size = sizeof details;
    OK(channeler_channel_info(b.node, b.message_channel, &details));
    return details;
}

static void an_early_message_travels_with_the_first_packet(void) {
    start_for_early(1);
    dial_with_early_message();
    CHECK(details_at_b().early == 1);
    UNTIL(a.events[CHANNELER_EVENT_CONNECTED] == 2 && b.events[CHANNELER_EVENT_CONNECTED] == 2);
    live_end();
}

static void where_early_data_is_off_the_message_goes_the_usual_way(void) {
    start_for_early(0);
    dial_with_early_message();
    CHECK(details_at_b().early == 0);
    live_end();
}

static void without_a_ticket_the_message_goes_the_usual_way(void) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;

    live_start(&a);
    memset(&b, 0, sizeof b);
    options.early_data = 1;
    callbacks = live_callbacks(&b);
    live_new(&b, &options, &callbacks);
    dial_with_early_message();
    CHECK(details_at_b().early == 0);
    live_end();
}

static void start_logging(live *self, int is_logging) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    memset(self, 0, sizeof *self);
    callbacks = live_callbacks(self);
    if (is_logging) callbacks.on_key_log = live_key_log;
    live_new(self, &options, &callbacks);
}

static int count_label(const live *self, const char *label) {
    int i, count = 0;
    size_t length = strlen(label);
    for (i = 0; i < self->key_lines; i++) {
        count += strncmp(self->key_line[i], label, length) == 0 && self->key_line[i][length] == ' ';
    }
    return count;
}

/* Whether a line of the one is a line of the other. */
static int share_a_line(const live *one, const live *other) {
    int i, k;
    for (i = 0; i < one->key_lines; i++) {
        for (k = 0; k < other->key_lines; k++) {
            if (strcmp(one->key_line[i], other->key_line[k]) == 0) return 1;
        }
    }
    return 0;
}

static void the_key_log_tells_the_secrets_of_each_handshake(void) {
    static const char *const labels[] = {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "EXPORTER_SECRET",
    };
    size_t i;

    start_logging(&a, 1);
    start_logging(&b, 1);
    live_connect(&a, &b);
    UNTIL(count_label(&a, "EXPORTER_SECRET") && count_label(&b, "EXPORTER_SECRET"));
    for (i = 0; i < sizeof labels / sizeof *labels; i++) {
        CHECK(count_label(&a, labels[i]) == 1 && count_label(&b, labels[i]) == 1);
    }
    CHECK(share_a_line(&a, &b));
    live_end();
}

static void without_the_callback_no_secret_is_told(void) {
    start_logging(&a, 0);
    start_logging(&b, 1);
    live_connect(&a, &b);
    UNTIL(count_label(&b, "EXPORTER_SECRET") == 1);
    CHECK(a.key_lines == 0);
    live_end();
}

static int runs;

/* Every new function, on the node whose callback it is. */
static void use_all(live *self) {
    char pem[CHANNELER_IDENTITY_PEM_MAX];
    channeler_public_key key;
    channeler_peer_id peer;
    channeler_connection there = self->last[CHANNELER_EVENT_CONNECTED].connection, other;
    channeler_channel channel;
    channeler_dial_options dial_options;
    uint8_t label[255];
    size_t length;

    if (self->events[CHANNELER_EVENT_CONNECTED] == 0 || runs++ > 0) return;
    OK(channeler_node_identity(self->node, pem, sizeof pem));
    OK(channeler_identity_public_key(pem, &key));
    OK(channeler_public_key_peer_id(&key, &peer));
    CHECK(same_peer(&peer, &self->peer));
    OK(channeler_dial_options_init(&dial_options, sizeof dial_options));
    dial_options.peer = peer_of(8);
    dial_options.address = self->address;
    OK(channeler_node_dial(self->node, &dial_options, &other));
    OK(channeler_connection_close_with(self->node, other, 1, "never mind"));
    OK(channeler_connection_update_keys(self->node, there));
    OK(channeler_channel_open(self->node, there, NULL, &channel));
    OK(channeler_channel_label(self->node, channel, label, sizeof label, &length));
    OK(channeler_channel_send_early(self->node, channel, BYTES("from inside"), 11));
    OK(channeler_channel_open(self->node, there, NULL, &channel));
    OK(channeler_channel_reset(self->node, channel, 3));
}

static void all_is_legal_inside_callbacks(void) {
    runs = 0;
    start_logging(&a, 1);
    live_start(&b);
    a.also = use_all;
    connection = live_connect(&a, &b);
    UNTIL(b.messages == 1 && strcmp(b.message, "from inside") == 0);
    CHECK(runs > 0);
    live_end();
}

static void free_it(live *self) {
    runs++;
    OK(channeler_node_free(self->node));
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(self->node));
}

/* Nothing comes after it, although the turn has more lines to tell. */
static void freeing_inside_the_key_log_is_the_last_callback(void) {
    channeler_connection made;
    uint64_t until = clock_ns() + PATIENCE;

    runs = 0;
    start_logging(&a, 1);
    live_start(&b);
    a.also = free_it;
    OK(channeler_node_connect(a.node, &b.peer, &b.address, &made));
    while (runs == 0) {
        CHECK(clock_ns() < until);
        channeler_node_process(a.node, 500000);
        OK(channeler_node_process(b.node, 500000));
    }
    CHECK(runs == 1 && a.drops == 1);
    CHECK(lives[0] == &a);
    lives[0] = lives[1];
    lives[1] = NULL;
    live_end();
}

int main(void) {
    both_sides_read_the_label_and_talk();
    wrong_channel_options_say_what_is_right();
    the_peer_hears_why_a_connection_closed();
    without_a_reason_there_is_none();
    a_reset_channel_tells_why_and_spares_the_others();
    a_closed_channel_ends_on_both_sides_after_its_messages();
    a_half_closed_channel_still_carries_the_answer();
    keys_change_while_messages_flow();
    an_early_message_travels_with_the_first_packet();
    where_early_data_is_off_the_message_goes_the_usual_way();
    without_a_ticket_the_message_goes_the_usual_way();
    the_key_log_tells_the_secrets_of_each_handshake();
    without_the_callback_no_secret_is_told();
    all_is_legal_inside_callbacks();
    freeing_inside_the_key_log_is_the_last_callback();
    return 0;
}
