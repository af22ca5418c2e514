# flowtop: build, run, test, install. `make help` lists what there is.

PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=

CARGO ?= cargo
CARGO_TARGET_DIR ?= target
TIME ?= 600
FRAMES ?= 10000000

PROGRAM := $(CARGO_TARGET_DIR)/release/flowtop
VALGRIND := valgrind --quiet --error-exitcode=1 --vgdb=no
STATIC_PROGRAM = $(CARGO_TARGET_DIR)/$(TRIPLE)/release/flowtop
PACKAGES := $(CARGO_TARGET_DIR)/package
PICTURE_TOOLS := $(CARGO_TARGET_DIR)/screenshots
FUZZ_FOLDER := $(abspath $(CARGO_TARGET_DIR)/fuzz)
FUZZ_FLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-missing-field-initializers -I src/bpf -I tests/host \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# What -fsanitize=fuzzer makes clang do, of stable rustc; --target keeps build scripts free of it.
FUZZ_RUST_FLAGS = -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
# libFuzzer without its main(), for tests.
FUZZ_TEST_FLAGS = $(FUZZ_RUST_FLAGS) --cfg fuzzing \
	-Clink-arg=$(shell clang -print-file-name=libclang_rt.fuzzer_no_main-$$(uname -m).a) -Clink-arg=-lstdc++
C_FILES := $(wildcard src/bpf/*.c src/bpf/*.h src/bpf/host/*.c src/bpf/host/*/*.h tests/host/*.c tests/host/*.h benches/*.c)
SHELL_FILES := scripts/as-root scripts/install-needs scripts/package scripts/test-again tests/kernels/init $(wildcard packaging/debian/p*)

# What needs root runs under sudo where we are not root; cargo itself never does, nor do tests that skip what needs it.
SUDO := $(shell [ "$$(id -u)" -eq 0 ] || echo sudo)
RUNNER = $(if $(filter 1,$(FLOWTOP_SKIP_ROOT_TESTS)),,$(if $(SUDO),CARGO_TARGET_$(HOST)_RUNNER=scripts/as-root))
HOST = $(shell echo $(TRIPLE) | tr 'a-z-' 'A-Z_')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')

# What libelf itself needs besides zlib: zstd, in some distributions.
STATIC_NEEDS = $(filter-out -lelf -lz,$(shell pkg-config --static --libs-only-l libelf))
STATIC_FLAGS = -Ctarget-feature=+crt-static $(addprefix -Clink-arg=,$(if $(STATIC_NEEDS),-Wl$(comma)-Bstatic) $(STATIC_NEEDS))
comma := ,

.PHONY: build static demo run test test-again test-long test-fleet test-kernels check fuzz fuzz-captures fuzz-config fuzz-requests mutants memcheck bench screenshots install install-caps uninstall deb archive help

build: ## build the release
	@scripts/install-needs build
	$(CARGO) build --locked --release

static: ## build a release that needs no library: target/*/release/flowtop
	@scripts/install-needs build
	LIBBPF_SYS_LIBRARY_PATH="$$(dirname "$$($(CC) -print-file-name=libelf.a)")" RUSTFLAGS="$(STATIC_FLAGS)" \
		$(CARGO) build --locked --release --target $(TRIPLE) --features static
	$(STATIC_PROGRAM) --version

demo: build ## open the dashboard on generated traffic; text tables for ten seconds where there is no terminal
	@if [ -t 1 ]; then exec $(SUDO) $(PROGRAM) --demo; else exec $(SUDO) $(PROGRAM) --demo --text --duration 10; fi

run: build ## open the dashboard: make run ARGS="-i eth0"
	@$(SUDO) $(PROGRAM) $(ARGS)

# Most tests wait: for intervals, for grace periods of the kernel, for processes to end.
TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))

test: ## run all tests, those that need root included
	@scripts/install-needs build test package
	RUST_TEST_THREADS=$(TEST_THREADS) $(RUNNER) $(CARGO) test --locked --no-fail-fast

N ?= 20
test-again: ## run all tests N times, half of them under load, and say what failed: make test-again N=20
	@scripts/test-again $(N)

test-long: ## the tests of load again, a minute each, and a million requests of garbage
	@scripts/install-needs build test
	FLOWTOP_LONG_TESTS=1 $(RUNNER) $(CARGO) test --locked --release --test netns_load -- --nocapture --test-threads 1
	FLOWTOP_LONG_TESTS=1 $(RUNNER) $(CARGO) test --locked --release --test netns_metrics -- --nocapture garbage

