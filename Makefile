# `make help` prints the comment of every target.
CARGO ?= cargo
# The address of `make demo` and `make serve`.
LISTEN ?= 127.0.0.1:3000

.PHONY: help demo serve envoy-demo build install test soak siege fuzz check bench bench-curves docs book sizes clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 21

demo: install ## build all, install the examples, start the host, show requests answered
	@scripts/demo $(LISTEN)

serve: install ## the same, but leave the host running in the foreground
	@target/release/hhrf --root . --listen $(LISTEN)

envoy-demo: install ## two hosts with Envoy in front: requests reach both, then one host stops under load and no request is lost
	@scripts/envoy-demo

build: ## build host, runner, the module of `hhrf check-jail` and examples for release
	$(CARGO) build --release -p hhrf -p fezz-runner -p fezz-attempts -p example_hello -p example_todosapi -p example_echo -p example_worker_items
	@scripts/build-examples $(abspath $(or $(CARGO_TARGET_DIR),target))/release

install: build ## put the examples under functions/
	@scripts/install-examples
	@$(MAKE) --silent sizes

# Cargo would unify the features of the packages left out with those of all others.
test: ## run every test: the real host, the real runner, real modules
	$(CARGO) test --workspace --exclude fixture_ordinary --exclude fixture_pools --exclude example_embedded --exclude fezz-bench-embedded --exclude fezz-bench-postgres --no-fail-fast
	$(CARGO) test -p fezz --features cookies,server,testing,tokio,tower,worker
	$(CARGO) test -p fezz --features postgres,redis --lib
	$(CARGO) test -p fezz --features postgres-tls,redis-tls --lib pool
	$(CARGO) test -p fezz --features postgres,redis,testing --doc guides
	$(CARGO) test -p example_embedded
	$(CARGO) test -p fezz-wire --features message-pack
	$(CARGO) test -p fezz-control-plane --features conformance

soak: ## full load for SOAK_SECONDS (180), with crashes, hanging requests, killed zygotes and new releases
	$(CARGO) test --release -p fezz-tests -- --ignored --nocapture endurance

siege: ## all attacks on the host's memory, with honest clients at the same time, for SOAK_SECONDS (600)
	$(CARGO) test --release -p fezz-tests -- --ignored --nocapture siege

fuzz: ## mutate what workers and the host send to each other, for FUZZ_SECONDS (60) each; needs a C++ compiler
	@scripts/fuzz $(or $(FUZZ_SECONDS),60)

check: ## formatting, clippy and rustdoc, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

bench: build ## compare the host to other servers, in ten minutes; bench/README.md explains the results
	$(CARGO) build --release -p fezz-bench
	$(CARGO) build --release -p fezz-bench-embedded
	$(CARGO) build --release -p fezz-bench-postgres
	$(CARGO) run --release -p fezz-bench --bin peers

bench-curves: build ## measure how the cost of a request grows, in four minutes
	$(CARGO) run --release -p fezz-bench --bin curves

docs: ## write fezz.schema.json, and the tables of docs/ that are made from it, from the flags and from the filters
	UPDATE_SCHEMA=1 $(CARGO) test -p fezz-manifest --features file the_schema
	UPDATE_DOCS=1 $(CARGO) test -p hhrf --lib -- --test-threads 1 reference
	UPDATE_DOCS=1 $(CARGO) test -p fezz-runner --lib the_page_of_system_calls

book: ## build all pages as a book, target/book/html/index.html, and check its links
	@scripts/book

sizes: ## print the sizes of the example modules, each within 3 MB
	@scripts/module-sizes

clean: ## remove all builds and installed functions, except the manifest that is in the repository
	$(CARGO) clean
	find functions -mindepth 1 ! -path functions/README.md ! -path functions/todos@latest \
		! -path functions/todos@latest/fezz.json -delete
