"""Mean PSNR (peak 1) and spectral angle over hidden pixels of all cases, and the share of errors within one deviation. --each: of each case too,
and the mean step at the rim of hidden areas, the truth's there and the deviation.
usage: score.py CASES RESULTS [--each]"""
import os
import sys

import numpy as np

psnr, angle, within, rim = [], [], [], []
for name in sorted(os.listdir(sys.argv[1])):
    if not name.isdigit():
        continue
    case, result = os.path.join(sys.argv[1], name), os.path.join(sys.argv[2], name)
    m = np.load(case + "/score.npy") > 0
    found, truth = (np.load(f).astype(float)[m] for f in (result + "/0_declouded.npy", case + "/truth.npy"))
    e = found - truth
    length = np.linalg.norm(found, axis=-1) * np.linalg.norm(truth, axis=-1)
    angle.append(np.degrees(np.arccos(np.clip((found * truth).sum(-1) / np.maximum(length, 1e-12), -1, 1))).mean())
    psnr.append(10 * np.log10(1 / np.mean(e * e)))
    deviation = np.load(result + "/0_deviation.npy").astype(float)
    within.append(np.mean(np.abs(e) <= deviation[m]))
    if "--each" not in sys.argv:
        continue
    print(f"{name} {psnr[-1]:6.2f} dB, within one deviation {within[-1]:.3f}")
    hidden, x = np.load(case + "/0h.npy") > 0, np.load(case + "/truth.npy").astype(float)
    r = np.load(result + "/0_declouded.npy").astype(float)
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        at = hidden[before] != hidden[after]
        steps = [np.abs(v[before] - v[after])[at] for v in (r, x)] + [np.maximum(deviation[before], deviation[after])[at]]
        rim.append(np.stack([v.ravel() for v in steps]))
if rim:
    print("rim: step {:.4f}, the truth's {:.4f}, deviation {:.4f}".format(*np.concatenate(rim, 1).mean(1)))
print(f"{np.mean(psnr):6.2f} dB, {np.mean(angle):.2f} degrees, within one deviation {np.mean(within):.3f}, {len(psnr)} cases")