test-fleet: ## flow records and metrics with the collectors and databases that others use
	@scripts/install-needs build test fleet
	$(RUNNER) $(CARGO) test --locked --test fleet -- --ignored

test-kernels: static ## boot Debian's kernels under QEMU and try the static program there: KERNELS="6.1 arm64"
	@scripts/install-needs kernels
	tests/kernels/run $(STATIC_PROGRAM) $(KERNELS)

fuzz-config: ## a million configurations and rules, most of them wrong: some minutes, no root needed
	@scripts/install-needs build
	PROPTEST_CASES=170000 $(CARGO) test --locked --release --test config fuzz

check: ## formatting, lints, documentation, licences: no root needed
	@scripts/install-needs build check
	$(CARGO) fmt --check
	clang-format --dry-run -Werror $(C_FILES)
	@for file in $(SHELL_FILES); do sh -n $$file || exit 1; done
	$(CARGO) clippy --locked --all-targets --features libfuzzer -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	$(CARGO) test --locked --quiet --test architecture --test docs --test licences
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; fi

memcheck: ## run under valgrind what unsafe code there is: unit tests, the program on the demo
	@scripts/install-needs build memcheck
	CARGO_TARGET_$(HOST)_RUNNER="$(VALGRIND)" $(CARGO) test --locked --lib probe::
	$(CARGO) build --locked
	$(SUDO) $(VALGRIND) $(CARGO_TARGET_DIR)/debug/flowtop --demo --json -t 0.5 --count 4 >/dev/null
	$(SUDO) $(VALGRIND) $(CARGO_TARGET_DIR)/debug/flowtop doctor >/dev/null

mutants: ## change the program in a thousand places, one at a time: which changes does no test notice? hours; FILES="..."
	@scripts/install-needs build test mutants
	tests/mutants/run $(abspath $(CARGO_TARGET_DIR))/mutants $(FILES)

fuzz: ## show millions of frames to headers, kernel program and reference: make fuzz TIME=600 (seconds in all)
	@scripts/install-needs build test fuzz
	@mkdir -p $(FUZZ_FOLDER)/corpus
	clang $(FUZZ_FLAGS) tests/host/judge.c -o $(FUZZ_FOLDER)/headers
	cd $(FUZZ_FOLDER) && ./headers -max_total_time=$$(($(TIME) / 2)) -max_len=600 -print_final_stats=1 corpus $(CURDIR)/tests/corpus
	FLOWTOP_FUZZ_CORPUS=$(FUZZ_FOLDER)/corpus FLOWTOP_FUZZ_FRAMES=$(FRAMES) FLOWTOP_FUZZ_SECONDS=$$(($(TIME) / 2)) \
		FLOWTOP_FUZZ_SEED=$$(date +%s) $(RUNNER) $(CARGO) test --locked --release --test fuzz -- --nocapture

fuzz-requests: ## send any bytes in any pieces to what answers scrapers: make fuzz-requests TIME=600; no root needed
	@scripts/install-needs build fuzz
	@mkdir -p $(FUZZ_FOLDER)/requests
	RUSTFLAGS="$(FUZZ_TEST_FLAGS)" CARGO_PROFILE_DEV_OPT_LEVEL=2 FLOWTOP_FUZZ_REQUESTS="-max_total_time=$(TIME) -max_len=12000 \
		-print_final_stats=1 -artifact_prefix=$(FUZZ_FOLDER)/ $(FUZZ_FOLDER)/requests $(CURDIR)/tests/requests" \
		$(CARGO) test --locked --lib --target $(TRIPLE) --target-dir $(FUZZ_FOLDER)/rust connection::tests::fuzz -- --nocapture

fuzz-captures: ## show millions of files to the reader of captures, no root needed: make fuzz-captures TIME=600 (seconds)
	@scripts/install-needs build fuzz
	@mkdir -p $(FUZZ_FOLDER)/captures
	RUSTFLAGS="$(FUZZ_RUST_FLAGS) -Clinker=clang -Clink-arg=-fsanitize=fuzzer" $(CARGO) build --locked --profile fuzz --target $(TRIPLE) --features libfuzzer --example fuzz_captures
	cd $(FUZZ_FOLDER) && FLOWTOP_FUZZ_SEEDS=captures $(abspath $(CARGO_TARGET_DIR))/$(TRIPLE)/fuzz/examples/fuzz_captures \
		-max_total_time=$(TIME) -max_len=8192 -print_final_stats=1 captures

