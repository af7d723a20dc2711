"""Where methods think that an X-ray's pixel lies, against the ray-caster: a mirrored view would train, wrongly."""

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS, View
from drr.projector import Projector
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import plane_coordinates
from dx2ct.methods.layers.volumes import IntoPatient
from dx2ct.methods.perx2ct.network import cells_at, project, projection
from dx2ct.methods.perx2ct.slices import cropped, window_points

SIZE, CUBE_MM = 32, 320.0
ORIGIN = (0.0, 0.0, 0.0)
PARALLEL = ConeBeam(1e6, 1e6 + 200, CUBE_MM, SIZE)  # as good as parallel rays, the detector as wide as the cube
GANTRIES = {"ap": 0.0, "behind": 180.0, "right": 270.0}
GRAIN = (21, 9, 25)  # z, y, x: off centre along every axis


def view_of(name: str, beam: ConeBeam) -> View:
    """pa or lateral, as hung on the wall; others as recorded at a gantry angle, seen from the source."""
    return beam.rotated(GANTRIES[name], 0.0, ORIGIN) if name in GANTRIES else beam.view(name, ORIGIN)


def image_of_grain(view: View) -> np.ndarray:
    mu = np.zeros((SIZE,) * 3, np.float32)
    mu[GRAIN] = 0.02
    return Projector(CubeGrid(SIZE, CUBE_MM / SIZE).volume(), [view])(mu)[0]


def centre(image: np.ndarray) -> np.ndarray:
    """Column and row of the image's centre of mass."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


@pytest.mark.parametrize("name", ["pa", "lateral", *GANTRIES])
def test_a_spread_xray_is_bright_where_the_grain_lies(name: str) -> None:
    """As if rays were parallel, whichever of the patient's axes they run along, from either side."""
    view = view_of(name, PARALLEL)
    image = torch.from_numpy(image_of_grain(view))
    spread = IntoPatient(name, view)(image.expand(1, 1, SIZE, SIZE, SIZE))[0, 0]
    assert spread[GRAIN] > 0.9 * spread.max()
    assert (spread > 0.5 * spread.max()).sum() == SIZE, "one line of voxels, along the rays"


@pytest.mark.parametrize(("name", "order"), [("pa", (0, 1, 3, 2, 4)), ("lateral", (0, 1, 3, 4, 2))])
def test_pa_and_lateral_are_turned_by_the_orders_of_axes_that_older_runs_learnt(
    name: str, order: tuple[int, ...]
) -> None:
    """Depth, row, column of PA is y, z, x and of lateral x, z, y; z grows to the head, rows to the feet."""
    maps = torch.arange(4 * 5 * 6.0).view(1, 1, 4, 5, 6)
    found = IntoPatient(name, PRESETS["x2ct"].view(name, ORIGIN))(maps)
    assert torch.equal(found, maps.flip(3).permute(order))


def test_a_view_from_behind_as_recorded_is_the_pa_view_with_its_columns_mirrored() -> None:
    """PA hangs on the wall as if it were seen from the front, which is how an AP view is recorded."""
    maps = torch.rand(1, 1, SIZE, SIZE, SIZE)
    pa, ap, behind = (IntoPatient(name, view_of(name, PARALLEL)) for name in ("pa", "ap", "behind"))
    assert torch.equal(ap(maps), pa(maps)) and torch.equal(behind(maps.flip(4)), pa(maps))
    assert not torch.equal(behind(maps), pa(maps))


@pytest.mark.parametrize(("gantry", "tilt"), [(45.0, 0.0), (0.0, 10.0), (170.0, 0.0)])
def test_an_oblique_view_is_refused(gantry: float, tilt: float) -> None:
    with pytest.raises(InputError, match="view oblique does not look along an axis of the patient"):
        IntoPatient("oblique", PRESETS["x2ct"].rotated(gantry, tilt, ORIGIN))


