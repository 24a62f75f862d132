#!/usr/bin/env python3
"""Every relative link of a document leads somewhere: the file is there, and so is the heading that an anchor names.

Looked at are all Markdown files. Addresses of the network are left alone, and so is what stands in code.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import unquote

import house

FENCE = re.compile(r"\s*(```+|~~~+)")
CODE = re.compile(r"(`+)(?:(?!\1).)+\1")
HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*$")
LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)\"""")
ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


def prose(text):
    """The lines outside of fenced code, with their numbers."""
    fence = None
    for number, line in enumerate(text.split("\n"), 1):
        found = FENCE.match(line)
        if fence is None and found:
            fence = found[1][:3]
        elif fence is not None:
            if found and found[1].startswith(fence):
                fence = None
        else:
            yield number, line


def anchors(text):
    """The anchors that GitHub gives to the headings of a document."""
    found, times = set(), {}
    for _, line in prose(text):
        heading = HEADING.match(line)
        if heading:
            words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            times[slug] = times.get(slug, -1) + 1
            found.add(f"{slug}-{times[slug]}" if times[slug] else slug)
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


def check(root, _options=None):
    """Links to files or headings that are not there."""
    found, known = [], {}
    for path in house.files(root, ".md"):
        for number, line in prose(house.read(root / path)):
            for groups in LINK.findall(CODE.sub("", line)):
                target = next(filter(None, groups))
                if ELSEWHERE.match(target):
                    continue
                file, _, anchor = target.partition("#")
                place = root / file.lstrip("/") if file.startswith("/") else root / path.parent / unquote(file)
                place = (place if file else root / path).resolve()
                if not place.exists() or not place.is_relative_to(root):
                    text = f"{target}: there is no such file in the repository; mend the link"
                    found.append(house.Finding(str(path), number, text))
                elif anchor and place.suffix == ".md":
                    if place not in known:
                        known[place] = anchors(house.read(place))
                    if unquote(anchor) not in known[place]:
                        text = f"{target}: {place.relative_to(root)} has no such heading; mend the anchor"
                        found.append(house.Finding(str(path), number, text))
    return found


class Tests(unittest.TestCase):
    def findings(self, contents):
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), contents)
            return [(finding.path, finding.line) for finding in check(Path(folder).resolve())]

    def test_what_leads_nowhere(self):
        contents = {
            "README.md": "# Title\n[a](docs/a.md) [b](docs/b.md)\n[c](docs/a.md#two-words) ![d](d.png)\n[e](#nowhere) [f](../f.md)\n",
            "docs/a.md": "## One\n[up](../README.md#title)\n<img src=\"x.svg\">\n[ref]: y.md\n",
        }
        lines = [("README.md", 2), ("README.md", 3), ("README.md", 3), ("README.md", 4), ("README.md", 4)]
        self.assertEqual(self.findings(contents), [*lines, ("docs/a.md", 3), ("docs/a.md", 4)])

    def test_what_leads_somewhere_or_is_no_link(self):
        contents = {
            "README.md": "[a](docs/a.md#two-words-1) [b](docs) [c](<docs/a.md>) [d](docs/a.md \"title\") [e](/docs/a.md#the-code-of-it)\n"
            "[web](https://example.org/#x) `[no](link.md)` [mail](mailto:a@b)\n```sh\n[no](link.md)\n```\n",
            "docs/a.md": "# Two words\n## Two words\n## The `code` of [it](#two-words)!\n```\n# no heading\n```\n",
        }
        self.assertEqual(self.findings(contents), [])
        contents["README.md"] = "[a](docs/a.md#no-heading)\n"
        self.assertEqual(self.findings(contents), [("README.md", 1)])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
