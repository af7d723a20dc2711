"""The stage xray: named views, any angle, every attenuation model."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drr.attenuation import named
from drr.caster import render
from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct.config import check, XraySettings
from dx2ct.data.prepare.xrays import make_xrays
from dx2ct.data.scans import averaged, read_xrays, stretched
from tests.fabricate.scans import body
from tests.fabricate.settings import SIZE

GEOMETRY = {"source_isocentre_mm": 541.0, "source_detector_mm": 949.0, "detector_mm": 500.0, "pixels": 48}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan off the origin, of an asymmetric body."""
    folder = tmp_path_factory.mktemp("data")
    Volume(body(0), (10.0,) * 3, (-100.0, 30.0, 500.0)).write(folder / "volumes/s.mha")
    return folder


def xrays(data: Path, **section: Any) -> dict[str, np.ndarray]:
    settings = check(XraySettings, geometry=GEOMETRY, **section)
    make_xrays(data / "volumes/s.mha", settings, data / "xrays/s", "numpy")
    return read_xrays(data, "s", settings.views)


def test_a_view_is_the_exposure_that_its_name_stands_for(data: Path) -> None:
    views = {"front": "pa", "lateral": "lateral", "behind": {"gantry": 180, "tilt": 0}, "oblique": {"gantry": 45}}
    found = xrays(data, views=views)
    assert list(found) == list(views) and len({image.shape for image in found.values()}) == 1
    # PA is shown as it is hung, the patient's right at the left; by angle an image is seen from the source
    np.testing.assert_allclose(found["behind"][:, ::-1], found["front"], atol=1e-4)
    assert np.abs(found["oblique"] - found["front"]).max() > 0.1
    assert np.abs(found["oblique"] - found["lateral"]).max() > 0.1


def test_the_isocentre_is_the_middle_of_the_scan(data: Path) -> None:
    volume = read_volume(data / "volumes/s.mha")
    settings = check(XraySettings, geometry=GEOMETRY)
    moved = settings.cone_beam.view("pa", volume.centre_mm)
    (expected,) = render(volume, [moved], "numpy")
    np.testing.assert_array_equal(xrays(data)["pa"], expected)
    assert volume.array.shape == (SIZE,) * 3


@pytest.mark.parametrize("model", ["plastimatch", "water:60", "mixture:70"])
def test_every_attenuation_model_is_reached_by_its_key(data: Path, model: str) -> None:
    volume = read_volume(data / "volumes/s.mha")
    view = check(XraySettings, geometry=GEOMETRY).exposures(["lateral"], volume.centre_mm)["lateral"]
    (expected,) = render(volume, [view], "numpy", attenuation=named(model))
    np.testing.assert_array_equal(xrays(data, attenuation=model)["lateral"], expected)


def test_the_models_differ(data: Path) -> None:
    images = [xrays(data, attenuation=model)["pa"] for model in ("plastimatch", "water", "mixture")]
    assert all(np.abs(one - other).max() > 1e-3 for one, other in pairwise(images))


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"attenuation": "glass"}, "attenuation: 'glass'"),
        ({"attenuation": "water:many"}, "attenuation: 'water:many'"),
        (
            {"geometry": GEOMETRY | {"source_detector_mm": 100.0}},
            "geometry: the detector (100.0 mm from the source) must lie beyond",
        ),
        ({"views": {}}, "views: needs at least 1 of them"),
        ({"views": {"Not a name": "pa"}}, "views"),
        ({"views": {"above": {"gantry": 0, "tilt": 90}}}, "views.above.tilt: "),
        ({"views": {"pa": "ap"}}, "views.pa"),
    ],
)
def test_what_cannot_be_rendered_is_one_line_that_names_the_key(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as error:
        check(XraySettings, **section)
    assert problem in str(error.value) and "\n" not in str(error.value)


def test_averaging_keeps_the_mean_and_refuses_to_invent_pixels() -> None:
    image = np.random.default_rng(0).random((48, 48)).astype(np.float32)
    assert averaged(image, 12).mean() == pytest.approx(image.mean(), abs=1e-5)
    assert (stretched(image, 12).min(), stretched(image, 12).max()) == (0, 1)
    np.testing.assert_array_equal(stretched(np.full((8, 8), 3, np.float32), 4), 0)
    with pytest.raises(InputError, match="cannot be averaged to 49 pixels"):
        averaged(image, 49)
