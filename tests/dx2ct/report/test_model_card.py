"""The model card says what the run is, on what it was trained, and nothing that is not known."""

import json
from pathlib import Path
import re

import pytest
from safetensors.torch import save
import torch
import yaml

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods import methods
from dx2ct.methods.saved import read_run, write_run
from dx2ct.methods.trained_on import Stage, TrainedOn, write_trained_on
from dx2ct.report.model_card import write_model_card
from dx2ct.scoring.run import score_columns
from tests.fabricate import settings_of

HEADS = {
    "phantom": "scan\tpatient\tpath\tseries_uid\tsplit\tseed",
    "lidc": "scan\tpatient\tidc_uuid\tseries_uid\tsplit",
    "mine": "scan\tpatient\tpath\tseries_uid\tsplit",
}
ROWS = [Row(f"s{i}", f"s{i}", "", "", split) for i, split in enumerate(["train", "train", "val", "test"])]
KNOWN = {"scan": "s3", "data_range_hu": 2500, "psnr_db": 21.5, "ssim": 0.5, "mae_hu": 130}


def scores() -> str:
    """A scores.csv of one scan that knows KNOWN of its mean volume; its axial volume is twice as bad."""
    columns = score_columns(("pa",))
    rows = [KNOWN | {"plane": "mean"}, {key: 2 * value for key, value in KNOWN.items()} | {"plane": "axial"}]
    lines = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines)


def card(folder: Path, kind: str = "phantom", settings: str | None = None, **files: str) -> tuple[dict, str]:
    """Front matter and body of the card of a run with these files."""
    run, sheet = folder / "my_run", folder / f"{kind}.tsv"
    run.mkdir(parents=True)
    sheet.write_text(HEADS[kind] + "\n")
    (run / "settings.json").write_text(settings or settings_of("dx2ct"))
    for name, text in files.items():
        (run / f"{name}.csv").write_text(text)
    write_model_card(run, sheet, ROWS, is_scored="scores" in files)
    _, front, body = layout.model_card(run).read_text().split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.parametrize("kind", HEADS)
def test_the_data_are_named(kind: str, tmp_path: Path) -> None:
    _, body = card(tmp_path, kind)
    phrases = {
        "phantom": "procedural phantoms only",
        "lidc": "LIDC-IDRI (Armato",
        "mine": "own, named in mine.tsv",
    }
    assert {name: phrase in body for name, phrase in phrases.items()} == {name: name == kind for name in phrases}
    assert "2 scans to train on, 1 to validate, 1 to test" in body
    assert "Research use only. Not a medical device." in body and "ICASSP 2025" in body


def test_settings_and_training_numbers_are_the_runs(tmp_path: Path) -> None:
    _, body = card(tmp_path, training="step,loss,learning_rate,seconds\n3,0.5,1e-3,7\n6,0.25,1e-6,12.5\n")
    assert "| step | 6 |" in body and "| loss | 0.25 |" in body and "| seconds | 12.5 |" in body and "0.5 |" not in body
    block = re.search(r"```json\n(.*?)```", body, re.DOTALL)
    assert block and json.loads(block[1]) == json.loads(settings_of("dx2ct"))
    assert "X-rays (pa, lateral)" in body and "predicts epsilon" in body


def test_metrics_stand_there_when_they_are_known(tmp_path: Path) -> None:
    front, body = card(tmp_path / "a", scores=scores())
    result = front["model-index"][0]["results"][0]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"psnr_db": 21.5, "ssim": 0.5, "mae_hu": 130}
    assert (
        result["dataset"]["name"] == "procedural phantoms, split test" and front["model-index"][0]["name"] == "my_run"
    )
    assert "| psnr_db | 21.5000 |" in body and "lpips |" not in body and "over 1 scans" in body
    front, body = card(tmp_path / "b")
    assert "model-index" not in front and "has not been scored" in body and front["license"] == "apache-2.0"


def test_right_after_a_training_scores_of_the_weights_before_count_for_nothing(tmp_path: Path) -> None:
    """Nor do they stop it where they lack a metric that is new."""
    card(tmp_path, scores=scores())
    run = tmp_path / "my_run"
    for text in (scores(), "scan,plane\ns1,mean\n"):
        layout.scores(run).write_text(text)
        write_model_card(run, tmp_path / "phantom.tsv", ROWS, is_scored=False)
        assert "has not been scored" in layout.model_card(run).read_text()


