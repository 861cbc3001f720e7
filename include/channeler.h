/*
 * libchanneler: many independent message channels between peers, over one UDP port.
 *
 * Made by cbindgen from the Rust sources (src/ffi). Do not edit: change those, then run
 *     CHANNELER_BLESS=1 cargo test --test header
 *
 * THE LIFE OF A NODE
 *
 *     channeler_node *node = NULL;
 *     channeler_options options;
 *     channeler_callbacks callbacks;
 *
 *     channeler_options_init(&options, sizeof options);          // then change what you need
 *     channeler_callbacks_init(&callbacks, sizeof callbacks);
 *     callbacks.user_data = &my_state;
 *     callbacks.on_event = my_event;                             // opened, closed, readable, ...
 *     callbacks.on_message = my_message;                         // or NULL: read them later
 *     channeler_node_new(&options, &callbacks, &node);
 *
 *     channeler_address_parse("[::]:7000", &address);
 *     channeler_node_bind(node, &address);                       // a UDP socket, IPv4 and IPv6
 *
 *     channeler_node_connect(node, &peer, &peer_address, &connection);
 *     channeler_channel_open(node, connection, NULL, &channel);
 *     channeler_channel_send(node, channel, (const uint8_t *)"hello", 5);
 *
 *     while (running) channeler_node_process(node, -1);          // or one of the other ways
 *     channeler_node_free(node);
 *
 * THREE WAYS TO RUN IT
 *
 * 1. In your thread: channeler_node_process(node, timeout_ns) in a loop.
 * 2. In a thread of its own: channeler_node_start(node).
 * 3. In your event loop: poll the descriptor of channeler_node_fd for reading, at most
 *    channeler_node_timeout long, then channeler_node_process(node, 0).
 *
 * And without any of it (CHANNELER_MODE_SANS_IO): you move the datagrams and give the time, with
 * channeler_node_handle_datagram, _handle_timeout, _poll_transmit and _poll_timeout.
 *
 * ERRORS
 *
 * Functions return a status: CHANNELER_OK (0), or a CHANNELER_ERR_* number. channeler_error_name
 * and channeler_error_text tell what a number means; channeler_last_error tells, for the calling
 * thread, what exactly was wrong and what is allowed. A NULL pointer where none is allowed, a
 * connection or channel that ended, one of another node, a node that was freed: each is a status,
 * never a crash. Results go to pointers that come last, and are written on success only, unless the
 * function says otherwise.
 *
 * THREADS
 *
 * Any function may be called from any thread. Callbacks run only in the thread that runs the node
 * (one of the ways above), one at a time, with no lock held, and may call any function; see
 * channeler_callbacks for the few exceptions.
 *
 * WHO OWNS WHAT
 *
 * What you pass in is read during the call and stays yours, unless the function says otherwise
 * (channeler_channel_send_buffer). What callbacks get is lent until they return. A node is yours
 * until channeler_node_free; connections and channels are plain values with nothing to free.
 *
 * STRUCTS THAT GROW
 *
 * Structs that begin with struct_size get fields at their end in later versions. What a program
 * compiled with an older header does not have is taken as the default. A newer program with an
 * older library is refused with CHANNELER_ERR_INVALID_ARGUMENT, but only when it set something
 * that the library does not know. In structs that the library fills, set struct_size first: what
 * it does not know is zeroed.
 */


#ifndef CHANNELER_H
#define CHANNELER_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header, as text. */
#define CHANNELER_VERSION "0.1.0"

/** Success. */
#define CHANNELER_OK 0

/** Something that should not happen did; please report it with the detail text. */
#define CHANNELER_ERR_UNEXPECTED 1

/** The buffer is too small for what it should hold. */
#define CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE 2

/** The bytes could not be decoded. */
#define CHANNELER_ERR_DECODE 3

/** The value could not be encoded. */
#define CHANNELER_ERR_ENCODE 4

/** The channel is not known here: it was never opened, or has ended. */
#define CHANNELER_ERR_INVALID_CHANNELID 5

/** The connection is not known here: it was never opened, or has ended. */
#define CHANNELER_ERR_INVALID_REFERENCE 6

/** An internal event was not understood. */
#define CHANNELER_ERR_INVALID_PIPE_EVENT 7

/** The message type is not known. */
#define CHANNELER_ERR_INVALID_MESSAGE_TYPE 8

/** The message is too large for one packet of this connection. */
#define CHANNELER_ERR_WRITE 9

/** The call is not allowed in the current state. */
#define CHANNELER_ERR_STATE 10

/** There is nothing to read yet. */
#define CHANNELER_ERR_DATA_UNAVAILABLE 11

/** The send queue is full; wait for the writable event, then send again. */
#define CHANNELER_ERR_WOULD_BLOCK 12

/** An argument is null or out of its range. */
#define CHANNELER_ERR_INVALID_ARGUMENT 13

/** A configured limit is reached. */
#define CHANNELER_ERR_LIMIT 14

/** The peer did not answer in time; check its address, and that both speak the same version. */
#define CHANNELER_ERR_TIMEOUT 15

/** Nothing was sent or received for the idle timeout. */
#define CHANNELER_ERR_IDLE 16

/** It was closed. */
#define CHANNELER_ERR_CLOSED 17

/** The peer refused the connection, or was refused. */
#define CHANNELER_ERR_REFUSED 18

/** The peer or its address is banned. */
#define CHANNELER_ERR_BANNED 19

/** Not an address; allowed are 192.0.2.1:port and [2001:db8::1%scope]:port. */
#define CHANNELER_ERR_INVALID_ADDRESS 20

/** The operating system refused a socket operation. */
#define CHANNELER_ERR_SOCKET 21

/** Not supported on this system or by this kind of node. */
#define CHANNELER_ERR_UNSUPPORTED 22

/** An earlier bug stopped this node; free it, and please report the detail text. */
#define CHANNELER_ERR_POISONED 23

/** Another peer than the one asked for answered; check its peer id and address. */
#define CHANNELER_ERR_IDENTITY 24

/** The handshake failed, or too much that came could not be opened; connect again. */
#define CHANNELER_ERR_CRYPTO 25

/** The peer closed it; code and text of the event say why. */
#define CHANNELER_ERR_PEER_CLOSED 26

/** A rule of the protocol was broken. */
#define CHANNELER_ERR_PROTOCOL 27

/** The peer does not know the connection any more; connect again. */
#define CHANNELER_ERR_RESET 28

/** Another connection with the same peer took its place; use that one. */
#define CHANNELER_ERR_SUPERSEDED 29

/** A message was lost on the way, and is not sent again (any more). */
#define CHANNELER_ERR_LOST 30

/** The lifetime of the message was over before it was delivered. */
#define CHANNELER_ERR_EXPIRED 31

/** The message is larger than the peer takes, or than the send queue can ever hold. */
#define CHANNELER_ERR_TOO_LARGE 32

/** Numbers from here on belong to applications: the library never returns them. */
#define CHANNELER_ERR_USER 1000

/** Why something received was dropped: places in channeler_node_counters.dropped. */
#define CHANNELER_DROP_UNKNOWN_PROTOCOL 0
#define CHANNELER_DROP_LEGACY_OFF 1
#define CHANNELER_DROP_MALFORMED_PACKET 2
#define CHANNELER_DROP_BAD_CHECKSUM 3
#define CHANNELER_DROP_ENCRYPTED 4
#define CHANNELER_DROP_WRONG_RECIPIENT 5
#define CHANNELER_DROP_WRONG_SENDER 6
#define CHANNELER_DROP_BANNED 7
#define CHANNELER_DROP_MALFORMED_MESSAGE 8
#define CHANNELER_DROP_UNKNOWN_MESSAGE 9
#define CHANNELER_DROP_INVALID_CHANNEL_ID 10
#define CHANNELER_DROP_MISPLACED 11
#define CHANNELER_DROP_UNKNOWN_CHANNEL 12
#define CHANNELER_DROP_BAD_COOKIE 13
#define CHANNELER_DROP_DUPLICATE 14
#define CHANNELER_DROP_SIMULTANEOUS_OPEN 15
#define CHANNELER_DROP_AMPLIFICATION 16
#define CHANNELER_DROP_CONNECTION_LIMIT 17
#define CHANNELER_DROP_ADDRESS_LIMIT 18
#define CHANNELER_DROP_CHANNEL_LIMIT 19
#define CHANNELER_DROP_REFUSED 20
#define CHANNELER_DROP_REPLY_QUEUE_FULL 21
#define CHANNELER_DROP_RECEIVE_QUEUE_FULL 22
#define CHANNELER_DROP_EVENT_QUEUE_FULL 23
#define CHANNELER_DROP_NOT_OPENED 24
#define CHANNELER_DROP_REPLAYED 25
#define CHANNELER_DROP_UNKNOWN_TOKEN 26
#define CHANNELER_DROP_UNKNOWN_ATTEMPT 27
#define CHANNELER_DROP_FINISHED_ATTEMPT 28
#define CHANNELER_DROP_COOKIE_ASKED 29
#define CHANNELER_DROP_HALF_OPEN_LIMIT 30
#define CHANNELER_DROP_EARLY_REFUSED 31
#define CHANNELER_DROP_TOO_EARLY 32

/** How many reasons this header knows. */
#define CHANNELER_DROP_COUNT 33


/**
 * The version of this interface: it rises with each change that breaks compiled programs. Compare
 * it with what `channeler_abi_version` returns when the library is loaded at run time.
 */
#define CHANNELER_ABI_VERSION 1

/**
 * Room that the text of any peer id needs, its ending zero byte included.
 */
#define CHANNELER_PEER_ID_TEXT_MAX 35

/**
 * Room that the PEM text of any identity needs, its ending zero byte included.
 */
#define CHANNELER_IDENTITY_PEM_MAX 256

/**
 * What each packet of protocol version 0 begins with.
 */
#define CHANNELER_WIRE_PROTOCOL_ID 203595156

/**
 * The half of a channel id that nobody has chosen yet.
 */
#define CHANNELER_WIRE_NO_HALF 61680

/**
 * Message kind: the initiator asks for a channel (`id.initiator_half`, `cookie1`).
 */
#define CHANNELER_WIRE_NEW 10

/**
 * Message kind: the responder offers it (`id`, `cookie1`, `cookie2`).
 */
#define CHANNELER_WIRE_ACKNOWLEDGE 11

/**
 * Message kind: the initiator takes it (`id`, `cookie2`, `capabilities`).
 */
#define CHANNELER_WIRE_FINALIZE 12

/**
 * Message kind: it establishes the channel of its packet (`cookie1`: either, `capabilities`).
 */
#define CHANNELER_WIRE_COOKIE 13

/**
 * Message kind: what the application sends (`payload`).
 */
#define CHANNELER_WIRE_DATA 20

/**
 * A payload size: as many bytes as a varint before them says.
 */
#define CHANNELER_WIRE_SIZE_VARIABLE -1

/**
 * A payload size: there is no such message.
 */
#define CHANNELER_WIRE_SIZE_UNKNOWN -2

/**
 * No address.
 */
#define CHANNELER_FAMILY_NONE 0

/**
 * An IPv4 address: the first 4 bytes of `ip`.
 */
#define CHANNELER_FAMILY_IPV4 4

/**
 * An IPv6 address: all 16 bytes of `ip`.
 */
#define CHANNELER_FAMILY_IPV6 6

/**
 * Room that the text of any address needs, its ending zero byte included.
 */
#define CHANNELER_ADDRESS_TEXT_MAX 64

/**
 * Version 0 of the protocol, the reference's: neither encrypted nor authenticated.
 */
#define CHANNELER_PROTOCOL_V0 0

/**
 * Version 1 of the protocol: encrypted, both sides authenticated.
 */
#define CHANNELER_PROTOCOL_V1 1

/**
 * We opened the channel.
 */
#define CHANNELER_ROLE_INITIATOR 1

/**
 * The peer opened the channel.
 */
#define CHANNELER_ROLE_RESPONDER 2

/**
 * As `lifetime_ns` of `channeler_send_options`: what the channel's `message_lifetime_ns` says.
 */
#define CHANNELER_LIFETIME_OF_CHANNEL UINT64_MAX

/**
 * Protocol version 0 as this library speaks it: keyed cookies, packets shared by messages,
 * retries, data before the handshake's end.
 */
#define CHANNELER_PROFILE_NODE 0

/**
 * Protocol version 0 to the byte as the reference implementation speaks it; sans-IO only.
 *
 * Cookies are CRC-32 over the secret of `channeler_node_set_secret`. Each message has a packet, of
 * full size, announced by a `CHANNELER_EVENT_PACKET`; `channeler_node_poll_transmit` gives packets
 * in the order of these events. There are no timers. Peers that were not dialled cannot connect.
 * `on_message` hears of each message, which also waits for `channeler_channel_receive`.
 */
#define CHANNELER_PROFILE_REFERENCE 1

/**
 * The node opens sockets, and lives on the system's clock.
 */
#define CHANNELER_MODE_SOCKETS 0

/**
 * The node has neither sockets nor clock: the caller feeds datagrams and time, and takes
 * datagrams.
 */
#define CHANNELER_MODE_SANS_IO 1

/**
 * Packets of protocol version 0 are dropped and counted (default): every peer is authenticated,
 * and everything is encrypted.
 */
#define CHANNELER_LEGACY_OFF 0

/**
 * Protocol version 0 is spoken beside version 1: neither encrypted nor authenticated. Version 1 is
 * dialled unless `channeler_node_dial` names the other; nothing falls back by itself.
 */
#define CHANNELER_LEGACY_ACCEPT 1

/**
 * Nothing but protocol version 0 is spoken, and the node has no identity.
 */
#define CHANNELER_LEGACY_ONLY 2

/**
 * CUBIC (RFC 9438): fair beside TCP.
 */
#define CHANNELER_CONGESTION_CUBIC 0

/**
 * NewReno (RFC 9002, section 7).
 */
#define CHANNELER_CONGESTION_NEWRENO 1

/**
 * BBR, version 2 with the fixes of version 3 (default): finds rate and round trip of the path,
 * keeps its queue short, and is not slowed down by a few lost packets.
 */
#define CHANNELER_CONGESTION_BBR2 2

/**
 * Lost messages are sent again, within `resend_limit` and their lifetime.
 *
 * The `CHANNELER_CAP_*` bits can be added up in all eight ways; the names of the sums follow.
 * Messages keep their boundaries and are delivered at most once in each. Version 0 carries the
 * bits to the peer and fulfils none of them.
 */
#define CHANNELER_CAP_RESEND 1

/**
 * Messages are never delivered out of order. With `CHANNELER_CAP_RESEND` later ones wait for those
 * before them; without it, those that come late are dropped.
 */
#define CHANNELER_CAP_ORDERED 2

/**
 * A message that is given up closes the channel with `CHANNELER_ERR_LOST` (or `_EXPIRED`, if its
 * lifetime was over). Without it both sides are told, if they want to know
 * (`CHANNELER_EVENT_MESSAGE_LOST`, `CHANNELER_EVENT_MESSAGES_SKIPPED`), and go on.
 */
#define CHANNELER_CAP_CLOSE_ON_LOSS 4

/**
 * As it comes: messages may be lost and overtaken, as with UDP. For the state of a game, say.
 */
#define CHANNELER_UNRELIABLE 0

/**
 * Never out of order: messages may be lost, and those that come late are. For a voice, say.
 */
#define CHANNELER_UNRELIABLE_ORDERED 2

/**
 * As it comes, and the first loss closes the channel.
 */
#define CHANNELER_LOSS_CLOSES 4

/**
 * In order, and the first loss closes the channel.
 */
#define CHANNELER_LOSS_CLOSES_ORDERED 6

/**
 * Everything within `resend_limit` and the messages' lifetimes, in any order; what still fails is
 * left out.
 */
#define CHANNELER_PARTIALLY_RELIABLE 1

/**
 * The same in order. For a film, say, whose pictures are worth little when they are late.
 */
#define CHANNELER_PARTIALLY_RELIABLE_ORDERED 3

/**
 * Everything, in any order, or the channel closes: no message waits for another.
 */
#define CHANNELER_RELIABLE 5

