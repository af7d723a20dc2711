"""Varied phantoms: the same by their seed, human, the right way round; each part of their variety does what it says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from drr.ct.read import read_ct
from drr.errors import InputError
from dx2ct.config import PhantomSettings, VolumeSettings
from dx2ct.config.data import VARIED_VERSION
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import to_cube
from dx2ct.data.sources.phantom import _tracked, recipe
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_anatomy, draw_varied, render
from dx2ct.data.sources.phantom.anatomy.shape import Disease, Variety
from dx2ct.data.sources.phantom.anatomy.warp import Warp
from dx2ct.data.sources.phantom.direct import draw, scan_field
from dx2ct.data.sources.phantom.series import draw_patient, series_uid, write_phantom
from dx2ct.data.sources.phantom.table import VARIED, VARIED_PATH, varied_table
from tests.conftest import ROOT

SEEDS = range(1, 9)
AXIS = np.arange(-198, 199, 6.0)


@pytest.fixture(scope="module")
def cubes() -> dict[int, np.ndarray]:
    return {seed: draw(seed, 48, 320 / 48) for seed in SEEDS}


def still(seed: int = 2) -> Anatomy:
    """A varied patient who lies straight in the middle of the scanner, without disease."""
    anatomy = draw_varied(seed)
    return replace(
        anatomy, shift_mm=(0.0, 0.0, 0.0), nodules=(), variety=replace(anatomy.variety, warp=None, disease=Disease())
    )


def changed(anatomy: Anatomy, **variety) -> Anatomy:
    return replace(anatomy, variety=replace(anatomy.variety, **variety))


def hu_of(anatomy: Anatomy) -> np.ndarray:
    return render(anatomy, AXIS, AXIS, AXIS)


def test_a_seed_is_one_phantom(cubes):
    assert cubes[1].dtype == np.int16 and cubes[1].shape == (48, 48, 48)
    np.testing.assert_array_equal(cubes[1], draw(1, 48, 320 / 48))
    for one, other in pairwise(SEEDS):
        assert np.abs(cubes[one].astype(float) - cubes[other]).mean() > 30


def test_numbers_are_hounsfield_units_of_a_chest(cubes):
    for cube in cubes.values():
        assert cube.min() >= -1024 and 200 < cube.max() < 1500
        lungs = ((cube > -950) & (cube < -600))[:, 4:-4, 4:-4].mean()
        assert 0.04 < lungs < 0.4, "lungs lie in the cube"


def test_heart_is_left_and_liver_right():
    for seed in SEEDS:
        anatomy = draw_varied(seed)
        (x, _, _), (liver_x, _, _) = (anatomy.in_scanner(p) for p in (anatomy.heart, anatomy.liver_dome))
        middle = anatomy.in_scanner((0.0, anatomy.spine_y, anatomy.heart[2]))[0]
        assert liver_x < middle < x + 8
    hearts = np.array([draw_varied(seed).heart[0] for seed in range(40)])
    assert hearts.mean() > 12


def test_the_heart_takes_room_from_the_left_lung():
    right, left = 0, 0
    for seed in SEEDS:
        anatomy = changed(still(seed))
        z = np.array([anatomy.heart[2], anatomy.heart[2] + 6])
        lungs = render(anatomy, AXIS, AXIS, z)[0] < -600
        inside = lungs & (np.hypot(AXIS / anatomy.half_width, AXIS[:, None] / anatomy.half_depth) < 0.85)
        right, left = right + inside[:, AXIS < 0].sum(), left + inside[:, AXIS > 0].sum()
    assert right > 1.1 * left


def test_patients_differ_in_build_posture_and_breathing():
    cohort = [draw_varied(seed) for seed in range(60)]
    for values, low, high, spread in (
        ([2 * a.half_width for a in cohort], 250, 460, 20),
        ([2 * a.half_depth for a in cohort], 170, 340, 18),
        ([a.lung_height for a in cohort], 150, 350, 20),
        ([a.fat for a in cohort], 3, 42, 6),
        ([a.lung_hu for a in cohort], -950, -680, 20),
    ):
        assert low <= min(values) and max(values) <= high and np.std(values) > spread
    limbs = [a.variety.limbs for a in cohort]
    assert {limb.arm[2] > 0 for limb in limbs if limb} == {True, False}, "arms are held up, or hang"
    assert {a.variety.couch is None for a in cohort} == {True, False}
    assert {a.variety.disease.effusion_side for a in cohort} == {-1, 0, 1}
    assert {bool(a.variety.disease.patches) for a in cohort} == {True, False}
    fields = [scan_field(seed, a) for seed, a in enumerate(cohort)]
    assert {field.round for field in fields} == {True, False}
    assert min(field.diameter for field in fields) < 320 < max(field.diameter for field in fields)


def test_plain_patients_have_no_variety():
    assert draw_anatomy(1).variety == Variety()


def test_limbs_are_flesh_beside_and_above_the_trunk():
    anatomy = still()
    top = anatomy.apex < AXIS
    beside = np.abs(AXIS) > 130
    with_limbs, without = hu_of(anatomy)[top], hu_of(changed(anatomy, limbs=None))[top]
    assert (with_limbs[:, :, beside] > -200).mean() > (without[:, :, beside] > -200).mean() + 0.1


def test_without_a_couch_there_is_air_behind():
    anatomy = changed(still(), cloth=0.0, couch=None)
    axis = np.arange(60, 240, 2.0)
    below = render(anatomy, AXIS, axis, np.array([0.0, 6.0]))[:, axis > anatomy.half_depth + 4]
    assert (below == -1000).all()


def test_fluid_gathers_behind():
    anatomy = still()
    ill = changed(anatomy, disease=Disease(effusion_side=-1, effusion=0.3))
    wet = (hu_of(ill) > -100) & (hu_of(anatomy) < -500)
    assert wet.sum() > 30 and not wet[:, :, AXIS > 6].any(), "in the right lung alone"
    assert np.nonzero(wet)[1].mean() > np.nonzero(hu_of(anatomy) < -500)[1].mean()


def test_a_patch_fills_lung_and_nothing_else():
    anatomy = still()
    centre = (-0.55 * anatomy.cavity_half_width, 20.0, anatomy.heart[2] + 40)
    ill = changed(anatomy, disease=Disease(patches=((centre, (25.0, 25.0, 25.0), 30.0),)))
    differs = hu_of(ill) != hu_of(anatomy)
    assert differs.sum() > 100 and (hu_of(anatomy)[differs] < 100).all()


def test_gradient_and_density_of_the_lungs():
    anatomy = still()
    flat, steep = (hu_of(changed(anatomy, lung_gradient=g)) for g in (0.0, 200.0))
    lungs = (flat > -950) & (flat < -700)
    back = lungs & (AXIS[:, None] > 40)
    front = lungs & (AXIS[:, None] < -30)
    assert (steep - flat)[back].mean() > 15 and (steep - flat)[front].mean() < -5


def test_a_warp_moves_a_point_as_it_says():
    warp = Warp((0.05, -0.04, 0.1), (((16.0, -14.0, 15.0), (200.0, 260.0, 300.0), (0.3, 1.0, 2.0)),))
    point = (40.0, -30.0, 50.0)
    x = np.arange(-120, 121, 4.0, np.float32)
    ball = np.exp(-((x - 40) ** 2 + (x[:, None] + 30) ** 2 + (x[:, None, None] - 50) ** 2) / 200).astype(np.float32)
    bent = warp.bend(ball, x, x, x)
    middle = [(bent.sum(axis=other) * x).sum() / bent.sum() for other in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(middle, warp.bent(point), atol=1.5)
    assert np.linalg.norm(np.subtract(middle, point)) > 2.5


def test_a_warp_of_nothing_changes_nothing():
    anatomy = changed(still(), couch=None)  # which is laid over the bent patient, and under the straight one
    nothing = changed(anatomy, warp=Warp((0.0, 0.0, 0.0), ()))
    np.testing.assert_allclose(hu_of(nothing), hu_of(anatomy), atol=1e-2)


def test_any_grid_shows_the_same_patient(cubes):
    fine = area_resample(draw(1, 96, 320 / 96), 48)
    error = np.clip(fine, -1024, 1476) - np.clip(cubes[1], -1024, 1476)
    assert 20 * np.log10(2500 / np.sqrt((error**2).mean())) > 35


@pytest.mark.parametrize(("size", "spacing"), [(1, 2.0), (48, 0.0), (48, -1.0), (48, float("inf"))])
def test_no_grid_is_one_line(size, spacing):
    with pytest.raises(InputError) as error:
        draw(1, size, spacing)
    expected = f"phantom of {size} voxels of {spacing} mm: give 2 voxels or more, and a positive spacing"
    assert str(error.value) == expected


@pytest.mark.slow
def test_the_workflow_sees_what_is_drawn_directly(tmp_path):
    write_phantom("varied-003", PhantomSettings(3, "varied"), tmp_path / "p.zip")
    volume = read_ct(tmp_path / "p.zip", series_uid(3, "varied"))
    cube = to_cube(volume, VolumeSettings(spacing_mm=2.0, size=160, z_part="center", interpolation="linear"))
    error = np.clip(area_resample(cube.array, 48), -1024, 1476) - np.clip(draw(3, 48, 320 / 48), -1024, 1476)
    assert 20 * np.log10(2500 / np.sqrt((error**2).mean())) > 28


def test_a_row_chooses_the_recipe_and_plain_rows_are_tracked_as_before():
    assert _tracked({"seed": "7"}) == _tracked({"seed": "7", "recipe": ""}) == {"seed": 7, "version": 1}
    assert _tracked({"seed": "7", "recipe": "varied"}) == {
        "seed": 7,
        "recipe": "varied",
        "version": 1,
        "recipe_version": VARIED_VERSION,
    }
    assert draw_patient(recipe({"seed": "7"}))[0] == draw_anatomy(7)
    assert draw_patient(recipe({"seed": "7", "recipe": "varied"}))[0] == draw_varied(7)
    assert series_uid(7) != series_uid(7, "varied")


def test_there_is_as_much_bone_as_in_patients(cubes):
    """Seven CTs on this grid have 500 to 2,100 voxels above 300 HU, with contrast agent, and 80 to 350 above 500."""
    over_300, over_500 = (np.mean([(cube > bound).sum() for cube in cubes.values()]) for bound in (300, 500))
    assert 500 < over_300 < 2100 and 50 < over_500 < 350


def test_ribs_arches_and_compact_bone_are_as_wide_as_they_say():
    anatomy = still()
    as_it_is, no_ribs, wide, thick = (
        (hu_of(one) > 300).sum()
        for one in (
            anatomy,
            changed(anatomy, ribs=0.4),
            changed(anatomy, arches=2.5),
            changed(anatomy, compact=2.6),
        )
    )
    assert no_ribs < as_it_is < min(wide, thick)


def test_another_recipe_is_one_line(tmp_path):
    sheet = tmp_path / "s.tsv"
    sheet.write_text("scan\tpatient\tpath\tseries_uid\tsplit\tseed\trecipe\na\ta\ta.zip\t1.2\ttrain\t1\twild\n")
    with pytest.raises(InputError) as error:
        read_sheet(sheet)
    assert str(error.value) == f"{sheet}: line 2, recipe: 'wild' is not plain, varied or empty"


def test_the_table_is_current():
    text = (ROOT / VARIED_PATH).read_text(encoding="utf-8")
    assert text.startswith(varied_table(VARIED[:5])), "write it: python -m dx2ct.data.sources.phantom.table"
    assert [row.split for row in read_sheet(ROOT / VARIED_PATH)] == VARIED
