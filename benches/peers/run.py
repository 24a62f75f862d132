#!/usr/bin/env python3
"""Times maskwatch and other runtimes on our two networks, in turns, and prints a Markdown table.

Every contestant is a process of its own with its network loaded. In each round each of them runs for a slice of time while the
others are stopped, so that what slows the machine down slows all alike; the figure is the median over the rounds of the medians of
the slices. With one thread all are bound to one core. All but ours and ncnn get their input quantized already.

Each runtime's answer is compared with that of ONNX Runtime in f32; where one differs by more than quantization can explain, the
run fails.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time
import tomllib
from importlib import metadata

import pictures

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pictures.ROOT / "target/peers"
MODELS = TARGET / "models"
# The stages of a table: what is run, at which side of its input.
STAGES = [("classifier", 224), ("classifier", 128), ("detector", 320), ("detector", 640)]
THREADS = [1, 2]
# How far a probability or score may be from that in f32.
NOISE = 0.05


class Peer:
    """A runtime on one network, in a process that waits for its turn."""

    def __init__(self, command, threads):
        pinned = ["taskset", "--cpu-list", str(os.cpu_count() - 1)] if threads == 1 else []
        self.process = subprocess.Popen(pinned + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.facts, self.medians = self.answer(), []
        if "output" in self.facts:
            mask, no_mask = self.facts.pop("output")
            self.facts["verdict"] = 1 / (1 + math.exp(no_mask - mask))
        self.process.send_signal(signal.SIGSTOP)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")
        return json.loads(line)

    def turn(self, seconds):
        self.process.send_signal(signal.SIGCONT)
        print(f"run {seconds}", file=self.process.stdin, flush=True)
        self.medians.append(statistics.median(self.answer()["times_ms"]))
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.facts |= self.answer()
        self.process.wait()
        return self.facts


class Maskwatch:
    """Our own binary, whose `bench` times a stage over and over as the others are timed; `detect` includes fitting the picture into
    the network's input and reading its maps."""

    def __init__(self, binary, stage, side, precision, threads):
        pinned = ["taskset", "--cpu-list", str(os.cpu_count() - 1)] if threads == 1 else []
        self.stage = {"classifier": "classify", "detector": "detect"}[stage]
        self.command = [*pinned, binary, "bench", "--stage", self.stage, "--format", "json", "--threads", str(threads),
                        "--precision", precision,
                        *(["--input", str(side)] if stage == "classifier" else ["--detector-input", f"{side}x{side}"])]
        self.facts, self.medians = {"verdict": None}, []

    def turn(self, seconds):
        command = [*self.command, "--seconds", str(max(round(seconds), 1))]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for entry in map(json.loads, printed.stdout.splitlines()):
            if entry.get("stage") == self.stage:
                self.medians.append(entry["p50_ms"])
            elif "load_ms" in entry:
                self.facts |= {key: entry[key] for key in ("load_ms", "peak_rss_mb")}

    def end(self):
        return self.facts


def contestants(binary, rust):
    """Rows of the table: a name, a precision, and how to start it for a stage, a side and a number of threads."""
    python = lambda runtime, form: lambda stage, side, threads: Peer(
        [sys.executable, str(HERE / "worker.py"), runtime, *files(stage, side, form), str(threads)], threads)
    crate = lambda runtime: lambda stage, side, threads: Peer(
        [rust, runtime, *(str(MODELS / f"{stage}_{side}.f32.onnx{end}") for end in ("", ".raw")), str(threads)], threads)
    ours = lambda precision: lambda stage, side, threads: Maskwatch(binary, stage, side, precision, threads)
    locked = {package["name"]: package["version"] for package in tomllib.loads((HERE / "rust/Cargo.lock").read_text())["package"]}
    version = lambda package: metadata.version(package)
    both = ["classifier", "detector"]
    return [
        ("maskwatch", "int8", both, ours("int8")),
        ("maskwatch", "f32", both, ours("f32")),
        (f"OpenVINO {version('openvino')}", "int8", both, python("openvino", "int8.onnx")),
        (f"OpenVINO {version('openvino')}", "f32", both, python("openvino", "f32.onnx")),
        (f"ONNX Runtime {version('onnxruntime')}", "int8", both, python("onnxruntime", "int8.onnx")),
        (f"ONNX Runtime {version('onnxruntime')}", "f32", both, python("onnxruntime", "f32.onnx")),
        (f"LiteRT {version('ai-edge-litert')} (XNNPACK)", "int8", ["classifier"], python("litert", "int8.tflite")),
        (f"ncnn {version('ncnn')}", "int8", ["classifier"], python("ncnn", "int8_ncnn")),
        (f"ncnn {version('ncnn')}", "f32", ["classifier"], python("ncnn", "f32_ncnn")),
        (f"tract {locked['tract-onnx']}", "f32", ["classifier"], crate("tract")),
        (f"rten {locked['rten']}", "f32", ["classifier"], crate("rten")),
    ]


