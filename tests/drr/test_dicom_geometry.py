"""Where things are in the patient: landmarks at known LPS places, written in every way a scanner may, and read back."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless
import pytest

from drr.ct.read import read_ct
from drr.volume import Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.planes import to_plane
from dx2ct.data.prepare.volume import to_cube
from tests.drr.enhanced import write_enhanced
from tests.drr.series import with_values, write_series

# LPS mm around the centre of the body: (place, HU above soft tissue, radius). No mirror image is like another.
LANDMARKS = {
    "heart, left": ((22.0, -14.0, -12.0), 900.0),
    "liver, right": ((-26.0, -6.0, -24.0), 600.0),
    "spine, posterior": ((2.0, 27.0, 4.0), 1200.0),
    "neck, superior": ((-6.0, 3.0, 27.0), 800.0),
}
SIGMA_MM = 3.5
CUBE_MM = 1.5
CENTRE_MM = np.array([13.0, -170.0, 940.0])  # a table's coordinates, not the isocentre
# PatientPosition -> ImageOrientationPatient of an axial slice: rows run to +x in HFS, and so on.
PATIENTS = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
}
SPACINGS = {
    "even": np.arange(-42, 43, 3.0),
    "a step of half the size": np.sort(np.append(np.arange(-42, 43, 3.0), 10.5)),
    "holes": np.delete(np.arange(-42, 43, 3.0), [4, 20]),
    "irregular": np.arange(-42, 43, 3.0) + np.random.default_rng(1).uniform(-0.6, 0.6, 29),
}
STORAGES = ["explicit", "implicit", "JPEG 2000", "multi-frame"]
PIXELS = [(False, -1024), (True, 0), (True, -1000), (False, -1000), (True, -1024)]


@dataclass(frozen=True)
class Variant:
    """One way of writing the body."""

    patient: str
    tilt_degrees: float
    spacing: str
    storage: str
    signed: bool
    intercept: int
    order: str

    def __str__(self) -> str:
        sign = "signed" if self.signed else "unsigned"
        written = (self.spacing, self.storage, sign, self.intercept, self.order)
        return "-".join(map(str, (self.patient, f"{self.tilt_degrees:g}deg", *written)))


def _variants() -> list[Variant]:
    """Every patient position with every tilt and spacing; storage, pixels and order take turns."""
    found = []
    for k, (patient, tilt, spacing) in enumerate(product(PATIENTS, (0.0, 12.0, -20.0), SPACINGS)):
        signed, intercept = PIXELS[k % len(PIXELS)]
        order = ("ascending", "descending", "shuffled")[k % 7 % 3]
        found.append(Variant(patient, tilt, spacing, STORAGES[(k + k // 4) % 4], signed, intercept, order))
    return found


def hu_at(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The body at points (..., 3) in LPS around its centre: a soft ellipsoid in air with its landmarks."""
    radius = np.linalg.norm(points_mm / [44.0, 40.0, 60.0], axis=-1)
    hu = 1000 / (1 + np.exp((radius - 1) * 25)) - 1000
    for place, above in LANDMARKS.values():
        distance = np.linalg.norm(points_mm - np.array(place), axis=-1)
        hu += above * np.exp(-0.5 * (distance / SIGMA_MM) ** 2)
    return hu


