"""The embedded cohort: procedural thorax phantoms as zipped DICOM CT series, each as a scanner might have stored it.

Seed and recipe fix everything: the patient (package anatomy), the scan (grid, noise) and the encoding. The cohorts'
sheets in workflow/resources are written by `python -m dx2ct.data.sources.phantom.table` from the same functions.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import gaussian_filter1d

from dx2ct.config import PhantomSettings
from dx2ct.config.data import VARIED_VERSION
from dx2ct.config.keys import require_version
from dx2ct.data.dicom_write import ct_files, Encoding, localizer_files, uid, write_zip
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_anatomy, draw_varied, render
from dx2ct.data.sources.phantom.anatomy.canvas import Array
from dx2ct.data.sources.phantom.direct import scan_field

VERSION = PhantomSettings(seed=0).version
LICENSE = "Synthetic data: a procedural thorax phantom, no patient. Public domain (CC0 1.0).\n"
LOWEST_HU = -1024  # what an unsigned encoding can still store


@dataclass(frozen=True)
class Scan:
    """How a patient was scanned and stored; lengths in mm."""

    matrix: int
    field_of_view: float
    slices: int
    slice_distance: float
    low_z: float  # of the first slice, patient frame
    noise_hu: float
    noise_blur_px: float
    encoding: Encoding
    localizer: bool
    license_file: bool
    round_field: bool = True  # padded outside a circle


def draw_patient(settings: PhantomSettings) -> tuple[Anatomy, Scan]:
    """The patient and the scan of a recipe."""
    if settings.recipe == "plain":
        anatomy = draw_anatomy(settings.seed)
        return anatomy, draw_scan(settings.seed, anatomy)
    anatomy = draw_varied(settings.seed)
    scan, field = draw_scan(settings.seed, anatomy), scan_field(settings.seed, anatomy)
    slices = max(int((field.high - field.low) / scan.slice_distance), 1)
    low = (field.low + field.high - (slices - 1) * scan.slice_distance) / 2
    return anatomy, replace(
        scan, field_of_view=field.diameter, slices=slices, low_z=round(low, 1), round_field=field.round
    )


def draw_scan(seed: int, anatomy: Anatomy) -> Scan:
    """The scan of a seed."""
    rng = np.random.default_rng([seed, 1])
    distance = float(rng.choice([1.25, 1.5, 2.0, 2.5, 3.0, 5.0], p=[0.08, 0.12, 0.2, 0.34, 0.18, 0.08]))
    low = anatomy.base - rng.uniform(25, 55)
    extent = np.clip(anatomy.apex + rng.uniform(18, 45) - low, 260, 360)
    size = max(2 * anatomy.half_width, 2 * anatomy.half_depth + 40) + 2 * max(map(abs, anatomy.shift_mm[:2]))
    return Scan(
        matrix=int(rng.choice([192, 224, 256])) if distance > 1.5 else 192,
        field_of_view=float(np.clip(round(size + rng.uniform(-10, 20)), 340, 420)),
        slices=int(extent / distance) + 1,
        slice_distance=distance,
        low_z=round(float(low), 1),
        noise_hu=rng.uniform(10, 32),
        noise_blur_px=rng.uniform(0.45, 0.8),
        encoding=_draw_encoding(rng, distance),
        localizer=bool(rng.random() < 0.2),
        license_file=bool(rng.random() < 0.3),
    )


def _draw_encoding(rng: np.random.Generator, distance: float) -> Encoding:
    intercept, signed = [(-1024, True), (-1024, False), (-1000, True), (0, True)][int(rng.integers(4))]
    return Encoding(
        intercept=intercept,
        signed=signed,
        padding_hu=int(rng.choice([-2000, -2048, -3024])) if signed else intercept,
        padding_tagged=bool(rng.random() < 0.7),
        flip_columns=bool(rng.random() < 0.2),
        flip_rows=bool(rng.random() < 0.2),
        descending=bool(rng.random() < 0.5),
        thickness_mm=distance if rng.random() < 0.65 else 1.25 * distance,
    )


def scan_axes(anatomy: Anatomy, scan: Scan) -> tuple[Array, Array, Array]:
    """x, y, z of the voxel centres in the scanner's LPS frame, mm."""
    step = scan.field_of_view / scan.matrix
    in_plane = (np.arange(scan.matrix) - (scan.matrix - 1) / 2) * step
    z = scan.low_z + anatomy.shift_mm[2] + np.arange(scan.slices) * scan.slice_distance
    return in_plane, in_plane, z


