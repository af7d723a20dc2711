"""Laws of every method that learns: seeds, losses, processes, interrupted trainings, validation, what is refused.

A new method that learns is tested by being one; VARIANTS are ablations with code of their own.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from drr.errors import InputError
from dx2ct.methods import method_named, methods
from dx2ct.methods.learned import Learned
import dx2ct.training.loop
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training
from tests.fabricate import BOTH, cohort, log_of, rows, start, tiny, train, weights_of

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
ROWS = rows()
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dx2ct_pa": ("dx2ct", {"views": ["pa"]}),
    "dx2ct_lifted": ("dx2ct", {"conditions": "lifted"}),
    "cnn2d_lateral": ("cnn2d", {"views": ["lateral"]}),
    "x2ctgan_pa": ("x2ctgan", {"views": ["pa"]}),
    "x2ctcnn": ("x2ctgan", {"discriminator": False}),
    "perx2ct_oblique": ("perx2ct", {"views": ["oblique"]}),
    "perx2ct_global": ("perx2ct", {"global_features": True, "zoom_share": 0.5, "camera": "cone_beam"}),
    "lift_drop": ("lift", {"drop_views": 0.5}),
}
LEARNED = {name: (name, {}) for name, method in methods().items() if method.learns} | VARIANTS
ONCE = [name for name in LEARNED if name not in VARIANTS]


def settings(name: str, **training: Any) -> Any:
    """Of a variant, with some keys of its training."""
    method, row = LEARNED[name]
    return tiny(method, row, train=training)


def built(name: str, data: Path, **training: Any) -> tuple[Learned, Training]:
    """What is trained."""
    asked = settings(name, **training)
    implementation: Any = method_named(asked.run.method).implement()
    learned = implementation.build(
        asked, {"train": [row.scan for row in ROWS if row.split == "train"], "validation": []}, data, Runtime(CPU)
    )
    return learned, Training(learned.model, asked.train, "", discriminator=learned.discriminator)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", LEARNED)
def test_a_seed_decides_the_weights(name: str, data: Path, tmp_path: Path) -> None:
    one, again, other = (
        weights_of(train(settings(name, seed=seed), data, tmp_path / str(number)))
        for number, seed in enumerate((0, 0, 1))
    )
    assert one.keys() == again.keys() and all(torch.equal(one[key], again[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", LEARNED)
def test_steps_lower_the_loss_on_a_fixed_batch(name: str, data: Path) -> None:
    learned, training = built(name, data, learning_rate=3e-5, warmup_steps=0, steps=1000)

    def loss() -> float:
        return sum(float(part.detach()) for part in learned.losses(0)[0])

    before = loss()
    for _ in range(3):
        training.update(learned.losses(0)[0])
    assert loss() < before


@pytest.mark.parametrize("name", ["x2ctgan", "x2ctgan_pa"])
def test_a_discriminator_learns_in_its_own_step_only(name: str, data: Path) -> None:
    learned, training = built(name, data, learning_rate=5e-3, warmup_steps=0, steps=1000)
    assert learned.discriminator is not None and training.discriminator_optimizer is not None
    before = [p.detach().clone() for p in learned.discriminator.parameters()]
    training.update(learned.losses(0)[0])
    assert all(torch.equal(a, b) for a, b in zip(before, learned.discriminator.parameters(), strict=True))
    losses = []
    for _ in range(5):
        first, second = learned.losses(0)
        list(first)
        losses.append(sum(float(part.detach()) for part in second))
        training.update(*learned.losses(0))
    assert losses[-1] < losses[0]


def test_a_gan_on_two_processes_is_one_with_the_doubled_batch(data: Path, tmp_path: Path) -> None:
    """Both networks exchange their gradients: where one does not, the second loss is 5e-5 off. Without dropout, whose
    masks depend on the process; a fourth step would show how rounding grows between two that learn from each other."""
    # As published its gradients vanish but for rounding in front of every norm, which Adam makes steps of.
    asked = tiny("x2ctgan", model={"published": False, "dropout": 0.0}, train={"steps": 3})
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dx2ct")
    process = start(asked, data, tmp_path / "two", *torchrun)
    train(asked, data, tmp_path / "one")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    logs = [[float(row["loss"]) for row in log_of(tmp_path / run)] for run in ("one", "two")]
    assert logs[1] == pytest.approx(logs[0], abs=1e-5) and len(logs[0]) == 3


@pytest.mark.parametrize("name", [*ONCE, "perx2ct_global", "lift_drop"])
def test_a_resumed_training_equals_an_undisturbed_one(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, the discriminator included."""
    accumulate = 2 if settings(name).train.batch > 1 else 1
    asked = settings(name, steps=4, accumulate=accumulate)
    whole = weights_of(train(asked, data, tmp_path / "whole"))
    monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: True)
    update = Training.update

    def dying(self: Training, *losses: Any) -> None:
        if self.step == 2:
            raise KeyboardInterrupt
        update(self, *losses)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(asked, data, tmp_path / "cut")
    monkeypatch.setattr(Training, "update", update)
    cut = weights_of(train(asked, data, tmp_path / "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    columns = [
        [[row[c] for c in ("step", "loss", "gradient_norm")] for row in log_of(tmp_path / run)]
        for run in ("whole", "cut")
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("name", [*ONCE, "x2ctcnn"])
def test_validation_is_logged_and_the_best_weights_are_kept(name: str, data: Path, tmp_path: Path) -> None:
    watching = {"every": 1, "split": "train", "keep": "best"}
    train(settings(name, steps=3, validation=watching), data, tmp_path)
    psnr_db = [float(row["validation_psnr_db"]) for row in log_of(tmp_path)]
    assert len(psnr_db) == 3 and all(0 < value < 60 for value in psnr_db)
    with pytest.raises(InputError, match="no scan of split val"):
        train(settings(name, validation=watching | {"split": "val"}), data, tmp_path / "none")


@pytest.mark.parametrize("name", ONCE)
def test_no_scan_is_refused(name: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scan of split train"):
        train(settings(name), data, tmp_path, ROWS[3:])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("cnn2d", {"blocks": [1] * 6}, "slices.size: 32 cannot be halved 6 times"),
        ("x2ctgan", {"dense_layers": [1, 1, 1]}, r"methods\.x2ctgan\.model\.decoder_channels: needs 4 entries"),
        ("x2ctgan", {"dense_layers": [1] * 5, "decoder_channels": [2] * 6, "decoder_blocks": [0] * 6,
                     "fusion_blocks": [0] * 6}, "32 cannot be halved 5 times .*: use a multiple of 32, 64 at least"),
        ("perx2ct", {"norm_groups": 3}, r"methods\.perx2ct\.model\.norm_groups: channels 8 is no multiple of 3"),
        ("perx2ct", {"multipliers": [1] * 7}, "cannot be halved 6 times"),
        ("lift", {"widths": [8, 8, 8, 12]}, r"methods\.lift\.model\.widths: .* multiple of 8"),
        ("lift", {"heads": 3}, r"methods\.lift\.model\.heads: 3 do not divide"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(name: str, model: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny(name, model=model)


@pytest.mark.parametrize("size", [8, 12])
def test_a_grid_that_lift_cannot_halve_three_times_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=rf"slices\.size: {size} cannot be halved 3 times .* of 8, 16 at least"):
        tiny("lift", slices={"size": size})


@pytest.mark.parametrize("name", ["cnn2d", "x2ctgan", "lift"])
def test_slices_of_a_patient_mean_nothing_to_a_method_of_whole_volumes(name: str) -> None:
    with pytest.raises(InputError, match=r"slices_per_patient: 2: an example is a volume: set it to 1"):
        settings(name, batch=2, slices_per_patient=2)


def test_dropped_views_leave_one_and_are_drawn_by_the_seed(data: Path) -> None:
    """Of lift's examples with drop_views: the mask has both kinds, never no view, and is the same again."""
    asked = tiny("lift", {"views": BOTH, "drop_views": 0.5}, train={"batch": 8})
    implementation: Any = method_named("lift").implement()
    examples = implementation.examples(asked, ["scan-0", "scan-1"], data, CPU)
    masks = torch.cat([examples.batch(step).inputs[1] for step in range(4)])
    assert set(masks.sum(dim=1).tolist()) == {1.0, 2.0}
    assert torch.equal(masks, torch.cat([examples.batch(step).inputs[1] for step in range(4)]))
