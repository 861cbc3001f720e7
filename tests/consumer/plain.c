/* A C program that takes the header of the reference's name: it has the C API. */
#include <channeler/channeler.h>

#include <stdio.h>

int main(void) {
    channeler_peer_id peer;
    char text[CHANNELER_PEER_ID_TEXT_MAX];
    if (channeler_abi_version() != CHANNELER_ABI_VERSION) return 1;
    if (channeler_peer_id_random(&peer) != CHANNELER_OK) return 1;
    if (channeler_peer_id_format(&peer, text, sizeof text) != CHANNELER_OK) return 1;
    printf("%s %s\n", channeler_version(), text);
    return 0;
}
