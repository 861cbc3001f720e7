#!/usr/bin/env bash
# send_file: a file arrives whole, with somebody answering beside it; it goes on where it was after
# the receiver died; and what goes wrong is said.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

receiver_ended() { ended "$receiver" "$1"; }

listen() { # name, address, argument ..
    mkdir -p "$work/$1"
    start "$1" send_file receive "$2" "$work/$1" "${@:3}"
    receiver=$started
    peer=$(listener "$1")
}

whole() { # name, address, file
    listen "$1" "$2"
    run "$1-send" 0 send_file send "${peer/\[::\]/[::1]}" "$3"
    receiver_ended 0
    cmp "$3" "$work/$1/$(basename "$3")" || fail "$1: the copy differs"
    [ -z "$(find "$work/$1" -name '*.part')" ] || fail "$1: a part is left"
    has "$1-send.out" "^sent .* bytes in .* MB/s$"
    has "$1.out" "SHA-256 $(sha256sum <"$3" | cut -c 1-64), as it was sent$"
}

head -c 3000000 /dev/urandom >"$work/some.bin"
whole ipv4 127.0.0.1:0 "$work/some.bin"
[ -z "${TOOL:-}" ] || exit 0

head -c 70000000 /dev/urandom >"$work/large.bin"
whole ipv6 '[::1]:0' "$work/large.bin"
has ipv6-send.out '^beside it [0-9]+ questions were answered in [0-9.]+ ms at the median'
: >"$work/empty.bin"
whole dual '[::]:0' "$work/empty.bin"
whole name 127.0.0.1:0 LICENSE-MIT

# The receiver dies in the middle of it and comes back; the sender, which runs on, finds it again.
broken() {
    local sender part port end=$((SECONDS + WAIT_SECONDS))
    listen broken 127.0.0.1:0 --identity "$work/key.pem"
    port=${peer##*:}
    start broken-send send_file send "$peer" "$work/large.bin"
    sender=$started
    until part=$(find "$work/broken" -name '*.part' -size +1M) && [ -n "$part" ]; do
        [ $SECONDS -lt $end ] || fail "broken: no part"
        sleep 0.01
    done
    kill -KILL "$receiver"
    wait "$receiver" 2>/dev/null || true
    start broken-again send_file receive "127.0.0.1:$port" "$work/broken" --identity "$work/key.pem"
    receiver=$started
    ended "$sender" 0
    receiver_ended 0
    cmp "$work/large.bin" "$work/broken/large.bin" || fail "broken: the copy differs"
    has broken-send.err '^the connection ended: .*; trying again \(1 of '
    has broken-send.out '^going on at byte [0-9,]+$'
    has broken-again.out '^large.bin: 70,000,000 bytes, going on at byte [0-9,]+$'
}
broken

# A part that is no beginning of the file is found out, thrown away, and not taken for it.
mkdir -p "$work/spoilt"
digest=$(sha256sum <"$work/some.bin" | cut -c 1-16)
head -c 1000000 /dev/zero >"$work/spoilt/some.bin.$digest.part"
listen spoilt 127.0.0.1:0
run spoilt-send 1 send_file send "$peer" "$work/some.bin"
receiver_ended 1
has spoilt-send.err 'its SHA-256 differs$'
has spoilt.err 'its SHA-256 differs$'
[ -z "$(ls "$work/spoilt")" ] || fail "spoilt: something is left"

# Names that lead elsewhere are refused.
cp LICENSE-MIT "$work/.hidden"
listen hidden 127.0.0.1:0
run hidden-send 1 send_file send "$peer" "$work/.hidden"
has hidden-send.err 'does not take the file: its name is none for a file here$'
kill "$receiver"
receiver_ended 1

check_usage send_file
run missing 1 send_file send "$peer" "$work/nowhere.bin"
has missing.err 'nowhere.bin'
has missing.err 'No such file or directory'
run folder 2 send_file send "$peer" "$work"
has folder.err 'only a regular file can be sent$'
run old 2 send_file receive 127.0.0.1:0 --v0
has old.err 'the old protocol has no reliable channels$'
