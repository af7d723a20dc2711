"""The table of definitions in docs/metrics.md: python -m dx2ct.metrics.docs writes it between its two markers."""

from collections.abc import Sequence
from pathlib import Path

from drr.errors import InputError
from drr.files import replacing
from dx2ct.metrics.metric import Metric
from dx2ct.metrics.registry import METRICS

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
BEGIN, END = "<!-- metrics: python -m dx2ct.metrics.docs writes this table -->", "<!-- end of metrics -->"
HEADS = ("column", "what", "unit", "better", "looks at", "a scan without it", "source")
BETTER = {1: "higher", 0: "", -1: "lower"}


def table(metrics: Sequence[Metric] = METRICS) -> str:
    """One row a metric, as a Markdown table."""
    return "\n".join(_line(cells) for cells in (HEADS, ["---"] * len(HEADS), *map(_cells, metrics)))


def filled(page: str, metrics: Sequence[Metric] = METRICS) -> str:
    """The page with the table of these metrics between its markers; InputError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{PAGE}: the line {BEGIN!r} or {END!r} is missing: put it back")
    return f"{before}{BEGIN}\n{table(metrics)}\n{END}{after}"


def _cells(metric: Metric) -> list[str]:
    names = ", ".join(f"`{one.name}`" for one in metric.each(["{view}"]))
    missing = "is left out of means" if metric.scope.skips_missing else "empties a mean"
    return [names, metric.definition, metric.unit, BETTER[metric.better], metric.scope.what, missing, metric.source]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write docs/metrics.md anew."""
    page = filled(PAGE.read_text(encoding="utf-8"))
    with replacing(PAGE) as part:
        part.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
