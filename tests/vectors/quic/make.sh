#!/usr/bin/env bash
# Makes the certificates of tests/quic anew: two authorities, and by the first of them node 1 and 2
# (10.0.0.1, 10.0.0.2, "node.test"), by the second node 3. Keys of tests only: nobody believes them.
set -euo pipefail
cd "$(dirname "$0")"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null; }

authority() {
    key "$1"
    openssl req -x509 -new -key "$1.key" -subj "/CN=$1 of tests" -days 36500 -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}

node() { # name, authority, last byte of the address
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" |
        openssl x509 -req -CA "$2.pem" -CAkey "$2.key" -days 36500 -out "$1.pem" 2>/dev/null \
            -extfile <(printf 'subjectAltName=IP:10.0.0.%s,DNS:node.test\n' "$3")
}

authority first
authority second
node one first 1
node two first 2
node three second 3
rm first.key second.key
