#!/usr/bin/env python3
"""Times whole models beside LiteRT (TFLite models) or ONNX Runtime (ONNX models), one thread each.

    ./dev compare MODEL... [--rounds 5] [--json]

Every model is compiled by `qlathe bench` and run in turns with the other runtime on the same machine, round by round;
the best run of each counts. Before that both compute the same random input: for TFLite models of integers the outputs
of `--numerics litert-xnnpack` must be LiteRT's bytes or the line says how many differ and by how much; for all others
the largest difference is stated as a share of the output's range.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np


def random_input(rng, shape, dtype):
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape).astype(dtype)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(max(info.min, -128), min(info.max, 255), shape, endpoint=True).astype(dtype)


class LiteRt:
    """LiteRT's interpreter with XNNPACK, as it comes."""

    name = "LiteRT"
    numerics = ["litert-ref", "litert-xnnpack"]

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self.free = False
        self.interpreter = Interpreter(model_path=path, num_threads=1)
        self.interpreter.allocate_tensors()
        self.inputs = [(d["name"], tuple(int(n) for n in d["shape"]), d["dtype"]) for d in self.interpreter.get_input_details()]

    def set(self, values):
        for detail, value in zip(self.interpreter.get_input_details(), values):
            self.interpreter.set_tensor(detail["index"], value)

    def run(self):
        self.interpreter.invoke()

    def outputs(self):
        return {d["name"]: self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()}


class OnnxRuntime:
    """ONNX Runtime's CPU provider with all its optimizations."""

    name = "ONNX Runtime"
    numerics = [None]

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.free = False
        types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8,
                 "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
        self.inputs = []
        for node in self.session.get_inputs():
            if any(not isinstance(n, int) for n in node.shape):
                self.free = True
            # Symbolic dimensions, batches as a rule, are 1.
            shape = tuple(n if isinstance(n, int) else 1 for n in node.shape)
            self.inputs.append((node.name, shape, types[node.type]))

    def set(self, values):
        self.feed = {name: value for (name, _, _), value in zip(self.inputs, values)}

    def run(self):
        self.last = self.session.run(None, self.feed)

    def outputs(self):
        return {node.name: value for node, value in zip(self.session.get_outputs(), self.last)}


def best_of(runtime, seconds):
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        runtime.run()
        best = min(best, time.perf_counter() - start)
    return best


def difference(ours, theirs):
    """'equal', or in words by how much the outputs differ."""
    if set(ours) != set(theirs):
        return f"the outputs {', '.join(ours)} are {', '.join(theirs)} there"
    words = []
    for name in ours:
        a, b = ours[name], theirs[name]
        a, b = np.asarray(a), np.asarray(b).reshape(np.asarray(a).shape)
        if a.dtype == b.dtype and a.tobytes() == b.tobytes():
            continue
        d = np.abs(a.astype(np.float64) - b.astype(np.float64))
        if np.issubdtype(b.dtype, np.integer):
            words.append(f"{name}: {np.count_nonzero(d)} of {d.size} by up to {int(d.max())}")
        else:
            spread = float(np.ptp(b.astype(np.float64))) or 1.0
            words.append(f"{name}: up to {d.max() / spread:.1e} of its range")
    return "; ".join(words) or "equal"


def model_options(runtime, numerics):
    options = ["--numerics", numerics] if numerics else []
    if runtime.free:
        options += ["--shape", ",".join(f"{name}={'x'.join(map(str, shape))}" for name, shape, _ in runtime.inputs)]
    return options


def qlathe_outputs(qlathe, path, runtime, values, numerics, folder):
    feed, out = os.path.join(folder, "in.npz"), os.path.join(folder, "out.npz")
    np.savez(feed, **{name: value for (name, _, _), value in zip(runtime.inputs, values)})
    command = [qlathe, "run", path, "--input", feed, "--output", out]
    command += model_options(runtime, numerics)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with np.load(out) as data:
        return {name: data[name] for name in data.files}


def qlathe_best(qlathe, path, runtime, numerics, seconds):
    command = [qlathe, "bench", path, "--no-layers", "--json", "-m", str(int(seconds * 1000))]
    command += model_options(runtime, numerics)
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["min_s"]


def compare(qlathe, path, rounds, seconds):
    runtime = LiteRt(path) if path.endswith(".tflite") else OnnxRuntime(path)
    rng = np.random.default_rng(7)
    values = [random_input(rng, shape, dtype) for _, shape, dtype in runtime.inputs]
    runtime.set(values)
    runtime.run()
    theirs = {name: np.array(value) for name, value in runtime.outputs().items()}
    with tempfile.TemporaryDirectory() as folder:
        ours = qlathe_outputs(qlathe, path, runtime, values, runtime.numerics[-1], folder)
    line = {"model": path, "runtime": runtime.name, "outputs": difference(ours, theirs), "runtime_s": float("inf"),
            "qlathe_s": {n or "": float("inf") for n in runtime.numerics}}
    for _ in range(rounds):
        line["runtime_s"] = min(line["runtime_s"], best_of(runtime, seconds))
        for numerics in runtime.numerics:
            key = numerics or ""
            line["qlathe_s"][key] = min(line["qlathe_s"][key], qlathe_best(qlathe, path, runtime, numerics, seconds))
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help=".tflite or .onnx")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each turn (default: 0.3)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--qlathe", default=os.environ.get("QLATHE_PROGRAM", "qlathe"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    lines, failed = [], False
    if not options.json:
        print("| model | runtime | its best run | qlathe's | times as fast | outputs |\n|---|---|---|---|---|---|")
    for path in options.models:
        try:
            line = compare(options.qlathe, path, options.rounds, options.seconds)
        except (ValueError, RuntimeError, KeyError, OSError, subprocess.CalledProcessError) as error:
            print(f"compare: {path}: not measured: {error}", file=sys.stderr)
            failed = True
            continue
        lines.append(line)
        if options.json:
            continue
        label = os.path.splitext(os.path.join(*path.rsplit(os.sep, 2)[-2:]))[0].removesuffix("/model")
        for numerics, best in line["qlathe_s"].items():
            name = f"{label}, `{numerics}`" if numerics else label
            print(f"| {name} | {line['runtime']} | {line['runtime_s'] * 1e6:.0f} us | {best * 1e6:.0f} us | "
                  f"{line['runtime_s'] / best:.2f} | {line['outputs'] if numerics == list(line['qlathe_s'])[-1] else ''} |",
                  flush=True)
    if options.json:
        json.dump(lines, sys.stdout, indent=2)
        print()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
