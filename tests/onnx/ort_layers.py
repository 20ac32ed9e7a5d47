"""Every layer of a quantized ONNX model beside ONNX Runtime without graph optimizations, each fed with that runtime's own integers.

    ort_layers.py QLATHE MODEL... [--via jit]

The model is cut where its tensors are integers. A layer's integers may be one step off, and only where the exact real value (float64) lies
within 1e-4 steps of a rounding boundary. Sums without a scale are equal. Results in float are at most as far from the exact value as 2e-6
of the largest one, beyond what ONNX Runtime's are. Exit code 77: ONNX Runtime or the model is not there.
"""

import argparse
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime  # noqa: F401

    import ort_exact
    import ort_models
except ImportError as missing:
    print(f"skipped: {missing}; ./dev setup installs it")
    sys.exit(77)

BOUNDARY = 1e-4
FLOAT_ERROR = 2e-6


def check_integers(name, ours, theirs, real, report):
    """Appends what is wrong, counts what differs."""
    difference = ours.astype(np.int64) - theirs.astype(np.int64)
    differs = difference != 0
    report["values"] += difference.size
    report["differ"] += int(differs.sum())
    if not differs.any():
        return
    if real is None:
        report["wrong"].append(f"{name}: {int(differs.sum())} of {difference.size} values differ, and no exact value says that they may")
        return
    real = np.broadcast_to(real, difference.shape)
    distance = np.abs(real - np.floor(real) - 0.5)
    report["farthest"] = max(report["farthest"], float(distance[differs].max()))
    bad = differs & ((np.abs(difference) > 1) | (distance > BOUNDARY))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        report["wrong"].append(f"{name}: {int(bad.sum())} of {difference.size} values, the first at {at}: {ours[at]}, ONNX Runtime {theirs[at]}, "
                               f"exactly {real[at]:.6f}")


def check_floats(name, ours, theirs, exact, report):
    scale = np.abs(exact).max() or 1.0
    error, allowed = np.abs(ours - exact).max() / scale, np.abs(theirs - exact).max() / scale + FLOAT_ERROR
    report["float"] = max(report["float"], float(error))
    if not error <= allowed:
        report["wrong"].append(f"{name}: {error:.2g} of the largest value away from the exact result, ONNX Runtime {allowed - FLOAT_ERROR:.2g}")


def check_model(program, path, via):
    model = ort_models.read(path)
    feeds = ort_models.inputs_beside(path, model)
    ort_models.bind(model, feeds)
    tensors = ort_models.integer_tensors(model)
    values = ort_models.run_ort(model, feeds, tensors + [o.name for o in model.graph.output])
    pieces = ort_models.cut(model, tensors, values)
    feeds = {i.name: {**values, **feeds}[i.name] for i in ort_models.graph_inputs(pieces)}
    exact = ort_exact.Exact(pieces)
    exactly = exact.run(feeds)
    with tempfile.TemporaryDirectory() as folder:
        ours = ort_models.run_qlathe(program, pieces, feeds, pathlib.Path(folder), via)
    report = {"layers": 0, "values": 0, "differ": 0, "farthest": 0.0, "float": 0.0, "wrong": []}
    for output in pieces.graph.output:
        name = output.name.removesuffix("@layer")
        theirs, mine = values[name], ours[output.name]
        report["layers"] += 1
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            report["wrong"].append(f"{name}: {mine.dtype}{list(mine.shape)}, ONNX Runtime {theirs.dtype}{list(theirs.shape)}")
        elif theirs.dtype.kind in "iu":
            check_integers(name, mine, theirs, exact.real.get(output.name), report)
        elif output.name in exactly:
            check_floats(name, mine, theirs, exactly[output.name], report)
        else:
            # Without an exact value both runtimes are compared with each other.
            print(f"  {name}: no exact value ({exact.missing[output.name]}), compared with ONNX Runtime's")
            check_floats(name, mine, theirs, theirs.astype(np.float64), report)
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--via", default="reference", choices=("reference", "jit"))
    options = parser.parse_args()
    failed = False
    for path in options.models:
        if not path.exists():
            print(f"skipped: {path} is not there")
            sys.exit(77)
        report = check_model(options.program, path, options.via)
        print(f"{path.parent.name}/{path.name}: {report['layers']} layers, {report['differ']} of {report['values']} integers one step off, at most "
              f"{report['farthest']:.2g} steps from a boundary; floats {report['float']:.2g} off")
        for text in report["wrong"]:
            print("  " + text)
        failed = failed or bool(report["wrong"]) or report["layers"] == 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
