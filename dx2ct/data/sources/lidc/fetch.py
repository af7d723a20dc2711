"""One series of the manifest, from the first source that can give all of it."""

from dataclasses import asdict
from pathlib import Path

from drr.ct.sources import note
from drr.errors import InputError
from drr.progress import bar
from dx2ct.config import DownloadSettings, LocalSource, RemoteSource
from dx2ct.data.sources.lidc import nbia, s3, tree
from dx2ct.data.sources.lidc.disk import require_space
from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.http import Http
from dx2ct.data.sources.lidc.pack import deliver
from dx2ct.data.sources.lidc.receipt import is_settled, receipt_path
from dx2ct.data.sources.lidc.series import find_series, Series
from dx2ct.data.sources.lidc.staging import Staging, staging_for
from dx2ct.data.sources.lidc.verify import Part


def download(series_uid: str, manifest: Path, settings: DownloadSettings, output: Path) -> None:
    """Write the series as a stored zip with a receipt beside it; do nothing when that is there already.

    Raises InputError when no source has it, or the disk is full: then neither zip nor receipt is there. Files that were
    verified stay in the staging folder when another try may complete them, and are not fetched again.
    """
    series = find_series(manifest, series_uid)
    try:
        with staging_for(output, series) as staging:
            if is_settled(output, series):
                note(f"{output}: is there and as verified: nothing to fetch")
            else:
                _clear(output)
                _fetch(series, settings, staging, output)
            staging.empty()
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None


def _clear(output: Path) -> None:
    if output.exists():
        note(f"{output}: is not what its receipt says, or has none: fetched anew")
    output.unlink(missing_ok=True)
    receipt_path(output).unlink(missing_ok=True)


def _fetch(series: Series, settings: DownloadSettings, staging: Staging, output: Path) -> None:
    is_remote = any(isinstance(source, RemoteSource) for source in settings.sources)
    require_space(output.parent, series, staged=is_remote, there=staging.size)
    faults: list[str] = []
    may_pass = False
    for source in settings.sources:
        try:
            parts = _gather(source, series, settings, staging, output.parent)
            deliver(parts, series, asdict(source), staging, output)
            return
        except SourceError as fault:
            faults.append(f"{source.path if isinstance(source, LocalSource) else source.url}: {fault}")
            may_pass |= isinstance(fault, PassingError)
            note(faults[-1])
            staging.tidy()
    if not may_pass:
        staging.empty()
    advice = "run the same command again later" if may_pass else "add a source that has it, or leave the scan out"
    raise InputError(f"{output}: no source gave series {series.uid} ({'; '.join(faults)}): {advice}")


def _gather(
    source: RemoteSource | LocalSource, series: Series, settings: DownloadSettings, staging: Staging, folder: Path
) -> list[Part]:
    if isinstance(source, LocalSource):
        return tree.gather(source, series, folder)
    # NBIA packs what it sends: its bar ends before it is full.
    with bar(f"series ...{series.uid[-8:]}", "B", series.size) as shown, Http(settings, shown.update) as http:
        gather = s3.gather if source.kind == "idc" else nbia.gather
        return gather(source, series, settings, http, staging)
