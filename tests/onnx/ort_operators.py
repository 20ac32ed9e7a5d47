"""The contributed operators of quantized networks, beside ONNX Runtime without graph optimizations.

    ort_operators.py QLATHE

Each operator alone, on random operands: integers must be equal, real numbers within float32's rounding. Exit code 0, or 1 with a line for every
operator that differs.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

RANDOM = np.random.default_rng(7)


def real(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def scale(value):
    return np.float32(value)


def integers(dtype, *shape):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def of_type(dtype):
    """Operators on uint8 or int8: (name, operator, operands by position, attributes). A string is a graph input, None an operand that is left out."""
    middle = 128 if dtype == np.uint8 else 3
    low = 0 if dtype == np.uint8 else -128

    def zero(offset=0):
        return dtype(middle + offset)

    a, b, image, last, matrix = (integers(dtype, *shape) for shape in ((2, 3, 4), (2, 3, 4), (1, 5, 8, 8), (1, 8, 8, 5), (4, 6)))
    pair = {"a": a, "b": b}
    result = [scale(0.05), zero(-2)]
    for op in ("QLinearAdd", "QLinearMul"):
        yield op, ["a", scale(0.02), zero(), "b", scale(0.03), zero(-1), *result], {}, pair
        yield op, ["a", scale(0.02), zero(), integers(dtype, 4), scale(0.03), zero(-1), *result], {}, {"a": a}
    yield "QLinearConcat", [*result, "a", scale(0.02), zero(), "b", scale(0.03), zero(-1)], {"axis": 1}, pair
    one = ["a", scale(0.05), zero()]
    yield "QLinearSigmoid", [*one, scale(1 / 256), dtype(low)], {}, pair
    yield "QLinearLeakyRelu", [*one, scale(0.04), zero()], {"alpha": 0.1}, pair
    for axis, opset in ((-1, 13), (1, 12)):
        yield "QLinearSoftmax", [*one, scale(1 / 256), dtype(low)], {"axis": axis, "opset": opset}, pair
    for channels_last in (0, 1):
        x = {"a": last if channels_last else image}
        windows = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": channels_last}
        yield "QLinearAveragePool", [*one, scale(0.043), zero()], {"channels_last": channels_last, **windows}, x
        yield "QLinearGlobalAveragePool", [*one, scale(0.043), zero()], {"channels_last": channels_last}, x
    scales = (RANDOM.random(5) * 0.01 + 0.01).astype(np.float32)
    for bias in (None, RANDOM.integers(-99, 99, 5).astype(np.int32)):
        for to in ([], [scale(0.2), zero()]):
            weights = [integers(np.int8, 5, 6), scales, np.zeros(5, np.int8)]
            yield "QGemm", [*one, *weights, bias, *to], {"transB": 1, "alpha": 0.5 if bias is None else 1.0}, {"a": matrix}


def with_real_results():
    x = {"a": real(3, 6)}
    for dtype in (np.uint8, np.int8):
        weights = integers(dtype, 6, 5)
        yield "DynamicQuantizeMatMul", ["a", weights, scale(0.02), dtype(2), real(5)], {}, x
        yield "DynamicQuantizeMatMul", ["a", weights, np.full(5, 0.02, np.float32)], {}, x
        yield ("MatMulIntegerToFloat", ["a", weights, scale(0.1), np.full(5, 0.02, np.float32), np.uint8(3), np.full(5, 2, dtype), real(5)], {},
               {"a": integers(np.uint8, 3, 6)})
    rows = 5
    for bits, block, k in ((4, 16, 48), (4, 32, 48), (8, 16, 48), (2, 16, 48)):
        blocks = -(-k // block)
        x = {"a": real(3, k)}
        packed, scales = integers(np.uint8, rows, blocks, block * bits // 8), RANDOM.random((rows, blocks)).astype(np.float32)
        zeros = integers(np.uint8, rows, -(-blocks * bits // 8))
        attributes = {"K": k, "N": rows, "bits": bits, "block_size": block}
        yield "MatMulNBits", ["a", packed, scales], attributes, x
        yield "MatMulNBits", ["a", packed, scales, zeros, None, real(rows)], attributes, x


def model_of(op, operands, attributes, feeds):
    names, constants = [], []
    for i, operand in enumerate(operands):
        if operand is None or isinstance(operand, str):
            names.append(operand or "")
        else:
            names.append(f"c{i}")
            constants.append(numpy_helper.from_array(np.asarray(operand), f"c{i}"))
    used = {name: feeds[name] for name in feeds if name in names}
    inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for name, x in used.items()]
    kind = next(iter(used.values())).dtype if op.startswith("QLinear") or len(operands) > 7 and op == "QGemm" else np.dtype(np.float32)
    output = helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(kind), None)
    node = helper.make_node(op, names, ["y"], domain="com.microsoft", **attributes)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(helper.make_graph([node], op, inputs, [output], constants), opset_imports=opsets, ir_version=10), used


def compare(qlathe, folder, op, operands, attributes, feeds):
    """What is wrong, or nothing."""
    model, used = model_of(op, operands, attributes, feeds)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    expected = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, used)[0]
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "in.npz", **used)
    ran = subprocess.run([qlathe, "run", folder / "model.onnx", "--via", "reference", "-i", folder / "in.npz", "-o", folder / "out.npz"],
                         capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        return ran.stderr.strip()
    actual = np.load(folder / "out.npz")["y"]
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return f"{actual.dtype}{actual.shape}, ONNX Runtime gives {expected.dtype}{expected.shape}"
    distance = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max()
    allowed = 1e-5 * max(1.0, float(np.abs(expected).max())) if expected.dtype.kind == "f" else 0
    return f"is off by {distance}" if distance > allowed else None


def main(qlathe):
    cases = [*of_type(np.uint8), *of_type(np.int8), *with_real_results()]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        for case in cases:
            problem = compare(qlathe, pathlib.Path(temporary), *case)
            if problem:
                failed += 1
                print(f"{case[0]} {case[2]}: {problem}")
    print(f"{len(cases) - failed} of {len(cases)} operators give what ONNX Runtime gives")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
