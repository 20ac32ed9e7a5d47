"""What an ONNX graph says in float64: every float is a double, and a quantization also tells the real value that it rounded.

Quantization and products are written here; all other operators are the onnx package's reference, fed with doubles.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
LIMITS = {TensorProto.UINT8: (0, 255), TensorProto.INT8: (-128, 127), TensorProto.UINT16: (0, 65535), TensorProto.INT16: (-32768, 32767),
          TensorProto.INT4: (-8, 7), TensorProto.UINT4: (0, 15), TensorProto.INT2: (-2, 1), TensorProto.UINT2: (0, 3)}
NARROW = {"int4": np.int8, "uint4": np.uint8, "int2": np.int8, "uint2": np.uint8}


class NoExactValue(Exception):
    """An operator that has no evaluation in float64 here."""


def wide(array):
    """The array with doubles for floats, and bytes for integers of fewer bits."""
    array = np.asarray(array)
    if array.dtype.name in NARROW:
        return array.astype(NARROW[array.dtype.name])
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array


def attributes(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def along(parameter, x, axis, block):
    """A scale or zero point in a shape that broadcasts to x's."""
    parameter = np.asarray(parameter)
    if parameter.size == 1:
        return parameter.reshape(())
    if block:
        return np.repeat(parameter, block, axis=axis).take(np.arange(x.shape[axis]), axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def signed(q, zero=None):
    """q - zero point, exactly."""
    q = q.astype(np.float64)
    return q if zero is None else q - np.asarray(zero).astype(np.float64)


def convolve(x, w, bias, a):
    """x [n, c, *spatial], w [oc, c / group, *kernel]."""
    dims, groups = w.ndim - 2, a.get("group", 1)
    kernel, strides, dilations = w.shape[2:], a.get("strides", [1] * dims), a.get("dilations", [1] * dims)
    pads = list(a.get("pads", [0] * (2 * dims)))
    auto = a.get("auto_pad", b"NOTSET").decode()
    if auto.startswith("SAME"):
        for d in range(dims):
            need = max(0, (-(-x.shape[2 + d] // strides[d]) - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1 - x.shape[2 + d])
            pads[d], pads[d + dims] = (need // 2, need - need // 2) if auto == "SAME_UPPER" else (need - need // 2, need // 2)
    x = np.pad(x, [(0, 0), (0, 0)] + [(pads[d], pads[d + dims]) for d in range(dims)])
    windows = np.lib.stride_tricks.sliding_window_view(x, [(k - 1) * d + 1 for k, d in zip(kernel, dilations)], axis=tuple(range(2, 2 + dims)))
    windows = windows[(slice(None), slice(None), *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))]
    out = []
    spatial, taps = list(range(2, 2 + dims)), list(range(2 + dims, 2 + 2 * dims))
    for part, weights in zip(np.split(windows, groups, axis=1), np.split(w, groups, axis=0)):
        out.append(np.moveaxis(np.tensordot(part, weights, ([1, *taps], [1, *(d for d in range(2, 2 + dims))])), -1, 1))
    y = np.concatenate(out, axis=1)
    return y if bias is None else y + bias.reshape([1, -1] + [1] * dims)


class Exact:
    """Runs a model in float64. `real` holds what was rounded for every quantized tensor, in steps with the zero point."""

    def __init__(self, model):
        self.model = model
        self.opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in model.opset_import}
        self.others = {}  # evaluators of single nodes
        self.kinds = {t.name: t.data_type for t in model.graph.initializer}
        self.constants = {t.name: wide(numpy_helper.to_array(t)) for t in model.graph.initializer}

    def run(self, feeds):
        self.real = {}
        self.missing = {}  # tensor -> why it has no exact value
        values = dict(self.constants)
        values.update({name: wide(value) for name, value in feeds.items()})
        for node in self.model.graph.node:
            lost = [self.missing[name] for name in node.input if name in self.missing]
            try:
                if lost:
                    raise NoExactValue(lost[0])
                outputs = self.node(node, [values[name] if name else None for name in node.input])
            except NoExactValue as why:
                self.missing.update({name: str(why) for name in node.output})
                continue
            for name, value in zip(node.output, outputs):
                values[name] = value
            self.missing.update({name: f"{node.op_type}'s reference does not give it" for name in node.output[len(outputs):]})
        return values

    def node(self, node, inputs):
        handler = getattr(self, "op_" + node.op_type, None)
        if handler is not None:
            result = handler(node, attributes(node), *inputs)
            return result if isinstance(result, (tuple, list)) else [result]
        if node.domain not in ("", "ai.onnx"):
            raise NoExactValue(f"{node.domain}.{node.op_type}")
        return self.reference(node, inputs)

    def reference(self, node, inputs):
        """The node by the onnx package's reference, which computes in the type that it is given."""
        if id(node) not in self.others:
            known = lambda names: [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in dict.fromkeys(names) if n]
            graph = helper.make_graph([node], "one", known(node.input), known(node.output))
            opset = helper.make_opsetid("", self.opsets[""])
            self.others[id(node)] = (node, ReferenceEvaluator(helper.make_model(graph, opset_imports=[opset])))
        feeds = {name: value for name, value in zip(node.input, inputs) if name}
        try:
            return [wide(value) for value in self.others[id(node)][1].run(None, feeds)]
        except Exception as error:  # noqa: BLE001 the reference raises whatever its operators do
            raise NoExactValue(f"{node.op_type}: {error}") from error

    def apply(self, op, *inputs, **attrs):
        """An operator that no node of the model is."""
        names = [f"i{i}" for i in range(len(inputs))]
        return self.reference(helper.make_node(op, names, ["y"], **attrs), list(inputs))[0]

    def rounded(self, name, real, kind):
        """The quantized tensor of a real one that is counted in steps, zero point included."""
        self.real[name] = real
        low, high = LIMITS[kind]
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        return np.clip(np.rint(real), low, high).astype(NARROW.get(dtype.name, dtype))

    @staticmethod
    def kind(zero, default=TensorProto.UINT8):
        return default if zero is None else helper.np_dtype_to_tensor_dtype(np.asarray(zero).dtype)

    # Quantization

    def op_QuantizeLinear(self, node, a, x, scale, zero=None):
        axis, block = a.get("axis", 1), a.get("block_size", 0)
        real = x / along(scale, x, axis, block)
        if zero is not None:
            real = real + signed(along(zero, x, axis, block))
        kind = self.kinds.get(node.input[2]) if zero is not None else a.get("output_dtype", 0)
        return self.rounded(node.output[0], real, kind or self.kind(zero))

    def op_DequantizeLinear(self, node, a, q, scale, zero=None):
        axis, block = a.get("axis", 1), a.get("block_size", 0)
        zero = None if zero is None else along(zero, q, axis, block)
        return signed(q, zero) * along(scale, q, axis, block)

    def op_DynamicQuantizeLinear(self, node, a, x):
        low, high = min(0.0, x.min()), max(0.0, x.max())
        scale = (high - low) / 255 or 1.0
        zero = np.clip(np.rint(-low / scale), 0, 255)
        self.real[node.output[2]] = np.asarray(-low / scale)
        return [self.rounded(node.output[0], x / scale + zero, TensorProto.UINT8), np.asarray(scale), np.asarray(zero, np.uint8)]

    def op_Clip(self, node, a, x, low=None, high=None):
        low = a.get("min") if low is None else low
        high = a.get("max") if high is None else high
        if node.input[0] in self.real:
            self.real[node.output[0]] = self.real[node.input[0]]
        y = x if low is None else np.maximum(x, low)
        return (y if high is None else np.minimum(y, high)).astype(x.dtype)

    def op_Cast(self, node, a, x):
        if a["to"] in FLOATS:
            return x.astype(np.float64)
        return self.reference(node, [x])[0]

    # Products

    def op_Conv(self, node, a, x, w, bias=None):
        return convolve(x, w, bias, a)

    def op_ConvInteger(self, node, a, x, w, x_zero=None, w_zero=None):
        if w_zero is not None and np.asarray(w_zero).size > 1:
            w_zero = np.asarray(w_zero).reshape([-1] + [1] * (w.ndim - 1))
        return convolve(signed(x, x_zero), signed(w, w_zero), None, a).astype(np.int32)

    def op_MatMulInteger(self, node, a, x, w, x_zero=None, w_zero=None):
        return np.matmul(signed(x, x_zero), signed(w, w_zero)).astype(np.int32)

    def op_QLinearConv(self, node, a, x, xs, xz, w, ws, wz, ys, yz, bias=None):
        channel = [-1] + [1] * (w.ndim - 1)
        total = convolve(signed(x, xz), signed(w, np.asarray(wz).reshape(channel if np.size(wz) > 1 else ())), bias, a)
        factor = xs * np.asarray(ws).reshape([1] + channel[:-1] if np.size(ws) > 1 else ()) / ys
        return self.rounded(node.output[0], total * factor + signed(np.asarray(yz)), self.kind(yz))

    def op_QLinearMatMul(self, node, a, x, xs, xz, w, ws, wz, ys, yz):
        real = np.matmul(signed(x, xz), signed(w, wz)) * (xs * ws / ys)
        return self.rounded(node.output[0], real + signed(np.asarray(yz)), self.kind(yz))

    def op_QGemm(self, node, a, x, xs, xz, w, ws, wz, bias=None, ys=None, yz=None):
        left, right = signed(x, xz), signed(w, wz)
        total = (left.T if a.get("transA") else left) @ (right.T if a.get("transB") else right)
        real = (total * a.get("alpha", 1.0) + (0 if bias is None else bias)) * (xs * ws)
        return real if ys is None else self.rounded(node.output[0], real / ys + signed(np.asarray(yz)), self.kind(yz))

    # Other operators on quantized tensors: dequantize, the operator, quantize.

    def quantized(self, node, real, scale, zero):
        zero = np.uint8(0) if zero is None else zero
        return self.rounded(node.output[0], real / scale + signed(np.asarray(zero)), self.kind(zero))

    def op_QLinearAdd(self, node, a, x, xs, xz, w, ws, wz, ys, yz=None):
        return self.quantized(node, signed(x, xz) * xs + signed(w, wz) * ws, ys, yz)

    def op_QLinearMul(self, node, a, x, xs, xz, w, ws, wz, ys, yz=None):
        return self.quantized(node, signed(x, xz) * xs * (signed(w, wz) * ws), ys, yz)

    def op_QLinearSigmoid(self, node, a, x, xs, xz, ys, yz=None):
        return self.quantized(node, 1 / (1 + np.exp(-signed(x, xz) * xs)), ys, yz)

    def op_QLinearLeakyRelu(self, node, a, x, xs, xz, ys, yz=None):
        real = signed(x, xz) * xs
        return self.quantized(node, np.where(real < 0, real * a.get("alpha", 0.01), real), ys, yz)

    def op_QLinearSoftmax(self, node, a, x, xs, xz, ys, yz=None):
        axis = tuple([a.get("axis", -1)] if a.get("opset", 13) >= 13 else range(a.get("axis", 1) % x.ndim, x.ndim))
        power = np.exp((signed(x, xz) - signed(x, xz).max(axis=axis, keepdims=True)) * xs)
        return self.quantized(node, power / power.sum(axis=axis, keepdims=True), ys, yz)

    def op_QLinearGlobalAveragePool(self, node, a, x, xs, xz, ys, yz=None):
        axes = tuple(range(1, x.ndim - 1)) if a.get("channels_last") else tuple(range(2, x.ndim))
        return self.quantized(node, (signed(x, xz) * xs).mean(axis=axes, keepdims=True), ys, yz)

    def op_QLinearAveragePool(self, node, a, x, xs, xz, ys, yz=None):
        last = a.pop("channels_last", 0)
        real = signed(x, xz) * xs
        real = self.apply("AveragePool", np.moveaxis(real, -1, 1) if last else real, **a)
        return self.quantized(node, np.moveaxis(real, 1, -1) if last else real, ys, yz)

    def op_QLinearConcat(self, node, a, ys, yz, *parts):
        parts = [signed(parts[i], parts[i + 2]) * parts[i + 1] for i in range(0, len(parts), 3)]
        return self.quantized(node, np.concatenate(parts, axis=a["axis"]), ys, yz)
