#!/usr/bin/env python3
"""The figures of docs/results.md from what `bench/reconstruct/run DIR` left: true colour, four bands, spectra at three points.

    bench/reconstruct/pictures.py DIR OUT        (needs h5py, matplotlib and Pillow)
"""
import base64
import io
import re
import sys
from pathlib import Path

import h5py
import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

METHODS = {"gap-tv": "GAP-TV", "spectral-tv": "spectral TV", "s2": "S2-Transformer"}
BANDS = (2, 11, 16, 25)
# Name: row and column in the pictures, which are turned by 180 degrees.
POINTS = {1: {"red star": (336, 231), "yellow flower": (255, 350), "plant": (397, 320)},
          2: {"leaf": (330, 330), "flower": (275, 522), "stem": (518, 510)},
          3: {"face": (182, 280), "skirt": (437, 280), "box": (243, 522)}}


def true_colour(report, name):
    """The picture that the report itself shows."""
    data = re.search(rf'alt="{re.escape(name)}" src="data:image/png;base64,([^"]+)"', report.read_text()).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def figure(folder, scene, out):
    cubes, colours = {}, {}
    for method, name in METHODS.items():
        with h5py.File(folder / f"real{scene}-{method}.h5") as file:
            cubes[method] = file["cube"][()][::-1, ::-1]
            nm = file["wavelengths"][()] if "wavelengths" in file else None  # GAP-TV knows none; the last method does
        colours[method] = true_colour(folder / f"real{scene}-{method}.html", name)
    fig, axes = plt.subplots(4, 5, figsize=(15, 12), gridspec_kw={"hspace": 0.14, "wspace": 0.04})
    for row, (method, name) in enumerate(METHODS.items()):
        axes[row, 0].imshow(colours[method])
        axes[row, 0].set_ylabel(name, fontsize=13)
        for column, band in enumerate(BANDS, 1):
            white = np.percentile(cubes["s2"][..., band], 99.5)
            axes[row, column].imshow(np.clip(cubes[method][..., band] / white, 0, 1) ** (1 / 2.2), cmap="gray", vmin=0, vmax=1)
            if row == 0:
                axes[row, column].set_title(f"{nm[band]:.1f} nm")
        for i, j in POINTS[scene].values():
            axes[row, 0].plot(j, i, "o", mfc="none", mec="white", ms=5)
    axes[0, 0].set_title("true colour")
    for axis in axes[:3].flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, (place, (i, j)) in zip(axes[3, 1:], POINTS[scene].items()):
        for method, name in METHODS.items():
            axis.plot(nm, cubes[method][i - 2:i + 3, j - 2:j + 3].mean((0, 1)), label=name)
        axis.set_title(f"{place}, mean of 5 x 5 pixels", fontsize=10)
        axis.set_xlabel("nm")
        axis.set_ylim(bottom=0)
        axis.set_yticks([])
    axes[3, 1].legend(fontsize=8, loc="lower right")
    axes[3, 0].axis("off")
    axes[3, 4].axis("off")
    picture = io.BytesIO()
    fig.savefig(picture, dpi=75, bbox_inches="tight")
    Image.open(picture).convert("RGB").save(out / f"real{scene}.jpg", quality=85)
    plt.close(fig)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for number in POINTS:
        figure(Path(sys.argv[1]), number, target)
