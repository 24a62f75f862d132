"""Steps of a test as data, and how one is taken: something is done in the guest, then the pins are watched from outside."""

import os
import time
from dataclasses import dataclass

from .expect import Beeps, Blinks, Dark, Shows


@dataclass
class Step:
    """`do` is run in the guest, after `first`; `expect` must come `within` seconds of the guest's clock from `do` on, and not
    before `after`."""

    name: str
    do: str
    expect: object
    within: float
    after: float = 0.0
    first: str = ""


# Seconds that an emulated board may take longer than a real one: it is some thirty times slower, and slower still beside other work.
SLACK = int(os.environ.get("MASKWATCH_SLACK", "45"))


def take(step, machine, pins, table):
    """Takes a step and enters what came of it into the table."""
    if step.first:
        machine.shell(step.first, timeout=120)
    # Without anything to do, it is what was done last that has one more effect.
    begin = time.monotonic() if step.do else pins.last_step
    pins.last_step = begin
    if step.do:
        machine.shell(step.do, timeout=120)
    came, seen, at = step.expect.wait(pins, begin, step.within)
    took = max(at - begin, 0.0)
    early = came and took < step.after
    limits = f"{step.after:g} to {step.within:g}"
    return table.add(
        step.name, str(step.expect), limits, f"{took:.1f}", seen, came and not early, machine.guest_time(begin + took)
    )


def driven(machine, pins, table):
    """All pins must be driven, not floating inputs."""
    wanted, count = len(pins.numbers), len(pins.outputs())
    table.add("the pins are driven", f"{wanted} pins are outputs", "", "", f"{count} are", count == wanted, machine.guest_time())


def door(video, other):
    """The steps that every board takes, with its camera at /dev/videoVIDEO and later at /dev/videoOTHER."""
    return [
        Step("no camera yet: fault", "start", Blinks("amber", 1.0), 20 + SLACK),
        Step("camera comes, nobody there: idle", f"shows nobody; plug {video}; film {video}", Dark(), 30 + SLACK),
        Step("bare face: alert", "shows bare", Shows(("red",), but=("buzzer",)), 5 + SLACK),
        Step("and the buzzer beeps three times", "", Beeps("buzzer", 3), 10 + SLACK),
        Step("the face is masked: pass", "shows masked", Shows(("green",), held=("red", 3.0)), 5 + SLACK),
        Step("nobody there: idle", "shows nobody", Dark(), 10 + SLACK),
        Step("frames stop: fault after 5 s", "stop_film", Blinks("amber", 1.0), 10 + SLACK, after=4.0),
        Step("frames come back: pass", f"shows masked; film {video}", Shows(("green",)), 30 + SLACK),
        Step("the camera is pulled: fault", "stop_film; unplug", Blinks("amber", 1.0), 20 + SLACK, first="sleep 12"),
        Step(f"it is back as /dev/video{other}, with MJPEG: alert", f"shows bare; plug {other}; film {other} mjpeg",
             Shows(("red",), but=("buzzer",)), 30 + SLACK),
    ]