/**
 * Everything in order, or the channel closes, as with TCP.
 */
#define CHANNELER_RELIABLE_ORDERED 7

/**
 * As `send_low_water_bytes`: half of `send_queue_bytes_max`.
 */
#define CHANNELER_LOW_WATER_HALF UINT64_MAX

/**
 * As `resend_limit`: as often as it takes.
 */
#define CHANNELER_RESEND_ALWAYS UINT32_MAX

/**
 * Something is broken.
 */
#define CHANNELER_LOG_ERROR 1

/**
 * Something is wrong, and the node goes on.
 */
#define CHANNELER_LOG_WARN 2

/**
 * Connections and channels come and go.
 */
#define CHANNELER_LOG_INFO 3

/**
 * Everything that callbacks are told, but the messages themselves.
 */
#define CHANNELER_LOG_DEBUG 4

/**
 * The peer is there. Version 1: the handshake is done, and the peer has proved that it is `peer`.
 * Version 0: its node answered, and named itself `peer`; a first `CHANNELER_EVENT_CHANNEL_OPENED`
 * follows. That is not yet a welcome: a node that refuses cannot say so, and only a message from
 * the peer shows that its application listens.
 */
#define CHANNELER_EVENT_CONNECTED 1

/**
 * The connection to `peer` ended with all its channels; its handle is stale now. `reason`:
 * `CHANNELER_ERR_CLOSED`, `_IDLE`, `_BANNED`, `_TIMEOUT` (nothing ever answered), or `_LIMIT` (it
 * had no channel, and its place in the table went to another). In version 1 also
 * `CHANNELER_ERR_PEER_CLOSED` (with the peer's `code` and `text`), `_REFUSED` (the peer does not
 * want us), `_IDENTITY` (another peer than the one asked for answered: `peer` is the one that
 * did), `_CRYPTO` (the handshake failed), `_PROTOCOL` (a side broke the protocol), `_RESET` (the
 * peer restarted, and knows nothing of the connection), `_SUPERSEDED` (both sides dialled; the
 * other connection stays).
 */
#define CHANNELER_EVENT_CONNECTION_CLOSED 2

/**
 * A channel is established. `by_peer` tells who opened it. The opener hears of it before the other
 * side's `on_accept` has run.
 */
#define CHANNELER_EVENT_CHANNEL_OPENED 3

/**
 * A channel ended, or could not be opened; its handle is stale now. `reason`:
 * `CHANNELER_ERR_CLOSED`, `_IDLE`, `_TIMEOUT` (the peer never answered), or the connection's; in
 * version 1 also `CHANNELER_ERR_PEER_CLOSED` (with `code` and `text` if it was reset), `_REFUSED`,
 * `_UNSUPPORTED` (the peer's node does not offer these capabilities), `_LOST` and `_EXPIRED` (a
 * message of either side was given up, and the channel has `CHANNELER_CAP_CLOSE_ON_LOSS`), and
 * `_LIMIT` (a memory budget of either side).
 */
#define CHANNELER_EVENT_CHANNEL_CLOSED 4

/**
 * A channel that had nothing to read has a message for `channeler_channel_receive`. It comes once:
 * read until `CHANNELER_ERR_DATA_UNAVAILABLE`. Never with an `on_message` callback.
 */
#define CHANNELER_EVENT_READABLE 5

/**
 * A channel whose send returned `CHANNELER_ERR_WOULD_BLOCK` has room again.
 */
#define CHANNELER_EVENT_WRITABLE 6

/**
 * The peer proved a new address, `address`; we send there now.
 */
#define CHANNELER_EVENT_PATH_CHANGED 7

/**
 * The system says that `address`, the peer's, cannot be reached. Nothing is closed for that.
 */
#define CHANNELER_EVENT_PATH_UNREACHABLE 8

/**
 * The path takes only packets of `packet_size` bytes; larger messages are `CHANNELER_ERR_WRITE`.
 */
#define CHANNELER_EVENT_PACKET_SIZE_REDUCED 9

/**
 * The next `channeler_node_poll_transmit` not spoken for by an earlier event of this kind gives a
 * packet on the channel `id` (handshakes: both halves `CHANNELER_WIRE_NO_HALF`). Only with
 * `CHANNELER_PROFILE_REFERENCE`.
 */
#define CHANNELER_EVENT_PACKET 10

/**
 * The peer sends nothing more on a channel, and all that it sent was handed over. The other
 * direction goes on until `channeler_channel_close`. Only with the option `half_close`.
 */
#define CHANNELER_EVENT_CHANNEL_FINISHED 11

/**
 * A message sent with `report` has arrived: the peer's node has all of it (its application may not
 * have read it yet). `context` is the number given with it.
 */
#define CHANNELER_EVENT_MESSAGE_DELIVERED 12

/**
 * A message sent with `report` is given up: the peer never gets all of it, or nobody can know any
 * more whether it has. `context` is the number given with it; `reason` is `CHANNELER_ERR_LOST` (on
 * the way, and not sent again, or as often as `resend_limit` allows), `_EXPIRED` (its lifetime was
 * over), or why the channel ended, whose `CHANNELER_EVENT_CHANNEL_CLOSED` follows.
 */
#define CHANNELER_EVENT_MESSAGE_LOST 13

/**
 * `count` messages of the peer's will never come; they were between those handed over before this
 * and those handed over after it. Not on channels with `CHANNELER_CAP_CLOSE_ON_LOSS`.
 */
#define CHANNELER_EVENT_MESSAGES_SKIPPED 14

/**
 * Places for counters of dropped things in `channeler_node_counters`; those past
 * `CHANNELER_DROP_COUNT` are for later reasons, and 0.
 */
#define CHANNELER_DROP_PLACES 64

/**
 * Packets leave without ECN marks: version 0, or a system that cannot set them.
 */
#define CHANNELER_ECN_OFF 0

/**
 * Packets leave marked; whether the marks arrive is not known yet.
 */
#define CHANNELER_ECN_TESTING 1

/**
 * The peer sees the marks.
 */
#define CHANNELER_ECN_CAPABLE 2

/**
 * The path drops or changes the marks: packets leave unmarked.
 */
#define CHANNELER_ECN_FAILED 3

/**
 * What `channeler_node_poll_timeout` says when nothing is due, ever.
 */
#define CHANNELER_NO_DEADLINE UINT64_MAX

/**
 * A datagram was larger than the path or interface takes.
 */
#define CHANNELER_SEND_TOO_LARGE 1

/**
 * A datagram's address, host or network cannot be reached.
 */
#define CHANNELER_SEND_UNREACHABLE 2

/**
 * All messages to a peer arrive in the order they were sent (default).
 */
#define CHANNELER_QUIC_ORDERED 0

/**
 * Messages arrive in order within each channel, and a lost packet stalls no other channel.
 */
#define CHANNELER_QUIC_PER_CHANNEL 1

/**
 * A peer that is not known proved who it is (`peer`, and `key` unless it has a certificate):
 * answer with `channeler_quic_accept` or `channeler_quic_refuse`, now or within
 * `accept_timeout_ns`. Only with `ask_before_accept`.
 */
#define CHANNELER_QUIC_EVENT_REQUEST 1

/**
 * `peer` at `address` proved who it is, and messages flow. `by_peer` tells who began.
 */
#define CHANNELER_QUIC_EVENT_CONNECTED 2

/**
 * A connection ended; what had arrived whole on it waits to be received. `reason`:
 * `CHANNELER_ERR_CLOSED` (by us), `_LIMIT` (it was unused for the longest time when a 33rd began),
 * `_SUPERSEDED` (another with the same peer is used), `_IDENTITY` (the peer is not who it should
 * be), `_REFUSED`, `_BANNED`, `_TIMEOUT` (nobody answered), `_IDLE`, `_PEER_CLOSED`, `_RESET` (the
 * peer restarted), `_CRYPTO`, `_PROTOCOL`; with `code` and `text` of the side that ended it.
 * `count` messages were taken for sending of which it is not known that they arrived; `cut`
 * messages of the peer broke off, and nothing of them is delivered.
 */
#define CHANNELER_QUIC_EVENT_CLOSED 3

/**
 * There are messages to receive, after there were none.
 */
#define CHANNELER_QUIC_EVENT_READABLE 4

/**
 * There are sync messages to receive, after there were none.
 */
#define CHANNELER_QUIC_EVENT_SYNC_READABLE 5

/**
 * The peer at `address`, for which a send was `CHANNELER_ERR_WOULD_BLOCK`, can be sent to again.
 */
#define CHANNELER_QUIC_EVENT_WRITABLE 6

/**
 * The peer sent a frame that is none; its stream was stopped with `code`, and nothing else
 * happened. `text` says what is wrong.
 */
#define CHANNELER_QUIC_EVENT_FRAME_REFUSED 7

/**
 * The peer stopped a stream of ours with `code`; `count` messages on it may not have arrived.
 */
#define CHANNELER_QUIC_EVENT_MESSAGES_LOST 8

/**
 * The peer that was at `address` is at `new_address` now.
 */
#define CHANNELER_QUIC_EVENT_ADDRESS_CHANGED 9

/**
 * Bytes of a label, at most.
 */
#define CHANNELER_QUIC_LABEL_MAX 256

/**
 * Places for counters of dropped things in `channeler_quic_counters`; those past the last reason
 * are for later ones, and 0.
 */
#define CHANNELER_QUIC_DROP_PLACES 64

/**
 * A node: our end of all connections, with its sockets.
 */
typedef struct channeler_node channeler_node;

/**
 * Who a peer is: 16 bytes.
 *
 * In protocol version 0 a peer chooses them at will, and they prove nothing.
 */
typedef struct channeler_peer_id {
    /**
     * The id. All zero means "none".
     */
    uint8_t bytes[16];
} channeler_peer_id;

/**
 * An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410): always 44 bytes, of which the last 32
 * are the key.
 *
 * Two keys may have one peer id, if somebody spent 2^64 tries on making such a pair of their own:
 * where that matters, compare keys.
 */
typedef struct channeler_public_key {
    /**
     * The key. All zero means "none".
     */
    uint8_t bytes[44];
} channeler_public_key;

/**
 * A channel id as packets have it: one half chosen by each side.
 */
typedef struct channeler_wire_id {
    /**
     * The half of the side that opened the channel; `CHANNELER_WIRE_NO_HALF`: none yet.
     */
    uint16_t initiator_half;
    /**
     * The half of the other side; `CHANNELER_WIRE_NO_HALF`: none yet.
     */
    uint16_t responder_half;
} channeler_wire_id;

/**
 * A message of a packet. Which fields its kind has is said at `CHANNELER_WIRE_NEW` and the others;
 * the rest is 0.
 */
typedef struct channeler_wire_message {
    /**
     * `CHANNELER_WIRE_*`.
     */
    uint32_t kind;
    /**
     * The channel.
     */
    struct channeler_wire_id id;
    /**
     * The initiator's cookie.
     */
    uint32_t cookie1;
    /**
     * The responder's cookie.
     */
    uint32_t cookie2;
    /**
     * The sum of `CHANNELER_CAP_*` bits.
     */
    uint32_t capabilities;
    /**
     * Parsed: bytes of the whole message. Not read when written.
     */
    size_t size;
    /**
     * Parsed: what follows the kind (and the length) in the parsed bytes, whose owner's it stays.
     * Written: the bytes of a `CHANNELER_WIRE_DATA`; NULL when there are none.
     */
    const uint8_t *payload;
    /**
     * Bytes of `payload`.
     */
    size_t payload_size;
} channeler_wire_message;

/**
 * The header of a packet.
 */
typedef struct channeler_wire_header {
    /**
     * `CHANNELER_WIRE_PROTOCOL_ID`, unless it is another protocol's.
     */
    uint32_t protocol;
    /**
     * Who sends it.
     */
    struct channeler_peer_id sender;
    /**
     * Who it is for.
     */
    struct channeler_peer_id recipient;
    /**
     * The channel of its messages.
     */
    struct channeler_wire_id id;
    /**
     * Bit 0: encrypted; bit 1: spin.
     */
    uint16_t flags;
    /**
     * Bytes of the whole packet.
     */
    uint16_t packet_size;
    /**
     * The sequence number.
     */
    uint16_t sequence;
    /**
     * Bytes of the payload.
     */
    uint16_t payload_size;
} channeler_wire_header;

/**
 * A UDP address: the same on every system, unlike `sockaddr`.
 */
typedef struct channeler_address {
    /**
     * `CHANNELER_FAMILY_IPV4` or `CHANNELER_FAMILY_IPV6` (`CHANNELER_FAMILY_NONE`: no address).
     */
    uint16_t family;
    /**
     * The port, in the byte order of this machine.
     */
    uint16_t port;
    /**
     * Interface index of a link-local IPv6 address, else 0.
     */
    uint32_t scope_id;
    /**
     * The address in network order, as text has it; what IPv4 leaves over is 0.
     */
    uint8_t ip[16];
} channeler_address;

/**
 * Whom to connect to, and how. Fill with `channeler_dial_options_init`, then change what you need.
 */
typedef struct channeler_dial_options {
    /**
     * `sizeof(channeler_dial_options)`; set by `channeler_dial_options_init`.
     */
    size_t struct_size;
    /**
     * `CHANNELER_PROTOCOL_V1` (default) or `CHANNELER_PROTOCOL_V0`.
     */
    uint32_t protocol;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * The peer that must answer. All zero (default): whoever does; only in version 1, where it
     * proves who it is and `channeler_connection_info` tells.
     */
    struct channeler_peer_id peer;
    /**
     * Where it is.
     */
    struct channeler_address address;
} channeler_dial_options;

/**
 * A connection of a node: all that it has with one peer.
 *
 * A plain value: copy, store and compare it at will. Once the connection has ended, or at another
 * node, calls with it return `CHANNELER_ERR_INVALID_REFERENCE`.
 */
typedef struct channeler_connection {
    /**
     * 0 is no connection.
     */
    uint64_t id;
} channeler_connection;

/**
 * What a connection is.
 */
typedef struct channeler_connection_details {
    /**
     * `sizeof(channeler_connection_details)`: set it before the call.
     */
    size_t struct_size;
    /**
     * The peer.
     */
    struct channeler_peer_id peer;
    /**
     * Where we send to.
     */
    struct channeler_address address;
    /**
     * Version 1: 1 once the handshake is done. Version 0: 1 once a channel was established.
     */
    uint32_t connected;
    /**
     * Largest message that `channeler_channel_send` takes now, in bytes. Version 0: what one
     * packet takes. Version 1: the least of what the peer takes and what `send_queue_bytes_max`
     * holds.
     */
    uint32_t message_bytes_max;
    /**
     * `CHANNELER_PROTOCOL_V0` or `CHANNELER_PROTOCOL_V1`.
     */
    uint32_t protocol;
    /**
     * 1 when what is sent is encrypted, and the peer was seen to have the key of its peer id: in
     * version 1, once the handshake is done. Else 0.
     */
    uint32_t encrypted;
    /**
     * The peer's key, once it was seen to have it; all zero before, and in version 0.
     */
    struct channeler_public_key public_key;
    /**
     * Largest message that one packet takes now, in bytes: such messages are never cut in pieces.
     */
    uint32_t packet_message_bytes;
    /**
     * Version 1: where the peer sees our packets come from, as it says: our own address, or that
     * of a NAT before us. `CHANNELER_FAMILY_NONE` until it said so.
     */
    struct channeler_address observed_address;
} channeler_connection_details;

/**
 * Settings of a channel. Fill with `channeler_channel_options_init`, then change what you need.
 */
