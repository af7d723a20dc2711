"""Which of the scans found are kept: every other one is a line on stderr, and in the table of those left out."""

from collections.abc import Sequence
from dataclasses import asdict
import sys

from dx2ct.config import FilterSettings
from dx2ct.data.cohort.names import shown
from dx2ct.data.cohort.patients import Name, PatientFrom
from dx2ct.data.cohort.places import LeftOut, Scan
from dx2ct.data.cohort.selection import filter_reason
from dx2ct.data.cohort.splits import contradictions


def leave(one: LeftOut, left_out: list[LeftOut]) -> None:
    """Add one to those left out, and say so."""
    left_out.append(one)
    print(f"left out: {shown(one.path)}: {shown(one.reason)}", file=sys.stderr)


def named(scans: Sequence[Scan], choose: PatientFrom, left_out: list[LeftOut], expression: str | None) -> list[Scan]:
    """The scans whose patient a list or the expression names; the others are added to `left_out`."""
    kept = []
    for scan in scans:
        if scan.listed or choose(scan):
            kept.append(scan)
        else:
            leave(LeftOut(scan.path, f"--patient-from {expression} finds no patient in its path"), left_out)
    return kept


def agreeing(scans: Sequence[Scan], names: Sequence[Name], left_out: list[LeftOut]) -> tuple[list[Scan], list[Name]]:
    """The scans of patients whose split is said once; the others are added to `left_out`."""
    wrong = contradictions(scans, names)
    for one in wrong.values():
        leave(one, left_out)
    kept = [k for k in range(len(scans)) if k not in wrong]
    return [scans[k] for k in kept], [names[k] for k in kept]


def filtered(
    scans: Sequence[Scan], names: Sequence[Name], filters: FilterSettings, left_out: list[LeftOut]
) -> tuple[list[Scan], list[Name]]:
    """The scans that pass, with their patients; the others are added to `left_out`."""
    kept = []
    for scan, name in zip(scans, names, strict=True):
        reason = filter_reason(scan.facts, asdict(filters))
        if reason:
            leave(LeftOut(scan.path, reason), left_out)
        else:
            kept.append((scan, name))
    return [scan for scan, _ in kept], [name for _, name in kept]
