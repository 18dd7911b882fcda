"""Cases of the tables in docs/clouds.md as NPY files and manifests that `unmask declouds` reads.
usage: cases.py DATA OUT TABLE   (DATA holds the HDF5 files; tables: thick thin shadow tiles
landsat b11 hls l7 landsat-thick landsat-thin l7-thick l7-thin)"""
import datetime
import json
import os
import sys

import h5py
import numpy as np
from scipy import ndimage

from probability_maps import probability_maps

data, out, table = sys.argv[1:4]
count = 0


def case(y, hidden, refs, seen, day, days, truth, score, visibility=None):
    """One folder: date 0 is the target, the others follow; score.npy says which pixels are measured."""
    global count
    folder = os.path.join(out, f"{count:03d}")
    os.makedirs(folder, exist_ok=True)
    start = datetime.date(2020, 1, 1)
    save = lambda name, a, t: np.save(os.path.join(folder, name), np.ascontiguousarray(a, dtype=t))
    save("0.npy", y, np.float32)
    save("0h.npy", hidden, np.uint8)
    save("0v.npy", 1 - hidden if visibility is None else np.clip(visibility, 0, 1), np.float32)
    save("truth.npy", truth, np.float32)
    save("score.npy", score, np.uint8)
    images = []
    for k in range(len(refs) + 1):
        when = start + datetime.timedelta(days=1000 + int(round(float(day if k == 0 else days[k - 1]))))
        if k:
            save(f"{k}.npy", refs[k - 1], np.float32)
            save(f"{k}v.npy", seen[k - 1], np.float32)
            save(f"{k}h.npy", seen[k - 1] <= .5, np.uint8)
        images.append({"file": f"{k}.npy", "date": when.isoformat(), "visibility": f"{k}v.npy",
                       "hidden": {"file": f"{k}h.npy", "kind": "binary", "hides": 1}})
    with open(os.path.join(folder, "stack.json"), "w") as f:
        json.dump({"images": images, "target": 0, "scale": 1, "offset": 0}, f)
    count += 1


def simulated(kind, x, nm, bright, p, seed):
    """A clear date x [H, W, bands] under cloud of probability p: what is measured, visibility, opacity, shadow."""
    rng = np.random.default_rng(1000 + seed)
    if kind == "thick":
        a = np.clip((p - .25) / .35, 0, 1)
    else:
        a = np.clip((p - .1) / .9, 0, 1) ** rng.uniform(.8, 1.5) * rng.uniform(.35, .65)
    grain = ndimage.gaussian_filter(rng.standard_normal(p.shape), 3)
    cloud = bright * np.clip(1 + .12 * grain / grain.std(), .6, 1.4)[..., None]
    veil = np.clip((nm / 490.) ** -rng.uniform(.2, .8), .3, 1.15) if kind == "thin" else np.ones(len(nm))
    A = np.clip(a[..., None] * veil, 0, 1)
    shadow = ndimage.gaussian_filter(ndimage.shift(a, (9, -7), order=1, mode="constant"), 1) * (1 - a)
    dark = np.interp(nm, [443, 865, 2190], [.45, .62, .7]) * rng.uniform(.7, 1)
    y = (1 - A) * x * (1 - shadow[..., None] * dark) + A * cloud
    y = np.clip(y + rng.normal(0, 5e-4, y.shape), 0, None)
    return y, (1 - p) * (1 - .7 * np.clip(shadow * 1.5, 0, 1)), a, shadow


def slovenia(kind, marked=True):
    """Simulated cloud over three clear dates, opacity from eight real probability maps."""
    f = h5py.File(data + "/eolearn_slovenia_s2.h5", "r")
    frames, nm, index = f["frames"][:] * 1e-4, f["wavelengths"][:], f["frame_index"][:]
    stamps = [datetime.datetime.fromisoformat(t.decode()) for t in f["timestamps"][:]]
    day = np.array([(stamps[i] - stamps[0]).total_seconds() / 86400 for i in index])
    bright = np.percentile(frames[2].reshape(-1, frames.shape[-1]), 95, axis=0)
    prob, bank = probability_maps(data)
    clear, least = [0, 3, 4], .08 if kind == "thick" else .03
    for target in clear:
        for k in bank:
            x = frames[target]
            y, v, a, shadow = simulated(kind, x, nm, bright, prob[k], k)
            true = (a > least) | (shadow > least)
            refs = [c for c in clear if c != target]
            case(y, true if marked else a > least, frames[refs], np.ones((2,) + v.shape), day[target], day[refs], x, true, v)


def two_dates(kind, pairs, days):
    """Simulated cloud over either of two clear dates of 30 m, its opacity a map of the series enlarged: a place and sensors
    that nothing here was trained on."""
    prob, bank = probability_maps(data)
    least = .08 if kind == "thick" else .03
    for dates, nm in pairs:
        for target in (0, 1):
            x, r = dates[target], dates[1 - target]
            bright = 2.2 * np.percentile(x.reshape(-1, x.shape[-1]), 95, axis=0)
            for k in bank[target::2]:
                p = ndimage.zoom(prob[k], [n / m for n, m in zip(x.shape[:2], prob[k].shape)], order=1)
                y, v, a, shadow = simulated(kind, x, nm, bright, np.clip(p, 0, 1), k)
                true = (a > least) | (shadow > least)
                case(y, true, r[None], np.ones((1,) + v.shape), 0, [days], x, true, v)


