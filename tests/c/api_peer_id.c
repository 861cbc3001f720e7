/* Peer ids: random, from text, to text, and what is refused. */
#include "check.h"

static void random_ones_differ(void) {
    channeler_peer_id one, other;
    OK(channeler_peer_id_random(&one));
    OK(channeler_peer_id_random(&other));
    CHECK(memcmp(&one, &other, sizeof one) != 0);
    INVALID(channeler_peer_id_random(NULL));
}

static void text_round_trips(void) {
    const char *text = "0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
    char buffer[CHANNELER_PEER_ID_TEXT_MAX];
    channeler_peer_id peer, again;

    OK(channeler_peer_id_parse(text, &peer));
    CHECK(peer.bytes[0] == 0xa0 && peer.bytes[15] == 0xaf);
    OK(channeler_peer_id_parse(text + 2, &again));
    CHECK(memcmp(&peer, &again, sizeof peer) == 0);
    OK(channeler_peer_id_format(&peer, buffer, sizeof buffer));
    CHECK(strcmp(buffer, text) == 0);
}

static void bad_text_changes_nothing(void) {
    const char *bad[] = {"", "0x", "a0a1", "0xg0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
                         "0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf0", "\xff\xfe"};
    channeler_peer_id peer;
    size_t i;

    memset(&peer, 7, sizeof peer);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        STATUS(CHANNELER_ERR_DECODE, channeler_peer_id_parse(bad[i], &peer));
    }
    INVALID(channeler_peer_id_parse(NULL, &peer));
    INVALID(channeler_peer_id_parse("a", NULL));
    for (i = 0; i < sizeof peer; i++) CHECK(peer.bytes[i] == 7);
}

static void a_short_buffer_is_not_touched(void) {
    channeler_peer_id peer;
    char buffer[CHANNELER_PEER_ID_TEXT_MAX];

    memset(&peer, 1, sizeof peer);
    memset(buffer, 'z', sizeof buffer);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_peer_id_format(&peer, buffer, sizeof buffer - 1));
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE, channeler_peer_id_format(&peer, buffer, 0));
    CHECK(buffer[0] == 'z' && strstr(channeler_last_error(), "35") != NULL);
    INVALID(channeler_peer_id_format(NULL, buffer, sizeof buffer));
    INVALID(channeler_peer_id_format(&peer, NULL, sizeof buffer));
    INVALID(channeler_peer_id_format(&peer, buffer, SIZE_MAX));
}

int main(void) {
    random_ones_differ();
    text_round_trips();
    bad_text_changes_nothing();
    a_short_buffer_is_not_touched();
    return 0;
}
