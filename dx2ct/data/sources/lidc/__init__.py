"""Fetch DICOM series from public archives: verified by a frozen manifest, or not there at all.

One concern a file: `http` and `patience` (requests, retries); `s3`, `nbia` and `tree` (the kinds of sources); `series`
(the manifest); `verify` (what a good series is); `staging` (the half-fetched); `pack` and `receipt` (the result);
`disk`; `progress`; `fetch` (the sources in order).
"""

from collections.abc import Mapping
from pathlib import Path

from dx2ct.data.sources import Source


def fetch_series(row: Mapping[str, str], sheet: Path, settings: str, output: Path) -> None:
    """Download the series of a row, verified by the sheet, which is its manifest."""
    from dx2ct.config import DownloadSettings, parse
    from dx2ct.data.sources.lidc.fetch import download

    download(row["series_uid"], sheet, parse(DownloadSettings, settings), output)


# The archive is no result: changing its address fetches nothing again, so `download` is not tracked.
SOURCE = Source(
    "lidc",
    "LIDC-IDRI",
    ("modality", "images", "bytes", "idc_uuid"),
    fetch=f"{__name__}:fetch_series",  # `fetch` is a module here
    tracked=lambda row: {"series_uid": row["series_uid"]},
    section="download",
    nodules="workflow/resources/lidc-nodules.tsv",
    slots=1,
)
