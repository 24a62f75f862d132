"""What was checked and what came out, as a table."""

import time


class Table:
    """Collects the checks of a run; says each as soon as it is known."""

    COLUMNS = ("", "check", "expected", "within s", "came", "seen", "guest s", "host s")
    WIDTHS = (4, 43, 53, 8, 5, 43, 7, 6)

    def __init__(self, title):
        self.title = title
        self.started = time.monotonic()
        self.failed = 0
        self.passed = 0
        print(f"\n{title}")
        self._row(self.COLUMNS)
        self._row(tuple("-" * width for width in self.WIDTHS))

    def add(self, name, expected, within, came, seen, good, guest=None):
        """`within` and `came` are seconds since the step; `guest` is the guest's uptime then."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
        uptime = "" if guest is None else f"{guest:.1f}"
        host = f"{time.monotonic() - self.started:.1f}"
        self._row(("ok" if good else "FAIL", name, expected, within, came, seen, uptime, host))
        return good

    def note(self, text):
        print(f"note {text}", flush=True)

    def _row(self, cells):
        print(" ".join(cell.ljust(width) for cell, width in zip(cells, self.WIDTHS)).rstrip(), flush=True)
