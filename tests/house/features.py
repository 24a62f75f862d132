#!/usr/bin/env python3
"""The feature `train` is gone, and the kernels need no candle.

What trains and measures networks is the crate in crates/lab; there is nothing to switch on. What the kernels are built from
is read in Cargo.lock, which counts what their tests need, too.
"""

import re
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import house

KERNELS, NOT_BELOW_KERNELS = "maskwatch-kernels", re.compile(r"candle|maskwatch(-door|-lab|-pictures|-vision)?$")
CODE = re.compile(r'feature\s*=\s*"train"|CARGO_FEATURE_TRAIN')
TEXT = re.compile(r"--features[ =]train\b|\bfeature (`train`|train\b)")
DOCUMENTS = (".rs", ".toml", ".md", ".sh", ".py", ".yml", "Makefile", "run")


def way_up(lock, package, pattern):
    """The packages from `package` to the first one that matches, by what Cargo.lock says; empty where none does."""
    needs = {}
    for entry in lock.get("package", []):
        needs.setdefault(entry["name"], []).extend(need.split()[0] for need in entry.get("dependencies", []))
    ways, seen = [[package]], {package}
    for way in ways:
        for need in needs.get(way[-1], []):
            if pattern.match(need):
                return [*way, need]
            if need not in seen:
                seen.add(need)
                ways.append([*way, need])
    return []


def check(root, _options=None):
    """Where the feature is still named, and what leads from the kernels to candle."""
    found = []
    for path in [*house.files(root, *DOCUMENTS), *(path for path in [Path(".ci/run")] if (root / path).is_file())]:
        if path.parts[:2] == ("tests", "house"):
            continue
        for number, line in enumerate(house.read(root / path).split("\n"), 1):
            if path.suffix in (".rs", ".toml") and CODE.search(line):
                text = "the feature train is no more; what depends on it belongs to crates/lab"
                found.append(house.Finding(str(path), number, text))
            elif TEXT.search(line):
                text = "names the feature train, which is no more; name maskwatch-lab, or --workspace"
                found.append(house.Finding(str(path), number, text))
    if (root / "Cargo.lock").is_file():
        way = way_up(tomllib.loads(house.read(root / "Cargo.lock")), KERNELS, NOT_BELOW_KERNELS)
        if way:
            text = f"{' → '.join(way)}: the kernels must not need {way[-1]}; see `cargo tree -p {KERNELS}`"
            found.append(house.Finding("crates/kernels/Cargo.toml", 1, text))
    return found


class Tests(unittest.TestCase):
    def test_the_feature(self):
        with tempfile.TemporaryDirectory() as folder:
            contents = {
                "src/a.rs": '#[cfg(feature = "train")]\n// With `--features train`, as before.\n// A feature training.\n',
                "Makefile": "test:\n\tcargo test --features train\n",
                "Cargo.lock": "",
            }
            house.write_tree(Path(folder), contents)
            found = [(finding.path, finding.line) for finding in check(Path(folder))]
            self.assertEqual(sorted(found), [("Makefile", 2), ("src/a.rs", 1), ("src/a.rs", 2)])

    def test_the_kernels(self):
        lock = {"package": [{"name": KERNELS, "dependencies": ["a 1.0", "b"]}, {"name": "b", "dependencies": ["candle-core"]}]}
        self.assertEqual(way_up(lock, KERNELS, NOT_BELOW_KERNELS), [KERNELS, "b", "candle-core"])
        lock["package"][1]["dependencies"] = ["maskwatch-kernels"]
        self.assertEqual(way_up(lock, KERNELS, NOT_BELOW_KERNELS), [])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
