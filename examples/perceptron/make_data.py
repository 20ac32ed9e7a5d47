#!/usr/bin/env python3
"""Writes perceptron_weights.npz, calibration.npz and sample.npz beside itself: random numbers of a fixed seed.

Usage: .deps/venv/bin/python examples/perceptron/make_data.py
"""

import pathlib
import zipfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def write_npz(path, arrays):
    """As np.savez, without the time of day in it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w") as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array))


def main():
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    write_npz(
        HERE / "perceptron_weights.npz",
        {
            "linear1/kernel": normal(16, 64) / np.float32(4),
            "linear1/bias": normal(64) / np.float32(10),
            "linear2/kernel": normal(64, 16) / np.float32(8),
            "linear2/bias": normal(16) / np.float32(10),
        },
    )
    write_npz(HERE / "calibration.npz", {"x": normal(4, 8, 16)})
    write_npz(HERE / "sample.npz", {"x": normal(8, 16)})


if __name__ == "__main__":
    main()