@pytest.mark.parametrize("name", methods())
def test_every_method_is_described_in_its_own_words(tmp_path: Path, name: str) -> None:
    required = {"volumes": {"path": "/made/{scan}.nii.gz"}}
    front, body = card(tmp_path, settings=settings_of(name, **required.get(name, {})))
    method = methods()[name]
    assert method.title in body and method.source in body and "{{" not in body
    assert ("diffusion" in front["tags"]) == method.samples
    first = method.card.split("{{")[0].split("\n")[0].strip()
    assert first in body


def test_ablations_are_called_so(tmp_path: Path) -> None:
    for number, (settings, phrase) in enumerate(
        [
            (settings_of("dx2ct", views=["pa"], query_transformer=False), "1 X-ray"),
            (settings_of("dx2ct", query_transformer=False), "Without 3DPQT: an ablation"),
            (settings_of("x2ctgan", views=["pa"], discriminator=False), "X2CT-CNN (Ying et al."),
            (settings_of("backprojection", filter="ramp"), "ramp-filtered"),
            (settings_of("sart", start="mean", iterations=9), "9 iterations from the mean"),
        ]
    ):
        assert phrase in card(tmp_path / str(number), settings=settings)[1]


def test_volumes_of_others_were_not_trained_here(tmp_path: Path) -> None:
    settings = settings_of("volumes", path="/made/{scan}.nii.gz", trained_on="a thousand chests")
    _, body = card(tmp_path, settings=settings)
    assert "a thousand chests" in body and "scored them on scans of phantom.tsv" in body
    assert "to train on" not in body and "Trained on procedural phantoms" not in body


PHANTOMS, LIDC = Stage("phantom", "p.tsv", 200, 200, 9), Stage("lidc", "l.tsv", 916, 909, 9)
OWN, UNKNOWN = Stage("own", "mine.tsv", 2, 2, 1), Stage("unknown", "model", 0, 0, 0)


@pytest.mark.parametrize(
    ("stages", "said", "unsaid"),
    [
        (
            (PHANTOMS, OWN),
            "1. 200 procedural phantoms of p.tsv, 9 steps\n2. 2 CTs of mine.tsv, 1 step\n",
            "phantoms only",
        ),
        ((PHANTOMS, OWN), "CTs of the user's own, named in mine.tsv", "LIDC-IDRI ("),
        ((LIDC, OWN), "LIDC-IDRI (Armato", "hantom"),
        ((PHANTOMS, PHANTOMS), "Trained on procedural phantoms only", "user's own"),
        ((OWN,), "CTs of the user's own, named in mine.tsv", "Trained in this order"),
        ((UNKNOWN, OWN), "1. what the weights of model do not say\n2. 2 CTs", "hantom"),
    ],
)
def test_what_came_before_is_named_with_its_terms(
    tmp_path: Path, stages: tuple[Stage, ...], said: str, unsaid: str
) -> None:
    """Of weights that started from others: each training in its order, and what holds for the data of each."""
    card(tmp_path, "mine")
    run = tmp_path / "my_run"
    write_run(save({"x": torch.zeros(1)}), read_run(run)[1], run)
    write_trained_on(run, TrainedOn(stages))
    write_model_card(run, tmp_path / "mine.tsv", ROWS, is_scored=False)
    text = layout.model_card(run).read_text().partition("## Settings")[0]
    assert said in text and unsaid not in text


def test_of_an_unknown_method_nothing_is_invented(tmp_path: Path) -> None:
    values = json.loads(settings_of("mean"))
    values["run"] = {"method": "not_yet_written", "views": ["pa"]}
    front, body = card(tmp_path, settings=json.dumps(values))
    assert "Method `not_yet_written`, which this version of dx2ct does not know." in body
    assert "mean of the training volumes" not in body.lower() and "diffusion" not in front["tags"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"settings\.json: no settings of a trained run"):
        write_model_card(tmp_path, tmp_path / "x.tsv", ROWS, is_scored=False)
