#!/usr/bin/env python3
"""Writes our two networks in the formats of the other runtimes, with what each takes as input, into target/peers/models.

Files are named NETWORK_SIDE.PRECISION.FORMAT, their inputs the same with .npy behind. What is there already and newer than
the weights and these scripts is kept.
"""

import logging
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy
import onnx

import ncnn_model
import onnx_models
import pictures
from onnx_models import reference

MODELS = pictures.ROOT / "target/peers/models"
CLASSIFIER_SIDES, DETECTOR_SIDES = [224, 128], [320, 640]


def quantize(value, scale, zero_point, kind):
    limits = numpy.iinfo(kind)
    return numpy.clip(numpy.rint(value / scale) + zero_point, limits.min, limits.max).astype(kind)


def onnx_files(network, side, model, samples, checked):
    """The f32 and the 8-bit ONNX file with their inputs; gives the path of the first."""
    paths = [MODELS / f"{network}_{side}.{precision}.onnx" for precision in ("f32", "int8")]
    onnx.save(model, paths[0])
    numpy.save(f"{paths[0]}.npy", checked)
    checked.tofile(f"{paths[0]}.raw")
    numpy.save(f"{paths[1]}.npy", quantize(checked, *onnx_models.quantized(model, samples, paths[1]), numpy.uint8))
    return paths[0]


def classifier(side):
    faces = numpy.stack(pictures.calibration_faces(side))
    samples = [reference.classifier_input(face[None]) for face in faces]
    face = pictures.check_face(side)[None]
    checked = reference.classifier_input(face)
    plain = onnx_files("classifier", side, onnx_models.classifier(side), samples, checked)

    scales = ncnn_model.input_scales(plain, samples)
    for precision, chosen in [("f32", None), ("int8", scales)]:
        ncnn_model.write(plain, side, MODELS / f"classifier_{side}_{precision}_ncnn", chosen)

    import tflite_model  # takes seconds to import
    from ai_edge_litert.interpreter import Interpreter

    path = MODELS / f"classifier_{side}.int8.tflite"
    tflite_model.write(path, plain, faces)
    scale, zero_point = Interpreter(str(path)).get_input_details()[0]["quantization"]
    numpy.save(f"{path}.npy", quantize(tflite_model.mirrored(face), scale, zero_point, numpy.int8))


def detector(side):
    samples = [reference.detector_input(frame[None]) for frame in pictures.calibration_frames(side)]
    checked = reference.detector_input(pictures.check_frame(side)[None])
    onnx_files("detector", side, onnx_models.detector(side), samples, checked)


def main():
    logging.getLogger().setLevel(logging.ERROR)
    MODELS.mkdir(parents=True, exist_ok=True)
    scripts = [path for path in pathlib.Path(__file__).parent.glob("*.py") if path.name not in ("run.py", "worker.py")]
    sources = scripts + list((pictures.ROOT / "models").glob("*.safetensors"))
    done = MODELS / "done"
    if done.exists() and all(done.stat().st_mtime > source.stat().st_mtime for source in sources):
        return
    where = pictures.SHARED / "data"
    chosen = f"pictures of {where}" if where.exists() else f"the bundled pictures, since {where} is not here"
    print(f"Calibrating on {chosen}")
    for side in CLASSIFIER_SIDES:
        classifier(side)
    for side in DETECTOR_SIDES:
        detector(side)
    done.touch()


if __name__ == "__main__":
    main()
