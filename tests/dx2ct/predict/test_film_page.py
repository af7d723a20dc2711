"""The page of simulated films beside real ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from drr.errors import InputError
from drr.volume import AIR_HU, Volume
from dx2ct.config import VolumeSettings
from dx2ct.predict import film_page
from tests.fabricate import lateral, pa


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two films of a view, and a CT of a body with lungs on a couch."""
    monkeypatch.setattr(film_page, "CUBE", VolumeSettings(size=64, spacing_mm=6.0))
    for number in range(2):
        for name, image in (("pa", pa()), ("lateral", lateral())):
            cv2.imwrite(str(tmp_path / f"{name}_{number}.png"), (image * (50000 + number)).astype(np.uint16))
    axis = (np.arange(60) + 0.5) * 6 - 180
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    hu = np.full((60, 60, 60), -1000, np.int16)
    hu[(x / 140) ** 2 + (y / 95) ** 2 < 1] = 40
    for side in (-1, 1):
        hu[((x - side * 65) / 48) ** 2 + (y / 65) ** 2 + (z / 110) ** 2 < 1] = -850
    hu[(y > 130) & (y < 150)] = 0
    Volume(hu, (6.0, 6.0, 6.0), (-177.0, -177.0, -177.0)).write(tmp_path / "ct.nii.gz")
    return tmp_path


def test_a_page_is_drawn(desk: Path) -> None:
    film_page.write_page([desk / "ct.nii.gz"], desk, 0, desk / "page.png")
    assert cv2.imread(str(desk / "page.png")).std() > 20


def test_simulated_films_show_a_chest_and_their_seed_decides_them(desk: Path) -> None:
    one, same, other = (film_page.simulated_films([desk / "ct.nii.gz"], seed) for seed in (3, 3, 4))
    for view in one:
        (image,) = one[view]
        assert image.shape == (256, 256) and image.min() == 0 and image.max() == pytest.approx(1)
        assert np.array_equal(image, same[view][0]) and not np.array_equal(image, other[view][0])
    (pa_film,), (lateral_film,) = one["pa"], one["lateral"]
    assert pa_film[108:148, 118:138].mean() > 0.2 + pa_film[108:148, [68, 188]].mean(), "between two lungs"
    assert lateral_film[240:, 118:138].mean() > 0.1 + lateral_film[108:148, 118:138].mean(), "below the lungs"


def test_the_couch_is_taken_out(desk: Path) -> None:
    patient = film_page.without_couch(desk / "ct.nii.gz")
    y = patient.origin_mm[1] + np.arange(64) * 6.0
    assert (patient.array[:, y > 126] == AIR_HU).all() and (patient.array == 40).any()


def test_a_folder_without_a_view_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        film_page.write_page([], tmp_path, 0, tmp_path / "page.png")
    assert str(error.value) == (
        f"{tmp_path}: no film's name begins with pa: name them so, as pa_1.png and lateral_1.png"
    )
