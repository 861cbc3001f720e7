/* Two sans-IO nodes in one program, a network between them, and a record of their callbacks. They
 * speak version 0, which sends the same bytes each time; live.h is for version 1. */
#ifndef PAIR_H
#define PAIR_H

#include "check.h"

#define KINDS 16

/* A node with what its callbacks were told. */
typedef struct side {
    channeler_node *node;
    channeler_peer_id peer;
    channeler_address address;
    /* How often each kind of event came, and the last of each. */
    int events[KINDS];
    channeler_event last[KINDS];
    /* Messages that came through `on_message`. */
    int messages;
    uint8_t message[2048];
    size_t message_length;
    int datagrams;
    int asked;
    int32_t answer;
    int log_lines;
    int drops;
    /* Called at the end of each callback, if set. */
    void (*also)(struct side *side);
} side;

typedef struct pair {
    side a;
    side b;
    uint64_t now;
} pair;

static inline int32_t side_accept(void *user_data, channeler_node *node,
                                  channeler_connection connection, const channeler_peer_id *peer,
                                  const channeler_address *address) {
    side *self = (side *)user_data;
    CHECK(node == self->node && connection.id != 0 && peer != NULL && address != NULL);
    self->asked++;
    if (self->also) self->also(self);
    return self->answer;
}

static inline void side_event(void *user_data, channeler_node *node,
                              const channeler_event *event) {
    side *self = (side *)user_data;
    CHECK(node == self->node);
    CHECK(event->struct_size == sizeof *event && event->kind > 0 && event->kind < KINDS);
    CHECK(self->drops == 0);
    self->events[event->kind]++;
    self->last[event->kind] = *event;
    if (self->also) self->also(self);
}

static inline void side_message(void *user_data, channeler_node *node,
                                channeler_connection connection, channeler_channel channel,
                                const uint8_t *data, size_t length) {
    side *self = (side *)user_data;
    CHECK(node == self->node && connection.id != 0 && channel.id != 0);
    CHECK(length > 0 && length <= sizeof self->message);
    self->messages++;
    memcpy(self->message, data, length);
    self->message_length = length;
    if (self->also) self->also(self);
}

static inline void side_datagram(void *user_data, channeler_node *node,
                                 const channeler_address *from, const uint8_t *data,
                                 size_t length) {
    side *self = (side *)user_data;
    CHECK(node == self->node && from != NULL && data != NULL && length > 0);
    self->datagrams++;
    if (self->also) self->also(self);
}

static inline void side_log(void *user_data, channeler_node *node, uint32_t level,
                            const char *text) {
    side *self = (side *)user_data;
    CHECK(node == self->node && text[0] != 0);
    CHECK(level >= CHANNELER_LOG_ERROR && level <= CHANNELER_LOG_DEBUG);
    self->log_lines++;
}

static inline void side_drop(void *user_data) {
    side *self = (side *)user_data;
    self->drops++;
}

/* All callbacks but `on_message` and `on_accept`, told to `self`. */
static inline channeler_callbacks side_callbacks(side *self) {
    channeler_callbacks callbacks;
    OK(channeler_callbacks_init(&callbacks, sizeof callbacks));
    callbacks.user_data = self;
    callbacks.drop = side_drop;
    callbacks.on_event = side_event;
    callbacks.on_datagram = side_datagram;
    callbacks.on_log = side_log;
    return callbacks;
}

static inline channeler_options sans_io_options(const side *self) {
    channeler_options options;
    OK(channeler_options_init(&options, sizeof options));
    options.mode = CHANNELER_MODE_SANS_IO;
    options.legacy = CHANNELER_LEGACY_ONLY;
    options.peer_id = self->peer;
    options.log_level = CHANNELER_LOG_DEBUG;
    memset(options.seed, self->peer.bytes[0], sizeof options.seed);
    return options;
}

