/* Nodes on loopback sockets, run one after the other in one thread, and a record of what their
 * callbacks were told. */
#ifndef LIVE_H
#define LIVE_H

#include "check.h"

#define KINDS 16
#define LIVE_MAX 4
#define KEY_LINES_MAX 64
#define PATIENCE (60 * SECOND)

typedef struct live {
    channeler_node *node;
    channeler_peer_id peer;
    channeler_public_key key;
    channeler_address address;
    /* How often each kind of event came, and the last of each, with its text. */
    int events[KINDS];
    channeler_event last[KINDS];
    char said[KINDS][256];
    /* Messages that came through `on_message`. */
    int messages;
    char message[2048];
    channeler_channel message_channel;
    /* Those that `on_accept` was asked about. */
    int asked;
    int32_t answer;
    channeler_peer_id asked_peer;
    channeler_connection_details asked_details;
    int key_lines;
    char key_line[KEY_LINES_MAX][512];
    int drops;
    /* Called at the end of each callback, if set. */
    void (*also)(struct live *self);
} live;

static live *lives[LIVE_MAX];

/* Lets time pass for all nodes until the condition holds. */
#define UNTIL(condition)                                                                        \
    do {                                                                                        \
        uint64_t until_ = clock_ns() + PATIENCE;                                                \
        while (!(condition)) {                                                                  \
            CHECK(clock_ns() < until_ && #condition != NULL);                                   \
            live_turn();                                                                        \
        }                                                                                       \
    } while (0)

static inline void live_turn(void) {
    int i;
    for (i = 0; i < LIVE_MAX; i++) {
        if (lives[i] != NULL) OK(channeler_node_process(lives[i]->node, 500000));
    }
}

static inline int32_t live_accept(void *user_data, channeler_node *node,
                                  channeler_connection connection, const channeler_peer_id *peer,
                                  const channeler_address *address) {
    live *self = (live *)user_data;
    CHECK(node == self->node && connection.id != 0 && address->port != 0);
    self->asked++;
    self->asked_peer = *peer;
    self->asked_details.struct_size = sizeof self->asked_details;
    OK(channeler_connection_info(node, connection, &self->asked_details));
    if (self->also) self->also(self);
    return self->answer;
}

static inline void live_event(void *user_data, channeler_node *node,
                              const channeler_event *event) {
    live *self = (live *)user_data;
    CHECK(node == self->node && self->drops == 0);
    CHECK(event->struct_size == sizeof *event && event->kind > 0 && event->kind < KINDS);
    self->events[event->kind]++;
    self->last[event->kind] = *event;
    snprintf(self->said[event->kind], sizeof self->said[0], "%s",
             event->text != NULL ? event->text : "");
    if (self->also) self->also(self);
}

static inline void live_message(void *user_data, channeler_node *node,
                                channeler_connection connection, channeler_channel channel,
                                const uint8_t *data, size_t length) {
    live *self = (live *)user_data;
    CHECK(node == self->node && connection.id != 0 && length < sizeof self->message);
    self->messages++;
    self->message_channel = channel;
    memcpy(self->message, data, length);
    self->message[length] = 0;
    if (self->also) self->also(self);
}

static inline void live_key_log(void *user_data, channeler_node *node, const char *line) {
    live *self = (live *)user_data;
    CHECK(node == self->node && self->key_lines < KEY_LINES_MAX);
    snprintf(self->key_line[self->key_lines++], sizeof self->key_line[0], "%s", line);
    if (self->also) self->also(self);
}

static inline void live_drop(void *user_data) {
    live *self = (live *)user_data;
    self->drops++;
}

/* All callbacks but `on_accept`, told to `self`. */
static inline channeler_callbacks live_callbacks(live *self) {
    channeler_callbacks callbacks;
    OK(channeler_callbacks_init(&callbacks, sizeof callbacks));
    callbacks.user_data = self;
    callbacks.drop = live_drop;
    callbacks.on_event = live_event;
    callbacks.on_message = live_message;
    return callbacks;
}

static inline channeler_options live_options(void) {
    channeler_options options;
    OK(channeler_options_init(&options, sizeof options));
    return options;
}

/* Makes a node and binds it. */
static inline void live_new(live *self, const channeler_options *options,
                            const channeler_callbacks *callbacks) {
    channeler_address any = address_of("127.0.0.1:0");
    int i;
    OK(channeler_node_new(options, callbacks, &self->node));
    OK(channeler_node_bind(self->node, &any));
    OK(channeler_node_local_address(self->node, 0, &self->address));
    OK(channeler_node_peer_id(self->node, &self->peer));
    if (options->legacy != CHANNELER_LEGACY_ONLY) {
        OK(channeler_node_public_key(self->node, &self->key));
    }
    for (i = 0; lives[i] != NULL; i++) CHECK(i + 1 < LIVE_MAX);
    lives[i] = self;
}

/* One with defaults and all callbacks but `on_accept`. */
static inline void live_start(live *self) {
    channeler_options options = live_options();
    channeler_callbacks callbacks;
    memset(self, 0, sizeof *self);
    callbacks = live_callbacks(self);
    live_new(self, &options, &callbacks);
}

/* Frees all nodes. */
static inline void live_end(void) {
    int i;
    for (i = 0; i < LIVE_MAX; i++) {
        if (lives[i] == NULL) continue;
        OK(channeler_node_free(lives[i]->node));
        CHECK(lives[i]->drops == 1);
        lives[i] = NULL;
    }
}

/* A connection from `a` to `b`, done on both sides. */
static inline channeler_connection live_connect(live *a, live *b) {
    channeler_connection connection;
    int at_a = a->events[CHANNELER_EVENT_CONNECTED], at_b = b->events[CHANNELER_EVENT_CONNECTED];
    OK(channeler_node_connect(a->node, &b->peer, &b->address, &connection));
    UNTIL(a->events[CHANNELER_EVENT_CONNECTED] > at_a);
    UNTIL(b->events[CHANNELER_EVENT_CONNECTED] > at_b);
    return connection;
}

static inline channeler_connection_details live_details(live *self, channeler_connection of) {
    channeler_connection_details details;
    details.struct_size = sizeof details;
    OK(channeler_connection_info(self->node, of, &details));
    return details;
}

static inline void live_say(live *self, channeler_channel channel, const char *text) {
    OK(channeler_channel_send(self->node, channel, BYTES(text), strlen(text)));
}

#endif
