#!/usr/bin/env python3
"""No script pipes into `grep -q` under `pipefail`.

`grep -q` ends with the first match. What writes into it then gets a broken pipe, and with `pipefail` the whole counts as a failure:
now and then, something that is there is not found. What stands in single quotes is another shell's.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path

import house

INTO_QUIET_GREP = re.compile(r"\|\s*grep\s+-[a-zA-Z]*q")


def check(root, _options=None):
    """Pipes into `grep -q` in scripts that set `pipefail`, and in those that such scripts read."""
    found = []
    for path in [*house.files(root, ".sh"), *(p for p in [Path(".ci/run")] if (root / p).is_file())]:
        text = house.read(root / path)
        if "pipefail" not in text and text.startswith("#!"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if not line.lstrip().startswith("#") and INTO_QUIET_GREP.search(re.sub(r"'[^']*'", "''", line)):
                mend = "compare what it prints: [[ $(PROGRAM) == *TEXT* ]]"
                found.append(house.Finding(str(path), number, f"pipes into grep -q under pipefail; {mend}"))
    return found


class Tests(unittest.TestCase):
    def test_pipes_under_pipefail(self):
        strict = "#!/usr/bin/env bash\nset -euo pipefail\n"
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(
                Path(folder),
                {
                    "a.sh": strict + "a | grep -q b\ngrep -q b file\nsh -c 'a | grep -q b'\n# a | grep -q b\na | grep -qE '^b'\n",
                    "loose.sh": "#!/bin/sh\na | grep -q b\n",
                    "read.sh": "a | grep -q b\n",
                    ".ci/run": strict + "a |\n",
                },
            )
            found = [(finding.path, finding.line) for finding in check(Path(folder))]
        self.assertEqual(found, [("a.sh", 3), ("a.sh", 7), ("read.sh", 1)])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
