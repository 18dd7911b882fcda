import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import unmask


def psnr(truth, estimate):
    return unmask.metrics.evaluate(truth, estimate)["psnr"]


def test_steps_get_better(scene, camera, snapshot):
    classical = psnr(scene, unmask.gap_tv(snapshot, camera))
    spectral = psnr(scene, unmask.spectral_tv(snapshot, camera))
    whole = psnr(scene, unmask.Reconstructor("general", camera)(snapshot))
    # blobs of four smooth spectra: spectral TV has them nearly exactly, and the hold-out check keeps what would harm away
    assert classical > 20 and spectral > classical + 10 and whole > spectral - 0.5


def test_threads_and_out_change_no_bit(camera, snapshot):
    one = unmask.Reconstructor("general", camera, threads=1)
    cube = one(snapshot)
    out = np.empty(camera.cube_shape, np.float32)
    assert unmask.Reconstructor("general", camera, threads=2)(snapshot, out=out) is out
    np.testing.assert_array_equal(out, cube)
    np.testing.assert_array_equal(one(snapshot.astype(np.float64)), cube)
    assert one.bytes > cube.nbytes


def test_equals_the_program(program, scene, mask, tmp_path):
    """Simulated and reconstructed by the program; its snapshot, through Python, gives the same bits."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "scene.h5", "w") as f:
        f["cube"], f["mask"] = scene, mask
        f["cube"].attrs["wavelengths"] = unmask.benchmark_wavelengths()

    def run(*arguments):
        subprocess.run([program, *arguments], check=True, capture_output=True)

    scene_file, taken, made = (str(tmp_path / name) for name in ("scene.h5", "taken.h5", "made.h5"))
    run("simulate", "--cube", scene_file + ":cube", "--mask", scene_file + ":mask", "--out", taken)
    run("reconstruct", "--measurement", taken + ":measurement", "--mask", taken + ":mask", "--out", made)
    with h5py.File(taken) as f, h5py.File(made) as m:
        camera = unmask.Camera(f["mask"][()])
        np.testing.assert_array_equal(camera.forward(scene), f["measurement"][()])
        np.testing.assert_array_equal(m["cube"][()], unmask.Reconstructor("general", camera)(f["measurement"][()]))


def test_matlab_file_to_cube(scene, camera, tmp_path):
    io = pytest.importorskip("scipy.io")
    io.savemat(tmp_path / "s.mat", {"measurement": camera.forward(scene), "mask": camera.mask})
    read = io.loadmat(tmp_path / "s.mat")
    cube = unmask.Reconstructor("general", unmask.Camera(read["mask"]), refinements=0)(read["measurement"])
    assert cube.shape == (64, 64, 28)


def test_left_is_right_mirrored(scene, mask):
    right = unmask.Camera(mask)
    left = unmask.Camera(mask[:, ::-1], direction="left")
    a = unmask.gap_tv(right.forward(scene), right)
    np.testing.assert_array_equal(unmask.gap_tv(left.forward(scene[:, ::-1]), left), a[:, ::-1])
    with pytest.raises(unmask.Error, match="direction"):
        unmask.Reconstructor("general", left)


def test_progress_and_its_errors(camera, snapshot):
    seen = []
    reconstructor = unmask.Reconstructor("general", camera)
    reconstructor(snapshot, progress=lambda stage, done, of, residual: seen.append((stage, done, of)))
    assert {"estimate", "refinement"} <= {s for s, _, _ in seen}
    assert all(1 <= done <= of for _, done, of in seen)

    def stop(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        reconstructor(snapshot, progress=stop)
    with pytest.raises(RuntimeError, match="enough"):
        unmask.gap_tv(snapshot, camera, progress=stop)


def test_bar(camera, snapshot, capsys):
    pytest.importorskip("tqdm")
    unmask.gap_tv(snapshot, camera, iterations=5, progress=True)
    assert "gap-tv" in capsys.readouterr().err


def test_interrupt(tmp_path):
    """Ctrl-C ends a reconstruction that would go on for long."""
    script = tmp_path / "long.py"
    script.write_text(
        "import numpy as np, unmask\n"
        "c = unmask.Camera((np.random.default_rng(1).random((256, 256)) < .5) * 1.)\n"
        "y = c.forward(np.random.default_rng(2).random(c.cube_shape))\n"
        "print('running', flush=True)\n"
        "unmask.gap_tv(y, c, iterations=100000)\n"
    )
    child = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a job in the background of a shell is started deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert child.stdout.readline().strip() == b"running"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode != 0 and b"KeyboardInterrupt" in errors


def test_other_threads_run_meanwhile(camera, snapshot):
    """The interpreter is free while a solver works."""
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    worker = threading.Thread(target=count)
    worker.start()
    start = time.perf_counter()
    unmask.gap_tv(snapshot, camera)
    seconds = time.perf_counter() - start
    done.set()
    worker.join()
    assert counted > 50 * seconds


def test_xarray(scene, camera, snapshot):
    xarray = pytest.importorskip("xarray")
    nm = unmask.benchmark_wavelengths()
    known = unmask.Camera(camera.mask, wavelengths=nm)
    y = xarray.DataArray(snapshot, dims=("y", "x"))
    cube = unmask.Reconstructor("general", known, refinements=0)(y)
    assert cube.dims == ("y", "x", "band")
    np.testing.assert_allclose(cube.coords["band"], nm)
    scene_of = xarray.DataArray(scene, dims=("y", "x", "band"), coords={"band": [v + 5 for v in nm]})
    with pytest.raises(unmask.Error, match="wavelengths"):
        unmask.simulate(scene_of, known)


def test_steps_taken_are_told(camera, snapshot):
    reconstructor = unmask.Reconstructor("general", camera, check_rows=0, refinements=2)
    reconstructor(snapshot)
    assert reconstructor.steps == {"network": True, "refinements": 2}
    with pytest.raises(unmask.Error, match="check rows"):
        unmask.Reconstructor("general", camera, check_rows=-1)


def test_fast(scene, camera, snapshot):
    best, fast = unmask.Reconstructor("general", camera), unmask.Reconstructor("general", camera, effort="fast")
    found = [psnr(scene, r(snapshot)) for r in (best, fast)]
    assert fast.steps["refinements"] <= 2
    assert fast.seconds < best.seconds
    assert found[1] > found[0] - 2
    more = unmask.Reconstructor("general", camera, effort="fast", refinements=3, check_rows=0)
    more(snapshot)
    assert more.steps["refinements"] == 3
    with pytest.raises(unmask.Error, match="effort is 'slow'"):
        unmask.Reconstructor("general", camera, effort="slow")


def test_what_does_not_fit(mask, camera, snapshot):
    with pytest.raises(unmask.Error, match="step"):
        unmask.Reconstructor("general", unmask.Camera(mask, step=1))
    with pytest.raises(unmask.Error, match="bands"):
        unmask.Reconstructor("general", unmask.Camera(mask, bands=31))
    with pytest.raises(unmask.Error, match="nm"):
        unmask.Reconstructor("general", unmask.Camera(mask, wavelengths=range(500, 528)))
    with pytest.raises(unmask.Error, match="refinements"):
        unmask.Reconstructor("general", camera, refinements=-1)
    reconstructor = unmask.Reconstructor("general", camera, refinements=0)
    with pytest.raises(unmask.Error, match="shape"):
        reconstructor(snapshot.T)
    with pytest.raises(unmask.Error, match="finite"):
        reconstructor(np.where(snapshot > snapshot.mean(), np.nan, snapshot))
    for counts in (snapshot * 100, snapshot - snapshot.mean()):
        with pytest.raises(unmask.Error, match="Camera.exposed"):
            reconstructor(counts)
        with pytest.raises(unmask.Error, match="Camera.exposed"):
            unmask.gap_tv(counts, camera)
    with pytest.raises(unmask.Error, match="no value above 0"):
        reconstructor(np.zeros_like(snapshot))
    with pytest.raises(unmask.Error, match="out"):
        reconstructor(snapshot, out=np.empty(camera.cube_shape))
    with pytest.raises(unmask.Error, match="positions"):
        unmask.gap_tv(snapshot, unmask.Camera(mask, positions=[2.0 * c for c in range(28)]))


def test_calibration_finds_a_shift(scene, mask):
    moved = unmask.Camera(np.roll(mask, 1, axis=1))
    found = unmask.calibrate(moved.forward(scene), unmask.Camera(mask), model="general", trials=40)
    assert found.after < found.before and abs(found.alignment["right"] - 1) < 0.5
    assert found.camera.mask.shape == mask.shape and len(found.camera.positions) == 28
    with pytest.raises(unmask.Error, match="snapshot"):
        unmask.calibrate([], unmask.Camera(mask))


def test_spectral_tv_of_other_cameras(scene, mask):
    """Another step, direction and number of bands: spectra are read off at the camera's wavelengths."""
    nm = unmask.Model.load("general").wavelengths[::2]
    camera = unmask.Camera(mask[:, ::-1], step=1, bands=14, direction="left", wavelengths=nm)
    cube = unmask.spectral_tv(camera.forward(scene[:, :, ::2]), camera)
    worse = unmask.gap_tv(camera.forward(scene[:, :, ::2]), camera)
    psnr = lambda x: unmask.metrics.evaluate(scene[:, :, ::2], x)["psnr"]
    assert psnr(cube) > psnr(worse)
    with pytest.raises(unmask.Error, match="wavelengths of 14 bands are not known"):
        unmask.spectral_tv(np.ones(camera.measurement_shape), unmask.Camera(mask, step=1, bands=14))
    far = unmask.Camera(mask, bands=14, wavelengths=list(np.linspace(700, 900, 14)))
    with pytest.raises(unmask.Error, match="outside"):
        unmask.spectral_tv(np.ones(far.measurement_shape), far)


