/* Callbacks: what they may call, freeing inside them, and that nothing comes after the last. */
#include "pair.h"

/* What `also` does, told through these since it only gets its side. */
static pair *world;
static int runs;

static void messages_come_lent_and_are_not_kept(void) {
    pair both;
    channeler_callbacks callbacks;
    channeler_channel at_a, at_b;
    uint8_t buffer[8];
    size_t length;

    pair_init(&both);
    callbacks = side_callbacks(&both.a);
    side_new(&both.a, &callbacks);
    callbacks = side_callbacks(&both.b);
    callbacks.on_message = side_message;
    side_new(&both.b, &callbacks);
    at_a = pair_open(&both, NULL, &at_b);
    OK(channeler_channel_send(both.a.node, at_a, BYTES("hello"), 5));
    pair_run(&both);
    CHECK(both.b.messages == 1 && both.b.message_length == 5);
    CHECK(memcmp(both.b.message, "hello", 5) == 0);
    CHECK(both.b.events[CHANNELER_EVENT_READABLE] == 0);
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive(both.b.node, at_b, buffer, sizeof buffer, &length, NULL));
    pair_free(&both);
}

/* Makes both sides; b asks before it accepts. */
static void pair_that_asks(pair *both) {
    channeler_callbacks callbacks;
    pair_init(both);
    callbacks = side_callbacks(&both->a);
    side_new(&both->a, &callbacks);
    callbacks = side_callbacks(&both->b);
    callbacks.on_accept = side_accept;
    side_new(&both->b, &callbacks);
}

static void accept_is_asked_and_obeyed(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    channeler_node_counters counters;

    pair_that_asks(&both);
    both.b.answer = 0;
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    pair_run(&both);
    CHECK(both.b.asked == 1 && both.b.events[CHANNELER_EVENT_CHANNEL_OPENED] == 0);
    counters.struct_size = sizeof counters;
    OK(channeler_node_stats(both.b.node, &counters));
    CHECK(counters.connections == 0);
    pair_free(&both);

    pair_that_asks(&both);
    pair_open(&both, NULL, NULL);
    CHECK(both.b.asked == 1);
    pair_free(&both);
}

static void call_everything(side *self) {
    channeler_peer_id peer = peer_of(0xcc);
    channeler_address address = address_of("192.0.2.3:3");
    channeler_connection connection = {0};
    channeler_channel channel = {0};
    channeler_node_counters counters;
    channeler_transmit transmit;
    uint8_t buffer[2048];
    size_t length;
    uint64_t deadline;
    int32_t status;

    runs++;
    STATUS(CHANNELER_ERR_STATE, channeler_node_process(self->node, 0));
    CHECK(strstr(channeler_last_error(), "inside a callback") != NULL);
    STATUS(CHANNELER_ERR_STATE, channeler_node_handle_timeout(self->node, world->now));
    STATUS(CHANNELER_ERR_STATE, channeler_node_handle_datagram(self->node, world->now, &address,
                                                               NULL, buffer, 0));
    counters.struct_size = sizeof counters;
    OK(channeler_node_stats(self->node, &counters));
    OK(channeler_node_peer_id(self->node, &peer));
    peer = peer_of(0xcc);
    OK(channeler_node_poll_timeout(self->node, &deadline));
    OK(channeler_node_connect(self->node, &peer, &address, &connection));
    status = channeler_channel_open(self->node, connection, NULL, &channel);
    CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_LIMIT);
    OK(channeler_channel_send(self->node, channel, BYTES("x"), 1));
    STATUS(CHANNELER_ERR_DATA_UNAVAILABLE,
           channeler_channel_receive(self->node, channel, buffer, sizeof buffer, &length, NULL));
    channeler_node_poll_transmit(self->node, world->now, buffer, 1, &transmit);
    OK(channeler_connection_close(self->node, connection));
    OK(channeler_node_ban_peer(self->node, &peer, SECOND));
    OK(channeler_node_lift_ban_peer(self->node, &peer, NULL));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_start(self->node));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_wake(self->node));
    /* What that caused comes again, later: not without end. */
    if (runs > 20) self->also = NULL;
}

