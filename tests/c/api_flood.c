/* A flooded node whose owner polls only the descriptor: it drains all, and stays of use. */
#include "loopback.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD 500

static uint64_t received(channeler_node *node) {
    channeler_node_counters counters;
    counters.struct_size = sizeof counters;
    OK(channeler_node_stats(node, &counters));
    return counters.datagrams_received;
}

/* Fills the socket's buffer with datagrams, each of its own size so that none are joined. */
static uint64_t flood(int from, const channeler_address *to) {
    struct sockaddr_storage storage;
    size_t length;
    uint8_t junk[400];
    uint64_t sent = 0;
    int i;

    memset(junk, 0x0c, sizeof junk);
    OK(channeler_address_to_sockaddr(to, &storage, sizeof storage, &length));
    for (i = 0; i < FLOOD; i++) {
        size_t size = 1 + (size_t)(i * 7 % 390);
        if (sendto(from, junk, size, 0, (struct sockaddr *)&storage, (socklen_t)length) > 0) {
            sent++;
        }
    }
    return sent;
}

static void all_is_drained_by_the_descriptor_alone(void) {
    end self;
    struct pollfd fd;
    int from = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t sent, before = 0;
    int round;

    CHECK(from >= 0);
    end_new(&self, "127.0.0.1:0", echo);
    OK(channeler_node_fd(self.node, &fd.fd));
    fd.events = POLLIN;
    for (round = 0; round < 3; round++) {
        sent = flood(from, &self.address);
        CHECK(sent == FLOOD);
        while (received(self.node) - before < sent) {
            CHECK(poll(&fd, 1, 10000) == 1); /* never asks for the timeout */
            OK(channeler_node_process(self.node, 0));
        }
        before = received(self.node);
    }
    /* Afterwards it sleeps: the descriptor does not stay readable. */
    for (round = 0; round < 100 && poll(&fd, 1, 0) == 1; round++) {
        OK(channeler_node_process(self.node, 0));
    }
    CHECK(round < 100);
    close(from);
    OK(channeler_node_free(self.node));
    end_destroy(&self);
}

static void a_channel_opens_through_the_flood(void) {
    end asker, echoer;
    struct pollfd fd;
    int from = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t until = clock_ns() + PATIENCE;
    channeler_connection connection;
    channeler_channel channel;
    int32_t status;

    end_new(&asker, "127.0.0.1:0", ask_again);
    end_new(&echoer, "127.0.0.1:0", echo);
    OK(channeler_node_start(asker.node));
    OK(channeler_node_fd(echoer.node, &fd.fd));
    fd.events = POLLIN;
    OK(channeler_node_connect(asker.node, &echoer.peer, &echoer.address, &connection));
    OK(channeler_channel_open(asker.node, connection, NULL, &channel));
    while (end_read(&asker, &asker.answers) < 3) {
        flood(from, &echoer.address);
        while (poll(&fd, 1, 1) == 1) OK(channeler_node_process(echoer.node, 0));
        /* A question that the flood swallowed is lost. */
        status = channeler_channel_send(asker.node, channel, BYTES("question"), 8);
        CHECK(status == CHANNELER_OK || status == CHANNELER_ERR_WOULD_BLOCK);
        CHECK(clock_ns() < until);
    }
    close(from);
    OK(channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

int main(void) {
    end_legacy = CHANNELER_LEGACY_ONLY;
    all_is_drained_by_the_descriptor_alone();
    a_channel_opens_through_the_flood();
    end_legacy = CHANNELER_LEGACY_OFF;
    all_is_drained_by_the_descriptor_alone();
    a_channel_opens_through_the_flood();
    return 0;
}
