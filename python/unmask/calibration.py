"""Where a camera's mask and bands lie, from its snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence

from . import _core
from ._arrays import as_float32, measurement_of, threads_or_all
from ._core import Error
from ._progress import Progress, shown
from .camera import Camera
from .model import Model


@dataclass(frozen=True)
class Calibration:
    """camera: with the mask as the sensor sees it and the bands' positions. noise_weight: for `Reconstructor`.
    before, after: errors of held-out values. alignment: in pixels. tried: how many alignments."""

    camera: Camera
    noise_weight: float
    before: float
    after: float
    alignment: Dict[str, float]
    tried: int


def calibrate(
    snapshots: Sequence[Any],
    camera: Camera,
    *,
    model: Any = "camera",
    trials: int = 250,
    seed: int = 1,
    threads: Optional[int] = None,
    progress: Progress = None,
) -> Calibration:
    """Finds how `camera`, whose mask is the stored one, differs from what took these snapshots (one or more).

    model: gives the spectral basis. Values of a twentieth of the sensor are kept back and predicted; the alignment that
    predicts them best is taken.
    """
    if hasattr(snapshots, "ndim") and getattr(snapshots, "ndim") == 2:
        snapshots = [snapshots]
    if len(snapshots) == 0:
        raise Error("calibrate: found no snapshot, expected one or more")
    taken = [measurement_of(y, camera.measurement_shape, f"snapshot {i}") for i, y in enumerate(snapshots)]
    basis = as_float32((model if isinstance(model, Model) else Model.load(model)).spectral_basis, 2, "spectral_basis")
    with shown(progress) as tell:
        call = None if tell is None else lambda tried, error: tell("calibration", tried, trials, error)
        found = _core.calibrate(camera._core, taken, basis, threads_or_all(threads), trials, seed, call)
    found["camera"] = Camera._of(found["camera"], camera.wavelengths)
    return Calibration(**found)
