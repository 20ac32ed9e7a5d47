#!/usr/bin/env python3
"""Writes goldens/litert.npz: what LiteRT's reference kernels give for quantized unary operators and for operators over
rows, for litert_tables_test.cpp and tests/ops/fixed_rows_test.cpp. Needs ai_edge_litert 2.3.0, flatbuffers, numpy:

    python tests/numerics/make_litert_goldens.py
"""

import sys
import zlib
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tflite"))
from casegen.model import LIMITS, TYPES, Model  # noqa: E402

REFERENCE, DEFAULT = OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
SIGMOIDS = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
NAMES_OF_OPTIONS = {
    "HARD_SWISH": "HardSwishOptions", "LEAKY_RELU": "LeakyReluOptions", "GELU": "GeluOptions", "ABS": "AbsOptions",
    "EXP": "ExpOptions",
}
RANDOM = np.random.default_rng(20)


def run(code, kind, x, in_q, out_kind, out_q, options=None, **fields):
    m = Model()
    a = m.input(kind, x.shape, in_q[0], in_q[1])
    b = m.tensor(out_kind, x.shape, out_q[0], out_q[1])
    m.op(code, [a], [b], options or NAMES_OF_OPTIONS.get(code), **fields)
    m.graph.outputs.append(b)
    it = Interpreter(model_content=m.bytes(), num_threads=1,
                     experimental_op_resolver_type=DEFAULT if code == "ELU" else REFERENCE)
    it.allocate_tensors()
    it.set_tensor(it.get_input_details()[0]["index"], x)
    it.invoke()
    return np.array(it.get_tensor(it.get_output_details()[0]["index"]))


def between(lo, hi):
    return float(np.float32(np.exp(RANDOM.uniform(np.log(lo), np.log(hi)))))


def zero_point(kind):
    lo, hi = LIMITS[kind]
    return 0 if kind == "int16" else int(RANDOM.choice([lo, hi, 0 if lo else 128, RANDOM.integers(lo, hi + 1)]))


def unary(out, code, kinds, in_range, out_range, sets=4, **fields):
    """Parameters (scale and zero point of the operand, of the result, alpha, approximate) and results of every number;
    of int16 those of x16. SQRT and RSQRT fail at negative numbers: they get the zero point instead."""
    for kind in kinds:
        params, outputs = [], []
        lo, hi = LIMITS[kind]
        while len(params) < sets:
            in_q, out_q = (between(*in_range), zero_point(kind)), (between(*out_range), zero_point(kind))
            if kind == "int16":
                pot = code in ("LOGISTIC", "TANH") and len(params) == 0
                in_q = (2.0 ** -12 if pot else in_q[0] / 256, 0)
            if code == "LOGISTIC" or (code == "TANH" and kind == "int16"):
                out_q = SIGMOIDS[kind]
            x = out["x16"] if kind == "int16" else np.arange(lo, hi + 1)
            if code in ("SQRT", "RSQRT"):
                x = np.maximum(x, in_q[1])
            given = {k: (v(len(params)) if callable(v) else v) for k, v in fields.items()}
            try:
                y = run(code, kind, x.astype(TYPES[kind]), in_q, kind, out_q, **given)
            except (RuntimeError, ValueError) as error:
                print(code, kind, in_q, out_q, str(error).splitlines()[0])
                continue
            params.append([*in_q, *out_q, given.get("alpha", 0), given.get("approximate", 0)])
            outputs.append(y)
        key = "%s.%s." % (code, kind)
        out[key + "params"], out[key + "out"] = np.array(params, np.float32), np.array(outputs, TYPES[kind])


