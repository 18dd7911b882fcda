"""The notebooks of examples/ run from top to bottom, and what they compute is what they say. Needs nbclient and ipykernel."""

import json
import pathlib

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def run(name, tmp_path, report):
    """Executes a notebook with one more cell that prints `report` as JSON. Returns that, and the pictures' count."""
    book = nbformat.read(EXAMPLES / name, as_version=4)
    nbformat.validate(book)
    assert all(not cell.outputs for cell in book.cells if cell.cell_type == "code"), "commit notebooks without outputs"
    book.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({report}))"))
    nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = sum("image/png" in o.get("data", {}) for c in book.cells if c.cell_type == "code" for o in c.outputs)
    return json.loads(book.cells[-1].outputs[-1].text), pictures


def test_reconstruct(tmp_path):
    psnr, pictures = run("reconstruct.ipynb", tmp_path, "{k: f['psnr'] for k, f in figures.items()}")
    assert list(psnr) == ["GAP-TV", "spectral TV", "general network"]
    assert 20 < psnr["GAP-TV"] < psnr["spectral TV"] - 5
    assert psnr["general network"] >= psnr["spectral TV"]
    assert pictures == 2


def test_train(tmp_path):
    found, pictures = run("train.ipynb", tmp_path, "[len(losses), losses[0], losses[-1], before, after]")
    steps, first, last, before, after = found
    assert steps == 299 and last < first
    assert after > before + 4
    assert pictures == 2
