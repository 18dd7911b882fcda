"""What is compared: configurations, sizes, and the multiply-adds that a share of the peak refers to."""

full = {
    "bands": 28, "channels": 60, "depths": [6, 6, 6, 6], "heads": [6, 6, 6, 6], "spectral_head_width": 10,
    "window": 8, "pad_multiple": 8, "shifted": True, "hidden": 240, "layout": "parallel_concat",
    "spatial_effect": "qk", "spectral_effect": "none", "scope": "window", "embedding": "released",
}  # fmt: skip
small = {**full, "channels": 30, "depths": [2, 2], "heads": [3, 3], "hidden": 120}


everyone = {
    "inference": ["unmask", "pytorch", "pytorch as installed", "pytorch folded", "pytorch compiled", "onnxruntime", "openvino"],
    "training": ["unmask", "pytorch", "pytorch as installed"],
    "once": ["unmask", "pytorch", "onnxruntime", "openvino"],
}


def work(name, kind, config, side, batch=1, scope="window", in_quick=False, systems=None):
    return {"name": name, "kind": kind, "config": {**config, "scope": scope}, "side": side, "batch": batch,
            "in_quick": in_quick, "systems": systems or everyone[kind]}  # fmt: skip


# "global" is spectral attention over the whole image instead of windows.
works = [
    work("small 64x64", "inference", small, 64, in_quick=True),
    work("small 64x64 batch 4", "inference", small, 64, 4, in_quick=True),
    work("small 64x64 global", "inference", small, 64, scope="image"),
    work("small 64x64 batch 4 global", "inference", small, 64, 4, scope="image"),
    work("full 256x256", "inference", full, 256),
    work("full 256x256 global", "inference", full, 256, scope="image"),
    *(work(f"full {n}x{n}, alone", "inference", full, n, systems=["unmask"]) for n in (128, 256, 512, 1024)),
    work("small training 64x64 batch 4", "training", small, 64, 4, in_quick=True),
    work("small training 64x64 batch 4 global", "training", small, 64, 4, scope="image"),
    work("full training 64x64", "training", full, 64),
    work("full training 128x128", "training", full, 128),
    work("full training 256x256", "training", full, 256, systems=["unmask"]),  # PyTorch would need about 24 GB
    work("small cold start 64x64", "once", small, 64, in_quick=True),
]


def multiply_adds(w):
    """Multiply-adds of one run; E channels, C bands, N = M M tokens a window, D spectral head width, R hidden width.

    A pixel of a block:
      3 E E + 2 N E + E E       spatial: q, k, v; q k' and A v over the window's N tokens; projection
      3 E E + 2 D E + E E       spectral: q, k, v; k q' and A v of D x D heads; projection
      2 * 9 E                   two depthwise 3x3
      2 E E + 2 E R             reduction of both branches; feed-forward
    A pixel of the network: 9 C E (first) + 9 E E a stage + 9 E E (after body) + 9 E C (last).
    What depends on the mask alone is not counted, nor are auxiliary outputs, norms, softmax, GELU. A training step
    counts three times: forward, and backward to inputs and to weights; what is computed twice counts once.
    Full, 256 x 256: 130.2e9 (130.6e9 with the four auxiliary outputs, 181.7e9 with the mask's part too).
    """
    c = w["config"]
    E, C, N = c["channels"], c["bands"], c["window"] ** 2
    block = 4 * E * E + 2 * N * E + 4 * E * E + 2 * c["spectral_head_width"] * E + 18 * E + 2 * E * E + 2 * E * c["hidden"]
    pixel = sum(c["depths"]) * block + 9 * E * E * (len(c["depths"]) + 1) + 18 * C * E
    return pixel * w["side"] ** 2 * w["batch"] * (3 if w["kind"] == "training" else 1)
