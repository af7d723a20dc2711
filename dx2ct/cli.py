"""python -m dx2ct: one subcommand a stage; the rules call these, and so can a person.

Heavy imports happen inside the subcommand that needs them, so that --help answers at once.
"""

from pathlib import Path
import sys
from typing import Annotated

import typer

from drr.errors import InputError

app = typer.Typer(
    name="dx2ct",
    help="3D chest CT from one or two X-rays. Research use only, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Settings = Annotated[str, typer.Option(help="The stage's section of config.yaml as JSON; every key is required.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Sheet = Annotated[Path, typer.Option(help="The cohort's sample sheet (.tsv).")]
Selection = Annotated[
    str | None,
    typer.Option(help="split, limit and filters of the section cohort as JSON; without it all rows."),
]
Data = Annotated[Path, typer.Option(help="Folder with xrays/, slices/ and volumes/.")]
LeaveOut = Annotated[list[str] | None, typer.Option(help="A scan of the sheet to pass over; may be repeated.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(help="CPU threads; 0 = all.")]


@app.command()
def cohort(
    folder: Annotated[Path, typer.Argument(help="Folder with one's own CTs: DICOM folders or zips, NIfTI, MHA, NRRD.")],
    output: Output,
    test: Annotated[float, typer.Option(help="Fraction of the patients for testing.")] = 0.2,
    val: Annotated[float, typer.Option(help="Fraction of the patients for validation.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the patient-wise split.")] = 0,
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
    from dx2ct.data.cohort import write_cohort
    from dx2ct.settings import check, FilterSettings

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
    left_out = write_cohort(folder, output, filters, test_fraction=test, val_fraction=val, seed=seed)
    if left_out:
        raise typer.Exit(1)


@app.command()
def select(
    sheet: Annotated[Path, typer.Argument(help="A sample sheet, or the table of LIDC-IDRI.")],
    selection: Annotated[str, typer.Option(help="split, limit and filters of config.yaml's section cohort as JSON.")],
    output: Output,
    left_out: Annotated[Path, typer.Option(help="Where the table of the scans left out goes.")],
    failed: Annotated[list[Path] | None, typer.Option(help="Record of a scan that could not be read.")] = None,
) -> None:
    """Write the scans of a sheet that split, filters and limit choose, and the table of all others with reasons."""
    from dx2ct.data.used_cohort import write_used_cohort
    from dx2ct.settings import parse, SelectionSettings

    write_used_cohort(sheet, parse(SelectionSettings, selection), failed or (), output, left_out)


@app.command()
def phantom(scan: str, settings: Settings, output: Output) -> None:
    """Write one procedural thorax phantom as a zipped DICOM CT series."""
    from dx2ct.data.phantom import write_phantom
    from dx2ct.settings import parse, PhantomSettings

    write_phantom(scan, parse(PhantomSettings, settings), output)


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
    from dx2ct.download.fetch import download
    from dx2ct.settings import DownloadSettings, parse

    download(series, manifest, parse(DownloadSettings, settings), output)


@app.command()
def volume(
    source: Annotated[Path, typer.Argument(help="DICOM folder or zip, or a NIfTI, MHA or NRRD file.")],
    settings: Settings,
    output: Output,
    series_uid: Annotated[str, typer.Option(help="Series to take; empty = the largest CT series.")] = "",
    failure: Annotated[Path | None, typer.Option(help="Record to leave when the source is unusable.")] = None,
) -> None:
    """Resample one CT to the canonical cube, int16 HU."""
    from dx2ct.data.canonical import make_volume
    from dx2ct.data.failed import recorded
    from dx2ct.settings import parse, VolumeSettings

    parsed = parse(VolumeSettings, settings)
    with recorded(failure, source, settings, series_uid):
        make_volume(source, parsed, output, series_uid or None)


@app.command()
def xray(
    source: Annotated[Path, typer.Argument(help="A volume written by `dx2ct volume`.")],
    settings: Settings,
    output: Output,
    backend: Annotated[str, typer.Option(help="auto, numpy, cpu or cuda.")] = "auto",
    threads: Threads = 0,
) -> None:
    """Render the PA and the lateral line integrals of one volume into a folder."""
    from dx2ct.data.prepare import make_xrays
    from dx2ct.settings import parse, XraySettings

    make_xrays(source, parse(XraySettings, settings), output, backend, threads)


@app.command()
def slices(
    source: Annotated[Path, typer.Argument(help="A volume written by `dx2ct volume`.")],
    settings: Settings,
    output: Output,
) -> None:
    """Write one volume at the training grid as axial, coronal and sagittal stacks."""
    from dx2ct.data.prepare import make_slices
    from dx2ct.settings import parse, SlicesSettings

    make_slices(source, parse(SlicesSettings, settings), output)


@app.command()
def quality(
    scan: str,
    source: Annotated[Path, typer.Argument(help="What `dx2ct volume` read.")],
    data: Data,
    output: Output,
    series_uid: Annotated[str, typer.Option(help="Series to take; empty = the largest CT series.")] = "",
) -> None:
    """Write small pictures and the numbers of one prepared scan for the quality page."""
    from dx2ct.data.quality import write_quality

    write_quality(scan, source, series_uid, data, output)


@app.command()
def qc_page(
    cohort: Annotated[Path, typer.Argument(help="Table of the scans in use.")],
    left_out: Annotated[Path, typer.Option(help="Table of the scans left out.")],
    data: Data,
    output: Output,
) -> None:
    """Write one self-contained HTML page about the quality of every scan."""
    from dx2ct.qc_page import write_qc_page

    write_qc_page(cohort, left_out, data, output)


@app.command()
def train(
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train one run; to resume after an interruption, run the same command again."""
    from dx2ct.data.sheet import read_sheet
    from dx2ct.methods import method_of
    from dx2ct.model_card import write_model_card
    from dx2ct.settings import parse, SelectionSettings
    from dx2ct.train import set_up_torch

    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None)
    method_of(settings).train(settings, rows, data, output, set_up_torch(device, threads))
    write_model_card(output, sheet, rows)


@app.command()
def profile(
    settings: Annotated[str | None, typer.Option(help="What train takes, as JSON.")] = None,
    run: Annotated[Path | None, typer.Option(help="Or a trained run, whose settings.json is read.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where JSON goes, too.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps to measure, after two to warm up.")] = 10,
    batch: Annotated[int, typer.Option(min=0, help="Another batch than the settings'; 0 = theirs.")] = 0,
    precision: Annotated[str, typer.Option(help="auto (bf16 on a GPU), float32 or bf16.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Print what a run's training costs on this machine; needs no data.

    Of a configuration: snakemake --configfile workflow/config/paper.yaml results/dx2ct/profile.json
    """
    from drr.files import replacing
    from dx2ct import profile as profiling
    from dx2ct.train import set_up_torch

    if (settings is None) == (run is None):
        raise InputError("give either --settings or --run")
    text = settings if run is None else profiling.settings_of(run)
    result = profiling.profile(text or "", set_up_torch(device, threads), precision, batch, steps)
    print(profiling.to_json(result) if json else profiling.to_text(result))
    if output:
        with replacing(output) as part:
            part.write_text(profiling.to_json(result))


@app.command()
def reconstruct(
    scan: str,
    run: Annotated[Path, typer.Option(help="Folder of the trained run.")],
    settings: Settings,
    data: Data,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct one scan from its X-rays: RUN/volumes/SCAN.nii.gz and RUN/planes/SCAN/PLANE.nii.gz, HU."""
    from dx2ct.reconstruct import reconstruct_scan
    from dx2ct.settings import parse, ReconstructSettings
    from dx2ct.train import set_up_torch

    reconstruct_scan(scan, run, parse(ReconstructSettings, settings), data, set_up_torch(device, threads))


@app.command()
def score(
    run: Annotated[Path, typer.Option(help="Folder of the reconstructed run.")],
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    threads: Threads = 0,
) -> None:
    """Score every test scan of a run: one row a scan and plane."""
    from dx2ct.data.sheet import read_sheet
    from dx2ct.model_card import write_model_card
    from dx2ct.score import score_run
    from dx2ct.settings import parse, ScoreSettings, SelectionSettings
    from dx2ct.train import set_up_torch

    set_up_torch("cpu", threads)
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None)
    score_run(run, [row.scan for row in rows if row.split == "test"], parse(ScoreSettings, settings), data, output)
    if output.resolve() == (run / "scores.csv").resolve():
        write_model_card(run, sheet, rows)


@app.command()
def metrics(runs: list[Path], output: Output) -> None:
    """Aggregate the scores of runs: one row a run."""
    from dx2ct.score import write_metrics

    write_metrics(runs, output)


@app.command()
def report(
    runs: list[Path],
    output: Output,
    metrics: Annotated[Path, typer.Option(help="results/metrics.csv")],
    sheet: Sheet,
    data: Data,
    leave_out: LeaveOut = None,
    left_out: Annotated[
        list[Path] | None, typer.Option(help="Table or record of scans left out, with reasons.")
    ] = None,
) -> None:
    """Write the figures and one self-contained HTML page about the runs."""
    from dx2ct.report import write_report

    write_report(runs, metrics, sheet, leave_out or (), left_out or (), data, output)


def main() -> None:
    """Run the command line; a user's error is one line on stderr and exit code 1."""
    try:
        app()
    except InputError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
