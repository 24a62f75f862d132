# `make demo` shows maskwatch at work, `make test` tests it; both install what is missing first (they say what and why).
# The other targets measure and train; `make help` lists all.

export PATH := $(PATH):$(HOME)/.cargo/bin
SHARED ?= $(or $(MASKWATCH_SHARED),../shared)
export MASKWATCH_SHARED := $(SHARED)

.PHONY: help dependencies demo test lint bench accuracy train-classifier train-detector reference

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | column -t -s '	'

dependencies:
	@cross/install-build-dependencies.sh

demo: dependencies ## the daemon's loop on bundled pictures, or on CAMERA=/dev/video0; annotated frames in demo-output
	cargo run --release --locked -- demo --output demo-output $(if $(CAMERA),--camera $(CAMERA))

test: dependencies ## all tests; what needs $MASKWATCH_SHARED (../shared) says so when it is absent
	cargo test --locked --features train

lint: dependencies ## formatting, clippy with and without training, documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features train -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --features train

bench: dependencies ## depthwise convolution against candle's own, then the stages of a frame
	cargo bench --locked --bench depthwise
	cargo run --release --locked -- bench --threads 1

accuracy: dependencies ## the figures of models/README.md, from the pictures in $MASKWATCH_SHARED/data
	cargo build --release --locked
	target/release/maskwatch eval faces --split val
	target/release/maskwatch eval scenes --split val --min-side 24
	target/release/maskwatch eval detector --split val
