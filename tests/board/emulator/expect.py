"""What the pins should do after a step, told from their levels alone. Each expectation has a text, and `wait` that gives
(whether it came, what was seen, when on the host's clock)."""

import time
from dataclasses import dataclass

NAMES = ("red", "green", "amber", "buzzer")


@dataclass
class Shows:
    """Some pins high and all others low, but for those in `but`; `held`, if any, is a pin that must have been high for so many
    seconds before."""

    high: tuple
    but: tuple = ()
    held: tuple = ()

    def __str__(self):
        held = f" after {self.held[0]} was for {self.held[1]:g} s" if self.held else ""
        return f"{' and '.join(self.high)} high, others low{held}"

    def wait(self, pins, begin, within):
        others = [name for name in NAMES if name not in self.high and name not in self.but]
        at = pins.wait({name: 1 for name in self.high} | {name: 0 for name in others}, within)
        if at is None:
            return False, pins.text(), time.monotonic()
        if not self.held:
            return True, pins.text(), at
        name, least = self.held
        rose = max(pins.rises(name, 0, at), default=at)
        fell = min((when for when, pin, level in pins.between(rose) if pin == name and not level), default=at)
        return fell - rose >= least, f"{pins.text()}; {name} was for {fell - rose:.1f} s", at


@dataclass
class Dark:
    """No pin high for some seconds."""

    seconds: float = 2.0

    def __str__(self):
        return f"all low, and for {self.seconds:g} s"

    def wait(self, pins, begin, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            since = pins.wait(dict.fromkeys(NAMES, 0), end - time.monotonic())
            if since is None:
                break
            since = max(since, begin)
            time.sleep(max(0.0, since + self.seconds - time.monotonic()))
            if not [change for change in pins.between(since) if change[2]]:
                return True, "all low", since
        return False, pins.text(), time.monotonic()


@dataclass
class Blinks:
    """One pin goes on and off with a period, three times in a row, all others low."""

    name: str
    period: float
    tolerance: float = 0.25

    def __str__(self):
        return f"{self.name} blinks every {self.period:g} s, others low"

    def wait(self, pins, begin, within):
        end = time.monotonic() + within
        seen = "no blinking"
        while time.monotonic() < end:
            time.sleep(0.1)
            rises = pins.rises(self.name, begin)
            if len(rises) < 4:
                continue
            last = rises[-4:]
            period = (last[3] - last[0]) / 3
            seen = f"{self.name} blinks every {period:.2f} s"
            others = [name for _, name, level in pins.between(last[0]) if level and name != self.name]
            steady = all(abs(b - a - self.period) <= self.tolerance for a, b in zip(last, last[1:]))
            if steady and not others:
                return True, seen, rises[0]
        return False, f"{seen}; {pins.text()}", time.monotonic()


@dataclass
class Beeps:
    """A pin goes on and off a number of times, and is then silent."""

    name: str
    times: int
    silence: float = 1.5

    def __str__(self):
        return f"{self.name} beeps {self.times} times"

    def wait(self, pins, begin, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            time.sleep(0.1)
            rises = pins.rises(self.name, begin)
            if rises and pins.levels[self.name] == 0 and time.monotonic() - rises[-1] > self.silence:
                return len(rises) == self.times, f"{len(rises)} beeps", rises[-1]
        return False, f"{len(pins.rises(self.name, begin))} beeps, no end", time.monotonic()


@dataclass
class Held:
    """A pin goes high, and low again so many seconds later."""

    name: str
    seconds: float
    tolerance: float = 0.5

    def __str__(self):
        return f"{self.name} high for {self.seconds:g} s"

    def wait(self, pins, begin, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            time.sleep(0.1)
            changes = [(at, level) for at, name, level in pins.between(begin) if name == self.name]
            rose = next((at for at, level in changes if level), None)
            fell = next((at for at, level in changes if not level and rose is not None and at > rose), None)
            if fell is not None:
                return abs(fell - rose - self.seconds) <= self.tolerance, f"{self.name} was for {fell - rose:.1f} s", fell
        return False, f"{self.name} did not go high and low", time.monotonic()
