"""Packs the first system of a board: a cpio archive of files, with kernel modules in the order in which they load."""

import gzip
import lzma
import stat
from pathlib import Path


class Initramfs:
    """Collects files and links by their path in the archive (without the leading slash)."""

    def __init__(self):
        self.entries = {}

    def data(self, path, data, mode=0o644):
        self._put(path, stat.S_IFREG | mode, data)

    def add(self, path, source, mode=0o644):
        self.data(path, Path(source).read_bytes(), mode)

    def program(self, path, source):
        self.add(path, source, 0o755)

    def text(self, path, text, mode=0o644):
        self.data(path, text.encode(), mode)

    def link(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def folder(self, path):
        self._put(path, stat.S_IFDIR | 0o755, b"")

    def _put(self, path, mode, data):
        for parent in reversed(Path(path).parents[:-1]):
            self.entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        self.entries[path] = (mode, data)

    def write(self, archive):
        """Writes the archive in the kernel's "newc" format, compressed lightly: unpacking is emulated, too."""
        with gzip.open(archive, "wb", compresslevel=1) as out:
            for number, (path, (mode, data)) in enumerate(self.entries.items(), 1):
                self._record(out, number, path, mode, data)
            self._record(out, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _record(out, number, path, mode, data):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        out.write(header + name + b"\0" * (-len(header + name) % 4) + data + b"\0" * (-len(data) % 4))


class Modules:
    """A kernel's modules, from the unpacked package of the kernel and from folders with more."""

    def __init__(self, root, *more):
        self.files = {}
        for folder in [next(Path(root).glob("lib/modules/*"), None) or next(Path(root).glob("usr/lib/modules/*")), *map(Path, more)]:
            for file in folder.rglob("*.ko*"):
                if file.name.endswith((".ko", ".ko.xz")):
                    self.files[file.name.split(".")[0].replace("-", "_")] = file

    def read(self, name):
        file = self.files[name]
        data = file.read_bytes()
        return lzma.decompress(data) if file.suffix == ".xz" else data

    def closure(self, names):
        """The modules with all that they depend on, in the order of loading; what is not there is built into the kernel."""
        order = []

        def visit(name):
            if name in order or name not in self.files:
                return
            for needed in self._depends(name):
                visit(needed)
            order.append(name)

        for name in names:
            if name not in self.files:
                raise SystemExit(f"error: the kernel has no module {name}; remove target/board/linux* and run again")
            visit(name)
        return order

    def _depends(self, name):
        for entry in self.read(name).split(b"\0"):
            if entry.startswith(b"depends="):
                return [needed for needed in entry[8:].decode().replace("-", "_").split(",") if needed]
        return []

    def pack(self, archive, loaded, available=()):
        """Puts modules into the archive: `loaded` are loaded at boot, `available` have their dependencies loaded."""
        order = self.closure(loaded)
        for name in self.closure([*loaded, *available]):
            archive.data(f"modules/{name}.ko", self.read(name))
            if name not in order and name not in available:
                order.append(name)
        archive.text("modules/order", "".join(f"{name}\n" for name in order))


def kernel_file(root):
    """The kernel itself in an unpacked package."""
    return next(Path(root).glob("boot/vmlinuz*"))
