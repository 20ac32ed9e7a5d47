"""Writes the cases that the repository holds: sample.py OUT."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from casegen import cases, ops_all  # noqa: E402,F401

SEED = 3
MOST_BYTES = 10000
# How many variants of an operator; the rest have ONE.
COUNTS = {
    "CONV_2D": 10, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 11, "TRANSPOSE_CONV": 4, "BATCH_MATMUL": 3, "ADD": 2, "MUL": 2,
    "AVERAGE_POOL_2D": 2, "SOFTMAX": 3, "QUANTIZE": 4, "LOGISTIC": 3, "MEAN": 2, "RESIZE_BILINEAR": 3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "SVDF": 2, "STRIDED_SLICE": 2, "VARIABLES": 2, "NET_OUTPUTS": 3, "NET_FLOAT": 2,
    "DIV": 4, "REDUCE_PROD": 3, "POW": 2, "PRELU": 4, "GATHER": 3, "BLOCKWISE": 2, "NET_ATTENTION": 2, "LSTM": 2,
}
ONE = 1


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    entries = {}
    for op, make in cases.OPERATORS.items():
        for index in range(COUNTS.get(op, ONE)):
            gen = cases.Gen(op, index, SEED)
            name = "%s_%03d" % (op.lower(), index)
            if make(gen) is None:
                continue
            said = cases.write_case(gen, out, name, 2, MOST_BYTES)
            if isinstance(said, str):
                print("%s: not written: %s" % (name, said), file=sys.stderr)
            else:
                entries[name] = said
    cases.write_list(out, entries)
    print("%d cases in %s" % (len(entries), out))


if __name__ == "__main__":
    main()
