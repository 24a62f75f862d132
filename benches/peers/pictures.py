"""The pictures that quantization is calibrated on, and the crop that every runtime is checked and timed with."""

import csv
import os
import pathlib

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("MASKWATCH_SHARED") or ROOT / "../shared")
MARGIN = 1.1  # of models/classifier.safetensors
# The faces of the two bundled pictures.
FIXTURES = [("astronaut.jpg", (178, 65, 91, 111)), ("astronaut-masked.jpg", (178, 65, 91, 111))]


def crop(picture, box, side, margin=MARGIN):
    """The square around a face box (x, y, width, height), edge pixels repeated beyond the picture, as uint8 [side, side, 3]."""
    x, y, w, h = box
    half = margin * max(w, h) / 2
    left, top = round(x + w / 2 - half), round(y + h / 2 - half)
    length = max(round(2 * half), 1)
    pixels = numpy.asarray(picture.convert("RGB"))
    rows = numpy.clip(numpy.arange(top, top + length), 0, pixels.shape[0] - 1)
    columns = numpy.clip(numpy.arange(left, left + length), 0, pixels.shape[1] - 1)
    return numpy.asarray(Image.fromarray(pixels[rows][:, columns]).resize((side, side), Image.Resampling.BILINEAR))


def calibration_faces(side, count=64):
    """Crops for calibration: faces to train on from $MASKWATCH_SHARED, or variants of the bundled ones where it is not here."""
    table = SHARED / "data" / "faces.csv"
    if table.exists():
        with open(table, newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
        chosen = rows[:: max(len(rows) // count, 1)][:count]
        box = lambda row: [float(row[key]) for key in "xywh"]
        return [crop(Image.open(table.parent / "images" / row["image"]), box(row), side) for row in chosen]
    variants = []
    for name, box in FIXTURES:
        picture = Image.open(ROOT / "tests/fixtures" / name)
        for margin in [0.9, 1.0, 1.1, 1.3]:
            for shift in [-8, 0, 8]:
                seen = crop(picture, (box[0] + shift, box[1], *box[2:]), side, margin)
                variants += [seen, seen[:, ::-1], (seen * 0.6).astype(numpy.uint8)]
    return variants


def calibration_frames(side, count=16):
    """Pictures for the detector's calibration, fitted into a square, black beside them."""
    folder = SHARED / "data" / "images" / "kaggle853"
    paths = sorted(folder.glob("*.jpg")) if folder.exists() else []
    paths = paths[:: max(len(paths) // count, 1)][:count] or [ROOT / "tests/fixtures" / name for name, _ in FIXTURES]
    return [letterbox(Image.open(path), side) for path in paths]


def letterbox(picture, side):
    """The picture fitted into a square, at its top left, black elsewhere, as uint8 [side, side, 3]."""
    scale = side / max(picture.size)
    fitted = picture.convert("RGB").resize([round(length * scale) for length in picture.size], Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(fitted, (0, 0))
    return numpy.asarray(canvas)


def check_face(side):
    """The crop every classifier is checked and timed with."""
    picture = Image.open(ROOT / "tests/reference/masked.png").convert("RGB")
    return numpy.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def check_frame(side):
    """The picture every detector is checked and timed with."""
    return letterbox(Image.open(ROOT / "tests/fixtures/astronaut.jpg"), side)
