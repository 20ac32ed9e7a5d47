"""Quantized ONNX models from input to output: how far qlathe is from ONNX Runtime without graph optimizations, and how far that runtime's
float32 is from the same graph in float64.

    ort_end_to_end.py QLATHE MODEL... [--via jit]

The first difference must be no larger than the second; where both graphs end in float arithmetic, beyond 5e-7 of the largest output, which is
four units in the last place. Exit code 77: ONNX Runtime or a model is not there.
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

LAST_PLACES = 5e-7


def compare(label, ours, theirs, exact):
    """Prints both differences of every output; how many are too large."""
    failed = 0
    for name, value in theirs.items():
        value, mine = value.astype(np.float64), ours[name].astype(np.float64)
        if value.shape != mine.shape or name not in exact:
            print(f"{label} {name}: {list(mine.shape)}, ONNX Runtime {list(value.shape)}; exact value: {'yes' if name in exact else 'none'}")
            failed += 1
            continue
        largest = np.abs(value).max()
        difference, allowed = np.abs(mine - value).max(), np.abs(exact[name] - value).max()
        wrong = not difference <= allowed + LAST_PLACES * largest
        print(f"{label} {name}: of {largest:.4g}, {difference:.2g} from ONNX Runtime; float32 from float64 {allowed:.2g}{' WRONG' if wrong else ''}")
        failed += wrong
    return failed


def check_model(program, path, via):
    model = ort_models.read(path)
    feeds = ort_models.inputs_beside(path, model)
    ort_models.bind(model, feeds)
    with tempfile.TemporaryDirectory() as folder:
        ours = ort_models.run_qlathe(program, model, feeds, pathlib.Path(folder), via)
    return compare(path.parent.name, ours, ort_models.run_ort(model, feeds), ort_exact.Exact(model).run(feeds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--via", default="reference", choices=("reference", "jit"))
    options = parser.parse_args()
    absent = [path for path in options.models if not path.exists()]
    if absent:
        print(f"skipped: {absent[0]} is not there")
        sys.exit(77)
    sys.exit(1 if sum(check_model(options.program, path, options.via) for path in options.models) else 0)


if __name__ == "__main__":
    main()