typedef struct channeler_channel_options {
    /**
     * `sizeof(channeler_channel_options)`; set by `channeler_channel_options_init`.
     */
    size_t struct_size;
    /**
     * What the channel promises: the sum of `CHANNELER_CAP_*` bits, or the name of one such as
     * `CHANNELER_RELIABLE_ORDERED`. Default `CHANNELER_UNRELIABLE`: messages may be lost and
     * overtaken (version 0: doubled too).
     */
    uint32_t capabilities;
    /**
     * Version 1: which channels go first, 0 (first) to 7 (last). Default 3.
     */
    uint32_t priority;
    /**
     * Version 1: the channel's share beside others of its priority, 1 to 255. Default 16.
     */
    uint32_t weight;
    /**
     * Version 1: how often a piece of a message is sent again before the message is given up.
     * Default `CHANNELER_RESEND_ALWAYS`; any other number, 0 included, only with
     * `CHANNELER_CAP_RESEND`.
     */
    uint32_t resend_limit;
    /**
     * Version 1: what the channel is called; the peer's application sees it
     * (`channeler_channel_label`). Any bytes, read during `channeler_channel_open` only. NULL
     * (default): nothing.
     */
    const uint8_t *label;
    /**
     * Bytes in `label`, at most 255.
     */
    size_t label_length;
    /**
     * Version 1: how long after it was queued a message is worth sending, in nanoseconds; then it
     * is given up. `channeler_send_options` may say otherwise for a message. Default 0: for ever;
     * at most 365 days.
     */
    uint64_t message_lifetime_ns;
} channeler_channel_options;

/**
 * A channel of a connection.
 *
 * A plain value: copy, store and compare it at will. Once the channel has ended, or at another
 * node, calls with it return `CHANNELER_ERR_INVALID_CHANNELID`.
 */
typedef struct channeler_channel {
    /**
     * 0 is no channel.
     */
    uint64_t id;
} channeler_channel;

/**
 * What a channel is.
 */
typedef struct channeler_channel_details {
    /**
     * `sizeof(channeler_channel_details)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Its connection.
     */
    struct channeler_connection connection;
    /**
     * The half of its id on the wire that the opener chose.
     */
    uint32_t initiator_half;
    /**
     * The half that the other side chose; 0xf0f0 until it did.
     */
    uint32_t responder_half;
    /**
     * `CHANNELER_ROLE_INITIATOR` or `CHANNELER_ROLE_RESPONDER`: who we are.
     */
    uint32_t role;
    /**
     * The sum of `CHANNELER_CAP_*` bits that the opener chose.
     */
    uint32_t capabilities;
    /**
     * 1 once messages can flow, else 0.
     */
    uint32_t established;
    /**
     * 1 when the peer opened it in early data, which others may have recorded and sent again; else
     * 0 (version 1).
     */
    uint32_t early;
    /**
     * Bytes of its label (version 1).
     */
    uint32_t label_length;
    /**
     * 0 (first) to 7 (last), as its opener chose (version 1).
     */
    uint32_t priority;
    /**
     * Its share beside others of its priority, as its opener chose (version 1).
     */
    uint32_t weight;
    /**
     * 0.
     */
    uint32_t reserved;
} channeler_channel_details;

/**
 * How messages are sent. Fill with `channeler_send_options_init`, then change what you need.
 */
typedef struct channeler_send_options {
    /**
     * `sizeof(channeler_send_options)`; set by `channeler_send_options_init`.
     */
    size_t struct_size;
    /**
     * How long from now the message is worth sending, in nanoseconds. Once that is over it is
     * given up: not sent if that has not begun, and not sent again if it has. 0: never; at most
     * 365 days.
     * `CHANNELER_LIFETIME_OF_CHANNEL` (default): as the channel says. Version 1.
     */
    uint64_t lifetime_ns;
    /**
     * 1: once the message's fate is known, one event tells it:
     * `CHANNELER_EVENT_MESSAGE_DELIVERED` or `CHANNELER_EVENT_MESSAGE_LOST`. Default 0. Version 1.
     */
    uint32_t report;
    /**
     * 1: the message does no harm when it arrives twice, and may leave before the handshake is
     * done; see `channeler_channel_send_early`. Default 0.
     */
    uint32_t may_replay;
    /**
     * With `report`, a number of the caller's that the event has. Any number; default 0.
     */
    uint64_t context;
} channeler_send_options;

/**
 * Gives back a buffer that `channeler_channel_send_buffer` took over.
 */
typedef void (*channeler_release_fn)(void *user_data, const uint8_t *data, size_t length);

/**
 * A message for `channeler_channel_send_many` and `_send_many_with`.
 */
typedef struct channeler_message {
    /**
     * Where to send it.
     */
    struct channeler_channel channel;
    /**
     * The message; read during the call only.
     */
    const uint8_t *data;
    /**
     * Its bytes, at least 1.
     */
    size_t length;
} channeler_message;

/**
 * A place for a message that `channeler_channel_receive_many` fills.
 */
typedef struct channeler_slot {
    /**
     * Set by the caller: where to read.
     */
    struct channeler_channel channel;
    /**
     * Set by the caller: where the message goes.
     */
    uint8_t *buffer;
    /**
     * Set by the caller: bytes in `buffer`.
     */
    size_t capacity;
    /**
     * Set by the call: bytes written.
     */
    size_t length;
    /**
     * Set by the call: bytes of the same message still waiting.
     */
    size_t remaining;
    /**
     * Set by the call: 0, or why nothing was read (`CHANNELER_ERR_DATA_UNAVAILABLE`, ...).
     */
    int32_t status;
    /**
     * Set by the call: 0.
     */
    uint32_t reserved;
} channeler_slot;

/**
 * Settings of a node. Fill with `channeler_options_init`, then change what you need.
 *
 * Durations are in nanoseconds; switches are 0 (off) or 1 (on). A setting out of its range makes
 * `channeler_node_new` fail with `CHANNELER_ERR_INVALID_ARGUMENT`, and `channeler_last_error` then
 * names the setting and its range.
 */
typedef struct channeler_options {
    /**
     * `sizeof(channeler_options)`, as the caller was compiled; set by `channeler_options_init`.
     */
    size_t struct_size;
    /**
     * With `CHANNELER_LEGACY_ONLY`, our peer id; all zero (default): a random one is drawn. Else
     * it must be all zero: the peer id is that of `identity`.
     */
    struct channeler_peer_id peer_id;
    /**
     * `CHANNELER_MODE_SOCKETS` (default) or `CHANNELER_MODE_SANS_IO`.
     */
    uint32_t mode;
    /**
     * `CHANNELER_LEGACY_OFF` (default), `CHANNELER_LEGACY_ACCEPT` or `CHANNELER_LEGACY_ONLY`.
     */
    uint32_t legacy;
    /**
     * Whether peers that we did not dial may connect. Default 1.
     */
    uint32_t accept_incoming;
    /**
     * Version 0: whether each packet is padded to `packet_size`. Default 0: bytes cost.
     */
    uint32_t padding;
    /**
     * Bytes of UDP payload in a packet: in version 0 at most, in version 1 those that a path
     * begins with (see `packet_size_max`). Default 1232; 128 to 65507
     * (`CHANNELER_PROFILE_REFERENCE`: from 65).
     */
    uint32_t packet_size;
    /**
     * Datagrams that one transmit may hold (GSO). Default 1; 1 to 64. With sockets the node sets
     * what the kernel takes.
     */
    uint32_t segments_max;
    /**
     * Version 0: how often the request for a channel is repeated before it fails. Default 5, about
     * 13 s in all; 0 to 16.
     */
    uint32_t handshake_retries;
    /**
     * Least severe level that `on_log` hears, `CHANNELER_LOG_ERROR` to `CHANNELER_LOG_DEBUG`.
     * Default `CHANNELER_LOG_INFO`.
     */
    uint32_t log_level;
    /**
     * Version 0: how long a message may wait for others to share its packet. Default 0: it waits
     * for nothing; at most 1 s. With sockets the system's timers round it up to a whole
     * millisecond.
     */
    uint64_t bundle_delay_ns;
    /**
     * Version 0: first wait for an answer to the request for a channel; it doubles with each
     * retry. Default 200 ms; 1 ms to 60 s.
     */
    uint64_t handshake_timeout_ns;
    /**
     * Version 0: how long one secret signs cookies; a cookie is good for one to two of these.
     * Default 30 s; 1 s to 1 day.
     */
    uint64_t cookie_epoch_ns;
    /**
     * A connection (version 0: each channel, then its connection) ends after this long without a
     * packet either way; with `keep_alive_ns`, after this long without one from the peer. In
     * version 1 the lower of both sides counts. Default 60 s; 0: never; else 1 ms to 365 days.
     */
    uint64_t idle_timeout_ns;
    /**
     * How often a peer that says nothing, or a channel that nothing is said on, is asked for a
     * sign of life. It keeps the channel on both sides and in the NATs between, and tells a silent
     * peer from a dead one: set both this and `idle_timeout_ns`. Default 0: never;
     * else 1 ms to half of `idle_timeout_ns`, which the peer's answer must not miss.
     */
    uint64_t keep_alive_ns;
    /**
     * How long `channeler_node_process` and the node's own thread poll the sockets before they
     * sleep: an answer that comes within it is not delayed by waking up, and the processor is busy
     * meanwhile. It shrinks by itself while it does not pay, so that a quiet node does not spin.
     * While a handshake is under way they look for up to 600 us, in the same way. Default 20 us;
     * 0: never, where every bit of the battery counts; at most 1 ms. Sockets only.
     */
    uint64_t spin_ns;
    /**
     * Connections at once. Default 16384; 1 to 8388608.
     */
    uint64_t connections_max;
    /**
     * Connections that peers of one IP address (of IPv6: of one /64 network) began. Default 64; 1
     * to 8388608.
     */
    uint64_t connections_per_address_max;
    /**
     * Channels of one connection, those of both sides together. Default 65536; 1 to 131070.
     */
    uint64_t channels_per_connection_max;
    /**
     * Channels of the node. Default 1048576; 1 to 8388608.
     */
    uint64_t channels_max;
    /**
     * Bytes queued for sending on one channel; in version 1 also those sent and not acknowledged,
     * where they may have to be sent again. No larger message can be sent. Default 1 MiB; at least
     * `packet_size`.
     */
    uint64_t send_queue_bytes_max;
    /**
     * Packets queued for sending on one channel. Default 4096; at least 1.
     */
    uint64_t send_queue_packets_max;
    /**
     * Bytes queued for sending in the whole node. Default 64 MiB; at least `packet_size`.
     */
    uint64_t node_send_queue_bytes_max;
    /**
     * Version 0: message bytes kept for `channeler_channel_receive` on one channel; past it new
     * messages are dropped and counted. Default 1 MiB; at least `packet_size`. Version 1 has
     * `connection_receive_bytes_max`.
     */
    uint64_t receive_queue_bytes_max;
    /**
     * Version 0: messages kept for `channeler_channel_receive` on one channel. Default 4096; at
     * least 1.
     */
    uint64_t receive_queue_messages_max;
    /**
     * Version 0: message bytes kept for `channeler_channel_receive` in the whole node. Default 64
     * MiB; at least `packet_size`.
     */
    uint64_t node_receive_queue_bytes_max;
    /**
     * Answers to peers without a connection, waiting to be sent, in packets. Default 1024; at
     * least 1.
     */
    uint64_t replies_max;
    /**
     * Events waiting to be reported; past it datagrams are dropped and counted. Default 65536; at
     * least 16.
     */
    uint64_t events_max;
    /**
     * Where the randomness of a sans-IO node begins: with it a run of version 0 can be repeated to
     * the byte, and one of version 1 but for its keys, which always come from the operating
     * system. All zero (default): drawn from the operating system. Sans-IO only.
     */
    uint8_t seed[32];
    /**
     * `CHANNELER_PROFILE_NODE` (default) or `CHANNELER_PROFILE_REFERENCE` (sans-IO only, and only
     * with `CHANNELER_LEGACY_ONLY`).
     */
    uint32_t profile;
    /**
     * Version 1: `CHANNELER_CONGESTION_*`, how the sending rate is controlled.
     */
    uint32_t congestion;
    /**
     * Version 1: the node's private key as PEM text, ended by a zero byte; see
     * `channeler_identity_generate`. Read during `channeler_node_new` only. NULL (default): a
     * fresh one, and with it a fresh peer id; `channeler_node_identity` tells it.
     */
    const char *identity;
    /**
     * Version 1: tells apart the processes that run at the same time with one identity, so that
     * none makes the peers of another believe that it restarted; ended by a zero byte, at most 255
     * bytes. Read during `channeler_node_new` only. NULL (default): there is one process.
     */
    const char *instance_label;
    /**
     * Version 1: whether messages of `channeler_channel_send_early` are taken before the handshake
     * is done. They may have been recorded and sent again by others: default 0.
     */
    uint32_t early_data;
    /**
     * Version 1: whether a channel that the peer closed stays open for what we have to say on it,
     * until `channeler_channel_close`, `CHANNELER_EVENT_CHANNEL_FINISHED` telling of it. Default
     * 0: it is closed by itself.
     */
    uint32_t half_close;
    /**
     * Version 1: whether everybody who dials must prove its address by a cookie first, which costs
     * a round trip. Default 0: only while there are many.
     */
    uint32_t always_cookie;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Version 1: when one attempt of a handshake is given up. Default 10 s; 100 ms to 1 hour.
     */
    uint64_t attempt_timeout_ns;
    /**
     * Version 1: when a connection that nobody answers ends with `CHANNELER_ERR_TIMEOUT`; up to 3
     * attempts are made in that time. Default 30 s; 100 ms to 1 hour.
     */
    uint64_t dial_timeout_ns;
    /**
     * Version 1: how long a closing connection waits until what was sent has arrived. Default 5 s;
     * 0: not at all; at most 1 hour.
     */
    uint64_t linger_ns;
    /**
     * Version 1: how long an acknowledgement may wait for company. Default 25 ms; at most 16 s.
     */
    uint64_t ack_delay_ns;
    /**
     * Version 1: handshakes under way without a cookie, past which further ones need one. Default
     * 256.
     */
    uint64_t half_open_free_max;
    /**
     * Version 1: handshakes under way, past which further ones are dropped. Default 4096; 1 to
     * 1048576.
     */
    uint64_t half_open_max;
    /**
     * Version 1: bytes of early messages kept until the handshake is done. Default 64 KiB.
     */
    uint64_t early_bytes_max;
    /**
     * Version 1: session tickets kept, those given out and those received; with one, the next
     * handshake is shorter and may carry early messages. Default 1024; 0 (every handshake is a
     * full one) to 1048576.
     */
    uint64_t tickets_max;
    /**
     * Version 1: channels that one peer may have opened at once. Default 4096; at most 2147483648.
     */
    uint64_t peer_channels_max;
    /**
     * Version 1: bytes of the largest message taken from a peer. Default 16 MiB; 1 to 4294967296.
     */
    uint64_t message_bytes_max;
    /**
     * When a channel whose send returned `CHANNELER_ERR_WOULD_BLOCK` is writable again
     * (`CHANNELER_EVENT_WRITABLE`): once no more than these bytes are queued on it, and the
     * message that found no room would find it. Low values mean fewer, larger batches, and 0 that
     * all must have left. Default `CHANNELER_LOW_WATER_HALF`; else at most `send_queue_bytes_max`.
     */
    uint64_t send_low_water_bytes;
    /**
     * Version 1: bytes that a peer may send on one channel before any are read, at first; the
     * window grows with what the path carries and the application reads. Default 64 KiB; from
     * `packet_size` to `connection_receive_bytes_max`.
     */
    uint64_t receive_window_min;
    /**
     * Version 1: bytes of one connection received and not read, and granted to the peer on top.
     * Who does not read stops the peer here; nothing is dropped. Default 16 MiB; from
     * `message_bytes_max` to 1099511627776.
     */
    uint64_t connection_receive_bytes_max;
    /**
     * Version 1: the same of all connections; when it is short, their windows stop growing.
     * Default 256 MiB; at least `connection_receive_bytes_max`.
     */
    uint64_t node_receive_bytes_max;
    /**
     * Version 1, with `CHANNELER_CONGESTION_BBR2`: per cent of packets that a round trip may lose
     * before that counts as a full queue. Default 2; 2 to 50.
     *
     * More is for links that are known to lose at random, such as radio: some more than they lose
     * (8 for 5 per cent). Losses below it then have no effect at all. It is not for links that
     * others share: a full queue shows nothing but losses, and no sender with 20 here yields to
     * fewer.
     */
    uint64_t loss_tolerance_percent;
    /**
     * Version 1: the largest packet that the search for what a path takes may come to, in bytes of
     * UDP payload. Default 1452: what Ethernet carries over IPv6. More, up to 65507, is for
     * networks known to take it (jumbo frames, the loopback). There is no search where it is not
     * above `packet_size`, or that is below 1200.
     */
    uint64_t packet_size_max;
} channeler_options;

