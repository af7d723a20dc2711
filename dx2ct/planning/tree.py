"""The whole configuration as one type: shared sections, the sections of every method, rows of runs."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Union

from pydantic import Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from dx2ct.config import (
    CohortSettings,
    DerivedRow,
    DownloadSettings,
    EngineSettings,
    SamplingOptions,
    ScoreSettings,
    SlicesSettings,
    VolumeSettings,
    XraySettings,
)
from dx2ct.config.keys import key, Name, Seed, STRICT
from dx2ct.config.runs import Folds
from dx2ct.config.style import StyleSettings
from dx2ct.methods import methods

DERIVED = "derived run"  # the tag of its row, which cannot be the name of a method or a key


@dataclass(frozen=True, config=STRICT)
class Sections:
    """The sections that are not a method's own."""

    cohort: CohortSettings = key(CohortSettings, "The scans")
    download: DownloadSettings = key(DownloadSettings, "Where LIDC-IDRI is fetched from")
    volume: VolumeSettings = key(VolumeSettings, "CT to one cube a scan")
    xray: XraySettings = key(XraySettings, "Line integrals of the cube")
    slices: SlicesSettings = key(SlicesSettings, "The training grid")
    engine: EngineSettings = key(EngineSettings, "How trainings run; no influence on what is learnt")
    reconstruct: SamplingOptions = key(SamplingOptions, "How noise becomes a volume")
    score: ScoreSettings = key(ScoreSettings, "Metrics")
    style: StyleSettings = key(
        StyleSettings, "Rendered X-rays in the style of films, and films in that of rendered ones"
    )


@dataclass(frozen=True, config=STRICT)
class Config(Sections):
    """A resolved configuration; `methods` has an attribute for every method with sections, `runs` a row by name."""

    seeds: Annotated[tuple[Seed, ...], Field(json_schema_extra={"uniqueItems": True})] = key(
        (), "Every run that learns by steps is trained once with each, as RUN_seedN; empty: once, with its own seed"
    )
    folds: Folds = key(
        (), "Every run is trained once for each, as RUN_NAME, by the sheet's column split_NAME; empty: by cohort.split"
    )
    methods: Any = None
    runs: Mapping[str, Any] = Field(default_factory=dict)
    report: tuple[str, ...] = ()


@cache
def config_type() -> type[Config]:
    """The type of a configuration with the methods that are known here."""
    own = {name: _own_sections(name) for name, method in methods().items() if method.sections}
    described = {name: (kind, key(kind, kind.__doc__ or "")) for name, kind in own.items()}
    of_methods = section_type("MethodSections", "Networks and trainings of every method.", described)
    rows = [Annotated[method.row, Tag(name)] for name, method in methods().items()]
    members = (*rows, Annotated[DerivedRow, Tag(DERIVED)])
    row: Any = Annotated[Union.__getitem__(members), Discriminator(_kind_of_row)]
    runs: Any = Annotated[dict[Name, row], Field(min_length=1)]
    report = Annotated[tuple[str, ...], Field(min_length=1)]
    further = {
        "methods": (of_methods, key(of_methods, "Networks and trainings by method")),
        "runs": (runs, Field(description="A row is a method with its ablations; results go to results/RUN/")),
        "report": (report, Field(description="The runs of results/metrics.csv and results/report.html")),
    }
    whole: type[Config] = section_type("WholeConfig", "The configuration of the workflow.", further, Config)
    return whole


def section_type(name: str, description: str, keys: Mapping[str, tuple[Any, Any]], base: type = object) -> Any:
    """A section made of {key: (type, Field)}."""
    body = {"__doc__": description, "__annotations__": {key: kind for key, (kind, _) in keys.items()}}
    made = type(name, (base,), body | {key: field for key, (_, field) in keys.items()})
    return dataclass(made, frozen=True, config=STRICT, kw_only=True)


def _own_sections(name: str) -> Any:
    """The type of `methods.NAME`."""
    parts = {part: (kind, key(kind, kind.__doc__ or "")) for part, kind in methods()[name].sections.items()}
    return section_type(f"{name}_sections", f"Networks and training of {methods()[name].title}.", parts)


def _kind_of_row(row: Any) -> str | None:
    if isinstance(row, Mapping):
        return DERIVED if "weights_of" in row else row.get("method")
    return DERIVED if isinstance(row, DerivedRow) else getattr(row, "method", None)
