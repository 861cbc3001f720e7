#!/usr/bin/env bash
# chat: two people type to each other, one leaves; a third is not let in; one vanishes.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

# Each keyboard is a pipe that stays open until we close it.
mkfifo "$work/anna.in" "$work/bert.in" "$work/hans.in" "$work/inge.in"
exec 3<>"$work/anna.in" 4<>"$work/bert.in"
start anna chat listen 127.0.0.1:0 Anna
anna=$started
peer=$(listener anna)
echo 'typed before anybody came' >&3
start bert chat join "$peer" Bert
bert=$started
await anna.out '^\* talking with 0x'
await bert.out '^\* talking with 0x'
await bert.out '^Anna: typed before anybody came$'
printf 'good day\nhow are you?\n' >&4
await anna.out '^Bert: good day$'
await anna.out '^Bert: how are you\?$'
printf 'half a line, ' >&3
printf 'and a bell\a\n' >&3
await bert.out '^Anna: half a line, and a bell\?$'
printf '%01000d\n' 7 >&3
await bert.out '^Anna: 0{900}$'
await bert.out '^Anna: 0{99}7$'

if [ -z "${TOOL:-}" ]; then
    run third 1 chat join "$peer" Carl
    has third.err 'nobody let us in: .*CHANNELER_ERR_REFUSED'
fi

# Ctrl-C of one ends both, with a word.
kill -INT "$bert"
ended "$bert" 0
ended "$anna" 0
has anna.out '^\* the other one left$'
[ -z "${TOOL:-}" ] || exit 0

# The end of the input does the same.
mv "$work/anna.in" "$work/dora.in"
start dora chat listen '[::1]:0' Dora
dora=$started
peer=$(listener dora)
printf 'first\nlast, without a line end' >"$work/emil.in"
start emil chat join "$peer" Emil
emil=$started
ended "$emil" 0
ended "$dora" 0
printf 'Emil: first\nEmil: last, without a line end\n* the other one left\n' |
    cmp - <(tail -n 3 "$work/dora.out") || fail "Dora read something else"

# Who vanishes without a word is noticed.
mv "$work/dora.in" "$work/fritz.in"
start fritz chat listen 127.0.0.1:0 Fritz
fritz=$started
peer=$(listener fritz)
mv "$work/bert.in" "$work/gerd.in"
start gerd chat join "$peer" Gerd
gerd=$started
await fritz.out '^\* talking with'
kill -KILL "$gerd"
ended "$fritz" 1
has fritz.err 'gone'

# The old protocol, where a goodbye is a message.
exec 7<>"$work/hans.in" 8<>"$work/inge.in"
start hans chat listen 127.0.0.1:0 Hans --v0
hans=$started
peer=$(listener hans)
start inge chat join "$peer" Inge --v0
inge=$started
await hans.out '^\* talking with'
await inge.out '^\* talking with'
echo 'as of old' >&8
await hans.out '^Inge: as of old$'
kill -INT "$inge"
ended "$inge" 0
ended "$hans" 0
has hans.out '^\* the other one left$'

check_usage chat
