/* Threads: calls from many at once, and freeing while others are inside. */
#include "loopback.h"

#include <sched.h>

#define CALLERS 4
#define CALLS 300

typedef struct caller {
    pthread_t thread;
    end *self;
    end *other;
    channeler_connection connection;
    int32_t result;
} caller;

static void start(caller *callers, int count, void *(*run)(void *), end *self, end *other) {
    int i;
    for (i = 0; i < count; i++) {
        callers[i].self = self;
        callers[i].other = other;
        callers[i].result = -1;
        CHECK(pthread_create(&callers[i].thread, NULL, run, &callers[i]) == 0);
    }
}

static void join(caller *callers, int count) {
    int i;
    for (i = 0; i < count; i++) CHECK(pthread_join(callers[i].thread, NULL) == 0);
}

static void *use_all(void *argument) {
    caller *self = (caller *)argument;
    channeler_node *node = self->self->node;
    int i;
    for (i = 0; i < CALLS; i++) {
        channeler_connection connection;
        channeler_channel channel;
        channeler_node_counters counters;
        uint8_t buffer[64];
        size_t length;
        int32_t status;

        status = channeler_node_connect(node, &self->other->peer, &self->other->address,
                                        &connection);
        if (status == CHANNELER_ERR_STATE) { /* another thread is closing it */
            sched_yield();
            continue;
        }
        OK(status);
        status = channeler_channel_open(node, connection, NULL, &channel);
        /* Another thread closed it. */
        if (status == CHANNELER_ERR_INVALID_REFERENCE || status == CHANNELER_ERR_CLOSED) continue;
        OK(status);
        status = channeler_channel_send(node, channel, BYTES("x"), 1);
        CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_INVALID_CHANNELID ||
              status == CHANNELER_ERR_WOULD_BLOCK || status == CHANNELER_ERR_CLOSED);
        status = channeler_channel_receive(node, channel, buffer, sizeof buffer, &length, NULL);
        CHECK(status == CHANNELER_ERR_DATA_UNAVAILABLE ||
              status == CHANNELER_ERR_INVALID_CHANNELID);
        counters.struct_size = sizeof counters;
        OK(channeler_node_stats(node, &counters));
        OK(channeler_node_wake(node));
        OK(channeler_node_flush(node));
        status = channeler_channel_close(node, channel);
        CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_INVALID_CHANNELID ||
              status == CHANNELER_ERR_CLOSED);
        if (i % 50 == 49) channeler_connection_close(node, connection);
    }
    return NULL;
}

