#!/usr/bin/env python3
"""The effect of each kind of drawn thing in training: short trainings with all kinds and without some of them, each measured by
`maskwatch-lab eval hard`. Prints a Markdown table of the share of drawn-on faces that are called *mask*; all of these are wrong.

drawn-kinds.py DATA WEIGHTS FOLDER: the pictures, ImageNet's weights, and a folder for the trained weights. Finished trainings are
not repeated, so it can be interrupted.
"""

import json
import pathlib
import subprocess
import sys

PROGRAM = "target/release/maskwatch-lab"
# Kinds that have little to do with each other are left out together.
GROUPS = [
    ["phone", "microphone"],
    ["hand", "beard", "helmet", "side_light"],
    ["cup", "hood", "backlight"],
    ["under_nose", "under_mouth"],
]


def train(folder, data, weights, without):
    """Fits the last blocks for 200 steps at one small input size: a fraction of the shipped weights' training."""
    if not (folder / "classifier.safetensors").exists():
        command = [PROGRAM, "train", "classifier", "--data", data, "--weights", weights, "--output", str(folder)]
        command += ["--unfreeze", "features.14", "--input", "128", "--steps", "200", "--every", "100"]
        command += ["--weight", "scenes=3", "--weight", "prajnasb=0.3", "--weight", "scenes_volunteers.txt=0.3"]
        command += [word for kind in without for word in ("--without", kind)]
        command += ["--resume"] if (folder / "checkpoint.safetensors").exists() else []
        subprocess.run(command, check=True)


def measure(folder, data):
    report = folder / "hard.json"
    if not report.exists():
        command = [PROGRAM, "eval", "hard", "--format", "json", "--precision", "f32", "--input", "128", "--detector-input", "480x384"]
        command += ["--classifier", str(folder / "classifier.safetensors"), "--labels", f"{data}/faces.csv"]
        command += ["--labels", f"{data}/scenes.csv"]
        report.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return json.loads(report.read_text())["kinds"]


def main(data, weights, output):
    results = {}
    for group in [[], *GROUPS]:
        folder = pathlib.Path(output) / ("without-" + "-".join(group) if group else "all")
        train(folder, data, weights, group)
        results[tuple(group)] = measure(folder, data)
    print("| drawn | called *mask*, drawn in training | not drawn in training |\n|---|--:|--:|")
    for group in GROUPS:
        for kind in group:
            here, there = (results[key][kind]["called"]["mask"] for key in ((), tuple(group)))
            print(f"| {kind.replace('_', ' ')} | {here:.3f} | {there:.3f} |")
    print(f"\n{results[()]['untouched']['n']} faces of split val for each kind.")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("the arguments are DATA WEIGHTS FOLDER")
    main(*sys.argv[1:])
