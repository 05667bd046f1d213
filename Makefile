PORT ?= 5000
PYTHON ?= python3
REFERENCE := target/reference
SUITES := target/suites
API := target/api
# rustdoc's JSON is not stable yet, which this variable has stable Rust overlook.
TOOLCHAIN = $(shell rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)
PUBLIC_API = PATH="$(CURDIR)/$(API)/bin:$$PATH" RUSTC_BOOTSTRAP=1 \
	cargo $(if $(TOOLCHAIN),+$(TOOLCHAIN)) public-api -sss --all-features
BROWSER := tests/browser
# Where there is no musl: glibc, linked statically. Its dlsym finds nothing, so getrandom is told to
# make the system call, or it would want /dev/urandom.
STATIC_FLAGS := -C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"
STATIC_TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
STATIC := target/static/$(STATIC_TARGET)/release/waxseal
FUZZ_TARGETS := open load form client
FUZZ_SECONDS ?= 20

.PHONY: run test test-stores store-packages test-proxies test-features test-reference test-suites test-browser check bench bench-quick bench-library bench-stores bench-front-door bench-fairness \
	instructions instructions-record bench-tools static chroot-test fuzz package api api-record compilers

run: .env
	cargo build --bin waxseal
	@echo
	@echo "  Waxseal: http://localhost:$(PORT)"
	@echo "  Without users of your own, sign in as foo with the password secret. Ctrl-C stops it."
	@echo
	@set -a && . ./.env && PORT=$(PORT) HOST=$${HOST:-127.0.0.1} exec ./target/debug/waxseal

# Fresh keys, readable by their owner alone; an .env that is there is left as it is.
.env:
	cargo build --bin waxseal
	@umask 077 && ./target/debug/waxseal keygen > .env.new && mv .env.new .env
	@echo "Wrote fresh keys to .env"

test:
	cargo test --features bcrypt,conformance,fuzzing,http,json

# The stores, over their real servers, which are installed where they are missing, started on free
# ports in directories of their own, and stopped.
test-stores: store-packages
	PATH="$$PATH:/usr/sbin" cargo test --all-features --lib --test stores

