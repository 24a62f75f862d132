"""Our classifier as an 8-bit TFLite file, made by TensorFlow's converter from the folded ONNX graph.

TensorFlow pads a convolution of stride 2 at the right and at the bottom only, where torchvision and we begin one pixel to the
left and above. With picture and filters mirrored both ways the two are the same sums, and LiteRT needs no padding steps, which
would cost it time: so the file takes the **mirrored** crop. Pooling forgets the mirroring.
"""

import numpy
import onnx
import tensorflow as tf
from onnx import numpy_helper

from onnx_models import reference


def keras_model(path, side):
    """The f32 network in `path` (folded ONNX) for mirrored NHWC pictures."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    attributes = lambda node: {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    picture = tf.keras.Input((side, side, 3), batch_size=1)
    values, layers = {"input": picture}, []

    def layer(made, weights, value):
        layers.append((made, weights))
        return made(value)

    for node in graph.node:
        x = values.get(node.input[0])
        if node.op_type == "Conv":
            weight, bias = (tensors[name] for name in node.input[1:])
            mirrored = numpy.ascontiguousarray(weight[:, :, ::-1, ::-1])
            shape = {"kernel_size": weight.shape[2], "strides": attributes(node)["strides"][0], "padding": "same"}
            if attributes(node)["group"] > 1:
                made, weight = tf.keras.layers.DepthwiseConv2D(**shape), mirrored.transpose(2, 3, 0, 1)
            else:
                made, weight = tf.keras.layers.Conv2D(weight.shape[0], **shape), mirrored.transpose(2, 3, 1, 0)
            y = layer(made, [weight, bias], x)
        elif node.op_type == "Gemm":
            weight, bias = (tensors[name] for name in node.input[1:])
            y = layer(tf.keras.layers.Dense(weight.shape[0]), [weight.T, bias], x)
        elif node.op_type == "Clip":
            y = tf.keras.layers.ReLU(max_value=6.0)(x)
        elif node.op_type == "Relu":
            y = tf.keras.layers.ReLU()(x)
        elif node.op_type == "Add":
            y = tf.keras.layers.Add()([x, values[node.input[1]]])
        elif node.op_type == "GlobalAveragePool":
            y = tf.keras.layers.GlobalAveragePooling2D()(x)
        elif node.op_type == "Flatten":
            y = x
        else:
            raise ValueError(f"{path}: no layer for {node.op_type}")
        values[node.output[0]] = y
    model = tf.keras.Model(picture, values[graph.output[0].name])
    for made, weights in layers:
        made.set_weights(weights)
    return model


def mirrored(faces):
    """What the file takes (before quantization), for RGB pictures [N, H, W, 3], 0 to 255."""
    values = reference.classifier_input(faces).transpose(0, 2, 3, 1)
    return numpy.ascontiguousarray(values[:, ::-1, ::-1])


def write(path, folded_onnx, faces):
    """Writes the 8-bit file (s8 in and out, weights per channel), calibrated on `faces` (uint8 [N, side, side, 3])."""
    model = keras_model(folded_onnx, faces.shape[1])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([mirrored(face[None])] for face in faces)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
