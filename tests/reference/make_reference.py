#!/usr/bin/env python3
"""Reference outputs of the shipped networks by ONNX Runtime, for tests/shipped_weights.rs.

Builds the networks as ONNX graphs from models/*.safetensors, independently of the Rust code (NCHW, batch norms left as
nodes of their own), runs them on the two pictures beside this script and writes reference.safetensors there.

    python3 -m venv venv && venv/bin/pip install -r tests/reference/requirements.txt
    venv/bin/python tests/reference/make_reference.py
"""

import pathlib

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"
MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
DEVIATION = numpy.array([0.229, 0.224, 0.225], numpy.float32)


class Graph:
    """An ONNX graph that grows node by node; each method returns the name of its result."""

    def __init__(self, weights):
        with safe_open(MODELS / weights, "numpy") as file:
            self.weights = {name: file.get_tensor(name) for name in file.keys()}
        self.nodes, self.used = [], set()

    def node(self, kind, inputs, **attributes):
        name = f"{kind}_{len(self.nodes)}"
        self.used.update(name for name in inputs if name in self.weights)
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def conv(self, x, name, stride=1, bias=False):
        weight = self.weights[f"{name}.weight"]
        size = weight.shape[2]
        depthwise = weight.shape[1] == 1 and size == 3
        inputs = [x, f"{name}.weight"] + ([f"{name}.bias"] if bias else [])
        return self.node("Conv", inputs, kernel_shape=[size, size], strides=[stride, stride],
                         pads=[size // 2] * 4, group=weight.shape[0] if depthwise else 1)

    def norm(self, x, name):
        parts = ["weight", "bias", "running_mean", "running_var"]
        return self.node("BatchNormalization", [x] + [f"{name}.{part}" for part in parts], epsilon=1e-5)

    def relu6(self, x):
        self.weights["zero"], self.weights["six"] = numpy.float32(0), numpy.float32(6)
        return self.node("Clip", [x, "zero", "six"])

    def model(self, shape, outputs):
        """The ONNX model that takes an input of this shape and gives the named results."""
        info = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        initializers = [numpy_helper.from_array(self.weights[name], name) for name in sorted(self.used)]
        graph = helper.make_graph(self.nodes, "network", [info("input", shape)],
                                  [info(name, None) for name in outputs], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    def run(self, inputs, outputs):
        model = self.model(inputs.shape, outputs).SerializeToString()
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return session.run(outputs, {"input": inputs})


def blocks(graph, count):
    """The first `count` blocks of MobileNetV2 on "input"."""
    x = graph.relu6(graph.norm(graph.conv("input", "features.0.0", stride=2), "features.0.1"))
    block, inputs = 1, 32
    for expansion, outputs, repetitions, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                   (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for index in range(repetitions):
            if block == count:
                return x
            stride, name, start, part = first if index == 0 else 1, f"features.{block}.conv", x, 0
            if expansion > 1:
                x = graph.relu6(graph.norm(graph.conv(x, f"{name}.0.0"), f"{name}.0.1"))
                part = 1
            x = graph.relu6(graph.norm(graph.conv(x, f"{name}.{part}.0", stride), f"{name}.{part}.1"))
            x = graph.norm(graph.conv(x, f"{name}.{part + 1}"), f"{name}.{part + 2}")
            if stride == 1 and inputs == outputs:
                x = graph.node("Add", [x, start])
            block, inputs = block + 1, outputs
    return x


def classifier_graph():
    """MobileNetV2 with its head; the names of its features, logits, and the outputs incorrect and presence."""
    graph = Graph("classifier.safetensors")
    x = blocks(graph, 18)
    x = graph.relu6(graph.norm(graph.conv(x, "features.18.0"), "features.18.1"))
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])])
    hidden = graph.node("Relu", [graph.node("Gemm", [features, "head.0.weight", "head.0.bias"], transB=1)])
    logits = graph.node("Gemm", [hidden, "head.3.weight", "head.3.bias"], transB=1)
    incorrect = graph.node("Gemm", [hidden, "head.incorrect.weight", "head.incorrect.bias"], transB=1)
    presence = graph.node("Gemm", [features, "head.presence.weight", "head.presence.bias"], transB=1)
    return graph, [features, logits, incorrect, presence]


