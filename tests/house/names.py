#!/usr/bin/env python3
"""One name means one thing: no type is called like one of Rust's prelude, and no two types of the workspace share a name.

names.allow lists the names that may be shared, each with its reason.
"""

import sys
import tempfile
import unittest
from pathlib import Path

import house
import modules
import rust

# Types, traits and variants of std::prelude::rust_2024.
PRELUDE = set(
    "AsMut AsRef AsyncFn AsyncFnMut AsyncFnOnce Box Clone Copy Default DoubleEndedIterator Drop Eq Err ExactSizeIterator Extend "
    "Fn FnMut FnOnce From FromIterator Future Into IntoFuture IntoIterator Iterator None Ok Option Ord PartialEq PartialOrd "
    "Result Send Sized Some String Sync ToOwned ToString TryFrom TryInto Unpin Vec".split()
)
TYPES = {"struct", "enum", "trait", "union", "type"}
ALLOWED = "tests/house/names.allow"


def types(source):
    """The types that a file defines outside of functions and impls: name and line."""
    tokens, index, found = source.tokens, 0, []
    while index < len(tokens) - 1:
        text, following = tokens[index].text, tokens[index + 1]
        behind = rust.attribute(tokens, source.pairs, index)
        if behind is not None:
            index = behind
            continue
        if text in TYPES and following.kind == rust.WORD:
            found.append((following.text, following.line))
        if text in rust.OPENING and index in source.pairs and (index < 2 or tokens[index - 2].text != "mod"):
            index = source.pairs[index]
        index += 1
    return found


def allowed(root):
    """Names that may be shared, with the line of names.allow where that is said, and lines that say no reason."""
    names, bad = {}, []
    if (root / ALLOWED).is_file():
        for number, line in enumerate(house.read(root / ALLOWED).split("\n"), 1):
            name, _, reason = line.partition(":")
            if line.strip() and not line.startswith("#"):
                if reason.strip():
                    names[name.strip()] = number
                else:
                    text = f"{name.strip()} is allowed without a reason; write `{name.strip()}: REASON`"
                    bad.append(house.Finding(ALLOWED, number, text))
    return names, bad


def check(root, _options=None):
    """Types that shadow the prelude, then those that share a name, then what names.allow need not say."""
    places = {}
    for path, source in sorted(modules.Workspace(root).sources.items()):
        for name, line in types(source):
            places.setdefault(name, []).append((str(path), line))
    may, found = allowed(root)
    shared = {name: where for name, where in places.items() if len(where) > 1}
    for name, where in sorted(places.items()):
        for path, line in where if name in PRELUDE and name not in may else []:
            found.append(house.Finding(path, line, f"{name} shadows the prelude's {name}; give it a name of its own"))
    for name, where in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        if name not in may and name not in PRELUDE:
            (path, line), others = where[0], ", ".join(f"{path}:{line}" for path, line in where[1:])
            text = f"{name} is defined {len(where)} times, also in {others}; one name for one thing"
            found.append(house.Finding(path, line, text))
    for name, line in may.items():
        if name not in shared and name not in PRELUDE & set(places):
            found.append(house.Finding(ALLOWED, line, f"{name} is not shared (any more); remove the line"))
    return found


class Tests(unittest.TestCase):
    def findings(self, contents):
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), {"Cargo.toml": '[package]\nname = "a"\n', **contents})
            return {(finding.path, finding.line) for finding in check(Path(folder).resolve())}

    def test_findings(self):
        contents = {
            "src/lib.rs": "struct A;\nstruct Send;\nstruct Args;\n",
            "crates/b/Cargo.toml": '[package]\nname = "b"\n',
            "crates/b/src/main.rs": "struct Args;\nenum A {}\n",
            ALLOWED: "# names\nArgs: one per subcommand\nGone: was shared\nBad\n",
        }
        self.assertEqual(self.findings(contents), {("crates/b/src/main.rs", 2), ("src/lib.rs", 2), (ALLOWED, 3), (ALLOWED, 4)})

    def test_only_types_of_modules_count(self):
        source = """struct A<T>(T); enum B { C } mod inner { pub(crate) trait D { type E; } } // struct A
            #[cfg(test)] mod tests { struct A; } impl D for A { type B = u8; } fn f() { struct A; struct D; }"""
        self.assertEqual(self.findings({"src/lib.rs": source}), set())
        self.assertEqual(self.findings({"src/lib.rs": source + "\nmod other { type D = u8; union X {} }\ntype X = X;"}),
                         {("src/lib.rs", 1), ("src/lib.rs", 3)})


if __name__ == "__main__":
    house.command(sys.modules[__name__])
