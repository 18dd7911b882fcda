"""From what users have to what the library reads: float32 in C order, with shape, kind and range checked."""

from __future__ import annotations

import os
from typing import Any, List, Optional, Tuple

import numpy as np

from ._core import Error

#: How far values may lie outside 0..1: noise and overshoot of a cube, a mask that is the quotient of two pictures.
CUBE_SLACK, MASK_SLACK, DARKEST_MASK = 0.05, 0.1, 0.02

#: Names that the coordinate of the bands has in files of the field.
BAND_NAMES = ("band", "bands", "wavelength", "wavelengths", "lambda", "wl")


def threads_or_all(threads: Optional[int]) -> int:
    """The number asked for, else one for each processor that this process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= 1024:
        raise Error(f"threads: found {threads!r}, expected 1..1024")
    return int(threads)


def as_float32(values: Any, ndim: int, name: str) -> np.ndarray:
    """A finite array of `ndim` axes, borrowed where it can be."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise Error(f"{name}: found an array of {array.dtype}, expected real numbers")
    if array.ndim != ndim:
        raise Error(f"{name}: found shape {list(array.shape)}, expected {ndim} axes")
    if array.size == 0:
        raise Error(f"{name}: found shape {list(array.shape)}, expected sizes of at least 1")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, dtype=np.float32)
    # One number says it for all: a sum is finite only where every term is (float64, so that it cannot overflow).
    if not np.isfinite(array.sum(dtype=np.float64)):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise Error(f"{name}: value at {where} is {array[tuple(where)]}, expected a finite number")
    return array


def _scale_hint(largest: float) -> str:
    for scale in (100, 255, 1023, 4095, 10000, 16383, 65535):
        if scale / 8 < largest <= scale:
            return f"divide by {scale}?"
    return "divide by its full scale"


def cube_of(values: Any, name: str, slack: float = CUBE_SLACK) -> np.ndarray:
    """A cube [H, W, C] in 0..1."""
    cube = as_float32(values, 3, name)
    low, high = float(cube.min()), float(cube.max())
    if not (low >= -slack and high <= 1 + slack):
        raise Error(f"{name}: found values of {low:g} to {high:g}, expected 0..1 ({_scale_hint(high)})")
    if not high > 0:
        raise Error(f"{name}: no value above 0")
    return cube


def mask_of(values: Any, name: str = "mask") -> np.ndarray:
    """A coded mask [H, W] in 0..1 that has a pattern."""
    mask = as_float32(values, 2, name)
    low, high = float(mask.min()), float(mask.max())
    if not (low >= -MASK_SLACK and high <= 1 + MASK_SLACK):
        raise Error(f"{name}: found values of {low:g} to {high:g}, expected 0..1 ({_scale_hint(high)})")
    if not high >= DARKEST_MASK:
        raise Error(f"{name}: the largest value is {high:g}, expected one near 1, where light passes")
    if not high > low:
        raise Error(f"{name}: {high:g} everywhere, expected a pattern in 0..1")
    return mask


def measurement_of(values: Any, shape: Tuple[int, int], name: str = "measurement") -> np.ndarray:
    measurement = as_float32(values, 2, name)
    if measurement.shape != tuple(shape):
        raise Error(f"{name}: found shape {list(measurement.shape)}, expected {list(shape)} for this camera")
    return measurement


def light_of(values: Any, shape: Tuple[int, int], bands: int, name: str = "measurement") -> np.ndarray:
    """A measurement in the library's unit, sums of mask times cube: from 0 to `bands`, and some noise."""
    measurement = measurement_of(values, shape, name)
    lowest, largest = float(measurement.min()), float(measurement.max())
    # NaN and infinity are found, and named by stage, where they are computed with
    if largest > 1.5 * bands and np.isfinite(largest) or lowest < -0.25 * max(largest, 0):
        raise Error(
            f"{name}: found values in [{lowest:g}, {largest:g}], expected sums of mask times cube, 0 to {bands}"
            " (Camera.exposed brings a camera's counts there)"
        )
    if largest <= 0:
        raise Error(f"{name}: no value above 0")
    return measurement


def wavelengths_of(values: Any, bands: int) -> List[float]:
    """Ascending nm, one a band; [] for None."""
    if values is None:
        return []
    nm = [float(v) for v in np.asarray(values, dtype=np.float64).ravel()]
    if len(nm) != bands:
        raise Error(f"wavelengths: found {len(nm)}, expected {bands}, one a band")
    if not all(np.isfinite(nm)) or any(not b > a for a, b in zip(nm, nm[1:])):
        raise Error("wavelengths: expected finite, ascending numbers of nm")
    if not nm[0] >= 100:
        raise Error(f"wavelengths: found {nm[0]:g} to {nm[-1]:g}, expected nm (micrometres times 1000)")
    return nm


def band_coordinate(values: Any) -> Tuple[Optional[str], Optional[np.ndarray]]:
    """Name and values of an xarray.DataArray's last axis, where that has wavelengths."""
    dims, coords = getattr(values, "dims", None), getattr(values, "coords", None)
    if dims is None or coords is None or not len(dims):
        return None, None
    name = str(dims[-1])
    if name.lower() not in BAND_NAMES or name not in coords:
        return None, None
    return name, np.asarray(coords[name].values, dtype=np.float64)


def labelled(cube: np.ndarray, like: Any, wavelengths: List[float]) -> Any:
    """The cube as an xarray.DataArray where `like` is one, with its axes' names and a coordinate of bands in nm."""
    if not (hasattr(like, "dims") and hasattr(like, "coords")):
        return cube
    import xarray

    dims = [str(d) for d in like.dims[:2]] + ["band"]
    coords = {"band": ("band", wavelengths, {"units": "nm"})} if wavelengths else {}
    for d, size in zip(dims[:2], cube.shape[:2]):
        if d in like.coords and like.coords[d].size == size:
            coords[d] = like.coords[d]
    return xarray.DataArray(cube, dims=dims, coords=coords)
