#!/usr/bin/env python3
"""Loads one network in one runtime and times it on request, so that run.py can let several take turns.

    worker.py RUNTIME MODEL INPUT.npy THREADS

On start a line of JSON with the load time and what the network says; then for each line `run SECONDS` on the standard input
one with the run times in milliseconds; when the input ends, one with the most memory that came on top of the bare interpreter.
"""

import json
import sys
import time

import numpy


def openvino(model, value, threads):
    import openvino as ov

    # One stream of that many threads, and no bf16 or f16 in place of f32.
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(ov.Tensor(value))
    return request.infer, lambda: [request.get_output_tensor(i).data for i in range(len(request.model_outputs))]


def onnxruntime(model, value, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    run = lambda: session.run(None, {"input": value})
    return run, run


def litert(model, value, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)

    def outputs():
        details = interpreter.get_output_details()
        real = lambda entry: (interpreter.get_tensor(entry["index"]).astype(numpy.float32) - entry["quantization"][1])
        return [real(entry) * entry["quantization"][0] for entry in details]

    return interpreter.invoke, outputs


def ncnn(model, value, threads):
    import ncnn as library

    net = library.Net()
    net.opt.num_threads, net.opt.use_vulkan_compute = threads, False
    if net.load_param(f"{model}.param") or net.load_model(f"{model}.bin"):
        raise SystemExit(f"ncnn cannot load {model}")
    picture, output = library.Mat(value[0]).clone(), net.output_names()[0]

    def run():
        extractor = net.create_extractor()
        extractor.input("input", picture)
        return extractor.extract(output)[1]

    return run, lambda: [numpy.array(run())[None]]


def verdict(outputs):
    """The classifier's probability of a mask; of the detector's maps the score of the surest face."""
    sigmoid = lambda value: 1 / (1 + numpy.exp(-numpy.asarray(value, numpy.float64)))
    if len(outputs) == 1:
        mask, no_mask = outputs[0].reshape(-1)
        return float(sigmoid(mask - no_mask))
    return float(max(numpy.sqrt(sigmoid(outputs[i]) * sigmoid(outputs[i + 1])).max() for i in range(0, 12, 4)))


def peak_memory_mb():
    # Not getrusage: its maximum is that of the process that started this one, where that was larger.
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def main():
    runtime, model, path, threads = sys.argv[1:]
    value = numpy.load(path)
    say = lambda message: print(json.dumps(message), flush=True)
    bare = peak_memory_mb()
    start = time.perf_counter()
    run, outputs = globals()[runtime](model, value, int(threads))
    run()
    say({"load_ms": (time.perf_counter() - start) * 1e3, "verdict": verdict(outputs())})
    for line in sys.stdin:
        end = time.perf_counter() + float(line.removeprefix("run "))
        times = []
        while len(times) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
        say({"times_ms": times})
    say({"peak_rss_mb": peak_memory_mb() - bare})


if __name__ == "__main__":
    main()
