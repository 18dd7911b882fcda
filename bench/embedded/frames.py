#!/usr/bin/env python3
"""Snapshots for the embedded example, and the comparison of its cubes. Only Python's standard library.

frames.py make FOLDER [SIDE] [FRAMES]   a scene that moves before a binary mask: mask.raw and mask.npy, frames.raw,
                                        frame0.npy ... (for `unmask reconstruct`)
frames.py compare EXPECTED FOUND        the largest difference over the largest value; 1 where it is above 1e-5, or NaN
"""
import array
import math
import random
import re
import struct
import sys

BANDS, STEP = 28, 2


def save_npy(path, shape, values):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        values.tofile(f)


def load(path):
    """Floats of a raw file or of an NPY file."""
    data = open(path, "rb").read()
    if data[:6] == b"\x93NUMPY":
        begin = 10 + struct.unpack("<H", data[8:10])[0]
        shape = [int(n) for n in re.search(rb"\(([^)]*)\)", data[10:begin])[1].split(b",") if n.strip()]
        data = data[begin:begin + 4 * math.prod(shape)]  # what the program says of the values follows
    return numbers(data)


def numbers(data):
    values = array.array("f")
    values.frombytes(data)
    return values


def spectrum(centre, width, base):
    return [base + math.exp(-(((b - centre) / width) ** 2)) for b in range(BANDS)]


def scene(side, frame):
    """Discs and stripes of five spectra, with shade; it moves by a pixel a frame."""
    kinds = [spectrum(4, 5, .1), spectrum(12, 4, .05), spectrum(20, 6, .1), spectrum(26, 8, .2), spectrum(0, 30, .1)]
    cube = []
    for h in range(side):
        for w in range(side):
            x, y = w + frame, h
            kind = 4
            if (x // 9 + y // 13) % 3 == 0:
                kind = 3
            for k, (cx, cy, r) in enumerate([(.3, .3, .18), (.7, .4, .14), (.5, .75, .2)]):
                if ((x % side) / side - cx) ** 2 + (y / side - cy) ** 2 < r * r:
                    kind = k
            shade = .5 + .3 * math.sin(.11 * x + .07 * y)
            cube.append([.6 * shade * v for v in kinds[kind]])
    return cube


def make(folder, side=64, frames=3):
    draw = random.Random(1)
    mask = array.array("f", [1. if draw.random() < .5 else 0. for _ in range(side * side)])
    mask.tofile(open(f"{folder}/mask.raw", "wb"))
    save_npy(f"{folder}/mask.npy", (side, side), mask)
    width = side + STEP * (BANDS - 1)
    with open(f"{folder}/frames.raw", "wb") as out:
        for frame in range(frames):
            y = array.array("f", bytes(4 * side * width))
            cube = scene(side, frame)
            for h in range(side):
                for w in range(side):
                    if mask[h * side + w]:
                        for b, value in enumerate(cube[h * side + w]):
                            y[h * width + w + STEP * b] += value
            y.tofile(out)
            save_npy(f"{folder}/frame{frame}.npy", (side, width), y)


def compare(expected, found):
    a, b = load(expected), load(found)
    if len(a) != len(b) or not a:
        return print(f"{found}: {len(b)} numbers, expected {len(a)}") or 1
    largest = max(abs(v) for v in a)
    # a NaN makes the sum NaN, and every comparison with it false
    worst = max(abs(p - q) for p, q in zip(a, b)) / largest
    sound = math.isfinite(sum(b))
    print(f"{found}: differs by {worst:.2e} of the largest value{'' if sound else ', and is not finite'}")
    return 0 if sound and worst <= 1e-5 else 1


if __name__ == "__main__":
    if len(sys.argv) >= 3 and sys.argv[1] == "make":
        make(sys.argv[2], *(int(a) for a in sys.argv[3:]))
    elif len(sys.argv) == 4 and sys.argv[1] == "compare":
        sys.exit(compare(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
