"""From configuration files to one checked configuration, of which every value knows where it is from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct.config.parse import validated
from dx2ct.config.problems import dotted, SettingsError
from dx2ct.layout import seeded
from dx2ct.planning.checks import check
from dx2ct.planning.layers import command_line, KeyPath, merged, MODULE, read_layers
from dx2ct.planning.repeats import repeated, seeds_of
from dx2ct.planning.resolved import Resolved
from dx2ct.planning.tree import Config, config_type
from dx2ct.planning.values import origin_of

__all__ = ["MOVED", "Resolved", "resolve"]
MOVED = {name: f"methods.dx2ct.{name}" for name in ("model", "diffusion", "train")}  # since every method has its own


def resolve(
    files: Sequence[Path | Mapping[str, Any]], root: Path, overrides: Mapping[str, Any] | None = None
) -> Resolved:
    """Read, merge and check configuration files (the later over the earlier) and values of a command line over them.

    files: also the values of one, as a module of Snakemake is given them. root: the workflow's folder. Raises
    InputError, one line naming file, line and key of everything that is wrong.
    """
    layers = read_layers(files, root)
    if overrides:
        layers.append(command_line(overrides))
    values, origins = merged(layers)
    try:
        config: Config = validated(config_type(), values)
        check(Resolved(config, values, origins))
    except SettingsError as error:
        names = " and ".join(MODULE if isinstance(file, Mapping) else str(file) for file in files)
        raise InputError("; ".join(_line(one.path, one.text, origins, names) for one in error.found)) from None
    whole = repeated(config)
    for run in config.runs:
        for seed in seeds_of(config, run):
            origins[("runs", seeded(run, seed))] = origin_of(("runs", run), origins)
    return Resolved(whole, values, origins)


def _line(path: KeyPath, text: str, origins: Mapping[KeyPath, str], files: str) -> str:
    if len(path) == 1 and path[0] in MOVED:
        text = f"is {MOVED[str(path[0])]} now"
    if path in (("runs",), ("report",)) and text == "missing":
        text = "missing: a file stands alone; `base: config.yaml` in it lays it over the demo"
    where = origin_of(path, origins) or files
    return f"{where}: {dotted(path)}: {text}" if where else f"{dotted(path)}: {text}"