/**
 * Tells that `user_data` is not used any more.
 */
typedef void (*channeler_drop_fn)(void *user_data);

/**
 * Asks whether a peer may connect that we did not dial, or dialled without saying who must answer:
 * nonzero is yes.
 *
 * In version 1 the peer has proved who it is; `channeler_connection_info` tells its full key, and
 * a no is told to it (`CHANNELER_ERR_REFUSED`). In version 0 it proved its address but not its id,
 * and hears nothing. `peer` and `address` are lent for the call. `connection` may already be named
 * in calls.
 */
typedef int32_t (*channeler_accept_fn)(void *user_data,
                                       struct channeler_node *node,
                                       struct channeler_connection connection,
                                       const struct channeler_peer_id *peer,
                                       const struct channeler_address *address);

/**
 * What happened. Fields that its kind does not mention are zero.
 *
 * Later libraries may have more kinds (ignore those you do not know) and more fields at the end.
 */
typedef struct channeler_event {
    /**
     * Bytes of this struct as the library knows it.
     */
    size_t struct_size;
    /**
     * `CHANNELER_EVENT_*`.
     */
    uint32_t kind;
    /**
     * Why it ended: a `CHANNELER_ERR_*` number.
     */
    int32_t reason;
    /**
     * The connection.
     */
    struct channeler_connection connection;
    /**
     * The channel.
     */
    struct channeler_channel channel;
    /**
     * An address of the peer.
     */
    struct channeler_address address;
    /**
     * 1 when the peer opened the channel, 0 when we did.
     */
    uint32_t by_peer;
    /**
     * Bytes of UDP payload.
     */
    uint32_t packet_size;
    /**
     * The peer.
     */
    struct channeler_peer_id peer;
    /**
     * A channel as packets name it.
     */
    struct channeler_wire_id id;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * When a connection or channel ended, in version 1: with `CHANNELER_ERR_PEER_CLOSED` the
     * number that the peer's application gave; with another reason the protocol's number for it,
     * which is for logs (docs/protocol.md, chapter 17). 0 where there is none.
     */
    uint64_t code;
    /**
     * What was said with it, for people: UTF-8 ended by a zero byte, lent for the call. Input from
     * outside: it may be anything. NULL: nothing.
     */
    const char *text;
    /**
     * What `channeler_send_options` said of the message.
     */
    uint64_t context;
    /**
     * How many messages.
     */
    uint64_t count;
} channeler_event;

/**
 * Tells what happened. `event` is lent for the call.
 */
typedef void (*channeler_event_fn)(void *user_data,
                                   struct channeler_node *node,
                                   const struct channeler_event *event);

/**
 * Hands over a message of `length` bytes (at least 1). `data` is lent for the call: copy what you
 * keep.
 */
typedef void (*channeler_message_fn)(void *user_data,
                                     struct channeler_node *node,
                                     struct channeler_connection connection,
                                     struct channeler_channel channel,
                                     const uint8_t *data,
                                     size_t length);

/**
 * Hands over a datagram of no protocol of ours (STUN, say). `from` and `data` are lent for the
 * call.
 */
typedef void (*channeler_datagram_fn)(void *user_data,
                                      struct channeler_node *node,
                                      const struct channeler_address *from,
                                      const uint8_t *data,
                                      size_t length);

/**
 * Hands over a line for a log, without a line end. `text` is lent for the call.
 */
typedef void (*channeler_log_fn)(void *user_data,
                                 struct channeler_node *node,
                                 uint32_t level,
                                 const char *text);

/**
 * Hands over a line of a key log, without a line end: what `SSLKEYLOGFILE` holds, and Wireshark
 * reads. `line` is lent for the call.
 *
 * Who has the lines can read, and forge, everything that was said on the connections: only for
 * finding faults.
 */
typedef void (*channeler_key_log_fn)(void *user_data,
                                     struct channeler_node *node,
                                     const char *line);

/**
 * The functions that a node calls. Fill with `channeler_callbacks_init`, then set those you want.
 *
 * Thread: callbacks run only in the thread that is inside `channeler_node_process` (sans-IO: also
 * `channeler_node_handle_datagram` and `channeler_node_handle_timeout`), or in the node's own
 * thread after `channeler_node_start`; one at a time, with no lock held. Inside one every function
 * may be called, on this node and others, except that on the same node `channeler_node_process`,
 * `channeler_node_stop` and the two sans-IO functions return `CHANNELER_ERR_STATE`, and that
 * `channeler_node_free` takes effect when the callback returns.
 *
 * Callbacks must return: no C++ exception and no `longjmp` may leave them.
 */
typedef struct channeler_callbacks {
    /**
     * `sizeof(channeler_callbacks)`; set by `channeler_callbacks_init`.
     */
    size_t struct_size;
    /**
     * Given to each of the functions below. The library never looks at what it points to.
     */
    void *user_data;
    /**
     * Called exactly once, after the last callback, when the node is freed. NULL: nothing is
     * called. Not called when `channeler_node_new` fails: `user_data` then stays the caller's.
     */
    channeler_drop_fn drop;
    /**
     * Accepts or refuses peers that we did not dial by their id. NULL: all are accepted. With the
     * option `accept_incoming` 0, those that dial us are refused without being asked about.
     */
    channeler_accept_fn on_accept;
    /**
     * Hears what happens. NULL: nobody does.
     */
    channeler_event_fn on_event;
    /**
     * Takes messages as they come. NULL: they are kept for `channeler_channel_receive`, and a
     * `CHANNELER_EVENT_READABLE` tells of them.
     */
    channeler_message_fn on_message;
    /**
     * Takes datagrams of other protocols. NULL: they are dropped and counted.
     */
    channeler_datagram_fn on_datagram;
    /**
     * Takes lines for a log. NULL: the library is silent.
     */
    channeler_log_fn on_log;
    /**
     * Takes the secrets of all handshakes of version 1, so that recorded packets can be read.
     * NULL: they are told to nobody. At most 4096 lines wait for the node's next turn; more are
     * lost.
     */
    channeler_key_log_fn on_key_log;
} channeler_callbacks;

/**
 * Counters of a node since `channeler_node_new`.
 */
typedef struct channeler_node_counters {
    /**
     * `sizeof(channeler_node_counters)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Datagrams received, dropped ones included.
     */
    uint64_t datagrams_received;
    /**
     * Bytes of UDP payload received.
     */
    uint64_t bytes_received;
    /**
     * Datagrams handed to the network.
     */
    uint64_t datagrams_sent;
    /**
     * Bytes of UDP payload handed to the network.
     */
    uint64_t bytes_sent;
    /**
     * Messages delivered, or queued for delivery.
     */
    uint64_t messages_received;
    /**
     * Messages accepted from the application.
     */
    uint64_t messages_sent;
    /**
     * Connections now.
     */
    uint64_t connections;
    /**
     * Channels now, pending ones included.
     */
    uint64_t channels;
    /**
     * Bytes waiting to be sent now.
     */
    uint64_t send_queue_bytes;
    /**
     * Message bytes waiting to be read now.
     */
    uint64_t receive_queue_bytes;
    /**
     * Everything dropped, by reason: `CHANNELER_DROP_*` is the index, and
     * `channeler_drop_reason_name` its name.
     */
    uint64_t dropped[64];
} channeler_node_counters;

/**
 * Counters of a connection since it began.
 */
typedef struct channeler_connection_counters {
    /**
     * `sizeof(channeler_connection_counters)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Datagrams received from the peer.
     */
    uint64_t datagrams_received;
    /**
     * Their bytes.
     */
    uint64_t bytes_received;
    /**
     * Datagrams built for the peer.
     */
    uint64_t datagrams_sent;
    /**
     * Their bytes.
     */
    uint64_t bytes_sent;
    /**
     * Channels now, pending ones included.
     */
    uint64_t channels;
    /**
     * Version 1: the smoothed round-trip time in nanoseconds; 0 before the handshake is done.
     */
    uint64_t rtt_ns;
    /**
     * Version 1: bytes that may be on their way at once, as congestion control sees it.
     */
    uint64_t congestion_window_bytes;
    /**
     * Version 1: bytes of packets that were lost on their way to the peer.
     */
    uint64_t bytes_lost;
    /**
     * Version 1: how much the round-trip time varies, in nanoseconds.
     */
    uint64_t rtt_variation_ns;
    /**
     * Version 1: the least round-trip time seen, in nanoseconds.
     */
    uint64_t rtt_min_ns;
    /**
     * Version 1: bytes on their way now: sent, and neither acknowledged nor lost.
     */
    uint64_t in_flight_bytes;
    /**
     * Version 1: bytes that may leave in a second; 0: nothing but the window limits.
     */
    uint64_t pacing_rate_bytes;
    /**
     * Largest packet that leaves now, in bytes of UDP payload; version 0: the option `packet_size`
     * or less.
     */
    uint64_t packet_size;
    /**
     * Version 1: packets sent, those of the handshake apart.
     */
    uint64_t packets_sent;
    /**
     * Version 1: packets that were lost on their way to the peer.
     */
    uint64_t packets_lost;
    /**
     * Version 1: packets taken for lost that had arrived after all; `packets_lost` counts them.
     */
    uint64_t packets_lost_spuriously;
    /**
     * Version 1: bytes of messages sent again because packets with them were lost.
     */
    uint64_t bytes_resent;
    /**
     * Bytes waiting to be sent now, on all channels; see `channeler_channel_counters`.
     */
    uint64_t send_queue_bytes;
    /**
     * Bytes received and not read now, on all channels; see `channeler_channel_counters`.
     */
    uint64_t receive_queue_bytes;
    /**
     * Version 1: bytes that we may still send, on all channels together, before the peer allows
     * more, because it reads.
     */
    uint64_t send_credit_bytes;
    /**
     * `CHANNELER_ECN_*`: whether the path carries marks of explicit congestion notification.
     */
    uint64_t ecn;
} channeler_connection_counters;

/**
 * Counters of a channel since it began.
 */
typedef struct channeler_channel_counters {
    /**
     * `sizeof(channeler_channel_counters)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Messages accepted from the application.
     */
    uint64_t messages_sent;
    /**
     * Their bytes.
     */
    uint64_t bytes_sent;
    /**
     * Messages received.
     */
    uint64_t messages_received;
    /**
     * Their bytes.
     */
    uint64_t bytes_received;
    /**
     * Messages dropped: received ones because the receive queue was full, sent ones because the
     * path's packet size shrank below them while the channel was opening.
     */
    uint64_t messages_dropped;
    /**
     * Bytes waiting to be sent now, envelopes included; where lost messages are sent again, also
     * those sent and not acknowledged.
     */
    uint64_t send_queue_bytes;
    /**
     * Message bytes waiting to be read now; in version 1 also those of messages with holes.
     */
    uint64_t receive_queue_bytes;
    /**
     * Messages waiting to be sent now, or packets of them.
     */
    uint64_t send_queue_messages;
    /**
     * Messages that can be read now.
     */
    uint64_t receive_queue_messages;
    /**
     * Version 1: messages of ours given up: lost, or expired.
     */
    uint64_t messages_lost;
    /**
     * Version 1: messages of the peer's that will never come.
     */
    uint64_t messages_skipped;
    /**
     * Version 1: bytes of messages sent again because packets with them were lost.
     */
    uint64_t bytes_resent;
    /**
     * Version 1: bytes that we may still send before the peer allows more, because it reads.
     */
    uint64_t send_credit_bytes;
    /**
     * Version 1: bytes that the peer may still send before we allow more.
     */
    uint64_t receive_credit_bytes;
    /**
     * Version 1: our receive window now: so many bytes unread stop the peer.
     */
    uint64_t receive_window_bytes;
} channeler_channel_counters;

/**
 * Where bytes go that `channeler_node_poll_transmit` gave.
 */
typedef struct channeler_transmit {
    /**
     * The receiver's address.
     */
    struct channeler_address to;
    /**
     * The address of ours to send from; `CHANNELER_FAMILY_NONE`: any. The port is always 0.
     */
    struct channeler_address from;
    /**
     * Bytes to send.
     */
    size_t length;
    /**
     * Size of each datagram in them; only the last may be shorter. Equal to `length` unless the
     * option `segments_max` is more than 1.
     */
    size_t segment_size;
    /**
     * The connection they are for; id 0: an answer to a stranger.
     */
    struct channeler_connection connection;
} channeler_transmit;

/**
 * Settings of QUIC channels. Fill with `channeler_quic_options_init`, then change what you need.
 *
 * Durations are in nanoseconds; switches are 0 (off) or 1 (on). A setting out of its range makes
 * `channeler_quic_open` fail with `CHANNELER_ERR_INVALID_ARGUMENT`, and `channeler_last_error`
 * then names the setting and its range.
 */
typedef struct channeler_quic_options {
    /**
     * `sizeof(channeler_quic_options)`, as the caller was compiled.
     */
    size_t struct_size;
    /**
     * `CHANNELER_QUIC_ORDERED` (default) or `CHANNELER_QUIC_PER_CHANNEL`. Peers need not agree.
     */
    uint32_t streams;
    /**
     * `CHANNELER_CONGESTION_*`. Default as `congestion` of `channeler_options`.
     */
    uint32_t congestion;
    /**
     * Whether peers that we did not dial may connect. Default 1.
     */
    uint32_t accept_incoming;
    /**
     * Whether a `CHANNELER_QUIC_EVENT_REQUEST` asks about peers that are not known. Default 0:
     * they are refused; with certificates, those that have one of the authorities are accepted.
     */
    uint32_t ask_before_accept;
    /**
     * PEM text of our certificate, and behind it those between it and an authority. NULL
     * (default): no certificates; both sides show their raw public keys, and the node's identity
     * is ours.
     */
    const char *certificate_chain;
    /**
     * PEM text of the private key of our certificate. NULL without certificates.
     */
    const char *private_key;
    /**
     * PEM text of the certificates of the authorities that peers must have theirs from. NULL
     * without certificates.
     */
    const char *authorities;
    /**
     * The name that certificates of peers that we dial must have. NULL: their IP address.
     */
    const char *server_name;
    /**
     * The application protocol that both sides must name. NULL: `channeler-quic/1`.
     */
    const char *application_protocol;
    /**
     * The largest message sent or taken, in bytes. Default 16 MiB; 1 to 1 GiB.
     */
    uint64_t message_bytes_max;
    /**
     * Bytes of messages, of unfinished ones too, kept for `channeler_quic_receive`. At the limit
     * peers are held back. Default 256 MiB; at least `connection_receive_bytes_max`.
     */
    uint64_t receive_bytes_max;
    /**
     * The same in messages. Default 65536; at least `connection_receive_messages_max`.
     */
    uint64_t receive_messages_max;
    /**
     * The same of one connection, in bytes. Default 64 MiB; at least `message_bytes_max` and 291.
     */
    uint64_t connection_receive_bytes_max;
    /**
     * The same of one connection, in messages. Default 16384.
     */
    uint64_t connection_receive_messages_max;
    /**
     * Bytes queued for one peer at which sends are `CHANNELER_ERR_WOULD_BLOCK`. Default 1 MiB.
     */
    uint64_t send_queue_bytes_max;
    /**
     * A connection ends after this long without a packet from the peer. Default 30 s; 0: never.
     */
    uint64_t idle_timeout_ns;
    /**
     * How often a silent peer is asked for a sign of life. Default 0: never; else less than
     * `idle_timeout_ns`.
     */
    uint64_t keep_alive_ns;
    /**
     * When a handshake is given up. Default 10 s; 100 ms to an hour.
     */
    uint64_t dial_timeout_ns;
    /**
     * How long a `CHANNELER_QUIC_EVENT_REQUEST` may stay unanswered. Default 5 s; 1 ms to an hour.
     */
    uint64_t accept_timeout_ns;
    /**
     * How long a connection that is closed, or evicted, may take to send what it has. Default 5 s;
     * at most an hour.
     */
    uint64_t drain_timeout_ns;
} channeler_quic_options;

