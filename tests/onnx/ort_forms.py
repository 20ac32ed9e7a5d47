"""Forms of operators that files really have, beside ONNX Runtime without graph optimizations: versions of one operator, paddings, modes, lengths of
sequences, equations, quantized operands.

    ort_forms.py QLATHE [PART OF A NAME]

Each operator alone, on random operands: integers must be equal, of quantized results one step is allowed, real numbers agree within float32's rounding.
Exit code 0, or 1 with a line for every form that differs.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper
except ImportError as missing:
    print(f"skipped: {missing}; ./dev setup installs it")
    sys.exit(77)

RANDOM = np.random.default_rng(3)
MICROSOFT = "com.microsoft"


def real(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def integers(dtype, *shape):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


def form(name, op, operands, opset=17, results=1, **attributes):
    """One node. An operand: (array,) is a graph input, an array a constant, None left out."""
    domain = attributes.pop("domain", "")
    names, inputs, constants = [], {}, {}
    for i, operand in enumerate(operands):
        names.append("" if operand is None else f"x{i}")
        if isinstance(operand, tuple):
            inputs[names[-1]] = operand[0]
        elif operand is not None:
            constants[names[-1]] = np.asarray(operand)
    outputs = [f"y{i}" for i in range(results)]
    return name, [helper.make_node(op, names, outputs, domain=domain, **attributes)], inputs, constants, opset, outputs


def windows():
    x, w = (real(1, 3, 9, 10),), real(4, 3, 3, 3)
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield form(f"Conv {pad}", "Conv", [x, w], auto_pad=pad, strides=[2, 3])
        yield form(f"MaxPool {pad}", "MaxPool", [x], auto_pad=pad, strides=[2, 3], kernel_shape=[3, 2])
        yield form(f"AveragePool {pad}", "AveragePool", [x], auto_pad=pad, strides=[2, 2], kernel_shape=[3, 3])
        yield form(f"ConvTranspose {pad}", "ConvTranspose", [x, real(3, 4, 3, 3)], auto_pad=pad, strides=[2, 2])
    for opset in (7, 10, 11, 19, 22):
        window = {"strides": [2, 2], "kernel_shape": [3, 3], **({"ceil_mode": 1} if opset >= 10 else {})}
        yield form(f"AveragePool {opset}", "AveragePool", [x], opset, count_include_pad=1, pads=[1, 1, 1, 1], **window)
        yield form(f"MaxPool {opset}", "MaxPool", [x], max(opset, 8), pads=[1, 0, 1, 1], **window)
    yield form("MaxPool dilated", "MaxPool", [x], kernel_shape=[2, 2], dilations=[2, 2])
    yield form("AveragePool dilated", "AveragePool", [x], 19, kernel_shape=[2, 2], dilations=[2, 2])
    yield form("Conv 1-D groups", "Conv", [(real(2, 4, 11),), real(6, 2, 3), real(6)], group=2, pads=[1, 1])
    yield form("Conv 3-D", "Conv", [(real(1, 2, 5, 6, 7),), real(3, 2, 3, 2, 2)], strides=[1, 2, 1])
    yield form("Conv by a computed kernel", "Conv", [x, (w,)])
    up = real(3, 2, 3, 3)
    yield form("ConvTranspose output_padding", "ConvTranspose", [x, up], strides=[2, 2], output_padding=[1, 1], pads=[1, 1, 1, 1])
    yield form("ConvTranspose output_shape", "ConvTranspose", [x, up], strides=[2, 2], output_shape=[20, 20])
    yield form("ConvTranspose groups", "ConvTranspose", [(real(1, 4, 5, 5),), real(4, 2, 3, 3)], group=2, strides=[2, 2])
    yield form("ConvTranspose 1-D", "ConvTranspose", [(real(1, 4, 5),), real(4, 2, 3)], strides=[2])
    yield form("ConvTranspose 3-D", "ConvTranspose", [(real(1, 2, 3, 3, 3),), real(2, 2, 2, 2, 2)], strides=[2, 2, 2])
    yield form("GlobalLpPool", "GlobalLpPool", [x], p=2)


def resizes():
    x = (real(1, 3, 9, 10),)
    for mode in ("nearest", "linear", "cubic"):
        for transformation in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"):
            how = {"mode": mode, "coordinate_transformation_mode": transformation}
            yield form(f"Resize {mode} {transformation} up", "Resize", [x, None, floats(1, 1, 2, 1.5)], 19, **how)
            yield form(f"Resize {mode} {transformation} down", "Resize", [x, None, None, ints(1, 3, 4, 7)], 19, **how)
        yield form(f"Resize {mode} crop", "Resize", [x, floats(0, 0, .1, .2, 1, 1, .8, .9), None, ints(1, 3, 5, 7)], 19, mode=mode,
                   coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=3.0)
    for nearest in ("floor", "ceil", "round_prefer_ceil", "round_prefer_floor"):
        yield form(f"Resize {nearest}", "Resize", [x, None, floats(1, 1, 1.7, .6)], 13, mode="nearest", nearest_mode=nearest)
    yield form("Resize 10", "Resize", [x, floats(1, 1, .5, 2)], 10, mode="nearest")
    yield form("Resize 11", "Resize", [x, floats(), floats(1, 1, 2, 2)], 11, mode="linear", coordinate_transformation_mode="asymmetric")
    yield form("Resize aspect", "Resize", [x, None, None, ints(5, 7)], 18, mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    yield form("Resize antialias", "Resize", [x, None, None, ints(1, 3, 4, 5)], 18, mode="linear", antialias=1)
    yield form("Resize channels last", "Resize", [(real(1, 5, 6, 3),), None, floats(1, 2, 2, 1)], 13, mode="linear")
    yield form("Resize outside", "Resize", [x, None, floats(1, 1, 2, 2)], 13, mode="cubic", exclude_outside=1, cubic_coeff_a=-.5)
    yield form("Upsample 7", "Upsample", [x], 7, mode="nearest", scales=[1., 1., 2., 2.])


def movements():
    x = (real(1, 3, 9, 10),)
    yield form("Slice backwards", "Slice", [x, ints(-1, 8), ints(-100, -9), ints(3, -2), ints(-2, -1)])
    yield form("Slice to the end", "Slice", [x, ints(1), ints(2**63 - 1), ints(-1)])
    yield form("Slice 9", "Slice", [x], 9, starts=[1, 2], ends=[3, -1], axes=[1, 3])
    yield form("Split 7", "Split", [x], 7, 2, axis=2, split=[4, 5])
    yield form("Split uneven", "Split", [x], 18, 3, axis=3, num_outputs=3)
    yield form("Pad 10", "Pad", [x], 10, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="reflect")
    yield form("Pad wrap", "Pad", [x, ints(0, 0, 1, 2, 0, 0, 2, 1)], 19, mode="wrap")
    yield form("Pad negative", "Pad", [x, ints(0, 0, -1, 2, 0, 0, 2, -1)], 13)
    yield form("Pad axes", "Pad", [x, ints(1, 2), np.float32(7), ints(-1)], 18)
    for how in ("none", "add", "mul", "max", "min"):
        rows = ints(0, 2, 0 if how != "none" else 1)[:, None]
        yield form(f"ScatterND {how}", "ScatterND", [(real(4, 5),), rows, (real(3, 5),)], 18, reduction=how)
        places = (np.array([[0, 1, 2, 3, 0], [1, 2 if how == "none" else 1, 3, 0, 2]]),)
        yield form(f"ScatterElements {how}", "ScatterElements", [(real(4, 5),), places, (real(2, 5),)], 18, reduction=how)
    yield form("GatherND batches", "GatherND", [(real(2, 3, 4),), (ints(1, 2)[:, None],)], 13, batch_dims=1)
    yield form("Gather negative", "Gather", [(real(5, 4),), (ints(-1, 2, -5),)])
    yield form("Compress", "Compress", [(real(4, 4),), np.array([True, False, True])], axis=1)
    yield form("Compress flat", "Compress", [(real(4, 4),), np.array([True, False, True])])
    yield form("ReverseSequence", "ReverseSequence", [(real(4, 3, 2),), ints(2, 4, 1)], batch_axis=1, time_axis=0)
    yield form("ReverseSequence computed", "ReverseSequence", [(real(3, 4),), (ints(2, 4, 1),)], batch_axis=0, time_axis=1)
    yield form("Hardmax 11", "Hardmax", [x], 11, axis=2)
    yield form("Softmax 7", "Softmax", [x], 7, axis=1)
    yield form("TopK 9", "TopK", [x], 9, 2, k=3, axis=3)
    yield form("TopK smallest", "TopK", [x, ints(3)], 11, 2, axis=1, largest=0)
    yield form("ArgMax last", "ArgMax", [(np.round(x[0]),)], 13, axis=3, select_last_index=1, keepdims=0)
    yield form("Shrink", "Shrink", [x], lambd=.4, bias=.1)
    yield form("Clip 7", "Clip", [x], 7, min=-.5, max=.5)
    yield form("BatchNormalization computed", "BatchNormalization", [x, *[(abs(real(3)),) for _ in range(4)]])
    for op in ("Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Atanh"):
        yield form(op, op, [(RANDOM.uniform(-1, 1, 400).astype(np.float32),)])
        yield form(f"{op} near 0", op, [(RANDOM.uniform(-1e-3, 1e-3, 100).astype(np.float32),)])
    yield form("Atan far", "Atan", [(100 * real(100),)])
    yield form("Acosh", "Acosh", [(1 + abs(real(100)),)])


def equations():
    shapes = {"ij,jk->ik": [(3, 4), (4, 5)], "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)], "ii->i": [(3, 3)], "ii": [(3, 3)], "aiijj->ija": [(2, 3, 3, 2, 2)],
              "...ij,...jk->...ik": [(2, 3, 4), (2, 4, 5)], "b...,b...->...": [(2, 3, 4), (2, 3, 4)],
              "ij,j": [(3, 4), (4,)], "bij->b": [(2, 3, 4)], "i,j->ij": [(3,), (4,)], "ij,ij->": [(3, 4), (3, 4)], "i...->...i": [(2, 3, 4)],
              "abc,cd,de->abe": [(2, 3, 4), (4, 5), (5, 6)], "i,i,i->": [(3,), (3,), (3,)], "bhid,bhjd->bhij": [(1, 2, 3, 4), (1, 2, 5, 4)]}
    for equation, operands in shapes.items():
        yield form(f"Einsum {equation}", "Einsum", [(real(*s),) for s in operands], equation=equation)


def recurrent(op, gates, name, lengths=None, opset=14, **attributes):
    steps, batch, features, hidden = 6, 2, 4, 5
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    operands = [(real(steps, batch, features),), real(directions, gates * hidden, features), real(directions, gates * hidden, hidden),
                real(directions, 2 * gates * hidden), lengths, (real(directions, batch, hidden),)]
    if op == "LSTM":
        operands.append((real(directions, batch, hidden),))
    return form(f"{op} {name}", op, operands, opset, 3 if op == "LSTM" else 2, hidden_size=hidden, **attributes)


def recurrences():
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for direction in ("forward", "reverse", "bidirectional"):
            yield recurrent(op, gates, direction, direction=direction)
            yield recurrent(op, gates, f"{direction}, lengths", np.array([3, 6], np.int32), direction=direction)
        yield recurrent(op, gates, "computed lengths", (np.array([3, 6], np.int32),))
        yield recurrent(op, gates, "7", opset=7)
        yield recurrent(op, gates, "clip", clip=.3)
    yield recurrent("GRU", 3, "linear_before_reset", direction="bidirectional", linear_before_reset=1)
    yield recurrent("LSTM", 4, "activations", activations=["HardSigmoid", "Softsign", "Relu"])
    yield recurrent("GRU", 3, "activations", activations=["Affine", "ScaledTanh"], activation_alpha=[.5, 1.5], activation_beta=[.1, .7])
    yield recurrent("RNN", 1, "activations", activations=["ThresholdedRelu"], activation_alpha=[.2])


def contributed():
    def one(op, operands, results=1, **attributes):
        return form(op + "".join(f" {v}" for v in attributes.values()), op, operands, 17, results, domain=MICROSOFT, **attributes)

    x, w = (real(1, 3, 9, 10),), real(4, 3, 3, 3)
    yield one("BiasGelu", [(real(2, 8),), real(8)])
    yield one("FastGelu", [(real(2, 8),), real(8)])
    yield one("QuickGelu", [(real(2, 8),)], alpha=1.5)
    yield one("SkipLayerNormalization", [(real(1, 2, 8),), (real(1, 2, 8),), real(8), real(8), real(8)])
    yield one("SkipSimplifiedLayerNormalization", [(real(1, 2, 8),), (real(1, 2, 8),), real(8)])
    words = (np.array([[1, 3, 0]], np.int32),)
    yield one("EmbedLayerNormalization", [words, None, real(5, 8), real(6, 8), None, real(8), real(8)], 2, epsilon=1e-5)
    segments = (np.array([[0, 1, 1]], np.int32),)
    yield one("EmbedLayerNormalization", [words, segments, real(5, 8), real(6, 8), real(2, 8), real(8), real(8), (np.array([[1, 1, 0]], np.int32),)], 2)
    yield one("FusedConv", [x, w, real(4)], activation="Relu")
    yield one("FusedConv", [x, w], activation="LeakyRelu", activation_params=[.2])
    yield one("FusedConv", [x, w, real(4), (real(1, 4, 7, 8),)], activation="Relu")
    yield one("FusedGemm", [(real(2, 8),), real(8, 4), real(4)], activation="Relu")
    last = (integers(np.uint8, 1, 6, 6, 3),)
    yield one("NhwcMaxPool", [last], kernel_shape=[2, 2], strides=[2, 2])
    quantized = [np.float32(.02), np.uint8(3)]
    yield one("QLinearConv", [last, *quantized, integers(np.int8, 4, 3, 3, 3), np.float32(.01), np.int8(0), np.float32(.5), np.uint8(100),
                              np.arange(4, dtype=np.int32)], channels_last=1)
    byte = (integers(np.uint8, 2, 3),)
    yield one("QLinearWhere", [(np.array([True, False, True]),), byte, *quantized, byte, np.float32(.03), np.uint8(7), np.float32(.05), np.uint8(100)])


def halves():
    """What float16 models hold."""
    def half(*shape):
        return (real(*shape).astype(np.float16),)

    yield form("half Einsum", "Einsum", [half(2, 3, 4), half(2, 4, 5)], equation="bij,bjk->bik")
    yield form("half Einsum sum", "Einsum", [half(2, 3, 4)], equation="bij->b")
    yield form("half GlobalLpPool", "GlobalLpPool", [half(1, 2, 3, 3)], p=2)
    for shape in ((3, 10), (1, 3, 9, 10)):
        for k in (3, 6):
            yield form(f"half TopK {k} of {shape}", "TopK", [half(*shape), ints(k)], 11, 2)
            yield form(f"TopK {k} of {shape}", "TopK", [(real(*shape),), ints(k)], 11, 2)
    yield form("half MatMul", "MatMul", [half(2, 3), half(3, 4)])
    yield form("half Softmax", "Softmax", [half(2, 9)])


def signals():
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            yield form(f"{op} {periodic}", op, [np.int64(8)], periodic=periodic)
    for opset, further, attributes in ((17, [], {"axis": 1}), (20, [None, np.int64(1)], {})):
        for parts in (1, 2):
            for inverse in (0, 1):
                yield form(f"DFT {opset}, {parts} parts, inverse {inverse}", "DFT", [(real(2, 7, 3, parts),), *further], opset, inverse=inverse, **attributes)
        yield form(f"DFT {opset} onesided", "DFT", [(real(2, 8, 1),), *further], opset, onesided=1, **attributes)
    yield form("DFT of a length", "DFT", [(real(2, 8, 1),), np.int64(6)], axis=1)
    yield form("DFT of more zeros", "DFT", [(real(2, 8, 1),), np.int64(12)], axis=1)
    yield form("STFT", "STFT", [(real(2, 32, 1),), np.int64(4), real(8)])
    yield form("STFT without a window", "STFT", [(real(1, 32, 1),), np.int64(5), None, np.int64(16)], onesided=0)


def attentions():
    def one(op, name, operands, **attributes):
        return form(f"{op} {name}", op, operands, domain=MICROSOFT, num_heads=2, **attributes)

    x, w, b = (real(2, 4, 8),), real(8, 24), real(24)
    yield one("Attention", "", [x, w, b])
    yield one("Attention", "unidirectional", [x, w, b], unidirectional=1)
    yield one("Attention", "lengths", [x, w, b, np.array([3, 4], np.int32)])
    yield one("Attention", "mask", [x, w, b, (np.array([[1, 1, 0, 1], [0, 1, 1, 1]], np.int32),)])
    yield one("Attention", "sizes", [x, real(8, 20), real(20)], qkv_hidden_sizes=[8, 8, 4])
    for dtype in (np.uint8, np.int8):
        weights = integers(dtype, 8, 24)
        byte = (integers(np.uint8, 2, 4, 8),)
        yield one("QAttention", np.dtype(dtype).name, [byte, weights, b, np.float32(.02), np.float32(.01), None, np.uint8(120), dtype(3)])
    yield one("MultiHeadAttention", "", [(real(2, 3, 8),), (real(2, 4, 8),), (real(2, 4, 8),)])
    yield one("MultiHeadAttention", "bias", [(real(2, 3, 8),), (real(2, 4, 8),), (real(2, 4, 8),), real(24)])


def quantized_form(dtype, name, op, shapes, further=(), **attributes):
    """Every operand quantized and dequantized before the operator, its result quantized."""
    limits = np.iinfo(dtype)
    middle, width = dtype((int(limits.max) + int(limits.min) + 1) // 2), int(limits.max) - int(limits.min)
    constants = {"s": np.float32(6 / width), "z": middle, "ts": np.float32(8 / width)}
    nodes, inputs, names = [], {}, []
    for i, shape in enumerate(shapes):
        inputs[f"x{i}"] = real(*shape)
        nodes.append(helper.make_node("QuantizeLinear", [f"x{i}", "s", "z"], [f"q{i}"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"q{i}", "s", "z"], [f"d{i}"]))
        names.append(f"d{i}")
    for i, operand in enumerate(further):
        names.append("" if operand is None else f"c{i}")
        if operand is not None:
            constants[names[-1]] = np.asarray(operand)
    nodes.append(helper.make_node(op, names, ["t"], **attributes))
    nodes.append(helper.make_node("QuantizeLinear", ["t", "ts", "z"], ["y"]))
    return f"{np.dtype(dtype).name} {name}", nodes, inputs, constants, 21, ["y"]


def quantized():
    for dtype in (np.uint8, np.int8, np.uint16, np.int16):
        for op in ("Add", "Mul", "Div"):
            yield quantized_form(dtype, op, op, [(2, 3), (3,)])
        for op in ("Softmax", "Sigmoid", "Gelu", "HardSwish"):
            yield quantized_form(dtype, op, op, [(2, 9)])
        yield quantized_form(dtype, "Max", "Max", [(2, 3), (2, 3)])
        yield quantized_form(dtype, "MatMul", "MatMul", [(2, 3), (3, 4)])
        yield quantized_form(dtype, "Conv", "Conv", [(1, 2, 5, 5), (3, 2, 3, 3)])
        yield quantized_form(dtype, "ConvTranspose", "ConvTranspose", [(1, 2, 5, 5), (2, 3, 3, 3)], strides=[2, 2])
        yield quantized_form(dtype, "PRelu", "PRelu", [(1, 2, 4, 4), (2, 1, 1)])
        yield quantized_form(dtype, "GlobalAveragePool", "GlobalAveragePool", [(1, 2, 4, 4)])
        yield quantized_form(dtype, "Pad", "Pad", [(2, 9)], [ints(0, 1, 1, 0)])
        yield quantized_form(dtype, "Gather", "Gather", [(4, 9)], [ints(0, 1, 1, 3)])
        yield quantized_form(dtype, "Slice", "Slice", [(4, 9)], [ints(0, 1), ints(3, 5)])
        yield quantized_form(dtype, "ReduceMean", "ReduceMean", [(4, 9)], [ints(1)])
        yield quantized_form(dtype, "LayerNormalization", "LayerNormalization", [(4, 9)], [real(9)])
        yield quantized_form(dtype, "InstanceNormalization", "InstanceNormalization", [(1, 3, 9)], [real(3), real(3)])
        yield quantized_form(dtype, "Resize", "Resize", [(1, 2, 4, 4)], [None, floats(1, 1, 2, 2)], mode="linear")
        yield quantized_form(dtype, "LSTM", "LSTM", [(3, 2, 4)], [real(1, 20, 4), real(1, 20, 5)], hidden_size=5)


def compare(qlathe, folder, case):
    """What is wrong, or nothing."""
    name, nodes, inputs, constants, opset, outputs = case
    graph = helper.make_graph(nodes, "form", [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()],
                              [onnx.ValueInfoProto(name=o) for o in outputs], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    expected = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(outputs, inputs)
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "in.npz", **inputs)
    ran = subprocess.run([qlathe, "run", folder / "model.onnx", "--via", "reference", "-i", folder / "in.npz", "-o", folder / "out.npz"],
                         capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        return ran.stderr.strip()
    with np.load(folder / "out.npz") as arrays:
        actual = [arrays[o] for o in outputs]
    for a, e in zip(actual, expected):
        if a.shape != e.shape or a.dtype != e.dtype:
            return f"{a.dtype}{a.shape}, ONNX Runtime gives {e.dtype}{e.shape}"
        distance = np.abs(a.astype(np.float64) - e.astype(np.float64))
        allowed = int(nodes[-1].op_type == "QuantizeLinear")
        if e.dtype.kind == "f":
            unit = 1e-6 if e.dtype == np.float32 else 5e-4
            allowed = 2 * unit * np.abs(e).max() + (2e-5 if unit < 1e-5 else 0) * np.abs(e)
        if np.any(distance > allowed) or np.any(np.isnan(distance)):
            return f"is off by {distance.max()}"
    return None


def main(qlathe, part=""):
    cases = [case for group in (windows, resizes, movements, equations, recurrences, contributed, halves, signals, attentions, quantized) for case in group() if part in case[0]]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        for case in cases:
            problem = compare(qlathe, pathlib.Path(temporary), case)
            if problem:
                failed += 1
                print(f"{case[0]}: {problem}")
    print(f"{len(cases) - failed} of {len(cases)} forms give what ONNX Runtime gives")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
