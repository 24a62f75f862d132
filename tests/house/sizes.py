#!/usr/bin/env python3
"""No Rust file above 500 lines; README.md at most 220 lines, models/README.md at most 200."""

import sys
import tempfile
import unittest
from pathlib import Path

import house

RUST = 500
DOCUMENTS = {"README.md": 220, "models/README.md": 200}


def check(root, _options=None):
    """Files that are too long."""
    limits = [(path, RUST, "split it where its second idea begins") for path in house.files(root, ".rs")]
    limits += [(Path(path), limit, "move details to docs/") for path, limit in DOCUMENTS.items() if (root / path).is_file()]
    found = []
    for path, limit, mend in limits:
        lines = house.read(root / path).count("\n")
        if lines > limit:
            found.append(house.Finding(str(path), limit + 1, f"{lines} lines, {limit} are allowed; {mend}"))
    return found


class Tests(unittest.TestCase):
    def test_limits(self):
        with tempfile.TemporaryDirectory() as folder:
            contents = {"src/a.rs": "\n" * 500, "src/b.rs": "\n" * 501, "README.md": "\n" * 221, "models/README.md": "\n" * 200}
            house.write_tree(Path(folder), contents)
            self.assertEqual([finding.path for finding in check(Path(folder))], ["src/b.rs", "README.md"])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
