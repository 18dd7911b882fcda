"""The program reads what NumPy, SciPy, h5py and Spectral Python write, with equal values and wavelengths."""

import json
import subprocess

import numpy as np
import pytest

import unmask

NM = unmask.benchmark_wavelengths()


@pytest.fixture()
def same(program, scene, tmp_path):
    """Whether a file holds the scene to 1 / 65535, read by `unmask evaluate`."""
    np.save(tmp_path / "truth.npy", scene)

    def check(path, *options):
        command = [program, "evaluate", "--truth", str(tmp_path / "truth.npy"), "--estimate", str(path), "--json"]
        found = subprocess.run([*command, *options], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)

    return check


def psnr(found):
    return found["all"]["psnr"] if "all" in found else found["psnr"]


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
def test_npy(same, scene, tmp_path, order, kind):
    np.save(tmp_path / "x.npy", np.asarray(scene.astype(kind), order=order))
    assert psnr(same(tmp_path / "x.npy")) == 100


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("byteorder", [0, 1])
def test_envi(same, scene, program, tmp_path, interleave, byteorder):
    envi = pytest.importorskip("spectral.io.envi")
    envi.save_image(
        str(tmp_path / "x.hdr"),
        scene,
        interleave=interleave,
        byteorder=byteorder,
        metadata={"wavelength": [str(v) for v in NM], "wavelength units": "nm"},
    )
    for name in ("x.hdr", "x.img"):
        assert psnr(same(tmp_path / name)) == 100
    listed = subprocess.run([program, "info", str(tmp_path / "x.hdr")], capture_output=True, text=True)
    assert listed.returncode == 0 and "wavelength [28]" in listed.stdout


def test_what_the_program_writes_is_read(program, scene, camera, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "in.h5", "w") as f:
        f["measurement"], f["mask"] = camera.forward(scene), camera.mask
        f["measurement"].attrs["unit"] = "sum over bands of mask * cube"

    def run(out):
        command = [program, "reconstruct", "--measurement", f"{tmp_path}/in.h5:measurement", "--refinements", "0"]
        return subprocess.run(
            [*command, "--mask", f"{tmp_path}/in.h5:mask", "--out", str(tmp_path / out)], capture_output=True, text=True
        )

    for out in ("x.npy", "x.h5"):
        assert run(out).returncode == 0
    with h5py.File(tmp_path / "x.h5") as f:
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), f["cube"][()])
    refused = run("x.png")  # test_matrix.py has the formats that are written
    assert refused.returncode == 2 and ".npz" in refused.stderr and not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:40], lambda b: b.replace(b"64", b"65", 1)])
def test_damaged_files_are_one_line_and_exit_2(program, scene, tmp_path, damage):
    np.save(tmp_path / "x.npy", scene)
    (tmp_path / "x.npy").write_bytes(damage((tmp_path / "x.npy").read_bytes()))
    found = subprocess.run([program, "info", str(tmp_path / "x.npy")], capture_output=True, text=True)
    read = subprocess.run(
        [program, "evaluate", "--truth", str(tmp_path / "x.npy"), "--estimate", str(tmp_path / "x.npy")],
        capture_output=True,
        text=True,
    )
    assert read.returncode == 2 and len(read.stderr.strip().splitlines()) == 1 and "x.npy" in read.stderr
    assert found.returncode in (0, 2)
