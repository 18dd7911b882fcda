"""Training step by step, on the user's own arrays; checkpoints are those of the program."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

import numpy as np

from . import _core
from ._arrays import as_float32, threads_or_all
from ._core import Error
from .model import Model

#: What a step learns: plain reconstruction, mask encoding (ME), mask-aware learning (MA).
STAGES = ("plain", "me", "ma")


def small_config(bands: int = 28) -> Dict[str, Any]:
    """A small S2-Transformer: 30 channels, two stages of two blocks."""
    return json.loads(_core.small_config(bands))


class Trainer:
    """Weights, gradients, optimiser and history of one network, in one block of memory.

    config: as `small_config` or `Model.config`. batch, height, width: of every step; height and width may be crops.
    peak, warm_up, steps: the learning rate rises to `peak` in `warm_up` steps and falls by half a cosine until `steps`.
    Equal configuration, options and samples give equal bits, on any number of threads and after any interruption.
    """

    def __init__(
        self,
        config: Dict[str, Any],
        *,
        batch: int = 4,
        height: int = 64,
        width: int = 64,
        seed: int = 1,
        drop_path: float = 0.1,
        peak: float = 4e-4,
        warm_up: int = 0,
        steps: int = 1000,
        frugal: bool = False,
        last_zero: bool = False,
        threads: Optional[int] = None,
    ) -> None:
        options = _core.TrainerOptions()
        options.batch, options.height, options.width = batch, height, width
        options.seed, options.drop_path, options.frugal, options.last_zero = seed, drop_path, frugal, last_zero
        options.peak, options.warm_up, options.steps = peak, warm_up, steps
        self.config, self._shape = dict(config), (batch, height, width)
        self._core = _core.Trainer(json.dumps(config), options, threads_or_all(threads))

    @property
    def next_step(self) -> int:
        """Steps done."""
        return self._core.next_step

    @property
    def bytes(self) -> int:
        return self._core.bytes

    def _images(self, values: Any, name: str) -> np.ndarray:
        images = as_float32(values, 4, name)
        if images.shape[:3] != self._shape:
            raise Error(f"{name}: found shape {list(images.shape)}, expected {list(self._shape) + ['bands']}")
        return images

    def step(self, input: Any, mask: Any, truth: Any, *, stage: str = "plain") -> Dict[str, Any]:
        """One step. input, truth [batch, height, width, bands] (what the network starts from, and what it shall give),
        mask [batch, height, width]. Returns step, loss, gradient_norm, learning_rate and updated, which is False where loss
        or gradient were not finite: then nothing changed."""
        if stage not in STAGES:
            raise Error(f"stage: found {stage!r}, expected one of {', '.join(STAGES)}")
        return dict(
            self._core.step(self._images(input, "input"), as_float32(mask, 3, "mask"), self._images(truth, "truth"), stage)
        )

    def predict(self, input: Any, mask: Any) -> np.ndarray:
        """What the network makes of a batch now."""
        x = self._images(input, "input")
        estimate = np.empty_like(x)
        self._core.predict(estimate, x, as_float32(mask, 3, "mask"))
        return estimate

    def save(self, path: str) -> None:
        """A checkpoint; the one before stays as `<path>.previous`."""
        self._core.save(os.fspath(path))

    def resume(self, path: str) -> int:
        """Goes on from a checkpoint of an equal trainer; the step that comes next. Where the last one is damaged, the one
        before it is taken."""
        return self._core.resume(os.fspath(path))[0]

    def start_from(self, model: Model) -> None:
        """Starts from a model's weights; the optimiser starts afresh."""
        if model.config != self.config:
            raise Error(f"start_from: the model has another architecture than the trainer ({model.config})")
        self._core.start_from(model._core)

    def model(self, like: Optional[Model] = None) -> Model:
        """The weights to use, as a model. like: gives what the network starts from, step, wavelengths and card; None: a
        model that starts from HM."""
        return Model(self._core.fresh_model() if like is None else self._core.model(like._core))