def landsat_tile(f, i):
    date = []
    for d in (1, 2):
        u, lut = f[f"date{d}_index"][i], f[f"date{d}_lut"][i]
        date.append(np.stack([lut[b][u[..., b]] for b in range(6)], -1).astype(float))
    return date


def landsat_simulated(kind):
    f = h5py.File(data + "/landsat_two_dates.h5", "r")
    two_dates(kind, [(landsat_tile(f, i), f["wavelengths"][:]) for i in (0, 2)], 16)


def l7_simulated(kind):
    f = h5py.File(data + "/landsat7_july_nov.h5", "r")
    two_dates(kind, [([f[k][:] / 255. for k in ("july", "nov")], f["wavelengths"][:])], 120)


def tiles():
    """Clear dates under the real mask of a cloudy one; the other dates keep their own clouds."""
    f = h5py.File(data + "/s2_l2a_33TWM_5dates.h5", "r")
    F, s = f["frames"][:] * 1e-4, f["scl"][:]
    none = (s == 0) | (F.min(-1) <= 0)
    bad = np.stack([ndimage.binary_dilation(c, iterations=2) for c in np.isin(s, (1, 3, 8, 9, 10))]) | none
    day, rng, n = np.array([0., 3, 5, 8, 10]), np.random.default_rng(3), 0
    while n < 3:
        i, j = rng.integers(0, 915 - 256, 2)
        c = np.s_[i:i + 256, j:j + 256]
        if none[(slice(None),) + c].any():
            continue
        for target in (1, 2, 4):
            if bad[target][c].mean() > .15:
                continue
            for source in (0, 3):
                mask, truth = bad[source][c], F[target][c]
                hidden = mask | bad[target][c]
                if .1 < hidden.mean() < .8:
                    r = [d for d in range(5) if d not in (target, source)]
                    case(np.where(mask[..., None], F[source][c], truth), hidden, F[r][(slice(None),) + c],
                         1. - bad[r][(slice(None),) + c], day[target], day[r], truth, hidden & ~bad[target][c])
        n += 1


def landsat():
    """Two clear dates, tiles 0 and 2, four hand-drawn clouds."""
    f = h5py.File(data + "/landsat_two_dates.h5", "r")
    for i in (0, 2):
        date = dict(zip((1, 2), landsat_tile(f, i)))
        for m in ("mask1", "mask4", "mask20", "mask21"):
            hidden = f["masks/" + m][:] > 0
            for t in (1, 2):
                case(np.where(hidden[..., None], 1., date[t]), hidden, date[3 - t][None], np.ones((1,) + hidden.shape),
                     0, [16], date[t], hidden)


def b11():
    """One band, five dates, each with its own gaps at once."""
    f = h5py.File(data + "/s2_b11_five_dates_pstcr.h5", "r")
    X, M = f["frames"][:] / 65535., f["masks"][:][..., [0, 1, 3, 2, 4]] > 0
    for d in range(5):
        r = [k for k in range(5) if k != d]
        y, hidden = X[..., d:d + 1], M[..., d]
        case(np.where(hidden[..., None], 0, y), hidden, np.moveaxis(X[..., r], -1, 0)[..., None],
             1. - np.moveaxis(M[..., r], -1, 0), d, r, y, hidden)


def hls():
    """Nearly clear dates under the real gaps of others."""
    f = h5py.File(data + "/hls_nir_T15SWD_30dates.h5", "r")
    X, V = f["frames"][:] * 1e-4, f["visibility"][:] > 0
    dates = [datetime.datetime.strptime(x, "%Y%m%d") for x in f.attrs["dates"].split()]
    day, cover = np.array([(d - dates[0]).days for d in dates], float), V.mean((1, 2))
    good, gaps = [k for k in range(30) if cover[k] > .88], [k for k in range(30) if .2 < cover[k] < .85]
    for n, target in enumerate(good[1:-1]):
        source = gaps[n % len(gaps)]
        r = [k for k in range(30) if k != target and cover[k] > .5 and abs(day[k] - day[target]) < 45]
        case(X[target][..., None], ~V[source] | ~V[target], X[r][..., None], V[r].astype(float), day[target], day[r],
             X[target][..., None], V[target] & ~V[source])


def l7():
    """July against November."""
    f, g = h5py.File(data + "/landsat7_july_nov.h5", "r"), h5py.File(data + "/landsat_two_dates.h5", "r")
    july, november = [f[k][:] / 255. for k in ("july", "nov")]
    for m in ("mask1", "mask20", "mask21", "mask11"):
        hidden = g["masks/" + m][50:350, 50:350] > 0
        for y, r in ((july, november), (november, july)):
            case(np.where(hidden[..., None], 1., y), hidden, r[None], np.ones((1,) + hidden.shape), 0, [120], y, hidden)


{"thick": lambda: slovenia("thick"), "thin": lambda: slovenia("thin"), "shadow": lambda: slovenia("thick", False),
 "landsat-thick": lambda: landsat_simulated("thick"), "landsat-thin": lambda: landsat_simulated("thin"),
 "l7-thick": lambda: l7_simulated("thick"), "l7-thin": lambda: l7_simulated("thin"),
 "tiles": tiles, "landsat": landsat, "b11": b11, "hls": hls, "l7": l7}[table]()
print(table, count, "cases")
