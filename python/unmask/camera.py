"""The camera: mask, dispersion, noise."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from . import _core
from ._arrays import cube_of, labelled, as_float32, mask_of, measurement_of, threads_or_all, wavelengths_of, band_coordinate
from ._core import Error


def benchmark_wavelengths() -> List[float]:
    """The 28 bands (nm) of the field's simulation benchmark."""
    return list(_core.benchmark_wavelengths())


class Camera:
    """A single-disperser CASSI camera.

    mask: [H, W] in 0..1 as the sensor sees it, 1 where all light passes.
    step: pixels from a band to the next. bands: how many.
    direction: "right" (the benchmark's), "left", "down", "up".
    positions: [bands] where each band was measured to land, in pixels along the dispersion; None: multiples of step.
    wavelengths: nm of the bands, ascending; None: not known.
    Raises Error for a mask, a direction or positions that no camera can have.
    """

    def __init__(
        self,
        mask: Any,
        step: int = 2,
        bands: int = 28,
        *,
        direction: str = "right",
        positions: Optional[Sequence[float]] = None,
        wavelengths: Optional[Sequence[float]] = None,
        noise_floor: float = 0.3,
    ) -> None:
        for name, value in (("step", step), ("bands", bands)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise Error(f"{name}: found {value!r}, expected a whole number")
        self.wavelengths: List[float] = wavelengths_of(wavelengths, int(bands))
        at = [] if positions is None else [float(p) for p in positions]
        self._core = _core.Camera(mask_of(mask), int(bands), int(step), str(direction), at, float(noise_floor))

    @classmethod
    def _of(cls, core: Any, wavelengths: List[float]) -> "Camera":
        camera = cls.__new__(cls)
        camera._core, camera.wavelengths = core, wavelengths
        return camera

    @property
    def mask(self) -> np.ndarray:
        """[H, W] float32, read-only."""
        return self._core.mask

    @property
    def bands(self) -> int:
        return self._core.bands

    @property
    def step(self) -> int:
        return self._core.step

    @property
    def direction(self) -> str:
        return self._core.direction

    @property
    def positions(self) -> List[float]:
        """Measured places of the bands; [] for multiples of the step."""
        return list(self._core.positions)

    @property
    def cube_shape(self) -> Tuple[int, int, int]:
        return tuple(self._core.cube_shape)

    @property
    def measurement_shape(self) -> Tuple[int, int]:
        return tuple(self._core.measurement_shape)

    def __repr__(self) -> str:
        h, w, c = self.cube_shape
        return f"unmask.Camera({h} x {w}, {c} bands, step {self.step} {self.direction})"

    def _cube(self, cube: Any) -> np.ndarray:
        x = as_float32(cube, 3, "cube")
        if x.shape != self.cube_shape:
            raise Error(f"cube: found shape {list(x.shape)}, expected {list(self.cube_shape)} for this camera")
        return x

    def forward(self, cube: Any, *, threads: Optional[int] = None) -> np.ndarray:
        """The measurement y = A x of a cube [H, W, bands]: each band times the mask, moved, and summed. Any values."""
        x, y = self._cube(cube), np.empty(self.measurement_shape, np.float32)
        self._core.forward(y, x, threads_or_all(threads))
        return y

    def adjoint(self, measurement: Any, *, threads: Optional[int] = None) -> np.ndarray:
        """A' y, [H, W, bands]."""
        y, x = measurement_of(measurement, self.measurement_shape), np.empty(self.cube_shape, np.float32)
        self._core.adjoint(x, y, threads_or_all(threads))
        return x

    def exposed(self, counts: Any, *, full_scale: float = 0.8) -> np.ndarray:
        """A real camera's counts in the unit of this library, sums of mask times cube: the field's recipe.

        Clipped at 0, divided by the largest, times full_scale bands / 2; `unmask reconstruct` does the same to a file that
        names no unit. Raises Error where no count is above 0 or one is not finite.
        """
        raw = measurement_of(counts, self.measurement_shape, "counts")
        if not np.isfinite(raw).all():
            raise Error("counts: found a value that is not finite")
        if not (np.isfinite(full_scale) and full_scale > 0):
            raise Error(f"full_scale: found {full_scale!r}, expected a number above 0")
        y = np.empty(self.measurement_shape, np.float32)
        self._core.exposed(y, raw, float(full_scale))
        return y

    def input(self, measurement: Any, *, threads: Optional[int] = None) -> np.ndarray:
        """The field's network input HM = 2 / bands A' y, [H, W, bands]."""
        y, x = measurement_of(measurement, self.measurement_shape), np.empty(self.cube_shape, np.float32)
        self._core.input(x, y, threads_or_all(threads))
        return x


def simulate(
    cube: Any,
    camera: Camera,
    *,
    shot: str = "none",
    quantum_efficiency: float = 0.4,
    bit_depth: float = 2048,
    photons: float = 1e4,
    read_sigma: float = 0.0,
    seed: int = 1,
    threads: Optional[int] = None,
) -> np.ndarray:
    """The snapshot that a camera takes of a cube [H, W, bands] in 0..1.

    shot: "none", "binomial" (the field's training noise for real cameras) or "poisson" (`photons` at full scale, which is
    bands / 2). read_sigma: Gaussian, in parts of full scale. Equal seeds give equal noise.
    """
    if shot not in ("none", "binomial", "poisson"):
        raise Error(f"shot: found {shot!r}, expected none, binomial or poisson")
    _, found = band_coordinate(cube)
    if found is not None and camera.wavelengths and not np.allclose(found, camera.wavelengths, atol=0.05):
        raise Error("cube: its wavelengths are not the camera's")
    y = camera.forward(cube_of(cube, "cube"), threads=threads)
    if shot != "none" or read_sigma != 0:
        _core.add_noise(
            y, shot, quantum_efficiency, bit_depth, photons, read_sigma, camera.bands / 2, int(seed)
        )
    return y
