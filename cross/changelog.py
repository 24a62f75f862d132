#!/usr/bin/env python3
"""Writes debian/changelog from CHANGELOG.md: cross/changelog.py REVISION MAINTAINER > changelog. A version without a date (unreleased)
has that of the last commit, so the same commit gives the same package."""

import os
import re
import subprocess
import sys
import textwrap
from datetime import datetime, timezone
from pathlib import Path


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: cross/changelog.py REVISION MAINTAINER")
    revision, maintainer = sys.argv[1:]
    source = Path(__file__).parent.parent / "CHANGELOG.md"
    entries = re.findall(r"(?ms)^## (\S+) [-(]?\s*(\S+?)\)?\n(.*?)(?=^## |\Z)", source.read_text(encoding="utf-8"))
    if not entries:
        sys.exit(f"error: {source} has no line such as '## 0.1.0 (2026-01-31)'")
    last_commit = os.environ.get("SOURCE_DATE_EPOCH")
    if not last_commit:
        git = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, cwd=source.parent)
        if git.returncode != 0:
            sys.exit("error: this is no git checkout; set SOURCE_DATE_EPOCH to the date of the package, in seconds since 1970")
        last_commit = git.stdout
    for version, date, items in entries:
        if date == "unreleased":
            moment = datetime.fromtimestamp(int(last_commit), timezone.utc)
        else:
            try:
                moment = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=timezone.utc)
            except ValueError:
                sys.exit(f"error: {source}: the date of {version} is '{date}'; write YYYY-MM-DD, or unreleased")
        print(f"maskwatch ({version}-{revision}) unstable; urgency=medium\n")
        for item in re.split(r"(?m)^[-*] ", items)[1:]:
            words = " ".join(item.replace("`", "").split())
            print(textwrap.fill(words, 78, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False))
        print(f"\n -- {maintainer}  {moment:%a, %d %b %Y %H:%M:%S} +0000\n")


main()
