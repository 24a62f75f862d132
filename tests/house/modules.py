"""The modules of the workspace's crates, as rustc finds them, and which definition a path in the code means.

Follows `mod` with `#[path]`, `use` with braces, `self`, `super`, `crate`, `as` and `*`, and re-exports through any number of
files. What is built for tests only is left out. Not followed, since that takes types: methods, associated items, and what
macros make.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

import house
import rust

DEFINED_BY = {"fn", "struct", "enum", "trait", "union", "type", "const", "static"}
KEYWORDS = DEFINED_BY | set(
    "as async await break continue dyn else extern false for if impl in let loop match mod move mut pub ref return true "
    "unsafe use where while".split()
)


class Definition(NamedTuple):
    """An item that has a name."""

    name: str
    file: Path
    line: int
    module: tuple  # crate and path of the module it stands in


class Import(NamedTuple):
    """A leaf of a `use` tree; its path ends with `*` for a glob."""

    path: tuple
    public: bool
    line: int


class Scope:
    """A module, or a block with items of its own (then `outer` is what surrounds it)."""

    def __init__(self, crate, path, file, parent=None, outer=None):
        self.crate, self.path, self.file, self.parent, self.outer = crate, path, file, parent, outer
        self.module = outer.module if outer else self
        self.root = parent.root if parent else self
        self.names = {}  # name → definitions and modules
        self.imports = {}  # name → imports
        self.globs = []
        self.inner = {}  # first token of an inline module → that module

    def add(self, name, thing):
        self.names.setdefault(name, []).append(thing)

    def define(self, token):
        self.add(token.text, Definition(token.text, self.file, token.line, (self.crate, self.path)))

    def holds(self, module):
        """Whether a module, given by crate and path, is this one or lies in it."""
        return module[0] == self.crate and module[1][: len(self.path)] == self.path


class Source:
    """A file's tokens without comments and tests."""

    def __init__(self, root, file):
        self.tokens = rust.without_tests(rust.code(house.read(root / file)))
        self.pairs = rust.partners(self.tokens)
        self.bound = None

    def variables(self):
        """Names that are somewhere in the file a variable's, a parameter's or a field's."""
        if self.bound is None:
            near = [(self.text(at - 1), token.text, self.text(at + 1)) for at, token in enumerate(self.tokens)]
            self.bound = {name for before, name, behind in near if behind == ":" or before in ("let", "mut", "|", "for", "ref")}
        return self.bound

    def text(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def use_tree(self, index, prefix, public):
        """The imports of the `use` tree that begins at `index`, and the index behind it."""
        path, line = list(prefix), self.tokens[index].line
        while True:
            text = self.text(index)
            if text == "{":
                found, end, index = [], self.pairs[index], index + 1
                while index < end:
                    more, index = self.use_tree(index, path, public)
                    found += more
                    index += self.text(index) == ","
                return found, end + 1
            if text == "::":
                if not path:
                    path.append("")  # the extern prelude
            elif text == "as":
                return [(self.text(index + 1), Import(tuple(path), public, line))], index + 2
            elif text in (",", "}", ";", ""):
                if path[-1] == "self" and len(path) > 1:
                    path.pop()
                return [(path[-1], Import(tuple(path), public, line))], index
            else:
                path.append(text.removeprefix("r#"))
            index += 1


class Workspace:
    """The crates of the root package and of crates/*."""

    def __init__(self, root):
        self.root = root
        self.sources = {}  # file → Source
        self.modules = []
        self.libraries = {}  # name in code → root module
        self.packages = {}  # package → packages that its manifest names by path
        self.package_of = {}  # crate → package
        for manifest in [Path("Cargo.toml"), *sorted(path.relative_to(root) for path in root.glob("crates/*/Cargo.toml"))]:
            self._read_package(manifest)

    def _read_package(self, manifest):
        settings, folder = tomllib.loads(house.read(self.root / manifest)), manifest.parent
        if "package" not in settings:
            return
        name = settings["package"]["name"]
        kinds = ("dependencies", "dev-dependencies", "build-dependencies")
        tables = [part.get(kind, {}) for part in (settings, *settings.get("target", {}).values()) for kind in kinds]
        needs = [need for table in tables for need in table.items()]
        self.packages[name] = {how.get("package", key) if isinstance(how, dict) else key for key, how in needs}
        library = settings.get("lib", {})
        starts = [(library.get("name", name.replace("-", "_")), library.get("path", "src/lib.rs"))]
        starts += [(f"{name} (program)", "src/main.rs")]
        programs = [program["path"] for program in settings.get("bin", []) if "path" in program]
        programs += [f"src/bin/{path.name}" for path in sorted((self.root / folder / "src/bin").glob("*.rs"))]
        starts += [(f"{name} (program {path})", path) for path in programs]
        for crate, start in starts:
            file = folder / start
            if (self.root / file).is_file() and file not in self.sources:
                self.package_of[crate] = name
                module = self._read_file(crate, (), file, None)
                if "(program" not in crate:
                    self.libraries[crate] = module

    def _read_file(self, crate, path, file, parent):
        source = self.sources[file] = Source(self.root, file)
        module = Scope(crate, path, file, parent)
        own_folder = parent is None or file.name == "mod.rs"
        self.modules.append(module)
        self.declare(module, source, 0, len(source.tokens), file.parent if own_folder else file.with_suffix(""))
        return module

    def declare(self, scope, source, index, end, folder=None):
        """Notes the items and imports that stand directly in a scope; modules are read where their `folder` is known."""
        public, path = False, None
        while index < end:
            text, following = source.text(index), source.text(index + 1)
            if (behind := rust.attribute(source.tokens, source.pairs, index)) is not None:
                if source.text(index + 2) == "path":
                    path = rust.literal(source.tokens[index + 4])
                index = behind
                continue
            if text == "pub":
                public = True
                index = source.pairs[index + 1] + 1 if following == "(" else index + 1
                continue
            if text == "use":
                imports, index = source.use_tree(index + 1, (), public)
                for name, item in imports:
                    scope.globs.append(item) if name == "*" else scope.imports.setdefault(name, []).append(item)
            elif text == "mod" and source.text(index + 2) in (";", "{"):
                if folder is not None:
                    self._read_module(scope, source, index, folder, path)
                index = source.pairs[index + 2] if source.text(index + 2) == "{" else index + 2
            elif text == "macro_rules":
                index += 2
                scope.define(source.tokens[index])
            elif text in DEFINED_BY:
                index += 2 if following == "mut" else 1
                token = source.tokens[index]
                if token.kind == rust.WORD and token.text not in KEYWORDS:
                    scope.define(token)
                continue
            elif text in rust.OPENING and index in source.pairs:
                index = source.pairs[index]
            if source.text(index) in ";}":
                public, path = False, None
            index += 1

    def _read_module(self, scope, source, index, folder, path):
        name = source.text(index + 1).removeprefix("r#")
        full = (*scope.path, name)
        if source.text(index + 2) == "{":
            child = Scope(scope.crate, full, scope.file, scope)
            scope.inner[index + 2] = child
            self.declare(child, source, index + 3, source.pairs[index + 2], folder / name)
        else:
            places = [scope.file.parent / path] if path else [folder / f"{name}.rs", folder / name / "mod.rs"]
            file = next((place for place in places if (self.root / place).is_file()), None)
            if file is None:
                return
            child = self._read_file(scope.crate, full, file, scope)
        scope.add(name, child)

    def lookup(self, scope, name, asking, seen=frozenset()):
        """What a name means inside a scope for the module that asks: definitions and modules."""
        if (id(scope), name) in seen:
            return [thing for thing in scope.names.get(name, []) if isinstance(thing, Scope)]
        seen |= {(id(scope), name)}
        visible = [item for item in scope.imports.get(name, []) if self._sees(asking, scope, item)]
        found = list(scope.names.get(name, []))
        for item in visible:
            found += self.resolve(scope, item.path, seen)
        for item in [] if found else scope.globs:
            if self._sees(asking, scope, item):
                for place in self.resolve(scope, item.path[:-1], seen):
                    if isinstance(place, Scope):
                        found += self.lookup(place, name, scope.module, seen)
        return list(dict.fromkeys(found))

    @staticmethod
    def _sees(asking, scope, item):
        return item.public or scope.module.holds((asking.crate, asking.path))

    def resolve(self, scope, path, seen=frozenset()):
        """What a path means in a scope: definitions and modules; nothing where it leads out of the workspace or is not known."""
        module, first = scope.module, path[0]
        if first in ("crate", "self", "super"):
            places = [{"crate": module.root, "self": module, "super": module.parent}[first]]
        elif first == "":
            path = path[1:]
            places = [self.libraries.get(path[0])]
        else:
            places, around = [], scope
            while around and not places:
                places = self.lookup(around, first, module, seen)
                around = around.outer
            places = places or [self.libraries.get(first)]
        places = [place for place in places if place]
        for name in path[1:]:
            inner = [place for place in places if isinstance(place, Scope)]
            if not inner:
                break  # a type's own: an associated item or a variant
            if name == "super":
                places = [place.parent for place in inner if place.parent]
            elif name != "self":
                places = [thing for place in inner for thing in self.lookup(place, name, module, seen)]
        return list(dict.fromkeys(places))
