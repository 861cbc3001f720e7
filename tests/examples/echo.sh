#!/usr/bin/env bash
# echo: a client gets its words back from a server over IPv4 and IPv6, in both protocols; who has an
# identity keeps it; what goes wrong is said.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

exchange() { # name, address, option ..
    start "$1" echo server "$2" "${@:3}"
    local server=$started peer
    peer=$(listener "$1")
    run "$1-client" 0 echo client "$peer" one 'two words' "$(printf 'bell\a')" "${@:3}"
    printf 'one\ntwo words\nbell?\n' | cmp - "$work/$1-client.out" || fail "$1: other words"
    has "$1-client.err" '^3 of 3 came back'
    has "$1.err" '^0x[0-9a-f]{32}@.* opened a channel$'
    run "$1-hello" 0 echo client "$peer" "${@:3}"
    has "$1-hello.out" '^hello$'
    kill -INT "$server"
    ended "$server" 0
}

exchange ipv4 127.0.0.1:0
has ipv4.err '^a channel ended: the peer closed it'
[ -z "${TOOL:-}" ] || exit 0
# Nobody is there: said after a while, at the end of this.
nobody=0x00000000000000000000000000000001
start nobody echo client "$nobody@127.0.0.1:9"
unanswered=$started
exchange ipv6 '[::1]:0'
exchange old 127.0.0.1:0 --v0
start both echo server '[::]:0'
both=$started
peer=$(listener both)
port=${peer##*:}
run both4 0 echo client "${peer%%@*}@127.0.0.1:$port" four
run both6 0 echo client "${peer%%@*}@[::1]:$port" six

# A message too large for a packet goes in pieces; an empty one is refused with a reason.
run large 0 echo client "${peer%%@*}@[::1]:$port" "$(printf '%2000s' x)"
has large.out '^ {1999}x$'
run empty 1 echo client "${peer%%@*}@[::1]:$port" ''
has empty.err 'CHANNELER_ERR_INVALID_ARGUMENT'
run taken 1 echo server "127.0.0.1:$port"
has taken.err '^listen: .*CHANNELER_ERR_SOCKET'
# The right address with the wrong id: who answers is not who was asked for.
run other 1 echo client "$nobody@127.0.0.1:$port"
has other.err 'CHANNELER_ERR_IDENTITY'
# The old protocol does not get in, and that is said after some seconds.
run unheard 1 echo client "${peer%%@*}@127.0.0.1:$port" --v0
has unheard.err 'CHANNELER_ERR_TIMEOUT'
kill -TERM "$both"
ended "$both" 0
ended "$unanswered" 1
has nobody.err 'CHANNELER_ERR_TIMEOUT'

# With an identity the server is the same one after a new start.
identity() { # name
    start "$1" echo server 127.0.0.1:0 --identity "$work/key.pem"
    local server=$started peer
    peer=$(listener "$1")
    run "$1-client" 0 echo client "$peer" --identity "$work/client.pem"
    kill -INT "$server"
    ended "$server" 0
}
identity first
[ "$(stat -c %a "$work/key.pem")" = 600 ] || fail "others may read the private key"
has first.err '^made a new identity'
identity second
id() { sed 's/^listening on \(0x[0-9a-f]*\)@.*/\1/;q' "$work/$1.out"; }
[ "$(id first)" = "$(id second)" ] || fail "another peer id after a new start"
cmp <(grep -o '^0x[0-9a-f]*@' "$work/first.err") <(grep -o '^0x[0-9a-f]*@' "$work/second.err") ||
    fail "another client after a new start"
echo 'no key' >"$work/bad.pem"
run bad_key 1 echo server 127.0.0.1:0 --identity "$work/bad.pem"
has bad_key.err 'bad\.pem: .*CHANNELER_ERR_DECODE'
run no_folder 1 echo server 127.0.0.1:0 --identity "$work/none/key.pem"
has no_folder.err 'No such file'
run both_options 2 echo server 127.0.0.1:0 --v0 --identity "$work/key.pem"

check_usage echo
run no_at 2 echo client 127.0.0.1:7000
has no_at.err 'is not PEERID@IP:PORT'
run bad_id 2 echo client 0x12@127.0.0.1:7000
has bad_id.err 'peer id'
run bad_address 2 echo server localhost:7000
has bad_address.err 'no address'
