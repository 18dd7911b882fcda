#!/usr/bin/env python3
"""Pictures of docs/clouds.md from what `bench/clouds/run DIR thick thin` left: one scene by every method, and how far each is off.

    bench/clouds/pictures.py DIR OUT        (needs NumPy and matplotlib; thirteen bands of Sentinel-2)
"""
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

METHODS = {"linear": "linear in time", "ridge": "ridge", "stack": "the stack", "network": "with the network"}
RED_GREEN_BLUE = (3, 2, 1)
NEAR_INFRARED = 7
SCENES = {"thick": "013", "thin": "013"}


def figure(folder, table, scene, out):
    case = folder / table / scene
    truth, cloudy = (np.load(case / n).astype(float) for n in ("truth.npy", "0.npy"))
    asked = np.load(case / "score.npy") > 0
    results = {m: np.load(folder / f"{table}-{m}" / scene / "0_declouded.npy").astype(float) for m in METHODS}
    low, high = (np.percentile(truth[..., list(RED_GREEN_BLUE)], q, axis=(0, 1)) for q in (.5, 99.5))
    colour = lambda x: np.clip((x[..., list(RED_GREEN_BLUE)] - low) / (high - low), 0, 1)
    worst = np.percentile(np.abs(results["ridge"] - truth)[..., NEAR_INFRARED][asked], 99)
    fig, axes = plt.subplots(2, 6, figsize=(18, 6.4), gridspec_kw={"wspace": .04, "hspace": .12})
    for axis, image, title in ((axes[0, 0], colour(cloudy), "cloudy date"), (axes[0, 5], colour(truth), "truth")):
        axis.imshow(image)
        axis.set_title(title)
    axes[1, 0].imshow(asked, cmap="gray")
    axes[1, 0].set_title("hidden", fontsize=10)
    for column, (method, name) in enumerate(METHODS.items(), 1):
        error = (results[method] - truth)[..., NEAR_INFRARED]
        psnr = 10 * np.log10(1 / np.mean((results[method] - truth)[asked] ** 2))
        axes[0, column].imshow(colour(results[method]))
        axes[0, column].set_title(f"{name}, {psnr:.2f} dB")
        shown = axes[1, column].imshow(np.where(asked, error, np.nan), cmap="RdBu_r", vmin=-worst, vmax=worst)
        axes[1, column].set_title("error, 842 nm", fontsize=10)
    axes[1, 5].axis("off")
    fig.colorbar(shown, ax=axes[1, 5], fraction=.6, aspect=10, label="reflectance")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    fig.savefig(out, dpi=80, bbox_inches="tight", pil_kwargs={"quality": 85})


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for table, scene in SCENES.items():
        figure(source, table, scene, target / f"clouds_{table}.jpg")
