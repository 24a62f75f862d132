"""The boards: what QEMU is told, and the first system that they boot into."""

import re
from pathlib import Path

from . import device_tree
from .initramfs import Initramfs, Modules, kernel_file

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / "target/board"
EMULATOR = CACHE / "qemu-system-aarch64"
GUEST = REPOSITORY / "tests/board/guest"
TARGET = "aarch64-unknown-linux-gnu"
DAEMON = REPOSITORY / "target" / TARGET / "release/maskwatch"
CAMERA = CACHE / "camera" / TARGET / "release/board-camera"
UNIT = REPOSITORY / "systemd/maskwatch.service"
PINS = {"red": 17, "green": 27, "amber": 22, "buzzer": 23}

# The C library, from Debian's cross compiler.
LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")
NEEDED = (
    "ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libgcc_s.so.1",
    # Empty since glibc 2.34, but a program for older ones loads them.
    "libdl.so.2", "libpthread.so.0", "librt.so.1",
)

# The port of the tests' shell: the board's first.
PORT = "/dev/ttyAMA0"
CONSOLE = "ttyS1,115200"

MEMORY = {"raspi3b": "1G", "raspi4b": "2G"}
# The second serial port of QEMU's raspi4b, once opened, often interrupts for ever. What is last here becomes /dev/console, which the kernel
# opens for the first process; what the kernel itself says needs no interrupts and goes to both.
MORE_CONSOLES = {"raspi3b": "", "raspi4b": "console=tty0 "}


def small_system(folder, kernel, modules=(), loaded=(), available=("v4l2loopback",), scripts=()):
    """An initramfs with the daemon, its camera and its unit; the daemon is where the unit looks for it."""
    archive = Initramfs()
    archive.program("init", GUEST / "init")
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "mnt"):
        archive.folder(name)
    archive.program("bin/busybox", CACHE / "busybox/bin/busybox")
    archive.link("bin/sh", "busybox")
    for library in NEEDED:
        archive.program(f"lib/{library}", LIBRARIES / library)
    archive.program("board/shell", GUEST / "shell")
    for script in ("camera.sh", "daemon.sh", *scripts):
        archive.add(f"board/{script}", GUEST / script)
    archive.text("board/port", PORT)
    pictures(archive)
    archive.program("usr/bin/board-camera", CAMERA)
    archive.add("board/maskwatch.service", UNIT)
    program, config = unit_paths()
    archive.program(program, DAEMON)
    archive.add(config, GUEST / "maskwatch.toml")
    if "vivid" in available:
        controls(archive)
    Modules(CACHE / kernel, *modules).pack(archive, loaded, available)
    archive.write(folder / "initramfs.gz")
    return folder / "initramfs.gz"


def controls(archive):
    """v4l2-ctl and its libraries."""
    root = CACHE / "v4l-utils"
    archive.program("usr/bin/v4l2-ctl", root / "usr/bin/v4l2-ctl")
    for library in (*root.glob("usr/lib/aarch64-linux-gnu/*.so.*"), *root.glob("lib/aarch64-linux-gnu/*.so.*")):
        archive.program(f"lib/{library.name}", library)


# The SD card's controllers and file system; the checksum is asked for by name and must be there first.
CARD_MODULES = ("crc32c_generic", "ext4", "sdhci_iproc", "bcm2835", "videodev")


def card_system(folder, kernel, more=()):
    """An initramfs that goes on with the system on the SD card."""
    archive = Initramfs()
    archive.program("init", GUEST / "init-card")
    for name in ("proc", "sys", "dev", "mnt"):
        archive.folder(name)
    archive.program("bin/busybox", CACHE / "busybox/bin/busybox")
    archive.link("bin/sh", "busybox")
    Modules(CACHE / kernel, CACHE / "modules").pack(archive, [*CARD_MODULES, *more])
    archive.write(folder / "initramfs.gz")
    return folder / "initramfs.gz"


def card(image="card.img"):
    """QEMU's arguments for an SD card that forgets what was written when the machine ends."""
    return ["-drive", f"file={CACHE / image},if=sd,format=raw,snapshot=on"]


def pictures(archive):
    """The two faces that the camera shows."""
    for name, file in (("bare", "astronaut.jpg"), ("masked", "astronaut-masked.jpg")):
        archive.add(f"board/pictures/{name}.jpg", REPOSITORY / "tests/fixtures" / file)


def unit_paths():
    """Where the unit's ExecStart expects the program and its configuration, without the leading slash."""
    found = re.search(r"^ExecStart=/(\S+) run --config /(\S+)", UNIT.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"error: {UNIT} has no ExecStart=/PROGRAM run --config /FILE")
    return found.groups()


def raspberry_pi(folder, machine, tree, kernel, system, append="", pwm=None):
    """QEMU's arguments for a Raspberry Pi, with a pin for PWM if wanted (see `device_tree`)."""
    root = CACHE / kernel
    return [
        "-M", machine, "-m", MEMORY[machine], "-kernel", kernel_file(root),
        "-dtb", device_tree.prepare(root, tree, folder / "board.dtb", pwm), "-initrd", system,
        "-append", f"console={CONSOLE} {MORE_CONSOLES[machine]}iomem=relaxed panic=1 {append}",
    ]


def virtual(kernel, system):
    """QEMU's arguments for its own machine, which has no pins."""
    return [
        "-M", "virt", "-cpu", "cortex-a53", "-smp", "4", "-m", "1G", "-kernel", kernel_file(CACHE / kernel), "-initrd", system,
        "-append", "console=ttyAMA1 panic=1",
    ]
