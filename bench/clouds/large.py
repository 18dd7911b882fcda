"""A scene as large as a Sentinel-2 tile, without data: one 16-bit band on several dates under drifting clouds, as tiled, deflated
GeoTIFF files (through gdal_translate where it is installed, else as NPY), masks at half the resolution.
usage: large.py OUT [SIZE=10980] [DATES=4]"""
import json
import os
import shutil
import subprocess
import sys

import numpy as np

out, size, dates = sys.argv[1], int((sys.argv[2:] + [10980])[0]), int((sys.argv[3:] + [4])[0])
os.makedirs(out, exist_ok=True)
half = size // 2
rng = np.random.default_rng(1)


def smooth(cells):
    """Random values on a coarse grid, interpolated linearly to the size of the masks."""
    coarse = rng.random((cells + 1, cells + 1), dtype=np.float32)
    at = np.linspace(0, cells, half, endpoint=False, dtype=np.float32)
    i, f = at.astype(int), (at % 1)[:, None]
    rows = coarse[i] * (1 - f) + coarse[i + 1] * f
    return rows[:, i] * (1 - f.T) + rows[:, i + 1] * f.T


field = rng.random((size // 24 + 2, size // 31 + 2), dtype=np.float32)
texture = rng.normal(0, 60, (512, 512)).astype(np.float32)
images = []
for t in range(dates):
    name = f"date{t}"
    cloud = smooth(9) + .5 * smooth(40) > 1.0
    mosaic = np.lib.format.open_memmap(os.path.join(out, name + ".npy"), "w+", np.uint16, (size, size))
    for r in range(0, size, 512):
        n = min(512, size - r)
        rows, columns = np.arange(r, r + n)[:, None], np.arange(size)[None, :]
        f = field[rows // 24, columns // 31]
        y = 1500 + 2500 * f + 900 * np.sin(.03 * 25 * t + 6 * f) + np.tile(texture[:n], (1, size // 512 + 1))[:, :size]
        c = cloud[np.minimum(rows // 2, half - 1), np.minimum(columns // 2, half - 1)]
        y = np.where(c, 6500 + 4 * np.tile(texture[:n], (1, size // 512 + 1))[:, :size], y)
        mosaic[r:r + n] = np.clip(y, 1, 65535)
    mosaic.flush()
    np.save(os.path.join(out, name + "_scl.npy"), np.where(cloud, 9, 4).astype(np.uint8))
    del mosaic
    end = ".npy"
    if shutil.which("gdal_translate"):
        end = ".tif"
        for which in ("", "_scl"):
            a = np.load(os.path.join(out, name + which + ".npy"), mmap_mode="r")
            raw = os.path.join(out, name + which + ".raw")
            a.tofile(raw)
            kind = "UInt16" if which == "" else "Byte"
            with open(raw[:-4] + ".vrt", "w") as v:
                v.write(f'<VRTDataset rasterXSize="{a.shape[1]}" rasterYSize="{a.shape[0]}"><SRS>EPSG:32633</SRS><GeoTransform>'
                        f'499980,{10 * size // a.shape[0]},0,5200020,0,{-10 * size // a.shape[0]}</GeoTransform>'
                        f'<VRTRasterBand dataType="{kind}" band="1" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="1">'
                        f'{name + which}.raw</SourceFilename><ByteOrder>LSB</ByteOrder></VRTRasterBand></VRTDataset>')
            subprocess.run(["gdal_translate", "-q", "-co", "TILED=YES", "-co", "BLOCKXSIZE=512", "-co", "BLOCKYSIZE=512", "-co",
                            "COMPRESS=DEFLATE", raw[:-4] + ".vrt", raw[:-4] + ".tif"], check=True)
            del a
            for e in (".raw", ".vrt", ".npy"):
                os.remove(raw[:-4] + e)
    images.append({"file": name + end, "date": f"2023-0{t % 9 + 1}-10", "visibility": {"file": name + "_scl" + end, "kind": "scl"}})
with open(os.path.join(out, "stack.json"), "w") as f:
    json.dump({"images": images, "target": dates // 2, "scale": 1e-4, "offset": 0, "nodata": 0}, f)
