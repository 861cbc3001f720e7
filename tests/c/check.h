/* What the C tests share: a check that says where it failed, and a few helpers. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <channeler.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Ends the program when the condition does not hold. */
#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n  last error: %s\n", __FILE__, __LINE__,        \
                    #condition, channeler_last_error());                                        \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

/* Ends the program when the call does not return the status; prints both by name. */
#define STATUS(expected, call)                                                                  \
    do {                                                                                        \
        int32_t status_ = (call);                                                               \
        if (status_ != (expected)) {                                                            \
            fprintf(stderr, "%s:%d: %s\n  is %s, not %s\n  last error: %s\n", __FILE__,         \
                    __LINE__, #call, channeler_error_name(status_),                             \
                    channeler_error_name(expected), channeler_last_error());                    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

#define OK(call) STATUS(CHANNELER_OK, call)
#define INVALID(call) STATUS(CHANNELER_ERR_INVALID_ARGUMENT, call)

#define SECOND ((uint64_t)1000000000)
#define BYTES(text) ((const uint8_t *)(text))

static inline channeler_address address_of(const char *text) {
    channeler_address address;
    OK(channeler_address_parse(text, &address));
    return address;
}

/* A peer id whose bytes are all `byte`. */
static inline channeler_peer_id peer_of(int byte) {
    channeler_peer_id peer;
    memset(&peer, byte, sizeof peer);
    return peer;
}

static inline int same_peer(const channeler_peer_id *one, const channeler_peer_id *other) {
    return memcmp(one, other, sizeof *one) == 0;
}

static inline int same_address(const channeler_address *one, const channeler_address *other) {
    return memcmp(one, other, sizeof *one) == 0;
}

/* Nanoseconds of the system's clock. */
static inline uint64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

#endif
