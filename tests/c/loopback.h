/* Two nodes on loopback sockets: one asks a hundred times, the other echoes. In version 1, or in
 * version 0 when `end_legacy` says so. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "check.h"

#include <pthread.h>

#define ROUNDS 100
#define PATIENCE (60 * SECOND)

static uint32_t end_legacy = CHANNELER_LEGACY_OFF;

typedef struct end {
    channeler_node *node;
    channeler_peer_id peer;
    channeler_address address;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answers;
    int opened;
    int closed;
    int drops;
    int inside;
    /* Frees the node in its first message. */
    int mischief;
    /* Asks nothing when a channel opens. */
    int is_quiet;
} end;

static inline void end_changed(end *self, int *counter) {
    pthread_mutex_lock(&self->lock);
    ++*counter;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static inline int end_read(end *self, const int *counter) {
    int value;
    pthread_mutex_lock(&self->lock);
    value = *counter;
    pthread_mutex_unlock(&self->lock);
    return value;
}

/* Waits for other threads to bring a counter to `least`. */
static inline void end_wait(end *self, const int *counter, int least) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE / SECOND;
    pthread_mutex_lock(&self->lock);
    while (*counter < least) {
        CHECK(pthread_cond_timedwait(&self->changed, &self->lock, &until) == 0);
    }
    pthread_mutex_unlock(&self->lock);
}

static inline void end_enter(end *self) {
    pthread_mutex_lock(&self->lock);
    CHECK(self->inside == 0 && self->drops == 0); /* one at a time, and none after the last */
    self->inside = 1;
    pthread_mutex_unlock(&self->lock);
}

static inline void end_leave(end *self) {
    pthread_mutex_lock(&self->lock);
    self->inside = 0;
    pthread_mutex_unlock(&self->lock);
}

static inline void end_event(void *user_data, channeler_node *node,
                             const channeler_event *event) {
    end *self = (end *)user_data;
    end_enter(self);
    if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) {
        if (!event->by_peer && !self->is_quiet) {
            OK(channeler_channel_send(node, event->channel, BYTES("question"), 8));
        }
        end_changed(self, &self->opened);
    } else if (event->kind == CHANNELER_EVENT_CHANNEL_CLOSED) {
        end_changed(self, &self->closed);
    }
    end_leave(self);
}

static inline void ask_again(void *user_data, channeler_node *node,
                             channeler_connection connection, channeler_channel channel,
                             const uint8_t *data, size_t length) {
    end *self = (end *)user_data;
    int32_t status;
    (void)connection;
    end_enter(self);
    CHECK(length == 8 && memcmp(data, "question", 8) == 0);
    STATUS(CHANNELER_ERR_STATE, channeler_node_process(node, 0));
    STATUS(CHANNELER_ERR_STATE, channeler_node_stop(node));
    if (self->mischief) {
        OK(channeler_node_free(node));
        STATUS(CHANNELER_ERR_STATE, channeler_node_free(node));
    } else if (self->answers + 1 < ROUNDS) {
        status = channeler_channel_send(node, channel, data, length);
        /* The owner may be freeing the node meanwhile. */
        CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_STATE);
    }
    end_leave(self);
    end_changed(self, &self->answers);
}

static inline void echo(void *user_data, channeler_node *node, channeler_connection connection,
                        channeler_channel channel, const uint8_t *data, size_t length) {
    end *self = (end *)user_data;
    int32_t status;
    (void)connection;
    end_enter(self);
    status = channeler_channel_send(node, channel, data, length);
    /* The peer may have closed the channel behind its message, and the owner may be freeing us. */
    CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_CLOSED ||
          status == CHANNELER_ERR_STATE || status == CHANNELER_ERR_INVALID_CHANNELID ||
          status == CHANNELER_ERR_WOULD_BLOCK);
    end_leave(self);
}

static inline void end_drop(void *user_data) {
    end *self = (end *)user_data;
    end_changed(self, &self->drops);
}

static inline void end_new(end *self, const char *address, channeler_message_fn hear) {
    channeler_options options;
    channeler_callbacks callbacks;
    channeler_address any = address_of(address);

    memset(self, 0, sizeof *self);
    CHECK(pthread_mutex_init(&self->lock, NULL) == 0);
    CHECK(pthread_cond_init(&self->changed, NULL) == 0);
    OK(channeler_options_init(&options, sizeof options));
    options.legacy = end_legacy;
    /* Valgrind on a busy machine is slow. */
    options.attempt_timeout_ns = options.dial_timeout_ns = PATIENCE;
    OK(channeler_callbacks_init(&callbacks, sizeof callbacks));
    callbacks.user_data = self;
    callbacks.drop = end_drop;
    callbacks.on_event = end_event;
    callbacks.on_message = hear;
    OK(channeler_node_new(&options, &callbacks, &self->node));
    OK(channeler_node_peer_id(self->node, &self->peer));
    OK(channeler_node_bind(self->node, &any));
    OK(channeler_node_local_address(self->node, 0, &self->address));
}

static inline void end_destroy(end *self) {
    CHECK(self->drops == 1);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
}

/* The asker `one` connects to `other`, and opens a channel. */
static inline channeler_connection end_dial(end *one, end *other) {
    channeler_connection connection;
    channeler_channel channel;
    OK(channeler_node_connect(one->node, &other->peer, &other->address, &connection));
    OK(channeler_channel_open(one->node, connection, NULL, &channel));
    return connection;
}

#endif
