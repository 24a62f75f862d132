#!/usr/bin/env python3
"""Estimated cycles and milliseconds of the int8 kernels on Arm cores, by llvm-mca on recorded instructions.

usage: estimate.py TRACE LINES LLVM_MC LLVM_MCA

TRACE is what instructions.c recorded of benches/arm/kernels.rs, LINES what that printed. Every recorded call (a few pixels of a
layer, with all loads, requantization and stores of it) goes through llvm-mca as it was executed, and counts as often as a whole
inference takes such calls.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

BRANCHES = {"bl": "b", "blr": "br", "ret": "br x30"}
START, STOP = 0xD5032C9F, 0xD5032CBF
# Core, llvm-mca's table for it, kernels, int8 peak in MAC/cycle, boards with their clocks in GHz.
CORES = [
    ("Cortex-A76", "neoverse-n1", "neon-dot", 32, [("Pi 5", 2.4)]),
    ("Cortex-A76", "cortex-a76", "neon-dot", 32, [("Pi 5", 2.4)]),
    ("Cortex-A72", "cortex-a72", "neon", 8, [("Pi 4", 1.8), ("Pi 4, early", 1.5)]),
    ("Cortex-A53", "cortex-a53", "neon", 16 / 3, [("Pi 3B+", 1.4), ("Zero 2 W", 1.0)]),
]


def fail(message):
    sys.exit(f"error: {message}")


def segments(path):
    """The recorded calls, as lists of instruction words."""
    with open(path, "rb") as file:
        data = file.read()
    words = struct.unpack(f"<{len(data) // 4}I", data)
    calls, call = [], None
    for word in words:
        if word == START:
            call = []
        elif word == STOP and call is not None:
            calls.append(call)
            call = None
        elif call is not None:
            call.append(word)
    return calls


def disassemble(calls, llvm_mc):
    """Instruction words to their text; all that occur at once."""
    words = sorted({word for call in calls for word in call})
    lines = "\n".join(" ".join(f"0x{byte:02x}" for byte in struct.pack("<I", word)) for word in words)
    run = subprocess.run(
        [llvm_mc, "--disassemble", "--triple=aarch64", "--mattr=+v8.2a,+dotprod"],
        input=lines, capture_output=True, text=True, check=False,
    )
    texts = [line.strip() for line in run.stdout.splitlines() if line.strip() and not line.strip().startswith(".")]
    if run.returncode != 0 or len(texts) != len(words):
        fail(f"{llvm_mc} understood {len(texts)} of {len(words)} instructions: {run.stderr[:300]}")
    return dict(zip(words, texts))


def cycles(call, texts, table, llvm_mca):
    with tempfile.NamedTemporaryFile("w", suffix=".s", delete=False) as file:
        # As executed, one after another: a branch is an instruction that costs its slot. Calls and returns are written as other
        # branches, since llvm-mca knows no better than to count 100 cycles for a call.
        lines = (re.sub(r"^(bl|ret|blr)\b", lambda match: BRANCHES[match[1]], texts[word]) for word in call)
        file.write("\n".join(lines) + "\n")
    try:
        run = subprocess.run(
            [llvm_mca, "-mtriple=aarch64", f"-mcpu={table}", "-mattr=+dotprod", "-iterations=1",
             "-instruction-info=0", "-resource-pressure=0", file.name],
            capture_output=True, text=True, check=False,
        )
    finally:
        os.unlink(file.name)
    if run.returncode != 0:
        fail(f"llvm-mca: {run.stderr[:300]}")
    for line in run.stdout.splitlines():
        if line.startswith("Total Cycles:"):
            return int(line.split()[-1])
    return fail("llvm-mca printed no cycles")


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    trace, lines, llvm_mc, llvm_mca = sys.argv[1:]
    calls = segments(trace)
    with open(lines, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    if not rows or len(rows) != len(calls):
        fail(f"{len(calls)} calls were recorded, {len(rows)} were printed")
    texts = disassemble(calls, llvm_mc)
    version = subprocess.run([llvm_mca, "--version"], capture_output=True, text=True, check=True).stdout
    print(f"""Estimates by llvm-mca {version.split("version")[1].split()[0]}, not measured on a board. All convolutions of one inference on one core, with their
requantization and stores; left out are the patches of the first convolution, paddings, poolings, the head, and every miss of
a cache. LLVM's own table for the A76 is that of the A57; the Neoverse N1 is the same core with a table of its own.""")

    networks = list(dict.fromkeys(row[0] for row in rows))
    kinds = [("1x1", lambda name: not name.startswith("depthwise")), ("3x3", lambda name: name.startswith("depthwise"))]
    jobs = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _, table, kernels, _, _ in CORES:
            for row, call in zip(rows, calls):
                # The same instructions take the same time.
                key = (table, tuple(call))
                if row[2] == kernels and key not in jobs:
                    jobs[key] = pool.submit(cycles, call, texts, table, llvm_mca)
    per_layer = os.environ.get("MASKWATCH_PER_LAYER")
    print(f"{'network':17} {'core (table)':26} {'Minstr.':>8} {'Mcycles':>8} {'1x1':>6} {'3x3':>6} {'MAC/cycle':>9} {'of peak':>8} {'1x1 of peak':>11}  ms, one core")
    for network in networks:
        for core, table, kernels, peak, boards in CORES:
            total, macs, instructions = {}, {}, 0.0
            for (of, name, by, each, times), call in zip(rows, calls):
                if of != network or by != kernels:
                    continue
                took = jobs[(table, tuple(call))].result()
                if per_layer:
                    print(f"  {name:24} {table:12} {took:7} cycles x {float(times):9.1f}  {int(each) / took:6.2f} MAC/cycle")
                instructions += len(call) * float(times)
                for kind, is_kind in kinds:
                    if is_kind(name):
                        total[kind] = total.get(kind, 0) + took * float(times)
                        macs[kind] = macs.get(kind, 0) + int(each) * float(times)
            whole, of_whole = sum(total.values()), sum(macs.values())
            if not whole:
                fail(f"no calls of {kernels} were recorded: was the emulated CPU one with dot product?")
            times = ", ".join(f"{board} ({clock} GHz) {whole / clock / 1e6:.1f}" for board, clock in boards)
            print(f"{network:17} {core + ' (' + table + ')':26} {instructions / 1e6:8.2f} {whole / 1e6:8.2f} {total['1x1'] / 1e6:6.2f} {total['3x3'] / 1e6:6.2f} "
                  f"{of_whole / whole:9.2f} {of_whole / whole / peak:8.1%} {macs['1x1'] / total['1x1'] / peak:11.1%}  {times}")


if __name__ == "__main__":
    main()
