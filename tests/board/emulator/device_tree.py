"""The device trees of Debian's kernel, less what the emulated boards lack."""

import re
import shutil
import subprocess
from pathlib import Path

# The Bluetooth chip would take the first serial port, which the tests' shell uses.
BLUETOOTH = "/soc/serial@7e201000/bluetooth"
# QEMU's raspi4b has no graphics, no USB, no I2C and no PWM: their drivers would wait for ever, or break.
NOT_IN_RASPI4B = re.compile(r"@7ef|hvs|pixelvalve|i2c|pwm|vec|dsi|csi|usb|hdmi|firewire")


def prepare(kernel, name, output):
    """Writes the tree `name` of an unpacked kernel package, fitted to the emulator, to `output`."""
    source = next(Path(kernel).glob(f"usr/lib/linux-image-*/broadcom/{name}"), None)
    if source is None:
        raise SystemExit(f"error: the kernel package in {kernel} has no device tree {name}")
    shutil.copy(source, output)
    subprocess.run(["fdtput", "-r", output, BLUETOOTH], check=True)
    if name.startswith("bcm2711"):
        nodes = subprocess.run(["fdtget", "-l", output, "/soc"], check=True, capture_output=True, text=True)
        for node in filter(NOT_IN_RASPI4B.search, nodes.stdout.split()):
            subprocess.run(["fdtput", "-t", "s", output, f"/soc/{node}", "status", "disabled"], check=True)
    return output
