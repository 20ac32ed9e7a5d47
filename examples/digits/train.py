#!/usr/bin/env python3
"""Trains the small convolutional network of this example on scikit-learn's bundled digits and writes, beside itself:

  digits_weights.npz   the weights that digits.json names
  calibration.npz      "image": 64 training images, for static activations
  test_images.npy      [360, 1, 8, 8, 1] float32 in 0..1, held out: never trained, tuned or calibrated on
  test_labels.npy      [360] uint8

Usage: python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scikit-learn==1.5.2 && venv/bin/python train.py

Numpy alone does the training, in float32 with a fixed seed: a second run on one machine gives the same files. Another
BLAS may move last bits.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a fixed order of sums

import pathlib
import zipfile

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).resolve().parent
EPOCHS, BATCH, RATE, DECAY = 60, 64, 2e-3, 2e-4


def load():
    """Images [n, 8, 8, 1] in 0..1; every fifth digit of a shuffled order is held out."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    labels = digits.target.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    held_out = order[::5]
    train = np.setdiff1d(order, held_out)
    return images[train], labels[train], images[held_out], labels[held_out]


def patches(x):
    """3x3 neighbourhoods with SAME padding: [n, h, w, 9 * c], in the order of a kernel [3, 3, c, out]."""
    n, h, w, c = x.shape
    windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), axis=(1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(n, h, w, 9 * c)


def unpatch(d, c):
    """The transpose of patches()."""
    n, h, w, _ = d.shape
    d = d.reshape(n, h, w, 3, 3, c)
    out = np.zeros((n, h + 2, w + 2, c), np.float32)
    for i in range(3):
        for j in range(3):
            out[:, i : i + h, j : j + w] += d[:, :, :, i, j]
    return out[:, 1:-1, 1:-1]


class Conv:
    def __init__(self, name, inputs, outputs, rng):
        self.name = name
        self.kernel = (rng.standard_normal((3, 3, inputs, outputs)) * np.sqrt(2 / (9 * inputs))).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def forward(self, x):
        self.channels, self.columns = x.shape[3], patches(x)
        self.out = np.maximum(self.columns @ self.kernel.reshape(-1, self.kernel.shape[3]) + self.bias, 0)
        return self.out

    def backward(self, d):
        d = d * (self.out > 0)
        flat = d.reshape(-1, d.shape[3])
        self.gradients = [self.columns.reshape(len(flat), -1).T @ flat, flat.sum(0)]
        return unpatch(d @ self.kernel.reshape(-1, self.kernel.shape[3]).T, self.channels)


class Pool:
    """2x2 maxima."""

    def forward(self, x):
        n, h, w, c = x.shape
        self.blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
        self.out = self.blocks.max((2, 4))
        return self.out

    def backward(self, d):
        hit = self.blocks == self.out[:, :, None, :, None]
        shared = hit / hit.sum((2, 4), keepdims=True, dtype=np.float32)
        n, h, _, w, _, c = self.blocks.shape
        return (shared * d[:, :, None, :, None]).reshape(n, 2 * h, 2 * w, c)


class Linear:
    def __init__(self, name, inputs, outputs, rng):
        self.name = name
        self.kernel = (rng.standard_normal((inputs, outputs)) * np.sqrt(1 / inputs)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.kernel + self.bias

    def backward(self, d):
        self.gradients = [self.x.T @ d, d.sum(0)]
        return (d @ self.kernel.T).reshape(self.shape)


def shifted(images, rng):
    """Each image moved by at most one pixel either way."""
    out = np.zeros_like(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i, (dy, dx) in enumerate(rng.integers(0, 3, (len(images), 2))):
        out[i] = padded[i, dy : dy + 8, dx : dx + 8]
    return out


def train(images, labels):
    rng = np.random.default_rng(1)
    layers = [Conv("conv1", 1, 16, rng), Conv("conv2", 16, 32, rng), Pool(), Conv("conv3", 32, 32, rng), Pool(), Linear("fc", 128, 10, rng)]
    learned = [layer for layer in layers if hasattr(layer, "kernel")]
    moments = {}
    step = 0
    for epoch in range(EPOCHS):
        rate, loss = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS)), 0.0
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            x = shifted(images[batch], rng)
            for layer in layers:
                x = layer.forward(x)
            x = np.exp(x - x.max(1, keepdims=True))
            d = x / x.sum(1, keepdims=True)
            loss -= np.log(d[np.arange(len(batch)), labels[batch]] + 1e-9).sum()
            d[np.arange(len(batch)), labels[batch]] -= 1
            d /= len(batch)
            for layer in reversed(layers):
                d = layer.backward(d)
            step += 1
            for layer in learned:  # Adam with decoupled weight decay
                for parameter, gradient in zip((layer.kernel, layer.bias), layer.gradients):
                    gradient = gradient.reshape(parameter.shape)
                    m, v = moments.setdefault(id(parameter), (np.zeros_like(parameter), np.zeros_like(parameter)))
                    m += np.float32(0.1) * (gradient - m)
                    v += np.float32(0.001) * (gradient * gradient - v)
                    update = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
                    parameter -= (rate * (update + DECAY * parameter)).astype(np.float32)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:2}: loss {loss / len(images):.4f}")
    return layers, learned


def write_npz(path, arrays):
    """As np.savez, without the time of day in it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w") as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array))


def main():
    images, labels, test_images, test_labels = load()
    layers, learned = train(images, labels)
    x = test_images
    for layer in layers:
        x = layer.forward(x)
    print(f"held-out accuracy {100 * (x.argmax(1) == test_labels).mean():.2f} % of {len(test_images)}")
    arrays = {}
    for layer in learned:
        arrays[f"{layer.name}/kernel"], arrays[f"{layer.name}/bias"] = layer.kernel, layer.bias
    write_npz(HERE / "digits_weights.npz", arrays)
    write_npz(HERE / "calibration.npz", {"image": images[:64, None]})
    np.save(HERE / "test_images.npy", test_images[:, None])
    np.save(HERE / "test_labels.npy", test_labels)


if __name__ == "__main__":
    main()
