# Two commands: `make demo` shows the product at work, `make test` passes judgement on it.
# Both want root on Debian with Rust, and install what else they need.

export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin:/sbin
CARGO ?= cargo
# Each case has an engine of its own and mostly waits: more than cores, but not by much.
E2E_THREADS ?= 3

.NOTPARALLEL:
.PHONY: help setup build demo bench test check unit e2e deep mutations

help:
	@echo 'make demo    an app is installed, updated, and a bad release undone, before your eyes'
	@echo 'make test    formatting, lints, unit tests, exploration, end-to-end cases'
	@echo 'make build   agentd and agentctl for this machine, in target/release'
	@echo 'make bench   the budgets, measured; more with BENCH="--long --rounds 30"'
	@echo 'parts of test: make check, make unit, make e2e'
	@echo 'make deep    the search of all worlds that three faults lead to'
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

e2e: setup
	$(CARGO) test -p titania-tests --test e2e -- --test-threads=$(E2E_THREADS)

# Not part of test: the search with three faults takes gigabytes, and a quarter of an hour on a quick core.
deep:
	$(CARGO) test -p titania-core --test exploration -- --ignored --nocapture deep

# The table of docs/mutations.md; as long.
mutations:
	$(CARGO) test -p titania-core --test mutations -- '$(only)'
