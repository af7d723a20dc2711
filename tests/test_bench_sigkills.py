"""The comparison of a killed pipeline with one left alone notices what it is for, and passes over times."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.sigkills import differences

FILES = {
    "data/volumes/a.mha": "voxels",
    "results/run/training.csv": "step,loss,slices_per_s,seconds\n1,0.5,3.1,9\n",
    "results/report.html": '<p>Written on <time datetime="2026-01-01">2026-01-01</time>.</p>',
    "results/run/tensorboard/events.1": "events",
}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for folder in ("alone", "killed"):
        for name, text in FILES.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return tmp_path / "alone", tmp_path / "killed"


def write(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        write("results/run/training.csv", "step,loss,slices_per_s,seconds\n1,0.5,2.9,11\n"),
        write("results/report.html", '<p>Written on <time datetime="2026-01-02">2026-01-02</time>.</p>'),
        write("results/run/tensorboard/events.2", "more events"),
    ],
)
def test_times_are_no_difference(pair: tuple[Path, Path], change: Callable[[Path], object]) -> None:
    change(pair[1])
    assert differences(*pair) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (write("data/volumes/a.mha", "voxelz"), "data/volumes/a.mha: differs"),
        (write("data/volumes/.a.part-0-1.mha", ""), "data/volumes/.a.part-0-1.mha: in killed alone"),
        (lambda folder: (folder / "data/volumes/.b.part-0-1").mkdir(), "data/volumes/.b.part-0-1: in killed alone"),
        (lambda folder: (folder / "data/volumes/a.mha").unlink(), "data/volumes/a.mha: in alone alone"),
        (
            write("results/run/training.csv", "step,loss,slices_per_s,seconds\n1,0.6,3.1,9\n"),
            "results/run/training.csv: differs",
        ),
    ],
)
def test_what_differs_or_is_left_is_named(
    pair: tuple[Path, Path], change: Callable[[Path], object], found: str
) -> None:
    change(pair[1])
    assert found in differences(*pair)
