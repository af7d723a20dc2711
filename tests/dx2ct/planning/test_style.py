"""The section style as the rules ask for it: what decides films, weights and translated X-rays, and faults."""

import json
from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct.config import parse
from dx2ct.config.style import FilmsSettings, StyleRunSettings
from dx2ct.planning import Plan
from dx2ct.planning.runs import NOTHING
from tests.conftest import ROOT
from tests.fabricate.films import write_film
from tests.fabricate.xray_files import pa

SMOKE = ROOT / "workflow/config/smoke.yaml"
FILMS = [{"kind": "folder", "path": "films", "view": "pa"}, {"kind": "padchest", "path": "padchest"}]
STYLED = {"weights_of": "lift", "style": True}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one film."""
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "films/a.png", pa())


def plan(style: dict[str, Any] | None = None, **values: Any) -> Plan:
    """The smoke configuration with films."""
    return Plan([SMOKE], {"style": {"films": FILMS} | (style or {})} | values, ROOT)


def test_settings_say_what_decides_and_nothing_else() -> None:
    base = plan()
    lateral = parse(FilmsSettings, base.film_settings("lateral"))
    assert [source.kind for source in lateral.films] == ["padchest"] and list(lateral.xray.views) == ["lateral"]
    assert parse(StyleRunSettings, base.style_settings("pa")).train == base.config.style.train
    for change, films, weights in (
        ({"limit": 3}, True, False),
        ({"held_out": 0.5}, True, False),
        ({"pixels": 64}, True, True),
        ({"train": {"steps": 3}}, False, True),
        ({"model": {"channels": 8}}, False, True),
        ({"views": ["pa"]}, False, False),
    ):
        other = plan(change)
        assert (other.film_settings("pa") != base.film_settings("pa")) == films, change
        assert (other.style_settings("pa") != base.style_settings("pa")) == weights, change


def test_another_film_is_noticed() -> None:
    before = plan().film_stamps()
    assert plan().film_stamps() == before and json.loads(before)[1] == "gone", "there is no PadChest here"
    write_film(Path("films/b.png"), pa())
    assert plan().film_stamps() != before


def test_inputs_are_the_x_rays_of_the_training_scans_and_for_copies_their_volumes() -> None:
    scans = ("phantom-001", "phantom-002")
    assert plan().style_inputs("pa") == [f"data/xrays/{scan}/pa.mha" for scan in scans]
    copies = plan({"train": {"copies": 2}}).style_inputs("lateral")
    assert copies == [
        f"data/{path}.mha"
        for path in (*(f"xrays/{scan}/lateral" for scan in scans), *(f"volumes/{scan}" for scan in scans))
    ]
    assert plan().style_views == "pa|lateral"
    assert Plan([SMOKE], {}, ROOT).style_views == NOTHING, "no films, no style"


def test_a_styled_run_reconstructs_from_translated_x_rays() -> None:
    found = plan(runs={"styled": STYLED}, report=["lift", "styled"])
    assert found.seen_xrays("styled", "s") == ["results/style/pa/xrays/s.mha", "results/style/lateral/xrays/s.mha"]
    assert found.reconstruct_options("styled", "s") == ["--style=results/style"]
    assert found.seen_xrays("lift", "s") == ["data/xrays/s/pa.mha", "data/xrays/s/lateral.mha"]
    assert found.reconstruct_options("lift", "s") == []
    assert found.training("styled") == found.training("lift")


@pytest.mark.parametrize(
    ("style", "values", "said"),
    [
        ({"views": ["oblique"]}, {}, "style.views.0: oblique is not a name of xray.views (pa, lateral)"),
        ({"views": ["pa", "pa"]}, {}, "style.views: names a view twice: pa, pa"),
        ({"pixels": 66}, {}, "style.pixels: 66: a multiple of 4, 32 at least"),
        ({"films": [{"kind": "nih", "path": "x"}]}, {}, "style.films.0.kind: 'nih' is unknown (known: padchest, openi"),
        ({"films": []}, {"styled": STYLED}, "runs.styled.style: true, but style.films names no films: say where"),
        ({"views": ["pa"]}, {"styled": STYLED}, "runs.styled.style: true, but lateral is not in style.views (pa)"),
        (
            {},
            {"styled": {"weights_of": "sart", "style": True}},
            "runs.styled.style: true, but sart needs line integrals: leave it out",
        ),
        (
            {},
            {"styled": STYLED | {"weights_of": "dx2ct", "reconstruct": {"consistency": {"iterations": 3}}}},
            "runs.styled.style: true, but consistency needs line integrals: set reconstruct.consistency.iterations to",
        ),
        ({}, {"style": {"method": "mean"}}, "runs.style: is the name of the folder of the section style"),
    ],
)
def test_a_fault_names_its_key(style: dict[str, Any], values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        plan(style, runs=values)
    assert said in str(error.value)
