"""Files and their other readers: what the program writes is read by h5py, SciPy, NumPy, Spectral Python, rasterio and Octave
with equal numbers, wavelengths and places; what those write is read by the program; damaged files are one line and exit 2."""

import json
import shutil
import subprocess

import numpy as np
import pytest

H, W, C = 24, 30, 6
NM = np.linspace(450, 650, C)


@pytest.fixture(scope="module")
def cube():
    """[H, W, C] in 0..1, no two rows, columns or bands alike."""
    return np.random.default_rng(5).random((H, W, C)).astype(np.float32)


@pytest.fixture()
def folder(tmp_path):
    """A folder with a mask, its name in every message to look for."""
    np.save(tmp_path / "mask.npy", (np.random.default_rng(1).random((H, W)) < 0.5).astype(np.float32))
    return tmp_path


@pytest.fixture()
def read(program, folder):
    """Cube and wavelengths of a file as the program has read them."""
    h5py = pytest.importorskip("h5py")

    def simulate(path, *options):
        out = folder / "shot.h5"
        out.unlink(missing_ok=True)
        command = [program, "simulate", "--cube", str(path), "--mask", str(folder / "mask.npy"), "--out", str(out)]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        with h5py.File(out) as f:
            return f["cube"][()], f["wavelengths"][()] if "wavelengths" in f else None, done.stdout

    return simulate


