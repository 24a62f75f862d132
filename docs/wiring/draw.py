#!/usr/bin/env python3
"""Draws the wiring of docs/wiring.md into this folder: draw.py; with --check it says which files are not what it draws."""

import sys
from pathlib import Path

# Only drawings are to be written into this folder.
sys.dont_write_bytecode = True

from sheet import BOARD, INK, MINUS, PALE, PLUS, SIGNAL, Sheet, colour, name

FOLDER = Path(__file__).parent
RED, GREEN, AMBER = "#f2685f", "#5fbf77", "#f5b642"


def header():
    """All forty pins, and what the default outputs use."""
    used = {
        9: "LEDs", 11: "red LED", 13: "green LED", 15: "amber LED", 14: "buzzer", 16: "buzzer",
        2: "buzzer or relay", 6: "relay", 18: "relay (example)", 12: "passive buzzer (example)", 22: "button (example)",
        20: "button", 1: "relay, active low",
    }
    sheet = Sheet(760, 700, "The 40-pin header: default outputs and examples")
    sheet.text(24, 62, "Seen from above, pin 1 at the end that is far from the USB ports (on a Zero: beside the SD card).", 13, fill=PALE)
    sheet.add(f'<rect x="330" y="84" width="100" height="590" rx="6" fill="{BOARD}" stroke="{INK}" stroke-width="1.5"/>')
    for pin in range(1, 41):
        left = pin % 2 == 1
        x, y = (358 if left else 402), 104 + (pin - 1) // 2 * 29
        bold = "bold" if pin in used else "normal"
        words = [name(pin), used[pin]] if pin in used else [name(pin)]
        label = " — ".join(reversed(words) if left else words)
        sheet.add(f"<g><title>{name(pin)} · pin {pin}</title>")
        shape = f'x="{x - 12}" y="{y - 12}" width="24" height="24"' + ("" if pin == 1 else ' rx="12"')
        sheet.add(f'<rect {shape} fill="{colour(pin)}" stroke="{INK}" opacity="{1 if pin in used else 0.45}"/>')
        sheet.text(x, y + 4.5, str(pin), size=12, anchor="middle", weight="bold", fill="#ffffff")
        sheet.text(318 if left else 442, y + 5, label, anchor="end" if left else "start", weight=bold, fill=INK if pin in used else PALE)
        sheet.add("</g>")
    return sheet


def leds():
    sheet = Sheet(760, 380, "Three LEDs, each with its own resistor")
    sheet.board({11: 112, 13: 182, 15: 252, 9: 312}, bottom=346)
    for y, fill, text in ((112, RED, "red: alert"), (182, GREEN, "green: pass"), (252, AMBER, "amber: look, fault")):
        sheet.wire((190, y), (500, y), stroke=SIGNAL)
        sheet.wire((412, y), (500, y), stroke=MINUS)
        sheet.resistor(270, y, "330 Ω")
        sheet.diode(400, y, "right", fill=fill, light=True)
        sheet.text(520, y + 5, text)
    sheet.wire((500, 112), (500, 312), (190, 312), stroke=MINUS)
    sheet.dot(500, 182)
    sheet.dot(500, 252)
    sheet.text(520, 306, "Long leg (anode) towards\nthe resistor, short leg and\nflat side (cathode) to GND.", size=13, fill=PALE)
    return sheet


