# Everything that this repository can do is a target here; `make help` lists them.
#
# A check is a target of its own; `make test` runs those in CHECKS, each in its own log.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
CC ?= cc
SECONDS_PER_TARGET ?= 60
SEEDS ?= 10000

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
SONAME := libchanneler.so.$(firstword $(subst ., ,$(VERSION)))
CARGO_HOME_BIN := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin
export PATH := $(CARGO_HOME_BIN):$(PATH)
export CARGO_TARGET_DIR := $(CURDIR)/target
# The reference's own vectors lie beside the clone where the project is worked on; the committed
# ones do not need them.
ifneq ($(wildcard ../shared/vectors),)
export CHANNELER_VECTORS ?= $(abspath ../shared/vectors)
endif
DEBUG := target/debug
RELEASE := target/release

# What the library is made from: `sudo make install` after `make build` builds nothing again.
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')
CARGO_TEST := cargo test --quiet --features sim

CHECKS := scripts fmt tidy clippy doc rust header symbols c cpp cppapi python examples readme

.PHONY: help demo demo-quic test build lib install uninstall bench plots fuzz soak sanitize bless clean $(CHECKS)

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile | while IFS=$$'\t' read -r target text; do \
	    printf '  make %-10s %s\n' "$$target" "$$text"; done

## demo: two programs, a file and a chat beside it; minutes to build, seconds to run
demo: build
	@scripts/demo

## demo-quic: two daemons, and the shell talking through them; minutes to build, seconds to run
demo-quic: build
	@scripts/demo-quic

## test: every check below, one line each; logs are in target/checks
test: target/.setup
	@scripts/run-checks $(CHECKS)

## build: the libraries, channelerd and channeler, optimised
build: $(RELEASE)/libchanneler.so

$(RELEASE)/libchanneler.so: $(SOURCES) | target/.setup-build
	cargo build --release --locked
	@touch $@

# The library that the tests link: unoptimised, with all its assertions.
lib: target/.setup-build
	@cargo build --quiet --locked

## install: library, headers, channelerd, channeler below PREFIX (/usr/local), DESTDIR before it
install: $(RELEASE)/libchanneler.so
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' BINDIR='$(BINDIR)' \
	    VERSION='$(VERSION)' SONAME='$(SONAME)' scripts/install

## uninstall: takes away what install put there
uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' BINDIR='$(BINDIR)' \
	    VERSION='$(VERSION)' SONAME='$(SONAME)' scripts/install --remove

## bench: measures speed and memory, also into target/bench.json; ONLY=v0 or v1 for one group
bench: target/.setup-build
	cargo bench --features sim --bench bench -- $(ONLY)

## plots: draws what each controller does with a simulated link, into docs/plots
plots: target/.setup-build
	cargo run --quiet --locked --features sim --example plots

## fuzz: looks for new crashes, SECONDS_PER_TARGET=60 for each parser; ONLY=name for one
fuzz: target/.setup-build
	@scripts/fuzz $(SECONDS_PER_TARGET) $(ONLY)

## soak: random simulated networks, SEEDS=10000 of them; modes and attacks in full, optimised
soak: target/.setup-build
	CHANNELER_SEEDS=$(SEEDS) cargo test --release --features sim --test 'random*' -- --nocapture
	cargo test --release --features sim --test v1 --test v1_flood -- attacks modes a_flood

## sanitize: the Rust tests under AddressSanitizer, the C tests under valgrind, in full
sanitize: target/.setup
	@scripts/sanitize

## bless: writes the generated files anew: header, symbols, _abi.py of Python, goodput.txt
bless: target/.setup
	CHANNELER_BLESS=1 cargo test --quiet --test header
	CHANNELER_BLESS=1 $(MAKE) symbols
	CHANNELER_BLESS=1 $(CARGO_TEST) --test goodput
	python3 bindings/python/generate_abi.py

## clean: takes away everything that was built
clean:
	rm -rf target

# --- checks ------------------------------------------------------------------------------------

## scripts: the shell scripts parse, and shellcheck has no complaint
scripts:
	@scripts/check-scripts

## fmt: rustfmt would change nothing
fmt:
	cargo fmt --check

## tidy: floors, sizes, unsafe and leftovers are as tests/tidy.rs says
tidy:
	$(CARGO_TEST) --test tidy

## clippy: no warning in library, daemon, tests, benches, nor in the library alone
clippy:
	cargo clippy --quiet --locked --all-targets -- -D warnings
	cargo clippy --quiet --locked --all-targets --features sim -- -D warnings
	cargo clippy --quiet --locked --no-default-features -- -D warnings

## doc: rustdoc has no complaint
doc:
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps --features sim

## rust: all Rust tests: units, properties, simulation, fuzz corpus, engine over sockets
rust:
	$(CARGO_TEST) --locked --no-fail-fast

## header: channeler.h is what the sources say, and compiles alone as C99, C11, C++17
header: lib
	$(CARGO_TEST) --test header
	scripts/check-header

## symbols: the shared library exports channeler_* only, as tests/symbols.txt lists them
symbols: lib
	scripts/check-symbols $(DEBUG)/libchanneler.so $(SONAME)

## c: the C and C++ tests, under AddressSanitizer and under valgrind
c: lib
	scripts/test-c

## cpp: the drop-in headers with gcc, clang and sanitizers; CMake, pkg-config, make and meson
cpp: lib
	VERSION='$(VERSION)' SONAME='$(SONAME)' scripts/test-cpp

## cppapi: the C++17 API, with each compiler, plainly and under sanitizers
cppapi: lib
	scripts/test-cpp-api

## python: the ctypes package has good types, installs into an environment, passes its tests
python: lib
	scripts/test-python

## examples: every example builds without a warning, and its scenario runs
examples: lib
	scripts/test-examples

## readme: the README's program compiles as printed against an installed library, and runs
readme: $(RELEASE)/libchanneler.so
	scripts/test-readme

# --- tools -------------------------------------------------------------------------------------

target/.setup: scripts/setup Cargo.toml
	@scripts/setup
	@mkdir -p target && touch target/.setup target/.setup-build

target/.setup-build: scripts/setup Cargo.toml
	@scripts/setup --build
	@mkdir -p target && touch $@