def files(stage, side, form):
    """The model in one of the exported forms, and its input."""
    if form.endswith("ncnn"):
        return str(MODELS / f"{stage}_{side}_{form}"), str(MODELS / f"{stage}_{side}.f32.onnx.npy")
    path = MODELS / f"{stage}_{side}.{form}"
    return str(path), f"{path}.npy"


def busy_share(seconds=2):
    """The share of the machine's processor time that others take, 0 to 1."""
    def read():
        fields = [int(value) for value in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    before = read()
    time.sleep(seconds)
    total, idle = (after - start for after, start in zip(read(), before))
    return 1 - idle / max(total, 1)


def machine():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    value = lambda key: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), platform.machine())
    flags = value("flags").split()
    known = [name for flag, name in [("avx2", "AVX2"), ("avx_vnni", "AVX-VNNI"), ("avx512_vnni", "AVX-512 VNNI")] if flag in flags]
    lacking = "" if "avx512_vnni" in flags or "avx2" not in flags else ", no AVX-512"
    return f"{value('model name')} (family {value('cpu family')}, model {value('model')}), {os.cpu_count()} cores, {', '.join(known)}{lacking}"


def measure(rows, stage, side, threads, rounds, seconds):
    """Runs all rows of a stage in turns; gives median and facts per row."""
    entered = {}
    for index, (name, precision, stages, start) in enumerate(rows):
        if stage in stages:
            print(f"{stage} {side}, {threads} threads: {name} {precision}", file=sys.stderr)
            entered[index] = start(stage, side, threads)
    for _ in range(rounds):
        for contestant in entered.values():
            contestant.turn(seconds)
    return {index: (statistics.median(entry.medians), entry.end()) for index, entry in entered.items()}


def table(rows, results):
    """The figures as Markdown; what is compared with is the first row."""
    heads = [f"{'YuNet ' if stage == 'detector' else ''}{side}, {threads} thread{'s' if threads > 1 else ''}"
             for stage, side in STAGES for threads in THREADS if (stage, side, threads) in results]
    print("| ms | " + " | ".join(heads) + " | loading | memory, MB | p(mask) |")
    print("|---|" + "--:|" * (len(heads) + 3))
    for index, (name, precision, *_) in enumerate(rows):
        cells = []
        for key, found in results.items():
            cells.append(f"{found[index][0]:.2f}" if index in found else "–")
        facts = results[next(iter(results))].get(index, (0, {}))[1]
        one = lambda key, digits: f"{facts[key]:.{digits}f}" if facts.get(key) is not None else "–"
        print(f"| {name}, {precision} | " + " | ".join(cells) + f" | {one('load_ms', 0)} | {one('peak_rss_mb', 0)} | {one('verdict', 3)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maskwatch", required=True, help="our binary")
    parser.add_argument("--rust", required=True, help="the binary of benches/peers/rust")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice", type=float, default=1.0, help="seconds of a turn")
    parser.add_argument("--stage", action="append", help="only this one, such as classifier:224")
    parser.add_argument("--threads", type=int, action="append", help="only with so many threads")
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures here")
    arguments = parser.parse_args()

    others = busy_share()
    rows = contestants(arguments.maskwatch, arguments.rust)
    results = {}
    for stage, side in STAGES:
        for threads in arguments.threads or THREADS:
            if not arguments.stage or f"{stage}:{side}" in arguments.stage:
                results[stage, side, threads] = measure(rows, stage, side, threads, arguments.rounds, arguments.slice)
    print(f"{machine()}; {time.strftime('%Y-%m-%d')}; {arguments.rounds} rounds of {arguments.slice:g} s each; "
          f"others took {others:.0%} of the machine before the run\n")
    table(rows, results)
    entries = [{"name": rows[index][0], "precision": rows[index][1], "stage": stage, "side": side, "threads": threads,
                "p50_ms": median, **facts}
               for (stage, side, threads), found in results.items() for index, (median, facts) in found.items()]
    if arguments.json:
        arguments.json.write_text("\n".join(map(json.dumps, entries)) + "\n")
    sys.exit(disagreement(entries))


def disagreement(entries):
    """What runtimes say otherwise than ONNX Runtime in f32; none where all agree."""
    expected = {(entry["stage"], entry["side"]): entry["verdict"] for entry in entries
                if entry["name"].startswith("ONNX Runtime") and entry["precision"] == "f32"}
    wrong = [f"{entry['name']} {entry['precision']} says {entry['verdict']:.3f} on {entry['stage']} {entry['side']}, not {right:.3f}"
             for entry in entries if (right := expected[entry["stage"], entry["side"]]) is not None
             and entry["verdict"] is not None and abs(entry["verdict"] - right) > NOISE]
    return "\n".join(wrong) or None


if __name__ == "__main__":
    main()
