"""Cloud probability of the Sentinel-2 series, and which of its maps the tables simulate; no network is trained on these."""
import h5py
import numpy as np


def probability_maps(data):
    f = h5py.File(data + "/eolearn_slovenia_s2.h5", "r")
    prob, index = f["clp"][:] / 65535., f["frame_index"][:]
    cover = (prob > .5).mean((1, 2))
    bank = [k for k in range(len(prob)) if .08 < cover[k] < .7 and k not in index]
    return prob, [bank[i] for i in np.linspace(0, len(bank) - 1, 8).round().astype(int)]
