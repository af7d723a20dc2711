"""Models by name."""

from pathlib import Path

import pytest

from drr.errors import InputError
from dx2ct.predict import named
from dx2ct.predict.named import model_folder


def test_a_name_is_its_folder_unless_a_folder_of_that_name_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_folder("results/dx2ct") == Path("results/dx2ct")
    monkeypatch.chdir(tmp_path)
    assert model_folder("phantom") == named.EXAMPLES / "phantom_model"
    (tmp_path / "phantom").mkdir()
    assert model_folder("phantom") == Path("phantom")


def test_a_model_that_is_not_installed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(named.NAMED, "lost", (tmp_path / "nowhere", "nothing"))
    with pytest.raises(InputError, match=r"model lost: .*nowhere is not there"):
        model_folder("lost")
