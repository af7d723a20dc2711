"""The shape of another patient: where a patient's voxels lie in somebody else's body, by deformable registration.

A copy that goes a part of the way has one patient's tissue in an anatomy between the two, which no random field makes.
"""

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dx2ct.data.prepare.slices import area_resample

VOXELS = 48  # a side, of the grid on which two patients are registered
FIELD_BYTES = 3 * 4 * VOXELS**3
LOWEST_HU, HIGHEST_HU = -1000.0, 300.0  # contrast agent and bone do not pull
AFFINE_STEPS = 60
# Coarse to fine: how often halved, sigma of the images in voxels of that grid, iterations.
LEVELS = ((2, 0.7, 80), (1, 0.7, 60), (0, 0.5, 30))
FIELD_SIGMA, UPDATE_SIGMA = 1.5, 1.0  # voxels: what keeps the field smooth


def shape_field(shape: NDArray[np.generic], tissue: NDArray[np.generic]) -> Tensor:
    """Moves from the points of one patient to where the other one's anatomy has them, (3, z, y, x) float32.

    shape, tissue: HU (z, y, x) on cubes of one side. Moves are along x, y, z in half sides of the cube. Affine first,
    least squares; then demons with forces of both images (Vercauteren et al., NeuroImage 2009). One thread: the same
    pair has the same field.
    """
    fixed, moving = _image(shape), _image(tissue)
    field = _affine(fixed, moving)
    for halvings, sigma, steps in LEVELS:
        field = _demons(_coarser(fixed, halvings, sigma), _coarser(moving, halvings, sigma), field, steps)
    moves = sitk.GetArrayFromImage(sitk.Resample(field, fixed)) * 2 / VOXELS
    return torch.from_numpy(np.moveaxis(moves, -1, 0).astype(np.float32))


def moved(points: Tensor, field: Tensor) -> Tensor:
    """Points (z, y, x, 3) in [-1, 1], moved by the field (3, z, y, x) at each of them."""
    moves = grid_sample(field[None].to(points.device), points[None], padding_mode="border", align_corners=False)
    return points + moves[0].movedim(0, -1)


def _image(hu: NDArray[np.generic]) -> sitk.Image:
    """Spacing 1: millimetres say nothing here, both are cubes of one side."""
    return sitk.GetImageFromArray(np.clip(area_resample(hu, VOXELS), LOWEST_HU, HIGHEST_HU).astype(np.float32))


def _affine(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
    """The affine map of least squares, as a field on the grid of `fixed`."""
    middle = fixed.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in fixed.GetSize()])
    affine = sitk.AffineTransform(3)
    affine.SetCenter(middle)
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.25, 1e-4, AFFINE_STEPS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0])
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(fixed, moving)
    grid = fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing(), fixed.GetDirection()
    return sitk.TransformToDisplacementField(affine, sitk.sitkVectorFloat64, *grid)


def _coarser(image: sitk.Image, halvings: int, sigma: float) -> sitk.Image:
    smooth = sitk.SmoothingRecursiveGaussian(image, sigma * 2**halvings)
    return sitk.Shrink(smooth, [2**halvings] * 3)


def _demons(fixed: sitk.Image, moving: sitk.Image, field: sitk.Image, steps: int) -> sitk.Image:
    demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfThreads(1)
    demons.SetNumberOfIterations(steps)
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations(FIELD_SIGMA)
    demons.SetSmoothUpdateField(True)
    demons.SetUpdateFieldStandardDeviations(UPDATE_SIGMA)
    return demons.Execute(fixed, moving, sitk.Resample(field, fixed))
