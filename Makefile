.PHONY: prepare prepare-run prepare-kafka prepare-bench run kafka smoke check test soak simulate fuzz mutants bench bench-sweep release-schemas kept-data

TARGET := $(or $(CARGO_TARGET_DIR),target)

# Installs what is missing on this machine: for everything, to run, to run a broker, to measure.
prepare:
	@tests/components/install test
prepare-run:
	@tests/components/install run
prepare-kafka:
	@tests/components/install kafka
prepare-bench:
	@tests/components/install bench

# Everything on this machine, with a demonstration: see README.md.
DATA ?= data
CLOCK ?= 600
PORT ?= 8080
run: prepare-run
	cargo run --profile quick -p drawdown -- up --demo --clock $(CLOCK) --port $(PORT) --data $(DATA)

# An Apache Kafka broker on 127.0.0.1, to try drawdown on. Ctrl-C ends it, and what is on it goes with it.
KAFKA_PORT ?= 9092
kafka: prepare-kafka
	cargo run --profile quick -p drawdown-components -- kafka $(KAFKA_PORT)

# Asserts what `make run` promises, within two minutes of its start.
smoke: prepare
	cargo build --profile quick -p drawdown
	cargo build --quiet --workspace --bin drawdown-smoke
	@$(TARGET)/debug/drawdown-smoke $(TARGET)/quick/drawdown

# Format, lints, docs, and whether the planted bugs of `make mutants` still fit.
check: prepare
	git apply --check tests/mutants/*.patch
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Every test, on the real components; ends by naming them, and fails if no test met one.
TALLY := $(abspath $(TARGET))/components
test: prepare
	@rm -rf $(TALLY) && mkdir -p $(TALLY)
	COMPONENTS_TALLY=$(TALLY) cargo test --workspace
	@$(TARGET)/debug/drawdown-components tally $(TALLY)

# Kills workers on both engines, freezes them in the middle of a commit, and kills brokers of three: each so many times,
# and adds up over runs.
KILLS ?= 500
FREEZES ?= 25
BROKER_KILLS ?= 10
soak: prepare
	@mkdir -p target
	SOAK_TALLY=$(CURDIR)/target/soak.tally KILLS=$(KILLS) FREEZES=$(FREEZES) BROKER_KILLS=$(BROKER_KILLS) \
		FIRST_SEED=$$(date +%s) \
		cargo test -p drawdown --test end_to_end -- killed_ frozen_workers --include-ignored --nocapture --test-threads=1
	@awk '{ times[$$1] += $$2; records[$$1] += $$3; differences[$$1] += $$4 } \
		END { for (fault in times) print fault ": " times[fault] " times, " records[fault] " records, " differences[fault] " differences over all runs" }' target/soak.tally

# So many histories at random, the pipeline's books held against an independent book-keeper's; and some with thousands
# of accounts over three months.
SEEDS ?= 10000
LARGE ?= 5
FIRST_SEED ?= $(shell date +%s)
SIMULATION := cargo test --profile quick -p drawdown --test end_to_end -- --nocapture --exact
simulate: prepare
	FIRST_SEED=$(FIRST_SEED) SEEDS=$(LARGE) $(SIMULATION) --ignored \
		end_to_end::book_keeping::large_random_histories_agree_with_the_book_keeper
	FIRST_SEED=$(FIRST_SEED) SEEDS=$(SEEDS) $(SIMULATION) \
		end_to_end::book_keeping::random_histories_agree_with_the_book_keeper

# Feeds a decoder with what nobody would write, beginning with what it understands: `make fuzz DECODER=json`. What reaches
# code that nothing before has reached is kept in tests/fuzz/corpus, through which `make test` goes again.
DECODER ?=
MINUTES ?= 30
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ := $(TARGET)/fuzz
KEPT := tests/fuzz/corpus/$(DECODER)
FOUND := $(FUZZ)/found/$(DECODER)
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions
fuzz: prepare
	@mkdir -p $(FOUND) $(KEPT) $(FUZZ)/crashes
	CARGO_PROFILE_RELEASE_LTO=false RUSTFLAGS="$(COVERAGE)" cargo build --release --target $(HOST) --target-dir $(FUZZ) \
		-p drawdown-fuzz --features libfuzzer
	SEEDS_TO=$(abspath $(FUZZ)/seeds) cargo test --quiet --workspace --test corpus -- --ignored
	DECODER=$(DECODER) $(FUZZ)/$(HOST)/release/fuzz -max_total_time=$$(($(MINUTES) * 60)) -timeout=10 \
		-rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix=$(FUZZ)/crashes/$(DECODER)- \
		$(FOUND) $(KEPT) $(FUZZ)/seeds/$(DECODER)
	DECODER=$(DECODER) $(FUZZ)/$(HOST)/release/fuzz -set_cover_merge=1 -use_counters=0 -max_len=1024 $(KEPT) $(FOUND)

# Plants bugs, each a patch in tests/mutants, and says which test finds it.
BUGS ?=
mutants: prepare
	@tests/mutants/run $(BUGS)

# What drawdown does in a second beside its peers, verified; QUICK=1 in minutes.
bench: prepare-bench
	cargo run --release --quiet -p drawdown-bench

# Every way to set up Kafka Streams, by which the rows of `make bench` are chosen.
bench-sweep: prepare-bench
	cargo run --release --quiet -p drawdown-bench -- sweep

# Keeps the schemas and their examples as those of a version, against which later ones are tested.
# A version that is not out yet may be written again.
release-schemas:
	@test -n "$(VERSION)" || { echo "say which: make release-schemas VERSION=0.1.0"; exit 2; }
	RELEASE_SCHEMAS=$(VERSION) cargo test --quiet -p drawdown-wire --test schemas release_schemas
	cargo test --quiet -p drawdown-wire --test schemas

# Keeps a data folder of this version, which later ones must open. A version that is out keeps its own.
kept-data:
	REMAKE_KEPT_DATA=1 cargo test --quiet --workspace --test end_to_end remake_the_kept_data -- --nocapture