static void early_messages_reach_on_message_after_on_accept(void) {
    pair both;
    channeler_callbacks callbacks;
    channeler_connection connection;
    channeler_channel channel;
    channeler_transmit transmit;
    uint8_t buffer[2048];
    int sent = 0;

    pair_init(&both);
    callbacks = side_callbacks(&both.a);
    side_new(&both.a, &callbacks);
    callbacks = side_callbacks(&both.b);
    callbacks.on_accept = side_accept;
    callbacks.on_message = side_message;
    side_new(&both.b, &callbacks);

    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    OK(channeler_channel_send(both.a.node, channel, BYTES("early"), 5));
    OK(channeler_channel_send(both.a.node, channel, BYTES("bird"), 4));
    CHECK(carry(&both.a, &both.b, both.now) == 1);
    CHECK(carry(&both.b, &both.a, both.now) == 1);
    /* The last packet of the handshake is lost; the one with the messages opens the channel. */
    while (channeler_node_poll_transmit(both.a.node, both.now, buffer, sizeof buffer, &transmit) ==
           CHANNELER_OK)
        sent++;
    CHECK(sent == 2);
    OK(channeler_node_handle_datagram(both.b.node, both.now, &both.a.address, NULL, buffer,
                                      transmit.length));
    OK(channeler_node_process(both.b.node, 0));
    CHECK(both.b.asked == 1 && both.b.messages == 2);
    CHECK(both.b.message_length == 4 && memcmp(both.b.message, "bird", 4) == 0);
    CHECK(both.b.events[CHANNELER_EVENT_READABLE] == 0);
    pair_free(&both);
}

static void every_call_is_legal_inside(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;

    pair_that_asks(&both);
    world = &both;
    runs = 0;
    both.b.also = call_everything;
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    do {
        OK(channeler_node_process(both.b.node, 0));
    } while (carry(&both.a, &both.b, both.now) + runs == 0);
    while (runs <= 20) {
        uint8_t buffer[2048];
        channeler_transmit transmit;
        while (channeler_node_poll_transmit(both.b.node, both.now, buffer, sizeof buffer,
                                            &transmit) == CHANNELER_OK) {
            if (same_address(&transmit.to, &both.a.address)) {
                OK(channeler_node_handle_datagram(both.a.node, both.now, &both.b.address, NULL,
                                                  buffer, transmit.length));
            }
        }
        carry(&both.a, &both.b, both.now);
        OK(channeler_node_process(both.b.node, 0));
    }
    pair_free(&both);
}

static void free_inside(side *self) {
    channeler_node_counters counters;
    runs++;
    CHECK(runs == 1); /* nothing is called after the callback that freed */
    OK(channeler_node_free(self->node));
    CHECK(self->drops == 0); /* not before the callback has returned */
    counters.struct_size = sizeof counters;
    STATUS(CHANNELER_ERR_STATE, channeler_node_stats(self->node, &counters));
    STATUS(CHANNELER_ERR_STATE, channeler_node_process(self->node, 0));
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(self->node));
}

/* Both in one: channels opened, messages sent; b frees itself in its first callback of a kind. */
static void free_in(void (*arrange)(pair *both, channeler_callbacks *callbacks)) {
    pair both;
    channeler_callbacks callbacks;
    channeler_connection connection;
    channeler_channel channel;
    uint8_t buffer[2048];
    channeler_transmit transmit;

    pair_init(&both);
    runs = 0;
    callbacks = side_callbacks(&both.a);
    side_new(&both.a, &callbacks);
    callbacks = side_callbacks(&both.b);
    arrange(&both, &callbacks);
    side_new(&both.b, &callbacks);
    both.b.also = free_inside;
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    OK(channeler_channel_send(both.a.node, channel, BYTES("one"), 3));
    OK(channeler_channel_send(both.a.node, channel, BYTES("two"), 3));
    while (runs == 0) {
        int32_t status;
        OK(channeler_node_poll_transmit(both.a.node, both.now, buffer, sizeof buffer, &transmit));
        status = channeler_node_handle_datagram(both.b.node, both.now, &both.a.address, NULL,
                                                buffer, transmit.length);
        OK(status);
        if (runs == 0) carry(&both.b, &both.a, both.now);
    }
    CHECK(runs == 1 && both.b.drops == 1);
    STATUS(CHANNELER_ERR_STATE,
           channeler_node_handle_datagram(both.b.node, both.now, &both.a.address, NULL, buffer,
                                          transmit.length));
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(both.b.node));
    CHECK(both.b.drops == 1);
    OK(channeler_node_free(both.a.node));
}

static void arrange_nothing(pair *both, channeler_callbacks *callbacks) {
    (void)both;
    (void)callbacks;
}

static void arrange_accept(pair *both, channeler_callbacks *callbacks) {
    (void)both;
    callbacks->on_accept = side_accept;
}

