"""What one result gains over another by region, dB of hidden pixels, mean over scenes and the worst: all of them, those with visibility below .3,
from .3 on, and at most 3 pixels from an open one; then the first, second and third third of the scenes, each of which has one target date; and how many scenes differ.
usage: gains.py CASES BEFORE AFTER NAME"""
import os
import sys

import numpy as np
from scipy import ndimage

cases, before, after, name = sys.argv[1:5]
gains = {}
scenes = sorted(n for n in os.listdir(cases) if n.isdigit())
for k, scene in enumerate(scenes):
    load = lambda folder, file: np.load(os.path.join(folder, scene, file))
    asked, truth, seen, hidden = load(cases, "score.npy") > 0, load(cases, "truth.npy").astype(float), load(cases, "0v.npy"), load(cases, "0h.npy") > 0
    old, new = (load(folder, "0_declouded.npy").astype(float) for folder in (before, after))
    rim = hidden & ndimage.binary_dilation(~hidden, iterations=3)
    regions = {"all": asked, "visibility below .3": asked & (seen < .3), "from .3 on": asked & (seen >= .3), "rim": asked & rim,
               f"target {3 * k // len(scenes) + 1}": asked}
    for region, at in regions.items():
        if at.sum() >= 20:
            error = [np.mean((x - truth)[at] ** 2) for x in (old, new)]
            gains.setdefault(region, []).append(10 * np.log10(error[0] / error[1]))
print(name, os.path.basename(cases), f"changed {sum(g != 0 for g in gains['all'])} of {len(scenes)};", "; ".join(f"{r} {np.mean(g):+.2f} (worst {min(g):+.2f})" for r, g in gains.items()))
