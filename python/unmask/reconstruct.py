"""Measurement in, cube out."""

from __future__ import annotations

from typing import Any, Optional, Union

import numpy as np

from . import _core
from ._arrays import as_float32, band_coordinate, labelled, light_of, threads_or_all
from ._core import Error
from ._progress import Progress, shown
from .camera import Camera
from .model import Model


def _model(model: Union[str, Model]) -> Model:
    return model if isinstance(model, Model) else Model.load(model)


class Reconstructor:
    """A plan for one camera and one model: everything that depends on them alone is done here, once.

    model: a Model, the name of one in the box, or a path. network=False: what the network starts from is the result.
    effort: "best", or "fast": less than half of the time, 1 dB less on average. refinements: passes after the
    network, 5 or 2 by the effort, fewer the noisier a measurement is; 0 for none. check_rows: rows on which hold-out
    validation decides whether the network and the passes help a scene, 64 or 32; 0 takes all. noise_weight: what
    `calibrate` found; None for the usual. memory_limit: bytes; beyond it the image is worked on in tiles.
    Raises Error where the model was trained for other bands, another step, direction or other wavelengths.
    """

    def __init__(
        self,
        model: Union[str, Model],
        camera: Camera,
        *,
        threads: Optional[int] = None,
        network: bool = True,
        effort: str = "best",
        refinements: Optional[int] = None,
        check_rows: Optional[int] = None,
        noise_weight: Optional[float] = None,
        memory_limit: int = 0,
        tile: int = 0,
        halo: int = 32,
    ) -> None:
        self.model, self.camera = _model(model), camera
        self.model._core.fits(camera._core, camera.wavelengths)
        if effort not in ("best", "fast"):
            raise Error(f"effort is {effort!r}, expected 'best' or 'fast'")
        options = _core.ReconstructOptions.fast() if effort == "fast" else _core.ReconstructOptions()
        options.network, options.memory_limit, options.tile, options.halo = bool(network), memory_limit, tile, halo
        if refinements is not None:
            options.refinements = refinements
        if check_rows is not None:
            options.check_rows = check_rows
        if noise_weight is not None:
            options.noise_weight = noise_weight
        self._core = _core.Reconstructor(self.model._core, camera._core, threads_or_all(threads), options)

    @property
    def bytes(self) -> int:
        """Memory that the plan holds."""
        return self._core.bytes

    @property
    def seconds(self) -> float:
        """What the last call took within the library."""
        return self._core.seconds

    @property
    def steps(self) -> dict:
        """After a call, what that snapshot was given: {"network": bool, "refinements": passes}."""
        return {"network": self._core.used_network, "refinements": self._core.passes}

    @property
    def wavelengths(self) -> list:
        """nm of the cubes: the camera's, else the model's, else []."""
        return self.camera.wavelengths or self.model.wavelengths

    def __call__(self, measurement: Any, *, out: Optional[np.ndarray] = None, progress: Progress = None) -> np.ndarray:
        """The cube [H, W, bands], float32; the same bits for any number of threads.

        out: a C-ordered float32 array to write to. progress: True for a tqdm bar, or a callable. An
        xarray.DataArray comes back as one. Ctrl-C ends it after the iteration at work.
        """
        y = light_of(measurement, self.camera.measurement_shape, self.camera.bands)
        cube = np.empty(self.camera.cube_shape, np.float32) if out is None else out
        if cube.dtype != np.float32 or not cube.flags.c_contiguous or cube.shape != self.camera.cube_shape:
            raise Error(f"out: expected a C-ordered float32 array of shape {list(self.camera.cube_shape)}")
        with shown(progress) as tell:
            self._core.run(cube, y, self.camera._core, tell)
        return labelled(cube, measurement, self.wavelengths)


def gap_tv(
    measurement: Any,
    camera: Camera,
    *,
    real: bool = False,
    iterations: Optional[int] = None,
    tv_weight: Optional[float] = None,
    threads: Optional[int] = None,
    progress: Progress = None,
) -> np.ndarray:
    """GAP-TV, the field's classical baseline: [H, W, bands]. real: the settings for a real camera's noise."""
    y, cube = light_of(measurement, camera.measurement_shape, camera.bands), np.empty(camera.cube_shape, np.float32)
    options = _core.GapTvOptions.camera() if real else _core.GapTvOptions()
    if iterations is not None:
        options.iterations = iterations
    if tv_weight is not None:
        options.tv_weight = tv_weight
    with shown(progress) as tell:
        call = None if tell is None else lambda i, residual: tell("gap-tv", i, options.iterations, residual)
        _core.gap_tv(camera._core, cube, y, threads_or_all(threads), options, call)
    return labelled(cube, measurement, camera.wavelengths)


def _known_spectra(camera: Camera) -> tuple:
    """The general model's spectra at the camera's wavelengths, and these. Beyond its own by at most 35 nm."""
    general = Model.load("general")
    basis, known = general.spectral_basis, general.wavelengths
    bands = camera.cube_shape[2]
    if basis.shape[0] > bands:
        basis = basis[: _core.few_spectra]
    if not camera.wavelengths:
        if bands == len(known):
            return basis, known
        raise Error(
            f"spectral_tv: the wavelengths of {bands} bands are not known (Camera(..., wavelengths=[...]), or spectral_basis)"
        )
    moved = np.empty((basis.shape[0], bands), np.float32)
    _core.resample_spectral_basis(moved, basis, known, camera.wavelengths, 35.0)
    return moved, camera.wavelengths


def spectral_tv(
    measurement: Any,
    camera: Camera,
    *,
    spectral_basis: Any = None,
    noise_weight: Optional[float] = None,
    threads: Optional[int] = None,
    progress: Progress = None,
) -> np.ndarray:
    """Spectral TV: spectra of few components, edges shared by all bands. [H, W, bands].

    spectral_basis: [K, bands], the components' spectra; None: those of the general model, read off at the camera's
    wavelengths. A camera of as many bands as that model that names no wavelengths is taken to have the model's.
    """
    wavelengths = camera.wavelengths
    if spectral_basis is None:
        spectral_basis, wavelengths = _known_spectra(camera)
    basis = as_float32(spectral_basis, 2, "spectral_basis")
    y, cube = light_of(measurement, camera.measurement_shape, camera.bands), np.empty(camera.cube_shape, np.float32)
    options = _core.SpectralTvOptions()
    if noise_weight is not None:
        options.noise_weight = noise_weight
    with shown(progress) as tell:
        of = options.outer_iterations if basis.shape[0] <= _core.scene_rank else _core.scene_reports
        call = None if tell is None else lambda i, residual: tell("spectral-tv", i, of, residual)
        _core.spectral_tv(camera._core, cube, y, basis, threads_or_all(threads), options, call)
    return labelled(cube, measurement, wavelengths)
