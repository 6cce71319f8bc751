.PHONY: prepare check test release-schemas

# Installs what is missing on this machine.
prepare:
	@tests/components/install

# Format, lints, docs.
check: prepare
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Every test, on the real components.
test: prepare
	cargo test --workspace

# Keeps the schemas and their examples as those of a version, against which later ones are tested.
# A version that is not out yet may be written again.
release-schemas:
	@test -n "$(VERSION)" || { echo "say which: make release-schemas VERSION=0.1.0"; exit 2; }
	RELEASE_SCHEMAS=$(VERSION) cargo test --quiet -p drawdown-wire --test schemas release_schemas
	cargo test --quiet -p drawdown-wire --test schemas
