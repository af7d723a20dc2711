"""The stages before training: cohorts, volumes, X-rays, slices, quality."""

from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

from drr.errors import InputError
from dx2ct.cli.options import Data, Header, Output, Settings, Sheet, Threads

if TYPE_CHECKING:
    from dx2ct.config import HeaderSettings

app = typer.Typer()


@app.command()
def cohort(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|TABLE",
            help="The source: a folder with one's own CTs, DICOM folders or zips, NIfTI, MHA, NRRD; or a table (.csv, "
            ".tsv) of them with the columns path, patient and, as one likes, split.",
        ),
    ],
    output: Output,
    test: Annotated[
        float | None,
        typer.Option(
            help="Fraction of the patients for testing; 1: an external test set; 0: no test. Without it the splits of "
            "the table or the data set, or 0.2."
        ),
    ] = None,
    val: Annotated[
        float | None,
        typer.Option(help="Fraction of the patients for validation; where splits are listed, of those that train."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the patient-wise split.")] = 0,
    patient_from: Annotated[
        str | None,
        typer.Option(
            metavar="folder|name|REGEX",
            help="What tells patients apart, instead of PatientIDs, BIDS subjects and file names: the first folder "
            "below FOLDER, the scan's own name, or a regular expression on the path below FOLDER (its first group).",
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="auto|luna16|ct-rate|none",
            help="The data set that FOLDER holds; auto takes those that are unmistakable, and says so.",
        ),
    ] = "auto",
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="A fold for each patient, who is tested by it: columns split_foldN.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a sheet that is there already.")] = False,
    max_slice_mm: Annotated[float | None, typer.Option(help="Largest distance between slices.")] = None,
    max_gap_mm: Annotated[float | None, typer.Option(help="Largest hole between neighbouring slices.")] = None,
    min_z_mm: Annotated[float | None, typer.Option(help="Smallest extent along the body.")] = None,
    max_z_mm: Annotated[float | None, typer.Option(help="Largest extent along the body.")] = None,
    min_fov_mm: Annotated[float | None, typer.Option(help="Smallest width of the images.")] = None,
    max_fov_mm: Annotated[float | None, typer.Option(help="Largest width of the images.")] = None,
    contrast: Annotated[bool | None, typer.Option(help="Only scans with (without) contrast agent.")] = None,
    exclude_flag: Annotated[
        list[str] | None, typer.Option(help="duplicate-slices or irregular-spacing; may be repeated.")
    ] = None,
) -> None:
    """Write the sample sheet and the config.yaml of one's own CTs; exit code 1 when a scan had to be left out."""
    from dx2ct.config import check, FilterSettings
    from dx2ct.data.cohort.survey import write_cohort

    filters = check(
        FilterSettings,
        max_slice_mm=max_slice_mm,
        max_gap_mm=max_gap_mm,
        min_z_mm=min_z_mm,
        max_z_mm=max_z_mm,
        min_fov_mm=min_fov_mm,
        max_fov_mm=max_fov_mm,
        contrast=contrast,
        exclude_flags=exclude_flag or [],
    )
    left_out = write_cohort(
        source,
        output,
        filters,
        test_fraction=test,
        val_fraction=val,
        seed=seed,
        patient_from=patient_from,
        preset=preset,
        leave_one_out=leave_one_out,
        force=force,
    )
    if left_out:
        raise typer.Exit(1)


@app.command()
def select(
    sheet: Annotated[Path, typer.Argument(help="A sample sheet, or the table of LIDC-IDRI.")],
    selection: Annotated[str, typer.Option(help="split, limit and filters of config.yaml's section cohort as JSON.")],
    output: Output,
    left_out: Annotated[Path, typer.Option(help="Where the table of the scans left out goes.")],
    failed: Annotated[list[Path] | None, typer.Option(help="Record of a scan that could not be read.")] = None,
    fold: Annotated[list[str] | None, typer.Option(help="NAME: keep the column split_NAME; may be repeated.")] = None,
) -> None:
    """Write the scans of a sheet that split, filters and limit choose, and the table of all others with reasons."""
    from dx2ct.config import parse, SelectionSettings
    from dx2ct.data.cohort.used import write_used_cohort

    write_used_cohort(sheet, parse(SelectionSettings, selection), failed or (), output, left_out, fold or ())