/**
 * What happened to QUIC channels. Fields that its kind does not mention are zero.
 *
 * Later libraries may have more kinds (ignore those you do not know) and more fields at the end.
 */
typedef struct channeler_quic_event {
    /**
     * Bytes of this struct as the library knows it.
     */
    size_t struct_size;
    /**
     * `CHANNELER_QUIC_EVENT_*`.
     */
    uint32_t kind;
    /**
     * Why it ended: a `CHANNELER_ERR_*` number.
     */
    int32_t reason;
    /**
     * The connection; no number is used twice.
     */
    uint64_t connection;
    /**
     * The peer's address.
     */
    struct channeler_address address;
    /**
     * Where the peer is now.
     */
    struct channeler_address new_address;
    /**
     * The peer. With certificates an id that follows from the whole certificate.
     */
    struct channeler_peer_id peer;
    /**
     * The peer's raw public key.
     */
    struct channeler_public_key key;
    /**
     * 1 when the peer began the connection, 0 when we did.
     */
    uint32_t by_peer;
    /**
     * The number that was said.
     */
    uint64_t code;
    /**
     * What was said with it, for people: UTF-8 ended by a zero byte, lent for the call. Input from
     * outside: it may be anything. NULL: nothing.
     */
    const char *text;
    /**
     * How many messages.
     */
    uint64_t count;
    /**
     * How many messages of the peer broke off.
     */
    uint64_t cut;
} channeler_quic_event;

/**
 * Tells what happened to QUIC channels. `event` is lent for the call. The rules of
 * `channeler_callbacks` hold.
 */
typedef void (*channeler_quic_event_fn)(void *user_data,
                                        struct channeler_node *node,
                                        const struct channeler_quic_event *event);

/**
 * Which team a channel belongs to: 32 bytes that mean nothing to the library.
 */
typedef struct channeler_team_id {
    /**
     * The id.
     */
    uint8_t bytes[32];
} channeler_team_id;

/**
 * A message for `channeler_quic_send_many`.
 */
typedef struct channeler_quic_message {
    /**
     * The message; read during the call only. It may be NULL when `length` is 0.
     */
    const uint8_t *data;
    /**
     * Its bytes.
     */
    size_t length;
} channeler_quic_message;

/**
 * Where a message came from.
 */
typedef struct channeler_quic_channel {
    /**
     * The peer's address.
     */
    struct channeler_address address;
    /**
     * The peer.
     */
    struct channeler_peer_id peer;
    /**
     * The team; of sync messages zeros.
     */
    struct channeler_team_id team;
    /**
     * The label: UTF-8 of at most `CHANNELER_QUIC_LABEL_MAX` bytes, ended by a zero byte, behind
     * which nothing is written; of sync messages empty. Input from outside: there may be zero
     * bytes in it, too.
     */
    char label[260];
    /**
     * Bytes in the label.
     */
    size_t label_length;
} channeler_quic_channel;

/**
 * Counters of QUIC channels since `channeler_quic_open`.
 */
typedef struct channeler_quic_counters {
    /**
     * `sizeof(channeler_quic_counters)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Connections in the map now, at most 32.
     */
    uint64_t connections;
    /**
     * Connections beside it now: they drain, are still being read, or are not in it yet.
     */
    uint64_t connections_beside;
    /**
     * Connections that we began.
     */
    uint64_t dialled;
    /**
     * Connections that peers began and that were accepted.
     */
    uint64_t accepted;
    /**
     * Connections that were closed for another when there were 32.
     */
    uint64_t evicted;
    /**
     * Connections that gave way to another with the same peer.
     */
    uint64_t superseded;
    /**
     * Handshakes of others that were asked to prove their address.
     */
    uint64_t handshakes_retried;
    /**
     * Messages taken for sending, sync messages included.
     */
    uint64_t messages_sent;
    /**
     * Their bytes.
     */
    uint64_t bytes_sent;
    /**
     * Messages received whole, sync messages included.
     */
    uint64_t messages_received;
    /**
     * Bytes of their frames.
     */
    uint64_t bytes_received;
    /**
     * Messages taken for sending of which it is not known that they arrived: their connection
     * ended before, or the peer stopped their stream.
     */
    uint64_t messages_undelivered;
    /**
     * Bytes that wait to be received now, with those of unfinished messages.
     */
    uint64_t receive_queue_bytes;
    /**
     * Messages that wait to be received now.
     */
    uint64_t receive_queue_messages;
    /**
     * Bytes that wait to be sent now, on all connections.
     */
    uint64_t send_queue_bytes;
    /**
     * Datagrams received, dropped ones included.
     */
    uint64_t datagrams_received;
    /**
     * Their bytes.
     */
    uint64_t datagram_bytes_received;
    /**
     * Datagrams handed to the network.
     */
    uint64_t datagrams_sent;
    /**
     * Their bytes.
     */
    uint64_t datagram_bytes_sent;
    /**
     * Everything that was not taken, by reason: `channeler_quic_drop_reason_name` names the
     * places.
     */
    uint64_t dropped[64];
} channeler_quic_counters;

/**
 * What a connection of QUIC channels is, and how it does.
 */
typedef struct channeler_quic_details {
    /**
     * `sizeof(channeler_quic_details)`: set it before the call.
     */
    size_t struct_size;
    /**
     * Its number, as events have it.
     */
    uint64_t connection;
    /**
     * Where the peer is.
     */
    struct channeler_address address;
    /**
     * The peer; all zero before it proved who it is.
     */
    struct channeler_peer_id peer;
    /**
     * 1 once messages flow, else 0.
     */
    uint32_t connected;
    /**
     * 1 when the peer began it, 0 when we did.
     */
    uint32_t by_peer;
    /**
     * The smoothed round-trip time, in nanoseconds.
     */
    uint64_t rtt_ns;
    /**
     * The least round-trip time seen, in nanoseconds.
     */
    uint64_t rtt_min_ns;
    /**
     * Bytes that may be on their way at once, as congestion control sees it.
     */
    uint64_t congestion_window_bytes;
    /**
     * Bytes that may leave in a second; 0: nothing but the window limits.
     */
    uint64_t pacing_rate_bytes;
    /**
     * Bytes on their way now.
     */
    uint64_t in_flight_bytes;
    /**
     * Bytes that wait to be sent now.
     */
    uint64_t send_queue_bytes;
    /**
     * Bytes that wait to be received now, with those of unfinished messages.
     */
    uint64_t receive_queue_bytes;
    /**
     * Messages that wait to be received now.
     */
    uint64_t receive_queue_messages;
    /**
     * Messages taken for sending on it.
     */
    uint64_t messages_sent;
    /**
     * Messages received whole on it.
     */
    uint64_t messages_received;
    /**
     * Messages of the peer that broke off in their middle.
     */
    uint64_t messages_cut;
    /**
     * Packets sent.
     */
    uint64_t packets_sent;
    /**
     * Packets that were lost on their way to the peer.
     */
    uint64_t packets_lost;
    /**
     * Their bytes.
     */
    uint64_t bytes_lost;
    /**
     * How often loss, or marks of full queues, were told to congestion control.
     */
    uint64_t congestion_events;
    /**
     * Largest packet that leaves now, in bytes of UDP payload.
     */
    uint64_t packet_size;
    /**
     * Datagrams sent.
     */
    uint64_t datagrams_sent;
    /**
     * Their bytes.
     */
    uint64_t datagram_bytes_sent;
    /**
     * Datagrams received.
     */
    uint64_t datagrams_received;
    /**
     * Their bytes.
     */
    uint64_t datagram_bytes_received;
} channeler_quic_details;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the version of the library, as "major.minor.patch".
 *
 * Owner: the library; valid for ever. Thread: any.
 */
const char *channeler_version(void);

/**
 * Returns the version of the interface that the library was built with.
 *
 * A program may use the library when this equals the `CHANNELER_ABI_VERSION` it was compiled with.
 * Thread: any.
 */
uint32_t channeler_abi_version(void);

/**
 * Returns the name of a status as this header has it, such as "CHANNELER_ERR_STATE".
 *
 * Never NULL: 0 is "CHANNELER_OK", a number that is not ours is "CHANNELER_ERR_UNKNOWN".
 * Owner: the library; valid for ever. Thread: any.
 */
const char *channeler_error_name(int32_t status);

/**
 * Returns one sentence on what a status means. `channeler_last_error` often says more.
 *
 * Never NULL. Owner: the library; valid for ever. Thread: any.
 */
const char *channeler_error_text(int32_t status);

/**
 * Returns what went wrong in the last call of this thread that failed, in words: which argument,
 * what it was, and what is allowed.
 *
 * Never NULL; "" when no call failed yet. Calls that succeed leave it as it is.
 * Owner: the library; valid until the next call of this thread that fails, or the thread's end.
 * Thread: any; each has its own text.
 */
const char *channeler_last_error(void);

/**
 * Draws a random peer id from the operating system.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`out` is NULL), `CHANNELER_ERR_UNSUPPORTED` (the
 * system gives no randomness). Thread: any.
 *
 * Pointers:
 * `out` is NULL or writable.
 */
int32_t channeler_peer_id_random(struct channeler_peer_id *out);

/**
 * Reads a peer id from text: 32 hexadecimal digits, with or without "0x" before them.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (the text
 * is no peer id). Thread: any.
 *
 * Pointers:
 * `text` is NULL or ends with a zero byte; `out` is NULL or writable.
 */
int32_t channeler_peer_id_parse(const char *text,
                                struct channeler_peer_id *out);

/**
 * Writes a peer id as text: "0x" and 32 lower-case hexadecimal digits, ended by a zero byte.
 *
 * `capacity` is the size of `buffer` in bytes; `CHANNELER_PEER_ID_TEXT_MAX` is enough.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
 * `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
 *
 * Pointers:
 * `peer` is NULL or readable; `buffer` is NULL or has `capacity` writable bytes.
 */
int32_t channeler_peer_id_format(const struct channeler_peer_id *peer,
                                 char *buffer,
                                 size_t capacity);

/**
 * Makes a new identity and writes its private key as PEM text (PKCS#8, RFC 8410), ended by a zero
 * byte: what the option `identity` takes.
 *
 * Who has the text can be the node. Keep it where only you can read it; the library writes no
 * file. `capacity` is the size of `buffer` in bytes; `CHANNELER_IDENTITY_PEM_MAX` is enough.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`buffer` is NULL),
 * `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written; `channeler_last_error` says how
 * much is needed), `CHANNELER_ERR_CRYPTO` (the system gives no randomness). Thread: any.
 *
 * Pointers:
 * `buffer` is NULL or has `capacity` writable bytes.
 */
int32_t channeler_identity_generate(char *buffer,
                                    size_t capacity);

/**
 * Tells the public key of an identity.
 *
 * `pem` is the PEM text of the private key (PKCS#8, unencrypted, Ed25519; as
 * `channeler_identity_generate` and `openssl genpkey -algorithm ed25519` write it), ended by a
 * zero byte; read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (no such
 * key in the text; `channeler_last_error` says what is wrong). Thread: any.
 *
 * Pointers:
 * `pem` is NULL or ends with a zero byte; `out` is NULL or writable.
 */
int32_t channeler_identity_public_key(const char *pem, struct channeler_public_key *out);

/**
 * Tells the peer id that belongs to a public key: what others know the node by.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (the bytes
 * are no Ed25519 key). Thread: any.
 *
 * Pointers:
 * `key` is NULL or readable; `out` is NULL or writable.
 */
int32_t channeler_public_key_peer_id(const struct channeler_public_key *key,
                                     struct channeler_peer_id *out);

/**
 * Writes the node's private key as PEM text, as `channeler_identity_generate` does: how a key that
 * `channeler_node_new` made by itself can be kept.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
 * `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written), `_UNSUPPORTED` (the node speaks
 * version 0 only, and has no key), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes.
 */
int32_t channeler_node_identity(struct channeler_node *node,
                                char *buffer,
                                size_t capacity);

/**
 * Tells the node's public key.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (the node speaks
 * version 0 only, and has no key), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_node_public_key(struct channeler_node *node,
                                  struct channeler_public_key *out);

/**
 * Reads the varint at the front of `data`: its value to `value`, and how many bytes it takes
 * to `size`.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_DECODE` (it is cut off, or
 * larger than 64 bits). Thread: any.
 *
 * Pointers:
 * `data` is NULL or has `length` readable bytes; `value` and `size` are NULL or writable.
 */
int32_t channeler_wire_varint_parse(const uint8_t *data,
                                    size_t length,
                                    uint64_t *value,
                                    size_t *size);

/**
 * Writes `value` as a varint to `buffer`, and how many bytes that took (at most 10) to `size`.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE`
 * (nothing was written). Thread: any.
 *
 * Pointers:
 * `buffer` is NULL or has `capacity` writable bytes; `size` is NULL or writable.
 */
int32_t channeler_wire_varint_write(uint64_t value,
                                    uint8_t *buffer,
                                    size_t capacity,
                                    size_t *size);

/**
 * Tells how many bytes follow the kind of a message: a number from 0, or
 * `CHANNELER_WIRE_SIZE_VARIABLE`, or `CHANNELER_WIRE_SIZE_UNKNOWN`. Thread: any.
 */
int64_t channeler_wire_payload_size(uint32_t kind);

/**
 * Reads the message at the front of `data`; what follows it is not looked at.
 *
 * `out->payload` points into `data`, whose owner's it stays.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_MESSAGE_TYPE` (unknown
 * kind), `_INSUFFICIENT_BUFFER_SIZE` (`data` ends before the message does), `_DECODE` (kind or
 * length is no varint). Thread: any.
 *
 * Pointers:
 * `data` is NULL or has `length` readable bytes; `out` is NULL or writable.
 */
int32_t channeler_wire_message_parse(const uint8_t *data,
                                     size_t length,
                                     struct channeler_wire_message *out);

/**
 * Tells how many bytes `channeler_wire_message_write` writes for a message.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_MESSAGE_TYPE`,
 * `_ENCODE` (more capabilities than the wire has room for). Thread: any.
 *
 * Pointers:
 * `message` is NULL or readable, with `payload_size` readable bytes at `payload` if its kind is
 * `CHANNELER_WIRE_DATA`; `size` is NULL or writable.
 */
int32_t channeler_wire_message_size(const struct channeler_wire_message *message, size_t *size);

/**
 * Writes a message to `buffer`, and how many bytes that took to `size`.
 *
 * Errors: as `channeler_wire_message_size`, and `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing
 * was written). Thread: any.
 *
 * Pointers:
 * `message` as for `channeler_wire_message_size`; `buffer` is NULL or has `capacity` writable
 * bytes, which the payload is not part of; `size` is NULL or writable.
 */
int32_t channeler_wire_message_write(const struct channeler_wire_message *message,
                                     uint8_t *buffer,
                                     size_t capacity,
                                     size_t *size);

/**
 * Reads the header at the front of a packet. Nothing is checked but that it is there.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
 * than 48 bytes; from 44 on, the public header can be had by passing 44: `sequence` and
 * `payload_size` are 0 then). Thread: any.
 *
 * Pointers:
 * `packet` is NULL or has `length` readable bytes; `out` is NULL or writable.
 */
int32_t channeler_wire_header_parse(const uint8_t *packet,
                                    size_t length,
                                    struct channeler_wire_header *out);

/**
 * Writes the header of a packet, as it is given, to its first 48 bytes.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
 * than 48 bytes). Thread: any.
 *
 * Pointers:
 * `header` is NULL or readable; `packet` is NULL or has `length` writable bytes.
 */
int32_t channeler_wire_header_write(const struct channeler_wire_header *header,
                                    uint8_t *packet,
                                    size_t length);

/**
 * Computes the checksum that a packet of `length` bytes should end with.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (no
 * room for a checksum: fewer than 4 bytes). Thread: any.
 *
 * Pointers:
 * `packet` is NULL or has `length` readable bytes; `checksum` is NULL or writable.
 */
int32_t channeler_wire_checksum(const uint8_t *packet, size_t length, uint32_t *checksum);

