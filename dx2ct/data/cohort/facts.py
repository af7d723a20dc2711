"""What a cohort can be filtered by, of one's own scans: the same columns as in the table of LIDC-IDRI."""

import numpy as np

from drr.ct.dicom_stack import Stack
from drr.volume import Volume

FACTS = ("slice_mm", "largest_gap_mm", "z_mm", "fov_mm", "contrast", "flags")
Facts = dict[str, str]  # these columns, as text; empty: not known


def of_stack(stack: Stack) -> Facts:
    """Of a DICOM series, by the positions of its slices; z_mm counts the last slice with its own height."""
    z, first = stack.positions_mm[:, 2], stack.slices[0]
    flags = {"duplicate-slices": stack.twins > 0, "irregular-spacing": not stack.is_even}
    return {
        "slice_mm": f"{stack.step_mm:.3f}",
        "largest_gap_mm": f"{np.diff(z).max():.3f}",
        "z_mm": f"{z[-1] - z[0] + stack.step_mm:.1f}",
        "fov_mm": f"{first.columns * first.spacing_mm[1]:.1f}",
        "contrast": "yes" if first.contrast else "no",  # the tag is required where an agent was used
        "flags": ",".join(name for name, holds in flags.items() if holds),
    }


def of_volume(volume: Volume) -> Facts:
    """Of a volume file, whose axes may lie in any order; it says nothing of holes and contrast agents."""
    frame = np.abs(np.reshape(volume.direction, (3, 3)))
    along_z, along_x = int(frame[2].argmax()), int(frame[0].argmax())
    extent_mm = np.array(volume.array.shape[::-1]) * volume.spacing_mm
    return {
        "slice_mm": f"{volume.spacing_mm[along_z]:.3f}",
        "largest_gap_mm": "",
        "z_mm": f"{extent_mm[along_z]:.1f}",
        "fov_mm": f"{extent_mm[along_x]:.1f}",
        "contrast": "",
        "flags": "",
    }
