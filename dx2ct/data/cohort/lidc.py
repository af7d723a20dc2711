"""Whose a series of LIDC-IDRI is: LUNA16 and others name files by its UID, and some copies lose the PatientID."""

from functools import cache

from dx2ct.config.data import MANIFEST
from dx2ct.data.cohort.selection import read_rows, Row
from dx2ct.layout import ROOT

ORIGIN = "LIDC-IDRI's table"
_ROOT = "1.3.6.1.4.1.14519.5.2.1.6279.6001."  # of all its UIDs, and of no other collection that is known here


def ct_series(uid: str) -> Row | None:
    """The row of a CT series in the table of LIDC-IDRI; None for any other UID, without reading the table."""
    return _rows().get(uid) if uid.startswith(_ROOT) else None


@cache
def _rows() -> dict[str, Row]:
    rows = read_rows(ROOT / MANIFEST)
    return {row["series_uid"]: row for row in rows if row["modality"] == "CT"}
