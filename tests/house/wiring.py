#!/usr/bin/env python3
"""The wiring that documents and drawings show is that of the header and of the program.

Each pair of a signal and a pin of the header, such as `GPIO17 (pin 11)`, agrees with the table here, and the program's own table
does, too; each default output is in docs/wiring.md with its pin; and the drawings are what docs/wiring/draw.py draws.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import house

# The header's pins 1 to 40, row by row.
HEADER = """
    3.3V 5V   2 5V    3 GND   4 14     GND 15  17 18   27 GND   22 23   3.3V 24  10 GND
    9 25   11 8   GND 7   0 1   5 GND   6 12   13 GND   19 16   26 20   GND 21
""".split()
PAIR = re.compile(r"(?:(?:GPIO|BCM) ?(\d+)|\b(GND|3\.3 V|5 V))(?: ·|,|:| \()? ?(?:header )?pin (\d+)")
REVERSED = re.compile(r"\bpin (\d+)(?: of the header)? is (?:GPIO|BCM) ?(\d+)")
PROGRAM, SETTINGS, PAGE, DRAW = "src/outputs/header.rs", "systemd/maskwatch.toml", "docs/wiring.md", "docs/wiring/draw.py"


def pairs(line):
    """What a line says: signals with the number of their pin."""
    found = [(bcm or supply.replace(" ", ""), int(pin)) for bcm, supply, pin in PAIR.findall(line)]
    return found + [(bcm, int(pin)) for pin, bcm in REVERSED.findall(line)]


def of_documents(root):
    """Pairs that are wrong, in documents and drawings."""
    paths = [*house.files(root, ".md", ".svg", below=("docs",)), *(path for path in [Path("README.md")] if (root / path).is_file())]
    for path in paths:
        for number, line in enumerate(house.read(root / path).split("\n"), 1):
            for signal, pin in pairs(line):
                right = HEADER[pin - 1] if 1 <= pin <= len(HEADER) else "nothing"
                if signal != right:
                    text = f"says {signal} is pin {pin} of the header, which is {right}; write the right pair"
                    yield house.Finding(str(path), number, text)


def of_program(root):
    """Pins of which the program thinks otherwise."""
    if not (root / PROGRAM).is_file():
        return
    table = re.search(r"BCM_NUMBERS[^=]*= \[(.*?)\];", house.read(root / PROGRAM), re.DOTALL)
    theirs = re.findall(r"None|Some\((\d+)\)", table[1]) if table else []
    ours = [signal if signal.isdigit() else "" for signal in HEADER]
    if theirs != ours:
        yield house.Finding(PROGRAM, 1, "BCM_NUMBERS is not the header's table in tests/house/wiring.py; find out which is right")


def of_page(root):
    """Default outputs that are missing in the page, and drawings that are not up to date."""
    if not (root / PAGE).is_file():
        return
    shown = {signal for line in house.read(root / PAGE).split("\n") for signal, _ in pairs(line)}
    outputs = tomllib.loads(house.read(root / SETTINGS))["outputs"]
    for name, output in outputs.items():
        if isinstance(output, dict) and str(output["pin"]) not in shown:
            yield house.Finding(PAGE, 1, f"does not show the output {name}; write GPIO{output['pin']} with its pin of the header")
    drawn = subprocess.run([sys.executable, root / DRAW, "--check"], capture_output=True, text=True)
    if drawn.returncode:
        yield house.Finding(DRAW, 1, drawn.stderr.strip().split("\n")[-1])


def check(root, _options=None):
    """Everything about the wiring that is wrong."""
    return [*of_documents(root), *of_program(root), *of_page(root)]


class Tests(unittest.TestCase):
    def findings(self, contents):
        with tempfile.TemporaryDirectory() as folder:
            house.write_tree(Path(folder), contents)
            return [(finding.path, finding.line) for finding in check(Path(folder).resolve())]

    def test_the_header_has_all_its_lines(self):
        self.assertEqual(sorted(int(signal) for signal in HEADER if signal.isdigit()), list(range(28)))
        self.assertEqual((len(HEADER), HEADER.count("GND"), HEADER.count("5V"), HEADER.count("3.3V")), (40, 8, 2, 2))

    def test_pairs_are_found_as_they_are_written(self):
        line = "GPIO17 (pin 11), GPIO27 · pin 13, BCM 22, pin 15, GPIO23 pin 16, GND · pin 9; header pin 37 is BCM 26"
        wanted = [("17", 11), ("27", 13), ("22", 15), ("23", 16), ("GND", 9), ("26", 37)]
        self.assertEqual(pairs(line), wanted)
        self.assertEqual(pairs("GPIO17 and pin 11; the board's 5 V pin; GPIO24 is a pin"), [])

    def test_wrong_pairs(self):
        contents = {
            "README.md": "GPIO17 (pin 11)\nGPIO17 (pin 12)\n",
            "docs/wiring/a.svg": "<text>3.3 V · pin 1</text>\n<text>5 V · pin 6</text>\n<text>GND · pin 41</text>\n",
            PROGRAM: "const BCM_NUMBERS: [Option<u32>; 40] = [None, Some(2)];\n",
        }
        wanted = [("docs/wiring/a.svg", 2), ("docs/wiring/a.svg", 3), ("README.md", 2), (PROGRAM, 1)]
        self.assertEqual(self.findings(contents), wanted)

    def test_the_page_shows_the_outputs_and_the_drawings_are_fresh(self):
        contents = {
            PAGE: "GPIO17 (pin 11)\n",
            SETTINGS: "[outputs]\nbackend = 'auto'\n[outputs.red]\npin = 17\n[outputs.green]\npin = 27\n",
            DRAW: "import sys\nsys.exit('error: a.svg: stale')\n",
        }
        self.assertEqual(self.findings(contents), [(PAGE, 1), (DRAW, 1)])
        contents |= {PAGE: "GPIO17 (pin 11) GPIO27 (pin 13)\n", DRAW: "pass\n"}
        self.assertEqual(self.findings(contents), [])


if __name__ == "__main__":
    house.command(sys.modules[__name__])
