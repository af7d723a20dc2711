"""The model card says what the run is, on what it was trained, and nothing that is not known."""

import json
from pathlib import Path
import re

import pytest
import yaml

from drr.errors import InputError
from dx2ct.data.cohort.sheet import Row
from dx2ct.report.model_card import CARD, write_model_card
from dx2ct.scoring.run import FURTHER
from tests.dx2ct.settings_for_tests import tiny

HEADS = {
    "phantom": "scan\tpatient\tpath\tseries_uid\tsplit\tseed",
    "lidc": "scan\tpatient\tidc_uuid\tseries_uid\tsplit",
    "mine": "scan\tpatient\tpath\tseries_uid\tsplit",
}
ROWS = [Row(f"s{i}", f"s{i}", "", "", split) for i, split in enumerate(["train", "train", "val", "test"])]
_SCORES = """scan,plane,psnr_db,ssim,lpips,mae_hu,data_range_hu
s3,axial,10.0,0.1,,500,2500
s3,mean,21.5,0.5,,130,2500
"""
# with the further columns of a scores.csv, empty
SCORES = "".join(
    line + ("," + ",".join(FURTHER) if number == 0 else "," * len(FURTHER)) + "\n"
    for number, line in enumerate(_SCORES.splitlines())
)


def card(folder: Path, kind: str = "phantom", settings: str | None = None, **files: str) -> tuple[dict, str]:
    """Front matter and body of the card of a run with these files."""
    run, sheet = folder / "my_run", folder / f"{kind}.tsv"
    run.mkdir()
    sheet.write_text(HEADS[kind] + "\n")
    (run / "settings.json").write_text(settings or tiny())
    for name, text in files.items():
        (run / f"{name}.csv").write_text(text)
    write_model_card(run, sheet, ROWS)
    _, front, body = (run / CARD).read_text().split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.parametrize("kind", HEADS)
def test_the_data_are_named(kind: str, tmp_path: Path) -> None:
    _, body = card(tmp_path, kind)
    said = {"phantom": "procedural phantoms only", "lidc": "LIDC-IDRI (Armato", "mine": "user's own, named in mine.tsv"}
    assert {name: phrase in body for name, phrase in said.items()} == {name: name == kind for name in said}
    assert "2 scans to train on, 1 to validate, 1 to test" in body
    assert "Research use only. Not a medical device." in body and "ICASSP 2025" in body


def test_settings_and_training_numbers_are_the_runs(tmp_path: Path) -> None:
    _, body = card(tmp_path, training="step,loss,learning_rate,seconds\n3,0.5,1e-3,7\n6,0.25,1e-6,12.5\n")
    assert "| step | 6 |" in body and "| loss | 0.25 |" in body and "| seconds | 12.5 |" in body and "0.5 |" not in body
    block = re.search(r"```json\n(.*?)```", body, re.DOTALL)
    assert block and json.loads(block[1]) == json.loads(tiny())
    assert "from 2 X-rays (pa, lateral)" in body and "predicts x0" in body


def test_metrics_stand_there_when_they_are_known(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    front, body = card(tmp_path / "a", scores=SCORES)
    result = front["model-index"][0]["results"][0]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"psnr_db": 21.5, "ssim": 0.5, "mae_hu": 130}
    assert (
        result["dataset"]["name"] == "procedural phantoms, split test" and front["model-index"][0]["name"] == "my_run"
    )
    assert "| psnr_db | 21.5000 |" in body and "lpips |" not in body and "over 1 scans" in body
    (tmp_path / "b").mkdir()
    front, body = card(tmp_path / "b")
    assert "model-index" not in front and "has not been scored" in body and front["license"] == "apache-2.0"


def with_run(row: dict[str, object]) -> str:
    return json.dumps({**json.loads(tiny()), "run": row})


def test_ablations_and_the_mean_volume_are_called_so(tmp_path: Path) -> None:
    for name, settings, phrase in [
        ("a", tiny(views=["pa"], query_transformer=False, conditioning="concat"), "from 1 X-ray (pa)"),
        ("b", tiny(query_transformer=False), "Without 3DPQT: an ablation"),
        ("c", json.dumps({**json.loads(tiny()), "run": {"method": "mean"}}), "It looks at no X-ray"),
        ("d", with_run({"method": "x2ctgan", "views": ["pa"], "discriminator": False}), "X2CT-CNN (Ying et al."),
        ("e", with_run({"method": "perx2ct", "views": ["pa"], "camera": "paper", "global_features": True}), "_global"),
        ("f", with_run({"method": "cnn2d", "views": ["lateral"]}), "one X-ray (lateral)"),
        ("g", with_run({"method": "backprojection", "views": ["pa"], "filter": "ramp"}), "ramp-filtered"),
        (
            "h",
            with_run({"method": "sart", "views": ["pa"], "start": "mean", "iterations": 9}),
            "9 iterations from the mean",
        ),
    ]:
        (tmp_path / name).mkdir()
        assert phrase in card(tmp_path / name, settings=settings)[1]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"settings\.json: no settings of a trained run"):
        write_model_card(tmp_path, tmp_path / "x.tsv", ROWS)
