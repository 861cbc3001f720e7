/* Identities: made, kept as text, given back; and what is no identity. */
#include "check.h"

/* Of the private key 9d61b1.. in RFC 8032, section 7.1, test 1, as openssl writes it. */
static const char known_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char known_public_key[] =
    "302a300506032b6570032100"
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static int same_key(const channeler_public_key *one, const channeler_public_key *other) {
    return memcmp(one, other, sizeof *one) == 0;
}

static channeler_node *node_with(const char *pem) {
    channeler_options options;
    channeler_node *node;
    OK(channeler_options_init(&options, sizeof options));
    options.mode = CHANNELER_MODE_SANS_IO;
    options.identity = pem;
    OK(channeler_node_new(&options, NULL, &node));
    return node;
}

static void a_key_goes_out_and_in_again(void) {
    char pem[CHANNELER_IDENTITY_PEM_MAX], again[CHANNELER_IDENTITY_PEM_MAX];
    channeler_public_key key, of_node;
    channeler_peer_id peer, peer_of_node;
    channeler_node *node;

    memset(pem, 'x', sizeof pem);
    OK(channeler_identity_generate(pem, sizeof pem));
    CHECK(strstr(pem, "-----BEGIN PRIVATE KEY-----\n") == pem && strlen(pem) < sizeof pem);
    OK(channeler_identity_public_key(pem, &key));
    OK(channeler_public_key_peer_id(&key, &peer));
    node = node_with(pem);
    memset(again, 'x', sizeof again);
    OK(channeler_node_identity(node, again, sizeof again));
    CHECK(strcmp(pem, again) == 0);
    OK(channeler_node_public_key(node, &of_node));
    OK(channeler_node_peer_id(node, &peer_of_node));
    CHECK(same_key(&key, &of_node) && same_peer(&peer, &peer_of_node));
    OK(channeler_node_free(node));
    /* The next one is another. */
    OK(channeler_identity_generate(again, sizeof again));
    CHECK(strcmp(pem, again) != 0);
}

static void the_key_of_others_is_read_as_they_mean_it(void) {
    channeler_public_key key;
    char text[2 * sizeof key.bytes + 1];
    size_t i;
    OK(channeler_identity_public_key(known_pem, &key));
    for (i = 0; i < sizeof key.bytes; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned)key.bytes[i]);
    }
    CHECK(strcmp(text, known_public_key) == 0);
}

static void a_node_without_a_key_of_ours_makes_one_to_keep(void) {
    char pem[CHANNELER_IDENTITY_PEM_MAX];
    channeler_peer_id one, other;
    channeler_node *node = node_with(NULL);
    OK(channeler_node_identity(node, pem, sizeof pem));
    OK(channeler_node_peer_id(node, &one));
    OK(channeler_node_free(node));
    node = node_with(pem);
    OK(channeler_node_peer_id(node, &other));
    CHECK(same_peer(&one, &other));
    OK(channeler_node_free(node));
}

/* The program gets a word on what is wrong, in each function that reads a key. */
static void what_is_no_key_is_refused(void) {
    static const char *const bad[] = {
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
        /* cut short by a byte */
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn8=\n"
        "-----END PRIVATE KEY-----\n",
        /* a public key */
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n",
        /* of X25519 */
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
        "-----END PRIVATE KEY-----\n",
        "\xff\xfe",
    };
    channeler_options options;
    channeler_node *node = NULL;
    channeler_public_key key, before;
    size_t i;

    memset(&before, 0x55, sizeof before);
    OK(channeler_options_init(&options, sizeof options));
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        key = before;
        STATUS(CHANNELER_ERR_DECODE, channeler_identity_public_key(bad[i], &key));
        CHECK(strstr(channeler_last_error(), "pem") != NULL && same_key(&key, &before));
        options.identity = bad[i];
        STATUS(CHANNELER_ERR_DECODE, channeler_node_new(&options, NULL, &node));
        CHECK(strstr(channeler_last_error(), "identity") != NULL && node == NULL);
    }
    STATUS(CHANNELER_ERR_DECODE, channeler_public_key_peer_id(&before, (channeler_peer_id *)&key));
    /* Version 0 alone has no use for a key. */
    options.identity = known_pem;
    options.legacy = CHANNELER_LEGACY_ONLY;
    INVALID(channeler_node_new(&options, NULL, &node));
    CHECK(strstr(channeler_last_error(), "identity") != NULL && node == NULL);
    options.identity = NULL;
    OK(channeler_node_new(&options, NULL, &node));
    STATUS(CHANNELER_ERR_UNSUPPORTED, channeler_node_public_key(node, &key));
    CHECK(strstr(channeler_last_error(), "CHANNELER_LEGACY_ONLY") != NULL);
    OK(channeler_node_free(node));
}

static void buffers_are_checked(void) {
    char pem[CHANNELER_IDENTITY_PEM_MAX];
    char exact[CHANNELER_IDENTITY_PEM_MAX];
    channeler_public_key key;
    channeler_peer_id peer;
    channeler_node *node;
    size_t needs;

    OK(channeler_identity_generate(pem, sizeof pem));
    needs = strlen(pem) + 1;
    node = node_with(pem);
    memset(exact, 'x', sizeof exact);
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_identity_generate(exact, needs - 1));
    CHECK(strstr(channeler_last_error(), "needed") != NULL && exact[0] == 'x');
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
           channeler_node_identity(node, exact, needs - 1));
    STATUS(CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE, channeler_identity_generate(exact, 0));
    CHECK(exact[0] == 'x');
    OK(channeler_node_identity(node, exact, needs));
    CHECK(exact[needs] == 'x');
    INVALID(channeler_identity_generate(NULL, 256));
    INVALID(channeler_identity_public_key(NULL, &key));
    INVALID(channeler_identity_public_key(pem, NULL));
    INVALID(channeler_public_key_peer_id(NULL, &peer));
    OK(channeler_node_public_key(node, &key));
    INVALID(channeler_public_key_peer_id(&key, NULL));
    OK(channeler_node_free(node));
}

/* Only the label that tells processes apart is given beside the key. */
static void an_instance_label_is_a_short_text(void) {
    char label[257];
    channeler_options options;
    channeler_node *node = NULL;
    OK(channeler_options_init(&options, sizeof options));
    memset(label, 'l', sizeof label);
    label[256] = 0;
    options.instance_label = label;
    INVALID(channeler_node_new(&options, NULL, &node));
    CHECK(strstr(channeler_last_error(), "instance_label") != NULL);
    label[255] = 0;
    OK(channeler_node_new(&options, NULL, &node));
    OK(channeler_node_free(node));
}

int main(void) {
    a_key_goes_out_and_in_again();
    the_key_of_others_is_read_as_they_mean_it();
    a_node_without_a_key_of_ours_makes_one_to_keep();
    what_is_no_key_is_refused();
    buffers_are_checked();
    an_instance_label_is_a_short_text();
    return 0;
}