/**
 * Reads the checksum that a packet of `length` bytes does end with.
 *
 * Errors: as `channeler_wire_checksum`. Thread: any.
 *
 * Pointers:
 * As `channeler_wire_checksum`.
 */
int32_t channeler_wire_checksum_parse(const uint8_t *packet, size_t length, uint32_t *checksum);

/**
 * Writes a checksum to the last 4 bytes of a packet of `length` bytes.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`packet` is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
 * than 4 bytes). Thread: any.
 *
 * Pointers:
 * `packet` is NULL or has `length` writable bytes.
 */
int32_t channeler_wire_checksum_write(uint32_t checksum,
                                      uint8_t *packet,
                                      size_t length);

/**
 * Computes the cookie that the reference implementation puts into NEW, for the initiator's half of
 * a channel id.
 *
 * It is a CRC-32 and protects nothing: one is enough to make others. Nodes use better ones.
 * `secret` may be NULL when `secret_length` is 0.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL). Thread: any.
 *
 * Pointers:
 * `secret` is NULL or has `secret_length` readable bytes; `initiator` and `responder` are NULL or
 * readable; `cookie` is NULL or writable.
 */
int32_t channeler_wire_cookie_initiator(const uint8_t *secret,
                                        size_t secret_length,
                                        const struct channeler_peer_id *initiator,
                                        const struct channeler_peer_id *responder,
                                        uint16_t initiator_half,
                                        uint32_t *cookie);

/**
 * Computes the cookie that the reference implementation puts into ACKNOWLEDGE, for a whole channel
 * id. Otherwise as `channeler_wire_cookie_initiator`.
 *
 * Pointers:
 * As `channeler_wire_cookie_initiator`.
 */
int32_t channeler_wire_cookie_responder(const uint8_t *secret,
                                        size_t secret_length,
                                        const struct channeler_peer_id *initiator,
                                        const struct channeler_peer_id *responder,
                                        struct channeler_wire_id id,
                                        uint32_t *cookie);

/**
 * Draws a half of a channel id from the operating system; never `CHANNELER_WIRE_NO_HALF`.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`half` is NULL), `_UNSUPPORTED` (the system gives no
 * randomness). Thread: any.
 *
 * Pointers:
 * `half` is NULL or writable.
 */
int32_t channeler_wire_random_half(uint16_t *half);

/**
 * Reads an address from text: `192.0.2.1:7000`, `[2001:db8::1]:7000`, `[fe80::1%eth0]:7000`.
 *
 * Names of hosts are not looked up. An IPv6 scope is a number or the name of an interface.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`.
 * Thread: any.
 *
 * Pointers:
 * `text` is NULL or ends with a zero byte; `out` is NULL or writable.
 */
int32_t channeler_address_parse(const char *text,
                                struct channeler_address *out);

/**
 * Writes an address as `channeler_address_parse` reads it, ended by a zero byte.
 *
 * `capacity` is the size of `buffer` in bytes; `CHANNELER_ADDRESS_TEXT_MAX` is enough.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
 * (no such family), `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
 *
 * Pointers:
 * `address` is NULL or readable; `buffer` is NULL or has `capacity` writable bytes.
 */
int32_t channeler_address_format(const struct channeler_address *address,
                                 char *buffer,
                                 size_t capacity);

/**
 * Takes an address from the system's form: `sockaddr` is a `struct sockaddr_in` or
 * `struct sockaddr_in6` of `length` bytes, as `recvfrom` or `getaddrinfo` give it.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
 * (another family, or too short for its own). Thread: any.
 *
 * Pointers:
 * `sockaddr` is NULL or has `length` readable bytes (no alignment is asked of it); `out` is NULL
 * or writable.
 */
int32_t channeler_address_from_sockaddr(const void *sockaddr,
                                        size_t length,
                                        struct channeler_address *out);

/**
 * Writes an address in the system's form, for `sendto` and its like.
 *
 * `capacity` is the size of `sockaddr` in bytes; that of `struct sockaddr_storage` is enough.
 * `*length` becomes the bytes written.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
 * (no such family), `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
 *
 * Pointers:
 * `address` is NULL or readable; `sockaddr` is NULL or has `capacity` writable bytes; `length` is
 * NULL or writable.
 */
int32_t channeler_address_to_sockaddr(const struct channeler_address *address,
                                      void *sockaddr,
                                      size_t capacity,
                                      size_t *length);

/**
 * Fills `options` with the defaults of this library, as `channeler_options_init` does.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
 * 8 from 16 to 4096). Thread: any.
 *
 * Pointers:
 * `options` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_dial_options_init(struct channeler_dial_options *options,
                                    size_t struct_size);

/**
 * Begins a connection to `peer` at `address`, or finds the one there is, and writes it to `out`.
 *
 * Version 1 is spoken, or version 0 if the node's `legacy` is `CHANNELER_LEGACY_ONLY`;
 * `channeler_node_dial` chooses. Version 1 shakes hands at once and ends with
 * `CHANNELER_EVENT_CONNECTED` or `CHANNELER_EVENT_CONNECTION_CLOSED`; version 0 sends nothing
 * before a channel is opened. Channels may be opened and messages sent without waiting. With
 * sockets, bind one of the address family first. `peer` and `address` are read during the call
 * only; `peer` NULL is whoever answers, in version 1.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `peer` is our own id),
 * `_INVALID_ADDRESS` (port 0 and unspecified addresses too), `_BANNED`, `_LIMIT`
 * (`connections_max`), `_STATE` (in version 1 the last connection with this peer is still closing:
 * wait for its `CHANNELER_EVENT_CONNECTION_CLOSED`; the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `peer` and `address` are NULL or readable;
 * `out` is NULL or writable.
 */
int32_t channeler_node_connect(struct channeler_node *node,
                               const struct channeler_peer_id *peer,
                               const struct channeler_address *address,
                               struct channeler_connection *out);

/**
 * As `channeler_node_connect`, with the version of the protocol chosen.
 *
 * Errors: as `channeler_node_connect`; also `CHANNELER_ERR_INVALID_ARGUMENT` (a wrong
 * `struct_size`, an unknown `protocol`, version 0 without a peer id), `_UNSUPPORTED` (the node's
 * `legacy` excludes that version). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
 * readable bytes; `out` is NULL or writable.
 */
int32_t channeler_node_dial(struct channeler_node *node,
                            const struct channeler_dial_options *options,
                            struct channeler_connection *out);

/**
 * Closes a connection: sends what is queued, tells the peer, then forgets it and its channels.
 *
 * The same as `channeler_connection_close_with` with code 0 and no reason.
 * Errors: as that. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_connection_close(struct channeler_node *node,
                                   struct channeler_connection connection);

/**
 * Closes a connection, and tells the peer why: `code` is a number of the application's, `reason` a
 * sentence for people (UTF-8, ended by a zero byte, cut at 255 bytes; NULL: none).
 *
 * Events `CHANNELER_EVENT_CHANNEL_CLOSED` and `CHANNELER_EVENT_CONNECTION_CLOSED` with
 * `CHANNELER_ERR_CLOSED` follow, in version 1 after what was sent has arrived or the option
 * `linger_ns` has passed. The peer's events have `CHANNELER_ERR_PEER_CLOSED`, `code` and `reason`.
 * Version 0 has no message for it: the peer sees silence, and ends its side after its idle
 * timeout.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_DECODE` (`reason` is not UTF-8),
 * `_INVALID_REFERENCE` (no such connection, or it ended: closing twice is this), `_STATE` (the
 * node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `reason` is NULL or ends with a zero byte.
 */
int32_t channeler_connection_close_with(struct channeler_node *node,
                                        struct channeler_connection connection,
                                        uint64_t code,
                                        const char *reason);

/**
 * Begins to encrypt with fresh keys, as soon as the peer can follow. Version 1 does so by itself
 * long before a key is used up; this is for those who want it more often.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (no such
 * connection, or it ended), `_UNSUPPORTED` (version 0 has no keys), `_STATE` (the handshake is not
 * done; the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_connection_update_keys(struct channeler_node *node,
                                         struct channeler_connection connection);

/**
 * Tells what a connection is.
 *
 * Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
 * wrong `struct_size`), `_INVALID_REFERENCE` (no such connection, or it ended), `_STATE` (the node
 * was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_connection_info(struct channeler_node *node,
                                  struct channeler_connection connection,
                                  struct channeler_connection_details *out);

/**
 * Begins to open a channel and writes it to `out`.
 *
 * `CHANNELER_EVENT_CHANNEL_OPENED` or `CHANNELER_EVENT_CHANNEL_CLOSED` follows. Messages may be
 * sent at once: they wait, and leave with the first packet that can carry them. `options` may be
 * NULL (defaults: `CHANNELER_UNRELIABLE`), and is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `out` is NULL, a wrong `struct_size`, an
 * option out of its range, a label that is too long), `_INVALID_REFERENCE` (no such connection, or
 * it ended), `_LIMIT` (`channels_max`, `channels_per_connection_max`), `_CLOSED` (the connection
 * is closing), `_STATE` (the connection waits for `on_accept`; the node was freed), `_POISONED`.
 * Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
 * readable bytes, and in it `label` is NULL or has `label_length` readable bytes; `out` is NULL or
 * writable.
 */
int32_t channeler_channel_open(struct channeler_node *node,
                               struct channeler_connection connection,
                               const struct channeler_channel_options *options,
                               struct channeler_channel *out);

/**
 * Sets when messages of ours on a channel are given up: what `resend_limit` and
 * `message_lifetime_ns` of `channeler_channel_options` do for one that we open, this does for one
 * that the peer opened, and changes for both.
 *
 * Each side has its own limits, and the peer's are not known. A channel that the peer opened
 * begins without: `CHANNELER_RESEND_ALWAYS`, and 0 (for ever). `resend_limit` counts for all that
 * was not given up, the lifetime for messages that are sent from now on. Version 1.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL; a `resend_limit` other than
 * `CHANNELER_RESEND_ALWAYS` without `CHANNELER_CAP_RESEND`; a lifetime of more than 365 days),
 * `_INVALID_CHANNELID` (no such channel, or it ended), `_CLOSED` (its connection ended),
 * `_UNSUPPORTED` (version 0), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_channel_set_limits(struct channeler_node *node,
                                     struct channeler_channel channel,
                                     uint32_t resend_limit,
                                     uint64_t message_lifetime_ns);

/**
 * Ends our direction of a channel, behind what was sent: nothing more can be sent on it, and what
 * was is still delivered as its mode promises.
 *
 * `CHANNELER_EVENT_CHANNEL_CLOSED` with `CHANNELER_ERR_CLOSED` follows: in version 1 on both
 * sides, ours once the peer has ended its direction too, and messages of the peer's come until
 * then. The peer does so by itself, unless it has the option `half_close`: then it hears
 * `CHANNELER_EVENT_CHANNEL_FINISHED`, may go on sending, and calls this when it is done. A channel
 * that is still opening and has messages to send opens first. Version 0 has no message for a close
 * and ends both directions: the peer sees silence, and what it sent and was not received yet is
 * lost. `channeler_channel_reset` ends a channel at once.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_CHANNELID` (no such
 * channel, or it ended), `_CLOSED` (closed already), `_STATE` (the node was freed), `_POISONED`.
 * Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_channel_close(struct channeler_node *node,
                                struct channeler_channel channel);

/**
 * Ends a channel at once, in both directions: what is queued, on its way or unread is thrown away.
 *
 * The same as `channeler_channel_reset_with` without a reason.
 * Errors: as that. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_channel_reset(struct channeler_node *node,
                                struct channeler_channel channel,
                                uint64_t code);

/**
 * Ends a channel at once, in both directions, and tells the peer why: what is queued, on its way
 * or unread is thrown away.
 *
 * `code` is a number of the application's, `reason` a sentence for people (UTF-8, ended by a zero
 * byte, cut at 255 bytes; NULL: none). In version 1 the peer's `CHANNELER_EVENT_CHANNEL_CLOSED`
 * has both, with `CHANNELER_ERR_PEER_CLOSED`. Ours follows with `CHANNELER_ERR_CLOSED`. Version 0
 * tells the peer nothing, and sends what is queued.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_DECODE` (`reason` is not UTF-8),
 * `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed), `_POISONED`.
 * Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `reason` is NULL or ends with a zero byte.
 */
int32_t channeler_channel_reset_with(struct channeler_node *node,
                                     struct channeler_channel channel,
                                     uint64_t code,
                                     const char *reason);

/**
 * Writes the label of a channel, as its opener gave it, to `buffer` of `capacity` bytes.
 *
 * `*length` becomes its bytes, 0 to 255; it may be any bytes, and no zero byte follows. 255 bytes
 * of room are always enough. In version 0 there are no labels: 0.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
 * `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written), `_INVALID_CHANNELID` (no such
 * channel, or it ended), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes; `length` is NULL or writable.
 */
int32_t channeler_channel_label(struct channeler_node *node,
                                struct channeler_channel channel,
                                uint8_t *buffer,
                                size_t capacity,
                                size_t *length);

/**
 * Tells what a channel is.
 *
 * Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
 * wrong `struct_size`), `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node
 * was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_channel_info(struct channeler_node *node,
                               struct channeler_channel channel,
                               struct channeler_channel_details *out);

/**
 * Fills `options` with the defaults of this library, as `channeler_options_init` does.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
 * 8 from 16 to 4096). Thread: any.
 *
 * Pointers:
 * `options` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_send_options_init(struct channeler_send_options *options,
                                    size_t struct_size);

/**
 * Queues a message of `length` bytes; it is copied, and `data` stays the caller's.
 *
 * It leaves with the next turn of the node, or with `channeler_node_flush`. `message_bytes_max` of
 * `channeler_connection_info` is the limit: in version 0 a message fits into one packet; version 1
 * cuts larger ones in pieces, up to what the peer takes (16 MiB, unless it says otherwise) and the
 * option `send_queue_bytes_max` of ours (1 MiB) holds.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `length` is 0), `_TOO_LARGE`
 * (version 0: `_WRITE`), `_WOULD_BLOCK` (the queue is full, or the peer does not read;
 * `CHANNELER_EVENT_WRITABLE` follows when there is room, see the option `send_low_water_bytes`),
 * `_INVALID_CHANNELID` (no such channel, or it ended), `_CLOSED` (it is closing), `_STATE` (its
 * connection waits for `on_accept`; the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `data` is NULL or has `length` readable bytes.
 */
int32_t channeler_channel_send(struct channeler_node *node,
                               struct channeler_channel channel,
                               const uint8_t *data,
                               size_t length);

/**
 * As `channeler_channel_send`, with options for this message: how long it is worth sending,
 * whether its fate is reported, and whether it may leave early.
 *
 * `options` may be NULL (defaults), and is read during the call only.
 * Errors: as `channeler_channel_send`; also `CHANNELER_ERR_INVALID_ARGUMENT` (a wrong
 * `struct_size`, `report` or `may_replay` is neither 0 nor 1), `_UNSUPPORTED` (a lifetime or a
 * report in version 0, which knows nothing of fates). Thread: any.
 *
 * Pointers:
 * As `channeler_channel_send`; `options` is NULL or has `struct_size` readable bytes.
 */
int32_t channeler_channel_send_with(struct channeler_node *node,
                                    struct channeler_channel channel,
                                    const uint8_t *data,
                                    size_t length,
                                    const struct channeler_send_options *options);

/**
 * As `channeler_channel_send`, for a message that does no harm when it arrives twice: it may leave
 * before the handshake of a connection to a peer known from before is done, and so saves a round
 * trip.
 *
 * Who records it can send it to the peer again: it is delivered at most twice. The peer must have
 * the option `early_data`; else, and where there is no session to resume, the message goes the
 * usual way, by itself. Version 1; in version 0 it is `channeler_channel_send`.
 * Errors: as `channeler_channel_send`. Thread: any.
 *
 * Pointers:
 * As `channeler_channel_send`.
 */
int32_t channeler_channel_send_early(struct channeler_node *node,
                                     struct channeler_channel channel,
                                     const uint8_t *data,
                                     size_t length);

