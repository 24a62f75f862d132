# `make demo` shows maskwatch at work, `make test` tests it; both install what is missing first (they say what and why).
# The other targets measure and train; `make help` lists all.

export PATH := $(PATH):$(HOME)/.cargo/bin
SHARED := $(abspath $(or $(MASKWATCH_SHARED),../shared))
export MASKWATCH_SHARED := $(SHARED)

.PHONY: help dependencies demo test test-arm test-vnni test-mqtt test-web test-metrics test-deb test-board test-board-all mutants lint bench bench-daemon bench-peers bench-fleet \
  bench-arm bench-drawn cross deb accuracy train train-head quantize reference soak fuzz

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | column -t -s '	'

dependencies:
	@cross/install-build-dependencies.sh

demo: dependencies ## the daemon's loop on bundled pictures, or on CAMERA=/dev/video0; annotated frames in demo-output
	cargo run --release --locked -- demo --output demo-output $(if $(CAMERA),--camera $(CAMERA))

# Twice as many tests at a time as there are cores: many of them wait for a door, not for a core.
test: dependencies ## all tests; what needs $MASKWATCH_SHARED (../shared) says so when it is absent
	@[ -e $(SHARED)/models ] || echo "skipped, since $(SHARED)/models is not here: tests/integration/starting_weights.rs, and" \
	  "fitting the real detector in crates/lab/tests/lab/train_detector.rs"
	tests/run.sh

test-mqtt: dependencies ## the door and a real MQTT broker: TLS, orders, events over kills of both, floods
	tests/mqtt/run.sh

test-vnni: dependencies ## the AVX-512 VNNI kernels on a processor that Bochs emulates (minutes)
	tests/emulated-cpu/run.sh

mutants: ## changes of the code that no test notices, in PART=0/1, 1/8 … (hours; it goes on where it was stopped)
	tests/mutants.sh $(PART)

soak: dependencies ## the daemon on a camera that misbehaves by a plan, for DURATION=180 seconds, with SEED=... the same again
	cargo bench --locked --bench soak -- $(or $(DURATION),180) $(SEED)

fuzz: dependencies ## each parser of foreign bytes for SECONDS=30, where there is a nightly toolchain with cargo-fuzz
	tests/fuzz/run.sh $(or $(SECONDS),30)

lint: dependencies ## formatting, clippy, documentation, and the checks of tests/house: circles, names, sizes, words
	tests/house/check.sh
	# Other lock files than the workspace's name its crates, too; an old one would stop what builds with --locked.
	for manifest in $(patsubst %.lock,%.toml,$(shell git ls-files '*Cargo.lock')); do \
		cargo update --workspace --locked --quiet --manifest-path $$manifest || exit; done
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --workspace

bench: dependencies ## the stages of a frame in int8 and f32, one thread and two; ours against candle's and plain ways
	cargo build --release --locked
	target/release/maskwatch bench --threads 1 --detector-input 480x384
	target/release/maskwatch bench --threads 1 --detector-input 320x256 --input 128
	target/release/maskwatch bench --threads 2 --detector-input 480x384
	target/release/maskwatch bench --threads 1 --detector-input 480x384 --precision f32
	cargo bench --locked --bench depthwise
	cargo bench --locked --bench frame

bench-daemon: dependencies ## memory and CPU share of `maskwatch run` with nobody at the door
	benches/daemon.sh

bench-fleet: dependencies ## 500 doors and 50 over TLS with one mosquitto, for MINUTES=5 each: what arrives, how late, after an outage
	benches/fleet.sh $(MINUTES)

bench-peers: dependencies ## our networks in other runtimes beside ours, in turns; a Markdown table (3 GB of Python packages)
	benches/peers/bench-peers.sh $(ARGUMENTS)

cross: ## the daemon for 64-bit Arm (glibc and static musl) and ARMv7 boards, or TARGET=..., checked, with sizes
	cross/build.sh $(TARGET)