/* Names both sides; their nodes are made by `pair_new` or by the test. */
static inline void pair_init(pair *both) {
    memset(both, 0, sizeof *both);
    both->now = SECOND;
    both->a.peer = peer_of(0xaa);
    both->b.peer = peer_of(0xbb);
    both->a.address = address_of("192.0.2.1:1000");
    both->b.address = address_of("192.0.2.2:2000");
    both->a.answer = both->b.answer = 1;
}

static inline void side_new(side *self, const channeler_callbacks *callbacks) {
    channeler_options options = sans_io_options(self);
    OK(channeler_node_new(&options, callbacks, &self->node));
    OK(channeler_node_handle_timeout(self->node, SECOND));
}

/* Two nodes that keep messages for `channeler_channel_receive`. */
static inline void pair_new(pair *both) {
    channeler_callbacks callbacks;
    pair_init(both);
    callbacks = side_callbacks(&both->a);
    side_new(&both->a, &callbacks);
    callbacks = side_callbacks(&both->b);
    side_new(&both->b, &callbacks);
}

static inline void pair_free(pair *both) {
    OK(channeler_node_free(both->a.node));
    OK(channeler_node_free(both->b.node));
    CHECK(both->a.drops == 1 && both->b.drops == 1);
}

/* Carries what `from` has to send to `to`; how many datagrams. */
static inline int carry(side *from, side *to, uint64_t now) {
    int count = 0;
    for (;;) {
        uint8_t buffer[2048];
        channeler_transmit transmit;
        int32_t status =
            channeler_node_poll_transmit(from->node, now, buffer, sizeof buffer, &transmit);
        if (status == CHANNELER_ERR_DATA_UNAVAILABLE) return count;
        OK(status);
        CHECK(same_address(&transmit.to, &to->address));
        CHECK(transmit.length > 0 && transmit.segment_size == transmit.length);
        OK(channeler_node_handle_datagram(to->node, now, &from->address, &to->address, buffer,
                                          transmit.length));
        count++;
    }
}

/* Carries datagrams both ways, without time passing, until none is left. */
static inline void pair_run(pair *both) {
    int carried;
    do {
        OK(channeler_node_process(both->a.node, 0));
        OK(channeler_node_process(both->b.node, 0));
        carried = carry(&both->a, &both->b, both->now);
        carried += carry(&both->b, &both->a, both->now);
    } while (carried > 0);
}

static inline void pair_wait(pair *both, uint64_t span_ns) {
    uint64_t end = both->now + span_ns;
    while (both->now < end) {
        uint64_t a, b, next;
        OK(channeler_node_poll_timeout(both->a.node, &a));
        OK(channeler_node_poll_timeout(both->b.node, &b));
        next = a < b ? a : b;
        both->now = next < end ? (next > both->now ? next : both->now + 1) : end;
        OK(channeler_node_handle_timeout(both->a.node, both->now));
        OK(channeler_node_handle_timeout(both->b.node, both->now));
        pair_run(both);
    }
}

/* Opens a channel from a to b, and checks that both heard of it. */
static inline channeler_channel pair_open(pair *both, channeler_connection *connection,
                                          channeler_channel *at_b) {
    channeler_channel channel;
    channeler_connection made;
    int before = both->b.events[CHANNELER_EVENT_CHANNEL_OPENED];
    OK(channeler_node_connect(both->a.node, &both->b.peer, &both->b.address, &made));
    OK(channeler_channel_open(both->a.node, made, NULL, &channel));
    pair_run(both);
    CHECK(both->a.last[CHANNELER_EVENT_CHANNEL_OPENED].channel.id == channel.id);
    CHECK(both->a.last[CHANNELER_EVENT_CHANNEL_OPENED].by_peer == 0);
    CHECK(both->b.events[CHANNELER_EVENT_CHANNEL_OPENED] == before + 1);
    CHECK(both->b.last[CHANNELER_EVENT_CHANNEL_OPENED].by_peer == 1);
    if (connection) *connection = made;
    if (at_b) *at_b = both->b.last[CHANNELER_EVENT_CHANNEL_OPENED].channel;
    return channel;
}

#endif
