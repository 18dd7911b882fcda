"""PSNR, SSIM, spectral angle and ERGAS, each with the name of its definition."""

from __future__ import annotations

from typing import Any, Dict, List

from . import _core
from ._arrays import as_float32, cube_of, mask_of


def definitions() -> List[str]:
    """The definitions that papers use; they differ by up to several dB. The first is the field's official one."""
    return list(_core.definitions())


def evaluate(truth: Any, estimate: Any, mask: Any = None, *, definition: str = "official-8bit") -> Dict[str, Any]:
    """psnr (dB), ssim, sam (degrees) and ergas of an estimated cube [H, W, C]; the truth lies in 0..1.

    With a mask [H, W] also `hidden` (mask < 0.5) and `open` pixels by themselves.
    """
    t, e = cube_of(truth, "truth"), as_float32(estimate, 3, "estimate")
    return dict(_core.evaluate(t, e, None if mask is None else mask_of(mask), definition))