deb: ## Debian packages for arm64 and armhf, or ARCHITECTURE="arm64 armhf amd64", in target/deb
	cross/deb.sh $(ARCHITECTURE)

test-web: dependencies ## the web page in headless Chromium: buttons, zones, axe-core, floods; screenshots in target/test-web
	tests/web/run.sh

test-metrics: dependencies ## the metrics in Debian's Prometheus and node_exporter: promtool, alert rules, the dashboard, a flood
	tests/metrics/run.sh

test-deb: ## lintian on the packages; installing, upgrading, removing and purging one in a container with systemd
	tests/deb/run.sh

test-arm: ## tests of the kernels, of the library and TESTS="int8_networks ..." on emulated Cortex-A53, A72, A76 and A7
	cross/test-arm.sh $(TESTS)

test-board: ## the arm64 daemon on an emulated Raspberry Pi 3: camera, pins, faults (minutes)
	tests/board/run.sh quick

test-board-all: ## all emulated boards: Pi 3, Pi 4, Zero 2 W, vivid, gpio-sim, PWM; with systemd from an SD card, README's commands (an hour)
	tests/board/run.sh all

bench-arm: ## instructions per inference beside LiteRT's, in 64 and 32 bits, and estimated cycles on Cortex-A53, A72, A76
	benches/arm/run.sh

accuracy: dependencies ## the figures of docs/accuracy.md in both precisions, from the pictures in $MASKWATCH_SHARED/data
	cargo build --release --locked --package maskwatch-lab
	for precision in int8 f32; do \
	  for input in 224 128 auto; do \
	    target/release/maskwatch-lab eval faces --split val --precision $$precision --input $$input && \
	    target/release/maskwatch-lab eval scenes --split val --min-side 16 --precision $$precision --input $$input && \
	    target/release/maskwatch-lab eval scenes --split val --min-side 24 --precision $$precision --input $$input || exit 1; \
	  done; \
	  for size in 640x640 480x384; do \
	    target/release/maskwatch-lab eval detector --split val --precision $$precision --detector-input $$size || exit 1; \
	  done; \
	  target/release/maskwatch-lab eval hard --split val --precision $$precision --detector-input 480x384 && \
	  target/release/maskwatch-lab eval landmarks --split val --precision $$precision --detector-input 480x384 || exit 1; \
	done
	target/release/maskwatch-lab eval detector --split val --labels $(SHARED)/data/faces.csv --detector-input 480x384
	target/release/maskwatch-lab eval close --split val --detector-input 480x384
	target/release/maskwatch-lab eval presence --split val --detector-input 480x384
	target/release/maskwatch-lab eval video
	target/release/maskwatch-lab eval door --split val --persons 400
	for seed in 1 2 3 4 5; do \
	  target/release/maskwatch-lab eval door --split val --persons 400 --rate 10 --seed $$seed || exit 1; \
	done

# Training from the pictures and starting weights in $MASKWATCH_SHARED; every step resumes with `RESUME=--resume`.
# The allocator settings keep freed memory, which a training step allocates anew at once.
TRAIN := GLIBC_TUNABLES=glibc.malloc.trim_threshold=4294967295:glibc.malloc.mmap_max=0 target/release/maskwatch-lab train
WEIGHTING := --weight scenes=3 --weight prajnasb=0.3 --weight scenes_volunteers.txt=0.3

