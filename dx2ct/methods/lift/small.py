"""What is small and dense in the lung, a nodule for one: a mean squared error hardly counts its few voxels."""

from torch import Tensor
from torch.nn.functional import max_pool3d

from dx2ct.data.window import LOW_HU, WIDTH_HU
from dx2ct.metrics.tissue import LUNG_HU

LARGEST_MM = 30.0  # of a nodule (Fleischner Society's glossary: Hansell et al., Radiology 246, 2008); more is a mass
LUNG = (LUNG_HU - LOW_HU) / WIDTH_HU  # on [0, 1]
FULL = 500.0 / WIDTH_HU  # standing out by so much counts whole


def small_in_lung(volume: Tensor, voxel_mm: float) -> Tensor:
    """How much each voxel belongs to something small and dense in the lung, 0 to 1.

    volume: (n, 1, z, y, x) on [0, 1], voxels of voxel_mm. Along each axis the volume is opened by a line of 30 mm
    (erosion, then dilation), which takes away what is shorter. A voxel stands out by the least that one axis takes
    away: a nodule is short along all three, a vessel that runs along one of them and a rib are not. It counts where
    the opening along one axis leaves lung, and whole from 500 HU on.
    """
    half = int(LARGEST_MM / voxel_mm / 2)
    opened = [_opened(volume, axis, half) for axis in range(3)]
    stands_out = (volume - opened[0]).minimum(volume - opened[1]).minimum(volume - opened[2])
    in_lung = opened[0].minimum(opened[1]).minimum(opened[2]) < LUNG
    return (stands_out / FULL).clamp(0, 1) * in_lung


def _opened(volume: Tensor, axis: int, half: int) -> Tensor:
    """The opening by a line of 2 half + 1 voxels; the volume's end is no obstacle."""
    line, ends = [1, 1, 1], [0, 0, 0]
    line[axis], ends[axis] = 2 * half + 1, half
    eroded = -max_pool3d(-volume, line, 1, ends)
    return max_pool3d(eroded, line, 1, ends)
