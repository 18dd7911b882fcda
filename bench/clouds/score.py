"""Mean PSNR (peak 1) over hidden pixels of all cases, and the share of errors within one deviation.
usage: score.py CASES RESULTS"""
import os
import sys

import numpy as np

psnr, within = [], []
for name in sorted(os.listdir(sys.argv[1])):
    if not name.isdigit():
        continue
    case, result = os.path.join(sys.argv[1], name), os.path.join(sys.argv[2], name)
    m = np.load(case + "/score.npy") > 0
    e = (np.load(result + "/0_declouded.npy").astype(float) - np.load(case + "/truth.npy"))[m]
    psnr.append(10 * np.log10(1 / np.mean(e * e)))
    within.append(np.mean(np.abs(e) <= np.load(result + "/0_deviation.npy")[m]))
print(f"{np.mean(psnr):6.2f} dB, within one deviation {np.mean(within):.3f}, {len(psnr)} cases")
