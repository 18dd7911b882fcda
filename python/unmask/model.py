"""Trained networks."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

import numpy as np

from . import _core
from ._core import Error

_FOLDER = os.path.join(os.path.dirname(__file__), "models")


class Model:
    """A trained network with all that decides what it computes. Made by `Model.load` or `Trainer.model`."""

    def __init__(self, core: Any) -> None:
        self._core = core

    @classmethod
    def load(cls, name: str) -> "Model":
        """"general" or "camera" (the networks in the box), or the path of a weights file."""
        path = os.fspath(name)
        boxed = os.path.join(_FOLDER, path + ".safetensors")
        if os.sep not in path and not os.path.exists(path) and os.path.exists(boxed):
            path = boxed
        return cls(_core.Model.load(path))

    def save(self, path: str) -> None:
        """Writes a weights file: what `unmask --weights` reads. Whole or not at all."""
        self._core.save(os.fspath(path))

    @property
    def config(self) -> Dict[str, Any]:
        """The architecture."""
        return json.loads(self._core.config)

    @property
    def bands(self) -> int:
        return self._core.bands

    @property
    def step(self) -> int:
        """The dispersion that it was trained for."""
        return self._core.step

    @property
    def direction(self) -> str:
        return self._core.direction

    @property
    def wavelengths(self) -> List[float]:
        """nm; [] where they are not known."""
        return list(self._core.wavelengths)

    @property
    def initial(self) -> str:
        """What the network starts from: "hm", "gap-tv", "gap-tv-camera", "spectral-tv"."""
        return self._core.initial

    @property
    def card(self) -> Dict[str, str]:
        """Text for people: data, recipe, licence."""
        return dict(self._core.card)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self._core.size

    @property
    def spectral_basis(self) -> np.ndarray:
        """[K, bands], for `spectral_tv`; [0, 0] where the model starts from something else."""
        return np.array(self._core.spectral_basis)

    def parameters(self) -> Dict[str, np.ndarray]:
        """Every parameter by its name, in PyTorch's order of axes; copies."""
        return {
            name: np.array(self._core.get_parameter(name), np.float32).reshape(shape)
            for name, shape in self._core.parameter_list()
        }

    def with_parameters(self, values: Dict[str, Any]) -> "Model":
        """The same model with other numbers: all of `parameters()`, or some of them."""
        shapes = {name: tuple(shape) for name, shape in self._core.parameter_list()}
        changed = self._core.copy()
        for name, value in values.items():
            if name not in shapes:
                raise Error(f"parameters: '{name}' is not one of this architecture's")
            array = np.asarray(value, np.float32)
            if array.shape != shapes[name]:
                raise Error(f"{name}: found shape {list(array.shape)}, expected {list(shapes[name])}")
            if not np.isfinite(array).all():
                raise Error(f"{name}: a value is not finite")
            changed.set_parameter(name, array.ravel().tolist())
        return Model(changed)

    def __repr__(self) -> str:
        return f"unmask.Model({self.bands} bands, step {self.step}, {self.size} parameters, starts from {self.initial})"
