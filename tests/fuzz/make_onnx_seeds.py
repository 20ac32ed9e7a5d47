"""Writes the seeds of onnx_fuzz: small models over many operators. python3 make_onnx_seeds.py corpus/onnx_fuzz"""

import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def model(name, nodes, inputs, outputs, constants=(), opset=21):
    """inputs: {name: shape} of float32; outputs: names; constants: {name: array}."""
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outputs],
        [numpy_helper.from_array(v, k) for k, v in dict(constants).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)])


def ints(*values):
    return np.array(values, np.int64)


N = helper.make_node
f = lambda *shape: np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
SEEDS = {
    "conv": model("conv", [
        N("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 0, 0], strides=[2, 1], group=1),
        N("BatchNormalization", ["c", "s", "s", "s", "v"], ["n"]), N("Relu", ["n"], ["r"]),
        N("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], ceil_mode=1), N("GlobalAveragePool", ["m"], ["g"]),
        N("Flatten", ["g"], ["y"])], {"x": [1, 2, 5, 5]}, ["y"],
        {"w": f(3, 2, 3, 3), "b": f(3), "s": f(3), "v": np.ones(3, np.float32)}),
    "shapes": model("shapes", [
        N("Shape", ["x"], ["s"]), N("Gather", ["s", "i"], ["d"]), N("Concat", ["d", "m"], ["to"], axis=0),
        N("Reshape", ["x", "to"], ["r"]), N("Slice", ["r", "i", "e", "i", "t"], ["l"]), N("Transpose", ["l"], ["y"])],
        {"x": [2, 6]}, ["y"], {"i": ints(0), "m": ints(-1), "e": ints(2), "t": ints(1)}),
    "qdq": model("qdq", [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]), N("DequantizeLinear", ["q", "s", "z"], ["d"]),
        N("DequantizeLinear", ["w", "ws"], ["wd"], axis=1), N("MatMul", ["d", "wd"], ["y"])],
        {"x": [2, 4]}, ["y"],
        {"s": np.float32(0.1), "z": np.uint8(3), "w": np.arange(8, dtype=np.int8).reshape(4, 2), "ws": np.array([0.1, 0.2], np.float32)}),
    "lstm": model("lstm", [N("LSTM", ["x", "w", "r"], ["y", "h", "c"], hidden_size=2)], {"x": [3, 1, 2]}, ["y", "h", "c"],
                  {"w": f(1, 8, 2), "r": f(1, 8, 2)}),
    "resize": model("resize", [N("Resize", ["x", "", "s"], ["y"], mode="linear")], {"x": [1, 1, 3, 3]}, ["y"],
                    {"s": np.array([1, 1, 2, 1.5], np.float32)}),
    "if": model("if", [N("If", ["c"], ["y"],
                         then_branch=helper.make_graph([N("Abs", ["x"], ["a"])], "t", [], [helper.make_tensor_value_info("a", 1, None)]),
                         else_branch=helper.make_graph([N("Neg", ["x"], ["b"])], "e", [], [helper.make_tensor_value_info("b", 1, None)]))],
                {"x": [3]}, ["y"], {"c": np.array(True)}),
    "products": model("products", [
        N("Gemm", ["x", "w", "b"], ["g"], transB=1, alpha=0.5), N("Einsum", ["g", "g"], ["e"], equation="ij,kj->ik"),
        N("Softmax", ["e"], ["p"]), N("ReduceSum", ["p", "a"], ["y"])], {"x": [2, 4]}, ["y"],
        {"w": f(3, 4), "b": f(3), "a": ints(1)}),
}

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for name, seed in SEEDS.items():
        (folder / name).write_bytes(seed.SerializeToString())
