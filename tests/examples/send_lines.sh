#!/usr/bin/env bash
# send_lines: a file arrives whole; what is lost is counted; a full queue is waited for; and what
# goes wrong is said.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

# Waits for the receiver $receiver, which must exit with a code.
receiver_ended() { ended "$receiver" "$1"; }

listen() { # name, address, argument ..
    start "$1" send_lines receive "$2" "${@:3}"
    receiver=$started
    peer=$(listener "$1")
}

# A file so small that it fits into the socket's buffer: nothing may be lost.
whole() { # name, address, file, argument ..
    local lines
    lines=$(wc -l <"$3")
    listen "$1" "$2" --output "$work/copy"
    run "$1-send" 0 send_lines send "${peer/\[::\]/[::1]}" "$3" "${@:4}"
    receiver_ended 0
    cmp "$3" "$work/copy" || fail "$1: the copy differs"
    has "$1-send.out" "^sent $lines lines .* over [0-9]+ channels? in .* lines/s, .* MB/s$"
    has "$1-send.out" "^the receiver has $lines of $lines$"
    has "$1.out" "^ +all +$lines +$lines +0$"
    has "$1.out" "^$lines of $lines lines came .* lines/s, .* MB/s\.$"
    has "$1.out" '^Nothing was lost\.$'
}

# Long lines fill the queue of one channel faster than it is emptied.
full_queue() {
    awk 'BEGIN { for (i = 0; i < 130; i++) { printf "%d ", i
         for (j = 0; j < 100; j++) printf "0123456789"; print "" } }' >"$work/long.txt"
    listen full 127.0.0.1:0
    run full-send 0 send_lines send "$peer" "$work/long.txt" --channels 1
    receiver_ended 0
    has full-send.out '^[0-9]+ times a queue was full and we waited for room$'
    has full-send.out '^the receiver has 130 of 130$'
}

whole ipv4 127.0.0.1:0 LICENSE-APACHE --channels 3
has ipv4.out '^ +3 +67 +67 +0$'
full_queue
[ -z "${TOOL:-}" ] || exit 0

whole ipv6 '[::1]:0' LICENSE-APACHE
whole dual '[::]:0' LICENSE-MIT --channels 64
has dual.err 'in place of \[::\]'

# The old protocol.
old() {
    local lines
    lines=$(wc -l <LICENSE-MIT)
    listen old 127.0.0.1:0 --output "$work/copy" --v0
    run old-send 0 send_lines send "$peer" LICENSE-MIT --v0
    receiver_ended 0
    cmp LICENSE-MIT "$work/copy" || fail "old: the copy differs"
    has old-send.out "^the receiver has $lines of $lines$"
}
old
whole slow 127.0.0.1:0 LICENSE-MIT --rate 200 --channels 1
: >"$work/empty.txt"
whole empty 127.0.0.1:0 "$work/empty.txt"

# A line too long for a message goes in pieces, and the file has no last line end.
printf '%05000d\nend' 7 >"$work/cut.txt"
listen cut 127.0.0.1:0 --output "$work/copy"
run cut-send 0 send_lines send "$peer" "$work/cut.txt"
receiver_ended 0
cmp "$work/cut.txt" "$work/copy" || fail "cut: the copy differs"
has cut-send.out '^4 times a line was too long for a message'

# The same with a receiver that stops for a while: the sender waits for it, and nothing is lost.
patient() {
    local sender
    for _ in $(seq 20); do cat "$work/long.txt"; done >"$work/more.txt"
    listen patient 127.0.0.1:0 --output "$work/copy"
    start patient-send send_lines send "$peer" "$work/more.txt"
    sender=$started
    await patient.out '^receiving from 0x'
    kill -STOP "$receiver"
    sleep 0.3
    kill -CONT "$receiver"
    ended "$sender" 0
    receiver_ended 0
    cmp "$work/more.txt" "$work/copy" || fail "patient: the copy differs"
}
patient

# The receiver is stopped while 13 MB are sent, more than any buffer of a socket that we ask for: in
# the old protocol, which sends whatever the network does with it, some must be lost, and counted.
lossy() {
    local sender sent received lost
    mkfifo "$work/pipe"
    listen loss 127.0.0.1:0 --output "$work/copy" --v0
    start loss-send send_lines send "$peer" "$work/pipe" --v0
    sender=$started
    exec 6>"$work/pipe" # waits until the sender reads
    cat LICENSE-APACHE "$work/long.txt" >&6
    await copy Apache
    kill -STOP "$receiver"
    for _ in $(seq 99); do cat "$work/long.txt"; done >&6
    kill -CONT "$receiver"
    exec 6>&-
    ended "$sender" 3
    receiver_ended 3
    has loss.out 'lines \([0-9.]+ %\) were lost'
    has loss.out '^(None of them reached us|[0-9,]+ of them came faster)'
    has loss-send.out '\-\-rate'
    read -r _ sent received lost < <(grep '^ *all ' "$work/loss.out" | tr -d ,)
    if [ "$sent" != 13202 ] || [ $((received + lost)) != "$sent" ] || [ "$lost" -lt 1000 ]; then
        fail "$sent sent, $received received, $lost lost"
    fi
}
lossy

# On a terminal the sender draws a progress bar, else it does not.
[ ! -s "$work/slow-send.err" ] || fail "a progress bar in a log"
listen bar 127.0.0.1:0
timeout "$WAIT_SECONDS" python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
    "$(program send_lines send)" send "$peer" LICENSE-MIT >"$work/bar-send.out" </dev/null
receiver_ended 0
has bar-send.out '\[#{30}\] 100 %'

# A sender that dies is noticed, and what came is told.
mkfifo "$work/pipe2"
exec 5<>"$work/pipe2"
listen dead 127.0.0.1:0
start dead-send send_lines send "$peer" "$work/pipe2"
dead=$started
cat LICENSE-MIT >&5
await dead.out '^receiving from 0x'
run other 1 send_lines send "$peer" LICENSE-MIT
has other.err 'does not let us in'
kill -KILL "$dead"
receiver_ended 1
has dead.out 'never said that it had ended'

check_usage send_lines
run no_file 1 send_lines send "$peer" "$work/none"
has no_file.err 'No such file'
run channels 2 send_lines send "$peer" LICENSE-MIT --channels 65
has channels.err 'not a number from 1 to 64'
run unknown 2 send_lines send "$peer" LICENSE-MIT --unknown
listen idle 127.0.0.1:0
kill -INT "$receiver"
receiver_ended 1
has idle.err '^nothing came$'