/**
 * Queues a message of `length` bytes without a copy by the caller: on success the library owns
 * `data` until it calls `release(user_data, data, length)`, exactly once.
 *
 * `release` runs where callbacks run: in the thread inside `channeler_node_process`, or the node's
 * own; at the latest when the node is freed. Until then `data` must stay valid and unchanged. When
 * this call fails, `release` is not called, and the buffer stays the caller's. So far the library
 * makes a copy of its own at once, in every mode, and gives the buffer back in its next turn,
 * whether the message has arrived or not (`report` of `channeler_send_options` tells that): this
 * saves the caller bookkeeping, not the copy. A message that is sent once is built into its packet
 * where it is encrypted, and one that is kept lies in pieces that are given back one by one as the
 * peer acknowledges them; a buffer that is held whole for the last of them would make the limits
 * of the queue mean less. Rely on the promise above, not on that.
 * Errors: as `channeler_channel_send`; `release` may not be NULL either; `_LIMIT` (65536 buffers
 * wait for a turn of the node to be released). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `data` is NULL or has `length` bytes that stay
 * readable until `release`; `release` may be called with `user_data` in any thread that runs the
 * node.
 */
int32_t channeler_channel_send_buffer(struct channeler_node *node,
                                      struct channeler_channel channel,
                                      const uint8_t *data,
                                      size_t length,
                                      channeler_release_fn release,
                                      void *user_data);

/**
 * As `channeler_channel_send_buffer`, with options for this message.
 *
 * `options` may be NULL (defaults), and is read during the call only.
 * Errors: as `channeler_channel_send_buffer` and `channeler_channel_send_with`. Thread: any.
 *
 * Pointers:
 * As `channeler_channel_send_buffer`; `options` is NULL or has `struct_size` readable bytes.
 */
int32_t channeler_channel_send_buffer_with(struct channeler_node *node,
                                           struct channeler_channel channel,
                                           const uint8_t *data,
                                           size_t length,
                                           const struct channeler_send_options *options,
                                           channeler_release_fn release,
                                           void *user_data);

/**
 * Queues several messages, to one channel or many, at the cost of one lock; each is copied. Those
 * of one size for one channel that follow each other cost little more than their bytes.
 *
 * They are taken in order, up to the first that fails; `*sent` becomes the number taken, **also on
 * failure** (but not when a pointer is NULL), so that the failed message is `messages[*sent]`.
 * `count` 0 is good.
 * Errors: those of the first message that failed, as `channeler_channel_send`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `messages` is NULL or has `count` readable
 * entries, each with `length` readable bytes at `data` (or NULL); `sent` is NULL or writable.
 */
int32_t channeler_channel_send_many(struct channeler_node *node,
                                    const struct channeler_message *messages,
                                    size_t count,
                                    size_t *sent);

/**
 * As `channeler_channel_send_many`, with options for all of these messages.
 *
 * With `report`, each message has an event of its own: `context` of the first is that of
 * `options`, and each further one's is higher by 1. `options` may be NULL (defaults), and is read
 * during the call only.
 * Errors: as `channeler_channel_send_many` and `channeler_channel_send_with`. Thread: any.
 *
 * Pointers:
 * As `channeler_channel_send_many`; `options` is NULL or has `struct_size` readable bytes.
 */
int32_t channeler_channel_send_many_with(struct channeler_node *node,
                                         const struct channeler_message *messages,
                                         size_t count,
                                         const struct channeler_send_options *options,
                                         size_t *sent);

/**
 * Reads the oldest message of a channel, or the rest of one, into `buffer` of `capacity` bytes.
 *
 * `*length` becomes the bytes written, `*remaining` those of the same message still waiting (the
 * next call returns them; pass NULL when you do not care). `channeler_channel_receive_whole` never
 * cuts a message; `channeler_channel_next_length` tells how large the next one is. Not with an
 * `on_message` callback: messages go there. What is read makes room for the peer to send more.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `capacity` is 0),
 * `_DATA_UNAVAILABLE` (nothing there; `CHANNELER_EVENT_READABLE` follows when there is),
 * `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed), `_POISONED`.
 * Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes; `length` and `remaining` are NULL or writable.
 */
int32_t channeler_channel_receive(struct channeler_node *node,
                                  struct channeler_channel channel,
                                  uint8_t *buffer,
                                  size_t capacity,
                                  size_t *length,
                                  size_t *remaining);

/**
 * Reads the oldest message of a channel into `buffer` of `capacity` bytes if it fits: if not, the
 * message stays, and `*length` becomes the bytes that are needed.
 *
 * Else `*length` becomes the bytes written. Of a message that `channeler_channel_receive` has read
 * the beginning of, it is the rest.
 * Errors: `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (too small: `*length` is written, `buffer` is
 * not), and as `channeler_channel_receive`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes; `length` is NULL or writable.
 */
int32_t channeler_channel_receive_whole(struct channeler_node *node,
                                        struct channeler_channel channel,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *length);

/**
 * Tells how many bytes the message has that `channeler_channel_receive` would read next, or what
 * is left of it.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_DATA_UNAVAILABLE` (nothing
 * there), `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `length` is NULL or writable.
 */
int32_t channeler_channel_next_length(struct channeler_node *node,
                                      struct channeler_channel channel,
                                      size_t *length);

/**
 * Reads several messages, from one channel or many, at the cost of one lock.
 *
 * Each of the `count` slots names a channel and a buffer, and is filled as
 * `channeler_channel_receive` would; slots of one channel get its messages in order. `*received`
 * becomes the number of slots whose `status` is 0. A slot that fails does not stop the others.
 * Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (no slot was filled; `*received` is 0 then),
 * `_INVALID_ARGUMENT` (a pointer is NULL), `_STATE` (the node was freed), `_POISONED`. Thread:
 * any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `slots` is NULL or has `count` writable
 * entries, each with `capacity` writable bytes at `buffer` (or NULL); `received` is NULL or
 * writable.
 */
int32_t channeler_channel_receive_many(struct channeler_node *node,
                                       struct channeler_slot *slots,
                                       size_t count,
                                       size_t *received);

/**
 * Sets the secret that cookies are made with from now on; NULL and 0 are an empty one.
 *
 * `secret` is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, or `secret` is though `length` is not
 * 0), `_STATE` (the profile is not `CHANNELER_PROFILE_REFERENCE`; the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `secret` is NULL or has `length` readable
 * bytes.
 */
int32_t channeler_node_set_secret(struct channeler_node *node,
                                  const uint8_t *secret,
                                  size_t length);

/**
 * Gives halves of channel ids to use, in this order, before random ones: for tests that need ids
 * known beforehand. They replace those given before and not used yet.
 *
 * A half of `CHANNELER_WIRE_NO_HALF` is skipped. `halves` may be NULL when `count` is 0, and is
 * read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, or `halves` is though `count` is not
 * 0), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `halves` is NULL or has `count` readable
 * entries.
 */
int32_t channeler_node_supply_halves(struct channeler_node *node,
                                     const uint16_t *halves,
                                     size_t count);

/**
 * Finds a channel of `connection` by its id on the wire, and writes it to `out`: an established
 * one by its complete id; one in any state, ours before the peer's, by its initiator's half alone.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
 * connection, or it ended), `_INVALID_CHANNELID` (no such channel), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_channel_find(struct channeler_node *node,
                               struct channeler_connection connection,
                               struct channeler_wire_id id,
                               struct channeler_channel *out);

/**
 * Adds a channel to `connection` without a handshake, and writes it to `out`: established when
 * `id` is complete, being opened when it has the initiator's half alone. No event follows.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
 * connection, or it ended), `_INVALID_CHANNELID` (no initiator's half), `_LIMIT`, `_STATE` (it is
 * there already; the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_channel_adopt(struct channeler_node *node,
                                struct channeler_connection connection,
                                struct channeler_wire_id id,
                                struct channeler_channel *out);

/**
 * Makes the channel of `connection` that is being opened with the initiator's half of `id`
 * established, as `id`. No event follows.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (no such
 * connection, or it ended), `_INVALID_CHANNELID` (`id` is not complete, or no such channel),
 * `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_channel_complete(struct channeler_node *node,
                                   struct channeler_connection connection,
                                   struct channeler_wire_id id);

/**
 * Adds a channel with a fresh initiator's half to `connection`, as if it were being opened, but
 * sends nothing; writes its id to `out`. No event follows.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
 * connection, or it ended), `_LIMIT`, `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_channel_new_pending(struct channeler_node *node,
                                      struct channeler_connection connection,
                                      struct channeler_wire_id *out);

/**
 * Fills `options` with the defaults of this library.
 *
 * `struct_size` is `sizeof(channeler_options)` as the caller was compiled: a program of an older
 * header has a shorter struct, and only that much is written. What is longer than the library
 * knows is zeroed.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
 * 8 from 32 to 4096). Thread: any.
 *
 * Pointers:
 * `options` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_options_init(struct channeler_options *options,
                               size_t struct_size);

/**
 * Fills `options` with the defaults of this library, as `channeler_options_init` does.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
 * 8 from 16 to 4096). Thread: any.
 *
 * Pointers:
 * `options` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_channel_options_init(struct channeler_channel_options *options,
                                       size_t struct_size);

/**
 * Fills `callbacks` with NULL.
 *
 * `struct_size` is `sizeof(channeler_callbacks)` as the caller was compiled.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`callbacks` is NULL, or `struct_size` is no multiple
 * of the size of a pointer from that of two pointers to 4096). Thread: any.
 *
 * Pointers:
 * `callbacks` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_callbacks_init(struct channeler_callbacks *callbacks,
                                 size_t struct_size);

/**
 * Reads the counters of a node.
 *
 * Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
 * wrong `struct_size`), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_node_stats(struct channeler_node *node,
                             struct channeler_node_counters *out);

/**
 * Reads the counters of a connection.
 *
 * Set `out->struct_size` before. Errors: as `channeler_node_stats`, and
 * `CHANNELER_ERR_INVALID_REFERENCE` (no such connection, or it ended). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_connection_stats(struct channeler_node *node,
                                   struct channeler_connection connection,
                                   struct channeler_connection_counters *out);

/**
 * Reads the counters of a channel.
 *
 * Set `out->struct_size` before. Errors: as `channeler_node_stats`, and
 * `CHANNELER_ERR_INVALID_CHANNELID` (no such channel, or it ended). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_channel_stats(struct channeler_node *node,
                                struct channeler_channel channel,
                                struct channeler_channel_counters *out);

/**
 * Returns the name of a reason to drop something, such as "bad_checksum"; NULL past the last one.
 *
 * `index` is a place in `channeler_node_counters.dropped`. Owner: the library; valid for ever.
 * Thread: any.
 */
const char *channeler_drop_reason_name(size_t index);

/**
 * Makes a node and writes it to `out`.
 *
 * `options` may be NULL (defaults: sockets, a fresh identity), and so may `callbacks` (none); both
 * are read during the call only. A node with sockets has none yet: see `channeler_node_bind`.
 * Owner: the caller, until `channeler_node_free`. After `fork` a node is the parent's alone: the
 * child may use it in no call, for its thread and locks are not there and its sockets are shared.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`out` is NULL; a wrong `struct_size`; a struct longer
 * than this library knows, with something in the part that it does not know; a setting out of its
 * range), `_DECODE` (`identity` holds no key), `_CRYPTO` (the system gives no randomness for one),
 * `_SOCKET` (the system gives no poller), `_UNSUPPORTED`. When it fails, no callback is
 * called, `drop` included: `user_data` stays the caller's. Thread: any.
 *
 * Pointers:
 * `options` and `callbacks` are NULL or have `struct_size` readable bytes; `out` is NULL or
 * writable; the functions in `callbacks` may be called with `user_data` from any thread that runs
 * the node.
 */
int32_t channeler_node_new(const struct channeler_options *options,
                           const struct channeler_callbacks *callbacks,
                           struct channeler_node **out);

/**
 * Frees a node with its sockets, connections and channels. NULL is good.
 *
 * Stops the node's own thread, makes `channeler_node_process` in other threads return, waits for
 * calls and callbacks that are running in other threads, releases the buffers it was given, and
 * calls `drop`. Nothing of the node runs after it returns. Nothing is said to the peers; close
 * connections first, and `channeler_node_flush`, to send what is queued.
 * Inside a callback of the same node it returns at once: the node is freed when the callbacks that
 * are running have returned, and no further one is called but `drop`.
 * A freed node stays a safe argument: each call with it, this one included, returns
 * `CHANNELER_ERR_STATE` (for that some 64 bytes of each node are kept until the program ends).
 * Do not free two nodes from callbacks of each other at the same time: each would wait for the
 * other.
 * Errors: `CHANNELER_ERR_STATE` (freed before). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_free(struct channeler_node *node);

/**
 * Opens a socket at `address`; may be called several times, also while the node runs.
 *
 * Port 0 lets the system choose one: `channeler_node_local_address` tells which. `[::]:port` takes
 * IPv4 too. At most 16 sockets. `address` is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_SOCKET` (the
 * system refuses: port taken, no such address), `_LIMIT` (too many sockets), `_UNSUPPORTED`
 * (sans-IO), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
 */
int32_t channeler_node_bind(struct channeler_node *node,
                            const struct channeler_address *address);

/**
 * Tells the address of the socket that was bound as number `index`, from 0.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or no such socket), `_UNSUPPORTED`
 * (sans-IO), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_node_local_address(struct channeler_node *node,
                                     size_t index,
                                     struct channeler_address *out);

/**
 * Tells the node's own peer id.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_node_peer_id(struct channeler_node *node, struct channeler_peer_id *out);

/**
 * Starts a thread of the node's own, which runs it and calls the callbacks until
 * `channeler_node_stop` or `channeler_node_free`.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_STATE` (it has its thread already,
 * is just being stopped, or the node was freed), `_LIMIT` (the system gives no thread),
 * `_UNSUPPORTED` (sans-IO), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_start(struct channeler_node *node);

/**
 * Stops the node's own thread, and waits until it ended; the node may be run again in any way.
 *
 * Without such a thread nothing happens.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO), `_STATE`
 * (inside a callback of this node, which it would wait for; the node was freed), `_POISONED`.
 * Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_stop(struct channeler_node *node);

/**
 * Runs the node for one turn in the calling thread: receives, sends, does what is due, and calls
 * the callbacks.
 *
 * Waits up to `timeout_ns` nanoseconds for something to do: 0 does not wait, less than 0 waits for
 * ever (until `channeler_node_wake`). It may return earlier with nothing done; call it in a loop.
 * A signal handler that wants it to return calls `channeler_node_wake`: a signal that comes just
 * before the wait does not end it.
 * With sans-IO it never waits: it calls callbacks for what commands caused.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_STATE` (inside a callback of this
 * node; the node has its own thread, or another thread is in this function; the node was freed),
 * `_SOCKET` (the system's poller fails), `_POISONED`. Thread: any, one at a time.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_process(struct channeler_node *node,
                               int64_t timeout_ns);

/**
 * Sends what is queued now, from the calling thread, without waiting and without callbacks.
 *
 * What the system does not take at once stays queued. Without this call queued messages leave with
 * the next turn of the node.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO), `_STATE`
 * (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_flush(struct channeler_node *node);

/**
 * Tells the descriptor to put in a `poll`, `select` or `epoll` of the caller's own: when it is
 * readable, or `channeler_node_timeout` has passed, call `channeler_node_process(node, 0)`.
 *
 * Ask for the timeout anew before each sleep. Do not read, write or close the descriptor.
 * Owner: the node; valid until it is freed.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (sans-IO, or a
 * system without such a descriptor), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
 */
int32_t channeler_node_fd(struct channeler_node *node, int *out);

/**
 * Tells how long the caller's own loop may sleep before `channeler_node_process`, in nanoseconds:
 * 0 is not at all, -1 for ever (until the descriptor is readable).
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (sans-IO: see
 * `channeler_node_poll_timeout`), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out_ns` is NULL or writable.
 */
int32_t channeler_node_timeout(struct channeler_node *node,
                               int64_t *out_ns);

