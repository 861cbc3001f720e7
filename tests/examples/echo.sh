#!/usr/bin/env bash
# echo: a client gets its words back from a server over IPv4 and IPv6; what goes wrong is said.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

exchange() { # name, address
    start "$1" echo server "$2"
    local server=$started peer
    peer=$(listener "$1")
    run "$1-client" 0 echo client "$peer" one 'two words' "$(printf 'bell\a')"
    printf 'one\ntwo words\nbell?\n' | cmp - "$work/$1-client.out" || fail "$1: other words"
    has "$1-client.err" '^3 of 3 came back'
    has "$1.err" '^0x[0-9a-f]{32}@.* opened a channel$'
    run "$1-hello" 0 echo client "$peer"
    has "$1-hello.out" '^hello$'
    kill -INT "$server"
    ended "$server" 0
}

exchange ipv4 127.0.0.1:0
[ -z "${TOOL:-}" ] || exit 0
exchange ipv6 '[::1]:0'
start both echo server '[::]:0'
both=$started
peer=$(listener both)
port=${peer##*:}
run both4 0 echo client "${peer%%@*}@127.0.0.1:$port" four
run both6 0 echo client "${peer%%@*}@[::1]:$port" six

# A message too large for a packet, and an empty one, are refused with a reason.
run large 1 echo client "${peer%%@*}@[::1]:$port" "$(printf '%2000s' x)"
has large.err 'CHANNELER_ERR_WRITE'
run empty 1 echo client "${peer%%@*}@[::1]:$port" ''
has empty.err 'CHANNELER_ERR_INVALID_ARGUMENT'
run taken 1 echo server "127.0.0.1:$port"
has taken.err '^listen: .*CHANNELER_ERR_SOCKET'
# The right address with the wrong id: nobody answers, and that is said after some seconds.
run nobody 1 echo client "0x00000000000000000000000000000001@127.0.0.1:$port"
has nobody.err 'CHANNELER_ERR_TIMEOUT'
kill -TERM "$both"
ended "$both" 0

check_usage echo
run no_at 2 echo client 127.0.0.1:7000
has no_at.err 'is not PEERID@IP:PORT'
run bad_id 2 echo client 0x12@127.0.0.1:7000
has bad_id.err 'peer id'
run bad_address 2 echo server localhost:7000
has bad_address.err 'no address'
