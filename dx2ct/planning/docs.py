"""Tables of the documentation that are derived from the registries, written between two marker comments of a page.

python -m dx2ct.planning.docs writes them all anew, with the schema and docs/configuration.md.
"""

from collections.abc import Callable, Iterable, Sequence

from drr.errors import InputError
from drr.files import replacing
from dx2ct.data.sources import sources
from dx2ct.layout import ROOT
from dx2ct.methods import BUILT_IN, method_named
from dx2ct.metrics.metric import Metric
from dx2ct.metrics.registry import FILM_METRICS, METRICS
from dx2ct.planning import schema
from dx2ct.samplers import SOLVERS

DOCS = ROOT / "docs"


def methods_table() -> str:
    """Every method of the project: its name, what it is, what it learns from and its keys."""
    rows = []
    for name in BUILT_IN:
        method = method_named(name)
        keys = ", ".join(f"`methods.{name}.{part}`" for part in method.sections)
        marks = ("yes" if method.learns else "", "yes" if method.samples else "")
        rows.append((f"`{name}`", method.title, *marks, keys, method.source))
    return markdown(("method", "title", "trained by steps", "starts from noise", "sections", "source"), rows)


def solvers_table() -> str:
    """Every solver."""
    rows = [(f"`{name}`", one.title, "yes" if one.takes_eta else "no", one.source) for name, one in SOLVERS.items()]
    return markdown(("solver", "title", "fresh noise (`eta`)", "source"), rows)


def sources_table() -> str:
    """Every source of scans."""
    rows = [
        (f"`{name}`", one.title, ", ".join(f"`{column}`" for column in one.columns), "yes" if one.fetch else "")
        for name, one in sources().items()
    ]
    return markdown(
        ("`cohort.source`", "scans", "columns of the sheet, beside scan, patient, series_uid", "fetched"), rows
    )


def metrics_table(metrics: Sequence[Metric] = METRICS) -> str:
    """Every metric; a column whose name holds {view} stands for one each."""
    better = {1: "higher", 0: "", -1: "lower"}
    rows = []
    for metric in metrics:
        names = ", ".join(f"`{one.name}`" for one in metric.each(["{view}"]))
        missing = "is left out of means" if metric.scope.skips_missing else "empties a mean"
        cells = (metric.definition, metric.unit, better[metric.better], metric.scope.what, missing, metric.source)
        rows.append((names, *cells))
    return markdown(("column", "what", "unit", "better", "looks at", "a scan without it", "source"), rows)


PAGES: dict[str, Callable[[], str]] = {
    "methods.md": methods_table,
    "metrics.md": metrics_table,
    "sampling.md": solvers_table,
    "data.md": sources_table,
    "films.md": lambda: metrics_table(FILM_METRICS),
}


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def filled(page: str, table: str, name: str) -> str:
    """The page with the table between its markers; InputError where it has none."""
    begin = f"<!-- {name.removesuffix('.md')}: python -m dx2ct.planning.docs writes this table -->"
    end = f"<!-- end of {name.removesuffix('.md')} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise InputError(f"docs/{name}: the line {begin!r} or {end!r} is missing: put it back")
    return f"{before}{begin}\n{table}\n{end}{after}"


def main() -> None:
    """Write everything that is derived from types and registries."""
    schema.write()
    for name, table in PAGES.items():
        page = filled((DOCS / name).read_text(encoding="utf-8"), table(), name)
        with replacing(DOCS / name) as part:
            part.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
