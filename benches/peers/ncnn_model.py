"""Our classifier as ncnn files (.param, .bin), f32 or 8-bit, written from the folded ONNX graph.

ncnn's own converters are no part of its PyPI package; the format is a text of layers and a file of weights in their order
(https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure). 8-bit is symmetric there: a scale per output channel for
the weights, one for the layer's input, and, where the next layer is a convolution, one for the output.
"""

import numpy
import onnx
import onnxruntime
from onnx import helper, numpy_helper

INT8_TAG = 0x000D4B38
HEADER = 7767517


def input_scales(path, inputs):
    """For each convolution's and linear layer's input in the ONNX file, 127 over the largest magnitude seen on `inputs`."""
    model = onnx.load(path)
    names = sorted({node.input[0] for node in model.graph.node if node.op_type in ("Conv", "Gemm")} - {"input"})
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    largest = {"input": max(abs(value).max() for value in inputs)}
    for value in inputs:
        for name, found in zip(names, session.run(names, {"input": value})):
            largest[name] = max(largest.get(name, 0), abs(found).max())
    return {name: numpy.float32(127 / value) for name, value in largest.items()}


def write(path, side, target, scales=None):
    """Writes target.param and target.bin; 8-bit where `scales` of [`input_scales`] are given."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    lines, blobs, weights = [f"Input input 0 1 input 0={side} 1={side} 2=3"], {"input"}, []
    taken, current = {}, {}

    def read(name):
        """The blob to read: where several layers read one, each has a copy of its own, which ncnn asks for."""
        name = current.get(name, name)
        if name not in taken:
            return name
        taken[name] += 1
        return f"{name}_{taken[name] - 1}"

    def add(kind, node, inputs, result, parameters):
        lines.append(f"{kind} {node.name or result} {len(inputs)} 1 {' '.join(inputs)} {result} {parameters}")
        blobs.add(result)
        count = len(readers.get(result, []))
        if count > 1:
            copies = [f"{result}_{index}" for index in range(count)]
            lines.append(f"Split split_{result} 1 {count} {result} {' '.join(copies)}")
            blobs.update(copies)
            taken[result] = 0

    def weighted(node, result, activation):
        weight, bias = (tensors[name] for name in node.input[1:])
        if scales is None:
            weights.append(numpy.uint32(0).tobytes() + weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes())
            return weight, f"{activation}"
        flat = weight.reshape(weight.shape[0], -1)
        factor = 127 / abs(flat).max(axis=1).clip(1e-9)
        data = numpy.clip(numpy.rint(flat * factor[:, None]), -127, 127).astype(numpy.int8).tobytes()
        data += bytes(-len(data) % 4)
        parts = [bias, factor, [scales[node.input[0]]]]
        depthwise = node.op_type == "Conv" and weight.shape[1] == 1
        term = 1 if depthwise else 2
        following = readers.get(result, [])
        if node.op_type == "Conv" and len(following) == 1 and following[0].op_type == "Conv":
            term += 100
            parts.append([scales[result]])
        weights.append(numpy.uint32(INT8_TAG).tobytes() + data + b"".join(numpy.asarray(part, "<f4").tobytes() for part in parts))
        return weight, f"8={term} {activation}"

    skipped = set()
    for node in graph.node:
        if node.output[0] in skipped:
            continue
        result, activation = node.output[0], ""
        if node.op_type in ("Conv", "Gemm"):
            following = readers.get(result, [])
            if len(following) == 1 and following[0].op_type in ("Clip", "Relu"):
                result = following[0].output[0]
                skipped.add(result)
                activation = "9=3 -23310=2,0.0,6.0" if following[0].op_type == "Clip" else "9=1"
        source = [read(name) for name in node.input if name not in tensors]
        if node.op_type == "Conv":
            settings = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
            weight, more = weighted(node, result, activation)
            group = settings["group"]
            kind = "ConvolutionDepthWise" if group > 1 else "Convolution"
            shape = f"0={weight.shape[0]} 1={weight.shape[2]} 3={settings['strides'][0]} 4={settings['pads'][0]} 5=1 6={weight.size}"
            add(kind, node, source, result, f"{shape} {f'7={group} ' if group > 1 else ''}{more}")
        elif node.op_type == "Gemm":
            weight, more = weighted(node, result, activation)
            add("InnerProduct", node, source, result, f"0={weight.shape[0]} 1=1 2={weight.size} {more}")
        elif node.op_type == "Add":
            add("BinaryOp", node, source, result, "0=0")
        elif node.op_type == "GlobalAveragePool":
            add("Pooling", node, source, result, "0=1 4=1")
        elif node.op_type == "Flatten":
            current[result] = source[0]
        else:
            raise ValueError(f"{path}: no layer for {node.op_type}")
    target.with_suffix(".param").write_text("\n".join([str(HEADER), f"{len(lines)} {len(blobs)}", *lines]) + "\n")
    target.with_suffix(".bin").write_bytes(b"".join(weights))
    return graph.output[0].name
