#!/usr/bin/env bash
# reference_readme: a program written for the reference establishes a channel with another of its
# kind over UDP, and its message is answered; what cannot be is said.
# shellcheck disable=SC1091,SC2154 # common.bash, beside this file, assigns work and started
. "$(dirname "$0")/common.bash"

alice=0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf
bob=b0b1b2b3b4b5b6b7b8b9babbbcbdbebf
start bob reference_readme "$bob" "$alice" 0
server=$started
await bob.out '^[1-9][0-9]*$'
port=$(head -n 1 "$work/bob.out")
run alice 0 reference_readme "$alice" "$bob" 0 "$port" 'hello, world'
has alice.out '^you said: hello, world$'
has alice.err "^channel 0x[0-9a-f]{4}:0x[0-9a-f]{4} with 0x$bob\$"
ended "$server" 0
has bob.err '^heard: hello, world$'

run short 2 reference_readme 0x12 "$bob" 0
has short.err 'ERR_INSUFFICIENT_BUFFER_SIZE'
run usage 2 reference_readme "$alice"
has usage.err '^usage: '
