"""The state of a training as one file: everything that changes is in it, and comes back."""

from pathlib import Path

import torch
from torch import nn

from dx2ct.config import check, TrainSettings
from dx2ct.training.state import Training


def training(seed: int) -> Training:
    torch.manual_seed(seed)
    settings = check(TrainSettings, steps=9, validation={"every": 1, "keep": "best", "patience": 2})
    return Training(nn.Linear(3, 2), settings, "{}", discriminator=nn.Linear(2, 1))


def test_a_state_comes_back_whole(tmp_path: Path) -> None:
    """Also the weights that were best by validation, from which the run is made if nothing better comes."""
    before, after = training(0), training(1)
    x = torch.ones(4, 3)
    for step, psnr_db in enumerate((20.0, 25.0, 21.0)):
        before.update([before.model(x).square().sum()], [before.discriminator(before.model(x)).sum()])
        before.settle()
        before.log.append([float(step)] * 7)
        before.judge(psnr_db)
    before.seconds = 12.5
    before.save(tmp_path)
    after.load(tmp_path)
    for name in ("step", "seconds", "log", "recent", "best_psnr_db", "best_step", "stopped"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.best_step == 2 and after.best_psnr_db == 25.0
    pairs = [(before.best, after.best), (before.average, after.average)]
    pairs += [(one.state_dict(), two.state_dict()) for one, two in networks(before, after)]
    for one, two in pairs:
        assert one and one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(after.best[name], after.average[name]) for name in after.best), "they are of step 2"
    for one, two in (
        (before.optimizer, after.optimizer),
        (before.discriminator_optimizer, after.discriminator_optimizer),
    ):
        assert str(one.state_dict()) == str(two.state_dict())


def networks(before: Training, after: Training) -> list[tuple[nn.Module, nn.Module]]:
    assert before.discriminator and after.discriminator
    return [(before.model, after.model), (before.discriminator, after.discriminator)]
