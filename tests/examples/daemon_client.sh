#!/usr/bin/env bash
# daemon_client: two daemons, and programs that send through the one and receive through the other;
# what goes wrong is said. `channeler` itself is put in their place too.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

team=$(printf '0a%.0s' {1..32})
other=$(printf '0b%.0s' {1..32})

# Each is believed by the other whatever its key is: this is not about that.
serve() { # name, line of its configuration ..
    printf '%s\n' 'listen = ["127.0.0.1:0"]' "identity = \"$work/$1.pem\"" 'accept_any = true' \
        "${@:2}" '[socket]' "path = \"$work/$1.sock\"" >"$work/$1.toml"
    "${CHANNELERD:-target/debug/channelerd}" --config "$work/$1.toml" 2>"$work/$1.err" &
    daemon=$!
    await "$1.err" 'peers find 0x[0-9a-f]{32} at 127.0.0.1:'
}

# `at anna run ..`, `at bert start ..`: through whose daemon.
at() { CHANNELER_SOCKET=$work/$1.sock "${@:2}"; }

waits() { # daemon, how many requests of this kind it must have open: receives, follows
    local end=$((SECONDS + WAIT_SECONDS)) open
    until open=$(CHANNELER_SOCKET=$work/$1.sock "${CHANNELER:-target/debug/channeler}" status) &&
        grep -qE "^ +$3 +$2\$" <<<"$open"; do
        [ $SECONDS -lt $end ] || fail "there are not $2 $3"
        sleep 0.02
    done
}

serve anna
serve bert
bert=$daemon
at bert run status 0 daemon_client status
has status.out '^channelerd [0-9]+\.'
has status.out '^peer id +0x[0-9a-f]{32}$'
address=$(sed -n 's/^listens on  //p' "$work/status.out")
send() { at anna run "$1" 0 daemon_client send "$address" "${@:2}"; }

# One waits, another message does not end it, its own does.
at bert start one daemon_client receive --team "$team" --label chat
one=$started
waits bert 1 receives
send noise "$team" other 'not this'
send first "$team" chat 'good day'
ended "$one" 0
echo 'good day' | cmp - "$work/one.out"
# What nobody waited for waits, in its order.
for text in a b 'c  d'; do send more "$team" chat "$text"; done
at bert run rest 0 daemon_client receive --count 4 --wait 20 --team "$team"
printf 'not this\na\nb\nc  d\n' | cmp - "$work/rest.out"
at bert run none 3 daemon_client receive --wait 0

# Each that follows gets each; Ctrl-C is their good end.
at bert start left daemon_client receive --follow --label news
left=$started
at bert start right daemon_client receive --follow --team "$team"
right=$started
waits bert 2 follows
send left "$other" news 'to one'
send both "$team" news 'to both'
await left.out '^to both$'
await right.out '^to both$'
kill -INT "$left" "$right"
ended "$left" 0
ended "$right" 0
printf 'to one\nto both\n' | cmp - "$work/left.out"
echo 'to both' | cmp - "$work/right.out"

# What goes wrong.
at anna run closed 0 daemon_client close "$address"
at anna run again 1 daemon_client close "$address"
has again.err 'there is no connection to 127.0.0.1:'
at anna run nowhere 1 daemon_client send localhost "$team" chat x
has nowhere.err 'no address'
at anna run team 2 daemon_client send "$address" "0$team" chat x
has team.err 'is no team'
at carl run daemon 1 daemon_client status
has daemon.err "^(channeler: )?no daemon at $work/carl.sock: No such file"
[ -z "${TOOL:-}" ] || exit 0

at anna run label 1 daemon_client send "$address" "$team" "$(printf '%0257d' 0)" x
has label.err '256'
head -c 100000 /dev/zero | tr '\0' x >"$work/long"
send long "$team" chat "$(cat "$work/long")"
at bert run long 0 daemon_client receive
cmp <(cat "$work/long" && echo) "$work/long.out"
# A daemon that vanishes is noticed by those who wait.
at bert start follows daemon_client receive --follow
follows=$started
at bert start waits daemon_client receive
waits=$started
waits bert 1 follows
waits bert 1 receives
kill -KILL "$bert"
ended "$follows" 1
ended "$waits" 1
has follows.err 'gone|went away|closed the socket'
has waits.err 'gone|went away|closed the socket'
[ -n "${IS_CHANNELER:-}" ] || check_usage daemon_client
