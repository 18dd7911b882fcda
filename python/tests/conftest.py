"""What the tests share: a small scene with smooth spectra, a mask, and the program where it is built (UNMASK_PROGRAM)."""

import os

import numpy as np
import pytest

import unmask


@pytest.fixture(scope="session")
def mask():
    return (np.random.default_rng(1).random((64, 64)) < 0.5).astype(np.float32)


@pytest.fixture(scope="session")
def scene():
    """[64, 64, 28] in 0..1: blobs of smooth spectra."""
    y, x = np.mgrid[0:64, 0:64] / 63
    bands = np.arange(28) / 27
    cube = np.full((64, 64, 28), 0.1)
    for k in range(4):
        where = np.exp(-((x - (0.2 + 0.2 * k)) ** 2 + (y - (0.8 - 0.2 * k)) ** 2) / 0.02)
        cube += 0.8 * where[..., None] * np.exp(-((bands - (0.15 + 0.22 * k)) ** 2) / 0.05)
    return np.clip(cube, 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def camera(mask):
    return unmask.Camera(mask)


@pytest.fixture(scope="session")
def snapshot(scene, camera):
    return unmask.simulate(scene, camera)


@pytest.fixture(scope="session")
def program():
    path = os.environ.get("UNMASK_PROGRAM")
    if not path:
        pytest.skip("UNMASK_PROGRAM names no program")
    return path