static void calls_from_many_threads_at_once(void) {
    end asker, echoer;
    caller callers[CALLERS];

    end_new(&asker, "127.0.0.1:0", echo);
    end_new(&echoer, "127.0.0.1:0", echo);
    asker.is_quiet = 1;
    OK(channeler_node_start(asker.node));
    OK(channeler_node_start(echoer.node));
    start(callers, CALLERS, use_all, &asker, &echoer);
    join(callers, CALLERS);
    end_wait(&asker, &asker.closed, 1);
    OK(channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

static void *use_until_freed(void *argument) {
    caller *self = (caller *)argument;
    channeler_node *node = self->self->node;
    int32_t status = CHANNELER_OK;
    while (status == CHANNELER_OK) {
        channeler_node_counters counters;
        int64_t timeout;
        counters.struct_size = sizeof counters;
        status = channeler_node_stats(node, &counters);
        if (status == CHANNELER_OK) status = channeler_node_wake(node);
        if (status == CHANNELER_OK) status = channeler_node_timeout(node, &timeout);
        if (status == CHANNELER_OK) end_changed(self->self, &self->self->opened);
    }
    self->result = status;
    return NULL;
}

static void freeing_under_calls_of_other_threads(void) {
    int round, i;
    for (round = 0; round < 10; round++) {
        end self;
        caller callers[CALLERS];
        end_new(&self, "127.0.0.1:0", echo);
        if (round % 2) OK(channeler_node_start(self.node));
        start(callers, CALLERS, use_until_freed, &self, NULL);
        end_wait(&self, &self.opened, 20);
        OK(channeler_node_free(self.node));
        CHECK(self.drops == 1);
        join(callers, CALLERS);
        for (i = 0; i < CALLERS; i++) CHECK(callers[i].result == CHANNELER_ERR_STATE);
        end_destroy(&self);
    }
}

static void *process_until_freed(void *argument) {
    caller *self = (caller *)argument;
    do {
        end_changed(self->self, &self->self->opened);
        self->result = channeler_node_process(self->self->node, -1);
    } while (self->result == CHANNELER_OK);
    return NULL;
}

static void freeing_ends_a_process_that_waits_for_ever(void) {
    int round;
    for (round = 0; round < 20; round++) {
        end self;
        caller processor;
        end_new(&self, "127.0.0.1:0", echo);
        start(&processor, 1, process_until_freed, &self, NULL);
        end_wait(&self, &self.opened, 1);
        OK(channeler_node_free(self.node));
        CHECK(self.drops == 1);
        join(&processor, 1);
        CHECK(processor.result == CHANNELER_ERR_STATE);
        end_destroy(&self);
    }
}

static void *free_it(void *argument) {
    caller *self = (caller *)argument;
    self->result = channeler_node_free(self->self->node);
    return NULL;
}

static void of_many_frees_one_is_right(void) {
    int round, i, good = 0;
    for (round = 0; round < 10; round++) {
        end self;
        caller callers[CALLERS];
        end_new(&self, "127.0.0.1:0", echo);
        OK(channeler_node_start(self.node));
        start(callers, CALLERS, free_it, &self, NULL);
        join(callers, CALLERS);
        for (i = 0; i < CALLERS; i++) {
            CHECK(callers[i].result == CHANNELER_OK || callers[i].result == CHANNELER_ERR_STATE);
            good += callers[i].result == CHANNELER_OK;
        }
        CHECK(good == round + 1);
        end_destroy(&self);
    }
}

static void freeing_inside_a_callback_of_its_own_thread(void) {
    end asker, echoer;

    end_new(&asker, "127.0.0.1:0", ask_again);
    end_new(&echoer, "127.0.0.1:0", echo);
    asker.mischief = 1;
    OK(channeler_node_start(asker.node));
    OK(channeler_node_start(echoer.node));
    end_dial(&asker, &echoer);
    end_wait(&asker, &asker.drops, 1);
    CHECK(end_read(&asker, &asker.answers) == 1);
    STATUS(CHANNELER_ERR_STATE, channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

static int callback_returned;

/* Stays inside until somebody frees the node, and then a little. */
static void outlast_free(void *user_data, channeler_node *node, const channeler_event *event) {
    end *self = (end *)user_data;
    channeler_peer_id peer;
    (void)event;
    end_changed(self, &self->opened);
    while (channeler_node_peer_id(node, &peer) == CHANNELER_OK) sched_yield();
    pthread_mutex_lock(&self->lock);
    callback_returned = 1;
    pthread_mutex_unlock(&self->lock);
}

static void freeing_waits_for_the_callback_of_another_thread(void) {
    end self;
    channeler_callbacks callbacks;
    channeler_connection connection;
    channeler_address nowhere = address_of("127.0.0.1:9");
    channeler_peer_id peer = peer_of(2);

    end_new(&self, "127.0.0.1:0", echo);
    OK(channeler_node_free(self.node));
    self.drops = 0;
    OK(channeler_callbacks_init(&callbacks, sizeof callbacks));
    callbacks.user_data = &self;
    callbacks.on_event = outlast_free;
    callbacks.drop = end_drop;
    OK(channeler_node_new(NULL, &callbacks, &self.node));
    OK(channeler_node_start(self.node));
    OK(channeler_node_connect(self.node, &peer, &nowhere, &connection));
    OK(channeler_connection_close(self.node, connection));
    end_wait(&self, &self.opened, 1);
    OK(channeler_node_free(self.node));
    CHECK(callback_returned == 1 && self.drops == 1 && self.opened == 1);
    end_destroy(&self);
}

static void *start_and_stop(void *argument) {
    caller *self = (caller *)argument;
    int i;
    for (i = 0; i < 30; i++) {
        int32_t status = channeler_node_start(self->self->node);
        CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_STATE);
        OK(channeler_node_stop(self->self->node));
    }
    return NULL;
}

static void starting_and_stopping_from_many_threads(void) {
    end self;
    caller callers[CALLERS];
    end_new(&self, "127.0.0.1:0", echo);
    start(callers, CALLERS, start_and_stop, &self, NULL);
    join(callers, CALLERS);
    OK(channeler_node_process(self.node, 0));
    OK(channeler_node_free(self.node));
    end_destroy(&self);
}

static void give_back(void *user_data, const uint8_t *data, size_t length) {
    end *self = (end *)user_data;
    CHECK(data != NULL && length == 1);
    end_changed(self, &self->closed);
}

static void lent_buffers_come_back_from_the_own_thread(void) {
    end asker, echoer;
    channeler_connection connection;
    channeler_channel channel;
    int i;

    end_new(&asker, "127.0.0.1:0", echo);
    end_new(&echoer, "127.0.0.1:0", echo);
    OK(channeler_node_connect(asker.node, &echoer.peer, &echoer.address, &connection));
    OK(channeler_channel_open(asker.node, connection, NULL, &channel));
    OK(channeler_node_start(asker.node));
    for (i = 1; i <= 50; i++) {
        OK(channeler_channel_send_buffer(asker.node, channel, BYTES("x"), 1, give_back, &asker));
        if (i % 2) OK(channeler_node_flush(asker.node));
        end_wait(&asker, &asker.closed, i);
    }
    OK(channeler_node_free(asker.node));
    CHECK(asker.closed == 50);
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

int main(void) {
    calls_from_many_threads_at_once();
    freeing_under_calls_of_other_threads();
    freeing_ends_a_process_that_waits_for_ever();
    of_many_frees_one_is_right();
    freeing_inside_a_callback_of_its_own_thread();
    freeing_waits_for_the_callback_of_another_thread();
    starting_and_stopping_from_many_threads();
    lent_buffers_come_back_from_the_own_thread();
    return 0;
}