def stage(sheet, plus, pin, minus, load, in_series=""):
    """A load on 5 V that a transistor switches: the rows of the supply, the pin and ground. The load is 48 high."""
    sheet.board({2: plus, pin: (pin_y := plus + 150), 14: minus}, top=plus - 42)
    sheet.wire((190, plus), (590, plus), stroke=PLUS)
    sheet.wire((190, minus), (432, minus), stroke=MINUS)
    sheet.wire((190, pin_y), (396, pin_y), stroke=SIGNAL)
    sheet.resistor(262, pin_y, "R1 1 kΩ")
    sheet.wire((340, pin_y), (340, minus), stroke=SIGNAL)
    sheet.dot(340, pin_y, SIGNAL)
    sheet.resistor(340, (pin_y + minus) // 2 + 4, "", upright=True)
    sheet.text(322, (pin_y + minus) // 2 + 9, "R2 10 kΩ", anchor="end")
    sheet.dot(340, minus, MINUS)
    sheet.transistor(420, pin_y)
    sheet.text(454, pin_y + 5, "T1: NPN, such as BC337")
    sheet.wire((432, pin_y + 30), (432, minus), stroke=MINUS)
    node = pin_y - 40
    sheet.wire((432, pin_y - 30), (432, plus), stroke=INK)
    sheet.dot(432, plus, PLUS)
    sheet.dot(432, node)
    sheet.box(378, plus + 26, 108, 48)
    sheet.text(432, plus + 55, load, anchor="middle")
    sheet.text(442, plus + 19, "+", weight="bold")
    sheet.text(442, plus + 90, "−", weight="bold")
    sheet.wire((432, node), (590, node), (590, plus), stroke=INK)
    if in_series:
        sheet.resistor(300, plus, in_series)
    sheet.diode(590, plus + 55, "up")
    sheet.text(612, plus + 52, "D1: 1N4148;\nits ring towards 5 V", size=13)


def active_buzzer():
    sheet = Sheet(780, 400, "Active buzzer, through a transistor")
    stage(sheet, 112, 16, 340, "buzzer")
    return sheet


def passive_buzzer():
    sheet = Sheet(780, 640, "Passive buzzers: piezo without, magnetic with a transistor")
    sheet.text(24, 70, "Piezo (a thin disc, no coil)", weight="bold")
    sheet.board({12: 132, 14: 192}, top=84)
    sheet.wire((190, 132), (420, 132), stroke=SIGNAL)
    sheet.wire((190, 192), (420, 192), stroke=MINUS)
    sheet.resistor(290, 132, "1 kΩ")
    sheet.box(420, 118, 120, 88)
    sheet.text(480, 167, "piezo buzzer", anchor="middle")
    sheet.text(24, 266, "Magnetic (a coil; its resistance is 16 to 50 Ω)", weight="bold")
    stage(sheet, 322, 12, 550, "buzzer", in_series="R3 47 Ω")
    sheet.text(24, 616, "Both are driven by a tone on GPIO18: kind = \"passive-buzzer\".", size=13, fill=PALE)
    return sheet


def contact(sheet, right, middle, above):
    """A relay's contact at rest, its terminals at the edge `right`: COM in the middle, above it NO or NC."""
    below = "NC" if above == "NO" else "NO"
    rest = middle + (40 if below == "NC" else -40)
    sheet.wire((right, middle), (right - 44, middle), (right - 80, rest + (-6 if rest > middle else 6)))
    sheet.dot(right - 44, middle)
    sheet.text(right - 22, middle - 7, "COM", anchor="middle", size=13)
    for label, row in ((above, middle - 40), (below, middle + 40)):
        sheet.wire((right, row), (right - 80, row))
        sheet.dot(right - 80, row)
        sheet.text(right - 22, row - 7, label, anchor="middle", size=13)


def module(sheet, x, y, rows, height=190):
    """A relay module with its terminals on the left (label → y) and its contact on the right."""
    sheet.box(x, y, 210, height)
    sheet.text(x + 105, y + 22, "relay module", anchor="middle", weight="bold")
    for label, row in rows.items():
        sheet.text(x + 12, row + 5, label)
    contact(sheet, x + 210, y + 105, "NO")


def relay():
    sheet = Sheet(840, 660, "Relay modules for 5 V, switched on by a high or by a low level")
    sheet.text(24, 70, "Input active high: active = \"high\" (the default)", weight="bold")
    sheet.board({2: 146, 6: 206, 18: 266}, top=84)
    sheet.wire((190, 146), (430, 146), stroke=PLUS)
    sheet.wire((190, 206), (430, 206), stroke=MINUS)
    sheet.wire((190, 266), (430, 266), stroke=SIGNAL)
    sheet.wire((330, 206), (330, 266), stroke=MINUS)
    sheet.resistor(330, 236, "", upright=True)
    sheet.text(348, 241, "10 kΩ")
    sheet.dot(330, 206)
    sheet.dot(330, 266, SIGNAL)
    module(sheet, 430, 96, {"VCC": 146, "GND": 206, "IN": 266})
    sheet.text(430, 308, "The contact switches a load with its own supply.", size=13, fill=PALE)

    sheet.text(24, 350, "Input active low: active = \"low\", the jumper between VCC and JD-VCC removed", weight="bold")
    sheet.board({1: 426, 18: 476, 2: 526, 6: 576}, top=364)
    sheet.wire((190, 426), (430, 426), stroke=PLUS)
    sheet.wire((190, 476), (430, 476), stroke=SIGNAL)
    sheet.wire((190, 526), (430, 526), stroke=PLUS)
    sheet.wire((190, 576), (430, 576), stroke=MINUS)
    sheet.wire((330, 426), (330, 476), stroke=PLUS)
    sheet.resistor(330, 451, "", upright=True)
    sheet.text(348, 456, "10 kΩ")
    sheet.dot(330, 426, PLUS)
    sheet.dot(330, 476, SIGNAL)
    module(sheet, 430, 376, {"VCC": 426, "IN": 476, "JD-VCC": 526, "GND": 576}, height=226)
    sheet.text(24, 636, "VCC feeds the opto-coupler of the input: on 3.3 V, a pin at 3.3 V really switches it off.", size=13, fill=PALE)
    return sheet


# What is to be seen of the relay's contact.
NOTES = (
    "The contact is shown at rest: the relay is off.",
    "The contact is shown without power. The board keeps the relay on while the door is to be locked.",
)


def strike_circuit(title, above, kind, emergency, note):
    """A strike on its own supply, through the relay's contact `above`."""
    sheet = Sheet(760, 410, title)
    sheet.text(24, 396, note, size=13, fill=PALE)
    sheet.box(24, 78, 190, 214)
    sheet.text(119, 100, "relay module", anchor="middle", weight="bold")
    sheet.text(119, 260, "its input: see the\ndrawing of the relay", size=13, anchor="middle", fill=PALE)
    contact(sheet, 214, 170, above)
    if emergency:
        sheet.wire((214, 130), (396, 130), stroke=PLUS)
        sheet.wire((444, 130), (640, 130), (640, 180), stroke=PLUS)
        sheet.wire((396, 135), (444, 135))
        sheet.wire((420, 135), (420, 110))
        sheet.wire((410, 110), (430, 110))
        for x in (396, 444):
            sheet.add(f'<circle cx="{x}" cy="130" r="4.5" fill="#ffffff" stroke="{INK}" stroke-width="2"/>')
        sheet.text(420, 96, "emergency button: interrupts the current", anchor="middle", size=13)
    else:
        sheet.wire((214, 130), (640, 130), (640, 180), stroke=PLUS)
    sheet.wire((214, 170), (290, 170), (290, 342), (330, 342), stroke=PLUS)
    sheet.add(f'<rect x="282" y="236" width="16" height="40" fill="#ffffff" stroke="{INK}" stroke-width="2"/>')
    sheet.wire((290, 236), (290, 276), stroke=PLUS, width=1.5)
    sheet.text(308, 261, "fuse 1 A")
    sheet.box(330, 304, 150, 76)
    sheet.text(405, 338, "supply of the\nstrike, 12 V DC", anchor="middle")
    sheet.text(314, 334, "+", anchor="middle", weight="bold")
    sheet.text(496, 334, "−", anchor="middle", weight="bold")
    sheet.box(570, 180, 140, 60)
    sheet.text(640, 206, f"electric strike,\n{kind}", anchor="middle")
    sheet.wire((640, 240), (640, 342), (480, 342), stroke=MINUS)
    sheet.wire((640, 156), (540, 156), (540, 264), (640, 264))
    sheet.dot(640, 156, PLUS)
    sheet.dot(640, 264)
    sheet.diode(540, 210, "up")
    sheet.text(518, 206, "D1: 1N4007;\nits ring\ntowards plus", size=13, anchor="end")
    return sheet


def strike_locked():
    return strike_circuit("Fail-secure strike, contact NO: locked without any power", "NO", "fail-secure", False, NOTES[0])


def strike_supply():
    return strike_circuit("Fail-safe strike, contact NC: opens when its supply fails", "NC", "fail-safe", True, NOTES[0])


def strike_board():
    return strike_circuit("Fail-safe strike, contact NO: opens when the board fails, too", "NO", "fail-safe", True, NOTES[1])


def silence_button():
    sheet = Sheet(760, 240, "Push button that silences the buzzers")
    sheet.board({22: 122, 20: 182})
    sheet.wire((190, 122), (366, 122), stroke=SIGNAL)
    sheet.resistor(280, 122, "1 kΩ")
    sheet.button(390, 122)
    sheet.wire((414, 122), (500, 122), (500, 182), (190, 182), stroke=MINUS)
    text = "The pin's own pull-up\nresistor is switched on.\nThe 1 kΩ protects the pin;\non short wires it may\nbe left out."
    sheet.text(520, 120, text, size=13, fill=PALE)
    return sheet


DRAWINGS = {
    "header.svg": header,
    "leds.svg": leds,
    "active-buzzer.svg": active_buzzer,
    "passive-buzzer.svg": passive_buzzer,
    "relay.svg": relay,
    "strike-locked.svg": strike_locked,
    "strike-supply.svg": strike_supply,
    "strike-board.svg": strike_board,
    "button.svg": silence_button,
}


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/wiring/draw.py [--check]")
    stale = []
    for file, draw in DRAWINGS.items():
        path, svg = FOLDER / file, draw().svg()
        if not arguments:
            path.write_text(svg, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != svg:
            stale.append(file)
    if stale:
        sys.exit(f"error: {', '.join(stale)}: not what docs/wiring/draw.py draws; run it")


if __name__ == "__main__":
    main(sys.argv[1:])