/**
 * Makes a `channeler_node_process` that sleeps in another thread return, or the next one.
 *
 * Safe in signal handlers: it takes no lock, allocates nothing, and leaves `channeler_last_error`
 * as it is. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO),
 * `_STATE` (the node was freed). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_wake(struct channeler_node *node);

/**
 * Bans a peer id for `span_ns` nanoseconds, and closes its connections, QUIC channels included,
 * with `CHANNELER_ERR_BANNED`.
 *
 * A further ban of the same peer replaces the first. `peer` is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_LIMIT` (4096 peers are banned),
 * `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable.
 */
int32_t channeler_node_ban_peer(struct channeler_node *node,
                                const struct channeler_peer_id *peer,
                                uint64_t span_ns);

/**
 * Bans an IP address, whatever the port, for `span_ns` nanoseconds, and closes its connections,
 * QUIC channels included, with `CHANNELER_ERR_BANNED`.
 *
 * A further ban of the same address replaces the first. `address` is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_LIMIT` (4096
 * addresses are banned), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
 */
int32_t channeler_node_ban_address(struct channeler_node *node,
                                   const struct channeler_address *address,
                                   uint64_t span_ns);

/**
 * Lifts the ban of a peer id. `*lifted` becomes 1 when there was one, else 0; it may be NULL.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `peer` is NULL), `_STATE` (the node was
 * freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable; `lifted` is NULL
 * or writable.
 */
int32_t channeler_node_lift_ban_peer(struct channeler_node *node,
                                     const struct channeler_peer_id *peer,
                                     int32_t *lifted);

/**
 * Lifts the ban of an IP address. `*lifted` becomes 1 when there was one, else 0; it may be NULL.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `address` is NULL), `_INVALID_ADDRESS`,
 * `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `lifted` is
 * NULL or writable.
 */
int32_t channeler_node_lift_ban_address(struct channeler_node *node,
                                        const struct channeler_address *address,
                                        int32_t *lifted);

/**
 * Gives the node a datagram that was received, and calls the callbacks for what it causes.
 *
 * Afterwards call `channeler_node_poll_transmit` until it has nothing, then sleep until
 * `channeler_node_poll_timeout`. `now_ns` is nanoseconds on a clock of the caller's choice that
 * never runs backwards (an earlier time counts as the latest given); commands use the last time
 * given, at first 0. `from` is the sender, `to` the address it sent to (may be NULL: not known).
 * All is read during the call only.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_UNSUPPORTED`
 * (a node with sockets), `_STATE` (inside a callback of this node, or another thread is in this
 * function; the node was freed), `_POISONED`. That a datagram makes no sense is no error: it is
 * dropped and counted. Thread: any, one at a time.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `from` and `to` are NULL or readable; `data`
 * is NULL or has `length` readable bytes.
 */
int32_t channeler_node_handle_datagram(struct channeler_node *node,
                                       uint64_t now_ns,
                                       const struct channeler_address *from,
                                       const struct channeler_address *to,
                                       const uint8_t *data,
                                       size_t length);

/**
 * Lets the node do what is due at `now_ns`, and calls the callbacks for what that causes.
 *
 * Call it when the time of `channeler_node_poll_timeout` has come (earlier does no harm), then
 * `channeler_node_poll_transmit` until it has nothing.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (a node with sockets),
 * `_STATE` (inside a callback of this node, or another thread is in this function; the node was
 * freed), `_POISONED`. Thread: any, one at a time.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_node_handle_timeout(struct channeler_node *node,
                                      uint64_t now_ns);

/**
 * Takes the next bytes to send: writes them to `buffer` and where they go to `out`.
 *
 * `capacity` is the size of `buffer`; `packet_size` x `segments_max` of the options is enough.
 * Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (nothing to send), `_INSUFFICIENT_BUFFER_SIZE`
 * (`out->length` says how many bytes are needed, nothing is lost: call again), `_INVALID_ARGUMENT`
 * (a pointer is NULL), `_UNSUPPORTED` (a node with sockets), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any. Calls no callback.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes; `out` is NULL or writable.
 */
int32_t channeler_node_poll_transmit(struct channeler_node *node,
                                     uint64_t now_ns,
                                     uint8_t *buffer,
                                     size_t capacity,
                                     struct channeler_transmit *out);

/**
 * Tells when `channeler_node_handle_timeout` wants to be called next: nanoseconds on the caller's
 * clock, or `CHANNELER_NO_DEADLINE`. Ask anew after each other call.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (a node with
 * sockets), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `deadline_ns` is NULL or writable.
 */
int32_t channeler_node_poll_timeout(struct channeler_node *node,
                                    uint64_t *deadline_ns);

/**
 * Tells the node that bytes from `channeler_node_poll_transmit` could not be sent, and why:
 * `CHANNELER_SEND_TOO_LARGE` or `CHANNELER_SEND_UNREACHABLE`. Keep silent about other causes.
 *
 * `transmit` is read during the call only. Callbacks hear of it in the next call that has them.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or no such cause),
 * `_INVALID_ADDRESS`, `_UNSUPPORTED` (a node with sockets), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `transmit` is NULL or readable.
 */
int32_t channeler_node_handle_send_error(struct channeler_node *node,
                                         uint64_t now_ns,
                                         const struct channeler_transmit *transmit,
                                         uint32_t cause);

/**
 * Fills `options` with the defaults.
 *
 * `struct_size` is `sizeof(channeler_quic_options)` as the caller was compiled.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
 * the size of a pointer from that of two pointers to 4096). Thread: any.
 *
 * Pointers:
 * `options` is NULL or has `struct_size` writable bytes.
 */
int32_t channeler_quic_options_init(struct channeler_quic_options *options,
                                    size_t struct_size);

/**
 * Serves QUIC channels on the sockets of a node, from now until it is freed. QUIC's packets are
 * told from the node's by their first byte. For a port of their own, make a node for them alone,
 * with `accept_incoming` 0.
 *
 * `options` may be NULL (defaults: raw public keys, and nobody is known yet: see
 * `channeler_quic_trust` and `channeler_quic_connect`); read during the call only. `on_event` may
 * be NULL, and is called with `user_data` as `channeler_callbacks` says of all callbacks;
 * `user_data` is not used after the `drop` of those.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, a wrong `struct_size`, a setting out
 * of its range, or certificates that cannot be used; `channeler_last_error` says which and why),
 * `_DECODE` (a text is not UTF-8), `_UNSUPPORTED` (sans-IO; a node without identity and no
 * certificates), `_STATE` (it serves them already, or was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
 * readable bytes, and its texts end with zero bytes; `on_event` may be called with `user_data`
 * from any thread that runs the node.
 */
int32_t channeler_quic_open(struct channeler_node *node,
                            const struct channeler_quic_options *options,
                            channeler_quic_event_fn on_event,
                            void *user_data);

/**
 * Sends a message on the channel `label` of `team` to the peer at `address`, on the connection
 * that is there or a new one.
 *
 * `label` is UTF-8 of `label_length` bytes, at most `CHANNELER_QUIC_LABEL_MAX`; it may be NULL
 * when `label_length` is 0, and so may `message`. All are copied. It leaves with the next turn of
 * the node, or `channeler_node_flush`.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, the label is too long), `_DECODE`
 * (the label is not UTF-8), `_TOO_LARGE` (above `message_bytes_max`), `_WOULD_BLOCK` (the queue
 * for that peer is full; `CHANNELER_QUIC_EVENT_WRITABLE` follows), `_INVALID_ADDRESS`, `_BANNED`,
 * `_LIMIT` (too many connections are being made or closed), `_UNSUPPORTED` (no
 * `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` and `team` are NULL or readable;
 * `label` and `message` are NULL or have as many readable bytes as is said.
 */
int32_t channeler_quic_send(struct channeler_node *node,
                            const struct channeler_address *address,
                            const struct channeler_team_id *team,
                            const char *label,
                            size_t label_length,
                            const uint8_t *message,
                            size_t length);

/**
 * Sends several messages on one channel, in order, each as `channeler_quic_send` does: what costs
 * least for many small ones.
 *
 * They are taken up to the first that fails; `*sent` becomes the number taken, **also on failure**
 * (but not when `messages` or `sent` is NULL), so that the failed message is `messages[*sent]`.
 * `count` 0 is good.
 * Errors: those of the first message that failed, as `channeler_quic_send`. Thread: any; messages
 * that other threads send meanwhile may come between these.
 *
 * Pointers:
 * As `channeler_quic_send`; `messages` is NULL or has `count` readable entries, each with `length`
 * readable bytes at `data` (or NULL); `sent` is NULL or writable.
 */
int32_t channeler_quic_send_many(struct channeler_node *node,
                                 const struct channeler_address *address,
                                 const struct channeler_team_id *team,
                                 const char *label,
                                 size_t label_length,
                                 const struct channeler_quic_message *messages,
                                 size_t count,
                                 size_t *sent);

/**
 * Sends a sync message to the peer at `address`: for the system that owns the nodes, with a queue
 * and an event of its own there.
 *
 * Errors and thread: as `channeler_quic_send`.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `message` is
 * NULL or has `length` readable bytes.
 */
int32_t channeler_quic_send_sync(struct channeler_node *node,
                                 const struct channeler_address *address,
                                 const uint8_t *message,
                                 size_t length);

/**
 * Takes the oldest message of all channels: its `*length` bytes go to `buffer`, and where it came
 * from to `channel`.
 *
 * `buffer` may be NULL when `capacity` is 0.
 * Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (none waits), `_INSUFFICIENT_BUFFER_SIZE` (it has more
 * than `capacity` bytes: it stays the oldest, and `*length` is written: how many it has),
 * `_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no `channeler_quic_open` before),
 * `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
 * bytes; `channel` and `length` are NULL or writable.
 */
int32_t channeler_quic_receive(struct channeler_node *node,
                               uint8_t *buffer,
                               size_t capacity,
                               struct channeler_quic_channel *channel,
                               size_t *length);

/**
 * Takes the oldest message, as `channeler_quic_receive`, and with it those behind it that came in
 * the same channel, as far as they are at hand: what costs least for many small ones.
 *
 * Their bytes go to `buffer`, one behind the other, and the bytes of each to `lengths`, which has
 * `count_max` entries, at least 1; where they all came from goes to `channel`. `*count` becomes
 * how many they are. More of the channel may wait: take messages until there are none.
 * Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (none waits), `_INSUFFICIENT_BUFFER_SIZE` (the oldest
 * has more than `capacity` bytes: it stays the oldest, and `lengths[0]` is written: how many it
 * has), `_INVALID_ARGUMENT` (a pointer is NULL, or `count_max` is 0), `_UNSUPPORTED` (no
 * `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. After each of them
 * `*count` is 0, if it may be written. Thread: any.
 *
 * Pointers:
 * As `channeler_quic_receive`; `lengths` is NULL or has `count_max` writable entries; `count` is
 * NULL or writable.
 */
int32_t channeler_quic_receive_many(struct channeler_node *node,
                                    uint8_t *buffer,
                                    size_t capacity,
                                    size_t *lengths,
                                    size_t count_max,
                                    struct channeler_quic_channel *channel,
                                    size_t *count);

/**
 * Takes the oldest sync message, as `channeler_quic_receive`.
 *
 * Errors and thread: as `channeler_quic_receive`.
 *
 * Pointers:
 * As `channeler_quic_receive`.
 */
int32_t channeler_quic_receive_sync(struct channeler_node *node,
                                    uint8_t *buffer,
                                    size_t capacity,
                                    struct channeler_quic_channel *channel,
                                    size_t *length);

/**
 * Begins a connection with the peer at `address` without a message, or finds the one that is
 * there.
 *
 * `peer` is who must answer; NULL: somebody who is known. That is for this connection: for one
 * that `channeler_quic_send` makes after its end, the peer must be known
 * (`channeler_quic_trust`). `*connection` becomes its number; it may be NULL.
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `address` is NULL), `_INVALID_ADDRESS`,
 * `_IDENTITY` (somebody else is there), `_BANNED`, `_LIMIT` (too many connections are being made
 * or closed), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE` (the node was freed),
 * `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` and `peer` are NULL or readable;
 * `connection` is NULL or writable.
 */
int32_t channeler_quic_connect(struct channeler_node *node,
                               const struct channeler_address *address,
                               const struct channeler_peer_id *peer,
                               uint64_t *connection);

/**
 * Closes the connection to `address` once everything was sent, or `drain_timeout_ns` passed; a
 * later send makes a new one. `CHANNELER_QUIC_EVENT_CLOSED` follows.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`,
 * `_INVALID_REFERENCE` (there is none), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE`
 * (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
 */
int32_t channeler_quic_close(struct channeler_node *node,
                             const struct channeler_address *address);

/**
 * Says yes to a `CHANNELER_QUIC_EVENT_REQUEST`.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (the connection
 * is gone), `_STATE` (it was answered; the node was freed), `_UNSUPPORTED`, `_POISONED`. Thread:
 * any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_quic_accept(struct channeler_node *node,
                              uint64_t connection);

/**
 * Says no to a `CHANNELER_QUIC_EVENT_REQUEST`; the peer is told.
 *
 * Errors and thread: as `channeler_quic_accept`.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`.
 */
int32_t channeler_quic_refuse(struct channeler_node *node, uint64_t connection);

/**
 * Lets a peer connect from now on, and be sent to, without being asked about. With certificates it
 * changes nothing.
 *
 * Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no
 * `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable.
 */
int32_t channeler_quic_trust(struct channeler_node *node,
                             const struct channeler_peer_id *peer);

/**
 * Takes `channeler_quic_trust` back, for connections to come. `*was_known` becomes 1 when the peer
 * was known, else 0; it may be NULL.
 *
 * Errors and thread: as `channeler_quic_trust`.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable; `was_known` is
 * NULL or writable.
 */
int32_t channeler_quic_distrust(struct channeler_node *node,
                                const struct channeler_peer_id *peer,
                                int32_t *was_known);

/**
 * Reads the counters of QUIC channels.
 *
 * Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
 * wrong `struct_size`), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE` (the node was
 * freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
 * writable bytes.
 */
int32_t channeler_quic_stats(struct channeler_node *node,
                             struct channeler_quic_counters *out);

/**
 * Tells what the connection to `address` is, and how it does.
 *
 * Set `out->struct_size` before. Errors: as `channeler_quic_stats`, and
 * `CHANNELER_ERR_INVALID_ADDRESS`, `_INVALID_REFERENCE` (there is none). Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `out` is NULL
 * or has `out->struct_size` writable bytes.
 */
int32_t channeler_quic_info(struct channeler_node *node,
                            const struct channeler_address *address,
                            struct channeler_quic_details *out);

/**
 * Writes the addresses of the peers that there are connections to, at most 32, to `addresses`, and
 * how many they are to `*count`.
 *
 * `addresses` may be NULL when `capacity` is 0. Errors: `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE`
 * (there are more than `capacity`: `*count` is written, `addresses` is not),
 * `_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no `channeler_quic_open` before),
 * `_STATE` (the node was freed), `_POISONED`. Thread: any.
 *
 * Pointers:
 * `node` is NULL or came from `channeler_node_new`; `addresses` is NULL or has place for
 * `capacity`; `count` is NULL or writable.
 */
int32_t channeler_quic_connections(struct channeler_node *node,
                                   struct channeler_address *addresses,
                                   size_t capacity,
                                   size_t *count);

/**
 * Returns the name of a reason not to take something, such as "frame_too_long"; NULL past the last
 * one.
 *
 * `index` is a place in `channeler_quic_counters.dropped`. Datagrams: `event_queue_full` (nobody
 * runs the node's callbacks), `address_banned`, `unknown_connection`; answers to strangers:
 * `reply_queue_full`; handshakes: `handshake_limit`, `handshake_invalid`; peers: `peer_banned`,
 * `peer_unknown`, `peer_refused`, `peer_mistaken` (not the one that was dialled, or us);
 * frames: `frame_too_long`, `_empty`, `_truncated`, `_unknown_variant`, `_label_too_long`,
 * `_label_not_text`, `_cut`, `_too_much`; messages that broke off: `message_cut`. Owner: the
 * library; valid for ever. Thread: any.
 */
const char *channeler_quic_drop_reason_name(size_t index);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CHANNELER_H */