@pytest.fixture()
def refused(program, folder):
    """Runs the program on a file that it must refuse: one line that names it, exit 2, nothing written."""

    def check(path, *words, options=()):
        out = folder / "none.h5"
        command = [program, "simulate", "--cube", str(path), "--mask", str(folder / "mask.npy"), "--out", str(out)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert path.name in done.stderr
        for word in words:
            assert word in done.stderr
        assert not out.exists()

    return check


# ------------------------------------------------------------------------------------------------ what the program writes


@pytest.fixture(scope="module")
def written(program, cube, tmp_path_factory):
    """The same estimate in every format, by ending."""
    folder = tmp_path_factory.mktemp("written")
    mask = (np.random.default_rng(1).random((H, W)) < 0.5).astype(np.float32)
    measurement = np.zeros((H, W + 2 * (C - 1)), np.float32)
    for c in range(C):
        measurement[:, 2 * c : 2 * c + W] += mask * cube[:, :, c]
    np.save(folder / "mask.npy", mask)
    np.save(folder / "y.npy", measurement)
    for ending in ("h5", "npy", "npz", "hdr", "tif", "mat", "v73.mat"):
        command = [program, "reconstruct", "--measurement", str(folder / "y.npy"), "--mask", str(folder / "mask.npy")]
        command += ["--method", "gap-tv", "--exposure", "none", "--wavelengths", "450:650"]
        done = subprocess.run([*command, "--out", str(folder / f"x.{ending}")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert ("has no place for wavelengths" in done.stdout) == (ending == "npy")
    return folder


def by_h5py(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "x.h5") as f:
        assert f["wavelengths"].attrs["units"] in ("nm", b"nm")
        return f["cube"][()], f["wavelengths"][()]


def by_numpy(folder):
    return np.load(folder / "x.npy"), None


def by_numpy_archive(folder):
    with np.load(folder / "x.npz") as f:
        assert sorted(f.files) == ["cube", "wavelengths"]
        return f["cube"], f["wavelengths"]


def by_scipy(folder):
    loaded = pytest.importorskip("scipy.io").loadmat(folder / "x.mat")
    assert loaded["wavelengths"].shape == (1, C)
    return loaded["cube"], loaded["wavelengths"][0]


def by_h5py_as_matlab(folder):
    h5py = pytest.importorskip("h5py")
    assert (folder / "x.v73.mat").read_bytes().startswith(b"MATLAB 7.3 MAT-file")
    with h5py.File(folder / "x.v73.mat") as f:  # MATLAB's axes are reversed there
        assert f["cube"].attrs["MATLAB_class"] == b"single" and f["wavelengths"].attrs["MATLAB_class"] == b"double"
        assert f["wavelengths"].shape == (C, 1)
        return f["cube"][()].T, f["wavelengths"][:, 0]


def by_spectral(folder):
    envi = pytest.importorskip("spectral.io.envi")
    image = envi.open(str(folder / "x.hdr"))
    assert image.metadata["wavelength units"] == "Nanometers"
    return np.asarray(image.load()), np.array(image.bands.centers)


def by_rasterio(folder, name="x.tif"):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(folder / name) as f:
        assert set(f.dtypes) == {"float32"} and f.crs is None
        tags = [f.tags(i + 1) for i in range(f.count)]
        assert {t["wavelength_units"] for t in tags} == {"Nanometers"}
        return np.moveaxis(f.read(), 0, 2), np.array([float(t["wavelength"]) for t in tags])


def by_rasterio_as_envi(folder):
    return by_rasterio(folder, "x.img")


def by_octave(folder, name="x.mat"):
    program = shutil.which("octave-cli")
    if not program:
        pytest.skip("no octave-cli here")
    script = f"load('{folder / name}'); save('-v6', '{folder / 'octave.mat'}', 'cube', 'wavelengths')"
    subprocess.run([program, "--no-gui", "--norc", "--eval", script], check=True, capture_output=True)
    loaded = pytest.importorskip("scipy.io").loadmat(folder / "octave.mat")
    return loaded["cube"], loaded["wavelengths"][0]


READERS = [
    by_h5py,
    by_numpy,
    by_numpy_archive,
    by_scipy,
    by_h5py_as_matlab,
    by_spectral,
    by_rasterio,
    by_rasterio_as_envi,
    by_octave,
]


@pytest.mark.parametrize("reader", READERS)
def test_what_is_written_is_read_elsewhere(written, reader):
    expected = np.load(written / "x.npy")
    values, wavelengths = reader(written)
    assert values.dtype == np.float32 and values.shape == (H, W, C)
    np.testing.assert_array_equal(values, expected)
    if wavelengths is not None:
        np.testing.assert_array_equal(wavelengths, NM)


@pytest.mark.parametrize("name", ["x.h5", "x.npy", "x.npz", "x.hdr", "x.img", "x.tif", "x.mat", "x.v73.mat"])
def test_what_is_written_is_read_by_the_program(read, written, name):
    values, wavelengths, _ = read(written / name, "--full-scale", "4")
    np.testing.assert_array_equal(values, np.load(written / "x.npy") / np.float32(4))
    if name == "x.npy":
        assert wavelengths is None
    else:
        np.testing.assert_array_equal(wavelengths, NM)


# ------------------------------------------------------------------------------------------------ what others write


def npz(path, cube):
    np.savez(path, cube=cube, wavelengths=NM)


def npz_packed(path, cube):
    np.savez_compressed(path, title=np.array("a scene"), cube=np.asfortranarray(cube.astype(">f8")), wavelengths=NM)


def hdf5(path, cube):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as f:
        f.create_dataset("cube", data=cube, compression="gzip", shuffle=True)
        f["wavelengths"] = NM


def matlab(path, cube):
    pytest.importorskip("scipy.io").savemat(path, {"cube": cube, "wavelengths": NM}, do_compression=True)


def octave(path, cube):
    program = shutil.which("octave-cli")
    if not program:
        pytest.skip("no octave-cli here")
    matlab(path.with_suffix(".in.mat"), cube)
    script = f"load('{path.with_suffix('.in.mat')}'); save('-v7', '{path}', 'cube', 'wavelengths')"
    subprocess.run([program, "--no-gui", "--norc", "--eval", script], check=True, capture_output=True)


def envi(path, cube, interleave="bil", byteorder=1, nm=True):
    tool = pytest.importorskip("spectral.io.envi")
    more = {"wavelength": [repr(float(v)) for v in NM], "wavelength units": "nm"} if nm else {}
    tool.save_image(str(path), cube, interleave=interleave, byteorder=byteorder, metadata=more, ext=".img")


def geotiff(path, cube, **kind):
    rasterio = pytest.importorskip("rasterio")
    transform = rasterio.transform.from_origin(300000, 5000000, 10, 10)
    profile = dict(driver="GTiff", height=H, width=W, count=C, dtype=cube.dtype, crs="EPSG:32632", transform=transform)
    with rasterio.open(path, "w", **profile, **kind) as f:
        f.write(np.moveaxis(cube, 2, 0))
        for i, nm in enumerate(NM):
            f.update_tags(i + 1, wavelength=repr(float(nm)), wavelength_units="nm")


def geotiff_tiled(path, cube):
    geotiff(path, cube, tiled=True, blockxsize=16, blockysize=16, compress="deflate", predictor=3, interleave="band")


WRITERS = {
    "x.npz": npz,
    "packed.npz": npz_packed,
    "x.h5": hdf5,
    "x.mat": matlab,
    "octave.mat": octave,
    "x.hdr": envi,
    "x.tif": geotiff,
    "tiled.tif": geotiff_tiled,
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_others_write_is_read(read, folder, cube, name):
    WRITERS[name](folder / name, cube)
    values, wavelengths, _ = read(folder / name)
    np.testing.assert_array_equal(values, cube)
    np.testing.assert_array_equal(wavelengths, NM)


def test_digits_of_a_geotiff_have_the_scale_it_says(read, refused, folder, cube):
    rasterio = pytest.importorskip("rasterio")
    digits = (cube * 10000).astype(np.uint16)
    geotiff(folder / "x.tif", digits)
    refused(folder / "x.tif", "--full-scale")  # nothing says what means 1: not guessed
    values, _, _ = read(folder / "x.tif", "--full-scale", "10000")
    np.testing.assert_allclose(values, digits / 10000, atol=1e-7)
    with rasterio.open(folder / "x.tif", "r+") as f:
        f.scales, f.offsets = [0.0001] * C, [0.0] * C
    values, _, _ = read(folder / "x.tif")
    np.testing.assert_allclose(values, digits / 10000, atol=1e-7)


# ------------------------------------------------------------------------------------------------ folders of pictures


def pictures(path, cube, bits, ending="png"):
    """As CAVE is published: scene_ms/scene_ms_01.png ... with an RGB preview beside that is no PNG."""
    io = pytest.importorskip("skimage.io")
    path.mkdir(parents=True)
    digits = np.round(cube.astype(np.float64) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    for c in range(cube.shape[2]):
        io.imsave(path / f"{path.name}_{c + 1:02d}.{ending}", digits[:, :, c], check_contrast=False)
    (path / "scene_RGB.bmp").write_bytes(b"BM")
    (path / "Thumbs.db").write_bytes(b"")
    return (digits / (2**bits - 1)).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_folder_of_pictures_is_a_cube(read, folder, cube, bits, ending):
    expected = pictures(folder / "scene_ms", cube, bits, ending)
    values, wavelengths, said = read(folder / "scene_ms")
    np.testing.assert_array_equal(values, expected)
    assert wavelengths is None
    assert f"divided by {2**bits - 1}" in said and f"scene_ms_01.{ending} to scene_ms_06.{ending}" in said
    _, wavelengths, _ = read(folder / "scene_ms", "--wavelengths", "450:650")
    np.testing.assert_array_equal(wavelengths, NM)


def test_folders_of_pictures_train(program, folder):
    rng = np.random.default_rng(2)
    scenes = np.clip(rng.random((2, 40, 40, 1)) + 0.1 * rng.random((2, 40, 40, 8)), 0, 1).astype(np.float32)
    for name, scene in zip(("a_ms", "b_ms"), scenes):
        pictures(folder / "cave" / name / name, scene, 16)
    np.save(folder / "wide.npy", (rng.random((40, 40)) < 0.5).astype(np.float32))
    small = {"channels": 8, "depths": [1], "heads": [2], "spectral_head_width": 4, "hidden": 16, "window": 4}
    config = {"network": {**small, "pad_multiple": 4}, "bands": "native", "stages": "me:1,ma:1", "batch": 1, "crop": 16}
    (folder / "config.json").write_text(json.dumps({**config, "wavelengths": "400:700"}))
    command = [program, "train", "--data", str(folder / "cave"), "--mask", str(folder / "wide.npy")]
    command += ["--validation", "b_ms", "--config", str(folder / "config.json"), "--out", str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [program, "info", "--json", str(folder / "run/weights.safetensors")], capture_output=True, text=True
    )
    np.testing.assert_allclose(json.loads(found.stdout)["model"]["wavelengths"], np.linspace(400, 700, 8))


def change(path, name):
    """One of the ways in which a folder of pictures is none of one cube."""
    io = pytest.importorskip("skimage.io")
    first = io.imread(path / "scene_ms_01.png")
    if name == "gap":
        (path / "scene_ms_03.png").unlink()
    elif name == "twice":
        shutil.copy(path / "scene_ms_03.png", path / "scene_ms_3.png")
    elif name == "size":
        io.imsave(path / "scene_ms_03.png", first[:-1], check_contrast=False)
    elif name == "depth":
        io.imsave(path / "scene_ms_03.png", (first // 256).astype(np.uint8), check_contrast=False)
    elif name == "colour":
        io.imsave(path / "scene_ms_03.png", np.stack([first.astype(np.uint8)] * 3, 2), check_contrast=False)
    elif name == "preview":
        io.imsave(path / "scene_RGB.png", np.stack([first.astype(np.uint8)] * 3, 2), check_contrast=False)
    elif name == "truncated":
        (path / "scene_ms_03.png").write_bytes((path / "scene_ms_03.png").read_bytes()[:-200])
    elif name == "text":
        (path / "scene_ms_03.png").write_text("no picture")


@pytest.mark.parametrize("name", ["gap", "twice", "size", "depth", "colour", "preview", "truncated", "text"])
def test_a_folder_that_is_no_cube_is_refused(refused, folder, cube, name):
    pictures(folder / "scene_ms", cube, 16)
    change(folder / "scene_ms", name)
    refused(folder / "scene_ms")


# ------------------------------------------------------------------------------------------------ damage


def truncated(path):
    data = path.with_suffix(".img") if path.suffix == ".hdr" else path
    data.write_bytes(data.read_bytes()[: data.stat().st_size * 6 // 10])


def wrong(path):
    """Another number of wavelengths or bands than the file has; for TIFF no directory of tags."""
    other = np.zeros((H, W, C + 1), np.float32) + 0.5
    if path.suffix == ".tif":
        path.write_bytes(path.read_bytes()[:8] + b"\xff" * 200)
    elif path.suffix == ".hdr":
        path.write_text(path.read_text().replace(f"bands = {C}", f"bands = {C - 1}"))
    else:
        {".npz": npz, ".h5": hdf5, ".mat": matlab}[path.suffix](path, other)


def absurd(path):
    """Sizes that no machine has, in a small file."""
    if path.suffix == ".npz":
        whole = path.read_bytes()
        shape = f"({H}, {W}, {C})".encode()
        big = b"(9999999, 9999, 99)"
        path.write_bytes(whole.replace(shape + b", }" + b" " * (len(big) - len(shape)), big + b", }"))
        assert path.read_bytes() != whole
    elif path.suffix == ".hdr":
        path.write_text(path.read_text().replace(f"lines = {H}", "lines = 2000000000"))
    elif path.suffix == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as f:
            f.create_dataset("cube", (1 << 20, 1 << 20, 99), "f4", chunks=(64, 64, 16))
    elif path.suffix == ".mat":
        pytest.importorskip("scipy.io").savemat(path, {"cube": np.zeros((H, W, C), np.float32)})
        whole = path.read_bytes()
        sizes = np.array([H, W, C], "<i4").tobytes()
        path.write_bytes(whole.replace(sizes, np.array([1 << 30, 1 << 30, C], "<i4").tobytes(), 1))
        assert path.read_bytes() != whole
    else:
        rasterio = pytest.importorskip("rasterio")
        kind = dict(driver="GTiff", height=1 << 20, width=1 << 20, count=9, dtype="float32", sparse_ok=True)
        with rasterio.open(path, "w", **kind, BIGTIFF="YES", tiled=True, blockxsize=4096, blockysize=4096):
            pass


@pytest.mark.parametrize("damage", [truncated, wrong, absurd])
@pytest.mark.parametrize("name", ["x.npz", "x.h5", "x.mat", "x.hdr", "x.tif"])
def test_damaged_files_are_refused(refused, folder, cube, name, damage):
    WRITERS[name](folder / name, cube)
    damage(folder / name)
    refused(folder / name)
    shutil.rmtree(folder)


# ------------------------------------------------------------------------------------------------ outputs and places


@pytest.mark.parametrize("ending", ["npz", "hdr", "img", "tif", "mat"])
def test_a_file_of_somebody_else_is_not_overwritten(program, written, tmp_path, ending):
    out = tmp_path / f"x.{ending}"
    out.write_bytes(b"somebody's")
    command = [program, "reconstruct", "--measurement", str(written / "y.npy"), "--mask", str(written / "mask.npy")]
    command += ["--method", "gap-tv", "--exposure", "none", "--band-count", str(C), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "--force" in done.stderr and out.read_bytes() == b"somebody's"
    assert [p.name for p in tmp_path.iterdir()] == [out.name]
    for options in (["--force"], []):  # then it is ours
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ending", ["png", "jp2", "nc"])
def test_what_is_not_written_is_said(program, written, tmp_path, ending):
    command = [program, "reconstruct", "--measurement", str(written / "y.npy"), "--mask", str(written / "mask.npy")]
    done = subprocess.run([*command, "--out", str(tmp_path / f"x.{ending}")], capture_output=True, text=True)
    assert done.returncode == 2 and ".npz" in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["mat", "npz", "tif"])
def test_a_snapshot_goes_into_hdf5(program, written, tmp_path, ending):
    command = [program, "simulate", "--cube", str(written / "x.h5"), "--mask", str(written / "mask.npy")]
    done = subprocess.run([*command, "--out", str(tmp_path / f"x.{ending}")], capture_output=True, text=True)
    assert done.returncode == 2 and ".h5" in done.stderr and not list(tmp_path.iterdir())


def test_georeferencing_is_kept(program, tmp_path):
    """Clouds are taken off a GeoTIFF: the result lies where it lay."""
    rasterio = pytest.importorskip("rasterio")
    rng = np.random.default_rng(3)
    ground = (2000 + 1500 * rng.random((4, 48, 48))).astype(np.uint16)
    images = []
    for date in range(3):
        image = ground.copy()
        if date == 2:
            image[:, 10:20, 10:20] = 9000
        path = tmp_path / f"d{date}.tif"
        transform = rasterio.transform.from_origin(300000, 5000000, 10, 10)
        kind = dict(driver="GTiff", height=48, width=48, count=4, dtype="uint16", crs="EPSG:32632", transform=transform)
        with rasterio.open(path, "w", **kind) as f:
            f.write(image)
        hidden = np.zeros((48, 48), np.uint8)
        hidden[10:20, 10:20] = date == 2
        np.save(tmp_path / f"m{date}.npy", hidden)
        mask = {"file": f"m{date}.npy", "kind": "binary", "hides": 1}
        images.append({"file": path.name, "date": f"2023-08-{10 + 5 * date}", "visibility": mask})
    (tmp_path / "stack.json").write_text(json.dumps({"images": images, "target": 2, "scale": 0.0001, "offset": 0}))
    command = [program, "declouds", "--manifest", str(tmp_path / "stack.json"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = [p for p in (tmp_path / "out").iterdir() if p.suffix == ".tif"]
    assert results
    for path in results:
        with rasterio.open(path) as f:
            assert f.crs.to_epsg() == 32632 and f.transform == transform and f.shape == (48, 48)
