#!/usr/bin/env bash
# Makes the certificates of tests/quic anew: two authorities, and by the first of them node 1 and 2
# (10.0.0.1, 10.0.0.2, "node.test"), by the second node 3. Keys of tests only: nobody believes them.
# They hold from 2020 on: the tests over sockets have the clock of the machine, which may be behind.
set -euo pipefail
cd "$(dirname "$0")"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null; }

# Makes NAME.pem for NAME.key: `openssl ca` alone takes the day from which it holds.
sign() { # name, subject, extensions, argument ..
    local work
    work=$(mktemp -d)
    : >"$work/index"
    openssl rand -hex 16 >"$work/serial"
    printf '%s\n' "[ca]" "default_ca=here" "[here]" "database=$work/index" "serial=$work/serial" \
        "new_certs_dir=$work" "default_md=sha256" "policy=names" "email_in_dn=no" \
        "[names]" "commonName=supplied" "[extra]" "$3" >"$work/config"
    openssl req -new -key "$1.key" -subj "/CN=$2" -out "$work/request" -config <(
        printf '[req]\ndistinguished_name=none\n[none]\n'
    )
    openssl ca -batch -notext -config "$work/config" -extensions extra -in "$work/request" \
        -startdate 20200101000000Z -enddate 21200101000000Z -out "$1.pem" "${@:4}" 2>/dev/null
    rm -r "$work"
}

authority() {
    key "$1"
    sign "$1" "$1 of tests" \
        $'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign' \
        -selfsign -keyfile "$1.key"
}

node() { # name, authority, last byte of the address
    key "$1"
    sign "$1" "$1" "subjectAltName=IP:10.0.0.$3,DNS:node.test" -cert "$2.pem" -keyfile "$2.key"
}

authority first
authority second
node one first 1
node two first 2
node three second 3
rm first.key second.key
