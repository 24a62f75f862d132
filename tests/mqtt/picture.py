"""A grey JPEG without anything in it, as large as another."""

import struct


def size(jpeg):
    """Width and height, from the header of a frame."""
    place = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, place)
        if marker in (0xFFC0, 0xFFC1, 0xFFC2):
            height, width = struct.unpack_from(">HH", jpeg, place + 5)
            return width, height
        place += 2 + length


def grey(width, height):
    """Each block is two bits: no difference to the block before, and the end of the block."""
    blocks = -(-width // 8) * -(-height // 8)
    bits = "00" * blocks
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")

    def segment(marker, payload):
        return struct.pack(">HH", marker, len(payload) + 2) + payload

    one_code = bytes([1] + [0] * 15 + [0])
    return b"".join([
        b"\xff\xd8",
        segment(0xFFDB, b"\x00" + b"\x10" * 64),
        segment(0xFFC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"),
        segment(0xFFC4, b"\x00" + one_code + b"\x10" + one_code),
        segment(0xFFDA, b"\x01\x01\x00\x00\x3f\x00"),
        scan,
        b"\xff\xd9",
    ])