@pytest.mark.parametrize(
    "view",
    [*(PRESETS["x2ct"].view(name, ORIGIN) for name in ("pa", "lateral")), PRESETS["x2ct"].rotated(45.0, 10.0, ORIGIN)],
    ids=["pa", "lateral", "oblique"],
)
def test_the_true_camera_projects_a_point_where_the_ray_caster_sees_it(view: View) -> None:
    pixels = 64
    matrix = torch.tensor(projection(view, "cone_beam", pixels, CUBE_MM), dtype=torch.float32)
    z, y, x = GRAIN
    point = (torch.tensor([x, y, z]) + 0.5) * 2 / SIZE - 1
    column_row = project(matrix, point.view(1, 1, 1, 3))[0, 0, 0].numpy()
    np.testing.assert_allclose(column_row, centre(image_of_grain(view.resized(pixels))), atol=0.25)


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_the_published_camera_is_a_cube_away_and_60_degrees_wide(view: str) -> None:
    """On the plane through the isocentre the image's edge is tan 30 cube sides away; what is nearer is larger."""
    exposure = PRESETS["x2ct"].view(view, ORIGIN)
    matrix = torch.tensor(projection(exposure, "paper", SIZE, CUBE_MM), dtype=torch.float32)
    axis = {"pa": torch.tensor([1.0, 0.0, 0.0]), "lateral": torch.tensor([0.0, 1.0, 0.0])}[view]
    source = {"pa": torch.tensor([0.0, 1.0, 0.0]), "lateral": torch.tensor([1.0, 0.0, 0.0])}[view]
    points = torch.stack([2 * 3**-0.5 * axis, 0.5 * axis, 0.5 * axis + source]).view(1, 3, 1, 3)
    columns = cells_at(project(matrix, points), "edges", SIZE)[0, :, 0, 0].tolist()
    assert columns[0] == pytest.approx(1, abs=1e-4)
    assert columns[2] == pytest.approx(2 * columns[1], rel=1e-4)


def test_where_the_cells_of_perx2ct_s_features_lie() -> None:
    """Cell i of a layer of stride 8 is centred on pixel 8 i; as published the outermost lie on the outermost pixels."""
    side, cells = 48, 6
    ramp = torch.arange(cells, dtype=torch.float32).view(1, 1, 1, cells).expand(1, 1, cells, cells)

    def cell_of(pixel: float, align: str) -> float:
        where = cells_at(torch.tensor([[[[pixel, 20.0]]]]), align, side)
        return float(grid_sample(ramp, where, align_corners=align == "corners"))

    assert [cell_of(8 * i, "centres") for i in range(cells)] == pytest.approx(list(range(cells)), abs=1e-4)
    assert cell_of(0, "corners") == pytest.approx(0, abs=1e-4)
    assert cell_of(47, "corners") == pytest.approx(5, abs=1e-4)
    assert cell_of(11.5, "edges") == pytest.approx(1, abs=1e-4)


def test_a_window_of_the_whole_slice_has_the_cells_of_the_coarser_grid() -> None:
    coordinates = torch.from_numpy(plane_coordinates(SIZE))[1, 5]
    points = window_points(coordinates, torch.tensor([0.0, 0.0, SIZE]), SIZE // 4)
    pooled = coordinates.view(SIZE // 4, 4, SIZE // 4, 4, 3).mean(dim=(1, 3))
    torch.testing.assert_close(points, pooled, atol=1e-5, rtol=0)


def test_a_crop_and_its_points_are_of_one_place() -> None:
    """A slice that is a coordinate: what is drawn of the crop is the coordinate of its points."""
    coordinates = torch.from_numpy(plane_coordinates(SIZE))[0, 3]
    window = torch.tensor([6.0, 9.5, 16.0])
    drawn = cropped(coordinates.movedim(-1, 0), window)
    torch.testing.assert_close(drawn.movedim(0, -1), window_points(coordinates, window, SIZE), atol=1e-5, rtol=0)
