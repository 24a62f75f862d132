"""The paper that the wiring is drawn on: an SVG with a background of its own, and the symbols of the parts."""

from html import escape

INK, PALE, PAPER, EDGE = "#1f2328", "#57606a", "#ffffff", "#d0d7de"
BOARD, PART = "#e7f0e7", "#f3f4f6"
SIGNAL, PLUS, MINUS = "#0550ae", "#b42318", "#1f2328"
FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"

# BCM number of each GPIO pin of the header; the other pins are supply and ground.
GPIO = {
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11,
    24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}
SUPPLY = {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V"}


def name(pin):
    """What a pin of the header is: `GPIO17`, `5 V` or `GND`."""
    return f"GPIO{GPIO[pin]}" if pin in GPIO else SUPPLY.get(pin, "GND")


def colour(pin):
    """The colour of the wire at a pin."""
    return SIGNAL if pin in GPIO else PLUS if pin in SUPPLY else MINUS


class Sheet:
    """One drawing. Lengths are in pixels, from the upper left."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.parts = []
        self.text(24, 36, title, size=18, weight="bold")

    def svg(self):
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" font-family="{FONT}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect x="1" y="1" width="{self.width - 2}" height="{self.height - 2}" rx="10" fill="{PAPER}" stroke="{EDGE}"/>\n'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, text, size=14, anchor="start", weight="normal", fill=INK):
        """Lines of text; the first stands on y."""
        for number, line in enumerate(text.split("\n")):
            self.add(
                f'<text x="{x}" y="{y + number * (size + 5)}" font-size="{size}" text-anchor="{anchor}" '
                f'font-weight="{weight}" fill="{fill}">{escape(line)}</text>'
            )

    def wire(self, *points, stroke=INK, width=2, fill="none"):
        places = " ".join(f"{x},{y}" for x, y in points)
        self.add(
            f'<polyline points="{places}" fill="{fill}" stroke="{stroke}" stroke-width="{width}" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )

    def dot(self, x, y, stroke=INK):
        """A joint of wires."""
        self.add(f'<circle cx="{x}" cy="{y}" r="4" fill="{stroke}"/>')

    def box(self, x, y, width, height, fill=PART):
        self.add(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{INK}" stroke-width="1.5"/>')

    def board(self, pins, top=60, bottom=None, right=190):
        """The board's edge with the pins of the header that are used: pin → y. Wires begin at `right`."""
        bottom = bottom or max(pins.values()) + 34
        self.box(24, top, right - 34, bottom - top, fill=BOARD)
        self.text(36, top + 22, "Raspberry Pi", weight="bold")
        for pin, y in pins.items():
            self.text(right - 24, y + 5, f"{name(pin)} · pin {pin}", anchor="end")
            self.add(f'<rect x="{right - 16}" y="{y - 6}" width="12" height="12" fill="{colour(pin)}"/>')
            self.wire((right - 4, y), (right, y), stroke=colour(pin))

    def resistor(self, x, y, label, upright=False):
        """A resistor in the middle of a wire."""
        width, height = (16, 44) if upright else (44, 16)
        self.add(
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" height="{height}" fill="{PAPER}" '
            f'stroke="{INK}" stroke-width="2"/>'
        )
        if upright:
            self.text(x + 16, y + 5, label)
        else:
            self.text(x, y - 15, label, anchor="middle")

    def diode(self, x, y, direction, fill=PAPER, light=False):
        """A diode that conducts to the right or up; with `light` it is an LED."""
        turn = {"right": 0, "up": -90}[direction]
        arrows = ""
        if light:
            for shift in (0, 12):
                arrows += (
                    f'<path d="M{-3 + shift},-19 l10,-12 m-1,6 l1,-6 l-6,1" fill="none" stroke="{INK}" stroke-width="1.6"/>'
                )
        self.add(
            f'<g transform="translate({x},{y}) rotate({turn})"><path d="M-13,-13 L13,0 L-13,13 Z" fill="{fill}" '
            f'stroke="{INK}" stroke-width="2"/><path d="M13,-13 V13" stroke="{INK}" stroke-width="3"/>{arrows}</g>'
        )

    def transistor(self, x, y):
        """An NPN transistor: base at (x − 24, y), collector at (x + 12, y − 30), emitter at (x + 12, y + 30)."""
        self.add(
            f'<g transform="translate({x},{y})" stroke="{INK}" stroke-width="2" fill="none">'
            f'<circle r="24" fill="{PAPER}"/><path d="M-24,0 H-6"/><path d="M-6,-13 V13" stroke-width="4"/>'
            '<path d="M-6,-6 L12,-18 V-30"/><path d="M-6,6 L12,18 V30"/>'
            f'<path d="M12,18 l-9,-1.5 l5,-7 Z" fill="{INK}"/></g>'
        )

    def button(self, x, y):
        """A push button between (x − 24, y) and (x + 24, y), open."""
        self.add(
            f'<g transform="translate({x},{y})" stroke="{INK}" stroke-width="2" fill="{PAPER}">'
            '<path d="M-20,-12 H20 M0,-12 V-26 M-10,-26 H10"/><circle cx="-24" r="4.5"/><circle cx="24" r="4.5"/></g>'
        )
