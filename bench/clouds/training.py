"""Manifests and cloud maps that models/clouds.safetensors was trained on, from the HDF5 files of DATA (folder cloud/).
usage: training.py DATA OUT   (writes slovenia.json, the same without one of its dates: without_s0.json, without_s3.json,
without_s4.json, tiles.json, and maps.txt, a list with commas for --mask)"""
import datetime
import json
import os
import sys

import h5py
import numpy as np
from scipy import ndimage

from probability_maps import probability_maps

data, out = sys.argv[1:3]
os.makedirs(out, exist_ok=True)
path = lambda name: os.path.join(out, name)


def manifest(name, images, wavelengths):
    with open(path(name), "w") as f:
        json.dump({"images": images, "scale": 1e-4, "offset": 0, "nodata": 0, "wavelengths": wavelengths}, f)


f = h5py.File(data + "/eolearn_slovenia_s2.h5", "r")
frames, index = f["frames"][:], f["frame_index"][:]
stamps = [datetime.datetime.fromisoformat(t.decode()) for t in f["timestamps"][:]]
images = []
for k in (0, 3, 4):  # the clear ones
    np.save(path(f"s{k}.npy"), frames[k].astype(np.uint16))
    images.append({"file": f"s{k}.npy", "date": stamps[index[k]].date().isoformat()})
wavelengths = [float(nm) for nm in f["wavelengths"][:]]
manifest("slovenia.json", images, wavelengths)
for left_out in images:
    manifest("without_" + left_out["file"].replace(".npy", ".json"), [i for i in images if i is not left_out], wavelengths)

prob, measured = probability_maps(data)
cover, maps = (prob > .5).mean((1, 2)), []
for k in range(len(prob)):
    if .03 < cover[k] < .85 and k not in index and k not in measured:
        maps.append(path(f"p{k:02d}.npy"))
        np.save(maps[-1], prob[k].astype(np.float32))
cloud = h5py.File(data + "/eolearn_forest_cloudmasks.h5", "r")["clm"][:] > 0
for k, mask in enumerate(cloud):
    if .05 < mask.mean() < .8:
        maps.append(path(f"q{k:02d}.npy"))
        np.save(maps[-1], np.clip(1.1 * ndimage.gaussian_filter(mask.astype(np.float32), 2.5), 0, 1))
with open(path("maps.txt"), "w") as f:
    f.write(",".join(maps))

f = h5py.File(data + "/s2_l2a_33TWM_5dates.h5", "r")
images = []
for t, day in enumerate((0, 3, 5, 8, 10)):
    scl = f["scl"][t]
    np.save(path(f"t{t}.npy"), f["frames"][t])
    np.save(path(f"t{t}_scl.npy"), np.where(scl > 11, 3, scl).astype(np.uint8))  # 12 is no class
    images.append({"file": f"t{t}.npy", "date": (datetime.date(2023, 8, 10) + datetime.timedelta(days=day)).isoformat(),
                   "visibility": {"file": f"t{t}_scl.npy", "kind": "scl"}})
manifest("tiles.json", images, [490, 560, 665, 842])
