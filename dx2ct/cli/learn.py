"""The stages of a run: training and reconstruction, and what is reported of them."""

from pathlib import Path
from typing import Annotated

import typer

from drr.errors import InputError
from dx2ct.cli.options import (
    Data,
    Device,
    Engine,
    Fold,
    LeaveOut,
    MaxMemory,
    Output,
    Selection,
    Settings,
    Sheet,
    Threads,
)

app = typer.Typer()


@app.command()
def train(
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    fold: Fold = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the weights that train.start_from means; without it its path, or a run beside -o."
        ),
    ] = None,
    engine: Engine = "{}",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train one run; to resume after an interruption, run the same command again.

    On several GPUs: torchrun --nproc-per-node GPUS -m dx2ct train ...
    """
    from dx2ct.config import EngineSettings, parse, SelectionSettings
    from dx2ct.data.cohort.sheet import read_sheet
    from dx2ct.methods.saved import parse_run
    from dx2ct.methods.start import start_folder
    from dx2ct.methods.trained_on import write_trained_on
    from dx2ct.report.model_card import write_model_card
    from dx2ct.report.provenance import trained_on
    from dx2ct.training.device import set_up_torch
    from dx2ct.training.distributed import processes, rank
    from dx2ct.training.owner import owning, require_owner
    from dx2ct.training.runtime import Runtime

    method, parsed = parse_run(settings)
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None, fold)
    start = start_folder(parsed, output, start_from)
    runtime = Runtime(set_up_torch(device, threads), engine=parse(EngineSettings, engine), start=start)
    with processes(runtime.device), owning(output):
        method.implement().train(parsed, rows, data, output, runtime)
        if rank() == 0:
            require_owner(output)
            write_trained_on(output, trained_on(parsed, rows, sheet, fold, start))
            write_model_card(output, sheet, rows, is_scored=False)


@app.command()
def examples(
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    fold: Fold = None,
) -> None:
    """Draw examples of a training as its network sees them (.png): X-rays and slices, changed copies among them."""
    from dx2ct.config import parse, SelectionSettings
    from dx2ct.data.cohort.sheet import read_sheet
    from dx2ct.methods.saved import parse_run
    from dx2ct.report.examples import write_examples

    _, parsed = parse_run(settings)
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None, fold)
    write_examples(parsed, rows, data, output)


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

    Of a configuration: snakemake results/dx2ct/profile.json --configfile workflow/config/paper.yaml
    """
    from drr.files import replacing
    from dx2ct.methods.saved import parse_run, read_run
    from dx2ct.profiling import profile as profiling
    from dx2ct.training.device import set_up_torch

    if (settings is None) == (run is None):
        raise InputError("give either --settings or --run")
    method, parsed = read_run(run) if run else parse_run(settings or "")
    result = profiling.profile(method, parsed, set_up_torch(device, threads), precision, batch, steps)
    print(profiling.to_json(result) if json else profiling.to_text(result))
    if output:
        with replacing(output) as part:
            part.write_text(profiling.to_json(result))


@app.command()
def reconstruct(
    scan: str,
    run: Annotated[Path, typer.Option(help="Folder of the trained run.")],
    data: Data,
    settings: Settings = "{}",
    view: Annotated[list[str] | None, typer.Option(help="A view to use, of a model that needs not all of its.")] = None,
    fold: Annotated[str | None, typer.Option(help="NAME: of a run with folds, by the weights in RUN_NAME.")] = None,
    style: Annotated[
        Path | None, typer.Option(help="Folder of styles: their X-rays (style-transfer) instead of the rendered ones.")
    ] = None,
    engine: Engine = "{}",
    max_memory: MaxMemory = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct one scan from its X-rays: RUN/volumes/SCAN.nii.gz and RUN/planes/SCAN/PLANE.nii.gz, HU.

    Of several samples, RUN/deviations/SCAN.nii.gz, too.
    """
    from dx2ct.config import EngineSettings, parse, SamplingOptions
    from dx2ct.predict.scan import reconstruct_scan
    from dx2ct.training.device import set_up_torch
    from dx2ct.training.runtime import Runtime

    options = parse(SamplingOptions, settings)
    runtime = Runtime(set_up_torch(device, threads), max_memory, parse(EngineSettings, engine))
    reconstruct_scan(scan, run, options, data, runtime, view, fold, style)


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    output: Output,
    attribution: Annotated[
        Path | None, typer.Option(help="Text for the card, as the licences of the training scans ask for it.")
    ] = None,
) -> None:
    """Write a run as a small model to hand out: weights in half precision, settings, card. `predict` takes it."""
    from dx2ct.report.publish import publish

    size = publish(run, output, attribution)
    print(f"{output}: {size / 2**20:.1f} MB of weights")


@app.command()
def deviation_scale(
    scans: list[str],
    run: Annotated[Path, typer.Option(help="Folder of a run reconstructed with several samples.")],
    data: Data,
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Learn on validation scans how much wider the errors are than the deviation of a run's samples (JSON).

    --settings is what reconstruct was given: the scale holds for this sampling alone.
    """
    from dx2ct.config import parse, SamplingOptions
    from dx2ct.scoring.deviation import learn_scale

    learn_scale(run, scans, parse(SamplingOptions, settings), data, output)


@app.command()
def agreement(
    run: Annotated[Path, typer.Option(help="Folder of a trained run.")],
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    fold: Fold = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Learn how far X-rays of a run's reconstructions usually differ from those that it saw (JSON).

    On validation scans and, where its training has changed copies, on new ones. `predict` doubts what differs more.
    """
    from dx2ct.config import LearnedSettings, parse, SelectionSettings
    from dx2ct.data.cohort.sheet import read_sheet
    from dx2ct.methods.saved import read_run
    from dx2ct.scoring.agreement import learn_agreement, write_agreement
    from dx2ct.training.device import set_up_torch
    from dx2ct.training.runtime import Runtime

    method, settings = read_run(run)
    if not isinstance(settings, LearnedSettings):
        raise InputError(f"{run}: {method.title} is not trained by steps: it has no agreement to learn")
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None, fold)
    trained = method.implement().load(settings, run, Runtime(set_up_torch(device, threads)))
    write_agreement(learn_agreement(run, trained, settings, rows, data), output)


@app.command()
def calibration(
    scans: list[str],
    run: Annotated[Path, typer.Option(help="Folder of a run reconstructed with several samples.")],
    data: Data,
    output: Output,
    scale: Annotated[
        Path | None, typer.Option(help="deviation_scale.json of the run: the same of the calibrated deviation.")
    ] = None,
) -> None:
    """Does the deviation of a run's samples say how wrong their mean is? A table and, beside it, a figure (.png)."""
    from dx2ct.scoring.calibration import write_calibration

    write_calibration(run, scans, data, output, scale)
    if scale is None:
        print(f"{run}: the deviation is not calibrated: no --scale")