@app.command()
def fetch(
    scan: str,
    source: Annotated[str, typer.Option(help="Where the cohort is from: a name of cohort.source.")],
    sheet: Sheet,
    output: Output,
    settings: Annotated[str, typer.Option(help="The source's section of the configuration as JSON.")] = "{}",
) -> None:
    """Fetch one scan of a sheet as a zip of its DICOM series: draw a phantom, or download and verify a series."""
    from dx2ct.data.cohort.sheet import checked_rows
    from dx2ct.data.sources import sources

    if source not in sources() or not sources()[source].fetch:
        fetched = [name for name, one in sources().items() if one.fetch]
        raise InputError(f"--source {source}: scans are fetched from {', '.join(fetched)}")
    rows = [row for row in checked_rows(sheet) if row["scan"] == scan]
    if not rows:
        raise InputError(f"{sheet}: no scan {scan}")
    sources()[source].run(rows[0], sheet, settings, output)


@app.command()
def download(
    series: Annotated[str, typer.Option(help="SeriesInstanceUID, a row of the manifest.")],
    manifest: Annotated[Path, typer.Option(help="The frozen table of the collection's series (.tsv).")],
    settings: Settings,
    output: Output,
) -> None:
    """Fetch one DICOM series as a zip, verified by the manifest, and a receipt; exit code 1: nothing is there.

    To resume after an interruption, run the same command again.
    """
    from dx2ct.config import DownloadSettings, parse
    from dx2ct.data.sources.lidc.fetch import download

    download(series, manifest, parse(DownloadSettings, settings), output)


@app.command()
def volume(
    source: Annotated[Path, typer.Argument(help="DICOM folder or zip, or a NIfTI, MHA or NRRD file.")],
    settings: Settings,
    output: Output,
    series_uid: Annotated[str, typer.Option(help="Series to take; empty = the largest CT series.")] = "",
    failure: Annotated[Path | None, typer.Option(help="Record to leave when the source is unusable.")] = None,
    header: Header = "",
) -> None:
    """Resample one CT to the canonical cube, int16 HU."""
    from dx2ct.config import parse, VolumeSettings
    from dx2ct.data.prepare.failed import recorded
    from dx2ct.data.prepare.volume import make_volume

    parsed = parse(VolumeSettings, settings)
    with recorded(failure, source, settings, series_uid, header):
        make_volume(source, parsed, output, series_uid or None, _restated(header))


@app.command()
def xray(
    source: Annotated[Path, typer.Argument(help="A volume written by `dx2ct volume`.")],
    settings: Settings,
    output: Output,
    backend: Annotated[str, typer.Option(help="auto, numpy, cpu or cuda.")] = "auto",
    threads: Threads = 0,
) -> None:
    """Render the line integrals of one volume in every view into a folder."""
    from dx2ct.config import parse, XraySettings
    from dx2ct.data.prepare.xrays import make_xrays

    make_xrays(source, parse(XraySettings, settings), output, backend, threads)


@app.command()
def slices(
    source: Annotated[Path, typer.Argument(help="A volume written by `dx2ct volume`.")],
    settings: Settings,
    output: Output,
) -> None:
    """Write one volume at the training grid as axial, coronal and sagittal stacks."""
    from dx2ct.config import parse, SlicesSettings
    from dx2ct.data.prepare.slices import make_slices

    make_slices(source, parse(SlicesSettings, settings), output)


@app.command()
def quality(
    scan: str,
    source: Annotated[Path, typer.Argument(help="What `dx2ct volume` read.")],
    data: Data,
    output: Output,
    series_uid: Annotated[str, typer.Option(help="Series to take; empty = the largest CT series.")] = "",
    view: Annotated[
        list[str] | None, typer.Option(help="A view to show; may be repeated. Without: PA, lateral.")
    ] = None,
    header: Header = "",
) -> None:
    """Write small pictures and the numbers of one prepared scan for the quality page."""
    from dx2ct.config.data import PA_AND_LATERAL
    from dx2ct.data.prepare.quality import write_quality

    write_quality(scan, source, series_uid, data, output, view or tuple(PA_AND_LATERAL), _restated(header))


@app.command()
def qc_page(
    cohort: Annotated[Path, typer.Argument(help="Table of the scans in use.")],
    left_out: Annotated[list[Path], typer.Option(help="Table of scans left out; may be repeated.")],
    data: Data,
    output: Output,
) -> None:
    """Write one self-contained HTML page about the quality of every scan."""
    from dx2ct.report.qc_page import write_qc_page

    write_qc_page(cohort, left_out, data, output)


def _restated(header: str) -> "HeaderSettings | None":
    """The option --header; an InputError names it."""
    from dx2ct.config import HeaderSettings, parse

    try:
        return parse(HeaderSettings, header) if header else None
    except InputError as error:
        raise InputError(f"--header {header}: {error}") from None
