/* Addresses: text, the system's sockaddr, and what is refused. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void text_round_trips(void) {
    const char *texts[] = {"192.0.2.1:7000", "[2001:db8::1]:7000", "[fe80::1%3]:65535",
                           "0.0.0.0:0", "[::]:0",
                           "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"};
    char buffer[CHANNELER_ADDRESS_TEXT_MAX];
    size_t i;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        channeler_address address = address_of(texts[i]);
        OK(channeler_address_format(&address, buffer, sizeof buffer));
        CHECK(strcmp(buffer, texts[i]) == 0);
    }
}

static void fields_are_as_documented(void) {
    channeler_address four = address_of("192.0.2.1:7000"), six = address_of("[fe80::1%9]:80");
    CHECK(four.family == CHANNELER_FAMILY_IPV4 && four.port == 7000 && four.scope_id == 0);
    CHECK(four.ip[0] == 192 && four.ip[3] == 1 && four.ip[4] == 0 && four.ip[15] == 0);
    CHECK(six.family == CHANNELER_FAMILY_IPV6 && six.port == 80 && six.scope_id == 9);
    CHECK(six.ip[0] == 0xfe && six.ip[15] == 1);
}

static void a_scope_may_be_the_name_of_an_interface(void) {
    channeler_address address;
    OK(channeler_address_parse("[fe80::1%lo]:7", &address));
    CHECK(address.scope_id != 0);
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_address_parse("[fe80::1%no-such-interface]:7", &address));
}

static void bad_text_is_refused(void) {
    const char *bad[] = {"", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.256:1",
                         "localhost:1", "[::1]", "::1:80", "[::1]:x", "[::1%]:1", "[x%lo]:1"};
    channeler_address address;
    size_t i;
    memset(&address, 7, sizeof address);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        STATUS(CHANNELER_ERR_INVALID_ADDRESS, channeler_address_parse(bad[i], &address));
        CHECK(strlen(channeler_last_error()) > 0);
    }
    CHECK(address.port == 0x0707);
    INVALID(channeler_address_parse(NULL, &address));
    INVALID(channeler_address_parse("192.0.2.1:1", NULL));
}

static void format_refuses_short_buffers_and_no_address(void) {
    channeler_address address = address_of("192.0.2.1:7000");
    char buffer[CHANNELER_ADDRESS_TEXT_MAX];
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE, channeler_address_format(&address, buffer, 14));
    OK(channeler_address_format(&address, buffer, 15));
    INVALID(channeler_address_format(NULL, buffer, sizeof buffer));
    INVALID(channeler_address_format(&address, NULL, sizeof buffer));
    address.family = CHANNELER_FAMILY_NONE;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_address_format(&address, buffer, sizeof buffer));
    address.family = 5;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_address_format(&address, buffer, sizeof buffer));
}

static void sockaddr_round_trips(void) {
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_storage storage;
    channeler_address address;
    size_t length = 0;

    memset(&four, 0, sizeof four);
    four.sin_family = AF_INET;
    four.sin_port = htons(7000);
    CHECK(inet_pton(AF_INET, "192.0.2.1", &four.sin_addr) == 1);
    OK(channeler_address_from_sockaddr(&four, sizeof four, &address));
    CHECK(address.family == CHANNELER_FAMILY_IPV4 && address.port == 7000);
    OK(channeler_address_to_sockaddr(&address, &storage, sizeof storage, &length));
    CHECK(length == sizeof four && memcmp(&storage, &four, sizeof four) == 0);

    memset(&six, 0, sizeof six);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(7000);
    six.sin6_scope_id = 3;
    CHECK(inet_pton(AF_INET6, "fe80::1", &six.sin6_addr) == 1);
    OK(channeler_address_from_sockaddr(&six, sizeof six, &address));
    CHECK(address.family == CHANNELER_FAMILY_IPV6 && address.scope_id == 3);
    OK(channeler_address_to_sockaddr(&address, &storage, sizeof storage, &length));
    CHECK(length == sizeof six && memcmp(&storage, &six, sizeof six) == 0);
}

static void sockaddr_of_other_or_cut_kinds_is_refused(void) {
    struct sockaddr_in6 six;
    unsigned char cut[sizeof six];
    channeler_address address;
    size_t length;

    memset(&six, 0, sizeof six);
    six.sin6_family = AF_INET6;
    memcpy(cut, &six, sizeof six);
    for (length = 0; length < sizeof six; length++) {
        /* A block of its own, so that a read past its end is seen. */
        unsigned char *exact = (unsigned char *)malloc(length ? length : 1);
        memcpy(exact, cut, length);
        STATUS(CHANNELER_ERR_INVALID_ADDRESS,
               channeler_address_from_sockaddr(exact, length, &address));
        free(exact);
    }
    six.sin6_family = AF_UNIX;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_address_from_sockaddr(&six, sizeof six, &address));
    INVALID(channeler_address_from_sockaddr(NULL, sizeof six, &address));
    INVALID(channeler_address_from_sockaddr(&six, sizeof six, NULL));
}

static void sockaddr_room_and_nulls_are_checked(void) {
    channeler_address address = address_of("[::1]:1");
    struct sockaddr_storage storage;
    size_t length = 77;
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_address_to_sockaddr(&address, &storage, 4, &length));
    CHECK(length == 77);
    INVALID(channeler_address_to_sockaddr(NULL, &storage, sizeof storage, &length));
    INVALID(channeler_address_to_sockaddr(&address, NULL, sizeof storage, &length));
    INVALID(channeler_address_to_sockaddr(&address, &storage, sizeof storage, NULL));
    address.family = 0;
    STATUS(CHANNELER_ERR_INVALID_ADDRESS,
           channeler_address_to_sockaddr(&address, &storage, sizeof storage, &length));
}

int main(void) {
    text_round_trips();
    fields_are_as_documented();
    a_scope_may_be_the_name_of_an_interface();
    bad_text_is_refused();
    format_refuses_short_buffers_and_no_address();
    sockaddr_round_trips();
    sockaddr_of_other_or_cut_kinds_is_refused();
    sockaddr_room_and_nulls_are_checked();
    return 0;
}
