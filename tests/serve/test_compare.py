"""A truth is compared voxel for voxel only where its voxels are the result's."""

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.serve.compare import _on_grid

MODEL = cast(Any, SimpleNamespace(settings=None))


def volume(degrees: float) -> Volume:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Volume(np.zeros((8, 8, 8), np.int16), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0), (c, -s, 0, s, c, 0, 0, 0, 1))


def test_voxels_of_the_result_are_taken_as_they_are():
    assert _on_grid(volume(0), volume(0), MODEL)[1] == "its voxels are the result's"


def test_a_truth_whose_axes_are_turned_is_not_compared_voxel_for_voxel():
    with pytest.raises(InputError, match="resample it"):
        _on_grid(volume(20), volume(0), MODEL)
