/* Versions, names and texts of errors, and the last failure, which each thread has alone. */
#include "check.h"

#include <pthread.h>

static void versions_are_those_of_the_header(void) {
    CHECK(strcmp(channeler_version(), CHANNELER_VERSION) == 0);
    CHECK(channeler_abi_version() == CHANNELER_ABI_VERSION);
}

static void every_error_has_a_name_and_a_text(void) {
    int32_t status;
    CHECK(strcmp(channeler_error_name(CHANNELER_OK), "CHANNELER_OK") == 0);
    CHECK(strcmp(channeler_error_name(CHANNELER_ERR_STATE), "CHANNELER_ERR_STATE") == 0);
    for (status = 1; status <= CHANNELER_ERR_TOO_LARGE; status++) {
        CHECK(strncmp(channeler_error_name(status), "CHANNELER_ERR_", 14) == 0);
        CHECK(strcmp(channeler_error_name(status), "CHANNELER_ERR_UNKNOWN") != 0);
        CHECK(channeler_error_text(status)[0] != 0);
    }
    CHECK(channeler_error_text(0)[0] != 0);
}

static void numbers_that_are_not_ours_are_unknown(void) {
    const int32_t strange[] = {-1, CHANNELER_ERR_TOO_LARGE + 1, CHANNELER_ERR_USER, INT32_MAX,
                               INT32_MIN};
    size_t i;
    for (i = 0; i < sizeof strange / sizeof *strange; i++) {
        CHECK(strcmp(channeler_error_name(strange[i]), "CHANNELER_ERR_UNKNOWN") == 0);
        CHECK(channeler_error_text(strange[i])[0] != 0);
    }
}

static void *fail_elsewhere(void *unused) {
    CHECK(strcmp(channeler_last_error(), "") == 0);
    INVALID(channeler_peer_id_random(NULL));
    CHECK(strstr(channeler_last_error(), "out") != NULL);
    return unused;
}

static void last_error_belongs_to_its_thread(void) {
    pthread_t thread;
    channeler_peer_id peer;
    char before[256];

    CHECK(strcmp(channeler_last_error(), "") == 0);
    STATUS(CHANNELER_ERR_DECODE, channeler_peer_id_parse("0x12", &peer));
    CHECK(strstr(channeler_last_error(), "32 hexadecimal digits") != NULL);
    snprintf(before, sizeof before, "%s", channeler_last_error());
    CHECK(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(channeler_peer_id_random(&peer));
    CHECK(strcmp(channeler_last_error(), before) == 0);
}

static void drop_reasons_have_names_to_the_last(void) {
    size_t i;
    for (i = 0; i < CHANNELER_DROP_COUNT; i++) {
        CHECK(channeler_drop_reason_name(i) != NULL);
        CHECK(channeler_drop_reason_name(i)[0] != 0);
    }
    CHECK(strcmp(channeler_drop_reason_name(CHANNELER_DROP_BAD_CHECKSUM), "bad_checksum") == 0);
    CHECK(channeler_drop_reason_name(CHANNELER_DROP_COUNT) == NULL);
    CHECK(channeler_drop_reason_name(SIZE_MAX) == NULL);
    CHECK(CHANNELER_DROP_COUNT <= CHANNELER_DROP_PLACES);
}

int main(void) {
    last_error_belongs_to_its_thread(); /* first: no failure yet */
    versions_are_those_of_the_header();
    every_error_has_a_name_and_a_text();
    numbers_that_are_not_ours_are_unknown();
    drop_reasons_have_names_to_the_last();
    return 0;
}
