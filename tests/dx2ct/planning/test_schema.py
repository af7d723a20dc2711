"""The schema and the table of keys are generated from the types, and the schema refuses what the types refuse."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
import pytest
import yaml

from drr.errors import InputError
from dx2ct.config import DerivedRow, plain
from dx2ct.config.keys import extra_of, fields_of
from dx2ct.config.parse import validated
from dx2ct.config.problems import Problem, SettingsError
from dx2ct.config.walk import is_section, sections_in
from dx2ct.methods import BUILT_IN, methods
from dx2ct.planning import docs, schema
from dx2ct.planning.tree import config_type, Sections
from tests.conftest import ROOT
from tests.fabricate.settings import plain_values

FILES = [ROOT / "config.yaml", *sorted((ROOT / "workflow/config").glob("*.yaml"))]
SCHEMA = yaml.safe_load(schema.SCHEMA.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
EDGES = (None, "nonsense", "", -1, 0, 0.5, 1, 2, 48, 1e9, True, [], {}, [1, 2, 3], [2, 2], ["pa"], ["pa", "lateral"])
# There, and nowhere else, the schema accepts what the types refuse: rules that cross keys or read a text.
LAXER = {
    "is no multiple of slices_per_patient": "methods.METHOD.train.batch",
    "an example is a volume": "methods.{cnn2d,x2ctgan,lift}.train.slices_per_patient",
    "0, but there are no weights without a training": "methods.METHOD.train.steps",
    "but the training starts at random": "methods.METHOD.train.start_share",
    "patience and keep: best need validations": "methods.METHOD.train.validation.every",
    "is no multiple of": "methods.{dx2ct,perx2ct}.model: groups of channels, heads of a width",
    "is no level of a U-Net": "methods.dx2ct.model.unet.attention_levels",
    "entries": "methods.{dx2ct,x2ctgan,lift}.model: lists of one length",
    "do not divide": "methods.lift.model.heads",
    "steps needs one volume at every step": "reconstruct.consistency.when",
    "names a view twice": "runs.RUN.views",
    "attenuation '": "xray.attenuation, a name with an energy",
    "must lie beyond the isocentre": "xray.geometry, its distances",
    "names no {scan}": "runs.RUN.path, a template",
}


def test_the_committed_schema_is_what_the_types_generate() -> None:
    command = "run `python -m dx2ct.planning.docs`"
    assert schema.SCHEMA.read_text(encoding="utf-8") == schema.schema_text(), command
    assert schema.TABLE.read_text(encoding="utf-8") == schema.table_text(), command


@pytest.mark.parametrize("name", docs.PAGES)
def test_the_tables_of_the_pages_are_what_the_registries_say(name: str) -> None:
    page = (docs.DOCS / name).read_text(encoding="utf-8")
    assert docs.filled(page, docs.PAGES[name](), name) == page, "run `python -m dx2ct.planning.docs`"
    with pytest.raises(InputError, match=f"docs/{name}: the line .* is missing: put it back"):
        docs.filled("a page without markers", docs.PAGES[name](), name)


def test_the_schema_is_a_schema_and_fills_in_nothing() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    closed = [node for node in objects(SCHEMA) if "properties" in node]
    assert len(closed) > 30
    assert all(node["additionalProperties"] is False for node in closed), "or a typo would be accepted"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_configuration_files_are_valid(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_every_key_has_a_description_and_its_unit() -> None:
    units = {"mm": "mm", "hu": "HU", "s": "s"}
    found = list(all_keys())
    assert len(found) > 120
    for name, info in found:
        assert info.description, f"{name} has no description"
        ending = name.rsplit("_", 1)[-1] if "_" in name else ""
        assert extra_of(info).get("unit", "") == units.get(ending, extra_of(info).get("unit", "")), f"{name}: its unit"
    table = schema.TABLE.read_text(encoding="utf-8")
    lacking = [name for name, info in found if not is_section(info.annotation) and f"{name}`" not in table]
    assert not lacking, "docs/configuration.md lacks keys"


@pytest.mark.parametrize("place", ["volume", "xray", "slices", "cohort", "download", "engine", "reconstruct", "score"])
def test_the_shared_sections_are_refused_alike(place: str) -> None:
    section = json.loads(json.dumps(plain(getattr(Sections(), place))))
    section.pop("version", None)
    refused = compare(place, section, lambda changed: {place: changed})
    assert refused > 10


@pytest.mark.parametrize("method", [name for name in BUILT_IN if methods()[name].sections])
def test_the_sections_of_a_method_are_refused_alike(method: str) -> None:
    values = plain_values(method)
    for part in methods()[method].sections:
        section = json.loads(json.dumps(values[part]))
        section.get("augment", {}).pop("version", None)
        assert compare(part, section, lambda changed, part=part: {"methods": {method: {part: changed}}}) > 10


@pytest.mark.parametrize("method", BUILT_IN)
def test_the_rows_of_a_method_are_refused_alike(method: str) -> None:
    row = plain_values(method)["run"]
    known = {name for name, info in fields_of(methods()[method].row).items() if not info.is_required()}
    full = {name: fields_of(methods()[method].row)[name].get_default(call_default_factory=True) for name in known}
    full = json.loads(json.dumps(full | row, default=plain))
    assert compare("", full, lambda changed: {"runs": {"x": changed}}, skip="method") >= len(EDGES) // 2


def test_a_derived_row_is_refused_alike() -> None:
    row = {"weights_of": "y", "views": ["pa"], "reconstruct": {"steps": 3}}
    compare("", row, lambda changed: {"runs": {"x": changed, "y": {"method": "dx2ct"}}})


def all_keys() -> Iterator[tuple[str, Any]]:
    """Every key of shared sections, sections of methods, rows and what they hold, with its pydantic field."""
    kinds = [Sections, DerivedRow]
    kinds += [kind for method in methods().values() for kind in (method.row, *method.sections.values())]
    while kinds:
        for name, info in fields_of(kinds.pop()).items():
            if name in ("method", "kind") or extra_of(info).get("internal"):
                continue
            kinds += [kind for kind in sections_in(info.annotation) if is_section(kind)]
            yield name, info


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all values and of all sections but the outermost."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))


def replaced(values: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(dict(values))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def compare(place: str, section: dict[str, Any], put: Any, skip: str = "") -> int:
    """Every key of the section with every edge: schema and types must agree. How many both refused."""
    assert problems(put(section)) == [], "the section itself"
    refused = 0
    for path in leaves(section):
        for value in EDGES if path[-1] != skip else ():
            values = put(replaced(section, path, value))
            found, at = problems(values), f"{place} {'.'.join(path)}: {value!r}"
            if VALIDATOR.is_valid(values):
                assert all(_beyond_a_schema(one) for one in found), f"the types alone refuse {at}: {found}"
            else:
                assert found, f"the schema alone refuses {at}"
                refused += 1
    return refused


def problems(values: dict[str, Any]) -> list[Problem]:
    """What the types say."""
    whole = {"runs": {"x": {"method": "mean"}}, "report": ["x"]} | values
    try:
        validated(config_type(), whole)
    except SettingsError as error:
        return list(error.found)
    return []


def _beyond_a_schema(problem: Problem) -> bool:
    """To a schema 2.0 is an integer, and what a file lacks may stand in another layer."""
    lacks = problem.text == "missing" and isinstance(problem.path[-1], str)
    return lacks or problem.text == "1000000000.0 is no integer" or any(rule in problem.text for rule in LAXER)
