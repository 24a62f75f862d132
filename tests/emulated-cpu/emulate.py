#!/usr/bin/env python3
"""Runs two static programs in a small Linux on a processor that Bochs emulates, and ends with the exit code of the first.

    emulate.py KERNEL FOLDER INIT PROGRAM...

KERNEL is a Linux image, FOLDER takes what is written; INIT becomes /init, each PROGRAM lies beside it. What they print is printed.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import tty

# The oldest processor in Bochs 2.7 with AVX-512 VNNI that Debian's kernel boots on.
PROCESSOR = "tigerlake"
SECONDS = 1800
# Bits that the kernel must not believe, since Bochs 2.7 announces what it does not do as real processors do:
# PKU (its part of the XSAVE area has no size), XSAVEC and XSAVES (the size of the compacted area is wrong), and FSRM (it comes without
# fast strings, and the kernel's memmove then copies without end).
HIDDEN = {"pku": 515, "xsavec": 321, "xsaves": 323, "fsrm": 580}
# A panic ends the machine: the end of the first process is one, and the reboot that follows a fault that Bochs stops at.
COMMAND_LINE = f"console=ttyS0 panic=-1 reboot=triple mitigations=off loglevel=4 clearcpuid={','.join(map(str, HIDDEN.values()))}"

BOCHSRC = """
display_library: rfb, options="timeout=0"
megs: 512
cpu: model={processor}, count=1, ips=100000000, reset_on_triple_fault=0
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={image}, status=inserted
boot: cdrom
com1: enabled=1, mode=term, dev={serial}
log: {log}
panic: action=fatal
clock: sync=none
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
"""


def initial_files(entries):
    """An archive for the kernel (cpio, "newc"): names, modes, contents and device numbers."""
    archive = b""
    for number, (name, mode, content, device) in enumerate([*entries, ("TRAILER!!!", 0, b"", (0, 0))], 1):
        path = name.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0]
        part = b"070701" + b"".join(b"%08x" % field for field in fields) + path
        for data in (part, content):
            archive += data + bytes(-len(data) % 4)
    return archive


def boot_image(folder, kernel, programs):
    """A CD that boots the kernel with these programs; gives its path."""
    disc = folder / "disc"
    shutil.rmtree(disc, ignore_errors=True)
    (disc / "isolinux").mkdir(parents=True)
    shutil.copy(kernel, disc / "vmlinuz")
    entries = [("dev", 0o40755, b"", (0, 0)), ("dev/console", 0o20600, b"", (5, 1))]
    names = ["init"] + [pathlib.Path(program).name for program in programs[1:]]
    entries += [(name, 0o100755, pathlib.Path(program).read_bytes(), (0, 0)) for name, program in zip(names, programs)]
    (disc / "initrd").write_bytes(initial_files(entries))
    for file in ["/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32"]:
        shutil.copy(file, disc / "isolinux")
    menu = f"DEFAULT linux\nPROMPT 0\nLABEL linux\n KERNEL /vmlinuz\n INITRD /initrd\n APPEND {COMMAND_LINE}\n"
    (disc / "isolinux/isolinux.cfg").write_text(menu)
    image = folder / "boot.iso"
    loader = ["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", image, *loader, disc], check=True, stderr=subprocess.DEVNULL)
    return image


def main():
    kernel, folder, *programs = sys.argv[1:]
    folder = pathlib.Path(folder).resolve()
    image = boot_image(folder, kernel, programs)
    # The serial port is a terminal of ours: Bochs writes a file only now and then.
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    settings = BOCHSRC.format(processor=PROCESSOR, image=image, serial=os.ttyname(theirs), log=folder / "bochs.log")
    (folder / "bochsrc").write_text(settings)
    (folder / "start").write_text("c\n")  # Debian's Bochs has a debugger, which waits for "continue".
    with open(folder / "bochs.out", "w") as output:
        bochs = subprocess.Popen(["bochs", "-q", "-f", folder / "bochsrc", "-rc", folder / "start"], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    text, shown, end = "", 0, time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and (bochs.poll() is None or select.select([ours], [], [], 0)[0]):
            if select.select([ours], [], [], 1)[0]:
                text += os.read(ours, 4096).decode(errors="replace").replace("\r", "")
                lines = text[shown:].splitlines(keepends=True)
                for line in lines[: len(lines) - (not text.endswith("\n"))]:
                    shown += len(line)
                    if not re.match(r"\[ *\d+\.\d+\]", line):  # what the kernel itself says
                        print(line, end="", flush=True)
                ended = re.search(r"exitcode=0x(\w{8})", text)
                if ended:
                    code = int(ended[1], 16)
                    print(f"The emulated machine ended with exit code {code >> 8}.")
                    sys.exit(0 if code == 0 else 1)
        print(f"The emulated machine did not come to an end; see {folder}/bochs.log", file=sys.stderr)
        sys.exit(2)
    finally:
        if bochs.poll() is None:
            os.killpg(bochs.pid, 9)


if __name__ == "__main__":
    main()
