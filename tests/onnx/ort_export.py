"""Quantized graphs written as ONNX: the file is a valid model, and ONNX Runtime without graph optimizations gives on it what qlathe gives.

    ort_export.py QLATHE MODEL RULES DATA [--opset 13 21] [--shape BINDINGS]

DATA: an .npz of batches, which calibrate and are then the inputs, or - for random ones. Differences are held as in ort_end_to_end.py, and the
file's own layers as in ort_layers.py. Exit code 77: ONNX Runtime or a file is not there.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime  # noqa: F401

    import ort_end_to_end
    import ort_exact
    import ort_layers
    import ort_models
except ImportError as missing:
    print(f"skipped: {missing}; ./dev setup installs it")
    sys.exit(77)


def random_batches(path, folder):
    """Three batches for the inputs of an ONNX model, open dimensions being 1."""
    model = ort_models.read(path)
    batches = [ort_models.inputs_beside(folder / "none", model, seed) for seed in range(3)]
    np.savez(folder / "data.npz", **{name: np.stack([batch[name] for batch in batches]) for name in batches[0]})
    return folder / "data.npz"


def first_batch(model, data):
    """Inputs of the exported model's shapes."""
    with np.load(data) as arrays:
        out = {}
        for i in ort_models.graph_inputs(model):
            shape = [d.dim_value for d in i.type.tensor_type.shape.dim]
            array = arrays[i.name] if i.name in arrays.files else arrays[f"{i.name}_0"]
            out[i.name] = (array[0] if array.ndim > len(shape) else array).astype(np.float32)
    return out


def check(options, opset, folder):
    data = random_batches(options.model, folder) if str(options.data) == "-" else options.data
    quantize = ["--rules", options.rules, "--calibration", data, *(["--shape", options.shape] if options.shape else [])]
    file = folder / f"exported{opset}.onnx"
    subprocess.run([options.program, "export", options.model, *quantize, "--opset", str(opset), "-o", file], check=True)
    onnx.checker.check_model(str(file), full_check=True)
    model = ort_models.read(file)
    feeds = first_batch(model, data)
    ours = ort_models.run_qlathe(options.program, options.model, feeds, folder, options.via, quantize)
    label = f"{options.model.parent.name} {options.rules.stem} opset {opset}"
    failed = ort_end_to_end.compare(label, ours, ort_models.run_ort(model, feeds), ort_exact.Exact(model).run(feeds))
    for i, array in enumerate(feeds.values()):
        np.save(folder / f"inputs_0_{i}.npy", array)
    report = ort_layers.check_model(options.program, file, options.via)
    print(f"{label}: {report['layers']} layers, {report['differ']} of {report['values']} integers one step off")
    for text in report["wrong"]:
        print("  " + text)
    return failed + len(report["wrong"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("rules", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--opset", type=int, nargs="+", default=[13, 21])
    parser.add_argument("--shape", default="")
    parser.add_argument("--via", default="reference", choices=("reference", "jit"))
    options = parser.parse_args()
    for path in (options.model, options.rules, options.data):
        if str(path) != "-" and not path.exists():
            print(f"skipped: {path} is not there")
            sys.exit(77)
    failed = 0
    for opset in options.opset:
        with tempfile.TemporaryDirectory() as folder:
            failed += check(options, opset, pathlib.Path(folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
