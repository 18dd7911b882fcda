import numpy as np
import pytest

import unmask


def test_models_in_the_box():
    general = unmask.Model.load("general")
    assert (general.bands, general.step, general.direction, general.initial) == (28, 2, "right", "spectral-tv")
    assert general.size > 1e5 and general.spectral_basis.shape[1] == 28
    assert sum(v.size for v in general.parameters().values()) == general.size
    assert unmask.Model.load("camera").bands == 28


def test_weights_make_the_round_trip(tmp_path):
    general = unmask.Model.load("general")
    name, value = next(iter(general.parameters().items()))
    changed = general.with_parameters({name: value * 0.5})
    changed.save(tmp_path / "m.safetensors")
    back = unmask.Model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(back.parameters()[name], value * 0.5)
    np.testing.assert_array_equal(general.parameters()[name], value)
    assert back.config == general.config and back.card == general.card and back.wavelengths == general.wavelengths


def test_wrong_models(tmp_path):
    general = unmask.Model.load("general")
    with pytest.raises(unmask.Error, match="nowhere"):
        unmask.Model.load("nowhere.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(unmask.Error, match="bad.safetensors"):
        unmask.Model.load(tmp_path / "bad.safetensors")
    name, value = next(iter(general.parameters().items()))
    for values, words in (
        ({"none": value}, "none"),
        ({name: value.ravel()[:3]}, "shape"),
        ({name: value * np.nan}, "finite"),
    ):
        with pytest.raises(unmask.Error, match=words):
            general.with_parameters(values)


def test_metrics_know_their_definition(scene):
    noisy = np.clip(scene + 0.01 * np.random.default_rng(3).standard_normal(scene.shape), 0, 1)
    found = unmask.metrics.evaluate(scene, noisy)
    assert found["definition"] == "official-8bit" == unmask.metrics.definitions()[0]
    to8 = lambda x: np.floor(255 * np.clip(x.astype(np.float32), 0, 1).astype(float) + 0.5)
    mse = ((to8(scene) - to8(noisy)) ** 2).mean(axis=(0, 1))
    assert found["psnr"] == pytest.approx((10 * np.log10(255**2 / mse)).mean(), abs=1e-6)
    one_mse = unmask.metrics.evaluate(scene, noisy, definition="global-mse")["psnr"]
    expected = -10 * np.log10(((scene.astype(float) - noisy.astype(np.float32)) ** 2).mean())
    assert one_mse == pytest.approx(expected, abs=1e-6)
    assert unmask.metrics.evaluate(scene, scene)["psnr"] == 100


def test_metrics_by_region(scene, mask):
    off = scene + 0.05 * (mask < 0.5)[..., None]
    found = unmask.metrics.evaluate(scene, off, mask)
    assert found["open"]["psnr"] == 100 and found["hidden"]["psnr"] < 30


def test_psnr_and_ssim_agree_with_scikit_image(scene):
    image = pytest.importorskip("skimage.metrics")
    noisy = scene + 0.02 * np.random.default_rng(4).standard_normal(scene.shape).astype(np.float32)
    ours = unmask.metrics.evaluate(scene, noisy, definition="dpu-float")["psnr"]
    theirs = np.mean([image.peak_signal_noise_ratio(scene[..., c], noisy[..., c], data_range=1) for c in range(28)])
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_wrong_figures(scene):
    with pytest.raises(unmask.Error, match="definition"):
        unmask.metrics.evaluate(scene, scene, definition="best")
    with pytest.raises(unmask.Error, match="expected"):
        unmask.metrics.evaluate(scene, scene[:32])
    with pytest.raises(unmask.Error, match="divide"):
        unmask.metrics.evaluate(scene * 65535, scene * 65535)
    with pytest.raises(unmask.Error, match="finite"):
        unmask.metrics.evaluate(scene, scene * np.inf)


@pytest.fixture()
def samples(scene, camera, snapshot):
    """Two crops: input, mask, truth."""
    x = camera.input(snapshot)
    cut = lambda a: np.stack([a[:32, :32], a[16:48, 16:48]])
    return cut(x), cut(camera.mask), cut(scene)


def trainer(**changes):
    options = dict(batch=2, height=32, width=32, peak=2e-3, steps=30, drop_path=0)
    return unmask.Trainer(unmask.small_config(), **{**options, **changes})


def test_training_learns_and_resumes(samples, tmp_path):
    net = trainer(threads=1)
    losses = [net.step(*samples)["loss"] for _ in range(6)]
    assert losses[-1] < losses[0] and net.next_step == 6
    net.save(tmp_path / "last.ckpt")
    on = [net.step(*samples, stage=s)["loss"] for s in ("me", "ma")]
    again = trainer(threads=2)
    assert again.resume(tmp_path / "last.ckpt") == 6
    assert [again.step(*samples, stage=s)["loss"] for s in ("me", "ma")] == on


def test_a_trained_model_reconstructs(samples, camera, snapshot, tmp_path):
    net = trainer()
    net.step(*samples)
    model = net.model()
    assert model.initial == "hm" and model.config["channels"] == 30
    model.save(tmp_path / "m.safetensors")
    cube = unmask.Reconstructor(unmask.Model.load(tmp_path / "m.safetensors"), camera)(snapshot)
    assert cube.shape == camera.cube_shape and np.isfinite(cube).all()
    assert net.predict(samples[0], samples[1]).shape == samples[2].shape
    fresh = trainer()
    fresh.start_from(model)
    np.testing.assert_array_equal(fresh.predict(samples[0], samples[1]), net.predict(samples[0], samples[1]))


def test_a_loss_that_is_not_finite_changes_nothing(samples):
    net = trainer()
    before = net.predict(samples[0], samples[1])
    report = net.step(samples[0] * 1e30, samples[1], samples[2])
    assert not report["updated"] or np.isfinite(report["loss"])
    if not report["updated"]:
        np.testing.assert_array_equal(net.predict(samples[0], samples[1]), before)


def test_wrong_trainings(samples, tmp_path):
    with pytest.raises(unmask.Error, match="channels"):
        unmask.Trainer({**unmask.small_config(), "channels": 31})
    with pytest.raises(unmask.Error, match="drop_path"):
        trainer(drop_path=2)
    net = trainer()
    with pytest.raises(unmask.Error, match="stage"):
        net.step(*samples, stage="last")
    with pytest.raises(unmask.Error, match="shape"):
        net.step(samples[0][:1], samples[1], samples[2])
    with pytest.raises(unmask.Error, match="none.ckpt"):
        net.resume(tmp_path / "none.ckpt")
    with pytest.raises(unmask.Error, match="architecture"):
        net.start_from(unmask.Model.load("general"))