def test_a_call_costs_little_beside_the_library():
    """Under 2 % of the time at 256 x 256 x 28, and no memory beside the cube."""
    code = """
import re, time
import numpy as np, unmask

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

rng = np.random.default_rng(1)
camera = unmask.Camera((rng.random((256, 256)) < 0.5).astype(np.float32))
y = rng.random(camera.measurement_shape, np.float32)
r = unmask.Reconstructor("general", camera, refinements=0, threads=2)
r(y)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident("VmRSS")
start = time.perf_counter()
cube = r(y)
took = time.perf_counter() - start
print((took - r.seconds) / r.seconds, (resident("VmHWM") - before) / cube.nbytes)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    overhead, cubes = map(float, out)
    assert 0 < overhead < 0.02
    assert cubes < 1.2


def test_counts_of_a_camera(program, scene, mask, tmp_path):
    """Counts in a MATLAB file, as SciPy reads them: the cube of the program, which takes a file without a unit for counts."""
    scipy_io = pytest.importorskip("scipy.io")
    camera = unmask.Camera(mask)
    counts = (camera.forward(scene) * 300 - 5).astype(np.float32)
    scipy_io.savemat(tmp_path / "scene.mat", {"meas_real": counts})
    scipy_io.savemat(tmp_path / "mask.mat", {"mask": mask})
    subprocess.run([program, "reconstruct", "--measurement", tmp_path / "scene.mat", "--mask", tmp_path / "mask.mat",
                    "--out", tmp_path / "cube.npy"], check=True, capture_output=True)
    read = scipy_io.loadmat(tmp_path / "scene.mat")["meas_real"]
    cube = unmask.Reconstructor("general", camera)(camera.exposed(read))
    np.testing.assert_array_equal(cube, np.load(tmp_path / "cube.npy"))
    for wrong, words in ((np.full_like(counts, -1), "above 0"), (counts * np.nan, "finite"), (counts.T, "shape")):
        with pytest.raises(unmask.Error, match=words):
            camera.exposed(wrong)
    with pytest.raises(unmask.Error, match="full_scale"):
        camera.exposed(counts, full_scale=0)