def classifier_input(pictures):
    """What MobileNetV2 takes, [N, 3, H, W], for RGB pictures [N, H, W, 3], 0 to 255."""
    pixels = (pictures.astype(numpy.float32) / 255 - MEAN) / DEVIATION
    return numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def classifier(pictures):
    """Features [N, 1280], logits [N, 2], incorrect [N, 1] and presence [N, 2] of RGB pictures [N, H, W, 3], 0 to 255."""
    graph, outputs = classifier_graph()
    return graph.run(classifier_input(pictures), outputs)


def landmarks(pictures):
    """Ten values [N, 10] of RGB crops [N, 96, 96, 3], 0 to 255."""
    graph = Graph("landmarks.safetensors")
    x = graph.relu6(graph.conv(blocks(graph, 14), "landmarks.0", bias=True))
    flat = graph.node("Flatten", [graph.node("Transpose", [x], perm=[0, 2, 3, 1])])
    values = graph.node("Gemm", [flat, "landmarks.1.weight", "landmarks.1.bias"], transB=1)
    return graph.run(classifier_input(pictures), [values])[0]


def detector_graph():
    """YuNet-n; what its twelve maps are called by us, and in the graph."""
    graph = Graph("detector.safetensors")

    def separable(x, name, relu=True):
        x = graph.conv(graph.conv(x, f"{name}.conv1", bias=True), f"{name}.conv2", bias=True)
        return graph.node("Relu", [x]) if relu else x

    def pool(x):
        return graph.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def twice(x):
        graph.weights["scales"] = numpy.array([1, 1, 2, 2], numpy.float32)
        return graph.node("Resize", [x, "", "scales"], mode="nearest", coordinate_transformation_mode="asymmetric",
                          nearest_mode="floor")

    stage = lambda x, model: separable(separable(x, f"backbone.model{model}.conv1"), f"backbone.model{model}.conv2")
    x = graph.node("Relu", [graph.conv("input", "backbone.model0.conv1", stride=2, bias=True)])
    x = pool(separable(x, "backbone.model0.conv2"))
    x = stage(stage(x, 1), 2)
    at_8 = stage(pool(x), 3)
    at_16 = stage(pool(at_8), 4)
    at_32 = stage(pool(at_16), 5)
    at_32 = separable(at_32, "neck.lateral_convs.2")
    at_16 = separable(graph.node("Add", [at_16, twice(at_32)]), "neck.lateral_convs.1")
    at_8 = separable(graph.node("Add", [at_8, twice(at_16)]), "neck.lateral_convs.0")
    names, outputs = [], []
    for level, x in enumerate([at_8, at_16, at_32]):
        x = separable(x, f"head.multi_level_share_convs.{level}.0")
        for part in ["cls", "obj", "bbox", "kps"]:
            names.append(f"{part}_{8 << level}")
            outputs.append(separable(x, f"head.multi_level_{part}.{level}", relu=False))
    return graph, names, outputs


def detector_input(pictures):
    """What YuNet takes, [N, 3, H, W], BGR, for RGB pictures [N, H, W, 3], 0 to 255."""
    return numpy.ascontiguousarray(pictures[..., ::-1].astype(numpy.float32).transpose(0, 3, 1, 2))


def detector(pictures):
    """The twelve maps of YuNet-n, NHWC, logits before the sigmoid, for RGB pictures [N, H, W, 3], 0 to 255."""
    graph, names, outputs = detector_graph()
    maps = graph.run(detector_input(pictures), outputs)
    return {name: numpy.ascontiguousarray(value.transpose(0, 2, 3, 1)) for name, value in zip(names, maps)}


def main():
    pictures = numpy.stack([numpy.asarray(Image.open(HERE / f"{name}.png").convert("RGB")) for name in ["bare", "masked"]])
    features, logits, incorrect, presence = classifier(pictures)
    tensors = {"features": features, "logits": logits, "incorrect": incorrect, "presence": presence}
    tensors.update(landmarks=landmarks(pictures[:, :96, :96]), **detector(pictures[:1]))
    made_by = {"made_by": f"tests/reference/make_reference.py with ONNX Runtime {onnxruntime.__version__}"}
    save_file(tensors, HERE / "reference.safetensors", made_by)
    print("logits of bare and masked:", logits.round(3).tolist())


if __name__ == "__main__":
    main()
