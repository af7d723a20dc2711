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
Engine = Annotated[
    str | None,
    typer.Option(help="The section engine of config.yaml as JSON; without it nothing is compiled or drawn."),
]
MaxMemory = Annotated[
    int, typer.Option(min=0, help="MB of the process, on a GPU of what PyTorch has there; 0 = most of what is free.")
]


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
    engine: Engine = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train one run; to resume after an interruption, run the same command again.

    On several GPUs: torchrun --nproc-per-node GPUS -m dx2ct train ...
    """
    from dx2ct.data.sheet import read_sheet
    from dx2ct.distributed import processes, rank
    from dx2ct.methods import method_of
    from dx2ct.model_card import write_model_card
    from dx2ct.settings import EngineSettings, parse, PLAIN_ENGINE, SelectionSettings
    from dx2ct.train import set_up_torch

    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None)
    how = parse(EngineSettings, engine) if engine else PLAIN_ENGINE
    chosen = set_up_torch(device, threads)
    with processes(chosen):
        method_of(settings).train(settings, rows, data, output, chosen, how)
        if rank() == 0:
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
    engine: Engine = None,
    max_memory: MaxMemory = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct one scan from its X-rays: RUN/volumes/SCAN.nii.gz and RUN/planes/SCAN/PLANE.nii.gz, HU.

    Of several samples, RUN/deviations/SCAN.nii.gz, too.
    """
    from dx2ct.reconstruct import reconstruct_scan
    from dx2ct.samplers.machine import Machine, running
    from dx2ct.settings import EngineSettings, parse, PLAIN_ENGINE, ReconstructSettings
    from dx2ct.train import set_up_torch

    how = parse(ReconstructSettings, settings)
    with running(Machine(max_memory, parse(EngineSettings, engine) if engine else PLAIN_ENGINE)):
        reconstruct_scan(scan, run, how, data, set_up_torch(device, threads))


@app.command()
def publish(run: Annotated[Path, typer.Argument(help="Folder of a finished run.")], output: Output) -> None:
    """Write a run as a small model to hand out: weights in half precision, settings, card. `predict` takes it."""
    from dx2ct.publish import publish

    size = publish(run, output)
    print(f"{output}: {size / 2**20:.1f} MB of weights")


@app.command()
def calibration(
    scans: list[str],
    run: Annotated[Path, typer.Option(help="Folder of a run reconstructed with several samples.")],
    data: Data,
    output: Output,
) -> None:
    """Does the deviation of a run's samples say how wrong their mean is? A table and, beside it, a figure (.png)."""
    from dx2ct.calibration import write_calibration

    write_calibration(run, scans, data, output)


