#!/usr/bin/env python3
"""No circle between the files of a crate, between its rooms (its top-level modules), or between crates.

A file depends on the file that defines what it names, through whatever re-exports the path leads. `mod child;` and a re-export
of something below (`pub use child::Thing;`) are no dependency; using Thing in the parent's code is one. modules.py says what
is followed.
"""

import sys
import tempfile
import unittest
from pathlib import Path
from typing import NamedTuple

import graph
import house
import modules
import rust

SHOWN = 12  # uses per line, of more the first
# A name behind one of these is a field, a method, or defined there.
NOT_USED_BEHIND = {".", "mod", *modules.DEFINED_BY}


class Edge(NamedTuple):
    """A file names something that another file defines."""

    file: Path
    line: int
    name: str
    target: Path


class Reader:
    """Collects the edges of one file."""

    def __init__(self, workspace, edges):
        self.workspace, self.edges = workspace, edges

    def note(self, scope, line, places, reexport=False):
        for place in places:
            if isinstance(place, modules.Definition) and place.file != scope.file:
                if not (reexport and scope.module.holds(place.module)):
                    self.edges.append(Edge(scope.file, line, place.name, place.file))

    def imports(self, scope):
        for item in [*scope.globs, *(item for items in scope.imports.values() for item in items)]:
            path = item.path[:-1] if item.path[-1] == "*" else item.path
            self.note(scope, item.line, self.workspace.resolve(scope, path), item.public)

    def walk(self, scope, source, index, end):
        """Reads the code of a scope from one token to another."""
        self.imports(scope)
        associated = False  # the next block is that of an impl or a trait, whose functions are not names of their own
        while index < end:
            token, before = source.tokens[index], source.text(index - 1)
            if index in scope.inner:
                self.walk(scope.inner[index], source, index + 1, source.pairs[index])
                index = source.pairs[index]
            elif token.text == "{" and token.kind == rust.MARK:
                block = modules.Scope(scope.crate, scope.path, scope.file, scope.parent, outer=scope)
                if not associated:
                    self.workspace.declare(block, source, index + 1, source.pairs[index])
                self.walk(block, source, index + 1, source.pairs[index])
                associated, index = False, source.pairs[index]
            elif token.text == "use" and token.kind == rust.WORD:
                index = source.use_tree(index + 1, (), False)[1]
            elif token.text in ("impl", "trait") and before in ("", ";", "{", "}", "]", ")", "pub", "unsafe"):
                associated = True
            elif token.text == "macro_rules":
                index += 2
            elif token.kind == rust.WORD and before not in NOT_USED_BEHIND:
                index = self.path(scope, source, index, before)
            index += 1

    def path(self, scope, source, index, before):
        """Reads a path, or a name alone; gives the index of its last token."""
        start, names = index, [source.text(index).removeprefix("r#")]
        while source.text(index + 1) == "::" and source.tokens[index + 2].kind == rust.WORD:
            index += 2
            names.append(source.text(index).removeprefix("r#"))
        if before == "::":
            if source.text(start - 2) in (">", ")", "]"):
                return index  # of a type that is not a plain path
            names.insert(0, "")
        line = source.tokens[start].line
        if names[0] == "Self" or (len(names) == 1 and names[0] in modules.KEYWORDS):
            return index
        if len(names) > 1:
            self.note(scope, line, self.workspace.resolve(scope, names))
        elif self.is_use(source, start):
            self.name(scope, source, start)
        return index

    def name(self, scope, source, index):
        """A name alone: private imports were noted where they stand, so only re-exports, globs and macros are news."""
        name, around, found = source.text(index), scope, []
        while around and not found:
            own = any(isinstance(thing, modules.Definition) for thing in around.names.get(name, []))
            if own or any(not item.public for item in around.imports.get(name, [])):
                return
            found, around = self.workspace.lookup(around, name, scope.module), around.outer
        module = scope.module.parent
        while source.text(index + 1) == "!" and not found and module:
            found, module = module.names.get(name, []), module.parent
        self.note(scope, source.tokens[index].line, found)

    @staticmethod
    def is_use(source, index):
        """Whether a name alone can mean an item: not a field's, a parameter's or a variable's."""
        name = source.text(index)
        return not name[0].islower() or source.text(index + 1) in ("(", "!") or name not in source.variables()


def edges_of(workspace):
    """All edges, one per file, name and target."""
    edges = []
    for module in workspace.modules:
        source = workspace.sources[module.file]
        Reader(workspace, edges).walk(module, source, 0, len(source.tokens))
    first = {}
    for edge in sorted(edges):
        first.setdefault((edge.file, edge.name, edge.target), edge)
    return sorted(first.values())


def room(file):
    """The top-level module of a crate that a file belongs to, as a path; none for the roots of the crate."""
    folder = file.parts.index("src") + 1 if "src" in file.parts else 0
    top = Path(*file.parts[: folder + 1]).with_suffix("")
    return None if top.name in ("lib", "main", "bin") else top


def circle_findings(kind, edges, mend):
    """A finding for each edge of a circle, with the shortest way back; `edges` are pairs of nodes and the uses between them."""
    ahead, found = {}, []
    for start, end in edges:
        ahead.setdefault(start, set()).add(end)
    for number, members in enumerate(graph.circles(ahead), 1):
        inside = {node: ahead[node] & set(members) for node in members}
        for start, end in sorted((start, end) for start in members for end in inside[start]):
            uses = edges[start, end]
            first = uses[0]
            names = ", ".join(use.name if use[:2] == first[:2] else f"{use.name} ({place(use, first)})" for use in uses[:SHOWN])
            names += f" and {len(uses) - SHOWN} more" if len(uses) > SHOWN else ""
            back = " → ".join(map(str, graph.way(inside, end, start)))
            text = f"circle {number} of {len(members)} {kind}s: uses {names} of {end}, and {back}; {mend}"
            found.append(house.Finding(str(first.file), first.line, text))
    return found


