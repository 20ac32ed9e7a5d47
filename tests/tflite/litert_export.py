"""Models written as TFLite: LiteRT's reference kernels give on the file what qlathe gives on the model.

    litert_export.py QLATHE MODEL DATA RULES|- [--exact]

DATA: an .npz of batches, which calibrate and are then the inputs. With --exact outputs are compared bit for bit (full-integer files), else to
1e-5 of their range. Exit code 77: LiteRT or a file is not there.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from ai_edge_litert import interpreter as litert
except ImportError as missing:
    print(f"skipped: {missing}; ./dev setup installs it")
    sys.exit(77)


def interpreter(file):
    out = litert.Interpreter(
        model_path=str(file), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    out.allocate_tensors()
    return out


def run_litert(session, feeds):
    for detail, array in zip(session.get_input_details(), feeds):
        session.set_tensor(detail["index"], array.reshape(detail["shape"]).astype(detail["dtype"]))
    session.invoke()
    return [session.get_tensor(detail["index"]) for detail in session.get_output_details()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("rules")
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    for path in (options.model, options.data):
        if not path.exists():
            print(f"skipped: {path} is not there")
            sys.exit(77)
    quantize = [] if options.rules == "-" else ["--rules", options.rules, "--calibration", str(options.data)]
    with np.load(options.data) as arrays:
        name = arrays.files[0]
        batches = arrays[name]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        file = folder / "exported.tflite"
        subprocess.run([options.program, "export", str(options.model), *quantize, "-o", str(file)], check=True)
        session = interpreter(file)
        batches = batches[:8]
        np.savez(folder / "inputs.npz", **{name: batches})
        subprocess.run(
            [options.program, "run", str(options.model), *quantize, "--input", str(folder / "inputs.npz"), "--output",
             str(folder / "outputs.npz"), "--via", "reference"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with np.load(folder / "outputs.npz") as outputs:
            all_ours = [outputs[key] for key in outputs.files]
        for number, batch in enumerate(batches):
            theirs = run_litert(session, [batch])
            ours = [array[number] for array in all_ours]
            for mine, other in zip(ours, theirs):
                distance = float(np.abs(mine.astype(np.float64) - other).max())
                bound = 0 if options.exact else 1e-5 * max(float(np.abs(other).max()), 1e-6)
                if mine.shape != other.shape or distance > bound:
                    print(f"batch {number}: largest distance {distance:g}, allowed {bound:g}")
                    failed += 1
        integer = sum(d["dtype"] == np.int8 for d in session.get_tensor_details())
        print(f"{options.model.name} {options.rules}: {len(batches)} batches, {integer} int8 tensors, {failed} differ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
