# Three commands: `make demo` shows the product at work, `make test` passes judgement on it,
# `make packages` builds what is installed on boards.
# Both want root on Debian with Rust, and install what else they need.

export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin:/sbin
CARGO ?= cargo
# Each case has an engine of its own and mostly waits: more than cores, but not by much.
E2E_THREADS ?= 3
# Debian's name of the architecture that `make deb` builds for: armhf, arm64 or amd64.
ARCH ?= amd64
# Faults or power cuts, and what decides when they come.
COUNT ?= 50
SEED ?= 1
# Boards side by side, and words of the faults that are wanted, between commas.
JOBS ?= 2
ONLY ?=
# `cross` does not find a file of this name by itself.
export CROSS_CONFIG := $(CURDIR)/cross.toml

.NOTPARALLEL:
.PHONY: help setup build demo bench test check unit e2e torture deb packages lint-deb test-deb cross-check board board-quick board-torture board-made deep mutations

help:
	@echo 'make demo    an app is installed, updated, and a bad release undone, before your eyes'
	@echo 'make test    formatting, lints, unit tests, exploration, end-to-end cases'
	@echo 'make build   agentd and agentctl for this machine, in target/release'
	@echo 'make bench   the budgets, measured; more with BENCH="--long --rounds 30"'
	@echo 'make deb     the package for this kind of machine, in target/debian; another with ARCH=armhf or arm64'
	@echo 'make packages     all three, looked at by lintian, installed, upgraded, removed and purged'
	@echo 'make cross-check  cross build and cross test for both kinds of ARM board'
	@echo 'make board   a virtual board (ARCH=armhf or arm64 for another): every case of its life'
	@echo 'make board-torture  power cuts in updates, COUNT=$(COUNT) of them, by SEED=$(SEED)'
	@echo 'make board-quick    install, update, one power cut: a few minutes'
	@echo 'make torture  faults in the midst of updates, COUNT=$(COUNT) of them, by SEED=$(SEED), on JOBS=$(JOBS) boards; ONLY="disk,person"'
	@echo 'parts of test: make check, make unit, make e2e'
	@echo 'make deep    the search of all worlds that three faults lead to, or two among three releases'
	@echo 'make mutations [only=WORD]   takes each guard out of decide, and looks whether a test misses it'

setup:
	@packaging/ci/setup

build:
	$(CARGO) build --release -p titania-agentd -p titania-agentctl

demo: setup
	@$(CARGO) run -p titania-tests --bin demo

bench: setup
	@$(CARGO) run -p titania-bench -- $(BENCH)

test: setup check unit e2e

check:
	$(CARGO) fmt --all --check
	$(CARGO) check -p titania-core
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# The workspace without the end-to-end cases; of the tests' own crate only what needs no board.
unit:
	$(CARGO) test --workspace --exclude titania-tests
	$(CARGO) test -p titania-tests --lib --bins --test layout

# Fetched before: what a case builds for itself it builds on a board of its own, which has no network.
e2e: setup
	$(CARGO) fetch --locked --quiet
	$(CARGO) test -p titania-tests --test e2e -- --test-threads=$(E2E_THREADS)

torture: setup
	@$(CARGO) build -p titania-agentd -p titania-agentctl -p titania-tests --bins
	@$(CARGO) run -p titania-tests --bin torture -- --count $(COUNT) --seed $(SEED) --jobs $(JOBS) --only '$(ONLY)'

deb:
	@packaging/deb/build $(ARCH)

packages:
	@rm -f target/debian/titania-agent_*.deb
	@set -e; for arch in armhf arm64 amd64; do packaging/deb/build $$arch; done
	@packaging/cross/check target/debian/titania-agent_*.deb
	@$(MAKE) --no-print-directory lint-deb test-deb

# Both take packages as they are.
lint-deb:
	@packaging/deb/lint target/debian/titania-agent_*.deb

test-deb:
	@packaging/deb/test

cross-check:
	@packaging/cross/try

# The board's image and the package that it installs, made when they are not up to date.
board-made:
	@packaging/ci/setup board
	@tests/board/make-image $(ARCH)
	@packaging/deb/build $(ARCH)

board: board-made
	@$(CARGO) run -p titania-tests --bin board -- cases --arch $(ARCH)

board-quick: board-made
	@$(CARGO) run -p titania-tests --bin board -- quick --arch $(ARCH)

board-torture: board-made
	@$(CARGO) run -p titania-tests --bin board -- torture --arch $(ARCH) --count $(COUNT) --seed $(SEED)

# Not part of test: the searches with three faults take gigabytes, and a quarter of an hour on a quick core. Therefore
# one after the other.
deep:
	$(CARGO) test -p titania-core --test exploration -- --ignored --nocapture --test-threads=1 deep

# The table of docs/mutations.md; as long.
mutations:
	$(CARGO) test -p titania-core --test mutations -- "$$only"