def place(use, first):
    """Where a use stands, as short as it can be said beside the first one."""
    return str(use.line) if use.file == first.file else f"{use.file}:{use.line}"


def check(root, _options=None):
    """Every edge that is part of a circle of files, rooms or crates."""
    workspace = modules.Workspace(root)
    crates = {(name, other): [Edge(Path("Cargo.toml"), 1, other, Path())] for name in workspace.packages
              for other in workspace.packages[name] & set(workspace.packages)}
    package = {module.file: workspace.package_of[module.crate] for module in workspace.modules}
    files, rooms = {}, {}
    for edge in edges_of(workspace):
        files.setdefault((edge.file, edge.target), []).append(edge)
        for ends, pairs in (((package[edge.file], package[edge.target]), crates), ((room(edge.file), room(edge.target)), rooms)):
            if None not in ends and ends[0] != ends[1]:
                pairs.setdefault(ends, []).append(edge)
    return (
        circle_findings("crate", crates, "what both need belongs into the lower one")
        + circle_findings("room", rooms, "what both need belongs into a room below both")
        + circle_findings("file", files, "move what both need into a file below both")
    )


class Tests(unittest.TestCase):
    def read(self, contents, manifests=None):
        """Edges as (file, name, target) without src/ and .rs, and the findings."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            house.write_tree(root, {"Cargo.toml": '[package]\nname = "a-b"\n', **(manifests or {})})
            house.write_tree(root, {f"src/{name}.rs" if "/src/" not in name else name: text for name, text in contents.items()})
            short = lambda file: str(file.with_suffix("")).removeprefix("src/")  # noqa: E731
            edges = {(short(edge.file), edge.name, short(edge.target)) for edge in edges_of(modules.Workspace(root))}
            return edges, [str(finding) for finding in check(root)]

    def test_a_circle_is_found_through_a_reexport(self):
        edges, findings = self.read({
            "lib": "pub mod one; pub mod two;",
            "one/mod": "mod deep; pub use deep::{Thing as Other, *};",
            "one/deep": "pub struct Thing; pub fn go() { crate::two::more() }",
            "two": "use crate::one::Other;\npub fn more() { let x: Other; }",
        })
        self.assertEqual(edges, {("one/deep", "more", "two"), ("two", "Thing", "one/deep")})
        self.assertEqual(len([text for text in findings if "2 files" in text]), 2)
        self.assertTrue(any(text.startswith("src/two.rs:1: circle 1 of 2 rooms: uses Thing of src/one") for text in findings))

    def test_parents(self):
        edges, _ = self.read({
            "lib": "mod a; pub use a::{a, b::{Free, Used}}; fn f(x: Used) { let free = x.Free; a().b }",
            "a": "pub mod b; pub fn a() {} pub(crate) const C: u8 = 0; mod inline { use super::super::a::b::Free; }",
            "a/b": "use super::C; pub struct Free; pub struct Used; // crate::a::X\n#[cfg(test)] mod tests { use crate::a::X; }",
        })
        self.assertEqual(edges, {("lib", "Used", "a/b"), ("lib", "a", "a"), ("a", "Free", "a/b"), ("a/b", "C", "a")})

    def test_modules_in_other_places(self):
        edges, _ = self.read({
            "lib": '#[path = "odd.rs"] mod even; mod a;',
            "odd": "pub fn f() { !super::a::b::c::f(); }",
            "a": "mod b { pub mod c; mod d { fn f() { !g(); } use super::c::*; } }",
            "a/b/c": "pub fn f() -> ::std::A { <X as crate::a::Y>::even::f() }\npub fn g() { crate::even::f() }",
        })
        self.assertEqual(edges, {("odd", "f", "a/b/c"), ("a", "g", "a/b/c"), ("a/b/c", "f", "odd")})

    def test_names_in_blocks_hide_those_of_the_module(self):
        edges, _ = self.read({
            "lib": "mod a; mod b; mod c;",
            "a": "pub fn f() {} pub fn g() {} pub struct S; macro_rules! m { () => {} } pub(crate) use m;",
            "b": "use super::a::*; fn x(g: u8) { fn f() {} f(); y(g); } impl T for S { fn f() {} } fn g() {}",
            "c": "use super::a::{self, m}; fn x() { { use a::f as h; h() } a::g(); m!(); \"a::S\"; }",
        })
        self.assertEqual(edges, {("b", "S", "a"), ("c", "f", "a"), ("c", "g", "a"), ("c", "m", "a")})

    def test_circles_of_crates(self):
        manifests = {"crates/low/Cargo.toml": '[package]\nname = "low-er"\n[dev-dependencies]\na-b = { path = "../.." }\n'}
        files = {"lib": "use low_er::X;", "main": "use a_b::y;", "crates/low/src/lib.rs": "pub struct X;"}
        _, findings = self.read(files, manifests)
        self.assertEqual(len(findings), 2)
        self.assertIn("circle 1 of 2 crates: uses X of low-er, and low-er → a-b", findings[0])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