@app.command()
def predict(
    model: Annotated[Path, typer.Option(help="Folder of a finished run, results/RUN.")],
    pa: Annotated[Path | None, typer.Option(help="PA X-ray: PNG, JPEG, TIFF, DICOM, or .mha line integrals.")] = None,
    lateral: Annotated[Path | None, typer.Option(help="Lateral X-ray, for a model of two views.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The CT: .nii.gz, .nii, .mha or .nrrd.")] = None,
    dicom: Annotated[Path | None, typer.Option(help="New folder for the CT as a DICOM series.")] = None,
    png: Annotated[Path | None, typer.Option(help="Contact sheet of the CT.")] = None,
    preview: Annotated[Path | None, typer.Option(help="Picture of what the network sees; alone it is quick.")] = None,
    crop: Annotated[list[str] | None, typer.Option(help="VIEW:LEFT,TOP,RIGHT,BOTTOM in pixels of the file.")] = None,
    rotate: Annotated[list[str] | None, typer.Option(help="VIEW:DEGREES clockwise, a multiple of 90.")] = None,
    flip: Annotated[list[str] | None, typer.Option(help="VIEW to mirror left to right.")] = None,
    invert: Annotated[list[str] | None, typer.Option(help="VIEW whose bone is dark in the file.")] = None,
    steps: Annotated[int, typer.Option(help="DDIM steps.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    samples: Annotated[int, typer.Option(help="More than 1: their mean, and their deviation as a second volume.")] = 1,
    solver: Annotated[str, typer.Option(help="ddim or dpm (docs/sampling.md).")] = "ddim",
    planes: Annotated[
        str, typer.Option(help="alone, then their mean, or together: one volume at every step.")
    ] = "alone",
    noise: Annotated[str, typer.Option(help="image: one for all slices; volume: one that all planes see.")] = "image",
    consistency: Annotated[
        int, typer.Option(help="Iterations that make the CT agree with .mha line integrals; 0 = none.")
    ] = 0,
    max_memory: MaxMemory = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct a CT from one or two X-ray files with a trained run. VIEW is pa or lateral; options may be repeated.

    Framing: crop, rotate, flip, pad to a square. At the left must be: PA, the patient's right; lateral, the front.
    """
    from dx2ct.predict.command import Outputs
    from dx2ct.predict.command import predict as write_prediction
    from dx2ct.predict.framing import parse_framings
    from dx2ct.predict.model import load, sampling
    from dx2ct.samplers.machine import Machine, running

    files = {view: path for view, path in (("pa", pa), ("lateral", lateral)) if path is not None}
    framing = parse_framings(list(files), crop or (), rotate or (), flip or (), invert or ())
    outputs = Outputs(output, dicom, png, preview)
    how = sampling(
        steps=steps, seed=seed, samples=samples, solver=solver, planes=planes, noise=noise, consistency=consistency
    )
    with running(Machine(max_memory)):
        write_prediction(load(model, device, threads), files, framing, outputs, how)


@app.command()
def score(
    run: Annotated[Path, typer.Option(help="Folder of the reconstructed run.")],
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    xray: Annotated[
        str | None,
        typer.Option(help="The section xray of config.yaml as JSON; without it X-rays are not compared."),
    ] = None,
    nodules: Annotated[Path | None, typer.Option(help="Table of annotated nodules, as lidc-nodules.tsv.")] = None,
    threads: Threads = 0,
) -> None:
    """Score every test scan of a run: one row a scan and plane, and nodules.csv and slices.csv beside it."""
    from dx2ct.data.sheet import read_sheet
    from dx2ct.model_card import write_model_card
    from dx2ct.score import score_run
    from dx2ct.settings import parse, ScoreSettings, SelectionSettings, XraySettings
    from dx2ct.train import set_up_torch

    set_up_torch("cpu", threads)
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None)
    tests = [row.scan for row in rows if row.split == "test"]
    rendered = parse(XraySettings, xray) if xray else None
    score_run(run, tests, parse(ScoreSettings, settings), data, output, rendered, sheet, nodules, threads)
    if output.resolve() == (run / "scores.csv").resolve():
        write_model_card(run, sheet, rows)


@app.command()
def compare(
    truth: Annotated[Path, typer.Argument(help="The CT: NIfTI, MHA, MHD or NRRD in HU.")],
    prediction: Annotated[Path, typer.Argument(help="The volume to score, of any method, in HU.")],
    csv: Annotated[bool, typer.Option("--csv", help="A header and a row of CSV instead of a line of JSON.")] = False,
    resample: Annotated[bool, typer.Option("--resample", help="Put PREDICTION on TRUTH's grid first.")] = False,
    lpips: Annotated[bool, typer.Option("--lpips", help="LPIPS too; null where its weights cannot be had.")] = False,
) -> None:
    """Score any volume file against its CT: every metric definition in use, in one line."""
    from dx2ct.compare import compare, to_text

    print(to_text(compare(truth, prediction, resample, lpips), csv))


@app.command()
def metrics(
    runs: list[Path],
    output: Output,
    comparisons: Annotated[Path | None, typer.Option(help="Where run against run goes, paired by scan.")] = None,
) -> None:
    """Aggregate the scores of runs: one row a run."""
    from dx2ct.score import write_metrics
    from dx2ct.statistics import write_comparisons

    write_metrics(runs, output)
    if comparisons:
        write_comparisons(runs, comparisons)


@app.command()
def tables(
    runs: list[Path],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the tables.")],
    metrics: Annotated[Path, typer.Option(help="results/metrics.csv")],
    benchmarks: Annotated[Path, typer.Option(help="Folder of the workflow's benchmarks.")] = Path("benchmarks"),
) -> None:
    """Write the paper's tables, nodules and costs as CSV, Markdown and LaTeX."""
    from dx2ct.report.tables import write_tables

    write_tables(runs, metrics, benchmarks, output)


@app.command()
def figures(
    runs: list[Path],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the figures.")],
    sheet: Sheet,
    data: Data,
    leave_out: LeaveOut = None,
) -> None:
    """Write the figures about the runs as PNG and PDF."""
    from dx2ct.report.pictures import write_figures

    write_figures(runs, sheet, leave_out or (), data, output)


@app.command()
def report(
    runs: list[Path],
    output: Output,
    metrics: Annotated[Path, typer.Option(help="results/metrics.csv")],
    comparisons: Annotated[Path, typer.Option(help="results/comparisons.csv")],
    tables: Annotated[Path, typer.Option(help="Folder that `tables` wrote.")],
    figures: Annotated[Path, typer.Option(help="Folder that `figures` wrote.")],
    sheet: Sheet,
    data: Data,
    leave_out: LeaveOut = None,
    left_out: Annotated[
        list[Path] | None, typer.Option(help="Table or record of scans left out, with reasons.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="The whole configuration as JSON, to be shown.")] = None,
) -> None:
    """Write one self-contained HTML page about the runs, with a viewer of their volumes."""
    from dx2ct.report.page import Inputs, write_report

    inputs = Inputs(metrics, comparisons, sheet, data, tables, figures, config)
    write_report(runs, inputs, leave_out or (), left_out or (), output)


def main() -> None:
    """Run the command line; a user's error is one line on stderr and exit code 1."""
    try:
        app()
    except InputError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
