"""Runs a TFLite model some times with LiteRT on one thread: litert.py MODEL.tflite TIMES. Runs in the emulator: see run.sh."""

import sys

import numpy
from ai_edge_litert.interpreter import Interpreter

model, times = sys.argv[1], int(sys.argv[2])
interpreter = Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
inputs = interpreter.get_input_details()[0]
interpreter.set_tensor(inputs["index"], numpy.full(inputs["shape"], 7, inputs["dtype"]))
for _ in range(times):
    interpreter.invoke()
print(inputs["shape"], inputs["dtype"].__name__, interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()[:4])
