import numpy as np
import pytest

import unmask


def reference(cube, mask, step):
    """y = A x as NumPy says it, for dispersion to the right."""
    h, w, c = cube.shape
    y = np.zeros((h, w + step * (c - 1)))
    for k in range(c):
        y[:, step * k : step * k + w] += mask * cube[:, :, k]
    return y


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_forward_is_the_formula(scene, mask, step):
    camera = unmask.Camera(mask, step=step)
    y = camera.forward(scene)
    assert y.shape == camera.measurement_shape and y.dtype == np.float32
    np.testing.assert_allclose(y, reference(scene.astype(float), mask, step), atol=1e-5)


@pytest.mark.parametrize("direction", ["right", "left", "down", "up"])
def test_adjoint(scene, mask, direction):
    camera = unmask.Camera(mask, direction=direction)
    y = np.random.default_rng(2).random(camera.measurement_shape)
    left = (camera.forward(scene).astype(float) * y).sum()
    right = (scene.astype(float) * camera.adjoint(y)).sum()
    assert left == pytest.approx(right, rel=1e-5)


def test_directions_mirror(scene, mask):
    right = unmask.Camera(mask).forward(scene)
    left = unmask.Camera(mask[:, ::-1], direction="left").forward(scene[:, ::-1])
    np.testing.assert_array_equal(left, right[:, ::-1])
    down = unmask.Camera(mask.T, direction="down").forward(scene.transpose(1, 0, 2))
    np.testing.assert_array_equal(down, right.T)


def test_input_is_the_scaled_adjoint(camera, snapshot):
    np.testing.assert_allclose(camera.input(snapshot), camera.adjoint(snapshot) * 2 / 28, atol=1e-6)


def test_positions(scene, mask):
    at = [2.0 * c for c in range(28)]
    np.testing.assert_allclose(
        unmask.Camera(mask, positions=at).forward(scene), unmask.Camera(mask).forward(scene), atol=1e-6
    )


def test_other_arrays_give_the_same(scene, camera, snapshot):
    for other in (scene.astype(np.float64), np.asfortranarray(scene), scene[::1], scene.tolist()):
        np.testing.assert_array_equal(camera.forward(other), snapshot)


def test_noise_has_a_seed(scene, camera, snapshot):
    one, same, other = (unmask.simulate(scene, camera, shot="binomial", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other) and not np.array_equal(one, snapshot)
    assert abs(one.mean() / snapshot.mean() - 1) < 0.02


def test_mask_is_read_only_and_outlives_its_camera(mask):
    camera = unmask.Camera(mask)
    kept = camera.mask
    del camera
    np.testing.assert_array_equal(kept, mask)
    with pytest.raises(ValueError):
        kept[0, 0] = 2


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(mask=np.zeros((8, 8))), "largest value"),
        (dict(mask=np.ones((8, 8))), "everywhere"),
        (dict(mask=np.eye(8) * 255), "255"),
        (dict(mask=np.eye(8) * np.nan), "finite"),
        (dict(mask=np.ones((8, 8, 3))), "2 axes"),
        (dict(mask=np.eye(8) * 1j), "real"),
        (dict(mask=np.zeros((0, 8))), "at least 1"),
        (dict(step=-1), "step"),
        (dict(step=1.5), "whole"),
        (dict(bands=0), "bands"),
        (dict(direction="sideways"), "sideways"),
        (dict(positions=[1, 2]), "positions"),
        (dict(wavelengths=[0.45 + 0.01 * i for i in range(28)]), "nm"),
        (dict(wavelengths=[450, 460]), "28"),
        (dict(wavelengths=list(range(700, 672, -1))), "ascending"),
    ],
)
def test_what_no_camera_can_have(change, words):
    with pytest.raises(unmask.Error, match=words):
        unmask.Camera(**{"mask": np.eye(8), **change})


def test_what_no_scene_can_have(scene, camera, snapshot):
    for cube, words in ((scene * 255, "divide by 255"), (scene[:32], "shape"), (scene * 0, "no value")):
        with pytest.raises(unmask.Error, match=words):
            unmask.simulate(cube, camera)
    with pytest.raises(unmask.Error, match="expected"):
        camera.adjoint(snapshot[:, 1:])
    with pytest.raises(unmask.Error, match="shot"):
        unmask.simulate(scene, camera, shot="loud")
    with pytest.raises(unmask.Error, match="threads"):
        camera.forward(scene, threads=0)
