"""What is generated from the types: the JSON schema that editors read and the table of all keys.

python -m dx2ct.planning.docs writes workflow/schemas/config.schema.yaml and docs/configuration.md anew.
"""

from collections.abc import Iterator
import json
from typing import Any

import yaml

from dx2ct.config import DerivedRow
from dx2ct.config.keys import extra_of, fields_of
from dx2ct.config.parse import adapter, plain
from dx2ct.config.walk import default_of, is_section, keys
from dx2ct.layout import ROOT
from dx2ct.methods import BUILT_IN, methods
from dx2ct.planning.tree import config_type

SCHEMA, TABLE = ROOT / "workflow/schemas/config.schema.yaml", ROOT / "docs/configuration.md"
_LARGE = ("model", "train")  # of a section: with a table of their own
_HEAD = "# Generated from the types by `python -m dx2ct.planning.docs`: editors complete and check YAML with it.\n"
_INTRODUCTION = """\
# Configuration

Every key of the configuration, generated from its type by `python -m dx2ct.planning.docs`. A file says what differs
from the defaults. It stands alone, or is laid over another one that it names with `base: FILE`, looked for beside the
file and then in the project's folder; of several files after `--configfile` the later is laid over the earlier.
`python -m dx2ct config FILE` checks one, with `--resolve` it prints every value and where it is from. Unknown keys
are refused. A configuration is code: Snakemake runs the Python of one that says `__use_yte__: true`, so take them from
people you trust.

Defaults are the paper's numbers where the paper has them. Sources: *paper*, DX2CT (ICASSP 2025), section IV-A unless
another is named; *digest*, a third party's public notes on it, CosmosXRay360, which agree with all numbers of the
text; *X2CT*, X2CT-GAN (CVPR 2019) and its published data preparation; *PerX2CT*, its paper (ICASSP 2023) and
published configuration; *default*, stated nowhere, our choice, and why.

Editors that know YAML schemas complete keys after the line `# yaml-language-server:
$schema=workflow/schemas/config.schema.yaml`.
"""


def schema_text() -> str:
    """The JSON schema as YAML."""
    schema = _tidy(adapter(config_type()).json_schema())
    schema["properties"]["base"] = {"type": "string", "description": "The file that this one is laid over"}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return _HEAD + yaml.safe_dump(schema, sort_keys=False, width=120, allow_unicode=True)


def _tidy(node: Any) -> Any:
    """Without internal keys and pydantic's titles; units and sources are part of the descriptions."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        return _of_keys(node)
    unit, source = node.pop("unit", ""), node.pop("source", "")
    node.pop("earlier", None)
    if isinstance(node.get("title"), str):
        node.pop("title")
    if isinstance(node.get("description"), str):
        notes = [f"in {unit}" if unit else "", f"default: {source.removeprefix('default: ')}" if source else ""]
        node["description"] = ". ".join(filter(None, [node["description"], *notes]))
    return {name: _tidy(value) for name, value in node.items()}


def _of_keys(section: dict[str, Any]) -> dict[str, Any]:
    """A section; no key is required, because another layer or the default says what a file does not."""
    named = section.pop("properties")  # whose names are keys of a file and none of the schema's own
    section.pop("required", None)
    known = {name: _tidy(value) for name, value in named.items() if not value.pop("internal", False)}
    return {**_tidy(section), "properties": known}


def table_text() -> str:
    """docs/configuration.md."""
    parts = [_INTRODUCTION]
    whole = config_type()
    for name, info in keys(whole).items():
        if is_section(info.annotation) and name != "methods":
            parts.append(_section(name, info.annotation))
            for part, inner in keys(info.annotation).items():  # type: ignore[arg-type]
                if part in _LARGE:
                    parts.append(_section(f"{name}.{part}", inner.annotation))
    for name in BUILT_IN:
        for part, kind in methods()[name].sections.items():
            parts.append(_section(f"methods.{name}.{part}", kind))
    parts.append(
        "## `runs.RUN`\n\nA row is a method with its ablations; results go to `results/RUN/`. `method` chooses it.\n"
    )
    for name in BUILT_IN:
        parts.append(f"### `method: {name}`, {methods()[name].title}\n\n{_rows(methods()[name].row, '')}")
    parts.append(f"### A derived run\n\n{(DerivedRow.__doc__ or '').strip()}\n\n{_rows(DerivedRow, '')}")
    parts.append("## `report`\n\nThe runs of `results/metrics.csv` and `results/report.html`, a list of names.\n")
    seeds, folds = (keys(whole)[name].description for name in ("seeds", "folds"))
    parts.append(f"## `seeds`\n\n{seeds}. None by default; `results/comparisons.csv` takes them together.\n")
    parts.append(f"## `folds`\n\n{folds}. None by default; RUN has the reconstructions of all of them.\n")
    return "\n".join(parts)


def _section(name: str, kind: Any) -> str:
    text = (kind.__doc__ or "").strip()
    return f"## `{name}`\n\n{text}\n\n{_rows(kind, '')}"


def _rows(kind: type, prefix: str) -> str:
    lines = ["| key | default | meaning | source |", "|---|---|---|---|", *_lines(kind, prefix)]
    return "\n".join(lines) + "\n"


def _lines(kind: type, prefix: str) -> Iterator[str]:
    for name, info in fields_of(kind).items():
        extra = extra_of(info)
        if extra.get("internal") or name == "method":
            continue
        if name in _LARGE:
            continue
        if is_section(info.annotation):
            yield from _lines(info.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
            continue
        default = "" if info.is_required() else f"`{json.dumps(_plain(default_of(info)))}`"
        unit = f", {extra['unit']}" if extra.get("unit") else ""
        cells = (f"`{prefix}{name}`", default, f"{info.description or ''}{unit}", str(extra.get("source", "")))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(value: Any) -> Any:
    if is_section(type(value)):
        return plain(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def write() -> None:
    """Write both files anew."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    TABLE.write_text(table_text(), encoding="utf-8")