static void arrange_message(pair *both, channeler_callbacks *callbacks) {
    (void)both;
    callbacks->on_event = NULL;
    callbacks->on_message = side_message;
}

static void freeing_inside_waits_for_the_callback(void) {
    free_in(arrange_nothing);
    free_in(arrange_accept);
    free_in(arrange_message);
}

static void free_the_other(side *self) {
    side *other = self == &world->a ? &world->b : &world->a;
    if (other->drops > 0) return;
    OK(channeler_node_free(other->node));
    CHECK(other->drops == 1); /* at once: no callback of it is running */
}

static void freeing_another_node_inside_works_at_once(void) {
    pair both;
    channeler_connection connection;
    channeler_channel channel;
    uint8_t buffer[2048];
    channeler_transmit transmit;

    pair_that_asks(&both);
    world = &both;
    both.b.also = free_the_other;
    OK(channeler_node_connect(both.a.node, &both.b.peer, &both.b.address, &connection));
    OK(channeler_channel_open(both.a.node, connection, NULL, &channel));
    CHECK(carry(&both.a, &both.b, both.now) == 1);
    carry(&both.b, &both.a, both.now);
    OK(channeler_node_poll_transmit(both.a.node, both.now, buffer, sizeof buffer, &transmit));
    OK(channeler_node_handle_datagram(both.b.node, both.now, &both.a.address, NULL, buffer,
                                      transmit.length));
    CHECK(both.b.asked == 1 && both.a.drops == 1);
    OK(channeler_node_free(both.b.node));
    CHECK(both.b.drops == 1);
}

static void free_in_release(void *user_data, const uint8_t *data, size_t length) {
    side *self = (side *)user_data;
    CHECK(data != NULL && length == 1);
    runs++;
    if (runs == 1) {
        OK(channeler_node_free(self->node));
    } else {
        STATUS(CHANNELER_ERR_STATE, channeler_node_free(self->node));
    }
    CHECK(self->drops == 0);
}

static void freeing_in_a_release_gives_the_others_back_too(void) {
    pair both;
    channeler_channel channel;
    int i;

    pair_new(&both);
    channel = pair_open(&both, NULL, NULL);
    runs = 0;
    for (i = 0; i < 3; i++) {
        OK(channeler_channel_send_buffer(both.a.node, channel, BYTES("x"), 1, free_in_release,
                                         &both.a));
    }
    OK(channeler_node_process(both.a.node, 0));
    CHECK(runs == 3 && both.a.drops == 1);
    OK(channeler_node_free(both.b.node));
}

static void use_in_drop(void *user_data) {
    side *self = (side *)user_data;
    self->drops++;
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(self->node));
    STATUS(CHANNELER_ERR_STATE, channeler_node_process(self->node, 0));
    STATUS(CHANNELER_ERR_STATE, channeler_node_wake(self->node));
}

static void in_drop_the_node_is_gone_already(void) {
    side self;
    channeler_callbacks callbacks;
    memset(&self, 0, sizeof self);
    self.peer = peer_of(1);
    callbacks = side_callbacks(&self);
    callbacks.drop = use_in_drop;
    side_new(&self, &callbacks);
    OK(channeler_node_free(self.node));
    CHECK(self.drops == 1);
    OK(channeler_node_new(NULL, &callbacks, &self.node));
    OK(channeler_node_free(self.node));
    CHECK(self.drops == 2);
}

static void the_log_is_silent_below_its_level(void) {
    pair both;
    channeler_callbacks callbacks;
    channeler_options options;

    pair_init(&both);
    callbacks = side_callbacks(&both.a);
    options = sans_io_options(&both.a);
    options.log_level = CHANNELER_LOG_ERROR;
    OK(channeler_node_new(&options, &callbacks, &both.a.node));
    OK(channeler_node_handle_timeout(both.a.node, both.now));
    callbacks = side_callbacks(&both.b);
    side_new(&both.b, &callbacks);
    pair_open(&both, NULL, NULL);
    CHECK(both.a.log_lines == 0 && both.b.log_lines > 0);
    pair_free(&both);
}

int main(void) {
    messages_come_lent_and_are_not_kept();
    accept_is_asked_and_obeyed();
    early_messages_reach_on_message_after_on_accept();
    every_call_is_legal_inside();
    freeing_inside_waits_for_the_callback();
    freeing_another_node_inside_works_at_once();
    freeing_in_a_release_gives_the_others_back_too();
    in_drop_the_node_is_gone_already();
    the_log_is_silent_below_its_level();
    return 0;
}
