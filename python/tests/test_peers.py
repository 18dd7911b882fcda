"""Other people's operators agree with ours. deepinv (with PyTorch) is large: it is no dependency of the tests, and where it is
not installed they are skipped by name."""

import numpy as np
import pytest

import unmask

deepinv = pytest.importorskip("deepinv", reason="no deepinv")


@pytest.mark.parametrize("shear, direction", [("w", "right"), ("h", "down")])
@pytest.mark.parametrize("shape", [(17, 25, 5), (61, 61, 29)])
def test_cassi_operator_of_deepinv(shear, direction, shape):
    """Single disperser, a pixel a band; theirs is the mean over bands, ours the sum. Sides, with the pixels that dispersion
    adds, are odd: theirs moves the whole picture by a pixel where one is even (deepinv 0.5.0)."""
    import torch

    h, w, bands = shape
    draw = np.random.default_rng(7)
    mask, cube = draw.random((h, w), np.float32), draw.random(shape, np.float32)
    theirs = deepinv.physics.CompressiveSpectralImaging(
        (bands, h, w), mask=torch.from_numpy(np.broadcast_to(mask, (1, bands, h, w)).copy()), mode="sd", shear_dir=shear
    )
    camera = unmask.Camera(mask, step=1, bands=bands, direction=direction)
    x = torch.from_numpy(cube.transpose(2, 0, 1)[None].copy())
    y = theirs.A(x)
    np.testing.assert_allclose(camera.forward(cube) / bands, y[0, 0].numpy(), rtol=0, atol=1e-6)
    back = theirs.A_adjoint(y)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(camera.adjoint(y[0, 0].numpy()) / bands, back, rtol=0, atol=1e-6)
