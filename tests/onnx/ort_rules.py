"""Float ONNX models under rule lists: calibrated, quantized, compared with the float model layer by layer, compiled and run.

    ort_rules.py QLATHE MODEL...

Rule lists: static int8 of every product; int8 weights and int4 weights in blocks of 32 of the matrix products (a block that does not fit the contracted
axis is refused, which names the layer; then the blocks are halves of the axis). Every list must quantize something, every layer's signal-to-noise ratio
must show that it still computes what it did, the C++ must be written, and JIT and reference must agree to the last bit. Exit code 77: a model is not there.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np

    import ort_models
except ImportError as missing:
    print(f"skipped: {missing}; ./dev setup installs it")
    sys.exit(77)

MATRICES = {"op_names": ["dot_general", "einsum"]}
LISTS = {
    "int8 static": {"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": True},
    "int8 weights": {"weight_qtype": "int8", **MATRICES},
    "int4 weights": {"weight_qtype": "int4", "tile_size": 32, **MATRICES},
}
# What layers behind many others are left with in networks that were not made for it; noise alone has 0.
LEAST_DB = {"int8 static": 9, "int8 weights": 25, "int4 weights": 6}


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def stored_batches(path):
    """The model's stored inputs, an array [batches, ...] for each."""
    model = ort_models.read(path)
    about = json.loads((path.parent / "about.json").read_text(encoding="utf-8"))
    steps = about["sets"][0].get("steps", 1)
    out = {}
    for i, value in enumerate(ort_models.graph_inputs(model)):
        array = np.load(path.parent / f"inputs_0_{i}.npy")
        out[value.name] = array if steps > 1 else array[None]
    return out


def check(qlathe, path, name, fields, folder):
    """Problems of one model under one rule list, and what to say of it."""
    data = folder / "data.npz"
    batches = stored_batches(path)
    np.savez(data, **batches)
    shapes = ",".join(f"{key}={'x'.join(map(str, array.shape[1:]))}" for key, array in batches.items() if array.ndim > 1)
    rules, graph = folder / "rules.json", folder / "quantized.qir"

    def quantize(rule):
        rules.write_text(json.dumps([{"module_path": ".*", **rule}]), encoding="utf-8")
        calibration = ["--calibration", data] if fields.get("act_static_scale") else []
        return run(qlathe, "quantize", path, "--rules", rules, *calibration, "--shape", shapes, "--compare", data, "--json", "-o", graph)

    done = quantize(fields)
    if done.returncode != 0 and "tile_size: tile size 32 does not divide" in done.stderr:
        axes = "an axis has no blocks of 32"
        done = quantize({**fields, "tile_size": 0.5})
        if done.returncode != 0 and "tile_size: tile size 0.5" in done.stderr:
            axes = "an axis is odd, so whole"
            done = quantize({key: value for key, value in fields.items() if key != "tile_size"})
    else:
        axes = ""
    if done.returncode != 0:
        return ["quantize: " + done.stderr.strip()], ""
    layers = json.loads(done.stdout)["layers"]
    ratios = {layer["layer"]: layer["sqnr_db"] for layer in layers if "sqnr_db" in layer}
    wrong = [f"{layer}: {db:.1f} dB" for layer, db in ratios.items() if not db >= LEAST_DB[name]]
    matrices = json.loads(run(qlathe, "rules", path, "--rules", rules, "--shape", shapes, "--json").stdout)["ops"]
    taken = [op for op in matrices if op["rule"] == 0]
    if taken and not ratios:
        wrong.append(f"{len(taken)} products are taken, and no layer differs from the float model")
    if not taken and any(op["op"] != "conv_general_dilated" for op in matrices):
        wrong.append("no product is taken")
    done = run(qlathe, "compile", graph, "-o", folder / "out")
    if done.returncode != 0:
        wrong.append("compile: " + done.stderr.strip())
    one = folder / "one.npz"
    np.savez(one, **{key: array[0] for key, array in batches.items()})
    outputs = {}
    for via in ("reference", "jit"):
        done = run(qlathe, "run", graph, "--input", one, "--via", via, "-o", folder / f"{via}.npz")
        if done.returncode != 0:
            return [*wrong, f"run by {via}: {done.stderr.strip()}"], ""
        with np.load(folder / f"{via}.npz") as arrays:
            outputs[via] = {key: arrays[key] for key in arrays.files}
    wrong += [f"output {key} differs between reference and JIT" for key, array in outputs["reference"].items()
              if array.tobytes() != outputs["jit"][key].tobytes()]
    worst = f", the noisiest layer has {min(ratios.values()):.1f} dB" if ratios else ""
    return wrong, f"{len(taken)} products of {len(matrices)}{worst}" + (f" ({axes})" if axes else "")


def main(qlathe, paths):
    for path in paths:
        if not path.exists():
            print(f"skipped: {path} is not there")
            return 77
    failed = 0
    for path in paths:
        for name, fields in LISTS.items():
            with tempfile.TemporaryDirectory() as folder:
                wrong, said = check(qlathe, path, name, fields, pathlib.Path(folder))
            print(f"{path.parent.name}, {name}: {said or 'failed'}")
            for text in wrong:
                print("  " + text)
            failed += len(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]))
