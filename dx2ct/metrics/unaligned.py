"""A reconstruction of films against a CT of the same patient, who stood for the films and lay for the CT.

Nothing is compared voxel for voxel: lungs and heart are measured in each volume by one rule, or registered first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.metrics.body import body_mask
from dx2ct.metrics.evaluation import Evaluation
from dx2ct.metrics.tissue import overlap, tissues

Mask = NDArray[np.bool_]
OPEN_CHEST = 2 / 3  # of the largest area of the lungs in a slice: below it the slice cuts liver, or the shoulders
WIDE = 80  # percentile of the gaps over slices: some slices cut the dome of the liver, or where the lungs all but meet
_NOTHING = float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class FilmCase(Evaluation):
    """A reconstruction of films, and the CT of the same patient, each on its own grid.

    volume: the reconstruction, HU. unexplained: by view, the share of the film's variance that X-rays of it leave
    unexplained, as `predict` recorded it.
    """

    volume: Volume
    unexplained: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chest:
    """Lungs in ml; widths in mm; NaN where there are no lungs."""

    lung_ml: float
    heart_mm: float
    thorax_mm: float

    @property
    def ctr(self) -> float:
        """Cardiothoracic ratio."""
        return self.heart_mm / self.thorax_mm


def measured_chest(lung: Mask, spacing_mm: tuple[float, float, float]) -> Chest:
    """What a mask of the lungs, (z, y, x) LPS, says of a chest. spacing_mm: of x, y and z."""
    if not lung.any():
        return Chest(_NOTHING, _NOTHING, _NOTHING)
    volume = np.count_nonzero(lung) * float(np.prod(spacing_mm)) / 1000
    areas = lung.sum(axis=(1, 2))
    chest = lung[areas >= OPEN_CHEST * areas.max()]
    heart = float(np.percentile([_largest_gap(_middle_row(one)) for one in chest], WIDE))
    across = [np.flatnonzero(one.any(axis=0)) for one in chest]
    thorax = max(int(one[-1] - one[0]) + 1 for one in across)
    return Chest(volume, heart * spacing_mm[0] if heart else _NOTHING, thorax * spacing_mm[0])


def _middle_row(axial: Mask) -> Mask:
    """Halfway between front and back of a slice's lungs: farther in front the liver's dome is wider than a heart."""
    rows = np.flatnonzero(axial.any(axis=1))
    return np.asarray(axial[(rows[0] + rows[-1]) // 2])


def _largest_gap(row: Mask) -> int:
    """Pixels between two neighbouring ones of a row."""
    places = np.flatnonzero(row)
    return int(np.diff(places).max()) - 1 if len(places) > 1 else 0


def lung_volume_ct_ml(case: FilmCase) -> float:
    """Volume of the CT's lungs: below -500 HU inside its body, pieces of 10 % of the largest and more."""
    return case.once(_of_ct).lung_ml


def lung_volume_error_ml(case: FilmCase) -> float:
    """Volume of the lungs, reconstruction minus CT. The patient stood and breathed in for the films."""
    return case.once(_of_volume).lung_ml - case.once(_of_ct).lung_ml


def lung_volume_error_percent(case: FilmCase) -> float:
    """The same in percent of the CT's."""
    return 100 * lung_volume_error_ml(case) / case.once(_of_ct).lung_ml


def heart_width_error_mm(case: FilmCase) -> float:
    """Width of the heart, reconstruction minus CT: the gap between the lungs, 80th percentile over axial slices.

    The largest gap of the row halfway between front and back of the lungs, in slices with two thirds of their largest
    area at least.
    """
    return case.once(_of_volume).heart_mm - case.once(_of_ct).heart_mm


def ctr_ct(case: FilmCase) -> float:
    """Cardiothoracic ratio of the CT: width of the heart over the largest width of the lungs in a slice."""
    return case.once(_of_ct).ctr


def ctr_error(case: FilmCase) -> float:
    """Cardiothoracic ratio, reconstruction minus CT."""
    return case.once(_of_volume).ctr - case.once(_of_ct).ctr


def dice_lung_registered(case: FilmCase) -> float:
    """Dice of the lungs after those of the reconstruction were turned and shifted onto the CT's, never scaled.

    Of the masks, smoothed, least squares (SimpleITK: Euler transform, from the centres of mass).
    """
    fixed, moving = case.once(_ct_lung), case.once(_volume_lung)
    if not fixed.any():
        return _NOTHING
    if not moving.any():
        return 0.0
    there, here = _image(fixed, case.ct.volume), _image(moving, case.volume)
    moved = sitk.Resample(here, there, registered(there, here), sitk.sitkNearestNeighbor, 0.0)
    return overlap(fixed, sitk.GetArrayViewFromImage(moved) > 0.5)


def unexplained(case: FilmCase) -> float:
    """1 - r^2 of the film and of X-rays of the reconstruction in the film's exposure: nothing that is linear counts."""
    return case.unexplained.get(case.part, _NOTHING)


def registered(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """The rigid transform from places in one mask to those in another; masks are float images of 0 and 1."""
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.05, 100, relaxationFactor=0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([2, 1])  # voxels
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInitialTransform(start, inPlace=False)
    return method.Execute(fixed, moving)


def _image(mask: Mask, where: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.float32))
    image.CopyInformation(where.to_sitk())
    return image


def _ct_lung(case: FilmCase) -> Mask:
    return _lung(case.ct.volume)


def _volume_lung(case: FilmCase) -> Mask:
    return _lung(case.volume)


def _lung(volume: Volume) -> Mask:
    try:
        return tissues(volume.array, body_mask(volume.array))["lung"]
    except InputError:  # nothing but air: a reconstruction that failed
        return np.zeros(volume.array.shape, bool)


def _of_ct(case: FilmCase) -> Chest:
    return measured_chest(case.once(_ct_lung), _spacing(case.ct.volume))


def _of_volume(case: FilmCase) -> Chest:
    return measured_chest(case.once(_volume_lung), _spacing(case.volume))


def _spacing(volume: Volume) -> tuple[float, float, float]:
    x, y, z = volume.spacing_mm
    return x, y, z
