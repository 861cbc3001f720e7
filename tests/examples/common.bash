# shellcheck shell=bash
# What the scenarios of the examples share. $EXAMPLES is the folder of the programs,
# $EXAMPLES_DIALLING that of those which connect to others (the same, if it is not set), $TOOL the
# words of a command to run them under (valgrind), or nothing.
set -euo pipefail

WAIT_SECONDS=${WAIT_SECONDS:-60}
work=$(mktemp -d)
read -ra tool <<<"${TOOL:-}"

finish() {
    local pids
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # one word a process
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "failed: $*" >&2
    tail -n 20 "$work"/*.out "$work"/*.err >&2 || true
    exit 1
}

# Prints the path of a program in the role that its first argument says. Options come last.
program() { # name, argument ..
    case ${2:-} in
    client | join | send | subscribe) echo "${EXAMPLES_DIALLING:-$EXAMPLES}/$1" ;;
    *) echo "$EXAMPLES/$1" ;;
    esac
}

# Runs a program that ends by itself; its output goes to $work/NAME.out and .err.
run() { # name, expected exit code, program, argument ..
    local name=$1 expected=$2 program code=0
    program=$(program "${@:3}")
    shift 3
    timeout $WAIT_SECONDS "${tool[@]}" "$program" "$@" >"$work/$name.out" 2>"$work/$name.err" ||
        code=$?
    [ "$code" = "$expected" ] || fail "$name ($program $*) exited with $code, not $expected"
}

# Starts a program in the background, with its input from $work/NAME.in when there is one; $started
# is its process.
start() { # name, program, argument ..
    local name=$1 program input=/dev/null
    program=$(program "${@:2}")
    shift 2
    [ ! -e "$work/$name.in" ] || input=$work/$name.in
    "${tool[@]}" "$program" "$@" <"$input" >"$work/$name.out" 2>"$work/$name.err" &
    started=$!
}

# Waits until a line of a file matches a pattern.
await() { # file, pattern
    local end=$((SECONDS + WAIT_SECONDS))
    until grep -qE -e "$2" "$work/$1" 2>/dev/null; do
        [ $SECONDS -lt $end ] || fail "no '$2' in $1"
        sleep 0.02
    done
}

# Prints the PEERID@ADDRESS that a program listens at.
listener() { # name
    await "$1.out" '^listening on 0x[0-9a-f]{32}@.*:[1-9][0-9]*$'
    sed -n '1s/^listening on //p' "$work/$1.out"
}

# Waits for a process that ends by itself, and compares its exit code.
ended() { # process, expected exit code
    local code=0 end=$((SECONDS + WAIT_SECONDS))
    while kill -0 "$1" 2>/dev/null && [ "$(ps -o stat= -p "$1" | cut -c 1)" != Z ]; do
        [ $SECONDS -lt $end ] || fail "process $1 did not end"
        sleep 0.02
    done
    wait "$1" || code=$?
    [ "$code" = "$2" ] || fail "process $1 exited with $code, not $2"
}

has() { # file, pattern
    grep -qE -e "$2" "$work/$1" || fail "no '$2' in $1"
}

# What every program must do: help, and a word on wrong arguments.
check_usage() { # program, wrong arguments
    run help 0 "$1" --help
    has help.out "^usage: $1 "
    run usage 2 "$1"
    has usage.err "^usage: $1 "
}