store-packages:
	@PATH="$$PATH:/usr/sbin" .ci/install redis-server=redis-server redis-sentinel=redis-sentinel \
		memcached=memcached pg_config=libpq-dev pgbouncer=pgbouncer openssl=openssl pgrep=procps \
		setpriv=util-linux saslpasswd2=sasl2-bin
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || .ci/install no-postgres=postgresql
	@ls /usr/lib/*/sasl2/libplain.so >/dev/null 2>&1 || .ci/install no-plain=libsasl2-modules
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || .ci/install no-faketime=libfaketime

# Restarts behind real proxies, with the files of deploy/: a minute and a half.
test-proxies:
	@PATH="$$PATH:/usr/sbin" .ci/install nginx=nginx caddy=caddy haproxy=haproxy apache2=apache2-bin
	cargo test --test proxies -- --ignored --test-threads 1

# What is built without the features that `test` turns on.
test-features:
	cargo test --bin waxseal --test people
	cargo test --no-default-features --lib --test seal --test session
	cargo test --no-default-features --features redis,visitor --example rouille_and_redis

# The seal against an independent implementation, in Python.
test-reference: $(REFERENCE)/installed
	PYTHON=$(REFERENCE)/bin/python cargo test --test seal -- --ignored

$(REFERENCE)/installed:
	$(PYTHON) -m venv $(REFERENCE)
	$(REFERENCE)/bin/pip install --quiet 'cryptography>=42'
	touch $@

# The requests of published suites, against a table of what is answered otherwise than they wish.
test-suites: $(SUITES)/fetched
	cargo build --bin waxseal
	$(SUITES)/bin/python tests/suites/run.py $(SUITES) target/debug/waxseal

$(SUITES)/fetched: tests/suites/requirements.txt tests/suites/fetch.py
	$(PYTHON) -m venv $(SUITES)
	$(SUITES)/bin/python tests/suites/fetch.py $(SUITES)
	touch $@

# The released binary in Chromium; then the pictures of its pages in docs/.
test-browser: $(BROWSER)/node_modules/.package-lock.json
	@.ci/install chromium node=nodejs
	cargo build --release --bin waxseal
	cargo build --example basket
	cd $(BROWSER) && node --test && node screenshots.js

$(BROWSER)/node_modules/.package-lock.json: $(BROWSER)/package-lock.json
	@.ci/install npm
	npm ci --prefix $(BROWSER) --ignore-scripts --no-audit --no-fund
	touch $@

# With the packages of their own that use the library, which nothing else here builds.
check:
	@.ci/install pg_config=libpq-dev
	cargo fmt --check
	cargo clippy --all-targets --all-features -- -D warnings
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features -- -D warnings
	set -e; for package in fuzz benches/front_door; do \
		cargo clippy --locked --manifest-path $$package/Cargo.toml --target-dir target/apart -- -D warnings; \
	done
	@! cargo tree -e normal,dev --all-features --prefix none \
		| grep -E '^(tokio|async-std|async-executor|smol|futures-executor) ' \
		|| { echo 'An async runtime has come in.' >&2; false; }
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features

# How Waxseal compares with what one would use instead, into benches/README.md: under half an hour.
bench: bench-tools
	benches/compare.py

# The home page alone, to the terminal: a few minutes, most of them building.
bench-quick: bench-tools
	benches/compare.py --quick

# What cannot be had is left out of the comparison.
bench-tools:
	.ci/install wrk
	-.ci/install go=golang-go node=nodejs npm nginx
	-@python3 -c 'import ensurepip, venv' 2>/dev/null || .ci/install ensurepip=python3-venv
	-@test -d /usr/share/gocode/src/github.com/gorilla/sessions \
		|| .ci/install gorilla=golang-github-gorilla-sessions-dev

# Sealing and opening beside another crate; and whether a stopwatch tells known users from unknown.
bench-library:
	cargo bench --bench seal --bench sign_in

# Instructions for one request for the home page, against what is recorded: fails where they are more.
instructions:
	@.ci/install valgrind
	benches/instructions.py

instructions-record:
	@.ci/install valgrind
	benches/instructions.py --record

# The public API, against the file that has it: no change of it goes unseen. `api-record` writes it anew.
api: $(API)/bin/cargo-public-api
	$(PUBLIC_API) > target/api.txt
	diff -u api.txt target/api.txt

api-record: $(API)/bin/cargo-public-api
	$(PUBLIC_API) > api.txt

$(API)/bin/cargo-public-api:
	cargo install cargo-public-api --version 0.52.0 --locked --quiet --root $(API) --target-dir target/api-build

# The sessions with the oldest compiler that they promise.
compilers:
	.ci/check-compilers

# What crates.io would get.
package:
	cargo publish --dry-run --allow-dirty --quiet

# One file that needs no other.
static:
	RUSTFLAGS='$(STATIC_FLAGS)' cargo build --release --locked --bin waxseal \
		--target $(STATIC_TARGET) --target-dir target/static

# What the image of the Dockerfile holds, without a container engine. Needs root.
chroot-test: static
	deploy/chroot-test $(STATIC)

# A short look with each fuzz target; FUZZ_SECONDS=600 makes it a long one. Needs a C++ compiler.
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
	set -e; for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target; \
		cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -dict=$(CURDIR)/fuzz/$$target.dict; \
	done

# What each store costs beside the sealed cookie.
bench-stores: bench-tools store-packages
	benches/stores.py

# How others fare while one attacker grows to 2,400 connections, and a picture of it.
bench-fairness:
	@.ci/install wrk ss=iproute2
	cargo build --release --quiet --locked --bin waxseal
	benches/fairness.py

# What the front door costs, beside tiny_http directly on the port; needs wrk. A few minutes.
bench-front-door:
	benches/front_door.py bare:1 bare:4 bare:8 front:4 front:8 front:16
	benches/front_door.py --slow 5000 front:8
