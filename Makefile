.PHONY: prepare check test

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