def rows(out, code, kind, out_kind, scales, out_q, **fields):
    """Parameters (scale, zero point, beta, length) and, one after another, operands and results of a few rows of odd
    lengths for each scale; the last rows are extreme."""
    lo, hi = LIMITS[kind]
    params, inputs, outputs = [], [], []
    for index, scale in enumerate(scales):
        n = [1, 2, 7, 33, 100, 17][index % 6]
        x = RANDOM.integers(lo, hi + 1, (5, n))
        x[2], x[3], x[4] = lo, hi, np.where(np.arange(n) % 3, lo, hi)
        x[1] = np.clip(hi - np.abs(RANDOM.normal(0, 9, n)), lo, hi)
        zero = int(RANDOM.integers(lo, hi + 1)) if kind != "int16" else 0
        y = run(code, kind, x.astype(TYPES[kind]), (scale, zero), out_kind, out_q, **fields)
        params.append([scale, zero, fields.get("beta", 0), n])
        inputs.append(x.reshape(-1))
        outputs.append(y.reshape(-1))
    key = "%s.%s.%s." % (code, kind, out_kind)
    out[key + "params"] = np.array(params, np.float32)
    out[key + "in"] = np.concatenate(inputs).astype(TYPES[kind])
    out[key + "out"] = np.concatenate(outputs).astype(TYPES[out_kind])


def main():
    lo, hi = LIMITS["int16"]
    out = {"x16": np.concatenate([[lo, lo + 1, hi - 1, hi, -1, 0, 1], RANDOM.integers(lo, hi + 1, 193)]).astype(np.int16)}
    byte, both = ("int8", "uint8"), ("int8", "int16")
    unary(out, "LOGISTIC", ("int8", "uint8", "int16"), (1e-3, 1), (1, 1))
    unary(out, "TANH", ("int8", "uint8", "int16"), (1e-3, 1), (1 / 200, 1 / 100))
    unary(out, "ELU", ("int8",), (0.01, 0.2), (0.01, 0.2))
    unary(out, "GELU", ("int8", "uint8", "int16"), (0.01, 0.2), (0.01, 0.2), 6, approximate=lambda i: i % 2 == 1)
    unary(out, "EXP", both, (0.005, 0.2), (0.01, 10))
    unary(out, "LOG", both, (0.005, 0.2), (0.01, 0.1))
    unary(out, "SQRT", ("int8",), (0.005, 0.5), (0.01, 0.2))
    unary(out, "RSQRT", both, (0.005, 0.5), (0.01, 0.2))
    unary(out, "ABS", ("int8",), (0.01, 0.2), (0.01, 0.2))
    unary(out, "HARD_SWISH", byte, (0.005, 2), (0.005, 2), 8)
    unary(out, "LEAKY_RELU", byte, (0.01, 0.5), (0.01, 0.5), 6, alpha=lambda i: [0.2, 0.01, 1.3, -0.3, 0.0, 0.5][i])
    for code in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"):
        unary(out, code, byte, (0.003, 0.5), (0.003, 0.5))
    scales = [0.1, 0.05, 1.0, 0.01, 0.02, 0.3]
    for kind in byte:
        low = LIMITS[kind][0]
        rows(out, "SOFTMAX", kind, kind, scales, (1 / 256, low), options="SoftmaxOptions", beta=1.0)
        rows(out, "SOFTMAX", kind, "int16", scales[2:], (1 / 32768, 0), options="SoftmaxOptions", beta=0.7)
        rows(out, "LOG_SOFTMAX", kind, kind, scales, (16 / 256, LIMITS[kind][1]), options="LogSoftmaxOptions")
        rows(out, "L2_NORMALIZATION", kind, kind, scales, (1 / 128, 0 if low else 128), options="L2NormOptions")
    rows(out, "SOFTMAX", "int16", "int16", [1e-3, 1e-4, 3e-4, 0.01, 5e-3, 2e-4], (1 / 32768, 0), options="SoftmaxOptions",
         beta=1.0)
    path = HERE / "goldens" / "litert.npz"
    np.savez_compressed(path, **out)
    print(path.stat().st_size, "bytes", len(out), "arrays", hex(zlib.crc32(b"".join(v.tobytes() for v in out.values()))))


if __name__ == "__main__":
    main()
