"""README's chapter "Install" as data: its fenced blocks, in order, so that a test runs what a reader is told and nothing else."""

import re
from dataclasses import dataclass

from emulator.boards import REPOSITORY
from emulator.machine import GuestError

README = REPOSITORY / "README.md"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# From here on the chapter is about a board that does not have the package.
WITHOUT_PACKAGE = "\nWithout the package"


@dataclass
class Block:
    """A fenced block: its language, empty where it is none of commands, and its lines."""

    language: str
    lines: list


def install_chapter():
    """The blocks of the chapter: those for a board with the package, those for a board without."""
    chapter = re.search(r"^## Install\n(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    parts = chapter[1].split(WITHOUT_PACKAGE) if chapter else []
    if len(parts) != 2:
        raise GuestError(f'{README} has no chapter "Install" with one paragraph "{WITHOUT_PACKAGE.strip()}"')
    return [[Block(language, text.splitlines()) for language, text in FENCED.findall(part)] for part in parts]
