"""Rust source as tokens: enough of its lexical rules to tell code, comments and strings apart, and where items end.

No parser: the checks in this folder look at names, paths, comments and strings, never at types.
"""

import re
import unittest
from typing import NamedTuple

COMMENT, STRING, CHAR, LIFETIME, WORD, NUMBER, MARK = "comment", "string", "char", "lifetime", "word", "number", "mark"

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*|/\*)
  | (?P<string>[bc]?"(?:\\.|[^"\\])*"|[bc]?r(?P<hashes>\#*)".*?"(?P=hashes))
  | (?P<char>b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\])')
  | (?P<lifetime>'[A-Za-z_]\w*)
  | (?P<word>(?:r\#)?[A-Za-z_]\w*)
  | (?P<number>\d\w*(?:\.\d\w*)?)
  | (?P<mark>::|->|=>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
OPENING = {"(": ")", "[": "]", "{": "}"}
# An item of these ends with `;` wherever braces stand in it; others end with their block, or with `;` where they have none.
ENDED_BY_SEMICOLON = {"use", "const", "static", "type", "let", "extern"}
ITEMS = {"fn", "struct", "enum", "trait", "union", "type", "const", "static", "mod", "impl", "macro_rules", "use", "unsafe"}


class Token(NamedTuple):
    """A piece of source; `line` counts from 1."""

    kind: str
    text: str
    line: int
    column: int  # characters before it in its line


def tokens(source):
    """All tokens, comments among them, without white space."""
    found, position, line, line_start = [], 0, 1, 0
    while position < len(source):
        match = TOKEN.match(source, position)
        kind, end = match.lastgroup, match.end()
        if kind == "hashes":
            kind = STRING
        if match[0] == "/*":
            end = block_comment_end(source, position)
        text = source[position:end]
        if kind != "space":
            found.append(Token(kind, text, line, position - line_start))
        breaks = text.count("\n")
        if breaks:
            line += breaks
            line_start = position + text.rindex("\n") + 1
        position = end
    return found


def block_comment_end(source, start):
    """Behind the comment that begins at `start`; block comments nest."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(source, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(source)


def code(source):
    """The tokens without comments."""
    return [token for token in tokens(source) if token.kind != COMMENT]


def partners(sequence):
    """Index of each opening bracket → index of the closing one."""
    pairs, open_ones = {}, []
    for index, token in enumerate(sequence):
        if token.kind != MARK:
            continue
        if token.text in OPENING:
            open_ones.append(index)
        elif token.text in ")]}" and open_ones:
            pairs[open_ones.pop()] = index
    return pairs


def attribute(sequence, pairs, index):
    """Where the attribute that begins at `index` ends: the index behind it, or None where there is none."""
    if sequence[index].text != "#":
        return None
    bracket = index + 1
    if bracket < len(sequence) and sequence[bracket].text == "!":
        bracket += 1
    if bracket < len(sequence) and sequence[bracket].text == "[" and bracket in pairs:
        return pairs[bracket] + 1
    return None


def is_test(attribute_tokens):
    """Whether what an attribute stands before is built for tests only."""
    text = "".join(token.text for token in attribute_tokens)
    return text == "#[test]" or re.match(r"#\[cfg\((all\()?test[,)]", text) is not None


def item_end(sequence, pairs, index):
    """The index behind the item, statement, field or arm that begins at `index`, attributes included."""
    while (behind := attribute(sequence, pairs, index)) is not None:
        index = behind
    if index + 1 < len(sequence) and sequence[index].text == "pub":
        index += 1
        if sequence[index].text == "(":
            index = pairs.get(index, index) + 1
    first = sequence[index].text if index < len(sequence) else ""
    if first == "const" and sequence[index + 1].text in ("fn", "unsafe", "extern"):
        first = "fn"
    while index < len(sequence):
        text = sequence[index].text
        if text == ";" or (text == "," and first not in ITEMS):
            return index + 1
        if text in ")]}" and sequence[index].kind == MARK:
            return index
        if text in OPENING and sequence[index].kind == MARK:
            index = pairs.get(index, len(sequence) - 1)
            if text == "{" and first not in ENDED_BY_SEMICOLON:
                return index + 1
        index += 1
    return index


def without_tests(sequence):
    """The tokens without what is built for tests only."""
    pairs, kept, index = partners(sequence), [], 0
    while index < len(sequence):
        behind = attribute(sequence, pairs, index)
        if behind is None:
            kept.append(sequence[index])
            index += 1
        elif is_test(sequence[index:behind]):
            index = item_end(sequence, pairs, index)
        else:
            kept += sequence[index:behind]
            index = behind
    return kept


def literal(token):
    """What a string literal says, with simple escapes and line continuations undone."""
    start = token.text.index('"')
    text = token.text[start + 1 : token.text.rindex('"')]
    if "r" in token.text[:start]:
        return text
    text = re.sub(r"\\\n\s*", "", text)
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text)


class Tests(unittest.TestCase):
    def test_strings_comments_and_lifetimes_are_told_apart(self):
        source = r'''let a: &'x str = "// no \" comment"; // yes /* no
        /* out /* in */ out */ let b = ('"', b'\'', r#"raw " one"#, 'q');'''
        kinds = [(token.kind, token.text) for token in tokens(source)]
        self.assertIn((LIFETIME, "'x"), kinds)
        self.assertIn((STRING, r'"// no \" comment"'), kinds)
        self.assertIn((COMMENT, "// yes /* no"), kinds)
        self.assertIn((COMMENT, "/* out /* in */ out */"), kinds)
        self.assertIn((CHAR, "'\"'"), kinds)
        self.assertIn((CHAR, r"b'\''"), kinds)
        self.assertIn((STRING, 'r#"raw " one"#'), kinds)
        self.assertEqual([token.line for token in tokens(source) if token.text == "b"], [2])

    def test_what_is_for_tests_goes(self):
        source = """
            #[cfg(test)] use a::{b, c};
            #[cfg(test)] #[path = "x.rs"] mod tests;
            fn kept() { #[cfg(test)] gone(); also_kept() }
            #[cfg(test)] mod more { fn gone() {} }
            #[cfg(all(test, unix))] const GONE: [u8; 2] = [0; 2];
            #[cfg(not(test))] fn third() {}
            struct S { #[cfg(test)] gone: u8, fourth: u8 }
            #[cfg(test)] pub(crate) fn gone<A, B>(a: A) where A: Into<B> {}
            fn last() {}"""
        words = [token.text for token in without_tests(code(source))]
        self.assertFalse({"gone", "GONE", "more", "tests", "a"} & set(words))
        for name in ("kept", "also_kept", "third", "fourth", "last"):
            self.assertIn(name, words)

    def test_literals(self):
        self.assertEqual(literal(Token(STRING, '"a \\"b\\" \\\n     c"', 1, 0)), 'a "b" c')
        self.assertEqual(literal(Token(STRING, 'r#"a\\n"#', 1, 0)), "a\\n")
