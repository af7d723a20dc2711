"""The quality page of a cohort: one self-contained HTML table with pictures, to be sorted and searched."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.data.cohort.selection import flags_of
from dx2ct.data.prepare.quality import LUNG_WARNING, PADDED_WARNING
from dx2ct.data.tables import read_table
from dx2ct.report.provenance import reasons, today
from dx2ct.report.templating import environment

AGAIN = "run the cohort stage again"


def write_qc_page(cohort: Path, left_out: Sequence[Path], data: Path, output: Path) -> None:
    """Write the page about every scan of the table of scans in use, from data/qc/SCAN.json.

    left_out: the tables that the report shows, too.

    Raises InputError for a table or a scan's file that is missing or cannot be read.
    """
    scans = [
        _scan(row, layout.quality(data, row["scan"])) for row in read_table(cohort, AGAIN, "\t", ("scan", "split"))
    ]
    page = (
        environment(is_html=True)
        .get_template("qc.html.j2")
        .render(
            date=today(),
            scans=scans,
            left_out=reasons((), left_out),
            warned=sum(bool(scan["warnings"]) for scan in scans),
            doubtful=[scan for scan in scans if _is_doubtful(scan)],
        )
    )
    with replacing(output) as part:
        part.write_text(page, encoding="utf-8")


def _scan(row: Mapping[str, str], path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}): run the quality stage again") from None
    warnings = [f"known defect: {flag}" for flag in sorted(flags_of(row))] + found["warnings"]
    return found | {"split": row["split"], "warnings": warnings, "curve": _curve(found["histogram"])}


def _is_doubtful(scan: Mapping[str, Any]) -> bool:
    """True for what may be no chest, or a small part of one. Older files do not say how much lung there is."""
    return bool(scan["padded"] > PADDED_WARNING or scan.get("lung", 1) < LUNG_WARNING)


def _curve(histogram: list[int]) -> str:
    """Points of a polyline in a box of 100 x 100, y downwards."""
    step = 100 / (len(histogram) - 1)
    return " ".join(f"{k * step:.0f},{100 - height}" for k, height in enumerate(histogram))
