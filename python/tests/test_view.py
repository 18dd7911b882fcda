"""The page of `unmask view`, by real clicks and keys in headless Chromium. What it shows and saves is compared with NumPy.

Skipped by name where Selenium, Chromium or its driver are missing (Debian: chromium, chromium-driver)."""

import csv
import json
import os
import re
import shutil
import subprocess
import time

import numpy as np
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="the page's tests need Selenium (pip install selenium)")
h5py = pytest.importorskip("h5py")
Image = pytest.importorskip("PIL.Image")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

H, W, C = 40, 60, 9
NM = np.linspace(440, 680, C)


def some_cube(seed):
    """[H, W, C] in -0.1..1.1, another value in each pixel and band; pixel (3, 5) is the same in all bands."""
    cube = np.random.default_rng(seed).uniform(-0.1, 1.1, (H, W, C)).astype(np.float32)
    cube[3, 5] = 0.5
    return cube


def write(path, cube, nm=NM):
    with h5py.File(path, "w") as f:
        f["cube"] = cube
        if nm is not None:
            f["wavelengths"] = nm
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cubes")
    return write(folder / "a.h5", some_cube(1)), write(folder / "b.h5", some_cube(2))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("the page's tests need Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--window-size=1300,1000", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    made.downloads = downloads
    yield made
    made.quit()


class Page:
    """A page in the browser, used as a person does."""

    def __init__(self, browser, path, said):
        self.browser, self.said = browser, said
        self.data = json.loads(re.search(r'id="view-data">(.*?)</script>', path.read_text(), re.S)[1])
        browser.get(path.as_uri())
        for _ in range(200):
            if not browser.find_elements(By.ID, "state"):
                break
            time.sleep(0.1)
        else:
            pytest.fail(self["state"].text)

    def __getitem__(self, name):
        return self.browser.find_element(By.ID, name)

    def reach(self, name):
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", self[name])
        return self[name]

    def over(self, row, column, click=False):
        """Moves to a pixel of the shown picture, counted from its top left."""
        picture = self.reach("picture")
        height, width = self.data["height"], self.data["width"]
        x = round(((column + 0.5) / width - 0.5) * picture.size["width"])
        y = round(((row + 0.5) / height - 0.5) * picture.size["height"])
        move = webdriver.ActionChains(self.browser).move_to_element_with_offset(picture, x, y)
        (move.click() if click else move).perform()
        time.sleep(0.1)

    def click(self, name):
        self.reach(name).click()

    def keys(self, name, *keys):
        self.reach(name).send_keys(*keys)
        time.sleep(0.1)

    def choose(self, name, value):
        Select(self.reach(name)).select_by_value(str(value))

    def pins(self):
        """What the list beside the chart says, without the cursor's line."""
        lines = self.browser.find_elements(By.CSS_SELECTOR, "#pins li")
        return {l.find_element(By.TAG_NAME, "b").text: l.find_element(By.TAG_NAME, "span").text for l in lines[1:]}

    def unpin(self):
        self.click("unpin")
        assert self.pins() == {}

    def line(self, pin, cube="a"):
        """A line of the chart as [C, 2] of what its axes say: (nm or band, value)."""

        def axis(kind, position):
            ticks = self.browser.find_elements(By.CSS_SELECTOR, f"#chart .{kind}.tick")
            values = [float(t.text) for t in ticks]
            return np.polyfit([float(t.get_attribute(position)) for t in ticks], values, 1)

        css = f'#chart .line[data-pin="{pin}"][data-cube="{cube}"]'
        path = self.browser.find_element(By.CSS_SELECTOR, css).get_attribute("d")
        at = np.array([[float(v) for v in p.split()] for p in re.split("[ML]", path)[1:]])
        return np.stack([np.polyval(axis("x", "x"), at[:, 0]), np.polyval(axis("y", "y"), at[:, 1])], 1)

    def saved(self, button, ending):
        """The file that a button saves; Chromium writes it under other names first."""
        before = set(self.browser.downloads.glob("*" + ending))
        self.click(button)
        for _ in range(100):
            new = [f for f in set(self.browser.downloads.glob("*" + ending)) - before if f.stat().st_size]
            if new:
                return new[0]
            time.sleep(0.1)
        pytest.fail(f"nothing was saved by {button}")

    def png(self):
        return np.asarray(Image.open(self.saved("save-picture", ".png")).convert("RGB")).astype(int)

    def csv(self):
        with open(self.saved("save-spectra", ".csv"), newline="") as f:
            return list(csv.DictReader(f))


@pytest.fixture()
def view(program, browser, tmp_path):
    """view(file, option, ...) runs the program and opens its page."""

    def opened(*arguments):
        page = tmp_path / "view.html"
        command = [program, "view", *map(str, arguments), "--out", str(page), "--force"]
        found = subprocess.run(command, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        return Page(browser, page, found.stdout)

    yield opened
    wrong = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert wrong == []


def half_code(cube):
    """Half a step of the page's 16 bits, and what float32 and seven decimal digits round off."""
    return (cube.max() - cube.min()) / 65534 / 2 + 3e-7


def srgb(light):
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def white_of(plane):
    return np.sort(plane, axis=None)[round(0.995 * (plane.size - 1))]


def close(picture, expected):
    """Equal to one code: where the exact value lies between two, the page's 16 bits may decide otherwise."""
    assert picture.shape == expected.shape
    assert np.abs(picture - expected).max() <= 1


def check_rows(rows, cube, name, pin, row, column, shown=None):
    """The lines of a pin in a CSV are the cube's spectrum at that pixel of the file."""
    mine = [r for r in rows if r["pin"] == pin and r["cube"] == name]
    assert [int(r["band"]) for r in mine] == list(range(1, C + 1))
    assert {(int(r["row"]), int(r["column"])) for r in mine} == {(row, column)}
    np.testing.assert_allclose([float(r["wavelength_nm"]) for r in mine], NM, rtol=1e-8)
    np.testing.assert_allclose([float(r["value"]) for r in mine], cube[row, column], rtol=0, atol=half_code(cube))


def test_a_click_draws_and_saves_the_spectrum(view, files):
    page, cube = view(files[0]), some_cube(1)
    page.unpin()
    for row, column in ((0, 0), (17, 42), (39, 59)):
        page.over(row, column, click=True)
    assert page.pins() == {"A": "row 0, column 0", "B": "row 17, column 42", "C": "row 39, column 59"}
    page.over(8, 9)
    assert page["where"].text == "row 8, column 9"
    pixel = 3 / page["chart"].size["height"]  # of the values' range: a line is drawn to a hundredth of a pixel
    for pin, row, column in (("A", 0, 0), ("B", 17, 42), ("C", 39, 59), ("cursor", 8, 9)):
        line = page.line(pin)
        np.testing.assert_allclose(line[:, 0], NM, atol=1)
        np.testing.assert_allclose(line[:, 1], cube[row, column], atol=pixel)
    rows = page.csv()
    assert len(rows) == 3 * C
    for pin, row, column in (("A", 0, 0), ("B", 17, 42), ("C", 39, 59)):
        check_rows(rows, cube, "a", pin, row, column)


def test_pins_are_removed_and_their_colours_used_again(view, files):
    page = view(files[0])
    assert len(page.pins()) == 3  # chosen by the program: far apart in colour
    page.unpin()
    for column in range(9):
        page.over(10, 5 * column, click=True)
    assert list(page.pins()) == list("ABCDEFGH")
    assert "remove one" in page["spoken"].get_attribute("textContent")
    page.browser.find_element(By.CSS_SELECTOR, "[aria-label='Remove pin C']").click()
    assert list(page.pins()) == list("ABDEFGH")
    page.over(30, 30, click=True)
    page.over(30, 30, click=True)  # a pixel is pinned once
    assert page.pins()["C"] == "row 30, column 30" and len(page.pins()) == 8
    page.unpin()
    rows = page.csv()  # of the cursor, as nothing is pinned
    assert {(r["pin"], r["row"], r["column"]) for r in rows} == {("cursor", "30", "30")}


def test_keys_move_the_cursor(view, files):
    page, cube = view(files[0]), some_cube(1)
    page.unpin()
    page.over(20, 30)
    picture = page["picture"]
    assert "Arrow keys" in picture.get_attribute("aria-label") and picture.get_attribute("tabindex") == "0"
    page.keys("picture", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert page["where"].text == "row 19, column 32"
    outline = page.browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", picture)
    assert outline == "solid"
    assert page["spoken"].get_attribute("textContent") == "row 19, column 32"
    page.keys("picture", Keys.SHIFT, Keys.ARROW_DOWN)
    assert page["where"].text == "row 29, column 32"
    page.keys("picture", Keys.ENTER)
    assert page.pins() == {"A": "row 29, column 32"}
    check_rows(page.csv(), cube, "a", "A", 29, 32)
    page.keys("picture", Keys.DELETE)
    assert page.pins() == {}
    page.keys("picture", Keys.SHIFT, *[Keys.ARROW_LEFT] * 5, *[Keys.ARROW_UP] * 5)
    assert page["where"].text == "row 0, column 0"


def test_true_colour(view, files):
    page, cube = view(files[0]), some_cube(1).astype(float)
    light = cube @ np.array(page.data["weights"]) * page.data["exposure"]
    luminance = light @ [0.2126, 0.7152, 0.0722]
    assert white_of(luminance) == pytest.approx(1, abs=1e-4)
    least = light.min(-1)
    inside = np.maximum(luminance / np.where(luminance > least, luminance - least, 1), 0)
    keep = np.where(least < 0, inside, 1)[..., None]
    expected = np.round(srgb(luminance[..., None] + keep * (light - luminance[..., None])))
    picture = page.png()
    close(picture, expected)
    assert np.ptp(picture[3, 5]) <= 1  # an equal spectrum is grey


def test_three_bands(view, files):
    page, cube = view(files[0]), some_cube(1)
    page.choose("mode", "rgb")
    page.choose("select-red", 7)
    page.choose("select-green", 0)
    page.keys("range-blue", Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert Select(page["select-blue"]).first_selected_option.text == f"Band 4 \u00b7 {NM[3]:.1f} nm"
    close(page.png(), np.stack([np.round(srgb(cube[..., c] / white_of(cube[..., c]))) for c in (7, 0, 3)], -1))


def test_one_band_brightness_and_gamma(view, files):
    page, cube = view(files[0]), some_cube(1)
    page.choose("mode", "grey")
    page.keys("range-grey", Keys.END)
    light = cube[..., C - 1] / white_of(cube[..., C - 1])
    grey = lambda light: np.repeat(np.round(srgb(light))[..., None], 3, -1)
    close(page.png(), grey(light))
    page.keys("gain", *[Keys.ARROW_RIGHT] * 10)
    assert page["gain-value"].text == "\u00d72" and "Brightness 2:" in page["how"].text
    close(page.png(), grey(2 * light))
    page.keys("gamma", *[Keys.ARROW_RIGHT] * 20)
    assert page["gamma-value"].text == "2" and "power 1/2" in page["how"].text
    # The page's table has 16 bits, which the root spreads in the dark; above it differs by a code.
    bright = 2 * light > 1e-3
    expected = grey(np.clip(2 * light, 0, 1) ** 0.5)
    assert np.abs(page.png() - expected)[bright].max() <= 1
    page.click("reset")
    close(page.png(), grey(light))
    page.click("tint")
    tint = np.array([int(page.data["tint"][C - 1][k : k + 2], 16) for k in (1, 3, 5)])
    close(page.png(), np.round(srgb(light)[..., None] * tint / 255))


def test_two_cubes_are_compared(view, files):
    page, a, b = view(files[0], "--with", files[1]), some_cube(1), some_cube(2)
    page.unpin()
    page.choose("mode", "grey")
    page.choose("select-grey", 2)
    white = white_of(a[..., 2])
    grey = [np.repeat(np.round(srgb(x[..., 2] / white))[..., None], 3, -1) for x in (a, b)]

    def seam():
        return round(float(page["split"].get_attribute("aria-valuenow")) / 100 * W)

    assert seam() == W // 2
    close(page.png(), np.where(np.arange(W)[None, :, None] < W // 2, *grey))
    picture = page.reach("picture")
    drag = webdriver.ActionChains(page.browser).drag_and_drop_by_offset(page["split"], -picture.size["width"] // 4, 0)
    drag.perform()
    assert abs(seam() - W // 4) <= 1 and page.pins() == {}  # a drag pins nothing
    shown = page.png()
    close(shown[:, : W // 4 - 1], grey[0][:, : W // 4 - 1])
    close(shown[:, W // 4 + 1 :], grey[1][:, W // 4 + 1 :])
    page.keys("split", Keys.END)
    close(page.png(), grey[0])
    page.keys("split", Keys.HOME)
    close(page.png(), grey[1])

    page.over(11, 22, click=True)
    pixel = 3 / page["chart"].size["height"]
    np.testing.assert_allclose(page.line("A", "a")[:, 1], a[11, 22], atol=pixel)
    np.testing.assert_allclose(page.line("A", "b")[:, 1], b[11, 22], atol=pixel)
    rows = page.csv()
    assert len(rows) == 2 * C
    check_rows(rows, a, "a", "A", 11, 22)
    check_rows(rows, b, "b", "A", 11, 22)


def test_differences(view, files):
    page, a, b = view(files[0], "--with", files[1]), some_cube(1).astype(float), some_cube(2).astype(float)
    page.choose("mode", "rms")
    rms = np.sqrt(((b - a) ** 2).mean(-1))
    top = np.sort(rms, axis=None)[round(0.99 * (rms.size - 1))]
    heat = np.array([[int(h[k : k + 2], 16) for k in (1, 3, 5)] for h in page.data["heat"]])
    shown = page.png()
    index = np.clip(rms / top, 0, 1) * 255
    for colours in (np.floor(index + 0.5 - 1e-2), np.floor(index + 0.5 + 1e-2)):  # ties may fall either way
        same = (shown == heat[colours.astype(int)]).all(-1)
        assert same.mean() > 0.97
    labels = page.browser.find_elements(By.CSS_SELECTOR, "#bar span span")
    assert [float(l.text) for l in labels] == pytest.approx(np.linspace(0, top, 5), rel=1e-2)

    page.choose("mode", "signed")
    page.choose("select-grey", 4)
    shown, signed = page.png(), (b - a)[..., 4]
    assert not page["gamma"].is_enabled()
    assert (shown[signed > 0.2][:, 0] > shown[signed > 0.2][:, 2]).all()  # red where the second is brighter
    assert (shown[signed < -0.2][:, 0] < shown[signed < -0.2][:, 2]).all()
    with_itself = view(files[0], "--with", files[0])
    with_itself.choose("mode", "rms")
    assert (with_itself.png() == heat[0]).all()


def test_rotated_pictures_keep_the_coordinates_of_the_file(view, files):
    upright = view(files[0]).png()
    page = view(files[0], "--rotate180")
    np.testing.assert_array_equal(page.png(), upright[::-1, ::-1])
    page.unpin()
    page.over(0, 0, click=True)
    page.over(30, 7, click=True)
    assert page.pins() == {"A": f"row {H - 1}, column {W - 1}", "B": f"row {H - 31}, column {W - 8}"}
    rows = page.csv()
    check_rows(rows, some_cube(1), "a", "A", H - 1, W - 1)
    check_rows(rows, some_cube(1), "a", "B", H - 31, W - 8)
    page.keys("picture", Keys.ARROW_RIGHT)  # the way the picture goes
    assert page["where"].text == f"row {H - 31}, column {W - 9}"


def test_a_large_cube_is_shown_as_means(view, tmp_path):
    cube = np.random.default_rng(5).random((301, 400, 9)).astype(np.float32)  # 2.1 MB in the page
    page = view(write(tmp_path / "large.h5", cube), "--page-mb", 1)
    assert "means over 2 x 2 pixels" in page.said and "--page-mb 1" in page.said
    assert "means over 2 \u00d7 2 pixels" in page.browser.find_element(By.TAG_NAME, "header").text
    page.unpin()
    page.over(10, 20, click=True)
    page.over(150, 0, click=True)
    assert page.pins() == {"A": "rows 20\u201321, columns 40\u201341", "B": "rows 300\u2013300, columns 0\u20131"}
    rows = page.csv()
    for pin, mean in (("A", cube[20:22, 40:42].mean((0, 1))), ("B", cube[300:, :2].mean((0, 1)))):
        mine = [r for r in rows if r["pin"] == pin]
        assert {(r["row"], r["column"], r["mean_over"]) for r in mine} == {("20", "40", "2x2") if pin == "A" else ("300", "0", "2x2")}
        np.testing.assert_allclose([float(r["value"]) for r in mine], mean, rtol=0, atol=half_code(cube))


def test_unknown_wavelengths(view, tmp_path):
    cube = some_cube(4)
    page = view(write(tmp_path / "plain.h5", cube, None))
    assert "False colour" in page["mode"].text and "unknown" in page["how"].text
    page.unpin()
    page.over(5, 6, click=True)
    np.testing.assert_allclose(page.line("A", "plain")[:, 0], np.arange(1, C + 1), atol=0.05)
    assert "Band" in page["chart"].text and "nm" not in page["chart"].text
    rows = page.csv()
    assert list(rows[0]) == ["pin", "cube", "row", "column", "band", "value"]
    np.testing.assert_allclose([float(r["value"]) for r in rows], cube[5, 6], rtol=0, atol=half_code(cube))


def test_one_pixel_and_one_band(view, tmp_path):
    page = view(write(tmp_path / "dot.h5", np.full((1, 1, 1), 0.25, np.float32), None))
    page.unpin()
    page.over(0, 0, click=True)
    assert [(r["row"], r["column"], r["value"]) for r in page.csv()] == [("0", "0", "0.25")]
    assert (page.png() == 255).all()


@pytest.mark.parametrize("what", ["size", "bands", "wavelengths", "unknown"])
def test_cubes_that_do_not_fit_are_refused(program, files, tmp_path, what):
    cube = some_cube(1)
    other, nm, words = {
        "size": (cube[1:], NM, ["39 x 60 x 9", "40 x 60 x 9"]),
        "bands": (cube[..., 1:], NM[1:], ["40 x 60 x 8", "40 x 60 x 9"]),
        "wavelengths": (cube, NM + [0, 0, 0, 0, 0, 5, 0, 0, 0], ["band 6", "595.00 nm", "590.00 nm"]),
        "unknown": (cube, None, ["wavelengths are unknown"]),
    }[what]
    out = tmp_path / "view.html"
    path = write(tmp_path / "other.h5", other, nm)
    command = [program, "view", str(files[0]), "--with", str(path), "--out", str(out)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2 and found.stderr.count("\n") == 1
    for word in ["other.h5", "a.h5", "--with", *words]:
        assert word in found.stderr
    assert not out.exists()
