#!/usr/bin/env python3
"""Messages that docs/troubleshooting.md quotes are messages of the program.

A quote is a code span in the first column of a table that has a `…` for what is filled in, or that is longer than 40 characters.
All pieces between the `…` have to be found, in this order, in one text of the sources.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path

import house
import rust

PAGE = "docs/troubleshooting.md"
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LONG = 40


def quotes(text):
    """Quoted messages of a page: line and message."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("|"):
            for _, span in SPAN.findall(line.split("|")[1]):
                if "…" in span or len(span) > LONG:
                    yield number, span.strip()


def texts(root):
    """All texts in the sources, with `…` for what is filled in."""
    for path in house.files(root, ".rs", below=("src", "crates")):
        if path.stem.endswith("tests") or "tests" in path.parts:
            continue
        for token in rust.without_tests(rust.code(house.read(root / path))):
            if token.kind == rust.STRING and " " in token.text:
                yield re.sub(r"\{[^{}]*\}", "…", rust.literal(token))


def pattern(quote):
    """What finds a quote in a text of the sources. What is filled in may be a part of a sentence of its own."""
    pieces = [re.escape(piece) for piece in re.split(r"…+", quote)]
    return re.compile(".*?".join(pieces), re.DOTALL)


def check(root, _options=None):
    """Quotes that are found nowhere."""
    if not (root / PAGE).is_file():
        return []
    sources, found = list(texts(root)), []
    for number, quote in quotes(house.read(root / PAGE)):
        search = pattern(quote).search
        if not re.search(r"\w{3}", quote) or not any(map(search, sources)):
            text = f"quotes {quote!r}, which the program does not say; quote a text of src/, with … for what is filled in"
            found.append(house.Finding(PAGE, number, text))
    return found


class Tests(unittest.TestCase):
    def test_quotes_and_what_else_stands_in_code(self):
        page = "| `camera … is away` | `short … elsewhere` |\n| ``run `a …` now`` |\n| `sudo maskwatch` |\nnot `in … a table`\n"
        self.assertEqual(list(quotes(page)), [(1, "camera … is away"), (2, "run `a …` now")])

    def test_what_the_program_says(self):
        source = (
            'fn f() { g("camera {device} is away ({}); plug it in", 1); h("first \\\n    second {x:?}c"); }\n'
            '#[cfg(test)] mod tests { const A: &str = "only a test"; }'
        )
        said = ["camera … is away", "… is away (…); plug it", "first second …c"]
        not_said = ["is away … camera", "only a … test", "camera … is awry"]
        page = "".join(f"| `{quote}` |\n" for quote in [*said, *not_said])
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), {PAGE: page, "src/a.rs": source})
            found = check(Path(folder))
        self.assertEqual([finding.line for finding in found], [4, 5, 6])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