bench: ## measure costs, each beside its baseline; writes BENCHMARKS.md
	@scripts/install-needs build
	$(RUNNER) $(CARGO) bench --locked --bench costs

screenshots: build ## make the pictures in docs/screenshots from the real program (needs tmux and python3)
	@[ -x $(PICTURE_TOOLS)/bin/python ] || python3 -m venv $(PICTURE_TOOLS)
	@$(PICTURE_TOOLS)/bin/python -c "import rich" 2>/dev/null || $(PICTURE_TOOLS)/bin/pip install --quiet rich==15.0.0
	$(PICTURE_TOOLS)/bin/python scripts/screenshots docs/screenshots $(PROGRAM) $(SUDO)

SHARE = $(DESTDIR)$(PREFIX)/share
DOCUMENTS = README.md SECURITY.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE src/bpf/LICENSE-GPL-2.0 config.json config.schema.json

install: ## install what was built: make install PREFIX=/usr/local DESTDIR=
	@[ -x $(PROGRAM) ] || { echo "flowtop: install $(PROGRAM): not built yet (run: make)" >&2; exit 1; }
	install -D -m 755 $(PROGRAM) "$(DESTDIR)$(PREFIX)/bin/flowtop"
	ln -sf flowtop "$(DESTDIR)$(PREFIX)/bin/flowtop-bpf"
	install -D -m 644 -t "$(SHARE)/doc/flowtop" $(DOCUMENTS)
	install -D -m 644 -t "$(SHARE)/doc/flowtop/docs" docs/*.md
	install -D -m 644 -t "$(SHARE)/flowtop/prometheus" packaging/prometheus/*.yml
	install -D -m 644 -t "$(SHARE)/flowtop/grafana" packaging/grafana/flowtop.json
	install -D -m 644 -t "$(SHARE)/man/man1" packaging/man/*
	ln -sf flowtop.1 "$(SHARE)/man/man1/flowtop-bpf.1"
	install -D -m 644 packaging/completions/flowtop.bash "$(SHARE)/bash-completion/completions/flowtop"
	install -D -m 644 packaging/completions/_flowtop "$(SHARE)/zsh/site-functions/_flowtop"
	install -D -m 644 packaging/completions/flowtop.fish "$(SHARE)/fish/vendor_completions.d/flowtop.fish"

GROUP ?= flowtop

install-caps: ## let a group run what was installed without sudo: make install-caps GROUP=flowtop
	@[ -f "$(DESTDIR)$(PREFIX)/bin/flowtop" ] || { echo "flowtop: install-caps: $(DESTDIR)$(PREFIX)/bin/flowtop is not there (run: make install)" >&2; exit 1; }
	@case "$(GROUP)" in *[!0-9]*) getent group "$(GROUP)" >/dev/null || \
		{ echo "flowtop: install-caps: no group $(GROUP) (run: groupadd --system $(GROUP), or name another: GROUP=...)" >&2; exit 1; };; esac
	chown "root:$(GROUP)" "$(DESTDIR)$(PREFIX)/bin/flowtop"
	chmod 0750 "$(DESTDIR)$(PREFIX)/bin/flowtop"
	setcap cap_bpf,cap_net_admin,cap_perfmon+ep "$(DESTDIR)$(PREFIX)/bin/flowtop"

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(PREFIX)/bin/flowtop" "$(DESTDIR)$(PREFIX)/bin/flowtop-bpf"
	rm -rf "$(SHARE)/doc/flowtop" "$(SHARE)/flowtop"
	rm -f "$(SHARE)"/man/man1/flowtop.1 "$(SHARE)"/man/man1/flowtop-*.1
	rm -f "$(SHARE)/bash-completion/completions/flowtop"
	rm -f "$(SHARE)/zsh/site-functions/_flowtop" "$(SHARE)/fish/vendor_completions.d/flowtop.fish"

deb: build ## make a Debian package of what was built: target/package/*.deb
	@scripts/install-needs build package
	scripts/package deb $(PROGRAM) $(PACKAGES)

archive: static ## make an archive of the static build that runs on any Linux: target/package/*.tar.gz
	scripts/package archive $(STATIC_PROGRAM) $(PACKAGES)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
