"""The schema, the configuration files and the dataclasses say the same."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
import pytest
import yaml

from drr.errors import InputError
from dx2ct import config as settings
from dx2ct.config import dump, parse
from dx2ct.config.methods import ClassicalSettings, Cnn2dSettings, Perx2ctSettings, X2ctganSettings

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
CONFIGS = ["config.yaml", "workflow/config/paper.yaml", "workflow/config/smoke.yaml"]
STAGES: dict[str, type] = {
    "download": settings.DownloadSettings,
    "volume": settings.VolumeSettings,
    "xray": settings.XraySettings,
    "slices": settings.SlicesSettings,
    "model": settings.ModelSettings,
    "diffusion": settings.DiffusionSettings,
    "train": settings.OptimizerSettings,
    "engine": settings.EngineSettings,
    "reconstruct": settings.ReconstructSettings,
    "score": settings.ScoreSettings,
}
# What a method's training parses, and the sections of config.yaml that it reads beside those of the data.
RUN_KINDS: dict[str, tuple[type, tuple[str, ...]]] = {
    "dx2ct": (settings.Dx2ctSettings, ("model", "diffusion", "train")),
    "cnn2d": (Cnn2dSettings, ()),
    "x2ctgan": (X2ctganSettings, ()),
    "perx2ct": (Perx2ctSettings, ()),
    "mean": (settings.MeanSettings, ()),
    "backprojection": (ClassicalSettings, ()),
    "sart": (ClassicalSettings, ()),
}


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return config


def text_of(stage: str, section: dict[str, Any]) -> str:
    """A section as its stage reads it: data stages carry a version."""
    has_version = "version" in {field.name for field in fields(STAGES[stage])}
    return json.dumps(({"version": 1} if has_version else {}) | section)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object, at any depth."""
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def replaced(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    config = deepcopy(config)
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return config


def test_the_schema_fills_in_nothing() -> None:
    """Snakemake would write a default into the configuration without a word."""
    assert "default" not in {key for key in json.dumps(SCHEMA).split('"')}


def test_every_key_of_the_schema_is_required_and_no_other_allowed() -> None:
    found = list(objects(SCHEMA))
    assert len(found) > 12
    for schema in found:
        assert schema["additionalProperties"] is False
        if list(schema["properties"]) != ["method"]:  # required one level up
            assert set(schema["required"]) == set(schema["properties"])


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration_files_are_complete_and_valid(name: str) -> None:
    config = load(name)
    Draft202012Validator(SCHEMA).validate(config)
    assert set(config["report"]) <= set(config["runs"])
    for stage, kind in STAGES.items():
        parsed = parse(kind, text_of(stage, config[stage]))
        assert parse(kind, dump(parsed)) == parsed


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_of_every_run_survive_the_way_through_json(name: str) -> None:
    config = load(name)
    for run in config["runs"].values():
        if "weights_of" in run:
            continue  # it is trained as another
        kind, further = RUN_KINDS[run["method"]]
        sections = {"run": run} | {stage: config[stage] for stage in further}
        sections |= config["methods"].get(run["method"], {})
        sections |= {
            s: {"version": 1} | config[s] for s in ("volume", "xray", "slices") if s != "xray" or "views" in run
        }
        parsed = parse(kind, json.dumps(sections))
        assert parse(kind, dump(parsed)) == parsed


@pytest.mark.parametrize("stage", STAGES)
def test_keys_of_schema_and_dataclass_agree(stage: str) -> None:
    assert {field.name for field in fields(STAGES[stage])} - {"version"} == set(
        SCHEMA["properties"][stage]["properties"]
    )


@pytest.mark.parametrize("stage", STAGES)
def test_what_the_schema_accepts_the_stage_accepts(stage: str) -> None:
    """Or a run would start and then fail: every leaf, with values at the edge of what may be allowed."""
    config = load("config.yaml")
    validator = Draft202012Validator(SCHEMA)
    refused = 0
    for path in leaves(config[stage], (stage,)):
        for value in (None, "nonsense", -1, 0, 0.5, 1, 2, 1e9, True, [], {}, [1, 2, 3], ["pa"]):
            changed = replaced(config, path, value)
            if validator.is_valid(changed):
                parse(STAGES[stage], text_of(stage, changed[stage]))
            else:
                refused += 1
    assert refused > 0


@pytest.mark.parametrize("stage", STAGES)
def test_nonsense_is_refused_by_both(stage: str) -> None:
    config = load("config.yaml")
    for path in leaves(config[stage], (stage,)):
        changed = replaced(config, path, "nonsense")
        assert not Draft202012Validator(SCHEMA).is_valid(changed), path
        with pytest.raises(InputError):
            parse(STAGES[stage], text_of(stage, changed[stage]))


@pytest.mark.parametrize("stage", STAGES)
def test_an_unknown_and_a_missing_key_are_one_line_that_names_it(stage: str) -> None:
    section = load("config.yaml")[stage]
    key = next(iter(section))
    for changed, name in (({**section, "typo": 1}, "typo"), ({k: v for k, v in section.items() if k != key}, key)):
        with pytest.raises(InputError) as error:
            parse(STAGES[stage], text_of(stage, changed))
        assert name in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_key_of_a_spelled_out_geometry_is_refused() -> None:
    geometry = load("workflow/config/smoke.yaml")["xray"]["geometry"] | {"typo": 1}
    with pytest.raises(InputError, match="typo"):
        parse(settings.XraySettings, json.dumps({"version": 1, "geometry": geometry, "attenuation": "plastimatch"}))


def test_what_the_schema_accepts_of_the_cohort_its_stage_accepts() -> None:
    """Every leaf of split, limit and filters, with values at the edge of what may be allowed."""
    config = load("config.yaml")
    names = {field.name for field in fields(settings.SelectionSettings)}
    assert {field.name for field in fields(settings.FilterSettings)} == set(config["cohort"]["filters"])
    validator = Draft202012Validator(SCHEMA)
    accepted = refused = 0
    for path in leaves({name: config["cohort"][name] for name in names}, ("cohort",)):
        for value in (None, "nonsense", "", -1, 0, 0.5, 2, 1e9, True, [], {}, ["split-leak"], ["nonsense"]):
            changed = replaced(config, path, value)
            if validator.is_valid(changed):
                accepted += 1
                parse(settings.SelectionSettings, json.dumps({name: changed["cohort"][name] for name in names}))
            else:
                refused += 1
    assert accepted > 20 and refused > 20


@pytest.mark.parametrize("method", SCHEMA["properties"]["methods"]["properties"])
def test_what_the_schema_accepts_of_a_method_its_training_accepts(method: str) -> None:
    """Every leaf of its sections and rows, with values at the edge of what may be allowed."""
    config = load("config.yaml")
    validator = Draft202012Validator(SCHEMA)
    kind = RUN_KINDS[method][0]
    accepted = refused = 0
    for name in [name for name, run in config["runs"].items() if run.get("method") == method]:
        for place in (("methods", method), ("runs", name)):
            for path in leaves(config[place[0]][place[1]], place):
                for value in (
                    None,
                    "nonsense",
                    -1,
                    0,
                    0.5,
                    1,
                    2,
                    1e9,
                    True,
                    [],
                    {},
                    [1, 2, 3],
                    ["pa"],
                    ["pa", "lateral"],
                ):
                    changed = replaced(config, path, value)
                    if path[-1] == "method" or not validator.is_valid(changed):
                        refused += 1
                        continue
                    accepted += 1
                    stages = {s: {"version": 1} | config[s] for s in ("volume", "xray", "slices")}
                    parse(kind, json.dumps(stages | changed["methods"][method] | {"run": changed["runs"][name]}))
    assert accepted > 20 and refused > 20
