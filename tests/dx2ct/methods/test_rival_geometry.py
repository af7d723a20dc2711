"""Where the rivals think that an X-ray's pixel lies, against the ray-caster: a mirrored view would train, wrongly."""

import numpy as np
import pytest
import torch

from drr.geometry import ConeBeam, PRESETS
from drr.projector import Projector
from drr.volume import Volume
from dx2ct.methods.layers.volumes import into_patient
from dx2ct.methods.perx2ct.network import project, projection
from dx2ct.methods.perx2ct.slices import cropped, window_points
from dx2ct.training.batches import plane_coordinates

SIZE, CUBE_MM = 32, 320.0
GRAIN = (21, 9, 25)  # z, y, x: off centre along every axis


def image_of_grain(view: str, beam: ConeBeam) -> np.ndarray:
    spacing_mm = CUBE_MM / SIZE
    grid = Volume.empty((SIZE,) * 3, (spacing_mm,) * 3, (-(SIZE - 1) / 2 * spacing_mm,) * 3)
    mu = np.zeros((SIZE,) * 3, np.float32)
    mu[GRAIN] = 0.02
    return Projector(grid, [beam.view(view, (0.0, 0.0, 0.0))])(mu)[0]


def centre(image: np.ndarray) -> np.ndarray:
    """Column and row of the image's centre of mass."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_a_spread_xray_is_bright_where_the_grain_lies(view: str) -> None:
    """As if rays were parallel, which is what a source far away and a detector of the cube's size come to."""
    image = torch.from_numpy(image_of_grain(view, ConeBeam(1e6, 1e6 + 200, CUBE_MM, SIZE)))
    spread = into_patient(image.expand(1, 1, SIZE, SIZE, SIZE), view)[0, 0]
    assert spread[GRAIN] > 0.9 * spread.max()
    assert (spread > 0.5 * spread.max()).sum() == SIZE, "one line of voxels, along the rays"


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_the_true_camera_projects_a_point_where_the_ray_caster_sees_it(view: str) -> None:
    beam, pixels = PRESETS["x2ct"], 64
    matrix = torch.tensor(projection(beam, "cone_beam", view, pixels, CUBE_MM), dtype=torch.float32)
    z, y, x = GRAIN
    point = (torch.tensor([x, y, z]) + 0.5) * 2 / SIZE - 1
    where = project(matrix, point.view(1, 1, 1, 3), pixels)[0, 0, 0].numpy()
    column_row = (where + 1) * pixels / 2 - 0.5
    np.testing.assert_allclose(column_row, centre(image_of_grain(view, beam.with_pixels(pixels))), atol=0.25)


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_the_published_camera_is_a_cube_away_and_60_degrees_wide(view: str) -> None:
    """On the plane through the isocentre the image's edge is tan 30 cube sides away; what is nearer is larger."""
    matrix = torch.tensor(projection(PRESETS["x2ct"], "paper", view, SIZE, CUBE_MM), dtype=torch.float32)
    axis = {"pa": torch.tensor([1.0, 0.0, 0.0]), "lateral": torch.tensor([0.0, 1.0, 0.0])}[view]
    source = {"pa": torch.tensor([0.0, 1.0, 0.0]), "lateral": torch.tensor([1.0, 0.0, 0.0])}[view]
    points = torch.stack([2 * 3**-0.5 * axis, 0.5 * axis, 0.5 * axis + source]).view(1, 3, 1, 3)
    columns = project(matrix, points, SIZE)[0, :, 0, 0].tolist()
    assert columns[0] == pytest.approx(1, abs=1e-4)
    assert columns[2] == pytest.approx(2 * columns[1], rel=1e-4)


def test_a_window_of_the_whole_slice_has_the_cells_of_the_coarser_grid() -> None:
    coordinates = plane_coordinates(SIZE)[1, 5]
    points = window_points(coordinates, torch.tensor([0.0, 0.0, SIZE]), SIZE // 4)
    pooled = coordinates.view(SIZE // 4, 4, SIZE // 4, 4, 3).mean(dim=(1, 3))
    torch.testing.assert_close(points, pooled, atol=1e-5, rtol=0)


def test_a_crop_and_its_points_are_of_one_place() -> None:
    """A slice that is a coordinate: what is drawn of the crop is the coordinate of its points."""
    coordinates = plane_coordinates(SIZE)[0, 3]
    window = torch.tensor([6.0, 9.5, 16.0])
    drawn = cropped(coordinates.movedim(-1, 0), window)
    torch.testing.assert_close(drawn.movedim(0, -1), window_points(coordinates, window, SIZE), atol=1e-5, rtol=0)
