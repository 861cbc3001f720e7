/* The three ways to run a node, on loopback sockets: a hundred questions and answers in each. */
#include "loopback.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

static void in_the_callers_thread(const char *address) {
    end asker, echoer;
    uint64_t until = clock_ns() + PATIENCE;

    end_new(&asker, address, ask_again);
    end_new(&echoer, address, echo);
    end_dial(&asker, &echoer);
    while (asker.answers < ROUNDS) {
        OK(channeler_node_process(asker.node, 1000000));
        OK(channeler_node_process(echoer.node, 1000000));
        CHECK(clock_ns() < until);
    }
    CHECK(asker.opened == 1 && echoer.opened == 1);
    OK(channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

static void in_threads_of_their_own(void) {
    end asker, echoer;

    end_new(&asker, "127.0.0.1:0", ask_again);
    end_new(&echoer, "127.0.0.1:0", echo);
    OK(channeler_node_start(asker.node));
    OK(channeler_node_start(echoer.node));
    STATUS(CHANNELER_ERR_STATE, channeler_node_start(echoer.node));
    STATUS(CHANNELER_ERR_STATE, channeler_node_process(echoer.node, 0));
    CHECK(strstr(channeler_last_error(), "thread of its own") != NULL);
    end_dial(&asker, &echoer);
    end_wait(&asker, &asker.answers, ROUNDS);
    /* Stopped, it can be run otherwise, and started again. */
    OK(channeler_node_stop(echoer.node));
    OK(channeler_node_stop(echoer.node));
    OK(channeler_node_process(echoer.node, 0));
    OK(channeler_node_start(echoer.node));
    OK(channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node)); /* while its thread runs */
    end_destroy(&asker);
    end_destroy(&echoer);
}

static void in_the_callers_own_loop(void) {
    end ends[2];
    struct pollfd fds[2];
    uint64_t until = clock_ns() + PATIENCE;
    int i, waits = 0;

    end_new(&ends[0], "127.0.0.1:0", ask_again);
    end_new(&ends[1], "127.0.0.1:0", echo);
    for (i = 0; i < 2; i++) {
        OK(channeler_node_fd(ends[i].node, &fds[i].fd));
        fds[i].events = POLLIN;
    }
    end_dial(&ends[0], &ends[1]);
    while (ends[0].answers < ROUNDS) {
        int64_t least = -1;
        for (i = 0; i < 2; i++) {
            int64_t timeout;
            OK(channeler_node_timeout(ends[i].node, &timeout));
            if (timeout >= 0 && (least < 0 || timeout < least)) least = timeout;
        }
        CHECK(poll(fds, 2, least < 0 ? 10000 : (int)((least + 999999) / 1000000)) >= 0);
        for (i = 0; i < 2; i++) OK(channeler_node_process(ends[i].node, 0));
        CHECK(clock_ns() < until);
        waits++;
    }
    CHECK(waits < 100 * ROUNDS); /* it slept: no busy loop */
    for (i = 0; i < 2; i++) {
        OK(channeler_node_free(ends[i].node));
        end_destroy(&ends[i]);
    }
}

static void sends_leave_with_flush(void) {
    end asker, echoer;
    uint64_t until = clock_ns() + PATIENCE;

    end_new(&asker, "127.0.0.1:0", ask_again);
    end_new(&echoer, "127.0.0.1:0", echo);
    end_dial(&asker, &echoer);
    OK(channeler_node_flush(asker.node));
    while (echoer.opened == 0) {
        channeler_node_counters counters;
        counters.struct_size = sizeof counters;
        OK(channeler_node_process(echoer.node, 1000000));
        OK(channeler_node_stats(echoer.node, &counters));
        if (counters.datagrams_received > 0) break; /* nobody processed the asker */
        CHECK(clock_ns() < until);
    }
    OK(channeler_node_free(asker.node));
    OK(channeler_node_free(echoer.node));
    end_destroy(&asker);
    end_destroy(&echoer);
}

static channeler_node *to_wake;

static void wake_from_signal(int number) {
    int32_t status = channeler_node_wake(to_wake);
    (void)number;
    if (status != CHANNELER_OK) _exit(3);
}

static void *signal_later(void *main_thread) {
    struct timespec pause = {0, 1000000};
    int i;
    /* Again and again: one may come before the other thread sleeps. */
    for (i = 0; i < 20; i++) {
        nanosleep(&pause, NULL);
        CHECK(pthread_kill(*(pthread_t *)main_thread, SIGUSR1) == 0);
    }
    return NULL;
}

static void wake_works_in_a_signal_handler(void) {
    pthread_t thread, self = pthread_self();
    struct sigaction action;
    end lonely;

    end_new(&lonely, "127.0.0.1:0", echo);
    to_wake = lonely.node;
    memset(&action, 0, sizeof action);
    action.sa_handler = wake_from_signal;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, signal_later, &self) == 0);
    OK(channeler_node_process(lonely.node, -1)); /* for ever, but for the wake */
    CHECK(pthread_join(thread, NULL) == 0);
    OK(channeler_node_wake(lonely.node));
    OK(channeler_node_process(lonely.node, -1)); /* a wake beforehand counts too */
    OK(channeler_node_free(lonely.node));
    end_destroy(&lonely);
}

static void in_all_ways(uint32_t legacy) {
    end_legacy = legacy;
    in_the_callers_thread("127.0.0.1:0");
    in_the_callers_thread("[::1]:0");
    in_threads_of_their_own();
    in_the_callers_own_loop();
    sends_leave_with_flush();
}

int main(void) {
    in_all_ways(CHANNELER_LEGACY_OFF);
    in_all_ways(CHANNELER_LEGACY_ONLY);
    wake_works_in_a_signal_handler();
    return 0;
}
