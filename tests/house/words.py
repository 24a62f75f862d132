#!/usr/bin/env python3
"""Plain words in what users read: no stumbling word of words.txt, and no sentence of more than 30 words.

Looked at are the snapshots of help and errors (*.trycmd), the texts of errors and log lines in the sources, and the comments of
systemd/maskwatch.toml. With `--docs` also the first sentence of each doc comment; of these only the words are checked.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import house
import rust

LONGEST = 30
CONFIGURATION = "systemd/maskwatch.toml"
LIST = Path(__file__).with_name("words.txt")
# Calls whose strings somebody reads when something happens.
CALLS = set("bail ensure anyhow context with_context expect error warn info debug Err map_err ok_or ok_or_else".split())
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"(])")
# A row of a table of options or commands: what stands in its second column.
ROW = re.compile(r"\s+(?:-\S.*?|<\S+>\S*|\S+)\s{2,}(\S.*)")
BULLET = re.compile(r"\s+- (.*)")


def stumbling():
    """Pattern and mend of each entry of words.txt."""
    lines = [line.rpartition(" = ") for line in house.read(LIST).splitlines() if line and not line.startswith("#")]
    return [(re.compile(pattern, re.IGNORECASE), mend) for pattern, _, mend in lines]


def help_texts(source):
    """The paragraphs of a snapshot, without its commands, usage and options: line and text."""
    found, current = [], None
    for number, line in enumerate(source.split("\n"), 1):
        bullet, row = BULLET.match(line), ROW.match(line)
        if not line.strip() or re.match(r"```|\$ |\? |Usage:|\s+-{1,2}\w[^ ]*( <\S+>)?$", line):
            current = None
        elif bullet or row or current is None or line.startswith("error:"):
            current = [number, (bullet or row)[1] if bullet or row else line.strip()]
            found.append(current)
        else:
            current[1] += f" {line.strip()}"
    return [(number, re.sub(r"\[(default|possible values):.*?\]", "", text)) for number, text in found]


def messages(source):
    """The texts of errors and log lines: line and text, with `…` for what is filled in."""
    tokens = rust.without_tests(rust.code(source))
    pairs, found = rust.partners(tokens), {}
    for index, token in enumerate(tokens):
        called = token.kind == rust.WORD and (token.text in CALLS or token.text.startswith("refuse"))
        start = index + 1 + (called and tokens[index + 1 : index + 2] != [] and tokens[index + 1].text == "!")
        if called and start in pairs and tokens[start].text == "(":
            for inner in tokens[start : pairs[start]]:
                if inner.kind == rust.STRING and " " in inner.text:
                    found[inner.line, inner.column] = re.sub(r"\{[^{}]*\}", "…", rust.literal(inner))
    return [(line, text) for (line, _), text in sorted(found.items())]


def comments(source, marker, first_sentences=False):
    """Paragraphs of comments that have their lines to themselves: line and text."""
    found, current = [], None
    for number, line in enumerate(source.split("\n"), 1):
        match = re.match(rf"\s*({marker}) ?(.*)", line)
        # `#key = value` is a value that is switched off.
        if not match or not match[2].strip() or re.match(r"[\w\[\]]+ = |\[", match[2]):
            current = None
        elif current is None or re.match(r" {2,3}\S|[-*] |\d\. ", match[2]):  # a paragraph, an entry of a table or list
            if not (first_sentences and current):
                current = [number, match[2].strip()]
                found.append(current)
        else:
            current[1] += f" {match[2].strip()}"
    return [(number, SENTENCE.split(text)[0] if first_sentences else text) for number, text in found]


def texts(root, docs=False):
    """Everything that is looked at: path, line, text, and whether its sentences are measured."""
    for path in house.files(root, ".trycmd"):
        yield from ((path, line, text, True) for line, text in help_texts(house.read(root / path)))
    if (root / CONFIGURATION).is_file():
        yield from ((CONFIGURATION, line, text, True) for line, text in comments(house.read(root / CONFIGURATION), "#"))
    for path in house.files(root, ".rs", below=("src", "crates")):
        if path.name == "tests.rs" or "src" not in path.parts:
            continue
        source = house.read(root / path)
        yield from ((path, line, text, True) for line, text in messages(source))
        if docs:
            yield from ((path, line, text, False) for line, text in comments(source, "//[/!]", first_sentences=True))


def check(root, options):
    """Stumbling words and long sentences."""
    words, found = stumbling(), []
    for path, line, text, measured in texts(root, options.docs):
        for pattern, mend in words:
            for match in pattern.finditer(text):
                around = text[max(0, match.start() - 30) : match.end() + 30]
                found.append(house.Finding(str(path), line, f"“{match[0].strip()}” in “{around}”; write: {mend}"))
        for sentence in SENTENCE.split(text) if measured else []:
            count = len(re.findall(r"[^\s–—·…]*\w\S*|…", sentence))
            if count > LONGEST:
                begin = " ".join(sentence.split()[:8])
                shown = f"a sentence of {count} words, {LONGEST} are allowed: “{begin} …”; make two"
                found.append(house.Finding(str(path), line, shown))
    return sorted(set(found))


class Tests(unittest.TestCase):
    def findings(self, contents, docs=False):
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), contents)
            return [(finding.path, finding.line) for finding in check(Path(folder), SimpleNamespace(docs=docs))]

    def test_each_pattern_is_sound(self):
        for pattern, mend in stumbling():
            self.assertTrue(mend and not pattern.search(""), pattern.pattern)

    def test_help(self):
        snapshot = "```console\n$ a anew --help\nUsage: a <ANEW>\n\nCommands:\n  run  Starts\n       anew\n\nOptions:\n" \
            "      --anew <ANEW>\n          Plain.\n          - one: Worn rightly\n          [default: anew]\n```\n"
        self.assertEqual(self.findings({"tests/a.trycmd": snapshot}), [("tests/a.trycmd", 6), ("tests/a.trycmd", 12)])
        self.assertEqual(help_texts("      --a <A>\n          One\n          two. [default: x]\n"), [(2, "One two. ")])

    def test_messages(self):
        source = '#[error("{0} is no number")]\n// rightly\nlet a = "worn rightly";\n' \
            'bail!("it starts \\\n   anew");\nErr(format!("there is no {a} here"))'
        self.assertEqual(self.findings({"src/a.rs": source}), [("src/a.rs", 1), ("src/a.rs", 4)])

    def test_long_sentences(self):
        text = "Word" + " word" * 29
        self.assertEqual(self.findings({"src/a.rs": f'bail!("{text}. {text}")'}), [])
        self.assertEqual(self.findings({"src/a.rs": f'bail!("{text} and")'}), [("src/a.rs", 1)])

    def test_configuration_and_docs(self):
        self.assertEqual(self.findings({CONFIGURATION: "# How it\n# goes.\nkey = 1 # anew\n#anew = 1\n"}), [(CONFIGURATION, 1)])
        source = "/// One. Two rightly.\n/// Three.\nfn a() {}\n/// Worn\n/// rightly. Good.\nfn b() {}\n"
        self.assertEqual(self.findings({"src/a.rs": source}), [])
        self.assertEqual(self.findings({"src/a.rs": source}, docs=True), [("src/a.rs", 4)])


if __name__ == "__main__":
    house.command(sys.modules[__name__], ("--docs", {"action": "store_true", "help": "look at doc comments, too"}))
