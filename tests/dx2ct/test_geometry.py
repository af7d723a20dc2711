"""Where networks look: points of the patient against the ray-caster, at every stride, up to a common shift."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drr.geometry import ConeBeam
from drr.projector import Projector
from dx2ct.config import Rotation, XraySettings
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import cube_coordinates
from dx2ct.geometry import project, projection_matrices, Views
from dx2ct.methods.layers.lifting import even, lift, Pyramid

EXPOSURES = {"pa": "pa", "lateral": "lateral", "oblique": Rotation(gantry=45.0, tilt=10.0)}


def views(size: int, pixels: int, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Views:
    settings = XraySettings(views=EXPOSURES)
    return Views(CubeGrid(size, 240 / size, centre), settings.exposures(isocentre_mm=centre, pixels=pixels))


def places(where: Views, points: np.ndarray) -> np.ndarray:
    matrices = torch.from_numpy(projection_matrices(where, list(where.exposures)))[None]
    return project(matrices, torch.from_numpy(points)[None])[0].numpy()


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("voxel", [(6, 9, 17), (20, 12, 3), (12, 12, 12)])
def test_a_point_source_appears_in_the_feature_cell_that_the_ray_caster_hits(
    stride: int, voxel: tuple[int, int, int]
) -> None:
    """The centre of gravity of its shadow, averaged down by `stride`; of a shadow within a cell to half of that."""
    where = views(24, 96)
    mu = np.zeros((24, 24, 24), np.float32)
    mu[voxel] = 1
    images = Projector(where.grid.volume(), list(where.exposures.values()))(mu)
    seen = places(where, cube_coordinates(24)[voxel][None])
    for image, place in zip(images, seen[:, 0], strict=True):
        cells = image.reshape(96 // stride, stride, 96 // stride, stride).mean(axis=(1, 3))
        rows, columns = np.indices(cells.shape)
        weight = cells / cells.sum()
        for axis, number in ((0, columns), (1, rows)):
            found = 2 * (float((weight * number).sum()) + 0.5) / len(cells) - 1
            assert abs(found - place[axis]) < max(0.02, 1 / len(cells)), (stride, voxel, axis)


def test_depth_is_zero_in_the_plane_of_the_isocentre_and_one_at_the_cube_s_face() -> None:
    where = views(24, 48)
    axis = {"pa": 1, "lateral": 0}
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    depths = places(where, points)[..., 2]
    for number, name in enumerate(where.exposures):
        assert abs(depths[number, 0]) < 1e-6
        if name in axis:
            assert abs(abs(depths[number, 1 + axis[name]]) - 1) < 1e-6
            assert np.abs(np.delete(depths[number, 1:], axis[name])).max() < 1e-6


def test_translation_of_grid_and_exposures_together_changes_nothing() -> None:
    points = cube_coordinates(6).reshape(-1, 3)
    here, there = (places(views(24, 48, centre), points) for centre in ((0.0, 0.0, 0.0), (31.0, -77.5, 912.0)))
    np.testing.assert_allclose(here, there, atol=1e-4)
    assert views(24, 48).difference(views(24, 96, (31.0, -77.5, 912.0))) == ""


def test_every_example_may_have_its_own_geometry() -> None:
    near = views(24, 48)
    beam = ConeBeam(1600.0, 1800.0, 430.0, 48)
    far = Views(near.grid, {"pa": beam.view("pa", (0.0, 0.0, 0.0))})
    matrices = torch.from_numpy(np.stack([projection_matrices(one, ["pa"]) for one in (near, far)]))
    points = torch.from_numpy(cube_coordinates(4))[None]
    both = project(matrices, points)
    for number, one in enumerate((near, far)):
        alone = project(torch.from_numpy(projection_matrices(one, ["pa"]))[None], points)
        torch.testing.assert_close(both[number : number + 1], alone)
    assert (both[0] - both[1]).abs().max() > 0.05


def test_a_map_is_read_at_the_centres_of_its_cells() -> None:
    """A ramp along the columns, at any number of cells, gives back the place that was asked for."""
    place = torch.rand(1, 3, 4, 5, 3) * 1.2 - 0.6
    for cells in (5, 8, 13):
        ramp = ((torch.arange(cells) + 0.5) * 2 / cells - 1).expand(1, 1, cells, cells)
        torch.testing.assert_close(lift(ramp.contiguous(), place, 1)[0, 0], place[0, ..., 0])


def test_depth_bins_are_read_linearly_between_their_centres() -> None:
    bins = 6
    centres = (torch.arange(bins) + 0.5) * 2 / bins - 1
    maps = centres.view(1, bins, 1, 1).expand(1, bins, 4, 4).contiguous()
    place = torch.rand(1, 2, 3, 4, 3) * 1.4 - 0.7
    torch.testing.assert_close(lift(maps, place, bins)[0, 0], place[0, ..., 2])


@pytest.mark.parametrize("side", [17, 24, 33])
@pytest.mark.parametrize("full", [False, True])
def test_a_pyramid_takes_odd_sides(side: int, full: bool) -> None:
    maps = Pyramid([8, 16, 8], full)(torch.rand(2, side, side))
    sides = [side] if full else []
    for _ in range(3 - len(sides)):
        side = (side + 1) // 2
        sides.append(side)
    assert [tuple(one.shape[-2:]) for one in maps] == [(one, one) for one in sides]
    assert even(torch.zeros(1, 1, 3, 4)).shape == (1, 1, 4, 4)


def test_a_pyramid_moves_with_its_image() -> None:
    """Halvings have no shift of their own: a film turned upside down gives maps turned upside down."""
    torch.manual_seed(0)
    pyramid = Pyramid([8, 8])
    for layer in pyramid.modules():
        if isinstance(layer, torch.nn.Conv2d):
            with torch.no_grad():
                layer.weight.copy_((layer.weight + layer.weight.flip(-2)) / 2)
                if layer is pyramid.stem:
                    layer.weight[:, 1] = 0  # the channel of rows is turned as well
    image = torch.rand(1, 16, 16)
    for one, other in zip(pyramid(image), pyramid(image.flip(-2)), strict=True):
        torch.testing.assert_close(one, other.flip(-2))


def test_what_differs_between_two_geometries_is_said() -> None:
    one = views(24, 48)
    assert "12 cubed" in Views(CubeGrid(12, 20.0), one.exposures).difference(one)
    moved = {**one.exposures, "pa": ConeBeam(700.0, 949.0, 500.0, 48).view("pa", (0.0, 0.0, 0.0))}
    assert "source position of view pa" in replace(one, exposures=moved).difference(one)