def acquire(seed: int, anatomy: Anatomy, scan: Scan) -> NDArray[np.int16]:
    """HU with noise, (z, y, x); the padding value outside a circular field of view."""
    x, y, z = scan_axes(anatomy, scan)
    hu = render(anatomy, x, y, z)
    hu += _noise(np.random.default_rng([seed, 2]), hu.shape, scan)
    stored = np.clip(np.rint(hu), LOWEST_HU, 3071).astype(np.int16)
    if scan.round_field:
        stored[:, np.hypot(x[None, :], y[:, None]) > scan.field_of_view / 2] = scan.encoding.padding_hu
    return stored


def _noise(rng: np.random.Generator, shape: tuple[int, ...], scan: Scan) -> NDArray[np.float32]:
    """Noise that the reconstruction kernel has blurred in-plane."""
    noise = rng.standard_normal(shape, np.float32)
    for axis in (1, 2):
        noise = gaussian_filter1d(noise, scan.noise_blur_px, axis=axis, mode="wrap", truncate=3)
    return np.asarray(noise * np.float32(scan.noise_hu / noise[0].std()))


def series_uid(seed: int, recipe: str = "plain") -> str:
    """SeriesInstanceUID of a seed's CT."""
    return _uid(seed, recipe, "series")


def _uid(seed: int, recipe: str, what: str) -> str:
    return uid(VERSION, seed, what) if recipe == "plain" else uid(VERSION, recipe, VARIED_VERSION, seed, what)


def write_phantom(scan: str, settings: PhantomSettings, output: Path) -> None:
    """Write the phantom of these settings as the zipped DICOM series of patient `scan`."""
    require_version(settings)
    seed = settings.seed
    anatomy, setup = draw_patient(settings)
    hu = acquire(seed, anatomy, setup)
    x, y, z = scan_axes(anatomy, setup)
    first, spacing = (x[0], y[0], z[0]), (x[1] - x[0], y[1] - y[0], setup.slice_distance)
    common = _common(scan, settings, anatomy, setup)
    files = ct_files(hu, first, spacing, common, setup.encoding)
    if setup.localizer:
        common.SeriesInstanceUID, common.SeriesNumber = _uid(seed, settings.recipe, "localizer"), 1
        files += localizer_files(hu, first, spacing, common, setup.encoding)
    write_zip(_named(files, setup, np.random.default_rng([seed, 3])), output)


def _named(files: list[bytes], scan: Scan, rng: np.random.Generator) -> dict[str, bytes]:
    """Names that do not follow the slices, in an order that follows neither."""
    names = [f"1-{number:03d}.dcm" for number in rng.permutation(len(files)) + 1]
    order = rng.permutation(len(files))
    extra = {"LICENSE": LICENSE.encode()} if scan.license_file else {}
    return extra | {names[i]: files[i] for i in order}


def _common(scan: str, settings: PhantomSettings, anatomy: Anatomy, setup: Scan) -> Dataset:
    """The attributes of patient, study, equipment and series."""
    common = Dataset()
    common.SpecificCharacterSet = "ISO_IR 100"
    common.PatientID = common.PatientName = scan
    common.PatientSex = "F" if anatomy.female else "M"
    common.PatientBirthDate = ""
    study, series, frame = (_uid(settings.seed, settings.recipe, what) for what in ("study", "series", "frame"))
    common.StudyInstanceUID, common.SeriesInstanceUID, common.FrameOfReferenceUID = study, series, frame
    common.StudyID, common.AccessionNumber, common.ReferringPhysicianName = "1", "", ""
    common.StudyDate = common.SeriesDate = common.AcquisitionDate = common.ContentDate = "20000101"
    common.StudyTime = common.SeriesTime = common.AcquisitionTime = common.ContentTime = "120000"
    common.Modality, common.BodyPartExamined = "CT", "CHEST"
    common.Manufacturer, common.PositionReferenceIndicator = "dx2ct", ""
    common.SeriesNumber, common.AcquisitionNumber = 2, 1
    common.SeriesDescription = "SYNTHETIC thorax phantom"
    common.ImageComments = "Synthetic procedural phantom, not a patient"
    common.PatientPosition = "FFS" if setup.encoding.flip_columns else "HFS"
    common.KVP, common.ReconstructionDiameter = 120, setup.field_of_view
    common.GantryDetectorTilt = 0
    return common