train: dependencies ## train the networks as the shipped ones were, into runs/ (four hours on two cores)
	cargo build --release --locked --package maskwatch-lab
	$(TRAIN) classifier --data $(SHARED)/data --weights $(SHARED)/models/mobilenet_v2_imagenet.safetensors --unfreeze features.7 \
	  --input 224,160,128,96 --steps 1000 --every 100 $(WEIGHTING) --output runs/classifier $(RESUME)
	$(TRAIN) classifier --data $(SHARED)/data --weights runs/classifier/classifier.safetensors --unfreeze features.7 \
	  --input 224,160,128,96 --steps 1000 --every 100 --learning-rate 1.5e-4 --drawn 0.3 --aspect 0.25 $(WEIGHTING) \
	  --output runs/classifier-again $(RESUME)
	$(TRAIN) classifier --data $(SHARED)/data --weights runs/classifier-again/classifier.safetensors --unfreeze features.7 \
	  --input 224,160,128,96 --steps 800 --every 100 --learning-rate 1e-4 --drawn 0.3 --incorrect 0.05 --aspect 0.25 \
	  --around-masked 0.5 $(WEIGHTING) --output runs/classifier-third $(RESUME)
	$(TRAIN) classifier --data $(SHARED)/data --weights runs/classifier-third/classifier.safetensors --unfreeze features.7 \
	  --input 224,160,128,96 --steps 1000 --every 100 --learning-rate 1.5e-4 --drawn 0.3 --incorrect 0.08 --aspect 0.25 \
	  --around-masked 0.5 --blend 0.5 $(WEIGHTING) --output runs/classifier-fourth $(RESUME)
	$(TRAIN) classifier --data $(SHARED)/data --weights runs/classifier-fourth/classifier.safetensors --unfreeze features.7 \
	  --input 224,160,128,96 --steps 900 --every 180 --learning-rate 1.5e-4 --drawn 0.2 --incorrect 0.14 --non-faces 0.16 \
	  --heads crates/lab/labels/heads.csv --aspect 0.25 --around-masked 0.5 --blend 0.7 --keep-last --incorrect-odds 0.8 $(WEIGHTING) \
	  --weight karys=0.5 --weight youy=0.5 --output runs/classifier-fifth $(RESUME)
	target/release/maskwatch-lab train presence --data $(SHARED)/data --weights runs/classifier-fifth/classifier.safetensors \
	  --heads crates/lab/labels/heads.csv --rejected 0.003 --threads 2 --output runs/presence
	$(TRAIN) detector --data $(SHARED)/data --weights $(SHARED)/models/yunet_n.safetensors \
	  --weight prajnasb=0.3 --weight scenes_volunteers.txt=0.3 --epochs 8 --examples 2000 --output runs/detector $(RESUME)
	$(TRAIN) detector --close --data $(SHARED)/data --weights runs/detector/detector.safetensors \
	  --weight prajnasb=0.3 --weight scenes_volunteers.txt=0.3 --negatives --scenes 0.4 --webcam 0.35 --epochs 15 \
	  --examples 3200 --score-threshold 0.4 --keep-last --threads 2 --output runs/close-detector $(RESUME)
	$(TRAIN) landmarks --data $(SHARED)/data --teacher $(SHARED)/models/yunet_n.safetensors \
	  --weights runs/classifier/classifier.safetensors --steps 4000 --every 200 --output runs/landmarks $(RESUME)

train-head: dependencies ## the paper's transfer learning alone, a head on frozen features, into runs/head128 (minutes)
	cargo build --release --locked --package maskwatch-lab
	$(TRAIN) classifier --data $(SHARED)/data --weights $(SHARED)/models/mobilenet_v2_imagenet.safetensors \
	  $(WEIGHTING) --output runs/head128 $(RESUME)

bench-drawn: dependencies ## what each kind of drawn thing brings in training: five short trainings (an hour on two cores)
	cargo build --release --locked --package maskwatch-lab
	benches/drawn-kinds.py $(SHARED)/data $(SHARED)/models/mobilenet_v2_imagenet.safetensors runs/drawn

quantize: dependencies ## models/int8.safetensors anew from the f32 files and training pictures, but for KEEP=classifier,… (minutes)
	cargo build --release --locked --package maskwatch-lab
	target/release/maskwatch-lab quantize --data $(SHARED)/data --output models/int8.safetensors $(addprefix --keep ,$(KEEP))

reference: ## outputs of the shipped weights by ONNX Runtime, for tests/integration/shipped_weights.rs
	python3 -m venv target/reference
	target/reference/bin/pip install --quiet -r tests/reference/requirements.txt
	target/reference/bin/python tests/reference/make_reference.py
