"""Our two networks as ONNX: f32 with batch norms folded, and 8-bit (QDQ, weights s8 per channel, activations u8)."""

import sys

import numpy
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import pictures

sys.path.insert(0, str(pictures.ROOT / "tests/reference"))
import make_reference as reference  # noqa: E402


def classifier(side):
    graph, outputs = reference.classifier_graph()
    return folded(graph.model([1, 3, side, side], outputs[1:2]))


def detector(side):
    graph, _, outputs = reference.detector_graph()
    return with_shapes(graph.model([1, 3, side, side], outputs))


def folded(model):
    """The model with each batch norm folded into the convolution before it."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        scale, bias, mean, variance = (tensors.pop(name) for name in node.input[1:])
        factor = scale / numpy.sqrt(variance + 1e-5)
        conv = made_by[node.input[0]]
        weight = conv.input[1]
        tensors[weight] = tensors[weight] * factor[:, None, None, None]
        tensors[f"{weight}.bias"] = bias - mean * factor
        conv.input.append(f"{weight}.bias")
        conv.output[0] = node.output[0]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    return with_shapes(model)


def with_shapes(model):
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


class Samples(CalibrationDataReader):
    def __init__(self, inputs):
        self.inputs = iter(inputs)

    def get_next(self):
        value = next(self.inputs, None)
        return None if value is None else {"input": value}


def quantized(model, inputs, path):
    """Writes the 8-bit model to `path`, which takes u8 values as its first convolution reads them, and gives their scale and
    zero point: so no runtime is timed with the quantization of its input, which ours does while it cuts the face out."""
    plain = path.with_suffix(".plain.onnx")
    onnx.save(model, plain)
    quant_pre_process(str(plain), str(plain), skip_symbolic_shape=True)
    # Weights of 7 bits: with 8, products of u8 and s8 saturate on x86 without VNNI, and results are far off.
    quantize_static(str(plain), str(path), Samples(inputs), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
    plain.unlink()
    model = onnx.load(path)
    first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "input")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scale, zero_point = (tensors[name].item() for name in first.input[1:])
    for node in model.graph.node:
        node.input[:] = ["input" if name == first.output[0] else name for name in node.input]
    model.graph.node.remove(first)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return scale, zero_point