def write(folder: Path, variant: Variant) -> Path:
    """The body as a series of 64 x 56 pixels of 1.7 x 1.9 mm."""
    along_row, down_column = np.reshape(PATIENTS[variant.patient], (2, 3)).astype(float)
    tilt = np.deg2rad(variant.tilt_degrees)
    down_column = down_column * np.cos(tilt) + np.array([0, 0, np.sin(tilt)])
    across, down = np.arange(64) - 31.5, np.arange(56) - 27.5
    plane = across[None, :, None] * 1.7 * along_row + down[:, None, None] * 1.9 * down_column
    middle = SPACINGS[variant.spacing][:, None] * [0, 0, 1.0]  # the table moves along z, tilted or not
    hu = np.rint(np.stack([hu_at(place + plane) for place in middle])).astype(np.int16)
    corner = CENTRE_MM + middle + plane[0, 0]
    turns = {"ascending": np.arange(len(hu)), "descending": np.arange(len(hu))[::-1]}
    turn = turns.get(variant.order, np.random.default_rng(2).permutation(len(hu)))
    arguments = {
        "spacing_mm": (1.9, 1.7),
        "orientation": (*along_row, *down_column),
        "positions_mm": corner[turn],
        "intercept": variant.intercept,
        "signed": variant.signed,
    }
    if variant.storage == "multi-frame":
        return write_enhanced(folder / "ct.dcm", hu[turn], **arguments)

    def edit(header, k):
        with_values(PatientPosition=variant.patient, GantryDetectorTilt=variant.tilt_degrees)(header, k)
        if variant.storage == "JPEG 2000":
            header.compress(JPEG2000Lossless, generate_instance_uid=False)

    syntax = ImplicitVRLittleEndian if variant.storage == "implicit" else ExplicitVRLittleEndian
    return write_series(folder, hu[turn], edit=edit, syntax=syntax, **arguments)


def cube_of(path: Path) -> Volume:
    return to_cube(read_ct(path), VolumeSettings(CUBE_MM, 64, "center", "linear", 40.0))


def found_at(cube: Volume, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """LPS mm of the centre of mass, over soft tissue, of what is bright within 8 mm of a place."""
    axes = [start + np.arange(64) * CUBE_MM for start in reversed(cube.origin_mm)]
    points = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1)
    near = np.linalg.norm(points - place, axis=-1) < 8
    weight = np.clip(cube.array[near].astype(float), 0, None)
    return np.asarray((points[near] * weight[:, None]).sum(axis=0) / weight.sum())


@pytest.mark.parametrize("variant", _variants(), ids=str)
@pytest.mark.slow
def test_landmarks_come_back_within_half_a_voxel(tmp_path, variant):
    cube = cube_of(write(tmp_path / "ct", variant))
    assert cube.is_canonical
    for name, (place, above) in LANDMARKS.items():
        expected = CENTRE_MM + place
        x, y, z = np.rint((expected - cube.origin_mm) / CUBE_MM).astype(int)
        assert cube.array[z, y, x] > 0.6 * above, name
        off = np.abs(found_at(cube, expected) - expected)
        assert off.max() < CUBE_MM / 2, f"{name} is {off.round(2)} mm off along x, y, z"


@pytest.mark.parametrize("patient", PATIENTS)
def test_left_is_on_the_left(tmp_path, patient):
    """Also in the pictures: a coronal slice is seen from the front, the heart on its right half, the head on top."""
    cube = cube_of(write(tmp_path / "ct", Variant(patient, 0.0, "even", "explicit", True, 0, "ascending")))
    slices = to_plane(cube.array, "coronal")
    nearest = {}
    for name, (place, _) in LANDMARKS.items():
        index = np.rint((CENTRE_MM + np.array(place) - cube.origin_mm) / CUBE_MM).astype(int)
        window = slices[index[1] - 2 : index[1] + 3]
        expected = np.array([63 - index[2], index[0]])
        bright = np.argwhere(window.max(axis=0) > 400)
        nearest[name] = bright[np.abs(bright - expected).sum(axis=1).argmin()]
    row, column = 0, 1
    assert nearest["heart, left"][column] > 32 > nearest["liver, right"][column]
    assert nearest["neck, superior"][row] < 32 < nearest["liver, right"][row]


def test_the_test_would_notice_a_mirrored_patient():
    """The landmarks are nowhere near each other's mirror images."""
    places = np.array([place for place, _ in LANDMARKS.values()])
    for mirror in np.array(list(product((1, -1), repeat=3)))[1:]:
        distance = np.linalg.norm(places[:, None] - (places * mirror)[None], axis=-1).min(axis=1)
        assert distance.max() > 3 * SIGMA_MM
