"""The contract of dx2ct/methods/base.py, over all methods and both view modes: adding a method adds a name here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
import torch
import yaml

from drr.errors import InputError
import dx2ct
from dx2ct.config import PLAIN_ENGINE
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.planes import PLANES
from dx2ct.methods.cnn2d import network as cnn2d
from dx2ct.methods.dx2ct import method as dx2ct_method
from dx2ct.methods.perx2ct import network as perx2ct
from dx2ct.methods.registry import method_of
from dx2ct.methods.x2ctgan import network as x2ctgan
from dx2ct.training.learned import Learned
import dx2ct.training.loop
from dx2ct.training.state import Training
from tests.dx2ct.fabricated import log_of, ROOT, start, write_scans, write_sheet
from tests.dx2ct.settings_for_tests import plain

CPU = torch.device("cpu")
HOW = plain(batch=20)
ROWS = [Row(f"scan-{i}", f"scan-{i}", "", "", "train" if i < 3 else "test") for i in range(4)]
BOTH, PA, LATERAL = ["pa", "lateral"], ["pa"], ["lateral"]
SMOKE = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
DX2CT = {"method": "dx2ct", "conditioning": "spade", "query_transformer": True, "prediction": "x0"}
GAN, CNN = ({"method": "x2ctgan", "discriminator": on} for on in (True, False))
PERX2CT = {"method": "perx2ct", "camera": "paper", "global_features": False, "zoom_share": 0.0}
GLOBAL = PERX2CT | {"camera": "cone_beam", "global_features": True, "zoom_share": 0.5}
SART = {"method": "sart", "start": "mean", "iterations": 2, "relaxation": 0.5, "pixels": 32}
BACK = {"method": "backprojection", "filter": "ramp", "pixels": 32}
LEARNED: dict[str, dict[str, Any]] = {
    "dx2ct": DX2CT | {"views": BOTH},
    "dx2ct_pa": DX2CT | {"views": PA},
    "cnn2d": {"method": "cnn2d", "views": PA},
    "cnn2d_lateral": {"method": "cnn2d", "views": LATERAL},
    "x2ctgan": GAN | {"views": BOTH},
    "x2ctgan_pa": GAN | {"views": PA},
    "x2ctcnn": CNN | {"views": BOTH},
    "x2ctcnn_lateral": CNN | {"views": LATERAL},
    "perx2ct": PERX2CT | {"views": BOTH},
    "perx2ct_pa": PERX2CT | {"views": PA},
    "perx2ct_global": GLOBAL | {"views": BOTH},
    "perx2ct_global_lateral": GLOBAL | {"views": LATERAL},
}
ALL = LEARNED | {
    "mean": {"method": "mean"},
    "sart": SART | {"views": BOTH},
    "sart_pa": SART | {"views": PA},
    "backprojection": BACK | {"views": BOTH},
    "backprojection_pa": BACK | {"views": PA},
}
BUILDS: dict[str, Any] = {
    "dx2ct": (dx2ct_method.Dx2ctSettings, dx2ct_method.build),
    "cnn2d": (cnn2d.Cnn2dSettings, cnn2d.METHOD.build),
    "x2ctgan": (x2ctgan.X2ctganSettings, x2ctgan.METHOD.build),
    "perx2ct": (perx2ct.Perx2ctSettings, perx2ct.METHOD.build),
}


def settings(name: str, **training: Any) -> dict[str, Any]:
    """Sections of a run of the smoke configuration; keyword arguments change its training."""
    row = ALL[name]
    method = row["method"]
    sections = {"run": row, "volume": {"version": 2} | SMOKE["volume"], "slices": {"version": 1} | SMOKE["slices"]}
    if "views" in row:
        sections["xray"] = {"version": 1, "geometry": "x2ct", "attenuation": "plastimatch"}
    if method == "dx2ct":
        sections |= {key: SMOKE[key] for key in ("model", "diffusion", "train")}
    sections = json.loads(json.dumps(sections | SMOKE["methods"].get(method, {})))
    if "train" in sections:
        sections["train"]["validation"]["every"] = 0
        sections["train"]["validation"]["keep"] = "last"
        sections["train"] |= training
    return sections


def train(name: str, data: Path, output: Path, **training: Any) -> dict[str, torch.Tensor]:
    """Weights of a short training."""
    text = json.dumps(settings(name, **training))
    method_of(text).train(text, ROWS, data, output, CPU)
    weights: dict[str, torch.Tensor] = load_file(output / "weights.safetensors")
    return weights


def built(name: str, data: Path, **training: Any) -> tuple[Learned, Training]:
    kind, build = BUILDS[ALL[name]["method"]]
    parsed = dx2ct_method.parse(kind, json.dumps(settings(name, **training)))
    learned = build(parsed, {"train": ["scan-0"], "watched": []}, data, CPU, PLAIN_ENGINE)
    return learned, Training(learned.model, parsed.train, "", opponent=learned.opponent)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scans(folder, [row.scan for row in ROWS])
    return folder


@pytest.mark.parametrize("name", ALL)
def test_trains_and_reconstructs(name: str, data: Path, tmp_path: Path) -> None:
    """Twice the same weights from one seed, twice the same volume, one for each plane, in HU."""
    weights, again = (train(name, data, tmp_path / run) for run in ("one", "two"))
    assert weights.keys() == again.keys() and all(torch.equal(weights[key], again[key]) for key in weights)
    text = (tmp_path / "one/settings.json").read_text()
    assert json.loads(text)["run"] == ALL[name]
    first, second = (method_of(text).reconstruct(text, tmp_path / "one", HOW, "scan-3", data, CPU) for _ in range(2))
    assert set(first) == set(PLANES)
    for plane, volume in first.items():
        assert volume.shape == (32, 32, 32) and volume.dtype == np.float32
        assert np.isfinite(volume).all() and volume.min() >= -1024 and volume.max() <= 1476
        np.testing.assert_array_equal(volume, second[plane])


@pytest.mark.parametrize("name", ["cnn2d", "x2ctcnn", "perx2ct_global_lateral"])
def test_predict_asks_a_rival_as_the_workflow_does(name: str, data: Path, tmp_path: Path) -> None:
    train(name, data, tmp_path)
    model = dx2ct.load(tmp_path, "cpu", 1)
    assert list(model.views) == ALL[name]["views"]
    xrays = {view: data / "xrays/scan-3" / f"{view}.mha" for view in model.views}
    planes = method_of(model.settings).reconstruct(model.settings, tmp_path, HOW, "scan-3", data, CPU)
    expected = np.rint(np.mean(list(planes.values()), axis=0))
    np.testing.assert_allclose(model.reconstruct(**xrays).array, expected, atol=1)  # batches round differently
    for option in ({"samples": 2}, {"steps": 5}, {"consistency": 3}):
        with pytest.raises(InputError, match="does not sample"):
            model.reconstruct(**xrays, **option)


@pytest.mark.parametrize("name", LEARNED)
def test_another_seed_is_another_network(name: str, data: Path, tmp_path: Path) -> None:
    one, other = (train(name, data, tmp_path / str(seed), seed=seed, steps=1) for seed in (0, 1))
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", LEARNED)
def test_steps_lower_the_loss_on_a_fixed_batch(name: str, data: Path) -> None:
    learned, training = built(name, data, learning_rate=3e-4, warmup_steps=0, steps=1000)

    def loss() -> float:
        return sum(float(part.detach()) for part in learned.turns(0)[0])

    before = loss()
    for _ in range(3):
        training.update(learned.turns(0)[0])
    assert loss() < before


@pytest.mark.parametrize("name", ["x2ctgan", "x2ctgan_pa"])
def test_a_discriminator_learns_in_its_turn_only(name: str, data: Path) -> None:
    learned, training = built(name, data, learning_rate=5e-3, warmup_steps=0, steps=1000)
    assert learned.opponent is not None and training.opposing is not None
    start = [p.detach().clone() for p in learned.opponent.parameters()]
    training.update(learned.turns(0)[0])
    assert all(torch.equal(a, b) for a, b in zip(start, learned.opponent.parameters(), strict=True))
    losses = []
    for _ in range(5):
        turns = learned.turns(0)
        list(turns[0])
        losses.append(sum(float(part.detach()) for part in turns[1]))
        training.update(*learned.turns(0))
    assert losses[-1] < losses[0]


def test_a_gan_on_two_processes_is_one_with_the_doubled_batch(data: Path, tmp_path: Path) -> None:
    """Both networks exchange their gradients: where one does not, the second loss is 5e-5 off. Without dropout, whose
    masks depend on the process; a fourth step would show how rounding grows between two that learn from each other."""
    sections = settings("x2ctgan", steps=3)
    sections["model"]["dropout"] = 0.0
    text = json.dumps(sections)
    write_sheet(data, {row.scan: row.split for row in ROWS})
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dx2ct")
    process = start(text, data, tmp_path / "two", *torchrun)
    method_of(text).train(text, ROWS, data, tmp_path / "one", CPU)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    logs = [[float(row["loss"]) for row in log_of(tmp_path / run)] for run in ("one", "two")]
    assert logs[1] == pytest.approx(logs[0], abs=1e-5) and len(logs[0]) == 3


@pytest.mark.parametrize("name", ["cnn2d", "x2ctgan", "perx2ct_global"])
def test_a_resumed_training_equals_an_undisturbed_one(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, the discriminator included."""
    whole = train(name, data, tmp_path / "whole", steps=4, accumulate=2)
    monkeypatch.setattr(dx2ct.training.loop, "SAVE_EVERY_S", 0.0)
    update = Training.update

    def dying(self: Training, *turns: Any) -> None:
        if self.step == 2:
            raise KeyboardInterrupt
        update(self, *turns)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(name, data, tmp_path / "cut", steps=4, accumulate=2)
    monkeypatch.setattr(Training, "update", update)
    cut = train(name, data, tmp_path / "cut", steps=4, accumulate=2)
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    columns = [
        [[row[c] for c in ("step", "loss", "gradient_norm")] for row in log_of(tmp_path / run)]
        for run in ("whole", "cut")
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("name", ["cnn2d", "x2ctcnn", "perx2ct"])
def test_validation_is_logged_and_the_best_weights_are_kept(name: str, data: Path, tmp_path: Path) -> None:
    watch = {"every": 1, "split": "train", "scans": 2, "patience": 0, "keep": "best"}
    train(name, data, tmp_path, steps=3, validation=watch)
    psnr_db = [float(row["validation_psnr_db"]) for row in log_of(tmp_path)]
    assert len(psnr_db) == 3 and all(0 < value < 60 for value in psnr_db)
    with pytest.raises(InputError, match="no scan of split val"):
        train(name, data, tmp_path / "none", validation=watch | {"split": "val"})


@pytest.mark.parametrize("name", ["cnn2d", "x2ctgan", "perx2ct"])
def test_no_scan_and_other_weights_are_refused(name: str, data: Path, tmp_path: Path) -> None:
    text = json.dumps(settings(name))
    with pytest.raises(InputError, match="no scan of split train"):
        method_of(text).train(text, ROWS[3:], data, tmp_path, CPU)
    train("cnn2d_lateral" if name != "cnn2d" else "x2ctcnn", data, tmp_path)
    with pytest.raises(InputError, match=r"weights\.safetensors: not the weights of these settings"):
        method_of(text).reconstruct(text, tmp_path, HOW, "scan-3", data, CPU)


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("cnn2d", {"blocks": [1] * 6}, "cannot be halved 6 times"),
        ("x2ctgan", {"dense_layers": [1, 1, 1]}, "need 4 entries"),
        ("x2ctgan", {"dense_layers": [1] * 5, "decoder_channels": [2] * 6, "decoder_blocks": [0] * 6,
                     "fusion_blocks": [0] * 6}, "down to 2 or more"),
        ("perx2ct", {"norm_groups": 3}, "no multiple of norm_groups"),
        ("perx2ct", {"multipliers": [1] * 7}, "cannot be halved 6 times"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(name: str, model: dict[str, Any], message: str, data: Path) -> None:
    sections = settings(name)
    sections["model"] |= model
    with pytest.raises(InputError, match=message):
        method_of(json.dumps(sections)).train(json.dumps(sections), ROWS, data, data / "never", CPU)
