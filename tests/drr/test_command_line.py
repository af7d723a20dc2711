"""python -m drr: what it writes, and how it refuses."""

import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from drr.__main__ import main
from drr.geometry import PRESETS, View
from drr.volume import read_volume, Volume

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
    path = tmp_path / "ct.mha"
    Volume(hu, (20.0, 21.0, 22.0), (1.0, 2.0, 3.0)).write(path)
    return path


def test_renders_both_views_with_their_place(ct, tmp_path, capsys):
    command = ["render", str(ct), "-o", str(tmp_path / "out"), "--png", "--json", "--pixels", "30", "40"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["views"]) == ["lateral", "pa"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lateral.mha", "lateral.png", "pa.mha", "pa.png"]
    image = sitk.ReadImage(str(tmp_path / "out" / "pa.mha"))
    assert image.GetSize() == (40, 30) and image.GetSpacing() == pytest.approx((500 / 40, 500 / 30))
    grey = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "pa.png")))
    integrals = sitk.GetArrayFromImage(image)
    assert grey.dtype == np.uint16 and grey.min() == 0 and grey.max() == 65535
    assert np.corrcoef(grey.ravel(), integrals.ravel())[0, 1] > 0.999, "bone is bright"
    view = View.from_projection_matrix(told["views"]["pa"]["projection_matrix"], 949.0, 30, 40)
    expected = PRESETS["x2ct"].with_pixels((30, 40)).view("pa", read_volume(ct).centre_mm)
    np.testing.assert_allclose(view.pixel_centres_mm(), expected.pixel_centres_mm(), atol=1e-6)


def test_angles_noise_and_attenuation(ct, tmp_path):
    out = tmp_path / "out"
    options = ["--gantry", "45", "200:10", "--preset", "chest_film", "--pixels", "20", "--attenuation", "mixture:70"]
    assert main(["render", str(ct), "-o", str(out), *options, "--photons", "1e4", "--seed", "1"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["gantry200_tilt10.mha", "gantry45.mha"]
    clean = tmp_path / "clean"
    assert main(["render", str(ct), "-o", str(clean), *options]) == 0
    a, b = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "gantry45.mha"))) for folder in (out, clean))
    assert 0 < np.abs(a - b).mean() < 0.5


def test_info(ct, capsys):
    assert main(["info", str(ct), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["voxels_xyz"] == [14, 13, 12] and told["spacing_mm"] == [20.0, 21.0, 22.0]
    assert main(["info", str(ct)]) == 0
    assert "voxels_xyz" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--view", "top"], "unknown view 'top'"),
        (["--preset", "mine"], "unknown preset 'mine'"),
        (["--source-detector", "500"], "beyond the isocentre"),
        (["--pixels", "1000000"], "too many"),
        (["--attenuation", "lead"], "unknown attenuation 'lead'"),
        (["--method", "exact"], "unknown method 'exact'"),
        (["--backend", "gpu"], "unknown backend 'gpu'"),
        (["--photons", "0"], "makes no image"),
        (["--gantry", "0:95"], "tilt lies between"),
        (["--gantry", "nan"], "tilt lies between"),
        (["--photons", "1e30"], "1e+30 photons a pixel makes no image: more than 0, 1e+15 at most"),
        (["--photons", "inf"], "inf photons a pixel makes no image"),
        (["--photons", "nan"], "nan photons a pixel makes no image"),
        (["--photons", "1e4", "--seed", "-1"], "the seed of the noise is -1: give 0 or more"),
        (["--isocentre", "nan", "0", "0"], "three finite numbers are needed"),
        (["--isocentre", "inf", "0", "0", "--gantry", "10"], "three finite numbers are needed"),
        (["--source-isocentre", "nan"], "must be finite"),
        (["--threads=-1"], "-1 threads cannot compute: give 0 for all cores, or 1 and more"),
        (["--threads=-3", "--backend", "numpy"], "-3 threads cannot compute"),
        (["--method", "joseph", "--threads=-2"], "-2 threads cannot compute"),
    ],
)
def test_bad_options_write_nothing(ct, tmp_path, capsys, options, message):
    assert main(["render", str(ct), "-o", str(tmp_path / "out"), *options]) == 1
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and told.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_an_angle_that_is_none_is_said(ct, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["render", str(ct), "-o", str(tmp_path / "out"), "--gantry", "thirty"])
    assert end.value.code == 2 and "'thirty' is no angle in degrees, nor ANGLE:TILT" in capsys.readouterr().err


def test_a_view_beside_the_ct_is_noted(ct, tmp_path, capsys):
    command = ["render", str(ct), "-o", str(tmp_path / "out"), "--pixels", "8", "--view", "pa"]
    assert main([*command, "--isocentre", "9000", "0", "0", "--photons", "1e4"]) == 0
    told = capsys.readouterr().err
    assert f"note: {ct}: view pa is empty, no ray of it meets the CT: see --isocentre and the distances\n" in told
    assert main(command) == 0 and "empty" not in capsys.readouterr().err


def test_a_ct_in_cm_is_noted(tmp_path, capsys):
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
    Volume(hu, (2.0, 2.5, 2.5), (0.0, 0.0, 0.0)).write(tmp_path / "cm.mha")
    assert main(["render", str(tmp_path / "cm.mha"), "-o", str(tmp_path / "out"), "--pixels", "20"]) == 0
    assert "cm.mha: its box is 28 x 32.5 x 30 mm, a chest's sides are 100 mm at least" in capsys.readouterr().err


def test_an_interruption_is_no_defect(ct, tmp_path, capsys, monkeypatch):
    def interrupted(path: Path) -> Volume:
        raise KeyboardInterrupt

    monkeypatch.setattr("drr.read_ct", interrupted)
    assert main(["render", str(ct), "-o", str(tmp_path / "out")]) == 130
    assert "Traceback" not in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_bad_volumes_write_nothing(tmp_path, capsys):
    hu = np.full((12, 13, 14), -900, np.float32)
    hu[5] = np.nan
    image = sitk.GetImageFromArray(hu)
    sitk.WriteImage(image, str(tmp_path / "nan.mha"))
    (tmp_path / "spacing.mha").write_bytes(
        (tmp_path / "nan.mha").read_bytes().replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 0 1")
    )
    (tmp_path / "direction.mha").write_bytes(
        (tmp_path / "nan.mha").read_bytes().replace(b"= 1 0 0 0 1 0 0 0 1", b"= 1 1 0 0 1 0 0 0 1")
    )
    for name in ("nan.mha", "spacing.mha", "direction.mha", "missing.mha"):
        assert main(["render", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 1
        told = capsys.readouterr().err
        assert name in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("program", ["drr info", "dx2ct config --resolve"])
def test_a_full_standard_output_is_one_line(program: str, ct):
    words = program.split() + ([str(ct)] if program == "drr info" else [])
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "No space left on device: free some space" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(ct):
    line = f"{sys.executable} -m drr info {ct} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() in ("0", "1") and done.stderr == ""


def test_help_answers_without_heavy_imports():
    code = (
        "import sys, drr.__main__; print([n for n in ('numpy', 'SimpleITK', 'pydicom', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
