"""What the checks in this folder share: the files to look at, findings, and the command line.

A check is a function from the root of the repository to findings. Each script runs one: without arguments on the repository it
lies in, with `--root FOLDER` on another one, with `--self-test` on small cases that show what it finds and what it leaves alone.
"""

import argparse
import os
import sys
import unittest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# Written by builds and runs, not by people.
SKIPPED = {"target", "runs", "demo-output", "node_modules", "__pycache__"}


class Finding(NamedTuple):
    """One thing to mend."""

    path: str  # from the root
    line: int
    text: str  # what is wrong, and the mend

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


def files(root, *suffixes, below=("",)):
    """Paths, relative to the root, of the files with these suffixes in the folders `below` it; sorted."""
    found = []
    for folder in below:
        for directory, folders, names in os.walk(root / folder):
            folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
            found += [Path(directory, name).relative_to(root) for name in names if name.endswith(suffixes)]
    return sorted(set(found))


def read(path):
    """The text of a file."""
    return Path(path).read_text(encoding="utf-8")


def plural(count, noun):
    """`1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def write_tree(folder, contents):
    """Writes the files of a small tree for a test: path → text."""
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def command(module, *flags):
    """Runs the `check(root, options)` of a script's module, or its tests; exits with 1 where something is found.

    `flags` are further options of this script: their names and what they do.
    """
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to look at (the one this file lies in)")
    parser.add_argument("--self-test", action="store_true", help="check the check")
    for name, settings in flags:
        parser.add_argument(name, **settings)
    options = parser.parse_args()
    if options.self_test:
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        sys.exit(not unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful())
    findings = module.check(options.root.resolve(), options)
    for finding in findings:
        print(finding)
    name = Path(module.__file__).name
    print(f"{name}: {plural(len(findings), 'finding')}" if findings else f"{name}: nothing found")
    sys.exit(bool(findings))
