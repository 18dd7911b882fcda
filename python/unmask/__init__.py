"""Hyperspectral cubes from the single coded snapshots of CASSI cameras.

    import unmask
    camera = unmask.Camera(mask)                         # [H, W], 1 where light passes; step 2, 28 bands
    reconstructor = unmask.Reconstructor("general", camera)
    cube = reconstructor(measurement)                    # [H, W, 28] from [H, W + 2 * 27]

Arrays are NumPy's. Those of float32 in C order are borrowed, others are copied once. Cubes are [height, width, bands] in
0..1, masks [height, width] in 0..1, measurements [height, width + step (bands - 1)] in the cube's unit: the sum over
bands of mask times cube, each band `step` columns further right. What contradicts this raises `unmask.Error` (a
`ValueError`) with one line that says what was found and what was expected.
"""

from ._core import Error, version as __version__
from . import metrics
from .calibration import Calibration, calibrate
from .camera import Camera, benchmark_wavelengths, simulate
from .model import Model
from .reconstruct import Reconstructor, gap_tv, spectral_tv
from .training import Trainer, small_config

__all__ = [
    "Calibration",
    "Camera",
    "Error",
    "Model",
    "Reconstructor",
    "Trainer",
    "benchmark_wavelengths",
    "calibrate",
    "gap_tv",
    "metrics",
    "simulate",
    "small_config",
    "spectral_tv",
]
