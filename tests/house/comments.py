#!/usr/bin/env python3
"""No comment wider than rustfmt's 110 columns; `--fix` breaks the lines of paragraphs and list items anew.

A row of a table, a line that is one word, and one with a long URL may be wider. `--fix` touches a paragraph only where one of its
lines is too wide, and never code blocks, headings, tables, link definitions, text that is aligned by spaces, or comments
behind code: these are reported. Words and their order stay, so rustdoc's pages and clap's help say the same as before.
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import house
import rust

WIDTH = 110  # as in rustfmt.toml
LONG_URL = 60

LINE = re.compile(r"(\s*)(//!|///|//)( ?)(.*)")
ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])(\s+)(?=\S)")
# Lines that stay as they are: headings, tables, quotes, HTML, link definitions, rulers.
FIXED = re.compile(r"\s*(#{1,6}( |$)|\||>|</?[A-Za-z][^:>]*>|\[[^\]]+\]:|(={2,}|-{2,}|\*{3,})\s*$)")
FENCE = re.compile(r"\s*(```|~~~)")
# What would begin a list, heading, quote or table at the start of a line; it stays behind the word before it.
MARKUP = re.compile(r"([-+*]|\d+[.)]|#{1,6}|[=-]+|[>|].*|(```|~~~).*|\[[^\]]+\]:.*|</?[A-Za-z][^:>]*>.*)$")
# Words; code between backticks is kept in one piece.
WORD = re.compile(r"(?:(`+)(?!`)(?:(?!\1).)+\1(?!`)|\S)+")


def is_wide(line):
    """Whether a comment line is wider than it may be."""
    if len(line) <= WIDTH:
        return False
    text = LINE.fullmatch(line)[4] if LINE.fullmatch(line) else line
    words = ITEM.sub("", text).split()
    return not (text.lstrip().startswith("|") or len(words) < 2 or any("://" in word and len(word) > LONG_URL for word in words))


def comment_lines(source):
    """Indices of the lines that are line comments and nothing else, and of those with a comment behind code."""
    alone, behind = [], []
    lines = source.split("\n")
    for token in rust.tokens(source):
        if token.kind == rust.COMMENT and token.text.startswith("//"):
            before = lines[token.line - 1][: token.column]
            (behind if before.strip() else alone).append(token.line - 1)
    return alone, behind


def blocks(lines, indices):
    """Runs of comment lines that belong together: equal indent and marker. Each is a first and a last index."""
    found, last = [], None
    for index in indices:
        match = LINE.fullmatch(lines[index])
        kind = (match[1], match[2])
        if found and index == found[-1][1] + 1 and kind == last:
            found[-1][1] = index
        else:
            found.append([index, index])
        last = kind
    return found


class Piece:
    """Lines of a comment: a paragraph or list item, with what stands before its first line and its others; or what is kept."""

    def __init__(self, line, first=None, rest=None):
        self.lines, self.first, self.rest = [line], first, rest

    def texts(self):
        """The lines without what stands before them."""
        return [self.lines[0][len(self.first) :], *(line.lstrip() for line in self.lines[1:])]

    def can_be_broken(self):
        if self.first is None:
            return False
        aligned = any(re.search(r"\S {2,}\S", re.sub(r"`[^`]*`", "``", text)) for text in self.texts())
        ends_lines = any(line.endswith(("  ", "\\")) for line in self.lines)
        return not aligned and not ends_lines

    def wrapped(self, width):
        units, rest = [], self.first if self.rest is None else self.rest
        for found in WORD.finditer(" ".join(self.texts())):
            for word in found[0].split() if len(found[0]) > width - len(rest) else [found[0]]:
                if units and MARKUP.match(word):
                    units[-1] += f" {word}"
                else:
                    units.append(word)
        lines, line = [], self.first + units[0]
        for unit in units[1:]:
            if len(line) + 1 + len(unit) > width:
                lines.append(line)
                line = rest + unit
            else:
                line += f" {unit}"
        return [*lines, line]


def pieces(lines):
    """The pieces of a comment, in order."""
    found, fence, open_piece, hang = [], None, None, 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        item, fence_here = ITEM.match(line), FENCE.match(line)
        if fence or fence_here:
            found.append(Piece(line))
            open_piece = None
            if fence_here and fence in (None, fence_here[1]):
                fence = None if fence else fence_here[1]
        elif not line.strip() or FIXED.match(line):
            if line.strip() and re.match(r"\s*(={2,}|-{2,})", line) and open_piece:
                open_piece.first = None  # an underlined heading
            found.append(Piece(line))
            open_piece = None
        elif item and not (open_piece and item[2][:-1].isdigit() and item[2][:-1] != "1" and hang == 0):
            hang = len(item[0])
            open_piece = Piece(line, item[0], " " * hang)
            found.append(open_piece)
        elif open_piece:
            if len(open_piece.lines) == 1 and open_piece.rest is None:
                open_piece.rest = " " * indent
            elif open_piece.rest != " " * indent and not hang:
                open_piece.first = None  # aligned by hand
            open_piece.lines.append(line)
        elif indent >= hang + 4:
            found.append(Piece(line))  # code
        else:
            hang = hang if 0 < hang <= indent else 0
            open_piece = Piece(line, " " * indent)
            found.append(open_piece)
    return found


def reflowed(prefix, lines):
    """The lines of a comment, those of paragraphs that are too wide broken anew."""
    result = []
    for piece in pieces(lines):
        wide = any(is_wide(f"{prefix} {line}") for line in piece.lines)
        result += piece.wrapped(WIDTH - len(prefix) - 1) if wide and piece.can_be_broken() else piece.lines
    return result


def fixed(source):
    """The source with its comments reflowed."""
    lines = source.split("\n")
    for first, last in reversed(blocks(lines, comment_lines(source)[0])):
        parts = [LINE.fullmatch(line) for line in lines[first : last + 1]]
        # A comment without a space behind its marker is somebody's own drawing.
        if any(is_wide(part[0]) for part in parts) and all(part[3] or not part[4] for part in parts):
            prefix, old = parts[0][1] + parts[0][2], [part[4] for part in parts]
            new = reflowed(prefix, old)
            assert " ".join(new).split() == " ".join(old).split(), f"words were lost: {old}"
            lines[first : last + 1] = [f"{prefix} {line}".rstrip() for line in new]
    return "\n".join(lines)


def check(root, options):
    """Comment lines that are too wide; with `--fix` those that it left."""
    found = []
    for path in house.files(root, ".rs"):
        source = house.read(root / path)
        better = fixed(source)
        if options.fix and better != source:
            (root / path).write_text(better, encoding="utf-8")
        left = set(better.split("\n"))
        source = better if options.fix else source
        lines = source.split("\n")
        alone, behind = comment_lines(source)
        for index in sorted(alone + behind):
            if is_wide(lines[index]):
                if index in behind:
                    mend = "put the comment above the code"
                elif lines[index] in left:
                    mend = "break it by hand: it is code, aligned or unusual"
                else:
                    mend = "tests/house/comments.py --fix breaks it"
                text = f"comment of {len(lines[index])} columns, {WIDTH} are allowed; {mend}"
                found.append(house.Finding(str(path), index + 1, text))
    return found


class Tests(unittest.TestCase):
    LONG = "word " * 22 + "end."

    def fix(self, *lines):
        result = fixed("\n".join(lines))
        self.assertEqual(fixed(result), result, "a second time changes nothing")
        return result.split("\n")

    def test_paragraphs_are_broken_and_short_ones_kept(self):
        long = f"    /// {self.LONG}"
        lines = self.fix("    /// Short,", "    /// kept.", "    ///", long, "    /// And more.", "    fn f() {}")
        self.assertEqual(lines[:3], ["    /// Short,", "    /// kept.", "    ///"])
        self.assertEqual(lines[4:], ["    /// word word end. And more.", "    fn f() {}"])
        self.assertLessEqual(max(map(len, lines)), WIDTH)

    def test_lists_hang(self):
        ends = ["//! - other", f"//!   1. {self.LONG}", "//!", "//!   Indented."]
        lines = self.fix(f"//! - {self.LONG}", "//!   second line", *ends)
        self.assertEqual(lines[1:3], ["//!   word end. second line", "//! - other"])
        self.assertTrue(lines[3].startswith("//!   1. word") and lines[4].startswith("//!      word"))
        self.assertEqual(lines[5:], ["//!", "//!   Indented."])

    def test_what_stays(self):
        stays = ["/// # Errors", "/// ```text", f"/// {self.LONG}", "/// ```", f"/// | {self.LONG} |", "///"]
        stays += [f"///     {self.LONG}", "///", f"/// a    b {self.LONG}", "///", f"/// <https://example.org/{'x' * 100}>"]
        stays += ['const A: &str = r"', f'/// {self.LONG}";']
        self.assertEqual(self.fix(*stays), stays)
        self.assertEqual(self.fix(f"let a = 1; // {self.LONG}"), [f"let a = 1; // {self.LONG}"])

    def test_no_line_becomes_markup(self):
        for word in ("-", "+", "#", "2.", "=", "|x|", "<b>", "[a]:"):
            lines = self.fix(f"/// {'a' * 50} {'b' * 53} {word} c")
            self.assertEqual([line for line in lines if line.startswith(f"/// {word}")], [])

    def test_code_spans_are_kept_in_one_piece(self):
        self.assertEqual(self.fix(f"// {'a' * 90} `one two three four`")[1], "// `one two three four`")

    def test_findings(self):
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), {"src/a.rs": f"// {self.LONG}\nlet a = 1; // {self.LONG}\n"})
            self.assertEqual([finding.line for finding in check(Path(folder), SimpleNamespace(fix=False))], [1, 2])
            self.assertEqual([finding.line for finding in check(Path(folder), SimpleNamespace(fix=True))], [3])


if __name__ == "__main__":
    house.command(sys.modules[__name__], ("--fix", {"action": "store_true", "help": "break the lines that are too wide"}))
