#!/usr/bin/env bash
# telemetry: two subscribers hear what a publisher measures, and command it; who may subscribe; how
# it ends. The second subscriber is a program of $EXAMPLES_SECOND (as the first, if it is not set).
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

publish() { # name, argument ..
    start "$1" telemetry publish "${@:2}"
    publisher=$started
    peer=$(listener "$1")
}

start_second() { # name, argument ..
    local EXAMPLES_DIALLING=${EXAMPLES_SECOND:-${EXAMPLES_DIALLING:-$EXAMPLES}}
    start "$1" telemetry subscribe "${@:2}"
}

# Every measurement came once, from the first to the last.
is_whole() { # name, number of the last
    local first
    first=$(sed -n '1s/ .*//p' "$work/$1.out")
    cut -d' ' -f1 "$work/$1.out" | cmp - <(seq "$first" "$2") || fail "$1: not all came"
    [ -z "$(sed -E '/^[0-9]+ 2[0-9]\.[0-9]$/d' "$work/$1.out")" ] || fail "$1: other lines"
}

scenario() { # name, address, the publisher for the first, for the second
    publish "$1" "$2"
    start "$1-first" telemetry subscribe "${peer/@*:/@$3:}"
    local first=$started
    await "$1-first.out" '^[0-9]+ 2[0-9]\.[0-9]$'
    start_second "$1-second" "${peer/@*:/@$4:}" 'every 5' dance 'every 0' 'until 300'
    ended "$started" 0
    ended "$first" 0
    ended "$publisher" 0
    # On a slow machine more than 300 were sent before that was said.
    local last
    last=$(sed -nE 's/^([0-9]+) measurements$/\1/p' "$work/$1.err")
    [ "${last:-0}" -ge 300 ] || fail "$1: ended too early"
    is_whole "$1-first" "$last"
    is_whole "$1-second" "$last"
    [ "$(grep -cE '^0x[0-9a-f]{32}@.*: subscribe: done$' "$work/$1.err")" = 2 ] ||
        fail "$1: not two subscribers"
    for answer in 'subscribe: done' 'every 5: done' 'dance: that is no command' \
        'every 0: that is no command' 'until 300: done'; do
        has "$1-second.err" "^the publisher says: $answer\$"
    done
    has "$1-first.err" '^the publisher says: subscribe: done$'
    ! grep -q every "$work/$1-first.err" || fail "$1: an answer to somebody else"
}

scenario ipv4 127.0.0.1:0 127.0.0.1 127.0.0.1
[ -z "${TOOL:-}" ] || exit 0

# Nobody is there: said after a while, at the end of this.
nobody=0x00000000000000000000000000000001
start nobody telemetry subscribe "$nobody@127.0.0.1:9"
unanswered=$started
scenario dual '[::]:0' 127.0.0.1 '[::1]'

# Ctrl-C on either side; a subscriber that dies.
publish stopped 127.0.0.1:0
start leaver telemetry subscribe "$peer"
leaver=$started
await leaver.out '^[0-9]+ '
kill -INT "$leaver"
ended "$leaver" 0
await stopped.err ': the peer closed it.*: closed \(CHANNELER_ERR_PEER_CLOSED\)$'
start stayer telemetry subscribe "$peer"
stayer=$started
await stayer.out '^[0-9]+ '
kill -INT "$publisher"
ended "$publisher" 0
ended "$stayer" 0

# The right address with the wrong id; and only those who are named.
publish key 127.0.0.1:0 --identity "$work/key.pem"
run other 1 telemetry subscribe "$nobody@${peer#*@}"
has other.err 'you are not the peer that was dialled \(CHANNELER_ERR_IDENTITY\)$'
named=${peer%@*}
kill -INT "$publisher"
ended "$publisher" 0
publish named 127.0.0.1:0 "$named"
run stranger 1 telemetry subscribe "$peer"
has stranger.err 'your peer id is not known here \(CHANNELER_ERR_REFUSED\)$'
run friend 0 telemetry subscribe "$peer" --identity "$work/key.pem" 'until 3'
ended "$publisher" 0
ended "$unanswered" 1
has nobody.err 'CHANNELER_ERR_TIMEOUT'

check_usage telemetry
run old 2 telemetry publish 127.0.0.1:0 --v0
has old.err 'the old protocol has no QUIC channels$'
run no_at 2 telemetry subscribe 127.0.0.1:7000
has no_at.err 'is not PEERID@IP:PORT'
run bad_peer 2 telemetry publish 127.0.0.1:0 0x12
has bad_peer.err 'peer id'
run long 1 telemetry subscribe "$nobody@127.0.0.1:9" "$(printf '%257s' x)"
has long.err 'CHANNELER_ERR_TOO_LARGE'
